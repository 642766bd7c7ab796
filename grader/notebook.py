"""What a student handed in, which may be anything: its size, its encoding, its JSON, its cells."""

import json
import re
import resource
import subprocess
import sys
from typing import NamedTuple

MOST_BYTES = 200_000_000  # bytes; a notebook full of pictures has tens of millions
READ_HERE = 20_000_000  # bytes that are read in this process; larger ones are read in another, with bounded memory
MOST_CELLS, MOST_CHARACTERS = 2_000, 1_000_000  # cells of code, as many of text; characters of one cell
PICTURE = re.compile(r"data:[\w/+.-]{1,100};base64,[A-Za-z0-9+/=]*")


class Unreadable(ValueError):
    """No notebook, and why, in words for the student."""


class HandedIn(NamedTuple):
    """A notebook as it was read.

    cells   each {"kind": "code" or "text", "source", "grade_id": nbgrader's name for it, or ""}
    notes   what a teacher should know of the file, sentences
    python  with which Python it was written, as "3.12"; "" where it does not say
    """

    cells: list[dict]
    notes: list[str]
    python: str


def read_cells(content: bytes) -> HandedIn:
    """What is in the file of a notebook. Raises `Unreadable`."""
    if len(content) > MOST_BYTES:
        raise Unreadable(f"the file is larger than {MOST_BYTES // 1_000_000} MB: clear the outputs and save it again")
    if not content.strip():
        raise Unreadable("the file is empty")
    if len(content) <= READ_HERE:
        return _parse(content)
    reader = [sys.executable, "-m", "grader.notebook"]
    done = subprocess.run(reader, input=content, capture_output=True, preexec_fn=_bounded)
    if done.returncode:
        raise Unreadable("the file is very large and cannot be read: clear the outputs and save it again")
    found = json.loads(done.stdout)
    if "unreadable" in found:
        raise Unreadable(found["unreadable"])
    found["notes"].append(f"the file has {len(content) // 1_000_000} MB")
    return HandedIn(**found)


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (3_000_000_000, 3_000_000_000))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))


def _parse(content: bytes) -> HandedIn:
    text, notes = decode(content)
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError, MemoryError):
        start = text.lstrip()[:15].lower()
        hint = "a web page" if start.startswith(("<!doctype", "<html")) else "cut off or edited by hand"
        raise Unreadable(f"the file is not a notebook (no JSON; {hint})") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if cells is None and isinstance(notebook, dict) and isinstance(notebook.get("worksheets"), list):
        cells = [cell for sheet in notebook["worksheets"] if isinstance(sheet, dict) for cell in sheet.get("cells", [])]
    if not isinstance(cells, list):
        raise Unreadable("the file is JSON, but not a notebook: it has no cells")
    sources, counts = [], {"code": 0, "text": 0}
    for cell in cells:
        if not isinstance(cell, dict):
            continue
        kind = "code" if cell.get("cell_type") == "code" else "text"
        source = cell.get("source", cell.get("input", ""))
        source = "".join(map(str, source)) if isinstance(source, list) else str(source)
        if kind == "text":
            source = PICTURE.sub("(a picture)", source)[:MOST_CHARACTERS]
        if len(source) > MOST_CHARACTERS:
            notes.append("a code cell of more than a million characters was left out")
            continue
        counts[kind] += 1
        if counts[kind] <= MOST_CELLS:
            source = source.encode(errors="replace").decode()  # a lone surrogate is no character
            sources.append({"kind": kind, "source": source, "grade_id": _grade_id(cell)})
    notes += [
        f"of {count} {kind} cells the first {MOST_CELLS} were read"
        for kind, count in counts.items()
        if count > MOST_CELLS
    ]
    return HandedIn(sources, notes, _python(notebook))


def _python(notebook: dict) -> str:
    about = notebook.get("metadata")
    about = about.get("language_info") if isinstance(about, dict) else None
    version = about.get("version") if isinstance(about, dict) else None
    found = re.match(r"3\.\d{1,3}", version) if isinstance(version, str) else None
    return found[0] if found else ""


def _grade_id(cell: dict) -> str:
    about = cell.get("metadata")
    about = about.get("nbgrader") if isinstance(about, dict) else None
    return str(about.get("grade_id", ""))[:100] if isinstance(about, dict) else ""


def decode(content: bytes) -> tuple[str, list[str]]:
    """The text of a file in any of the usual encodings, and a note if it is not UTF-8."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace"), ["the file is in UTF-16"]
    try:
        return content.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace"), ["the file is not in UTF-8, and was read as Windows text"]


if __name__ == "__main__":
    try:
        print(json.dumps(_parse(sys.stdin.buffer.read())._asdict()))
    except Unreadable as problem:
        print(json.dumps({"unreadable": str(problem)}))
