"""Right answers in unlucky notebooks: edited, moved, noisy, slow, of another type, in another encoding. All points."""

import json
import re

import numpy as np
import pytest
import torch
from torch import nn

from grader.grade import load_lab
from grader.lab import cells_to_run, given_cells_needed, handed_out
from grader.notebook import read_cells
from grader.session import Session
from tiny_lab import (
    ALL,
    CHECK_DOUBLE,
    DOUBLE,
    GIVEN,
    LAB,
    LOST,
    MODULES,
    WRONG,
    answers,
    function,
    graded,
    notebook,
    points,
    said,
)
from utils import expect, masking

STUB = handed_out(DOUBLE)

# Right answers to `double`, each an exercise of one lab, so that one sandbox serves for all.
RIGHT = {
    "tabs": "def double(x):\n\treturn 2 * x",
    "windows line ends": DOUBLE.replace("\n", "\r\n"),
    "warns": "import warnings\n" + function("warnings.warn('careful')\nreturn 2 * x"),
    "prints": function("print(x)\nprint('é ∀ \\x1b[31m')\nreturn 2 * x"),
    "standard error": "import sys\n" + function("print('oh', file=sys.stderr)\nreturn 2 * x"),
    "plots": "import matplotlib.pyplot as plt\n"
    + function("fig, ax = plt.subplots()\nax.plot(x)\nplt.show()\nreturn 2 * x"),
    "progress bars": "from tqdm.auto import tqdm\n" + function("for _ in tqdm(range(3)): pass\nreturn 2 * x"),
    "slow": "import time\n" + function("time.sleep(0.8)\nreturn 2 * x"),
    "float64": function("return 2 * x.to(torch.float64)"),
    "numpy": function("return 2 * x.numpy()"),
    "list": function("return (2 * x).tolist()"),
    "list of arrays": function("return [2 * part.numpy() for part in x]"),
    "list of tensors": function("return [2 * part for part in x]"),
    "an array that is read backwards": function("return (2 * x.numpy()[::-1])[::-1]"),
    "another order of bytes": function("return 2 * x.numpy().astype('>f8')"),
    "not contiguous": function("return torch.stack([2 * x, x], -1)[..., 0]"),
    "wants a gradient": function("return 2 * x.clone().requires_grad_()"),
    "a method": "class A:\n    def run(self, x):\n        return 2 * x\ndouble = A().run",
    "a partial": "from functools import partial\ndouble = partial(lambda k, x: k * x, 2)",
    "a magic above": "%%time\n" + DOUBLE,
    "magics, one in the other": "\n%%time\n%%capture\n%matplotlib inline\n" + DOUBLE,
    "a magic, and a line that begins with %": "%%time\nz = (10\n     % 3)\n" + DOUBLE,
    "a captured output": "%%capture --no-stderr out\nprint(1)\n" + DOUBLE,
    "the captured output": "out.show()\nfirst = out.stdout.splitlines()[0]\n" + DOUBLE,
    "a timed statement": "%time factor = 2\nother = %time factor\n" + function("return other * x"),
    "a command's lines": "files = !ls -l\nprint(files[0])\n" + DOUBLE,
    "a measured time": "t = %timeit -o sum([1])\nprint(f'{t.average:.3f}')\nbest = min(t.timings)\n" + DOUBLE,
    "a continued command": "!pip install one \\\n    two\n" + DOUBLE,
    "questions": "?print\nlen??\nprint?\n" + DOUBLE,
    "a magic in a branch": "if True:\n    %load_ext autoreload\n    !pip install one\n" + DOUBLE,
    "pasted prompts": ">>> def double(x):\n...     return 2 * x",
    "pasted prompts of IPython": "In [3]: def double(x):\n   ...:     return 2 * x",
    "all of it indented": "    k = 2\n    def double(x):\n        return k * x",
    "awaits": "import asyncio\nawait asyncio.sleep(0)\nasync def two(): return 2\nk2 = await two()\n"
    + function("return k2 * x"),
    "awaits below a magic": "%%time\nfor _ in range(2):\n    await asyncio.sleep(0)\n" + DOUBLE,
    "a future of an earlier cell": "from __future__ import annotations",
    "annotations by that future": "def double(x: no_such_module.Thing) -> NoSuchType:\n    return 2 * x",
    "imports that are missing": "import math, torchvision, torchvision.ops as ops, json\n"
    "from torchvision import transforms\nfrom torch import no_such_name, tensor\nimport torch.no_such_part\n"
    "from no_such_module import *\nnormalize = transforms.Normalize((0.1,), (0.3,))\n"
    "class Net(torchvision.models.ResNet): pass\nnet = Net()\nready = [json, tensor, torch]\n"
    + function("assert ready\nreturn 2 * x * math.cos(0)"),
    "colab": "from google.colab import drive, files\ndrive.mount('/content/drive')\nup = files.upload()\n"
    "for name in up: print(name)\nif 'google.colab' in str(get_ipython()): import google.colab\n" + DOUBLE,
    "ipython's own name": "from IPython import get_ipython\nget_ipython().run_line_magic('matplotlib', 'inline')\n"
    "import IPython\nIPython.get_ipython().system('ls')\n" + DOUBLE,
    "an import that is caught": "try:\n    import google.colab\n    k3 = 3\nexcept ImportError:\n    k3 = 2\n"
    + function("return k3 * x"),
    "asks": "n = int(input('how many? '))\nvalues = range(n)\nprint(len(values))\n" + DOUBLE,
    "asks in a loop": "while True:\n    n = input()\n    if n: break\n" + DOUBLE,
    "files and the network": "import urllib.request\ntext = open('/content/drive/notes.txt').read()\nprint(text)\n"
    "page = urllib.request.urlopen('http://127.0.0.1:9/').read()\n" + DOUBLE,
    "a GPU": "where = torch.ones(3).cuda()\nprint(where)\ntorch.ones(3).to('mps')\n" + DOUBLE,
    "writes a module": "%%writefile double.py\ndef double(x):\n    return 2 * x",
    "imports that module": "from double import double",
}


def test_right_answers_in_every_form_have_all_points():
    def numbered(text: str, i: int) -> str:
        return re.sub(r"\bdouble\b", f"double{i}", text)

    forms = list(RIGHT)
    gives = {i: forms.index("imports that module") if form == "writes a module" else i for i, form in enumerate(forms)}
    cells = [numbered(source, gives[i]) for i, source in enumerate(RIGHT.values())]
    asked = [i for i, form in enumerate(forms) if re.search(r"def double|double =|from double", RIGHT[form])]
    asked.remove(forms.index("writes a module"))
    lab = [GIVEN] + [cell for i in asked for cell in (numbered(DOUBLE, i), numbered(CHECK_DOUBLE, i))]
    result = graded(notebook(["import torch", *cells]), lab=notebook(lab).decode(), cell=30, call=30)
    lost = {forms[i]: check["message"] for i, check in zip(asked, result["checks"], strict=True) if not check["earned"]}
    assert not lost and len(asked) == len(RIGHT) - 2
    assert not [line for line in result["look"] if "raised" in line or "ended" in line], "no cell has failed"


# Values of a notebook, and what the checks see of each.
VALUES = {
    "[[bool(i * k % 3) for i in range(1000)] for k in range(1000)]": [
        [bool(i * k % 3) for i in range(1000)] for k in range(1000)
    ],
    "Fraction(1, 3)": 1 / 3,
    "[Fraction(1, 2), Decimal('0.1')]": [0.5, 0.1],
    "Decimal('0.1')": 0.1,
    "np.uint64(2**64 - 1)": 2**64 - 1,
    "np.longdouble(0.5)": 0.5,
    "[np.uint64(5), np.uint64(6)]": [5, 6],
    "np.arange(3, dtype=np.uint64)": torch.arange(3),
    "torch.arange(3).to(torch.uint16)": torch.arange(3),
    "np.array([2**64 - 1], np.uint64)": [2**64 - 1],
    "np.ones(2, np.longdouble)": torch.ones(2, dtype=torch.float64),
    "np.array(['a', 'b'])": ["a", "b"],
    "np.array([Fraction(1, 2), None])": [0.5, None],
    "[0.1, 0.2]": [0.1, 0.2],
    "[np.float32(0.1)]": [float(np.float32(0.1))],
    "[1, 2.5, True, None]": [1, 2.5, True, None],
    "[[1, 2], [3]]": [[1, 2], [3]],
    "[2**70]": [2**70],
    "[[], []]": [[], []],
    "[1j]": [1j],
    "range(3)": [0, 1, 2],
    "deque([1.5, 2.5])": [1.5, 2.5],
    "array('d', [1, 2])": [1.0, 2.0],
    "memoryview(bytearray(b'ab'))": [97, 98],
    "{(1, 2)}": {(1, 2)},
    "(0.5, 'a', [np.ones(1)])": (0.5, "a", [torch.ones(1, dtype=torch.float64)]),
}


def test_values_of_every_kind_are_seen_as_they_are():
    given = "import numpy as np, torch\nfrom array import array\nfrom collections import deque\n"
    given += "from decimal import Decimal\nfrom fractions import Fraction"
    values = "\n".join(f"v{i} = {source}" for i, source in enumerate(VALUES))
    session = Session([], [(1, given), (2, values)], modules=MODULES)
    try:
        seen = {source: session.get(f"v{i}").get("value") for i, source in enumerate(VALUES)}
    finally:
        session.close()
    assert not {s: expect.short(seen[s]) for s, wanted in VALUES.items() if repr(seen[s]) != repr(wanted)}


def test_a_list_of_numbers_is_not_rounded():
    """Neither on the way nor by the check, which in a student's own notebook is the same."""
    session = Session([], [(1, "def third(n): return [1 / 3] * n")], modules=MODULES)
    try:
        answers = session.get("third")["value"](2), [1 / 3] * 2
    finally:
        session.close()
    for answer in answers:
        assert expect.tensor(answer, like=torch.ones(2, dtype=torch.float64)).tolist() == [1 / 3] * 2


def test_torch_func_takes_the_courses_masks():
    """A model that a check sends, with a mask that has a backward pass of its own."""
    source = "import torch\ndef slope(model, x): return torch.func.grad(lambda x: model(x).sum())(x)"
    model, x = nn.Sequential(masking.Scramble(), nn.Flatten(), nn.Linear(16, 3)), torch.rand(2, 1, 4, 4)
    session = Session([], [(1, source)], modules=MODULES)
    try:
        found = session.get("slope")["value"](model, x)
    finally:
        session.close()
    assert torch.equal(found, torch.autograd.grad(model(x.requires_grad_()).sum(), x)[0])


# What happens to a whole notebook.
LUCKLESS = {
    "as it is": answers(),
    "duplicated stub below": answers(after=[STUB]),
    "a stub below an answer with a magic": answers("%%time\n" + DOUBLE, after=[STUB]),
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
    "an older, wrong version above, in a cell that fails": answers(before=[WRONG + "\nprint(no_such_name)"]),
    "an older version that needs what comes later": answers(
        before=[WRONG + "\ncolour = factor", "factor = 4\n" + WRONG.replace("3", "4")]
    ),
    "other cells fail": answers(
        before=[
            *(
                "1 / 0",
                "import no_such_module",
                "this is no Python",
                "assert False",
                "import sys\nsys.exit(1)",
                "exit()",
            ),
            *("name = input('your name?')", "%matplotlib inline\n!pip install nothing\n?print", "%%time\nz = ("),
        ]
    ),
    "another cell ends the process": answers(before=["import os\nos._exit(3)"]),
    "another cell loops": answers(after=["while True: pass"]),
    "empty cells": ["", " \n", *answers(), ""],
    "blanks at line ends": [cell.replace("\n", "  \n") for cell in answers()],
    "windows line ends": [cell.replace("\n", "\r\n") for cell in answers()],
    "displays, and draws": answers(before=["torch.manual_seed(0)"], after=["display(double(torch.ones(2)))"]),
    "other types": answers(
        total="total = lambda x: x.numpy().sum()", colour="import numpy\ncolour = numpy.str_('blue')"
    ),
}
GRADED = {}  # by what runs in the sandbox: where that is the same, one run stands for all


@pytest.mark.parametrize("case", LUCKLESS)
def test_an_unlucky_student_loses_nothing(case):
    lab = load_lab(LAB)
    chosen = cells_to_run(lab, LUCKLESS[case])
    work = tuple(given_cells_needed(lab, chosen)), tuple(source for _, source in chosen)
    if work not in GRADED:
        seconds = 2 if "loops" in case else 30  # a busy machine makes no one slow
        GRADED[work] = graded(notebook(LUCKLESS[case]), 'O\'Neil, "Zoë"', cell=seconds, call=seconds)
    assert points(GRADED[work]) == ALL, [check["message"] for check in GRADED[work]["checks"]]


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
        assert [cell["source"] for cell in read_cells(content)[0] if cell["kind"] == "code"] == cells
    assert points(graded(wide.encode("utf-16"))) == ALL


def test_a_missing_answer_costs_its_points_only():
    result = graded(notebook([cell for cell in answers() if cell != DOUBLE]))
    assert points(result) == LOST
    assert said(result) == "double is not defined"
