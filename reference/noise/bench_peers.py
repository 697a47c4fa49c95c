"""Times SciPy and powerlaw beside `acclip bench noise`, by turns, and prints ratios.

python -m venv venv && venv/bin/pip install -r reference/noise/requirements-tail.txt
cargo build --release
venv/bin/python reference/noise/bench_peers.py [--rounds 3] [--program target/release/acclip]

Peers get the sizes that they can do: 2,000 densities, 200 values for maximum likelihood (once: it takes
half a minute), 10,000 for the power law, 5 million draws.
"""
import argparse
import json
import statistics
import subprocess
import time
import warnings

import numpy
import powerlaw
import scipy
from scipy.stats import levy_stable

warnings.filterwarnings("ignore")
parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--program", default="target/release/acclip")
args = parser.parse_args()
rng = numpy.random.default_rng(1)


def draws(n):
    return levy_stable.rvs(1.5, 0, size=n, random_state=rng)


sample = draws(10_000)
peers = {
    ("sampling", 5_000_000): lambda: draws(5_000_000),
    ("log-density", 2_000): lambda: levy_stable.logpdf(sample[:2_000], 1.5, 0),
    ("quantile fit", 1_000_000): lambda: levy_stable._fitstart(million),
    ("power law", 10_000): lambda: powerlaw.Fit(abs(sample), verbose=False).power_law.alpha,
}
million = draws(1_000_000)


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ours():
    command = [args.program, "bench", "noise", "--rounds", "3", "--json"]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["rows"]
    return {(row["task"], row["n"]): row["median"] for row in rows}


theirs, mine = {}, {}
for _ in range(args.rounds):
    for task, time_of in ours().items():
        mine.setdefault(task, []).append(time_of)
    for task, work in peers.items():
        theirs.setdefault(task, []).append(seconds(work))
theirs["maximum likelihood", 200] = [seconds(lambda: levy_stable.fit(sample[:200]))]

print(f"scipy {scipy.__version__}, powerlaw {powerlaw.__version__}, {args.rounds} rounds; medians (range), ms")
for task, times in mine.items():
    def show(x):
        return f"{1e3 * statistics.median(x):.4g} ({1e3 * min(x):.4g} to {1e3 * max(x):.4g})"

    peer = theirs.get(task)
    ratio = f"{statistics.median(peer) / statistics.median(times):.0f} times" if peer else ""
    print(f"{task[0]:20} {task[1]:8} | {show(times)} | {show(peer) if peer else ''} | {ratio}")
