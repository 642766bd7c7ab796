"""What all tests share: a lesson finds here what it finds in the build, its one run is kept as a record, and nothing of
the user's is seen."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell
from xdist.scheduler import LoadScopeScheduling

from run import ROOT, begin_cell, entered, environment, record_of
from utils.records import Record, read

DATA = os.environ.get("COURSE_DATA")
STATE = tempfile.TemporaryDirectory()
os.environ.update(fresh := environment(STATE.name))
for name in os.environ.keys() - fresh.keys() | {"COURSE_RECORD"}:
    os.environ.pop(name, None)


def group(nodeid: str) -> str:
    """What runs in one process, in order: a lesson and the tests of its run, the cases of a lab, else a file."""
    file, _, case = nodeid.partition("::")
    stem = Path(file).stem
    if stem == "test_notebooks" and (lesson := re.search(r"\[(\w+)", case)):
        return lesson[1]
    if stem == "test_labs" and (lab := re.search(r"\[(?:\w-)?(\d\d)", case)):
        return f"lab {lab[1]}"
    return stem


SLOW = (  # not in `make quick`: they run notebooks, a browser, an environment, answers to labs, or many seconds
    "test_audit",
    "test_browser",
    "test_controls",
    "test_elsewhere",
    "test_expect",
    "test_labs",
    "test_processors",
    "test_small_env",
    "test_widgets_colab",
)


class ByGroup(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def pytest_xdist_make_scheduler(config, log):
    return ByGroup(config, log)


def pytest_collection_modifyitems(items):
    """Lessons first, the longest of all first, and the tests of a run right after its cells; what is quick, last."""
    for item in items:
        if item.path.stem in SLOW or isinstance(item, IPyNbCell) or "run_of" in item.fixturenames:
            item.add_marker("slow")

    def order(item):
        lesson = group(item.nodeid)
        record, slow = read(lesson), item.path.stem in SLOW
        return -record["seconds"] if record else -slow, lesson, not isinstance(item, IPyNbCell)

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

    return run


@pytest.fixture(scope="session")
def real_data(tmp_path_factory) -> Path:
    """A folder with `mnist.npz` to be used as COURSE_DATA: the user's, else one made from files beside the project."""
    if DATA:
        return Path(DATA)
    maker = Path(__file__).resolve().parents[1] / "shared" / "tools" / "make_cache.py"
    if not maker.exists():
        pytest.skip("no MNIST without network: set COURSE_DATA to a folder with mnist.npz")
    folder = tmp_path_factory.mktemp("data")
    subprocess.run([sys.executable, maker, folder, "mnist"], check=True)
    return folder


@pytest.fixture(scope="session")
def project_files() -> list[Path]:
    """The project's files, from its root: what a commit of everything would hold."""
    listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True).splitlines()
    return [Path(name) for name in listed if (ROOT / name).exists()]
