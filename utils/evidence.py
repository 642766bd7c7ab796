"""What the lessons show, as they were executed: the lines that their cells printed, and the claims that they settled."""

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
    """What one cell of a lesson shows. There is no notebook, and the verdict is open, where the lesson does not exist."""

    lesson: str  # its number: "03"
    lines: tuple[str, ...] = ()
    counts: str = ""  # what the figures of the lines are: "right answers"
    verdict: str = ""  # of a claim: "holds", "refuted", "it depends" or "open"
    notebook: str = ""  # its file: "03_adversarial_training.ipynb"
    cell: str = ""  # its id
    section: str = ""  # the heading above it


def cells(lesson: str, folder: Path = NOTEBOOKS) -> Iterator[tuple[Evidence, list[str]]]:
    """Each cell of a lesson's notebook, as evidence that shows nothing yet, and the lines of its output."""
    for path in folder.glob(f"{lesson}_*.ipynb"):
        section = ""
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                section = (re.findall(r"^#+ (.+)", "".join(cell["source"]), re.MULTILINE) or [section])[-1]
            texts = [out.get("text", out.get("data", {}).get("text/plain", "")) for out in cell.get("outputs", [])]
            lines = [" ".join(line.split()) for text in texts for line in "".join(text).splitlines()]
            yield Evidence(lesson, notebook=path.name, cell=cell["id"], section=section), lines


def columns(line: str, row: str, of: list[str]) -> str:
    """Of a printed line that begins with `row`, that and the named columns; or "" if it is another line.

    A line is 'PGD: no attack 195/200 = 98 % [94, 99], worst case 142/200 = …', or of a curve 'PGD: 98 % at 0.1, …'.
    """
    if not re.match(rf"{re.escape(row)}(?!\w)", line):
        return ""
    rest, values = line[len(row) :].lstrip(": "), []
    for name in map(re.escape, of):
        value = rf"[^,]+ {name}(?=,|$)" if name.startswith("at") else rf"{name}:? (?:{RATE}|[^,]+)"
        values += re.findall(rf"(?:^|, )({value})", rest)[:1]
    return "" if len(values) < len(of) else f"{row}: {', '.join(values)}" if of else line


def find(wanted: dict, folder: Path = NOTEBOOKS) -> Evidence:
    """The evidence that is wanted: of a `lesson` the `claim`, or the `rows` of one cell and `of` them these columns.

    Raises LookupError if no cell shows it, or if several do and none is named as `cell`; and if the claim's verdict is
    not the `verdict` that the words beside it were written for.
    """
    lesson, claimed, hits = wanted["lesson"], f'"{wanted.get("claim")}": ', []
    for place, lines in cells(lesson, folder):
        if "claim" in wanted:
            found = [[line.removeprefix(claimed)] for line in lines if line.startswith(claimed)]
        else:
            rows = ([columns(line, row, wanted.get("of", [])) for line in lines] for row in wanted["rows"])
            firsts = [next(filter(None, row), "") for row in rows]
            found = [firsts] if all(firsts) else []
        hits += [(place, shown) for shown in found if wanted.get("cell", place.cell) == place.cell]
    if not hits and not [*folder.glob(f"{lesson}_*.ipynb")]:
        return Evidence(lesson, verdict="open")
    if len(hits) != 1:
        where = ", ".join(place.cell for place, _ in hits) or "no cell"
        raise LookupError(f"lesson {lesson}: {wanted} is shown by {where}; name lines that one cell shows, or its id")
    ((place, shown),) = hits
    if "claim" not in wanted:
        return replace(place, lines=tuple(shown), counts=wanted["counts"])
    verdict, _, because = shown[0].partition(", because ")
    if verdict != wanted.get("verdict", verdict):
        raise LookupError(f"lesson {lesson}: {wanted['claim']!r} is now {verdict!r}: is what we say of it still true?")
    return replace(place, lines=(because,), verdict=verdict)


def settled(before: str = "99", folder: Path = NOTEBOOKS) -> list[tuple[Claim, Evidence]]:
    """Each claim of the course as the executed notebooks settle it, and where.

    before  a lesson's number: its claims and later ones count as open, so that a lesson can show those before it
    """
    claims = []
    for lesson, texts in CLAIMS.items():
        for text in texts:
            there = find({"lesson": lesson, "claim": text}, folder) if lesson < before else Evidence(lesson, verdict="open")
            claims.append((Claim(lesson, text, there.verdict, "".join(there.lines)), there))
    return claims


def verdicts(before: str = "99", folder: Path = NOTEBOOKS) -> Ledger:
    """The ledger as the executed notebooks settle it; `before` as in `settled`."""
    return Ledger(claim for claim, _ in settled(before, folder))
