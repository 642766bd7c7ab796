#!/usr/bin/env bash
# In bfloat16 on a CPU, the gradient of a frequent token stops growing at 256
# Guess: sums over a batch are collected in float32 and rounded once, as in matrix products, for every layer.
# What happens: nn.Embedding adds the gradients of equal tokens one by one in the weights' own type. 256 + 1 is 256
#   in bfloat16, so 6,144 equal gradients of 1 give 256 (float16: 2,048). Linear layers get the same sum right.
# Who is hurt: whoever trains a language model in pure bfloat16 on a CPU, or attacks one by the embedding's
#   gradient: the most frequent tokens learn up to 24 times too slowly, and the gap grows with the batch. Autocast
#   keeps the weights in float32 and is right.
# Versions: torch 2.13.0, numpy 2.4.6
# Source: docs.pytorch.org, nn.Embedding; repository pytorch/pytorch, aten/src/ATen/native/Embedding.cpp
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${PYTHON:-python3}" -m venv "$tmp/env"
"$tmp/env/bin/pip" install -qq --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cd "$tmp"
cat > finding.py <<'PY'
import torch
from torch import nn

tokens = torch.zeros(64, 96, dtype=torch.long)  # a batch of 6,144 positions, all with token 0


def embedding(dtype):
    layer = nn.Embedding(10, 4, dtype=dtype)
    layer(tokens).sum().backward()
    return layer.weight.grad[0, 0].item()


def linear(dtype):
    layer = nn.Linear(10, 4, bias=False, dtype=dtype)
    layer(nn.functional.one_hot(tokens, 10).to(dtype)).sum().backward()
    return layer.weight.grad[0, 0].item()


def autocast():
    layer = nn.Embedding(10, 4)
    with torch.autocast("cpu", torch.bfloat16):
        layer(tokens).sum().backward()
    return layer.weight.grad[0, 0].item()


grads = {dtype: embedding(dtype) for dtype in (torch.float32, torch.float16, torch.bfloat16)}
print("gradient of a token seen 6,144 times:", ", ".join(f"{str(d)[6:]} {g:.0f}" for d, g in grads.items()))
print(f"the same sum by a linear layer in bfloat16: {linear(torch.bfloat16):.0f}; under autocast: {autocast():.0f}")
assert list(grads.values()) == [6144, 2048, 256] and linear(torch.bfloat16) == autocast() == 6144, "the sums are others"
PY
"$tmp/env/bin/python" finding.py
echo "holds: embedding_gradient_bf16"
