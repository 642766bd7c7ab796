"""The same work on a Dask cluster: two workers here, one of them killed half-way. No grade lost, none doubled; and of a
challenge the same board as on one machine.

The cluster and its client are a process of their own: there this file runs as a script.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from grader import batch
from grader.__main__ import main as grade
from grader.challenges import frame
from tiny_lab import LAB, LIMITS, WRONG, answers, notebook

ROOT = Path(__file__).resolve().parents[1]
STUDENTS = {f"student{i:02}": 4 if i % 3 else 2 for i in range(10)}


HEAD = "import torch\ndef attack_or_drift(calm, examples, streams):\n    "
TEAMS = {
    "anna": HEAD
    + "many = streams[:, 3].cumsum(1) > 20\n    when = torch.where(many.any(1), many.int().argmax(1), -1)\n"
    "    return when, ['poisoning'] * len(streams)",
    "ben": HEAD + "return torch.full((len(streams),), 150), ['evasion'] * len(streams)",
    "seer": HEAD + "return streams.sum(1).argmax(1), ['evasion'] * len(streams)",
    "wrong": HEAD + "return 1 / 0",
}
CHALLENGE = ["challenge", "attack_or_drift", "--key", "k", "--from"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> tuple[Path, str]:
    """The folder that a cluster has worked in, and what its client printed."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "99_tiny.ipynb").write_text(LAB)
    for name in ("in", "entries"):
        (folder / name).mkdir()
    for name, total in STUDENTS.items():
        cells = answers() if total == 4 else answers(double=WRONG)
        (folder / "in" / f"{name}.ipynb").write_bytes(notebook(cells))
    for name, source in TEAMS.items():
        (folder / "entries" / f"{name}.ipynb").write_bytes(notebook([source]))
    paths = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, __file__, folder], env=os.environ | paths, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, done.stdout


def test_on_two_workers_of_which_one_is_killed(cluster):
    folder, said = cluster
    assert "killed one" in said
    results = json.loads((folder / "out" / "report.json").read_text())["results"]
    assert {result["student"]: result["earned"] for result in results} == STUDENTS
    assert len(results) == len([*(folder / "out" / "results").iterdir()]) == len(STUDENTS)
    assert said.count("graded ") == len(STUDENTS), "none is graded twice"


def test_a_challenge_has_the_same_board_as_on_one_machine(cluster, in_this_process):
    """To the last digit: each entry's judgement, and what the teacher reads."""
    folder, _ = cluster
    grade([*CHALLENGE, f"{folder / 'entries'}", "--to", f"{folder / 'here'}"])
    one, other = (judged(folder / name) for name in ("board", "here"))
    assert one == other and len(one["judgements"]) == len(TEAMS) + 3 == 7
    assert "seer" in one["private/attack_or_drift.txt"] and "ZeroDivisionError" in one["private/attack_or_drift.txt"]


def judged(board: Path) -> dict:
    names = [f"public/attack_or_drift.{ending}" for ending in ("csv", "html")] + ["private/attack_or_drift.txt"]
    files = (board / "private" / "attack_or_drift").glob("p*-*.json")
    records = {file.name: json.loads(file.read_text()) for file in files}
    texts = {name: (board / name).read_text().partition("\n7 judgings, ")[0] for name in names}  # without the seconds
    return texts | {"judgements": {name: record["judgement"] for name, record in records.items()}}


def main(folder: Path) -> None:
    from dask.distributed import LocalCluster

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
        batch.grade_on_cores = None  # from here on nothing is done on this machine by mistake
        send = frame.results_of

        def elsewhere(*about):
            """Workers on other machines do not have the file with what is hidden."""
            for file in folder.rglob("hidden-*"):
                file.unlink()
            return send(*about)

        frame.results_of = elsewhere
        about = ["--to", f"{folder / 'board'}", "--scheduler", cluster.scheduler_address]
        grade([*CHALLENGE, f"{folder / 'entries'}", *about])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
