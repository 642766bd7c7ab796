#!/usr/bin/env bash
# TorchMetrics' R2Score: for targets far from zero a useless model scores 1, and some scores lie above 1
# Guess: float32 costs a few digits; R2 is the same for heights above the sea and above the floor.
# What happens: the variance of the targets is a sum of squares minus a squared sum, both in float32, and the
#   difference is lost in rounding. At targets around 100,000, twenty models that guess the mean (true R2: 0) score
#   0 or 1 as rounding falls, most of them 1; around 10,000, models with a true R2 of 0.91 score up to 1.01, which
#   no model can.
# Who is hurt: whoever watches a regression model whose targets are years, prices, pressures in pascal or time
#   stamps: the release gate passes a model that has learned nothing. Subtract a constant first, or use float64.
# Versions: torchmetrics 1.9.0, torch 2.13.0, numpy 2.4.6
# Source: repository Lightning-AI/torchmetrics, src/torchmetrics/functional/regression/r2.py
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${PYTHON:-python3}" -m venv "$tmp/env"
"$tmp/env/bin/pip" install -qq --disable-pip-version-check torch==2.13.0 torchmetrics==1.9.0 numpy==2.4.6
cd "$tmp"
cat > finding.py <<'PY'
import torch
from torchmetrics import R2Score


def scores(offset, share):
    """R2 of 20 models whose error is `share` of the deviation of the targets: by TorchMetrics, and in float64."""
    found, true = [], []
    for seed in range(20):
        torch.manual_seed(seed)
        target = torch.randn(5000) + offset  # float32, as a DataLoader gives it
        guess = target + share * torch.randn(5000) if share < 1 else torch.full((5000,), float(offset))
        metric = R2Score()
        metric.update(guess, target)
        found.append(metric.compute().item())
        t, g = target.double(), guess.double()
        true.append((1 - ((t - g) ** 2).sum() / ((t - t.mean()) ** 2).sum()).item())
    return sorted(found), sorted(true)


for offset, share in ((0, 0.3), (10_000, 0.3), (0, 1), (100_000, 1)):
    found, true = scores(offset, share)
    print(f"targets around {offset:,}, true R2 {true[0]:.2f} to {true[-1]:.2f}: "
          f"R2Score {found[0]:.2f} to {found[-1]:.2f}, median {found[10]:.2f}")
    if offset == 0:
        assert max(abs(f - t) for f, t in zip(found, true)) < 0.001, "R2Score is off without an offset, too"
    else:
        assert found[10] > true[-1] + 0.05 and found[-1] > (1 if share < 1 else 0.9), "the offset no longer spoils it"
PY
"$tmp/env/bin/python" finding.py
echo "holds: torchmetrics_r2"
