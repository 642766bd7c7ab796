"""Beside the grades of a class: answers that are alike, grading again when something changes, checks for a student."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest

from grader import __main__ as commands
from grader import batch
from grader.alike import functions_of, shared_answers
from grader.batch import each_change, still_grading
from grader.lab import handed_out
from grader.public import public_checks
from grader.reports import summary
from run import ROOT
from tiny_lab import CELLS, GIVEN, LAB, WRONG, answers, graded, notebook, result_of

LONG = '''
def keep(model, x, y, eps):
    """Keep the best of some tries."""
    best = x
    # a comment
    for step in range(10):
        moved = x + eps * step / 10
        wrong = model(moved).argmax(1) != y
        best = moved.where(wrong[:, None], best)
        if wrong.all():
            break
        elif step > 5 and wrong.float().mean() > 0.5:
            eps = eps / 2
            best = best.clamp(0, 1)
    return best
'''
OTHERS = {
    "other names": LONG.replace("best", "champion").replace("step", "i").replace("moved", "z").replace("eps", "radius"),
    "other comments and layout": LONG.replace("# a comment", "# another\n\n").replace("the best of", "something of"),
    "with types": LONG.replace("(model, x, y, eps)", "(model: object, x, y, eps: float) -> object"),
}
DIFFERENT = {
    "another number": LONG.replace("0.5", "0.4"),
    "another order": LONG.replace("x + eps * step / 10", "eps * step / 10 + x"),
    "names that mean another thing": LONG.replace("eps = eps / 2", "best = eps / 2"),
    "another method": LONG.replace("argmax", "argmin"),
}


def shape(source: str) -> str:
    return functions_of([source])["keep"]


@pytest.mark.parametrize("what", OTHERS)
def test_renaming_and_layout_hide_nothing(what):
    assert shape(OTHERS[what]) == shape(LONG)


@pytest.mark.parametrize("what", DIFFERENT)
def test_another_answer_is_another(what):
    assert shape(DIFFERENT[what]) != shape(LONG)


def test_short_answers_and_what_is_no_python_have_no_shape():
    assert functions_of(["def double(x):\n    return 2 * x", "def (", "\0", "(" * 10_000]) == {}


def test_the_last_definition_counts():
    assert functions_of([DIFFERENT["another number"], LONG]) == functions_of([LONG])


def test_what_many_have_in_common_is_not_listed():
    two = {"ann": {"keep": "a"}, "ben": {"keep": "a"}, "chloe": {"keep": "b"}}
    assert shared_answers(two) == [("keep", ["ann", "ben"])]
    assert shared_answers({f"student {i}": {"keep": "a"} for i in range(4)}) == []
    class_of_50 = {f"student {i}": {"keep": "a" if i < 5 else str(i)} for i in range(50)}
    assert len(shared_answers(class_of_50)) == 1 and len(shared_answers(class_of_50)[0][1]) == 5


def test_the_summary_lists_them_and_accuses_nobody():
    results = [
        result_of(name) | {"shapes": {"keep": shape}} for name, shape in (("ann", "a"), ("ben", "a"), ("eve", "b"))
    ]
    said = summary(results, [], "Lab")
    assert "  keep: ann, ben" in said and "nobody is accused" in said and "eve" not in said
    assert "nobody is accused" not in summary(results[1:], [], "Lab")


@pytest.mark.slow
def test_a_graded_answer_has_its_shape_but_not_the_instructors_own():
    lab = notebook(
        [GIVEN, LONG.replace('tries."""', 'tries."""\n    ### BEGIN SOLUTION') + "    ### END SOLUTION", CHECK]
    )
    mine = graded(notebook([GIVEN, DIFFERENT["another number"]]), lab=lab.decode())
    ours = graded(notebook([GIVEN, OTHERS["other names"]]), lab=lab.decode())
    assert mine["shapes"] == functions_of([DIFFERENT["another number"]]) and ours["shapes"] == {}


CHECK = "# CHECK keep, 1 point\nkeep\nexpect.passed('keep', of=1)"


# Grading again when something changes.


def test_a_change_is_reported_once_and_when_it_is_whole(tmp_path):
    """Each look is one step of a script: what happens before it."""
    folder, lab, happened = tmp_path / "in", tmp_path / "lab.ipynb", []
    folder.mkdir()
    lab.write_text("1")
    steps = [
        lambda: None,
        lambda: (folder / "a.ipynb").write_text("begun"),
        lambda: (folder / "a.ipynb").write_text("begun and finished"),
        lambda: None,
        lambda: None,
        lambda: lab.write_text("22"),
        lambda: None,
        lambda: (folder / "a.ipynb").unlink(),
        lambda: None,
    ]

    def wait():
        happened.append(len(happened))
        if len(happened) > len(steps):
            raise KeyboardInterrupt
        steps[len(happened) - 1]()

    seen = []
    with pytest.raises(KeyboardInterrupt):
        for _ in each_change([lab, folder], wait):
            seen.append(len(happened))
    assert seen == [0, 4, 7, 9]


def test_watching_grades_what_has_changed(tmp_path, monkeypatch, capsys):
    source, graded_so_far = tmp_path / "in", []
    source.mkdir()

    def grade(lab, source, target, **how):
        graded_so_far.append(sorted(file.name for file in source.iterdir()))
        return "a summary"

    def sleep(seconds):
        if len(graded_so_far) == 2:
            raise KeyboardInterrupt
        if not (source / "a.ipynb").exists():
            (source / "a.ipynb").write_text("{}")

    monkeypatch.setattr(commands, "grade_class", grade)
    monkeypatch.setattr(commands.time, "sleep", sleep)
    with pytest.raises(SystemExit) as left:
        commands.main(["--lab", "01", "--from", str(source), "--to", str(tmp_path / "out"), "--watch"])
    assert graded_so_far == [[], ["a.ipynb"]] and left.value.code == 130
    assert capsys.readouterr().out.count("a summary") == 2


@pytest.mark.parametrize(
    ("done", "total", "seconds", "said"),
    [
        (10, 40, 20, "10 of 40 done; the rest takes about 60 s"),
        (1, 301, 2, "1 of 301 done; the rest takes about 10 min"),
    ],
)
def test_how_long_the_rest_takes(done, total, seconds, said):
    assert said in still_grading(done, total, seconds)


@pytest.mark.slow
def test_a_long_run_says_so_in_its_summary(tmp_path, monkeypatch):
    """The clock is ours: each submission takes a minute."""
    (tmp_path / "lab.ipynb").write_text(LAB)
    (tmp_path / "in").mkdir()
    for name in ("ann", "ben", "eve"):
        (tmp_path / "in" / f"{name}.ipynb").write_bytes(notebook(answers()))
    clock, read = itertools.count(0, 60), []

    def slowly(tasks, common, jobs, work):
        for file, submission in tasks.items():
            summary_now = tmp_path / "out" / "summary.txt"
            read.append(summary_now.read_text().splitlines()[0] if summary_now.exists() else "")
            yield file, result_of(submission.student)

    monkeypatch.setattr(batch, "grade_on_cores", slowly)
    monkeypatch.setattr(batch, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    said = batch.grade_class(tmp_path / "lab.ipynb", tmp_path / "in", tmp_path / "out")
    assert read[0] == "" and "STILL GRADING: 1 of 3 done; the rest takes about 2 minutes" in read[1]
    assert "STILL GRADING: 2 of 3 done; the rest takes about 60 s" in read[2]
    assert "STILL GRADING" not in said and "STILL" not in (tmp_path / "out" / "summary.txt").read_text()


# A student's public checks.


def handed_out_to(folder: Path) -> Path:
    """A folder of labs with the tiny one, as students get it."""
    folder.mkdir()
    cells = [handed_out(cell) for cell in CELLS]
    (folder / "99_tiny.ipynb").write_bytes(notebook(cells))
    return folder


@pytest.mark.parametrize(
    ("cells", "passed", "said"),
    [
        (answers(), 3, "3 of 3 public checks passed; hidden checks decide"),
        (answers(double=WRONG), 2, "✗ double: not the double"),
        (answers(double="def double(x):\n    return 1 / 0"), 2, "✗ double: ZeroDivisionError"),
        (answers(before=["%matplotlib inline\n!ls", "print(1 / 0)"]), 3, "cell 3: ZeroDivisionError"),
        ([cell for cell in answers(double=WRONG) if not cell.startswith("# CHECK")], 2, "✗ double: not the double"),
        ([*answers(double=WRONG), "# CHECK double, 2 points\npass"], 2, "✗ double: not the double"),
    ],
)
def test_public_checks_are_those_that_were_handed_out(tmp_path, capsys, cells, passed, said):
    (tmp_path / "mine.ipynb").write_bytes(notebook(cells))
    assert public_checks(tmp_path / "mine.ipynb", handed_out_to(tmp_path / "labs")) == (passed, 3)
    assert said in capsys.readouterr().out


@pytest.mark.slow
def test_the_command_for_students(tmp_path):
    (tmp_path / "mine.ipynb").write_bytes(notebook(answers()))
    with pytest.raises(SystemExit, match="the title of no lab"):
        commands.main(["check", str(tmp_path / "mine.ipynb")])
    lab = ROOT / "labs" / "01_one_gradient_step.ipynb"
    with pytest.raises(SystemExit) as left:
        commands.main(["check", str(lab)])
    assert left.value.code == 1, "nothing is answered in it"
