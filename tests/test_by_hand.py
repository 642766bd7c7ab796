"""Points that a person gives: the rubric in a lab, what a student wrote, the page, and the table that comes back."""

import csv
import io
import json
import re
import shutil
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader import batch, by_hand, reports, sheet
from grader.__main__ import main
from grader.lab import read_lab
from grader.notebook import read_cells
from grader.rubric import SHOWN_CHARACTERS, SHOWN_LINES, find_written, read_rubrics
from tiny_lab import (
    ADVICE,
    AFTER,
    CELLS,
    DOUBLE,
    GIVEN,
    RUBRIC,
    STUB,
    WRITTEN_LAB,
    WRONG,
    advice,
    essay,
    graded,
    notebook,
    result_of,
    text,
)

LAB = read_lab(WRITTEN_LAB)
(TASK,) = LAB.rubrics


# The lab.


def test_a_rubric_and_its_answer_are_read():
    assert [(c.name, c.most, c.words) for c in TASK.criteria] == [
        ("threat", 1, "says who attacks, and how"),
        ("choice", 2, "names a defense, and its price"),
    ]
    assert TASK.model == "Their rivals. Take smoothing."
    assert LAB.points == 5, "two by a check and three by hand"


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([RUBRIC.replace("advice, 3", "advice 3"), ADVICE], "a rubric starts"),
        ([RUBRIC.replace("advice, 3", "advice, 4"), ADVICE], "do not add up to 4"),
        ([RUBRIC.replace("choice, 2 points:", "choice (2)"), ADVICE], "a criterion is written"),
        ([RUBRIC.replace("choice, 2", "threat, 2"), ADVICE], "the same name"),
        ([RUBRIC], "needs one text cell"),
        ([RUBRIC, ADVICE, ADVICE], "needs one text cell"),
        ([RUBRIC, ADVICE.replace("END", "THE END")], "needs one text cell"),
        ([RUBRIC, ADVICE, RUBRIC], "two rubrics"),
        ([RUBRIC, ADVICE, ADVICE.replace("advice", "other")], "no rubric for the answers other"),
    ],
)
def test_a_mistake_in_a_rubric_is_told(texts, said):
    with pytest.raises(ValueError, match=said):
        read_rubrics(texts)


# What a student wrote.

COPY = text("words", grade_id="advice_answer")
WRITTEN = {
    "in the cell": (essay(advice("words")), "words", ""),
    "above the stub": (essay(STUB.replace("*Write", "words\n*Write")), "words", ""),
    "without its mark": (essay(COPY), "words", ""),
    "without metadata, moved to the end": ([*essay(), text(advice("words"))], "words", ""),
    "on windows": (essay(advice("words\nmore").replace("\n", "\r\n")), "words\nmore", ""),
    "as code": (essay({**COPY, "cell_type": "code", "outputs": []}), "words", ""),
    "as raw text": (essay({**COPY, "cell_type": "raw"}), "words", ""),
    "in several cells": (essay(advice("words"), "more"), "words\n\nmore", "in 2 cells"),
    "copied": (essay(advice("words"), COPY, advice("words ")), "words", ""),
    "copied and changed": (essay(advice("words"), text("others", "advice_answer")), "words\n\nothers", "in 2 cells"),
    "an untouched copy": (essay(STUB, advice("words"), STUB), "words", ""),
    "in a new cell": (essay("words"), "words", "was deleted or has lost its mark"),
    "in the rubric": (essay(STUB, rubric=RUBRIC + "\n\nwords"), "words", ""),
    "untouched": (essay(STUB), "", ""),
    "deleted": (essay(), "", ""),
    "all deleted": ([GIVEN, DOUBLE], "", ""),
    "blank": (essay(advice(" \n\n ")), "", ""),
    "below somebody else's": (essay(advice("words"), "<!-- ANSWER other -->\nothers"), "words", ""),
    "with a picture": (essay(advice("![](data:image/png;base64,AAAA/+==) words")), "![]((a picture)) words", "picture"),
    "with another picture": (essay(advice("![](attachment:a.png)")), "![](attachment:a.png)", "only the notebook"),
    "as a list of lines": (essay({**COPY, "source": ["wor", "ds"]}), "words", ""),
    "with odd metadata": (essay({**text(advice("words")), "metadata": {"nbgrader": ["advice_answer"]}}), "words", ""),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_an_answer_is_found(case):
    cells, wanted, note = WRITTEN[case]
    found = find_written(TASK, LAB.texts, read_cells(notebook(cells))[0])
    assert found["text"] == wanted
    assert note in " ".join(found["notes"]) and bool(note) == bool(found["notes"])


@pytest.mark.parametrize(
    "words", ["x" * 50_000_000, "y\n" * 100_000, "data:image/png;base64," + "A" * 30_000_000 + "\n" + "z " * 9_000]
)
def test_a_huge_answer_is_shortened(words):
    found = find_written(TASK, LAB.texts, read_cells(notebook(essay(advice(words))))[0])
    assert 500 < len(found["text"]) <= SHOWN_CHARACTERS and found["text"].count("\n") < SHOWN_LINES
    assert found["text"][-1] in "xyz ", "a picture in front hides nothing"
    assert any("shortened" in note for note in found["notes"])


def test_many_cells_take_no_time_to_speak_of():
    """Each of them a reason to look at all the others, if that is done carelessly."""
    rubrics = [text(RUBRIC + f"\n{i}") if i % 2 else text(f"{i} " * 10_000) for i in range(2_000)]
    found = find_written(TASK, LAB.texts, read_cells(notebook(rubrics))[0])
    assert len(found["text"]) <= SHOWN_CHARACTERS


def test_the_grader_keeps_what_was_written_and_gives_no_points_for_it():
    result = graded(notebook([GIVEN, DOUBLE, *essay(advice("words"))]), lab=WRITTEN_LAB)
    assert (result["earned"], result["points"]) == (2, 5)
    assert result["written"] == {"advice": {"text": "words", "notes": []}}
    assert graded(b"", lab=WRITTEN_LAB)["written"] == {}
    assert graded(b"")["written"] == {}


# The page and the table.


def result(student: str, words: str = "words", number: str = "", file: str = "lab.ipynb") -> dict:
    return result_of(student, id=number, lab=WRITTEN_LAB, words=words) | {"file": file}


def table(results: list[dict], points: dict | None = None) -> tuple[list[dict], list[dict]]:
    """The answers, and the rows of their table, filled in by (student, criterion)."""
    found = by_hand.find_answers(LAB.rubrics, results, "key")
    _, rows, said = by_hand.merge_rows(found, [])
    assert not said
    points = points or {}
    filled = [row | {"points": points.get((row["student"], row["criterion"]), "")} for row in rows]
    return found, [row | {sheet.ROW: f"row {i}"} for i, row in enumerate(filled, 2)]


def given_points(points: dict) -> dict:
    return {(who[0], criterion): about["points"] for (who, _, criterion), about in points.items()}


HOSTILE = """</p><script>alert(1)</script><img src=x onerror=alert(1)><style>*{display:none}</style>
<!-- --><iframe src="javascript:alert(1)"></iframe> [x](javascript:alert(1)) ![](http://127.0.0.1/seen.png)
\x1b[31m\u202eevil\x00 {title} %s &lt;b&gt; ]]>"""


def test_text_is_only_text_on_the_page():
    found = by_hand.find_answers(LAB.rubrics, [result("<b>me</b>", HOSTILE), result("you")], "key")
    page = by_hand.by_hand_page("Lab <99>", found, by_hand.merge_rows(found, [])[0])
    clean = page.replace("<style>@page", "")
    for evil in ("<script", "<img", "<style", "<iframe", "<b>me", "</p><script", "\x1b", "\u202e", "\x00", "Lab <99>"):
        assert evil not in clean, evil
    assert "&lt;script&gt;alert(1)" in page and "&amp;lt;b&amp;gt;" in page and "{title} %s" in page
    assert page.count("<section") == 2 and page.count("</section>") == 2
    assert "default-src 'none'" in page


def test_the_page_has_all_answers_beside_the_rubric_and_no_names():
    results = [result(f"Student Nr{i}", f"my words {i}") for i in range(20)]
    found, rows = table([*results, result("Idle Ida", ""), result("Broken Ben")], {("Student Nr3", "choice"): "1,5"})
    del found[0]["notes"][:]
    page = by_hand.by_hand_page("Lab", found, by_hand.merge_rows(found, rows)[0])
    assert "Nr" not in page and "Ida" not in page and "Ben" not in page
    assert all(f"my words {i}" in page for i in range(20))
    assert page.count("says who attacks, and how") == 1 + 21 and "Their rivals. Take smoothing." in page
    assert "1.5 of 2" in page, "what was given is shown"
    assert "No answer: 1" in page
    order = [answer["student"] for answer in found]
    assert order != sorted(order) and order[-1] == "Idle Ida"
    assert [row["student"] for row in rows[::2]] == order, "the table is in the order of the page"


def test_of_several_files_all_that_is_different_counts():
    twice = [result("ann", "one"), result("ann", "two", file="b"), result("ann", "two", file="c")]
    (answer,) = by_hand.find_answers(LAB.rubrics, twice, "key")
    assert answer["text"] == "one\n\ntwo" and "in 2 files" in answer["notes"][0]
    many = [result("eve", f"{i} " * 4_000, file=str(i)) for i in range(50)]
    (answer,) = by_hand.find_answers(LAB.rubrics, many, "key")
    assert len(answer["text"]) <= SHOWN_CHARACTERS


def test_a_notebook_that_could_not_be_read_is_no_missing_answer():
    unread = result("ann")
    unread["written"] = {}
    found = by_hand.find_answers(LAB.rubrics, [unread, result("cyd", "")], "key")
    notes = {answer["student"]: answer["notes"] for answer in found}
    assert notes == {"ann": ["its notebook could not be read"], "cyd": []}


DIALECTS = st.tuples(
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["", "sep"]),
)
PLAIN = (",", "\n", "utf-8", csv.QUOTE_MINIMAL, "")


def saved(file, rows: list[dict], dialect=PLAIN, columns=sheet.COLUMNS):
    """Write rows as a spreadsheet would."""
    mark, end, encoding, quoting, first = dialect
    made = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if end == "\r" else quoting  # Python would leave a line end inside a field as it is
    writer = csv.writer(made, delimiter=mark, lineterminator=end, quoting=quoting)
    rows = [row | {"student": sheet.safe_text(row["student"])} for row in rows]
    writer.writerows([columns, *([row.get(name, "") for name in columns] for row in rows)])
    content = f"sep={mark}{end}" * bool(first) + made.getvalue()
    file.write_bytes(content.encode(encoding, errors="replace"))
    return file


NAMES = ["ann", "Zoë O'Neil", "=cmd|' /C calc'!A0", "007", 'a "b", c', "-", "ann; bob", "two\nlines"]
HALVES = st.sampled_from(["", "0", "0.5", "0,5", "1", "1,0", "1.00", " 1 "])
FILLED = st.fixed_dictionaries({(name, part): HALVES for name in NAMES for part in ("threat", "choice")})


@settings(deadline=None)  # files, on a busy machine
@given(FILLED, DIALECTS, st.randoms(use_true_random=False), st.data())
def test_any_half_filled_table_merges_to_its_sums(tmp_path_factory, filled, dialect, random, data):
    """In any order of rows and columns, with some rows missing; and writing it again loses and changes nothing."""
    folder = tmp_path_factory.mktemp("table")
    found, rows = table([result(name) for name in NAMES], filled)
    rows = [row for row in rows if row["points"] or data.draw(st.booleans())]
    random.shuffle(rows)
    columns = data.draw(st.permutations(sheet.COLUMNS))
    read = sheet.read_table(saved(folder / "by_hand.csv", rows, dialect, columns))
    points, lines, said = by_hand.merge_rows(found, read)
    wanted = {key: float(value.replace(",", ".")) if value else None for key, value in filled.items()}
    assert given_points(points) == wanted and not said
    sheet.write_table(folder / "by_hand.csv", lines, read)
    again = sheet.read_table(folder / "by_hand.csv")
    assert len(again) == 2 * len(NAMES), "a row for all that is asked"
    assert by_hand.merge_rows(found, again)[0] == points


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\r\0", codec="utf-8")), DIALECTS.filter(lambda d: d[2] != "cp1252"))
def test_any_comment_comes_back_as_it_was(tmp_path_factory, comment, dialect):
    folder = tmp_path_factory.mktemp("table")
    found, rows = table([result("ann")], {("ann", "threat"): "1"})
    rows[0]["comment"] = comment
    read = sheet.read_table(saved(folder / "by_hand.csv", rows, dialect))
    points, lines, _ = by_hand.merge_rows(found, read)
    sheet.write_table(folder / "other.csv", lines, [])
    for each in (points, by_hand.merge_rows(found, sheet.read_table(folder / "other.csv"))[0]):
        assert each[("ann", ""), "advice", "threat"]["comment"] == sheet.original_text(comment)


FORMULA = "=HYPERLINK(1)"


def test_a_comment_is_no_formula_and_no_script(tmp_path):
    found, rows = table([result("ann")], {("ann", "threat"): "1", ("ann", "choice"): "0"})
    rows[0]["comment"], rows[1]["comment"] = FORMULA, "<script>"
    points, lines, _ = by_hand.merge_rows(found, rows)
    sheet.write_table(tmp_path / "by_hand.csv", lines, [])
    assert f"'{FORMULA}" in (tmp_path / "by_hand.csv").read_text(encoding="utf-8-sig")
    assert (tmp_path / "by_hand.csv").read_bytes().startswith(b"\xef\xbb\xbf"), (
        "or Excel takes UTF-8 for something else"
    )
    assert sheet.read_table(tmp_path / "by_hand.csv")[0]["comment"] == FORMULA, "the mark is not read as part of it"
    about = {"exercise": "advice", "criterion": "threat", "most": 1.0, "words": "who, & how"}
    parts = [about | given for given in points.values()]
    page = reports.feedback_page(result("ann") | {"by_hand": parts}, "Lab")
    assert "who, &amp; how" in page and FORMULA in page and "&lt;script&gt;" in page and "<script" not in page


# What is wrong with a row: a sentence, and no effect on anybody else.

WRONG_ROWS = {
    "an unknown student": ({"student": "nobody", "answer": ""}, "there is no student 'nobody'"),
    "no student": ({"student": "", "answer": ""}, "there is no student ''"),
    "an unknown code and student": ({"student": "nobody", "answer": "bbbbbb-cccccc"}, "there is no student 'nobody'"),
    "an unknown criterion": ({"criterion": "style"}, "there is no criterion 'style' of an exercise 'advice'"),
    "an unknown exercise": ({"exercise": "essay"}, "there is no criterion 'threat' of an exercise 'essay'"),
    "no criterion": ({"criterion": ""}, "there is no criterion ''"),
    "too many points": ({"points": "1,01"}, "bob, advice, threat: 1,01 points are more than 1 (by_hand.csv, row 3)"),
    "negative": ({"points": "-1"}, "a number from 0 to 1, not '-1'"),
    "a word": ({"points": "good"}, "a number from 0 to 1, not 'good'"),
    "a date": ({"points": "00. Mai"}, "not '00. Mai'"),
    "no number": ({"points": "nan"}, "not 'nan'"),
    "endless": ({"points": "1e-999"}, "not '1e-999'"),
    "in Arabic digits": ({"points": "١"}, "a number from 0 to 1"),
    "two numbers": ({"points": "1.0.0"}, "a number from 0 to 1"),
    "sorted alone": ({"student": "ann"}, "was one column sorted alone?"),
}


@pytest.mark.parametrize("case", WRONG_ROWS)
def test_a_wrong_row_is_told_and_costs_nobody_else(case, tmp_path):
    change, sentence = WRONG_ROWS[case]
    ann = {("ann", "threat"): "1", ("ann", "choice"): "2"}
    found, rows = table([result("ann"), result("bob")], ann)
    (wrong,) = [row for row in rows if (row["student"], row["criterion"]) == ("bob", "threat")]
    rows.remove(wrong)
    rows.insert(1, {**wrong, "points": "1", "comment": "kept", **change})
    read = sheet.read_table(saved(tmp_path / "by_hand.csv", rows))
    points, lines, said = by_hand.merge_rows(found, read)
    nobody = {("bob", "threat"): None, ("bob", "choice"): None}
    assert given_points(points) == {("ann", "threat"): 1, ("ann", "choice"): 2} | nobody
    assert len(said) == 1 and sentence in said[0] and "row 3" in said[0]
    sheet.write_table(tmp_path / "by_hand.csv", lines, read)
    again = sheet.read_table(tmp_path / "by_hand.csv")
    assert [row["points"] for row in again if row["comment"] == "kept"] == [change.get("points", "1")], "it is not lost"
    asked = {(row["student"], row["criterion"]) for row in again}
    assert asked >= {("bob", "threat"), ("bob", "choice")}, "and what is open is still asked for"
    assert by_hand.merge_rows(found, again)[0] == points


def test_the_same_row_twice():
    found, rows = table([result("ann"), result("bob")], {("bob", "threat"): "1"})
    threat = next(row for row in rows if (row["student"], row["criterion"]) == ("ann", "threat"))

    def twice(one: str, two: str):
        more = [threat | {"points": value, sheet.ROW: f"row {value}"} for value in (one, two)]
        points, lines, said = by_hand.merge_rows(found, [*(row for row in rows if row != threat), *more])
        assert given_points(points)["bob", "threat"] == 1
        return given_points(points)["ann", "threat"], len(lines), said

    assert twice("1", "") == twice("", "1") == twice("1", "1") == (1, 4, [])
    assert twice("1", "1,0") == (1, 5, []), "the same, and the teacher's own words stay"
    assert twice("1", "0") == (None, 5, ["ann, advice, threat: has different points, 1 (row 1) and 0 (row 0)"])
    value, _, said = twice("1", "7")
    assert value is None and len(said) == 2, "which of the two was meant is not guessed"


def test_a_new_answer_is_judged_anew_and_the_old_points_stay_in_sight():
    before = {("ann", "threat"): "1", ("ann", "choice"): "2", ("bob", "choice"): "2"}
    _, rows = table([result("ann"), result("bob")], before)
    found, _ = table([result("ann", "other words"), result("bob", "words")])
    points, lines, said = by_hand.merge_rows(found, rows)
    assert given_points(points) == dict.fromkeys(before) | {("bob", "threat"): None, ("bob", "choice"): 2}
    assert len(said) == 2 and all("the answer has changed since it was graded" in line for line in said)
    assert len(lines) == 4 + 2
    for row in lines:
        row["points"] = row["points"] or "0"
    points, _, said = by_hand.merge_rows(found, lines)
    assert not said and set(given_points(points).values()) == {0, 2}


def test_students_of_one_name_are_told_apart_by_the_code():
    found, rows = table([result("Wang Wei", number="1"), result("Wang Wei", "more", number="2")])
    rows = [row | {"points": "1", "student": "Wang Wei"} for row in rows]
    assert set(given_points(by_hand.merge_rows(found, rows)[0]).values()) == {1}
    twins, rows = table([result("ann (5)"), result("ann", number="5")])
    points, _, said = by_hand.merge_rows(twins, [row | {"points": "1"} for row in rows])
    assert set(given_points(points).values()) == {1} and not said
    points, _, said = by_hand.merge_rows(twins, [row | {"answer": "", "points": "1"} for row in rows])
    assert set(given_points(points).values()) == {None} and "2 students have the name 'ann (5)'" in said[0]


def test_students_of_one_code_are_told_apart_by_the_name():
    codes, names = {"bcdfgh": {("ann", ""), ("bob", "")}}, {"ann": {("ann", "")}}
    row = {"answer": "bcdfgh-jkmnpq", "student": "ann"}
    assert by_hand.student_of_row(row, codes, names) == ("ann", "")
    with pytest.raises(ValueError, match="2 students"):
        by_hand.student_of_row(row | {"student": "cyd"}, codes, names)


def test_the_code_is_stronger_than_a_spreadsheet_and_names_do_without_it():
    found, rows = table([result("007"), result("1-2")])
    mangled = {"007": "7", "1-2": "02. Jan"}
    as_saved = [row | {"points": "1", "student": mangled[row["student"]]} for row in rows]
    blind = [row | {"points": "1", "student": "", "answer": row["answer"].upper()} for row in rows]
    for filled in (as_saved, blind, [row | {"points": "1", "answer": ""} for row in rows]):
        points, _, said = by_hand.merge_rows(found, filled)
        assert set(given_points(points).values()) == {1} and not said
    for answer in found:
        assert answer["code"].isascii() and not set("aeiou0123456789") & set(answer["code"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no column criterion, exercise, points in its first row"),
        (b"PK\x03\x04 a workbook", "is it saved as CSV?"),
        (b"student,exercise,criterion\nann,advice,threat", "no column points"),
        (b'"student,exercise,criterion,points";\n"ann,advice,threat,";1\n', "quotation mark"),
        (b'"student,exercise,criterion,points"\n"ann,advice,threat,1"\n', "no column"),
        (b"points,exercise,criterion,points\n", "two columns have the same name"),
        (b"student,exercise,criterion,points\nann,advice,threat,1,5\n", "row 2: more columns than in the first row"),
        (b'student,exercise,criterion,points\nann,"advice,threat,1\nbob,advice,threat,1\n', "a quotation mark"),
        (b"student,exercise,criterion,points\nann,advice,threat," + b"1" * 200_000, "field larger than"),
    ],
)
def test_a_file_that_is_no_table_is_told_and_left_alone(content, said, tmp_path):
    (tmp_path / "by_hand.csv").write_bytes(content)
    with pytest.raises(ValueError, match=said) as told:
        sheet.read_table(tmp_path / "by_hand.csv")
    assert "by_hand.csv" in str(told.value)


def test_the_summary_names_rows_but_not_without_end():
    text = reports.summary([result("ann")], [], "Lab", [f"row {i}\x1b[31m is wrong" for i in range(100)])
    assert "  row 3 is wrong" in text and "row 70" not in text and "and 70 more" in text


def test_points_that_are_given_while_others_are_graded_stay(graded_class, monkeypatch):
    """The table is read before, for its mistakes, and once more when it is needed."""
    out, collect = graded_class / "out", batch.collect

    def slowly(source):
        rows = sheet.read_table(out / "by_hand.csv")
        saved(out / "by_hand.csv", [row | {"points": "1"} for row in rows])
        return collect(source)

    monkeypatch.setattr(batch, "collect", slowly)
    grade_again(graded_class)
    assert {row["points"] for row in sheet.read_table(out / "by_hand.csv")} == {"1"}
    assert [row[3] for row in rows_of(out / "grades.csv")[1:]] == ["4", "2", "4"]


def test_columns_of_the_teachers_own_stay_and_an_unchanged_table_is_not_touched(tmp_path):
    found, rows = table([result("ann")], {("ann", "threat"): "0,5"})
    rows = [row | {"who": "me", "": "x"} for row in rows]
    file = saved(tmp_path / "by_hand.csv", rows[:1], (";", "\r\n", "cp1252", 0, ""), [*sheet.COLUMNS, "who", "", ""])
    read = sheet.read_table(file)
    sheet.write_table(file, by_hand.merge_rows(found, read)[1], read)
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "answer;student;exercise;criterion;most;points;comment;who;column 9;column 10"
    assert len(lines) == 3 and ";1;0,5;;me" in lines[1], "semicolons stay semicolons"
    before, content = file.stat().st_mtime_ns, sheet.read_table(file)
    sheet.write_table(file, by_hand.merge_rows(found, content[::-1])[1], content)
    assert file.stat().st_mtime_ns == before


# A class, from what was handed in to what the LMS gets.


def rows_of(file) -> list[list[str]]:
    return list(csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline="")))


@pytest.fixture(scope="module")
def graded_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    (folder / "in").mkdir()
    (folder / "99.ipynb").write_text(WRITTEN_LAB)
    hand_in = {"ann_101_900_lab": (DOUBLE, essay(advice(HOSTILE))), "bob_102_900_lab": (WRONG, essay(COPY))}
    hand_in["idle_103_900_lab"] = (DOUBLE, essay())
    for name, (double, cells) in hand_in.items():
        (folder / "in" / f"{name}.ipynb").write_bytes(notebook([GIVEN, double, *cells]))
    grade_again(folder)
    return folder


@pytest.fixture
def graded_class(graded_once, tmp_path):
    """A class of three that was graded once, to go on with."""
    return shutil.copytree(graded_once, tmp_path / "class")


def grade_again(folder, **more) -> str:
    return batch.grade_class(folder / "99.ipynb", folder / "in", folder / "out", jobs=1, **more)


def test_a_class_from_its_notebooks_to_its_grades(graded_class):
    """Collect, grade, fill in, merge: incomplete grades are blank or absent, and nobody's code runs again."""
    out = graded_class / "out"

    def feedback(student: str) -> str:
        return next(file.read_text() for file in (out / "feedback").iterdir() if file.name.startswith(student))

    head, *rows = rows_of(out / "grades.csv")
    assert head[3:] == ["total", "so far", "open", "double (2)", "advice: threat (1)", "advice: choice (2)"]
    assert [row[0:1] + row[3:] for row in rows] == [
        ["ann", "", "2", "3", "2", "", ""],
        ["bob", "", "0", "3", "0", "", ""],
        ["idle", "", "2", "3", "2", "", ""],
    ]
    assert [row[-1] for row in rows_of(out / "canvas.csv")] == ["Lab 99 · Tiny", "5"]
    assert len(rows_of(out / "moodle.csv")) == 1
    assert "Not complete: 2 points so far, 3 of 5 not graded yet" in feedback("ann")
    assert "NOT COMPLETE: 3 of them wait" in (out / "summary.txt").read_text()

    ran = {file: file.stat().st_mtime_ns for file in (out / "results").iterdir()}
    asked = sheet.read_table(out / "by_hand.csv")
    given = {"ann (101)": ("1", "1,5"), "bob (102)": ("0", ""), "idle (103)": ("0", "0")}
    for row in asked:
        row["points"] = given[row["student"]][row["criterion"] == "choice"]
        row["comment"] = "what of <rivals>?" if row["points"] == "1,5" else ""
    saved(out / "by_hand.csv", asked, (";", "\r\n", "cp1252", csv.QUOTE_MINIMAL, ""))
    summary = grade_again(graded_class)
    assert "NOT COMPLETE: 1 of them waits" in summary and "do not count" not in summary
    rows = rows_of(out / "grades.csv")[1:]
    assert [row[0:1] + row[3:] for row in rows] == [
        ["ann", "4.5", "4.5", "0", "2", "1", "1.5"],
        ["bob", "", "0", "2", "0", "0", ""],
        ["idle", "2", "2", "0", "2", "0", "0"],
    ]
    assert [row[::5] for row in rows_of(out / "canvas.csv")[2:]] == [["ann", "4.5"], ["idle", "2"]]
    assert rows_of(out / "moodle.csv")[1:] == [
        ["Participant 101", "ann", "4.5", "5", ""],
        ["Participant 103", "idle", "2", "5", ""],
    ]
    with zipfile.ZipFile(out / "moodle_feedback.zip") as archive:
        assert [name.split("_")[1] for name in archive.namelist()] == ["101", "103"], "who waits is not told a grade"
    assert "4.5 of 5 points" in feedback("ann") and "looked for: names a defense, and its price" in feedback("ann")
    assert "what of &lt;rivals&gt;?" in feedback("ann")

    other = saved(
        graded_class / "tutor.csv",
        [{"student": "bob (102)", "exercise": "advice", "criterion": "choice", "points": "2"}],
    )
    summary = grade_again(graded_class, hand=[other])
    assert "NOT COMPLETE" not in summary and "median 2 of 5 points" in summary
    assert grade_again(graded_class) == summary, "the tutor's points are in by_hand.csv now"
    assert rows_of(out / "canvas.csv")[3] == ["bob", "102", "", "", "", "2"]
    assert {file: file.stat().st_mtime_ns for file in (out / "results").iterdir()} == ran, "nothing was run again"
    report = json.loads((out / "report.json").read_text())
    assert [result["earned"] for result in report["results"]] == [4.5, 2, 2]


def test_the_command_takes_tables_and_tells_what_is_wrong_with_them(graded_class, capsys):
    row = {"student": "ann (101)", "exercise": "advice", "criterion": "threat", "points": "3"}
    tutor = saved(graded_class / "tutor.csv", [row])
    command = ["--lab", f"{graded_class / '99.ipynb'}", "--from", f"{graded_class / 'in'}"]
    command += ["--to", f"{graded_class / 'out'}", "--jobs", "1", "--hand", f"{tutor}"]
    main(command)
    said = re.search(
        r"ann \(101\), advice, threat: 3 points are more than 1 \(by_hand.csv, row (\d+)\)", capsys.readouterr().out
    )
    wrong = dict(zip(sheet.COLUMNS, rows_of(graded_class / "out" / "by_hand.csv")[int(said[1]) - 1], strict=True))
    assert (wrong["student"], wrong["criterion"], wrong["points"]) == ("ann (101)", "threat", "3")
    for content, said in (("no table", "no column"), (None, "No such file")):
        tutor.unlink()
        if content:
            tutor.write_text(content)
        before = {file: file.stat().st_mtime_ns for file in (graded_class / "out").iterdir()}
        with pytest.raises(SystemExit, match=said):
            main(command)
        assert {file: file.stat().st_mtime_ns for file in (graded_class / "out").iterdir()} == before


def test_messages_name_the_rows_of_the_table_as_it_is_now(graded_class):
    """The same run writes the table again, in the order of the page: a row's old number is another student's."""
    out = graded_class / "out"
    asked = sheet.read_table(out / "by_hand.csv")
    wrong = [row | {"points": "9"} for row in asked if row["student"] == "bob (102)"]
    ghost = asked[0] | {"answer": "", "student": "Fay", "points": "1", "comment": "who?"}
    rest = [row for row in asked if row["student"] != "bob (102)"]
    saved(out / "by_hand.csv", [ghost, *wrong, *rest, *rest[:1]])
    summary = grade_again(graded_class)
    table = rows_of(out / "by_hand.csv")
    numbers = [int(number) for number in re.findall(r"by_hand.csv, row (\d+)", summary)]
    told = [table[number - 1][sheet.COLUMNS.index("student")] for number in numbers]
    assert sorted(told) == ["Fay", "bob (102)", "bob (102)"]


def test_rows_of_who_is_not_in_from_stay_without_a_sentence_each(graded_class):
    """Late work alone: what a teacher wrote on the others is kept, and counts as soon as they are there again."""
    out, source = graded_class / "out", graded_class / "in"
    asked = sheet.read_table(out / "by_hand.csv")
    saved(out / "by_hand.csv", [row | {"points": "1"} if row["student"] == "ann (101)" else row for row in asked])
    grade_again(graded_class)
    aside = shutil.move(source, graded_class / "whole")
    source.mkdir()
    shutil.copy(aside / "idle_103_900_lab.ipynb", source)
    summary = grade_again(graded_class)
    assert "MISSING FROM `FROM`: 2 students of an earlier run" in summary and "ann 101, bob 102" in summary
    assert "rows of students missing from FROM: 2; they count when" in summary and "there is no student" not in summary
    assert {row["student"] for row in sheet.read_table(out / "by_hand.csv")} == {"idle (103)", "ann (101)"}
    blind = [row | {"student": ""} for row in sheet.read_table(out / "by_hand.csv")]
    saved(out / "by_hand.csv", blind)
    assert "rows of students missing from FROM: 2; they count when" in grade_again(graded_class), "by their code, too"
    shutil.rmtree(source)
    shutil.move(aside, source)
    assert "MISSING FROM" not in grade_again(graded_class)
    assert [row[3] for row in rows_of(out / "grades.csv")[1:]] == ["4", "", ""]


def test_a_lab_without_a_rubric_wants_no_points_by_hand(tmp_path, in_this_process):
    (tmp_path / "99.ipynb").write_bytes(notebook(CELLS))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "anna.ipynb").write_bytes(notebook(CELLS))
    batch.grade_class(tmp_path / "99.ipynb", tmp_path / "in", tmp_path / "out")
    assert not [file for file in (tmp_path / "out").iterdir() if file.name.startswith("by_hand")]
    with pytest.raises(ValueError, match="no written exercise"):
        batch.grade_class(tmp_path / "99.ipynb", tmp_path / "in", tmp_path / "out", hand=[tmp_path / "by_hand.csv"])


def test_the_text_after_an_answer_is_the_labs():
    assert AFTER in LAB.texts
