"""Writes heads.safetensors and heads.json: losses, logits and gradients of BERT's two other heads in float64.

    pretraining/   Hugging Face BertForPreTraining: masked LM + next sentence
    span/          Hugging Face BertForQuestionAnswering: start and end of an answer

Sizes, batch and drawing of the parameters are those of generate.py, but for layer_norm_eps = 1e-3, so that a wrong
place or value of it shows. Nothing is written unless plain_heads.py, the same heads written from their equations,
agrees on every logit, loss and gradient, and one random coordinate of every parameter with a central difference.

Run: python heads.py
"""

import json
import platform
from pathlib import Path

import numpy
import safetensors
import torch
import transformers
from safetensors.torch import save_file

import generate
from plain_bert import IGNORED
from plain_heads import pretraining, span

CONFIG = generate.CONFIG | {"layer_norm_eps": 1e-3}
NEXT = [0, 1, 1]
STARTS, ENDS = [3, 0, 2], [7, 0, 3]


def build(model_class, random):
    """The model in f64, every parameter N(0, STD^2), LayerNorm gains 1 + N(0, STD^2)."""
    # pad_token_id=None: with an id there, torch would silently drop that row's embedding gradient.
    config = transformers.BertConfig(**CONFIG, pad_token_id=None, attn_implementation="eager")
    model = model_class(config).double().eval()
    with torch.no_grad():
        for name, parameter in sorted(named_parameters(model).items()):
            centre = 1.0 if name.endswith("LayerNorm.weight") else 0.0
            parameter.copy_(centre + generate.STD * torch.from_numpy(random.standard_normal(parameter.shape)))
    return model


def named_parameters(model):
    """Each parameter once, by our name of it: a tied decoder is left out."""
    tied = {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}
    every = model.named_parameters(remove_duplicate=False)
    return {name: parameter for name, parameter in every if name not in tied}


def main():
    torch.set_num_threads(1)
    random = numpy.random.default_rng(generate.SEED + 1)
    batch = generate.build_batch()
    sequences = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
    following, starts, ends = torch.tensor(NEXT), torch.tensor(STARTS), torch.tensor(ENDS)
    labelled = batch["labels"] != IGNORED

    pretrainer = build(transformers.BertForPreTraining, random)
    answerer = build(transformers.BertForQuestionAnswering, random)
    of_pretrainer, of_answerer = named_parameters(pretrainer), named_parameters(answerer)

    def hugging_face_pretraining():
        output = pretrainer(**sequences, labels=batch["labels"], next_sentence_label=following)
        tokens, pairs = output.prediction_logits[labelled], output.seq_relationship_logits
        return torch.cat([tokens.flatten(), pairs.flatten()]), output.loss

    def hugging_face_span():
        output = answerer(**sequences, start_positions=starts, end_positions=ends)
        return torch.stack([output.start_logits, output.end_logits], -1), output.loss

    cases = {
        "pretraining/": (
            of_pretrainer,
            hugging_face_pretraining,
            lambda: pretraining(of_pretrainer, CONFIG, batch, following),
        ),
        "span/": (of_answerer, hugging_face_span, lambda: span(of_answerer, CONFIG, batch, starts, ends)),
    }

    tensors = batch | {"next": following, "starts": starts, "ends": ends}
    losses = {}
    for prefix, (parameters, oracle, plain) in cases.items():
        result = generate.differentiate(parameters, oracle)
        tensors |= {f"{prefix}param/{name}": parameter.detach() for name, parameter in parameters.items()}
        tensors |= {prefix + name: tensor for name, tensor in result.items()}
        slope_error = generate.largest_difference_error(parameters, result, oracle, random)
        gap = generate.largest_disagreement(result, generate.differentiate(parameters, plain))
        loss = losses[prefix + "loss"] = result["loss"].item()
        print(f"{prefix}loss {loss:.15f}: central difference {slope_error:.1e}, plain_heads.py {gap:.1e}")
        assert result["loss"].dtype == torch.float64
        assert slope_error < generate.DIFFERENCE and gap < generate.AGREEMENT

    description = {
        "generator": "reference/bert/heads.py",
        "versions": {
            "python": platform.python_version(),
            "numpy": numpy.__version__,
            "safetensors": safetensors.__version__,
            "torch": torch.__version__.split("+")[0],
            "transformers": transformers.__version__,
        },
        "seed": generate.SEED + 1,
        "std": generate.STD,
        "configuration": CONFIG,
        "losses": losses,
    }
    folder = Path(__file__).parent
    # One metadata entry only: with several, their order in the file would change from run to run.
    about = json.dumps({key: description[key] for key in ("generator", "versions")})
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(tensors, folder / "heads.safetensors", metadata={"about": about})
    (folder / "heads.json").write_text(json.dumps(description, indent=2) + "\n")


if __name__ == "__main__":
    main()
