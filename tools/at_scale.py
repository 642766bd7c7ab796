"""Measure what lesson 15 compares on photographs, and keep the records: `python tools/at_scale.py [NAME ...]`.

    undefended, fast, n_fgsm, pgd, trades   trainings at equal passes through the network, judged by `worst_case`
    masks                                   three masks of lesson 04 and MeanSparse, put on and taken off
    smoothing                               what votes under noise certify, and how many a second

With `_gpu` behind the name: the same with ResNet-18, longer and on more images. Without NAME: those of this machine's
kind that have no record yet. Weights lie in build/scale and are not trained again; `masks` takes the network of
`sixty_minutes` or `ten_minutes` if that lies there. Records lie in notebooks/results/scale: commit them.
"""

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from run import ROOT, save
from scale import CODE, KEPT, in_words, kept_as, rows_of, seconds_an_update, seconds_of, updates_of
from utils import checkup, masking, photographs, scale, smoothing
from utils.attacks import apgd, apgd_t, margin, pgd, transfer, worst_case
from utils.data import Dataset, Split, device, load
from utils.evaluation import Rate, accuracy, robust_accuracy
from utils.fingerprint import fingerprint
from utils.records import read
from utils.training import fastest_type


class Size(NamedTuple):
    """How large all of this is.

    recipe   the network, its batches and its learning rate
    passes   how often each training image passes through the network, forward and backward, in each training
    worst    test images for `worst_case`
    masked   test images for masks
    sigmas, images, copies   of smoothing: noise, test images, and noisy copies of each that are counted
    """

    recipe: scale.Recipe
    passes: int
    worst: int
    masked: int
    sigmas: tuple[float, ...]
    images: int
    copies: int


SIZES = {
    "": Size(scale.Recipe(width=16, pad=0), 12, 500, 200, (0.25,), 200, 10_000),
    "_gpu": Size(scale.RECIPES["resnet18"], 120, 5_000, 1_000, (0.25, 0.5), 500, 100_000),
}
METHODS = {  # how many passes an update takes, and the attack inside
    "undefended": (2, {}),
    "fast": (4, {"steps": 1, "reach": 1.25, "start": 1.0, "project": True}),
    "n_fgsm": (4, {"steps": 1, "reach": 1.0, "start": 2.0, "project": False}),
    "pgd": (6, {"steps": 2, "reach": 2.5, "start": 1.0, "project": True}),
    "trades": (6, {}),
    "noisy": (2, {}),  # for smoothing
}
ALPHAS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4)  # of MeanSparse
RADII = (0.0, 0.25, 0.5, 0.75)


class Place(NamedTuple):
    """Where weights lie, and what is being measured there."""

    folder: Path
    data: Dataset
    size: Size
    seed: int


# Trainings at equal passes.


def recipe_of(method: str, size: Size) -> scale.Recipe:
    """The recipe of a method, with as many epochs as the passes allow."""
    passes, inner = METHODS[method]
    return size.recipe._replace(**inner, epochs=size.passes // passes)


def instead(method: str, data: Dataset, size: Size) -> dict[str, object]:
    """What `fit` gets in place of the recipe's attack inside."""
    if method == "trades":
        return {"transform": None, "loss": photographs.quickly_trades(data.eps)}
    if method == "noisy":
        return {"transform": smoothing.noisy(size.sigmas[0])}
    return {} if METHODS[method][1] else {"transform": None}


def trained(method: str, place: Place) -> tuple[nn.Module, list[scale.Epoch]]:
    """The network that a method makes, and its epochs, from the folder or by training."""
    size, data = place.size, place.data
    folder = place.folder / f"{method}_{size.recipe.width}.{data.name}.{place.seed}"
    by = "right" if method in ("undefended", "noisy") else "left"
    how = instead(method, data, size)
    return scale.trained(recipe_of(method, size), data, folder, seed=place.seed, by=by, **how)


def compared(method: str, place: Place) -> dict:
    """One training, judged: rows of a record."""
    scale.unseen_images(place.data, place.size.worst)  # which refuses too many before the training
    model, epochs = trained(method, place)
    rows = rows_of(scale.judged_rates(model, place.data, place.size.worst), epochs)
    return rows | {"an update": {"passes": METHODS[method][0]}, "each image": {"passes": place.size.passes}}


# Masks.


def strong() -> list[Callable[..., Tensor]]:
    """Gradient attacks as AutoAttack has them, the margin first."""
    return [partial(pgd, steps=20, loss=margin), partial(apgd, steps=50), partial(apgd_t, steps=50, rivals=4)]


def through(stand_in: nn.Module) -> list[Callable[..., Tensor]]:
    """The same, which climb a stand-in and are judged on the model itself."""

    def by(attack: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda model, x, y, *, eps: attack(stand_in, x, y, eps=eps)

    return [by(attack) for attack in strong()]


def worn(plain: nn.Module) -> dict[str, tuple[nn.Module, nn.Module]]:
    """Three masks of lesson 04 on a network, as fine as 8/255 asks for, and for each the stand-in that sees through."""
    quantised, jpeg = masking.Quantize(16), masking.JPEG(step=1 / 15).to(next(plain.parameters()).device)
    pairs = {
        "quantised": (nn.Sequential(quantised, plain), nn.Sequential(masking.StraightThrough(quantised), plain)),
        "JPEG": (nn.Sequential(jpeg, plain), nn.Sequential(masking.StraightThrough(jpeg), plain)),
        "saturated": (nn.Sequential(plain, masking.Saturate()), plain),
    }
    return {name: (masked.eval(), stand_in.eval()) for name, (masked, stand_in) in pairs.items()}


def best_alpha(model: nn.Module, images: Split, eps: float) -> float:
    """The alpha of MeanSparse that keeps most of these training images under ten steps of its own gradient.

    Of those only that cost at most one right answer in 100: so one would choose who asks the public list alone.
    """
    base, few, kept_by = accuracy(model, images), images.take(200), {0.0: -1.0}
    for alpha in ALPHAS:
        masked = photographs.mean_sparse(model, images.x, alpha)
        if accuracy(masked, images).k >= base.k - 0.01 * base.n:
            kept_by[alpha] = float(robust_accuracy(masked, few, partial(pgd, steps=10), eps=eps))
    return max(kept_by, key=kept_by.get)


def robust_one(place: Place) -> tuple[str, nn.Module]:
    """An adversarially trained network, the strongest whose weights lie there; else that of the `n_fgsm` compared."""
    for name in ("resnet18", "sixty_minutes", "ten_minutes"):
        weights = place.folder / f"{name}.{place.data.name}.{place.seed}" / "model.safetensors"
        if weights.exists():
            return name, scale.resting(weights, scale.RECIPES[name], place.data)
    return "n_fgsm", trained("n_fgsm", place)[0]


def masks(place: Place) -> dict:
    """Rows of a record: what is left of each masked network by its own gradient, and by the attack that fits."""
    data, test = place.data, scale.unseen_images(place.data, place.size.masked)
    plain, rows = trained("undefended", place)[0].requires_grad_(False), {}
    own = partial(pgd, steps=40)  # of the cross-entropy, as lesson 04 begins
    left = partial(robust_accuracy, data=test, eps=data.eps)
    rows["no mask"] = {"right": accuracy(plain, test), "its own gradient": left(plain, attack=own)}
    for name, (masked, stand_in) in worn(plain).items():
        fits = partial(transfer, surrogate=stand_in, steps=40, loss=margin)
        both = partial(worst_case, attacks=[own, fits])
        rates = {"its own gradient": left(masked, attack=own), "adapted": left(masked, attack=both)}
        rows[name] = {"right": accuracy(masked, test)} | rates
    base, robust = robust_one(place)
    robust.requires_grad_(False)
    known = data.train.take(1000)
    alpha = best_alpha(robust, known, data.eps)
    sparse, opened = (photographs.mean_sparse(robust, known.x, alpha, straight=straight) for straight in (False, True))
    gradients = partial(worst_case, attacks=strong())
    adapted = partial(worst_case, attacks=[*strong(), *through(opened)])
    rows["trained on attacks"] = {"right": accuracy(robust, test), "its own gradient": left(robust, attack=gradients)}
    rows["MeanSparse on it"] = {
        "right": accuracy(sparse, test),
        "its own gradient": left(sparse, attack=gradients),
        "adapted": left(sparse, attack=adapted),
    }
    few = test.take(100)
    for name, model in (("trained on attacks", robust), ("MeanSparse on it", sparse)):
        rows[name]["check-up"] = checkup.examine(model, *few, eps=data.eps, advise=False).summary
    rows["MeanSparse"] = {"alpha": alpha, "network": base}
    return rows


# Smoothing.


class InType(nn.Module):
    """A network that is asked under autocast, as it was trained."""

    def __init__(self, model: nn.Module, precision: torch.dtype | None):
        super().__init__()
        self.model, self.precision = model, precision

    def forward(self, x):
        with torch.autocast(x.device.type, self.precision) if self.precision else nullcontext():
            return self.model(x).float()


def certified(place: Place) -> dict:
    """Rows of a record: what is certified at each radius by a network that was trained on the noise."""
    data, size, rows, n0 = place.data, place.size, {}, 100
    x, y = data.test.take(size.images)
    for sigma in size.sigmas:
        at = place._replace(size=size._replace(sigmas=(sigma,)), folder=place.folder / f"sigma_{sigma:g}")
        model, epochs = trained("noisy", at)
        asked, began = InType(model, fastest_type(x.device)), time.monotonic()
        found = smoothing.certify(asked, x, sigma=sigma, n0=n0, n=size.copies)
        seconds = time.monotonic() - began
        right = found.label == y
        rows[f"certified, sigma {sigma:g}"] = {
            f"{radius:g}": Rate(int((right & (found.radius >= radius)).sum()), len(y)) for radius in RADII
        }
        rows[f"sigma {sigma:g}"] = {
            "right without noise": accuracy(model, data.test),
            "mean certified radius": float((found.radius * right).mean()),
            "certificates a second": len(y) / seconds,
            "inferences a second": len(y) * (n0 + size.copies) / seconds,
            "copies counted": size.copies,
        }
        rows[f"training, sigma {sigma:g}"] = seconds_of(epochs)
    return rows


# The tool.

COMPARED = ("undefended", "fast", "n_fgsm", "pgd", "trades")
MEASUREMENTS = {name: partial(compared, name) for name in COMPARED} | {"masks": masks, "smoothing": certified}
NAMES = {"cpu": tuple(MEASUREMENTS), "cuda": tuple(f"{name}_gpu" for name in MEASUREMENTS)}


def what_for(name: str) -> tuple[str, Size]:
    """The measurement and the size that a name means."""
    what = name.removesuffix("_gpu")
    return what, SIZES[name.removeprefix(what)]


def own_code() -> list[str]:
    """What a record's fingerprint is of: this file, and all that it imports."""
    return [Path(__file__).read_text(encoding="utf-8")]


def plan_of(name: str, data: Dataset) -> str:
    """What a measurement trains, and how long that will take on this machine, in words."""
    what, size = what_for(name)
    method = {"masks": "undefended", "smoothing": "noisy"}.get(what, what)
    updates = updates_of(recipe_of(method, size), data)
    seconds = updates * seconds_an_update(size.recipe, data) * METHODS[method][0] / 4
    return f"{name}: {updates:,} updates of width {size.recipe.width}, about {seconds:.0f} s here, then what judges it"


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--note", default="", help="a sentence for the record: what the reader must know")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "scale", help="for weights")
    parser.add_argument("--kept", type=Path, default=KEPT, help="for records")
    given = parser.parse_args(words)
    possible = [name for names in NAMES.values() for name in names]
    if unknown := set(given.names) - set(possible):
        sys.exit(f"there is no {', '.join(sorted(unknown))}: name one of {', '.join(possible)}")
    wanted = given.names or [n for n in NAMES.get(device().type, ()) if not read(n, given.dataset, given.kept)]
    scale.in_float32()
    data = load(given.dataset)
    for name in wanted:
        print(plan_of(name, data), flush=True)
    for name in wanted:
        what, size = what_for(name)
        began, place = time.process_time(), Place(given.folder / fingerprint(CODE), data, size, given.seed)
        rows = MEASUREMENTS[what](place) | {"seed": {"": given.seed}, "note": {"": given.note or "none"}}
        seconds = round(time.process_time() - began, 1)
        judged = {row: rows[row][""] for row in ("right", "left by worst_case") if row in rows}
        headline = {name: judged} if judged else None
        record = kept_as(name, given.dataset, rows, seconds=seconds, code=own_code(), headline=headline)
        save(record, given.kept)
        print(in_words(record, own_code()), flush=True)


if __name__ == "__main__":
    main()
