"""Choosing a defense: what each one offers, what a client needs, and a choice that follows from the numbers.

Built in lesson 14.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from utils.duel import SHARES, Side, Threat
from utils.evaluation import Rate


class Offer(NamedTuple):
    """What was measured of one defense.

    side         what each kind of attacker leaves of it (`duel.measure`)
    accuracy     right answers without an attack
    training     inputs that passed through the network while it was trained, as a multiple of the undefended model's
    answer       the same for one answer
    privacy_eps  the epsilon that is proved for its training; infinite where nothing is
    proof        inputs that pass for one answer with its proof; None: as many as for the answer
    """

    side: Side
    accuracy: Rate
    training: float
    answer: float
    privacy_eps: float = math.inf
    proof: float | None = None


class Needs(NamedTuple):
    """What a client asks for: an attacker, the goal under that attacker, and budgets.

    threat       whom to fear
    goal         "left" (accuracy under attack), "proved" (certified accuracy) or "accuracy" (nobody attacks inputs)
    at           the budget of the attacker, an index of `duel.SHARES`; 2 is the customary one
    accuracy     the least accuracy without an attack
    training, answer  the most that may be paid, as multiples of the undefended model's; where the goal is "proved",
                 an answer comes with its proof
    privacy_eps  the highest epsilon that protects those in the training data well enough
    """

    threat: Threat = Threat()
    goal: str = "left"
    at: int = SHARES.index(1)
    accuracy: float = 0.0
    training: float = math.inf
    answer: float = math.inf
    privacy_eps: float = math.inf


def reached(offer: Offer, needs: Needs) -> Rate:
    """What an offer reaches of the client's goal."""
    if needs.goal == "accuracy":
        return offer.accuracy
    return offer.side.left(needs.threat, certificate=needs.goal == "proved")[needs.at]


def price(offer: Offer, needs: Needs) -> float:
    """What an answer costs this client: who asks for proof pays for it with each one."""
    return offer.answer if needs.goal != "proved" or offer.proof is None else offer.proof


def over(offer: Offer, needs: Needs) -> str:
    """The first budget that an offer breaks, in words; empty if it breaks none."""
    if offer.accuracy < needs.accuracy:
        return f"accuracy {100 * float(offer.accuracy):.0f} %"
    if offer.training > needs.training:
        return f"training costs {offer.training:.3g} times as much"
    if price(offer, needs) > needs.answer:
        return f"an answer costs {float(f'{price(offer, needs):.3g}'):g} times as much"
    if offer.privacy_eps > needs.privacy_eps:
        proved = "no epsilon" if math.isinf(offer.privacy_eps) else f"epsilon {offer.privacy_eps:.2g}"
        return f"{proved} is proved"
    return ""


def choose(offers: Mapping[str, Offer], needs: Needs) -> list[str]:
    """The offers within the budgets that no other is clearly better than: the first of them is the choice.

    It is the cheapest; of those that cost the same, the one that reached more.
    Empty if every offer breaks a budget, or if even the best does not clearly reach more than nothing.
    "Clearly": the 95 % interval of the difference leaves out 0.
    """
    within = {name: offer for name, offer in offers.items() if not over(offer, needs)}
    best = max((reached(offer, needs) for offer in within.values()), default=None)
    if best is None or not best.clearly_above(Rate(0, best.n)):
        return []
    level = [name for name, offer in within.items() if not best.clearly_above(reached(offer, needs))]

    def dearer(name):
        offer = within[name]
        return price(offer, needs), offer.training, -float(reached(offer, needs))

    return sorted(level, key=dearer)
