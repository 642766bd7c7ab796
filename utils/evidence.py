"""What the lessons showed, as their records keep it: the verdict on a claim, or a small table, and its cell."""

from dataclasses import dataclass
from pathlib import Path

from utils.claims import CLAIMS, Claim, Ledger
from utils.records import RESULTS, Record, read, shown, stem_of


@dataclass(frozen=True)
class Evidence:
    """What one cell of a lesson shows: the verdict on a claim, or a small table."""

    lesson: str  # its number: "03"
    about: str  # the claim, or in words what the figures of the table are
    verdict: str = ""  # of a claim: "holds", "refuted", "it depends", or "open" while there is no such record
    because: str = ""  # of a claim: what was measured
    columns: tuple[str, ...] = ()  # of a table: their names, if they have some
    rows: tuple[tuple[str, ...], ...] = ()  # of a table: a name each, and the figures
    notebook: str = ""  # the lesson's file: "03_adversarial_training.ipynb"
    cell: str = ""  # the cell's id
    section: str = ""  # the heading above it


def evidence_for(wanted: dict, folder: Path = RESULTS) -> Evidence:
    """The evidence that is wanted: of a `lesson` the `claim`, or the `rows` of one cell and `of` them these columns.

    Without `of`, the table has all columns of these rows. Raises LookupError if no cell shows it, or if several do and
    none is named as `cell`; and if the claim's verdict is not the `verdict` that the words beside it were written for.
    """
    lesson, claim = wanted["lesson"], wanted.get("claim")
    record = read(stem_of(lesson, folder), folder=folder)
    if not record:
        return Evidence(lesson, claim or wanted["counts"], "open")
    hits = settled_by(record, claim) if claim else tables(record, wanted)
    if len(hits) != 1:
        where = ", ".join(hit["cell"] for hit in hits) or "no cell"
        raise LookupError(f"lesson {lesson}: {wanted} is shown by {where}; name rows that one cell shows, or its id")
    cell = hits[0]["cell"]
    place = {"notebook": f"{record['lesson']}.ipynb", "cell": cell, "section": record["sections"][cell]}
    found = Evidence(lesson, claim or wanted["counts"], **place, **{k: v for k, v in hits[0].items() if k != "cell"})
    if found.verdict != wanted.get("verdict", found.verdict):
        raise LookupError(f"lesson {lesson}: {claim!r} is now {found.verdict!r}: is what we say of it still true?")
    return found


def settled_by(record: Record, claim: str) -> list[dict]:
    """The cells that settle a claim, with verdict and reason."""
    keys = ("cell", "verdict", "because")
    return [{key: entry[key] for key in keys} for entry in record["claims"] if entry["text"] == claim]


def tables(record: Record, wanted: dict) -> list[dict]:
    """The cells that show all wanted rows and columns, each with that table."""
    found = []
    for cell in dict.fromkeys(figure["cell"] for figure in record["figures"]):
        if wanted.get("cell", cell) != cell:
            continue
        here = {(f["row"], f["column"]): shown(f["value"]) for f in record["figures"] if f["cell"] == cell}
        every = dict.fromkeys(column for row, column in here if row in wanted["rows"])
        columns = tuple(wanted.get("of") or every)
        if columns and all((row, column) in here for row in wanted["rows"] for column in columns):
            rows = tuple((row, *(here[row, column] for column in columns)) for row in wanted["rows"])
            found.append({"cell": cell, "columns": columns if any(columns) else (), "rows": rows})
    return found


def settled(before: str = "99", folder: Path = RESULTS) -> list[tuple[Claim, Evidence]]:
    """Each claim of the course as the kept records settle it, and where.

    before  a lesson's number: its claims and later ones count as open, so that a lesson can show those before it
    """
    course = [(lesson, text) for lesson, texts in CLAIMS.items() for text in texts]
    found = [
        evidence_for({"lesson": lesson, "claim": text}, folder) if lesson < before else Evidence(lesson, text, "open")
        for lesson, text in course
    ]
    return [(Claim(there.lesson, there.about, there.verdict, there.because), there) for there in found]


def verdicts(before: str = "99", folder: Path = RESULTS) -> Ledger:
    """The ledger as the kept records settle it; `before` as in `settled`."""
    return Ledger(claim for claim, _ in settled(before, folder))
