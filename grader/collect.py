"""Submissions as an LMS or a teacher has them: a folder or a zip of notebooks, in any nesting.

Nothing of a zip is written to disk, so that no path in it matters; links are not followed; sizes are counted while
reading, whatever the zip says of itself.
"""

import io
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grader.notebook import LIMIT

COUNT, TOTAL = 20_000, 50_000_000_000  # files, and bytes unpacked (each is read twice), of a class's zip
OWN = 50  # notebooks in a student's own zip, of which the best counts; it may hold any number of other files
CANVAS = re.compile(r"^([^_]+)_(?:LATE_)?(\d+)_\d+_.+$", re.IGNORECASE)  # oneilzoe_123_456_lab.ipynb
MOODLE = re.compile(r"^(.+)_(\d+)_assignsubmission_")  # Zoë O'Neil_123_assignsubmission_file, a folder or a file


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
        found = list(_zip(zipfile.ZipFile(source), left_out))
    elif source.is_file():
        found = [(source.name, lambda: _read(source))]
    else:
        raise FileNotFoundError(f"there is no folder or zip {source}")
    shared = around([path for path, _ in found])
    submissions = [Submission(*who(path.removeprefix(shared)), path, read) for path, read in found]
    return sorted(submissions, key=lambda submission: (submission.student, submission.file)), left_out


def around(paths: list[str]) -> str:
    """The folders around a whole class, "lab14/", as `zip -r` and Finder's "Compress" make them; "" if there are none.

    Where all notebooks lie in one folder, it says nothing of whose they are. A student's own zip, and a folder with an
    LMS number, always do.
    """
    shared = ""
    for level in zip(*(PurePosixPath(path).parts[:-1] for path in paths), strict=False):
        own = MOODLE.match(level[0]) or level[0].lower().endswith(".zip")
        if len(paths) == 1 or len(set(level)) > 1 or own:
            break
        shared += f"{level[0]}/"
    return shared


def who(path: str) -> tuple[str, str]:
    """Student and LMS number, from the path of a submission below what is `around` the class."""
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
                yield shown, lambda path=path: _read(path)
            elif name.lower().endswith(".zip") and zipfile.is_zipfile(path):
                for inner, read in _zip(zipfile.ZipFile(path), left_out, shown):
                    yield f"{shown}/{inner}", read
            else:
                left_out.append(f"{shown}: no notebook")


def _zip(
    archive: zipfile.ZipFile, left_out: list[str], outer: str = "", left: list[int] | None = None
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The notebooks of a class's zip, or of a student's own, `outer`, which can stop no one else. `left`: bytes."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > COUNT and not outer:
        raise ValueError(f"the zip has {len(members):,} files, more than {COUNT:,}")
    left, notebooks, others = [TOTAL] if left is None else left, 0, 0
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
            if outer and notebooks > OWN:
                left_out.append(f"{outer}: more than {OWN} notebooks; the first {OWN} are graded")
                return
            yield path, lambda member=member: _unpack(archive, member, left)
        elif name.lower().endswith(".zip") and not outer:  # one zip in another, not more
            try:
                inner = zipfile.ZipFile(io.BytesIO(_unpack(archive, member, left)))
            except (zipfile.BadZipFile, ValueError):
                left_out.append(f"{path}: a zip that cannot be read")
                continue
            for below, read in _zip(inner, left_out, path, left):
                yield f"{path}/{below}", read
        elif outer:
            others += 1
        else:
            left_out.append(f"{path}: no notebook")
    if others:
        left_out.append(f"{outer}: {others} other file{'s' * (others > 1)}")


def _read(path: Path) -> bytes:
    """The file, up to one byte more than a notebook may have."""
    with path.open("rb") as file:
        return file.read(LIMIT + 1)


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, left: list[int]) -> bytes:
    """A member, up to one byte more than a notebook may have; b"" if it is damaged, encrypted or the zip a bomb."""
    try:
        with archive.open(member) as file:
            content = file.read(min(LIMIT + 1, left[0]))
    except Exception:  # whatever a damaged or hostile zip can cause
        return b""
    left[0] -= len(content)
    return content


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
