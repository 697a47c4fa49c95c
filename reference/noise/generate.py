"""Writes golden.json: values that the tests of acclip-noise must reproduce.

    python -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python generate.py

Nothing here shares code with the crate. Sums and logarithms are taken by mpmath at 50
digits; moments, quantiles and the number of bins come from SciPy and NumPy; probabilities of
stable laws come from inverting the characteristic function, so they test the sampler against
its definition, not against another sampler.
"""

import json
import platform
from pathlib import Path

import mpmath as mp
import numpy as np
import scipy
from scipy import stats

mp.mp.dps = 50


def sample():
    """200 positive values: most from a skewed bulk, some from a tail, in random order."""
    rng = np.random.default_rng(20201206)
    bulk = rng.gamma(9.0, 0.3, 160)
    tail = 2.0 * rng.pareto(1.7, 40) + 1.0
    return [round(float(x), 6) for x in rng.permutation(np.concatenate([bulk, tail]))]


def log_excesses(x, k):
    top = sorted((mp.mpf(v) for v in x), reverse=True)
    return [mp.log(v / top[k]) for v in top[:k]]


def hill(x, k):
    return k / mp.fsum(log_excesses(x, k))


def moment(x, k):
    """Dekkers, Einmahl & de Haan, with the variance as their paper prints it."""
    excess = log_excesses(x, k)
    m1 = mp.fsum(excess) / k
    m2 = mp.fsum(e**2 for e in excess) / k
    xi = m1 + 1 - 1 / (2 * (1 - m1**2 / m2))
    if xi >= 0:
        variance = 1 + xi**2
    else:
        variance = (1 - xi) ** 2 * (1 - 2 * xi) * (
            4
            - 8 * (1 - 2 * xi) / (1 - 3 * xi)
            + (5 - 11 * xi) * (1 - 2 * xi) / ((1 - 3 * xi) * (1 - 4 * xi))
        )
    half = mp.mpf(stats.norm.ppf(0.975)) * mp.sqrt(variance / k)
    return {"k": k, "xi": float(xi), "low": float(xi - half), "high": float(xi + half)}


def mohammadi(x, centre):
    x = [mp.mpf(v) - centre for v in x]
    count = len(x)
    single = mp.fsum(mp.log(abs(v)) for v in x) / count
    alphas = []
    for m in range(2, count):
        if count % m or m * m >= count:
            continue
        sums = [mp.fsum(x[i : i + m]) for i in range(0, count, m)]
        block = mp.fsum(mp.log(abs(s)) for s in sums) / len(sums)
        alphas.append(mp.log(m) / (block - single))
    return float(np.median([float(a) for a in alphas]))


def stable_inside(alpha, x):
    """P(|X| <= x) = (2/pi) int_0^inf sin(t x)/t exp(-t^alpha) dt."""
    with mp.workdps(20):
        end = mp.mpf(45) ** (mp.mpf(1) / mp.mpf(alpha))  # exp(-45) is 3e-20
        steps = int(end * x / mp.pi) + 2
        knots = [i * mp.pi / x for i in range(steps + 1)]
        return float(2 / mp.pi * mp.quad(lambda t: mp.sin(t * x) / t * mp.exp(-(t**alpha)) if t else mp.mpf(x), knots))


def normal_share_above_fence(c):
    q3 = mp.sqrt(2) * mp.erfinv(mp.mpf(1) / 2)
    return float(mp.erfc((q3 + 2 * c * q3) / mp.sqrt(2)) / 2)


def main():
    x = sample()
    array = np.array(x)
    mean = mp.fsum(map(mp.mpf, x)) / len(x)
    median = mp.mpf(float(np.median(array)))
    q1, q3 = np.quantile(array, [0.25, 0.75])
    light = [round(float(v), 9) for v in np.sqrt(np.random.default_rng(7).chisquare(50, 120))]
    golden = {
        "generator": "reference/noise/generate.py",
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "mpmath": mp.__version__,
        },
        "sample": x,
        "light": light,
        "moments": {
            "mean": float(mean),
            "variance": float(array.var(ddof=1)),
            "skewness": float(stats.skew(array)),
            "excess_kurtosis": float(stats.kurtosis(array)),
        },
        "hill": [{"k": k, "alpha": float(hill(x, k))} for k in (1, 2, 10, 25, 50, 199)],
        "moment": [moment(x, k) for k in (2, 10, 25, 50, 150)],
        "moment_light": [moment(light, k) for k in (5, 20, 40)],
        "mohammadi": {
            "none": mohammadi(x, 0),
            "mean": mohammadi(x, mean),
            "median": mohammadi(x, median),
        },
        "outliers": {
            "mild": int((array > q3 + 1.5 * (q3 - q1)).sum()),
            "extreme": int((array > q3 + 3 * (q3 - q1)).sum()),
            "normal_mild": normal_share_above_fence(1.5),
            "normal_extreme": normal_share_above_fence(3),
        },
        "jarque_bera_of_logs_p": float(stats.jarque_bera(np.log(array)).pvalue),
        "freedman_diaconis_bins": len(np.histogram_bin_edges(array, "fd")) - 1,
        "histogram": np.histogram(array, 12)[0].tolist(),
        "stable_inside": [
            {"alpha": a, "x": v, "p": stable_inside(a, v)}
            for a in (0.7, 1.0, 1.2, 1.5, 1.8, 2.0)
            for v in (0.25, 1.0, 3.0, 10.0)
        ],
    }
    path = Path(__file__).with_name("golden.json")
    path.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
