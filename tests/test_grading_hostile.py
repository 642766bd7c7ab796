"""Hostile submissions: nobody gets points that are not earned, no secret is read, and the batch goes on.

Each case is bounded, so that a hole in the sandbox would harm no machine.
"""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from grader import sandbox
from grader.grade import load_lab
from grader.inside import pristine as inside_pristine
from grader.inside import walls as inside_walls
from grader.lab import handed_out
from grader.reports import feedback_page
from grader.sandbox import Child, bubblewrap, pristine
from run import ROOT
from tiny_lab import (
    ALL,
    CELLS,
    CHECK_DOUBLE,
    DOUBLE,
    GIVEN,
    LAB,
    LOST,
    MODULES,
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
    wanted |= {f"grader/inside/{name}.py" for name in ("__init__", "child", "hidden", "pristine", "walls", "wire")}
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
    result = graded(notebook(answers(before=[source])), cell=30)
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


# Between students: each is forked from one process, at another time or at the same time.


@pytest.fixture
def can_fork():
    if not pristine(MODULES):
        pytest.skip("needs bubblewrap, and user namespaces inside of it")


forked = pytest.mark.usefixtures("can_fork")


@contextmanager
def students(count: int = 2):
    """Children of one pristine process that live at the same time."""
    children = [Child(sandbox.LIMITS, pristine(MODULES)) for _ in range(count)]
    try:
        yield children
    finally:
        for child in children:
            child.kill()


def found(child: Child, source: str):
    """What a cell of a student's leaves in the variable `found`."""
    reply = child.ask({"do": "run", "source": source, "name": "cell 1"}, 60)
    assert reply.get("ok") == {"missed": []}, reply
    return child.ask({"do": "get", "name": "found"}, 60)["ok"]["value"]


def descendants(process: int) -> set[int]:
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            parents[int(name)] = int(Path("/proc", name, "stat").read_text().rpartition(")")[2].split()[1])
    below = {process}
    while more := {one for one, parent in parents.items() if parent in below} - below:
        below |= more
    return below - {process}


# What one leaves or has, and how another looks for it: it finds nothing.
LEFT = {
    "files": (
        "import os\nfound = []\nfor place, _, _ in os.walk('/'):\n    if place.startswith('/proc'): continue\n"
        "    try: open(place + '/left-by-another', 'w').close(); found.append(place)\n    except OSError: pass\n"
        "assert {'/tmp', '/dev/shm'} <= set(found)",
        "import os\nfound = [place for place, _, names in os.walk('/') if 'left-by-another' in names]",
    ),
    "processes": (
        "import subprocess, sys\nfound = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)']).pid",
        "import os\nfound = [name for name in os.listdir('/proc') if name.isdigit() and int(name) > 2]",
    ),
    "what can be killed": (
        "found = 0",
        "import os\nfound = []\nfor number in range(3, 5000):\n"
        "    try: os.kill(number, 0); found.append(number)\n    except OSError: pass",
    ),
    "shared memory": (
        "import ctypes\nfound = ctypes.CDLL(None).shmget(4711, 4096, 0o1666)\nassert found >= 0",
        "import ctypes\nfound = [] if ctypes.CDLL(None).shmget(4711, 4096, 0o666) < 0 else [1]",
    ),
    "network": (
        "import socket\nfound = 0\nserver = socket.create_server(('127.0.0.1', 4711))\n"
        "other = socket.socket(socket.AF_UNIX)\nother.bind('\\0left-by-another')\nother.listen()\n"
        "socket.create_connection(('127.0.0.1', 4711))",
        "import socket\nfound = []\nfor family, where in ((2, ('127.0.0.1', 4711)), (1, '\\0left-by-another')):\n"
        "    try: socket.socket(family).connect(where); found.append(where)\n    except OSError: pass",
    ),
    "terminals": (
        "import os\nmine, _ = os.openpty()\nfound = os.ttyname(_)",
        "import os\nfound = [name for name in os.listdir('/dev/pts') if name.isdigit()]",
    ),
    "flags of descriptors": (
        "import os\nfound = 0\nos.set_blocking(0, False)",
        "import os\nfound = [] if os.get_blocking(0) else [0]",
    ),
    "descriptors": (
        "found = 0",
        "import os\nnames = {end: os.readlink(f'/proc/self/fd/{end}') for end in os.listdir('/proc/self/fd')\n"
        "    if os.path.exists(f'/proc/self/fd/{end}')}\n"
        "found = [end for end, name in names.items() if name != '/dev/null' and not name.startswith('pipe:')]\n"
        "found += [] if len(names) == 5 else [names]",
    ),
    "memory": (
        "found = 'left-by-' * 9 + 'another'\nkept = [found + str(i) for i in range(1000)]",
        "found, wanted = [], ('left-by-' * 9).encode() + b'another'\n"
        "with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb', 0) as mem:\n"
        "    for line in maps:\n        low, high = (int(end, 16) for end in line.split()[0].split('-'))\n"
        "        if 'rw' not in line: continue\n        mem.seek(low)\n"
        "        if mem.read(high - low).count(wanted) > 5: found.append(line)",
    ),
    "memory of all": (
        "found = 0",
        "found = [line for line in open('/proc/self/maps') if set('ws') <= set(line.split()[1])]",
    ),
    "modules": (
        "import builtins, os, sys, torch\nfrom grader.inside import child, pristine, wire\nfound = 0\n"
        "for module in (builtins, torch, child, pristine, wire, sys): module.left_by_another = 1\n"
        "os.environ['left'] = 'by another'",
        "import builtins, os, sys, torch\nfrom grader.inside import child, pristine, wire\n"
        "found = [module.__name__ for module in (builtins, torch, child, pristine, wire, sys)\n"
        "    if hasattr(module, 'left_by_another')] + [name for name in os.environ if name == 'left']",
    ),
    "keys": (  # of the kernel
        "import ctypes, os\ncall = ctypes.CDLL(None).syscall\nadd = 248 if os.uname().machine == 'x86_64' else 217\n"
        "for ring in (-3, -4, -5): found = call(add, b'user', b'left-by-another', b'secret', 6, ring)",
        "import ctypes, os\ncall = ctypes.CDLL(None).syscall\nkeyctl = 250 if os.uname().machine == 'x86_64' else 219\n"
        "found = [ring for ring in (-3, -4, -5) if call(keyctl, 10, ring, b'user', b'left-by-another', 0) > 0]",
    ),
}


@pytest.fixture
def spaces_alone(monkeypatch):
    """Without Landlock and seccomp, which would hide a hole in the spaces."""
    monkeypatch.setattr(sandbox, "WALLS", False)


@forked
@pytest.mark.parametrize("what", LEFT)
def test_no_student_finds_what_is_another_students(what, spaces_alone):
    leave, look = LEFT[what]
    if what == "keys":  # with a keyring that goes down to all that this process starts, as after a login
        inside_pristine.system_call("syscall", inside_pristine.KEYCTL, inside_pristine.JOIN_SESSION_KEYRING, None)
        pristine(MODULES).close()
    with students() as (one, other):
        found(one, leave)
        assert found(other, look) == []
    with students(1) as (later,):
        assert found(later, look) == []


@forked
def test_each_student_draws_random_numbers_of_their_own():
    draw = "import random, numpy, torch\nfound = [random.random(), float(numpy.random.rand()), float(torch.rand(1))]"
    with students(3) as children:
        drawn = [number for child in children for number in found(child, draw)]
    assert len(set(drawn)) == 9


ABOUT = """
import gc, os, resource, signal, socket, sys, threading, torch
def lines(name, *begin): return [line.strip() for line in open(f'/proc/self/{name}') if line.startswith(begin)]
found = {
    'limits': [(name, resource.getrlimit(getattr(resource, name))) for name in dir(resource) if 'RLIMIT_' in name],
    'environment': dict(os.environ), 'folder': os.getcwd(), 'files': os.listdir(), 'shared': os.listdir('/dev/shm'),
    'places': sorted({line.split()[4] + line.split()[5] for line in open('/proc/self/mountinfo')}),
    'arguments': sys.argv[1:], 'path': sys.path, 'processes': [os.getpid(), os.getppid()], 'host': socket.gethostname(),
    'user': [os.getuid(), os.getgid()], 'umask': os.umask(0o22), 'flags': str(sys.flags), 'leader': os.getsid(0) == 2,
    'handlers': [str(signal.getsignal(number)) for number in signal.valid_signals()],
    'blocked': str(signal.pthread_sigmask(signal.SIG_BLOCK, [])), 'rights': lines('status', 'NoNew', 'Threads'),
    'threads': [torch.get_num_threads(), threading.active_count()], 'garbage': gc.isenabled(), 'name': __name__,
    'recursion': sys.getrecursionlimit(), 'output': [sys.stdout.encoding, sys.stdout.isatty()],
    'names': sorted(globals()),
}
found = {name: str(value) for name, value in found.items()}
"""


@forked
def test_a_forked_child_is_like_a_new_one(spaces_alone):
    """What its cells see, with the same limits. It has given up more: all capabilities, in every set.

    Also where torch's compiler was imported before, as for challenges: that writes into the environment.
    """
    children = [Child(sandbox.LIMITS, pristine((*MODULES, "torch._dynamo"))), Child(sandbox.LIMITS)]
    try:
        one, other = (found(child, ABOUT) for child in children)
    finally:
        for child in children:
            child.kill()
    differ = {name: (one[name], other[name]) for name in one if one[name] != other[name]}
    assert not differ


RIGHTS = """
import ctypes, os
call = ctypes.CDLL(None)
found = [line for line in open('/proc/self/status') if line.startswith('Cap') and int(line.split()[1], 16)]
found += [line for line in open('/proc/self/status') if line.split() == ['NoNewPrivs:', '0']]
if call.unshare(0x10000000) == 0: found.append('a user space')
if call.unshare(0x20000) == 0: found.append('a mount space')
if call.umount2(b'/tmp', 2) == 0: found.append('no /tmp')
if call.mount(b'x', b'/tmp', b'tmpfs', 0, None) == 0: found.append('another /tmp')
for name in ('/proc/sys/user/max_user_namespaces', '/proc/sysrq-trigger'):
    try: open(name, 'w').write('7'); found.append(name)
    except OSError: pass
"""


@forked
def test_a_forked_child_has_no_rights(spaces_alone):
    with students(1) as (child,):
        assert found(child, RIGHTS) == []


STAY = """
import os, signal, sys, time
found = 0
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork(): os._exit(0)
        for number in set(signal.valid_signals()) - {9, 19}: signal.signal(number, signal.SIG_IGN)
        time.sleep(99)
"""


@forked
def test_nothing_lives_on_after_its_submission():
    """However detached it is: all of it has ended when `kill` returns."""
    with students(1) as (child,):
        found(child, STAY)
        _, inner, _, *own = sorted(descendants(pristine(MODULES).process.pid))
        assert len(own) >= 2 + 5
    assert not [process for process in own if Path(f"/proc/{process}").exists()]
    assert Path(f"/proc/{inner}").exists()


GRADER = f"""
import sys
from grader.sandbox import LIMITS, Child, pristine
child = Child(LIMITS, pristine())
print(child.ask({{"do": "run", "source": {STAY!r}, "name": "cell 1"}}, 60), flush=True)
sys.stdin.read()
"""


@forked
@pytest.mark.parametrize("killed", ["the grader", "the pristine process"])
def test_all_end_with_what_has_started_them(killed):
    """As where it is killed for want of memory."""
    paths = os.environ | {"PYTHONPATH": str(ROOT)}
    about = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": paths, "text": True}
    with subprocess.Popen([sys.executable, "-c", GRADER], **about) as grader:
        assert "'ok'" in grader.stdout.readline()
        all_ = sorted(descendants(grader.pid))
        assert len(all_) >= 5 + 5
        ends = [os.pidfd_open(process) for process in all_]
        inner = all_[2]
        assert "pristine" in Path(f"/proc/{inner}/cmdline").read_text()
        os.kill({"the grader": grader.pid, "the pristine process": inner}[killed], signal.SIGKILL)
        for end in ends:
            assert select.select([end], [], [], 20)[0], "it lives on"
            os.close(end)
        grader.kill()


CLASS = """
import sys, time
from grader.batch import GRADING, grade_on_cores
def stay(task):
    print("begun", flush=True)
    time.sleep(99)
if __name__ == "__main__":
    list(grade_on_cores({"ann": 5}, {}, 1, GRADING._replace(do=stay, make=lambda task, common: task)))
"""


def test_a_killed_grader_leaves_no_worker_behind(tmp_path):
    """Killed, as for want of memory, it tells its workers nothing, and each keeps the pipe open that it waits for."""
    (tmp_path / "run.py").write_text(CLASS)
    about = {"env": os.environ | {"PYTHONPATH": str(ROOT)}, "cwd": tmp_path, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "run.py"], **about) as grader:
        assert grader.stdout.readline() == b"begun\n"
        ends = [os.pidfd_open(process) for process in descendants(grader.pid)]
        grader.kill()
        for end in ends:
            assert select.select([end], [], [], 20)[0], "it lives on"
            os.close(end)


@forked
def test_a_pristine_process_that_has_ended_is_replaced():
    before = pristine(MODULES)
    before.process.kill()
    before.process.wait()
    with students(1) as (child,):
        assert found(child, "found = 5") == 5 and pristine(MODULES) is not before


# The second wall, alone: without bubblewrap, or beside it.


@pytest.fixture
def without_bubblewrap(monkeypatch):
    monkeypatch.setattr(sandbox, "bubblewrap", lambda: "")


@pytest.fixture
def walls(without_bubblewrap) -> list[str]:
    """The walls of this kernel."""
    child = Child()
    try:
        return child.ask({"do": "start"}, 60)["ok"]["walls"]
    finally:
        child.kill()


OUTSIDE = """
import ctypes, os, socket, subprocess
found, call = [], ctypes.CDLL(None, use_errno=True)
def tried(name, act):
    try: act(); found.append(name)
    except OSError: pass
def bound():
    with socket.socket() as s: s.bind(('127.0.0.1', 0))
def attempt(result):
    if result < 0: raise OSError
"""
FILES = {
    "read": "tried('read', lambda: open('PLACE/private').read())",
    "list": "tried('list', lambda: os.listdir('PLACE'))",
    "write": "tried('write', lambda: open('PLACE/shared', 'w'))",
    "cut": "tried('cut', lambda: os.truncate('PLACE/shared', 0))",
    "make": "tried('make', lambda: open('PLACE/new', 'w'))",
    "folder": "tried('folder', lambda: os.mkdir('PLACE/folder'))",
    "remove": "tried('remove', lambda: os.remove('PLACE/shared'))",
    "rename": "tried('rename', lambda: os.rename('PLACE/shared', 'PLACE/other'))",
    "link": "tried('link', lambda: os.link('PLACE/shared', 'PLACE/linked'))",
    "run": "tried('run', lambda: subprocess.run(['PLACE/program']))",
    "course": "tried('course', lambda: open('ROOT/grader/lab.py').read())",
    "home": "tried('home', lambda: os.listdir('/root')); tried('home', lambda: os.listdir('/home'))",
    "passwords": "tried('passwords', lambda: open('/etc/passwd').read())",
    "processes": "tried('processes', lambda: open('/proc/PARENT/cmdline').read())",
    "memory": "tried('memory', lambda: open('/proc/PARENT/mem', 'rb'))",
    "ours": "tried('ours', lambda: open('ROOT/utils/expect.py', 'a'))",
}
CALLS = {
    "network": "tried('network', bound)",
    "connect": "tried('connect', lambda: socket.socket().connect(('127.0.0.1', PORT)))",
    "local": "tried('local', lambda: socket.socket(socket.AF_UNIX))",
    "rights": "tried('rights', lambda: os.chmod('PLACE/private', 0o666))",
    "owner": "tried('owner', lambda: os.chown('PLACE/private', os.getuid(), os.getgid()))",
    "times": "tried('times', lambda: os.utime('PLACE/private', (1, 1)))",
    "attributes": "tried('attributes', lambda: os.setxattr('PLACE/private', 'user.x', b'1'))",
    "user space": "tried('user space', lambda: attempt(call.unshare(0x10000000)))",
    "others' memory": "tried('memory', lambda: attempt(call.process_vm_readv(os.getpid(), None, 0, None, 0, 0)))",
    "keys": "tried('keys', lambda: attempt(call.syscall(KEYCTL, 0, -3, 0)))",
    "clone": "tried('clone', lambda: attempt(call.syscall(CLONE, 0x10000000 | 17, 0, 0, 0, 0) or os._exit(0)))",
    "packets": "tried('packets', lambda: socket.socket(16, socket.SOCK_RAW, 0))",
    "trace": "tried('trace', lambda: attempt(call.ptrace(0, 0, 0, 0)))",  # the last: who is traced stops at a signal
}


def reached(tries: dict[str, str], folder: Path, **about) -> list[str]:
    """Which of these a child without bubblewrap reaches, of files of its own user, in a folder that is open to all."""
    for name in ("private", "shared", "program"):
        (folder / name).write_text("#!/bin/sh\n")
    user = sandbox.user_of_children()
    for place in (folder, *folder.iterdir()):
        place.chmod(0o777)
        if user:
            os.chown(place, user, user)
    keyctl, clone = (250, 56) if os.uname().machine == "x86_64" else (219, 220)
    places = {"PLACE": folder, "ROOT": ROOT, "PARENT": os.getpid(), "KEYCTL": keyctl, "CLONE": clone}
    child = Child(sandbox.LIMITS)
    try:
        source = "\n".join([OUTSIDE, *tries.values()])
        for name, value in (places | about).items():
            source = source.replace(name, str(value))
        return found(child, source)
    finally:
        child.kill()


@pytest.fixture
def open_folder():
    """One that another user can reach; pytest's own are closed."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_landlock_alone_keeps_files_and_processes_apart(open_folder, walls):
    if "Landlock" not in walls:
        pytest.skip("this kernel has no Landlock")
    assert reached(FILES, open_folder) == []


def test_seccomp_alone_refuses_calls(open_folder, walls):
    if "seccomp" not in walls:
        pytest.skip("no seccomp here")
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert reached(CALLS, open_folder, PORT=server.getsockname()[1]) == []


@isolated
def test_the_walls_stand_inside_bubblewrap_too():
    """And a result says so."""
    calls = {name: CALLS[name] for name in ("others' memory", "keys", "user space", "clone", "packets")}
    tries = OUTSIDE + "\n".join(calls.values()).replace("KEYCTL", "250").replace("CLONE", "56")
    tries += "\ntried('a file of the system', lambda: os.listdir('/'))\nprint('REACHED', found)"
    result = graded(notebook(answers(before=[tries])))
    assert result["isolation"][0] == "bubblewrap"
    if result["isolation"] == ["bubblewrap", "Landlock", "seccomp"]:
        assert "REACHED []" in result["output"], result["output"]


def test_system_calls_have_the_numbers_of_the_kernel():
    """Where its headers are installed."""
    known = inside_walls.REFUSED | inside_walls.CHANGES | {"clone": inside_walls.CLONE, "clone3": inside_walls.CLONE3}
    places = ["/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm-generic/unistd.h"]
    for column, place in enumerate(map(Path, places)):
        numbers = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", place.read_text())) if place.exists() else {}
        for name, ours in known.items():
            assert not numbers or name not in numbers or int(numbers[name]) == ours[column], (name, place)


def test_without_walls_these_tests_see_what_is_reached(open_folder, without_bubblewrap, spaces_alone):
    """Else they would be green for another reason. What a container or another user forbids is left out."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        seen = reached(FILES | CALLS, open_folder, PORT=server.getsockname()[1])
    wanted = {"read", "list", "write", "cut", "make", "folder", "passwords", "processes", "network", "connect"}
    assert wanted | {"local", "rights", "times", "memory"} <= set(seen)
