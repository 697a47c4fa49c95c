"""Golden trajectories of every optimizer of acclip-optim.

Run from the repository root:

    python -m venv .venv && .venv/bin/pip install -r reference/optim/requirements.txt
    .venv/bin/python reference/optim/generate.py [--out PATH]

The formulas are in oracle.py: decimal arithmetic with 50 digits, on exactly the hyper-parameters
that an f64 can hold; so the golden values are correctly rounded, and share no rounding with the
Rust code. Where PyTorch has the same rule, its trajectory in float64 must agree to 1e-12, or this
program stops. It also stops where rounding could decide a comparison, and where a clip always or
never acts. The result is crates/acclip-optim/tests/golden.json, which names the versions it was
made with.
"""

import argparse
import json
import math
import platform
import random
from decimal import Decimal
from itertools import accumulate
from pathlib import Path

import torch

import oracle
from oracle import OPTIMIZERS

STEPS = 60
RECORDED = [1, 2, 3, 10, 30, 60]
SCALES = {"1": 1.0, "1e-3": 1e-3, "1e-6": 1e-6}
SEED = 20218
ZERO_STEP = 21
BLOCKS = [
    {"name": "weight", "shape": [3, 4], "decay": True},
    {"name": "bias", "shape": [5], "decay": False},
    {"name": "frozen", "shape": [2], "decay": True, "frozen": True},
    {"name": "gain", "shape": [], "decay": True, "learning_rate_scale": 0.5},
    {"name": "rare", "shape": [2, 3], "decay": False},
]
# Name: learning rate and hyper-parameters at scale 1, each off its default at least once.
MOVE = {"momentum": 0.6, "nesterov": True, "weight_decay": 0.2, "l2": 0.1}
MEAN = {"beta1": 0.7, "weight_decay": 0.3, "l2": 0.2}
DECOUPLED = {"beta1": 0.7, "weight_decay": 0.3}
MOMENTS = MEAN | {"beta2": 0.93, "eps": 1e-4}
SLOW = MEAN | {"beta1": 0.8, "beta2": 0.97, "eps": 1e-6}
POWER = {"alpha": 1.5, "beta1": 0.8, "beta2": 0.95, "eps": 1e-3, "weight_decay": 0.2, "l2": 0.1}
CORRECTED = {"bias_correction": True}
SQUARE = CORRECTED | {"alpha": 2.0, "beta1": 0.95, "beta2": 0.7, "eps": 1e-7}
CASES = {
    "sgd": (0.02, [{}, MOVE]),
    "sgd-momentum": (0.01, [{}, MOVE | {"nesterov": False}, {"nesterov": True}]),
    "nesterov": (0.01, [{}, MOVE, {"nesterov": False}]),
    "gclip": (0.05, [{}, MOVE | {"max_norm": 3.5}, {"max_norm": 1.5, "threshold_growth": 0.25}]),
    "gclip-block": (0.05, [{}, MOVE | {"max_norm": 1.75, "threshold_growth": 0.0625}]),
    "proj-gclip": (0.1, [{}, MOVE | {"max_norm": 1.5, "threshold_growth": 0.125, "radius": 2.25}]),
    "cclip": (0.1, [{}, MOVE | {"tau": 0.25, "threshold_growth": 0.375}]),
    "agc": (0.02, [{}, {"clip_factor": 0.4, "floor": 1.5}, MOVE | {"clip_factor": 0.7, "floor": 0.3}]),
    "qclip-block": (0.02, [{}, MOVE | {"clip_rate": 0.3, "clip_gain": 0.4}]),
    "qclip-raw": (0.05, [{}, DECOUPLED | {"clip_rate": 0.25, "clip_gain": 0.3}]),
    "qclip": (0.02, [{}, DECOUPLED | {"clip_rate": 0.25, "clip_gain": 0.3, "eps": 1e-3}]),
    "acclip-paper": (0.05, [{}, CORRECTED, POWER, SQUARE, {"alpha": 0.7, "beta1": 0.85, "beta2": 0.98}]),
    "acclip": (0.01, [{}, CORRECTED, POWER, SQUARE]),
    "adam": (0.01, [{}, MOMENTS]),
    "amsgrad": (0.01, [{}, MOMENTS]),
    "adamw": (0.01, [{}, MOMENTS]),
    "stable-adamw": (0.01, [{}, MOMENTS]),
    "adamw-clip": (0.01, [{}, SLOW | {"max_norm": 1.25, "threshold_growth": 0.25}]),
    "adamw-coordinate-clip": (
        0.01,
        [{}, DECOUPLED | {"beta2": 0.97, "eps": 1e-6, "clip_factor": 1.75}],
    ),
    "adagc": (
        0.01,
        [
            {},
            {"warm_up": 1},
            SLOW | {"max_norm": 2.5, "clip_factor": 1.4, "clip_decay": 0.8, "warm_up": 7},
        ],
    ),
    "zclip": (
        0.01,
        [
            {},
            {"max_norm": 40.0},
            SLOW | {"max_norm": 9.0, "z_score": 1.25, "clip_decay": 0.8, "warm_up": 7},
        ],
    ),
    "autoclip": (0.01, [{}, SLOW | {"percentile": 62.5}]),
    "adagrad": (0.1, [{}, {"eps": 1e-4, "weight_decay": 0.2, "l2": 0.3}]),
    "rmsprop": (0.01, [{}, {"beta2": 0.9, "eps": 1e-4, "momentum": 0.6, "weight_decay": 0.2, "l2": 0.3}]),
    "lion": (0.01, [{}, MEAN | {"beta2": 0.8}]),
    "signum": (0.01, [{}, MEAN]),
    "nsgd-momentum": (0.05, [{}, MEAN]),
}

OFFSETS = list(accumulate((math.prod(block["shape"]) for block in BLOCKS), initial=0))
N = OFFSETS[-1]
# The blocks that are not frozen, with their place in the whole vector; and all their coordinates.
MOVING_BLOCKS = [
    (block, start, stop) for block, start, stop in zip(BLOCKS, OFFSETS, OFFSETS[1:]) if not block.get("frozen")
]
MOVING = [i for _, start, stop in MOVING_BLOCKS for i in range(start, stop)]


def scale_of(block):
    return block.get("learning_rate_scale", 1.0)


def spread(moved, start):
    """The whole vector: the moved coordinates, and the frozen ones as they were."""
    moved = dict(zip(MOVING, moved))
    return [float(moved.get(i, start[i])) for i in range(N)]


def oracle_blocks():
    """The blocks that are not frozen, back to back."""
    blocks, start = [], 0
    for block, _, _ in MOVING_BLOCKS:
        shape = block["shape"]
        stop = start + math.prod(shape)
        units = shape[0] if len(shape) > 1 else 1
        blocks.append(oracle.Block(start, stop, units, block["decay"], Decimal(scale_of(block))))
        start = stop
    return blocks


def raw_gradients():
    """Integers, to be divided by 1024: asymmetric, heavy-tailed from step to step and within one,
    mostly zero on `rare`, and at one step zero on all but `frozen`."""
    draw = random.Random(SEED)
    rows = []
    for t in range(1, STEPS + 1):
        size = math.exp(draw.gauss(-1.4, 1.0))
        row = []
        for i in range(N):
            heavy = size * draw.gauss(0.4, 1.0) / max(draw.random(), 0.02) ** 0.6
            absent = i >= OFFSETS[-2] and draw.random() > 0.15 or t == ZERO_STEP and i in MOVING
            row.append(0 if absent else round(1024 * heavy))
        rows.append(row)
    return rows


def at_scale(name, learning_rate, options, scale):
    """Learning rate and hyper-parameters for gradients times `scale`.

    A rule whose direction scales with the gradient moves by rate × gradient: keep that product,
    and that of rate × decay, so that neither drowns the other. A threshold that is given follows
    the gradient, so that it acts at each scale; a default is left alone. So is every ε.
    """
    follows = OPTIMIZERS[name][1] in (oracle.sgd, oracle.acclip_paper, oracle.averaged)
    scaled = {"l2", "max_norm", "tau"}
    scaled |= {"weight_decay"} if follows else set()
    scaled |= {"clip_factor"} if name == "agc" else set()
    given = {key: value * scale if key in scaled else value for key, value in options.items()}
    return learning_rate / scale if follows else learning_rate, given


def trajectory(name, hyper, start, grads, rates):
    """Parameters after each step, and what the clip did."""
    run = oracle.Run(name, hyper, oracle_blocks(), [start[i] for i in MOVING])
    out = []
    for grad, rate in zip(grads, rates):
        run.step([grad[i] for i in MOVING], rate)
        out.append(spread(run.x, start))
    return out, run.watch


def torch_optimizer(name, h, groups):
    """PyTorch's rule of that name at learning rate 1, or None; its weight decay is our l2."""
    optim = torch.optim
    if name in ("sgd", "sgd-momentum", "nesterov"):
        nesterov = h["nesterov"]
        return optim.SGD(groups, lr=1.0, momentum=h["momentum"], nesterov=nesterov, weight_decay=h["l2"])
    if name == "adagrad":
        return optim.Adagrad(groups, lr=1.0, eps=h["eps"], weight_decay=h["l2"])
    if name == "rmsprop":
        alpha = h["beta2"]
        return optim.RMSprop(groups, alpha=alpha, eps=h["eps"], momentum=h["momentum"], weight_decay=h["l2"])
    if name in ("adam", "amsgrad"):
        betas, amsgrad = (h["beta1"], h["beta2"]), name == "amsgrad"
        return optim.Adam(groups, betas=betas, eps=h["eps"], amsgrad=amsgrad, weight_decay=h["l2"])
    if name == "adamw":
        betas = (h["beta1"], h["beta2"])
        return optim.AdamW(groups, betas=betas, eps=h["eps"], weight_decay=h["weight_decay"])
    return None


def torch_trajectory(name, hyper, start, grads, rates):
    """The same by PyTorch, where it has the rule. Its AdamW has only decoupled decay, its other
    rules only coupled decay: the one that is missing is added here."""
    xs = [torch.tensor(start[a:b], dtype=torch.float64, requires_grad=True) for _, a, b in MOVING_BLOCKS]
    groups = [
        {"params": [x]} if block["decay"] else {"params": [x], "weight_decay": 0.0}
        for x, (block, _, _) in zip(xs, MOVING_BLOCKS)
    ]
    optimizer = torch_optimizer(name, hyper, groups)
    if optimizer is None:
        return None
    l2, weight_decay = (hyper["l2"], 0.0) if name == "adamw" else (0.0, hyper["weight_decay"])
    out = []
    for grad, rate in zip(grads, rates):
        old = [x.detach().clone() for x in xs]
        for x, x_old, group, (block, a, b) in zip(xs, old, optimizer.param_groups, MOVING_BLOCKS):
            x.grad = torch.tensor(grad[a:b], dtype=torch.float64) + l2 * block["decay"] * x_old
            group["lr"] = rate * scale_of(block)
        optimizer.step()
        with torch.no_grad():
            for x, x_old, group, (block, _, _) in zip(xs, old, optimizer.param_groups, MOVING_BLOCKS):
                x -= group["lr"] * weight_decay * block["decay"] * x_old
        out.append(spread([value for x in xs for value in x.tolist()], start))
    return out


def relative_difference(a, b):
    pairs = [pair for rows in zip(a, b) for pair in zip(*rows)]
    return max(abs(p - q) / max(abs(p), 1e-3) for p, q in pairs)


def make_case(name, learning_rate, options, label, start, schedule, integers):
    """One case of the golden file, and the share of decisions in which its clip acted."""
    scale = SCALES[label]
    rate, given = at_scale(name, learning_rate, options, scale)
    hyper = OPTIMIZERS[name][2] | given
    rates = [rate * factor for factor in schedule]
    grads = [[value / 1024 * scale for value in row] for row in integers]
    xs, watch = trajectory(name, hyper, start, grads, rates)
    assert watch.safe(), f"{name} {given} at scale {label}: margins {watch.margin}; change the seed"
    reference = torch_trajectory(name, hyper, start, grads, rates)
    if reference is not None:
        worst = relative_difference(xs, reference)
        assert worst < 1e-12, f"{name} {given} at scale {label}: PyTorch differs by {worst:.1e}"
    case = {
        "optimizer": name,
        "hyper": given,
        "scale": scale,
        "learning_rate": rate,
        "torch": reference is not None,
        "params": [xs[t - 1] for t in RECORDED],
    }
    return case, watch.fired / watch.asked if watch.asked else None


def check_coverage():
    assert CASES.keys() == OPTIMIZERS.keys()
    for name, (_, cases) in CASES.items():
        for key, default in OPTIMIZERS[name][2].items():
            assert any(options.get(key, default) != default for options in cases), (name, key)


def write(path, golden):
    with open(path, "w") as file:
        file.write("{\n")
        for key, value in golden.items():
            if key not in ("cases", "grads_times_1024"):
                file.write(f"{json.dumps(key)}: {json.dumps(value)},\n")
        for key in ("grads_times_1024", "cases"):
            rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in golden[key])
            file.write(f"{json.dumps(key)}: [\n{rows}\n]" + (",\n" if key != "cases" else "\n"))
        file.write("}\n")


def main():
    parser = argparse.ArgumentParser(description="Write the golden trajectories of acclip-optim.")
    default = Path(__file__).resolve().parents[2] / "crates/acclip-optim/tests/golden.json"
    parser.add_argument("--out", type=Path, default=default, metavar="PATH")
    path = parser.parse_args().out

    check_coverage()
    integers = raw_gradients()
    start = [round(((i * 37) % 29 - 11) / 8, 3) for i in range(N)]
    schedule = [1 - t / 128 for t in range(STEPS)]
    cases = []
    for name, (learning_rate, all_options) in CASES.items():
        for options in all_options:
            shares = []
            for label in SCALES:
                case, share = make_case(name, learning_rate, options, label, start, schedule, integers)
                cases.append(case)
                shares.append(share)
            if "l2" in options:
                # Once without it: L2 decay keeps a chain from being run in one pass.
                others = {key: value for key, value in options.items() if key != "l2"}
                case, _ = make_case(name, learning_rate, others, "1", start, schedule, integers)
                cases.append(case)
            if shares[0] is not None:
                print(f"{name:22} clips at", *(f"{share:7.2%}" for share in shares), options)
                assert any(0 < share < 1 for share in shares), f"{name} {options}: always or never clips"
    golden = {
        "generator": "reference/optim/generate.py",
        "python": platform.python_version(),
        "torch": torch.__version__.split("+")[0],
        "blocks": BLOCKS,
        "start": start,
        "schedule": schedule,
        "recorded": RECORDED,
        "grads_times_1024": integers,
        "cases": cases,
    }
    write(path, golden)
    print(f"{len(cases)} cases, {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
