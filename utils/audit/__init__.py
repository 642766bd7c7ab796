"""An audit of a classifier, and the security card that sums it up. Built in lesson 14.

    measure  one call: accuracy, check-up, worst case, certificate, members, copy, monitor plan, the vendor's claims
    card     one page for people (HTML) and one for machines (JSON), with the ids of four public lists
    threats  the rows of a card: threats and their ids
    given    what a vendor hands over, read without unpickling anything
    remote   a model in a process of its own, asked as a module; `child` is what runs there
    against  what became worse since another audit
    pace     how far an audit has come

`python -m utils.audit model.py:build --data digits` does the same from a shell; where pip has installed the tools, it
is called `measured-audit`.
"""

from utils.audit.against import Change, changes
from utils.audit.card import card_data, card_html, card_page
from utils.audit.given import read_claims, read_columns, read_data, read_model
from utils.audit.measure import Audit, audit_model, monitor
from utils.audit.threats import ROWS, CardRow

__all__ = [
    "ROWS",
    "Audit",
    "CardRow",
    "Change",
    "audit_model",
    "card_data",
    "card_html",
    "card_page",
    "changes",
    "monitor",
    "read_claims",
    "read_columns",
    "read_data",
    "read_model",
]
