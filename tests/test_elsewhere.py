"""A lesson runs where we are not: on Colab, on Kaggle, and on a machine without network."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from urllib.parse import parse_qs

import nbformat
import pytest

from build import KAGGLE_INPUT, REPOSITORY, assemble
from labs import SOLUTIONS
from run import LESSONS, ROOT
from small_env import COLAB, small_env

HERE = Path(__file__).parent
INSTALLED = sysconfig.get_path("purelib")
LESSON = "01_one_gradient_step.ipynb"


def play(*command, **more) -> str:
    """What a command prints. Fails with its error output if it fails."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory, project_files) -> Path:
    """This working tree, with what is not committed yet, as a repository that can be cloned."""
    folder = tmp_path_factory.mktemp("repository")
    for file in project_files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    play("git", "init", "--quiet", cwd=folder)
    play("git", "add", "--all", cwd=folder)
    play("git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-qm", "all", cwd=folder)
    return folder


def test_on_colab(clone, tmp_path):
    """An empty machine with Colab's IPython and widgets: the first cell fetches the course, and every cell runs."""
    colab = small_env("colab", COLAB)
    own = sysconfig.get_path("purelib", vars={"base": str(colab.parents[1])})
    git = {  # the address in the first cell stays as it is printed, and leads to the clone
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{clone}.insteadOf",
        "GIT_CONFIG_VALUE_0": REPOSITORY,
    }
    users = {name: value for name, value in os.environ.items() if not name.startswith("COURSE_")}
    content, home = tmp_path / "content", tmp_path / "root"
    content.mkdir()
    home.mkdir()
    for file in (LESSONS / LESSON, SOLUTIONS / LESSON):  # then a lab, as after a restart of the runtime
        notebook = shutil.copy(file, content)
        command = [colab, "-I", "-S", HERE / "play.py", "colab", notebook, own, INSTALLED]
        assert "played" in play(*command, cwd=content, env={**users, **git, "HOME": str(home)})
    assert (home / REPOSITORY.rpartition("/")[2] / "notebooks" / LESSON).exists()


def kaggle(tmp_path: Path, added: Path) -> subprocess.CompletedProcess:
    """Run lesson 01, as the present text makes it, as on Kaggle without internet; its data sets lie in `added`."""
    notebook, home = assemble(LESSONS / "src" / LESSON.replace("ipynb", "py")), tmp_path / "root"
    notebook.cells[1].source = notebook.cells[1].source.replace(KAGGLE_INPUT, str(added))
    nbformat.write(notebook, tmp_path / LESSON)
    home.mkdir()
    git = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.file://{tmp_path}/nothing.insteadOf"}
    git |= {"GIT_CONFIG_VALUE_0": REPOSITORY}
    where = os.environ | git | {"HOME": str(home), "KAGGLE_KERNEL_RUN_TYPE": "Interactive"}
    command = [sys.executable, "-I", "-S", HERE / "play.py", "kaggle", tmp_path / LESSON, INSTALLED]
    return subprocess.run([*map(str, command)], cwd=tmp_path, env=where, capture_output=True, text=True)


def test_on_kaggle_without_internet(clone, tmp_path):
    """The course lies among the notebook's data sets, where nothing can be written; the first cell copies it."""
    added = tmp_path / "input"
    shutil.copytree(clone, added / "datasets" / "somebody" / "course")
    run = kaggle(tmp_path, added)
    assert run.returncode == 0 and "played" in run.stdout, run.stdout[-2000:] + run.stderr[-2000:]
    assert (tmp_path / "root" / REPOSITORY.rpartition("/")[2] / "notebooks" / LESSON).exists()


def test_on_kaggle_without_the_course_it_says_what_to_do(tmp_path):
    run = kaggle(tmp_path, tmp_path / "input")
    assert run.returncode and "On Kaggle turn on Settings > Internet" in run.stdout + run.stderr


def test_on_a_jupyterhub(clone, tmp_path):
    """nbgitpuller, asked by the README's link, puts the course where the link then opens lesson 00."""
    (link,) = re.findall(r"https://YOUR-HUB/hub/user-redirect/git-pull\?(\S+)", (ROOT / "README.md").read_text())
    asked = {name: value for name, (value,) in parse_qs(link).items()}
    assert asked["repo"] == REPOSITORY
    play("git", "branch", "-f", asked["branch"], cwd=clone)
    folder = tmp_path / asked["repo"].rpartition("/")[2]  # nbgitpuller's rule
    puller = (
        "import sys; from nbgitpuller.pull import GitPuller as P; print(*P(*sys.argv[1:3], branch=sys.argv[3]).pull())"
    )
    python = small_env("hub", ("nbgitpuller>=1.2",))
    play(python, "-c", puller, f"file://{clone}", folder, asked["branch"], cwd=tmp_path)
    assert (tmp_path / asked["urlpath"].removeprefix("lab/tree/")).read_bytes() == (
        LESSONS / "00_start_here.ipynb"
    ).read_bytes()


def cut_off() -> list[str]:
    """A command that runs another one without network; none, if this machine does not allow it."""
    count = [sys.executable, "-c", "import socket; print(len(socket.if_nameindex()))"]
    for command in (["unshare", "--map-root-user", "--net"], ["bwrap", "--dev-bind", "/", "/", "--unshare-net"]):
        if shutil.which(command[0]) and subprocess.run([*command, *count], capture_output=True).stdout == b"1\n":
            return command  # only the loopback is left
    return []


def test_without_network(tmp_path, capsys):
    if not (command := cut_off()):
        with capsys.disabled():
            print("\nneither unshare nor bwrap works here: the network is only forbidden to Python, not cut off")
    player = [sys.executable, "-I", "-S", HERE / "play.py", "offline", LESSONS / LESSON, ROOT, INSTALLED]
    assert "played" in play(*command, *player, cwd=tmp_path)
