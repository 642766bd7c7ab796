"""Every notebook is what its source says, was run by the code as it is now, measures what it claims, and is quick."""

import base64
import io
import json
import re
import resource
import tempfile
import time
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
import torch
from PIL import Image

from build import LESSONS, REPOSITORY, ROOT, assemble, execute, overview, stamp
from larger import mark
from utils.claims import COLOURS
from utils.data import load
from utils.models import small_cnn
from utils.training import fit

SOURCES = LESSONS / "src"
STEMS = sorted({file.stem for file in [*SOURCES.glob("*.py"), *LESSONS.glob("*.ipynb")]})
BANDS = json.loads((SOURCES / "bands.json").read_text())
each = pytest.mark.parametrize("stem", STEMS)


@cache
def built(stem: str) -> nbformat.NotebookNode:
    """The notebook as it lies in the repository."""
    return nbformat.read(LESSONS / f"{stem}.ipynb", as_version=4)


@cache
def assembled(stem: str) -> nbformat.NotebookNode:
    """The notebook as its source says, not run."""
    return assemble(SOURCES / f"{stem}.py")


def code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def processor_time() -> float:
    """Seconds used by kernels that have ended. They have one thread: on a free machine it is the time on the clock."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def piece_of_work() -> float:
    """Processor seconds of what lessons mostly do: a little training, in one thread, the quicker of two."""
    threads, data, times = torch.get_num_threads(), load("digits"), []
    torch.set_num_threads(1)
    for _ in range(2):  # the first call of a process also warms it up
        begin = time.process_time()
        fit(small_cnn(data), data.train, updates=200)
        times.append(time.process_time() - begin)
    torch.set_num_threads(threads)
    return min(times)


QUIET = 0.46  # seconds of `piece_of_work` on two cores with nothing else to do, where the lessons' times were taken


class Run(NamedTuple):
    seconds: float  # as they would be on that quiet machine
    values: dict[str, float]  # of the expressions in the bands
    verdicts: dict[str, str]  # of the claims, by their text


@cache
def run(stem: str, **variables: str) -> Run:
    """One run of a lesson in a fresh kernel, shared by the tests below."""
    with tempfile.TemporaryDirectory() as ledger:
        expressions, before, start = list(BANDS.get(stem, {})), piece_of_work(), processor_time()
        values = execute(deepcopy(assembled(stem)), measure=expressions, COURSE_LEDGER=ledger, **variables)
        seconds = (processor_time() - start) * QUIET / max(QUIET, (before + piece_of_work()) / 2)
        claims = [json.loads(file.read_text()) for file in Path(ledger).glob("*.json")]
    return Run(seconds, dict(zip(expressions, values, strict=True)), {c["text"]: c["verdict"] for c in claims})


def test_there_are_lessons():
    assert STEMS, "without lessons, the tests of each lesson would pass"
    assert set(BANDS) <= set(STEMS), "bands of lessons that do not exist"


@each
def test_content_is_that_of_the_source(stem):
    want, got = ([(c.id, c.cell_type, c.source) for c in nb.cells] for nb in (assembled(stem), built(stem)))
    assert got == want, "out of date: run make notebooks"


@each
def test_outputs_are_of_the_present_code(stem):
    assert built(stem).metadata.fingerprint == assembled(stem).metadata.fingerprint, "out of date: run make notebooks"


@each
def test_every_code_cell_was_run_in_order(stem):
    assert [cell.execution_count for cell in code(built(stem))] == [*range(1, len(code(built(stem))) + 1)]


@each
def test_outputs_are_clean(stem):
    """No error, nothing on standard error (warnings, progress bars), no widget without its kernel."""
    outputs = [output for cell in code(built(stem)) for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    assert not [mime for o in outputs for mime in o.get("data", {}) if "jupyter.widget" in mime]
    assert "widgets" not in built(stem).metadata


@each
def test_size(stem):
    """A page loads fast: the file is under 300 kB and no picture is larger than 7 by 3 inches."""
    assert (LESSONS / f"{stem}.ipynb").stat().st_size < 300_000
    for output in (output for cell in code(built(stem)) for output in cell.outputs):
        if png := output.get("data", {}).get("image/png"):
            picture = Image.open(io.BytesIO(base64.b64decode(png)))
            dpi = round(picture.info.get("dpi", (100, 100))[0])
            assert picture.width <= 7 * dpi and picture.height <= 3 * dpi, f"{picture.size} pixels at {dpi} an inch"


@each
def test_measured_values_stay_in_their_bands(stem):
    """Two-sided: what is too good to be true is red as well."""
    assert BANDS.get(stem) or "claim(" not in "".join(cell.source for cell in code(assembled(stem))), "no bands"
    for expression, value in run(stem).values.items():
        low, high = BANDS[stem][expression]
        assert low <= value <= high, f"{expression} is {value}, not in [{low}, {high}]"


# Seconds, for those that take more than 30: four attacks and 256 networks; four kinds of data; seven defenses
LIMITS = {"08_what_leaks": 45, "11_beyond_images": 40, "14_capstone": 40}


@each
def test_runs_in_30_seconds_on_two_cores(stem, capsys):
    """A busy or slow machine is measured by a piece of work before and after the lesson, and taken out."""
    seconds = run(stem).seconds
    with capsys.disabled():
        print(f"\n{stem}: {seconds:.1f} s", end=" ")
    assert seconds <= LIMITS.get(stem, 30)


@each
def test_every_verdict_is_the_same_on_mnist(stem, request):
    """Quick lessons are run on MNIST. Of the others the kept table is of the present code, and says the same."""
    source = "".join(cell.source for cell in code(assembled(stem)))
    if "larger(" in source:
        _, about, *lines = (LESSONS / "larger" / f"{stem}.mnist.txt").read_text().splitlines()
        assert about.endswith(f"code {mark(stem)}"), f"out of date: run make larger, or tools/larger.py {stem}"
        said = (line.partition(": ") for line in lines)
        on_mnist = {text: verdict for verdict, _, text in said if verdict in COLOURS}
    else:
        mnist = {"COURSE_DATASET": "mnist", "COURSE_DATA": str(request.getfixturevalue("real_data"))}
        on_mnist = run(stem, **mnist).verdicts
    assert run(stem).verdicts or "claim(" not in source
    assert on_mnist == run(stem).verdicts


def test_the_table_of_lessons_is_up_to_date():
    readme = (ROOT / "README.md").read_text()
    assert "<!-- lessons -->" in readme
    assert stamp(readme) == readme, "out of date: run make notebooks"


def test_the_readmes_picture_is_up_to_date():
    assert (LESSONS / "overview.png").read_bytes() == overview(), "out of date: run make notebooks"


def test_the_address_of_the_repository_stands_in_one_place(project_files):
    """In pyproject.toml. The build stamps the notebooks, the printable pages and three parts of the README."""
    written = [file for file in project_files if file.suffix not in (".ipynb", ".html")]
    texts = {str(file): (ROOT / file).read_text(errors="replace") for file in written}
    texts["README.md"] = re.sub(r"(?s)<!-- (lessons|clone|issues) -->.*?<!-- /\1 -->", "", texts["README.md"])
    assert {name for name, text in texts.items() if REPOSITORY.rpartition(".com/")[2] in text} == {"pyproject.toml"}
