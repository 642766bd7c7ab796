"""auto_LiRPA beside our bounds: the least leads by intervals and by lines, on the same models and images.

Its newest release on the package index, 0.3, asks for a torch before 1.13, of which there is none for Python 3.11. It
runs on 1.13.1 as well, in a small environment of its own. There this file runs as a script and answers with one line
of JSON; `tests/pin.py` pins the answers.
"""

import hashlib
import json
import sys
import warnings
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from small_env import ROOT, ask
from utils.data import load
from utils.models import small_cnn

ENVIRONMENTS = {  # what pip installs, 3 GB: without --no-deps it would refuse this torch, so torch's own are named
    "auto-lirpa": (
        "--no-deps",
        "auto_LiRPA==0.3",
        "appdirs==1.4.4",
        "numpy==1.26.4",
        "setuptools==65.5.1",
        "torch==1.13.1",
        "nvidia-cublas-cu11==11.10.3.66",
        "nvidia-cuda-nvrtc-cu11==11.7.99",
        "nvidia-cuda-runtime-cu11==11.7.99",
        "nvidia-cudnn-cu11==8.5.0.96",
    )
}
MODELS = ROOT / "tests" / "pinned" / "peers"
IMAGES = 20
ROWS = [  # model, eps, way
    (model, eps, by) for model in ("undefended", "trained") for eps in (0.01, 0.05) for by in ("intervals", "lines")
]


def asked_of(name: str) -> tuple[nn.Module, Tensor, Tensor]:
    """A model with pinned weights, and images with their labels."""
    data = load("digits")
    model = small_cnn(data)
    model.load_state_dict(load_file(MODELS / f"{name}.safetensors"))  # into float32
    return model.requires_grad_(False).eval(), *data.test.take(IMAGES)


def by_auto_lirpa(model: nn.Module, x: Tensor, y: Tensor, eps: float, by: str) -> Tensor:
    """The least lead of each label over each other class within eps of x, (N, classes), 0 at the label itself."""
    from auto_LiRPA import BoundedModule, BoundedTensor
    from auto_LiRPA.perturbations import PerturbationLpNorm

    scale, rest = model[0], model[1:]  # a pixel's scale only rises, so its ball is one; theirs takes no constants
    ends = {"x_L": scale((x - eps).clamp(0, 1)), "x_U": scale((x + eps).clamp(0, 1))}
    ball = PerturbationLpNorm(norm=float("inf"), eps=eps, **ends)
    one = torch.eye(10, dtype=x.dtype)
    method = {"intervals": "IBP", "lines": "CROWN"}[by]
    bounded = BoundedModule(rest, torch.empty_like(x), bound_opts={"conv_mode": "matrix"})
    how = {"C": one[y][:, None] - one, "method": method, "bound_upper": False}
    return bounded.compute_bounds(x=(BoundedTensor(scale(x), ball),), **how)[0].detach()


def main(rows: list) -> list:
    torch.set_num_threads(1)
    leads = []
    for name, eps, by in rows:
        model, x, y = asked_of(name)
        torch.set_default_dtype(torch.float64)  # it makes tensors of its own
        lead = by_auto_lirpa(model.double(), x.double(), y, eps, by)
        leads.append([[float(f"{value:.6g}") for value in row] for row in lead.tolist()])
    return leads


# What tests/pin.py asks of each of such modules.

JUDGES = ["from utils import bounds"]


def question(peer: str) -> dict:
    models = {file.stem: hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in MODELS.glob("*.safetensors")}
    return {"rows": ROWS, "images": IMAGES, "models": models}


def answers(python: Path, peer: str) -> list:
    """For each of ROWS the least leads, (IMAGES, classes)."""
    return ask(python, __file__, json.dumps(ROWS), OMP_NUM_THREADS="1")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(main(json.loads(sys.argv[1]))))
