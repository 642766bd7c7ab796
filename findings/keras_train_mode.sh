#!/usr/bin/env bash
# Keras 3 on PyTorch: model.train() switches nothing on
# Guess: a Keras model on this backend is an nn.Module, so train() and eval() decide about dropout and batch
#   normalisation.
# What happens: train() sets model.training and no layer looks at it. Outside fit() a call means inference unless it
#   says training=True: in an ordinary PyTorch loop dropout never drops, and the moving mean and variance of batch
#   normalisation stay 0 and 1 for the whole training. The loop runs and the loss falls.
# Who is hurt: whoever writes adversarial or private training around a Keras model: the regularised model that is
#   reported was never trained, and attacks "in train mode" meet no randomness.
# Versions: keras 3.15.1, torch 2.13.0, numpy 2.4.6
# Source: keras.io, "Writing a training loop from scratch in PyTorch"; repository keras-team/keras,
#   keras/src/layers/layer.py
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${PYTHON:-python3}" -m venv "$tmp/env"
"$tmp/env/bin/pip" install -qq --disable-pip-version-check torch==2.13.0 keras==3.15.1 numpy==2.4.6
cd "$tmp"
cat > finding.py <<'PY'
import os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import torch

torch.manual_seed(0)
keras.utils.set_random_seed(0)
norm = keras.layers.BatchNormalization()
dense, dropout = keras.layers.Dense, keras.layers.Dropout
model = keras.Sequential([keras.Input((4,)), norm, dense(32), dropout(0.5), dense(2)])
x, y = torch.randn(256, 4) * 5 + 3, torch.randint(0, 2, (256,))
assert isinstance(model, torch.nn.Module)
model.train()
optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.01)
losses = []
for _ in range(50):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
same = torch.equal(model(x), model(x))
mean, variance = norm.moving_mean.value.abs().max().item(), norm.moving_variance.value.mean().item()
print(f"model.training is {model.training}; loss over 50 steps {losses[0]:.2f} to {losses[-1]:.2f}")
print(f"two calls are equal, with dropout 0.5: {same}; moving mean {mean:.2f}, variance {variance:.2f} (data: 3, 25)")
told = torch.equal(model(x, training=True), model(x, training=True))
print(f"two calls with training=True are equal: {told}; moving mean {norm.moving_mean.value.abs().max().item():.2f}")
assert same and mean == 0 and variance == 1 and losses[-1] < losses[0] and not told, "train() reaches the layers now"
PY
"$tmp/env/bin/python" finding.py
echo "holds: keras_train_mode"
