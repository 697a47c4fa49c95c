"""Reads the event file of a run with TensorBoard and compares it with metrics.jsonl.

    acclip train --set train.tensorboard=true --out run
    python events.py run

Prints the number of scalars, and fails where one differs by more than an f32 rounds.
"""

import json
import math
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

NAMES = {
    "loss": "train/loss",
    "learning_rate": "train/learning_rate",
    "grad_norm": "train/grad_norm",
    "update_norm": "train/update_norm",
    "clipped": "train/clipped",
    "valid_loss": "valid/loss",
    "valid_accuracy": "valid/accuracy",
}


def expected(folder):
    """(tag, step) to value, from metrics.jsonl."""
    found = {}
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        for key, tag in NAMES.items():
            if key in record:
                found[tag, record["step"]] = record[key]
        for key, value in record.get("scores", {}).items():
            found["valid/" + key, record["step"]] = value
    return found


def main():
    folder = Path(sys.argv[1])
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    read = {(tag, e.step): e.value for tag in events.Tags()["scalars"] for e in events.Scalars(tag)}
    wanted = expected(folder)
    assert read.keys() == wanted.keys(), read.keys() ^ wanted.keys()
    for key, value in wanted.items():
        assert math.isclose(read[key], value, rel_tol=1e-6), (key, read[key], value)
    print(f"{len(read)} scalars agree")


if __name__ == "__main__":
    main()
