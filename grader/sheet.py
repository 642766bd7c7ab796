"""Tables for spreadsheets: text that no spreadsheet runs, and the table that a person fills in, as it comes back.

It may come back with commas or semicolons, in any encoding, with any line ends.
"""

import csv
import io
import re
from collections import Counter
from pathlib import Path

from grader.notebook import decode

COLUMNS = ["answer", "student", "exercise", "criterion", "most", "points", "comment"]
ROW = "(row)"  # of a row: where it was read
REQUIRED = {"exercise", "criterion", "points"}


def safe_text(value: object) -> str:
    """A value for a table. What a spreadsheet would take for a formula begins with an apostrophe."""
    if isinstance(value, (int, float)):
        return f"{value:g}"
    text = str(value).encode(errors="replace").decode().replace("\x00", "")
    if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")):
        text = "'" + text
    return text


def original_text(value: str) -> str:
    """What `safe_text` was given."""
    value = value.strip()
    return value[1:] if value.startswith("'") and safe_text(value[1:]) == value else value


def read_table(file: Path) -> list[dict]:
    """The rows of a filled-in table, as text by column; ROW says where each was. ValueError if it is no table."""
    text, delimiter = open_table(file)
    rows = []
    try:
        head, *table = csv.reader(io.StringIO(text or "\n"), delimiter=delimiter, strict=True)
    except csv.Error as problem:
        raise ValueError(
            f"{file}: a quotation mark is missing, or there is one too many ({problem}); is it saved as CSV?"
        ) from None
    head = [name.strip().lower() or f"column {i}" for i, name in enumerate(head, 1)]
    if missing := REQUIRED.difference(head):
        raise ValueError(f"{file}: no column {', '.join(sorted(missing))} in its first row; is it saved as CSV?")
    if len(set(head)) < len(head):
        raise ValueError(f"{file}: two columns have the same name")
    for i, values in enumerate(table, 2):
        if len(values) > len(head):
            raise ValueError(
                f"{file}, row {i}: more columns than in the first row; put a text with {delimiter!r} into quotes"
            )
        if any(value.strip() for value in values):
            row = dict(zip(head, map(original_text, values), strict=False))
            rows.append(dict.fromkeys(COLUMNS, "") | row | {ROW: f"{file.name}, row {i}"})
    return rows


def open_table(file: Path) -> tuple[str, str]:
    """The text of a table, and what separates its columns: in half of the world spreadsheets write semicolons."""
    text = decode(file.read_bytes())[0].replace("\x00", "")
    text = re.sub(r"^sep=.\n", "", io.StringIO(text, newline=None).read())
    heads = {mark: {name.strip(' "').lower() for name in text.partition("\n")[0].split(mark)} for mark in ",;\t"}
    delimiter = max(heads, key=lambda mark: len(REQUIRED & heads[mark]))
    return text, delimiter


def write_table(file: Path, lines: list[dict], before: list[dict]) -> None:
    """Write a table whole or not at all; not if it holds these lines already. A teacher's own columns are kept."""
    delimiter = open_table(file)[1] if file.exists() else ","
    head = list(dict.fromkeys([*COLUMNS, *(name for row in lines for name in row if name != ROW and row[name])]))

    def value(row: dict, name: str) -> object:
        shown = safe_text(row.get(name, ""))
        decimal_comma = delimiter == ";" and name == "most"  # with a point a spreadsheet may take it for a date
        return shown.replace(".", ",") if decimal_comma else shown

    def table(rows: list[dict]) -> list[tuple]:
        return [tuple(value(row, name) for name in head) for row in rows]

    if file.exists() and Counter(table(lines)) == Counter(table(before)):
        return
    draft = file.with_suffix(".draft")
    with draft.open("w", newline="", encoding="utf-8-sig") as new:  # without its first mark Excel takes Zoë for ZoÃ«
        csv.writer(new, delimiter=delimiter).writerows([head, *table(lines)])
    draft.replace(file)
