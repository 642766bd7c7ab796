"""One call that measures a classifier, and holds the result against what its vendor says. Built in lesson 14."""

import math
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import metadata

import numpy as np
import torch
from torch import Tensor, nn

from utils.attacks import Attempt, apgd, margin, pgd, rays, square, worst_case
from utils.attacks.parts import wrong
from utils.audit.child import blame
from utils.audit.pace import Watch, pacer
from utils.checkup import Report, examine
from utils.checkup.lens import Lens, fitted, mixes
from utils.claims import Claim
from utils.data import Split
from utils.domains.moves import climb, search
from utils.domains.rules import Rules
from utils.evaluation import Rate, accuracy, robust_accuracy
from utils.guard import check_one_label_each, lent
from utils.leakage import agreement, auc, confidence, steal, tpr_at
from utils.models import logits, predict
from utils.monitoring import calibrate, expected_accuracy, sample_size
from utils.privacy import one_run_eps
from utils.rate import Z
from utils.records import ARROW
from utils.smoothing import certify

VOTES = 1000  # for each certificate
QUERIES, QUICK_QUERIES = 1000, 200  # of an attacker who sees scores or labels only
QUICK = (  # instead of all attacks of the course
    partial(pgd, steps=20, loss=margin),
    partial(apgd, steps=50),
    partial(square, queries=QUICK_QUERIES, patience=4.0),
)
FPR = 0.01  # the share of false accusations at which members are counted
CLAIMABLE = {  # what a vendor may claim, and what it means
    "accuracy": "the share of right answers on new inputs",
    "robust_accuracy": "the share of inputs on which no change within eps (L-infinity) makes the answer wrong",
    "certified_accuracy": "the share of right answers that nothing nearer than `radius` (L2) can change, under `sigma`",
    "privacy_eps": "the epsilon of its training, at `privacy_delta`",
}
SETTINGS = {  # what the claims speak of, and words
    "eps": "the budget of `robust_accuracy`",
    "radius": "the radius of `certified_accuracy`",
    "sigma": "the noise of the smoothed model",
    "privacy_delta": "the delta of `privacy_eps`",
    "random_split": "true if chance decided what was trained on and what was held out; else no epsilon is refuted",
    "name": "what the model is called",
    "note": "what else its vendor says",
}
NEEDS = {"certified_accuracy": ("sigma", "radius"), "robust_accuracy": ("eps",), "privacy_eps": ("privacy_delta",)}


@dataclass(frozen=True, repr=False)
class Audit:
    """What `audit_model` measured.

    accuracy    right answers
    checkup     lesson 05b's report: does it hide its gradients?
    worst       right answers left under all attacks of the course and the one that fits the check-up: an upper bound
    attacks     ({"attack", "tried", "fallen"}, ...): what each attack of the worst case brought down, in their order
    queries     {"scores" or "labels": right answers left under an attack that sees only these}
    decided     {"worst", "scores", "labels", "membership" or "copied": the attack that its figure is from}
    certified   {"sigma", "radius", "rate"} of the smoothed model; None: no noise level was given
    membership  {"found", "fpr", "auc", "least_confident", "privacy_eps"}: members found at this share of false
                accusations (1 %, or what so few examples can show), the area under the curve, how many of the tenth
                that the model is least confident of it was not trained on, and the epsilon that this refutes if
                chance decided what it was trained on; None: no training data were given
    copied      {"queries", "agreement"}: a copy of the model and how often it agrees; None: no network was given
    monitor     what to watch and the numbers to start from
    parameters  how many numbers it is made of
    gradients   whether it gives any; a model without them is measured as a black box
    columns     the columns of a table that an attacker can move (lesson 11); None: all inputs alike, within eps
    quick       whether fewer attacks were tried, with fewer queries: bounds from these are looser
    seconds     {stage: its time}
    versions    {"measured-defense", "python", "torch", "numpy"}
    claims      the vendor's: "holds" or "refuted" at 95 % confidence, "open" where the measurement cannot tell
    """

    name: str
    eps: float
    accuracy: Rate
    checkup: Report
    worst: Rate
    attacks: tuple[dict, ...]
    queries: dict[str, Rate]
    decided: dict[str, str]
    certified: dict | None
    membership: dict | None
    copied: dict | None
    monitor: dict
    parameters: int
    gradients: bool
    columns: tuple[str, ...] | None
    quick: bool
    seconds: dict[str, float]
    versions: dict[str, str]
    claims: tuple[Claim, ...] = field(default=())

    @property
    def refuted(self) -> list[str]:
        """The claims that the measurements refute."""
        return [claim.text for claim in self.claims if claim.verdict == "refuted"]

    def __repr__(self):
        rows = [f"{self.name}, eps {self.eps:.3g} {ARROW} accuracy {self.accuracy}, at most {self.worst} left"]
        rows += [f"check-up {ARROW} {self.checkup.summary}"]
        rows += [f"{claim.text} {ARROW} {claim.verdict} ({claim.because})" for claim in self.claims]
        return "\n".join(rows)

    def to_dict(self) -> dict:
        """The audit in numbers, strings, lists and dictionaries; `json.dumps` takes it."""
        return {name: as_json(getattr(self, name)) for name in self.__dataclass_fields__}


def as_json(value):
    """A value as JSON has it: a Rate as its counts and interval, a Report by its own `to_dict`."""
    if isinstance(value, Rate):
        low, high = value.interval
        return {"k": value.k, "n": value.n, "low": low, "high": high}
    if isinstance(value, Report):
        return value.to_dict()
    if isinstance(value, Claim):
        return {"text": value.text, "verdict": value.verdict, "because": value.because}
    if isinstance(value, Mapping):
        return {str(name): as_json(part) for name, part in value.items()}
    return [as_json(part) for part in value] if isinstance(value, (list, tuple)) else value


def audit_model(
    model: nn.Module,
    test: tuple[Tensor, Tensor],
    *,
    eps: float,
    train: tuple[Tensor, Tensor] | None = None,
    copy: nn.Module | None = None,
    claims: Mapping | None = None,
    rules: Rules | None = None,
    n: int = 200,
    quick: bool = False,
    name: str = "model",
    seed: int = 0,
    watch: Watch | None = None,
) -> Audit:
    """Measure a classifier as this course does, and judge what its vendor claims. Built in lesson 14.

    model   from inputs in [0, 1] to logits (N, classes); also to probabilities, to one column for two classes, or to an
            object that has `.logits`
    test    inputs (N, ...) float32 in [0, 1] and labels (N,) int64 that it was not trained on; half of them are the
            queries for a copy, so best 400 or more
    eps     the L-infinity budget of the attacks; with `rules`, the budget of these
    train   examples that it was trained on, from the same source as `test`; None leaves the question of members open
    copy    an untrained network for the attacker's copy; None leaves the copy out
    claims  what the vendor says, {name: value} with names of CLAIMABLE and SETTINGS; NEEDS names what must stand beside
    rules   what an attacker can change in a row of a table (lesson 11); None: every input by eps
    n       how many inputs are attacked (a few seconds for each hundred of a small network)
    quick   fewer attacks, fewer queries
    watch   watch(stage, share of the work, seconds left at most), called while it works

    The model's parameters, mode and gradients are left as they were; the same seed gives the same audit, but for its
    seconds. Raises ValueError or TypeError that names the argument at fault.
    """
    claims = checked(claims or {}, eps)
    x, y = (t.detach() for t in test)
    check_one_label_each(x, y)
    y = y.long()
    if len(y) < 20:
        raise ValueError(f"{len(y)} test inputs are too few for an audit: give 20 or more, best 400")
    sample = Split(x, y).take(n)
    queries = QUICK_QUERIES if quick else QUERIES
    work = {
        "first answers": len(y),
        "check-up": 2200 * len(sample.y),  # what was counted on models that withstand much
        "worst case": (500 if quick else 3200) * len(sample.y),
        "queries": 2 * queries * len(sample.y),
        "copy": len(y) if copy is None else 2 * len(y),
        "certificate": VOTES * len(sample.y) if "sigma" in claims else 0,
        "members": 0 if train is None else 2 * min(len(train[1]), len(y)),
        "plan": len(y),
    }
    if rules is not None:
        tries = 30 * len(rules.columns) * len(sample.y)
        work |= {"worst case": tries + 100 * len(sample.y), "queries": tries}
    pace = pacer(work, watch)
    pace.enter("first answers")
    asked = Watched(model, pace.count)
    seen = through_lens(asked, x, y)
    pace.enter("check-up")
    checkup = examine(asked, *sample, eps=eps if rules is None else min(eps, 1.0), seed=seed)
    with torch.random.fork_rng():
        pace.enter("worst case")
        torch.manual_seed(seed)
        tried = []
        if rules is not None:
            attack = partial(moved, rules=rules, report=tried.append)
        else:
            attacks = QUICK if quick else None
            attack = partial(worst_case, seed=seed, attacks=attacks, report=tried.append)
        worst = robust_accuracy(seen, sample, attack, eps=eps)
        pace.enter("queries")
        if rules is not None:
            from_scores = {"scores": (partial(by_search, rules=rules), "search over the columns")}
        else:
            from_scores = {
                "scores": (partial(square, queries=queries, seed=seed), f"square, {queries:,} queries"),
                "labels": (partial(rays, queries=queries), f"rays, {queries:,} queries"),
            }
        left = {sees: robust_accuracy(seen, sample, attack, eps=eps) for sees, (attack, _) in from_scores.items()}
        decided = {sees: by for sees, (_, by) in from_scores.items()}
        lowest = {"worst": worst, **left}
        if checkup.adapted is not None and rules is None:
            lowest["adapted"] = checkup.adapted
        first = min(lowest, key=lambda which: lowest[which])
        fell = "; ".join(f"{a.attack} {a.fallen} of {a.tried}" for a in tried if a.fallen) or "no attack found any"
        by = {"worst": fell, "adapted": f"{checkup.recommended.name}, as the check-up advises"} | decided
        decided["worst"] = by[first]
        pace.enter("copy")
        torch.manual_seed(seed)
        right = accuracy(seen, (x, y))
        stolen = None if copy is None else copied(seen, copy, x, seed)
        pace.enter("certificate")
        certified = certificate(seen, sample, claims, seed)
        pace.enter("members")
        known = None if train is None else members(seen, train, (x, y), claims.get("privacy_delta", 1e-5))
        pace.enter("plan")
        plan = monitor(seen, (x, y))
        if stolen is not None:
            decided["copied"] = f"a network trained on {stolen['queries']} answers"
        if known is not None:
            decided["membership"] = "a threshold on the confidence in the label"
        found = Audit(
            name=name,
            eps=float(eps),
            accuracy=right,
            checkup=checkup,
            worst=lowest[first],
            attacks=tuple({"attack": a.attack, "tried": a.tried, "fallen": a.fallen} for a in tried),
            queries=left,
            decided=decided,
            copied=stolen,
            certified=certified,
            membership=known,
            monitor=plan,
            parameters=getattr(model, "parameters_there", None) or sum(p.numel() for p in model.parameters()),
            gradients=seen.raw.cut_off is None,
            columns=None if rules is None else tuple(c.name for c in rules.columns if c.cost < math.inf),
            quick=quick,
            seconds=pace.seconds(),
            versions=made_with(),
        )
    return replace(found, claims=tuple(judge_claims(found, claims)))


def made_with() -> dict[str, str]:
    """Of what an audit depends on."""
    try:
        own = metadata.version("measured-defense")
    except metadata.PackageNotFoundError:  # a copy of the course that nobody has installed
        own = "unknown"
    return {
        "measured-defense": own,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


# A table's attacks: what lesson 11 can change in a row.


def moved(model: nn.Module, x: Tensor, y: Tensor, *, eps: float, rules: Rules, report: Callable) -> Tensor:
    """Rows that can exist: up the gradient, then by search over the columns, on those that still stand."""
    best = x.clone()
    with lent(model):
        for name, attack in ("climb", climb), ("search", search):
            standing = (predict(model, best) == y).nonzero()[:, 0]
            if not len(standing):
                break
            begin = time.perf_counter()
            best[standing] = attack(model, x[standing], y[standing], rules, eps=eps)
            fallen = int(wrong(logits(model, best[standing]), y[standing]).sum())
            report(Attempt(name, len(standing), fallen, time.perf_counter() - begin))
    return best


def by_search(model: nn.Module, x: Tensor, y: Tensor, *, eps: float, rules: Rules) -> Tensor:
    with lent(model):
        return search(model, x, y, rules, eps=eps)


class Watched(nn.Module):
    """The model; where it fails, a ValueError says on which shape, and where. `count` hears how much it was asked."""

    def __init__(self, model: nn.Module, count: Callable[[int], None] = lambda inputs: None):
        super().__init__()
        self.model, self.count = model, count

    def forward(self, x):
        self.count(3 * len(x) if x.requires_grad else len(x))  # a backward pass costs two more
        with blame(f"the model failed on inputs of shape (N, {', '.join(map(str, x.shape[1:]))})"):
            return self.model(x)


class Seen(Lens):
    """The check-up's lens, with answers as precise as the inputs: a model may have weights of another precision."""

    def forward(self, x):
        return super().forward(x).to(x.dtype)


def through_lens(model: nn.Module, x: Tensor, y: Tensor) -> nn.Module:
    """The model as the check-up sees it: always logits, with a gradient if only 0. Else ValueError in one sentence."""
    lens, answer = fitted(model, x)
    if not answer.isfinite().all():
        bad = int((~answer.isfinite().all(1)).sum())
        raise ValueError(f"{bad} of {len(answer)} answers hold NaN or infinity: mend the model first")
    if (last := int(y.max())) >= answer.shape[1]:
        knows = f"the model knows {answer.shape[1]} classes, from 0"
        one = "the model returns one number for each input, which can tell two classes apart: give logits (N, classes)"
        raise ValueError(f"a label is {last}, and {one if lens.raw.columns == 1 else knows}")
    seen = Seen(lens.raw, lens.log).eval()
    if (mixed := mixes(seen, x)) is not None:
        raise ValueError(f"{mixed}; no figure of such a model holds for another batch")
    return seen


def checked(claims: Mapping, eps: float) -> dict:
    """The vendor's claims, if this audit can judge them. Else ValueError."""
    for name, value in claims.items():
        if name in ("name", "note"):
            continue
        if name == "random_split":
            if not isinstance(value, bool):
                raise ValueError(f"the claim 'random_split' must be true or false, got {value!r}")
            continue
        if name not in (*CLAIMABLE, *SETTINGS):
            raise ValueError(f"cannot judge the claim {name!r}: known are {', '.join([*CLAIMABLE, *SETTINGS])}")
        if isinstance(value, bool) or not (isinstance(value, (int, float)) and 0 <= value < math.inf):
            raise ValueError(f"the claim {name!r} must be a number of 0 or more, got {value!r}")
        if name.endswith("accuracy") and value > 1:
            raise ValueError(f"{name} is a share between 0 and 1, got {value}")
        if missing := [beside for beside in NEEDS.get(name, ()) if beside not in claims]:
            raise ValueError(f"the claim {name} needs {' and '.join(missing)} beside it, or it says nothing")
    if not 0 <= claims.get("privacy_delta", 0) < 1:
        raise ValueError(f"privacy_delta is a probability below 1, got {claims['privacy_delta']}")
    if "robust_accuracy" in claims and not math.isclose(claims["eps"], eps, rel_tol=1e-6):
        raise ValueError(f"robust_accuracy is claimed at eps {claims['eps']}: audit at that eps, not at {eps}")
    return dict(claims)


def certificate(model: nn.Module, sample: Split, claims: Mapping, seed: int) -> dict | None:
    """The certified accuracy of the smoothed model at the radius that is claimed; None if no noise is named."""
    if "sigma" not in claims:
        return None
    sigma, radius = claims["sigma"], claims.get("radius", 0.0)
    proved = certify(model, sample.x, sigma=sigma, n=VOTES, seed=seed)
    right = (proved.label == sample.y) & (proved.radius >= radius)
    return {"sigma": sigma, "radius": radius, "rate": Rate(int(right.sum()), len(right))}


def members(model: nn.Module, train: tuple, test: tuple, privacy_delta: float) -> dict:
    """A threshold on the model's confidence (lesson 08), on as many members as others, and what it says of epsilon.

    For epsilon the attacker makes one kind of guess, fixed beforehand: the tenth of all that the model is least
    confident of was not in the training data, for of what it has learned by heart a model is confident.
    """
    count = min(len(train[1]), len(test[1]))
    fpr = max(FPR, 1 / count)  # so few examples show no rarer accusation
    sides = [Split(*part).take(count) for part in (train, test)]
    scores = torch.cat([confidence(logits(model, x), y) for x, y in sides]).double().cpu()
    inside = torch.arange(2 * count) < count
    lowest = scores.argsort(stable=True)[: max(2 * count // 10, 1)]
    right = Rate(int((~inside[lowest]).sum()), len(lowest))
    return {
        "found": tpr_at(scores, inside, fpr),
        "fpr": fpr,
        "auc": auc(scores, inside),
        "least_confident": right,
        "privacy_eps": one_run_eps(right.k, right.n, 2 * count, privacy_delta),
    }


def copied(model: nn.Module, copy: nn.Module, x: Tensor, seed: int) -> dict:
    """A copy trained on the model's probabilities for one half of x, and its agreement on the other half.

    Chance chooses the halves: data may stand in an order that one in two does not see, such as labels 0, 1, 0, 1.
    """
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed)).to(x.device)
    half = (len(x) + 1) // 2
    ask, keep = x[order[:half]], x[order[half:]]
    return {"queries": len(ask), "agreement": agreement(model, steal(model, copy, ask), keep)}


def monitor(model: nn.Module, test: tuple[Tensor, Tensor]) -> dict:
    """A plan to watch the model (lesson 12): what, with how many examples, from which starting values."""
    x, y = test
    said = logits(model, x)
    temperature = calibrate(said, y)
    promised, _ = expected_accuracy(said, temperature)
    return {
        "watch": "the probabilities of each class (KS with Holm's correction) and the classes named (chi-square)",
        "examples, before and now, for a test of means to see a shift of 0.25 deviations (4 times of 5)": sample_size(
            0.25
        ),
        "the same for 0.5 deviations": sample_size(0.5),
        "usual confidence": round(float(said.softmax(1).amax(1).mean()), 3),
        "temperature": round(temperature, 3),
        "expected accuracy": round(promised, 3),
        "shares of the classes": [round(float(share), 3) for share in said.softmax(1).mean(0)],
        "labels to buy for an accuracy within 5 points": labels_needed(0.05),
    }


def labels_needed(half: float) -> int:
    """How many random labels give an accuracy with an interval of `half` to both sides, whatever the accuracy is."""
    return math.ceil((Z / (2 * half)) ** 2)


def vendors_claim(text: str, verdict: str, because: str) -> Claim:
    """A claim of the vendor's: it belongs to no lesson."""
    return Claim("–", text, verdict, because)


def judge_claims(found: Audit, claims: Mapping) -> list[Claim]:
    """The vendor's claims against the measurements, at 95 % confidence each."""
    judged = []
    if (claimed := claims.get("accuracy")) is not None:
        judged.append(compare(f"accuracy {claimed:.3g}", claimed, found.accuracy))
    if (claimed := claims.get("robust_accuracy")) is not None:
        judged.append(compare(f"{claimed:.3g} robust within eps {found.eps:.3g}", claimed, found.worst, attack=True))
    if (claimed := claims.get("certified_accuracy")) is not None:
        rate, text = found.certified["rate"], f"{claimed:.3g} certified within {claims['radius']:.3g} in L2"
        proved = rate.interval[0] >= claimed  # a certificate is a lower bound: too few proofs refute nothing
        because = f"{rate} are proved, with {VOTES:,} votes each" + ("" if proved else "; more votes may prove more")
        judged.append(vendors_claim(text, "holds" if proved else "open", because))
    if (claimed := claims.get("privacy_eps")) is not None:
        text = f"trained with epsilon {claimed:.3g} at delta {claims['privacy_delta']:g}"
        if found.membership is None:
            judged.append(
                vendors_claim(text, "open", "no training data to test it with: ask for noise, clip, rate and steps")
            )
        else:
            least, by_chance = found.membership["privacy_eps"], claims.get("random_split", False)
            outside = found.membership["least_confident"]
            told = f"of the tenth that it is least confident of, {outside} were not in its training data"
            told += (
                f"; if chance decided what was, epsilon is at least {least:.2f}" if least else ", as with any epsilon"
            )
            if least > claimed and not by_chance:  # newer or harder data give themselves away, whatever was learned
                told += ": claim random_split if it did"
            judged.append(vendors_claim(text, "refuted" if least > claimed and by_chance else "open", told))
    return judged


def compare(text: str, claimed: float, rate: Rate, *, attack: bool = False) -> Claim:
    """A claimed share against a measured one. What an `attack` leaves is an upper bound, so it can only refute."""
    low, high = rate.interval
    if high < claimed:
        return vendors_claim(text, "refuted", f"measured: {'at most ' if attack else ''}{rate}")
    if attack:
        return vendors_claim(
            text, "open", f"no attack refutes it: {rate} are left, and a stronger attack may leave fewer"
        )
    verdict = "holds" if low >= claimed else "open"
    return vendors_claim(
        text, verdict, f"measured: {rate}" + ("" if verdict == "holds" else ", and that could be either")
    )
