"""How fast a class is graded: 200 submissions of lab 01 on all cores, and the memory that it takes at most.

`python tests/bench_grading.py [SUBMISSIONS [JOBS]]`. A third of the submissions is right, a third has a mistake from
the lab's mutants, a third has cells of its own beside a right answer written otherwise.
"""

import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

from grader.batch import grade_class
from grader.lab import bound
from labs import SOLUTIONS, tries

STEM = "01_one_gradient_step"
OWN = "import matplotlib.pyplot as plt\nprint(torch.rand(3))\nsquares = [i**2 for i in range(10)]"


def submissions(count: int) -> list[bytes]:
    """Notebooks as students hand them in, each another."""
    lab = json.loads((SOLUTIONS / f"{STEM}.ipynb").read_text())
    others = {kind: [other for other in tries(STEM) if other[0] == kind] for kind in ("RIGHT", "WRONG")}
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


def bench(count: int = 200, jobs: int = 0) -> None:
    highest, done = [0.0], threading.Event()

    def watch():
        while not done.wait(2):  # a look takes 20 ms
            highest[0] = max(highest[0], memory())

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in")
        source.mkdir()
        for i, content in enumerate(submissions(count)):
            (source / f"student{i:03}.ipynb").write_bytes(content)
        threading.Thread(target=watch, daemon=True).start()
        begin = time.monotonic()
        grade_class(SOLUTIONS / f"{STEM}.ipynb", source, Path(folder, "out"), jobs=jobs)
        seconds = time.monotonic() - begin
        done.set()
    print(
        f"{count} submissions of lab 01, {jobs or os.cpu_count()} at a time: {60 * count / seconds:.0f} a minute, "
        f"{highest[0]:.0f} MB at most"
    )


if __name__ == "__main__":
    bench(*map(int, sys.argv[1:]))
