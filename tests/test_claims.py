"""The ledger: verdicts survive, nothing half-written is believed, and every claim of the course is listed."""

import json
from pathlib import Path

import pytest

from utils.claims import CLAIMS, claim, file_name, folder, ledger


@pytest.fixture(autouse=True)
def own_ledger(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_LEDGER", str(tmp_path / "ledger"))


def test_at_first_every_claim_is_open():
    assert [c.text for c in ledger()] == [text for texts in CLAIMS.values() for text in texts]
    assert {c.verdict for c in ledger()} == {"open"}
    assert repr(ledger()).count("open") == len(ledger())


@pytest.mark.parametrize(("holds", "verdict"), [(True, "holds"), (False, "refuted"), (None, "it depends")])
def test_a_verdict_enters_the_ledger(holds, verdict):
    text = CLAIMS["02"][0]
    card = claim(text, holds=holds, because="12/100 < 13 & so on")
    assert verdict in repr(card) and "12/100 &lt; 13 &amp; so on" in card._repr_html_()
    (settled,) = [c for c in ledger() if c.verdict != "open"]
    assert (settled.lesson, settled.text, settled.verdict) == ("02", text, verdict)
    assert "12/100 &lt; 13" in ledger()._repr_html_()


def test_a_claim_of_ones_own_comes_last_and_a_new_verdict_replaces_the_old():
    claim("My <b>own</b> claim", holds=True, because="one")
    claim("My <b>own</b> claim", holds=False, because="two")
    assert (ledger()[-1].text, ledger()[-1].verdict, ledger()[-1].because) == ("My <b>own</b> claim", "refuted", "two")
    assert "<b>own</b>" not in ledger()._repr_html_()
    assert len(ledger()) == 1 + sum(map(len, CLAIMS.values()))


def test_files_that_cannot_be_trusted_are_left_out():
    folder().mkdir(parents=True)
    text = CLAIMS["01"][0]
    (folder() / file_name(text)).write_text('{"lesson": "01", "te')
    (folder() / "other.json").write_text(json.dumps({"lesson": "01", "text": "x", "verdict": "<script>"}))
    (folder() / "list.json").write_text("[1, 2]")
    assert {c.verdict for c in ledger()} == {"open"}


def test_a_read_only_folder_costs_the_entry_not_the_card(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COURSE_LEDGER", str(tmp_path / "file" / "ledger"))
    assert "not entered in the ledger" in claim(CLAIMS["01"][0], holds=True, because="measured").because


def test_names_of_claims_are_distinct_files():
    texts = [text for texts in CLAIMS.values() for text in texts]
    assert len({file_name(text) for text in texts}) == len(texts)
    assert all(Path(file_name(text)).name == file_name(text) for text in texts)
