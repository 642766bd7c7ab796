"""The same lesson at a larger scale: its headline table on MNIST or CIFAR-10, kept as text by `tools/larger.py`."""

from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "notebooks" / "larger"


def as_text(headline: Mapping) -> str:
    """A headline, {row: value} or {row: {column: value}}, as lines of text with aligned columns."""
    rows = {str(name): value if isinstance(value, Mapping) else {"": value} for name, value in headline.items()}
    columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
    lines = [["", *columns], *([name, *(cell(cells.get(c, "")) for c in columns)] for name, cells in rows.items())]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (
        "   ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
    return "\n".join(line for line in padded if line)


def cell(value) -> str:
    """A Rate or a text as it prints, a number to three digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def larger(stem: str, dataset: str = "mnist") -> str:
    """The kept table of lesson `stem` on `dataset`, with the command that made it, the machine and the date."""
    file = FOLDER / f"{stem}.{dataset}.txt"
    if not file.exists():
        return f"Not measured yet. This measures it: COURSE_DATASET={dataset} python tools/larger.py {stem}"
    return file.read_text(encoding="utf-8").rstrip()
