"""The security card: one page that says what was measured of a model, under the names that others use for threats."""

from html import escape

from utils.audit.against import FORMAT
from utils.audit.measure import Audit, as_json
from utils.audit.threats import LISTS, ROWS, CardRow
from utils.claims import COLOURS
from utils.plots import percent
from utils.records import IN_HTML

IF = "if chance decided which examples were trained on"
MORE = ". Shadow models (lesson 08) may find more"
# In the cell itself: JupyterLab sets every table cell of an output to the right, and leaves out the card's style sheet
# until the reader has run the cell.
CELL = "<td style='text-align: left'>"


def card_data(found: Audit) -> dict:
    """The card for machines, as `card.schema.json` beside this file describes it: `json.dumps` takes it.

    {"format", "model", "eps", "quick", "inputs", "seconds", "versions", "lists", "threats": [{"threat", "atlas",
    "nist", "owasp", "aisvs", "finding", "n", "decided by"}], "claims", "measured"}; "measured" is `Audit.to_dict()`.
    """
    return {
        "format": FORMAT,
        "model": found.name,
        "eps": found.eps,
        "quick": found.quick,
        "inputs": {"for accuracy": found.accuracy.n, "attacked": found.worst.n},
        "seconds": round(sum(found.seconds.values()), 2),
        "versions": found.versions,
        "lists": LISTS,
        "threats": [
            {"threat": row.threat}
            | {of: list(getattr(row, of)) for of in LISTS}
            | {"finding": finding(found, row), "n": inputs_of(found, row), "decided by": decided_by(found, row)}
            for row in ROWS
        ],
        "claims": as_json(found.claims),
        "measured": found.to_dict(),
    }


def is_measured(found: Audit, row: CardRow) -> bool:
    return bool(row.measured) and getattr(found, row.measured) is not None


def decided_by(found: Audit, row: CardRow) -> str | None:
    """The attack that a row's figure is from; None if no attack was made."""
    keys = list(found.queries) if row.measured == "queries" else [row.measured]
    return "; ".join(found.decided[key] for key in keys if key in found.decided) or None


def inputs_of(found: Audit, row: CardRow) -> int | None:
    """How many inputs a row's figure rests on."""
    if not is_measured(found, row):
        return None
    rates = {
        "worst": lambda: found.worst,
        "queries": lambda: next(iter(found.queries.values())),
        "membership": lambda: found.membership["found"],
        "copied": lambda: found.copied["agreement"],
        "monitor": lambda: found.accuracy,
    }
    return rates[row.measured]().n


def finding(found: Audit, row: CardRow) -> str:
    """What the audit found out about a threat, in a sentence."""
    if not is_measured(found, row):
        return row.without
    if row.measured == "worst":
        return (
            f"within {allowance(found)} at most {found.worst} stay right, where {percent(found.accuracy)} are without "
            f"an attack. {blindly(found)}{found.checkup.summary}"
        )
    if row.measured == "queries":
        return "; ".join(f"with {what}: {rate} stay right" for what, rate in found.queries.items())
    if row.measured == "membership":
        m = found.membership
        told = f"a threshold finds {m['found']} of them at {percent(m['fpr'])} false accusations (area {m['auc']:.3f})"
        told += f"; of the tenth that the model is least confident of, {m['least_confident']} were not"
        return told + (f", so {IF}, epsilon is at least {m['privacy_eps']:.2f}" if m["privacy_eps"] else "") + MORE
    if row.measured == "copied":
        return f"after {found.copied['queries']} queries a copy agrees on {found.copied['agreement']} of other inputs"
    return (
        "to be watched, see the plan; a new meaning of the labels shows in no input and no answer, so labels must be "
        "bought all the time"
    )


def allowance(found: Audit) -> str:
    """What an attacker may change, in words."""
    if found.columns is None:
        return f"eps {found.eps:.3g}"
    return f"a budget of {found.eps:.3g} for {len(found.columns)} columns that can be moved"


def blindly(found: Audit) -> str:
    return "" if found.gradients else "It gives no gradients, so it was measured as a black box. "


def by(found: Audit, row: CardRow) -> str:
    decided = decided_by(found, row)
    return f" [by: {decided}]" if decided else ""


def made(found: Audit) -> str:
    """How long the audit took, and with which versions."""
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    return f"{'quickly, ' if found.quick else ''}in {sum(found.seconds.values()):.0f} s: {versions}"


def card_html(found: Audit) -> str:
    """The card for people: a part of a page (HTML), to be shown in a notebook."""
    threats = "".join(
        f"<tr>{CELL}{escape(r.threat)}</td>{CELL}{IN_HTML}{escape(finding(found, r) + by(found, r))}\n"
        f"<small>{' · '.join(map(escape, r.ids))}</small></td></tr>"
        for r in ROWS
    )
    claims = "".join(
        f"<tr>{CELL}{escape(c.text)}</td>{IN_HTML}"
        f"<td style='text-align: left; color: {COLOURS[c.verdict]}; white-space: nowrap'>"
        f"<b>{escape(c.verdict)}</b></td>{CELL}{escape(c.because)}</td>\n</tr>"
        for c in found.claims
    )
    claims = claims or f"<tr>{CELL}no claims were given</td></tr>"
    proved = "no certificate: no noise level was given"
    if found.certified is not None:
        c = found.certified
        proved = f"smoothed with sigma {c['sigma']:.3g}: {c['rate']} proved right within {c['radius']:.3g} in L2"
    left = f"<b>{found.accuracy}</b> right answers · <b>at most {found.worst}</b> within {escape(allowance(found))}"
    plan = "".join(
        f"<li>{escape(name)}: {IN_HTML}{escape(as_words(value))}\n</li>" for name, value in found.monitor.items()
    )
    return f"""<style>{STYLE}</style><div class="security-card">
<h1>Security card: {escape(found.name)}</h1>
<p>{found.parameters:,} parameters · {IN_HTML}{left}
· {IN_HTML}{escape(proved)}
</p>
<h2>What its vendor says</h2><table class="claims">{claims}</table>
<h2>Threats</h2><table class="threats">{threats}</table>
<h2>Plan to watch it</h2><ul>{plan}</ul>
<p><small>Rates are k/n with Wilson's 95 % interval. Attacks give upper bounds: a stronger one may leave less.
Ids: {escape(", ".join(LISTS.values()))}. Made by Measured Defense{IN_HTML}{escape(made(found))}
</small></p>
</div>"""


def card_page(found: Audit) -> str:
    """The same as a page of its own, which needs nothing else and prints on one sheet."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Security card: {escape(found.name)}</title>
<style>@page {{ size: A4; margin: 12mm; }} body {{ margin: 0; }}</style></head><body>
{card_html(found)}
</body></html>
"""


def as_words(value) -> str:
    """A value of the plan as a person reads it."""
    if isinstance(value, list):
        return ", ".join(as_words(part) for part in value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)


STYLE = """
.security-card { font: 10pt/1.3 system-ui, sans-serif; color: #222; background: #fff; max-width: 190mm;
  margin: 0 auto; padding: 8px; }
.security-card h1 { font-size: 15pt; margin: 0 0 4pt; } .security-card h2 { font-size: 11pt; margin: 8pt 0 3pt; }
.security-card :is(h1, h2) { color: inherit; }
.security-card p { margin: 4pt 0; } .security-card ul { margin: 0; padding-left: 14pt; }
.security-card table { border-collapse: collapse; width: 100%; font-size: inherit; }
.security-card tr { background: none; break-inside: avoid; } .security-card li { break-inside: avoid; }
.security-card td { border: 0; border-top: 1px solid #ccc; padding: 3pt 6pt 3pt 0; vertical-align: top;
  white-space: normal; }
.security-card .claims td:first-child { width: 30%; } .security-card .threats td:first-child { width: 22%; }
.security-card small { color: #555; font-size: 8pt; }
.security-card .threats small { display: block; line-height: 1.15; }
@media print {
  .security-card { font-size: 8pt; line-height: 1.2; padding: 0; } .security-card small { font-size: 6.5pt; }
  .security-card td { padding: 1.5pt 6pt 1.5pt 0; } .security-card h2 { margin: 5pt 0 2pt; }
}
"""
