#!/usr/bin/env bash
# Evidently's default drift test goes blind for a column of small numbers
# Guess: the "Wasserstein distance (normed)" is divided by the reference's standard deviation, so the unit is
#   of no matter.
# What happens: it is divided by that deviation or by 0.001, whichever is larger. A shift of a whole standard
#   deviation scores 1.0 in one unit and 0.01 in a unit 100,000 times larger; the alarm is at 0.1. Below 1,000 rows
#   a KS test is the default, and it sees the same shift in both units: the blindness starts when the service grows.
# Who is hurt: whoever watches small numbers: rates of rare events, learned weights, gradients, concentrations,
#   seconds where milliseconds were meant. A column with a deviation of 0.00001 must move by ten of them before it
#   counts as drift. Scale columns first, or name the test.
# Versions: evidently 0.7.23, pandas 2.3.3
# Source: repository evidentlyai/evidently, src/evidently/legacy/calculations/stattests/wasserstein_distance_norm.py
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


def drift(reference, current):
    kind = DataDefinition(numerical_columns=["x"])
    old, new = (Dataset.from_pandas(pd.DataFrame({"x": x}), kind) for x in (reference, current))
    return float(Report([ValueDrift(column="x")]).run(new, old).dict()["metrics"][0]["value"])


rng = np.random.default_rng(0)
reference, shifted = rng.normal(size=5000), rng.normal(1, 1, size=5000)
score = {unit: drift(reference * unit, shifted * unit) for unit in (1.0, 1e-3, 1e-4, 1e-5)}
print("5,000 rows, drift is a score of 0.1 or more")
for unit, found in score.items():
    print(f"  in units of {1 / unit:,.0f}: {found:.3f}")
p = drift(reference[:900] * 1e-5, shifted[:900] * 1e-5)
print(f"900 rows, drift is a p-value below 0.05: {p:.1e} in units of 100,000")
assert score[1.0] > 0.9 and score[1e-5] < 0.1, "the score no longer depends on the unit"
assert p < 0.05, "the test for fewer rows no longer sees the shift"
PY
"$tmp/env/bin/python" finding.py
echo "holds: evidently_small_unit"
