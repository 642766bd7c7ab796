"""How far an audit has come, and how long it will take at most: measured in inputs that the model is asked about."""

import time
from collections.abc import Callable
from typing import NamedTuple

Watch = Callable[[str, float, float], None]


class Pace(NamedTuple):
    """enter(stage) begins a stage, count(inputs) hears of work in it, seconds() is what each has taken so far."""

    enter: Callable[[str], None]
    count: Callable[[int], None]
    seconds: Callable[[], dict[str, float]]


def pacer(work: dict[str, int], watch: Watch | None = None) -> Pace:
    """A pace for stages in their order, {stage: inputs that it will ask about at most}.

    `watch(stage, share done, seconds left at most)` is called at the beginning of each stage that has work, and
    several times a second. Plain functions, so that a module that holds one can be copied.
    """
    begun: dict[str, float] = {}
    asked = dict.fromkeys(work, 0)
    last = 0.0

    def left() -> float:
        now = list(begun)[-1]
        later = list(work)[list(work).index(now) + 1 :]
        return max(work[now] - asked[now], 0) + sum(work[stage] for stage in later)

    def tell() -> None:
        nonlocal last
        last, spent = time.perf_counter(), time.perf_counter() - next(iter(begun.values()))
        total = sum(work.values())
        if watch is not None and (seen := sum(asked.values())):
            watch(list(begun)[-1], 1 - left() / total, spent / seen * left())

    def enter(stage: str) -> None:
        begun[stage] = time.perf_counter()
        if work[stage]:
            tell()

    def count(inputs: int) -> None:
        asked[list(begun)[-1]] += inputs
        if time.perf_counter() - last > 0.2:
            tell()

    def seconds() -> dict[str, float]:
        times = [*begun.values(), time.perf_counter()]
        return {
            stage: round(after - before, 2)
            for stage, before, after in zip(begun, times[:-1], times[1:], strict=True)
            if work[stage]
        }

    return Pace(enter, count, seconds)
