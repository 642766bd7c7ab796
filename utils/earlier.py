"""After a restart: where a name comes from that the kernel no longer knows. It needs nothing but IPython's kernel.

`utils` looks after the notebook that imports it. A NameError is shown as ever; if a cell further up in the course's
notebook makes that name, a line below the error names its section. A name that no cell makes is the learner's own
mistake, and nothing is added.
"""

import ast
import json
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def look_after() -> None:
    """Begin, if this is a notebook of the course."""
    shell = shell_of_notebook()
    if shell and (ROOT / "notebooks").is_dir():
        shell.events.register("post_run_cell", lambda result: advise(shell, result))


def shell_of_notebook():
    """The IPython shell of this notebook's kernel; None where there is no kernel."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell if hasattr(shell, "kernel") else None


def advise(shell, result) -> None:
    """Print where a name is made that a cell did not find."""
    error = result.error_in_exec
    if isinstance(error, NameError) and error.name and error.name not in shell.user_ns:
        ran = [source for _, _, source in shell.history_manager.get_range()]
        if section := section_of(error.name, result.info.raw_cell, ran):
            print(
                f"{error.name!r} is made further up, in the section {section!r}. After a restart, run the cells above "
                'first: in the menu, Run > "Run All Above Selected Cell" (on Colab: Runtime > "Run before").'
            )


def section_of(name: str, cell: str, ran: list[str]) -> str:
    """The heading above the last cell before this one that makes the name, "" if there is none.

    cell, ran  the cell's source, and those of this session: they tell which notebook it is, unless the server says so
    """
    folders = ("notebooks", "labs", "solutions")
    here = Path(os.environ.get("JPY_SESSION_NAME", "")).name
    notebooks = [file for folder in folders for file in sorted((ROOT / folder).glob(here or "*.ipynb"))]
    read = [json.loads(file.read_text(encoding="utf-8"))["cells"] for file in notebooks]
    sources = [[(one["cell_type"], "".join(one["source"])) for one in cells] for cells in read]
    alike = [sum(("code", source) in cells for source in [cell, *ran]) for cells in sources]
    of = sources[alike.index(max(alike))] if alike and (max(alike) or here) else []
    heading, found = "", ""
    for kind, source in of:
        if kind == "markdown":
            heading = (re.findall(r"^#+ (.+)", source, re.MULTILINE) or [heading])[-1]
        elif source == cell:
            break
        elif name in made_by(source):
            found = heading
    return found


def made_by(source: str) -> set[str]:
    """The names that a cell makes for others: those it assigns, defines or imports."""
    try:
        body = ast.parse(source).body
    except SyntaxError:  # IPython's own, such as `!pip`
        return set()
    names, look_at = set(), list(body)
    while look_at:
        node = look_at.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)  # what happens inside stays inside
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif not isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            look_at += ast.iter_child_nodes(node)
    return names
