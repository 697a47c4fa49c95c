"""Optimizer steps of PyTorch beside those of `acclip bench optim`, on this machine.

Run from the repository root, after `cargo build --release`:

    python -m venv .venv && .venv/bin/pip install -r reference/optim/requirements.txt
    .venv/bin/python reference/optim/bench_torch.py

PyTorch and acclip take turns, `--repeats` times, since the memory bandwidth of a shared machine
changes from minute to minute; each turn is the median of some steps, and the ratios are medians of the
ratios within a turn. PyTorch has no ACClip: it is written here from Algorithm 1 (alpha = 1), once as one
would write it, and once with every operation in place.
"""

import argparse
import json
import statistics
import subprocess
import time

import torch

LEARNING_RATE = 1e-4


class EagerAcclip:
    """Algorithm 1 with alpha = 1, as one would write it first."""

    def __init__(self, params):
        self.params = params
        self.m = [torch.zeros_like(p) for p in params]
        self.tau = [torch.zeros_like(p) for p in params]

    @torch.no_grad()
    def step(self):
        for i, x in enumerate(self.params):
            g = x.grad
            self.m[i] = 0.9 * self.m[i] + 0.1 * g
            self.tau[i] = 0.99 * self.tau[i] + 0.01 * g.abs()
            factor = (self.tau[i] / (self.m[i].abs() + 1e-5)).clamp(max=1.0)
            x -= LEARNING_RATE * factor * self.m[i]


class InPlaceAcclip(EagerAcclip):
    """The same with one buffer for all that is temporary."""

    @torch.no_grad()
    def step(self):
        for x, m, tau in zip(self.params, self.m, self.tau):
            g = x.grad
            m.mul_(0.9).add_(g, alpha=0.1)
            work = g.abs()
            tau.mul_(0.99).add_(work, alpha=0.01)
            torch.abs(m, out=work)
            torch.div(tau, work.add_(1e-5), out=work)
            x.addcmul_(work.clamp_(max=1.0), m, value=-LEARNING_RATE)


def adam(**options):
    return lambda params: torch.optim.AdamW(params, lr=LEARNING_RATE, **options)


# What PyTorch does, and the row of ours that does the same.
PEERS = {
    "AdamW(fused=True)": (adam(fused=True), "adamw"),
    "AdamW(foreach=True)": (adam(foreach=True), "adamw"),
    "AdamW(foreach=False)": (adam(foreach=False), "adamw"),
    "ACClip, eager": (EagerAcclip, "acclip-paper"),
    "ACClip, in place": (InPlaceAcclip, "acclip-paper"),
}


def torch_ms(make, count, blocks, steps):
    params = [torch.full((n,), 0.5, requires_grad=True) for n in sizes(count, blocks)]
    for x in params:
        x.grad = torch.rand_like(x) - 0.45
    optimizer = make(params)
    times = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        optimizer.step()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times[1:])


def sizes(count, blocks):
    """As `acclip bench optim` cuts them: every second block is a hundred times as small."""
    large = (blocks + 1) // 2
    small = max(count // blocks // 100, 1)
    rest = count - small * (blocks - large)
    first = rest - rest // large * (large - 1)
    return [small if i % 2 else first if i == 0 else rest // large for i in range(blocks)]


def ours_ms(program, count, blocks, steps):
    command = [program, "bench", "optim", "--json", "--optimizers", "adamw,acclip-paper"]
    command += ["--params", str(count), "--blocks", str(blocks), "--rounds", str(steps)]
    report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    if report["params"] != count:
        raise SystemExit(f"only {report['params']} parameters fit in memory; pass --params")
    rows = [row for row in report["rows"] if row["blocks"] == blocks]
    return {row["optimizer"]: (row["check_ms"], row["step_ms"]) for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--acclip", default="target/release/acclip", help="the program")
    parser.add_argument("--params", type=int, default=110_000_000)
    parser.add_argument("--blocks", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=7)
    options = parser.parse_args()

    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {options.params} parameters")
    for blocks in (1, options.blocks):
        turns = {name: [] for name in PEERS}
        for _ in range(options.repeats):
            ours = ours_ms(options.acclip, options.params, blocks, options.steps)
            for name, (make, row) in PEERS.items():
                theirs = torch_ms(make, options.params, blocks, options.steps)
                turns[name].append((theirs, *ours[row]))
        print(f"\n{blocks} tensor(s): milliseconds a step, and acclip's over PyTorch's\n")
        print(f"{'PyTorch':<22}{'ms':>8}{'acclip':>14}{'ms':>8}{'ratio':>7}   {'one pass':>8}{'ratio':>7}")
        for name, rows in turns.items():
            theirs, checked, one_pass = (statistics.median(column) for column in zip(*rows))
            ratio = statistics.median(row[1] / row[0] for row in rows)
            one_ratio = statistics.median(row[2] / row[0] for row in rows)
            print(
                f"{name:<22}{theirs:>8.1f}{PEERS[name][1]:>14}{checked:>8.1f}{ratio:>7.2f}"
                f"   {one_pass:>8.1f}{one_ratio:>7.2f}"
            )


if __name__ == "__main__":
    main()
