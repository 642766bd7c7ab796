"""What the grader makes of a notebook before and after it runs: cells as Python, where answers are, what is told."""

import re
import sys
import time

import numpy as np
import pytest
import torch
from torch import nn

from grader.answers import defined_again, where_else
from grader.grade import load_lab
from grader.ipython import as_python, is_python
from grader.lab import cells_to_run
from grader.notebook import read_cells
from grader.oracle import Oracle
from grader.reports import feedback_page
from grader.session import argument_in_words
from tiny_lab import (
    ALL,
    COLOUR,
    DOUBLE,
    LAB,
    LOST,
    TOTAL,
    WRONG,
    answers,
    function,
    graded,
    notebook,
    points,
    said,
    text,
)

SHELL = "get_ipython()"


@pytest.mark.parametrize(
    ("cell", "python"),
    [
        ("x = 1  # %time\ny = '''\n%time\n!ls'''", "x = 1  # %time\ny = '''\n%time\n!ls'''"),
        ("await f()", "await f()"),
        ("x = !ls", f"{SHELL}"),
        ("t = %timeit -o f()", f"t = {SHELL}.run_line_magic('timeit', '-o f()')\n"),
        ("%time x = f('a')", "x = f('a')\n"),
        ("%time --no-raise-error x = 1", "x = 1\n"),
        ("if a:\n    %time x = 1", "if a:\n    x = 1\n"),
        ("%%time\nx = (1\n  % 2)", "\nx = (1\n  % 2)"),
        ("\n\n%%capture\n%%time\nx = 1", "\n\n\n\nx = 1"),
        ("%%capture -q out --no-stderr\nx = 1", f"out = {SHELL}.getoutput()\nx = 1"),
        ("%%some_extension 3\nx = 1", "\nx = 1"),
        ("%%some_extension\nselect x", f"{SHELL}.run_cell_magic('some_extension', '', 'select x\\n')\n"),
        ("%%timeit\nx = 1", f"{SHELL}.run_cell_magic('timeit', '', 'x = 1\\n')\n"),
        ("%%bash\nls", f"{SHELL}.run_cell_magic('bash', '', 'ls\\n')\n"),
        ("%%R\nx <- 3", f"{SHELL}.run_cell_magic('R', '', 'x <- 3\\n')\n"),
        ("In [3]: x = 1", "x = 1\n"),
        ("%%time\nx = (", "\nx = (\n"),
        ("this is no Python", "this is no Python\n"),
    ],
)
def test_a_cell_is_read_as_ipython_reads_it(cell, python):
    (made,) = as_python([cell])
    assert made == python or (python == SHELL and SHELL in made)
    assert is_python(made) == (not python.endswith(("(\n", "no Python\n")))


HOSTILE = [
    "%x\n" * 3000,
    "x?\n" * 1200 + "pass",
    "x = !ls\n" * 5000,
    "a" * 100_000 + "?",
    ("a" * 250 + " ") * 60 + "?",
    "%%time\n" * 100_000,
    "'''\n" * 3000 + "%x",
    "(" * 50_000 + "\n%x",
    "\\\n" * 50_000 + "!ls",
]


@pytest.mark.slow
def test_no_cell_keeps_the_teachers_process_busy():
    """A cell that is too much work stays as it is: then it is no Python, and costs itself."""
    begin = time.process_time()
    made = as_python([cell + f"  # {i}" for i in range(20) for cell in HOSTILE])
    assert time.process_time() - begin < 20 and len(made) == 20 * len(HOSTILE)


def trace(name: str, *cells: str | dict) -> str:
    lab, read = load_lab(LAB), read_cells(notebook(list(cells)))[0]
    chosen = cells_to_run(lab, [cell["source"] for cell in read if cell["kind"] == "code"])
    return where_else(name, lab, read, chosen)


STUB = 'def double(x):\n    raise NotImplementedError("write me")'
IN_CELL = {"cell_type": "code", "source": "result = 3", "metadata": {"nbgrader": {"grade_id": "double_answer"}}}
DOCUMENTED = 'def {}({}):\n    """Twice x."""\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION'


def test_an_answer_that_is_not_where_it_should_be_leaves_a_trace():
    assert trace("double", DOUBLE, TOTAL) == trace("double", WRONG) == trace("double", STUB) == ""
    assert trace("double", "import torch\nx = 5") == "", "own names that are like nothing of the lab"
    for cell in (text(DOUBLE), text(f"My answer:\n```python\n{DOUBLE}\n```\n"), {"cell_type": "raw", "source": DOUBLE}):
        for cells in ((cell,), (STUB, cell), ("%%time\nz = 1", cell)):
            number = len(cells) + 1  # the title is the first
            assert f"double: its answer may be in cell {number} of the notebook, which is a text cell" in trace(
                "double", *cells
            )
    assert "text cell" in trace("colour", text("colour = 'blue'"))
    for name, source in {
        "Double": "def Double(y): return y",
        "doubles": "doubles = lambda y: y",
        "double_x": "%%time\ndef double_x(y):\n    return y",
        "twice": "def twice(x): return 2 * x",
        "result": IN_CELL,
    }.items():
        assert trace("double", source) == f"double: no cell defines it; renamed to {name}?"
    assert trace("double", STUB, "def twice(x): return 2 * x").endswith("renamed to twice?"), "the stub is still there"
    lab = LAB.replace(
        DOUBLE.replace("\n", "\\n"), DOCUMENTED.format("double", "x").replace("\n", "\\n").replace('"', '\\"')
    )
    cells = read_cells(notebook([DOCUMENTED.format("other", "values")]))[0]
    chosen = [(1, cells[1]["source"])]
    assert lab != LAB and where_else("double", load_lab(lab), cells, chosen).endswith("renamed to other?")


@pytest.mark.slow
@pytest.mark.parametrize(("python", "told"), [("3.99.1", True), ("3.9.2", False), ("", False), (None, False)])
def test_a_cell_that_only_a_newer_python_reads_is_named_with_both(python, told):
    """No Python reads it here. It costs its own points, and the teacher learns what to grade with."""
    ours = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
    cells = answers(double=function("return 2 ** the new syntax x"))
    result = graded(notebook(cells, metadata={"language_info": {"name": "python", "version": python}}))
    assert points(result) == LOST and f"read by {ours}" in result["checks"][0]["got"]
    sentence = f"{ours}, with which this was graded, cannot read code cell 2. It was written with Python 3.99"
    assert (sentence in " ".join(result["look"])) == (sentence in result["checks"][0]["note"]) == told
    assert "cannot read" not in " ".join(check["note"] for check in result["checks"][1:])


def test_several_definitions_are_named_if_they_differ():
    assert defined_again("f", [(3, "def f(): pass"), (5, "x = 1"), (9, "f = 3")]) == (
        "f is defined in the code cells 3 and 9: the last one counts"
    )
    assert defined_again("f", [(1, "f = 1"), (2, "f = 2"), (3, "f = 3")]).startswith(
        "f is defined in the code cells 1, 2 and 3"
    )
    assert defined_again("f", [(3, "f = 3"), (9, "f = 3 \n\n")]) == defined_again("f", [(3, "f = 2\nf = 3")]) == ""


@pytest.mark.slow
def test_the_student_and_the_teacher_are_told_which_definition_counts():
    """A right answer, and in a later cell a wrong one; a renamed answer; one in a text cell."""
    done = graded(notebook([DOUBLE, WRONG, function("return x.sum()", "my_total"), text("colour = 'blue'")]))
    assert sum(points(done).values()) == 0
    line = "double is defined in the code cells 1 and 2: the last one counts"
    assert done["checks"][0]["note"] == line and line in feedback_page(done, "Lab")
    assert line in done["look"] and "total: no cell defines it; renamed to my_total?" in done["look"]
    assert any(reason.startswith("colour: its answer may be in cell 5") for reason in done["look"])


@pytest.mark.slow
def test_an_error_of_the_students_own_stops_its_cell_as_in_jupyter():
    """And a function that needs what is missing says so, when it is called."""
    colour = "colour = 'blue'\nraise OverflowError\ncolour = 'red'"
    needs = "import torchvision\n" + function("return torchvision.double(x)")
    done = graded(notebook(answers(double=needs, colour=colour)))
    assert points(done) == LOST == ALL | {"double": 0}
    assert "NameError: name 'torchvision' is not defined" in said(done)
    assert "line 1 could not run here: ModuleNotFoundError: No module named 'torchvision'" in done["checks"][0]["got"]
    assert COLOUR not in done["output"]


@pytest.mark.slow
def test_a_function_that_raises_is_told_its_line_and_what_it_was_called_with():
    """A check may hand it what the student has never tried: without its inputs an error can be a riddle."""
    result = graded(notebook(answers(double=function("return x[7]"))))
    said = result["checks"][0]["message"]
    assert "double raised" in said and "return x[7]" in said and re.search(r"when it was called with \[1", said), said


@pytest.mark.slow
@pytest.mark.parametrize(("line", "told"), [("return x[7]", True), ("return torch.empty(7) + unknown", False)])
def test_an_error_at_an_edge_is_told_apart_in_the_sandbox_too(line, told):
    """By the error itself: the line beside it may hold one of the words."""
    lab = LAB.replace("expect.leaves_arguments(double, x)", "expect.at_edge('nothing at the edge', double, x)")
    assert lab != LAB
    body = f"if len(x) == 3: return 2 * x\n{line}"  # the public part passes
    check = graded(notebook(answers(double=function(body))), lab=lab)["checks"][0]
    assert (check["state"] == "not met" and check["message"] == "nothing at the edge") == told, check
    assert (check["state"] == "raised" and "NameError" in check["message"]) != told, check


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.25, "0.25"),
        ("red", "red"),
        (torch.arange(3), "[0, 1, 2]"),
        (torch.zeros(5, 1, 8, 8), "an array of shape (5, 1, 8, 8)"),
        (np.zeros(9), "an array of shape (9,)"),
        ([0.5, torch.zeros(2, 3)], "[0.5, an array of shape (2, 3)]"),
        (list(range(30)), "a list of 30"),
        ({"a": 1}, "a dict of 1"),
        (nn.Linear(2, 2), "a network"),
        (Oracle(), "a network"),
        (len, "a function"),
        ("x" * 100, "x" * 59 + "…"),
    ],
)
def test_an_argument_is_told_in_a_few_words(value, told):
    assert argument_in_words(value) == told
