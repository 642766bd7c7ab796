"""The result of grading one submission: made here, written here and read here, and nowhere else.

A result holds text, numbers and yes or no, so that JSON takes it, whatever a check or a student's answer has put into
a message. An object that is neither is turned into text here.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from grader.lab import Check, Lab
from utils.expect import short

LONGEST = 10_000  # characters of a text that are kept; a page of feedback shows 2,000


class CheckResult(TypedDict):
    """What one check found.

    state     passed, not met, missing, not answered, raised, cannot be judged, unreadable, or not graded
    message   what is wrong, for the student; expected and got: what the check wanted, and the student's own value
    note      what may explain it, for the student
    """

    name: str
    points: float
    earned: float
    state: str
    message: str
    expected: str
    got: str
    note: str


class Written(TypedDict):
    """What a student has written for a written exercise, and what a person who grades it should know of it."""

    text: str
    notes: list[str]


class PointsByHand(TypedDict):
    """What a person gives for one criterion of a written exercise. points: None while nobody has decided."""

    exercise: str
    criterion: str
    words: str
    most: float
    points: float | None
    comment: str


class Result(TypedDict):
    """The result of one submission, plain data.

    student, id, file  whose it is: name, LMS number or "", and where the notebook was
    earned, points     what the student has, and what there is to have; criteria of a written exercise included
    written            {exercise: what the student has written}
    by_hand            points that people gave; added after grading, not kept with the result
    look               why a teacher should look at it: sentences
    shapes             {exercise's function: a hash of the answer without names}, as in `grader.alike`
    output             what its cells printed, the beginning
    isolation          what kept its code apart from all else, by name; empty if none of it ran
    failed             the submission could not be graded: the next run tries again
    """

    student: str
    id: str
    file: str
    earned: float
    points: float
    checks: list[CheckResult]
    written: dict[str, Written]
    by_hand: list[PointsByHand]
    look: list[str]
    shapes: dict[str, str]
    output: str
    isolation: list[str]
    seconds: float
    failed: bool


def text_for_file(value: object, limit: int = LONGEST) -> str:
    """Any value as text that can be written to a file: a tensor, an array, a number, bytes, an exception, an object."""
    try:
        if isinstance(value, BaseException):
            value = str(value)
        if isinstance(value, np.generic):
            value = value.item()
        text = str.__str__(value) if isinstance(value, str) else short(value)
    except Exception as problem:  # a number of too many digits, a `__repr__` that raises
        text = f"a value that cannot be shown ({type(problem).__name__})"
    return text[:limit].encode(errors="replace").decode()


def check_result(
    check: Check, state: str, message: object = "", expected: object = "", got: object = "", earned: float = 0.0
) -> CheckResult:
    """The result of a check. Message, expected and got become text, whatever they are."""
    return {
        "name": check.name,
        "points": float(check.points),
        "earned": float(earned),
        "state": state,
        "message": text_for_file(message),
        "expected": text_for_file(expected),
        "got": text_for_file(got),
        "note": "",
    }


def make_result(
    lab: Lab,
    checks: Iterable[CheckResult],
    *,
    student: str,
    id: str = "",
    file: str = "",
    written: Mapping[str, Written] | None = None,
    look: Iterable[object] = (),
    shapes: Mapping[str, str] | None = None,
    output: object = "",
    isolation: Iterable[str] = (),
    seconds: float = 0.0,
    failed: bool = False,
) -> Result:
    """The result of a submission from those of its checks, before a person has given points by hand."""
    checks = list(checks)
    return {
        "student": str.__str__(student),
        "id": str.__str__(id),
        "file": str.__str__(file),
        "earned": sum(check["earned"] for check in checks),
        "points": float(lab.points),
        "checks": checks,
        "written": dict(written or {}),
        "by_hand": [],
        "look": [text_for_file(sentence) for sentence in look],
        "shapes": {text_for_file(name): shape for name, shape in (shapes or {}).items()},
        "output": text_for_file(output, 10 * LONGEST),
        "isolation": [text_for_file(name) for name in isolation],
        "seconds": round(float(seconds), 2),
        "failed": failed,
    }


def could_not_grade(lab: Lab, reason: str, *, student: str, id: str = "", file: str = "") -> Result:
    """The result of a submission that could not be graded, through no known fault of the student's."""
    checks = [check_result(check, "not graded", reason) for check in lab.checks]
    return make_result(lab, checks, student=student, id=id, file=file, look=[reason], failed=True)


def write_result(file: Path, result: Result) -> Result:
    """Write a result whole or not at all, and return it as it will be read. OSError, TypeError, ValueError."""
    text = json.dumps(result, allow_nan=False)  # NaN is no JSON: other programs would refuse the file
    plain = json.loads(text)
    if missing := _missing(plain):
        raise ValueError(f"the result has no {', '.join(sorted(missing))}")
    write_whole(file, text)
    return plain


def write_whole(file: Path, text: str) -> None:
    """Write a file such that no reader, and no run that was killed, meets half of it."""
    draft = file.with_suffix(f".{os.getpid()}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)


def details(message: str, expected: str, got: str, note: str = "") -> list[str]:
    """What a check found, in lines, as the page of feedback says it."""
    parts = [("", message), ("expected: ", expected), ("your value: ", got), ("", note)]
    return [before + text for before, text in parts if text]


def read_result(file: Path) -> Result | None:
    """A result from its file; None if there is no file or it is damaged, so that the submission is graded again."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return None if _missing(found) else found


def _missing(found: Any) -> set[str]:
    """The fields that a result lacks."""
    return set(Result.__annotations__) - (found.keys() if isinstance(found, dict) else set())
