"""What runs inside the sandbox: the student's cells in one namespace, and calls of what they defined.

`python -m grader.inside.child READ WRITE TOLD` answers each request from file descriptor READ on WRITE; `pristine` has
the same by a fork. It shares its process with the student's code, so the teacher's side trusts its replies no more than
that code.
"""

import __future__

import ast
import asyncio
import builtins
import contextlib
import gc
import importlib
import inspect
import json
import linecache
import os
import random
import resource
import sys
import traceback

from grader.inside import walls

MOST_KEPT = 1000  # values of one submission that stay here
MOST_MISSED = 10  # statements of a cell that are named because they could not run here
FUTURES = sum(getattr(__future__, name).compiler_flag for name in set(__future__.all_feature_names) - {"nested_scopes"})


def become(user: int) -> None:
    """As root: become another user, who has no name and no groups."""
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)


def take_limits(limits: dict) -> None:
    """Set the limits of this process, before any of the student's code runs."""
    for kind, value in limits["resources"].items():
        if kind == "NPROC" and not limits["alone"]:  # the user's other processes count as well
            value += sum(len(os.listdir(f"/proc/{name}/task")) for name in own_processes())
        number = getattr(resource, f"RLIMIT_{kind}")
        hard = resource.getrlimit(number)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(OSError, ValueError):  # not every system knows every limit
            resource.setrlimit(number, (value, value))


def own_processes() -> list[str]:
    """The user's processes, as /proc has them; none where there is no /proc."""
    names = [name for name in os.listdir("/proc") if name.isdigit()] if os.path.isdir("/proc") else []
    return [
        name for name in names if os.path.exists(f"/proc/{name}") and os.stat(f"/proc/{name}").st_uid == os.getuid()
    ]


class LazyModule:
    """A module of `utils` that is imported when something of it is used: few answers draw, matplotlib takes seconds."""

    def __init__(self, name: str):
        self.__name = name

    def __getattr__(self, name):
        return getattr(importlib.import_module(self.__name), name)


def imports(*modules: str) -> None:
    """All that is slow, before the first request; and modules that cells are expected to import."""
    gc.disable()  # a tenth of the time that imports take: there is no garbage yet
    import torch

    import utils
    from grader.inside import hidden, wire  # noqa: F401

    for name in modules:
        with contextlib.suppress(Exception):  # a cell that imports it will be told why it cannot be
            importlib.import_module(name)
    utils.plots, utils.widgets = LazyModule("utils.plots"), LazyModule("utils.widgets")
    torch.set_num_threads(1)
    gc.freeze()
    gc.enable()


def serve(read: int, write: int, told: dict) -> None:
    """Answer requests until the grader has ended.

    told  what the grader wants of this process: its limits, and the arguments of `walls.build`, if it shall
    """
    import numpy as np
    import torch
    from torch import nn

    from grader.inside import wire
    from grader.inside.hidden import HiddenModel, Reaching

    take_limits(told)
    stand = walls.build(**told["walls"]) if told["walls"] else []
    builtins.get_ipython = NoShell()
    namespace = {"__name__": "__main__", "__builtins__": builtins, "display": lambda *args, **kwargs: None}
    state = {"flags": ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, "lost": set(), "loop": None}
    sys.path.append("")  # so that a cell can import what a cell has written
    kept: list[object] = []
    watch = Reaching()

    def keep(value: object) -> dict:
        """What stays here, as a number by which the teacher's side can call it."""
        if len(kept) >= MOST_KEPT:
            raise wire.Garbled("too many values that cannot be sent")
        kept.append(value)
        kind = "module" if isinstance(value, nn.Module) else "function" if callable(value) else "object"
        return {"handle": [len(kept) - 1, kind, type(value).__name__]}

    def restore(kind: str, details: object) -> object:
        if kind == "hidden":
            return HiddenModel(ask, *details)
        return kept[details] if kind == "handle" else wire.rebuild(kind, details)

    def ask(question: dict) -> dict:
        """The grader's reply to a question of a challenge, in the middle of a call."""
        wire.send(write, wire.pack({"asks": question}))
        return wire.unpack(*wire.receive(read))

    def answer(request: dict) -> object:
        do = request["do"]
        if do == "start":
            if request.get("watched"):
                watch.install()
            return {"walls": stand}  # and all that is slow has been imported
        if do == "run":
            return {"missed": run_cell(request["source"], request["name"], namespace, state)}
        if do == "get":
            return {"value": namespace[request["name"]]} if request["name"] in namespace else {}
        from utils.expect import slope, snapshot

        args, kwargs, function = request["args"], request["kwargs"], kept[request["handle"]]
        before = snapshot([args, kwargs])
        torch.manual_seed(request["seed"])
        if request.get("watched"):  # an entry of a challenge, which is judged twice with the same seed
            random.seed(request["seed"])
            np.random.seed(request["seed"])
            watch.begin(ask, (told["walls"] or {}).get("readable", []))
        try:
            value = slope(function, *args, **kwargs) if request.get("slope") else function(*args, **kwargs)
        finally:
            watch.end()
        return {"value": value, "changed": snapshot([args, kwargs]) != before}

    while True:
        header, body = wire.receive(read)
        request = wire.unpack(header, body, restore)
        try:
            reply = wire.pack({"id": request["id"], "ok": answer(request)}, keep)
        except BaseException as problem:  # SystemExit and KeyboardInterrupt of the student's are answers too
            reply = wire.pack({"id": request["id"], **error_reply(problem)})
        sys.stdout.flush()
        wire.send(write, reply)


def run_cell(source: str, name: str, namespace: dict, state: dict) -> list[str]:
    """Run one cell, statement by statement, and say which could not run here. Its lines are kept for stack traces.

    A statement that needs what the sandbox does not have (a package, an answer to `input`, a file, the network, a GPU,
    a magic's value) costs itself and those that use its names. After any other error the rest of the cell does not
    run, as in Jupyter.

    state  what goes on from cell to cell: the compiler's flags, names that such statements would have bound, the loop
    """
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    tree, missed = ast.parse(source, name), []
    compile(tree, name, "exec", state["flags"], dont_inherit=True)  # a cell that is wrong as a whole does not begin
    for statement in one_import_each(tree.body):
        try:
            if is_magics_value(statement):
                raise EOFError("a magic has no value here")
            run_statement(statement, name, namespace, state)
        except BaseException as problem:
            if not is_absent(problem, statement, state["lost"]):
                raise
            told = error_reply(problem)
            missed.append(f"line {statement.lineno} could not run here: {told['error']}: {told['message']}"[:300])
            bind_package(statement, namespace)
            state["lost"] |= names_of(statement) - namespace.keys()
        else:
            state["lost"] -= names_of(statement) if state["lost"] else set()
    return missed[:MOST_MISSED]


def run_statement(statement: ast.stmt, name: str, namespace: dict, state: dict) -> None:
    code = compile(ast.Module([statement], []), name, "exec", state["flags"], dont_inherit=True)
    state["flags"] |= code.co_flags & FUTURES
    made = eval(code, namespace)
    if code.co_flags & inspect.CO_COROUTINE:  # it awaits
        if not state["loop"]:
            state["loop"] = asyncio.new_event_loop()
            asyncio.set_event_loop(state["loop"])
        state["loop"].run_until_complete(made)
    if isinstance(statement, (ast.Import, ast.ImportFrom)) and "IPython" in sys.modules:  # IPython's own says None here
        for module in ("IPython", "IPython.core.getipython"):
            sys.modules[module].get_ipython = builtins.get_ipython
        if "get_ipython" in names_of(statement):
            namespace["get_ipython"] = builtins.get_ipython


def one_import_each(statements: list[ast.stmt]) -> list[ast.stmt]:
    """The statements, with one for each name that is imported: one may be missing, and the others not."""
    made = []
    for statement in statements:
        if isinstance(statement, ast.Import):
            made += [ast.copy_location(ast.Import([alias]), statement) for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            about = statement.module, statement.level
            parts = [ast.ImportFrom(about[0], [alias], about[1]) for alias in statement.names]
            made += [ast.copy_location(part, statement) for part in parts]
        else:
            made.append(statement)
    return made


def is_magics_value(statement: ast.stmt) -> bool:
    """Whether a statement is IPython's for `x = !command` or `t = %timeit -o f()`."""
    call = getattr(statement, "value", None)
    method = call.func if isinstance(call, ast.Call) and isinstance(statement, (ast.Assign, ast.AnnAssign)) else None
    if not isinstance(method, ast.Attribute) or method.attr not in ("getoutput", "run_line_magic"):
        return False
    shell = method.value.func if isinstance(method.value, ast.Call) else None
    return isinstance(shell, ast.Name) and shell.id == "get_ipython"


def is_absent(problem: BaseException, statement: ast.stmt, lost: set[str]) -> bool:
    """Whether a statement failed because the sandbox lacks what it needs, which is no mistake of the student's."""
    if isinstance(statement, (ast.Import, ast.ImportFrom)) and isinstance(problem, Exception):
        return True
    if isinstance(problem, NameError):
        return problem.name in lost or "*" in lost
    if type(problem) in (RuntimeError, AssertionError):
        return any(device in str(problem) for device in ("CUDA", "NVIDIA", "mps devices"))
    return isinstance(problem, (ImportError, EOFError, OSError))


def bind_package(statement: ast.stmt, namespace: dict) -> None:
    """`import torch.no_such_part` has failed: torch itself is there."""
    if isinstance(statement, ast.Import) and not statement.names[0].asname:
        package = statement.names[0].name.partition(".")[0]
        with contextlib.suppress(Exception):
            namespace[package] = importlib.import_module(package)


def names_of(statement: ast.stmt) -> set[str]:
    """The names that a statement may bind."""
    names = set()
    for node in ast.walk(statement):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def error_reply(problem: BaseException) -> dict:
    """An exception in words: its type, its message, and the student's line that it came from."""
    try:
        steps = traceback.extract_tb(problem.__traceback__)
        own = [step for step in steps if step.filename.startswith("cell ")]
        where = f"{own[-1].filename}, line {own[-1].lineno}: {own[-1].line}" if own else ""
        message = str(problem)
        if isinstance(problem, SyntaxError):
            python = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
            message = f"{problem.msg} (line {problem.lineno}, read by {python})"
    except BaseException:  # an exception may be the student's own class
        message, where = "", ""
    return {"error": type(problem).__name__[:100], "message": message[:1000], "where": where[:300]}


class NoShell:
    """Stands in for IPython's shell: attributes and calls give this object again, and nothing happens. Only a file that
    a cell writes is there for the next one.
    """

    def __getattr__(self, name):
        return self

    def __call__(self, *args, **kwargs):
        return self

    def run_cell_magic(self, name, line, cell):
        if name in ("writefile", "file"):
            with open(line.split()[-1], "a" if "-a" in line.split() else "w") as file:
                file.write(cell)
            importlib.invalidate_caches()


def run_child() -> None:
    read, write, told = *map(int, sys.argv[1:3]), json.loads(sys.argv[3])
    sys.argv[1:] = []
    if told["user"]:
        become(told["user"])
    imports()
    serve(read, write, told)


if __name__ == "__main__":
    run_child()
