"""What the lessons show, as they were executed: lines that their cells printed, and claims that they settled."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from utils.claims import CLAIMS, Claim, Ledger

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
RATE = r"\d+/\d+ = \d+ % \[\d+, \d+\]"


@dataclass(frozen=True)
class Evidence:
    """What one cell of a lesson shows: the verdict on a claim, or a small table."""

    lesson: str  # its number: "03"
    about: str  # the claim, or in words what the figures of the table are
    verdict: str = ""  # of a claim: "holds", "refuted", "it depends", or "open" while there is no such lesson
    because: str = ""  # of a claim: what was measured
    columns: tuple[str, ...] = ()  # of a table: their names, if they have some
    rows: tuple[tuple[str, ...], ...] = ()  # of a table: a name each, and the figures
    notebook: str = ""  # the lesson's file: "03_adversarial_training.ipynb"
    cell: str = ""  # the cell's id
    section: str = ""  # the heading above it


def cells(lesson: str, folder: Path = NOTEBOOKS) -> Iterator[tuple[Evidence, list[str]]]:
    """Each cell of a lesson's notebook, as evidence of nothing yet, with the lines that it printed."""
    for path in folder.glob(f"{lesson}_*.ipynb"):
        section = ""
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                section = (re.findall(r"^#+ (.+)", "".join(cell["source"]), re.MULTILINE) or [section])[-1]
            texts = [out.get("text", out.get("data", {}).get("text/plain", "")) for out in cell.get("outputs", [])]
            lines = [" ".join(line.split()) for text in texts for line in "".join(text).splitlines()]
            yield Evidence(lesson, "", notebook=path.name, cell=cell["id"], section=section), lines


def figures(line: str, row: str, columns: list[str]) -> tuple[str, ...]:
    """Of a printed line that begins with `row`: its name and the figures in these columns; of another line, nothing.

    A line is 'PGD: no attack 195/200 = 98 % [94, 99], worst case 142/200 = …', or of a curve 'PGD: 98 % at 0.1, …'.
    """
    if not re.match(rf"{re.escape(row)}(?!\w)", line):
        return ()
    rest = line[len(row) :].lstrip(":, ")
    if not columns:
        name, _, value = line.rpartition(": ")
        return (name, value) if name else (row, rest)
    found = []
    for name in map(re.escape, columns):
        value = rf"([^,]+) {name}(?=,|$)" if name.startswith("at") else rf"{name}:? ({RATE}|[^,]+)"
        found += re.findall(rf"(?:^|, ){value}", rest)[:1]
    return (row, *found) if len(found) == len(columns) else ()


def find(wanted: dict, folder: Path = NOTEBOOKS) -> Evidence:
    """The evidence that is wanted: of a `lesson` the `claim`, or the `rows` of one cell and `of` them these columns.

    Raises LookupError if no cell shows it, or if several do and none is named as `cell`; and if the claim's verdict is
    not the `verdict` that the words beside it were written for.
    """
    lesson, claim, of, hits = wanted["lesson"], wanted.get("claim"), wanted.get("of", []), []
    if not [*folder.glob(f"{lesson}_*.ipynb")]:
        return Evidence(lesson, claim or wanted["counts"], "open")
    for place, lines in cells(lesson, folder):
        for line in lines if claim else []:
            if line.startswith(f'"{claim}": '):
                verdict, _, because = line.removeprefix(f'"{claim}": ').partition(", because ")
                hits.append(replace(place, about=claim, verdict=verdict, because=because))
        if not claim:
            rows = [next(filter(None, (figures(line, row, of) for line in lines)), ()) for row in wanted["rows"]]
            if all(rows) and wanted.get("cell", place.cell) == place.cell:
                hits.append(replace(place, about=wanted["counts"], columns=tuple(of), rows=tuple(rows)))
    if len(hits) != 1:
        where = ", ".join(there.cell for there in hits) or "no cell"
        raise LookupError(f"lesson {lesson}: {wanted} is shown by {where}; name lines that one cell shows, or its id")
    if hits[0].verdict != wanted.get("verdict", hits[0].verdict):
        raise LookupError(f"lesson {lesson}: {claim!r} is now {hits[0].verdict!r}: is what we say of it still true?")
    return hits[0]


def settled(before: str = "99", folder: Path = NOTEBOOKS) -> list[tuple[Claim, Evidence]]:
    """Each claim of the course as the executed notebooks settle it, and where.

    before  a lesson's number: its claims and later ones count as open, so that a lesson can show those before it
    """
    course = [(lesson, text) for lesson, texts in CLAIMS.items() for text in texts]
    found = [
        find({"lesson": lesson, "claim": text}, folder) if lesson < before else Evidence(lesson, text, "open")
        for lesson, text in course
    ]
    return [(Claim(there.lesson, there.about, there.verdict, there.because), there) for there in found]


def verdicts(before: str = "99", folder: Path = NOTEBOOKS) -> Ledger:
    """The ledger as the executed notebooks settle it; `before` as in `settled`."""
    return Ledger(claim for claim, _ in settled(before, folder))
