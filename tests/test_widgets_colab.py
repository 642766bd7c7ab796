"""`tests/test_widgets.py` again, on the versions that Colab brings: ipywidgets 7.7.1, IPython 7.34, ipykernel 6.17."""

import os
import subprocess
import sys
from pathlib import Path

from small_env import COLAB, small_env

ROOT = Path(__file__).parents[1]


def run(*command) -> subprocess.CompletedProcess:
    python = small_env("colab", COLAB)
    where = os.environ | {"JUPYTER_PATH": f"{sys.prefix}/share/jupyter"}  # nbconvert's templates
    return subprocess.run([python, *command], cwd=ROOT, env=where, capture_output=True, text=True)


def test_the_small_environment_has_colabs_versions():
    names = [package.partition("==")[0] for package in COLAB]
    code = f"from importlib.metadata import version; print(*(f'{{name}}=={{version(name)}}' for name in {names}))"
    assert run("-c", code).stdout.split() == list(COLAB)


def test_the_widgets_pass_their_tests_there():
    tested = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_widgets.py")
    assert tested.returncode == 0 and " skipped" not in tested.stdout, tested.stdout[-3000:] + tested.stderr[-1000:]
