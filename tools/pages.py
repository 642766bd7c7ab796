"""The two printable pages, one file of HTML each, without script or anything from elsewhere: from `templates/`."""

import re
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from utils.claims import COLOURS, Claim
from utils.evidence import Evidence
from utils.guide import Guide, entry, linked

ROOT = Path(__file__).parents[1]
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
Link = Callable[[Evidence], str]  # the address of an evidence's cell


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
PAGES.filters |= {  # the last two make HTML, as they do in a notebook, and escape what they are given
    "slug": slug,
    "linked": lambda text: Markup(linked(text)),
    "entry": lambda term, address: Markup(entry(term, address)),
}


def field_guide(terms: Guide, address: Link) -> str:
    """The field guide as a page."""
    parts = {name: [term for term in terms if term.part == name] for name in dict.fromkeys(t.part for t in terms)}
    return PAGES.get_template("field_guide.html").render(parts=parts, address=address)


def ledger(claims: list[tuple[Claim, Evidence]], address: Link) -> str:
    """All claims of the course as a page: verdict, evidence and cell of each."""
    count = Counter(claim.verdict for claim, _ in claims)
    said = {"holds": "hold", "refuted": "are refuted", "it depends": "depend on something", "open": "are open"}
    tally = ", ".join(f"{count[verdict]} {words}" for verdict, words in said.items() if count[verdict])
    page = PAGES.get_template("ledger.html")
    return page.render(claims=claims, tally=tally, colours=COLOURS, address=address)
