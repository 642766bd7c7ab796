"""Cells as IPython takes them, as plain Python: magics, shell commands, questions, prompts, a whole cell indented.

The text is only read here, never run. IPython's own transformer does it. What then calls `get_ipython()` meets a
stand-in in the sandbox, where nothing happens. Code that a magic such as `%%time` only watches does run.
"""

import ast
import re
from collections.abc import Sequence

WATCHES = ("time", "capture", "prun", "debug")  # cell magics that run the cell as it is, and show something besides
NOT_OURS = re.compile(  # for another language, another process or a function of its own; others may run the cell
    r"!|HTML|SVG|R|bash|bigquery|file|html|javascript|js|latex|markdown|perl|pypy|python[23]?|ruby|script|sh|shell|skip"
    r"|sql|svg|sx|system|timeit|writefile"
)
CELL_MAGIC = re.compile(r"(\s*)%%(\w+|!)([^\n]*)\n?(.*)", re.DOTALL)
CAPTURE = re.compile(r"(?:\s*-\S+)*\s*([^\W\d]\w*)?.*")
TEXT = r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\""
TIMED = re.compile(rf"get_ipython\(\)\.run_line_magic\('time', ({TEXT})\)")
PROMPT = re.compile(r"\s*In \[\d+\]: ")  # which Python would take for an annotation
SPECIAL = re.compile(r"^[ \t]*[%!?/,;]|=[ \t]*[%!]|\?[ \t]*$", re.MULTILINE)
MOST_WORK = 1_000_000  # characters times lines that the transformer may look at, in one notebook: some seconds
LONG_WORD = re.compile(r"[\w*]{300}")  # the transformer may take the square of its length


def as_python(cells: Sequence[str]) -> list[str]:
    """The code cells of a notebook as plain Python. A cell that is none, and that IPython takes neither, stays."""
    left, made = MOST_WORK, []
    for source in cells:
        if not is_python(source):
            left -= work_for(source)
            source = transformed(source) if left > 0 else source
        made.append(source)
    return made


def is_python(source: str) -> bool:
    """Whether a cell is Python, with `await` at the top level or without."""
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return not PROMPT.match(source)


def work_for(source: str) -> int:
    """How much work a cell may be for the transformer, which reads all of it again for each line that it changes."""
    special = SPECIAL.findall(source)
    slow = any("?" in line for line in special) and LONG_WORD.search(source)
    return MOST_WORK if slow else len(source) * (len(special) + 1)


def transformed(source: str) -> str:
    """A cell that is not Python as it stands, as IPython would read it."""
    from IPython.core.inputtransformer2 import TransformerManager  # takes half a second, which few notebooks need

    if (magic := CELL_MAGIC.fullmatch(source)) and not NOT_OURS.fullmatch(magic[2]):
        blank, name, options, body = magic.groups()
        body = body if is_python(body) else transformed(body)
        if name in WATCHES or is_python(body):
            output = CAPTURE.fullmatch(options)[1] if name == "capture" else ""
            first = f"{output} = get_ipython().getoutput()" if output else ""
            return blank.rstrip(" \t") + first + "\n" + body  # no line is moved
    try:
        python = TransformerManager().transform_cell(source)
        return TIMED.sub(lambda call: re.sub(r"^\s*--[a-z-]+\s+", "", ast.literal_eval(call[1])), python)
    except Exception:  # whatever a hostile text can cause
        return source
