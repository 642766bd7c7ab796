#!/usr/bin/env bash
# Captum's FGSM and PGD are weak attacks on a model that answers logits
# Guess: the default loss is cross entropy, as in every attack library, so the model is attacked as it stands.
# What happens: the default loss is minus the logarithm of the output itself, which asks for probabilities. On
#   logits it only pushes the right class's logit towards zero, whatever the other classes do: PGD leaves 67 % right
#   where the same attack with cross entropy leaves 48 %, and 20 steps are no stronger than one. Nothing is raised.
# Who is hurt: whoever measures robustness with the attribution library already at hand: PyTorch classifiers answer
#   logits, so the robust accuracy is overstated by a fifth of the data. Pass
#   loss_func=CrossEntropyLoss(reduction="none").
# Versions: captum 0.9.0, torch 2.13.0, scikit-learn 1.9.1, numpy 2.4.6
# Source: captum.ai, captum.robust.FGSM and PGD (loss_func); repository meta-pytorch/captum,
#   captum/robust/_core/fgsm.py
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${PYTHON:-python3}" -m venv "$tmp/env"
"$tmp/env/bin/pip" install -qq --disable-pip-version-check torch==2.13.0 captum==0.9.0 scikit-learn==1.9.1 numpy==2.4.6
cd "$tmp"
cat > finding.py <<'PY'
import warnings

warnings.filterwarnings("ignore")
import torch
from captum.robust import FGSM, PGD
from sklearn.datasets import load_digits
from torch import nn

images, labels = load_digits(return_X_y=True)
x, y = torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels)
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
for _ in range(300):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()


def left(**loss):
    fgsm, pgd = (attack(model, lower_bound=0, upper_bound=1, **loss) for attack in (FGSM, PGD))
    found = fgsm.perturb(x, epsilon=0.1, target=y), pgd.perturb(x, radius=0.1, step_size=0.02, step_num=20, target=y)
    return [(model(a).argmax(1) == y).float().mean().item() for a in found]


default, entropy = left(), left(loss_func=nn.CrossEntropyLoss(reduction="none"))
print(f"right without an attack: {(model(x).argmax(1) == y).float().mean():.0%}; budget 0.1 in L-infinity")
print(f"right after FGSM: default loss {default[0]:.0%}, cross entropy {entropy[0]:.0%}")
print(f"right after PGD, 20 steps: default loss {default[1]:.0%}, cross entropy {entropy[1]:.0%}")
assert default[0] > entropy[0] + 0.05 and default[1] > entropy[1] + 0.1, "the default loss is no longer weaker"
PY
"$tmp/env/bin/python" finding.py
echo "holds: captum_attacks_on_logits"
