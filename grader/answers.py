"""Where a student's answer is, if not where it should be: renamed, in a text cell, or defined again further down."""

import ast
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches

from grader.ipython import is_python
from grader.lab import Lab, asked_names, bound, tidy
from grader.rubric import squeezed

FENCED = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
MOST_TEXT, MOST_NAMES = 1_000_000, 200  # characters of text cells that are searched for code; names that are compared


def defined_again(name: str, chosen: Sequence[tuple[int, str]]) -> str:
    """That a name has several definitions, for the student; "" if it has one. chosen: cells from `lab.cells_to_run`."""
    places = {number: tidy(source) for number, source in chosen if name in bound(source)}
    if len(set(places.values())) < 2:
        return ""
    numbers = [str(number) for number in places]
    return f"{name} is defined in the code cells {', '.join(numbers[:-1])} and {numbers[-1]}: the last one counts"


def too_new_for_us(name: str, chosen: Sequence[tuple[int, str]], python: str) -> str:
    """That the grader's Python cannot read a cell with this name, but the notebook's, such as "3.12", may; or ""."""
    ours = sys.version_info[:2]
    number = next((number for number, source in chosen if name in source and not is_python(source)), 0)
    if not number or not python or tuple(map(int, python.split("."))) <= ours:
        return ""
    return (
        f"Python {ours[0]}.{ours[1]}, with which this was graded, cannot read code cell {number}. It was written with "
        f"Python {python}, which may: grade it with that one"
    )


def where_else(name: str, lab: Lab, cells: Sequence[dict], chosen: Sequence[tuple[int, str]]) -> str:
    """Where the answer of a name may be that no cell defines, for the teacher; "" if there is no trace of it.

    cells  all of the notebook, from `notebook.read_cells`
    """
    if any(name in bound(source) for _, source in chosen if tidy(source) not in lab.stubs):
        return ""
    if number := text_cell_of(name, lab, cells):
        return f"{name}: its answer may be in cell {number} of the notebook, which is a text cell and does not run"
    if others := renamed(name, lab, cells, chosen):
        return f"{name}: no cell defines it; renamed to {' or '.join(others[:3])}?"
    return ""


def text_cell_of(name: str, lab: Lab, cells: Sequence[dict]) -> int:
    """The number, from 1, of the first text cell that would define a name if it were code; 0 if there is none."""
    left = MOST_TEXT
    for number, cell in enumerate(cells, 1):
        source = cell["source"]
        if cell["kind"] == "text" and name in source and squeezed(source) not in lab.texts:
            left -= len(source)
            if left > 0 and name in bound("\n".join(FENCED.findall(source)) or source):
                return number
    return 0


def renamed(name: str, lab: Lab, cells: Sequence[dict], chosen: Sequence[tuple[int, str]]) -> list[str]:
    """The names of the student's own that may stand for a name of the lab: in its cell, with its docstring or its
    arguments, or written almost the same.
    """
    stub = next(text for text, names in lab.stubs.items() if name in names)
    wanted, grade_id = signature(name, stub), "_".join(lab.stubs[stub]) + "_answer"
    ids = [cell["grade_id"] for cell in cells if cell["kind"] == "code"]
    taken = asked_names(lab) | {other for source in lab.given for other in bound(source)}
    own = {other: (number, source) for number, source in chosen for other in bound(source) if other not in taken}
    same = [
        other
        for other, (number, source) in list(own.items())[:MOST_NAMES]
        if ids[number - 1] == grade_id or same_task(wanted, signature(other, source))
    ]
    lower = {other.lower(): other for other in list(own)[:MOST_NAMES]}
    return list(dict.fromkeys([*same, *(lower[near] for near in get_close_matches(name.lower(), lower, cutoff=0.75))]))


def signature(name: str, source: str) -> tuple[str, str]:
    """The arguments and the docstring of a function that a cell defines; empty if there is none."""
    for node in ast.parse(source).body if name in bound(source) else ():
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            return ast.unparse(node.args), ast.get_docstring(node) or ""
    return "", ""


def same_task(wanted: tuple[str, str], other: tuple[str, str]) -> bool:
    return any(part and part == same for part, same in zip(wanted, other, strict=True))
