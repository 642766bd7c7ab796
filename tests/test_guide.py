"""The field guide and the ledger page: complete, up to date, true of what the notebooks show, and fit to print."""

import json
import re
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

import build
import pages
from build import REPOSITORY, on_code_host, printable
from conftest import BROWSER, needs_browser
from run import LESSONS
from utils.claims import CLAIMS, Claim
from utils.evidence import Evidence, evidence_for, settled, verdicts
from utils.guide import Answer, Term, guide, in_jupyter, linked
from utils.records import value_of

DEFENSES = {  # what people are told to pick, and the whole
    "Machine-learning security",
    "Adversarial training",
    "Gradient masking",
    "Defensive distillation",
    "Randomized smoothing",
    "Differential privacy",
    "Model monitoring",
}
ASKED = [
    "What is it?",
    "How does it work?",
    "Can it prevent attacks completely?",
    "What does it cost?",
    "What are the alternatives?",
    "Who uses it?",
]
TERMS = guide()
ANSWERS = [(term, answer) for term in TERMS for answer in term.answers]
EVIDENCE = [evidence for _, answer in ANSWERS for evidence in answer.evidence]
THERE = {path.name.partition("_")[0] for path in LESSONS.glob("*.ipynb")}
each_page = pytest.mark.parametrize("name", ["field_guide.html", "ledger.html"])


def page(name: str) -> str:
    return (LESSONS / name).read_text()


@cache
def places(notebook: str) -> dict[str, str]:
    """The cells of a notebook as it lies there: {id: the heading above it}."""
    found, section = {}, ""
    for cell in json.loads((LESSONS / notebook).read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            section = (re.findall(r"^#+ (.+)", "".join(cell["source"]), re.MULTILINE) or [section])[-1]
        found[cell["id"]] = section
    return found


# What is written


def test_each_term_is_there_once():
    names = [term.name for term in TERMS]
    assert len(set(names)) == len(names) >= 30


def test_every_defense_answers_the_six_questions():
    asked = {term.name: [answer.question for answer in term.answers] for term in TERMS if term.name in DEFENSES}
    assert asked == dict.fromkeys(asked, ASKED) and set(asked) == DEFENSES


def test_every_other_term_answers_a_question():
    assert all(len(term.answers) > 1 and term.child and term.origin for term in TERMS)


def test_whether_attacks_are_prevented_is_answered_by_yes_or_no_first():
    assert all(answer.text.startswith(("Yes.", "No.")) for _, answer in ANSWERS if "completely" in answer.question)


def test_answers_rest_on_a_measurement_and_facts_of_others_on_a_source():
    for term, answer in ANSWERS:
        if answer.question == "Who uses it?":
            assert linked(answer.text) != answer.text or "we know of" in answer.text.lower(), term.name
        elif answer.question != "What is it?" or term.name in DEFENSES:
            assert answer.evidence, f"{term.name}: {answer.question}"
        assert "<a " in linked(term.origin), term.name


def test_no_measured_figure_is_typed():
    written = [text for term, answer in ANSWERS for text in (answer.text, term.child)]
    assert not [
        text for text in written if re.search(r"\d ?%|\d+/\d+|\d\.\d", re.sub(r"(arXiv|https|doi):\S+", "", text))
    ]


def test_answers_are_a_sentence_or_two_of_plain_words():
    for term, answer in ANSWERS:
        assert len(answer.text.split()) <= 50, f"{term.name}: {answer.question}"
        assert len(term.child.split()) <= 65, term.name
        assert not re.search(r"\b(simply|obviously|just|basically)\b", f"{answer.text} {term.child}", re.IGNORECASE)


def test_the_last_lesson_shows_the_guide_and_is_not_cited_by_it():
    assert "14" not in {evidence.lesson for evidence in EVIDENCE}


# What is measured


def test_only_what_a_missing_lesson_will_measure_is_open():
    assert {evidence.lesson for evidence in EVIDENCE if evidence.verdict == "open"}.isdisjoint(THERE)
    assert all(evidence.cell for evidence in EVIDENCE if evidence.lesson in THERE)


def test_every_claim_of_the_course_is_settled_by_its_lesson():
    claims = [claim for claim, _ in settled()]
    assert [claim.text for claim in claims] == [text for texts in CLAIMS.values() for text in texts]
    assert {claim.lesson for claim in claims if claim.verdict == "open"} == set(CLAIMS) - THERE
    assert {claim.verdict for claim in verdicts(before="02")} == {"refuted", "open"}


def test_every_link_leads_to_a_cell():
    links = re.findall(r'href="([^"#]+\.ipynb)#cell-id=([^"]+)"', TERMS._repr_html_())
    assert len(links) == len([evidence for evidence in EVIDENCE if evidence.cell])
    for notebook, cell in links:
        assert cell in places(notebook)


@pytest.mark.parametrize("name", printable())
def test_pages_are_up_to_date(name):
    assert page(name) == printable()[name], "out of date: run make notebooks"


@each_page
def test_every_link_of_a_page_leads_to_a_section(name):
    links = re.findall(rf'href="{re.escape(REPOSITORY)}/blob/main/notebooks/([^"#]+)#([^"]+)"', page(name))
    assert links
    for notebook, anchor in links:
        assert unquote(anchor) in {section.replace(" ", "-") for section in places(notebook).values()}
    assert set(re.findall(r'href="#([^"]+)"', page(name))) == set(re.findall(r' id="([^"]+)"', page(name)))


@each_page
def test_pages_stand_alone(name):
    assert len(page(name)) < 300_000
    assert not re.search(r"<script|<link|<img|<iframe|\bsrc=|url\(|@import|\bon\w+=", page(name))
    assert all(address.startswith(("#", "https://")) for address in re.findall(r'href="([^"]*)"', page(name)))


def test_what_is_put_into_a_page_is_text_there():
    claim = Claim("03", "<script>", "holds", "<b>1 < 2</b>")
    evidence = Evidence("03", "<script>", notebook='"<i>', cell="c")
    made = pages.ledger([(claim, evidence)], lambda there: there.notebook)
    assert "<script" not in made and "<b>" not in made and "&lt;b&gt;1 &lt; 2&lt;/b&gt;" in made
    assert 'href="&#34;&lt;i&gt;"' in made
    term = Term("<script>", "<i>", "<u>", "<u>", (Answer("What is it?", "<u>", ()),))
    assert not re.search("<script|<i>|<u>", pages.field_guide([term], str))


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize(("name", "most"), [("field_guide.html", 24), ("ledger.html", 2)])
def test_pages_print_on_few_sheets_of_a4(name, most, tmp_path):
    quiet = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    options = [f"--user-data-dir={tmp_path}/browser", "--no-pdf-header-footer", f"--print-to-pdf={tmp_path}/page.pdf"]
    subprocess.run([BROWSER, *quiet, *options, str(LESSONS / name)], check=True, capture_output=True, timeout=60)
    printed = (tmp_path / "page.pdf").read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) <= most
    sizes = {
        tuple(round(float(side)) for side in box)
        for box in re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)", printed)
    }
    assert sizes == {(595, 842)} or sizes == {(596, 842)}


def test_as_plain_text_the_guide_is_names_only():
    assert repr(TERMS).splitlines()[0] == "Machine-learning security: 6 answers"
    assert not re.search(r"[%/\[]", repr(TERMS))


def test_text_becomes_html_with_links():
    text = "1 < 2 % (arXiv:1706.06083), arXiv:1412.6572; doi:10.1016/S0378-3758(00)00115-4. See https://a.org/b."
    assert linked(text) == (
        '1 &lt; 2\N{NO-BREAK SPACE}% (<a href="https://arxiv.org/abs/1706.06083">arXiv:1706.06083</a>), '
        '<a href="https://arxiv.org/abs/1412.6572">arXiv:1412.6572</a>; '
        '<a href="https://doi.org/10.1016/S0378-3758(00)00115-4">doi:10.1016/S0378-3758(00)00115-4</a>. '
        'See <a href="https://a.org/b">https://a.org/b</a>.'
    )


# How evidence is found


@pytest.fixture
def folder(tmp_path):
    """A folder with the record of one small lesson: {cell: {row: {column: value}}}, and its claims."""

    def write(cells: dict, claims: tuple = ()) -> Path:
        figures = [
            {"cell": cell, "row": row, "column": column, "value": value_of(value)}
            for cell, rows in cells.items()
            for row, columns in rows.items()
            for column, value in columns.items()
        ]
        sections = dict.fromkeys([*cells, "settles"], "A section")
        record = {"lesson": "03_small", "sections": sections, "figures": figures, "claims": list(claims)}
        (tmp_path / "03_small.digits.json").write_text(json.dumps(record))
        return tmp_path

    return write


def test_evidence_knows_its_cell(folder):
    wanted = {"lesson": "03", "rows": ["PGD", "FGSM"], "counts": "right answers"}
    found = evidence_for(
        wanted, folder({"c0": {"FGSM": {"": 5}}, "c1": {"FGSM": {"": 2}, "PGD": {"": 1}, "TRADES": {"": 9}}})
    )
    assert found.rows == (("PGD", "1"), ("FGSM", "2")) and found.about == "right answers" and not found.columns
    assert (found.notebook, found.cell, found.section) == ("03_small.ipynb", "c1", "A section")
    assert in_jupyter(found) == "03_small.ipynb#cell-id=c1"
    assert on_code_host(found) == f"{REPOSITORY}/blob/main/notebooks/03_small.ipynb#A-section"


def test_evidence_has_the_columns_that_are_wanted_or_all(folder):
    where = folder({"c0": {"PGD": {"clean": 1, "left": "2 %"}, "PGDs": {"clean": 3, "left": 4}}})
    wanted = {"lesson": "03", "rows": ["PGD"], "counts": "x"}
    assert evidence_for(wanted, where).columns == ("clean", "left")
    assert evidence_for(wanted | {"of": ["left"]}, where).rows == (("PGD", "2 %"),)
    with pytest.raises(LookupError, match="no cell"):
        evidence_for(wanted | {"of": ["worst"]}, where)


def test_evidence_that_no_cell_shows_is_an_error(folder):
    with pytest.raises(LookupError, match="shown by no cell"):
        wanted = {"lesson": "03", "rows": ["PGD", "FGSM"], "counts": "x"}
        evidence_for(wanted, folder({"c0": {"PGD": {"": 1}}, "c1": {"FGSM": {"": 2}}}))


def test_evidence_that_two_cells_show_is_an_error_until_one_is_named(folder):
    where = folder({"c0": {"PGD": {"": 1}}, "c1": {"PGD": {"": 2}}})
    wanted = {"lesson": "03", "rows": ["PGD"], "counts": "x"}
    with pytest.raises(LookupError, match="c0, c1"):
        evidence_for(wanted, where)
    assert evidence_for(wanted | {"cell": "c1"}, where).rows == (("PGD", "2"),)


def test_a_verdict_that_has_turned_is_an_error(folder):
    wanted = {"lesson": "03", "claim": "It works", "verdict": "holds"}
    settles = {"cell": "settles", "text": "It works", "verdict": "refuted", "because": "1, because 2"}
    where = folder({}, (settles,))
    assert evidence_for(wanted | {"verdict": "refuted"}, where).because == "1, because 2"
    with pytest.raises(LookupError, match="is now 'refuted'"):
        evidence_for(wanted, where)


def test_a_claim_that_its_lesson_does_not_settle_is_an_error(folder):
    with pytest.raises(LookupError, match="no cell"):
        settled(folder=folder({}))


def test_a_lesson_without_a_record_leaves_it_open(folder):
    wanted = {"lesson": "04", "claim": "It works", "verdict": "holds"}
    assert evidence_for(wanted, folder({})) == Evidence("04", "It works", "open")


def test_a_lesson_that_shows_the_guide_is_run_again_when_another_shows_something_else(monkeypatch):
    cells = ('evidence.verdicts(before="14")', "from utils.data import load")
    seen = [build.shows_of_others(cell) for cell in cells]
    monkeypatch.setattr(build, "verdicts", lambda before: "others")
    again = [build.shows_of_others(cell) for cell in cells]
    assert [one == other for one, other in zip(seen, again, strict=True)] == [False, True]


def test_a_lesson_that_compares_records_is_run_after_these_and_again_when_one_changes(monkeypatch):
    cells = ("from utils.data import load", 'kept.verdicts_on("mnist")', 'evidence.verdicts(before="14")')
    assert [build.turn(cell) for cell in cells] == [0, 1, 2]
    seen = [build.shows_of_others(cell) for cell in cells]
    monkeypatch.setattr(build.kept, "rates_on_both", lambda one, other: [("01: another", 1, 2)])
    again = [build.shows_of_others(cell) for cell in cells]
    assert [one == other for one, other in zip(seen, again, strict=True)] == [True, False, True]
