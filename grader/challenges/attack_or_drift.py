"""Attack or drift? Streams of a monitor's signals, as in lesson 13: when did something begin, and what was it?

The score is the share of streams that are judged right: a calm one without an alarm; another with an alarm within
`SOON` arrivals of its beginning, and with the right name.
"""

import torch
from torch import Tensor

from grader.challenges.entry import Challenge, Entry, Here, Judgement, Played, code_entry, digest_of, play, score_of
from grader.oracle import Oracle
from utils.rate import Rate

LENGTH, SOON, NAMED_BY = 400, 60, 50  # arrivals; of an alarm that counts; after an alarm that its name may depend on
CALM, EXAMPLES, STREAMS_EACH = 100, 20, 40  # streams: calm ones to learn from; of each kind to learn from, to judge
WATCH_SECONDS = 10
ODD = {  # of ink, roughness and confidence: how unusual an arrival is at least; and how often the answer is wrong
    "evasion": (0.1, 0.2, 0.6, 0.9),
    "poisoning": (0.5, 0.1, 0.0, 0.9),
    "faded": (0.7, 0.6, 0.2, 0.1),
    "new meaning": (0.0, 0.0, 0.1, 0.9),
    "other unit": (0.7, 0.8, 0.8, 0.8),
}
KINDS = ("", *ODD)


def streams_of(kind: str, runs: int, begins: Tensor, odd: Tensor, random: torch.Generator) -> Tensor:
    """Streams (runs, 4, LENGTH) of surprises from 0 to 1 and of mistakes 0 or 1.

    begins  (runs,): the time from which a share of 10 % to 40 % of the arrivals belongs to the incident
    odd     (4,): of the incident, as in ODD
    """
    usual = (-torch.rand(runs, 3, LENGTH, generator=random).log() / 6).clamp_max(1)
    mistakes = (torch.rand(runs, 1, LENGTH, generator=random) < 0.05).float()
    share = 0.1 + 0.3 * torch.rand(runs, 1, 1, generator=random)
    draw = torch.rand(runs, 5, LENGTH, generator=random)
    if not kind:
        return torch.cat([usual, mistakes], 1)
    happens = (draw[:, 4:] < share) & (torch.arange(LENGTH) >= begins[:, None, None])
    least = odd[:3, None]
    unusual = torch.where(least > 0, least + (1 - least) * draw[:, :3], usual)
    wrong = (draw[:, 3:4] < odd[3]).float()
    return torch.where(happens, torch.cat([unusual, wrong], 1), torch.cat([usual, mistakes], 1))


def hide_streams(seed: int) -> dict[str, Tensor]:
    """What teams learn from, and what they are judged on. How unusual an incident is differs from seed to seed."""
    random = torch.Generator().manual_seed(seed)
    made = {"calm": streams_of("", CALM, torch.zeros(CALM), torch.zeros(4), random)}
    streams, kinds, begins = [], [], []
    for number, kind in enumerate(KINDS):
        odd = torch.tensor(ODD.get(kind, (0.0,) * 4))
        odd = (odd + 0.1 * (2 * torch.rand(4, generator=random) - 1) * (odd > 0)).clamp(0, 0.95)
        if kind:
            made[f"example.{kind}"] = streams_of(kind, EXAMPLES, torch.full((EXAMPLES,), 200), odd, random)
        when = torch.randint(100, 300, (STREAMS_EACH,), generator=random)
        streams.append(streams_of(kind, STREAMS_EACH, when, odd, random))
        kinds += [number] * STREAMS_EACH
        begins.append(when if kind else torch.full_like(when, LENGTH))
    order = torch.randperm(len(kinds), generator=random)
    made |= {"streams": torch.cat(streams)[order].contiguous(), "begins": torch.cat(begins)[order]}
    return made | {"kinds": torch.tensor(kinds)[order]}


def judge_monitor(entry: Entry, hidden: dict[str, Tensor], seed: int) -> Judgement:
    """Run `attack_or_drift(calm, examples, streams)`, and in another process once more, also with other futures."""
    streams, begins, kinds = hidden["streams"], hidden["begins"], hidden["kinds"]
    random = torch.Generator().manual_seed(seed)
    oracle = Oracle()

    def asked(played: Played | Here, streams: Tensor) -> tuple[Tensor, list[str]] | None:
        """Times and names, or None where the answer is none."""
        examples = {kind: hidden[f"example.{kind}"] for kind in ODD}
        found = played.answer("attack_or_drift", oracle, hidden["calm"], examples, streams)
        made = times_and_names(found, len(streams))
        if found is not None and made is None:
            played.problems.append(
                "attack_or_drift must return a time from 0 to 399, or -1, and a name for each stream"
            )
        return made

    against = []
    with play(entry, seed, call=WATCH_SECONDS) as played:
        found = asked(played, streams)
        problems, isolation = played.problems, played.isolation
    if found:
        with play(entry, seed, call=WATCH_SECONDS) as again:
            if not same(found, asked(again, streams)):
                against.append("gave another answer when it was run again with the same seed")
            elif any(knew_the_future(found, asked(again, other), t) for t, other in other_futures(streams, random)):
                against.append("its alarms or names changed with what comes later: it knew the future")
    against += oracle.notes
    times, names = found or (torch.full((len(streams),), -1), [""] * len(streams))
    right_name = torch.tensor([name == KINDS[kind] for name, kind in zip(names, kinds.tolist(), strict=True)])
    calm, delay = kinds == 0, times - begins
    caught = ~calm & (times >= begins)
    right = torch.where(calm, times < 0, caught & (delay <= SOON) & right_name)
    shown = {
        "false alarms": f"{Rate(int(((times >= 0) & (times < begins)).sum()), len(times))!r}",
        "median delay": f"{float(delay[caught].double().median()):g}" if caught.any() else "none",
        "right names of those caught": f"{Rate(int((right_name & caught).sum()), int(caught.sum()))!r}"
        if caught.any()
        else "none",
    }
    return {
        "score": score_of(Rate(int(right.sum()), len(right))),
        "shown": shown,
        "against": list(dict.fromkeys(against)),
        "problems": list(dict.fromkeys(problems)),
        "digest": digest_of([times, names]),
        "isolation": isolation,
    }


def times_and_names(found: object, n: int) -> tuple[Tensor, list[str]] | None:
    """The answer as (n,) int64 and n names, or None. Lists do as well as tensors."""
    if not (isinstance(found, (tuple, list)) and len(found) == 2 and isinstance(found[1], (tuple, list))):
        return None
    try:
        times = torch.as_tensor(found[0]).long()
    except Exception:  # whatever a hostile answer can cause
        return None
    names = [name if isinstance(name, str) and name in KINDS else "?" for name in found[1]]
    fits = times.shape == (n,) and len(names) == n and bool(((times >= -1) & (times < LENGTH)).all())
    return (times, names) if fits else None


def same(one: tuple[Tensor, list[str]], other: tuple[Tensor, list[str]] | None) -> bool:
    return other is not None and torch.equal(one[0], other[0]) and one[1] == other[1]


def other_futures(streams: Tensor, random: torch.Generator) -> list[tuple[int, Tensor]]:
    """Times, and the streams with something else after each: nothing at all, or all that is unusual."""
    made = []
    for value in (0.0, 1.0, 0.0, 1.0):
        t, other = int(torch.randint(120, 360, (), generator=random)), streams.clone()
        other[:, :, t + 1 :] = value
        made.append((t, other))
    return made


def knew_the_future(found: tuple[Tensor, list[str]], other: tuple[Tensor, list[str]] | None, t: int) -> bool:
    """Whether alarms up to time t, or names that had been due by then, moved with what comes after t."""
    if other is None:
        return True
    known, known_other = (torch.where((times >= 0) & (times <= t), times, -1) for times, _ in (found, other))
    due = ((found[0] >= 0) & (found[0] <= t - NAMED_BY)).nonzero()[:, 0].tolist()
    return not torch.equal(known, known_other) or any(found[1][i] != other[1][i] for i in due)


WATCH_IMPORTS = "import torch"
WATCH = """\
def attack_or_drift(calm, examples, streams):
    mean, std = calm.mean((0, 2)), calm.std((0, 2))

    def heights(x):
        now, found = torch.zeros(x.shape[:2]), []
        for value in x.unbind(2):
            now = (now + (value - mean) / std - 0.4).clamp_min(0)
            found.append(now)
        return torch.stack(found, 2)

    scale = heights(calm).amax(2).mean(0)
    threshold = (heights(calm).amax(2) / scale).amax(1).quantile(0.97)
    there = (heights(streams) / scale[:, None]).amax(1) > threshold
    times = torch.where(there.any(1), there.int().argmax(1), -1)

    def direction(window):
        away = (window.mean(-1) - mean) / std
        return away / away.norm(dim=-1, keepdim=True).clamp_min(1e-9)

    names = list(examples)
    known = torch.stack([direction(examples[name][..., 200:]).mean(0) for name in names])
    said = []
    for stream, time in zip(streams, times.tolist()):
        said.append("" if time < 0 else NAME)
    return times, said"""
OUR_MONITORS = {
    "never an alarm": "def attack_or_drift(calm, examples, streams):\n"
    "    return [-1] * len(streams), [''] * len(streams)",
    "sums, one name for all": WATCH.replace("NAME", "names[0]"),
    "sums, and directions for the names": WATCH.replace(
        "NAME", "names[int((known @ direction(stream[:, time : time + 50])).argmax())]"
    ),
}

ATTACK_OR_DRIFT = Challenge(
    name="attack_or_drift",
    title="Attack or drift?",
    score="share of streams judged right",
    lower=False,
    takes=".ipynb",
    hide=hide_streams,
    judge=judge_monitor,
    ours=lambda: {name: code_entry(WATCH_IMPORTS, source) for name, source in OUR_MONITORS.items()},
)
