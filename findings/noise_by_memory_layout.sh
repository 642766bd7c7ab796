#!/usr/bin/env bash
# PyTorch: randn_like draws other noise, from the same seed, for a tensor that lies otherwise in memory
# Guess: noise of a seed depends on the seed and the shape. Images in channels-last give the same randn_like as the same
#   images in the usual layout; at worst the same numbers in another order.
# What happens: torch.randn_like keeps the layout of its argument and fills it by another path: the result for
#   channels-last images shares next to no number with that for the usual layout, nor for a transposed matrix.
#   torch.randn(x.shape) does not depend on the layout. Uniform noise, rand_like, does have the same numbers, in the
#   order of memory: each at another place.
# Who is hurt: whoever compares two runs at one seed and has made one of them faster by channels-last: votes of
#   randomized smoothing, random starts of an attack, and the noise of private training differ, and a certified count
#   or a test of "the same weights from the same seed" moves without any change of the method. Per-example gradients of
#   vmap(grad) may lie transposed, so noise added to them differs from that added to the same numbers made otherwise.
# Versions: torch 2.14.1
# Source: repository pytorch/pytorch, aten/src/ATen/native/cpu/DistributionTemplates.h; documentation of
#   torch.randn_like (memory_format=torch.preserve_format)
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${PYTHON:-python3}" -m venv "$tmp/env"
"$tmp/env/bin/pip" install -qq --disable-pip-version-check torch==2.14.1 numpy==2.4.6
cd "$tmp"
cat > finding.py <<'PY'
import torch


def noise(like, draw=torch.randn_like):
    torch.manual_seed(0)
    return draw(like)


def shared(a, b):
    """The share of numbers of a that are anywhere in b."""
    return torch.isin(a.flatten(), b.flatten()).float().mean().item()


images = torch.rand(8, 3, 32, 32)
last = images.to(memory_format=torch.channels_last)
assert torch.equal(images, last)
usual, other = noise(images), noise(last)
print(f"images: equal noise {torch.equal(usual, other)}, numbers in common {shared(usual, other):.0%}")
matrix = torch.rand(200, 100)
transposed = matrix.t().contiguous().t()
assert torch.equal(matrix, transposed)
rows, columns = noise(matrix), noise(transposed)
print(f"a matrix: equal noise {torch.equal(rows, columns)}, numbers in common {shared(rows, columns):.0%}")
flat, lying = noise(matrix, torch.rand_like), noise(transposed, torch.rand_like)
print(f"uniform: equal noise {torch.equal(flat, lying)}, numbers in common {shared(flat, lying):.0%}")
by_shape = [noise(x, lambda x: torch.randn(x.shape)) for x in (images, last)]
print(f"by shape: equal noise {torch.equal(*by_shape)}")
assert not torch.equal(usual, other) and shared(usual, other) < 0.05, "the noise of channels-last images is the usual one"
assert not torch.equal(rows, columns) and shared(rows, columns) < 0.05, "that of a transposed matrix is the usual one"
assert not torch.equal(flat, lying) and torch.equal(flat.flatten(), lying.t().flatten()), "uniform noise: no reordering"
assert torch.equal(*by_shape) and torch.equal(by_shape[0], usual), "randn of a shape depends on the layout"
PY
"$tmp/env/bin/python" finding.py
echo "holds: noise_by_memory_layout"
