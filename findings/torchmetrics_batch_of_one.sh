#!/usr/bin/env bash
# TorchMetrics: the AUROC of the same logits depends on how many come in one call
# Guess: update() only collects; the metric of all data is the same for batches of 1 and of 1,000.
# What happens: each call decides by its own values whether it holds logits: if one lies outside [0, 1] all get a
#   sigmoid, else they are taken for probabilities. In batches of one, a logit of 0.9 stays 0.9 while 1.1 becomes
#   0.75: the order of the examples changes, and with it AUROC, average precision and accuracy.
# Who is hurt: whoever feeds logits to a streaming monitor or evaluates with batch size 1: the model looks worse
#   than in the offline evaluation, and no warning says why. Apply the sigmoid yourself.
# Versions: torchmetrics 1.9.0, torch 2.13.0, numpy 2.4.6
# Source: lightning.ai, TorchMetrics, BinaryAUROC (logits are found by their range);
#   torchmetrics/utilities/compute.py
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${PYTHON:-python3}" -m venv "$tmp/env"
"$tmp/env/bin/pip" install -qq --disable-pip-version-check torch==2.13.0 torchmetrics==1.9.0 numpy==2.4.6
cd "$tmp"
cat > finding.py <<'PY'
import torch
from torchmetrics.classification import BinaryAccuracy, BinaryAUROC

torch.manual_seed(0)
label = torch.randint(0, 2, (2000,))
logit = torch.randn(2000) + 2 * label - 1


def score(metric, values, batch):
    for i in range(0, len(values), batch):
        metric.update(values[i : i + batch], label[i : i + batch])
    return metric.compute().item()


auroc, accuracy = ({b: score(metric(), logit, b) for b in (2000, 100, 1)} for metric in (BinaryAUROC, BinaryAccuracy))
for batch in auroc:
    print(f"batches of {batch}: AUROC {auroc[batch]:.3f}, accuracy {accuracy[batch]:.3f}")
sure = score(BinaryAUROC(), logit.sigmoid(), 1)
print(f"batches of 1, sigmoid applied by hand: AUROC {sure:.3f}")
assert auroc[2000] == auroc[100] and abs(sure - auroc[2000]) < 1e-6, "the right values differ"
assert auroc[1] < auroc[2000] - 0.02 and accuracy[1] < accuracy[2000] - 0.02, "batches of one are right now"
PY
"$tmp/env/bin/python" finding.py
echo "holds: torchmetrics_batch_of_one"
