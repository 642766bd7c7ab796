"""Submissions as an LMS or a teacher has them: a folder or a zip of notebooks, in any nesting.

Nothing of a zip is written to disk, so that a path in it can do no harm. Links are not followed. Sizes are counted
while reading, for a zip may state wrong ones.
"""

import io
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grader.notebook import MOST_BYTES

MOST_FILES, MOST_UNPACKED = 20_000, 50_000_000_000  # of a class's zip; bytes, where each notebook is read twice
MOST_OWN = 50  # notebooks in a student's own zip, of which the best counts; it may hold any number of other files
CANVAS = re.compile(r"^([^_]+)_(?:LATE_)?(\d{1,40})_\d+_.+$", re.IGNORECASE)  # oneilzoe_123_456_lab.ipynb
MOODLE = re.compile(r"^(.+)_(\d{1,40})_assignsubmission_")  # Zoë O'Neil_123_assignsubmission_file, a folder or a file


@dataclass(frozen=True)
class Submission:
    """student: who; id: the number that Canvas or Moodle knows them by, or ""; file: where it was; read: its bytes."""

    student: str
    id: str
    file: str
    read: Callable[[], bytes]


def collect(source: Path) -> tuple[list[Submission], list[str]]:
    """The submissions in a folder, a zip or a single notebook, and what was left out and why. OSError, ValueError."""
    left_out: list[str] = []
    if source.is_dir():
        found = list(_folder(source, left_out))
    elif zipfile.is_zipfile(source):
        found = list(_zip(_class_zip(source), left_out))
    elif source.is_file():
        found = [(source.name, lambda: _read_file(source))]
    else:
        raise FileNotFoundError(f"there is no folder or zip {source}")
    shared = folders_around([path for path, _ in found])
    submissions = [Submission(*student_of(path.removeprefix(shared)), path, read) for path, read in found]
    return sorted(submissions, key=lambda submission: (submission.student, submission.file)), left_out


def _class_zip(source: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(source)
    except Exception as problem:
        raise ValueError(f"the zip {source} cannot be read ({problem}): download it again") from None


def folders_around(paths: list[str]) -> str:
    """The folders around a whole class, "lab14/", as `zip -r` and Finder's "Compress" make them; "" if there are none.

    A folder that holds all notebooks names no student. A student's own zip, and a folder with an LMS number, do.
    """
    shared = ""
    for level in zip(*(PurePosixPath(path).parts[:-1] for path in paths), strict=False):
        own = MOODLE.match(level[0]) or level[0].lower().endswith(".zip")
        if len(paths) == 1 or len(set(level)) > 1 or own:
            break
        shared += f"{level[0]}/"
    return shared


def student_of(path: str) -> tuple[str, str]:
    """Student and LMS number, from the path of a submission below the `folders_around` the class."""
    *folders, name = parts = PurePosixPath(path).parts
    for part in parts:
        if match := MOODLE.match(part):
            return match[1], match[2]
    for part in (*(folder for folder in folders if folder.lower().endswith(".zip")), name):
        if match := CANVAS.match(part):
            return match[1], match[2]
    return re.sub(r"(\.zip|\.ipynb)+$", "", parts[0], flags=re.IGNORECASE), ""


def _folder(root: Path, left_out: list[str]) -> Iterator[tuple[str, Callable[[], bytes]]]:
    for place, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(folder for folder in folders if not _hidden(folder))
        for name in sorted(names):
            path = Path(place, name)
            shown = path.relative_to(root).as_posix()
            if _hidden(name):
                continue
            if not stat.S_ISREG(path.lstat().st_mode):  # a link may lead to another's work, a pipe nowhere
                left_out.append(f"{shown}: a link or special file")
            elif name.lower().endswith(".ipynb"):
                yield shown, lambda path=path: _read_file(path)
            elif name.lower().endswith(".zip"):
                for inner, read in _students_zip(path, left_out, shown):
                    yield f"{shown}/{inner}", read
            else:
                left_out.append(f"{shown}: no notebook")


def _zip(
    archive: zipfile.ZipFile, left_out: list[str], outer: str = "", left: list[int] | None = None
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The notebooks of a class's zip, or of a student's own, called `outer`. left: bytes that may still be unpacked."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > MOST_FILES and not outer:
        raise ValueError(f"the zip has {len(members):,} files, more than {MOST_FILES:,}")
    left, notebooks, others = [MOST_UNPACKED] if left is None else left, 0, 0
    for member in members:
        path = "/".join(
            part for part in PurePosixPath(member.filename.replace("\\", "/")).parts if part not in ("/", "..")
        )
        name = path.rpartition("/")[2]
        if _hidden(name) or "__MACOSX" in path:
            continue
        if stat.S_ISLNK(member.external_attr >> 16):
            left_out.append(f"{outer} {path}: a link".strip())
        elif name.lower().endswith(".ipynb"):
            notebooks += 1
            if outer and notebooks > MOST_OWN:
                left_out.append(f"{outer}: more than {MOST_OWN} notebooks; the first {MOST_OWN} are graded")
                return
            yield path, lambda member=member: _unpack(archive, member, left)
        elif name.lower().endswith(".zip") and not outer:  # one zip in another, not more
            content = io.BytesIO(_unpack(archive, member, left))
            for below, read in _students_zip(content, left_out, path, left):
                yield f"{path}/{below}", read
        elif outer:
            others += 1
        else:
            left_out.append(f"{path}: no notebook")
    if others:
        left_out.append(f"{outer}: {others} other file{'s' * (others > 1)}")


def _students_zip(
    source: Path | io.BytesIO, left_out: list[str], outer: str, left: list[int] | None = None
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The notebooks of a student's own zip. If it cannot be read, that is said, and the class goes on."""
    try:
        archive = zipfile.ZipFile(source)
    except Exception:  # whatever a damaged or hostile zip can cause
        left_out.append(f"{outer}: a zip that cannot be read")
        return
    yield from _zip(archive, left_out, outer, left)


def _read_file(path: Path) -> bytes:
    """The file, up to one byte more than a notebook may have."""
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, left: list[int]) -> bytes:
    """A member, up to one byte more than a notebook may have; b"" if it is damaged, encrypted or part of a zip bomb."""
    try:
        with archive.open(member) as file:
            content = file.read(min(MOST_BYTES + 1, left[0]))
    except Exception:  # whatever a damaged or hostile zip can cause
        return b""
    left[0] -= len(content)
    return content


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
