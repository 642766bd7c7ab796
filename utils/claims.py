"""The ledger of claims: what people say, and what was measured. Each claim is settled by a cell of a lesson."""

import json
import os
import re
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

from utils.rate import Rate
from utils.records import ARROW, IN_HTML, enter, value_of

CLAIMS = {  # in our own words: lesson -> what popular pages say
    "01": ["High test accuracy means that a model is safe to ship"],
    "02": ["Surviving FGSM means being robust", "Without gradients there is no attack"],
    "03": [
        "Adversarial training is the most valuable defense for vision",
        "Adversarial training is essential in security-critical use",
        "Adversarial training costs accuracy and time",
    ],
    "04": ["Masking prevents attackers from using gradients", "Masking is essential in the defense toolkit"],
    "05": ["Masking is not foolproof against sophisticated attackers", "Masking costs some accuracy"],
    "05b": ["A model on which strong attacks fail is robust"],
    "06": [
        "Distillation defends deep networks without a change of architecture",
        "Distillation should be combined with other techniques",
    ],
    "07": ["Randomized smoothing certifies without retraining", "Randomized smoothing is practical"],
    "07b": ["Only randomized smoothing gives proofs"],
    "08": [
        "Masked gradients keep training data from leaking",
        "Machine-learning security includes data leakage and model inversion",
    ],
    "09": ["Differential privacy is an alternative to masking"],
    "10": [
        "Machine-learning security covers the training set too",
        "Filtering the training data is enough",
        "Differential privacy bounds what poisons can do",
    ],
    "11": ["The same defenses protect fraud detection and diagnosis"],
    "11b": ["The same defenses protect text, road signs and faces"],
    "12": ["Monitoring prevents decay", "Monitoring tells you when to retrain"],
    "13": ["Security and monitoring serve different purposes", "Monitoring catches attacks on a model"],
    "14": ["There is one defense to pick"],
    "15": ["Adversarial training is too expensive in practice", "Results on small images do not carry over"],
}
COLOURS = {"holds": "#1b7837", "refuted": "#b2182b", "it depends": "#8f4500", "open": "#5f5f5f"}


def worth_defending(undefended: Rate) -> bool:
    """Whether a model without a defense is right on clearly more than two images in three, without any attack.

    Attacks take from a model only what it has, and the most robust model of all gives always the same answer: where
    little was learned, little can be said. Two in three is our choice. It lies between the undefended models of the
    lessons on digits and MNIST, all right on 80 % or more, and their small network on photographs, right on half:
    with that one, verdicts of lessons 04, 06 and 07 turned. "Clearly": the whole interval lies above.
    """
    return undefended.interval[0] > 2 / 3


@dataclass(frozen=True)
class Claim:
    """One claim and its verdict: "holds", "refuted", "it depends"; "open" before its lesson has run, or if the lesson's
    own model was not worth defending."""

    lesson: str
    text: str
    verdict: str = "open"
    because: str = ""

    def __repr__(self):
        return (
            f'"{self.text}" {ARROW} {self.verdict}, because {self.because}' if self.because else f'"{self.text}": open'
        )

    def _repr_html_(self):
        colour, because = COLOURS[self.verdict], escape(self.because)
        return (
            f"<blockquote>“{escape(self.text)}”{IN_HTML}"
            f'<div style="border-left: 4px solid {colour}; padding-left: 1em">'
            f'<b style="color: {colour}">{self.verdict}</b> · {because}</div>\n</blockquote>'
        )


def folder() -> Path:
    """Where verdicts are kept: $COURSE_LEDGER, or `.course/ledger` in the course's own folder."""
    return Path(os.environ.get("COURSE_LEDGER") or Path(__file__).resolve().parents[1] / ".course" / "ledger")


def file_name(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:80] + ".json"


def claim(text: str, *, holds: bool | None, because: str, undefended: Rate | None = None) -> Claim:
    """Settle a claim by what was measured, enter it in the ledger and return its card.

    text        the claim; those of the course stand in `CLAIMS`, any other is entered without a lesson
    holds       the measured condition: True holds, False refuted, None it depends (and `because` says on what)
    because     the measurement, in words and figures
    undefended  how many images the lesson's own model gets right without a defense and without an attack; None where
                the claim rests on no classifier. Where the model is not `worth_defending`, the claim stays open: the
                card says what to do, and the ledger keeps what it has

    A folder that can't be written to costs the entry, not the card: the card then says so.
    """
    lesson = next((number for number, texts in CLAIMS.items() if text in texts), "–")
    verdict = "it depends" if holds is None else "holds" if holds else "refuted"
    rests_on = {} if undefended is None else {"undefended": value_of(undefended)}
    if undefended is not None and not worth_defending(undefended):
        verdict = "open"
        because = (
            f"without a defense and without an attack the model is right on {undefended}, not clearly on more than two "
            "images in three: what attacks and defenses change there says nothing of the claim. Train it longer, or "
            f"take a larger network (lesson 15), and run the lesson again. What was measured on it: {because}"
        )
    settled = Claim(lesson, text, verdict, str(because))
    enter(text=text, verdict=verdict, because=str(because), **rests_on)
    if verdict == "open":
        return settled
    try:
        folder().mkdir(parents=True, exist_ok=True)
        entry = folder() / file_name(text)
        draft = entry.with_suffix(f".{os.getpid()}")  # written whole, then moved: a reader never sees half a file
        draft.write_text(json.dumps(asdict(settled), ensure_ascii=False, indent=1), encoding="utf-8")
        draft.replace(entry)
    except OSError as problem:
        return Claim(lesson, text, verdict, f"{because} (not entered in the ledger: {problem.strerror})")
    return settled


class Ledger(list):
    """A list of claims that shows itself as a table."""

    def __repr__(self):
        return "\n".join(f"{claim.lesson}  {claim}" for claim in self)

    def _repr_html_(self):
        rows = "".join(
            f"<tr><td>{claim.lesson}</td><td style='text-align: left'>{escape(claim.text)}</td>"
            f"<td style='color: {COLOURS[claim.verdict]}'><b>{claim.verdict}</b></td>"
            f"<td style='text-align: left'>{escape(claim.because)}</td></tr>"
            for claim in self
        )
        return f"<table><tr><th>lesson</th><th>claim</th><th>verdict</th><th>because</th></tr>{rows}</table>"


def ledger() -> Ledger:
    """All claims of the course in the order of its lessons, then any others; open where no lesson has settled them."""
    entries = {}
    for path in sorted(folder().glob("*.json")):
        try:
            entry = Claim(**json.loads(path.read_text(encoding="utf-8")))
            entries[entry.text] = entry if entry.verdict in COLOURS else None
        except (ValueError, TypeError, OSError):
            continue  # half a file or one from another version: its lesson will settle the claim again
    course = [Claim(number, text) for number, texts in CLAIMS.items() for text in texts]
    found = [entries.pop(claim.text, None) or claim for claim in course]
    return Ledger(found + [entry for entry in entries.values() if entry])
