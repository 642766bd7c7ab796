"""Train the playground's networks and write them for its page: `python tools/playground.py`, about a minute.

`site/playground/networks.bin` holds the weights, little-endian float32, network after network, in the order in which
they run; `networks.json` says which networks these are, and holds test digits. Seeds are fixed.
"""

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from utils.adversarial import attacked
from utils.bounds import interval_training
from utils.data import Dataset, load
from utils.fingerprint import fingerprint
from utils.models import small_cnn
from utils.smoothing import noisy
from utils.training import fit

FOLDER = Path(__file__).resolve().parents[1] / "site" / "playground"
SIGMA = 0.25  # of the noise, as in lesson 07
UPDATES = 600
DIGITS = 100  # of the test digits, evenly spaced
INKS = 16  # steps from paper to ink


def recipes(eps: float) -> dict[str, dict]:
    """What `fit` is handed to train each network: lessons 01, 03, 07 and 07b."""
    return {
        "undefended": {},
        "adversarial": {"transform": attacked(eps, updates=UPDATES)},
        "noise": {"transform": noisy(SIGMA)},
        "intervals": {"loss": interval_training(eps, UPDATES), "lr": 1e-2},
    }


def trained(data: Dataset) -> dict[str, nn.Module]:
    """Each network of the playground, trained from seed 0."""
    networks = {}
    for name, how in recipes(data.eps).items():
        torch.manual_seed(0)
        networks[name] = fit(small_cnn(data), data.train, updates=UPDATES, **how).requires_grad_(False)
    return networks


def numbers(model: nn.Module) -> Tensor:
    """All numbers of a network in one row: mean and deviation of its first layer, then weights and biases."""
    return torch.cat([t.flatten() for t in (model[0].mean, model[0].std, *model.parameters())]).cpu()


def read(data: Dataset, folder: Path = FOLDER) -> dict[str, nn.Module]:
    """The networks that the page uses, read from its file."""
    rows = torch.frombuffer(bytearray((folder / "networks.bin").read_bytes()), dtype=torch.float32)
    names = json.loads((folder / "networks.json").read_text(encoding="utf-8"))["networks"]
    networks = {}
    for name, row in zip(names, rows.view(len(names), -1), strict=True):
        networks[name] = model = small_cnn(data).cpu().eval().requires_grad_(False)
        parts = [model[0].mean, model[0].std, *model.parameters()]
        for part, values in zip(parts, row.split([part.numel() for part in parts]), strict=True):
            part.copy_(values.view_as(part))
    return networks


def code() -> str:
    """The hash of all that the networks depend on."""
    return fingerprint([Path(__file__).read_text(encoding="utf-8")])


def write(data: Dataset, networks: dict[str, nn.Module], folder: Path = FOLDER) -> None:
    x, y = data.test.take(DIGITS)
    about = {
        "made by": "python tools/playground.py",
        "code": code(),
        "networks": list(networks),
        "eps": data.eps,
        "sigma": SIGMA,
        "inks": INKS,
        "labels": y.tolist(),
        "digits": [(INKS * one).round().int().flatten().tolist() for one in x],
    }
    (folder / "networks.json").write_text(json.dumps(about, separators=(",", ":")) + "\n", encoding="utf-8")
    little = torch.cat([numbers(model) for model in networks.values()]).numpy().astype("<f4")
    (folder / "networks.bin").write_bytes(little.tobytes())


if __name__ == "__main__":
    digits = load("digits")
    write(digits, trained(digits))
