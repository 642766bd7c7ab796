"""One hash for "the same code": of a lesson's outputs, of a record, and of a grade."""

import ast
import hashlib
import tempfile
from collections.abc import Sequence
from functools import cache
from modulefinder import ModuleFinder
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHOWS = ("utils.plots", "utils.widgets", "utils.guide", "utils.larger", "utils.environment")  # they measure nothing
MATTER = ("numpy", "scikit-learn", "scipy", "torch")  # packages that compute what is measured


def fingerprint(code: Sequence[str], root: Path = ROOT) -> str:
    """A hash of all that a measurement by these cells depends on, 16 hexadecimal digits.

    It covers the cells, each module of the course that they import, however indirectly, and the versions of MATTER in
    constraints.txt. Left out are modules that only show (SHOWS), and comments, docstrings and layout. Every version of
    Python finds the same hash.
    """
    measures = [file for name, file in imported(code, root).items() if not name.startswith(SHOWS)]
    return digest([skeleton_of(text) for text in [*code, *map(text_of, measures)]], versions(root))


def appearance(code: Sequence[str], root: Path = ROOT) -> str:
    """A hash of what the outputs of these cells depend on besides `fingerprint`: how the measured is shown."""
    shows = [file for name, file in imported(code, root).items() if name.startswith(SHOWS)]
    return digest([cell.endswith(";") for cell in code], [skeleton_of(text_of(file)) for file in shows])


def versions(root: Path = ROOT) -> dict[str, str]:
    """The pinned versions of the packages in MATTER."""
    file = root / "constraints.txt"
    pins = dict(line.split("==") for line in text_of(file).splitlines() if "==" in line) if file.exists() else {}
    return {name: pins[name] for name in MATTER if name in pins}


def imported(code: Sequence[str], root: Path = ROOT) -> dict[str, Path]:
    """The modules below `root` that these cells import, however indirectly: {name: file}. Nothing is run."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "script.py")
        script.write_text("\n".join(code), encoding="utf-8")
        finder = ModuleFinder([str(root)])
        finder.run_script(str(script))
    files = {name: Path(module.__file__) for name, module in finder.modules.items() if module.__file__}
    return {name: file for name, file in sorted(files.items()) if file.is_relative_to(root)}


def text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def digest(*parts) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


@cache  # fifteen lessons import the same modules
def skeleton_of(code: str) -> tuple:
    return skeleton(ast.parse(code))


def skeleton(node):
    """A syntax tree as nested tuples, without docstrings, positions and empty fields (which differ among Pythons)."""
    if isinstance(node, list):
        return tuple(map(skeleton, node))
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
        node.body = node.body[1:]
    if isinstance(node, ast.JoinedStr):  # Python 3.12 adds empty pieces
        node.values = [piece for piece in node.values if getattr(piece, "value", None) != ""]
    fields = ((name, value) for name, value in ast.iter_fields(node) if value not in (None, []))
    return type(node).__name__, *((name, skeleton(value)) for name, value in fields)
