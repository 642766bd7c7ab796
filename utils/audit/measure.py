"""One call that measures a classifier, and holds the result against what its vendor says. Built in lesson 14."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor, nn

from utils.attacks import rays, square, worst_case
from utils.audit.fault import blame
from utils.checkup import Report, examine
from utils.checkup.lens import Lens, fitted
from utils.claims import Claim
from utils.data import Split
from utils.evaluation import Rate, accuracy, robust_accuracy
from utils.leakage import agreement, auc, confidence, steal, tpr_at
from utils.models import logits
from utils.monitoring import calibrate, expected_accuracy, sample_size
from utils.privacy import one_run_eps
from utils.rate import Z
from utils.records import ARROW
from utils.smoothing import certify

VOTES = 1000  # for each certificate
FPR = 0.01  # the share of false accusations at which members are counted
CLAIMABLE = {  # what a vendor may claim, and what it means
    "accuracy": "the share of right answers on new inputs",
    "robust_accuracy": "the share of inputs on which no change within eps (L-infinity) makes the answer wrong",
    "certified_accuracy": "the share of right answers that nothing nearer than `radius` (L2) can change, under `sigma`",
    "privacy_eps": "the epsilon of its training, at `privacy_delta`",
}
SETTINGS = ("eps", "radius", "sigma", "privacy_delta", "name", "note")  # what the claims speak of, and words
NEEDS = {"certified_accuracy": ("sigma", "radius"), "robust_accuracy": ("eps",), "privacy_eps": ("privacy_delta",)}


@dataclass(frozen=True, repr=False)
class Audit:
    """What `audit_model` measured.

    accuracy    right answers
    checkup     lesson 05's report: does it hide its gradients?
    worst       right answers left under all attacks of the course and the one that fits the check-up: an upper bound
    attacks     ({"attack", "tried", "fallen"}, ...): what each attack of the worst case brought down, in their order
    queries     {"scores" or "labels": right answers left under an attack that sees only these}
    certified   {"sigma", "radius", "rate"} of the smoothed model; None: no noise level was given
    membership  {"found", "auc", "least_confident", "privacy_eps"}: members found at 1 % false accusations, the area
                under the curve, how many of the tenth that the model is least confident of it was not trained on, and
                the epsilon that this refutes; None: no training data were given
    copied      {"queries", "agreement"}: a copy of the model and how often it agrees; None: no network was given
    monitor     what to watch and the numbers to start from
    parameters  how many numbers it is made of
    claims      the vendor's: "holds" or "refuted" at 95 % confidence, "open" where the measurement cannot tell
    """

    name: str
    eps: float
    accuracy: Rate
    checkup: Report
    worst: Rate
    attacks: tuple[dict, ...]
    queries: dict[str, Rate]
    certified: dict | None
    membership: dict | None
    copied: dict | None
    monitor: dict
    parameters: int
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
    n: int = 200,
    name: str = "model",
    seed: int = 0,
) -> Audit:
    """Measure a classifier as this course does, and judge what its vendor claims. Built in lesson 14.

    model   from inputs in [0, 1] to logits (N, classes); also to probabilities, to one column for two classes, or to an
            object that has `.logits`
    test    inputs (N, ...) float32 in [0, 1] and labels (N,) int64 that it was not trained on; half of them are the
            queries for a copy, so best 400 or more
    eps     the L-infinity budget of the attacks
    train   examples that it was trained on, from the same source as `test`; None leaves the question of members open
    copy    an untrained network for the attacker's copy; None leaves the copy out
    claims  what the vendor says, {name: value} with names of CLAIMABLE and SETTINGS; NEEDS names what must stand beside
    n       how many inputs are attacked (a few seconds for each hundred of a small network)

    The model's parameters, mode and gradients are left as they were; the same seed gives the same audit. Raises
    ValueError or TypeError that names the argument at fault.
    """
    claims = checked(claims or {}, eps)
    x, y = (t.detach() for t in test)
    if len(y) < 20:
        raise ValueError(f"{len(y)} test inputs are too few for an audit: give 20 or more, best 400")
    sample = Split(x, y).take(n)
    seen = through_lens(model, x, y)
    checkup = examine(model, *sample, eps=eps, seed=seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        tried = []
        worst = robust_accuracy(seen, sample, partial(worst_case, seed=seed, report=tried.append), eps=eps)
        queries = {
            "scores": robust_accuracy(seen, sample, partial(square, queries=1000, seed=seed), eps=eps),
            "labels": robust_accuracy(seen, sample, partial(rays, queries=1000), eps=eps),
        }
        torch.manual_seed(seed)
        found = Audit(
            name=name,
            eps=float(eps),
            accuracy=accuracy(seen, (x, y)),
            checkup=checkup,
            worst=min([worst, *queries.values(), *([checkup.adapted] if checkup.adapted is not None else [])]),
            attacks=tuple({"attack": a.attack, "tried": a.tried, "fallen": a.fallen} for a in tried),
            queries=queries,
            copied=None if copy is None else copied(seen, copy, x),
            certified=certificate(seen, sample, claims, seed),
            membership=None if train is None else members(seen, train, (x, y), claims.get("privacy_delta", 1e-5)),
            monitor=monitor(seen, (x, y)),
            parameters=sum(p.numel() for p in model.parameters()),
        )
    return replace(found, claims=tuple(judge_claims(found, claims)))


class Asked(nn.Module):
    """The model; where it fails, a ValueError says on which shape, and where."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, x):
        with blame(f"the model failed on inputs of shape (N, {', '.join(map(str, x.shape[1:]))})"):
            return self.model(x)


class Seen(Lens):
    """The check-up's lens, with answers as precise as the inputs: a model may have weights of another precision."""

    def forward(self, x):
        return super().forward(x).to(x.dtype)


def through_lens(model: nn.Module, x: Tensor, y: Tensor) -> nn.Module:
    """The model as the check-up sees it: always logits, with a gradient if only 0. Else ValueError in one sentence."""
    lens, answer = fitted(Asked(model), x)
    if not answer.isfinite().all():
        bad = int((~answer.isfinite().all(1)).sum())
        raise ValueError(f"{bad} of {len(answer)} answers hold NaN or infinity: mend the model first")
    if (last := int(y.max())) >= answer.shape[1]:
        knows = f"the model knows {answer.shape[1]} classes, from 0"
        one = "the model returns one number for each input, which can tell two classes apart: give logits (N, classes)"
        raise ValueError(f"a label is {last}, and {one if lens.raw.columns == 1 else knows}")
    return Seen(lens.raw, lens.log).eval()


def checked(claims: Mapping, eps: float) -> dict:
    """The vendor's claims, if this audit can judge them. Else ValueError."""
    for name, value in claims.items():
        if name in ("name", "note"):
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
    sides = [Split(*part).take(count) for part in (train, test)]
    scores = torch.cat([confidence(logits(model, x), y) for x, y in sides]).double().cpu()
    inside = torch.arange(2 * count) < count
    lowest = scores.argsort(stable=True)[: max(2 * count // 10, 1)]
    right = Rate(int((~inside[lowest]).sum()), len(lowest))
    return {
        "found": tpr_at(scores, inside, FPR),
        "auc": auc(scores, inside),
        "least_confident": right,
        "privacy_eps": one_run_eps(right.k, right.n, 2 * count, privacy_delta),
    }


def copied(model: nn.Module, copy: nn.Module, x: Tensor) -> dict:
    """A copy trained on the model's probabilities for one half of x, and its agreement on the other half."""
    ask, keep = x[::2], x[1::2]
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
            least = found.membership["privacy_eps"]
            outside = found.membership["least_confident"]
            told = f"of the tenth that it is least confident of, {outside} were not in its training data"
            told += (
                f"; if chance decided what was, epsilon is at least {least:.2f}" if least else ", as with any epsilon"
            )
            judged.append(vendors_claim(text, "refuted" if least > claimed else "open", told))
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
