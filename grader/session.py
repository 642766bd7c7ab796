"""A student's answers. They come from a child. When it ends, another one runs the cells again, so that one bad
exercise costs only its own points.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat

import numpy as np
import torch
from torch import nn

from grader.inside import wire
from grader.lab import bound
from grader.oracle import Oracle
from grader.result import text_for_file
from grader.sandbox import LIMITS, Child, Ended, bubblewrap, pristine
from utils.expect import short

MOST_ASKED = 1_000_000  # images that a call may ask of a check's own model
MOST_ENDING = 4  # cells that may end a child; each is left out in the next child
FEW = 4  # numbers of an argument that a message shows one by one


class Raised(Exception):
    """The student's function raised, or could not be asked; in words for the student.

    error  the type and message of what it raised, without its line and arguments; else ""
    """

    def __init__(self, words: str, error: str = ""):
        super().__init__(words)
        self.error = error


class LabError(Exception):
    """A mistake of the lab or of the machine, not of the student."""


class Session:
    """The student's notebook, running or able to run.

    given, cells   sources that come first, and the student's as (number, source)
    modules        what these sources may import, for children to have at once
    seeds          of torch's random numbers, one for each call in turn: draws that are the same in two calls say that a
                   function seeds itself
    oracle         of a challenge: what answers questions during a call; as an argument it is a hidden model there
    problems       {cell's number: what went wrong}; a problem of a cell costs nothing by itself
    isolation      what keeps the children apart from all else, by name
    """

    def __init__(
        self,
        given: Sequence[str],
        cells: Sequence[tuple[int, str]],
        limits: dict = LIMITS,
        modules: tuple[str, ...] = (),
    ):
        self.given, self.cells, self.limits, self.modules = given, cells, limits, modules
        self.child: Child | None = None
        self.life = 0
        self.seeds: Iterator[int] = repeat(0)
        self.oracle: Callable[[object], dict] | None = None
        self.models: list[Oracle] = []  # of this call: models of a class that a check has made
        self.problems: dict[int, str] = {}
        self.ending: set[int] = set()  # cells that end their child
        self.isolation: list[str] = []
        self.output = ""
        self.given_up = ""
        self.deadline = time.monotonic() + limits["all"]
        self.used_up = f"the notebook has used up its {limits['all']:.0f} s"

    def seconds(self, kind: str) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            self.given_up = self.used_up
            raise Raised(self.given_up)
        return min(self.limits[kind], left)

    def _why(self, end: Ended) -> str:
        """Why a child has ended. Where no time is left for anything, what ran last need not have been slow."""
        return str(end) if time.monotonic() < self.deadline else f"was stopped: {self.used_up}"

    def close(self) -> None:
        if self.child:
            self.child.kill()
            self._lost()

    def _lost(self) -> None:
        self.output = (self.output + self.child.output.decode(errors="replace"))[: self.limits["output"]]
        self.child = None

    def alive(self) -> Child:
        """A child that has run the cells. Raises `Raised` where there can be none."""
        while not self.child:
            if self.given_up:
                raise Raised(self.given_up)
            if self.life >= MOST_ENDING + 20 or len(self.ending) >= MOST_ENDING:
                self.given_up = "too many cells ended the notebook"
                raise Raised(self.given_up)
            self._start()
        return self.child

    def _start(self) -> None:
        self.seconds(
            "start"
        )  # raises if all is used up; else a start has its full time, which is no fault of the cells
        seconds = self.limits["start"]
        self.life += 1
        self.child = Child(self.limits, pristine(self.modules))
        try:
            reply = self.child.ask({"do": "start", "watched": self.oracle is not None}, seconds)
            self.isolation = [*(["bubblewrap"] if bubblewrap() else []), *reply["ok"]["walls"]] or ["limits only"]
            for source in self.given:
                reply = self.child.ask(run_request(source, "given"), seconds)
                if "error" in reply or missed(reply):
                    raise LabError(f"the lab's own cell fails in the sandbox: {reply}\n{source}")
        except Ended as end:
            self._lost()
            raise LabError(f"the sandbox does not start: {end}\n{self.output}") from None
        lacked, names = set(), set()
        for number, source in self.cells:
            if number not in self.ending and self._cell(number, source) == "NameError":
                lacked.add(number)
            if not self.child:
                return
        for number, source in self.cells:  # may have been moved: what these cells lacked may be there by now
            binds = set(bound(source))
            if number in lacked or (number not in self.ending and names & binds):  # the last definition still wins
                names |= binds
                self._cell(number, source)
            if not self.child:
                return

    def _cell(self, number: int, source: str) -> str:
        """Run a cell; the type of its error, if any."""
        self.problems.pop(number, None)
        try:
            reply = self.child.ask(run_request(source, f"cell {number}"), self.seconds("cell"))
        except Ended as end:
            self.ending.add(number)
            self.problems[number] = f"cell {number} {self._why(end)}"
            self._lost()
            return ""
        if "error" in reply:
            self.problems[number] = f"cell {number} raised {error_in_words(reply)}"
        elif lines := missed(reply):
            self.problems[number] = f"cell {number}, {'; '.join(lines)}"
        return str(reply.get("error", ""))

    def get(self, name: str) -> dict:
        """{"value": …} if the notebook has the name, else {}. A function's value is a `Function`."""
        reply = self._ask({"do": "get", "name": name}, name)
        found = reply.get("ok")
        if not isinstance(found, dict) or "value" not in found:
            return {}
        value = found["value"]
        return {"value": Function(self, name) if isinstance(value, Function) else value}

    def call(self, function: "Function", args: tuple, kwargs: dict, slope: bool = False) -> object:
        request = {"do": "call", "args": list(args), "kwargs": kwargs, "seed": next(self.seeds), "slope": slope}
        request["watched"] = self.oracle is not None
        self.models.clear()
        reply = self._ask(request, function.name, function)
        if "error" in reply:
            error = error_in_words({part: reply[part] for part in ("error", "message") if part in reply})
            raise Raised(f"{function.name} raised {error_in_words(reply)}{called_with(args, kwargs)}", error)
        found = reply["ok"] if isinstance(reply["ok"], dict) else {}
        function.changed = found.get("changed") is not False
        return found.get("value")

    def _ask(self, request: dict, name: str, function: "Function | None" = None) -> dict:
        """Ask the child; if it went by itself, ask once more, for another exercise may have left that behind."""
        for again in (True, False):
            child = self.alive()
            try:
                if function:
                    request["handle"] = self._number(function)
                    for value in (*request["args"], *request["kwargs"].values()):
                        if isinstance(value, Function):
                            self._number(value)
                return child.ask(
                    request, self.seconds("call"), down=self._down, up=self._up, oracle=self.oracle or self._told
                )
            except TypeError as problem:  # an argument that cannot be sent: a mistake of the check
                raise LabError(f"{name}: {problem}") from problem
            except Ended as end:
                self._lost()
                if not (end.alone and again):
                    raise Raised(f"{name} {self._why(end)}") from None

    def _number(self, function: "Function") -> int:
        """Where the child keeps a function. Another child keeps those that have a name of their own elsewhere."""
        if function.life != self.life:
            if function.number is not None and not function.named:
                raise Raised(f"{function.name} is gone: its process has ended")
            reply = self.child.ask({"do": "get", "name": function.name}, self.seconds("call"), up=self._up)
            found = reply.get("ok")
            value = found.get("value") if isinstance(found, dict) else None
            if not isinstance(value, Function):
                raise Raised(f"{function.name} is no function")
            function.life, function.number = self.life, value.number
        return function.number

    def _down(self, value: object) -> dict:
        if self.oracle is not None and value is self.oracle:
            return {"hidden": [self.oracle.left, 0]}
        if isinstance(value, nn.Module):
            return self._module_down(value)
        if not isinstance(value, Function):
            return wire.describe(value)
        if value.life != self.life:
            raise TypeError("a student's function can be an argument, but not be inside of one")
        return {"handle": value.number}

    def _module_down(self, model: nn.Module) -> dict:
        """A copy of the model goes down; but one of a class that a check has made stays here, and is asked."""
        try:
            return wire.describe(model)
        except TypeError:
            number = next((i for i, other in enumerate(self.models) if other.model is model), len(self.models))
            if number == len(self.models):
                self.models.append(Oracle(model, None, MOST_ASKED, int(torch.randint(2**31, ()))))
            return {"hidden": [self.models[number].left, number]}

    def _told(self, question: object) -> dict:
        """What a model of a check answers. A hostile child may have asked anything, of any model."""
        number = question.get("model") if isinstance(question, dict) else None
        if type(number) is not int or not 0 <= number < len(self.models):
            raise wire.Garbled("a question to no model")
        try:
            return self.models[number](question)
        except Exception as problem:  # as the model itself would raise it there
            return self.models[number].refused(text_for_file(problem, 300))

    def _up(self, kind: str, details: object) -> object:
        if kind != "handle" or not (isinstance(details, list) and len(details) == 3 and type(details[0]) is int):
            raise wire.Garbled("an unknown kind of value")
        number, what, name = details
        if what == "object":
            return StaysInChild(str(name)[:100])
        function = Function(self, f"the {str(what)[:20]}", named=False)
        function.number, function.life = number, self.life
        return function


class Function:
    """Stands in for a student's function: a call is sent down, its answer comes up as plain values.

    changed   whether the last call changed its arguments, as the child says
    """

    def __init__(self, session: Session, name: str, named: bool = True):
        self.session, self.name, self.named = session, name, named
        self.number: int | None = None
        self.life, self.changed = -1, False

    def __call__(self, *args, **kwargs):
        return self.session.call(self, args, kwargs)

    def slope(self, *args, **kwargs):
        """What `expect.slope` finds in the child: no gradient can come up through plain values."""
        return self.session.call(self, args, kwargs, slope=True)

    def __repr__(self):
        return f"<{self.name}>"


class StaysInChild:
    """Stands for a value of the student's that cannot be sent and stays in the child."""

    def __init__(self, kind: str):
        self.kind = kind

    def __repr__(self):
        return f"<{self.kind}: no plain value>"


def run_request(source: str, name: str) -> dict:
    return {"do": "run", "source": source, "name": name}


def missed(reply: dict) -> list[str]:
    """The statements of a cell that could not run in the sandbox, in words. A hostile child may have sent any value."""
    told = reply["ok"].get("missed") if isinstance(reply.get("ok"), dict) else None
    return [text_for_file(line)[:300] for line in told[:10]] if isinstance(told, list) else []


def error_in_words(reply: dict) -> str:
    """The error that a child reports, in words. A hostile child may have put any value in place of a text."""
    told = (reply.get(part, "") for part in ("error", "message", "where"))
    kind, message, where = (text_for_file(value)[:1000] for value in told)
    return kind + (f": {message}" if message else "") + (f" ({where})" if where else "")


def called_with(args: tuple, kwargs: dict) -> str:
    """The arguments of a call, in words: a function may fail on an input that the student has never tried."""
    told = [*map(argument_in_words, args), *(f"{name} = {argument_in_words(value)}" for name, value in kwargs.items())]
    return f", when it was called with {', '.join(told)}" if told else ""


def argument_in_words(value: object) -> str:
    """An argument in a few words: numbers and texts as they are, and of what is large only the kind and the size."""
    if isinstance(value, (torch.Tensor, np.ndarray)) and math.prod(value.shape) > FEW:
        return f"an array of shape {tuple(value.shape)}"
    if isinstance(value, (nn.Module, Oracle)):
        return "a network"
    if callable(value):
        return "a function"
    if isinstance(value, (list, tuple)) and len(value) <= FEW:
        return f"[{', '.join(map(argument_in_words, value))}]"
    if isinstance(value, (list, tuple, dict)):
        return f"a {type(value).__name__} of {len(value)}"
    return short(value, 60)
