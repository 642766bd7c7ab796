"""What the owner of a model hands over: its code, its weights, its data, its claims. Nothing is unpickled.

The code is run, in a process of its own: it is yours, or you have read it. Weights and data are numbers only.
"""

import csv
import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from utils.arguments import array_of
from utils.audit.remote import Remote, run_model
from utils.data import SETS, Dataset, Split, device, load
from utils.domains.rules import Column, Rules, feasible, units
from utils.formats import read_arrays

PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".joblib", ".bin", ".ckpt")
EDGE = 1e-6  # how far outside of [0, 1] an input may lie: it is moved to the border


def read_model(spec: str, weights: str | Path | None = None) -> Remote:
    """The model that the function of `FILE.py:FUNCTION` makes, with the weights of a safetensors file if given.

    It runs in a process of its own, in the folder of FILE.py, which it imports from as if it were run there: its own
    `utils.py` is its own, `from .layers import …` works, and `sys.argv` holds no arguments. What is returned is a
    module that asks it, with gradients if it has them: in evaluation mode, on the fastest device here. The function
    may return an nn.Module, a scikit-learn classifier, an onnxruntime session, or another function of a batch; its name
    may also be that of such a model. An ONNX file, FILE.onnx, needs no function; it is a black box (with onnxruntime).

    Names of weights may begin with what DataParallel and torch.compile put before them. Raises ValueError or
    FileNotFoundError that says what to do; what FILE.py itself raises is told with its line, and what it printed.
    """
    file, function = file_of(spec)
    if not Path(file).is_file():
        raise FileNotFoundError(f"there is no file {file}")
    return run_model(file, function, read_weights(weights) if weights is not None else {}, str(weights))


def file_of(spec: str) -> tuple[str, str]:
    """The file of a model, and its function: FILE.py:FUNCTION, or FILE.onnx and "". Else ValueError."""
    if spec.endswith(".onnx"):
        return spec, ""
    file, colon, function = spec.removesuffix("()").rpartition(":")
    if not (colon and function and file.endswith(".py")):
        raise ValueError(f"cannot read a model from {spec!r}: write FILE.py:FUNCTION, such as model.py:build")
    return file, function


def read_weights(file: str | Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file, by name. Else ValueError."""
    if Path(file).suffix in PICKLES:
        raise ValueError(
            f"{file} may be a pickle, which can run code when it is opened, so it stays closed: let its owner save "
            "the weights by safetensors.torch.save_model"
        )
    try:
        weights = load_file(file)
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {file}") from None
    except Exception as problem:
        raise ValueError(f"{file} is no safetensors file: {' '.join(str(problem).split())[:200]}") from None
    if not weights:  # the model would be measured as it began
        raise ValueError(f"{file} holds no weights: let its owner save them by safetensors.torch.save_model")
    return weights


def read_data(name: str | Path) -> Dataset:
    """A data set of the course, or a NumPy archive of one's own, FILE.npz.

    The archive holds x_test and y_test, and x_train and y_train if the question of members is to be asked: tables
    (N, features) or images (N, H, W), (N, H, W, 1), (N, H, W, 3) or (N, C, H, W), float in [0, 1] or uint8, which is
    divided by 255; labels (N,), integers from 0. Images become (N, C, H, W), as in `load`. `eps` is 8/255 for images
    and NaN for tables, which have no customary budget; the training split is empty where the archive has none.
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
    eps = 8 / 255 if test.x.dim() > 2 else math.nan
    return Dataset(Path(name).stem, train, test, tuple(str(k) for k in range(classes)), eps)


def split(name, x, y) -> Split:
    """Arrays as a Split, if they are what an audit can use. Else ValueError."""
    x, y = array_of(x), array_of(y)
    if x.size == 0 or x.ndim < 2 or y.shape != (len(x),) or y.dtype.kind not in "iu":
        raise ValueError(f"{name}: inputs {x.shape} and labels {y.shape} {y.dtype} do not fit: (N, ...) and (N,) int")
    if x.ndim == 2 and x.dtype.kind in "iu" and x.dtype != np.uint8:
        x = x.astype(np.float64)  # a table of whole numbers
    if x.dtype.kind != "f" and x.dtype != np.uint8:
        raise ValueError(f"{name}: inputs must be floats in [0, 1] or uint8, got {x.dtype}")
    if x.dtype == np.uint8 and x.max() == 1:
        raise ValueError(
            f"{name}: inputs in uint8 are divided by 255, and these hold nothing above 1: save them as float32"
        )
    values = torch.from_numpy(x).float() / (255 if x.dtype.kind == "u" else 1)
    if not values.isfinite().all():
        raise ValueError(
            f"{name}: inputs must lie in [0, 1], and {int((~values.isfinite()).sum())} are NaN or infinite"
        )
    low, high = float(values.min()), float(values.max())
    if low < -EDGE or high > 1 + EDGE:
        raise ValueError(f"{name}: inputs must lie in [0, 1], got {low:.7g} to {high:.7g}{to_do(values)}")
    values = values.clamp(0, 1)
    if y.min() < 0 or y.max() >= 100_000:
        raise ValueError(f"{name}: labels count the classes from 0, got {y.min()} to {y.max()}")
    if values.dim() == 3:
        values = values[:, None]
    elif values.dim() == 4 and values.shape[3] in (1, 3) and values.shape[1] != values.shape[3]:
        values = values.movedim(3, 1).contiguous()
    return Split(values.to(device()), torch.from_numpy(y.astype(np.int64)).to(device()))


def to_do(values: torch.Tensor) -> str:
    """How inputs come to lie in [0, 1], in words."""
    if values.dim() > 2:
        return ". Divide pixels by 255, or save them as uint8; let the model's first layer normalize them"
    return (
        ". Save a table as ((x - low) / width).clip(0, 1), where low is the least value of each column of the training "
        "data, and width the largest less that, or 1 where that is 0, both float32; and put the scaler into the model, "
        "by two lines in build():\n"
        f"    scale = nn.Linear({values.shape[1]}, {values.shape[1]}); "
        "scale.weight.data, scale.bias.data = torch.diag(width), low\n"
        "    return nn.Sequential(scale, model)"
    )


def read_text(file: str | Path) -> str:
    """A text in UTF-8, with or without its mark, or in UTF-16 or 32, as editors and spreadsheets save it."""
    try:
        raw = Path(file).read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {file}") from None
    try:
        return raw.decode(json.detect_encoding(raw))
    except UnicodeDecodeError as problem:
        raise ValueError(f"{file} is no text in UTF-8 or UTF-16 ({problem})") from None


def read_claims(file: str | Path) -> dict:
    """A vendor's claims from a JSON file, {name: value}; the names are those of `measure.CLAIMABLE` and `SETTINGS`."""
    text = read_text(file)
    try:
        claims = json.loads(text, object_pairs_hook=each_once)
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"{file} is not JSON ({problem})") from None
    if not isinstance(claims, dict):
        raise ValueError(
            f'{file} must hold an object such as {{"accuracy": 0.98}}, and holds a {type(claims).__name__}'
        )
    return claims


def each_once(pairs: list[tuple[str, object]]) -> dict:
    """The pairs of a JSON object as a dictionary. Raises ValueError for a name that stands twice: which one holds?"""
    names = [name for name, _ in pairs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"it has {', '.join(map(repr, sorted(twice)))} more than once")
    return dict(pairs)


# The columns of a table.


def decimal(cell: str) -> float:
    if re.search(r",\d{3}\b|,.*[,.]", cell):
        raise ValueError("does the comma mark thousands? write 1000 or 1.5")
    return float(cell.replace(",", "."))


def yes(cell: str) -> bool:
    return {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}[cell.lower()]


READERS: dict[str, Callable] = {  # a field of `domains.rules.Column`, and how its cell is read
    "name": str,
    "low": decimal,
    "high": decimal,
    "log": yes,
    "cost": decimal,
    "whole": yes,
    "rises": yes,
    "group": str,
}


def read_columns(file: str | Path, data: tuple[torch.Tensor, torch.Tensor]) -> Rules:
    """Which columns of a table an attacker can move, and by how much: lesson 11's rules, from a CSV file.

    A line for each column of the table, in its order, under a header with `name` and any of: `low` and `high`, the
    values that are saved as 0 and 1 (else 0 and 1); `cost` of moving it through that range, against the budget eps
    (empty: it cannot be moved); and yes or no for `log` (logarithmic scale), `whole` (whole numbers only) and `rises`
    (never smaller); of the columns with the same `group` one is 1. Empty cells mean what a missing column means.
    Raises ValueError that names the line, also if a row of `data`, (inputs in [0, 1], labels), breaks these rules.
    """
    lines = [line for line in read_text(file).splitlines() if line.strip()]
    mark = max(",;\t", key=lines[0].count) if lines else ","
    head, *rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=mark)] or [[]]
    if "name" not in head or set(head) - READERS.keys() or len(set(head)) < len(head):
        raise ValueError(f"{file} must begin with a line of these words: {', '.join(READERS)}; got {', '.join(head)}")
    columns = []
    for i, row in enumerate(rows, 2):
        try:
            given = {field: READERS[field](cell) for field, cell in zip(head, row, strict=True) if cell}
            columns.append(Column(**{"name": str(i - 2), **given}))
        except (ValueError, KeyError) as problem:
            raise ValueError(f"{file}, line {i}: cannot read {mark.join(row)!r} ({problem})") from None
        c = columns[-1]
        if not (-math.inf < c.low < c.high < math.inf and (c.low > 0 or not c.log) and c.cost > 0):
            raise ValueError(f"{file}, line {i}: low must be below high, above 0 on a log scale, and cost above 0")
    x = data[0]
    if x.dim() != 2 or x.shape[1] != len(columns):
        raise ValueError(f"{file} has {len(columns)} columns, and the inputs have the shape {tuple(x.shape[1:])}")
    rules = Rules(tuple(columns))
    off = (feasible(x, x, rules, eps=0.0) - x).abs() > 1e-4
    if off.any():
        row, place = (int(i) for i in off.nonzero()[0])
        value = float(units(x[row : row + 1], rules)[0, place])
        why = "one of its group must be 1, the others 0" if columns[place].group else "it must be whole"
        raise ValueError(f"{file}: the table's row {row} has {value:.6g} in {columns[place].name!r}: {why}")
    return rules
