"""Lessons compare what is the same on every processor: two of them are run again with the plainest instructions.

What they measure changes with the instructions, and must stay in its bands. A cell that prints it without an arrow is
red, as it would be for anybody on another processor.
"""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import nbformat
import pytest
from nbformat import v4

from run import LESSONS, ROOT

PLAIN = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}
QUICK = ["00_start_here", "01_one_gradient_step"]
RUN = ("measured_values_stay_in_their_bands", "every_verdict_is_that_of_the_kept_record")
SUMS = "torch.linspace(-3, 3, 4000).reshape(4, 1000).softmax(1).square().sum(1).tolist()"
WITH_AVX512 = "[0.0011809126008301973, 0.001180912833660841, 0.0011809123679995537, 0.001180912833660841]\n"
CELLS = {  # what each prints, and printed when it was built: the plain instructions are in use, and give other sums
    "import torch\nprint(torch.backends.cpu.get_cpu_capability())": "DEFAULT\n",
    f'print("sums →", {SUMS})': f"sums → {WITH_AVX512}",
    f"print({SUMS})": WITH_AVX512,
}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory) -> dict[str, bool]:
    """{test: is it green?} of CI's strict comparison over two lessons and the cells above."""
    folder = tmp_path_factory.mktemp("plain")
    cells = [v4.new_code_cell(code, outputs=[v4.new_output("stream", text=text)]) for code, text in CELLS.items()]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / "sums.ipynb")
    tests = [f"tests/test_notebooks.py::test_{name}[{stem}]" for name in RUN for stem in QUICK]
    notebooks = [*(LESSONS / f"{stem}.ipynb" for stem in QUICK), folder / "sums.ipynb"]
    command = [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml"]
    command += ["--rootdir", ROOT, f"--junitxml={folder}/report.xml", *notebooks, *tests]
    subprocess.run(list(map(str, command)), cwd=ROOT, env=os.environ | PLAIN, stdout=subprocess.DEVNULL)
    cases = ET.parse(folder / "report.xml").iter("testcase")
    return {f"{case.get('classname')} {case.get('name')}": len(case) == 0 for case in cases}


@pytest.mark.parametrize("stem", QUICK)
def test_a_lesson_is_green_with_the_plainest_instructions(outcome, stem):
    cells = {name: green for name, green in outcome.items() if stem in name}
    code = [cell for cell in nbformat.read(LESSONS / f"{stem}.ipynb", 4).cells if cell.cell_type == "code"]
    assert len(cells) == len(code) + len(RUN), "not all of it was run"
    assert not [name for name, green in cells.items() if not green]


def test_a_measurement_without_an_arrow_is_red(outcome):
    assert [green for name, green in outcome.items() if "sums" in name] == [True, True, False]
