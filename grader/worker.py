"""A process that grades for another one. What it imports is imported by each of them, so it is little."""

import os
import threading
from multiprocessing import parent_process


def end_with_the_grader() -> None:
    """End when the process that started this one has ended, also if that was killed and could say nothing."""

    def watch():
        parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
