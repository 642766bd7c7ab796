"""A teacher's first evening: `python tools/sample_class.py FOLDER` makes a class of five with their grades.

FOLDER/handout      what students get
FOLDER/solutions    what you keep
FOLDER/submissions.zip  lab 01 of five made-up students, named as Canvas names them
FOLDER/grades       how the grader grades them
"""

import json
import re
import shutil
import sys
import zipfile
from pathlib import Path

from grader.batch import grade_class
from grader.lab import bound, is_exercise
from labs import LABS, SOLUTIONS, tries

STEM = "01_one_gradient_step"
WALK = """
{summary}

This is lab 01 of a made-up class. Read TEACHING.md beside it.

1. {folder}/handout is what students get, {folder}/solutions what you keep.
2. {folder}/submissions.zip is what an LMS gives you. Anna's answers are right; Ben was late, and one of his is a known
   mistake; Chloe handed in the lab as she got it; Dan's second exercise stops with an error; Eve's answer is right and
   written otherwise than ours.
3. {folder}/grades/summary.txt is above. Open {folder}/grades/feedback: what each student reads.
4. {folder}/grades/canvas.csv and moodle.csv go back to the LMS; grades.csv has the points of each check.
5. Grade it again yourself: make grade LAB=01 FROM={folder}/submissions.zip TO={folder}/grades
"""


def answered(change: dict[str, str]) -> str:
    """Lab 01 as a student answers it: as we do, but for some exercises, {exercise: source}."""
    solved = json.loads((SOLUTIONS / f"{STEM}.ipynb").read_text(encoding="utf-8"))["cells"]
    sources = {cell["id"]: "".join(cell["source"]) for cell in solved}
    notebook = json.loads((LABS / f"{STEM}.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code" and is_exercise(source := sources[cell["id"]]):
            ours = re.sub(r"^ *### (BEGIN|END) SOLUTION.*\n?", "", source, flags=re.MULTILINE)
            cell["source"] = next((change[name] for name in bound(source) if name in change), ours)
    return json.dumps(notebook)


def submissions() -> dict[str, str]:
    """Five notebooks by the names that Canvas gives them."""
    known = {kind: (exercise, source) for kind, exercise, _, source in reversed(tries(STEM))}
    second = list(dict.fromkeys(exercise for _, exercise, *_ in tries(STEM)))[1]
    return {
        "anna_1001_501_lab.ipynb": answered({}),
        "ben_LATE_1002_502_lab.ipynb": answered(dict([known["WRONG"]])),
        "chloe_1003_503_lab.ipynb": (LABS / f"{STEM}.ipynb").read_text(encoding="utf-8"),
        "dan_1004_504_lab.ipynb": answered({second: f"def {second}(*anything, **more):\n    return 1 / 0"}),
        "eve_1005_505_lab.ipynb": answered(dict([known["RIGHT"]])),
    }


def main(folder: Path) -> None:
    """Make the class, grade it, and say what to look at. Raises FileExistsError where something lies already."""
    folder.mkdir(parents=True)
    shutil.copytree(LABS, folder / "handout")
    shutil.copytree(SOLUTIONS, folder / "solutions", ignore=shutil.ignore_patterns("src", "mutants"))
    with zipfile.ZipFile(folder / "submissions.zip", "w") as made:
        for name, notebook in submissions().items():
            made.writestr(name, notebook)
    summary = grade_class(SOLUTIONS / f"{STEM}.ipynb", folder / "submissions.zip", folder / "grades")
    print(WALK.format(summary=summary, folder=folder))


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except FileExistsError as there:
        sys.exit(f"{there.filename} is there already: name another folder, make class TO=FOLDER")
