"""An audit of a classifier, and the security card that sums it up. Built in lesson 14.

    measure  one call: accuracy, check-up, worst case, certificate, members, copy, monitor plan, the vendor's claims
    card     one page for people (HTML) and one for machines (JSON), with the ids of three public lists
    threats  the rows of a card: threats and their ids
    given    what a vendor hands over, read without unpickling anything
    fault    what failed in the model's own code, and where

`python -m utils.audit model.py:build --data digits` does the same from a shell.
"""

from utils.audit.card import card_data, card_html, card_page
from utils.audit.given import read_claims, read_data, read_model
from utils.audit.measure import Audit, audit_model, monitor
from utils.audit.threats import ROWS, CardRow

__all__ = [
    "ROWS",
    "Audit",
    "CardRow",
    "audit_model",
    "card_data",
    "card_html",
    "card_page",
    "monitor",
    "read_claims",
    "read_data",
    "read_model",
]
