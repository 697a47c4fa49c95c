"""Every optimizer of acclip-optim, in decimal arithmetic with 50 digits.

One step, at t = 1, 2, ..., on the coordinates that are not frozen (this file never sees others):

    g  the gradient, then clipped by its raw norms, or coordinate by coordinate
    g  ← g + l2·x                                      on decaying blocks
    u  the rule's direction
    x  ← x − learning_rate·scale_b·(u + weight_decay·x)   decay on decaying blocks
    x  ← min(radius/‖x‖, 1)·x                          where the optimizer has a radius

A clip is a function (run, g) -> g, a rule a function (run, g) -> u; `OPTIMIZERS` pairs them and
holds the defaults. All averages start at 0. Sources: the paper (Algorithm 1, §2.1) and, for the
others, the method's own publication or code, named at each function.
"""

from decimal import Decimal, getcontext
from typing import NamedTuple

getcontext().prec = 50
ZERO, ONE = Decimal(0), Decimal(1)

# A comparison decides between two formulas. Where these agree at the boundary, f64 and f32 may
# fall on either side; where the result jumps, the golden value must hold for f32 as well.
CONTINUOUS_MARGIN = Decimal("1e-9")
JUMP_MARGIN = Decimal("1e-5")
# Closer than this, two numbers are equal by algebra, as an only norm and its own percentile.
ALGEBRA = Decimal("1e-40")


class Block(NamedTuple):
    """Coordinates start..stop of the flat vector; units are its rows, or all of it below 2 axes."""

    start: int
    stop: int
    units: int
    decay: bool
    scale: Decimal

    def of(self, values):
        return values[self.start : self.stop]


class Watch:
    """Counts how often the clip acts, and keeps the distance of its closest decision."""

    def __init__(self):
        self.fired, self.asked = 0, 0
        self.margin = {False: ONE, True: ONE}

    def exceeds(self, value, bound, jump=False):
        self.note(abs(value - bound), max(abs(value), abs(bound)), jump)
        self.asked += 1
        self.fired += value > bound
        return value > bound

    def factor(self, size, bound):
        """min(bound/size, 1), and 1 if the size is 0."""
        return bound / size if self.exceeds(size, bound) else ONE

    def sign(self, *terms):
        """Of the sum of the terms."""
        total = sum(terms)
        self.note(abs(total), sum(map(abs, terms)), jump=True)
        return (total > 0) - (total < 0)

    def note(self, distance, size, jump):
        if size and (jump or distance > ALGEBRA * size):
            self.margin[jump] = min(self.margin[jump], distance / size)

    def safe(self):
        return self.margin[False] > CONTINUOUS_MARGIN and self.margin[True] > JUMP_MARGIN


class Run:
    """Hyper-parameters, parameters and all state of one trajectory."""

    def __init__(self, name, hyper, blocks, start):
        self.clip, self.rule, _ = OPTIMIZERS[name]
        self.hyper = {k: v if isinstance(v, bool) else Decimal(v) for k, v in hyper.items()}
        self.blocks = blocks
        self.x = [Decimal(value) for value in start]
        self.t = 0
        self.watch = Watch()
        zeros = [ZERO] * len(start)
        self.m = self.v = self.v_max = self.squares = self.tau_alpha = self.q = zeros
        self.block_q = [ZERO] * len(blocks)
        self.gamma = [None] * len(blocks)
        self.norms, self.mean, self.variance = [], ZERO, ZERO

    def __getitem__(self, key):
        return self.hyper[key]

    def corrected(self, average, beta):
        """An average from 0, divided by the sum of its weights."""
        return [value / (1 - self[beta] ** self.t) for value in average]

    def step(self, grad, rate):
        self.t += 1
        decays = per_coordinate(self, [Decimal(block.decay) for block in self.blocks])
        scales = per_coordinate(self, [block.scale for block in self.blocks])
        g = self.clip(self, [Decimal(value) for value in grad])
        l2 = self.hyper.get("l2", ZERO)
        g = [gi + l2 * d * x for gi, d, x in zip(g, decays, self.x)]
        u = self.rule(self, g)
        self.x = [
            x - Decimal(rate) * s * (ui + self["weight_decay"] * d * x)
            for x, s, ui, d in zip(self.x, scales, u, decays)
        ]
        if "radius" in self.hyper:
            self.x = times(self.watch.factor(norm(self.x), self["radius"]), self.x)


def norm(values):
    return sum(value * value for value in values).sqrt()


def times(factor, values):
    return [factor * value for value in values]


def per_coordinate(run, of_blocks):
    return [value for value, block in zip(of_blocks, run.blocks) for _ in range(block.start, block.stop)]


def blockwise(run, g, factors):
    return [f * gi for f, gi in zip(per_coordinate(run, factors), g)]


def clamp(gi, bound):
    return max(-bound, min(gi, bound))


def ema(old, beta, new):
    return [beta * a + (1 - beta) * b for a, b in zip(old, new)]


def power(x, a):
    return ZERO if x == 0 else x**a


# ---- Clips ----


def unclipped(run, g):
    return g


def grown(run, threshold):
    """The threshold of this step, which is that of the first times t^growth."""
    return threshold * power(Decimal(run.t), run["threshold_growth"])


def global_norm(run, g):
    """GClip, the paper's §2.1."""
    return times(run.watch.factor(norm(g), grown(run, run["max_norm"])), g)


def block_norm(run, g):
    """GClip of each block by itself."""
    tau = grown(run, run["max_norm"])
    return blockwise(run, g, [run.watch.factor(norm(b.of(g)), tau) for b in run.blocks])


def coordinate(run, g):
    """CClip, the paper's §2.1, with one level."""
    tau = grown(run, run["tau"])
    return [run.watch.factor(abs(gi), tau) * gi for gi in g]


def follow_quantile(run, size, q):
    """The level that clips now, and the next: it is exceeded at a rate that tends to clip_rate."""
    if size == 0:
        return q, q
    if q == 0:
        return size, size
    hit = run.watch.exceeds(size, q, jump=True)
    return q, q * (run["clip_gain"] * ((1 if hit else 0) - run["clip_rate"])).exp()


def quantile_coordinate(run, g):
    levels = [follow_quantile(run, abs(gi), q) for gi, q in zip(g, run.q)]
    run.q_used, run.q = [used for used, _ in levels], [new for _, new in levels]
    return [clamp(gi, used) for gi, used in zip(g, run.q_used)]


def quantile_block(run, g):
    sizes = [norm(block.of(g)) for block in run.blocks]
    levels = [follow_quantile(run, n, q) for n, q in zip(sizes, run.block_q)]
    run.block_q = [new for _, new in levels]
    return blockwise(run, g, [min(used / n, ONE) if n else ONE for n, (used, _) in zip(sizes, levels)])


def adagc(run, g):
    """Wang et al. 2025: each block against an average of its own clipped norms."""
    sizes = [norm(block.of(g)) for block in run.blocks]
    warm = run.t <= run["warm_up"]
    if warm:
        factors = [run.watch.factor(norm(g), run["max_norm"])] * len(sizes)
    else:
        factors = [
            ONE if gamma is None else run.watch.factor(n, run["clip_factor"] * gamma)
            for n, gamma in zip(sizes, run.gamma)
        ]

    def next_gamma(gamma, clipped):
        if clipped == 0:
            return gamma
        if gamma is None:
            return clipped
        return min(gamma, clipped) if warm else ema([gamma], run["clip_decay"], [clipped])[0]

    run.gamma = [next_gamma(gamma, f * n) for gamma, f, n in zip(run.gamma, factors, sizes)]
    return blockwise(run, g, factors)


def zclip(run, g):
    """Kumar et al. 2025, mode `zscore` with `adaptive_scaling`, whose ε is absolute.

    Mean and variance (of the population) of the raw norms of the first steps; after that, of
    norms cut at the target, which max_norm does not touch, the variance about the new mean.
    """
    n = target = norm(g)
    if run.t <= run["warm_up"]:
        run.norms.append(n)
        run.mean = sum(run.norms) / len(run.norms)
        run.variance = sum((value - run.mean) ** 2 for value in run.norms) / len(run.norms)
    else:
        deviation = run.variance.sqrt()
        z = (n - run.mean) / (deviation + Decimal("1e-6"))
        if run.watch.exceeds(z, run["z_score"], jump=True):
            target = run.mean + run["z_score"] * deviation / (z / run["z_score"])
        [run.mean] = ema([run.mean], run["clip_decay"], [target])
        [run.variance] = ema([run.variance], run["clip_decay"], [(target - run.mean) ** 2])
    return times(run.watch.factor(n, min(target, run["max_norm"])), g)


def autoclip(run, g):
    """Seetharaman et al. 2020: a percentile of the last 1000 norms, this one among them."""
    n = norm(g)
    run.norms = (run.norms + [n])[-1000:]
    ordered = sorted(run.norms)
    position = (len(ordered) - 1) * run["percentile"] / 100
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    threshold = ordered[below] + (position - below) * (ordered[above] - ordered[below])
    return times(run.watch.factor(n, threshold), g)


def agc(run, g):
    """Brock et al. 2021; a unit is a row of a block with two axes or more, or the whole block."""
    out = []
    for block in run.blocks:
        width = (block.stop - block.start) // block.units
        for at in range(block.start, block.stop, width):
            unit, x = g[at : at + width], run.x[at : at + width]
            bound = run["clip_factor"] * max(norm(x), run["floor"])
            out += times(run.watch.factor(norm(unit), bound), unit)
    return out


def coordinate_deviation(run, g):
    """AdamWClip, but with the first step unclipped and v corrected by its own step count."""
    if run.t == 1:
        return g
    floor, c, weights = Decimal("1e-10"), run["clip_factor"], 1 - run["beta2"] ** (run.t - 1)
    bounds = [max(c * (v / weights).sqrt(), floor) for v in run.v]
    return [clamp(gi, b) if run.watch.exceeds(abs(gi), b) else gi for gi, b in zip(g, bounds)]


# ---- Rules ----


def sgd(run, g):
    """Polyak's and Nesterov's momentum as PyTorch has them."""
    run.m = [run["momentum"] * m + gi for m, gi in zip(run.m, g)]
    return [gi + run["momentum"] * m for gi, m in zip(g, run.m)] if run["nesterov"] else run.m


def moments(run, g):
    run.m = ema(run.m, run["beta1"], g)
    run.v = ema(run.v, run["beta2"], [gi * gi for gi in g])


def acclip_paper(run, g):
    """Algorithm 1: the momentum is clipped, not the gradient."""
    a = run["alpha"]
    moments(run, g)
    run.tau_alpha = ema(run.tau_alpha, run["beta2"], [power(abs(gi), a) for gi in g])
    m, tau_alpha = run.m, run.tau_alpha
    if run["bias_correction"]:
        m, tau_alpha = run.corrected(m, "beta1"), run.corrected(tau_alpha, "beta2")
    return [
        run.watch.factor(abs(mi) + run["eps"], power(ta, 1 / a)) * mi for mi, ta in zip(m, tau_alpha)
    ]


def acclip(run, g):
    """The same, normalized by the corrected second moment."""
    u = acclip_paper(run, g)
    return [ui / (v.sqrt() + run["eps"]) for ui, v in zip(u, run.corrected(run.v, "beta2"))]


def adam_direction(run, v):
    m, v = run.corrected(run.m, "beta1"), run.corrected(v, "beta2")
    return [mi / (vi.sqrt() + run["eps"]) for mi, vi in zip(m, v)]


def adam(run, g):
    moments(run, g)
    return adam_direction(run, run.v)


def amsgrad(run, g):
    """Reddi et al. 2018, the maximum taken before the correction, as in PyTorch."""
    moments(run, g)
    run.v_max = [max(a, b) for a, b in zip(run.v_max, run.v)]
    return adam_direction(run, run.v_max)


def stable_adamw(run, g):
    """Wortsman et al. 2023: a block's direction over its root-mean-square surprise, if above 1."""
    u = adam(run, g)
    ratios = [gi * gi / max(v, run["eps"] ** 2) for gi, v in zip(g, run.corrected(run.v, "beta2"))]
    surprises = [(sum(b.of(ratios)) / (b.stop - b.start)).sqrt() for b in run.blocks]
    return blockwise(run, u, [run.watch.factor(surprise, ONE) for surprise in surprises])


def adagrad(run, g):
    run.squares = [s + gi * gi for s, gi in zip(run.squares, g)]
    return [gi / (s.sqrt() + run["eps"]) for gi, s in zip(g, run.squares)]


def rmsprop(run, g):
    run.v = ema(run.v, run["beta2"], [gi * gi for gi in g])
    w = [gi / (v.sqrt() + run["eps"]) for gi, v in zip(g, run.v)]
    run.m = [run["momentum"] * m + wi for m, wi in zip(run.m, w)]
    return run.m


def lion(run, g):
    """Chen et al. 2023: the sign is of one average, the state another."""
    b = run["beta1"]
    u = [run.watch.sign(b * m, (1 - b) * gi) for m, gi in zip(run.m, g)]
    run.m = ema(run.m, run["beta2"], g)
    return u


def signum(run, g):
    b, old = run["beta1"], run.m
    run.m = ema(old, b, g)
    return [run.watch.sign(b * m, (1 - b) * gi) for m, gi in zip(old, g)]


def averaged(run, g):
    run.m = ema(run.m, run["beta1"], g)
    return run.m


def averaged_over_norm(run, g):
    """Cutkosky and Mehta 2020."""
    n = norm(averaged(run, g))
    return times(1 / n if n else ZERO, run.m)


def averaged_over_quantile(run, g):
    averaged(run, g)
    return [m / (q + run["eps"]) if m else ZERO for m, q in zip(run.m, run.q_used)]


# ---- Names ----

DECAY = {"weight_decay": 0.0, "l2": 0.0}
SGD = DECAY | {"momentum": 0.0, "nesterov": False}
HEAVY_BALL = SGD | {"momentum": 0.9}
ACCLIP = DECAY | {"alpha": 1.0, "beta1": 0.9, "beta2": 0.99, "eps": 1e-5, "bias_correction": False}
ADAM = DECAY | {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
ADAMW = ADAM | {"weight_decay": 0.01}
BETA1 = DECAY | {"beta1": 0.9}
# These clip within the rule, so that L2 decay would be clipped too: they have none.
DECOUPLED = {"weight_decay": 0.0}
CLIPPED_ADAM = {key: value for key, value in ADAMW.items() if key != "l2"}
GROWTH = {"threshold_growth": 0.0}
MAX_NORM = {"max_norm": 1.0}
QUANTILE = {"clip_rate": 0.1, "clip_gain": 0.1}

OPTIMIZERS = {
    "sgd": (unclipped, sgd, SGD),
    "sgd-momentum": (unclipped, sgd, HEAVY_BALL),
    "nesterov": (unclipped, sgd, HEAVY_BALL | {"nesterov": True}),
    "gclip": (global_norm, sgd, SGD | GROWTH | MAX_NORM),
    "gclip-block": (block_norm, sgd, SGD | GROWTH | MAX_NORM),
    "proj-gclip": (global_norm, sgd, SGD | GROWTH | MAX_NORM | {"radius": 1.0}),
    "cclip": (coordinate, sgd, SGD | GROWTH | {"tau": 0.1}),
    "agc": (agc, sgd, HEAVY_BALL | {"clip_factor": 0.01, "floor": 1e-3}),
    "qclip-block": (quantile_block, sgd, HEAVY_BALL | QUANTILE),
    "qclip-raw": (quantile_coordinate, averaged, DECOUPLED | QUANTILE | {"beta1": 0.9}),
    "qclip": (quantile_coordinate, averaged_over_quantile, DECOUPLED | QUANTILE | {"beta1": 0.9, "eps": 1e-8}),
    "acclip-paper": (unclipped, acclip_paper, ACCLIP),
    "acclip": (unclipped, acclip, ACCLIP),
    "adam": (unclipped, adam, ADAM),
    "amsgrad": (unclipped, amsgrad, ADAM),
    "adamw": (unclipped, adam, ADAMW),
    "stable-adamw": (unclipped, stable_adamw, ADAMW),
    "adamw-clip": (global_norm, adam, ADAMW | GROWTH | MAX_NORM),
    "adamw-coordinate-clip": (coordinate_deviation, adam, CLIPPED_ADAM | {"clip_factor": 3.0}),
    "adagc": (adagc, adam, ADAMW | MAX_NORM | {"clip_factor": 1.05, "clip_decay": 0.98, "warm_up": 100}),
    "zclip": (zclip, adam, ADAMW | MAX_NORM | {"z_score": 2.5, "clip_decay": 0.97, "warm_up": 25}),
    "autoclip": (autoclip, adam, ADAMW | {"percentile": 10.0}),
    "adagrad": (unclipped, adagrad, DECAY | {"eps": 1e-10}),
    "rmsprop": (unclipped, rmsprop, DECAY | {"beta2": 0.99, "eps": 1e-8, "momentum": 0.0}),
    "lion": (unclipped, lion, BETA1 | {"beta2": 0.99}),
    "signum": (unclipped, signum, BETA1),
    "nsgd-momentum": (unclipped, averaged_over_norm, BETA1),
}
