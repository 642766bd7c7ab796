"""A lesson runs where we are not: on Colab, and on a machine without network."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from build import REPOSITORY
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
