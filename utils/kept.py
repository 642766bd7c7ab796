"""Kept records beside each other: long trainings beside published figures, verdicts and figures on two data sets.

What was not measured yet is said in a line, with the command that will. Used in lesson 15.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from utils.claims import CLAIMS
from utils.larger import aligned, table_in_html
from utils.rate import Rate
from utils.records import RESULTS, Record, Value, read, shown, stem_of, trainings_of

SCALE = RESULTS / "scale"
RECIPES_OF = ("ten_minutes", "sixty_minutes", "resnet18")  # `make scale` measures these, `make compare` the others


class Beside(list):
    """Rows of texts under their heads, and lines below: it shows itself as a table."""

    def __init__(self, heads: Sequence[str], rows: Sequence[Sequence[str]], below: Sequence[str] = ()):
        super().__init__(rows)
        self.heads, self.below = list(heads), list(below)

    def lines(self) -> list[Sequence[str]]:
        return [self.heads, *self] if self else []

    def __repr__(self):
        return "\n".join([*aligned(self.lines()), *self.below])

    def _repr_html_(self):
        table = table_in_html(self.lines()) if self else ""
        return table + "".join(f"<p>{escape(line)}</p>" for line in self.below)


def kept(name: str, dataset: str = "cifar10", folder: Path = SCALE) -> Record | None:
    """The record of a long training or comparison, or None if it was not measured yet."""
    return read(name, dataset, folder)


def value_at(record: Record | None, row: str, column: str = "") -> Value | None:
    """A figure of a record, or None if it has none of this name."""
    places = ((f["row"], f["column"], f["value"]) for f in (record or {"figures": []})["figures"])
    return next((value for r, c, value in places if (r, c) == (row, column)), None)


def rate_at(record: Record | None, row: str, column: str = "") -> Rate | None:
    """The same as a rate, where it is one."""
    value = value_at(record, row, column)
    return None if value is None else as_rate(value)


def as_rate(value: Value) -> Rate | None:
    if "trainings" in value:
        return trainings_of(value)
    return Rate(value["k"], value["n"]) if "k" in value else None


def not_yet(names: Iterable[str], folder: Path = SCALE) -> list[str]:
    """What is said in place of those records that are missing: a line for each command that makes some of them."""
    missing: dict[tuple[str, str], list[str]] = {}
    for name in names:
        if not kept(name, folder=folder):
            where = "GPU" if name == "resnet18" or name.endswith("_gpu") else "CPU"
            command = "make scale RECIPES" if name in RECIPES_OF else "make compare NAMES"
            missing.setdefault((where, command), []).append(name)
    return [
        f'Not measured on a {where} yet: {", ".join(some)}. To measure: {command}="{" ".join(some)}"'
        for (where, command), some in missing.items()
    ]


def came_from(record: Record) -> str:
    """Where a record was measured, by how many ranks if several, and what its note says of the images."""
    note, ranks = (shown(value_at(record, row) or {"text": "none"}) for row in ("note", "ranks"))
    several = "" if ranks in ("none", "1") else f", {ranks} ranks"
    return f"measured here: {record['machine']}{several}" + ("" if note == "none" else f"; {note}")


def beside(
    names: Mapping[str, str],
    columns: Mapping[str, tuple[str, str]],
    published: Mapping[str, Sequence[str]] | None = None,
    *,
    folder: Path = SCALE,
) -> Beside:
    """Figures of kept records as a table, and under them those that others published.

    names      {how a row is called: the record's name}
    columns    {a column's head: (row, column) of the figure in the record}
    published  {how a row is called: its texts, one for each column, and the source}
    """
    rows = []
    for called, name in names.items():
        if not (record := kept(name, folder=folder)):
            continue
        values = (value_at(record, *place) for place in columns.values())
        rows.append([called, *("–" if value is None else shown(value) for value in values), came_from(record)])
    rows += [[called, *texts] for called, texts in (published or {}).items()]
    return Beside(["", *columns, "source"], rows, not_yet(names.values(), folder))


def epochs_of(name: str, folder: Path = SCALE) -> dict[float, tuple[Rate, Rate]]:
    """{seconds since the training began: (right, left) on the images kept aside}, for each epoch of a record."""
    record, found = kept(name, folder=folder), {}
    for number in range(1, len(record["figures"]) + 1 if record else 0):
        row = f"epoch {number}"
        if (seconds := value_at(record, row, "seconds")) is None:
            break
        found[seconds["number"]] = (rate_at(record, row, "right"), rate_at(record, row, "left"))
    return found


# One lesson on two data sets.


def verdicts_on(dataset: str, before: str = "14", folder: Path = RESULTS) -> dict[str, str]:
    """{claim: verdict} as the kept records of this data set settle the claims of the lessons before this one.

    A claim that stayed open there was not settled, and is left out.
    """
    found = {}
    for number in (number for number in CLAIMS if number < before):
        record = read(stem_of(number, folder), dataset, folder)
        claims = (record or {"claims": []})["claims"]
        found |= {claim["text"]: claim["verdict"] for claim in claims if claim["verdict"] != "open"}
    return found


def rates_on_both(one: str, other: str, before: str = "14", folder: Path = RESULTS) -> list[tuple[str, Rate, Rate]]:
    """The rates that the main tables of earlier lessons show for both data sets: (what, on one, on the other)."""
    found = []
    for number in (number for number in CLAIMS if number < before):
        here, there = (read(stem_of(number, folder), dataset, folder) for dataset in (one, other))
        for row, cells in here["headline"].items() if here and there else ():
            for column, value in cells.items():
                a, b = as_rate(value), as_rate(there["headline"].get(row, {}).get(column, {}))
                if a is not None and b is not None and type(a) is type(b):
                    found.append((f"{number}: {row} {column}".strip(), a, b))
    return found
