#!/usr/bin/env bash
# torch.no_grad() changes what a transformer in eval mode answers
# Guess: without gradients the same numbers are computed, but for rounding; only train() and eval() change an
#   answer.
# What happens: nn.TransformerEncoder in eval mode takes another path when no gradient is wanted. That path answers
#   zeros at padded positions; the path with gradients answers ordinary vectors there. A classifier that averages
#   over all positions gives logits further apart than rounding by six orders, and other classes for some inputs.
# Who is hurt: whoever attacks or explains such a model: the attack (with gradients) and the evaluation (without)
#   see two different functions, so "robust accuracy" is of a model that was never attacked. Average over the mask
#   only.
# Versions: torch 2.13.0, numpy 2.4.6
# Source: docs.pytorch.org, nn.TransformerEncoderLayer (fast path); pytorch/pytorch issues 86120 and 128209
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${PYTHON:-python3}" -m venv "$tmp/env"
"$tmp/env/bin/pip" install -qq --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cd "$tmp"
cat > finding.py <<'PY'
import warnings

warnings.filterwarnings("ignore")
import torch
from torch import nn

torch.manual_seed(0)
layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
encoder, head = nn.TransformerEncoder(layer, 2).eval(), nn.Linear(32, 10).eval()
x = torch.randn(200, 20, 32)
length = torch.randint(5, 21, (200, 1))
padded = torch.arange(20) >= length


def logits(mask_out):
    z = encoder(x, src_key_padding_mask=padded)
    if mask_out:
        return head(z.masked_fill(padded[..., None], 0).sum(1) / length)
    return head(z.mean(1))


gap, other = {}, {}
for mask_out in (False, True):
    with_grad = logits(mask_out).detach()
    with torch.no_grad():
        without = logits(mask_out)
    gap[mask_out] = (with_grad - without).abs().max().item()
    other[mask_out] = (with_grad.argmax(1) != without.argmax(1)).sum().item()
print(f"mean over all positions: logits apart by {gap[False]:.2f}, another class for {other[False]} of 200 inputs")
print(f"mean over the real positions: apart by less than 1e-4, another class for {other[True]}")
assert gap[False] > 0.1 and other[False] > 0, "no_grad() no longer changes the answer"
assert gap[True] < 1e-4 and other[True] == 0, "averaging over the mask no longer mends it"
PY
"$tmp/env/bin/python" finding.py
echo "holds: transformer_no_grad"
