"""Keep the headline tables of lessons at a larger scale: `COURSE_DATASET=mnist python tools/larger.py [STEM ...]`.

Each lesson that shows `larger(...)` is run as it is, on the data set that COURSE_DATASET names, and its `headline` goes
to `notebooks/larger/STEM.NAME.txt` with the verdicts, the command, the machine, the date and a hash of the lesson.
MNIST takes minutes a lesson on one core. COURSE_DATA names a folder of data to use instead of downloads.
"""

import datetime
import hashlib
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import torch

from build import LESSONS, assemble, execute

TABLES = LESSONS / "larger"


def mark(stem: str) -> str:
    """A hash of a lesson's code: its table is of this code, or it is out of date."""
    cells = assemble(LESSONS / "src" / f"{stem}.py").cells
    code = [cell.source for cell in cells if cell.cell_type == "code" and "larger(" not in cell.source]
    return hashlib.sha256("\n".join(code).encode()).hexdigest()[:8]


def machine() -> str:
    """The processor or GPU that a lesson runs on."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    names = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.split(": ")[1] for line in names if line.startswith("model name")), platform.processor())
    return f"one core of {name}"


def measure(stem: str, dataset: str) -> str:
    """The text that is kept: what was run and where, the headline, the verdicts."""
    given = {name: os.environ[name] for name in ("COURSE_DATA", "COURSE_CACHE", "COURSE_TEXTS") if name in os.environ}
    texts = f"COURSE_TEXTS={given['COURSE_TEXTS']} " if "COURSE_TEXTS" in given else ""
    with tempfile.TemporaryDirectory() as ledger:
        begin = time.perf_counter()
        table = "__import__('utils.larger', fromlist=['']).as_text(headline)"
        notebook = assemble(LESSONS / "src" / f"{stem}.py")
        [text] = execute(notebook, measure=[table], COURSE_DATASET=dataset, COURSE_LEDGER=ledger, **given)
        seconds = time.perf_counter() - begin
        claims = [json.loads(file.read_text()) for file in sorted(Path(ledger).glob("*.json"))]
    return "\n".join(
        [
            f"COURSE_DATASET={dataset} {texts}python tools/larger.py {stem}",
            f"{datetime.date.today()}, {machine()}, torch {torch.__version__}, {seconds:.0f} s; code {mark(stem)}",
            "",
            text,
            "",
            *(f"{claim['verdict']}: {claim['text']}" for claim in claims),
        ]
    )


def main() -> None:
    dataset = os.environ.get("COURSE_DATASET", "mnist")
    sources = [file for file in sorted(LESSONS.glob("src/*.py")) if "larger(" in file.read_text()]
    for stem in sys.argv[1:] or [file.stem for file in sources]:
        print(f"running {stem} on {dataset}", flush=True)
        TABLES.mkdir(exist_ok=True)
        (TABLES / f"{stem}.{dataset}.txt").write_text(measure(stem, dataset) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
