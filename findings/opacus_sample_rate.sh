#!/usr/bin/env bash
# Opacus: asking for batches of 600 out of 1,000 trains on batches of 500, or of all 1,000
# Guess: make_private() samples each example with probability batch size / examples: 0.6, with drop_last or without.
# What happens: it samples with 1 / len(data_loader), a whole number of batches. 600 of 1,000 are two batches, so
#   the rate is 0.5; with drop_last=True they are one, so every step takes every example, and a warning says
#   drop_last is ignored.
# Who is hurt: whoever plans memory, steps or epsilon from B / N. Small data and large batches, usual in private
#   training, are hit most: with drop_last=True, 100 steps cost an epsilon of 35 where 19 was planned. Read the rate
#   off the loader.
# Versions: opacus 1.6.0, torch 2.13.0, numpy 2.4.6
# Source: opacus.ai, PrivacyEngine.make_private; repository meta-pytorch/opacus, opacus/privacy_engine.py and
#   data_loader.py
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${PYTHON:-python3}" -m venv "$tmp/env"
"$tmp/env/bin/pip" install -qq --disable-pip-version-check torch==2.13.0 opacus==1.6.0 numpy==2.4.6
cd "$tmp"
cat > finding.py <<'PY'
import warnings

warnings.filterwarnings("ignore")
import torch
from opacus import PrivacyEngine
from opacus.accountants import RDPAccountant
from torch.utils.data import DataLoader, TensorDataset

data = TensorDataset(torch.zeros(1000, 4), torch.zeros(1000, dtype=torch.long))


def epsilon(rate):
    accountant = RDPAccountant()
    accountant.history = [(2.0, rate, 100)]
    return accountant.get_epsilon(1e-5)


rates, sizes = {}, {}
for drop_last in (False, True):
    model = torch.nn.Linear(4, 2)
    _, _, loader = PrivacyEngine(accountant="rdp").make_private(
        module=model,
        optimizer=torch.optim.SGD(model.parameters(), 0.1),
        data_loader=DataLoader(data, batch_size=600, drop_last=drop_last),
        noise_multiplier=2.0,
        max_grad_norm=1.0,
    )
    rates[drop_last] = loader.sample_rate
    sizes[drop_last] = [len(x) for _ in range(10) for x, _ in loader]
    print(f"batch_size=600 of 1,000, drop_last={drop_last}: rate {loader.sample_rate}, "
          f"mean batch {sum(sizes[drop_last]) / len(sizes[drop_last]):.0f}, "
          f"epsilon of 100 steps {epsilon(loader.sample_rate):.1f} (at 0.6: {epsilon(0.6):.1f})")
assert rates == {False: 0.5, True: 1.0}, "the sampling rate is another"
assert set(sizes[True]) == {1000} and max(sizes[False]) < 600, "the batches have another size"
PY
"$tmp/env/bin/python" finding.py
echo "holds: opacus_sample_rate"
