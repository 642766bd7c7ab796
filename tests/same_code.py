"""What a lesson builds and what `utils` holds are the same cells: both as code in one form, to be compared."""

import ast
from functools import cache

from run import ROOT


@cache
def definitions(path: str, *, annotations: bool = False) -> dict[str, str]:
    """Each function and class at the top of a file, as code without docstrings and, unless asked, annotations.

    path  from the course's folder, such as "utils/masking.py"
    """
    found = {}
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            for part in ast.walk(node):
                if isinstance(part, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(part):
                    part.body = part.body[1:]
                if isinstance(part, ast.FunctionDef) and not annotations:
                    part.returns = None
                if isinstance(part, ast.arg) and not annotations:
                    part.annotation = None
            found[node.name] = ast.unparse(node)
    return found


def built(lesson: str, name: str, **names):
    """A function of a lesson that `utils` does not hold, where `names` stand for what the cells above it made."""
    exec(definitions(f"notebooks/src/{lesson}.py")[name], names)
    return names[name]
