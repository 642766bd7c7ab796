"""The ways into the course: a container, an editor, another host; and what newcomers meet is said in one sentence."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import pip_failed
from run import ROOT

NOWHERE = "http://127.0.0.1:9"  # a port of loopback where nobody answers


# What newcomers meet.


@pytest.fixture
def fresh(tmp_path) -> Path:
    """As much of a clone as `make` reads before there is an environment."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "setup.py", "README.md", "tools/pip_failed.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def pretend(folder: Path, before: str) -> Path:
    """A Python that runs `before` first; it has no venv module."""
    made = folder / "another-python"
    code = f"""exec {sys.executable} -c "{before}; exec('$2')\""""
    made.write_text(f'#!/bin/sh\nif [ "$1" = -c ]; then {code}; fi\nexit 1\n')
    made.chmod(0o755)
    return made


def said(folder: Path, *words: str, **variables: str) -> str:
    """The last line but make's own of a `make lab` that fails."""
    users = {name: value for name, value in os.environ.items() if not name.upper().startswith(("PIP_", "HTTP", "MAKE"))}
    where = users | {"PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0", "CI": "1"} | variables
    run = subprocess.run(["make", "lab", *words], cwd=folder, env=where, capture_output=True, text=True)
    assert run.returncode == 2, run.stdout + run.stderr
    told = [line for line in (run.stdout + run.stderr).splitlines() if not line.startswith("make: ***")]
    return told[-1]


def test_no_python(fresh):
    assert said(fresh, "PYTHON=python0").startswith("There is no python0 here. Install Python 3.11 or newer")


def test_an_old_python(fresh):
    old = pretend(fresh, "import sys; sys.version_info = (3, 9, 2)")
    assert "needs Python 3.11 or newer" in said(fresh, f"PYTHON={old}") and not (fresh / ".venv").exists()


def test_no_venv_module(fresh):
    assert "cannot make environments. Install its venv module" in said(fresh, f"PYTHON={pretend(fresh, 'pass')}")


def test_a_proxy_that_does_not_answer(fresh):
    told = said(fresh, HTTPS_PROXY=NOWHERE, PIP_INDEX_URL="https://index.invalid/simple")
    assert told == pip_failed.why("Cannot connect to proxy") != pip_failed.OTHER


def test_no_network(fresh):
    told = said(fresh, PIP_INDEX_URL=f"{NOWHERE}/simple")
    assert told == pip_failed.why("Network is unreachable") != pip_failed.OTHER


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "The disk is full"),
        ("ERROR: No matching distribution found for torch==2.13.0+cpu", "PIP_EXTRA_INDEX_URL"),
        ("    The user requested torch==2.13.0+cpu\n    The user requested (constraint)", "PIP_EXTRA_INDEX_URL"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "PIP_CERT"),
        ("Tunnel connection failed: 407 Proxy Authentication Required", "HTTPS_PROXY"),
        ("something else", "pip.log"),
    ],
)
def test_what_pip_says(log, sentence):
    """Of a full disk and the like, which no test can make: the words that pip has for it."""
    assert sentence in pip_failed.why(f"Collecting torch\n{log}\n")


def test_a_port_that_is_taken(tmp_path):
    """JupyterLab says so and takes the next; the address that it prints is the right one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        recipe = re.search(r"^\t(.+jupyter lab .+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
        command = ["make", "-f", "-", "lab", f"PORT={port}", f"BIN={Path(sys.executable).parent}"]
        lines = f"lab:\n\texec {recipe.replace('$(HEADLESS)', '--no-browser')}\n"
        where = os.environ | {"JUPYTER_RUNTIME_DIR": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path)}
        server = subprocess.Popen(
            command, cwd=tmp_path, env=where, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        server.stdin.write(lines)
        server.stdin.close()
        told = []
        try:
            for line in server.stderr:
                told.append(line)
                if found := re.search(r"http://127\.0\.0\.1:(\d+)/lab", line):
                    break
        finally:
            server.terminate()
            server.wait()
    assert any(f"port {port} is already in use" in line for line in told), "".join(told)
    assert found and found[1] != str(port)


# A container.

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
DEVCONTAINER = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
STEPS = [line.split(maxsplit=1) for line in re.sub(r"\\\n", " ", DOCKERFILE).splitlines() if line and line[0] != "#"]
KNOWN = {"FROM", "RUN", "ENV", "USER", "ARG", "WORKDIR", "COPY", "EXPOSE", "CMD"}


def targets_in(text: str) -> set[str]:
    return set(re.findall(r"\bmake (?:[A-Z]+=\S+ )*([a-z.][\w./]*)", text))


def test_the_dockerfile_is_well_formed_and_ends_as_an_ordinary_user():
    assert {word for word, _ in STEPS} <= KNOWN
    stages = [rest.split(" AS ") for word, rest in STEPS if word == "FROM"]
    assert [name for _, name in stages] == ["base", "course"] and stages[1][0] == "base"
    assert re.fullmatch(r"python:3\.(1[1-9])-slim", stages[0][0])
    users = [rest for word, rest in STEPS if word == "USER"]
    assert users == ["learner"] and f"useradd --create-home --uid 1000 --shell /bin/bash {users[0]}" in DOCKERFILE
    made = [rest for word, rest in STEPS if word == "RUN"][-1]
    assert made == "TORCH=$TORCH .devcontainer/setup.sh" and ["ARG", "TORCH=cpu"] in STEPS
    command = json.loads(STEPS[-1][1])
    assert command[:2] == ["make", "lab"] and command[2].startswith("HEADLESS=") and STEPS[-1][0] == "CMD"


def test_what_a_container_does_not_take_is_what_git_ignores():
    for name in (ROOT / ".dockerignore").read_text().split():
        if name != ".git":
            path = name.removeprefix("**/").replace("*", "x")
            assert subprocess.run(["git", "check-ignore", "-q", f"{path}/"], cwd=ROOT).returncode == 0, name


def test_the_devcontainer_names_what_is_there():
    build = DEVCONTAINER["build"]
    folder = ROOT / ".devcontainer"
    assert (folder / build["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert f" AS {build['target']}\n" in DOCKERFILE and f"USER {DEVCONTAINER['remoteUser']}\n" in DOCKERFILE
    script = ROOT / DEVCONTAINER["postCreateCommand"]
    assert os.access(script, os.X_OK) and subprocess.run(["bash", "-n", script]).returncode == 0
    for name in DEVCONTAINER["customizations"]["codespaces"]["openFiles"]:
        assert (ROOT / name).exists()
    port = re.search(r"^PORT = (\d+)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    assert DEVCONTAINER["forwardPorts"] == [int(port)] and set(DEVCONTAINER["portsAttributes"]) == {port}
    assert ["EXPOSE", port] in STEPS
    named = targets_in(f"{DEVCONTAINER['postAttachCommand']}\n{script.read_text()}")
    assert named == {"lab", ".venv/made"}
    for target in named:
        assert subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("asked", "index"), [({}, "/whl/cpu"), ({"TORCH": "cpu"}, "/whl/cpu"), ({"TORCH": "cuda"}, "")]
)
def test_the_index_of_cpu_builds_is_asked_for_these_alone(tmp_path, asked, index):
    """A `make` that only tells what it was asked: the index, and the words."""
    script, python, make = (tmp_path / name for name in (".devcontainer/setup.sh", ".venv/bin/python", "bin/make"))
    for file in (script, python, make):
        file.parent.mkdir(parents=True)
        file.write_text('#!/bin/sh\necho "$PIP_EXTRA_INDEX_URL|$*"\n')
        file.chmod(0o755)
    shutil.copy(ROOT / ".devcontainer" / "setup.sh", script)
    users = {name: value for name, value in os.environ.items() if name not in ("TORCH", "PIP_EXTRA_INDEX_URL")}
    where = users | asked | {"PATH": f"{make.parent}:{os.environ['PATH']}"}
    told = subprocess.check_output([script], env=where, text=True).splitlines()[0]
    given, _, words = told.partition("|")
    assert (
        given.endswith(index) if index else given == ""
    ) and words == f"TORCH={asked.get('TORCH', 'cpu')} .venv/made"


def test_the_set_up_ends_with_a_check_that_can_fail(tmp_path, project_files):
    """In a fresh clone with this environment in the place of the one that it would make from the network."""
    for file in project_files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\n[ "$2" = pip ] && exit 9\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (tmp_path / ".venv" / "made").touch()
    script = tmp_path / ".devcontainer" / "setup.sh"
    run = subprocess.run([script], cwd="/", capture_output=True, text=True)
    assert run.returncode == 0 and "Ready: every lesson will run here." in run.stdout, run.stdout + run.stderr
    broken = os.environ | {"COURSE_DATASET": "mnits"}
    run = subprocess.run([script], cwd="/", env=broken, capture_output=True, text=True)
    assert run.returncode == 1 and "Not ready: data" in run.stdout


# An editor.


def test_the_editor_finds_the_environment_and_utils():
    settings = json.loads((ROOT / ".vscode" / "settings.json").read_text())
    for text in (settings["python.defaultInterpreterPath"], settings["jupyter.notebookFileRoot"]):
        path = text.replace("${workspaceFolder}/", "")
        assert path == ".venv/bin/python" or (ROOT / path).is_dir()
    run = subprocess.run(["git", "check-ignore", "-q", ".vscode/settings.json"], cwd=ROOT)
    assert run.returncode == 1, "git would not hand it out"
