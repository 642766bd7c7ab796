"""What all tests share: a lesson finds here what it finds in the build, and nothing of the user's."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from build import ROOT, environment

DATA = os.environ.get("COURSE_DATA")
STATE = tempfile.TemporaryDirectory()
os.environ.update(fresh := environment(STATE.name))
for name in os.environ.keys() - fresh.keys():
    del os.environ[name]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """nbval starts a notebook's kernel for its first cell; like the build's, it gets a ledger of its own."""
    if item.name == "Cell 0":
        os.environ["COURSE_LEDGER"] = tempfile.mkdtemp(dir=STATE.name)


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
