"""The web site: built from the committed notebooks, every link followed, and looked at in a real browser."""

import gzip
import html
import json
import math
import re
import resource
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest

import site_pages
from conftest import needs_browser
from in_browser import barriers, barriers_within, chromium, served

ROOT = Path(__file__).parents[1]
MB = 1_000_000
LESSON = "notebooks/07_randomized_smoothing.html"  # formulas, pictures, tables, a duel


def processor_seconds() -> float:
    """Of all that this process has started, and that has ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, as `make site` builds it. Sphinx is told to fail at a warning."""
    to = tmp_path_factory.mktemp("site") / "site"
    before = processor_seconds()
    run = subprocess.run([sys.executable, ROOT / "tools" / "site_build.py", "--to", to], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert processor_seconds() - before < 60
    return to


@pytest.fixture(scope="module")
def address(site):
    with served(site) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


class Page(HTMLParser):
    """A page's links, the names that can be linked to, and its pictures' words."""

    def __init__(self, file: Path):
        super().__init__()
        self.links, self.names, self.words = [], {""}, []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.names.add(given.get("id") or "")
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag == "img":
            self.words.append(given.get("alt"))


def pages(site: Path) -> dict[str, Page]:
    return {
        file.relative_to(site).as_posix(): Page(file) for file in site.rglob("*.html") if "_static" not in file.parts
    }


def test_each_lesson_lab_and_challenge_has_its_page(site):
    for folder in ("notebooks", "labs", "challenges"):
        for notebook in (ROOT / folder).glob("*.ipynb"):
            assert (site / folder / f"{notebook.stem}.html").exists()


def test_no_solution_is_on_the_site(site):
    marked = {file.stem for file in site.rglob("*.*") if file.is_file() and b"### BEGIN SOLUTION" in file.read_bytes()}
    assert marked <= {"TEACHING", "searchindex"}, "only the page that explains the mark has it"


def test_each_link_leads_somewhere(site):
    """To a page and to a place on it; to a file of the repository, if it is there."""
    found, lost = pages(site), []
    for page, content in found.items():
        for link in content.links:
            if link.startswith(site_pages.BLOB):
                if not (ROOT / urlsplit(link.removeprefix(site_pages.BLOB)).path).exists():
                    lost.append((page, link))
                continue
            if urlsplit(link).scheme:
                continue
            to = urlsplit(urljoin(f"/{page}", link))
            path = unquote(to.path).lstrip("/") or "index.html"
            if not (site / path).exists() or (path in found and unquote(to.fragment) not in found[path].names):
                lost.append((page, link))
    assert not lost


def test_each_picture_has_words(site):
    """That say what it shows: not a file's name, which is what a page has where nobody cared."""
    found = [(page, words) for page, content in pages(site).items() for words in content.words]
    assert len(found) > 150
    assert not [(page, words) for page, words in found if not words or re.search(r"\.png|_images/", words)]


def test_a_page_offers_the_committed_notebook(site):
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        assert (site / "_sources" / "notebooks" / notebook.name).read_bytes() == notebook.read_bytes()


@pytest.mark.parametrize(
    ("link", "page", "there"),
    [
        (
            "06_defensive_distillation.ipynb#cell-id=verdict-2",
            "notebooks/05_x.ipynb",
            "06_defensive_distillation.html#verdict-2",
        ),
        ("../labs/01_one_gradient_step.ipynb", "notebooks/01_x.ipynb", "../labs/01_one_gradient_step.html"),
        ("field_guide.html#eps", "notebooks/00_x.ipynb", "field_guide.html#eps"),
        ("TEACHING.md", "CONTRIBUTING.md", "TEACHING.html"),
        (f"{site_pages.BLOB}notebooks/01_a.ipynb#Verdict", "notebooks/ledger.html", "01_a.html#verdict"),
        ("../utils/rate.py", "notebooks/00_x.ipynb", f"{site_pages.BLOB}utils/rate.py"),
        ("dask_percentile_high.sh", "findings/README.md", f"{site_pages.BLOB}findings/dask_percentile_high.sh"),
        ("#a-place", "notebooks/00_x.ipynb", "#a-place"),
        ("https://arxiv.org/abs/1902.02918", "index.md", "https://arxiv.org/abs/1902.02918"),
    ],
)
def test_where_links_lead(link, page, there):
    assert site_pages.address(link, page) == there


@needs_browser
@pytest.mark.parametrize(
    "name",
    [
        "index.html",
        LESSON,
        "labs/01_one_gradient_step.html",
        "notebooks/ledger.html",
        "notebooks/field_guide.html",
        "playground/index.html",
    ],
)
def test_in_a_browser(address, browser, name):
    """Nothing comes from another host, a page weighs at most 1 MB as a web server sends it (compressed), no script
    fails, formulas are set, and axe finds no fault against WCAG 2.1 AA."""
    page = browser.new_page(viewport={"width": 1300, "height": 1000}, color_scheme="light")
    came, failed = {}, []
    page.on("response", lambda response: came.setdefault(response.url, response))
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto(address + name)
    page.wait_for_load_state("networkidle")
    assert [url for url in came if not url.startswith((address, "data:"))] == []
    assert [url for url, response in came.items() if response.status >= 400] == []
    assert failed == []
    packed = {url: len(gzip.compress(response.body())) for url, response in came.items()}
    assert sum(packed.values()) < MB, sorted(packed.items(), key=lambda item: -item[1])[:5]
    if name == LESSON:
        page.locator("mjx-container").first.wait_for()
        assert page.locator("mjx-merror").count() == 0
    assert barriers(page) == []
    page.emulate_media(color_scheme="dark")
    page.reload()
    page.wait_for_load_state("networkidle")
    assert barriers(page) == []
    page.close()


# Widgets: what a page shows is what the lesson's run kept.

KEPT = {page: site_pages.grids(page) for page in (f"notebooks/{n.name}" for n in (ROOT / "notebooks").glob("*.ipynb"))}
SHOWS_A_WIDGET = re.compile(
    r"widgets\.(?:ask|AttackExplorer|Duel)\(|^guess\.reveal\(|^\w*(?:Board|Console|Budget|Explorer|Watch)\(", re.M
)


@pytest.mark.parametrize("page", sorted(KEPT))
def test_each_widget_of_a_lesson_is_kept_for_the_site(page):
    """At every setting, and of the present code."""
    notebook = json.loads((ROOT / page).read_text(encoding="utf-8"))
    code = {cell["id"]: "".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"}
    shown = {cell for cell, source in code.items() if SHOWS_A_WIDGET.search(source)}
    assert KEPT[page].keys() == shown, "run make notebooks"
    for grid in KEPT[page].values():
        if "states" in grid:
            assert len(grid["at"]) == math.prod(len(control["options"]) for control in grid["controls"])
            assert set(grid["at"]) == set(range(len(grid["states"])))


OVERLAPS = """drawing => {
    const texts = [...drawing.querySelectorAll("text")].filter(text => text.textContent.trim());
    const places = texts.map(text => text.getBoundingClientRect());
    const lie = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4;  // a line's box is taller than its letters
    return texts.flatMap((text, i) => texts.slice(0, i).filter((_, j) => lie(places[i], places[j]))
        .map(other => `${other.textContent} | ${text.textContent}`));
}"""


@needs_browser
@pytest.mark.parametrize("page", sorted(page for page, kept in KEPT.items() if kept))
def test_the_widgets_of_a_page_answer(address, browser, page):
    """By keys alone: each control changes the setting, picture and words are those that the run kept for it, and no two
    texts of the picture overlap. The page stays below 1 MB and asks no other host. axe finds nothing in a widget, and
    nothing in a table or a verdict, whose colours are their own, in the dark either."""
    shown, came = browser.new_page(), {}
    shown.on("response", lambda response: came.setdefault(response.url, response))
    failed = []
    shown.on("pageerror", lambda error: failed.append(str(error)))
    shown.goto(address + page.replace(".ipynb", ".html"))
    shown.wait_for_load_state("networkidle")
    assert sum(len(gzip.compress(response.body())) for response in came.values()) < MB  # a large grid comes when needed
    for cell, grid in KEPT[page].items():
        place = shown.locator(f'.widget[data-cell="{cell}"]')
        if "question" in grid:
            slider = place.get_by_role("slider")
            slider.focus()
            slider.press("ArrowRight")
            slider.press("Tab")
            shown.keyboard.press("Enter")
            assert slider.is_disabled()
            said = next(other["said"] for other in KEPT[page].values() if "said" in other)
            assert place.get_by_role("status").inner_text() == said[grid["guess"]["start"] + 1]
            assert shown.locator("details.hide:not([open])").count() == 0
        if "states" not in grid:
            continue
        place.scroll_into_view_if_needed()
        shown.locator(f'.widget[data-ready][data-cell="{cell}"]').wait_for()
        if "guess" in grid:
            assert place.locator("svg").count() == 0
            place.get_by_role("button", name="Lock").press("Enter")
        controls, rows = grid["controls"], place.locator(".controls label")
        for i, control in enumerate(controls):
            moved, forward = rows.nth(i).locator("input, select"), control["start"] < len(control["options"]) - 1
            if not moved.is_visible() or moved.is_disabled():
                continue
            moved.press("ArrowUp" if forward == (control["kind"] == "slider") else "ArrowDown")
            values = [int(rows.nth(j).locator("input, select").input_value()) for j in range(len(controls))]
            at = 0
            for other, value in zip(controls, values, strict=True):
                at = at * len(other["options"]) + value
            state = grid["states"][grid["at"][at]]
            assert values[i] == control["start"] + (1 if forward else -1), control["label"]
            assert place.get_by_role("status").text_content().endswith(state["words"])
            drawn = "".join(grid["parts"][i] for i in state["parts"])
            texts = [html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", drawn)]
            assert place.locator("svg text").all_text_contents() == texts
            assert place.locator("svg").evaluate(OVERLAPS) == []
    assert failed == [] and [url for url in came if not url.startswith((address, "data:"))] == []
    assert barriers_within(shown, ".widget, .text_html") == []
    shown.add_style_tag(content="* { transition: none !important }")  # or colours would change step by step
    shown.emulate_media(color_scheme="dark")
    shown.locator("html[data-theme=dark]").wait_for()
    assert barriers_within(shown, ".text_html", runOnly=["color-contrast"]) == []  # nothing else has changed
    shown.close()
