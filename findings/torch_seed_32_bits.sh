#!/usr/bin/env bash
# torch.manual_seed takes 64 bits and uses 32
# Guess: seeds are 64-bit numbers, so 1 and 1 + 2**32 start different streams (as in NumPy).
# What happens: the CPU generator (Mersenne Twister) keeps the low 32 bits. All seeds that differ by a multiple of
#   2**32 give the same draws, while initial_seed() reports all 64 bits and so calls them different.
# Who is hurt: whoever builds seeds as (worker << 32) + run or from a 64-bit hash with structure in its high bits:
#   the workers draw the same noise, which smoothing, bootstraps and repeated trials then count as independent
#   evidence.
# Versions: torch 2.13.0, numpy 2.4.6
# Source: docs.pytorch.org, torch.manual_seed; repository pytorch/pytorch, aten/src/ATen/core/MT19937RNGEngine.h
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${PYTHON:-python3}" -m venv "$tmp/env"
"$tmp/env/bin/pip" install -qq --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cd "$tmp"
cat > finding.py <<'PY'
import numpy as np
import torch


def draws(worker, run=7):
    return torch.randn(1000, generator=torch.Generator().manual_seed((worker << 32) + run))


workers = [draws(worker) for worker in range(4)]
same = sum(torch.equal(workers[0], other) for other in workers[1:])
print(f"seeds (worker << 32) + 7: {same} of 3 other workers draw exactly worker 0's noise")
mean = torch.stack(workers).mean(0).std().item()
print(f"standard deviation of the mean of 4 draws: {mean:.2f}, for independent ones 0.50")
seeds = {torch.Generator().manual_seed((worker << 32) + 7).initial_seed() for worker in range(4)}
numpy = {np.random.default_rng((worker << 32) + 7).normal() for worker in range(4)}
print(f"initial_seed() of the four: {len(seeds)} different; NumPy's draws: {len(numpy)} different")
assert same == 3 and mean > 0.9 and len(seeds) == len(numpy) == 4, "the high half of the seed is used"
PY
"$tmp/env/bin/python" finding.py
echo "holds: torch_seed_32_bits"
