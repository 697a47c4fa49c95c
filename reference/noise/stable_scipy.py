"""Stable laws at moderate points from SciPy's levy_stable (S0), whose own tolerance is looser.

    python stable_scipy.py > stable_scipy.json
"""
import json

import scipy
from scipy.stats import levy_stable

levy_stable.parameterization = "S0"
rows = []
for alpha in [0.6, 1.0, 1.3, 1.7]:
    for beta in [-0.5, 0.0, 0.8]:
        for x in [-3.0, -0.4, 1.1, 5.0]:
            f, p = levy_stable.pdf(x, alpha, beta), levy_stable.cdf(x, alpha, beta)
            rows.append([alpha, beta, x, float(f), float(p)])
print(f'{{"generator": "stable_scipy.py", "scipy": "{scipy.__version__}",')
print('"columns": ["alpha", "beta", "x", "pdf", "cdf"], "rows": [')
print(",\n".join(json.dumps(row) for row in rows))
print("]}")
