"""What pip installs works where nothing of the course is: a command, its data, and a name that is nobody else's."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from run import ROOT

QUICK = ["--quick", "--images", "5", "--to", "out"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory, project_files) -> Path:
    """Built from the project's files, in a folder of its own."""
    folder = tmp_path_factory.mktemp("source")
    for file in project_files:
        if file.parts[0] in ("utils", "grader") or file.name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, folder / file)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*command, "-w", folder / "dist", folder], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    [file] = (folder / "dist").glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The folder that it is installed to; its dependencies are those of these tests."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", folder, wheel]
    done = subprocess.run([*command, "--no-compile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def strangers(wheel: Path) -> set[str]:
    """The modules of these tests' environment that pip would not have installed with the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        [told] = [name for name in archive.namelist() if name.endswith("METADATA")]
        asked = Parser().parsestr(archive.read(told).decode()).get_all("Requires-Dist")
    needed, missing = {"measured-defense"}, list(map(Requirement, asked))
    while missing:
        one = missing.pop()
        name = canonicalize_name(one.name)
        if name not in needed and (one.marker is None or one.marker.evaluate({"extra": ""})):
            needed.add(name)
            missing += map(Requirement, metadata.requires(name) or [])
    owners = metadata.packages_distributions().items()
    return {module for module, names in owners if not needed & set(map(canonicalize_name, names))}


STRANGERS = """import sys
from importlib.machinery import PathFinder
class Installed(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {strangers} else PathFinder.find_spec(name, path, target)
others = (finder for finder in sys.meta_path if finder is not PathFinder and "editable" not in repr(finder))
sys.meta_path[:] = [*others, Installed]
"""


def run(command: list, site: Path, cwd: Path, wheel: Path) -> subprocess.CompletedProcess:
    """A command where there is only what pip would have installed: the wheel and what it asks for."""
    (site / "usercustomize.py").write_text("")
    (site / "sitecustomize.py").write_text(STRANGERS.format(strangers=strangers(wheel)))
    where = {"PYTHONPATH": str(site), "PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=cwd, env=where, capture_output=True, text=True)


@pytest.fixture
def project(tmp_path) -> Path:
    """A user's own: a model with `utils` beside it, a folder without `__init__.py`, and data."""
    (tmp_path / "utils").mkdir()
    (tmp_path / "utils" / "blocks.py").write_text("from torch import nn\ndef block():\n    return nn.Linear(64, 3)\n")
    code = "from torch import nn\nfrom utils.blocks import block\n"
    code += "def build():\n    return nn.Sequential(nn.Flatten(), block())\n"
    (tmp_path / "model.py").write_text(code)
    x = np.random.default_rng(0).random((40, 8, 8), np.float32)
    np.savez(tmp_path / "data.npz", x_test=x, y_test=np.arange(40) % 3)
    return tmp_path


def test_the_wheel_holds_the_tools_under_a_name_of_their_own(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [told] = [name for name in names if name.endswith("top_level.txt")]
        assert archive.read(told).split() == [b"measured_defense"]
        code = "\n".join(archive.read(name).decode() for name in names if name.endswith(".py"))
    assert {name.split("/")[0].split("-")[0] for name in names} == {"measured_defense"}
    data = {Path(name).name for name in names if not name.endswith(".py") and "dist-info" not in name}
    assert data == {file.name for file in (ROOT / "utils").rglob("*.*") if file.suffix not in (".py", ".pyc")}
    assert not [line for line in code.splitlines() if line.strip().startswith(("from utils", "import utils"))]


def test_the_command_works_in_an_empty_environment(installed, project, wheel):
    here = {"site": installed, "cwd": project, "wheel": wheel}
    done = run([installed / "bin" / "measured-audit", "model.py:build", "--data", "data.npz", *QUICK], **here)
    assert done.returncode == 0, done.stderr
    card = json.loads((project / "out" / "card.json").read_text())
    assert card["versions"]["measured-defense"] != "unknown" and card["quick"] and card["inputs"]["attacked"] == 5
    script = "import utils.blocks\nfrom measured_defense.attacks import worst_case\nimport measured_defense.plots\n"
    script += "from measured_defense.domains.texts import load_texts\n"
    script += "try:\n    import ipywidgets\nexcept ModuleNotFoundError:\n    print('empty')\n"
    script += "print(worst_case.__module__, len(load_texts().train.y))\n"
    (project / "script.py").write_text(script)
    done = run([sys.executable, "script.py"], **here)
    assert done.stdout == "empty\nmeasured_defense.attacks.ensemble 150\n", done.stderr


def test_the_github_action_calls_the_command(tmp_path):
    """Its steps, with what a user gives; a name with blanks and what would be code for a shell stay words."""
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    step = next(step for step in action["runs"]["steps"] if step.get("id") == "audit")
    told = tmp_path / "bin" / "measured-audit"
    told.parent.mkdir()
    told.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 1\n')
    told.chmod(0o755)
    given = {name: str(of.get("default", "")) for name, of in action["inputs"].items()}
    given |= {"model": "my net/model.py:build", "data": "$(touch pwned).npz", "quick": "true", "eps": "0.1"}
    environment = {name: re_given(text, given) for name, text in step["env"].items()}
    environment |= {"PATH": f"{told.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == [
        "my net/model.py:build", "--data", "$(touch pwned).npz", "--to", "audit", "--eps", "0.1", "--quick",
    ]  # fmt: skip
    assert done.returncode == 1 and not (tmp_path / "pwned").exists(), done.stderr
    assert "${{" not in step["run"], "what a user gives would be code"


def re_given(text: str, given: dict[str, str]) -> str:
    """${{ inputs.NAME }} as GitHub fills it in."""
    for name, value in given.items():
        text = text.replace("${{ inputs.%s }}" % name, value)  # noqa: UP031
    assert "${{" not in text, text
    return text
