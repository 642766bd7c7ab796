"""Can people read it who see little, or hear the page? axe on pages that are not the site's, against WCAG 2.1 AA."""

import pytest

from conftest import needs_browser
from grader import by_hand, reports
from grader.lab import read_lab
from in_browser import barriers, chromium
from run import ROOT
from tiny_lab import WRITTEN_LAB, result_of

pytestmark = needs_browser
MANY = 30  # answers: axe shall have something to measure


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


def feedback() -> str:
    """A student's page with a check passed and one failed, each with all that a page can say."""
    result = result_of("Zoë", 0.0, state="not met", message="too far", expected="near", got="far")
    lost = result["checks"][0] | {"note": "double is defined twice"}
    passed = lost | {"state": "passed", "earned": 2.0}
    return reports.feedback_page(result | {"checks": [lost, passed] * MANY}, "Lab 99")


def answers() -> str:
    """The page of those who grade by hand."""
    results = [result_of(f"Student {i}", lab=WRITTEN_LAB, words=f"my words {i}") for i in range(MANY)]
    found = by_hand.find_answers(read_lab(WRITTEN_LAB).rubrics, results, "key")
    return by_hand.by_hand_page("Lab 99", found, by_hand.merge_rows(found, [])[0])


def guide() -> str:
    return (ROOT / "notebooks" / "field_guide.html").read_text(encoding="utf-8")


def ledger() -> str:
    return (ROOT / "notebooks" / "ledger.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("write", [feedback, answers, guide, ledger])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_has_no_barrier(browser, tmp_path, write, theme):
    file = tmp_path / "page.html"
    file.write_text(write(), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1300, "height": 1000}, color_scheme=theme)
    page.goto(file.as_uri())
    assert barriers(page) == []
    page.close()


@pytest.mark.parametrize("write", [feedback, answers, guide, ledger])
def test_a_page_is_readable_on_paper(browser, tmp_path, write):
    """Nothing is cut off at the sheet's right edge."""
    file = tmp_path / "page.html"
    file.write_text(write(), encoding="utf-8")
    page = browser.new_page(viewport={"width": 794, "height": 1123})  # A4 at 96 pixels an inch
    page.emulate_media(media="print")
    page.goto(file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 794
    page.close()
