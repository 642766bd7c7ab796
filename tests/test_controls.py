"""A check that cannot fail is no check: CI's own command goes red on broken copies, each at the right place."""

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from build import ROOT

COMMAND = ["pytest", "--nbval", "-n", "2", "--dist", "loadfile", "tests", "notebooks"]  # as in the Makefile
LESSON = """\
# %% [markdown]
# # 01 · A small lesson
#
# *About 1 minute; the cells run in 1 s on two CPU cores.*

# %%
from IPython.display import display
from ipywidgets import IntSlider
from utils.small import share

picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
display(IntSlider()._repr_mimebundle_() | {"text/plain": "a slider", "image/png": picture}, raw=True)

# %%
print(f"The attack leaves {100 * share():.0f}/100 = {100 * share():.0f} % [40, 60] of the images.")
"""


def cleared(text, notebook):
    for cell in notebook["cells"]:
        cell |= {"execution_count": None, "outputs": []} if cell["cell_type"] == "code" else {}


def raises(text, notebook):
    notebook["cells"][-1]["source"] += ["\n1 / 0"]
    return text + "1 / 0\n"


def other_text(text, notebook):
    printed = notebook["cells"][-1]["outputs"][0]
    printed["text"] = [printed["text"][0].replace("leaves", "spares")]


def other_figure(text, notebook):
    printed = notebook["cells"][-1]["outputs"][0]
    printed["text"] = [printed["text"][0].replace("50", "51")]


def no_output(text, notebook):
    notebook["cells"][-1]["outputs"] = []


def warning(text, notebook):
    notebook["cells"][1]["outputs"] = [{"name": "stderr", "output_type": "stream", "text": ["careful\n"]}]


def large(text, notebook):
    notebook["cells"][0]["metadata"]["padding"] = "x" * 300_000


def other_code(text, notebook):
    return text.replace("100 * share():", "100 - 100 * share():")


def other_word(text, notebook):
    return text.replace("A small", "One small")


def no_source(text, notebook):
    return ""


# What is broken, and the tests that must go red. A cell counts as a test of nbval's.
NOT_CURRENT = {"test_content_is_that_of_the_source", "test_outputs_are_of_the_present_code"}
FAILS = {"test_measured_values_stay_in_their_bands", "test_runs_in_30_seconds_on_two_cores"}
BROKEN = {
    other_figure: set(),  # masked: another machine may measure 51 %
    cleared: {"test_every_code_cell_was_run_in_order"},
    raises: {"Cell 2", *FAILS, "test_outputs_are_of_the_present_code"},
    other_text: {"Cell 2"},
    no_output: {"Cell 2"},
    warning: {"Cell 0", "test_outputs_are_clean"},
    large: {"test_size"},
    other_code: NOT_CURRENT,
    other_word: {"test_content_is_that_of_the_source"},
    no_source: NOT_CURRENT | FAILS | {"test_every_verdict_is_the_same_on_mnist"},
}
BANDS = {"bad_metric": [0.6, 1.0], "too_good": [0.0, 0.4]}


def pytest_in(folder: Path, *more: str) -> dict[str, set[str]]:
    """The tests that fail under CI's command in a copy of the project: {stem, or "" for none of them: names}."""
    command = [sys.executable, "-m", *COMMAND, *more, "--junitxml=report.xml", "-p", "no:cacheprovider"]
    command[command.index("tests")] = "tests/test_notebooks.py"
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL)
    red = {}
    for case in ET.parse(folder / "report.xml").iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            name, _, stem = case.get("name").rstrip("]").partition("[")
            notebook = re.search(r"(\w+)\.ipynb", case.get("classname"))  # of nbval's cells
            red.setdefault(notebook[1] if notebook else stem, set()).add(name)
    return red


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy of the project with one small lesson, built, and its broken twins beside it."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("utils", "tools", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / name, folder)
    (folder / "README.md").write_text("<!-- lessons -->\n<!-- /lessons -->\n")
    (folder / "utils" / "small.py").write_text("def share():\n    return 0.5\n")
    sources = folder / "notebooks" / "src"
    sources.mkdir(parents=True)
    (sources / "00_start_here.py").write_text(LESSON)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run([sys.executable, "tools/build.py"], cwd=folder, check=True)
    good = (folder / "notebooks" / "00_start_here.ipynb").read_text()
    for stem in [break_it.__name__ for break_it in BROKEN] + [*BANDS]:
        (sources / f"{stem}.py").write_text(LESSON)
        (folder / "notebooks" / f"{stem}.ipynb").write_text(good.replace("00_start_here", stem))
    bands = {break_it.__name__: [0.4, 0.6] for break_it in BROKEN} | BANDS
    (sources / "bands.json").write_text(json.dumps({stem: {"share()": band} for stem, band in bands.items()}))
    subprocess.run([sys.executable, "tools/build.py"], cwd=folder, check=True)  # the table
    for break_it in BROKEN:
        source, target = sources / f"{break_it.__name__}.py", folder / "notebooks" / f"{break_it.__name__}.ipynb"
        notebook = json.loads(target.read_text())
        text = break_it(LESSON, notebook)
        target.write_text(json.dumps(notebook))
        source.write_text(LESSON if text is None else text)
    (sources / "no_source.py").unlink()
    return folder


@pytest.fixture(scope="module")
def red(copy) -> dict[str, set[str]]:
    return pytest_in(copy)


def test_a_sound_notebook_is_green(red):
    assert "00_start_here" not in red


@pytest.mark.parametrize("break_it", BROKEN, ids=lambda break_it: break_it.__name__)
def test_a_broken_notebook_is_red(red, break_it):
    assert red.get(break_it.__name__, set()) == BROKEN[break_it]


def test_a_title_that_the_readme_lacks_is_red(red):
    assert red[""] == {"test_the_table_of_lessons_is_up_to_date"}


@pytest.mark.parametrize("stem", BANDS)
def test_a_measured_value_out_of_its_band_is_red(red, stem):
    assert red[stem] == {"test_measured_values_stay_in_their_bands"}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('def share():\n    """Half."""\n    return 0.5  # exactly\n', None),
        ("def share():\n    return 0.50001\n", {"test_outputs_are_of_the_present_code"}),
    ],
    ids=["a comment", "code"],
)
def test_a_change_in_utils_makes_the_outputs_stale(copy, code, expected):
    (copy / "utils" / "small.py").write_text(code)
    assert pytest_in(copy, "-k", "start_here and present_code").get("00_start_here") == expected


def test_the_command_is_the_one_that_ci_uses():
    assert " ".join(COMMAND) in (ROOT / "Makefile").read_text()
    assert "make test" in (ROOT / ".ci" / "run").read_text()
