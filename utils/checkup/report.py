"""What a check-up says: its findings, as a table, as text, as a figure and as a dictionary for machines."""

from dataclasses import asdict, dataclass, field
from html import escape

from utils.claims import COLOURS
from utils.evaluation import Rate
from utils.plots import BLUE, RED, Picture, house_style, rates
from utils.records import ARROW, IN_HTML


@dataclass(frozen=True)
class Finding:
    """One comparison: on `k` of `n` images something happened that honest models show on at most `tolerance` of them.

    p_value  exact one-sided binomial: at least k under that share; None if there was nothing to compare
    raised   whether it is below the level of this check-up for one flag
    """

    name: str
    raised: bool
    k: int
    n: int
    tolerance: float
    p_value: float | None
    sentence: str

    @property
    def statistic(self) -> float:
        """The share of the images on which it happened."""
        return self.k / max(self.n, 1)


@dataclass(frozen=True)
class Advice:
    """The adaptive attack that fits what was found, and why."""

    name: str
    sentence: str


@dataclass(frozen=True, repr=False)
class Report:
    """What `examine` found.

    findings     every comparison that was made, raised or not
    left         {attack: accuracy left under it}, on all inputs
    recommended  the adaptive attack to be used on this model
    adapted      the accuracy left under that attack; None if there was nothing to attack
    eps, level   the budget, and the probability of any false flag if honest models keep to the tolerances
    """

    findings: tuple[Finding, ...]
    left: dict[str, Rate]
    recommended: Advice
    adapted: Rate | None
    eps: float
    level: float
    notes: tuple[str, ...] = field(default=())

    @property
    def flags(self) -> list[str]:
        """The names of the flags raised."""
        return [finding.name for finding in self.findings if finding.raised]

    @property
    def summary(self) -> str:
        """The outcome in one sentence."""
        if not self.flags:
            return f"No flag of {len(self.findings)}: nothing found that speaks against evaluating with gradients."
        return f"{len(self.flags)} of {len(self.findings)} flags: {', '.join(self.flags)}."

    def to_dict(self) -> dict:
        """The report in numbers, strings, lists and dictionaries; `json.dumps` takes it."""

        def rate(r: Rate | None):
            return None if r is None else {"k": r.k, "n": r.n, "low": r.interval[0], "high": r.interval[1]}

        return {
            "flags": self.flags,
            "summary": self.summary,
            "eps": self.eps,
            "level": self.level,
            "findings": [{**asdict(finding), "statistic": finding.statistic} for finding in self.findings],
            "accuracy_left": {name: rate(r) for name, r in self.left.items()},
            "recommended": asdict(self.recommended),
            "adapted": rate(self.adapted),
            "notes": list(self.notes),
        }

    def __repr__(self):
        rows = [f"check-up {ARROW} {self.summary}"]
        rows += [f"{f.name} {ARROW} {'FLAG' if f.raised else 'ok'}: {f.sentence}" for f in self.findings]
        rows.append(f"notes {ARROW} {' '.join(self.notes) or 'none'}")
        rows.append(f"adaptive attack {ARROW} {self.recommended.name}. {self.recommended.sentence}")
        return "\n".join(rows + ([] if self.adapted is None else [f"accuracy left under it {ARROW} {self.adapted}"]))

    def _repr_html_(self):
        flag, ok = f"<b style='color: {COLOURS['it depends']}'>flag</b>", f"<b style='color: {BLUE}'>ok</b>"
        rows = "".join(
            f"<tr title='{escape(f.name)}'>{IN_HTML}"
            f"<td>{flag if f.raised else ok}</td>"
            f"<td style='text-align: left; white-space: nowrap'>{escape(f.name)}</td>"
            f"<td>{f'{f.k} of {f.n}' if f.n else '–'}</td><td>{'–' if f.p_value is None else f'{f.p_value:.0e}'}</td>"
            f"<td style='text-align: left'>{escape(f.sentence)}</td>\n</tr>"
            for f in self.findings
        )
        head = "".join(f"<th>{word}</th>" for word in ("", "flag", "inputs", "p", "what was measured"))
        left = "" if self.adapted is None else f"<br>Accuracy left under it: <b>{escape(str(self.adapted))}</b>"
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return (
            f"<p>{IN_HTML}<b>{escape(self.summary)}</b>\n</p><table><tr>{head}</tr>{rows}</table>{IN_HTML}{notes}"
            f"<p>Adaptive attack: <b>{escape(self.recommended.name)}</b>. "
            f"{escape(self.recommended.sentence)}{left}</p>"
        )

    def figure(self) -> Picture:
        """The accuracy left under each attack that was run; in a second colour the adaptive one."""
        measured = dict(self.left)
        if self.adapted is not None:
            measured["adapted attack"] = self.adapted
        if not measured:
            return Picture(7, 1, self.summary)
        picture = rates(measured)
        with house_style():
            (axes,) = picture.figure.axes
            if self.adapted is not None:
                axes.patches[len(measured) - 1].set_color(RED)
        return picture
