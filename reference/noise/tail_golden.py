"""Writes tail_golden.json: what SciPy, mpmath and the package powerlaw make of a few samples.

    python tail_data.py danish.txt && python tail_golden.py

The likelihoods are written here from their formulas and maximised by SciPy; the Hessians behind
the standard errors are mpmath's. powerlaw gives x_min, exponent and distance.
"""

import collections
import json
import pathlib
import warnings

import mpmath
import numpy as np
import powerlaw
import scipy
from scipy import optimize, special, stats

warnings.filterwarnings("ignore")
mpmath.mp.dps = 40
here = pathlib.Path(__file__).parent
data = json.loads((here / "tail_data.json").read_text())


def zeta_cases():
    """q^s zeta(s, q) and two derivatives in s. mpmath's digits are absolute, so many are asked for."""
    for s in ["1.01", "1.5", "1.95", "2.4", "4", "12.5", "60"]:
        for q in ["1", "2", "7", "11.5", "1000", "1e12"]:
            mpmath.mp.dps = 60 + int(float(s) * np.log10(float(q)))
            s_, q_ = mpmath.mpf(s), mpmath.mpf(q)
            z = [mpmath.zeta(s_, q_, n) for n in range(3)]
            ln = mpmath.log(q_)
            yield {
                "s": float(s),
                "q": float(q),
                "z": [
                    float(q_**s_ * z[0]),
                    float(q_**s_ * (z[1] + ln * z[0])),
                    float(q_**s_ * (z[2] + 2 * ln * z[1] + ln**2 * z[0])),
                ],
            }
    mpmath.mp.dps = 40


def polish(minus, start):
    """Nelder-Mead, restarted until it stands still."""
    x = np.asarray(start, float)
    for _ in range(8):
        x = optimize.minimize(
            minus, x, method="Nelder-Mead",
            options={"xatol": 1e-11, "fatol": 1e-13, "maxiter": 20000, "maxfev": 20000},
        ).x
    return x


def pareto_case(name, values, threshold):
    y = np.array([x - threshold for x in values if x > threshold])
    unit = y.mean()

    def minus(p):
        return -stats.genpareto.logpdf(y / unit, p[0], scale=np.exp(p[1])).sum() if p[0] > -1 else np.inf

    c, _, scale = stats.genpareto.fit(y, floc=0)
    xi, log_beta = polish(minus, [c, np.log(scale / unit)])
    beta = float(np.exp(log_beta) * unit)

    def exact(x, b):
        return -len(y) * mpmath.log(b) - (1 + 1 / x) * sum(mpmath.log(1 + x * mpmath.mpf(v) / b) for v in y)

    hessian = mpmath.matrix(2, 2)
    for i, j, order in [(0, 0, (2, 0)), (0, 1, (1, 1)), (1, 1, (0, 2))]:
        hessian[i, j] = hessian[j, i] = -mpmath.diff(exact, (mpmath.mpf(xi), mpmath.mpf(beta)), order)
    covariance = hessian**-1
    best = -minus([xi, log_beta])

    def profile(x):
        low = np.log(-x * (y / unit).max()) if x < 0 else -30
        inner = optimize.minimize_scalar(
            lambda b: minus([x, b]), bounds=(low, 30), method="bounded", options={"xatol": 1e-12}
        )
        return -inner.fun - best + stats.chi2.ppf(0.95, 1) / 2

    statistic = 2 * (best + len(y))
    return {
        "name": name,
        "threshold": threshold,
        "k": len(y),
        "xi": xi,
        "beta": beta,
        "xi_error": float(mpmath.sqrt(covariance[0, 0])),
        "beta_error": float(mpmath.sqrt(covariance[1, 1])),
        "log_likelihood": best - len(y) * np.log(unit),
        "profile": [
            optimize.brentq(profile, max(xi - 2, -0.999), xi, xtol=1e-10),
            optimize.brentq(profile, xi, xi + 3, xtol=1e-10),
        ],
        "exponential_p": float(stats.chi2.sf(statistic, 1)),
    }


def comparison_case(name, values, x_min):
    x = np.array([v for v in values if v >= x_min]) / x_min
    y = np.log(x)
    n = len(x)
    alpha = 1 / y.mean()
    logs = {"power-law": np.log(alpha) - (alpha + 1) * y}
    rate = 1 / (x.mean() - 1)
    logs["exponential"] = np.log(rate) - rate * (x - 1)
    parameters = {"power-law": [alpha], "exponential": [rate]}

    def lognormal(p):
        m, s = p[0], np.exp(p[1])
        return stats.norm.logpdf(y, m, s) - y - stats.norm.logsf(-m / s)

    def stretched(p):
        b, lam = np.exp(p[0]), np.exp(p[1])
        return np.log(b * lam) + (b - 1) * y - lam * np.expm1(b * y)

    def cutoff(p):
        a, lam = p[0], np.exp(p[1])
        mass = mpmath.expint(a, lam)
        return -a * y - lam * x - float(mpmath.log(mass))

    mpmath.mp.dps = 25
    for key, law, start in [
        ("lognormal", lognormal, [0.0, 0.0]),
        ("stretched-exponential", stretched, [-0.5, 0.0]),
        ("cutoff-power-law", cutoff, [alpha + 0.5, np.log(rate / 3)]),
    ]:
        p = polish(lambda p: -law(p).sum(), start)
        logs[key] = law(p)
        parameters[key] = [float(v) for v in p]
    mpmath.mp.dps = 40
    s = np.exp(parameters["lognormal"][1])
    parameters["lognormal"][1] = s
    b, lam = np.exp(parameters["stretched-exponential"])
    parameters["stretched-exponential"] = [lam, b]
    parameters["cutoff-power-law"][1] = np.exp(parameters["cutoff-power-law"][1])
    families = {}
    for key, log in logs.items():
        difference = logs["power-law"] - log
        ratio = difference.sum()
        scale = np.sqrt(n) * difference.std()
        families[key] = {
            "parameters": parameters[key],
            "log_likelihood": log.sum() - n * np.log(x_min),
            "log_ratio": ratio,
            "normalized": ratio / scale if scale > 0 else 0.0,
            "p": float(special.erfc(abs(ratio / scale) / np.sqrt(2))) if scale > 0 else 1.0,
        }
    families["cutoff-power-law"]["p"] = float(special.erfc(np.sqrt(abs(families["cutoff-power-law"]["log_ratio"]))))
    return {"name": name, "x_min": x_min, "families": families}


def power_law_case(name, values, discrete):
    fit = powerlaw.Fit(np.array(values), discrete=discrete, estimate_discrete=False, verbose=0)
    law = fit.power_law
    return {"name": name, "exponent": law.alpha, "x_min": law.xmin, "sigma": law.sigma, "d": law.D, "n_tail": int(law.n) if hasattr(law, "n") else None}


def expand(pairs):
    return [value for value, times in pairs for _ in range(times)]


rng = np.random.default_rng(2009)
body = np.exp(rng.normal(0.0, 0.5, 260))
mixed = sorted(round(float(v), 6) for v in np.concatenate([body, 2.0 * rng.random(140) ** (-1 / 1.5)]))
bounded = sorted(round(float(v), 6) for v in 1 - rng.random(80) ** 0.25)
counts = sorted(int(v) for v in stats.zipfian.rvs(2.2, 10**6, size=400, random_state=rng) + rng.poisson(1.0, 400))
blackouts = [x / 1000 for x in data["blackouts"]]

golden = {
    "generator": f"reference/noise/tail_golden.py, scipy {scipy.__version__}, mpmath {mpmath.__version__}, "
    f"numpy {np.__version__}, powerlaw 2.0.0",
    "mixed": mixed,
    "bounded": bounded,
    "counts": counts,
    "zeta": list(zeta_cases()),
    "generalized_pareto": [
        pareto_case("danish", data["danish_above_10"], 10.0),
        pareto_case("danish", data["danish_above_10"], 20.0),
        pareto_case("mixed", mixed, 1.5),
        pareto_case("bounded", bounded, 0.1),
    ],
    "comparison": [
        comparison_case("blackouts", blackouts, 230.0),
        comparison_case("danish", data["danish_above_10"], 10.0),
        comparison_case("bounded", bounded, 0.1),
    ],
    "power_law": [
        power_law_case("mixed", mixed, False),
        power_law_case("blackouts", blackouts, False),
        power_law_case("counts", counts, True),
        power_law_case("words", expand(data["words"]), True),
        power_law_case("terrorism", expand(data["terrorism"]), True),
    ],
}
(here / "tail_golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
