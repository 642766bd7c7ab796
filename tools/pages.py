"""The two printable pages, one file of HTML each, without script or anything from elsewhere."""

import re
from collections import Counter
from collections.abc import Callable
from html import escape

from utils.claims import COLOURS, Claim
from utils.evidence import Evidence
from utils.guide import Guide, entry, linked

STYLE = """
@page { size: A4; margin: 14mm }
html { color-scheme: light; background: white; color: #222; font: 16px/1.5 Georgia, serif; overflow-wrap: break-word }
body { max-width: 46rem; margin: 0 auto; padding: 1rem }
h1, h2, h3, th, .evidence, nav { font-family: Helvetica, Arial, sans-serif; line-height: 1.3 }
h2 { margin-top: 2.5rem; border-bottom: 2px solid #222 }
h3 { margin: 2rem 0 0 }
h2, h3 { break-after: avoid }
p { margin: .5rem 0 }
a { color: #1a4f8b }
.evidence { font-size: .8rem; margin: .3rem 0 }
.child { background: #f3efe4; padding: .6rem 1rem; print-color-adjust: exact }
.term { break-inside: avoid }
.answer { break-inside: avoid }
.evidence table { border-collapse: collapse }
.evidence td { vertical-align: top }
.origin { font-size: .85rem }
nav p { margin: .2rem 0; font-size: .85rem }
@media print {
  html { font-size: 9.5pt }
  body { max-width: none; padding: 0 }
  a { color: inherit; text-decoration: none }
}
"""
TABLE = """
body { max-width: 62rem }
table { border-collapse: collapse; width: 100%; font-size: .85rem }
th, td { text-align: left; vertical-align: top; padding: .35rem .5rem; border-bottom: 1px solid #bbb }
tr { break-inside: avoid }
td:nth-child(2) { width: 24% }
td:nth-child(1), td:nth-child(3) { white-space: nowrap }
td:nth-child(3) { font-weight: bold }
@media (max-width: 40rem) {
  thead { display: none }
  tr, td { display: block; border: 0 }
  tr { border-bottom: 1px solid #bbb; padding: .5rem 0 }
  td { padding: .1rem 0 }
  td:nth-child(2) { width: auto; font-weight: bold }
}
@media print {
  @page { margin: 8mm }
  html { font-size: 7pt; line-height: 1.2 }
  body { max-width: none }
  h1 { margin: 0 }
  p { margin: .3em 0 }
  table { font-size: 1em }
  th, td { padding: .1em .4em }
  td:nth-child(2) { width: 21% }
}
"""
RATES = """
<p>A rate such as <code>236/397 = 59 % [55, 64]</code> is a count, its share, and the 95 % interval: two rates whose
intervals overlap may well be the same. All figures were measured by the lessons of this course and are read from there
when this page is built; each stands beside a link to the section that shows it. They are of small networks and small
data, mostly images of handwritten digits. On other data the figures change; most lessons show what larger data say.
</p>"""
Link = Callable[[Evidence], str]


def page(title: str, body: str, style: str = "") -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title} · Measured Defense</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}{style}</style>\n'
        f"<body>\n<h1>{title}</h1>{body}\n</body>\n</html>\n"
    )


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def field_guide(terms: Guide, address: Link) -> str:
    """The field guide as a page. `address` gives the link to the cell of an evidence."""
    index, parts = "", ""
    for part in dict.fromkeys(term.part for term in terms):
        ours = [term for term in terms if term.part == part]
        names = " · ".join(f'<a href="#{slug(term.name)}">{escape(term.name)}</a>' for term in ours)
        index += f"<p><b>{part}</b>: {names}</p>\n"
        parts += f"<h2>{part}</h2>\n"
        for term in ours:
            title = f'<section class="term" id="{slug(term.name)}"><h3>{escape(term.name)}</h3>'
            parts += f"{title}{entry(term, address)}</section>\n"
    opening = "<p>The terms of machine-learning security: what each is, also for a child, what people ask about it, "
    opening += "what was measured, and where it comes from.</p>"
    return page("Field guide", f"{opening}{RATES}\n<nav>{index}</nav>\n{parts}")


def ledger(claims: list[tuple[Claim, Evidence]], address: Link) -> str:
    """All claims of the course as a page: verdict, evidence and cell of each."""
    tally, rows = Counter(claim.verdict for claim, _ in claims), ""
    for claim, there in claims:
        link = f'<a href="{escape(address(there))}">{claim.lesson}</a>' if there.cell else claim.lesson
        because = linked(claim.because) or f"Lesson {claim.lesson} will measure it."
        rows += (
            f"<tr><td>{link}</td><td>{linked(claim.text)}</td>"
            f'<td style="color: {COLOURS[claim.verdict]}">{claim.verdict}</td><td>{because}</td></tr>\n'
        )
    said = {"holds": "hold", "refuted": "are refuted", "it depends": "depend on something", "open": "are open"}
    count = ", ".join(f"{tally[verdict]} {words}" for verdict, words in said.items() if tally[verdict])
    opening = "<p>What popular pages say about machine-learning security, and what this course measured."
    opening += f" Of {len(claims)} claims, {count}.</p>"
    head = "<thead><tr><th>lesson</th><th>claim</th><th>verdict</th><th>because</th></tr></thead>"
    return page("Ledger of claims", f"{opening}{RATES}\n<table>{head}\n<tbody>\n{rows}</tbody></table>", TABLE)
