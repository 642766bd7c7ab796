"""The same lesson at a larger scale: its headline table on MNIST or CIFAR-10, as `tools/build.py --on` measured it."""

from collections.abc import Mapping

from utils.records import Record, enter, read, shown, value_of


class Table(str):
    """Text that a notebook shows as it is."""

    __repr__ = str.__str__


def larger(stem: str, headline: Mapping, *datasets: str) -> Table:
    """The kept tables of lesson `stem` on `datasets` (default: MNIST), each with its command, machine and seconds.

    headline  this run's own table, {row: value} or {row: {column: value}}: it is entered in this run's record
    """
    table = {str(row): values if isinstance(values, Mapping) else {"": values} for row, values in headline.items()}
    enter(headline={row: {str(c): value_of(value) for c, value in cells.items()} for row, cells in table.items()})
    kept = ((dataset, read(stem, dataset)) for dataset in datasets or ("mnist",))
    return Table("\n\n".join(as_text(record) if record else missing(stem, dataset) for dataset, record in kept))


def missing(stem: str, dataset: str) -> str:
    return f"Not measured yet. This measures it: python tools/build.py --on {dataset} {stem}"


def as_text(record: Record) -> str:
    """A record's headline as lines of text with aligned columns, under what was run where, and above its verdicts."""
    rows = record["headline"]
    columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
    cells = [[name, *(shown(row[c]) if c in row else "" for c in columns)] for name, row in rows.items()]
    lines = [["", *columns], *cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    older = f", measured by older code: {record['measured_by']}" if "measured_by" in record else ""
    padded = ("   ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
    return "\n".join(
        [
            f"python tools/build.py --on {record['dataset']} {record['lesson']}",
            f"{record['machine']}, torch {record['versions']['torch']}, {record['seconds']:.0f} s{older}",
            "",
            *(line for line in padded if line),
            "",
            *(f"{claim['verdict']}: {claim['text']}" for claim in record["claims"]),
        ]
    )
