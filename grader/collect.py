"""Submissions as an LMS or a teacher has them: a folder or a zip of notebooks, in any nesting.

Nothing of a zip is written to disk, so that a path in it can do no harm. Links are not followed. Sizes are counted
while reading, for a zip may state wrong ones.
"""

import io
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grader.notebook import MOST_BYTES
from grader.whose import read_name, students_of

MOST_FILES = 20_000  # of a class's zip
MOST_OWN, MOST_OWN_BYTES = 50, 1_000_000_000  # notebooks in a student's own zip; it may hold any number of other files
HIDDEN_ONE = "hidden, since its name begins with a dot: if it is a submission, rename it"
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)  # that Python can unpack


@dataclass(frozen=True)
class Submission:
    """student: who; id: the number that Canvas, Moodle or ILIAS knows them by, or ""; file: where it was; read: its
    bytes, or OSError."""

    student: str
    id: str
    file: str
    read: Callable[[], bytes]


def collect(source: Path, ending: str = ".ipynb") -> tuple[list[Submission], list[str]]:
    """The submissions in a folder, a zip or a single notebook, and what was left out and why. OSError, ValueError.

    ending  of the files that are submissions: of a challenge it may be another

    A class's zip that cannot be unpacked as a whole is a ValueError here or when a submission is read: nobody can help
    it but the teacher.
    """
    left_out: list[str] = []
    if source.is_dir():
        if class_zip := _only_a_zip(source):
            return collect(class_zip, ending)
        found = list(_folder(source, left_out, ending))
    elif zipfile.is_zipfile(source):
        found = list(_zip(_class_zip(source), left_out, ending))
    elif source.is_file():
        if not _is_one(source.name, ending):
            what = "notebooks" if ending == ".ipynb" else f"files that end in {ending}"
            raise ValueError(f"{source} is no zip, or a damaged one: download it again, or give a folder of {what}")
        found = [(source.name, lambda: _read_file(source))]
    else:
        raise FileNotFoundError(f"there is no folder or zip {source}")
    people, _ = students_of([path for path, _ in found])
    submissions = [Submission(*who, path, read) for who, (path, read) in zip(people, found, strict=True)]
    return sorted(submissions, key=lambda submission: (submission.student, submission.file)), left_out


def _only_a_zip(folder: Path) -> Path | None:
    """The zip in a folder that holds nothing else: the class's, as downloaded, unless its name is a student's."""
    shown = [path for path in folder.iterdir() if not _hidden(path.name)]
    alone = shown[0] if len(shown) == 1 and stat.S_ISREG(shown[0].lstat().st_mode) else None
    return alone if alone and zipfile.is_zipfile(alone) and not read_name(alone.name, folder=True) else None


def _class_zip(source: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(source)
    except Exception as problem:
        raise ValueError(f"the zip {source} cannot be read ({problem}): download it again") from None


def _folder(root: Path, left_out: list[str], ending: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
    for place, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(folder for folder in folders if not _hidden(folder))
        for name in sorted(names):
            path = Path(place, name)
            shown = path.relative_to(root).as_posix()
            if _hidden(name):
                left_out += [f"{shown}: {HIDDEN_ONE}"] * _is_hidden_one(name, ending)
                continue
            if not stat.S_ISREG(path.lstat().st_mode):  # a link may lead to another's work, a pipe nowhere
                left_out.append(f"{shown}: a link or special file")
            elif _is_one(name, ending):
                yield shown, lambda path=path: _read_file(path)
            elif name.lower().endswith(".zip"):
                for inner, read in _students_zip(path, left_out, shown, ending):
                    yield f"{shown}/{inner}", read
            else:
                left_out.append(f"{shown}: {_not_one(ending)}")


def _is_one(name: str, ending: str) -> bool:
    """Whether a file is a submission by its name. Some browsers save a notebook as lab.ipynb.txt."""
    return name.lower().endswith((ending, f"{ending}.txt"))


def _is_hidden_one(name: str, ending: str) -> bool:
    """Whether a hidden file may be somebody's submission. A Mac's own files beside others begin with "._"."""
    return _is_one(name, ending) and not name.startswith("._")


def _not_one(ending: str) -> str:
    return "no notebook" if ending == ".ipynb" else f"does not end in {ending}"


def _zip(
    archive: zipfile.ZipFile, left_out: list[str], ending: str, outer: str = ""
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The notebooks of a class's zip, or of a student's own, called `outer`."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > MOST_FILES and not outer:
        raise ValueError(f"the zip has {len(members):,} files, more than {MOST_FILES:,}")
    notebooks, size, others = 0, 0, 0
    for member in members:
        parts = [
            part for part in PurePosixPath(name_in_zip(member).replace("\\", "/")).parts if part not in ("/", "..")
        ]
        if not parts or any(map(_hidden, parts)):
            hidden_one = parts and not any(map(_hidden, parts[:-1])) and _is_hidden_one(parts[-1], ending)
            left_out += [f"{outer} {'/'.join(parts)}: {HIDDEN_ONE}".strip()] * bool(hidden_one)
            continue
        path, name = "/".join(parts), parts[-1].lower()
        if stat.S_ISLNK(member.external_attr >> 16):
            left_out.append(f"{outer} {path}: a link".strip())
        elif _is_one(name, ending):
            notebooks, size = notebooks + 1, size + min(member.file_size, MOST_BYTES)
            if outer and (notebooks > MOST_OWN or size > MOST_OWN_BYTES):
                most = f"{MOST_OWN} notebooks, or {MOST_OWN_BYTES / 1e9:g} GB"
                left_out.append(f"{outer}: more than {most}; the first {notebooks - 1} are graded")
                return
            if not outer and (why := cannot_unpack(member)):
                raise ValueError(_by_the_teacher(path, why))
            yield path, lambda member=member, path=path: _unpack(archive, member, path, outer)
        elif name.endswith(".zip") and not outer:  # one zip in another, not more
            content = io.BytesIO(_unpack(archive, member, path, outer))
            for below, read in _students_zip(content, left_out, path, ending):
                yield f"{path}/{below}", read
        elif outer:
            others += 1
        else:
            left_out.append(f"{path}: {_not_one(ending)}")
    if others:
        left_out.append(f"{outer}: {others} other file{'s' * (others > 1)}")


def _students_zip(
    source: Path | io.BytesIO, left_out: list[str], outer: str, ending: str
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The notebooks of a student's own zip. If it cannot be read, that is said, and the class goes on."""
    try:
        archive = zipfile.ZipFile(source)
    except Exception:  # whatever a damaged or hostile zip can cause
        left_out.append(f"{outer}: a zip that cannot be read")
        return
    yield from _zip(archive, left_out, ending, outer)


def name_in_zip(member: zipfile.ZipInfo) -> str:
    """The name of a file in a zip. macOS and others write UTF-8 without the flag that says so."""
    if member.flag_bits & 0x800:
        return member.filename
    try:
        return member.filename.encode("cp437").decode()  # Python has read the bytes as those of an old PC
    except UnicodeError:
        return member.filename


def cannot_unpack(member: zipfile.ZipInfo) -> str:
    """Why Python cannot unpack a file of a zip; "" if it can."""
    if member.flag_bits & 0x1:
        return "it needs a password"
    if member.compress_type not in METHODS:
        method = zipfile.compressor_names.get(member.compress_type, f"method {member.compress_type}")
        return f"it is packed with {method}, which Python does not know"
    return ""


def _by_the_teacher(path: str, why: str) -> str:
    return (
        f"{path} in the zip cannot be unpacked: {why}. Nobody was graded. "
        "Unpack the zip yourself and give the folder, or download it again"
    )


def _read_file(path: Path) -> bytes:
    """The file, up to one byte more than a notebook may have."""
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: str, outer: str) -> bytes:
    """A file of a zip, up to a byte more than a notebook may have. OSError in a student's own zip, else ValueError."""
    try:
        if why := cannot_unpack(member):
            raise ValueError(why)
        with archive.open(member) as file:
            return file.read(MOST_BYTES + 1)
    except Exception as problem:  # whatever a damaged or hostile zip can cause
        if outer:
            raise OSError(f"{outer} cannot be unpacked: {problem}") from None
        raise ValueError(_by_the_teacher(path, f"{problem}")) from None


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
