"""Writes golden.safetensors and golden.json: losses and gradients of a tiny BERT in float64.

Three cases share one set of parameters and one batch (the prefix is that of the tensor names):

    (none)   BERT masked LM
    free/    its attention-free twin: each block is h = LN(h + FFN(h)) and nothing else
    gauss/   BERT with the word-embedding output replaced by the constant gauss/x

The numbers are those of Hugging Face BertForMaskedLM. Nothing is written unless, in each case,
plain_bert.py agrees on every logit, loss and gradient, and one random coordinate of every parameter
agrees with a central difference.

Run: python generate.py
"""

import copy
import json
import platform
from pathlib import Path

import numpy
import safetensors
import torch
import transformers
from safetensors.torch import save_file

from plain_bert import IGNORED, logits_and_loss

SEED = 20200707
STD = 0.3
CONFIG = {
    "vocab_size": 29,
    "hidden_size": 16,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 12,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "tie_word_embeddings": True,
}

AGREEMENT = 1e-12  # Hugging Face against plain_bert.py, absolute
DIFFERENCE = 1e-6  # gradient against central difference, relative
STEP = 1e-3  # of the five-point central difference, whose error is O(STEP^4)
FLOOR = 1e-3  # gradients below this are compared absolutely, on the scale of FLOOR


def build_batch():
    """Three rows of lengths 10, 7 and 4; ids 0 pad, 2 start, 3 end, 4 mask. Every tensor is (3, 10) i64.

    Six positions carry a label: four show the mask, one a random token (12), one its own token (11).
    """
    ids = [[2, 17, 4, 9, 9, 4, 23, 3, 12, 3], [2, 4, 28, 6, 11, 11, 3], [2, 20, 4, 3]]
    labels = {(0, 2): 14, (0, 5): 7, (0, 8): 26, (1, 1): 21, (1, 5): 11, (2, 2): 5}

    shape = (len(ids), len(ids[0]))
    batch = {name: torch.zeros(shape, dtype=torch.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
    batch["labels"] = torch.full(shape, IGNORED)
    for row, row_ids in enumerate(ids):
        batch["input_ids"][row, : len(row_ids)] = torch.tensor(row_ids)
        batch["attention_mask"][row, : len(row_ids)] = 1
    batch["token_type_ids"][0, 8:] = 1
    for position, label in labels.items():
        batch["labels"][position] = label
    return batch


def build_model(random):
    """Hugging Face BERT in f64, every parameter N(0, STD^2), LayerNorm gains 1 + N(0, STD^2)."""
    # pad_token_id=None: with an id there, torch would silently drop that row's embedding gradient.
    config = transformers.BertConfig(**CONFIG, pad_token_id=None, attn_implementation="eager")
    model = transformers.BertForMaskedLM(config).double().eval()
    with torch.no_grad():
        for name, parameter in sorted(named_parameters(model).items()):
            centre = 1.0 if name.endswith("LayerNorm.weight") else 0.0
            parameter.copy_(centre + STD * torch.from_numpy(random.standard_normal(parameter.shape)))
    return model


def named_parameters(model):
    """Each parameter once; the tied decoder goes by the embedding's name, its bias by cls.predictions.bias."""
    tied = {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}
    every = dict(model.named_parameters(remove_duplicate=False))
    assert every["cls.predictions.decoder.weight"] is every["bert.embeddings.word_embeddings.weight"]
    assert every["cls.predictions.decoder.bias"] is every["cls.predictions.bias"]
    return {name: parameter for name, parameter in every.items() if name not in tied}


class NoAttention(torch.nn.Module):
    """In place of a block's self-attention and its LayerNorm: hands on what it gets."""

    def forward(self, hidden, *_, **__):
        return hidden, None


def attention_free(model):
    """The twin, on the very same parameters: a change of one model's is a change of the other's."""
    twin = copy.deepcopy(model, memo={id(parameter): parameter for parameter in model.parameters()})
    for block in twin.bert.encoder.layer:
        block.attention = NoAttention()
    return twin


def hugging_face(model, batch, word_output=None):
    """Logits (6, V) at the labelled positions, and the mean loss."""
    words = {"input_ids": batch["input_ids"]} if word_output is None else {"inputs_embeds": word_output}
    rest = {name: batch[name] for name in ("attention_mask", "token_type_ids", "labels")}
    output = model(**words, **rest)
    assert model.config._attn_implementation == "eager" and output.loss.dtype == torch.float64
    return output.logits[batch["labels"] != IGNORED], output.loss


def differentiate(parameters, forward):
    """Logits, loss and gradient by parameter name; parameters that the loss does not use are left out."""
    logits, loss = forward()
    grads = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    result = {"logits": logits.detach(), "loss": loss.detach().reshape(1)}
    result |= {f"grad/{name}": g for name, g in zip(parameters, grads, strict=True) if g is not None}
    return result


def largest_disagreement(a, b):
    assert a.keys() == b.keys(), a.keys() ^ b.keys()
    return max((a[name] - b[name]).abs().max().item() for name in a)


@torch.no_grad()
def largest_difference_error(parameters, result, forward, random):
    """Largest error of one random coordinate a parameter against a five-point central difference."""
    worst = 0.0
    for name, parameter in parameters.items():
        if f"grad/{name}" not in result:
            continue
        values = parameter.view(-1)
        at = int(random.integers(values.numel()))
        start = values[at].item()
        slope = 0.0
        for shift, weight in ((-2, 1), (-1, -8), (1, 8), (2, -1)):
            values[at] = start + shift * STEP
            slope += weight * forward()[1].item() / (12 * STEP)
        values[at] = start
        exact = result[f"grad/{name}"].reshape(-1)[at].item()
        worst = max(worst, abs(slope - exact) / max(abs(exact), FLOOR))
    return worst


def main():
    torch.set_num_threads(1)
    random = numpy.random.default_rng(SEED)
    batch = build_batch()
    model = build_model(random)
    parameters = named_parameters(model)
    x = torch.from_numpy(random.standard_normal((*batch["labels"].shape, CONFIG["hidden_size"])))
    x = x / (x * x).mean(-1, keepdim=True).sqrt()

    def plain(**options):
        return logits_and_loss(parameters, CONFIG, batch, **options)

    cases = {
        "": (lambda: hugging_face(model, batch), plain),
        "free/": (lambda: hugging_face(attention_free(model), batch), lambda: plain(attention=False)),
        "gauss/": (lambda: hugging_face(model, batch, x), lambda: plain(word_output=x)),
    }

    tensors = {f"param/{name}": parameter.detach() for name, parameter in parameters.items()}
    tensors |= batch | {"gauss/x": x}
    losses = {}
    for prefix, (oracle, second) in cases.items():
        result = differentiate(parameters, oracle)
        tensors |= {prefix + name: tensor for name, tensor in result.items()}

        slope_error = largest_difference_error(parameters, result, oracle, random)
        gap = largest_disagreement(result, differentiate(parameters, second))
        loss = losses[prefix + "loss"] = result["loss"].item()
        print(f"{prefix}loss {loss:.15f}: central difference {slope_error:.1e}, plain_bert.py {gap:.1e}")
        assert slope_error < DIFFERENCE and gap < AGREEMENT

    description = {
        "generator": "reference/bert/generate.py",
        "versions": {
            "python": platform.python_version(),
            "numpy": numpy.__version__,
            "safetensors": safetensors.__version__,
            "torch": torch.__version__.split("+")[0],
            "transformers": transformers.__version__,
        },
        "seed": SEED,
        "std": STD,
        "configuration": CONFIG,
        "losses": losses,
        "parameters": {name: " x ".join(map(str, parameter.shape)) for name, parameter in parameters.items()},
    }
    folder = Path(__file__).parent
    # One metadata entry only: with several, their order in the file would change from run to run.
    about = json.dumps({key: description[key] for key in ("generator", "versions")})
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(tensors, folder / "golden.safetensors", metadata={"about": about})
    (folder / "golden.json").write_text(json.dumps(description, indent=2) + "\n")


if __name__ == "__main__":
    main()
