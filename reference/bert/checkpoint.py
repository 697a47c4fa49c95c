"""Writes tiny-checkpoint/: two BERTs as Hugging Face saves them, and what they compute.

    masked-lm/      BertForMaskedLM.save_pretrained: names begin with `bert.`; the vocabulary is a vocab.txt
    encoder/        BertModel.save_pretrained of the same encoder: names without `bert.`; a tokenizer.json
    expected.json   ids of a few sentences, the last hidden states, and logits of the masked LM, in float64

Run: python checkpoint.py
"""

import json
import platform
from pathlib import Path

import safetensors
import torch
import transformers

SEED = 20200708
STD = 0.3
WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] the union of states is strong weak and ##er ##ly people , . we say that".split()
CONFIG = {
    "vocab_size": len(WORDS),
    "hidden_size": 8,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 16,
    "type_vocab_size": 2,
    "hidden_dropout_prob": 0.25,
    "attention_probs_dropout_prob": 0.25,
    "layer_norm_eps": 1e-5,
}
SENTENCES = ["The state of the union is strong.", "We say that people, stronger and weakly, [MASK]!", "Ünion"]


def main():
    torch.manual_seed(SEED)
    folder = Path(__file__).parent / "tiny-checkpoint"
    model = transformers.BertForMaskedLM(transformers.BertConfig(**CONFIG)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            centre = 1.0 if name.endswith("LayerNorm.weight") else 0.0
            parameter.copy_(centre + STD * torch.randn(parameter.shape))
    encoder = transformers.BertModel(model.config, add_pooling_layer=True).eval()
    encoder.load_state_dict(model.bert.state_dict(), strict=False)  # but for the pooler, which the other lacks

    model.save_pretrained(folder / "masked-lm")
    (folder / "masked-lm" / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    encoder.save_pretrained(folder / "encoder")
    tokenizer = transformers.BertTokenizer(vocab=str(folder / "masked-lm" / "vocab.txt"), do_lower_case=True)
    tokenizer.save_pretrained(folder / "encoder")
    (folder / "encoder" / "tokenizer_config.json").unlink()
    for side in ("masked-lm", "encoder"):
        (folder / side / "generation_config.json").unlink(missing_ok=True)

    reloaded = transformers.BertForMaskedLM.from_pretrained(folder / "masked-lm", dtype=torch.float64).eval()
    bare = transformers.BertModel.from_pretrained(folder / "encoder", dtype=torch.float64).eval()
    batch = tokenizer(SENTENCES, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = bare(**batch).last_hidden_state
        output = reloaded(**batch, output_hidden_states=True)
    assert (hidden - output.hidden_states[-1]).abs().max() < 1e-12
    expected = {
        "generator": "reference/bert/checkpoint.py",
        "versions": {
            "python": platform.python_version(),
            "safetensors": safetensors.__version__,
            "torch": torch.__version__.split("+")[0],
            "transformers": transformers.__version__,
        },
        "sentences": SENTENCES,
        "shape": list(hidden.shape),
        "input_ids": batch["input_ids"].flatten().tolist(),
        "attention_mask": batch["attention_mask"].flatten().tolist(),
        "last_hidden_state": hidden.flatten().tolist(),
        "logits": output.logits.flatten().tolist(),
    }
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    main()
