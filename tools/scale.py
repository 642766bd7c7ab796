"""Run recipes of `utils.scale` and keep their records: `python tools/scale.py [RECIPE ...]`, or `make scale`.

Without RECIPE: those of this machine's kind, CPU or GPU, that have no record yet. It says first what it will run and
for how long, judged by a few updates. A run that was stopped goes on from its last epoch, by the same command; weights
and checkpoints lie in build/scale. Records lie in notebooks/results/scale: commit them.

On several GPUs: `torchrun --nproc-per-node=N tools/scale.py resnet18`.
"""

import argparse
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist

from run import ROOT, machine, save
from utils import scale
from utils.data import Dataset, device, load
from utils.fingerprint import fingerprint, versions
from utils.models import logits
from utils.records import RESULTS, Record, find, read, shown, value_of
from utils.training import fit
from utils.training.ranks import number_of_ranks, rank

KEPT = RESULTS / "scale"
FOR = {"cpu": ("ten_minutes", "sixty_minutes"), "cuda": ("resnet18",)}  # what is measured on which device
SHOWN = [("right",), ("left by worst_case",), ("training", "seconds"), ("note",)]  # in the README, of each record
CODE = ["import utils.scale"]  # a record's fingerprint is that of all that this imports


def seconds_an_update(recipe: scale.Recipe, data: Dataset) -> float:
    """How long one takes here: the five that seven take beyond two."""
    model, how = scale.resnet(data, recipe.width, recipe.blocks), scale.arguments(recipe, data) | {"average": 0.0}
    times = []
    for updates in (2, 2, 7):  # the first two warm up
        began = time.monotonic()
        fit(model, data.train, updates=updates, **how)
        logits(model, data.test.x[:1]).cpu()  # which waits for a GPU
        times.append(time.monotonic() - began)
    return max(times[2] - times[1], 0.0) / 5


def updates_of(recipe: scale.Recipe, data: Dataset) -> int:
    return recipe.epochs * ((len(data.train.y) - recipe.held) // recipe.batch_size)


def plan(name: str, data: Dataset) -> str:
    """What a run is, and how long it will take on this machine, in words."""
    recipe = scale.RECIPES[name]
    updates = updates_of(recipe, data)
    seconds = updates * seconds_an_update(recipe, data)
    time = f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"
    blocks = ", ".join(map(str, recipe.blocks))
    return (
        f"{name}: a residual network of width {recipe.width} and ({blocks}) blocks, {recipe.epochs} epochs of "
        f"{data.name}, {updates:,} updates: about {time} here, then the attacks that judge it"
    )


def where() -> str:
    """The machine, with as many cores as this process uses."""
    threads = torch.get_num_threads()
    return machine() if threads == 1 else machine().replace("one core of", f"{threads} threads on", 1)


def record_of(name: str, dataset: str, seed: int, note: str, found: dict) -> Record:
    """The record of a run, from what `scale.run` found."""
    epochs = found["epochs"]
    rows = rows_of(found, epochs) | {"seed": {"": seed}, "ranks": {"": number_of_ranks()}, "note": {"": note or "none"}}
    headline = {name: {row: rows[row][""] for row in ("right", "left by worst_case")}}
    return kept_as(name, dataset, rows, seconds=epochs[-1].processor, code=CODE, headline=headline)


def rows_of(judged: dict, epochs: list[scale.Epoch]) -> dict:
    """What `scale.judged_rates` found of a training, and its epochs, as rows of a record."""
    rows = {
        "right": {"": judged["right"]},
        "left by PGD, 50 steps": {"": judged["left by PGD"]},
        "left by worst_case": {"": judged["left by worst_case"]},
        "training": seconds_of(epochs),
    }
    for epoch in epochs:
        rows[f"epoch {epoch.epoch}"] = {"seconds": epoch.seconds, "right": epoch.right, "left": epoch.left}
    return rows


def seconds_of(epochs: list[scale.Epoch]) -> dict[str, float]:
    return {"seconds": epochs[-1].seconds, "processor seconds": epochs[-1].processor}


def kept_as(
    name: str, dataset: str, rows: dict, *, seconds: float, code: list[str], headline: dict | None = None
) -> Record:
    """A record with these rows, {row: {column: value}}, and the machine they were measured on.

    headline  the rows that sum it up; None: all that hold rates
    """
    values = {
        row: {column: value_of(value, "s" if "seconds" in column else "") for column, value in cells.items()}
        for row, cells in rows.items()
    }
    rates = {row: cells for row, cells in values.items() if any("k" in value for value in cells.values())}
    summed_up = {row: {c: value_of(v) for c, v in cells.items()} for row, cells in (headline or {}).items()} or rates
    return {
        "lesson": name,
        "dataset": dataset,
        "fingerprint": fingerprint(code),
        "versions": versions() | {"torch": torch.__version__},
        "machine": where(),
        "seconds": seconds,
        "sections": {},
        "claims": [],
        "headline": summed_up,
        "figures": [
            {"cell": "", "row": row, "column": column, "value": value}
            for row, cells in values.items()
            for column, value in cells.items()
        ],
    }


def at_scale(kept: Path = KEPT) -> str:
    """The README's part: what was measured on CIFAR-10, a row for each recipe, and what was not yet."""
    rows = ["| recipe | on | as they are | worst case | training | note |", "|---|---|---|---|---|---|"]
    missing = []
    for kind, names in FOR.items():
        for name in names:
            if not (record := read(name, "cifar10", kept)):
                missing.append(f"`{name}` was not measured on a {'GPU' if kind == 'cuda' else 'CPU'} yet.")
                continue
            figures = [find(record, *place)["value"] for place in SHOWN]
            rows.append(f"| {name} | {record['machine']} | {' | '.join(map(shown, figures))} |")
    return "\n".join([*(rows if len(rows) > 2 else []), *([""] if len(rows) > 2 and missing else []), *missing])


def in_words(record: Record, code: list[str] = CODE) -> str:
    """A record's headline in a line."""
    older = "" if record["fingerprint"] == fingerprint(code) else ", measured by older code"
    several = len(record["headline"]) > 1
    measured = ", ".join(
        f"{row + ': ' if several else ''}{name} {shown(value)}"
        for row, cells in record["headline"].items()
        for name, value in cells.items()
    )
    return f"{record['lesson']} on {record['dataset']}: {measured} ({record['machine']}{older})"


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=f"of {', '.join(scale.RECIPES)}")
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-n", type=int, default=1000, help="test images for worst_case")
    parser.add_argument("--note", default="", help="a sentence for the record: what else this machine did, for one")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "scale", help="for weights and checkpoints")
    parser.add_argument("--kept", type=Path, default=KEPT, help="for records")
    given = parser.parse_args(words)
    if unknown := set(given.recipes) - set(scale.RECIPES):
        sys.exit(f"there is no recipe {', '.join(sorted(unknown))}: name one of {', '.join(scale.RECIPES)}")
    scale.connect()
    scale.in_float32()
    names = given.recipes
    if not names:
        wanted = FOR.get(device().type, ())
        kept = {name: record for name in wanted if (record := read(name, given.dataset, given.kept))}
        names = [name for name in wanted if name not in kept]
        for record in kept.values():
            tell(f"kept: {in_words(record)}")
    data = load(given.dataset)
    for name in names:
        tell(plan(name, data))
    for name in names:
        folder = given.folder / fingerprint(CODE) / f"{name}.{given.dataset}.{given.seed}"
        with scale.ends_clearly(folder):
            found = scale.run(scale.RECIPES[name], data, folder, seed=given.seed, n=given.n)
        if not rank():
            record = record_of(name, given.dataset, given.seed, given.note, found)
            save(record, given.kept)
            tell(in_words(record))
    if number_of_ranks() > 1:
        dist.destroy_process_group()


def tell(text: str) -> None:
    if not rank():
        print(text, flush=True)


if __name__ == "__main__":
    main()
