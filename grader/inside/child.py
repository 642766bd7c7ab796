"""What runs inside the sandbox: the student's cells in one namespace, and calls of what they defined.

`python -m grader.inside.child READ WRITE LIMITS` answers each request from file descriptor READ on WRITE.
It shares its process with the student's code, so the teacher's side trusts its replies no more than that code.
"""

import ast
import builtins
import contextlib
import gc
import importlib
import json
import linecache
import os
import resource
import sys
import traceback

MOST_KEPT = 1000  # values of one submission that stay here


def take_limits(limits: dict) -> None:
    """Set the limits of this process; as root, become another user. Called before any of the student's code runs."""
    if limits.get("user"):
        os.setgroups([])
        os.setgid(limits["user"])
        os.setuid(limits["user"])
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


def serve(read: int, write: int) -> None:
    gc.disable()  # a tenth of the time that imports take: there is no garbage yet
    import torch
    from torch import nn

    import utils
    from grader.inside import wire

    utils.plots, utils.widgets = LazyModule("utils.plots"), LazyModule("utils.widgets")
    torch.set_num_threads(1)
    gc.freeze()
    gc.enable()
    namespace = {"__name__": "__main__", "__builtins__": builtins, "display": lambda *args, **kwargs: None}
    kept: list[object] = []

    def keep(value: object) -> dict:
        """What stays here, as a number by which the teacher's side can call it."""
        if len(kept) >= MOST_KEPT:
            raise wire.Garbled("too many values that cannot be sent")
        kept.append(value)
        kind = "module" if isinstance(value, nn.Module) else "function" if callable(value) else "object"
        return {"handle": [len(kept) - 1, kind, type(value).__name__]}

    def restore(kind: str, details: object) -> object:
        return kept[details] if kind == "handle" else wire.rebuild(kind, details)

    def answer(request: dict) -> object:
        do = request["do"]
        if do == "start":
            return None  # all that is slow has been imported
        if do == "run":
            return run_cell(request["source"], request["name"], namespace)
        if do == "get":
            return {"value": namespace[request["name"]]} if request["name"] in namespace else {}
        from utils.expect import snapshot

        args, kwargs = request["args"], request["kwargs"]
        before = [snapshot(value) for value in args]
        torch.manual_seed(request["seed"])
        value = kept[request["handle"]](*args, **kwargs)
        return {"value": value, "changed": [snapshot(value) for value in args] != before}

    while True:
        header, body = wire.receive(read)
        request = wire.unpack(header, body, restore)
        try:
            reply = wire.pack({"id": request["id"], "ok": answer(request)}, keep)
        except BaseException as problem:  # SystemExit and KeyboardInterrupt of the student's are answers too
            reply = wire.pack({"id": request["id"], **error_reply(problem)})
        sys.stdout.flush()
        wire.send(write, reply)


def run_cell(source: str, name: str, namespace: dict) -> None:
    """Run one cell. Its lines are kept, so that a stack trace can show them."""
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    exec(compile(without_magics(source), name, "exec"), namespace)


def without_magics(source: str) -> str:
    """A cell without IPython's own syntax: magics, shell commands and questions do nothing here."""
    try:
        ast.parse(source)
    except SyntaxError:
        lines = source.splitlines()
        for i, line in enumerate(lines):
            text = line.strip()
            if text.startswith(("%", "!", "?")) or text.endswith("?"):
                lines[i] = line[: len(line) - len(line.lstrip())] + "pass"
        return "\n".join(lines)
    return source


def error_reply(problem: BaseException) -> dict:
    """An exception in words: its type, its message, and the student's line that it came from."""
    try:
        steps = traceback.extract_tb(problem.__traceback__)
        own = [step for step in steps if step.filename.startswith("cell ")]
        where = f"{own[-1].filename}, line {own[-1].lineno}: {own[-1].line}" if own else ""
        message = str(problem)
        if isinstance(problem, SyntaxError):
            message = f"{problem.msg} (line {problem.lineno})"
    except BaseException:  # an exception may be the student's own class
        message, where = "", ""
    return {"error": type(problem).__name__[:100], "message": message[:1000], "where": where[:300]}


class NoShell:
    """Stands in for IPython's shell: every attribute and every call gives this object again, and nothing happens."""

    def __getattr__(self, name):
        return self

    def __call__(self, *args, **kwargs):
        return self


if __name__ == "__main__":
    ends, limits = [int(end) for end in sys.argv[1:3]], json.loads(sys.argv[3])
    sys.argv[1:] = []
    take_limits(limits)
    builtins.get_ipython = NoShell()
    serve(*ends)
