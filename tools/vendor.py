"""Make the model that lesson 14 audits, as its vendor ships it: `python tools/vendor.py` writes notebooks/vendor/.

The learner should not read this before the lesson: it says what is wrong with the model.
"""

import json
import runpy

import numpy as np
import torch
from safetensors.torch import save_model

from run import LESSONS
from utils.data import load
from utils.training import fit

VENDOR = LESSONS / "vendor"
CLAIMS = {
    "name": "ClearRead 2.0",
    "note": "Reads handwritten digits. Secured against adversarial inputs; training data protected.",
    "accuracy": 0.9,
    "eps": 0.15,
    "robust_accuracy": 0.85,
    "privacy_eps": 1.0,
    "privacy_delta": 1e-5,
    "random_split": True,
}


def main() -> None:
    data = load("digits")
    x, y = data.train.take(300)  # few, seen very often: it learns them by heart
    torch.manual_seed(0)
    model = fit(runpy.run_path(f"{VENDOR}/model.py")["build"](), (x, y), updates=600, lr=0.01)
    save_model(model.cpu(), str(VENDOR / "model.safetensors"))
    arrays = {"x_train": x, "y_train": y, "x_test": data.test.x, "y_test": data.test.y}
    small = {name: (255 * a).round().cpu().numpy().astype(np.uint8) if a.is_floating_point() else
             a.cpu().numpy().astype(np.uint8) for name, a in arrays.items()}  # fmt: skip
    np.savez_compressed(VENDOR / "data.npz", **small)
    (VENDOR / "claims.json").write_text(json.dumps(CLAIMS, indent=1) + "\n")


if __name__ == "__main__":
    main()
