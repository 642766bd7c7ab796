"""A lab so small that grading it costs little more than starting the sandbox, and submissions to it."""

import json

from grader.grade import grade_submission, load_lab
from grader.lab import modules_imported
from grader.result import Result, check_result, make_result

GIVEN = "import torch\n\nfrom utils import expect\n\nseed = 0"
DOUBLE = "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
TOTAL = "def total(x):\n    ### BEGIN SOLUTION\n    return x.sum()\n    ### END SOLUTION"
COLOUR = '### BEGIN SOLUTION colour = ""\ncolour = "blue"\n### END SOLUTION'
CHECK_DOUBLE = """\
# CHECK double, 2 points
x = torch.ones(3)
expect.equal(expect.tensor(double(x), like=x), 2 * x, "not the double")
expect.passed("double", of=3)
### BEGIN HIDDEN TESTS
x = torch.randn(4, 5)  # the-hidden-secret
expect.equal(expect.tensor(expect.leaves_arguments(double, x), like=x), 2 * x, "not the double of other numbers")
### END HIDDEN TESTS"""
CHECK_TOTAL = """\
# CHECK total, 1 point
expect.passed("total", of=3)
### BEGIN HIDDEN TESTS
x = torch.rand(6)
expect.that(abs(expect.number(total(x)) - float(x.sum())) < 1e-5, "not the sum", got=total(x))
### END HIDDEN TESTS"""
CHECK_COLOUR = """\
# CHECK colour, 1 point
expect.that(isinstance(colour, str), "no text", expected="a text", got=colour)
expect.passed("colour", of=3)
### BEGIN HIDDEN TESTS
expect.that(colour == "blue", "another colour", got=colour)
### END HIDDEN TESTS"""
CELLS = [GIVEN, DOUBLE, CHECK_DOUBLE, TOTAL, CHECK_TOTAL, COLOUR, CHECK_COLOUR]


def text(source: str, grade_id: str = "") -> dict:
    """A text cell, with nbgrader's name if there is one."""
    metadata = {"nbgrader": {"grade_id": grade_id}} if grade_id else {}
    return {"cell_type": "markdown", "metadata": metadata, "source": source}


def notebook(cells: list[str | dict], **more) -> bytes:
    """A notebook file with these cells: the source of a code cell, or a whole cell."""
    made = [text("# Lab 99 · Tiny")]
    made += [
        {"cell_type": "code", "metadata": {}, "source": cell, "outputs": [], "execution_count": None}
        if isinstance(cell, str)
        else cell
        for cell in cells
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more}).encode()


LAB = notebook(CELLS).decode()
MODULES = modules_imported(load_lab(LAB).given)  # of the process that forks; with the same, tests have one in common


def answers(double: str = DOUBLE, total: str = TOTAL, colour: str = COLOUR, *, before=(), after=()) -> list[str]:
    """The cells of a right submission, or of one with other answers."""
    return [GIVEN, *before, double, CHECK_DOUBLE, total, CHECK_TOTAL, colour, CHECK_COLOUR, *after]


LIMITS = {"cell": 3, "call": 3, "all": 90, "memory": 5_000_000_000, "cpu": 30}
ALL, NONE = {"double": 2, "total": 1, "colour": 1}, {"double": 0, "total": 0, "colour": 0}
LOST = ALL | {"double": 0}  # one bad exercise costs its own points and no others


def graded(content: bytes, student: str = "somebody", lab: str = LAB, **limits) -> dict:
    about = {"lab": lab, "key": "secret-key", "limits": LIMITS | limits}
    return grade_submission(about | {"student": student, "id": "", "file": "lab.ipynb", "content": content})


def result_of(
    student: str, earned: float = 2.0, id: str = "", *, lab: str = LAB, words: str | None = None, **check
) -> Result:
    """A result of the tiny lab's first check, as the grader makes it; words: what is written for `advice`."""
    first = load_lab(lab).checks[0]
    about = {"state": "passed"} | check
    written = {} if words is None else {"advice": {"text": words, "notes": []}}
    made = check_result(first, earned=earned, **about)
    return make_result(load_lab(lab), [made], student=student, id=id, file=f"{student}.ipynb", written=written)


def points(result: dict) -> dict:
    return {check["name"]: check["earned"] for check in result["checks"]}


def said(result: dict, name: str = "double") -> str:
    return next(check["message"] for check in result["checks"] if check["name"] == name)


def function(body: str, name: str = "double") -> str:
    return f"def {name}(x):\n" + "\n".join(f"    {line}" for line in body.splitlines())


WRONG = function("return 3 * x")

# The same with a written exercise, which a person judges.
RUBRIC = """\
RUBRIC advice, 3 points

- threat, 1 point: says who attacks,
  and how
- choice, 2 points: names a defense, and its price"""
ADVICE = "<!-- ANSWER advice -->\n### BEGIN SOLUTION *Write here.*\nTheir rivals. Take smoothing.\n### END SOLUTION"
STUB = "<!-- ANSWER advice -->\n*Write here.*"
AFTER = "Thank you."
WRITTEN_LAB = notebook([*CELLS[:3], text(RUBRIC), text(ADVICE), text(AFTER)]).decode()


def essay(*cells: str | dict, rubric: str = RUBRIC) -> list[dict]:
    """The text cells of a submission to the lab with a written exercise."""
    return [text(rubric), *(text(cell) if isinstance(cell, str) else cell for cell in cells), text(AFTER)]


def advice(words: str) -> str:
    return f"<!-- ANSWER advice -->\n{words}"


def percent(source: str) -> str:
    """A text cell in jupytext's percent format."""
    return "# %% [markdown]\n" + "\n".join(f"# {line}".rstrip() for line in source.splitlines()) + "\n"


WRITTEN_SOURCE = "\n".join(
    [
        percent("# Lab 99 · Tiny"),
        *(f"# %%\n{cell}\n" for cell in (GIVEN, DOUBLE, CHECK_DOUBLE)),
        percent("## 2 · Advice (3 points)\n\nYour client sells doubles."),
        *(percent(cell) for cell in (RUBRIC, ADVICE, AFTER)),
    ]
)
