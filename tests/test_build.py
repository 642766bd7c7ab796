"""The build: the same bytes each time, small diffs, outputs that are kept as long as they are true."""

import difflib
import subprocess
import sys
from pathlib import Path

import pytest

from build import FIRST_CELL, NAME, REPOSITORY, assemble, build, kept_records
from run import LESSONS, ROOT, values_of
from utils import records

LESSON = """\
# %% [markdown]
# # 01 · A small lesson
#
# *About 1 minute; the cells run in SECONDS s on two CPU cores.*

# %%
from random import random

random() < 2

# %% [markdown]
# ## Twice
#
# The first word.

# %%
random() < 3

# %% [markdown]
# ## Twice

# %%
random();
"""


@pytest.fixture
def lesson(tmp_path):
    """Writes a text, builds it, and returns the lines of the notebook."""

    def write(text: str, run: bool = False) -> list[str]:
        (tmp_path / "01_small.py").write_text(text)
        build(tmp_path / "01_small.py", tmp_path / "01_small.ipynb", run=run)
        return (tmp_path / "01_small.ipynb").read_text().splitlines()

    return write


def changed(before: list[str], after: list[str]) -> list[str]:
    return [line for line in difflib.ndiff(before, after) if line[0] in "-+"]


def test_built_twice_is_the_same(lesson, capsys):
    assert lesson(LESSON) == lesson(LESSON, run=True) == lesson(LESSON)
    assert capsys.readouterr().out.count("running") == 2, "the third time, nothing has to run"


def test_a_changed_word_is_a_diff_of_two_lines_and_keeps_the_outputs(lesson, capsys):
    before, after = lesson(LESSON), lesson(LESSON.replace("first word", "last word"))
    assert len(changed(before, after)) == 2
    assert capsys.readouterr().out.count("running") == 1


def test_a_new_cell_moves_the_ids_of_its_section_only(lesson):
    before, after = lesson(LESSON), lesson(LESSON.replace("# %%\nrandom() < 3", "# %%\n2\n\n# %%\nrandom() < 3"))
    ids = [line.split('"')[3] for line in changed(before, after) if '"id"' in line]
    assert ids == ["twice-3"]


def test_a_run_keeps_a_record_and_a_record_that_is_gone_is_made_again(lesson, tmp_path, capsys):
    lesson(LESSON)
    kept = records.read("01_small", folder=tmp_path / "results")
    assert kept["dataset"] == "digits" and kept["seconds"] >= 0
    (tmp_path / "results" / "01_small.digits.json").unlink()
    lesson(LESSON)
    assert records.read("01_small", folder=tmp_path / "results")["fingerprint"] == kept["fingerprint"]
    assert capsys.readouterr().out.count("running") == 2


def test_changed_code_runs_again(lesson):
    assert "False" in "".join(lesson(LESSON.replace("< 2", "< 0")))


def test_cleared_outputs_are_made_again(lesson, tmp_path):
    before = lesson(LESSON)
    (tmp_path / "01_small.ipynb").write_text(
        "\n".join(before).replace('"execution_count": 2', '"execution_count": null')
    )
    assert lesson(LESSON) == before


def test_a_lesson_that_fails_stops_the_build_and_leaves_the_old_notebook(lesson, tmp_path):
    before = lesson(LESSON)
    with pytest.raises(Exception, match="ZeroDivisionError"):
        lesson(LESSON + "1 / 0")
    assert (tmp_path / "01_small.ipynb").read_text().splitlines() == before


def test_the_first_cell_does_nothing_in_the_course(tmp_path):
    probe = "import sys, os; before = os.getcwd(), sys.path[:]\n{}\nassert before == (os.getcwd(), sys.path)"
    subprocess.run([sys.executable, "-c", probe.format(FIRST_CELL)], cwd=tmp_path, check=True)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("stranger", [False, True], ids=["no utils", "another utils"])
def test_a_notebook_that_lies_alone_says_what_it_needs(tmp_path, stranger):
    if stranger:
        (tmp_path / "utils.py").write_text("")
    (tmp_path / "lab.py").write_text(FIRST_CELL)
    alone = [sys.executable, "-S", tmp_path / "lab.py"]  # -S: without what is installed here
    ended = subprocess.run(alone, capture_output=True, text=True, cwd=tmp_path, env={})
    assert ended.returncode == 1 and f"git clone {REPOSITORY} && cd {NAME} && make lab" in ended.stderr
    assert "direct cause" not in ended.stderr and "During handling" not in ended.stderr


ASKS = """
# %%
guess = widgets.ask("How much?")
guess

# %% [markdown]
# Now.

# %%
def silent():
    print("not yet")


also = silent

# %%
1

# %%
guess.reveal(1)

# %%
2
"""


def test_what_would_give_a_prediction_away_is_folded_and_the_plumbing_too(tmp_path):
    (tmp_path / "01_small.py").write_text(LESSON + ASKS)
    cells = assemble(tmp_path / "01_small.py").cells
    folded = [cell.source for cell in cells if cell.metadata.get("jupyter", {}).get("outputs_hidden")]
    assert folded == ["1", "guess.reveal(1)"]
    both = {"collapsed": True, "jupyter": {"outputs_hidden": True}}  # else JupyterLab writes the other at once
    assert all(cell.metadata == both for cell in cells if cell.source in folded)
    assert cells[1].metadata == {"jupyter": {"source_hidden": True}, "cellView": "form"}
    assert "[Open in Colab](https://colab.research.google.com/" in cells[0].source
    assert f"[in Kaggle](https://kaggle.com/kernels/welcome?src={REPOSITORY}/blob/main/notebooks/" in cells[0].source
    assert "![" not in cells[0].source


def test_the_floors_of_utils_hold_and_can_break(tmp_path):
    """import-linter's contract in pyproject.toml: what is above may not be imported from below."""
    for name in ("utils", "grader", "pyproject.toml"):
        subprocess.run(["cp", "-r", ROOT / name, tmp_path], check=True)
    (tmp_path / "utils" / "data.py").open("a").write("\nfrom utils import evaluation\n")
    lint = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    broken = subprocess.run(lint, cwd=tmp_path, capture_output=True, text=True, env={"PYTHONPATH": str(tmp_path)})
    assert broken.returncode == 1
    assert "utils.data -> utils.evaluation" in broken.stdout


def test_the_small_notebook_has_stable_ids(tmp_path):
    (tmp_path / "01_small.py").write_text(LESSON)
    assert [cell.id for cell in assemble(tmp_path / "01_small.py").cells] == [
        "01-a-small-lesson-1",
        "01-a-small-lesson-2",
        "01-a-small-lesson-3",
        "twice-1",
        "twice-2",
        "twice-again-1",
        "twice-again-2",
    ]


def test_each_lesson_that_reads_images_of_ones_choice_is_kept_on_mnist():
    stems = {source.stem for source in LESSONS.glob("src/*.py")}
    others = stems - {stem for stem, dataset in kept_records() if dataset == "mnist"}
    assert others == {"11_beyond_images", "15_at_scale"}, (
        "payments and diagnoses; the digits, and records of photographs"
    )


def test_what_a_run_measured_is_told_without_its_times():
    record = records.read("07_randomized_smoothing")
    figures = record["figures"]
    timed = [f for f in figures if f["column"] == "seconds" or f["value"].get("unit") in ("s", "ms")]
    assert any(figure["value"].get("unit") == "ms" for figure in timed)
    slower = record | {"figures": [f | {"value": f["value"] | {"number": 9e9}} if f in timed else f for f in figures]}
    assert values_of(slower) == values_of(record)
    other = next(figure for figure in figures if figure not in timed)
    assert values_of(record | {"figures": [f for f in figures if f is not other]}) != values_of(record)
