"""What the owner of a model hands over: its code, its weights, its data, its claims. Nothing is unpickled.

The code is run, as `import` runs it: it is yours, or you have read it. Weights and data are numbers only.
"""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_model
from torch import nn

from utils.audit.fault import blame
from utils.data import SETS, Dataset, Split, device, load
from utils.formats import read_arrays

PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".joblib", ".bin", ".ckpt")


def read_model(spec: str, weights: str | Path | None = None) -> nn.Module:
    """The module that the function of `FILE.py:FUNCTION` returns, with the weights of a safetensors file if given.

    In evaluation mode, on the fastest device here. Files beside FILE.py can be imported by it. Raises ValueError or
    FileNotFoundError that says what to do; what FILE.py itself raises is the cause of a ValueError that names its line.
    """
    file, colon, function = spec.rpartition(":")
    if not colon or not file.endswith(".py"):
        raise ValueError(f"cannot read a model from {spec!r}: write FILE.py:FUNCTION, such as model.py:build")
    if not Path(file).is_file():
        raise FileNotFoundError(f"there is no file {file}")
    source = importlib.util.spec_from_file_location(f"given_{Path(file).stem}", file)
    module = importlib.util.module_from_spec(source)
    sys.modules[source.name] = module  # dataclasses and torch.compile look there
    sys.path.append(str(Path(file).resolve().parent))
    with blame(f"{file} failed when it was run"):
        source.loader.exec_module(module)
    build = getattr(module, function, None)
    if not callable(build):
        raise ValueError(f"{file} has no function {function!r}")
    with blame(f"{function}() of {file} failed"):
        model = build()
    if not isinstance(model, nn.Module):
        raise ValueError(f"{spec} returned {type(model).__name__}, not an nn.Module from inputs in [0, 1] to logits")
    if weights is not None:
        if Path(weights).suffix in PICKLES:
            raise ValueError(
                f"{weights} may be a pickle, which can run code when it is opened, so it stays closed: let its owner "
                "save the weights by safetensors.torch.save_model"
            )
        try:
            load_model(model, str(weights))
        except FileNotFoundError:
            raise FileNotFoundError(f"there is no file {weights}") from None
        except Exception as problem:  # not a safetensors file, or of another model
            why = " ".join(str(problem).split())[:300]
            raise ValueError(f"the weights in {weights} do not fit {spec}: {why}") from None
    return model.to(device()).eval()


def read_data(name: str | Path) -> Dataset:
    """A data set of the course, or a NumPy archive of one's own, FILE.npz.

    The archive holds x_test and y_test, and x_train and y_train if the question of members is to be asked: tables
    (N, features) or images (N, H, W), (N, H, W, 1), (N, H, W, 3) or (N, C, H, W), float in [0, 1] or uint8, which is
    divided by 255; labels (N,), integers from 0. Images become (N, C, H, W), as in `load`. `eps` is 8/255, and the
    training split is empty where the archive has none.
    """
    if str(name) in SETS:
        return load(str(name))
    if not str(name).endswith(".npz"):
        raise ValueError(f"cannot read data from {name!r}: give a set of the course ({', '.join(SETS)}) or FILE.npz")
    try:
        arrays = read_arrays(Path(name))
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {name}") from None
    except Exception as problem:  # whatever a damaged or hostile file can cause, it is one thing to the reader
        reason = str(problem).split("\n")[0] or type(problem).__name__
        raise ValueError(f"cannot use {name} ({reason}): it must be a NumPy archive of plain arrays") from None
    if not {"x_test", "y_test"} <= set(arrays):
        raise ValueError(f"{name} must hold x_test and y_test, and holds {', '.join(sorted(arrays)) or 'nothing'}")
    if ("x_train" in arrays) != ("y_train" in arrays):
        raise ValueError(f"{name} holds x_train or y_train alone: give both or neither")
    test = split(name, arrays["x_test"], arrays["y_test"])
    given = "x_train" in arrays
    train = split(name, arrays["x_train"], arrays["y_train"]) if given else Split(test.x[:0], test.y[:0])
    if train.x.shape[1:] != test.x.shape[1:]:
        raise ValueError(f"{name}: its training inputs have the shape {tuple(train.x.shape[1:])}, its test inputs not")
    classes = int(max(test.y.max(), train.y.max() if len(train.y) else 0)) + 1
    return Dataset(Path(name).stem, train, test, tuple(str(k) for k in range(classes)), 8 / 255)


def split(name, x, y) -> Split:
    """Arrays as a Split, if they are what an audit can use. Else ValueError."""
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim == 0 or len(x) == 0 or x.ndim < 2 or y.shape != (len(x),) or y.dtype.kind not in "iu":
        raise ValueError(f"{name}: inputs {x.shape} and labels {y.shape} {y.dtype} do not fit: (N, ...) and (N,) int")
    if x.dtype.kind not in "fu" or (x.dtype.kind == "u" and x.dtype.itemsize > 1):
        raise ValueError(f"{name}: inputs must be floats in [0, 1] or uint8, got {x.dtype}")
    values = torch.from_numpy(x).float() / (255 if x.dtype.kind == "u" else 1)
    if not (values.isfinite().all() and values.min() >= 0 and values.max() <= 1):
        raise ValueError(
            f"{name}: inputs must lie in [0, 1], got {float(values.min()):.3g} to {float(values.max()):.3g}"
        )
    if y.min() < 0 or y.max() >= 100_000:
        raise ValueError(f"{name}: labels count the classes from 0, got {y.min()} to {y.max()}")
    if values.dim() == 3:
        values = values[:, None]
    elif values.dim() == 4 and values.shape[3] in (1, 3) and values.shape[1] != values.shape[3]:
        values = values.movedim(3, 1).contiguous()
    return Split(values.to(device()), torch.from_numpy(y.astype(np.int64)).to(device()))


def read_claims(file: str | Path) -> dict:
    """A vendor's claims from a JSON file, {name: value}; the names are those of `measure.CLAIMABLE` and `SETTINGS`."""
    try:
        claims = json.loads(Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {file}") from None
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"{file} is not JSON ({problem})") from None
    if not isinstance(claims, dict):
        raise ValueError(
            f'{file} must hold an object such as {{"accuracy": 0.98}}, and holds a {type(claims).__name__}'
        )
    return claims
