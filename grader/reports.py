"""What a teacher and a student get: tables, a page of feedback for each student, a summary. Names and answers in them
are written by students, so they may hold anything, and are only text here.
"""

import csv
import hashlib
import json
import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from grader.alike import shared_answers
from grader.page import clean, fill_page
from grader.result import Result
from grader.sheet import safe_text
from grader.whose import folders_around, students_of

SIGNS = {"passed": "✓", "not answered": "–"}
NAMED = 30  # rows by hand, or students, that a summary names


def safe_name(student: str) -> str:
    """A name that every file system takes."""
    return re.sub(r"[^A-Za-z0-9]+", "-", student).strip("-")[:40] or "student"


def page_name(student: str) -> str:
    """A file name that is safe, readable and different for each student."""
    return f"{safe_name(student)}-{hashlib.sha256(student.encode(errors='replace')).hexdigest()[:8]}.html"


def feedback_page(result: Result, title: str) -> str:
    """The student's page: for each check what was found, what was expected, and the student's own value."""
    return fill_page("feedback.html", title=title, result=result, open=open_points(result), signs=SIGNS)


def open_points(result: Result) -> float:
    """How many points a person still has to decide on."""
    return sum(part["most"] for part in result["by_hand"] if part["points"] is None)


def best_of_each(results: list[Result]) -> list[Result]:
    """One result for each student: the one with most points, of those that could be graded."""
    chosen: dict[tuple[str, str], Result] = {}
    for result in results:
        student = (result["student"], result["id"])
        if student not in chosen or worth(result) > worth(chosen[student]):
            chosen[student] = result
    return list(chosen.values())


def worth(result: Result) -> tuple[bool, float]:
    return not result["failed"], result["earned"]


def has_grade(result: Result) -> bool:
    """Whether a total can be given. What could not be graded has none: 0 points would be the student's."""
    return not (open_points(result) or result["failed"])


def write_reports(
    results: list[Result],
    left_out: list[str],
    folder: Path,
    title: str,
    problems: Sequence[str] = (),
    missing: Sequence[tuple[str, str]] = (),
) -> str:
    """Write all files of a graded class to a folder, and return the summary.

    problems  what is wrong with points by hand: sentences
    missing   students who were graded before and are not among the results: name and LMS number

    A student who waits for points by hand, or could not be graded, has no total, and is left out of the files for the
    LMS: an empty cell there might delete a grade.
    """
    one_each = best_of_each(results)
    complete = [result for result in one_each if has_grade(result)]
    checks = results[0]["checks"] if results else []
    parts = results[0]["by_hand"] if results else []

    def table(name: str, head: list, rows: list[list]) -> None:
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([[safe_text(value) for value in row] for row in [head, *rows]])

    def total(result: Result) -> list:
        """What stands under "total", and for a lab with a written exercise under "so far" and "open"."""
        total = result["earned"] if has_grade(result) else ""
        return [total, *([result["earned"], open_points(result)] if parts else [])]

    def each(result: Result) -> list:
        by_hand = ("" if part["points"] is None else part["points"] for part in result["by_hand"])
        return [*(check["earned"] for check in result["checks"]), *by_hand]

    head = ["student", "id", "file", "total", *(["so far", "open"] if parts else [])]
    head += [f"{check['name']} ({check['points']:g})" for check in checks]
    head += [f"{part['exercise']}: {part['criterion']} ({part['most']:g})" for part in parts]
    table("grades.csv", head, [[r["student"], r["id"], r["file"], *total(r), *each(r)] for r in results])
    canvas = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", title]
    possible = ["    Points Possible", "", "", "", "", results[0]["points"] if results else 0]
    table("canvas.csv", canvas, [possible, *([r["student"], r["id"], "", "", "", r["earned"]] for r in complete)])
    moodle = ["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)"]  # it reads 1, 3 and 5
    people = [(f"Participant {r['id']}" if r["id"] else "", r) for r in complete]
    table("moodle.csv", moodle, [[number, r["student"], r["earned"], r["points"], ""] for number, r in people])
    pages = folder / "feedback"
    pages.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / "moodle_feedback.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for result in one_each:
            page = feedback_page(result, title)
            (pages / page_name(result["student"] + result["id"])).write_text(page, encoding="utf-8")
            if result["id"] and has_grade(result):
                name = f"{safe_name(result['student'])}_{result['id']}_assignsubmission_file/feedback.html"
                archive.writestr(name, page)
    report = {"lab": title, "results": results, "left_out": left_out}
    (folder / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    text = summary(results, left_out, title, problems, missing)
    (folder / "summary.txt").write_text(text, encoding="utf-8")
    return text


def summary(
    results: list[Result],
    left_out: list[str],
    title: str,
    problems: Sequence[str] = (),
    missing: Sequence[tuple[str, str]] = (),
) -> str:
    """For the teacher: how the points are spread, which checks fail most, and which students need a look."""
    if not results:
        return "\n".join([f"{title}: no submissions", *doubts_about_students(results, missing)]) + "\n"
    one_each, most = best_of_each(results), results[0]["points"]
    waiting = sum(open_points(result) > 0 for result in one_each)
    lines = [f"{title}: {len(one_each)} students", *doubts_about_students(results, missing)]
    if failed := [result for result in results if result["failed"]]:
        lines.append(
            f"COULD NOT BE GRADED: {len(failed)} submission{'s' * (len(failed) > 1)}; the reasons are below. "
            "They have no total, and are not in canvas.csv and moodle.csv. Run the same command to try them again."
        )
    if waiting:
        most = sum(check["points"] for check in results[0]["checks"])
        lines += [
            f"NOT COMPLETE: {waiting} of them wait{'s' * (waiting == 1)} for points by hand.",
            "Read by_hand.html, fill in by_hand.csv, and run the same command again.",
            "A student who waits has no total in grades.csv, and is not in canvas.csv and moodle.csv.",
            f"The points below are those of the checks alone, at most {most:g}.",
        ]
    if problems:
        lines += ["", "Points by hand that do not count yet:", *(f"  {clean(line, 300)}" for line in problems[:NAMED])]
        lines += [f"  and {len(problems) - NAMED} more"] * (len(problems) > NAMED) + [""]
    graded = [result for result in one_each if not result["failed"]]
    totals = sorted(sum(c["earned"] for c in r["checks"]) if waiting else r["earned"] for r in graded)
    lines += [f"median {totals[len(totals) // 2]:g} of {most:g} points" if totals else "nobody has points yet", ""]
    for lowest in range(0, int(most) + 1 if totals else 0):
        count = sum(int(total) == lowest for total in totals)
        lines.append(f"{lowest:>4} points  {count:>5}  {'▪' * round(40 * count / len(totals))}".rstrip())
    lines += ["", "Checks that fail most:"]
    unmet = [check for result in results for check in result["checks"] if check["state"] != "passed"]
    for name, count in Counter(check["name"] for check in unmet).most_common(5):
        ((message, _),) = Counter(check["message"] for check in unmet if check["name"] == name).most_common(1)
        lines.append(f"  {name}: {count} of {len(results)}; most often: {clean(message, 120)}")
    lines += ["", "Students who need a look:"]
    notebooks = Counter((result["student"], result["id"]) for result in results)
    for result in results:
        reasons = list(result["look"])
        if notebooks[result["student"], result["id"]] > 1:
            reasons.append("handed in more than one notebook; the one with most points counts")
        reasons += [f"{c['name']}: {c['message']}" for c in result["checks"] if c["state"] == "raised"]
        for reason in reasons[:6]:
            lines.append(f"  {clean(result['student'], 60)}: {' '.join(clean(reason, 200).split())}")
    lines += same_answers(one_each)
    lines += ["", "Left out:", *(f"  {clean(line, 200)}" for line in left_out)] if left_out else []
    ways = Counter(", ".join(result["isolation"]) for result in results if result["isolation"])
    lines += [""] * bool(ways) + [f"Kept apart by {way}: {count} of {len(results)}" for way, count in ways.items()]
    return "\n".join(lines) + "\n"


def same_answers(results: Sequence[Result]) -> list[str]:
    """Lines about answers that few students have in common but for their names."""
    shapes = {" ".join(clean(f"{r['student']} {r['id']}".strip(), 60).split()): r["shapes"] for r in results}
    found = [f"  {name}: {', '.join(students)}" for name, students in shared_answers(shapes)]
    if not found:
        return []
    more = [f"  and {len(found) - NAMED} more"] * (len(found) > NAMED)
    head = "The same but for names and comments (a lesson, a hint or work together may be why; nobody is accused):"
    return ["", head, *found[:NAMED], *more]


def doubts_about_students(results: list[Result], missing: Sequence[tuple[str, str]]) -> list[str]:
    """What a teacher should check about whose notebooks these are, for a mistake there would lose a grade."""
    lines = []
    if missing:
        names = [" ".join(clean(" ".join(student).strip(), 60).split()) for student in missing[:NAMED]]
        more = f" and {len(missing) - NAMED} more" * (len(missing) > NAMED)
        lines += [
            f"MISSING FROM `FROM`: {len(missing)} student{'s' * (len(missing) > 1)} of an earlier run. "
            f"They are not in the tables: {', '.join(names)}{more}.",
            "Their results are kept. To have everybody in the tables, give the whole class as FROM.",
        ]
    files = [result["file"] for result in results]
    if (shared := folders_around(files)) and not all(result["id"] for result in results):
        lines.append(
            f"All notebooks are in the folder {clean(shared, 60)}, so its name was not taken for a student's name."
        )
    doubts = [" ".join(clean(doubt, 400).split()) for doubt in students_of(files)[1]]
    return lines + doubts[:NAMED] + [f"and {len(doubts) - NAMED} more to look at"] * (len(doubts) > NAMED)
