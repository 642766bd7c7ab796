"""A team's rehearsal in its own notebook: the judge's figures, on models and data that are not the class's."""

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from torch import Tensor

from grader.challenges.entry import entry_of, rate_of
from grader.challenges.frame import CHALLENGES


def rehearse(name: str, answer: Callable | str | Path, seed: int = 0) -> None:
    """Judge a function, or for `defend_it` a file of weights, as that challenge does, and print the figures.

    seed  of what is hidden: the class's is another, so what works for one seed alone will not work there

    It runs here, without the sandbox: nothing is stopped, and a clock or a file that is read is not told. ValueError
    for an unknown name.
    """
    if name not in CHALLENGES:
        raise ValueError(f"there is no challenge {name!r}: choose one of {', '.join(CHALLENGES)}")
    challenge, begin = CHALLENGES[name], time.perf_counter()
    entry = entry_of(Path(answer).read_bytes(), challenge.takes) if isinstance(answer, (str, Path)) else answer
    made = challenge.judge(entry, hidden_of(name, seed), seed)
    print(f"{challenge.score}: {rate_of(made['score'])!r} ({'less' if challenge.lower else 'more'} is better)")
    for column, value in made["shown"].items():
        print(f"  {column}: {value}")
    for line in [*made["problems"], *(f"it would not count: {why}" for why in made["against"])]:
        print(f"  {line}")
    print(f"  {time.perf_counter() - begin:.0f} s, models included")


@cache
def hidden_of(name: str, seed: int) -> dict[str, Tensor]:
    return CHALLENGES[name].hide(seed)
