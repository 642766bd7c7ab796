"""The table that a person fills in, as spreadsheets leave it: commas or semicolons, any encoding, any line ends."""

import csv
import io
import re
from collections import Counter
from pathlib import Path

from grader.notebook import decode
from grader.reports import cell

COLUMNS = ["answer", "student", "exercise", "criterion", "most", "points", "comment"]
ROW = "(row)"  # of a row: where it was read
NEEDED = {"exercise", "criterion", "points"}


def read(file: Path) -> list[dict]:
    """The rows of a filled-in table, as text by column; ROW says where each was. ValueError if it is no table."""
    text, mark = opened(file)
    rows = []
    try:
        head, *table = csv.reader(io.StringIO(text or "\n"), delimiter=mark, strict=True)
    except csv.Error as problem:
        raise ValueError(f"{file}: a quotation mark is missing, or too many ({problem}); is it saved as CSV?") from None
    head = [name.strip().lower() or f"column {i}" for i, name in enumerate(head, 1)]
    if missing := NEEDED.difference(head):
        raise ValueError(f"{file}: no column {', '.join(sorted(missing))} in its first row; is it saved as CSV?")
    if len(set(head)) < len(head):
        raise ValueError(f"{file}: two columns have the same name")
    for i, values in enumerate(table, 2):
        if len(values) > len(head):
            raise ValueError(f"{file}, row {i}: more columns than in the first row; put text with {mark!r} into quotes")
        if any(value.strip() for value in values):
            row = dict(zip(head, map(plain, values), strict=False))
            rows.append(dict.fromkeys(COLUMNS, "") | row | {ROW: f"{file.name}, row {i}"})
    return rows


def opened(file: Path) -> tuple[str, str]:
    """The text of a table, and what stands between its columns: spreadsheets of half the world write semicolons."""
    text = decode(file.read_bytes())[0].replace("\x00", "")
    text = re.sub(r"^sep=.\n", "", io.StringIO(text, newline=None).read())
    heads = {mark: {name.strip(' "').lower() for name in text.partition("\n")[0].split(mark)} for mark in ",;\t"}
    mark = max(heads, key=lambda mark: len(NEEDED & heads[mark]))
    return text, mark


def plain(value: str) -> str:
    """What `reports.cell` was given."""
    value = value.strip()
    return value[1:] if value.startswith("'") and cell(value[1:]) == value else value


def write(file: Path, lines: list[dict], before: list[dict]) -> None:
    """Write a table whole, or not at all; and not if it holds these lines already. Own columns of a teacher stay."""
    mark = opened(file)[1] if file.exists() else ","
    head = list(dict.fromkeys([*COLUMNS, *(name for row in lines for name in row if name != ROW and row[name])]))

    def value(row: dict, name: str) -> object:
        shown = cell(row.get(name, ""))
        return shown.replace(".", ",") if mark == ";" and name == "most" else shown  # or it may be taken for a date

    def table(rows: list[dict]) -> list[tuple]:
        return [tuple(value(row, name) for name in head) for row in rows]

    if file.exists() and Counter(table(lines)) == Counter(table(before)):
        return
    draft = file.with_suffix(".draft")
    with draft.open("w", newline="", encoding="utf-8-sig") as new:  # without the mark Excel takes Zoë for ZoÃ«
        csv.writer(new, delimiter=mark).writerows([head, *table(lines)])
    draft.replace(file)
