"""`python -m grader --lab 01 --from submissions --to grades`; `python -m grader check …` and `… challenge …`"""

import argparse
import sys
import time
from functools import partial
from pathlib import Path

from grader.batch import each_change, grade_class
from grader.sandbox import bubblewrap, weaker

EVERY = 2  # seconds between two looks for a change
SOLUTIONS = Path(__file__).resolve().parents[1] / "solutions"


def main(arguments: list[str] | None = None) -> None:
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["check"]:
        from grader.public import check_main

        return check_main(arguments[1:])
    if arguments[:1] == ["challenge"]:
        from grader.challenges.command import challenge_main  # trains models: a lab needs nothing of it

        return challenge_main(arguments[1:])
    parser = argparse.ArgumentParser(prog="python -m grader", description="Grade a lab's submissions.")
    parser.add_argument("--lab", required=True, help="01, or the path of an instructor's notebook")
    parser.add_argument(
        "--from", required=True, dest="source", help="a folder or zip of notebooks, as your LMS gives it"
    )
    parser.add_argument("--to", required=True, dest="target", help="the folder for grades, feedback and results")
    parser.add_argument("--jobs", type=int, default=0, help="submissions at a time; default: one for each core")
    parser.add_argument("--scheduler", default="", help="address of a Dask scheduler, e.g. tcp://10.0.0.1:8786")
    parser.add_argument("--key", default="", help="secret from which hidden data are drawn; default: one made for TO")
    parser.add_argument(
        "--hand",
        action="append",
        default=[],
        type=Path,
        help="a filled-in copy of by_hand.csv; repeatable",
    )
    parser.add_argument(
        "--anyway", action="store_true", help="grade even where most notebooks have nothing of this lab"
    )
    parser.add_argument("--watch", action="store_true", help="grade again whenever a submission or the lab changes")
    given = parser.parse_args(arguments)
    if not (given.source.strip() and given.target.strip()):  # "" would be this folder: the course itself
        parser.error("name both: make grade LAB=01 FROM=submissions.zip TO=grades")
    try:
        lab = find_lab(given.lab)
        if not (bubblewrap() or given.scheduler):
            print(weaker(), file=sys.stderr)
        how = {
            "jobs": given.jobs,
            "scheduler": given.scheduler,
            "key": given.key,
            "hand": given.hand,
            "anyway": given.anyway,
        }
        places = [lab, Path(given.source), *given.hand]
        for _ in each_change(places, partial(time.sleep, EVERY)) if given.watch else [None]:
            said = grade_class(lab, Path(given.source), Path(given.target), **how)
            print(said.encode(sys.stdout.encoding or "utf-8", "replace").decode(sys.stdout.encoding or "utf-8"))
            if given.watch:
                print("Waiting for a change; Ctrl+C ends it.", flush=True)
    except KeyboardInterrupt:
        sys.exit(130)
    except (OSError, ValueError) as problem:
        sys.exit(f"{problem}")


def find_lab(lab: str) -> Path:
    """The instructor's notebook of a lab, by its number, its name or its path."""
    named = f"{lab.zfill(2)}_" if lab.isdigit() else lab  # 1 is 01, and 05 is not 05b
    found = [Path(lab)] if lab.endswith(".ipynb") else sorted(SOLUTIONS.glob(f"{named}*.ipynb"))
    if len(found) != 1:
        there = ", ".join(file.stem for file in sorted(SOLUTIONS.glob("*.ipynb")))
        raise ValueError(f"no lab is called {lab!r}, or several are: choose one of {there}")
    return found[0]


if __name__ == "__main__":
    main()
