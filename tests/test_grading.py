"""The grader around one submission: what crosses the pipe, collecting, a class in parallel, resuming, reports."""

import ast
import contextlib
import csv
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time
import zipfile
from functools import partial
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import dying
from grader import batch, collect, reports, sandbox, sheet
from grader.__main__ import find_lab, main
from grader.grade import reasons_to_look, run_check, seed_of
from grader.inside import wire
from grader.lab import Check, bound, cells_to_run, given_cells_needed, handed_out, read_lab
from grader.notebook import read_cells
from grader.result import make_result, read_result, write_result
from grader.session import LabError, Raised, Session
from run import ROOT
from tiny_lab import (
    ALL,
    DOUBLE,
    GIVEN,
    LAB,
    LIMITS,
    MODULES,
    WRONG,
    answers,
    function,
    graded,
    notebook,
    points,
    result_of,
    text,
)
from utils import attacks, expect
from utils.models import Normalize

# What crosses the pipe.

numbers = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    numbers,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=20,
)


@given(values)
def test_plain_values_come_through(value):
    assert wire.carried(value) == value


@pytest.mark.parametrize("dtype", wire.DTYPES)
def test_tensors_come_through_with_their_type(dtype):
    for shape in ((), (0,), (3,), (2, 0, 4), (2, 3)):
        value = (torch.rand(shape) * 3).to(getattr(torch, dtype))
        for sent in (value, value.numpy(), value.mT if value.dim() > 1 else value):
            got = wire.carried([1, sent, "x"])[1]
            want = torch.as_tensor(sent)
            assert got.dtype == want.dtype and got.shape == want.shape and torch.equal(got, want)


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_any_bytes_are_a_value_or_garbled(header, body):
    with contextlib.suppress(wire.Garbled):
        wire.unpack(header, body)


@pytest.mark.parametrize(
    "header",
    [
        '{"tensor": ["float32", [4]]}',  # longer than the body
        '{"tensor": ["float32", [1099511627776, 1099511627776]]}',
        '{"tensor": ["float32", [-1]]}',
        '{"tensor": ["object", [1]]}',
        '{"tensor": ["__class__", [1]]}',
        '{"tensor": 5}',
        '{"numbers": ["float32", [4]]}',
        '{"numbers": ["bool", [1099511627775, 0]]}',
        '{"numbers": [[1], [1]]}',
        '{"tuple": 5}',
        '{"set": [[1]]}',
        '{"module": {"class": "os:system"}}',
        '{"import": "os:system"}',
        '{"dict": [[[1], 2]]}',
        '{"a": 1, "b": 2}',
        "[" * 5000,
        "9" * 5000,
        '[{"tensor": ["float32", []]}, 1]',
    ],
)
def test_a_forged_frame_is_garbled(header):
    with pytest.raises(wire.Garbled):
        wire.unpack(header.encode(), b"", None)


@pytest.mark.parametrize("shape", [[5_000_001], [1_000_000, 1, 1, 1, 1, 1]])
def test_a_list_of_numbers_cannot_fill_the_teachers_memory(shape):
    """A number of one byte becomes an object of many; nor can several lists."""
    header = json.dumps([{"numbers": ["bool", shape]}])
    with pytest.raises(wire.Garbled, match="too many numbers in lists"):
        wire.unpack(header.encode(), bytes(shape[0]))
    several = json.dumps([{"numbers": ["bool", [2_000_000]]}] * 3)
    with pytest.raises(wire.Garbled, match="too many numbers in lists"):
        wire.unpack(several.encode(), bytes(6_000_000))


def test_a_mask_in_front_of_a_network_of_networks_goes_down():
    model = nn.Sequential(nn.Sequential(nn.Sequential(nn.Linear(3, 2)), nn.ReLU()), nn.ReLU())
    x = torch.rand(4, 3)
    assert torch.equal(wire.carried([model], wire.describe, wire.rebuild)[0](x), model(x))


def test_models_and_functions_go_down():
    torch.manual_seed(0)
    model = nn.Sequential(
        Normalize(torch.tensor(0.3), torch.tensor(0.5)),
        nn.Conv2d(1, 2, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32, 3),
    ).eval()
    same = wire.carried(model, wire.describe, wire.rebuild)
    x = torch.rand(2, 1, 4, 4)
    assert torch.equal(same(x), model(x))
    assert [module.training for module in same.modules()] == [False] * 6
    assert torch.equal(*(attacks.fgsm(m, x, torch.tensor([0, 1]), eps=0.1) for m in (same, model)))
    assert wire.carried(attacks.fgsm, wire.describe, wire.rebuild) is attacks.fgsm
    for value in (lambda x: x, open, object()):
        with pytest.raises(TypeError):
            wire.carried(value, wire.describe, wire.rebuild)


# Which cells run.


def test_cells_that_the_lab_gave_run_only_if_something_uses_them():
    lab = read_lab(LAB)
    cells = answers()
    assert cells_to_run(lab, cells) == [(2, cells[1]), (4, cells[3]), (6, cells[5])]
    assert given_cells_needed(lab, cells_to_run(lab, cells)) == []
    assert given_cells_needed(lab, [(1, "def f(x):\n    return torch.ones(x)")]) == [GIVEN]
    assert given_cells_needed(lab, [(1, "def f(torch):\n    return torch")]) == []
    assert given_cells_needed(lab, [(1, "no Python at all")]) == [GIVEN]
    assert cells_to_run(lab, [handed_out(DOUBLE)]) == [(1, handed_out(DOUBLE))]
    assert cells_to_run(lab, [DOUBLE, handed_out(DOUBLE)]) == [(1, DOUBLE)]


def test_what_cannot_cross_stays_and_can_be_called():
    """Functions of the student's as arguments and as results; models as results; and what is gone is said."""
    cells = [
        (1, "import os, torch\ndef double(x):\n    return 2 * x\ndef twice(f, x):\n    return f(f(x))"),
        (2, "def make(k):\n    return lambda x: k * x\ndef model():\n    return torch.nn.Linear(2, 2)"),
        (3, "def end():\n    os._exit(0)\nthing = object()"),
    ]
    session = Session([], cells, modules=MODULES)
    try:
        double, twice, make, model, end = (
            session.get(name)["value"] for name in ("double", "twice", "make", "model", "end")
        )
        x = torch.ones(2)
        assert torch.equal(twice(double, x), 4 * x)
        triple = make(3)
        assert torch.equal(triple(x), 3 * x)
        assert torch.equal(twice(triple, x), 9 * x)
        assert model()(x).shape == (2,)
        assert "no plain value" in repr(session.get("thing")["value"])
        with pytest.raises(Raised, match="ended its process"):
            end()
        assert torch.equal(double(x), 2 * x), "a name of the notebook's is there again"
        with pytest.raises(Raised, match="is gone"):
            triple(x)
        for unknown in (lambda x: x, torch.zeros_like):  # the second says that it lives where nobody finds it
            with pytest.raises(LabError, match="cannot be sent"):
                double(unknown)
    finally:
        session.close()


class Own(nn.Module):
    """A model as a check makes one: random, and it counts."""

    def __init__(self):
        super().__init__()
        self.asked, self.weight = 0, nn.Parameter(torch.rand(3))

    def forward(self, x):
        self.asked += len(x)
        return (x * self.weight + torch.rand(len(x), 1)) ** 2


ASKS = """
import torch
def mean(model, x, n): return torch.stack([model(x) for _ in range(n)]).mean(0)
def slope(pair, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad((pair(x) - x).sum(), x)[0]
def wrong(model, x): return model(x[:, :2])
def weights(model, x): return [p.tolist() for p in model.parameters()] + list(model.state_dict())
def forged(model, x):
    for number in (7, -1, "0", None): model.ask({"do": "logits", "x": x, "model": number})
def later(x): return kept(x)
def both(first, second, x): return second(x), first(x)
def keep(model, x):
    global kept
    kept = model
"""


def test_a_model_of_a_checks_own_class_stays_here_and_is_asked():
    """Also inside of another model. Its code and its weights are in no process of a student's."""
    session, model, x = Session([], [(1, ASKS)], modules=MODULES), Own(), torch.rand(4, 3)
    names = ("mean", "slope", "wrong", "weights", "forged", "keep", "later", "both")
    ask = {name: session.get(name)["value"] for name in names}
    try:
        found = ask["mean"](model, x, 500)
        assert model.asked == 2000 and found.std(1).min() > 0
        assert torch.allclose(found, ((x * model.weight + 0.5) ** 2 + 1 / 12).detach(), atol=0.1)
        slope = ask["slope"](nn.Sequential(nn.Identity(), model), x) + 1
        assert ((slope / model.weight / 2 - x * model.weight)[:, :1] > 0).all(), "of the numbers that were drawn"
        with pytest.raises(Raised, match="ValueError: The size of tensor"):
            ask["wrong"](model, x)
        assert ask["weights"](model, x) == []
        asked, other = model.asked, Own()
        assert len(ask["both"](model, other, x)) == 2 and (model.asked - asked, other.asked) == (4, 4)
        assert ask["keep"](model, x) is None
        with pytest.raises(Raised, match="cannot be read: a question to no model"):
            ask["later"](x)
        with pytest.raises(Raised, match="cannot be read: a question to no model"):
            ask["forged"](model, x)
        assert torch.equal(ask["mean"](nn.ReLU(), x, 1), x), "the notebook is there again"
    finally:
        session.close()


def test_each_student_has_a_seed_of_their_own():
    seeds = {seed_of(key, student, lab) for key in ("a", "b") for student in ("x", "y") for lab in ("1", "2")}
    assert len(seeds) == 8
    assert seed_of("a", "x", "1") == seed_of("a", "x", "1")


def test_what_earlier_cells_or_calls_left_no_time_is_told_so():
    """It may be quick: "longer than 1 s" would send the student to the wrong place."""
    session = Session([], [(1, "import time\ndef slow():\n    time.sleep(1000)")], modules=MODULES)
    function = session.get("slow")["value"]
    session.deadline = time.monotonic() + 1  # as if others had used up all but this second
    session._cell(2, "slow()")
    assert session.problems == {2: "cell 2 was stopped: the notebook has used up its 300 s"}
    session.deadline = time.monotonic() + 300
    session.get("slow")
    session.deadline = time.monotonic() + 1
    with pytest.raises(Raised, match=r"^slow was stopped: the notebook has used up its 300 s$"):
        function()
    with pytest.raises(Raised, match=r"^the notebook has used up its 300 s$"):
        function()
    session.close()


def two_draws() -> tuple[float, float]:
    """What two calls of a student's function draw, graded with seed 5."""
    session = Session([], [(1, "import torch\ndef drawn():\n    return torch.rand(1).item()")], modules=MODULES)
    session.seeds = count(5)
    try:
        drawn = session.get("drawn")["value"]
        return drawn(), drawn()
    finally:
        session.close()


def test_the_sandbox_says_whether_a_gradient_gets_through():
    """A value that comes up has no graph: autograd runs below."""
    source = "def square(x, n): return n * x**2\n"
    source += "def stopped(x, n): return n * x.detach() ** 2\ndef half(x, n): return x * x.detach()"
    session, x = Session([], [(1, source)], modules=MODULES), torch.arange(3.0)
    square, stopped, half = (session.get(name)["value"] for name in ("square", "stopped", "half"))
    try:
        assert torch.equal(expect.slope(square, x, 3), 6 * x) and torch.equal(square(x, 3), 3 * x**2)
        assert expect.slope(stopped, x, 3) is None and torch.equal(expect.slope(half, x, n=3), x)
    finally:
        session.close()


def test_the_sandbox_sees_what_changed_inside_lists_and_keywords():
    code = "def takes(rows): rows.pop()\ndef adds(rows, *, more): more['x'] += 1\ndef calm(rows, *, more=None): pass"
    session = Session([], [(1, code)], modules=MODULES)
    try:
        takes, adds, calm = (session.get(name)["value"] for name in ("takes", "adds", "calm"))
        takes([torch.ones(2), torch.ones(1)])
        adds([1.5], more={"x": torch.ones(2)})
        calm([1.5], more={"x": torch.ones(2)})
        assert (takes.changed, adds.changed, calm.changed) == (True, True, False)
    finally:
        session.close()


def test_each_call_draws_numbers_of_its_own():
    """Draws that are the same in two calls say that a function seeds itself; another grading draws the same again."""
    first, again = two_draws()
    assert first != again
    assert two_draws() == (first, again)


def test_a_graded_function_draws_anew_in_each_call():
    drawn = "def drawn():\n    ### BEGIN SOLUTION\n    return torch.rand(1)\n    ### END SOLUTION"
    differ = 'expect.that(float(drawn()) != float(drawn()), "the same twice")'
    check = (
        f'# CHECK drawn, 1 point\nexpect.passed("drawn", of=1)\n### BEGIN HIDDEN TESTS\n{differ}\n### END HIDDEN TESTS'
    )
    lab = notebook([GIVEN, drawn, check])
    assert points(graded(lab, lab=lab.decode())) == {"drawn": 1}
    fixed = drawn.replace("return", "torch.manual_seed(0); return")
    assert points(graded(notebook([GIVEN, fixed, check]), lab=lab.decode())) == {"drawn": 0}


def test_checks_draw_from_the_students_seed():
    check = Check("c", 1, "expect.that(False, f'{seed} {torch.rand(1).item()}')", ())
    names = {"expect": expect, "torch": torch}
    said = [run_check(check, None, names, seed)["message"] for seed in (1, 1, 2)]
    assert said[0] == said[1] != said[2] and said[0].startswith("1 ") and said[2].startswith("2 ")


# Reports.


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\t=1", "\r=1", "＝1"])
def test_what_a_spreadsheet_would_run_is_text(text):
    assert sheet.safe_text(text) == "'" + text
    assert sheet.safe_text(-1.5) == "-1.5"


def result(student, earned=2.0, number="", **check) -> dict:
    return result_of(student, earned, number, **check) | {"points": 2.0}


def test_tables_hold_any_name(tmp_path):
    names = ['O\'Neil, "Zoë"', "=cmd|' /C calc'!A0", "a\nb", "../../etc", "\ud800", "x" * 300]
    results = [result(name, number=str(i)) for i, name in enumerate(names)]
    reports.write_reports([*results, result(names[0], 1.0, "0")], ["rest.txt: no notebook"], tmp_path, "Lab")
    rows = list(csv.reader(io.StringIO((tmp_path / "grades.csv").read_text(encoding="utf-8"), newline="")))
    assert [row[0] for row in rows[1:4]] == [names[0], "'" + names[1], names[2]]
    assert len(rows) == 8
    canvas = list(csv.reader(io.StringIO((tmp_path / "canvas.csv").read_text(encoding="utf-8"), newline="")))
    assert canvas[1][0].strip() == "Points Possible" and canvas[1][-1] == "2"
    assert canvas[2] == [names[0], "0", "", "", "", "2"], "of two submissions the one with most points"
    moodle = list(csv.reader(io.StringIO((tmp_path / "moodle.csv").read_text(encoding="utf-8"), newline="")))
    assert {"Identifier", "Grade", "Last modified (grade)"} < set(moodle[0]), "without these three Moodle refuses it"
    assert moodle[1] == ["Participant 0", names[0], "2", "2", ""]
    with zipfile.ZipFile(tmp_path / "moodle_feedback.zip") as archive:
        sent = {name.partition("/")[0].split("_", 4)[1]: archive.read(name) for name in archive.namelist()}
    assert sent.keys() == {str(i) for i in range(len(names))} and b"2 of 2 points" in sent["0"]
    pages = list((tmp_path / "feedback").iterdir())
    assert len(pages) == 6 and all(page.parent == tmp_path / "feedback" for page in pages)
    text = (tmp_path / "summary.txt").read_text(encoding="utf-8")
    assert "handed in more than one notebook" in text and "rest.txt" in text
    json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))


def test_the_summary_names_what_fails_most_and_who_needs_a_look(tmp_path):
    bad = [result(f"s{i}", 0.0, state="not met", message="not the double") for i in range(3)]
    odd = result("odd", 0.0, state="raised", message="double ended its process") | {"look": ["\x1b[31mtook long"]}
    text = reports.summary([result("good"), *bad, odd], [], "Lab")
    assert "double: 4 of 5; most often: not the double" in text
    assert "odd: took long" in text and "odd: double: double ended its process" in text
    assert reports.summary([], [], "Lab") == "Lab: no submissions\n"


class Broken:
    """An object as a student may write it."""

    def __repr__(self):
        raise ZeroDivisionError


ODD = {
    "tensor": torch.ones(2, 3),
    "large tensor": torch.rand(5, 5),
    "no numbers": torch.zeros(0, 4),
    "sparse": torch.ones(20).to_sparse(),
    "nowhere": torch.ones(20, device="meta"),
    "complex": torch.ones(20) * 1j,
    "array": np.ones(3),
    "scalar": np.float32(0.5),
    "NaN": float("nan"),
    "infinity": np.float64("inf"),
    "huge": 10**5000,
    "bytes": b"\xff\x00",
    "object": Broken(),
    "text of another type": np.str_("\ud800\x00"),
    "long": "x" * 50_000_000,
    "type": Broken,
    "nothing": None,
}


def keep_strictly(result, folder) -> dict:
    """A result by way of its file, which must be JSON as every program reads it."""
    write_result(folder / "result.json", result)
    written = (folder / "result.json").read_text(encoding="utf-8")
    assert len(written) < 150_000
    json.loads(written, parse_constant=pytest.fail).__str__().encode()  # no NaN, and no half of a character
    return read_result(folder / "result.json")


@pytest.mark.parametrize("what", ODD)
def test_whatever_a_check_says_can_be_kept_and_reported(what, tmp_path):
    """A lab's check may give a tensor where a sentence should be; one wrong answer then stopped the whole class."""
    for line in ("expect.that(False, 'no', expected=odd)", "expect.that(False, odd)", "raise ValueError(odd)"):
        check = Check("c", 1, f"{line}\nraise AssertionError", ())
        found = run_check(check, None, {"expect": expect, "odd": ODD[what]}, 1)
        assert found["earned"] == 0 and found["state"] in ("not met", "cannot be judged")
        assert {type(found[part]) for part in ("message", "expected", "got")} == {str}
        result = make_result(read_lab(LAB), [found], student="ann", look=[ODD[what]], output=ODD[what])
        kept = keep_strictly(result, tmp_path)
        assert kept == result
        reports.write_reports([kept], [], tmp_path, "Lab")


def test_a_check_without_words_stops_no_summary():
    assert "double: 1 of 1; most often: " in reports.summary([result("ann", 0, state="not met")], [], "Lab")


# A class.


@pytest.fixture
def graded_at_once(monkeypatch):
    """Submissions are graded without a sandbox: all points, and for `odd` a result that no file takes. Who it was."""
    asked = []

    def grade_at_once(tasks, common, jobs, work):
        for file, submission in tasks.items():
            asked.append(submission.student)
            made = result_of(submission.student, lab=common["lab"])
            yield file, made | ({"output": torch.ones(2)} if submission.student == "odd" else {})

    monkeypatch.setattr(batch, "grade_on_cores", grade_at_once)
    return asked


def test_a_result_that_cannot_be_kept_stops_no_one_else(lab, tmp_path, graded_at_once):
    source = fill(tmp_path / "in", ann=b"1", odd=b"2", zoe=b"3")
    for again in (["ann", "odd", "zoe"], ["odd"], ["odd"]):
        summary = batch.grade_class(lab, source, tmp_path / "out")
        assert totals(tmp_path / "out") == {"ann": 2, "odd": 0, "zoe": 2}
        assert graded_at_once == again, "what could not be graded is tried again, and nothing else is"
        assert "COULD NOT BE GRADED: 1 submission;" in summary
        assert "odd: its result could not be written to a file (TypeError: Object of type Tensor" in summary
        graded_at_once.clear()


def test_a_damaged_result_is_graded_again(lab, tmp_path, graded_at_once):
    source = fill(tmp_path / "in", ann=b"1", bob=b"2")
    batch.grade_class(lab, source, tmp_path / "out")
    files = {read_result(file)["student"]: file for file in (tmp_path / "out" / "results").iterdir()}
    for damaged in ("", "{", "[]", '{"student": "ann"}', "\0"):
        graded_at_once.clear()
        files["ann"].write_text(damaged)
        (tmp_path / "out" / "results" / "another.json").write_text(damaged)
        assert "2 students" in batch.grade_class(lab, source, tmp_path / "out")
        assert graded_at_once == ["ann"] and totals(tmp_path / "out") == {"ann": 2, "bob": 2}


def test_code_that_decides_on_points_grades_a_class_anew(tmp_path, graded_at_once, monkeypatch):
    """PGD's default step decides in lab 02. A comment decides nothing; nor does a module that only shows."""
    root = tmp_path / "course"
    for folder in ("utils", "grader"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(batch, "what_decides", partial(batch.what_decides, root=root))
    lab, source = ROOT / "solutions" / "02_stronger_attackers.ipynb", fill(tmp_path / "in", ann=b"1")

    def graded_anew() -> bool:
        graded_at_once.clear()
        batch.grade_class(lab, source, tmp_path / "out")
        return graded_at_once == ["ann"]

    def change(file: str, old: str, new: str) -> bool:
        text = (root / file).read_text(encoding="utf-8")
        assert old in text, f"{file} has changed, so this test would change nothing"
        (root / file).write_text(text.replace(old, new), encoding="utf-8")
        return graded_anew()

    assert graded_anew() and not graded_anew()
    assert not change("utils/attacks/gradient.py", "2.5 *", "2.5 *  # a comment\n       ")
    assert change("utils/attacks/gradient.py", "2.5 *", "0.01 *")
    assert change("utils/expect.py", "1e-5", "1e-4")
    assert change("grader/session.py", "MOST_ENDING = 4", "MOST_ENDING = 5")
    assert change("grader/inside/child.py", "MOST_KEPT = 1000", "MOST_KEPT = 1001")
    assert change("grader/inside/pristine.py", "ENDS = 4", "ENDS = 5")
    assert not change("grader/reports.py", "NAMED = 30", "NAMED = 31")
    assert not change("utils/privacy/dpsgd.py", "import", "import os\nimport"), "lab 02 does not import it"
    monkeypatch.setattr(batch, "installed_version", lambda name: "another")
    assert graded_anew()
    monkeypatch.setattr(sys, "version_info", (3, 99, 0))
    assert graded_anew(), "another Python reads other cells"


def test_a_mark_in_a_comment_of_the_lab_decides():
    """The points of a check stand in its first line, which is a comment."""
    changed = LAB.replace("CHECK double, 2 points", "CHECK double, 3 points")
    assert batch.what_decides(LAB) == batch.what_decides(LAB) != batch.what_decides(changed)


def test_each_name_of_the_grader_has_one_meaning():
    """No function, class or constant is defined in two of its modules."""
    places = {}
    for file in sorted((ROOT / "grader").rglob("*.py")):
        for name in bound_outside_imports(file.read_text(encoding="utf-8")):
            places.setdefault(name, []).append(file.name)
    twice = {name: files for name, files in places.items() if len(files) > 1}
    assert len(places) > 100 and not twice


def bound_outside_imports(source: str) -> set[str]:
    body = [node for node in ast.parse(source).body if not isinstance(node, (ast.Import, ast.ImportFrom, ast.If))]
    return {name for node in body for name in bound(ast.unparse(node))}


@pytest.fixture
def lab(tmp_path):
    (tmp_path / "99_tiny.ipynb").write_text(LAB)
    return tmp_path / "99_tiny.ipynb"


def fill(folder, **students):
    folder.mkdir(exist_ok=True)
    for name, content in students.items():
        (folder / f"{name}.ipynb").write_bytes(content)
    return folder


def totals(target) -> dict:
    return {r["student"]: r["earned"] for r in json.loads((target / "report.json").read_text())["results"]}


def test_a_class_is_graded_once_and_resumed(lab, tmp_path):
    source = fill(tmp_path / "in", ann=notebook(answers()), bob=notebook(answers(double=WRONG)), eve=b"")
    target = tmp_path / "out"
    summary = batch.grade_class(lab, source, target, jobs=1, limits=LIMITS)
    assert totals(target) == {"ann": 4, "bob": 2, "eve": 0}
    assert "3 students" in summary and "eve: the file is empty" in summary
    assert stat.S_IMODE((target / "key").stat().st_mode) == 0o600

    before = {file: file.stat().st_mtime_ns for file in (target / "results").iterdir()}
    batch.grade_class(lab, source, target, jobs=1, limits=LIMITS)
    assert {file: file.stat().st_mtime_ns for file in (target / "results").iterdir()} == before, "nothing is done twice"

    fill(source, bob=notebook(answers()), new=notebook(answers(colour="colour = 5")))
    batch.grade_class(lab, source, target, jobs=1, limits=LIMITS)
    assert totals(target) == {"ann": 4, "bob": 4, "eve": 0, "new": 3}
    after = {file: file.stat().st_mtime_ns for file in (target / "results").iterdir()}
    assert len(after) == 5 and before.items() <= after.items(), "only what is new is graded"


def test_who_is_not_handed_in_again_is_missed(lab, tmp_path, graded_at_once):
    """Late work alone: the tables list what is in FROM, and it is said who was graded before and is not in it."""
    target = tmp_path / "out"
    early = fill(tmp_path / "in", ann=b"1", bob=b"2")
    assert "MISSING FROM" not in batch.grade_class(lab, early, target)
    late = fill(tmp_path / "late", bob=b"another", zoe=b"3")
    for _ in range(2):
        summary = batch.grade_class(lab, late, target)
        assert totals(target) == {"bob": 2, "zoe": 2}
        assert "MISSING FROM `FROM`: 1 student of an earlier run. They are not in the tables: ann." in summary
    fill(early, zoe=b"3")
    assert "MISSING FROM" not in batch.grade_class(lab, early, target)
    assert totals(target) == {"ann": 2, "bob": 2, "zoe": 2}
    assert sorted(graded_at_once) == ["ann", "bob", "bob", "zoe"], "nobody is graded twice"
    nobody = fill(tmp_path / "nobody")
    assert "MISSING FROM `FROM`: 3 students" in batch.grade_class(lab, nobody, target)


def test_the_instructors_notebook_is_worth_a_look():
    """Handed in as it is, or copied in part, with the marks that no lab has."""

    def look(cells: list) -> list[str]:
        session = SimpleNamespace(cells=[], problems={}, ending=set())
        return reasons_to_look(session, [], read_cells(notebook(cells))[0])

    mine = [function("return x + x"), function("return sum(x)", "total"), 'colour = "blue"']
    for cells in (answers(), answers(*mine), [*mine, text("### BEGIN SOLUTION\nwords")]):
        assert "the instructor's notebook" in look(cells)[0]
    assert look([handed_out(cell) for cell in answers()] + mine) == []
    done = graded(notebook(answers()))
    assert points(done) == ALL and "the instructor's notebook" in done["look"][0]


def test_what_a_lab_prints_is_not_heard_for_each_worker(capsys):
    lab = notebook([GIVEN + "\nprint('the figures of the lab')", *answers()[1:]]).decode()
    assert points(graded(notebook(answers()), lab=lab)) == ALL
    assert capsys.readouterr().out == ""


def test_a_folder_without_a_notebook_is_no_class(lab, tmp_path):
    (fill(tmp_path / "in") / "README.md").write_text("read me")
    with pytest.raises(ValueError, match="in holds no notebook"):
        batch.grade_class(lab, tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_no_submission_of_this_lab_is_seen_before_anything_runs(lab, tmp_path, graded_at_once):
    """Fourteen labs in one folder, graded as one of them: minutes of work, and thirteen zeros."""
    another = notebook(["reports = {}"]).replace(b"Lab 99", b"Lab 98")
    others = {f"other{i}": another for i in range(1, 4)}
    with pytest.raises(ValueError, match=r"3 of 4 notebooks have nothing of 'Lab 99 · Tiny' \(other1.ipynb, ") as said:
        batch.grade_class(lab, fill(tmp_path / "in", **others, anna=notebook(answers())), tmp_path / "out")
    assert "--anyway" in str(said.value) and not (tmp_path / "out").exists() and not graded_at_once
    few = fill(tmp_path / "few", other1=another, anna=notebook(answers()), ben=notebook(answers()))
    summary = batch.grade_class(lab, few, tmp_path / "graded")
    assert "other1.ipynb: has nothing of this lab" in summary
    assert "3 students" in batch.grade_class(lab, few, tmp_path / "graded", anyway=True)


def test_a_lab_is_found_by_its_number(capsys):
    assert find_lab("1").stem == find_lab("01").stem == "01_one_gradient_step"
    assert find_lab("07").stem != find_lab("07b").stem


def test_a_grading_process_that_dies_costs_nobody_else(tmp_path):
    """Nor does a result that cannot come back from its process, nor a file that is gone."""
    failed = {"bad": "ended 3 times", "odd": "did not come back", "gone": "could not be read (FileNotFoundError"}
    students = ("ann", "bob", "eve", "luckless", "zoe", *failed)
    source = fill(tmp_path / "in", **{name: notebook([]) for name in students})
    found, _ = collect.collect(source)
    (source / "gone.ipynb").unlink()
    tasks = {tmp_path / submission.student: submission for submission in found}
    about = {"lab": LAB, "key": str(tmp_path), "limits": {}}
    done = {
        file.name: result
        for file, result in batch.grade_on_cores(tasks, about, 2, batch.GRADING._replace(do=dying.grade))
    }
    assert {name: result["failed"] for name, result in done.items()} == {name: name in failed for name in students}
    for name, reason in failed.items():
        assert reason in done[name]["checks"][0]["message"]


def test_the_command_and_weaker_isolation(lab, tmp_path):
    """Without bubblewrap it says so, once and loudly, and the grades are right."""
    source = tmp_path / "all.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("ann_100_200_x.ipynb", notebook(answers()))
        archive.writestr("bob.ipynb", notebook(answers(double=WRONG)))
    command = [
        sys.executable,
        "-m",
        "grader",
        "--lab",
        lab,
        "--from",
        source,
        "--to",
        tmp_path / "out",
        "--jobs",
        "1",
    ]
    without = os.environ | {"COURSE_BUBBLEWRAP": "0", "PYTHONIOENCODING": "ascii"}  # a terminal that knows no ▪ or ·
    done = subprocess.run(command, cwd=ROOT, env=without, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("WEAKER") == 1 and "COURSE_BUBBLEWRAP=0" in done.stderr
    walls = {tuple(each["isolation"]) for each in json.loads((tmp_path / "out" / "report.json").read_text())["results"]}
    assert len(walls) == 1 and not {"bubblewrap"} & set(*walls)
    assert f"Kept apart by {', '.join(*walls)}: 2 of 2" in done.stdout
    assert totals(tmp_path / "out") == {"ann": 4, "bob": 2}
    assert "2 students" in done.stdout


CLOSED = {
    "kernel/apparmor_restrict_unprivileged_userns": "sudo tee /etc/apparmor.d/bwrap && sudo systemctl reload apparmor",
    "kernel/unprivileged_userns_clone": "sudo sysctl -w kernel.unprivileged_userns_clone=1",
    "user/max_user_namespaces": "sudo sysctl -w user.max_user_namespaces=",
    "none of these": "In a container",
}


@pytest.mark.parametrize("closed", CLOSED)
def test_a_bubblewrap_that_may_make_no_user_namespaces_is_told_so(closed, tmp_path, monkeypatch):
    """As on Ubuntu 24.04: it is installed, and the advice to install it would help nobody."""
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(sandbox, "setting_is", lambda setting, value: setting == closed)
    path, why = sandbox.tried_bubblewrap.__wrapped__()
    assert path == "" and "is installed" in why and "closes user namespaces" in why and CLOSED[closed] in why
    assert "apt install" not in why
    assert not closed.startswith("kernel/apparmor") or f"profile bwrap {fake} flags" in why


def test_the_advice_of_teaching_is_the_graders():
    teaching = (ROOT / "TEACHING.md").read_text(encoding="utf-8")
    commands = [command.format(path="/usr/bin/bwrap") for _, _, command in sandbox.OPENED]
    assert commands[0] in teaching


def test_a_wrong_command_is_told_in_one_line(tmp_path):
    for wrong, said in (
        (["--lab", "77", "--from", "."], "choose one of"),
        (["--lab", "01", "--from", "no/where"], "no folder"),
    ):
        with pytest.raises(SystemExit) as told:
            main(["--to", f"{tmp_path}", *wrong])
        assert said in told.value.code and "\n" not in told.value.code, "Python prints it, and ends with 1"


def test_make_grade_without_from_or_to_grades_nothing(capsys):
    """An empty path is this folder: the course itself would be graded, into its own folder."""
    for wrong in (["--from", "", "--to", ""], ["--from", "in", "--to", " "], ["--from", "", "--to", "out"]):
        with pytest.raises(SystemExit):
            main(["--lab", "01", *wrong])
        assert "name both: make grade LAB=01 FROM=submissions.zip TO=grades" in capsys.readouterr().err


def test_teaching_names_commands_that_run():
    """After `make lab`, with no environment activated, there is no torch in `python`, and pip installs elsewhere."""
    teaching = (ROOT / "TEACHING.md").read_text(encoding="utf-8")
    assert not re.findall(r"(?<![\w/.-])(?:python3? -m|dask worker) .*|(?<!-m )\b(?:pip install|pytest) .*", teaching)
    assert ".venv/bin/python -m grader" in teaching and "'.[dask]'" in teaching, "the course is on no index"


def test_what_students_get_without_solutions(tmp_path):
    """As TEACHING.md makes it, from a repository of the same folders: all but `solutions`; and no lab needs these."""
    command = re.search(r"git archive HEAD -- (.*?) \|", (ROOT / "TEACHING.md").read_text(encoding="utf-8"))[1]
    for folder in ("labs", "solutions/src", "utils/solutions"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a").touch()
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@x"]
    for each in (["init", "--quiet"], ["add", "-A"], ["commit", "--quiet", "-m", "x"]):
        subprocess.run([*git, *each], cwd=tmp_path, check=True)
    names = subprocess.run(
        f"git archive HEAD -- {command} | tar -t", shell=True, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert {name for name in names.stdout.split() if not name.endswith("/")} == {"labs/a", "utils/solutions/a"}
    labs = [*(ROOT / "labs").glob("*.ipynb")]
    assert labs and not [lab for lab in labs if "solutions/" in lab.read_text(encoding="utf-8")]


def test_git_does_not_take_students_data(tmp_path):
    """By the names that TEACHING.md and the README give to folders, or in the course's own folder."""
    shutil.copy(ROOT / ".gitignore", tmp_path)
    made = ["grades/key", "grades/results/1.json", "grades-lab14/grades.csv", "submissions.zip", "submissions/a.ipynb"]
    made += ["late.zip", "audit/card.json", "key", "results/1.json", "canvas.csv", "report.json", "feedback/a.html"]
    ours = ["grader/a.py", "labs/01.ipynb", "notebooks/field_guide.html", "tests/data/a.csv", "utils/audit/a.py"]
    git = ["git", "-c", "core.excludesFile=/dev/null"]
    subprocess.run([*git, "init", "--quiet", tmp_path], check=True)
    done = subprocess.run([*git, "check-ignore", *made, *ours], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == made


def test_children_leave_nothing_behind():
    """No process, no open descriptor, no folder."""
    graded(notebook(answers()))
    before = len(os.listdir("/proc/self/fd"))
    assert points(graded(notebook(answers(double="import os\ndef double(x):\n    os._exit(1)")))) == ALL | {"double": 0}
    assert len(os.listdir("/proc/self/fd")) == before
    started = subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", "grader.inside"], capture_output=True, text=True)
    ours = sandbox.pristine(MODULES)
    assert started.stdout.split() == ([str(ours.process.pid)] if ours else []), "but for what forks the next one"
