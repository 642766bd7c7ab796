"""What a team hands in, and what a judge says of it: plain data, so that a record can hold both."""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import ClassVar, NamedTuple, TypedDict

from torch import Tensor

from grader.inside import wire
from grader.inside.hidden import HiddenModel
from grader.ipython import as_python
from grader.notebook import Unreadable, read_cells
from grader.sandbox import LIMITS
from grader.session import Raised, Session
from utils.guard import own_numbers
from utils.rate import Rate, RateWithin

SECONDS = {"cell": 10, "call": 5, "all": 90, "cpu": 90}  # of an entry: a cell, a call, everything
MOST_WEIGHTS = 20_000_000  # bytes


# What entries import. What torch itself loads at the first step of an optimizer takes a second and 150 MB.
MODULES = (
    "torch._dynamo",
    "utils.attacks",
    "utils.data",
    "utils.models",
    "utils.training",
    "utils.leakage",
    "utils.monitoring",
)


class Entry(TypedDict):
    """cells: the code cells of a notebook, as Python; weights: a safetensors file, in base64, or "". One is empty."""

    cells: list[str]
    weights: str


class Judgement(TypedDict):
    """What one judging of an entry found.

    score      [k, n, low, high]: a rate and its 95 % interval
    shown      further columns of the board
    against    why it does not count, sentences; empty if it does
    problems   what went wrong in it, sentences for the team
    digest     of all that it answered: the same when it is judged again
    isolation  what kept its code apart, by name; empty if it has none
    """

    score: list[float]
    shown: dict[str, str]
    against: list[str]
    problems: list[str]
    digest: str
    isolation: list[str]


class Challenge(NamedTuple):
    """A challenge as data; one module has one.

    name     as on the command line; title: as on the board
    score    what the score is, in words; lower: whether less of it is better
    takes    how the file of an entry ends
    hide     hide(seed) -> what the challenge hides, as tensors: trained once, kept beside the board
    judge    judge(entry, hidden, seed) -> Judgement
    ours     ours() -> our own entries by name: what a team should beat
    """

    name: str
    title: str
    score: str
    lower: bool
    takes: str
    hide: Callable[[int], dict[str, Tensor]]
    judge: Callable[[Entry, dict[str, Tensor], int], Judgement]
    ours: Callable[[], dict[str, Entry]]


def entry_of(content: bytes, takes: str) -> Entry:
    """The entry in a file. Raises `Unreadable`."""
    if takes == ".safetensors":
        if len(content) > MOST_WEIGHTS:
            raise Unreadable(f"the weights are larger than {MOST_WEIGHTS // 1_000_000} MB")
        return {"cells": [], "weights": base64.b64encode(content).decode()}
    return code_entry(*as_python([cell["source"] for cell in read_cells(content).cells if cell["kind"] == "code"]))


def code_entry(*cells: str) -> Entry:
    return {"cells": list(cells), "weights": ""}


def digest_of(value: object) -> str:
    """A hash of plain data and tensors, whatever a hostile child has put into them."""

    def plain(part):
        if isinstance(part, Tensor):
            return [str(part.dtype), list(part.shape), hashlib.sha256(part.detach().contiguous().numpy()).hexdigest()]
        if isinstance(part, dict):
            return sorted(([repr(key), plain(item)] for key, item in part.items()), key=lambda pair: pair[0])
        return [plain(item) for item in part] if isinstance(part, (list, tuple)) else repr(part)

    return hashlib.sha256(json.dumps(plain(value)).encode(errors="replace")).hexdigest()[:16]


def score_of(rate: Rate) -> list[float]:
    return [rate.k, rate.n, *rate.interval]


def rate_of(score: Sequence[float]) -> Rate:
    """The rate of a judgement's score."""
    k, n, low, high = score
    return RateWithin(int(k), int(n), low, high)


class Played:
    """An entry's notebook in the sandbox, whose function may be called, each call with an oracle of its own.

    Used in a `with`; then `problems` and `isolation` say what there was to say. `answer` returns None where the
    function is missing, raised, or took too long.
    """

    def __init__(self, entry: Entry, seed: int, call: float = SECONDS["call"]):
        """call: seconds that one may take"""
        numbered = list(enumerate(entry["cells"], 1))
        self.session = Session([], numbered, LIMITS | SECONDS | {"call": call}, MODULES)
        self.session.seeds, self.problems = repeat(seed), []

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.session.close()

    @property
    def isolation(self) -> list[str]:
        return self.session.isolation

    def answer(self, name: str, oracle, *args, **kwargs) -> object:
        """What the function of that name returns. An argument that is the oracle becomes the hidden model there."""
        self.session.oracle = oracle
        try:
            found = self.session.get(name).get("value")
            if found is None:
                first = next(iter(self.session.problems.values()), "")
                raise Raised(f"{name} is not defined" + f" ({first})" * bool(first))
            if not callable(found):
                raise Raised(f"{name} is no function")
            return found(*args, **kwargs)
        except Raised as problem:
            if str(problem) not in self.problems:
                self.problems.append(str(problem))
            return None


class Here:
    """The same for a function in this process, without a sandbox or limits: a rehearsal of its own author's."""

    isolation: ClassVar[list[str]] = []

    def __init__(self, function: Callable, seed: int):
        self.function, self.seed, self.problems = function, seed, []

    def __enter__(self):
        return self

    def __exit__(self, *why):
        return None

    def answer(self, name: str, oracle, *args, **kwargs) -> object:
        """What the function returns, as it would come out of the sandbox, or None if it raised."""
        model = HiddenModel(oracle, oracle.left)
        try:
            with own_numbers([], self.seed, None):
                return wire.carried(self.function(*(model if arg is oracle else arg for arg in args), **kwargs))
        except Exception as problem:
            self.problems.append(f"{name} raised {type(problem).__name__}: {problem}")
            return None


def play(entry: Entry | Callable, seed: int, call: float = SECONDS["call"]) -> Played | Here:
    """An entry in the sandbox; or a function here, for a rehearsal. call: seconds that a call may take"""
    return Here(entry, seed) if callable(entry) else Played(entry, seed, call)
