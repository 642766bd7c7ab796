"""The labs: built from one text, no answer in what students get, and checks that tell right answers from wrong ones."""

import ast
import re
from copy import deepcopy
from functools import cache

import nbformat
import numpy as np
import pytest
import torch

from grader.grade import given_names, load_lab, run_check
from grader.lab import HIDDEN, SOLUTION, bound, handed_out, is_exercise
from grader.reports import write_reports
from grader.result import Result, make_result, read_result, write_result
from labs import LABS, SOLUTIONS, SOURCES, instructors, students, tries
from tiny_lab import RUBRIC, STUB, WRITTEN_SOURCE
from utils import expect

STEMS = sorted({file.stem for file in [*SOURCES.glob("*.py"), *LABS.glob("*.ipynb"), *SOLUTIONS.glob("*.ipynb")]})
each = pytest.mark.parametrize("stem", STEMS)


@cache
def read(folder, stem):
    return nbformat.read(folder / f"{stem}.ipynb", as_version=4)


@cache
def written(stem):
    """The instructor's notebook as its source says."""
    return instructors(SOURCES / f"{stem}.py")


@cache
def content(stem) -> str:
    return (SOLUTIONS / f"{stem}.ipynb").read_text()


def code(notebook) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_labs():
    assert STEMS


@each
def test_both_notebooks_are_those_of_the_source(stem):
    want = written(stem)
    assert read(LABS, stem) == students(want), "out of date: run make labs"
    have = read(SOLUTIONS, stem)
    assert [(c.id, c.source, c.metadata) for c in have.cells] == [(c.id, c.source, c.metadata) for c in want.cells]
    assert have.metadata.fingerprint == want.metadata.fingerprint, "out of date: run make labs"


@each
def test_the_instructors_notebook_was_run_and_passes_its_own_checks(stem):
    cells = [cell for cell in read(SOLUTIONS, stem).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
    assert not [o for cell in cells for o in cell.outputs if o.output_type == "error" or o.get("name") == "stderr"]


@each
def test_no_line_of_a_solution_or_hidden_check_is_in_the_lab(stem):
    source = "\n".join(cell.source for cell in read(SOLUTIONS, stem).cells)
    secret = "\n".join(match[0] for pattern in (SOLUTION, HIDDEN) for match in pattern.finditer(source))
    lab_text = (LABS / f"{stem}.ipynb").read_text()
    shown = {line.strip() for cell in read(LABS, stem).cells for line in cell.source.splitlines()}
    public = {line.strip() for line in HIDDEN.sub("", SOLUTION.sub("", source)).splitlines()}
    lines = {line.strip() for line in secret.splitlines()} - public - {"", ")", "}", "]"}
    assert len(lines) > 20
    assert not {line for line in lines if line in shown}
    assert not [mark for mark in ("BEGIN", "HIDDEN", '"outputs": [\n    {') if mark in lab_text]


@each
def test_ten_points_in_three_to_five_exercises(stem):
    lab = load_lab(content(stem))
    assert lab.points == 10
    assert 3 <= len(lab.stubs) + len(lab.rubrics) <= 5
    assert {name for check in lab.checks for name in check.names} == {n for names in lab.stubs.values() for n in names}


@each
def test_metadata_is_nbgraders(stem):
    for folder in (LABS, SOLUTIONS):
        told = [cell.metadata.nbgrader for cell in read(folder, stem).cells if "nbgrader" in cell.metadata]
        assert all(about.schema_version == 3 for about in told)
        assert all(about.grade != about.solution for about in told if about.cell_type == "code")
        assert len({about.grade_id for about in told}) == len(told)
        assert sum(about.get("points", 0) for about in told) == 10


def has_value(source: str) -> bool:
    """Whether a cell ends in a value, and not in a call of `expect` that returns none."""
    last = ast.parse(source).body[-1]
    if not isinstance(last, ast.Expr):
        return False
    called = ast.unparse(last.value.func) if isinstance(last.value, ast.Call) else ""
    function = getattr(expect, called.removeprefix("expect."), None) if called.startswith("expect.") else None
    return function is None or function.__annotations__.get("return") is not None


@each
def test_a_students_checks_are_folded_to_the_line_that_names_them(stem):
    for cell in read(LABS, stem).cells:
        folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        named = cell.source.startswith(("# CHECK ", "# @title "))
        assert cell.cell_type != "code" or folded == named, cell.source[:60]


@each
def test_no_graded_cell_ends_in_a_value(stem):
    """nbgrader takes a number there for points, and gives full credit for a tensor with a warning that it may not."""
    cells = [cell for cell in written(stem).cells if cell.cell_type == "code"]
    graded = [cell.source for cell in cells if cell.metadata.get("nbgrader", {}).get("grade")]
    code = [source for check in graded for source in (check, handed_out(check))]
    assert code and not [source for source in code if has_value(source)]
    assert has_value("expect.tensor(x, like=y)") and has_value("x") and not has_value("expect.that(True, 'no')")


def test_a_written_exercise_is_built(tmp_path):
    """Students see the rubric, and a cell to write in; nbgrader's metadata say that a person grades it."""
    (tmp_path / "99_tiny.py").write_text(WRITTEN_SOURCE)
    solution = instructors(tmp_path / "99_tiny.py")
    lab = students(solution)
    nbformat.validate(lab)
    cells = {cell.id: cell for cell in lab.cells}
    rubric, answer = cells["2-advice-3-points-2"], cells["2-advice-3-points-3"]
    assert rubric.source == RUBRIC and "nbgrader" not in rubric.metadata
    assert answer.source == STUB and "smoothing" not in nbformat.writes(lab)
    about = {"grade": True, "solution": True, "locked": False, "task": False, "schema_version": 3}
    about |= {"grade_id": "advice_answer", "cell_type": "markdown", "points": 3}
    assert answer.metadata.nbgrader == about
    assert [cell.id for cell in solution.cells] == [*cells]
    assert load_lab(nbformat.writes(solution)).points == 5
    (tmp_path / "99_tiny.py").write_text(WRITTEN_SOURCE.replace("advice, 3 points", "advice, 4 points"))
    with pytest.raises(ValueError, match="do not add up"):
        instructors(tmp_path / "99_tiny.py")


def fresh(stem: str) -> dict:
    """The names that a lab gives, with all that an answer may spoil for the next."""
    mutable = (torch.Tensor, torch.nn.Module, np.ndarray, dict, list)
    given = given_names(content(stem)).items()
    return {n: deepcopy(v) if isinstance(v, mutable) and n != "__builtins__" else v for n, v in given}


class Plain:
    """Answers in this process, for code that we wrote ourselves."""

    def __init__(self, stem: str, exercise: str = "", source: str = ""):
        self.names = fresh(stem)
        answers = [text for text in code(read(SOLUTIONS, stem)) if is_exercise(text)]
        torch.manual_seed(0)
        for answer in answers:
            exec(source if exercise in bound(answer) else answer, self.names)

    def get(self, name: str) -> dict:
        return {"value": self.names[name]} if name in self.names else {}


@cache
def judged(stem: str, exercise: str, source: str, seed: int = 7) -> Result:
    """The result of another answer to an exercise. The score and the reports below need each once more."""
    lab, session = load_lab(content(stem)), Plain(stem, exercise, source)
    found = [run_check(check, session, fresh(stem), seed) for check in lab.checks if exercise in check.names]
    return make_result(lab, found, student=exercise, id="1", file=f"{exercise}.ipynb")


def verdict(stem: str, exercise: str, source: str, seed: int = 7) -> list[dict]:
    return judged(stem, exercise, source, seed)["checks"]


def others(kind: str) -> list:
    return [
        pytest.param(
            stem, exercise, what, source, id=f"{stem.partition('_')[0]} {exercise}: {what.partition(' -> ')[0]}"
        )
        for stem in STEMS
        for this, exercise, what, source in tries(stem)
        if this == kind
    ]


def seeds(source: str) -> list[int]:
    """Two for an answer that draws numbers of its own; for any other, the second would prove the same."""
    return [7, 8] if re.search(r"seed|rand|noise|sampl|shuffle|choice|Generator|dropout", source) else [7]


@pytest.mark.parametrize(
    ("stem", "exercise", "what", "source", "seed"),
    [
        pytest.param(*case.values, seed, id=f"{seed}-{case.id}")
        for case in others("RIGHT")
        for seed in seeds(case.values[3])
    ],
)
def test_a_right_answer_written_otherwise_passes(stem, exercise, what, source, seed):
    assert [check["message"] for check in verdict(stem, exercise, source, seed) if check["state"] != "passed"] == []


@pytest.mark.parametrize(("stem", "exercise", "what", "source"), others("WRONG"))
def test_a_wrong_answer_fails_and_is_told_why(stem, exercise, what, source):
    what, _, fragments = what.partition(" -> ")
    messages = [check["message"] for check in verdict(stem, exercise, source) if check["state"] != "passed"]
    assert messages, f"a mutant lives: {what}"
    assert any(fragment in message for fragment in fragments.split("|") for message in messages), messages


@each
def test_each_exercise_has_its_mutants(stem, capsys):
    """At least five wrong answers and two right ones for each; the score is over all."""
    lab, answers = load_lab(content(stem)), tries(stem)
    wrong = [(exercise, source) for kind, exercise, _, source in answers if kind == "WRONG"]
    for exercise, *_ in lab.stubs.values():
        assert sum(name == exercise for name, _ in wrong) >= 5, exercise
        assert sum(kind == "RIGHT" and name == exercise for kind, name, *_ in answers) >= 2, exercise
    dead = sum(any(check["state"] != "passed" for check in verdict(stem, *mutant)) for mutant in wrong)
    with capsys.disabled():
        print(f"\n{stem}: mutation score {dead}/{len(wrong)}", end=" ")
    assert dead == len(wrong)


@each
def test_what_is_found_in_each_answer_goes_into_its_file_and_all_reports(stem, tmp_path):
    """As a class's results do: those of all answers to an exercise, as if each were a student's."""
    lab, classes = load_lab(content(stem)), {}
    for kind, exercise, what, source in tries(stem):
        for seed in seeds(source) if kind == "RIGHT" else [7]:
            students = classes.setdefault(exercise, [])
            result = judged(stem, exercise, source, seed) | {"student": f"{what} {seed}", "id": f"{len(students)}"}
            write_result(tmp_path / "result.json", result)
            kept = read_result(tmp_path / "result.json")
            assert kept == result, what
            students.append(kept)
    for students in classes.values():
        write_reports(students, [], tmp_path, lab.title)
