"""The same work on a Dask cluster: two workers here, one of them killed half-way. No grade lost, none doubled.

The cluster and its client are a process of their own: there this file runs as a script.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tiny_lab import LAB, LIMITS, WRONG, answers, notebook

ROOT = Path(__file__).resolve().parents[1]
STUDENTS = {f"student{i:02}": 4 if i % 3 else 2 for i in range(10)}


def test_on_two_workers_of_which_one_is_killed(tmp_path):
    (tmp_path / "99_tiny.ipynb").write_text(LAB)
    (tmp_path / "in").mkdir()
    for name, total in STUDENTS.items():
        cells = answers() if total == 4 else answers(double=WRONG)
        (tmp_path / "in" / f"{name}.ipynb").write_bytes(notebook(cells))
    paths = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, __file__, tmp_path], env=os.environ | paths, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "killed one" in done.stdout
    results = json.loads((tmp_path / "out" / "report.json").read_text())["results"]
    assert {result["student"]: result["earned"] for result in results} == STUDENTS
    assert len(results) == len([*(tmp_path / "out" / "results").iterdir()]) == len(STUDENTS)
    assert done.stdout.count("graded ") == len(STUDENTS), "none is graded twice"


def main(folder: Path) -> None:
    from dask.distributed import LocalCluster

    from grader import batch

    keep = batch.keep_result

    def counted(file, *about):
        """Kills a worker after the third result has come."""
        result = keep(file, *about)
        print("graded", file.stem)
        count = len([*file.parent.glob("*.json")])
        if count == 3:
            os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
            print("killed one")
        return result

    batch.keep_result = counted
    with LocalCluster(2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        batch.grade_class(
            folder / "99_tiny.ipynb", folder / "in", folder / "out", scheduler=cluster.scheduler_address, limits=LIMITS
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
