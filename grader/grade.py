"""One submission: its cells run in a sandbox, the teacher's checks run here, and the result is plain data."""

import contextlib
import hashlib
import io
import re
import time
from functools import cache

import torch

from grader.lab import Check, Lab, needed, read_lab, to_run
from grader.notebook import Unreadable, read_cells
from grader.rubric import written
from grader.sandbox import LIMITS
from grader.session import LabError, Raised, Session
from utils.expect import Unmet, short

OURS = re.compile(r"^\s*### BEGIN (SOLUTION|HIDDEN TESTS)", re.MULTILINE)  # marks that no handed-out lab has
BORROWED = re.compile(
    r"\b(attacks|smoothing)\.|from utils\.(attacks|smoothing)|torchattacks|autoattack|foolbox|art\.attacks"
)


def grade(task: dict) -> dict:
    """The result of one submission, as plain data. It raises nothing that a submission could cause.

    task    lab       the instructor's notebook, its JSON as text
            student   who
            content   the submission's bytes
            key       the course's secret, from which each student's hidden data are drawn
            limits    what differs from `sandbox.LIMITS`

    result  checks    for each: name, points, earned, state, message, expected, got
            written   {exercise: the student's text and notes on it}, for a person to judge
            earned, points, seconds
            look      why a teacher should look at it: sentences
            output    what its cells printed, the beginning
    """
    begin = time.monotonic()
    lab, look, output, texts = load(task["lab"]), [], "", {}
    try:
        cells, look = read_cells(task["content"])
    except Unreadable as problem:
        checks = [outcome(check, "unreadable", f"{problem}") for check in lab.checks]
        look = [f"{problem}"]
    else:
        texts = {rubric.name: written(rubric, lab.texts, cells) for rubric in lab.rubrics}
        chosen = to_run(lab, [cell["source"] for cell in cells if cell["kind"] == "code"])
        session = Session(needed(lab, chosen), chosen, LIMITS | task.get("limits", {}))
        session.seed = seed_of(task["key"], task["student"], lab.title)
        checks = []
        try:
            for check in lab.checks:
                checks.append(judge(check, session, setting(task["lab"]), session.seed))
        finally:
            session.close()
        output = session.output
        look += notice(lab, session, checks, cells)
    earned = sum(check["earned"] for check in checks)
    about = {"student": task["student"], "earned": earned, "points": lab.points, "checks": checks}
    about |= {"look": look, "output": output, "seconds": round(time.monotonic() - begin, 2)}
    return about | ({"written": texts} if lab.rubrics else {})


@cache
def load(content: str) -> Lab:
    return read_lab(content)


@cache
def setting(content: str) -> dict:
    """The names that a lab gives, made once by its given cells in this process, whatever they print."""
    namespace = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()):
        for source in load(content).given:
            exec(compile(source, "<given>", "exec"), namespace)
    return namespace


def seed_of(key: str, student: str, lab: str) -> int:
    """A number in 1 ... 2**31 - 1 that is always the same for a student in a lab, and says nothing without the key."""
    digest = hashlib.sha256(repr((key, student, lab)).encode(errors="replace")).digest()
    return 1 + int.from_bytes(digest[:8], "big") % (2**31 - 1)


def judge(check: Check, session, given: dict, seed: int) -> dict:
    """Run a check cell on a student's answers; `session` is anything with `get(name)`."""
    namespace = given | {"seed": seed}
    try:
        for name in check.names:
            found = session.get(name)
            if "value" not in found:
                return outcome(check, "missing", f"{name} is not defined", *trouble(session, name))
            namespace[name] = found["value"]
        with contextlib.redirect_stdout(io.StringIO()), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            exec(compile(check.source, f"<check {check.name}>", "exec"), namespace)
    except Unmet as unmet:
        return outcome(check, "not met", str(unmet), unmet.expected, unmet.got)
    except Raised as problem:
        text = str(problem)
        if "NotImplementedError: write me" in text:
            return outcome(check, "not answered", "not answered yet", "an answer in place of the stub")
        return outcome(check, "raised", text, *trouble(session))
    except LabError:
        raise
    except Exception as problem:  # an answer that no check foresaw
        text = f"the answer cannot be judged ({type(problem).__name__}: {short(str(problem))})"
        return outcome(check, "unjudged", text)
    return outcome(check, "passed", "", earned=check.points)


def trouble(session, name: str = "") -> tuple[str, str]:
    """What was expected, and the first problem of the cells, for a student whose name is missing."""
    problems = list(getattr(session, "problems", {}).values())
    return (f"a cell that defines {name}" if name else "", problems[0] if problems else "")


def outcome(check: Check, state: str, message: str, expected: str = "", got: str = "", earned: float = 0.0) -> dict:
    about = {"name": check.name, "points": check.points, "earned": earned, "state": state}
    return about | {"message": message, "expected": expected, "got": got}


def notice(lab: Lab, session: Session, checks: list[dict], cells: list[dict]) -> list[str]:
    """What a teacher should look at. Cells that fail cost nothing, and are worth a look only where points are lost."""
    text = "\n".join(source for _, source in session.cells)
    lost = any(check["state"] not in ("passed", "not answered") for check in checks)
    sentences = [said for number, said in session.problems.items() if lost or number in session.ending]
    if any(OURS.search(cell["source"]) for cell in cells):
        sentences.insert(0, "holds the instructor's notebook: answers and hidden checks")
    if BORROWED.search(text):
        sentences.append("uses a finished attack: is the answer the student's own?")
    sentences += [f"{check['name']}: {check['message']}" for check in checks if check["state"] == "unjudged"]
    return sentences
