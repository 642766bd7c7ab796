"""Points that a person gives: the page to read, the lines of the table to fill in, and what a filled-in table says.

A line of the table belongs to a student, a written exercise and a criterion. Nothing in it is guessed: where a line
cannot be understood, or two lines differ, the points stay open, and the summary names the line and the reason. No line
that a teacher has written is lost when the table is written again.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TypedDict

from grader.page import fill_page
from grader.result import PointsByHand, Result
from grader.rubric import Criterion, Rubric, shortened
from grader.sheet import COLUMNS, ROW, original_text, safe_text, write_table

POINTS = re.compile(r"[0-9]{1,6}([.,][0-9]{1,6})?")
LETTERS = "bcdfghjkmnpqrstvwxz"  # of a code: without vowels it is no word, date or number that a spreadsheet changes


class WrittenAnswer(TypedDict):
    """A student's answer to a written exercise, all files together. code: what the page calls it; who: name and id."""

    code: str
    who: tuple[str, str]
    student: str
    rubric: Rubric
    text: str
    notes: list[str]


def six_letters(*about: str) -> str:
    """A code for these words."""
    number = int.from_bytes(hashlib.sha256(repr(about).encode(errors="replace")).digest()[:8], "big")
    return "".join(LETTERS[number // len(LETTERS) ** i % len(LETTERS)] for i in range(6))


def name_in_table(student: str, number: str) -> str:
    """How the table names a student."""
    return f"{student} ({number})" if number else student


def find_answers(rubrics: Sequence[Rubric], results: list[Result], key: str) -> list[WrittenAnswer]:
    """What there is to grade by hand, one answer for each rubric and student.

    The code depends on the student and on the text, so that a new answer is not taken for the one that was graded.
    Answers come in the order of their codes, which tells nothing of names, and those without text come last. Where a
    student has handed in several files, all texts that differ are there.
    """
    students = defaultdict(list)
    for result in results:
        students[result["student"], result["id"]].append(result)
    made = []
    for rubric in rubrics:
        of_rubric = []
        for (student, number), theirs in students.items():
            read = [result["written"][rubric.name] for result in theirs if rubric.name in result["written"]]
            found = {each["text"]: each["notes"] for each in read if each["text"]}
            notes = [note for some in found.values() for note in some]
            notes += ["its notebook could not be read"] * (not read)
            notes += [f"in {len(found)} files with different answers, all shown here"] * (len(found) > 1)
            text, more = shortened("\n\n".join(found))
            code = f"{six_letters(key, student, number)}-{six_letters(rubric.name, text)}"
            notes = list(dict.fromkeys(notes + more))
            about = {"code": code, "who": (student, number), "student": name_in_table(student, number)}
            of_rubric.append(WrittenAnswer(**about, rubric=rubric, text=text, notes=notes))
        made += sorted(of_rubric, key=lambda answer: (not answer["text"], answer["code"]))
    return made


def merge_rows(
    answers: list[WrittenAnswer], rows: list[dict], missing: Collection[tuple[str, str]] = (), key: str = ""
) -> tuple[dict, list[dict], list[str]]:
    """What rows of a table say of answers. missing: students of an earlier run who have no answer in this one.

    Returns (points, lines, problems): {(who, exercise, criterion): {"points": a number, or None if open, "comment"}},
    the lines of a table that asks for the rest, and a sentence for each row that gives no points and why.
    """
    codes, names = defaultdict(set), defaultdict(set)
    for answer in answers:
        codes[answer["code"].partition("-")[0]].add(answer["who"])
        names[original_text(safe_text(answer["student"]))].add(answer["who"])
    for who in missing:
        codes[six_letters(key, *who)].add(who)
        names[original_text(safe_text(name_in_table(*who)))].add(who)
    asked = {(a["who"], a["rubric"].name, criterion.name) for a in answers for criterion in a["rubric"].criteria}
    rows_for, strange, kept, problems = defaultdict(list), [], [], []
    for row in rows:
        try:
            place = student_of_row(row, codes, names), row["exercise"], row["criterion"]
            if place[0] in missing:
                kept += [row] * bool(row["points"] or row["comment"])
                continue
            if place not in asked:
                raise ValueError(f"there is no criterion {place[2]!r} of an exercise {place[1]!r}")
            rows_for[place].append(row)
        except ValueError as problem:
            strange.append(row)
            problems.append(f"{row[ROW]}: {problem}")
    if kept:
        problems.insert(0, f"rows of students missing from FROM: {len(kept)}; they count when the students are there")
    points, lines = {}, []
    for answer in answers:
        for criterion in answer["rubric"].criteria:
            place = answer["who"], answer["rubric"].name, criterion.name
            points[place], more, wrong = points_for_criterion(answer, criterion, rows_for[place])
            lines += more
            problems += [f"{answer['student']}, {place[1]}, {place[2]}: {problem}" for problem in wrong]
    return points, without_repeats(lines + strange + kept), problems


def points_for_criterion(
    answer: WrittenAnswer, criterion: Criterion, rows: list[dict]
) -> tuple[dict, list[dict], list[str]]:
    """The points of an answer for one criterion by its rows; its lines in a new table; what is wrong with the rows."""
    about = dict(zip(COLUMNS, (answer["code"], answer["student"], answer["rubric"].name), strict=False))
    about |= {"criterion": criterion.name, "most": criterion.most}
    text = answer["code"].partition("-")[2]
    filled = [row for row in rows if row["points"] or row["comment"]]
    older = [row for row in filled if row["answer"].lower().partition("-")[2] not in ("", text)]
    current = [row for row in filled if row not in older]
    given, problems = {}, []
    for row in current:
        if row["points"]:
            try:
                given.setdefault(parse_points(row["points"], criterion.most), row)
            except ValueError as problem:
                given.setdefault(row["points"], row)
                problems.append(f"{problem} ({row[ROW]})")
    if len(given) > 1:
        each = " and ".join(f"{row['points']} ({row[ROW]})" for row in given.values())
        problems.append(f"has different points, {each}")
    value = None if problems else next(iter(given), None)
    if not given and any(row["points"] for row in older):
        problems.append(f"the answer has changed since it was graded ({older[0][ROW]}): it must be graded again")
    comment = " ".join(dict.fromkeys(row["comment"] for row in current if row["comment"]))
    lines = [row | about for row in current or [dict.fromkeys([*COLUMNS, ROW], "")]]
    return {"points": value, "comment": comment}, lines + older, problems


def student_of_row(row: dict, codes: dict[str, set], names: dict[str, set]) -> tuple[str, str]:
    """The student of a row: by code, for a spreadsheet may have changed the name; else by name. ValueError."""
    by_code = codes.get(row["answer"].lower().partition("-")[0], set())
    by_name = names.get(row["student"], set())
    if by_code and by_name and not by_code & by_name:
        raise ValueError(f"answer {row['answer']} is not of {row['student']!r}; was one column sorted alone?")
    who = by_code & by_name or by_code or by_name
    if len(who) > 1:
        raise ValueError(f"{len(who)} students have the name {row['student']!r}: fill in the column 'answer' too")
    if not who:
        raise ValueError(f"there is no student {row['student']!r}")
    return next(iter(who))


def parse_points(text: str, most: float) -> float:
    """Points from a table, with a point or a comma. ValueError if they are not from 0 to `most`."""
    if not POINTS.fullmatch(text):
        raise ValueError(f"points are a number from 0 to {most:g}, not {text!r}")
    value = float(text.replace(",", "."))
    if value > most:
        raise ValueError(f"{text} points are more than {most:g}")
    return value


def without_repeats(rows: list[dict]) -> list[dict]:
    """Rows, of which those with the same content are kept once."""
    return list({tuple(sorted((name, f"{row[name]}") for name in row if name != ROW)): row for row in rows}.values())


def add_points_by_hand(results: list[Result], rubrics: Sequence[Rubric], points: dict) -> list[Result]:
    """The results with the points that people gave, by `merge_rows`, also in what the students have earned."""
    made = []
    for result in results:
        parts = []
        for rubric in rubrics:
            for criterion in rubric.criteria:
                given = points[(result["student"], result["id"]), rubric.name, criterion.name]
                about = {"exercise": rubric.name, "criterion": criterion.name, "words": criterion.words}
                parts.append(PointsByHand(**about, most=criterion.most, **given))
        earned = result["earned"] + sum(part["points"] or 0 for part in parts)
        made.append(result | {"by_hand": parts, "earned": earned})
    return made


def write_page_and_table(
    folder: Path, title: str, answers: list[WrittenAnswer], points: dict, lines: list[dict], before: list[dict]
) -> None:
    """Write by_hand.html to read and by_hand.csv to fill in. before: the rows of the table as it is."""
    write_table(folder / "by_hand.csv", lines, before)
    (folder / "by_hand.html").write_text(by_hand_page(title, answers, points), encoding="utf-8")


def by_hand_page(title: str, answers: list[WrittenAnswer], points: dict) -> str:
    """All answers on one page to read or print, each beside its rubric, without names."""
    exercises = []
    for rubric in dict.fromkeys(answer["rubric"] for answer in answers):
        of_rubric = [answer for answer in answers if answer["rubric"] == rubric]
        exercises.append((rubric, [a for a in of_rubric if a["text"]], [a for a in of_rubric if not a["text"]]))
    return fill_page("by_hand.html", title=title, exercises=exercises, points=points)
