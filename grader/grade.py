"""One submission: its cells run in a sandbox, the teacher's checks run here, and the result is plain data."""

import contextlib
import hashlib
import io
import re
import time
from functools import cache
from itertools import count
from typing import TypedDict

import torch

from grader.alike import answers_without_names
from grader.answers import defined_again, too_new_for_us, where_else
from grader.lab import Check, Lab, asked_names, cells_to_run, given_cells_needed, modules_imported, read_lab
from grader.notebook import Unreadable, read_cells
from grader.result import CheckResult, Result, check_result, make_result, text_for_file
from grader.rubric import find_written
from grader.sandbox import LIMITS
from grader.session import LabError, Raised, Session
from utils.expect import Unmet, short
from utils.unanswered import STUB

INSTRUCTORS = re.compile(r"^\s*### BEGIN (SOLUTION|HIDDEN TESTS)", re.MULTILINE)  # marks that no handed-out lab has
FINISHED_ATTACK = re.compile(
    r"\b(attacks|smoothing)\.(?!margin\b)|from utils\.(attacks|smoothing)|torchattacks|autoattack|foolbox|art\.attacks"
)


class Task(TypedDict):
    """All that grading one submission needs. It can be sent to another process or machine.

    lab                the instructor's notebook, its JSON as text
    key                the course's secret, from which each student's hidden data are drawn
    limits             what differs from `sandbox.LIMITS`
    student, id, file  whose it is: name, LMS number or "", and where the notebook was
    content            the notebook's bytes
    """

    lab: str
    key: str
    limits: dict
    student: str
    id: str
    file: str
    content: bytes


def grade_submission(task: Task) -> Result:
    """Run a submission's cells and the lab's checks. It raises nothing that a submission can cause."""
    begin = time.monotonic()
    lab, look, output, written, isolation, shapes = load_lab(task["lab"]), [], "", {}, [], {}
    try:
        cells, look, python = read_cells(task["content"])
    except Unreadable as problem:
        checks = [check_result(check, "unreadable", problem) for check in lab.checks]
        look = [problem]
    else:
        written = {rubric.name: find_written(rubric, lab.texts, cells) for rubric in lab.rubrics}
        chosen = cells_to_run(lab, [cell["source"] for cell in cells if cell["kind"] == "code"])
        given = given_cells_needed(lab, chosen)
        session = Session(given, chosen, LIMITS | task["limits"], modules_imported(lab.given))
        seed = seed_of(task["key"], f"{task['student']} {task['id']}".strip(), lab.title)
        session.seeds = count(seed)
        checks = []
        try:
            for check in lab.checks:
                checks.append(run_check(check, session, given_names(task["lab"]), seed))
        finally:
            session.close()
        output, isolation = session.output, session.isolation
        shapes = answers_without_names(task["lab"], frozenset(asked_names(lab)), [source for _, source in chosen])
        look += reasons_to_look(session, checks, cells)
        look += explain(lab, checks, cells, chosen, python)
    return make_result(
        lab,
        checks,
        student=task["student"],
        id=task["id"],
        file=task["file"],
        written=written,
        look=look,
        shapes=shapes,
        output=output,
        isolation=isolation,
        seconds=time.monotonic() - begin,
    )


@cache
def load_lab(content: str) -> Lab:
    return read_lab(content)


@cache
def given_names(content: str) -> dict:
    """The names that a lab gives, made once by its given cells in this process. What these print is dropped."""
    namespace = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()):
        for source in load_lab(content).given:
            exec(compile(source, "<given>", "exec"), namespace)
    return namespace


def seed_of(key: str, student: str, lab: str) -> int:
    """A number in 1 ... 2**31 - 1 that is always the same for a student in a lab, and tells nothing without the key."""
    digest = hashlib.sha256(repr((key, student, lab)).encode(errors="replace")).digest()
    return 1 + int.from_bytes(digest[:8], "big") % (2**31 - 1)


def run_check(check: Check, session, given: dict, seed: int) -> CheckResult:
    """Run a check cell on a student's answers; `session` is anything with `get(name)`."""
    namespace = given | {"seed": seed}
    try:
        for name in check.names:
            found = session.get(name)
            if "value" not in found:
                wanted = f"a cell that defines {name}"
                return check_result(check, "missing", f"{name} is not defined", wanted, first_problem(session))
            namespace[name] = found["value"]
        with contextlib.redirect_stdout(io.StringIO()), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            exec(compile(check.source, f"<check {check.name}>", "exec"), namespace)
    except Unmet as unmet:
        return check_result(check, "not met", unmet, unmet.expected, unmet.got)
    except LabError:
        raise
    except Exception as problem:
        text = f"{type(problem).__name__}: {text_for_file(problem)}"
        if f"NotImplementedError: {STUB[0]}" in text:
            return check_result(check, "not answered", "not answered yet", "an answer in place of the stub")
        if isinstance(problem, Raised):
            return check_result(check, "raised", problem, got=first_problem(session))
        return check_result(check, "cannot be judged", f"this answer cannot be judged ({short(text)})")
    return check_result(check, "passed", earned=check.points)


def explain(
    lab: Lab, checks: list[CheckResult], cells: list[dict], chosen: list[tuple[int, str]], python: str = ""
) -> list[str]:
    """Note for the student what may explain a lost point, and say what a teacher should look at."""
    sentences = []
    for check, result in zip(lab.checks, checks, strict=True):
        if result["state"] != "passed":
            notes = [said for name in check.names if (said := defined_again(name, chosen))]
            notes += [said for name in check.names if (said := too_new_for_us(name, chosen, python))]
            result["note"] = "; ".join(notes)
            sentences += notes
        if result["state"] in ("missing", "not answered"):
            sentences += [said for name in check.names if (said := where_else(name, lab, cells, chosen))]
    return list(dict.fromkeys(sentences))


def first_problem(session) -> str:
    """The first problem of the notebook's cells, for a student whose name is missing; "" if there is none."""
    return next(iter(getattr(session, "problems", {}).values()), "")


def reasons_to_look(session: Session, checks: list[CheckResult], cells: list[dict]) -> list[str]:
    """What a teacher should look at. A cell that fails costs no points, and is named only where points are lost."""
    text = "\n".join(source for _, source in session.cells)
    lost = any(check["state"] not in ("passed", "not answered") for check in checks)
    sentences = [said for number, said in session.problems.items() if lost or number in session.ending]
    if any(INSTRUCTORS.search(cell["source"]) for cell in cells):
        sentences.insert(0, "the notebook contains text of the instructor's notebook: answers or hidden checks")
    if FINISHED_ATTACK.search(text):
        sentences.append("uses a finished attack or certificate: is the answer the student's own?")
    sentences += [f"{check['name']}: {check['message']}" for check in checks if check["state"] == "cannot be judged"]
    return sentences
