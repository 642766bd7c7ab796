"""Grade on Gradescope: `python -m grader.gradescope --lab 01 --to autograder.zip` makes the zip to upload.

There `run_autograder` calls this module on each submission, with the lab's hidden checks, and Gradescope shows what it
writes. The files' places and the form of results.json are those of https://gradescope-autograders.readthedocs.io.
"""

import argparse
import json
import os
import secrets
import sys
import zipfile
from pathlib import Path

from grader.__main__ import find_lab
from grader.batch import grade_on_cores
from grader.collect import collect
from grader.grade import load_lab
from grader.page import clean
from grader.reports import worth
from grader.result import Result, details
from utils.fingerprint import ROOT

HERE = Path(__file__).with_name("templates") / "gradescope"
SCRIPTS = ("setup.sh", "run_autograder")
BESIDE = ("pyproject.toml", "constraints.txt", "setup.py", "README.md")  # and all of `utils` and `grader`
SENT = {".py", ".csv", ".json", ".html"}
VISIBILITY = ("after_published", "after_due_date", "visible", "hidden")


def write_autograder(lab: Path, target: Path, *, key: str = "", visibility: str = VISIBILITY[0]) -> None:
    """Write the autograder's zip.

    lab         the instructor's notebook; it lies in the zip with its hidden checks
    key         secret from which students' hidden data are drawn; "": a new one
    visibility  when students see what a check found, in Gradescope's words
    """
    load_lab(lab.read_text(encoding="utf-8"))  # a ValueError now, not on Gradescope
    about = {"lab": "lab.ipynb", "key": key or secrets.token_hex(16), "visibility": visibility}
    course = [ROOT / name for name in BESIDE]
    course += [file for folder in ("utils", "grader") for file in sorted((ROOT / folder).rglob("*"))]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in SCRIPTS:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o755 << 16  # to be run
            packed.writestr(entry, (HERE / name).read_bytes())
        for file in course:
            if file.suffix in SENT or file.name in BESIDE or file.parent == HERE:
                packed.write(file, file.relative_to(ROOT))
        packed.write(lab, about["lab"])
        packed.writestr("gradescope.json", json.dumps(about))


def grade(source: Path, submission: Path, metadata: Path, results: Path) -> None:
    """Grade what a student handed in, and write results.json. What only teachers should know is printed.

    source      the zip's content
    submission  the folder of what was handed in
    metadata    Gradescope's submission_metadata.json; it says who
    results     the file to write. It is not written where the lab could not be graded, through no known fault of the
                student's: Gradescope then says that the autograder failed, and it can be run again

    ValueError, OSError.
    """
    about = json.loads((source / "gradescope.json").read_text(encoding="utf-8"))
    lab = (source / about["lab"]).read_text(encoding="utf-8")
    submissions, left_out = collect(submission)
    print(*left_out, sep="\n")
    if not submissions:
        said = "No notebook was found: hand in the lab as a file that ends in .ipynb."
        write(results, {"score": 0, "output": said, "tests": []})
        return
    who = handed_in_by(metadata)
    common = {"lab": lab, "key": about["key"], "limits": {}}
    theirs = {Path(str(number)): one for number, one in enumerate(submissions)}
    named = {file: type(one)(who, "", one.file, one.read) for file, one in theirs.items()}
    best = max((result for _, result in grade_on_cores(named, common, 1)), key=worth)
    print(*best["look"], f"isolation: {', '.join(best['isolation']) or 'none'}", sep="\n")
    if best["failed"]:
        raise ValueError(f"this submission could not be graded: {'; '.join(best['look'])}")
    write(results, report(best, about["visibility"], len(submissions)))


def handed_in_by(metadata: Path) -> str:
    """The students of a submission, by their numbers at Gradescope, which draw their hidden data."""
    users = json.loads(metadata.read_text(encoding="utf-8"))["users"]
    return " ".join(sorted(str(user["id"]) for user in users))


def report(result: Result, visibility: str, notebooks: int = 1) -> dict:
    """A result as Gradescope's results.json: a test for each check."""
    said = [f"Graded: {result['file']}."]
    if notebooks > 1:
        said.append(f"Of {notebooks} notebooks, the one with most points counts.")
    if result["written"]:
        said.append("A person grades what you have written.")
    return {
        "output": clean(" ".join(said)),
        "output_format": "text",
        "stdout_visibility": "hidden",
        "execution_time": round(result["seconds"]),
        "tests": [
            {
                "name": check["name"],
                "score": check["earned"],
                "max_score": check["points"],
                "status": "passed" if check["state"] == "passed" else "failed",
                "output": clean(found(check)),
                "output_format": "text",
                "visibility": visibility,
            }
            for check in result["checks"]
        ],
    }


def found(check: dict) -> str:
    """What a check found, in lines, as the page of feedback says it."""
    if check["state"] == "passed":
        return "well done"
    return "\n".join(details(*(check[name] for name in ("message", "expected", "got", "note"))))


def write(file: Path, results: dict) -> None:
    file.write_text(json.dumps(results, allow_nan=False), encoding="utf-8")


def gradescope_main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m grader.gradescope", description=__doc__.partition(":")[0])
    parser.add_argument("--lab", help="01, or the path of an instructor's notebook")
    parser.add_argument("--to", type=Path, default=Path("autograder.zip"), help="the zip to write")
    parser.add_argument("--key", default="", help="secret from which hidden data are drawn; default: a new one")
    parser.add_argument("--visibility", choices=VISIBILITY, default=VISIBILITY[0], help="when students see the checks")
    parser.add_argument("--grade", type=Path, metavar="FOLDER", help="grade what lies in Gradescope's folder")
    parser.add_argument("--results", type=Path, help="with --grade: the results.json to write")
    given = parser.parse_args(arguments)
    if not (given.lab or (given.grade and given.results)):
        parser.error("name a lab: make gradescope LAB=01 TO=autograder.zip")
    try:
        if given.grade:
            folder = given.grade
            grade(folder / "source", folder / "submission", folder / "submission_metadata.json", given.results)
        else:
            write_autograder(find_lab(given.lab), given.to, key=given.key, visibility=given.visibility)
            print(f"{given.to}: upload it to Gradescope as the assignment's autograder, on Ubuntu 24.04")
    except (OSError, ValueError) as problem:
        sys.exit(f"{problem}")


if __name__ == "__main__":
    os.umask(0o022)
    gradescope_main()
