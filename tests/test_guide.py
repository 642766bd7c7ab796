"""The field guide and the ledger page: complete, up to date, true of what the notebooks show, and fit to print."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest

import build
from build import LESSONS, REPOSITORY, fingerprint, on_code_host, printable
from utils.claims import CLAIMS
from utils.evidence import Evidence, cells, figures, find, settled, verdicts
from utils.guide import guide, in_jupyter, linked

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
THERE = {path.name[:2] for path in LESSONS.glob("*.ipynb")}
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
each_page = pytest.mark.parametrize("name", ["field_guide.html", "ledger.html"])


def page(name: str) -> str:
    return (LESSONS / name).read_text()


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
        assert cell in {place.cell for place, _ in cells(notebook[:2])}


@pytest.mark.parametrize("name", printable())
def test_pages_are_up_to_date(name):
    assert page(name) == printable()[name], "out of date: run make notebooks"


@each_page
def test_every_link_of_a_page_leads_to_a_section(name):
    links = re.findall(rf'href="{re.escape(REPOSITORY)}/blob/main/notebooks/([^"#]+)#([^"]+)"', page(name))
    assert links
    for notebook, anchor in links:
        assert unquote(anchor) in {place.section.replace(" ", "-") for place, _ in cells(notebook[:2])}
    assert set(re.findall(r'href="#([^"]+)"', page(name))) == set(re.findall(r' id="([^"]+)"', page(name)))


@each_page
def test_pages_stand_alone(name):
    assert len(page(name)) < 300_000
    assert not re.search(r"<script|<link|<img|<iframe|\bsrc=|url\(|@import|\bon\w+=", page(name))
    assert all(address.startswith(("#", "https://")) for address in re.findall(r'href="([^"]*)"', page(name)))


@pytest.mark.skipif(BROWSER is None, reason="no chromium, chromium-browser or google-chrome on the PATH")
@pytest.mark.parametrize(("name", "most"), [("field_guide.html", 24), ("ledger.html", 1)])
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


@pytest.mark.parametrize(
    ("line", "row", "columns", "found"),
    [
        ("PGD: 5/9 = 56 % [27, 81]", "PGD", [], ("PGD", "5/9 = 56 % [27, 81]")),
        (
            "PGD: no attack 5/9 = 56 % [27, 81], worst case 1/9 = 11 % [2, 44]",
            "PGD",
            ["worst case"],
            ("PGD", "1/9 = 11 % [2, 44]"),
        ),
        ("a: PGD, 20 steps 5/9 = 56 % [27, 81], b 3", "a", ["b", "PGD, 20 steps"], ("a", "3", "5/9 = 56 % [27, 81]")),
        ("PGD: 98 % at 0, 7 % at 0.1, 3 % at 1", "PGD", ["at 1", "at 0.1"], ("PGD", "3 %", "7 %")),
        ("right 0.5 no", "right", [], ("right", "0.5 no")),
        ("noise 2 (epsilon 5.6): 8/9 = 89 % [57, 98]", "noise 2", [], ("noise 2 (epsilon 5.6)", "8/9 = 89 % [57, 98]")),
        ("PGD: worst 1/9 = 11 % [2, 44]", "PGD", ["worst case"], ()),
        ("PGDs: 5/9 = 56 % [27, 81]", "PGD", [], ()),
        ("the PGD: 5/9 = 56 % [27, 81]", "PGD", [], ()),
    ],
)
def test_lines_are_taken_apart(line, row, columns, found):
    assert figures(line, row, columns) == found


@pytest.fixture
def folder(tmp_path):
    """A folder with one lesson, of which each test shows what it prints."""

    def write(*outputs: str) -> Path:
        shown = [{"text": text.splitlines(keepends=True)} for text in outputs]
        code = [{"cell_type": "code", "id": f"c{i}", "source": [], "outputs": [out]} for i, out in enumerate(shown)]
        heading = {"cell_type": "markdown", "id": "m", "source": ["# A title\n", "## A section\n", "text"]}
        (tmp_path / "03_small.ipynb").write_text(json.dumps({"cells": [heading, *code]}))
        return tmp_path

    return write


def test_evidence_knows_its_cell(folder):
    wanted = {"lesson": "03", "rows": ["PGD", "FGSM"], "counts": "right answers"}
    found = find(wanted, folder("nothing", "FGSM: 2\nPGD:   1\nPGD: 3\n"))
    assert found.rows == (("PGD", "1"), ("FGSM", "2")) and found.about == "right answers"
    assert (found.notebook, found.cell, found.section) == ("03_small.ipynb", "c1", "A section")
    assert in_jupyter(found) == "03_small.ipynb#cell-id=c1"
    assert on_code_host(found) == f"{REPOSITORY}/blob/main/notebooks/03_small.ipynb#A-section"


def test_evidence_that_no_cell_shows_is_an_error(folder):
    with pytest.raises(LookupError, match="shown by no cell"):
        find({"lesson": "03", "rows": ["PGD", "FGSM"], "counts": "x"}, folder("PGD: 1", "FGSM: 2"))


def test_evidence_that_two_cells_show_is_an_error_until_one_is_named(folder):
    wanted, where = {"lesson": "03", "rows": ["PGD"], "counts": "x"}, folder("PGD: 1", "PGD: 2")
    with pytest.raises(LookupError, match="c0, c1"):
        find(wanted, where)
    assert find(wanted | {"cell": "c1"}, where).rows == (("PGD", "2"),)


def test_a_verdict_that_has_turned_is_an_error(folder):
    wanted, where = (
        {"lesson": "03", "claim": "It works", "verdict": "holds"},
        folder('"It works": refuted, because 1, because 2'),
    )
    assert find(wanted | {"verdict": "refuted"}, where).because == "1, because 2"
    with pytest.raises(LookupError, match="is now 'refuted'"):
        find(wanted, where)


def test_a_claim_that_its_lesson_does_not_settle_is_an_error(folder):
    with pytest.raises(LookupError, match="no cell"):
        settled(folder=folder('03  "Adversarial training costs accuracy and time": open'))


def test_a_lesson_that_does_not_exist_leaves_it_open(folder):
    wanted = {"lesson": "04", "claim": "It works", "verdict": "holds"}
    assert find(wanted, folder()) == Evidence("04", "It works", "open")


def test_a_lesson_that_shows_the_guide_is_run_again_when_another_shows_something_else(monkeypatch):
    seen = {fingerprint([code]) for code in ("from utils.guide import guide", "from utils.data import load")}
    monkeypatch.setattr(build, "verdicts", lambda before: "others")
    again = {fingerprint([code]) for code in ("from utils.guide import guide", "from utils.data import load")}
    assert len(seen & again) == 1, "only that of the lesson that shows it"
