"""Stands in for `batch.grade_one`: a process that dies. A file of its own: a new process imports it, and not torch."""

import os
import time


def grade(task: dict) -> dict:
    """Dies for one student always, for another once; and has an odd result for a third."""
    once = f"{task['key']}/died"
    if task["student"] == "bad" or (task["student"] == "luckless" and not os.path.exists(once)):
        open(once, "a").close()
        os._exit(1)
    time.sleep(0.5)  # so that the others are at work whenever one dies
    return {"failed": False, "output": (lambda: None) if task["student"] == "odd" else ""}  # no pickle takes that
