"""The networks of the site's playground: `python tools/playground.py` trains them and writes networks.safetensors.

Four small networks of the course and 100 test digits, in one file under 1 MB, that a page reads without a kernel.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from utils.adversarial import attacked
from utils.bounds import interval_training
from utils.data import Dataset, load
from utils.fingerprint import fingerprint
from utils.models import small_cnn
from utils.smoothing import noisy
from utils.training import fit

FILE = Path(__file__).parents[1] / "site" / "playground" / "networks.safetensors"
SIGMA = 0.25  # of the noise
UPDATES = 600


def made_by() -> str:
    """A hash of this file and all of `utils` that it imports."""
    return fingerprint([Path(__file__).read_text(encoding="utf-8")])


def trained(data: Dataset) -> dict[str, nn.Module]:
    """The networks by name, each from the same start."""
    how = {
        "undefended": {},
        "adversarial": {"transform": attacked(data.eps, steps=5, updates=UPDATES)},
        "interval": {"loss": interval_training(data.eps, UPDATES)},
        "noise": {"transform": noisy(SIGMA)},
    }
    networks = {}
    for name, recipe in how.items():
        torch.manual_seed(0)
        networks[name] = fit(small_cnn(data), data.train, updates=UPDATES, lr=1e-2, **recipe)
    return networks


def main() -> None:
    data = load("digits")
    x, y = data.test.take(100)
    tensors = {"digits": (16 * x).round().to(torch.uint8).contiguous(), "labels": y.to(torch.uint8)}
    for name, network in trained(data).items():
        tensors |= {f"{name}.{key}": value.contiguous() for key, value in network.cpu().state_dict().items()}
    notes = {"made by": made_by(), "eps": f"{data.eps:g}", "sigma": f"{SIGMA:g}"}
    FILE.parent.mkdir(exist_ok=True)
    save_file(tensors, FILE, metadata=notes)
    print(f"{FILE}: {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
