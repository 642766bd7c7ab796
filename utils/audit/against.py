"""Two audits of a model, before and now: what became clearly worse, clearly better, or neither."""

import json
import math
from pathlib import Path
from typing import NamedTuple

from utils.arguments import number_in, whole
from utils.rate import Rate, RateWithin

FORMAT = 1  # of the card for machines; `card.schema.json` describes it

# Where a card has its rates: (path, name, whether more is worse).
RATES = (
    (("accuracy",), "right answers", False),
    (("worst",), "left under all attacks", False),
    (("queries", "scores"), "left under an attacker who sees scores", False),
    (("queries", "labels"), "left under an attacker who sees labels", False),
    (("certified", "rate"), "certified", False),
    (("membership", "found"), "members found", True),
    (("copied", "agreement"), "agreement of a copy", True),
)


class Change(NamedTuple):
    """What was measured twice: before and now, in words, and "worse", "better", "unclear" or "not compared"."""

    what: str
    before: str
    now: str
    verdict: str

    def __str__(self):
        verdict = {"worse": "CLEARLY WORSE", "better": "clearly better", "unclear": "no clear change"}
        return f"{verdict.get(self.verdict, self.verdict)}: {self.what}, {self.before} before, {self.now} now"


def read_card(file: str | Path) -> dict:
    """A `card.json` that an audit has written. Else ValueError."""
    try:
        card = json.loads(Path(file).read_text(encoding="utf-8-sig"))
        form = card.get("format", FORMAT)
        for path, *_ in RATES:
            rate_in(card, path)
        number_in("eps", card["eps"], "[0, inf)")
        ", ".join(card["measured"]["checkup"]["flags"])  # they are there, and words
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {file}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError(f"{file} is no card.json of an audit") from None
    if form != FORMAT:
        raise ValueError(f"{file} is a card of format {form}, and this audit writes and reads format {FORMAT}")
    return card


def rate_in(card: dict, path: tuple[str, ...]) -> Rate | None:
    """A rate of a card; None if it was not measured."""
    part = card["measured"]
    for name in path:
        part = part.get(name)
        if part is None:
            return None
    low, high = (number_in(end, part[end], "[0, 1]") for end in ("low", "high"))
    if low > high:
        raise ValueError(f"low must not be above high, got {low} and {high}")
    return RateWithin(whole("k", part["k"], 0), whole("n", part["n"]), low, high)  # that of members is not Wilson's


def changes(before: dict, now: dict) -> list[Change]:
    """What differs between two cards for machines. A rate is worse or better if `rate.Rate` says clearly.

    Two rates are taken as measured on different inputs, which on the same ones errs on the side of caution. Rates
    under attack are compared at the same budget and with the same attacks only.
    """
    found, why = [], ""
    if not math.isclose(before["eps"], now["eps"], rel_tol=1e-6):
        why = f"not compared, for eps was {before['eps']:.6g} and is {now['eps']:.6g}"
    elif before.get("quick", False) != now.get("quick", False):
        why = "not compared, for one of the two was quick"
    for path, what, more_is_worse in RATES:
        old, new = rate_in(before, path), rate_in(now, path)
        if old is None and new is None:
            continue
        if old is None or new is None:
            found.append(Change(what, *(str(r) if r else "not measured" for r in (old, new)), "not compared"))
        elif path[0] in ("worst", "queries") and why:
            found.append(Change(what, str(old), str(new), why))
        else:
            down, up = new.clearly_below(old), new.clearly_above(old)
            worse, better = (up, down) if more_is_worse else (down, up)
            found.append(Change(what, str(old), str(new), "worse" if worse else "better" if better else "unclear"))
    flags = [card["measured"]["checkup"]["flags"] for card in (before, now)]
    if flags[0] != flags[1]:
        verdict = "worse" if flags[1] and not flags[0] else "better" if flags[0] and not flags[1] else "unclear"
        found.append(Change("flags of the check-up", *(", ".join(some) or "none" for some in flags), verdict))
    return found
