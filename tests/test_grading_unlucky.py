"""Right answers in unlucky notebooks: edited, moved, noisy, slow, of another type, in another encoding. All points."""

import json

import pytest

from grader.lab import handed_out
from tiny_lab import ALL, DOUBLE, LOST, WRONG, answers, function, graded, notebook, points, said

STUB = handed_out(DOUBLE)
LUCKLESS = {
    "as it is": answers(),
    "duplicated stub below": answers(after=[STUB]),
    "duplicated answer": answers(after=[DOUBLE]),
    "an older, wrong version above": answers(before=[WRONG]),
    "checks deleted": [cell for cell in answers() if not cell.startswith("# CHECK")],
    "checks edited": [cell.replace("1 point", "100 points").replace("expect.", "") for cell in answers()],
    "checks renumbered and broken": [cell.replace("# CHECK", "# CHECK 2.") for cell in answers()],
    "imports deleted": answers()[1:],
    "in another order": answers()[::-1],
    "moved above what it needs": answers(
        before=["half = factor / 2", "factor = 4"], double=function("return half * x")
    ),
    "other cells fail": answers(before=["1 / 0", "import no_such_module", "this is no Python", "assert False"]),
    "another cell exits": answers(before=["import sys\nsys.exit(1)", "exit()", "quit()"]),
    "another cell ends the process": answers(before=["import os\nos._exit(3)"]),
    "another cell loops": answers(after=["while True: pass"]),
    "another cell asks": answers(before=["name = input('your name?')"]),
    "magics": answers(before=["%matplotlib inline\n!pip install nothing\n?print", "%%time\nz = 1\n%timeit z"]),
    "magic above the answer": answers(double="%%time\n" + DOUBLE),
    "colab": answers(before=["from google.colab import drive\ndrive.mount('/content/drive')"]),
    "empty cells": ["", " \n", *answers(), ""],
    "blanks at line ends": [cell.replace("\n", "  \n") for cell in answers()],
    "tabs": answers(double="def double(x):\n\treturn 2 * x"),
    "windows line ends": [cell.replace("\n", "\r\n") for cell in answers()],
    "warns": answers(double="import warnings\n" + function("warnings.warn('careful')\nreturn 2 * x")),
    "prints": answers(double=function("print(x)\nprint('é ∀ \\x1b[31m')\nreturn 2 * x")),
    "standard error": answers(double="import sys\n" + function("print('oh', file=sys.stderr)\nreturn 2 * x")),
    "plots": answers(
        double="import matplotlib.pyplot as plt\n"
        + function("fig, ax = plt.subplots()\nax.plot(x)\nplt.show()\nreturn 2 * x")
    ),
    "progress bars": answers(
        double="from tqdm.auto import tqdm\n" + function("for _ in tqdm(range(3)): pass\nreturn 2 * x")
    ),
    "displays": answers(after=["display(double(torch.ones(2)))"]),
    "slow": answers(double="import time\n" + function("time.sleep(0.8)\nreturn 2 * x")),
    "float64": answers(double=function("return 2 * x.double()")),
    "numpy": answers(double=function("return 2 * x.numpy()"), total=function("return x.numpy().sum()", "total")),
    "list": answers(double=function("return (2 * x).tolist()"), total=function("return [x.sum()][0].item()", "total")),
    "not contiguous": answers(double=function("return torch.stack([2 * x, x], -1)[..., 0]")),
    "wants a gradient": answers(double=function("return 2 * x.clone().requires_grad_()")),
    "numpy text": answers(colour="import numpy\ncolour = numpy.str_('blue')"),
    "a method": answers(double="class A:\n    def run(self, x):\n        return 2 * x\ndouble = A().run"),
    "a lambda and a partial": answers(
        double="from functools import partial\ndouble = partial(lambda k, x: k * x, 2)",
        total="total = lambda x: sum(x)",
    ),
    "random in a cell": answers(before=["torch.manual_seed(0)\nnoise = torch.randn(3)"]),
}


@pytest.mark.parametrize("case", LUCKLESS)
def test_an_unlucky_student_loses_nothing(case):
    seconds = 2 if "loops" in case else 30  # a busy machine makes no one slow
    result = graded(notebook(LUCKLESS[case]), 'O\'Neil, "Zoë"', cell=seconds, call=seconds)
    assert points(result) == ALL, [check["message"] for check in result["checks"]]


def test_files_as_editors_and_browsers_leave_them():
    """Another encoding, an old format, no metadata, other ids, a hundred megabytes of pictures."""
    cells = answers()
    made = json.loads(notebook(cells))
    bare = {"cells": [{"cell_type": c["cell_type"], "source": c["source"].splitlines(True)} for c in made["cells"]]}
    old = {"worksheets": [{"cells": [{"cell_type": "code", "input": cell} for cell in cells]}], "nbformat": 3}
    wide = json.dumps(made | {"note": "é"}, ensure_ascii=False)
    large = made | {"padding": "x" * 100_000_000}
    for content in (
        json.dumps(bare).encode(),
        json.dumps(old).encode(),
        wide.encode("utf-16"),
        wide.encode("utf-8-sig"),
        wide.encode("latin-1"),
        json.dumps(large).encode(),
    ):
        assert points(graded(content)) == ALL


def test_a_missing_answer_costs_its_points_only():
    result = graded(notebook([cell for cell in answers() if cell != DOUBLE]))
    assert points(result) == LOST
    assert said(result) == "double is not defined"
