"""What a newcomer sees, again on the versions that Colab brings: ipywidgets 7.7.1, IPython 7.34, ipykernel 6.17.

The widgets, and what a kernel does around a cell: answers covered until a lock, the section that makes a missing name,
and the calm line of an exercise that is not answered yet.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


RUNS_ON = "tests/test_unanswered.py::test_run_all_goes_on_to_the_end"
IN_A_KERNEL = ["tests/test_curtain.py", "tests/test_earlier.py", RUNS_ON]


@pytest.mark.parametrize("tests", [["tests/test_widgets.py"], IN_A_KERNEL], ids=["widgets", "kernel"])
def test_the_same_tests_pass_there(tests):
    tested = run("-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    assert tested.returncode == 0 and " skipped" not in tested.stdout, tested.stdout[-3000:] + tested.stderr[-1000:]


def test_a_kernel_has_these_versions_too():
    """A test that starts a kernel starts one of the environment that it runs in, not of the course's."""
    code = """import nbformat; from nbclient import NotebookClient
cell = nbformat.v4.new_code_cell("import IPython, ipykernel; print(IPython.__version__, ipykernel.__version__)")
print(NotebookClient(nbformat.v4.new_notebook(cells=[cell])).execute().cells[0].outputs[0].text)"""
    versions = dict(package.split("==") for package in COLAB)
    assert run("-c", code).stdout.split() == [versions["ipython"], versions["ipykernel"]]
