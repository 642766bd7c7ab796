"""Is this machine ready for the course? A plain verdict, and the fix for what is wrong."""

import sys
import tomllib
from dataclasses import dataclass
from html import escape
from importlib import metadata
from pathlib import Path

from utils.records import ARROW, IN_HTML

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Row:
    """One thing that was looked at: what, what was found, and how to mend it ("" if nothing is wrong)."""

    what: str
    found: str
    fix: str = ""


class Readiness(list):
    """Rows of the check. `ready` is True if none needs a fix."""

    @property
    def ready(self) -> bool:
        return not any(row.fix for row in self)

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.ready:
            return "Ready: every lesson will run here."
        wrong = [row.what for row in self if row.fix]
        return f"Not ready: {', '.join(wrong)}. Follow the table, restart the kernel, and run this cell again."

    def __repr__(self):
        lines = [f"{row.what:14}{ARROW} {row.found}{'  ->  ' + row.fix if row.fix else ''}" for row in self]
        return "\n".join([*lines, self.verdict])

    def _repr_html_(self):
        rows = "".join(
            f"<tr><td style='text-align: left'>{escape(row.what)}</td><td style='text-align: left'>"
            f"{IN_HTML}{escape(row.found)}</td><td style='text-align: left'>{escape(row.fix or 'fine')}</td></tr>\n"
            for row in self
        )
        return f"<table><tr><th>what</th><th>found</th><th>to do</th></tr>{rows}</table><b>{escape(self.verdict)}</b>"


def version_of(package: str) -> str:
    """The installed version of a package, or "missing"."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def check_environment() -> Readiness:
    """Look at Python, the packages that lessons import, the device and the built-in data."""
    from packaging.requirements import Requirement  # comes with matplotlib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    table = Readiness()
    asked = Requirement("python" + project["requires-python"])
    python = ".".join(map(str, sys.version_info[:3]))
    fine = asked.specifier.contains(python, prereleases=True)
    table.append(Row("python", python, "" if fine else f"install Python {asked.specifier}, make the environment anew"))
    for line in [*project["dependencies"], *project["optional-dependencies"]["course"]]:
        asked = Requirement(line)
        if asked.name == "jupyterlab":  # whoever reads this table has a notebook open
            continue
        found = version_of(asked.name)
        fine = found != "missing" and asked.specifier.contains(found, prereleases=True)
        table.append(Row(asked.name, found, "" if fine else f'run: pip install "{line}"'))
    for what, look in {"device": device_row, "data": data_row}.items():
        try:
            table.append(look())
        except Exception as problem:  # whatever is wrong, the learner wants a row that says so
            table.append(Row(what, "cannot be read", str(problem) or type(problem).__name__))
    return table


def device_row() -> Row:
    """The device that tensors will live on."""
    import torch

    from utils.data import device

    if device().type == "cuda":
        return Row("device", f"cuda: {torch.cuda.get_device_name()}")
    if device().type == "mps":
        return Row("device", "mps: Apple GPU (the course is not tested on it)")
    return Row("device", "cpu: enough for every lesson on digits")


def data_row() -> Row:
    """Whether the lessons' data can be read: the built-in digits, or what COURSE_DATASET names."""
    from utils.data import load

    data = load()
    return Row("data", f"{data.name}: {len(data.train.y):,} training and {len(data.test.y):,} test images")
