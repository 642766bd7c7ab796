#!/usr/bin/env bash
# PyTorch on a CPU: of a convolution with one input channel, the gradient of the images costs 5 forward passes and more
# Guess: the gradient with respect to the input has as many multiplications as the forward pass, so it takes about as
#   long; and kernels for newer instructions are at least as fast as those for older ones.
# What happens: for one-channel images (the first layer of any network for MNIST) oneDNN's kernels for AVX2 and AVX-512
#   take 5 to 15 times the forward pass for it, where sixteen channels take 2 to 3. One matrix product and F.fold give
#   the same gradient, up to rounding, in less than half of that time. On the processor where this was found, with
#   AVX-512, even oneDNN's own kernels for SSE4.1 (ONEDNN_MAX_CPU_ISA=SSE41) took a third of it. Training does not show
#   it: it never asks a first layer for this gradient.
# Who is hurt: whoever attacks networks on a CPU (PGD, adversarial training, saliency maps): the smallest
#   layer of the network may be the dearest of each step.
# Versions: torch 2.14.1
# Source: repositories pytorch/pytorch, aten/src/ATen/native/mkldnn/Conv.cpp, and uxlfoundation/oneDNN
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${PYTHON:-python3}" -m venv "$tmp/env"
"$tmp/env/bin/pip" install -qq --disable-pip-version-check torch==2.14.1 numpy==2.4.6
cd "$tmp"
cat > finding.py <<'PY'
import time

import torch
from torch.nn import functional as F

torch.set_num_threads(1)
assert torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512"), "this finding is of x86 processors with AVX2"


def least(work):
    work()
    seconds = []
    for _ in range(15):
        begin = time.process_time()
        for _ in range(5):
            work()
        seconds.append(time.process_time() - begin)
    return min(seconds)


def costs(channels, filters, kernel, stride):
    """The gradient, and the same by a product and a fold, in forward passes."""
    layer = torch.nn.Conv2d(channels, filters, kernel, stride).requires_grad_(False)
    x = torch.rand(64, channels, 28, 28, requires_grad=True)
    out, weight = layer(x), layer.weight.flatten(1)
    above = torch.randn_like(out)

    def by_torch():
        return torch.autograd.grad(out, x, above, retain_graph=True)[0]

    def by_fold():
        return F.fold(weight.T @ above.flatten(2), x.shape[2:], layer.kernel_size, stride=layer.stride)

    assert torch.allclose(by_torch(), by_fold(), atol=1e-4)
    with torch.no_grad():
        forward = least(lambda: layer(x))
    return least(by_torch) / forward, least(by_fold) / forward


for name, layer in {"3 x 3, stride 2": (1, 16, 3, 2), "5 x 5": (1, 20, 5, 1)}.items():
    usual, fold = costs(*layer)
    print(f"one channel, {name}: the gradient takes {usual:.0f} forward passes, product and fold {fold:.1f}")
    assert usual > 5 and fold < usual / 2, "the gradient of one channel costs what one would guess"
usual, _ = costs(16, 16, 3, 2)
print(f"sixteen channels, 3 x 3, stride 2: {usual:.0f}")
assert usual < 4, "of sixteen channels it is as dear"
PY
"$tmp/env/bin/python" finding.py
echo "holds: conv_one_channel_gradient"
