"""A training step of PyTorch beside that of `acclip bench train`, in turns, on the same cores.

Run from the repository root, after `cargo build --release`:

    python -m venv .venv && .venv/bin/pip install -r reference/train/requirements.txt
    .venv/bin/python reference/train/bench_torch.py

A step is forward, loss, backward, AdamW and zero_grad, in f32, on one fixed random batch:

    A   BERT, 4 layers wide 256, 16 sequences of 128 tokens, 19 masked in each
    B   BERT, 2 layers wide 768, 4 sequences of 128 tokens, 19 masked in each
    C   ResNet-18 with the stem for small images (3x3, stride 1, no max-pool), 32 images of 3x32x32
    D   Transformer-XL, 6 layers wide 410, 8 segments of 128 words, memory 128, full softmax over 10,000
    E   ResNet-50, 16 images of 3x64x64
    F   AlexNet, 16 images of 3x224x224
    G   A with the heads of pre-training: masked tokens and the next sentence
    H   BERT, 6 layers wide 384, 4 sequences of 384 tokens, the start and end of an answer

A mode of PyTorch is `eager` or `compile`, and may go on with options: `eager+foreach` (the optimizer's
default implementation in place of the fused one), `+softmax` (attention written out in place of
scaled_dot_product_attention), `+nchw` (convolutions without channels_last), `+rand` (the compiler's
own dropout generator in place of eager's, which is faster), `+arena` (the C library told to keep freed
memory), `+bf16` (bfloat16 autocast; never taken for the faster mode). Each mode has a process of its
own that waits while another runs.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import time

CONFIGS = "ABCDEFGH"
WITHOUT_DROPOUT = "CEF"  # of ours to set: ResNets have none, and AlexNet its own
COMPILED = "ABC"  # by default
MODES = ("eager,eager+arena", "eager,compile,eager+arena,compile+arena")
WARM_UP = 3
OPTIONS = {"foreach", "softmax", "nchw", "rand", "arena", "bf16"}
PARTS = ("forward", "backward", "optimizer")
ARENA = {"MALLOC_TRIM_THRESHOLD_": "4294967296", "MALLOC_MMAP_THRESHOLD_": "4294967296"}


def resident_mib(field):
    """VmRSS or VmHWM (its peak) of this process, MiB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field)) / 1024


def answer(**values):
    print(json.dumps(values), flush=True)


def work(mode, config, dropout, threads):
    """One mode of PyTorch: answers `go K` by K step times, and the end of its input by going."""
    import torch

    import models

    if config in models.IMAGES:
        import torchvision  # noqa: F401 (of the library's memory, not of the model's)
    kind, *words = mode.split("+")
    if kind not in ("eager", "compile") or set(words) - OPTIONS:
        raise SystemExit(f"unknown mode {mode}")
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    tiny = torch.nn.Linear(2, 2)  # one step of it, so that what torch loads when first used is there
    tiny(torch.ones(2, 2)).sum().backward()
    torch.optim.AdamW(tiny.parameters(), fused=True).step()
    library = resident_mib("VmRSS")
    model, batch, items, guess = models.build(config, dropout, words)
    model.train()
    loss_of = model
    if kind == "compile":
        import torch._inductor.config as inductor

        inductor.fallback_random = "rand" not in words
        loss_of = torch.compile(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused="foreach" not in words)

    def step():
        """Milliseconds of forward, backward and optimizer."""
        marks = [time.perf_counter()]
        with torch.autocast("cpu", torch.bfloat16, enabled="bf16" in words):
            loss = loss_of(*batch)
        marks.append(time.perf_counter())
        loss.backward()
        marks.append(time.perf_counter())
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        marks.append(time.perf_counter())
        return [(after - before) * 1e3 for before, after in zip(marks, marks[1:])], loss

    start = time.perf_counter()
    _, first = step()
    started = time.perf_counter() - start
    if not 0.8 < first.item() / guess < 1.6:
        raise SystemExit(f"the first loss, {first.item()}, is not that of a fresh model")
    del first
    for _ in range(WARM_UP - 1):
        step()
    total = resident_mib("VmHWM")
    with open("/proc/self/clear_refs", "w") as clear:  # sets VmHWM back to what is resident now
        clear.write("5")
    parameters = sum(p.numel() for p in model.parameters())
    answer(
        torch=torch.__version__, threads=torch.get_num_threads(), first_step_s=started,
        parameters=parameters, items=items, library_mib=library, start_peak_mib=total,
    )
    for line in sys.stdin:
        step()
        rows = [step()[0] for _ in range(int(line.split()[1]))]
        parts = dict(zip(PARTS, (statistics.median(column) for column in zip(*rows))))
        answer(step_ms=[sum(row) for row in rows], parts_ms=parts, peak_memory_mib=resident_mib("VmHWM"))


class Torch:
    """The process of one mode."""

    def __init__(self, mode, config, options):
        command = [sys.executable, "-W", "ignore:Failed to initialize NumPy", __file__]
        command += ["--worker", mode, "--config", config]
        command += ["--dropout", str(options.dropout), "--threads", str(options.threads)]
        environment = {**os.environ, **(ARENA if "arena" in mode.split("+") else {})}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.mode, self.about = mode, self.read()

    def read(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def round(self, steps):
        self.process.stdin.write(f"go {steps}\n")
        self.process.stdin.flush()
        report = self.read()
        if report is None:
            raise SystemExit(f"{self.mode} ended in a round")
        return report

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Acclip:
    """`acclip bench train`, started anew every round."""

    def __init__(self, config, options):
        self.command = [options.acclip, "bench", "train", "--config", config, "--json"]
        self.command += ["--warmup", str(WARM_UP)]
        if config not in WITHOUT_DROPOUT:
            self.command += ["--dropout", str(options.dropout)]
        self.threads = options.threads
        self.environment = {**os.environ, "RAYON_NUM_THREADS": str(options.threads)}

    def round(self, steps):
        command = [*self.command, "--steps", str(steps)]
        run = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=self.environment)
        report = json.loads(run.stdout)
        if report["threads"] != self.threads:
            raise SystemExit(f"acclip ran on {report['threads']} threads, not on {self.threads}")
        return report

    def close(self):
        pass


def spread(values):
    """Median and range."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def compare(config, options):
    """Runs the rounds of one configuration. Returns its row of the report."""
    runners, about = {}, {}
    default = MODES[config in COMPILED]
    for mode in [*(options.modes or default).split(","), *(["eager+bf16+arena"] if options.bf16 else [])]:
        print(f"{config}: starting {mode}", file=sys.stderr)
        worker = Torch(mode, config, options)
        about[mode] = worker.about
        if worker.about:
            runners[mode] = worker
        else:
            print(f"{config}: {mode} failed", file=sys.stderr)
    if not options.only_torch:
        runners["acclip"] = Acclip(config, options)

    rounds = {name: [] for name in runners}
    for i in range(options.rounds):
        print(f"{config}: round {i + 1} of {options.rounds}", file=sys.stderr)
        for name, runner in runners.items():
            rounds[name].append(runner.round(options.steps))
    for runner in runners.values():
        runner.close()

    medians = {name: [statistics.median(r["step_ms"]) for r in rows] for name, rows in rounds.items()}
    sizes = {(r["params"], r["batch"]) for r in rounds.get("acclip", [])}
    sizes |= {(a["parameters"], a["items"]) for a in about.values() if a}
    if len(sizes) > 1:
        raise SystemExit(f"{config}: not the same model and batch: {sizes} parameters and tokens or images")
    (_, items), = sizes
    modes = {}
    for name, rows in rounds.items():
        step_ms = spread(medians[name])
        modes[name] = {
            "step_ms": step_ms,
            "fastest_step_ms": min(min(r["step_ms"]) for r in rows),
            "items_per_second": items / step_ms["median"] * 1e3,
            "parts_ms": {p: statistics.median(r["parts_ms"][p] for r in rows) for p in PARTS},
            "peak_memory_mib": max(r["peak_memory_mib"] for r in rows),
            "start": about.get(name),
        }
        if "copies" in rows[-1]:
            modes[name]["copies"] = rows[-1]["copies"]
    row = {"config": config, "dropout": None if config in WITHOUT_DROPOUT else options.dropout, "modes": modes}
    f32 = [name for name in modes if name in about and "bf16" not in name]
    row["faster"] = min(f32, key=lambda name: modes[name]["step_ms"]["median"], default=None)
    if "acclip" in modes:
        ours = modes["acclip"]["peak_memory_mib"]
        for name in about.keys() & modes.keys():
            theirs = modes[name]
            own = theirs["peak_memory_mib"] - theirs["start"]["library_mib"]
            theirs["time_ratio"] = spread([a / b for a, b in zip(medians["acclip"], medians[name])])
            theirs["memory_ratio"] = ours / theirs["peak_memory_mib"]
            theirs["memory_ratio_without_library"] = ours / own
    return row


def show(row):
    print(f"\n{row['config']}" + ("" if row["dropout"] is None else f", dropout {row['dropout']}"))
    print(
        f"{'':<20}{'ms':>7}{'range':>14}{'fastest':>9}{'forward':>9}{'backward':>9}{'optimizer':>10}"
        f"{'a second':>10}{'MiB':>6}{'library':>8}   acclip's time over it"
    )
    for name, mode in row["modes"].items():
        time_ms, parts = mode["step_ms"], mode["parts_ms"]
        library = f"{mode['start']['library_mib']:.0f}" if mode["start"] else ""
        ratio = mode.get("time_ratio")
        print(
            f"{name:<20}{time_ms['median']:>7.1f}{time_ms['low']:>7.1f}-{time_ms['high']:<6.1f}"
            f"{mode['fastest_step_ms']:>9.1f}{parts['forward']:>9.1f}{parts['backward']:>9.1f}"
            f"{parts['optimizer']:>10.1f}{mode['items_per_second']:>10.0f}{mode['peak_memory_mib']:>6.0f}{library:>8}"
            + (f"   {ratio['median']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})" if ratio else "")
        )
    if "acclip" in row["modes"] and row["faster"]:
        theirs = row["modes"][row["faster"]]
        print(
            f"acclip over {row['faster']}: time {theirs['time_ratio']['median']:.2f}, "
            f"memory {theirs['memory_ratio']:.2f}, or {theirs['memory_ratio_without_library']:.2f} "
            "without what torch itself occupies"
        )


def processor():
    with open("/proc/cpuinfo") as info:
        return next(line.split(":")[1].strip() for line in info if line.startswith("model name"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", nargs="+", choices=CONFIGS, default=list(CONFIGS))
    parser.add_argument("--modes", help="of PyTorch; by default two, and for A to C also compiled")
    parser.add_argument("--acclip", default="target/release/acclip", help="the program")
    parser.add_argument("--only-torch", action="store_true", help="leave acclip out")
    parser.add_argument("--dropout", type=float, default=0.1, help="of BERT and Transformer-XL")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=5, help="timed steps a round")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--bf16", action="store_true", help="also bfloat16, for information")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, options.config[0], options.dropout, options.threads)
        return
    if not options.only_torch and not os.access(options.acclip, os.X_OK):
        parser.error(f"{options.acclip} is not there: build it, or pass --only-torch")

    rows = [compare(config, options) for config in options.config]
    starts = [mode["start"] for row in rows for mode in row["modes"].values() if mode["start"]]
    report = {
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "threads": options.threads,
        "torch": starts[0]["torch"] if starts else None,
        "python": sys.version.split()[0],
        "rounds": options.rounds,
        "steps": options.steps,
        "rows": rows,
    }
    if options.json:
        print(json.dumps(report, indent=2))
        return
    print(", ".join(f"{key} {report[key]}" for key in list(report)[:-1]))
    for row in rows:
        show(row)


if __name__ == "__main__":
    main()
