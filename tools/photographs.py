"""What the lessons say on photographs, for the README: `python tools/build.py --on cifar10` keeps the records."""

from pathlib import Path

from run import LESSONS
from utils.records import RESULTS, Record, read, shown

COMMAND = "python tools/build.py --on cifar10"


def on_photographs(results: Path = RESULTS, sources: Path = LESSONS / "src") -> str:
    """A row for each lesson that was run with COURSE_DATASET=cifar10; and which were not yet, or bring their own data.

    Seconds are processor time in one thread. A record is of older code if the lesson's record on the digits is of
    another code.
    """
    rows = ["| lesson | seconds | right, undefended | verdicts |", "|---|---|---|---|"]
    missing, others = [], []
    for source in sorted(sources.glob("*.py")):
        number, own = source.stem.partition("_")[0], "load()" not in source.read_text(encoding="utf-8")
        if own:
            others.append(number)
        elif record := read(source.stem, "cifar10", results):
            digits = read(source.stem, folder=results)
            older = " (older code)" * (record["fingerprint"] != digits["fingerprint"])
            figures = f"{record['seconds']:,.0f} | {undefended(record)} | {verdicts(record, digits)}"
            rows.append(f"| {number}{older} | {figures} |")
        else:
            missing.append(source.stem)
    said = [f"Whatever the variable says, these bring their own data: {', '.join(others)}."] * bool(others)
    said += [f"Not measured yet: `{COMMAND} {' '.join(missing)}`"] * bool(missing)
    return "\n".join([*(rows if len(rows) > 2 else []), *(f"\n{line}" for line in said)])


def undefended(record: Record) -> str:
    """How often the models were right that the claims of a lesson rest on."""
    found = (shown(claim["undefended"]) for claim in record["claims"] if "undefended" in claim)
    return "; ".join(dict.fromkeys(found)) or "–"


def verdicts(record: Record, digits: Record) -> str:
    """The verdict on each claim, and that on the digits where it is another one."""
    there = {claim["text"]: claim["verdict"] for claim in digits["claims"]}
    told = []
    for claim in record["claims"]:
        before = there.get(claim["text"], claim["verdict"])
        turned = "" if claim["verdict"] in (before, "open") else f" (digits: {before})"
        told.append(f"{claim['text']}: *{claim['verdict']}*{turned}")
    return "<br>".join(told) or "–"
