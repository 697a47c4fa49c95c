"""Writes golden.safetensors and golden.json: losses and gradients of a tiny Transformer-XL in float64.

Four segments follow each other, so that the memory is empty, partly filled, full, and shifting. Four models (the
prefix is that of the tensor names):

    full/       full softmax, tied to the embeddings
    adaptive/   adaptive softmax with two clusters, tied
    untied/     the same with an output matrix of its own, and with u and v of each layer (`untie_r`)
    dropout/    full softmax, tied, with dropout everywhere, whose masks are those of our key i + 1 in segment i

The numbers are those of Hugging Face TransfoXLLMHeadModel, with three things set right: the memory begins empty, as in
the authors' code, rather than with zeros; every position has a target, where the class would shift the labels and drop
the last; and scores stay in float64, which the class rounds to float32 before it masks them. Nothing is written unless
plain_xl.py agrees on every loss and gradient.

Run: python generate.py
"""

import functools
import json
import math
import platform
import warnings
from pathlib import Path

import numpy
import safetensors
import torch
import transformers
from safetensors.torch import save_file
from transformers import TransfoXLConfig, TransfoXLLMHeadModel

import plain_xl

SEED = 20190109
STD = 0.3
BATCH, LENGTH, SEGMENTS = 3, 5, 4
CONFIG = {
    "vocab_size": 29,
    "d_model": 12,
    "d_embed": 12,
    "n_layer": 3,
    "n_head": 2,
    "d_head": 5,
    "d_inner": 22,
    "mem_len": 7,
    "div_val": 1,
    "pre_lnorm": False,
    "dropout": 0.0,
    "dropatt": 0.0,
    "clamp_len": -1,
    "same_length": False,
    "cutoffs": [],
    "tie_word_embeddings": True,
    "untie_r": False,
}
CASES = {
    "full": {},
    "adaptive": {"cutoffs": [11, 19]},
    "untied": {"cutoffs": [11, 19], "tie_word_embeddings": False, "untie_r": True},
    "dropout": {"dropout": 0.2, "dropatt": 0.3},
}

AGREEMENT = 1e-12  # Hugging Face against plain_xl.py, absolute


def philox(counter, key):
    """Philox 4x32-10 (Salmon et al. 2011): four words of 32 bits."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    low = 0xFFFFFFFF
    for _ in range(10):
        first, second = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (second >> 32) ^ c1 ^ k0, second & low, (first >> 32) ^ c3 ^ k1, first & low
        k0, k1 = (k0 + 0x9E3779B9) & low, (k1 + 0xBB67AE85) & low
    return c0, c1, c2, c3


def factors(key, place, shape, probability):
    """The mask of acclip_kernels::Dropout: an entry i of a group of 64 takes half i / 8 of the words of block i mod 8."""
    threshold = round(probability * 65536)
    entries = math.prod(shape)
    blocks = [philox((block, 0, place, 0), (key, 0)) for block in range((entries + 63) // 64 * 8)]
    values = []
    for i in range(entries):
        half = i % 64 // 8
        bits = blocks[i // 64 * 8 + i % 8][half // 2] >> (16 * (half % 2)) & 0xFFFF
        values.append(0.0 if bits < threshold else 65536 / (65536 - threshold))
    return torch.tensor(values).view(*shape)


class Masked(torch.nn.Module):
    """In the place of a dropout layer: the masks of `places`, in the order of its calls in a pass."""

    key = 1

    def __init__(self, probability, *places):
        super().__init__()
        self.probability, self.places, self.calls = probability, places, 0

    def forward(self, x):
        # Theirs is (T, B, H) or (T, K, B, heads), ours (B, T, H) or (B, heads, T, K).
        there, back = ((1, 0, 2), (1, 0, 2)) if x.dim() == 3 else ((2, 3, 0, 1), (2, 3, 0, 1))
        shape = [x.shape[i] for i in there]
        place = self.places[self.calls % len(self.places)]
        self.calls += 1
        return x * factors(self.key, place, shape, self.probability).permute(*back)


def mask_dropout(model, config):
    if config["dropout"] == 0.0:
        return
    model.transformer.drop = Masked(config["dropout"], 0, 2, 1)
    for i, layer in enumerate(model.transformer.layers):
        layer.dec_attn.dropatt = Masked(config["dropatt"], 3 + 4 * i)
        layer.dec_attn.drop = Masked(config["dropout"], 4 + 4 * i)
        layer.pos_ff.CoreNet[2] = Masked(config["dropout"], 5 + 4 * i)
        layer.pos_ff.CoreNet[4] = Masked(config["dropout"], 6 + 4 * i)


def build_model(config, random):
    """A model whose parameters, gains and biases too, are far from symmetric points."""
    model = TransfoXLLMHeadModel(TransfoXLConfig(**config)).eval()
    model = model.double()  # u and v are of float32 whatever the default
    with torch.no_grad():
        for name, parameter in named_parameters(model).items():
            noise = torch.from_numpy(random.standard_normal(tuple(parameter.shape)))
            parameter.copy_(STD * noise + float(name.endswith("layer_norm.weight")))
    mask_dropout(model, config)
    return model


def named_parameters(model):
    """Each parameter once, by its first name. Those that are shared have the name of the embeddings or the model."""
    seen, names = set(), {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if id(parameter) not in seen:
            seen.add(id(parameter))
            names[name] = parameter
    return names


def hugging_face(model, tokens, targets, memory):
    output = model.transformer(tokens, mems=[m.transpose(0, 1) for m in memory])
    # `crit` drops the last position and the first label: give it one of each to drop.
    h = output.last_hidden_state
    h = torch.cat([h, h[:, -1:]], 1)
    labels = torch.cat([targets[:, :1], targets], 1)
    losses = model.crit(h, labels)
    assert losses.numel() == targets.numel()
    return losses.mean(), [m.transpose(0, 1) for m in output.mems]


def run(step, parameters, config, data):
    """The loss of each segment, the gradient of each, and the memory after the last."""
    memory = [torch.empty(BATCH, 0, config["d_model"]) for _ in range(config["n_layer"])]
    results = {}
    for i, (tokens, targets) in enumerate(data):
        for parameter in parameters.values():
            parameter.grad = None
        Masked.key = i + 1
        loss, memory = step(tokens, targets, memory)
        loss.backward()
        results[f"{i}/loss"] = loss.detach().reshape(1)
        for name, parameter in parameters.items():
            results[f"{i}/grad/{name}"] = parameter.grad.clone()
    return results | {f"memory/{i}": m.contiguous() for i, m in enumerate(memory)}


def main():
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = lambda self: self  # the scores stay as they are
    random = numpy.random.default_rng(SEED)
    stream = torch.from_numpy(random.integers(0, CONFIG["vocab_size"], (BATCH, SEGMENTS * LENGTH + 1)))
    begins = range(0, SEGMENTS * LENGTH, LENGTH)
    data = [(stream[:, i : i + LENGTH], stream[:, i + 1 : i + 1 + LENGTH]) for i in begins]

    tensors = {"stream": stream}
    losses = {}
    for case, changes in CASES.items():
        config = CONFIG | changes
        model = build_model(config, random)
        parameters = named_parameters(model)

        def oracle(*segment):
            return hugging_face(model, *segment)

        def plain(*segment):
            masks = plain_xl.no_dropout
            if config["dropout"] > 0.0:
                masks = functools.partial(factors, Masked.key)
            return plain_xl.segment(parameters, config, *segment, masks)

        results = run(oracle, parameters, config, data)
        second = run(plain, parameters, config, data)
        gap = max((results[name] - second[name]).abs().max().item() for name in results)
        losses[case] = [results[f"{i}/loss"].item() for i in range(SEGMENTS)]
        print(f"{case}: losses {losses[case]}, plain_xl.py {gap:.1e}")
        assert gap < AGREEMENT
        tensors |= {f"{case}/param/{name}": p.detach().clone() for name, p in parameters.items()}
        tensors |= {f"{case}/{name}": tensor for name, tensor in results.items()}

    description = {
        "generator": "reference/transformer-xl/generate.py",
        "versions": {
            "python": platform.python_version(),
            "numpy": numpy.__version__,
            "safetensors": safetensors.__version__,
            "torch": torch.__version__.split("+")[0],
            "transformers": transformers.__version__,
        },
        "seed": SEED,
        "std": STD,
        "batch, length, segments": [BATCH, LENGTH, SEGMENTS],
        "configuration": CONFIG,
        "cases": CASES,
        "losses": losses,
    }
    folder = Path(__file__).parent
    # One metadata entry only: with several, their order in the file would change from run to run.
    about = json.dumps({key: description[key] for key in ("generator", "versions")})
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(tensors, folder / "golden.safetensors", metadata={"about": about})
    (folder / "golden.json").write_text(json.dumps(description, indent=2) + "\n")


if __name__ == "__main__":
    main()
