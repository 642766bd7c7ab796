"""Pages for people, from the templates beside this file. What is put into a page is text there, never markup."""

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).with_name("templates")


def clean(text: object, limit: int = 2000) -> str:
    """Text without control characters (colours of a terminal, backspaces, lone surrogates), shortened."""
    text = str(text).encode(errors="replace").decode()
    text = re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07", "", text)
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "", text.replace("\r", ""))
    return text if len(text) <= limit else text[: limit - 1] + "…"


PAGES = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
PAGES.filters |= {"clean": clean, "points": "{:g}".format}


def fill_page(template: str, **values: object) -> str:
    """The page of a template beside this file, with these values."""
    return PAGES.get_template(template).render(values)
