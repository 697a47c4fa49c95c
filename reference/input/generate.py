"""Writes golden.json: files of noise as NumPy and safetensors write them, and what they hold.

Each character of `bytes` is one byte, so that headers can be read.

    python reference/input/generate.py
"""

import io
import json
import pathlib
import platform

import numpy as np
import safetensors
from safetensors.numpy import save

# Small halves: exact in every type; row and column can be read off the value.
MATRIX = np.array([[10 * i + j + 0.5 for j in range(3)] for i in range(4)])
NORMS = np.array([0.0, 0.5, 1.25, 3.0, 1e3])


def npy(array, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asanyarray(array), version=version, allow_pickle=True)
    return out.getvalue()


def txt(array, **options):
    out = io.BytesIO()
    np.savetxt(out, array, **options)
    return out.getvalue()


def save_bf16(name, array):
    """One tensor of bfloat16: the upper halves of float32, which must lose nothing."""
    bits = np.asarray(array, "<f4").view("<u4")
    assert not (bits & 0xFFFF).any()
    halves = (bits >> 16).astype("<u2")
    spec = safetensors.TensorSpec(
        dtype="bfloat16", shape=halves.shape, data_ptr=halves.ctypes.data, data_len=halves.nbytes
    )
    return bytes(safetensors.serialize({name: spec}))


cases = []


def case(name, data, norms=None, rows=None, layers=None, error=None, **options):
    entry = {"name": name, "bytes": data.decode("latin-1"), **options}
    if norms is not None:
        entry["norms"] = np.asarray(norms, float).ravel().tolist()
    if rows is not None:
        rows = np.asarray(rows, float)
        entry["rows"] = rows.reshape(len(rows), -1).tolist()
        entry["layers"] = layers or [["all", len(entry["rows"][0])]]
    if error is not None:
        entry["error"] = error
    cases.append(entry)


# NPY: types, byte orders, orders of the axes, shapes, versions.
for dtype in ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]:
    a = MATRIX.astype(dtype)
    case(f"{dtype[1:]}-{'little' if dtype[0] == '<' else 'big'}.npy", npy(a), rows=a)
for dtype in ["<f4", ">f8", "<i2"]:
    a = np.asfortranarray(MATRIX.astype(dtype))
    case(f"fortran-{dtype[1:]}.npy", npy(a), rows=a)
for dtype in ["|i1", ">i4", "<u2", ">u8"]:
    a = (np.arange(12) % 5 - (dtype[1] == "i")).reshape(4, 3).astype(dtype)
    case(f"{dtype[1:]}.npy", npy(a), rows=a)
cube = np.arange(24.0).reshape(4, 2, 3).astype("<f4")
case("cube.npy", npy(cube), rows=cube)
case("cube-fortran.npy", npy(np.asfortranarray(cube)), rows=cube)
case("norms.npy", npy(NORMS), norms=NORMS)
case("norms-column.npy", npy(NORMS[:, None]), norms=NORMS)
case("norms-row.npy", npy(NORMS[None, :]), norms=NORMS, shape="norms")
case("norms-row-unsaid.npy", npy(NORMS[None, :]), error="say --norms")
case("one-gradient.npy", npy(NORMS[None, :]), rows=NORMS[None, :], shape="vectors")
case("signed.npy", npy(NORMS - 1), error="--vectors")
case("signed-said.npy", npy(NORMS - 1), rows=(NORMS - 1)[:, None], shape="vectors")
case("wide.npy", npy(MATRIX[:2]), rows=MATRIX[:2])
case("version2.npy", npy(NORMS, (2, 0)), norms=NORMS)
case("version3", npy(NORMS, (3, 0)), norms=NORMS)

# NPY: refused.
case("object.npy", npy(np.array([[1.0], [2.0, 3.0]], dtype=object)), error="pickle")
case("complex.npy", npy(NORMS.astype("<c16")), error="complex")
case("bool.npy", npy(NORMS > 1), error="truth values")
case("text.npy", npy(np.array(["1.5", "2"])), error="text")
case("bytes.npy", npy(np.array([b"1.5"])), error="text")
case("extended.npy", npy(NORMS.astype(np.longdouble)), error="extended floats")
case("date.npy", npy(np.array(["2020-01-01"], "<M8[D]")), error="no numbers")
case("records.npy", npy(np.array([(1.0, 2.0)], [("a", "<f4"), ("b", "<f4")])), error="records")
case("bfloat16.npy", npy(np.zeros(3, "V2")), error="bfloat16")
case("scalar.npy", npy(np.float64(3)), error="without an axis")
case("no-rows.npy", npy(np.zeros((0, 3))), error="[0, 3]")
case("no-columns.npy", npy(np.zeros((3, 0))), error="[3, 0]")
case("nan.npy", npy(np.where(MATRIX == 21.5, np.nan, MATRIX)), error="index 2 of the first axis, entry 1: NaN")
case("inf.npy", npy(np.array([1, np.inf])), error="index 1: inf")
case("two.npy", npy(NORMS) + npy(NORMS), error="several arrays")
archive = io.BytesIO()
np.savez(archive, NORMS)
case("archive.npz", archive.getvalue(), error="numpy.savez")

# Safetensors.
weight, bias = MATRIX.reshape(4, 3, 1).astype("<f4"), MATRIX[:, 0].astype("<f2")
both = {"w": weight, "b": bias}
both_rows = np.concatenate([MATRIX, MATRIX[:, :1]], axis=1)
case("layers.safetensors", save(both), rows=both_rows, layers=[["w", 3], ["b", 1]])
case("layer.safetensors", save(both), rows=MATRIX, layers=[["w", 3]], column="w")
case("chosen.safetensors", save(both), norms=bias, column="b")
case("unknown.safetensors", save(both), error="no tensor 'x'; it has the tensors 'w', 'b'", column="x")
case("both-norms.safetensors", save(both), error="'w', 'b'; choose", shape="norms")
case("norms.safetensors", save({"norms": NORMS}, {"made": "by hand"}), norms=NORMS)
case("any.name", save({"norms": NORMS}), norms=NORMS)
case("lists.safetensors", save({"a": NORMS, "b": NORMS}), error="each a list")
case("lists-said.safetensors", save({"a": NORMS, "b": NORMS}), rows=np.stack([NORMS, NORMS], 1),
     layers=[["a", 1], ["b", 1]], shape="vectors")
case("lengths.safetensors", save({"a": MATRIX, "b": MATRIX[:3]}), error="'a' has 4 rows and tensor 'b' has 3")
case("bf16.safetensors", save_bf16("g", MATRIX), rows=MATRIX, layers=[["g", 3]])
case("int.safetensors", save({"g": np.arange(-6, 6).reshape(4, 3)}), rows=np.arange(-6, 6).reshape(4, 3),
     layers=[["g", 3]])
case("bool.safetensors", save({"g": NORMS > 1}), error="tensor 'g' holds numbers of type BOOL")
case("scalar.safetensors", save({"g": np.array(1.0)}), error="tensor 'g' holds one number")
case("none.safetensors", save({}), error="no tensors")
nan = bias.copy()
nan[3] = np.nan
case("nan.safetensors", save({"w": weight, "b": nan}), error="tensor 'b', index 3 of the first axis, entry 0: NaN")

# Text.
case("savetxt.txt", txt(NORMS), norms=NORMS)
case("savetxt-rows.txt", txt(MATRIX), rows=MATRIX)
case("savetxt.csv", txt(MATRIX, delimiter=",", header="a, b, c", newline="\r\n"), rows=MATRIX)
case("savetxt.tsv", txt(MATRIX, delimiter="\t", fmt="%g"), rows=MATRIX)
case("names.csv", txt(MATRIX, delimiter=",", header="g0,g1,g2", comments=""), rows=MATRIX)
case("column.csv", txt(MATRIX, delimiter=";", header="a;grad norm;c", comments=""), norms=MATRIX[:, 1],
     column="grad norm")

here = pathlib.Path(__file__).parent
versions = {"python": platform.python_version(), "numpy": np.__version__, "safetensors": safetensors.__version__}
lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in cases)
(here / "golden.json").write_text(
    f'{{"generator": "reference/input/generate.py", "versions": {json.dumps(versions)}, "cases": [\n{lines}\n]}}\n',
    encoding="utf-8",
)
