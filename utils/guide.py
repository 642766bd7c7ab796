"""The field guide: the terms of the course in our own words, each answer with what a lesson measured.

The words stand in `notebooks/src/field_guide.toml`, whose first lines say how an answer names its evidence.
"""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from utils.claims import COLOURS
from utils.evidence import Evidence, evidence_for
from utils.records import RESULTS

CITED = re.compile(r"arXiv:(\d{4}\.\d{4,5})|doi:(10\.\S+?)(?=[,;.:)]*(?:\s|$))|(https://[^\s,;)]+[^\s,;).])")

WORDS = RESULTS.parent / "src" / "field_guide.toml"
BESIDE = "border-left: 3px solid #bbb; margin: 0 0 .5em 1em; padding-left: 1em"
CELL = 'style="text-align: left; padding: 0 1em 0 0"'


@dataclass(frozen=True)
class Answer:
    """One question about a term."""

    question: str
    text: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class Term:
    """One term. Its first answer is the definition."""

    part: str
    name: str
    child: str  # the explanation for a child
    origin: str
    answers: tuple[Answer, ...]


class Guide(list[Term]):
    """The terms. In a notebook each opens at a click; as plain text it is a list of names."""

    def __repr__(self):
        return "\n".join(f"{term.name}: {len(term.answers)} answers" for term in self)

    def _repr_html_(self):
        names = (f"<summary><b>{linked(term.name)}</b></summary>" for term in self)
        return "".join(f"<details>{name}{entry(term)}</details>" for name, term in zip(names, self, strict=True))


def guide(folder: Path = RESULTS, words: Path = WORDS) -> Guide:
    """The field guide, its figures read from the records in `folder`.

    Raises LookupError, with what to change, if no record shows what an answer rests on.
    """

    def answer(question: str, text: str, shows: list[dict]) -> Answer:
        return Answer(question, text, tuple(evidence_for(wanted, folder) for wanted in shows))

    terms = Guide()
    for term in tomllib.loads(words.read_text(encoding="utf-8"))["term"]:
        definition = answer("What is it?", term["what"], term.get("shows", []))
        others = [answer(asked["ask"], asked["say"], asked.get("shows", [])) for asked in term["asked"]]
        terms.append(Term(term["part"], term["name"], term["child"], term["origin"], (definition, *others)))
    return terms


def in_jupyter(evidence: Evidence) -> str:
    """The address of a cell, for a notebook beside its own.

    JupyterLab opens the other notebook and goes to the cell; elsewhere the link leads to the notebook's beginning.
    """
    return f"{evidence.notebook}#cell-id={evidence.cell}"


def linked(text: str) -> str:
    """Text as HTML: arXiv:…, doi:… and addresses are links, and no line breaks before a percent sign."""

    def link(found: re.Match) -> str:
        arxiv, doi, address = found.groups()
        address = f"https://arxiv.org/abs/{arxiv}" if arxiv else f"https://doi.org/{doi}" if doi else address
        return f'<a href="{address}">{found[0]}</a>'

    return CITED.sub(link, escape(text, quote=False).replace(" %", "\N{NO-BREAK SPACE}%"))


def as_html(evidence: Evidence, address: Callable[[Evidence], str] = in_jupyter) -> str:
    """Evidence as HTML: the claim and its verdict, or the table, and a link to the cell."""
    about, because = linked(evidence.about), linked(evidence.because)
    link = f'<a href="{escape(address(evidence))}">lesson {evidence.lesson}, {linked(evidence.section)}</a>'
    if evidence.verdict == "open":
        text = f"“{about}”: open, until lesson {evidence.lesson} has measured it"
    elif evidence.verdict:
        verdict = f'<b style="color: {COLOURS[evidence.verdict]}">{evidence.verdict}</b>'
        text = f"“{about}”: {verdict}, because {because} ({link})"
    else:
        lines = [("", *evidence.columns)] * bool(evidence.columns) + [*evidence.rows]
        rows = ("".join(f"<td {CELL}>{linked(figure)}</td>" for figure in line) for line in lines)
        text = f"<i>{about}</i> ({link})<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
    return f'<div class="evidence" style="{BESIDE}">{text}</div>'


def entry(term: Term, address: Callable[[Evidence], str] = in_jupyter) -> str:
    """A term as HTML, without its name."""
    answers = [
        f'<div class="answer"><p><b>{answer.question}</b> {linked(answer.text)}</p>'
        f"{''.join(as_html(one, address) for one in answer.evidence)}</div>"
        for answer in term.answers
    ]
    child = f'<p class="child"><b>To a child:</b> {linked(term.child)}</p>'
    origin = f'<p class="origin"><b>Where does it come from?</b> {linked(term.origin)}</p>'
    return "\n".join([answers[0], child, *answers[1:], origin])
