"""Which typed sentences to read again: every lesson at other seeds and on MNIST, beside its kept record.

    PYTHONPATH=.:tools python tests/seeds.py [STEM ...] [--seeds 1 2] [--on mnist] [--to REPORT.md]

A figure stands after an arrow. A sentence says what figures have in common, and may be true of one run only. So each
lesson runs again with all its random numbers begun elsewhere, and this lists the verdicts that turned, the bands that
were left, and below each cell whose figures moved beyond chance the sentences that follow it. Read those before a
release; no test runs this. About half a minute a lesson and seed; MNIST takes its time (`--on ""` leaves it out, and
a kept record that is current is not run again).
"""

import argparse
from pathlib import Path

from build import assemble, is_current
from run import LESSONS, execute, given, record_of
from test_notebooks import BANDS, banded
from utils import records
from utils.rate import Rate
from utils.records import Figure, Record, Value

MOVED = 0.25  # by which share a number that is no rate must differ to be listed

# Put before the lesson's first cell: every seed that it or `utils` names begins elsewhere.
ELSEWHERE = """
import numpy, torch


def elsewhere(begin):
    return lambda seed=0, *rest: begin(seed + {by} if isinstance(seed, int) else seed, *rest)


class Generator(torch.Generator):
    def manual_seed(self, seed):
        return super().manual_seed(seed + {by})


torch.manual_seed, torch.Generator = elsewhere(torch.manual_seed), Generator
numpy.random.default_rng = elsewhere(numpy.random.default_rng)
"""


def run_again(stem: str, seed: int, dataset: str) -> Record:
    """The record of a run of the lesson with every seed moved by 1,000 times `seed`."""
    notebook = assemble(LESSONS / "src" / f"{stem}.py")
    notebook.cells[1].source += ELSEWHERE.format(by=1000 * seed) if seed else ""
    return record_of(notebook, execute(notebook, **given(dataset)), stem, dataset)


def is_time(figure: Figure) -> bool:
    return "seconds" in figure["row"] + figure["column"] or figure["value"].get("unit") in ("s", "ms")


def moved(before: Value, after: Value) -> bool:
    """Whether two figures differ by more than chance (rates), by much (numbers), or at all (texts)."""
    if before.keys() != after.keys():
        return True
    if "k" in before:
        a, b = (Rate(value["k"], value["n"]) for value in (before, after))
        return a.clearly_above(b) or b.clearly_above(a)
    if "trainings" in before:
        a, b = (records.trainings_of(value) for value in (before, after))
        return a.clearly_above(b) or b.clearly_above(a)
    if "number" in before:
        a, b = before["number"], after["number"]
        return abs(a - b) > MOVED * max(abs(a), abs(b))
    return before != after


def sentences_after(cells: list, cell: str) -> str:
    """What is typed below a cell, up to the next cell of code."""
    place = next(i for i, one in enumerate(cells) if one.id == cell)
    typed = []
    for one in cells[place + 1 :]:
        if one.cell_type == "code" and typed:
            break
        typed += [one.source] if one.cell_type == "markdown" else []
    return "\n\n".join(typed).split("\n## ")[0].strip()


def report(kept: Record, run: Record, cells: list, name: str) -> list[str]:
    """Lines about one run: verdicts that turned, bands that were left, figures that moved and the text below them."""
    lines = []
    was = {claim["text"]: claim["verdict"] for claim in kept["claims"]}
    for claim in run["claims"]:
        if was.get(claim["text"]) != claim["verdict"]:
            lines.append(f"- **verdict**, {name}: {claim['text']!r} {was.get(claim['text'])} → {claim['verdict']}")
    if run["dataset"] == kept["dataset"]:
        for band, (low, high) in BANDS.get(kept["lesson"], {}).items():
            value = banded(run, band)
            if not low <= value <= high:
                lines.append(f"- **band**, {name}: {band} is {value:.3g}, outside of [{low}, {high}]")
    before = {(f["cell"], f["row"], f["column"]): f["value"] for f in kept["figures"]}
    by_cell = {}
    for figure in run["figures"]:
        key = figure["cell"], figure["row"], figure["column"]
        if not is_time(figure) and (key not in before or moved(before[key], figure["value"])):
            old = records.shown(before[key]) if key in before else "not there"
            what = f"{figure['row']} {figure['column']}".strip()
            by_cell.setdefault(figure["cell"], []).append(f"{what}: {old} → {records.shown(figure['value'])}")
    for cell, changes in by_cell.items():
        lines += [f"- `{cell}`, {name}", *(f"  - {change}" for change in changes)]
        lines += ["", *(f"  > {line}" for line in sentences_after(cells, cell).splitlines()), ""]
    return lines


def runs(stem: str, seeds: list[int], dataset: str):
    """(name, record) of each run to be read: other seeds on the digits, and the lesson on a larger data set."""
    for seed in seeds:
        yield f"seed {seed}", run_again(stem, seed, "digits")
    if dataset:
        yield dataset, records.read(stem, dataset) if is_current(stem, dataset) else run_again(stem, 0, dataset)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("stems", nargs="*", metavar="STEM")
    options.add_argument("--seeds", nargs="*", type=int, default=[1, 2])
    options.add_argument("--on", default="mnist")
    options.add_argument("--to", type=Path)
    asked = options.parse_args()
    for stem in asked.stems or sorted(file.stem for file in LESSONS.glob("src/*.py")):
        kept, cells = records.read(stem), assemble(LESSONS / "src" / f"{stem}.py").cells
        lines = [f"# {stem}"]
        for name, record in runs(stem, asked.seeds, asked.on):
            lines += report(kept, record, cells, name) or [f"- {name}: nothing moved beyond chance"]
        text = "\n".join(lines)
        print(text, flush=True)
        if asked.to:
            with asked.to.open("a", encoding="utf-8") as file:
                file.write(text + "\n\n")


if __name__ == "__main__":
    main()
