"""A check that cannot fail is no check: CI's own command goes red on broken copies, each at the right place."""

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from run import ROOT

COMMAND = ["pytest", "--nbval", "-n", "auto", "--dist", "loadscope", "tests", "notebooks"]  # as in the Makefile
LESSON = """\
# %% [markdown]
# # 01 · A small lesson
#
# *About 1 minute; the cells run in SECONDS s on two CPU cores.*

# %%
from IPython.display import display
from ipywidgets import IntSlider
from utils.records import measured
from utils.small import share

picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
display(IntSlider()._repr_mimebundle_() | {"text/plain": "a slider", "image/png": picture}, raw=True)

# %%
print("A check against a reference:", share() == share())
measured("left", share())
"""


def cleared(text, notebook):
    for cell in notebook["cells"]:
        cell |= {"execution_count": None, "outputs": []} if cell["cell_type"] == "code" else {}


def raises(text, notebook):
    notebook["cells"][-1]["source"] += ["\n1 / 0"]
    return text + "1 / 0\n"


def other_text(text, notebook):
    print_instead(notebook, "left", "kept")


def other_answer(text, notebook):
    print_instead(notebook, "True", "False")


def other_figure(text, notebook):
    print_instead(notebook, "0.5", "0.51")


def print_instead(notebook, before, after):
    printed = notebook["cells"][-1]["outputs"][0]
    assert before in "".join(printed["text"])
    printed["text"] = "".join(printed["text"]).replace(before, after)


def a_measurement_in_plain_print(text, notebook):
    """What another processor measures differently, and no arrow before it: as if this notebook came from there."""
    text = text.replace('measured("left", share())', 'print(f"left: {100 * share():.0f} %")')
    notebook["cells"][-1]["source"] = [text.rpartition("# %%\n")[2].rstrip()]
    notebook["cells"][-1]["outputs"][0]["text"] = "A check against a reference: True\nleft: 51 %\n"
    return text


def a_cell_that_is_gone(text, notebook):
    """The record still has a figure of a cell that the notebook no longer has."""
    return "record", lambda record: record["figures"][0].update(cell="gone-1")


def a_figure_that_is_gone(text, notebook):
    return "record", lambda record: record["figures"].append(record["figures"][0] | {"row": "never measured"})


def another_code(text, notebook):
    return "record", lambda record: record.update(fingerprint="0" * 16)


def no_output(text, notebook):
    notebook["cells"][-1]["outputs"] = []


def warning(text, notebook):
    notebook["cells"][1]["outputs"] = [{"name": "stderr", "output_type": "stream", "text": ["careful\n"]}]


def large(text, notebook):
    notebook["cells"][0]["metadata"]["padding"] = "x" * 300_000


def other_code(text, notebook):
    return text.replace('measured("left", share())', 'measured("left", 1 - share())')


def other_word(text, notebook):
    return text.replace("A small", "One small")


def no_source(text, notebook):
    return ""


# What is broken, and the tests that must go red. A cell counts as a test of nbval's.
CONTENT, OUTPUTS = "test_content_is_that_of_the_source", "test_outputs_are_of_the_present_code"
RECORD, BANDS_OF_RUN = "test_the_kept_record_is_of_the_present_code", "test_measured_values_stay_in_their_bands"
NAMES, BANDS_KEPT = "test_the_run_measures_what_its_record_names", "test_the_kept_record_is_within_its_bands"
BROKEN = {
    other_figure: set(),  # after the arrow: another machine may measure 51 %
    cleared: {"test_every_code_cell_was_run_in_order"},
    raises: {"Cell 2", OUTPUTS, RECORD},
    other_text: {"Cell 2"},
    other_answer: {"Cell 2"},
    a_measurement_in_plain_print: {"Cell 2", OUTPUTS, RECORD, NAMES, BANDS_OF_RUN},
    no_output: {"Cell 2"},
    warning: {"Cell 0", "test_outputs_are_clean"},
    large: {"test_size"},
    other_code: {CONTENT, OUTPUTS, RECORD},
    other_word: {CONTENT},
    no_source: {CONTENT, OUTPUTS, RECORD},
    a_cell_that_is_gone: {"test_every_figure_of_the_kept_record_has_its_cell", NAMES},
    a_figure_that_is_gone: {NAMES},
    another_code: {RECORD},
}
CHANGED = {  # a lesson's own copy of `utils.small`, changed after the run, and the tests that must go red
    "a_comment_in_utils": ('def share():\n    """Half."""\n    return 0.5  # exactly\n', set()),
    "other_code_in_utils": ("def share():\n    return 0.50001\n", {OUTPUTS, RECORD}),
}
BANDS = {"bad_metric": [0.6, 1.0], "too_good": [0.0, 0.4]}
LARGER = {"test_the_record_at_a_larger_scale_is_of_the_present_code", "test_every_verdict_is_the_same_on_mnist"}


def pytest_in(folder: Path) -> dict[str, set[str]]:
    """The tests that fail under CI's command in a copy of the project: {stem, or "" for none of them: names}."""
    command = [sys.executable, "-m", *COMMAND, "--junitxml=report.xml", "-p", "no:cacheprovider"]
    command[command.index("tests")] = "tests/test_notebooks.py"
    where = os.environ | {"PYTHONPATH": str(folder), "PYTEST_XDIST_AUTO_NUM_WORKERS": "1"}  # other tests run beside it
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, env=where)
    red = {}
    for case in ET.parse(folder / "report.xml").iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            name, _, stem = case.get("name").rstrip("]").partition("[")
            notebook = re.search(r"(\w+)\.ipynb", case.get("classname"))  # of nbval's cells
            red.setdefault(notebook[1] if notebook else stem.removesuffix("-mnist"), set()).add(name)
    return {stem: names - LARGER for stem, names in red.items() if names - LARGER}  # this course keeps none


def build_in(folder: Path) -> None:
    """Build with the copy's own `utils`, not with the installed one."""
    where = os.environ | {"PYTHONPATH": str(folder)}
    subprocess.run([sys.executable, "tools/build.py"], cwd=folder, check=True, env=where)


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy of the project with one small lesson, built, and its broken twins beside it."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("utils", "grader", "tools", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / name, folder)
    (folder / "README.md").write_text("<!-- lessons -->\n<!-- /lessons -->\n")
    (folder / "utils" / "small.py").write_text("def share():\n    return 0.5\n")
    sources, results = folder / "notebooks" / "src", folder / "notebooks" / "results"
    sources.mkdir(parents=True)
    (sources / "00_start_here.py").write_text(LESSON)
    for stem in CHANGED:
        shutil.copy(folder / "utils" / "small.py", folder / "utils" / f"{stem}.py")
        (sources / f"{stem}.py").write_text(LESSON.replace("utils.small", f"utils.{stem}"))
    (sources / "field_guide.toml").write_text("term = []\n")
    (sources / "due.json").write_text("[]\n")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    build_in(folder)
    good = (folder / "notebooks" / "00_start_here.ipynb").read_text()
    for stem in [break_it.__name__ for break_it in BROKEN] + [*BANDS]:
        (sources / f"{stem}.py").write_text(LESSON)
        (folder / "notebooks" / f"{stem}.ipynb").write_text(good.replace("00_start_here", stem))
    bands = {stem: [0.4, 0.6] for stem in [*(break_it.__name__ for break_it in BROKEN), *CHANGED]} | BANDS
    (sources / "bands.json").write_text(json.dumps({stem: {"left": band} for stem, band in bands.items()}))
    kept = (results / "00_start_here.digits.json").read_text()
    for stem in bands.keys() - CHANGED.keys():
        (results / f"{stem}.digits.json").write_text(kept.replace("00_start_here", stem))
    build_in(folder)  # the table
    for break_it in BROKEN:
        source, target = sources / f"{break_it.__name__}.py", folder / "notebooks" / f"{break_it.__name__}.ipynb"
        notebook, kept = json.loads(target.read_text()), results / f"{break_it.__name__}.digits.json"
        match break_it(LESSON, notebook):
            case "record", change:
                record = json.loads(kept.read_text())
                change(record)
                kept.write_text(json.dumps(record))
            case str(text):
                source.write_text(text)
        target.write_text(json.dumps(notebook))
    (sources / "no_source.py").unlink()
    for stem, (code, _) in CHANGED.items():
        (folder / "utils" / f"{stem}.py").write_text(code)
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
    assert red[stem] == {BANDS_OF_RUN, BANDS_KEPT}


@pytest.mark.parametrize("stem", CHANGED)
def test_a_change_in_utils_makes_the_outputs_stale(red, stem):
    assert red.get(stem, set()) == CHANGED[stem][1]


def test_the_command_is_the_one_that_ci_uses():
    assert " ".join(COMMAND) in (ROOT / "Makefile").read_text()
    assert "make test" in (ROOT / ".ci" / "run").read_text()
