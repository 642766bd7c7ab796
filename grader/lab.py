"""The teacher's notebook of a lab: what is given, what is asked, and the checks.

Marks in the text of a cell say what the cell is:

    ### BEGIN SOLUTION … ### END SOLUTION          an answer; the lab has a stub in its place. The stub is what
                                                   follows BEGIN SOLUTION on its line, or else it raises.
    # CHECK fgsm_ball, 2 points                    first line of a check cell. Its checks are public up to
    ### BEGIN HIDDEN TESTS … ### END HIDDEN TESTS  these, which the lab does not have.

Written exercises, which a person grades, are in `rubric`.
"""

import ast
import json
import re
import symtable
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from grader import rubric
from grader.ipython import as_python
from grader.rubric import Rubric
from utils import unanswered

CHECK = re.compile(r"# CHECK (\w+), (\d+(?:\.\d+)?) points?\s*$")
STUB = f'raise NotImplementedError("{unanswered.STUB[0]}")'
SOLUTION = re.compile(r"^([ \t]*)### BEGIN SOLUTION ?(.*)\n(?:.*\n)*?[ \t]*### END SOLUTION[ \t]*$", re.MULTILINE)
HIDDEN = re.compile(r"^[ \t]*### BEGIN HIDDEN TESTS\n(?:.*\n)*?[ \t]*### END HIDDEN TESTS[ \t]*\n?", re.MULTILINE)


@dataclass(frozen=True)
class Check:
    """A check cell: `names` are the student's that it uses, hidden lines and all."""

    name: str
    points: float
    source: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Lab:
    """What the grader knows of a lab.

    given   code cells, without an answer or a check, that bind a name: they run before the student's
    shown   all code cells of the student's notebook that are no exercise, tidied
    stubs   {tidied text of an exercise as handed out: names that it binds}
    checks  in their order
    rubrics written exercises, which a person grades
    texts   all text cells of the student's notebook, squeezed
    """

    title: str
    given: tuple[str, ...]
    shown: frozenset[str]
    stubs: dict[str, tuple[str, ...]]
    checks: tuple[Check, ...]
    rubrics: tuple[Rubric, ...]
    texts: frozenset[str]

    @property
    def points(self) -> float:
        return sum(part.points for part in (*self.checks, *self.rubrics))


def is_check(source: str) -> re.Match | None:
    """The name and points of a check cell; None for another cell. ValueError for a first line that only looks so."""
    first = source.partition("\n")[0]
    found = CHECK.match(first)
    if first.startswith("# CHECK") and not found:
        raise ValueError(f"a check starts '# CHECK name, 2 points', not {first!r}")
    return found


def is_exercise(source: str) -> bool:
    return "### BEGIN SOLUTION" in source


def handed_out(source: str) -> str:
    """A cell as the student gets it: stubs for solutions, no hidden tests."""
    source = SOLUTION.sub(lambda match: match[1] + (match[2].strip() or STUB), source)
    source = HIDDEN.sub("", source).rstrip()
    if re.search(r"(BEGIN|END) (SOLUTION|HIDDEN)", source):
        raise ValueError(f"a mark without its other half in:\n{source}")
    return source


def tidy(source: str) -> str:
    """The text of a cell up to blanks at line ends and empty lines: what an editor may change by itself."""
    return "\n".join(line.rstrip() for line in source.splitlines() if line.strip())


@lru_cache(10_000)  # a class has most of its cells in common
def bound(source: str) -> tuple[str, ...]:
    """The names that a cell binds at its top level; none if it is not Python."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    return tuple(dict.fromkeys(name for statement in body for name in _bound(statement)))


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):  # its variables are its own
        yield from (inner.target.id for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr))
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    else:
        for inner in ast.iter_child_nodes(node):
            yield from _bound(inner)


def read_lab(content: str) -> Lab:
    """The lab of an instructor's notebook (its JSON). ValueError if its checks are not as they should be."""
    cells = json.loads(content)["cells"]
    code, prose = (
        ["".join(cell["source"]) for cell in cells if cell["cell_type"] == kind] for kind in ("code", "markdown")
    )
    exercises = [source for source in code if is_exercise(source)]
    rest = [source for source in code if not is_exercise(source)]
    asked = {name for source in exercises for name in bound(source)}
    checks = []
    for source in rest:
        if head := is_check(source):
            used = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
            checks.append(Check(head[1], float(head[2]), source, tuple(sorted(used & asked))))
    names = [check.name for check in checks]
    if not names or len(set(names)) < len(names):
        raise ValueError("a lab needs checks, each with a name of its own")
    stubs = {tidy(handed_out(source)): bound(source) for source in exercises}
    given = tuple(source for source in rest if not is_check(source) and bound(source))
    title = next((line.lstrip("# ") for line in "\n".join(prose).splitlines() if line.startswith("# ")), "")
    shown = frozenset(tidy(handed_out(source)) for source in rest)
    texts = frozenset(rubric.squeezed(rubric.text_handed_out(source)) for source in prose)
    return Lab(title, given, shown, stubs, tuple(checks), rubric.read_rubrics(prose), texts)


def cells_to_run(lab: Lab, cells: list[str]) -> list[tuple[int, str]]:
    """Of a student's code cells those that may hold an answer, as Python, with their numbers from 1.

    Left out: what the lab gave (it runs before), checks, and a stub of which the student has written another version.
    """
    both = list(zip(cells, as_python(cells), strict=True))
    answered = {name for source, python in both if tidy(source) not in lab.stubs for name in bound(python)}
    chosen = []
    for number, (source, python) in enumerate(both, 1):
        text = tidy(source)
        stub = lab.stubs.get(text)
        only_checks = source.lstrip().startswith("# CHECK") and not set(bound(python)) & asked_names(lab)
        if text and text not in lab.shown and not only_checks and not (stub and answered.issuperset(stub)):
            chosen.append((number, python))
    return chosen


def given_cells_needed(lab: Lab, cells: list[tuple[int, str]]) -> list[str]:
    """Of the given cells those whose names these cells use, directly or through one another.

    Most answers use imports only, and need not wait for data and models that the lab loads for its pictures.
    """
    wanted = [_used(source) for _, source in cells]
    if None in wanted:  # not Python as it stands: it may use anything
        return list(lab.given)
    names, chosen = set().union(*wanted), []
    for source in reversed(lab.given):
        if names & set(bound(source)):
            chosen.append(source)
            names |= _used(source)
    return chosen[::-1]


@cache
def modules_imported(cells: tuple[str, ...]) -> tuple[str, ...]:
    """The modules that these cells may import, and names that may be modules."""
    names = {}
    for node in ast.walk(ast.parse("\n".join(cells))):
        if isinstance(node, ast.Import):
            names |= dict.fromkeys(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= dict.fromkeys([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)])
    return tuple(names)


def _used(source: str) -> set[str] | None:
    """The global names that a cell refers to, also inside its functions; None if it is not Python."""
    try:
        tables = [symtable.symtable(source, "cell", "exec")]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    names = set()
    for table in tables:
        tables += table.get_children()
        top = table.get_type() == "module"
        symbols = (symbol for symbol in table.get_symbols() if symbol.is_referenced())
        names |= {symbol.get_name() for symbol in symbols if top or symbol.is_global()}
    return names


def asked_names(lab: Lab) -> set[str]:
    return {name for names in lab.stubs.values() for name in names}
