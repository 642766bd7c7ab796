"""What a teacher and a student get: tables, one page of feedback each, a summary. All text in them is the student's,
and is treated as such.
"""

import csv
import hashlib
import html
import json
import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from grader.collect import around

STATES = {"passed": "✓", "not answered": "–"}
SAID = 30  # rows by hand, or students, that a summary names
FEW = 3  # notebooks that one student may well hand in
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>body{{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}td,th{{text-align:left;vertical-align:top;padding:.4rem;
border-top:1px solid #ccc}}code{{overflow-wrap:anywhere}}.no{{color:#a33}}.yes{{color:#262}}</style>
<h1>{title}</h1><p>{student}</p><p><strong>{total}</strong></p>
<table><tr><th></th><th>check</th><th>points</th><th>what was found</th></tr>
{rows}</table></html>
"""


def clean(text: object, limit: int = 2000) -> str:
    """Text without control characters (colours of a terminal, backspaces, lone surrogates), shortened."""
    text = str(text).encode(errors="replace").decode()
    text = re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07", "", text)
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "", text.replace("\r", ""))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def cell(value: object) -> object:
    """A value for a table. What a spreadsheet would take for a formula begins with an apostrophe."""
    if isinstance(value, (int, float)):
        return f"{value:g}"
    text = str(value).encode(errors="replace").decode().replace("\x00", "")
    if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")):
        text = "'" + text
    return text


def readable(student: str) -> str:
    """A name that any file system takes."""
    return re.sub(r"[^A-Za-z0-9]+", "-", student).strip("-")[:40] or "student"


def page_name(student: str) -> str:
    """A file name that is safe, readable and another for each student."""
    return f"{readable(student)}-{hashlib.sha256(student.encode(errors='replace')).hexdigest()[:8]}.html"


def feedback(result: dict, title: str) -> str:
    """The student's page: for each check what was found, what was expected, and the student's own value."""
    rows = []
    for check in result["checks"]:
        found = "well done" if check["state"] == "passed" else clean(check["message"])
        text = f"<span class={'yes' if check['earned'] else 'no'}>{html.escape(found)}</span>"
        if check["expected"]:
            text += f"<br>expected: {html.escape(clean(check['expected']))}"
        if check["got"]:
            text += f"<br>your value: <code>{html.escape(clean(check['got']))}</code>"
        sign, points = STATES.get(check["state"], "✗"), f"{check['earned']:g} of {check['points']:g}"
        rows.append(f"<tr><td>{sign}</td><td>{html.escape(check['name'])}</td><td>{points}</td><td>{text}</td></tr>")
    for part in result.get("by_hand", []):
        name = html.escape(f"{part['exercise']}: {part['criterion']}")
        sign, points, text = "…", f"open, of {part['most']:g}", f"looked for: {html.escape(part['words'])}"
        if part["points"] is not None:
            sign = "✓" if part["points"] == part["most"] else "✗" if part["points"] == 0 else "◐"
            points = f"{part['points']:g} of {part['most']:g}"
            text += f"<br>{html.escape(clean(part['comment']))}" if part["comment"] else ""
        rows.append(f"<tr><td>{sign}</td><td>{name}</td><td>{points}</td><td>{text}</td></tr>")
    student = html.escape(clean(result["student"]))
    total = f"{result['earned']:g} of {result['points']:g} points"
    if left := open_points(result):
        total = f"Not complete: {result['earned']:g} points so far, {left:g} of {result['points']:g} not judged yet"
    return PAGE.format(title=html.escape(title), student=student, total=total, rows="\n".join(rows))


def open_points(result: dict) -> float:
    """How many points a person still has to judge."""
    return sum(part["most"] for part in result.get("by_hand", []) if part["points"] is None)


def best(results: list[dict]) -> list[dict]:
    """One result a student: the one with most points."""
    chosen: dict[tuple[str, str], dict] = {}
    for result in results:
        who = (result["student"], result["id"])
        if who not in chosen or result["earned"] > chosen[who]["earned"]:
            chosen[who] = result
    return list(chosen.values())


def write(
    results: list[dict],
    left_out: list[str],
    folder: Path,
    title: str,
    said: Sequence[str] = (),
    absent: Sequence[tuple[str, str]] = (),
) -> str:
    """Write all files of a graded class to a folder, and return the summary.

    said    what is wrong with points by hand
    absent  students who were graded before, and are not among the results: name and LMS number

    A grade that waits for a person has no total, and stays out of the files for the LMS: there a blank might delete.
    """
    one_each = best(results)
    complete = [result for result in one_each if not open_points(result)]
    checks = results[0]["checks"] if results else []
    parts = results[0].get("by_hand", []) if results else []

    def table(name: str, head: list, rows: list[list]) -> None:
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([[cell(value) for value in row] for row in [head, *rows]])

    def total(result: dict) -> list:
        """What stands under "total", and where people judge under "so far" and "open"."""
        left = open_points(result)
        return ["" if left else result["earned"], *([result["earned"], left] if parts else [])]

    def each(result: dict) -> list:
        by_hand = ("" if part["points"] is None else part["points"] for part in result.get("by_hand", []))
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
            page = feedback(result, title)
            (pages / page_name(result["student"] + result["id"])).write_text(page, encoding="utf-8")
            if result["id"] and not open_points(result):
                archive.writestr(
                    f"{readable(result['student'])}_{result['id']}_assignsubmission_file/feedback.html", page
                )
    report = {"lab": title, "results": results, "left_out": left_out}
    (folder / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    text = summary(results, left_out, title, said, absent)
    (folder / "summary.txt").write_text(text, encoding="utf-8")
    return text


def summary(
    results: list[dict],
    left_out: list[str],
    title: str,
    said: Sequence[str] = (),
    absent: Sequence[tuple[str, str]] = (),
) -> str:
    """For the teacher: how the points are spread, which checks fail most, and who needs a look."""
    if not results:
        return "\n".join([f"{title}: no submissions", *whose(results, absent)]) + "\n"
    one_each, most = best(results), results[0]["points"]
    waiting = sum(open_points(result) > 0 for result in one_each)
    lines = [f"{title}: {len(one_each)} students", *whose(results, absent)]
    if waiting:
        most = sum(check["points"] for check in results[0]["checks"])
        lines += [
            f"NOT COMPLETE: {waiting} of them wait{'s' * (waiting == 1)} for points by hand.",
            "Read by_hand.html, fill in by_hand.csv, and run the same command again.",
            "Who waits has no total in grades.csv, and is not in canvas.csv and moodle.csv.",
            f"The points below are of the checks alone, {most:g} at most.",
        ]
    if said:
        lines += ["", "Points by hand that do not count yet:", *(f"  {clean(line, 300)}" for line in said[:SAID])]
        lines += [f"  and {len(said) - SAID} more"] * (len(said) > SAID) + [""]
    totals = sorted(sum(c["earned"] for c in r["checks"]) if waiting else r["earned"] for r in one_each)
    lines += [f"median {totals[len(totals) // 2]:g} of {most:g} points", ""]
    for lowest in range(0, int(most) + 1):
        count = sum(int(total) == lowest for total in totals)
        lines.append(f"{lowest:>4} points  {count:>5}  {'▪' * round(40 * count / len(totals))}".rstrip())
    lines += ["", "Checks that fail most:"]
    failed = Counter(check["name"] for result in results for check in result["checks"] if check["state"] != "passed")
    for name, count in failed.most_common(5):
        said = Counter(c["message"] for r in results for c in r["checks"] if c["name"] == name and c["message"])
        lines.append(f"  {name}: {count} of {len(results)}; most often: {clean(said.most_common(1)[0][0], 120)}")
    lines += ["", "Who needs a look:"]
    twice = Counter((result["student"], result["id"]) for result in results)
    for result in results:
        reasons = list(result["look"])
        if twice[result["student"], result["id"]] > 1:
            reasons.append("handed in more than once; the one with most points counts")
        reasons += [f"{c['name']}: {c['message']}" for c in result["checks"] if c["state"] == "raised"]
        for reason in reasons[:6]:
            lines.append(f"  {clean(result['student'], 60)}: {' '.join(clean(reason, 200).split())}")
    lines += ["", "Left out:", *(f"  {clean(line, 200)}" for line in left_out)] if left_out else []
    return "\n".join(lines) + "\n"


def whose(results: list[dict], absent: Sequence[tuple[str, str]]) -> list[str]:
    """What is worth a look in how notebooks were given to students: nobody's grade may be lost in it."""
    lines = []
    if absent:
        names = [" ".join(clean(" ".join(student).strip(), 60).split()) for student in absent[:SAID]]
        more = f" and {len(absent) - SAID} more" * (len(absent) > SAID)
        lines += [
            f"NOT IN FROM: {len(absent)} who were graded here before, so they are not in the tables: "
            f"{', '.join(names)}{more}.",
            "Their results are kept. To have all in the tables, let FROM be the whole class.",
        ]
    shared = around([result["file"] for result in results])
    if shared and not all(result["id"] for result in results):
        lines.append(
            f"All lie in the folder {clean(shared, 60)}, which was taken for the class's, not for a student's."
        )
    counts = Counter(result["student"] for result in results if not result["id"])
    for student, count in counts.items():
        if count > FEW:
            name = " ".join(clean(student, 60).split())
            lines.append(f"LOOK: {count} notebooks lie in the folder or zip {name} and count as one student's.")
    return lines
