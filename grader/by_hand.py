"""Points that a person gives: a page to read, the lines of a table to fill in, and what they say when they are.

A line of the table belongs to a student, a written exercise and a criterion. Nothing in it is guessed: where it cannot
be understood, or says two things, the points stay open, and it is said which line and why. No line that a teacher has
written is lost when the table is written again.
"""

import hashlib
import html
import re
from collections import defaultdict
from collections.abc import Collection, Sequence

from grader.reports import cell, clean
from grader.rubric import Criterion, Rubric, shortened
from grader.sheet import COLUMNS, ROW, plain

POINTS = re.compile(r"[0-9]{1,6}([.,][0-9]{1,6})?")
LETTERS = "bcdfghjkmnpqrstvwxz"  # of a code: without vowels it is no word, date or number that a spreadsheet changes


def code(*about: str) -> str:
    """Six letters that stand for these words."""
    number = int.from_bytes(hashlib.sha256(repr(about).encode(errors="replace")).digest()[:8], "big")
    return "".join(LETTERS[number // len(LETTERS) ** i % len(LETTERS)] for i in range(6))


def label(student: str, number: str) -> str:
    """How the table calls a student."""
    return f"{student} ({number})" if number else student


def answers(rubrics: Sequence[Rubric], results: list[dict], key: str) -> list[dict]:
    """What there is to judge, one for each rubric and student: {"code", "who", "student", "rubric", "text", "notes"}.

    The code is of the student and of the text, so that it tells a new answer from the one that was judged. Answers come
    in the order of their codes, which says nothing of names, and those without text last. Of a student who has handed
    in several files, all that is different counts.
    """
    students = defaultdict(list)
    for result in results:
        students[result["student"], result["id"]].append(result)
    made = []
    for rubric in rubrics:
        of_rubric = []
        for (student, number), theirs in students.items():
            read = [result["written"][rubric.name] for result in theirs if rubric.name in result.get("written", {})]
            found = {each["text"]: each["notes"] for each in read if each["text"]}
            notes = [note for some in found.values() for note in some]
            notes += ["its notebook could not be read"] * (not read)
            notes += [f"in {len(found)} files with different answers, which all are here"] * (len(found) > 1)
            text, more = shortened("\n\n".join(found))
            about = {"who": (student, number), "student": label(student, number)}
            about |= {"code": f"{code(key, student, number)}-{code(rubric.name, text)}", "rubric": rubric}
            of_rubric.append(about | {"text": text, "notes": list(dict.fromkeys(notes + more))})
        made += sorted(of_rubric, key=lambda answer: (not answer["text"], answer["code"]))
    return made


def merge(
    found: list[dict], rows: list[dict], absent: Collection[tuple[str, str]] = (), key: str = ""
) -> tuple[dict, list[dict], list[str]]:
    """What lines (of `read`) say of answers (of `answers`). absent: students who were graded before and are not there.

    Returns (points, lines, said): {(who, exercise, criterion): {"points": a number, or None if open, "comment"}}, the
    lines of a table that asks for the rest, and a sentence for each line that gives no points and why.
    """
    codes, names = defaultdict(set), defaultdict(set)
    for about in found:
        codes[about["code"].partition("-")[0]].add(about["who"])
        names[plain(cell(about["student"]))].add(about["who"])
    for who in absent:
        codes[code(key, *who)].add(who)
        names[plain(cell(label(*who)))].add(who)
    asked = {(a["who"], a["rubric"].name, criterion.name) for a in found for criterion in a["rubric"].criteria}
    of_key, strange, kept, said = defaultdict(list), [], [], []
    for row in rows:
        try:
            of = of_whom(row, codes, names), row["exercise"], row["criterion"]
            if of[0] in absent:
                kept += [row] * bool(row["points"] or row["comment"])
                continue
            if of not in asked:
                raise ValueError(f"there is no criterion {of[2]!r} of an exercise {of[1]!r}")
            of_key[of].append(row)
        except ValueError as problem:
            strange.append(row)
            said.append(f"{row[ROW]}: {problem}")
    if kept:
        said.insert(0, f"rows of students who are not in FROM: {len(kept)}; they stay, and count when the students are")
    points, lines = {}, []
    for answer in found:
        for criterion in answer["rubric"].criteria:
            of = answer["who"], answer["rubric"].name, criterion.name
            points[of], more, problems = settle(answer, criterion, of_key[of])
            lines += more
            said += [f"{answer['student']}, {of[1]}, {of[2]}: {problem}" for problem in problems]
    return points, once(lines + strange + kept), said


def settle(answer: dict, criterion: Criterion, rows: list[dict]) -> tuple[dict, list[dict], list[str]]:
    """The points of an answer for one criterion by its lines; its lines in a new table; what is wrong with them."""
    about = dict(zip(COLUMNS, (answer["code"], answer["student"], answer["rubric"].name), strict=False))
    about |= {"criterion": criterion.name, "most": criterion.most}
    text = answer["code"].partition("-")[2]
    filled = [row for row in rows if row["points"] or row["comment"]]
    older = [row for row in filled if row["answer"].lower().partition("-")[2] not in ("", text)]
    current = [row for row in filled if row not in older]
    given, said = {}, []
    for row in current:
        if row["points"]:
            try:
                given.setdefault(number(row["points"], criterion.most), row)
            except ValueError as problem:
                given.setdefault(row["points"], row)
                said.append(f"{problem} ({row[ROW]})")
    if len(given) > 1:
        each = " and ".join(f"{row['points']} ({row[ROW]})" for row in given.values())
        said.append(f"has different points, {each}")
    value = None if said else next(iter(given), None)
    if not given and any(row["points"] for row in older):
        said.append(f"judged for another answer than there is now ({older[0][ROW]}), so it is open again")
    comment = " ".join(dict.fromkeys(row["comment"] for row in current if row["comment"]))
    lines = [row | about for row in current or [dict.fromkeys([*COLUMNS, ROW], "")]]
    return {"points": value, "comment": comment}, lines + older, said


def of_whom(row: dict, codes: dict[str, set], names: dict[str, set]) -> tuple[str, str]:
    """The student of a line: by code, for a spreadsheet may have changed the name; else by name. ValueError."""
    by_code = codes.get(row["answer"].lower().partition("-")[0], set())
    by_name = names.get(row["student"], set())
    if by_code and by_name and not by_code & by_name:
        raise ValueError(f"answer {row['answer']} is not of {row['student']!r}; was one column sorted alone?")
    who = by_code & by_name or by_code or by_name
    if len(who) > 1:
        raise ValueError(f"{len(who)} students are called {row['student']!r}: their column 'answer' is needed")
    if not who:
        raise ValueError(f"there is no student {row['student']!r}")
    return next(iter(who))


def number(text: str, most: float) -> float:
    """Points from a table, with a point or a comma. ValueError if they are not from 0 to `most`."""
    if not POINTS.fullmatch(text):
        raise ValueError(f"points are a number from 0 to {most:g}, not {text!r}")
    value = float(text.replace(",", "."))
    if value > most:
        raise ValueError(f"{text} points are more than {most:g}")
    return value


def once(rows: list[dict]) -> list[dict]:
    """Rows without those that say the same again."""
    return list({tuple(sorted((name, f"{row[name]}") for name in row if name != ROW)): row for row in rows}.values())


PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}: by hand</title><style>@page{{size:A4;margin:14mm}}
body{{font:15px/1.45 system-ui,sans-serif;max-width:62rem;margin:1.5rem auto;padding:0 1rem;color:#111}}
section{{display:grid;grid-template-columns:minmax(0,1fr) 18rem;gap:0 1.5rem;border-top:2px solid #888;padding:.6rem 0}}
h3{{grid-column:1/-1;margin:0 0 .3rem;font-size:1rem;break-after:avoid}}h3 small{{font-weight:400;color:#555}}
.text{{white-space:pre-wrap;overflow-wrap:anywhere;overflow:hidden;margin:0}}.note{{grid-column:1/-1;color:#a33;margin:0}}
table{{border-collapse:collapse;align-self:start;font-size:.8rem;line-height:1.3;width:100%;break-inside:avoid}}
td{{border:1px solid #999;padding:.15rem .4rem;vertical-align:top}}td:last-child{{width:4rem;text-align:right}}
.model{{background:#f3f3ee;padding:.6rem 1rem}}
@media(max-width:40rem){{section{{grid-template-columns:minmax(0,1fr)}}}}@media print{{body{{margin:0;max-width:none;
padding:0;font-size:10.5pt}}.short{{break-inside:avoid}}}}</style>
<h1>{title}: to be judged by hand</h1>
<p>Write the points into <code>by_hand.csv</code>, whose lines stand in the order of this page, save it as CSV, and run
the same command again. A code names the answer; whose it is, only the table says.</p>
{body}</html>
"""


def page(title: str, found: list[dict], points: dict) -> str:
    """All answers on one page to read or print, each beside its rubric; without names, and text is only text."""
    body = []
    for rubric in dict.fromkeys(answer["rubric"] for answer in found):
        of_rubric = [answer for answer in found if answer["rubric"] == rubric]
        there = [answer for answer in of_rubric if answer["text"]]
        body.append(f"<h2>{html.escape(rubric.name)}: {rubric.points:g} points, {len(there)} answers</h2><ul>")
        body += [
            f"<li><b>{html.escape(criterion.name)}</b>, {criterion.most:g}: {html.escape(criterion.words)}</li>"
            for criterion in rubric.criteria
        ]
        body.append(f"</ul><p>An answer as it should be:</p><p class='text model'>{html.escape(rubric.model)}</p>")
        for i, answer in enumerate(there, 1):
            boxes = []
            for criterion in rubric.criteria:
                given = points[answer["who"], rubric.name, criterion.name]["points"]
                shown = "" if given is None else f"{given:g}"
                words = f"<b>{html.escape(criterion.name)}</b> {html.escape(criterion.words)}"
                boxes.append(f"<tr><td>{words}<td>{shown} of {criterion.most:g}")
            short = " class='short'" if len(answer["text"]) < 2500 and answer["text"].count("\n") < 40 else ""
            body.append(f"<section{short}><h3>{answer['code']} <small>{i} of {len(there)}</small></h3>")
            body += [f"<p class='note'>{html.escape(note)}</p>" for note in answer["notes"]]
            text = html.escape(clean(answer["text"], len(answer["text"])))
            body.append(f"<p class='text' dir='auto'>{text}</p><table>{''.join(boxes)}</table></section>")
        if none := [answer for answer in of_rubric if not answer["text"]]:
            codes = [f"{answer['code']}{''.join(f' ({note})' for note in answer['notes'])}" for answer in none]
            body.append(f"<h3>No answer: {len(none)}</h3><p>These too wait for points, be it 0: {', '.join(codes)}</p>")
    return PAGE.format(title=html.escape(clean(title)), body="\n".join(body))
