#!/usr/bin/env bash
# Opacus: a convolution with circular, reflect or replicate padding trains on wrong gradients, silently
# Guess: per-sample gradients equal autograd's for every nn.Conv2d, or the validator refuses what it cannot do.
# What happens: the validator accepts padding_mode="circular", and the default hooks compute each example's gradient
#   as if the border were zeros: off by as much as half the largest gradient. force_functorch=True is right to
#   rounding.
# Who is hurt: whoever trains privately on panoramas, spheres, tori or textures, or on small images, where most
#   pixels are near a border. Privacy holds (the wrong gradients are clipped, too), but the model learns from wrong
#   gradients, and the loss of accuracy is taken for the price of privacy.
# Versions: opacus 1.6.0, torch 2.13.0, numpy 2.4.6
# Source: repository meta-pytorch/opacus, opacus/grad_sample/conv.py (reads padding, never padding_mode)
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
from opacus import GradSampleModule
from opacus.validators import ModuleValidator
from torch import nn


def error(mode, functorch):
    """Largest error of the per-sample gradients, as a part of the largest gradient; true: one backward pass each."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, padding_mode=mode), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10))
    assert ModuleValidator.validate(model, strict=False) == [], "the validator refuses the model"
    x, y, weight = torch.randn(8, 1, 8, 8), torch.arange(8), model[0].weight
    losses = (nn.functional.cross_entropy(model(x[i : i + 1]), y[i : i + 1]) for i in range(8))
    true = torch.stack([torch.autograd.grad(loss, weight)[0] for loss in losses])
    wrapped = GradSampleModule(model, loss_reduction="sum", force_functorch=functorch)
    nn.functional.cross_entropy(wrapped(x), y, reduction="sum").backward()
    return ((weight.grad_sample - true).abs().max() / true.abs().max()).item()


for mode in ("zeros", "circular", "reflect", "replicate"):
    hooks, functorch = error(mode, False), error(mode, True)
    print(f"padding_mode={mode}: default hooks off by {hooks:.0%} of the largest, functorch by {functorch:.0%}")
    assert functorch < 1e-4 and (hooks < 1e-4 if mode == "zeros" else hooks > 0.1), f"{mode}: errors are others now"
PY
"$tmp/env/bin/python" finding.py
echo "holds: opacus_padding"
