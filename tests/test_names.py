"""Names: in `utils` and `grader` a word names one function or class, and hides no module; the map names each room."""

import ast
import importlib
import pkgutil
import re
import sys
import tomllib
from collections import defaultdict
from pathlib import Path
from types import ModuleType

import pytest

import utils

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(module.name for module in pkgutil.walk_packages(utils.__path__, "utils."))
TWICE = {  # name: why two modules may define it
    "main": "what `python -m` calls",
    "number": "`expect.number` of an answer, `records.number` of a figure: both say what it is as a number",
}


def defined(folders: tuple[str, ...]) -> dict[str, list[str]]:
    """{name: the modules that define a function or class of that name}, public and at the top level."""
    found = defaultdict(list)
    for file in sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(str(file.relative_to(ROOT)))
    return found


def test_one_name_has_one_meaning():
    twice = {name: files for name, files in defined(("utils", "grader")).items() if len(files) > 1}
    assert not {name: files for name, files in twice.items() if name not in TWICE}, "give each a word of its own"
    assert set(TWICE) <= set(twice), "no longer defined twice: take it out of TWICE"


@pytest.mark.parametrize("name", MODULES)
def test_no_function_hides_a_module(name):
    """`import utils.a.b` and `from utils.a import b` mean the same."""
    importlib.import_module(name)
    package, _, last = name.rpartition(".")
    assert last == "__main__" or isinstance(getattr(sys.modules[package], last), ModuleType)


def test_the_map_names_each_room_once_from_the_top_floor_down():
    rooms = re.findall(r"^    (\w+)  +\S", utils.__doc__, flags=re.M)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (floors,) = (contract["layers"] for contract in contracts if contract.get("containers") == ["utils"])
    assert rooms == [room for floor in floors for room in re.findall(r"\w+", floor)]
    assert sorted(rooms) == sorted(module.name for module in pkgutil.iter_modules(utils.__path__))
