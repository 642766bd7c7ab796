"""Which answers are the same once names, comments and layout are left out. Nobody is accused: a lesson, a hint or work
together may be why.
"""

import ast
import copy
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

LEAST = 100  # nodes of the syntax tree: shorter answers are the same by chance
MOST = 0.1  # share of a class: what more have in common comes from the task


class Renaming(ast.NodeTransformer):
    """Names become numbers, in the order in which they come; docstrings and annotations go."""

    def __init__(self):
        self.numbers: dict[str, str] = {}

    def number(self, name: str) -> str:
        return self.numbers.setdefault(name, f"n{len(self.numbers)}")

    def visit_Name(self, node):
        node.id = self.number(node.id)
        return node

    def visit_arg(self, node):
        node.arg, node.annotation = self.number(node.arg), None
        return node

    def visit_FunctionDef(self, node):
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            node.body = node.body[1:] or [ast.Pass()]
        node.name, node.returns = self.number(node.name), None
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef


def without_names(function: ast.AST) -> str:
    """A hash of a function that no renaming changes; "" if it is too short to tell anything."""
    if sum(1 for _ in ast.walk(function)) < LEAST:
        return ""
    plain = ast.dump(Renaming().visit(copy.deepcopy(function)))
    return hashlib.sha256(plain.encode(errors="replace")).hexdigest()[:16]


def functions_of(sources: Iterable[str]) -> dict[str, str]:
    """{function: its hash} of the long functions that cells define, by name; the last definition counts."""
    found = {}
    for source in sources:
        try:
            for node in ast.parse(source).body:
                if isinstance(node, ast.FunctionDef):
                    found[node.name] = without_names(node)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return {name: shape for name, shape in found.items() if shape}


def answers_without_names(content: str, asked: frozenset[str], sources: Sequence[str]) -> dict[str, str]:
    """{asked name: hash} of a student's answers, less those that are the instructor's own after renaming.

    content  the instructor's notebook, its JSON
    """
    cells = json.loads(content)["cells"]
    ours = functions_of("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    theirs = functions_of(sources)
    return {name: shape for name, shape in theirs.items() if name in asked and shape != ours.get(name)}


def shared_answers(shapes: Mapping[str, Mapping[str, str]]) -> list[tuple[str, list[str]]]:
    """Of a class, {student: {name: hash}}, the answers that few students have in common: (name, students)."""
    groups = defaultdict(list)
    for student, answers in shapes.items():
        for name, shape in answers.items():
            groups[name, shape].append(student)
    most = max(3, MOST * len(shapes))
    return sorted((name, sorted(students)) for (name, _), students in groups.items() if 1 < len(students) <= most)
