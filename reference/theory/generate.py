"""Writes golden.json: moments and distribution functions of the noise laws of acclip-theory.

    python -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python generate.py

Nothing here shares code or a formula with the crate: moments are integrals of x^q
against the density, or of the characteristic function where there is no density (stable laws), by quadrature at
50 digits. Distribution functions are SciPy's; those of stable laws are checked beyond |x| = 1 against an inversion of
the characteristic function, which stands in for them in the far tails, where SciPy's may be 0 (alpha = 1.05).
"""

import json
import platform
from pathlib import Path

import mpmath as mp
import numpy as np
import scipy
from scipy import stats

mp.mp.dps = 50


def gaussian(q):
    density = lambda x: mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)
    return 2 * mp.quad(lambda x: x**q * density(x), [0, 1, 3, 10, 40])


def student(nu, q):
    constant = mp.gamma((nu + 1) / 2) / (mp.sqrt(nu * mp.pi) * mp.gamma(nu / 2))
    inside = mp.quad(lambda x: x**q * (1 + x * x / nu) ** (-(nu + 1) / 2), [0, 1])
    # Beyond 1, x = e^u, where the density falls like e^{-(nu - q)u}.
    rest = nu - q
    knots = [0, 1, 3, 10] + [10 + i / rest for i in (5, 30, 120)]
    outside = mp.quad(lambda u: mp.exp((q + 1) * u) * (1 + mp.exp(2 * u) / nu) ** (-(nu + 1) / 2), knots)
    return 2 * constant * (inside + outside)


def pareto(index, q):
    # x = e^u turns the power law into an exponential one.
    return mp.quad(lambda u: index * mp.exp((q - index) * u), [0, 1 / (index - q), 20 / (index - q), mp.inf])


def stable(alpha, beta, q):
    """E|X|^q = (2/pi) Gamma(1+q) sin(pi q/2) int (1 - Re phi(t)) t^{-1-q} dt, 0 < q < 2, as
    int (1 - cos tx) t^{-1-q} dt = |x|^q pi/(2 Gamma(1+q) sin(pi q/2)); phi(t) = exp(-s(1 - i t0)), s = t^alpha.
    In parts: int (1 - Re phi) t^{-1-q} dt = (1/q) int -(Re phi)'(s) s^{-q/alpha} ds."""
    t0 = beta * mp.tan(mp.pi * alpha / 2) if alpha != 2 else mp.mpf(0)
    r = q / alpha
    slope = lambda s: mp.exp(-s) * (mp.cos(t0 * s) + t0 * mp.sin(t0 * s))
    # s = w^{1/(1-r)} on (0, 1), which takes the pole away.
    near = mp.quad(lambda w: slope(w ** (1 / (1 - r))), mp.linspace(0, 1, 9)) / (1 - r)
    # Beyond 1 along s = 1 + u/z with z = 1 - i t0, on which Re z e^{-sz}, which it is, does not oscillate.
    z = mp.mpc(1, -t0)
    far = mp.re(mp.exp(-z) * mp.quad(lambda u: mp.exp(-u) * (1 + u / z) ** (-r), [0, 1, 5, 20, 60, 160]))
    return 2 / mp.pi * mp.gamma(1 + q) * mp.sin(mp.pi * q / 2) * (near + far) / q


def two_point(p, q):
    return p * (1 - p) ** q + (1 - p) * p**q


def spike(p, q):
    return p


MOMENTS = [
    (gaussian, [()], [0.3, 1.0, 1.5, 2.0, 3.7, 8.0]),
    (student, [(1.2,), (1.5,), (3.0,), (30.0,)], [0.3, 1.0, 1.1, 1.45, 2.0, 2.9, 12.5]),
    (pareto, [(1.1,), (1.7,), (2.5,), (6.0,)], [0.3, 1.0, 1.05, 1.5, 2.0, 5.9]),
    (
        stable,
        [(1.05, 0.0), (1.05, 1.0), (1.3, -0.7), (1.5, 0.5), (1.8, 1.0), (1.95, -1.0), (2.0, 0.3)],
        [0.4, 1.0, 1.02, 1.25, 1.45, 1.75, 1.9],
    ),
    (two_point, [(1.0,), (0.9,), (0.5,), (1e-3,), (1e-9,)], [0.5, 1.0, 1.3, 2.0, 5.0]),
    (spike, [(1.0,), (0.25,), (1e-6,)], [0.5, 1.5, 2.0]),
]


def moments():
    rows = []
    for law, parameters, orders in MOMENTS:
        for given in parameters:
            for q in orders:
                end = given[0] if law in (student, pareto, stable) and given[0] != 2.0 else mp.inf
                if law is stable and q >= 2 or q >= end:
                    continue
                value = law(*map(mp.mpf, given), mp.mpf(q))
                with mp.workdps(35):
                    again = law(*map(mp.mpf, given), mp.mpf(q))
                    assert value == again or abs(value / again - 1) < 1e-20, (law, given, q, value, again)
                rows.append({"law": law.__name__, "parameters": given, "q": q, "moment": float(value)})
    return rows


def inverted(alpha, beta, x):
    """P(X > x), x > 0, of S1 with location 0: 1/2 + (1/pi) Im int e^{-itx} phi(t) dt/t, along the ray t = r e^{-i a},
    on which the integrand falls like e^{-r x sin a}; the arc at 0 takes a/pi away."""
    t0 = float(beta * np.tan(np.pi * alpha / 2)) if alpha < 2 else 0.0
    a = min(0.9 * (np.pi / 2 - np.arctan(t0)) / alpha, np.pi / 2)
    with mp.workdps(20):
        ray = mp.expj(-a)

        def f(r):
            t = r * ray
            return mp.im(mp.exp(-1j * t * x - t**alpha * mp.mpc(1, -t0))) / r

        step = 4 / mp.mpf(x)
        knots = [i * step for i in range(int(60 / np.sin(a) / 4) + 2)]
        return float(mp.mpf(1) / 2 - a / mp.pi + mp.quad(f, knots) / mp.pi)


LEVELS = np.arange(1, 200) / 200
TAIL = 1e-4


def distribution(name, parameters, x, cdf, tails):
    """`tails`: a point each near the quantiles TAIL and 1 - TAIL, with the probability beyond."""
    return {
        "law": name,
        "parameters": parameters,
        "x": [float(v) for v in x],
        "cdf": [float(v) for v in cdf],
        "tails": [{"x": float(v), "beyond": float(p)} for v, p in tails],
    }


def continuous(name, parameters, law):
    low, high = law.ppf(TAIL), law.isf(TAIL)
    x = law.ppf(LEVELS)
    return distribution(name, parameters, x, law.cdf(x), [(low, law.cdf(low)), (high, law.sf(high))])


def symmetric_pareto(index):
    law = stats.pareto(index)
    beyond = law.isf(np.arange(1, 100) / 100)
    x = np.sort(np.concatenate([-beyond, beyond]))
    cdf = np.where(x < 0, law.sf(-x) / 2, 1 - law.sf(x) / 2)
    end = law.isf(2 * TAIL)
    return distribution("pareto", [index], x, cdf, [(-end, law.sf(end) / 2), (end, law.sf(end) / 2)])


def stable_distribution(alpha, beta):
    stats.levy_stable.parameterization = "S1"
    law = stats.levy_stable(alpha, beta)
    draws = law.rvs(400_000, random_state=1)
    x = np.round(np.quantile(draws, LEVELS[1::2]), 3)
    cdf = law.cdf(x)
    for point, below in zip(x, cdf):
        if abs(point) > 1:
            beyond = below if point < 0 else 1 - below
            exact = inverted(alpha, np.sign(point) * beta, abs(point))
            assert abs(exact - beyond) < 1e-6, (alpha, beta, point, exact, beyond)
    tails = []
    for sign in (-1, 1):
        end = float(np.round(sign * np.quantile(sign * draws, 1 - TAIL), 2))
        tails.append((end, inverted(alpha, sign * beta, sign * end)))
    return distribution("stable", [alpha, beta], x, cdf, tails)


def main():
    golden = {
        "generator": "reference/theory/generate.py",
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "mpmath": mp.__version__,
        },
        "moments": moments(),
        "distributions": [
            continuous("gaussian", [], stats.norm()),
            continuous("student", [1.5], stats.t(1.5)),
            continuous("student", [4.0], stats.t(4.0)),
            symmetric_pareto(1.3),
            symmetric_pareto(2.5),
            stable_distribution(1.05, 0.0),
            stable_distribution(1.2, 0.5),
            stable_distribution(1.5, -1.0),
            stable_distribution(1.8, 0.3),
            stable_distribution(2.0, 0.0),
        ],
    }
    path = Path(__file__).with_name("golden.json")
    rows = ",\n".join(json.dumps(row) for row in golden.pop("moments"))
    laws = ",\n".join(json.dumps(row) for row in golden.pop("distributions"))
    head = json.dumps(golden, indent=1)[:-2]
    path.write_text(f'{head},\n "moments": [\n{rows}\n],\n "distributions": [\n{laws}\n]\n}}\n')
    print(f"{path}: {rows.count('moment')} moments, {laws.count('cdf')} distributions")


if __name__ == "__main__":
    main()
