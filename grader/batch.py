"""A class: every submission graded once, in parallel, and again only what is not there yet."""

import hashlib
import json
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import torch

from grader import by_hand, reports, sheet
from grader.collect import Submission, collect
from grader.grade import grade, load
from grader.rubric import Rubric
from utils.progress import progress

TRIES = 3  # of a submission during which its own grading process dies
LOCK = threading.Lock()  # a cluster's worker may have several threads, and checks share torch's random numbers


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
) -> str:
    """Grade a folder or zip of submissions, write all reports to `target`, and return the summary.

    lab        the instructor's notebook
    jobs       submissions at a time; 0: one for each core
    scheduler  address of a Dask scheduler whose workers shall grade
    key        secret of the course, from which students' hidden data are drawn; "": the one in `target`, made once
    hand       tables with points that people gave, beside `target`/by_hand.csv; their lines are added to it

    What was graded before, and has not changed, is not graded again: results lie in `target`/results by their content.
    """
    content = lab.read_text(encoding="utf-8")
    title, rubrics = load(content).title, load(content).rubrics
    read_tables(target / "by_hand.csv", hand, rubrics)  # a mistake in them is told before hours of grading
    submissions, left_out = collect(source)
    (target / "results").mkdir(parents=True, exist_ok=True)
    key = key or own_key(target)
    tasks = {}
    files = []
    for submission in submissions:
        name = mark(content, key, submission, limits)
        files.append(target / "results" / f"{name}.json")
        if not (files[-1].exists() and not json.loads(files[-1].read_text(encoding="utf-8")).get("failed")):
            tasks[files[-1]] = submission
    about = {"lab": content, "key": key, "limits": limits or {}}
    run = on_cluster(tasks, about, scheduler) if scheduler else on_cores(tasks, about, jobs or os.cpu_count() or 1)
    for file, result in progress(run, total=len(tasks), desc="grading", delay=0.5):
        submission = tasks[file]
        save(file, result | {"student": submission.student, "id": submission.id, "file": submission.file})
    results = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    absent = graded_before(target, files, results)
    said = judged(results, rubrics, key, target, title, hand, absent) if rubrics else []
    return reports.write(results, left_out, target, title, said, absent)


def graded_before(target: Path, files: Sequence[Path], results: list[dict]) -> list[tuple[str, str]]:
    """The students with a result in this folder who are not among these: name and LMS number of each."""
    others = set((target / "results").glob("*.json")).difference(files)
    before = (json.loads(file.read_text(encoding="utf-8")) for file in others)
    there = {(result["student"], result["id"]) for result in results}
    return sorted({(result["student"], result["id"]) for result in before} - there)


def read_tables(own: Path, others: Sequence[Path], rubrics: Sequence[Rubric]) -> list[list[dict]]:
    """The lines with points by hand: those of the folder of grades first. OSError, ValueError."""
    if others and not rubrics:
        raise ValueError("this lab has no rubric, so no points are given by hand")
    return [sheet.read(own) if rubrics and own.exists() else [], *(sheet.read(file) for file in others)]


def judged(
    results: list[dict],
    rubrics: Sequence[Rubric],
    key: str,
    target: Path,
    title: str,
    hand: Sequence[Path],
    absent: Sequence[tuple[str, str]],
) -> list[str]:
    """Add to results the points that people gave, and write what the others need. Returns what does not count."""
    own = target / "by_hand.csv"
    tables = read_tables(own, hand, rubrics)
    found = by_hand.answers(rubrics, results, key)
    points, lines, _ = by_hand.merge(found, [row for rows in tables for row in rows], absent, key)
    sheet.write(own, lines, tables[0])
    said = by_hand.merge(found, sheet.read(own), absent, key)[2]  # by the rows of the table as it is now
    (target / "by_hand.html").write_text(by_hand.page(title, found, points), encoding="utf-8")
    for result in results:
        parts = []
        for rubric in rubrics:
            for criterion in rubric.criteria:
                given = points[(result["student"], result["id"]), rubric.name, criterion.name]
                about = {"exercise": rubric.name, "criterion": criterion.name, "words": criterion.words}
                parts.append(about | {"most": criterion.most} | given)
        result["by_hand"] = parts
        result["earned"] += sum(part["points"] or 0 for part in parts)
    return said


def own_key(target: Path) -> str:
    file = target / "key"
    if not file.exists():
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
            new.write(secrets.token_hex(16))
    return file.read_text().strip()


def mark(lab: str, key: str, submission: Submission, limits: dict | None) -> str:
    """A name for the result of this content, of this student, in this lab, by this grader."""
    about = (grader(), lab, key, submission.student, submission.id, submission.file, limits)
    digest = hashlib.sha256(repr(about).encode(errors="replace"))
    digest.update(submission.read())
    return digest.hexdigest()[:32]


@cache
def grader() -> str:
    """The code that decides on points, as a hash."""
    here = Path(__file__).parent
    return hashlib.sha256(
        b"".join(file.read_bytes() for file in sorted([*here.glob("*.py"), here.parent / "utils" / "expect.py"]))
    ).hexdigest()


def save(file: Path, result: dict) -> None:
    """Write a result whole or not at all."""
    draft = file.with_suffix(f".{os.getpid()}.draft")
    draft.write_text(json.dumps(result), encoding="utf-8")
    draft.replace(file)


def task_of(submission: Submission, about: dict) -> dict:
    return about | {"student": f"{submission.student} {submission.id}".strip(), "content": submission.read()}


def lost(about: dict, student: str, reason: str) -> dict:
    """The result of a submission that could not be graded, through no fault of the student's as far as is known."""
    lab = load(about["lab"])
    none = {"earned": 0.0, "state": "not graded", "message": reason, "expected": "", "got": ""}
    checks = [{"name": check.name, "points": check.points, **none} for check in lab.checks]
    return {
        "student": student,
        "earned": 0.0,
        "points": lab.points,
        "checks": checks,
        "look": [reason],
        "output": "",
        "seconds": 0.0,
        "failed": True,  # so that the next run tries again
    }


def one(task: dict) -> dict:
    """`grade`, for a worker: a mistake of the lab's or the machine's is told, and stops no one else."""
    torch.set_num_threads(1)
    try:
        with LOCK:
            return grade(task)
    except Exception as problem:
        return lost(task, task["student"], f"the grader failed: {type(problem).__name__}: {problem}"[:1000])


def on_cores(
    tasks: dict[Path, Submission], about: dict, jobs: int, work: Callable[[dict], dict] = one
) -> Iterator[tuple[Path, dict]]:
    """The results as they come, from processes here. A process that dies costs nobody's grade.

    A death breaks the whole pool, and does not say whose it was. So all that were being graded then are graded again,
    one at a time: nobody answers for another.
    """
    waiting, suspects, deaths = list(tasks), [], dict.fromkeys(tasks, 0)
    while waiting or suspects:
        queue, at_once = (suspects, 1) if suspects else (waiting, 2 * jobs)
        running = {}
        with ProcessPoolExecutor(min(jobs, at_once), mp_context=get_context("spawn")) as pool:
            try:
                while queue or running:
                    while queue and len(running) < at_once:
                        file = queue.pop()
                        running[pool.submit(work, task_of(tasks[file], about))] = file
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        result = future.result()
                        yield running.pop(future), result
            except BrokenProcessPool:
                if at_once > 1:
                    suspects += running.values()
                    continue
                [file] = running.values()
                deaths[file] += 1
                if deaths[file] < TRIES:
                    suspects.append(file)
                else:
                    yield file, lost(about, tasks[file].student, "the grader's own process died; grade it by hand")


def on_cluster(tasks: dict[Path, Submission], about: dict, scheduler: str) -> Iterator[tuple[Path, dict]]:
    """The results as they come, from the workers of a Dask cluster, which have the course installed. A worker that
    dies is replaced by another; nothing is graded by two. Tasks are sent little by little, to spare memory."""
    from dask.distributed import Client, as_completed

    waiting, files = list(tasks), {}
    with Client(scheduler) as client:

        def next_one():
            file = waiting.pop()
            future = client.submit(one, task_of(tasks[file], about), key=f"grade-{file.stem}", pure=False, retries=2)
            files[future.key] = file
            return future

        running = as_completed([next_one() for _ in range(min(len(waiting), 4 * max(len(client.ncores()), 1)))])
        for future in running:
            file = files[future.key]
            if future.status == "finished":
                yield file, future.result()
            else:
                yield file, lost(about, tasks[file].student, f"the cluster lost it: {future.exception()!r}"[:1000])
            if waiting:
                running.add(next_one())
