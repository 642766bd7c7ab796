"""The ledger: verdicts survive, nothing half-written is believed, and every claim of the course is listed."""

import json
from pathlib import Path

import pytest

from utils.claims import CLAIMS, claim, file_name, folder, ledger, worth_defending
from utils.rate import Rate, Trainings


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


@pytest.mark.parametrize(
    ("undefended", "worth"),
    [
        (Rate(43, 100), False),
        (Rate(97, 100), True),
        (Rate(2, 3), False),
        (Rate(200, 300), False),  # the limit itself, and not clearly above it
        (Rate(75, 100), False),  # its interval begins at 65.7 %
        (Rate(76, 100), True),  # its interval begins at 66.8 %
        (Rate(6_700, 10_000), False),
        (Rate(6_800, 10_000), True),
        (Trainings([Rate(78, 80), Rate(79, 80), Rate(77, 80)]), True),
        (Trainings([Rate(60, 80), Rate(79, 80), Rate(50, 80)]), False),  # another training may be below
    ],
)
@pytest.mark.parametrize("holds", [True, False, None])
def test_a_claim_stays_open_where_the_undefended_model_is_not_worth_defending(undefended, worth, holds):
    assert worth_defending(undefended) == worth
    card = claim(CLAIMS["02"][0], holds=holds, because="1/3 are left", undefended=undefended)
    assert (card.verdict == "open") != worth and "1/3 are left" in card.because
    for page in (repr(card), card._repr_html_()):
        assert card.verdict in page
        assert worth or (repr(undefended) in page and "Train it longer" in page), "it says how to go on"
    assert [c.verdict for c in ledger() if c.verdict != "open"] == [card.verdict] * worth


def test_a_model_not_worth_defending_turns_nothing_in_the_ledger():
    claim(CLAIMS["02"][0], holds=False, because="measured", undefended=Rate(97, 100))
    claim(CLAIMS["02"][0], holds=True, because="of a poor model", undefended=Rate(43, 100))
    (kept,) = [c for c in ledger() if c.text == CLAIMS["02"][0]]
    assert (kept.verdict, kept.because) == ("refuted", "measured")


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
