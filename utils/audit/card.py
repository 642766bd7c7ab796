"""The security card: one page that says what was measured of a model, under the names that others use for threats."""

from html import escape

from utils.audit.measure import FPR, Audit, as_json
from utils.audit.threats import ATLAS, NIST, OWASP, ROWS, CardRow
from utils.claims import COLOURS
from utils.plots import percent
from utils.records import IN_HTML

IF = "if chance decided which examples were trained on"
MORE = ". Shadow models (lesson 08) may find more"


def card_data(found: Audit) -> dict:
    """The card for machines: `json.dumps` takes it.

    {"model", "eps", "inputs", "lists", "threats": [{"threat", "atlas", "nist", "owasp", "finding"}], "claims",
    "measured"}; "measured" is `Audit.to_dict()`.
    """
    return {
        "model": found.name,
        "eps": found.eps,
        "inputs": {"for accuracy": found.accuracy.n, "attacked": found.worst.n},
        "lists": {"atlas": ATLAS, "nist": NIST, "owasp": OWASP},
        "threats": [
            {"threat": r.threat, "atlas": r.atlas, "nist": r.nist, "owasp": r.owasp, "finding": finding(found, r)}
            for r in ROWS
        ],
        "claims": as_json(found.claims),
        "measured": found.to_dict(),
    }


def finding(found: Audit, row: CardRow) -> str:
    """What the audit found out about a threat, in a sentence."""
    if not row.measured or getattr(found, row.measured) is None:
        return row.without
    if row.measured == "worst":
        return (
            f"within eps {found.eps:.3g} at most {found.worst} stay right, where {percent(found.accuracy)} are without "
            f"an attack. {found.checkup.summary}"
        )
    if row.measured == "queries":
        return "; ".join(f"with {what}: {rate} stay right" for what, rate in found.queries.items())
    if row.measured == "membership":
        m = found.membership
        told = f"a threshold finds {m['found']} of them at {percent(FPR)} false accusations (area {m['auc']:.3f})"
        told += f"; of the tenth that the model is least confident of, {m['least_confident']} were not"
        return told + (f", so {IF}, epsilon is at least {m['privacy_eps']:.2f}" if m["privacy_eps"] else "") + MORE
    if row.measured == "copied":
        return f"after {found.copied['queries']} queries a copy agrees on {found.copied['agreement']} of other inputs"
    return (
        "to be watched, see the plan; a new meaning of the labels shows in no input and no answer, so labels must be "
        "bought all the time"
    )


def card_html(found: Audit) -> str:
    """The card for people: a part of a page (HTML), to be shown in a notebook."""
    threats = "".join(
        f"<tr><td>{escape(r.threat)}</td><td>{IN_HTML}{escape(finding(found, r))}\n</td>"
        f"<td><small>{'<br>'.join(map(escape, (*r.atlas, *r.nist, *r.owasp)))}</small></td></tr>"
        for r in ROWS
    )
    claims = "".join(
        f"<tr><td>{escape(c.text)}</td>{IN_HTML}<td style='color: {COLOURS[c.verdict]}; white-space: nowrap'>"
        f"<b>{escape(c.verdict)}</b></td><td>{escape(c.because)}</td>\n</tr>"
        for c in found.claims
    )
    claims = claims or "<tr><td>no claims were given</td></tr>"
    proved = "no certificate: no noise level was given"
    if found.certified is not None:
        c = found.certified
        proved = f"smoothed with sigma {c['sigma']:.3g}: {c['rate']} proved right within {c['radius']:.3g} in L2"
    left = f"<b>{found.accuracy}</b> right answers · <b>at most {found.worst}</b> within eps {found.eps:.3g}"
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
Ids: {escape(ATLAS)}, {escape(NIST)}, {escape(OWASP)}. Made by Measured Defense.</small></p>
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
.security-card p { margin: 4pt 0; } .security-card ul { margin: 0; padding-left: 14pt; }
.security-card table { border-collapse: collapse; width: 100%; font-size: inherit; }
.security-card tr { background: none; break-inside: avoid; } .security-card li { break-inside: avoid; }
.security-card td { border: 0; border-top: 1px solid #ccc; padding: 3pt 6pt 3pt 0; vertical-align: top;
  text-align: left; white-space: normal; }
.security-card .claims td:first-child { width: 30%; } .security-card .threats td:first-child { width: 22%; }
.security-card .threats td:last-child { width: 32%; } .security-card small { color: #555; font-size: 8pt; }
@media print { .security-card { font-size: 8.5pt; padding: 0; } .security-card small { font-size: 7pt; } }
"""
