"""The same lesson at a larger scale: its headline table on MNIST or CIFAR-10, as `tools/build.py --on` measured it."""

from collections.abc import Mapping, Sequence
from html import escape

from utils.records import Record, enter, read, shown, value_of


class Tables(list):
    """Records, each a table where it is shown. In place of one that is missing stands a text."""

    def __repr__(self):
        return "\n\n".join(item if isinstance(item, str) else as_text(item) for item in self)

    def _repr_html_(self):
        return "\n".join(f"<p>{escape(item)}</p>" if isinstance(item, str) else in_html(item) for item in self)


def larger(stem: str, headline: Mapping, *datasets: str) -> Tables:
    """The kept tables of lesson `stem` on `datasets` (default: MNIST), each with its command, machine and seconds.

    headline  this run's own table, {row: value} or {row: {column: value}}: it is entered in this run's record
    """
    table = {str(row): values if isinstance(values, Mapping) else {"": values} for row, values in headline.items()}
    enter(headline={row: {str(c): value_of(value) for c, value in cells.items()} for row, cells in table.items()})
    kept = ((dataset, read(stem, dataset)) for dataset in datasets or ("mnist",))
    return Tables(record or missing(stem, dataset) for dataset, record in kept)


def missing(stem: str, dataset: str) -> str:
    return f"Not measured yet. This measures it: python tools/build.py --on {dataset} {stem}"


def about(record: Record) -> list[str]:
    """How a record was made: the command, where it ran for how long, and what is to be known of it."""
    note = f", {record['note']}" if "note" in record else ""
    older = f", measured by older code: {record['measured_by']}" if "measured_by" in record else ""
    return [
        f"python tools/build.py --on {record['dataset']} {record['lesson']}",
        f"{record['machine']}, torch {record['versions']['torch']}, {record['seconds']:.0f} s{note}{older}",
    ]


def conclusions(record: Record) -> list[str]:
    return [f"{claim['verdict']}: {claim['text']}" for claim in record["claims"]]


def lines_of(record: Record) -> list[list[str]]:
    """A record's headline as the cells of a table, its first line the columns."""
    rows = record["headline"]
    columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
    return [
        ["", *columns],
        *([name, *(shown(row[c]) if c in row else "" for c in columns)] for name, row in rows.items()),
    ]


def as_text(record: Record) -> str:
    """A record's headline as lines of text with aligned columns, under what was run where, and above its verdicts."""
    return "\n".join([*about(record), "", *aligned(lines_of(record)), "", *conclusions(record)])


def in_html(record: Record) -> str:
    """The same as a table of HTML, which breaks long cells instead of lines."""
    (command, machine), said = about(record), "<br>".join(map(escape, conclusions(record)))
    table = table_in_html(lines_of(record))
    return f"<p><code>{escape(command)}</code><br>{escape(machine)}</p>{table}<p>{said}</p>"


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """The cells of a table as lines of text, its columns under each other. An empty line is left out."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [line for cells in lines if (line := "   ".join(map(str.ljust, cells, widths)).rstrip())]


def table_in_html(lines: Sequence[Sequence[str]]) -> str:
    """The cells of a table as HTML: the first line names the columns, if it names any, the first cells the rows."""

    def row(first: str, *others: str, tag: str = "td") -> str:
        named = f'<th style="text-align: left">{escape(first)}</th>' if first else "<td></td>"
        cells = "".join(f'<{tag} style="text-align: left">{escape(cell)}</{tag}>' for cell in others)
        return f"<tr>{named}{cells}</tr>"

    head, *rows = lines
    return f"<table>{''.join([row(*head, tag='th')] * any(head) + [row(*line) for line in rows])}</table>"
