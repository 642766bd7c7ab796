"""What all tests share: a lesson finds here what it finds in the build, its one run is kept as a record, and nothing of
the user's is seen."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell
from xdist.scheduler import LoadScopeScheduling

from grader.sandbox import bubblewrap, pristine
from run import ROOT, begin_cell, entered, environment, record_of
from utils.records import Record, read

# The user's, kept under names that are not the course's: pytest's other processes begin after those are cleared below.
DATA = os.environ.setdefault("TESTS_DATA", os.environ.get("COURSE_DATA", ""))
STRICT = os.environ.setdefault("TESTS_STRICT", os.environ.get("COURSE_STRICT", ""))  # .ci/run: what lacks, fails
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium, chromium-browser or google-chrome on the PATH")
REAL = ("mnist", "cifar10", "olivetti")
NO_DATA = f"no real images: set COURSE_DATA to a folder with {', '.join(f'{name}.npz' for name in REAL)}"
STATE = tempfile.TemporaryDirectory()
os.environ.update(fresh := environment(STATE.name))
for name in os.environ.keys() - fresh.keys() | {"COURSE_RECORD"}:
    os.environ.pop(name, None)


def can_fork() -> bool:
    """Whether the grader's children are forked here."""
    if found := pristine():
        found.close()
    return bool(found)


def pytest_configure(config):
    """CI has what some tests need, or says so at once."""
    if not STRICT or hasattr(config, "workerinput"):
        return
    lacks = [] if bubblewrap() else ["bubblewrap (without it no test of the grader's isolation runs)"]
    lacks += [] if lacks or can_fork() else ["user namespaces inside bubblewrap (without them no test of forks runs)"]
    lacks += [] if BROWSER else ["chromium (without it no test in a browser runs)"]
    if lacks:
        raise pytest.UsageError(f"COURSE_STRICT is set, and here is no working {' and no '.join(lacks)}")


def pytest_terminal_summary(terminalreporter):
    """What did not run for want of data, in one line."""
    skipped = [report.nodeid for report in terminalreporter.stats.get("skipped", []) if NO_DATA in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(f"not run here, {NO_DATA}: {', '.join(skipped)}", yellow=True)


def group(nodeid: str) -> str:
    """What runs in one process, in order: a lesson and the tests of its run, the cases of a lab, else a file."""
    file, _, case = nodeid.partition("::")
    stem = Path(file).stem
    if stem == "test_notebooks" and (lesson := re.search(r"\[(\w+)", case)):
        return lesson[1]
    if stem == "test_labs" and (lab := re.search(r"\[(?:\w-)?(\d\d)", case)):
        return f"lab {lab[1]}"
    return stem


SLOW = {  # not in `make quick`: notebooks, a browser, sandboxes, another environment, peers, or long; seconds
    "test_browser": 150,
    "test_site": 130,
    "test_challenges": 95,
    "test_checkup": 80,
    "test_grading_labs": 75,
    "test_audit": 70,
    "test_scale": 65,
    "test_grading_hostile": 58,
    "test_elsewhere": 41,
    "test_strange_models": 35,
    "test_grading": 34,
    "test_peers": 32,
    "test_widgets_colab": 30,
    "test_reading": 29,
    "test_controls": 28,
    "test_playground": 27,
    "test_processors": 25,
    "test_slides": 23,
    "test_gradescope": 22,
    "test_grading_cluster": 21,
    "test_doors": 17,
    "test_sample_class": 17,
    "test_labs": 15,  # for each lab
    "test_wheel": 14,
    "test_by_hand": 14,
    "test_curtain": 10,
    "test_build": 9,
    "test_grading_unlucky": 8,
    "test_at_scale": 6,
    "test_earlier": 5,
    "test_expect": 5,
    "test_small_env": 5,
    "test_unanswered": 5,
    "test_monitoring_peers": 4,
    "test_pin": 2,
    "test_privacy_peers": 2,
}
QUICK = {  # the longest of the others, in which a test of over a second has a mark of its own; seconds
    "test_data": 25,
    "test_privacy": 24,
    "test_attacks": 20,
    "test_widgets": 19,
    "test_smoothing": 17,
    "test_bounds": 14,
    "test_plots": 12,
    "test_monitoring_unusual": 8,
    "test_training_at_scale": 6,
    "test_membership": 5,
    "test_privacy_any_model": 5,
    "test_monitoring": 5,
}


class ByGroup(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def pytest_xdist_auto_num_workers(config):
    """`-n auto`: one process more than cores, for slow tests wait much, for a kernel, a browser or a limit."""
    quick = "not slow" in config.option.markexpr
    return None if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else (os.cpu_count() or 1) + (not quick)


def pytest_xdist_make_scheduler(config, log):
    return ByGroup(config, log)


def pytest_collection_modifyitems(items):
    """The longest first, and the tests of a lesson's run right after its cells."""
    for item in items:
        if item.path.stem in SLOW or isinstance(item, IPyNbCell) or "run_of" in item.fixturenames:
            item.add_marker("slow")

    def order(item):
        whole = group(item.nodeid)
        record = read(whole)
        seconds = record["seconds"] if record else (SLOW | QUICK).get(item.path.stem, 0)
        return -seconds, whole, not isinstance(item, IPyNbCell)

    items.sort(key=order)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """nbval starts a notebook's kernel for its first cell: with a ledger and a record of its own, as in the build."""
    if not isinstance(item, IPyNbCell):
        return (yield)
    if item.cell_num == 0:
        os.environ.update(environment(tempfile.mkdtemp(dir=STATE.name)))
        item.parent.record = Path(os.environ["COURSE_RECORD"])
    begin_cell(item.parent.record, item.cell.id)
    try:
        return (yield)
    finally:
        os.environ.pop("COURSE_RECORD", None)  # it is the kernel's, which has begun


@pytest.fixture
def run_of(request):
    """The record of a lesson's run under nbval, in this process: `run_of(stem)`."""

    def run(stem: str) -> Record:
        cells = [item for item in request.session.items if isinstance(item, IPyNbCell) and item.path.stem == stem]
        if not cells:
            pytest.skip(f"the cells of {stem} are not run here: name its notebook, too, and --nbval")
        lesson = cells[0].parent
        return record_of(lesson.nb, entered(lesson.record), stem, "digits")

    return cache(run)


@contextmanager
def one_process() -> Iterator[None]:
    """A class is graded or judged in this process: none is started for it, each with torch of its own."""

    def one_after_the_other(tasks, common, jobs, work):
        return ((file, work.do(work.make(task, common))) for file, task in tasks.items())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("grader.batch.grade_on_cores", one_after_the_other)
        yield


@pytest.fixture
def in_this_process():
    with one_process():
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The user's folder of real images, COURSE_DATA, if it has them all."""
    if not (DATA and all(Path(DATA, f"{name}.npz").exists() for name in REAL)):
        pytest.skip(NO_DATA)
    return Path(DATA)


@pytest.fixture(scope="session")
def project_files() -> list[Path]:
    """The project's files, from its root: what a commit of everything would hold."""
    listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True).splitlines()
    return [Path(name) for name in listed if (ROOT / name).exists()]
