#!/usr/bin/env bash
# Evidently's PSI: one outlier among 10,000 values hides a shift of a whole standard deviation
# Guess: the population stability index takes its bins from the reference (its deciles, as in credit scoring), so
#   one value in 10,000 moves it by about 0.0001 of the mass.
# What happens: the bins are of equal width over reference and current data together. One value of 1,000 stretches
#   them until all others share one bin, and PSI falls from 1.03 ("large shift") to 0.02, below its threshold of
#   0.1.
# Who is hurt: whoever chose PSI for the drift report: a single sensor glitch, typing error or sentinel such as
#   99999 in a column turns the alarm off for that column, while the shift is there. "kl_div" and "jensenshannon" do
#   the same.
# Versions: evidently 0.7.23, pandas 2.3.3
# Source: repository evidentlyai/evidently, src/evidently/legacy/calculations/stattests/utils.py (get_binned_data)
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${PYTHON:-python3}" -m venv "$tmp/env"
"$tmp/env/bin/pip" install -qq --disable-pip-version-check evidently==0.7.23 pandas==2.3.3
cd "$tmp"
cat > finding.py <<'PY'
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import ValueDrift


def psi(reference, current):
    kind = DataDefinition(numerical_columns=["x"])
    old, new = (Dataset.from_pandas(pd.DataFrame({"x": x}), kind) for x in (reference, current))
    return float(Report([ValueDrift(column="x", method="psi")]).run(new, old).dict()["metrics"][0]["value"])


rng = np.random.default_rng(0)
reference, shifted = rng.normal(size=10_000), rng.normal(1, 1, size=10_000)
spoiled = shifted.copy()
spoiled[0] = 1000
plain, hidden = psi(reference, shifted), psi(reference, spoiled)
print(f"PSI of 10,000 values shifted by one deviation: {plain:.2f}; with one of them set to 1,000: {hidden:.3f}")
edges = np.quantile(reference, np.linspace(0, 1, 11)[1:-1])
old, new = (np.bincount(np.searchsorted(edges, x), minlength=10) / len(x) for x in (reference, spoiled))
deciles = float(((new - old) * np.log(new / old)).sum())
print(f"with the reference's deciles as bins, the outlier included: {deciles:.2f}")
assert plain > 0.5 and deciles > 0.5 and hidden < 0.1, "one outlier no longer hides the shift"
PY
"$tmp/env/bin/python" finding.py
echo "holds: evidently_psi_outlier"
