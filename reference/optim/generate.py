"""Golden trajectories of every optimizer of acclip-optim.

Run from the repository root:

    python -m venv .venv && .venv/bin/pip install -r reference/optim/requirements.txt
    .venv/bin/python reference/optim/generate.py

The formulas below are written from the papers, in decimal arithmetic with 50 digits, on exactly
the hyper-parameters that an f64 can hold; so the golden values are correctly rounded, and share no
rounding with the Rust code. Where PyTorch has the same rule (SGD, AdamW), its trajectory in
float64 must agree to 1e-12, or this program stops. The result is
crates/acclip-optim/tests/golden.json, which names the versions it was made with.
"""

import json
import math
import platform
import random
from decimal import Decimal, getcontext
from pathlib import Path

import torch

getcontext().prec = 50
ZERO, ONE = Decimal(0), Decimal(1)

STEPS = 60
RECORDED = [1, 2, 3, 10, 30, 60]
SCALES = {"1": 1.0, "1e-3": 1e-3, "1e-6": 1e-6}
BLOCKS = [
    {"name": "weight", "shape": [3, 4], "decay": True},
    {"name": "bias", "shape": [5], "decay": False},
    {"name": "gain", "shape": [], "decay": True},
    {"name": "rare", "shape": [2, 3], "decay": False},
]
# Every hyper-parameter at its default once and off it once; learning rates differ by rule.
CASES = [
    ("sgd", 0.02, {}),
    ("sgd", 0.02, {"weight_decay": 0.3, "momentum": 0.7}),
    ("sgd-momentum", 0.01, {}),
    ("sgd-momentum", 0.01, {"momentum": 0.55, "weight_decay": 0.2}),
    ("gclip", 0.05, {}),
    ("gclip", 0.05, {"max_norm": 3.5, "momentum": 0.8, "weight_decay": 0.1}),
    ("gclip", 0.05, {"max_norm": 4e-6}),
    ("cclip", 0.1, {}),
    ("cclip", 0.1, {"tau": 0.75, "momentum": 0.6, "weight_decay": 0.25}),
    ("cclip", 0.1, {"tau": 3e-7}),
    ("acclip-paper", 0.05, {}),
    ("acclip-paper", 0.05, {"alpha": 1.5, "beta1": 0.8, "beta2": 0.95, "eps": 1e-3, "weight_decay": 0.2}),
    ("acclip-paper", 0.05, {"alpha": 2.0, "beta1": 0.95, "beta2": 0.7, "eps": 1e-7}),
    ("acclip-paper", 0.05, {"alpha": 0.7, "beta1": 0.85, "beta2": 0.98}),
    ("acclip", 0.01, {}),
    ("acclip", 0.01, {"alpha": 1.5, "beta1": 0.8, "beta2": 0.95, "eps": 1e-3, "weight_decay": 0.2}),
    ("acclip", 0.01, {"alpha": 2.0, "beta1": 0.95, "beta2": 0.7, "eps": 1e-7}),
    ("adamw", 0.01, {}),
    ("adamw", 0.01, {"beta1": 0.7, "beta2": 0.93, "eps": 1e-4, "weight_decay": 0.4}),
    ("adamw-clip", 0.01, {}),
    ("adamw-clip", 0.01, {"max_norm": 2.5, "beta1": 0.8, "beta2": 0.97, "eps": 1e-6, "weight_decay": 0.3}),
]
DEFAULTS = {
    "sgd": {"momentum": 0.0, "weight_decay": 0.0},
    "sgd-momentum": {"momentum": 0.9, "weight_decay": 0.0},
    "gclip": {"momentum": 0.0, "weight_decay": 0.0, "max_norm": 1.0},
    "cclip": {"momentum": 0.0, "weight_decay": 0.0, "tau": 0.1},
    "acclip-paper": {"alpha": 1.0, "beta1": 0.9, "beta2": 0.99, "eps": 1e-5, "weight_decay": 0.0},
    "acclip": {"alpha": 1.0, "beta1": 0.9, "beta2": 0.99, "eps": 1e-5, "weight_decay": 0.0},
    "adamw": {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.01},
    "adamw-clip": {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.01, "max_norm": 1.0},
}

sizes = [math.prod(block["shape"]) for block in BLOCKS]
DECAYS = [block["decay"] for block, size in zip(BLOCKS, sizes) for _ in range(size)]
N = len(DECAYS)


def raw_gradients():
    """Integers, to be divided by 1024: asymmetric, heavy-tailed, and mostly zero on `rare`."""
    draw = random.Random(20200)
    rows = []
    for _ in range(STEPS):
        row = []
        for i in range(N):
            heavy = draw.gauss(0.4, 1.0) / max(draw.random(), 0.02) ** 0.6
            rare = i >= N - sizes[-1] and draw.random() > 0.15
            row.append(0 if rare else round(1024 * heavy))
        rows.append(row)
    return rows


def power(x, a):
    return ZERO if x == 0 else x**a


def trajectory(name, hyper, start, grads, rates):
    """Parameters and squared gradient norms after each step, in decimal arithmetic."""
    h = {key: Decimal(value) for key, value in hyper.items()}
    x = [Decimal(value) for value in start]
    m, v, tau_alpha = [ZERO] * N, [ZERO] * N, [ZERO] * N
    out = []
    for t, (grad, rate) in enumerate(zip(grads, rates), 1):
        g = [Decimal(value) for value in grad]
        rate = Decimal(rate)
        if "max_norm" in h:
            norm = sum(value * value for value in g).sqrt()
            g = [value * min(h["max_norm"] / norm, ONE) if norm else value for value in g]
        for i in range(N):
            gi = g[i]
            if "tau" in h and gi:
                gi *= min(h["tau"] / abs(gi), ONE)
            if "momentum" in h:
                m[i] = h["momentum"] * m[i] + gi
                u = m[i]
            else:
                m[i] = h["beta1"] * m[i] + (1 - h["beta1"]) * gi
                v[i] = h["beta2"] * v[i] + (1 - h["beta2"]) * gi * gi
                v_hat = v[i] / (1 - h["beta2"] ** t)
                if "alpha" in h:
                    a = h["alpha"]
                    tau_alpha[i] = h["beta2"] * tau_alpha[i] + (1 - h["beta2"]) * power(abs(gi), a)
                    tau = power(tau_alpha[i], 1 / a)
                    u = min(tau / (abs(m[i]) + h["eps"]), ONE) * m[i]
                    if name == "acclip":
                        u /= v_hat.sqrt() + h["eps"]
                else:
                    u = m[i] / (1 - h["beta1"] ** t) / (v_hat.sqrt() + h["eps"])
            decay = h["weight_decay"] if DECAYS[i] else ZERO
            x[i] -= rate * (u + decay * x[i])
        out.append([float(value) for value in x])
    return out


def torch_trajectory(name, hyper, start, grads, rates):
    """The same by PyTorch, where it has the rule; its SGD couples decay, so that is done apart."""
    decayed = torch.tensor([x for x, d in zip(start, DECAYS) if d], dtype=torch.float64, requires_grad=True)
    others = torch.tensor([x for x, d in zip(start, DECAYS) if not d], dtype=torch.float64, requires_grad=True)
    groups = [{"params": [decayed]}, {"params": [others], "weight_decay": 0.0}]
    if name in ("sgd", "sgd-momentum"):
        optimizer = torch.optim.SGD(groups, lr=1.0, momentum=hyper["momentum"], weight_decay=0.0)
    elif name == "adamw":
        betas = (hyper["beta1"], hyper["beta2"])
        optimizer = torch.optim.AdamW(groups, betas=betas, eps=hyper["eps"], weight_decay=hyper["weight_decay"])
    else:
        return None
    out = []
    for grad, rate in zip(grads, rates):
        decayed.grad = torch.tensor([g for g, d in zip(grad, DECAYS) if d], dtype=torch.float64)
        others.grad = torch.tensor([g for g, d in zip(grad, DECAYS) if not d], dtype=torch.float64)
        for group in optimizer.param_groups:
            group["lr"] = rate
        if name != "adamw":
            with torch.no_grad():
                decayed.mul_(1 - rate * hyper["weight_decay"])
        optimizer.step()
        a, b = iter(decayed.tolist()), iter(others.tolist())
        out.append([next(a) if d else next(b) for d in DECAYS])
    return out


def main():
    integers = raw_gradients()
    start = [round(((i * 37) % 29 - 11) / 8, 3) for i in range(N)]
    schedule = [1 - t / 128 for t in range(STEPS)]
    cases = []
    for name, learning_rate, options in CASES:
        for label, scale in SCALES.items():
            # Rules without normalisation move by rate × gradient: keep that product, and that of
            # rate × decay, so that neither drowns the other.
            normalized = name in ("acclip", "adamw", "adamw-clip")
            rate = learning_rate if normalized else learning_rate / scale
            given = dict(options)
            if "weight_decay" in given and not normalized:
                given["weight_decay"] *= scale
            hyper = DEFAULTS[name] | given
            rates = [rate * factor for factor in schedule]
            grads = [[value / 1024 * scale for value in row] for row in integers]
            xs = trajectory(name, hyper, start, grads, rates)
            reference = torch_trajectory(name, hyper, start, grads, rates)
            if reference is not None:
                worst = max(
                    abs(p - q) / max(abs(p), 1e-3) for a, b in zip(xs, reference) for p, q in zip(a, b)
                )
                assert worst < 1e-12, f"{name} {given} at scale {label}: PyTorch differs by {worst:.1e}"
            cases.append(
                {
                    "optimizer": name,
                    "hyper": given,
                    "scale": scale,
                    "learning_rate": rate,
                    "torch": reference is not None,
                    "params": [xs[t - 1] for t in RECORDED],
                }
            )
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
    path = Path(__file__).resolve().parents[2] / "crates/acclip-optim/tests/golden.json"
    head = {key: value for key, value in golden.items() if key not in ("cases", "grads_times_1024")}
    with open(path, "w") as file:
        file.write("{\n")
        for key, value in head.items():
            file.write(f"{json.dumps(key)}: {json.dumps(value)},\n")
        for key in ("grads_times_1024", "cases"):
            rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in golden[key])
            file.write(f"{json.dumps(key)}: [\n{rows}\n]" + (",\n" if key != "cases" else "\n"))
        file.write("}\n")
    print(f"{len(cases)} cases, {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
