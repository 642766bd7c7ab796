"""The same lesson at a larger scale: its headline table on MNIST or CIFAR-10, as `tools/build.py --on` measured it."""

from collections.abc import Mapping
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
    """How a record was made: the command, and where it ran for how long."""
    older = f", measured by older code: {record['measured_by']}" if "measured_by" in record else ""
    return [
        f"python tools/build.py --on {record['dataset']} {record['lesson']}",
        f"{record['machine']}, torch {record['versions']['torch']}, {record['seconds']:.0f} s{older}",
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
    lines = lines_of(record)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = ("   ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
    return "\n".join([*about(record), "", *(line for line in padded if line), "", *conclusions(record)])


def in_html(record: Record) -> str:
    """The same as a table of HTML, which breaks long cells instead of lines."""

    def row(first: str, *others: str, tag: str = "td") -> str:
        named = f'<th style="text-align: left">{escape(first)}</th>' if first else "<td></td>"
        return f"<tr>{named}{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in others)}</tr>"

    (head, *lines), (command, machine) = lines_of(record), about(record)
    table = [row(*head, tag="th")] * any(head) + [row(*line) for line in lines]
    said = "<br>".join(map(escape, conclusions(record)))
    return f"<p><code>{escape(command)}</code><br>{escape(machine)}</p><table>{''.join(table)}</table><p>{said}</p>"
