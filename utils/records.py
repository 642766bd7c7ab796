"""What a run measured: entered once, where a lesson shows it, and read by everything that repeats a number.

In a learner's own run nothing is kept. Where COURSE_RECORD names a file, as in the build and in the tests, each figure
and each claim adds a line of JSON to it. `tools/run.py` adds a line before each cell, and makes the record of them all.
`notebooks/results/STEM.DATASET.json` are the records that the course shows.
"""

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NotRequired, TypedDict

from utils.rate import Rate, RateWithin, Trainings

RESULTS = Path(__file__).resolve().parents[1] / "notebooks" / "results"
ARROW = "→"  # stands before what was measured in this run; what stands elsewhere is the same on every machine
WIDTH = 96  # characters of a line that a notebook shows without breaking it anywhere
LISTS = (list, tuple, set, frozenset)  # whose members are entered as one text
IN_HTML = f"\n<!-- {ARROW} -->"  # the same, unseen; the measured ends with its line


class Value(TypedDict):
    """What was measured, by its kind: a rate has k, n and interval, and that of several trainings their counts in
    place of k; a number has number and unit; else a text.
    """

    k: NotRequired[int]
    trainings: NotRequired[list[int]]
    n: NotRequired[int]
    interval: NotRequired[list[float]]
    number: NotRequired[float]
    unit: NotRequired[str]
    text: NotRequired[str]


class Figure(TypedDict):
    """One value, and where it stands: the cell's id, the row, and the column ("" where there is one value a row)."""

    cell: str
    row: str
    column: str
    value: Value


class Verdict(TypedDict):
    """A claim that a cell settled, and how often the undefended model was right that it rests on."""

    cell: str
    text: str
    verdict: str
    because: str
    undefended: NotRequired[Value]


class Record(TypedDict):
    """One run of one lesson on one data set."""

    lesson: str  # the file's stem: 03_adversarial_training
    dataset: str
    fingerprint: str  # of the code that measured, `utils.fingerprint`
    twin: NotRequired[str]  # of a record at a larger scale: a hash of what the same code measured on the digits
    measured_by: NotRequired[str]  # which code ran, where that is not the present code
    versions: dict[str, str]
    machine: str
    seconds: float  # processor time of the whole run, in one thread
    sections: dict[str, str]  # {cell id: the heading above it}
    claims: list[Verdict]
    headline: dict[str, dict[str, Value]]  # the lesson's main table: {row: {column: value}}
    figures: list[Figure]


# A lesson's side: entering.


def measured(name: str, values: object, unit: str = "") -> None:
    """Print what was measured, and enter it in the record of the run: `left by PGD → 236/397 = 59 % [55, 64]`.

    values  a Rate, a number, True or False, a text, a list of texts; or several of them by their names, as a mapping
    unit    of a number: "s", "%", "points"

    What is longer than a line goes on in further lines, each after an arrow of its own, and breaks between values only.
    """
    row = dict(values) if isinstance(values, Mapping) else {"": values}
    texts = []
    for column, value in row.items():
        first, *others = listed(value) if isinstance(value, LISTS) else [shown(value_of(value, unit))]
        texts += [f"{column} {first}".lstrip(), *others]
    print(in_lines(name, texts))
    enter_table({name: row}, unit)


def listed(texts: Iterable[object]) -> list[str]:
    """What a list of texts is shown as: one after another, or "none"."""
    return [*map(str, texts)] or ["none"]


def in_lines(name: str, texts: Iterable[str]) -> str:
    """`name → text, text`, in lines of at most WIDTH characters; a longer text has one of its own."""
    lines = [name]
    for i, text in enumerate(texts):
        mark = "," if i else f" {ARROW}"
        if len(f"{lines[-1]}{mark} {text},") <= WIDTH:
            lines[-1] += f"{mark} {text}"
        else:
            lines[-1] += mark if i else ""
            lines.append(f"    {ARROW} {text}")
    return "\n".join(lines)


def enter_table(table: Mapping[str, object], unit: str = "") -> None:
    """Enter {row: value} or {row: {column: value}} of the present cell: what a picture shows, without printing it."""
    for row, values in table.items():
        for column, value in (values if isinstance(values, Mapping) else {"": values}).items():
            enter(row=str(row), column=str(column), value=value_of(value, unit))


def enter(**line: object) -> None:
    """Add a line to the record of this run, if one is kept."""
    if file := os.environ.get("COURSE_RECORD"):
        with open(file, "a", encoding="utf-8") as lines:
            lines.write(json.dumps(line, ensure_ascii=False) + "\n")


def value_of(value: object, unit: str = "") -> Value:
    """Something measured as plain data. TypeError for what has no kind of its own."""
    if isinstance(value, Trainings):
        interval = [round(bound, 4) for bound in value.interval]
        return {"trainings": [int(rate.k) for rate in value.rates], "n": int(value.rates[0].n), "interval": interval}
    if isinstance(value, Rate):
        return {"k": int(value.k), "n": int(value.n), "interval": [round(bound, 4) for bound in value.interval]}
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, LISTS):
        return {"text": ", ".join(listed(value))}
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool):
        return {"text": "yes" if value else "no"}
    if isinstance(value, (int, float)):
        return {"number": value, "unit": unit} if math.isfinite(value) else {"text": f"{value:g}"}
    raise TypeError(f"a record keeps rates, numbers, texts and yes or no, not {type(value).__name__}")


def shown(value: Value) -> str:
    """A value as a reader sees it: `236/397 = 59 % [55, 64]`, `2.3 s`, `1,024`, `yes`."""
    if "trainings" in value:
        return repr(trainings_of(value))
    if "k" in value:
        rate = Rate(value["k"], value["n"])
        kept = RateWithin(rate.k, rate.n, *value["interval"])  # rounded, so only where it is of a kind of its own
        return repr(rate if value_of(rate) == value_of(kept) else kept)
    if "text" in value:
        return value["text"]
    number, unit = value["number"], value["unit"]
    text = (
        f"{number:,}" if isinstance(number, int) else f"{number:.0f}" if 100 <= abs(number) < 1e6 else f"{number:.3g}"
    )
    return f"{text} {unit}".rstrip()


def trainings_of(value: Value) -> Trainings:
    return Trainings(Rate(k, value["n"]) for k in value["trainings"])


def number(value: Value) -> float:
    """A value as a number, a rate as its share. ValueError for a text."""
    if "text" in value:
        raise ValueError(f"{value['text']!r} is no number")
    if "trainings" in value:
        return float(trainings_of(value))
    return value["k"] / value["n"] if "k" in value else float(value["number"])


# Everybody's side: reading.


def read(stem: str, dataset: str = "digits", folder: Path = RESULTS) -> Record | None:
    """The kept record of a lesson, or None if there is none."""
    file = folder / f"{stem}.{dataset}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def stem_of(number: str, folder: Path = RESULTS) -> str:
    """The stem of the lesson with this number, "03"; "" if it has no record."""
    return next((file.name.split(".")[0] for file in sorted(folder.glob(f"{number}_*.digits.json"))), "")


def find(record: Record, row: str, column: str = "", cell: str = "") -> Figure:
    """The one figure of a record with this row and column. `cell` tells apart those that several cells show.

    Raises LookupError, with the cells that show it, where there is none or more than one.
    """
    hits = [
        figure
        for figure in record["figures"]
        if (figure["row"], figure["column"]) == (row, column) and figure["cell"] in (cell or figure["cell"],)
    ]
    if len(hits) != 1:
        where = ", ".join(figure["cell"] for figure in hits) or "no cell"
        named = " | ".join(filter(None, (row, column, cell)))
        raise LookupError(f"lesson {record['lesson']}: {named!r} is shown by {where}: name one that one cell shows")
    return hits[0]


if os.environ.get("COURSE_RECORD") and "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()):
    # after each cell the processor time of this kernel, from its start on
    shell.events.register("post_run_cell", lambda _: enter(seconds=sum(os.times()[:4])))
