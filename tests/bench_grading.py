"""How fast a class is graded, on all cores, from a cold start; and the memory that it takes at most.

`python tests/bench_grading.py [--labs 01 03 09 12] [--count 200] [--jobs 2] [--beside FOLDER]`. A third of the
submissions is right, a third has a mistake from the lab's mutants, a third has cells of its own beside a right answer
written otherwise. FOLDER is a checkout of another build, whose turn comes after this one's, for each lab.

The share of a lab's own work is what remains if starting costs nothing: the same checks, on the same answers, as
functions of one process without a sandbox.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import redirect_stdout, suppress
from pathlib import Path
from types import SimpleNamespace

from grader.batch import grade_class
from grader.grade import given_names, load_lab, run_check
from grader.lab import bound, cells_to_run
from grader.notebook import read_cells
from labs import SOLUTIONS, tries

HERE = Path(__file__).resolve().parents[1]
OWN = "import matplotlib.pyplot as plt\nprint(torch.rand(3))\nsquares = [i**2 for i in range(10)]"


def submissions(stem: str, count: int) -> list[bytes]:
    """Notebooks as students hand them in, each another."""
    lab = json.loads((SOLUTIONS / f"{stem}.ipynb").read_text())
    others = {kind: [other for other in tries(stem) if other[0] == kind] for kind in ("RIGHT", "WRONG")}
    made = []
    for i in range(count):
        notebook = json.loads(json.dumps(lab))
        if kind := ("", "WRONG", "RIGHT")[i % 3]:
            _, exercise, _, source = others[kind][i // 3 % len(others[kind])]
            for cell in notebook["cells"]:
                if cell["cell_type"] == "code" and exercise in bound("".join(cell["source"])):
                    cell["source"] = source
        if kind == "RIGHT":
            notebook["cells"].append(notebook["cells"][1] | {"source": OWN})
        made.append(json.dumps(notebook).encode())
    return made


def memory() -> float:
    """Megabytes that this process and all that it started hold: pages of its own, and its share of shared ones."""
    children, total = {}, 0.0
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            parent = int(Path("/proc", name, "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(name))
    waiting = [os.getpid()]
    for process in waiting:
        waiting += children.get(process, [])
        try:
            rollup = Path("/proc", str(process), "smaps_rollup").read_text()
            total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1000
        except (OSError, StopIteration):
            continue
    return total


def bench(stem: str, count: int, jobs: int) -> None:
    """Grade a class of one lab, and print how long it took."""
    highest, done = [0.0], threading.Event()

    def watch():
        while not done.wait(2):  # a look takes 20 ms
            highest[0] = max(highest[0], memory())

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in")
        source.mkdir()
        for i, content in enumerate(submissions(stem, count)):
            (source / f"student{i:03}.ipynb").write_bytes(content)
        threading.Thread(target=watch, daemon=True).start()
        begin = time.monotonic()
        grade_class(SOLUTIONS / f"{stem}.ipynb", source, Path(folder, "out"), jobs=jobs, key="the same for all builds")
        seconds = time.monotonic() - begin
        done.set()
        if keep := os.environ.get("BENCH_KEEP"):
            Path(keep).write_text(Path(folder, "out", "grades.csv").read_text())
    print(f"lab {stem[:2]}: {60 * count / seconds:6.0f} a minute, {highest[0]:6.0f} MB at most", flush=True)


def work(stem: str, count: int = 9) -> None:
    """Print the seconds of a lab's own work for a submission."""
    lab = load_lab((SOLUTIONS / f"{stem}.ipynb").read_text())
    given = given_names((SOLUTIONS / f"{stem}.ipynb").read_text())
    begin = time.process_time()
    for content in submissions(stem, count):
        cells = [cell["source"] for cell in read_cells(content)[0] if cell["kind"] == "code"]
        namespace = dict(given)
        for _, source in cells_to_run(lab, cells):
            with suppress(Exception), redirect_stdout(io.StringIO()):
                exec(source, namespace)
        session = SimpleNamespace(get=lambda name: {"value": namespace[name]} if name in namespace else {})  # noqa: B023
        for check in lab.checks:
            run_check(check, session, given, 1)
    print(f"lab {stem[:2]}: {(time.process_time() - begin) / count:.2f} s of its own work for a submission", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--labs", nargs="+", default=["01"])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--beside", type=Path, default=None)
    parser.add_argument("--stem", help="one run, in this process")
    given = parser.parse_args()
    if given.stem:
        return bench(given.stem, given.count, given.jobs)
    for stem in (file.stem for lab in given.labs for file in sorted(SOLUTIONS.glob(f"{lab}*.ipynb"))):
        work(stem)
        for build in [HERE, *([given.beside.resolve()] if given.beside else [])]:
            print(f"{build.name:>12}", end="  ", flush=True)
            paths = os.pathsep.join(str(build / part) for part in (".", "tools"))
            about = ["--stem", stem, "--count", str(given.count), "--jobs", str(given.jobs)]
            subprocess.run([sys.executable, __file__, *about], env=os.environ | {"PYTHONPATH": paths}, check=True)


if __name__ == "__main__":
    main()
