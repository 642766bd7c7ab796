"""`python -m grader challenge break_it --from submissions --to board`"""

import argparse
import sys
from pathlib import Path

from grader.challenges.frame import CHALLENGES, judge_again, run_challenge
from grader.sandbox import bubblewrap, weaker


def challenge_main(arguments: list[str]) -> None:
    """Judge a challenge, or judge one entry again from its record."""
    parser = argparse.ArgumentParser(prog="python -m grader challenge", description="Judge the entries of a challenge.")
    parser.add_argument("name", choices=CHALLENGES, help="which challenge")
    parser.add_argument("--from", dest="source", help="a folder or zip of entries; a folder in it is a team")
    parser.add_argument("--to", dest="target", help="the folder for the board")
    parser.add_argument("--final", action="store_true", help="draw the private part, which then decides")
    parser.add_argument("--jobs", type=int, default=0, help="entries at a time; default: one for each core")
    parser.add_argument("--scheduler", default="", help="address of a Dask scheduler, e.g. tcp://10.0.0.1:8786")
    parser.add_argument(
        "--key", default="", help="secret from which all that is hidden is drawn; default: one made for TO"
    )
    parser.add_argument("--again", type=Path, help="a record, to judge its entry again and compare")
    given = parser.parse_args(arguments)
    if not given.again and not (given.source and given.target):
        parser.error("name both: --from submissions --to board; or a record: --again board/private/…/public-….json")
    if not (bubblewrap() or given.scheduler):
        print(weaker(), file=sys.stderr)
    try:
        if given.again:
            same, words = judge_again(given.again)
            print(words)
            sys.exit(not same)
        how = {"final": given.final, "jobs": given.jobs, "scheduler": given.scheduler, "key": given.key}
        said = run_challenge(CHALLENGES[given.name], Path(given.source), Path(given.target), **how)
        print(said.encode(sys.stdout.encoding or "utf-8", "replace").decode(sys.stdout.encoding or "utf-8"))
    except (OSError, ValueError) as problem:
        sys.exit(f"{problem}")
