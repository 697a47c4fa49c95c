"""Writes fit_golden.json: what SciPy makes of one sample of 200 stable draws (log-likelihoods, the quantile
estimates from which its own fit starts, Kolmogorov-Smirnov and Anderson-Darling distances), and the transform
of Chambers, Mallows and Stuck at 50 digits. Versions: requirements.txt. One minute.
"""

import json
from pathlib import Path

import mpmath as mp
import numpy as np
import scipy
from scipy.stats import levy_stable
from scipy.stats._levy_stable import _fitstart_S0

mp.mp.dps = 50


def transform(alpha, beta, h, v):
    """X in S0, from U = pi h and W = -ln v; the formula as published, S1 less its shift."""
    alpha, beta, u, w = mp.mpf(alpha), mp.mpf(beta), mp.pi * mp.mpf(h), -mp.log(mp.mpf(v))
    if alpha == 1:
        half = mp.pi / 2
        return ((half + beta * u) * mp.tan(u) - beta * mp.log(half * w * mp.cos(u) / (half + beta * u))) / half
    t = 0 if alpha == 2 else beta * mp.tan(mp.pi * alpha / 2)
    b = mp.atan(t) / alpha
    s = (1 + t * t) ** (1 / (2 * alpha))
    x = s * mp.sin(alpha * (u + b)) / mp.cos(u) ** (1 / alpha)
    x *= (mp.cos(u - alpha * (u + b)) / w) ** ((1 - alpha) / alpha)
    return x - t


def main():
    rng = np.random.default_rng(2024)
    levy_stable.parameterization = "S0"
    sample = levy_stable.rvs(1.6, 0.4, loc=1.0, scale=2.0, size=200, random_state=rng)
    sample = np.array([float(f"{x:.6g}") for x in sample])
    laws = [(1.6, 0.4, 2.0, 1.0), (1.3, -0.5, 1.5, 0.0), (1.9, 0.0, 2.5, 2.0), (0.8, 0.3, 2.0, 1.0), (1.0, 0.2, 2.0, 1.0)]
    likelihoods, distances = [], []
    for alpha, beta, scale, location in laws:
        log = levy_stable.logpdf(sample, alpha, beta, loc=location, scale=scale).sum()
        likelihoods.append([alpha, beta, scale, location, float(log)])
        f = np.sort(levy_stable.cdf(np.sort(sample), alpha, beta, loc=location, scale=scale))
        n = len(f)
        i = np.arange(1, n + 1)
        ks = max((i / n - f).max(), (f - (i - 1) / n).max())
        ad = -n - ((2 * i - 1) * (np.log(f) + np.log1p(-f[::-1]))).sum() / n
        distances.append([alpha, beta, scale, location, float(ks), float(ad)])
    alpha, beta, location, scale = _fitstart_S0(sample)
    points = [(h, v) for h in (-0.499, -0.3, -0.01, 1e-6, 0.2, 0.45, 0.4999) for v in (1e-12, 0.1, 0.6, 0.999)]
    parameters = [(a, b) for a in (0.1, 0.5, 0.9, 0.999, 1.0, 1.0 + 2.0**-20, 1.001, 1.1, 1.5, 1.9, 2.0) for b in (-1.0, 0.0, 0.3, 1.0)]
    draws = [
        [a, b, h, v, float(transform(a, b, h, v))] for a, b in parameters for h, v in points
    ]
    golden = {
        "versions": {"scipy": scipy.__version__, "numpy": np.__version__, "mpmath": mp.__version__},
        "sample": sample.tolist(),
        "log_likelihoods": likelihoods,
        "distances": distances,
        "quantile_start": [float(x) for x in (alpha, beta, scale, location)],
        "draws": draws,
    }
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


main()
