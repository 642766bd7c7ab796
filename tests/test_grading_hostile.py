"""Hostile submissions: nobody gets points that are not earned, no secret is read, and the batch goes on.

Each case is bounded, so that a hole in the sandbox would harm no machine.
"""

import json
import re
import socket

import pytest

from grader import sandbox
from grader.grade import load_lab
from grader.lab import handed_out
from grader.reports import feedback_page
from grader.sandbox import bubblewrap
from run import ROOT
from tiny_lab import (
    ALL,
    CELLS,
    CHECK_DOUBLE,
    DOUBLE,
    GIVEN,
    LAB,
    LOST,
    NONE,
    WRONG,
    answers,
    function,
    graded,
    notebook,
    points,
    said,
)

isolated = pytest.mark.skipif(not bubblewrap(), reason="needs bubblewrap: without it, isolation is weaker")


FORGE = """import json, os, struct, sys
PAIR = {"tensor": ["float32", [2]]}
def request():
    frame = sys._getframe()
    while "request" not in frame.f_locals: frame = frame.f_back
    return frame.f_locals["request"]
def reply(pairs):
    text, body = json.dumps({"dict": pairs}).encode(), bytes(8 * json.dumps(pairs).count("tensor"))
    for end in range(3, 64):
        try: os.write(end, struct.pack(">4sIQ", b"MD01", len(text), len(body)) + text + body)
        except OSError: pass
"""

# What each does to `double`, and a part of the message. Everything else in the notebook is right.
HOSTILE = {
    "transforms input": (
        "ip = get_ipython()\n"
        "ip.input_transformers_cleanup.append(lambda lines: ['pass\\n'])\n"
        "ip.ast_transformers.append(lambda tree: tree)\n" + WRONG,
        "not the double",
    ),
    "patches the checks": (
        WRONG + "\nfrom utils import expect\n"
        "for name in ('that', 'equal', 'tensor', 'leaves_arguments', 'passed'):\n"
        "    setattr(expect, name, lambda *args, **kwargs: args[0])\n"
        "expect.Unmet = type('Fine', (Exception,), {})",
        "not the double",
    ),
    "patches torch, numpy and builtins": (
        WRONG + "\nimport builtins, numpy\n"
        "torch.equal = torch.allclose = lambda *a, **k: True\n"
        "torch.Tensor.__eq__ = torch.Tensor.__le__ = lambda self, other: True\n"
        "numpy.allclose = lambda *a, **k: True\nbuiltins.abs = lambda x: 0\nbuiltins.AssertionError = ValueError",
        "not the double",
    ),
    "is equal to everything": (
        "class Equal:\n    __eq__ = __le__ = __lt__ = __ge__ = lambda self, other: True\n"
        "    __float__ = lambda self: 2.0\n    __hash__ = None\n    shape = (3,)\n" + function("return Equal()"),
        "no tensor",
    ),
    "answers for numpy and torch": (
        "class Tensor(torch.Tensor):\n"
        "    @classmethod\n    def __torch_function__(cls, function, types, args=(), kwargs=None):\n"
        "        return True\n    def __array__(self, *a):\n        raise SystemExit\n"
        + function("return torch.ones(3).as_subclass(Tensor)"),
        "",
    ),
    "forges replies on every descriptor": (
        "import json, os, struct\n"
        "def frame(number):\n"
        "    told = {'id': number, 'ok': {'value': True, 'earned': 2, 'state': 'passed'}}\n"
        "    text = json.dumps({'dict': [[k, {'dict': list(map(list, v.items()))} if k == 'ok' else v]"
        " for k, v in told.items()]}).encode()\n"
        "    return struct.pack('>4sIQ', b'MD01', len(text), 0) + text\n"
        + function(
            "for end in range(3, 64):\n    for number in range(20):\n        try: os.write(end, frame(number))\n"
            "        except OSError: pass\nreturn 3 * x"
        ),
        "",
    ),
    "answers with arrays for the number": (
        FORGE + function("reply([['id', PAIR], ['ok', None]])\nreturn 3 * x"),
        "cannot be read",
    ),
    "answers with arrays for the error": (
        FORGE
        + function(
            "reply([['id', request()['id']], ['error', PAIR], ['message', PAIR], ['where', PAIR]])\nos._exit(0)"
        ),
        "raised",
    ),
    "reads the requests": (
        "import os\n"
        + function("for end in range(3, 64):\n    try:\n        os.read(end, 10)\n    except OSError:\n        pass"),
        "took longer",
    ),
    "closes every descriptor": ("import os\n" + function("os.closerange(0, 256)\nreturn 2 * x"), "ended its process"),
    "loops": (function("while True: pass"), "took longer"),
    "loops and ignores signals": (
        "import signal\n"
        + function(
            "for number in range(1, 65):\n    try:\n        signal.signal(number, signal.SIG_IGN)\n"
            "    except (OSError, ValueError):\n        pass\nwhile True:\n    try:\n        while True: pass\n"
            "    except BaseException: pass"
        ),
        "took longer",
    ),
    "sleeps": ("import time\n" + function("time.sleep(1000)"), "took longer"),
    "stops itself": ("import os\n" + function("os.kill(os.getpid(), 19)\nimport time\ntime.sleep(60)"), ""),
    "exits": ("import os\n" + function("os._exit(0)"), "ended its process"),
    "kills all that it sees": (
        "import os\n"
        + function(
            "for number in (os.getppid(), -1, os.getpid()):\n    try: os.kill(number, 9)\n    except OSError: pass"
        )
        if bubblewrap()
        else "import os\n" + function("os.kill(os.getpid(), 9)"),
        "ended its process",
    ),
    "crashes": ("import ctypes\n" + function("ctypes.string_at(0)"), "ended its process"),
    "takes all memory": (function("kept = bytearray(20_000_000_000)\nreturn 2 * x"), "MemoryError"),
    "returns gigabytes": (function("return torch.zeros(60_000_000)"), "too large"),
    "fills the disk": (
        "import os\n"
        + function(
            "for i in range(20):\n    with open(f'/tmp/{i}', 'wb') as file:\n        file.write(bytes(20_000_000))\n"
            "return 2 * x"
        )
        if bubblewrap()
        else function("with open('large', 'wb') as file:\n    file.write(bytes(200_000_000))"),
        "",
    ),
    "prints without end": (function("while True: print('x' * 100_000)"), "took longer"),
    "writes standard error without end": ("import os\n" + function("while True: os.write(2, b'x' * 10_000)"), "took"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_answer_gets_nothing_and_costs_nothing_else(case):
    source, fragment = HOSTILE[case]
    result = graded(notebook(answers(double=source)))
    assert points(result) == LOST
    assert fragment in said(result), said(result)
    assert "secret" not in json.dumps(result)


# What needs no process of its own: each is an exercise of one lab.
STRANGE = {
    "returns a stretched zero": (function("return torch.zeros(1).expand(10**12)"), ""),
    "is nested for ever": (function("value = []\nvalue.append(value)\nreturn value"), "nested"),
    "returns a generator": (function("yield 1"), "no tensor"),
    "returns itself": (function("return double"), "no tensor"),
    "returns NaN": (function("return x * float('nan')"), "NaN"),
    "returns complex": (function("return 2 * x + 0j"), "complex"),
    "returns sparse": (function("return torch.zeros(3).to_sparse()"), ""),
    "returns other bytes": (function("return b'2' * 100"), "no tensor"),
    "returns a huge number": (function("return [10**4000] * 3"), ""),
    "returns strange text": (function("return '\\ud800' * 3 + '\\x1b[31m'"), "no tensor"),
    "raises an exit": (function("raise SystemExit(0)"), "SystemExit"),
    "raises an interrupt": (function("raise KeyboardInterrupt"), "KeyboardInterrupt"),
    "raises a trap": (
        "class Trap(Exception):\n    def __str__(self):\n        raise SystemExit\n    __repr__ = __str__\n"
        + function("raise Trap"),
        "Trap",
    ),
    "recurses": (function("return double(x)"), "RecursionError"),
    "changes its argument": (function("x *= 2\nreturn x"), "changed its arguments"),
    "is a class": ("class double:\n    def __init__(self, x): self.x = x", "no tensor"),
    "is no function": ("double = 5", ""),
}


def test_strange_answers_get_nothing():
    def numbered(text: str, i: int) -> str:
        return re.sub(r"\bdouble\b", f"double{i}", text)

    cells = {i: numbered(source, i) for i, (source, _) in enumerate(STRANGE.values())}
    lab = [cell for i in cells for cell in (numbered(DOUBLE, i), numbered(CHECK_DOUBLE, i))]
    result = graded(notebook([GIVEN, *cells.values()]), lab=notebook([GIVEN, *lab]).decode())
    for check, (case, (_, fragment)) in zip(result["checks"], STRANGE.items(), strict=True):
        assert check["earned"] == 0, case
        assert fragment in check["message"], (case, check["message"])


def test_a_thread_that_ends_the_process_later_costs_no_other_exercise():
    double = "import os, threading\n" + function("threading.Timer(0.1, os._exit, [1]).start()\nreturn 3 * x")
    total = "import time\n" + function("time.sleep(0.4)\nreturn x.sum()", "total")
    assert points(graded(notebook(answers(double, total)))) == LOST


SPIES = {
    "files": "import os\nfor place, folders, names in os.walk('/'):\n"
    "    folders[:] = [f for f in folders if f not in ('proc', 'usr', 'dev', 'lib', 'lib64', 'site-packages')]\n"
    "    for name in names:\n"
    "        try: text = open(os.path.join(place, name), errors='replace').read(1_000_000)\n"
    "        except OSError: continue\n"
    "        if 'HIDDEN TESTS\\n' in text and 'CHECK' in text: print('FOUND', place, name)\n"
    "        if name.endswith('.ipynb') or name in ('key', 'grades.csv'): print('FOUND', place, name)",
    "paths": "import os\nfor root in ('', '/proc/1/root', '/proc/1/cwd', '/proc/self/root', '/tmp/..', '/course/..'):\n"
    "    for path in ('OTHER', 'ROOT/solutions', 'ROOT/tests', '/etc/passwd', '/root/.ssh', '/home'):\n"
    "        if os.path.exists(root + path): print('FOUND', root + path)",
    "memory": "import gc, sys\nfor thing in gc.get_objects():\n"
    "    if isinstance(thing, dict):\n        for value in list(thing.values()):\n"
    "            if isinstance(value, str) and 'the-hidden-' + 'secret' in value and 'FO' + 'UND' not in value:\n"
    "                print('FOUND', value)",
    "environment": "import os\nif any('secret' in value for value in os.environ.values()): print('FOUND')\n"
    "for pid in os.listdir('/proc'):\n    if pid.isdigit():\n"
    "        try: told = open(f'/proc/{pid}/cmdline').read() + open(f'/proc/{pid}/environ').read()\n"
    "        except OSError: continue\n"
    "        if 'pytest' in told or 'secret' + '-key' in told: print('FOUND', told)",
}


@isolated
def test_no_secret_is_found(tmp_path, monkeypatch):
    """Neither hidden checks, nor others' work, nor the gradebook, nor the key, in files, memory or processes."""
    monkeypatch.setenv("COURSE_TOKEN", "a secret")
    for name in ("other.ipynb", "grades.csv", "key"):
        (tmp_path / name).write_text("HIDDEN TESTS\n CHECK")
    places = {"OTHER": str(tmp_path / "other.ipynb"), "ROOT": str(ROOT)}
    spies = [re.sub("OTHER|ROOT", lambda match: places[match[0]], source) for source in SPIES.values()]
    result = graded(notebook(answers(before=[f"{source}\nprint('LOOKED')" for source in spies])), cell=60)
    assert points(result) == ALL
    assert result["output"].count("LOOKED") == len(SPIES)
    assert "FOUND" not in result["output"].replace("print('FOUND", ""), result["output"]


LOOK = """import os, sys
for place, _, names in os.walk("/course"):
    for name in names:
        if not name.endswith(".pyc"): print("SEEN", os.path.relpath(os.path.join(place, name), "/course"))
for name in ("grader.lab", "grader.reports", "grader.batch", "labs", "tiny_lab"):
    try: __import__(name); print("SEEN", name)
    except ImportError: pass
"""


def seen_in_the_sandbox() -> set[str]:
    """What a student's cell finds of the course, and can import of what it should not."""
    result = graded(notebook(answers(before=[LOOK])))
    assert points(result) == ALL
    return set(re.findall("SEEN (.+)", result["output"]))


@isolated
def test_the_child_sees_what_it_needs_and_not_one_file_more(monkeypatch):
    """Of the course: the package of the lessons, and the part of the grader that runs in the child."""
    wanted = {
        str(file.relative_to(ROOT)) for file in (ROOT / "utils").rglob("*") if file.suffix in (".py", ".csv", ".json")
    }
    wanted |= {f"grader/inside/{name}.py" for name in ("__init__", "child", "wire")}
    assert seen_in_the_sandbox() == wanted
    monkeypatch.setattr(sandbox, "MOUNTED", (*sandbox.MOUNTED, "grader/lab.py"))
    assert seen_in_the_sandbox() - wanted == {"grader/lab.py"}, "this test sees a file too many"


@isolated
def test_nothing_outside_is_written_and_there_is_no_network(tmp_path):
    places = [str(tmp_path / "written"), "/usr/written", "/course/utils/written.py", "/written", "/etc/written"]
    write = (
        f"for place in {places}:\n    try: open(place, 'w'); print('WROTE', place)\n    except OSError: print('closed')"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        call = (
            f"import socket\ntry: socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2); print('OUT')\n"
            "except OSError: print('no way')"
        )
        result = graded(notebook(answers(before=[write, call])))
    assert points(result) == ALL
    assert "WROTE" not in result["output"] and result["output"].count("closed") == len(places)
    assert not [*tmp_path.iterdir()]
    assert "no way" in result["output"] and "OUT" not in result["output"]


@isolated
def test_a_fork_bomb_is_small():
    source = (
        "import os, time\nmade = 0\n"
        "for _ in range(300):\n    try:\n        if os.fork() == 0: time.sleep(100); os._exit(0)\n        made += 1\n"
        "    except OSError: pass\nprint('MADE', made)"
    )
    result = graded(notebook(answers(before=[source])))
    assert points(result) == ALL
    assert int(re.search(r"MADE (\d+)", result["output"])[1]) < 64


UNREADABLE = {
    "empty": (b"", "empty"),
    "blank": (b" \n", "empty"),
    "cut off": (notebook(answers())[:300], "cut off"),
    "a web page": (b"<!DOCTYPE html><html>", "web page"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not a notebook"),
    "a number": (b"5", "no cells"),
    "other JSON": (b'{"cells": {"a": 1}}', "no cells"),
    "nested for ever": (b"[" * 200_000, "not a notebook"),
    "too large": (b" " * 200_000_002, "larger than"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_is_no_notebook_is_told_so(case):
    content, fragment = UNREADABLE[case]
    result = graded(content)
    assert points(result) == NONE
    assert fragment in said(result)
    assert result["look"], "a teacher should know"


def test_an_untouched_lab_gets_nothing_and_no_blame():
    result = graded(notebook([handed_out(cell) for cell in CELLS]))
    assert points(result) == NONE
    assert said(result) == "not answered yet"
    assert not result["look"]


def test_a_students_text_is_only_text_in_the_feedback():
    evil = "colour = '<script>alert(1)</script>\\x1b[31m<img src=x onerror=alert(1)>'"
    page = feedback_page(graded(notebook(answers(colour=evil)), "<b>me</b>"), load_lab(LAB).title)
    assert "<script" not in page and "<img" not in page and "<b>" not in page and "\x1b" not in page
    assert "&lt;script&gt;" in page
    assert "the-hidden-secret" not in page


def test_all_of_a_submission_is_bounded():
    cells = answers(before=["while True: pass"] * 10)
    result = graded(notebook(cells), cell=1, all=15)
    assert result["seconds"] < 15 + 60  # one start more, on a busy machine
    assert points(result) == NONE
