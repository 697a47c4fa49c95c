"""Golden values of stable laws (S0, scale 1, location 0), from the characteristic function.

With x > 0, or x > zeta away from alpha = 1 (else reflect), the path t = r exp(-i w) turns the inversion integrals into

    f(x)     = (1/pi) Re int exp(-i x t) phi(t) dt
    1 - F(x) = 1/2 - w/pi + (1/pi) Im int exp(-i x t) phi(t) dr/r

so that neither Zolotarev's nor Nolan's integral, on which the code under test rests, is used. The
variable is v with r max(x, 1) = exp(v - exp(-v)); sums of the trapezoidal rule are doubled until two of them
agree to 25 digits in f, F and 1 - F each, and the working precision is raised until it exceeds their
magnitude by 30 digits. `check` compares a subset with Nolan's integral and with the tail series.

    python stable_mpmath.py > stable_mpmath.json        (about 8 minutes)
"""
import json
import random
import sys
import time

from mpmath import mp, mpf, mpc

RELATIVE = mpf(10) ** -25


def exponent(alpha, beta, x):
    """ln(exp(-i x t) phi(t)) as a function of (ln t, t)."""
    if alpha == 1:
        c = mpc(0, 2 * beta / mp.pi)
        return lambda log_t, t: -mpc(0, 1) * x * t - t * (1 + c * log_t)
    tan = 0 if alpha == 2 else beta * mp.tan(mp.pi * alpha / 2)
    linear, power = -mpc(0, 1) * (x + tan), -(1 - mpc(0, 1) * tan)
    return lambda log_t, t: linear * t + power * mp.exp(alpha * log_t)


def angle(alpha, beta, x):
    """A path on which exp(-i x t) and phi both decay, or on which phi at least ends."""
    if alpha == 2 or x == 0:
        return mpf(0)
    if abs(alpha - 1) < 0.05:
        if beta < 0:
            return mp.pi / 8 if x > 4 else mpf(0)
        return mp.pi / 4
    tan = beta * mp.tan(mp.pi * alpha / 2)
    if x + tan <= 0:
        return mpf(0)
    return min((mp.pi / 2 - mp.atan(tan)) / alpha, mp.pi / 2) / 2


def contour(alpha, beta, x, digits):
    """(f, 1 - F) with an absolute error around 10^-digits."""
    mp.dps = digits + 10
    alpha, beta, x = mpf(alpha), mpf(beta), mpf(x)
    w = angle(alpha, beta, x)
    value = exponent(alpha, beta, x)
    turn = mp.expj(-w)
    tiny = mpf(10) ** -(digits + 5)
    shift = mp.log(max(x, 1))

    def node(v):
        e = mp.exp(-v)
        log_r = v - e - shift
        r = mp.exp(log_r)
        h = mp.exp(value(mpc(log_r, -w), r * turn))
        dlog = 1 + e
        return h * r * dlog, h.imag * dlog, abs(h)

    def side(v, h):
        """Sums of the nodes v, v + h, ... until they vanish."""
        f = s = mpf(0)
        small = 0
        for _ in range(10000):
            if small == 3:
                return f, s
            df, ds, size = node(v)
            f += df
            s += ds
            gone = max(abs(df), abs(ds)) < tiny and (size > 0.5 if h < 0 else size < tiny)
            small = small + 1 if gone else 0
            v += h
        raise ArithmeticError("too many nodes")

    h = mpf(1) / 8
    start = mpf(0)
    f, s = (a + b for a, b in zip(side(start, h), side(start - h, -h)))
    previous = None
    for _ in range(8):
        now = ((f * h * turn).real / mp.pi, mpf(1) / 2 - w / mp.pi + s * h / mp.pi)
        if previous and all(
            abs(a - b) <= max(RELATIVE * abs(a), 10 * tiny)
            for a, b in [*zip(now, previous), (1 - now[1], 1 - previous[1])]
        ):
            return now
        previous = now
        for more in (side(start + h / 2, h), side(start - h / 2, -h)):
            f += more[0]
            s += more[1]
        h /= 2
    raise ArithmeticError(f"no agreement at {alpha}, {beta}, {x}, {digits}")


def values(alpha, beta, x):
    """(f, F, 1 - F) to 25 digits each, or None where the smallest is below 1e-340."""
    zeta = 0 if abs(alpha - 1) < 0.05 or alpha == 2 else -beta * mp.tan(mp.pi * mpf(alpha) / 2)
    if x < zeta:
        f, lower, upper = values(alpha, -beta, -x)
        return f, upper, lower
    digits = 50
    while digits < 1500:
        f, upper = contour(alpha, beta, x, digits)
        least = min(f, upper, 1 - upper)
        if least > mpf(10) ** (30 - digits):
            return f, 1 - upper, upper
        digits = int(max(digits * 1.4, 40 - mp.log10(abs(least)) if least > 0 else 0))
        if digits > 380 and not alpha == 2 and f < mpf(10) ** -340 and abs(x) < 1e50:
            raise ArithmeticError(f"too small: {alpha} {beta} {x}")
    raise ArithmeticError(f"digits at {alpha}, {beta}, {x}")


def nolan(alpha, beta, x):
    """(f, 1 - F) from Nolan's integral for x > zeta, alpha != 1."""
    mp.dps = 60
    alpha, beta, x = mpf(alpha), mpf(beta), mpf(x)
    tan = beta * mp.tan(mp.pi * alpha / 2)
    theta0 = mp.atan(tan) / alpha
    y = x + tan
    power = alpha / (alpha - 1)

    def g(theta):
        angle = alpha * (theta0 + theta)
        v = mp.cos(alpha * theta0) ** (1 / (alpha - 1)) * (mp.cos(theta) / mp.sin(angle)) ** power
        return y**power * v * mp.cos(alpha * theta0 + (alpha - 1) * theta) / mp.cos(theta)

    low, high = -theta0, mp.pi / 2
    ends = [low + (high - low) * k / 16 for k in range(17)]
    ends[0] += mpf(10) ** -30
    ends[-1] -= mpf(10) ** -30
    f = mp.quad(lambda t: g(t) * mp.exp(-g(t)), ends) * alpha / (mp.pi * abs(alpha - 1) * y)
    rest = mp.quad(lambda t: mp.exp(-g(t)), ends) / mp.pi
    return f, rest if alpha > 1 else mpf(1) / 2 + theta0 / mp.pi - rest


def tail(alpha, beta, x):
    """(f, 1 - F) from the tail series (x far beyond zeta)."""
    mp.dps = 60
    alpha, beta, x = mpf(alpha), mpf(beta), mpf(x)
    tan = beta * mp.tan(mp.pi * alpha / 2)
    a, y = mp.atan(tan), x + tan
    f = s = mpf(0)
    for k in range(1, 40):
        term = (-1) ** (k - 1) * mp.sin(k * (mp.pi * alpha / 2 + a)) / (mp.factorial(k) * mp.pi)
        term *= (mp.cos(a) * y**alpha) ** -k
        f += term * mp.gamma(alpha * k + 1) / y
        s += term * mp.gamma(alpha * k)
    return f, s


def check():
    def near(name, case, left, right, digits):
        for a, b in zip(left, right):
            error = abs(a - b) / abs(b)
            assert error < mpf(10) ** -digits, (name, case, mp.nstr(error, 5))

    for case in [(0.5, 0.5, 1.5), (0.75, -0.3, 1.2), (1.25, 0.5, 2.9),
                 (1.5, 0.0, 1.0), (1.5, -0.5, 2.0), (1.75, 0.9, 4.0), (0.9, 0.4, 3.0)]:
        f, _, upper = values(*case)
        near("Nolan", case, nolan(*case), (f, upper), 15)
    for case in [(0.5, 0.5, 1e8), (0.1, 0.0, 1e200), (1.5, 0.5, 1e6), (1.9, -0.5, 1e8),
                 (1.1, 0.3, 1e10), (1.01, 0.5, 1e9), (0.99, -0.5, 1e9)]:
        f, _, upper = values(*case)
        near("tail", case, tail(*case), (f, upper), 22)


def grid():
    """(region, alpha, beta, x): every other point reflected."""
    points = []

    def add(region, alphas, betas, xs):
        for alpha in alphas:
            for beta in betas:
                for x in xs:
                    sign = -1 if len(points) % 2 else 1
                    points.append((region, alpha, sign * beta, sign * x))

    add("body", [0.25, 0.5, 0.75, 0.9, 1.1, 1.25, 1.5, 1.7, 1.9], [-0.6, 0.0, 0.5, 0.99],
        [0.01, 0.8, 2.0, 7.0])
    add("tail", [0.1, 0.5, 0.9, 1.1, 1.5, 1.9], [-0.9, 0.0, 1.0], [30.0, 300.0, 1e5, 1e20])
    add("far tail", [0.3, 0.8, 1.2, 1.8], [0.0, 0.7], [1e100])
    add("far tail", [0.3, 0.8], [0.5], [1e250])
    add("alpha near 1", [1 - 1e-2, 1 - 1e-4, 1 - 1e-8, 1 - 1e-12, 1.0, 1 + 1e-12, 1 + 1e-7, 1 + 1e-3],
        [-1.0, -0.4, 0.3, 1.0], [0.0, 0.3, 1.5, 2.5])
    add("alpha near 1", [1 - 1e-3, 1 - 1e-10, 1.0, 1 + 1e-6, 1 + 1e-11], [0.0, -0.2, 0.5, 1.0], [20.0, 1e6])
    add("alpha near 1", [1 - 1e-10, 1.0, 1 + 1e-5], [0.5], [1e60])
    add("alpha near 1, beta near 0", [1 - 1e-9, 1 - 1e-3, 1.0, 1 + 1e-12, 1 + 1e-6], [1e-12, 1e-6, -1e-3],
        [0.4, 12.0])
    add("alpha near 2", [2 - 1e-2, 2 - 1e-4, 2 - 1e-8, 2 - 1e-12, 2.0], [-1.0, 0.0, 0.7],
        [0.0, 1.0, 5.0, 12.0])
    add("alpha near 2", [2 - 1e-2, 2 - 1e-6, 2 - 1e-12], [0.0, 1.0], [100.0, 1e9])
    add("small alpha", [0.01, 0.03, 0.1], [-0.7, 0.0, 0.5, 1.0], [0.001, 1.0, 1e4])
    add("light side", [1.05, 1.2], [-1.0], [1.0, 2.0, 4.0])
    add("light side", [1.5, 1.8], [-1.0, -1 + 1e-10], [1.0, 5.0, 12.0])
    add("light side", [0.5, 0.8, 0.95], [1.0], [-0.5, -0.2])
    add("near zeta", [0.4], [1.0], [-0.7, -0.72])
    for alpha in [0.2, 0.5, 0.8, 1.2, 1.6]:
        for beta in [0.3, 0.9]:
            zeta = float(-beta * mp.tan(mp.pi * mpf(alpha) / 2))
            for offset in [1e-9, -1e-4, 1e-2]:
                points.append(("near zeta", alpha, beta, zeta + offset))
    draw = random.Random(4)
    for _ in range(300):
        kind, sign = draw.randrange(4), draw.choice([-1, 1])
        small = 10 ** draw.uniform(-14, -0.5)
        alpha = [draw.uniform(0.05, 2.0), 1 - small, 1 + small, 2 - small][kind]
        near = 10 ** draw.uniform(-14, 0)
        beta = draw.choice([1, -1]) * draw.choice([near, 1 - near, draw.uniform(0, 1)])
        x = sign * 10 ** draw.choice([draw.uniform(-1, 0.8), draw.uniform(-9, 12)])
        if kind and alpha < 1.05 and beta * x < 0 and abs(x) < 20 and abs(x) > 3.5:
            x /= 10  # the light side there is below the range of f64
        points.append(("random", alpha, beta, x))
    return points


def main():
    mp.dps = 50
    check()
    print("checked", file=sys.stderr)
    rows, skipped = [], []
    for region, alpha, beta, x in grid():
        start = time.time()
        try:
            f, lower, upper = values(alpha, beta, x)
        except ArithmeticError as error:
            skipped.append(str(error))
            continue
        mp.dps = 30
        log_f = mp.log(f)
        rows.append([region, alpha, beta, x, float(log_f), float(f), float(lower), float(upper)])
        if time.time() - start > 3:
            print(rows[-1], round(time.time() - start, 1), file=sys.stderr)
    print("skipped", skipped, file=sys.stderr)
    print('{"generator": "stable_mpmath.py", "mpmath": "1.4.1",')
    print('"columns": ["region", "alpha", "beta", "x", "log_pdf", "pdf", "cdf", "sf"], "rows": [')
    print(",\n".join(json.dumps(row) for row in rows))
    print("]}")


main()
