"""What failed in the model's own code, and where, in one line: it is the model's fault, and no verdict."""

import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

LIBRARIES = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")]
OTHERS = [*LIBRARIES, Path(torch.__file__).resolve().parent, Path(__file__).resolve().parents[1]]  # and the course


def place(problem: BaseException) -> str:
    """The last line of the model's own code that was at work, "model.py:12"; "" if there were only libraries and us."""
    lines = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(problem.__traceback__)]
    for file, line in reversed(lines):
        if not file.startswith("<frozen") and not any(Path(file).resolve().is_relative_to(other) for other in OTHERS):
            return f"{Path(file).name}:{line}"
    return ""


def told(problem: BaseException) -> str:
    """An error's kind, its words on one line and, in brackets, its place: "KeyError: 'layer7' (model.py:12)"."""
    words = ": ".join(filter(None, (type(problem).__name__, " ".join(str(problem).split())[:300])))
    return f"{words} ({where})" if (where := place(problem)) else words


@contextmanager
def blame(what: str) -> Iterator[None]:
    """Whatever the model's own code raises, or ends the program with, becomes a ValueError that begins with `what`."""
    try:
        yield
    except (Exception, SystemExit) as problem:
        raise ValueError(f"{what}: {told(problem)}") from problem
