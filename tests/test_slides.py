"""The slides: cut from the committed notebooks, nothing of their own, and shown by a real browser without a network."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import slides
from conftest import needs_browser
from in_browser import chromium
from run import ROOT

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST = 40  # slides: a class of 50 minutes has more than a minute for each


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """All slides, as `make slides` writes them."""
    to = tmp_path_factory.mktemp("slides")
    subprocess.run([sys.executable, ROOT / "tools" / "slides.py", "--to", to], check=True, capture_output=True)
    return to


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


def count(page: str) -> int:
    """Slides: for each nbconvert writes a section in a section."""
    return page.count("<section") // 2


@pytest.mark.parametrize("file", LESSONS, ids=lambda file: file.stem)
def test_a_lesson_is_cut_at_headings_pictures_and_predictions(made, file):
    page, notebook = (made / f"{file.stem}.html").read_text(encoding="utf-8"), nbformat.read(file, 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    asked = [cell for cell in code if re.search(r"^\w+ = widgets\.ask\(", cell.source, re.MULTILINE)]
    pictures = [
        output.data["image/png"]
        for cell in code
        if cell not in asked
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    headings = [line for line in re.findall(r"^#{1,3} (.+)", text, re.MULTILINE) if line != "Further"]
    assert page.count('class="stop"') == len(asked)
    assert all(page.count(picture) == 1 for picture in pictures) and page.count("<img ") == len(pictures)
    assert not re.search(r'<img (?!alt="[^"])', page), "a picture without words"
    assert len(re.findall(r"<h[123] id=", page)) - page.count('id="Further"') == len(headings)
    assert len(headings) + len(asked) + len(pictures) <= count(page) <= MOST
    assert "jp-CodeMirrorEditor" not in page and "This cell finds the course" not in page


@needs_browser
@pytest.mark.parametrize("stem", ["01_one_gradient_step", "07_randomized_smoothing", "14_capstone"])
def test_each_slide_is_shown_and_nothing_is_fetched(made, browser, stem):
    page, asked, failed = browser.new_page(viewport={"width": 960, "height": 700}), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.goto((made / f"{stem}.html").as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    many = count((made / f"{stem}.html").read_text(encoding="utf-8"))
    for number in range(1, many + 1):
        assert page.locator(".slide-number").inner_text().split() == [str(number), "/", str(many)]
        slide = page.locator("section.present section.present")
        box = slide.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 700 and box["height"] > 30, number  # the rest is scrolled
        seen = slide.evaluate("slide => slide.innerText.trim().length + 99 * slide.querySelectorAll('img').length")
        assert seen > 0, f"slide {number} is empty"
        assert slide.locator("aside.notes:visible").count() == 0
        page.keyboard.press("ArrowRight")
    assert page.locator("mjx-container").count() > 3 or stem == "14_capstone"
    assert page.locator("mjx-merror").count() == 0
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == [] and failed == []
    page.close()


@needs_browser
def test_a_pdf_has_a_page_for_each_slide(made, browser):
    file, page = made / "01_one_gradient_step.html", browser.new_page()
    page.goto(f"{file.as_uri()}?print-pdf")
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    many = count(file.read_text(encoding="utf-8"))
    page.wait_for_function(f"document.querySelectorAll('.pdf-page').length == {many}")
    pages = re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))
    assert len(pages) == many
    page.close()


def test_links_lead_to_the_code_host():
    assert slides.address("../labs/07_x.ipynb").endswith("/blob/main/labs/07_x.ipynb")
    assert slides.address("08_y.ipynb").endswith("/blob/main/notebooks/08_y.ipynb")


def test_a_lesson_that_is_not_there_is_said(tmp_path):
    run = subprocess.run(
        [sys.executable, ROOT / "tools" / "slides.py", "99", "--to", tmp_path], capture_output=True, text=True
    )
    assert run.returncode == 1 and "no lesson is called 99: choose of 00_start_here" in run.stderr
