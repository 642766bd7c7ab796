"""A class: each submission is graded once, in parallel; a later run grades only what is new or has changed."""

import hashlib
import math
import os
import re
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import torch

from grader import by_hand, reports, sheet
from grader.collect import Submission, collect
from grader.grade import Task, grade_submission, load_lab
from grader.lab import Lab, asked_names, bound
from grader.notebook import Unreadable, read_cells
from grader.result import Result, could_not_grade, read_result, write_result
from grader.rubric import Rubric
from grader.worker import end_with_the_grader
from utils.fingerprint import MATTER, ROOT, fingerprint
from utils.progress import progress

SUMMARY_EVERY = 20  # seconds between two summaries of a class that is being graded
MOST_DEATHS = 3  # of the process that grades a submission; then it is given up
LOCK = threading.Lock()  # a cluster's worker may have several threads, and checks share torch's random numbers
Results = Iterator[tuple[Path, Result]]  # each with the file that it is kept in; of a challenge its `EntryRecord`


def grade_class(
    lab: Path,
    source: Path,
    target: Path,
    *,
    jobs: int = 0,
    scheduler: str = "",
    key: str = "",
    hand: Sequence[Path] = (),
    limits: dict | None = None,
    anyway: bool = False,
) -> str:
    """Grade a folder or zip of submissions, write all reports to `target`, and return the summary.

    lab        the instructor's notebook
    jobs       submissions at a time; 0: one for each core
    scheduler  address of a Dask scheduler whose workers shall grade
    key        secret of the course, from which students' hidden data are drawn; "": the one in `target`, made once
    hand       tables with points that people gave, beside `target`/by_hand.csv; their lines are added to it
    anyway     grade even where most notebooks have nothing of this lab; else that is a ValueError, before any is graded

    A submission is graded again if it, the lab, or code that decides on points has changed, or if it could not be
    graded before. Other results are taken from `target`/results. No submission stops the others: what cannot be graded
    has a result that says why. OSError, ValueError.
    """
    content = lab.read_text(encoding="utf-8")
    about = load_lab(content)
    read_points(target / "by_hand.csv", hand, about.rubrics)  # a mistake in a table is reported before hours of grading
    submissions, left_out = collect(source)
    if submissions or not (target / "results").is_dir():  # else those of an earlier run are missed, and named
        left_out += look_first(about, source, submissions, anyway)
    (target / "results").mkdir(parents=True, exist_ok=True)
    key = key or read_or_make_key(target)
    decides = what_decides(content)
    files = [target / "results" / f"{result_name(decides, key, each, limits)}.json" for each in submissions]
    kept = {file: result for file in files if (result := read_result(file)) and not result["failed"]}
    tasks = {file: each for file, each in zip(files, submissions, strict=True) if file not in kept}
    common = {"lab": content, "key": key, "limits": limits or {}}
    run = results_of(tasks, common, GRADING, jobs, scheduler)
    begin = told = time.monotonic()
    for count, (file, result) in enumerate(progress(run, total=len(tasks), desc="grading", delay=0.5), 1):
        kept[file] = keep_result(file, result, about, tasks[file])
        if (now := time.monotonic()) - told > SUMMARY_EVERY and count < len(tasks):
            told = now
            first = still_grading(count, len(tasks), now - begin)
            text = reports.summary([kept[each] for each in files if each in kept], left_out, about.title)
            (target / "summary.txt").write_text(f"{first}\n\n{text}", encoding="utf-8")
    results = [kept[file] for file in files]
    missing = missing_students(target, files, results)
    problems = []
    if about.rubrics:
        own = target / "by_hand.csv"
        tables = read_points(own, hand, about.rubrics)  # once more: people may have written in it meanwhile
        answers = by_hand.find_answers(about.rubrics, results, key)
        rows = [row for table in tables for row in table]
        points, lines, _ = by_hand.merge_rows(answers, rows, missing, key)
        by_hand.write_page_and_table(target, about.title, answers, points, lines, tables[0])
        _, _, problems = by_hand.merge_rows(answers, sheet.read_table(own), missing, key)  # by the new rows' numbers
        results = by_hand.add_points_by_hand(results, about.rubrics, points)
    return reports.write_reports(results, left_out, target, about.title, problems, missing)


def still_grading(done: int, total: int, seconds: float) -> str:
    """For the top of a summary of a part: how many are done, and how long the rest takes if it goes on so."""
    rest = seconds / done * (total - done)
    words = f"{math.ceil(rest)} s" if rest < 90 else f"{math.ceil(rest / 60)} minutes"
    return f"STILL GRADING: {done} of {total} done; the rest takes about {words}. Below are those that have a result."


def each_change(places: Sequence[Path], wait: Callable[[], None]) -> Iterator[None]:
    """Yield at once, and then each time that a file in these places has changed, and is the same at one look more.

    wait  waits between two looks
    """

    def state() -> list[tuple]:
        files = (file for place in places for file in ([place] if place.is_file() else sorted(place.rglob("*"))))
        found = []
        for file in files:
            with suppress(OSError):  # it is being replaced
                about = file.lstat()
                found.append((str(file), about.st_mtime_ns, about.st_size))
        return found

    seen = state()
    yield
    while True:
        wait()
        now = state()
        if now == seen:
            continue
        wait()
        while (later := state()) != now:
            now = later
            wait()
        seen = now
        yield


def look_first(lab: Lab, source: Path, submissions: Sequence[Submission], anyway: bool) -> list[str]:
    """Lines about notebooks that have nothing of this lab. ValueError if there is no notebook, or if most are such."""
    if not submissions:
        raise ValueError(f"{source} holds no notebook (a file that ends in .ipynb): nobody was graded")
    others = [each.file for each in submissions if not may_be(lab, each)]
    if len(others) > max(len(submissions) / 2, 1) and not anyway:
        named = ", ".join(others[:3]) + ", …" * (len(others) > 3)
        raise ValueError(
            f"{len(others)} of {len(submissions)} notebooks have nothing of {lab.title!r} ({named}): are FROM and LAB "
            "right? Nobody was graded. If they are: python -m grader with the same --lab, --from, --to, and --anyway"
        )
    return [f"{file}: has nothing of this lab; it was graded all the same" for file in others]


def may_be(lab: Lab, submission: Submission) -> bool:
    """Whether a notebook has this lab's title, or no lab's and a name that this lab asks for; True if unreadable."""
    try:
        cells = read_cells(submission.read()).cells
    except (Unreadable, OSError):
        return True  # its result will say what is wrong
    titles = {line.strip("# ") for cell in cells if cell["kind"] == "text" for line in cell["source"].splitlines()}
    if lab.title in titles or any(re.match(r"Lab \d+\w* · ", title) for title in titles):
        return lab.title in titles
    names = asked_names(lab)
    return any(not names.isdisjoint(bound(cell["source"])) for cell in cells if cell["kind"] == "code")


def what_decides(lab: str, root: Path = ROOT) -> str:
    """A hash of all that decides on points besides the submission and the key.

    It covers the text of the lab's cells, where marks and points stand in comments; the grader's code, and all of
    `utils` that the lab's cells and checks import, without comments and docstrings; and the installed versions of the
    packages that compute, and Python's.
    """
    about = load_lab(lab)
    checks = [check.source for check in about.checks]
    code = [*about.given, *checks, "import grader.grade, grader.inside.pristine"]
    return hashlib.sha256(repr((about_text(about), fingerprint(code, root), versions_here())).encode()).hexdigest()


def about_text(lab: Lab) -> str:
    """All that the grader has read of a lab, always in the same order."""
    return repr((lab.title, lab.given, sorted(lab.shown), sorted(lab.stubs.items()), lab.checks, sorted(lab.texts)))


def versions_here() -> dict[str, str]:
    """The versions of what computes: of Python, which also decides what a cell may be, and of the packages."""
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return {"Python": python} | {name: installed_version(name) for name in MATTER}


def installed_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def result_name(decides: str, key: str, submission: Submission, limits: dict | None) -> str:
    """A name for the result of this content, of this student, in this lab, by this grader."""
    about = (decides, key, submission.student, submission.id, submission.file, limits)
    digest = hashlib.sha256(repr(about).encode(errors="replace"))
    try:
        digest.update(submission.read())
    except OSError as problem:  # grading it reads it once more, and says so
        digest.update(repr(problem).encode(errors="replace"))
    return digest.hexdigest()[:32]


def missing_students(target: Path, files: Sequence[Path], results: list[Result]) -> list[tuple[str, str]]:
    """Students with a result in this folder who are not among these results: name and LMS number of each."""
    others = map(read_result, set((target / "results").glob("*.json")).difference(files))
    there = {(result["student"], result["id"]) for result in results}
    return sorted({(result["student"], result["id"]) for result in others if result} - there)


def read_points(own: Path, others: Sequence[Path], rubrics: Sequence[Rubric]) -> list[list[dict]]:
    """Rows with points by hand: of the folder's own table first, then of the others. OSError, ValueError."""
    if others and not rubrics:
        raise ValueError("this lab has no written exercise, so it takes no points by hand: leave out --hand")
    return [sheet.read_table(own) if rubrics and own.exists() else [], *(sheet.read_table(file) for file in others)]


def read_or_make_key(target: Path) -> str:
    file = target / "key"
    if not file.exists():
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
            new.write(secrets.token_hex(16))
    return file.read_text().strip()


def keep_result(file: Path, result: Result, lab: Lab, submission: Submission) -> Result:
    """Write a result to its file. One that cannot be written costs no other: it becomes "could not be graded"."""
    try:
        return write_result(file, result)
    except Exception as problem:
        reason = f"its result could not be written to a file ({type(problem).__name__}: {problem})"
        return write_result(file, could_not_grade(lab, reason, **owner(submission)))


def owner(submission: Submission) -> dict[str, str]:
    return {"student": submission.student, "id": submission.id, "file": submission.file}


def task_for(submission: Submission, common: dict) -> Task:
    return common | owner(submission) | {"content": submission.read()}


def give_up(submission: Submission, common: dict, reason: str) -> Result:
    """`could_not_grade`, for a submission and what is common to its class."""
    return could_not_grade(load_lab(common["lab"]), reason, **owner(submission))


def unread(problem: Exception) -> str:
    return f"its file could not be read ({type(problem).__name__}: {problem})"


def grade_one(task: Task) -> Result:
    """Grade one submission, in a worker. A mistake of the lab or of the machine becomes the result's reason."""
    torch.set_num_threads(1)
    try:
        return grade_submission(task)
    except Exception as problem:
        reason = f"the grader failed ({type(problem).__name__}: {problem})"
        who = {name: task[name] for name in ("student", "id", "file")}
        return could_not_grade(load_lab(task["lab"]), reason, **who)


class Work(NamedTuple):
    """What is done in parallel, the same for all of a class: grading here, and judging a challenge's entries.

    do    do(made) -> result, in a worker
    make  make(task, common): what the worker is sent; OSError if it cannot be read
    lost  lost(task, common, reason): the result where there is none
    """

    do: Callable
    make: Callable
    lost: Callable


GRADING = Work(grade_one, task_for, give_up)


def results_of(tasks: dict, common: dict, work: Work, jobs: int = 0, scheduler: str = "") -> Results:
    """The results as they come, each with its key in `tasks`, in no order; an interruption loses only those at work.

    jobs       tasks at a time, on this machine; 0: one for each core
    scheduler  address of a Dask scheduler whose workers shall do it instead; "": this machine
    """
    if scheduler:
        return grade_on_cluster(tasks, common, scheduler, work)
    return grade_on_cores(tasks, common, jobs or os.cpu_count() or 1, work)


def grade_on_cores(tasks: dict, common: dict, jobs: int, work: Work = GRADING) -> Results:
    """The results as they come, from processes on this machine. One crash never changes another student's grade.

    When a process dies, its pool breaks and does not say which submission it was grading. So all submissions that were
    being graded then are graded again, one at a time.
    """
    waiting, suspects, deaths = list(tasks), [], dict.fromkeys(tasks, 0)
    while waiting or suspects:
        queue, at_once = (suspects, 1) if suspects else (waiting, 2 * jobs)
        running = {}
        with ProcessPoolExecutor(
            min(jobs, at_once), mp_context=get_context("spawn"), initializer=end_with_the_grader
        ) as pool:
            try:
                while queue or running:
                    while queue and len(running) < at_once:
                        submission = tasks[queue[-1]]
                        try:
                            future = pool.submit(work.do, work.make(submission, common))
                        except OSError as problem:
                            yield queue.pop(), work.lost(submission, common, unread(problem))
                        else:
                            running[future] = queue.pop()
                    for future in wait(running, return_when=FIRST_COMPLETED).done if running else ():
                        problem = future.exception()
                        if isinstance(problem, BrokenProcessPool):
                            raise problem
                        file = running.pop(future)
                        failed = f"its result did not come back ({type(problem).__name__}: {problem})"
                        yield file, work.lost(tasks[file], common, failed) if problem else future.result()
            except BrokenProcessPool:
                if at_once > 1:
                    suspects += running.values()
                    continue
                for file in running.values():
                    deaths[file] += 1
                    if deaths[file] < MOST_DEATHS:
                        suspects.append(file)
                    else:
                        reason = f"the process that graded it ended {MOST_DEATHS} times; grade it by hand"
                        yield file, work.lost(tasks[file], common, reason)


def one_by_one(do: Callable, made: object) -> object:
    """Work of a cluster's worker."""
    with LOCK:
        return do(made)


def grade_on_cluster(tasks: dict, common: dict, scheduler: str, work: Work = GRADING) -> Results:
    """The results as they come, from the workers of a Dask cluster, which have the course installed.

    If a worker dies, another one grades its submission. Each submission is graded once. They are sent a few at a time,
    to spare memory.
    """
    from dask.distributed import Client, as_completed

    waiting, files = list(tasks), {}
    with Client(scheduler) as client:
        running = as_completed([])
        many = 4 * max(len(client.ncores()), 1)

        def send() -> Results:
            """Submit until enough are running. Yields the results of those that cannot be read."""
            while waiting and running.count() < many:
                file = waiting.pop()
                try:
                    made = work.make(tasks[file], common)
                except OSError as problem:
                    yield file, work.lost(tasks[file], common, unread(problem))
                    continue
                key = f"grade-{file.stem}"
                future = client.submit(one_by_one, work.do, made, key=key, pure=False, retries=2)
                files[future.key] = file
                running.add(future)

        yield from send()
        for future in running:
            file = files[future.key]
            try:
                result = future.result()
            except Exception as problem:
                reason = f"the cluster did not grade it ({type(problem).__name__}: {problem})"
                result = work.lost(tasks[file], common, reason)
            yield file, result
            yield from send()
