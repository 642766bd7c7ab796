"""Written exercises, which a person grades: the rubric in the lab, and what a student has written for it.

A written exercise is two text cells. Students get both, the second one without the answer between the marks:

    RUBRIC advice, 2 points                          first line, and in the same cell a line for each criterion
    - threat, 1 point: says who attacks, and how     its points, and what earns them; it may go on, indented

    <!-- ANSWER advice -->                           the cell to write in
    ### BEGIN SOLUTION *Write here, at most 200 words.*
    …                                                an answer as it should be, for those who grade
    ### END SOLUTION
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose

RUBRIC = re.compile(r"RUBRIC (\w+), (\d+(?:\.\d+)?) points?\s*$")
CRITERION = re.compile(r"- (\w[\w -]*), (\d+(?:\.\d+)?) points?: (.+)$")
ANSWER = re.compile(r"<!-- *ANSWER (\w+) *-->")
REGION = re.compile(r"^### BEGIN SOLUTION ?(.*)\n((?:.*\n)*?)### END SOLUTION[ \t]*$", re.MULTILINE)
SHOWN_CHARACTERS, SHOWN_LINES = 10_000, 300  # of an answer, on the page for those who grade


@dataclass(frozen=True)
class Criterion:
    """name; most: its points; words: what earns them."""

    name: str
    most: float
    words: str


@dataclass(frozen=True)
class Rubric:
    """A written exercise. given: the lines of its two cells as students get them; model: an answer as it should be."""

    name: str
    criteria: tuple[Criterion, ...]
    given: frozenset[str]
    model: str

    @property
    def points(self) -> float:
        return sum(criterion.most for criterion in self.criteria)


def is_rubric(source: str) -> re.Match | None:
    """The name and points of a rubric; None for another text cell. ValueError for a first line that only looks so."""
    first = source.partition("\n")[0]
    found = RUBRIC.match(first)
    if first.startswith("RUBRIC") and not found:
        raise ValueError(f"a rubric starts 'RUBRIC name, 4 points', not {first!r}")
    return found


def text_handed_out(source: str) -> str:
    """A text cell as the student gets it."""
    return REGION.sub(lambda match: match[1].strip() or "*Write your answer here.*", source)


def read_rubrics(texts: Sequence[str]) -> tuple[Rubric, ...]:
    """The written exercises in the text cells of an instructor's notebook. ValueError if they are not complete."""
    made = []
    for head, text in ((is_rubric(text), text) for text in texts):
        if not head:
            continue
        lines = re.sub(r"\n[ \t]+", " ", text).splitlines()[1:]
        criteria = [Criterion(m[1], float(m[2]), m[3]) for m in map(CRITERION.match, lines) if m]
        if unread := [line for line in lines if line.startswith("- ") and not CRITERION.match(line)]:
            raise ValueError(f"a criterion is written '- name, 1 point: what earns it', not {unread[0]!r}")
        if len({criterion.name for criterion in criteria}) < len(criteria):
            raise ValueError(f"rubric {head[1]}: two criteria have the same name")
        if not isclose(sum(criterion.most for criterion in criteria), float(head[2])):
            raise ValueError(f"rubric {head[1]}: the points of its criteria do not add up to {head[2]}")
        cells = [cell for cell in texts if head[1] in ANSWER.findall(cell)]
        regions = [match for cell in cells for match in REGION.finditer(cell)]
        if not len(cells) == len(regions) == 1:
            raise ValueError(
                f"rubric {head[1]} needs one text cell with <!-- ANSWER {head[1]} -->, a line '### BEGIN SOLUTION', "
                "an answer, and a line '### END SOLUTION'"
            )
        given = frozenset(line.strip() for line in f"{text}\n{text_handed_out(cells[0])}".splitlines()) - {""}
        made.append(Rubric(head[1], tuple(criteria), given, regions[0][2].strip()))
    names = [rubric.name for rubric in made]
    if len(set(names)) < len(names):
        raise ValueError("two rubrics have the same name")
    if unknown := {name for text in texts for name in ANSWER.findall(text)} - set(names):
        raise ValueError(f"no rubric for the answers {', '.join(sorted(unknown))}")
    return tuple(made)


def find_written(rubric: Rubric, texts: frozenset[str], cells: Sequence[dict]) -> dict:
    """What a student has written for a rubric: {"text", "notes" for who grades it}. The text is "" if there is none.

    texts  the lab's own text cells, as `squeezed`
    cells  the student's, of all kinds and in their order, from `notebook.read_cells`

    The cell is known by its grade_id, or by its mark where an editor has dropped that. Where it is copied, all copies
    count. Text in the rubric's cell counts too, and so do the student's own text cells right below either.
    """
    parts: dict[str, str] = {}  # copies count once
    cell_found, below = False, False
    for cell in cells:
        source = cell["source"]
        head = RUBRIC.match(source.partition("\n")[0])
        is_cell = cell["grade_id"] == f"{rubric.name}_answer" or rubric.name in ANSWER.findall(source)
        cell_found |= is_cell
        if is_cell or (head and head[1] == rubric.name):
            below = True
        elif cell["kind"] == "code" or head or ANSWER.search(source) or squeezed(source) in texts:
            below = False
        if below:
            text = without_labs_lines(source, rubric)
            parts.setdefault(squeezed(text), text)
    parts.pop("", None)
    notes = []
    if parts and not cell_found:
        notes.append("its cell was deleted or has lost its mark: this text was found near the rubric")
    if len(parts) > 1:
        notes.append(f"in {len(parts)} cells, all shown here")
    text, more = shortened("\n\n".join(parts.values()))
    if "(a picture)" in text or "](attachment:" in text:
        notes.append("has a picture, which only the notebook shows")
    return {"text": text, "notes": notes + more}


def shortened(text: str) -> tuple[str, list[str]]:
    """The beginning of a text, without gaps, and a note if there is more."""
    text = re.sub(r"\n\s*\n", "\n\n", text)
    short = "\n".join(text[:SHOWN_CHARACTERS].split("\n")[:SHOWN_LINES])
    return short, [f"shortened to {SHOWN_CHARACTERS:,} characters and {SHOWN_LINES} lines"] * (short != text)


def without_labs_lines(source: str, rubric: Rubric) -> str:
    """The text of a cell without what the lab wrote in it."""
    lines = [line for line in source.splitlines() if line.strip() not in rubric.given]
    return re.sub(rf"<!-- *ANSWER {rubric.name} *-->", "", "\n".join(lines)).strip()


def squeezed(text: str) -> str:
    """A text up to blanks and line ends, which editors change."""
    return " ".join(text.split())
