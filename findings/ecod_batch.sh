#!/usr/bin/env bash
# PyOD's ECOD and COPOD: a row's anomaly score depends on the rows scored with it
# Guess: after fit() a detector is fixed; decision_function() and predict() treat each row alone, as in
#   scikit-learn.
# What happens: both join the new rows to the training data and estimate the tails from the two together. A thousand
#   rows shifted by four standard deviations are all flagged one at a time, and one in ten when sent in one call.
# Who is hurt: whoever compares a nightly batch with the alarms of the live service, or looks for a shift: the
#   larger the share of unusual rows in a call, the more usual each looks. Score row by row, or in batches of one
#   fixed size.
# Versions: pyod 3.6.7, numpy 2.4.6
# Source: repository yzhao062/pyod, pyod/models/ecod.py and copod.py (decision_function)
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${PYTHON:-python3}" -m venv "$tmp/env"
"$tmp/env/bin/pip" install -qq --disable-pip-version-check pyod==3.6.7 numpy==2.4.6
cd "$tmp"
cat > finding.py <<'PY'
import numpy as np
from pyod.models.copod import COPOD
from pyod.models.ecod import ECOD

rng = np.random.default_rng(0)
usual, shifted = rng.normal(size=(1000, 5)), rng.normal(4, 1, size=(1000, 5))
for detector in (ECOD(), COPOD()):
    detector.fit(usual)
    name = type(detector).__name__
    alone = np.mean([detector.predict(row[None])[0] for row in shifted[:100]])
    together = detector.predict(shifted).mean()
    first = detector.decision_function(shifted[:1])[0], detector.decision_function(shifted)[0]
    print(f"{name}: flagged one by one {alone:.0%}, in one call {together:.0%}; "
          f"score of row 0 {first[0]:.1f} alone, {first[1]:.1f} in the call (threshold {detector.threshold_:.1f})")
    assert alone > 0.95 and together < 0.25, f"{name}: scores no longer depend on the batch"
PY
"$tmp/env/bin/python" finding.py
echo "holds: ecod_batch"
