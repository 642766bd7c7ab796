"""Notebooks in real JupyterLab and a real browser: widgets are visible, quick, and work from the keyboard.

Lesson 01 is run as a learner would: it has a prediction and an explorer. The duel is one of small models, and lab 01
is answered as a student would.
SCREENSHOTS=DIR keeps pictures.
"""

import ast
import csv
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from nbformat import v4
from playwright.sync_api import Browser, Locator, Page, expect

from conftest import needs_browser
from in_browser import asked_axe, chromium, found
from utils.guide import Guide, guide
from utils.plots import SHOWN

ROOT = Path(__file__).parents[1]
EXPLORER = ROOT / "notebooks" / "01_one_gradient_step.ipynb"
LAB = ROOT / "labs" / "01_one_gradient_step.ipynb"
pytestmark = needs_browser

# A busy machine is slow, not wrong: each wait ends with what it waits for, and gives up only after so many seconds.
PATIENCE = 300
expect.set_options(timeout=1000 * PATIENCE)

CONFIG = """
c.LabApp.news_url = None
c.LabApp.extension_manager = "readonly"
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.ServerApp.open_browser = False
c.ServerApp.allow_root = True
c.ServerApp.token = "course"
"""
NOTICES = '{"fetchNews": "false", "checkForUpdates": false}'
KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
OURS = f"import sys; sys.path[:0] = ['{ROOT}', '{ROOT}/tests', '{ROOT}/tools']"
SHOWS_A_WIDGET = re.compile(r"guess\w*$|\.reveal\(|widgets\.\w+\(")

# Times from a key to the next picture that the browser has decoded and is about to paint.
WATCH = """image => {
    window.moves = []
    document.addEventListener("keydown", () => { window.pressed = performance.now() }, true)
    image.addEventListener("load", () => requestAnimationFrame(() => moves.push(performance.now() - pressed)))
}"""
BYTES = "async image => Array.from(new Uint8Array(await (await fetch(image.src)).arrayBuffer())).join()"


def line_with(stream, pattern: str) -> re.Match:
    """Wait for a line of a process's output that matches, and keep reading afterwards so that it never blocks."""
    seen = []
    for line in stream:
        seen.append(line)
        if found := re.search(pattern, line):
            threading.Thread(target=stream.read, daemon=True).start()
            return found
    raise AssertionError("JupyterLab ended early:\n" + "".join(seen))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("lab")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served_by(command: list, course: Path, folder: Path, **more: str) -> Iterator[str]:
    """JupyterLab by a command in the course's folder, with no configuration but this and no use for a network."""
    kinds = ("CONFIG_DIR", "RUNTIME_DIR", "DATA_DIR")
    where = {f"JUPYTER_{kind}": str(folder / kind.lower()) for kind in kinds}
    where |= {f"JUPYTERLAB_{kind}_DIR": str(folder / kind.lower()) for kind in ("SETTINGS", "WORKSPACES")}
    where |= {"OMP_NUM_THREADS": "1"}  # the other core draws the page
    where |= {"IPYTHONDIR": str(folder / "ipython"), "COURSE_LEDGER": str(folder / "ledger")} | more
    (folder / "config_dir").mkdir()
    (folder / "config_dir" / "jupyter_lab_config.py").write_text(CONFIG)
    (folder / "settings" / "@jupyterlab" / "apputils-extension").mkdir(parents=True)
    (folder / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings").write_text(
        NOTICES
    )
    server = subprocess.Popen(
        command, cwd=course, env=os.environ | where, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield line_with(server.stderr, r"(http://127\.0\.0\.1:\d+)/lab\S*\?token=")[1]
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=PATIENCE)


@pytest.fixture(scope="module")
def address(folder):
    """JupyterLab on a free loopback port, at a folder of its own."""
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", f"--ServerApp.port={free_port()}"]
    with served_by(command, folder, folder, PYTHONPATH=str(ROOT)) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@contextmanager
def opened(browser: Browser, address: str, name: str) -> Iterator[Page]:
    """A notebook of the server's folder on a page of its own; what console and network saw is on `page.seen`."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(1000 * PATIENCE)
    page.seen = {"errors": [], "addresses": set()}
    page.on("console", lambda message: message.type == "error" and page.seen["errors"].append(message.text))
    page.on("pageerror", lambda error: page.seen["errors"].append(str(error)))
    page.on("request", lambda request: page.seen["addresses"].add(request.url))
    alone = "lab/workspaces/" + name.removesuffix(".ipynb").replace("/", "-")  # the default one opens all
    page.goto(f"{address}/{alone}/tree/{name}?token=course")
    page.notebooks = {name}
    yield page
    await_kernels(page, address)
    page.close()


def await_kernels(page: Page, address: str) -> None:
    """Wait until each notebook of the page has its kernel: a server that is told to end while one starts never ends."""

    def waiting() -> set[str]:
        sessions = page.request.get(f"{address}/api/sessions?token=course").json()
        return page.notebooks - {one["path"] for one in sessions if one["kernel"]["execution_state"] != "starting"}

    await_end(page, waiting, "no kernel")


def await_end(page: Page, waiting: Callable, otherwise: str) -> None:
    """Until nothing is waited for any more."""
    deadline = time.monotonic() + PATIENCE
    while left := waiting():
        assert time.monotonic() < deadline, f"{otherwise}: {left}"
        page.wait_for_timeout(100)


def lesson() -> nbformat.NotebookNode:
    notebook = nbformat.read(EXPLORER, 4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None  # so that what is seen was made here
    return notebook


def duel() -> nbformat.NotebookNode:
    code = f"{OURS}; import test_widgets as widgets; widgets.made_duel()"
    return v4.new_notebook(cells=[v4.new_code_cell(code)], metadata={"kernelspec": KERNEL})


@pytest.fixture(scope="module", params=[lesson, duel], ids=lambda make: make.__name__)
def page(request, browser, address, folder):
    """A notebook, opened and run to its end."""
    name, notebook = f"{request.param.__name__}.ipynb", request.param()
    nbformat.write(notebook, folder / name)
    with opened(browser, address, name) as page:
        page.notebook, page.is_duel = notebook, request.param is duel
        run_all(page)
        yield page


def start_all(page: Page) -> None:
    """Run > Run All Cells, as soon as there is a kernel."""
    expect(page.locator(".jp-NotebookPanel-toolbar").get_by_text("Python 3")).to_be_visible()
    expect(page.locator("[data-status=idle]").first).to_be_visible()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def run_all(page: Page) -> None:
    """Run all cells; wait until the last has its number and none shows a star, or one fails."""
    start_all(page)
    prompts = page.locator(".jp-CodeCell .jp-InputPrompt")
    failed = page.locator("[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']")
    expect(prompts.last.filter(has_text=re.compile(r"\[\d+\]:")).or_(failed).first).to_be_attached()
    assert not failed.all_text_contents()
    folded = ""  # the first cell's, which has no number to show
    assert {re.sub(r"\d+", "1", text) for text in prompts.all_text_contents()} <= {folded, "[1]:"}


# axe's complaints about what is not the project's to mend, by a class of the element: whose it is.
THEIRS = {
    "cm-content": "CodeMirror's editor of a cell, which has no name",
    "cm-scroller": "CodeMirror's, around a long cell: keys reach the editor inside",
    "jp-WindowedPanel-viewport": "JupyterLab's column of cells, a feed whose children are no articles",
    "jp-collapseHeadingButton": "JupyterLab's button beside a heading, which has no name",
    "noUi-handle": "the handle of ipywidgets' slider, which has no name; its label stands beside it",
}


@pytest.mark.parametrize("page", [lesson], ids=["lesson"], indirect=True)
def test_a_lesson_has_no_barrier_that_the_project_can_mend(page):
    """By axe in the notebook, after its run. It measures no contrast there: JupyterLab lays out each cell by itself."""

    def ours() -> list[str]:
        told = asked_axe(page, ".jp-Notebook")
        seen = [len(rule["nodes"]) for rule in told["passes"] if rule["id"] == "image-alt"]
        assert sum(seen) >= 7, "axe has not seen the pictures"
        return [text for text in found(told) if not re.search(rf'class="[^"]*\b({"|".join(THEIRS)})\b', text)]

    assert ours() == []
    picture = page.locator(".jp-OutputArea-output img[alt]").first
    words = picture.evaluate("image => { const words = image.alt; image.removeAttribute('alt'); return words }")
    assert len(ours()) == 1, "a picture without words is not found"
    picture = page.locator(".jp-OutputArea-output img:not([alt]):not([title])").first
    picture.evaluate("(image, words) => { image.alt = words }", words)


def screenshot(page: Page, name: str) -> None:
    if "SCREENSHOTS" in os.environ:
        page.screenshot(path=f"{os.environ['SCREENSHOTS']}/{urlsplit(page.url).path.split('/')[-1][:6]}_{name}.png")


def test_every_widget_is_visible(page):
    cells = [ast.parse(cell.source).body for cell in page.notebook.cells if cell.cell_type == "code"]
    values = [ast.unparse(cell[-1]) for cell in cells if cell and isinstance(cell[-1], ast.Expr)]
    expected = sum(bool(SHOWS_A_WIDGET.search(value)) for value in values)
    shown = page.locator(".jp-OutputArea-output > .jupyter-widgets")
    assert expected == (1 if page.is_duel else 3)
    expect(shown).to_have_count(expected)
    for i in range(expected):
        shown.nth(i).hover()  # scrolls there and waits until it stands still, under the mouse and nothing above it
        expect(shown.nth(i)).to_be_in_viewport()
        screenshot(page, f"widget_{i}")
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0


@pytest.mark.parametrize("size", [(1366, 768), (390, 844)], ids=["laptop", "phone"])
@pytest.mark.parametrize("page", [lesson], ids=["lesson"], indirect=True)
def test_the_explorer_is_as_large_as_its_cell_allows(page, size):
    """As wide as the course's figures; where the cell is narrower, as wide as the cell, and nothing is cut off."""
    before, widget = page.viewport_size, played(page)
    image, room = widget.locator("img").first, widget.locator("xpath=..")
    page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    try:
        image.hover()
        screenshot(page, f"explorer_{size[0]}")
        shown, wide = image.bounding_box()["width"], room.evaluate("e => e.clientWidth")
        assert shown == pytest.approx(min(7 * SHOWN, wide), abs=12), f"{shown} of {wide}"
        assert room.evaluate("e => e.scrollWidth - e.clientWidth") <= 0
    finally:
        page.set_viewport_size(before)


@pytest.mark.parametrize("page", [lesson], ids=["lesson"], indirect=True)
def test_a_prediction_is_locked_from_the_keyboard_and_revealed(page):
    waiting, kept = page.get_by_text("Lock a prediction above to compare.").first, page.get_by_text("Kept back until")
    expect(waiting).to_be_visible()
    expect(kept.first).to_be_visible()  # although all cells have run
    expect(page.get_by_text("left after one step →")).to_have_count(0)
    lock = page.get_by_role("button", name="Lock", exact=True).first
    lock.scroll_into_view_if_needed()
    screenshot(page, "predict")
    handle = page.get_by_role("slider").first
    handle.focus()
    page.keyboard.press("ArrowRight")
    lock.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Locked").first).to_be_disabled()
    sentence = page.get_by_text(re.compile(r"You said 51 %; measured \d+/\d+ = \d+ %")).first
    answer = page.locator(".jupyter-widgets").filter(has=sentence).locator("img").first
    sentence.hover()  # JupyterLab lays out only what is near; a picture far away has no size yet
    answer.hover()
    expect(answer).to_be_in_viewport()
    expect(kept).to_have_count(0)
    expect(page.get_by_text("left after one step →")).to_be_visible()
    screenshot(page, "reveal")


def test_a_lesson_is_opened_with_its_answers_covered_and_its_plumbing_folded(browser, address, folder):
    notebook = nbformat.read(EXPLORER, 4)
    shutil.copy(EXPLORER, folder / "covered.ipynb")
    covered = [c for c in notebook.cells if c.metadata.get("jupyter", {}).get("outputs_hidden") and c.outputs]
    with opened(browser, address, "covered.ipynb") as page:
        places = page.locator(".jp-OutputPlaceholder")
        expect(page.locator(".jp-InputPlaceholder")).to_have_count(1)
        expect(page.get_by_text("This cell finds the course")).to_be_visible()  # its first line, in the code's place
        expect(page.get_by_text("sys.path.insert")).to_be_hidden()
        places.first.scroll_into_view_if_needed()
        expect(places.first).to_contain_text("First your prediction.")
        expect(page.get_by_text("left after one step →")).to_be_hidden()
        screenshot(page, "covered")
        assert 0 < places.count() <= len(covered)  # JupyterLab first makes the cells that are near
        assert saved(page, folder / "covered.ipynb") == notebook.cells  # opening alone changes nothing
        first = places.first.element_handle()
        first.click()
        first.wait_for_element_state("hidden")


def saved(page: Page, file: Path) -> list[nbformat.NotebookNode]:
    """The cells of the page's notebook as JupyterLab writes them, after its kernel has started."""
    expect(page.locator("[data-status=idle]").first).to_be_visible()
    kernels = "version"  # of the kernel's Python
    await_end(page, lambda: kernels not in save(page, file).metadata.language_info, "not saved")
    return nbformat.read(file, 4).cells


def save(page: Page, file: Path) -> nbformat.NotebookNode:
    """What Ctrl+S leaves in the file, read once the server has answered: before, half of it may be written."""
    with page.expect_response(lambda r: r.request.method == "PUT" and r.url.split("?")[0].endswith(file.name)) as put:
        page.keyboard.press("Control+s")
    assert put.value.ok, put.value.status_text
    return nbformat.read(file, 4)


def test_each_lesson_leads_to_its_lab(browser, address, folder):
    """From the last cells of all lessons, put together where lessons lie, with the labs beside them."""
    (folder / "notebooks").mkdir()
    (folder / "labs").mkdir()
    last = {file.stem: nbformat.read(file, 4).cells[-1] for file in sorted((ROOT / "notebooks").glob("*.ipynb"))}
    links = [re.search(r"\.\./labs/(\w+\.ipynb)", cell.source) for cell in last.values()]
    named = list(dict.fromkeys(link[1] for link in links if link))
    assert named == sorted(file.name for file in (ROOT / "labs").glob("*.ipynb"))
    for name in named:
        shutil.copy(ROOT / "labs" / name, folder / "labs")
    for cell in last.values():
        cell.id = cell.id + "-" + str(len(cell.source))
    nbformat.write(
        v4.new_notebook(cells=list(last.values()), metadata={"kernelspec": KERNEL}), folder / "notebooks" / "ends.ipynb"
    )
    with opened(browser, address, "notebooks/ends.ipynb") as page:
        for name in named:
            page.locator(f"a[href*='labs/{name}']").first.click()
            expect(page.get_by_role("tab", name=name)).to_be_visible()
            page.notebooks.add(f"labs/{name}")
            page.get_by_role("tab", name="ends.ipynb").click()


def played(page: Page) -> Locator:
    """The lesson's explorer or duel. A duel is opened first, by locking the guess that stands there."""
    widget = page.locator(".jp-OutputArea-output > .jupyter-widgets").filter(has=page.get_by_text("Budget eps"))
    lock = widget.get_by_role("button", name="Lock", exact=True)
    if lock.count():
        expect(widget.locator("img")).to_be_hidden()
        lock.focus()
        page.keyboard.press("Enter")
        expect(widget.get_by_role("button", name="Locked")).to_be_disabled()
        expect(widget.get_by_text(re.compile("You said .+ Measured: "))).to_be_visible()
    return widget


def busy() -> float:
    """How many times longer this machine takes for a piece of work than it computes on it: 1 if it is quiet."""
    began, computed = time.perf_counter(), time.process_time()
    while time.process_time() - computed < 0.03:
        pass
    return (time.perf_counter() - began) / (time.process_time() - computed)


def test_a_slider_moves_the_picture_within_100_ms(page):
    """On a quiet machine; on a busy one, as much later as everything else on it at the same time."""
    widget = played(page)
    image, steps = widget.locator("img").first, 3 if page.is_duel else 6  # from one end to the other
    expect(image).to_be_visible()
    widget.get_by_role("slider").first.focus()
    screenshot(page, "played")
    image.evaluate(WATCH)
    pictures, middle = {image.evaluate(BYTES)}, 2 if page.is_duel else 3
    keys = ["ArrowRight"] * (steps - middle) + ["ArrowLeft"] * steps + ["ArrowRight"] * steps
    load = []
    for i, key in enumerate(keys):
        load.append(busy())
        page.keyboard.press(key)
        page.wait_for_function(f"moves.length > {i}")
        pictures.add(image.evaluate(BYTES))
    moves = page.evaluate("moves")
    print(f"slider to picture: median {statistics.median(moves):.0f} ms of {[round(move) for move in moves]}, {load}")
    assert len(pictures) == steps + 1 and len(moves) == len(keys)
    assert statistics.median(moves) <= 100 * statistics.median(load)


def test_every_choice_is_made_from_the_keyboard(page):
    """The first row of buttons: the duel's norms. An explorer of one attack has none: that would be no choice."""
    widget = played(page)
    image = widget.locator("img").first
    choices = widget.locator(".widget-toggle-buttons").first.get_by_role("button")
    assert choices.count() == (2 if page.is_duel else 0)
    for i in reversed(range(choices.count())):
        source, pressed = image.get_attribute("src"), "mod-active" in choices.nth(i).get_attribute("class")
        choices.nth(i).focus()
        page.keyboard.press("Enter")
        expect(choices.nth(i)).to_have_class(re.compile("mod-active"))
        if not pressed:
            expect(image).not_to_have_attribute("src", source)
        screenshot(page, f"choice_{i}")
    assert widget.locator("[role=alert]").count() == 0


STUB = "def fgsm(model, x, y, *, eps):"


def answered(page: Page, far: int) -> Locator:
    """Write an answer to lab 01's first exercise; run its cell, the picture after it and the check; what that says."""
    lines = [
        "    x = x.detach().requires_grad_()",
        "    gradient, = torch.autograd.grad(F.cross_entropy(model(x), y), x)",
        f"    return (x + {far} * eps * gradient.sign()).clamp(0, 1).detach()",
    ]
    cells = page.locator(".jp-CodeCell")
    cells.filter(has_text=STUB).first.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("\n".join([STUB, *lines]))
    for _ in range(3):
        page.keyboard.press("Shift+Enter")
    return cells.filter(has_text="# CHECK fgsm_ball").locator(".jp-OutputArea-output")


def answers_a_stub_a_step_too_far_and_a_right_one(page: Page) -> None:
    start_all(page)
    expect(page.get_by_text("fgsm is not answered yet").first).to_be_visible()
    expect(page.get_by_text("This exercise is not answered yet").last).to_be_visible()  # the last check has run
    expect(answered(page, 2)).to_contain_text("left the eps-ball by")
    right = re.compile(r"public checks: 1 of \d.*hidden checks decide the grade", re.DOTALL)
    expect(answered(page, 1)).to_have_text(right)


def test_the_first_hour(browser, tmp_path):
    """A clone, `make lab`, lessons 00 to 02 each with its prediction locked, lab 01 wrong and right, and its grade.

    The environment is the one that runs this test: how it is made, `tests/test_make.py` says.
    """
    course = tmp_path / "course"
    subprocess.run(["git", "clone", "--quiet", ROOT, course], check=True)
    (course / ".venv").symlink_to(Path(sys.prefix))
    whole = tmp_path / "settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    whole.parent.mkdir(parents=True)
    whole.write_text('{"windowingMode": "none"}')  # JupyterLab makes the cells that are far away, too
    with served_by(["make", "-o", ".venv/made", "lab", f"PORT={free_port()}"], course, tmp_path) as address:
        for stem in ("00_start_here", "01_one_gradient_step", "02_stronger_attackers"):
            with opened(browser, address, f"notebooks/{stem}.ipynb") as page:
                start_all(page)
                lock = page.get_by_role("button", name="Lock", exact=True).first
                expect(lock).to_be_attached()
                lock.scroll_into_view_if_needed()
                expect(page.get_by_text("Lock a prediction above to compare.").first).to_be_attached()
                expect(page.get_by_text("You said")).to_have_count(0)
                lock.focus()
                page.keyboard.press("Enter")
                expect(page.get_by_text(re.compile(r"You said \d+ %; measured \d+/\d+ = \d+ %")).first).to_be_attached()
                expect(page.get_by_text("Kept back until")).to_have_count(0)
                assert page.locator("[data-mime-type$='jupyter.error']").count() == 0
                screenshot(page, f"hour_{stem}")
        lab = f"labs/{LAB.name}"
        with opened(browser, address, lab) as page:
            answers_a_stub_a_step_too_far_and_a_right_one(page)
            save(page, course / lab)
    (tmp_path / "class").mkdir()
    shutil.copy(course / lab, tmp_path / "class" / "ada.ipynb")
    grade = ["make", "-o", ".venv/made", "grade", "LAB=01", f"FROM={tmp_path}/class", f"TO={tmp_path}/grades"]
    graded = subprocess.run(grade, cwd=course, capture_output=True, text=True, timeout=PATIENCE)
    assert graded.returncode == 0, graded.stdout + graded.stderr
    (row,) = csv.DictReader((tmp_path / "grades" / "grades.csv").open(encoding="utf-8"))
    assert (row["student"], row["total"], row["fgsm_targeted (2)"]) == ("ada", "3", "0")  # what was answered


def test_a_student_answers_a_lab_and_is_told_what_is_missing(browser, address, folder):
    """The student's notebook of lab 01, answered by keyboard: a stub, a step too far, a right step."""
    shutil.copy(LAB, folder / f"lab_{LAB.name}")
    with opened(browser, address, f"lab_{LAB.name}") as page:
        answers_a_stub_a_step_too_far_and_a_right_one(page)
        screenshot(page, "lab")
        assert page.seen["errors"] == []


FIGURE = "from utils import plots, rate; plots.rates({'FGSM': rate.Rate(1, 3), 'PGD': rate.Rate(0, 3)})"
BOARD = """from test_choice import offer
from utils.widgets.choice import ChoiceBoard
ChoiceBoard({"plain": offer(5), "trained": offer(80, training=9.0)})"""
MADE = {"test_widgets": ("budget", "console", "watch"), "test_poisoning": ("explorer",), "test_domains": ("explorer",)}
OTHERS = [f"from {file} import made_{w}; made_{w}()" for file, widgets in MADE.items() for w in widgets]
OWN_BUDGET = "from test_widgets import made_budget; made_budget()"  # moved by one test alone
SHOWN_FIRST = [FIGURE, OWN_BUDGET, BOARD]


@pytest.fixture(scope="module")
def gallery(browser, address, folder):
    """Widgets on made-up numbers, all in one notebook: of SHOWN_FIRST, and of OTHERS."""
    cells = [v4.new_code_cell(f"{OURS}\n{code}") for code in (*SHOWN_FIRST, *OTHERS)]
    nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL}), folder / "gallery.ipynb")
    with opened(browser, address, "gallery.ipynb") as page:
        start_all(page)
        expect(page.locator(".jp-OutputArea-output > .jupyter-widgets")).to_have_count(len(cells) - 1)
        yield page


def widget_of(page: Page, i: int) -> Locator:
    widget = page.locator(".jp-OutputArea-output > .jupyter-widgets").nth(i)
    widget.scroll_into_view_if_needed()  # JupyterLab lays out only what is near
    return widget


def test_the_board_of_choices_answers_to_the_keyboard(gallery):
    """Lesson 14's widget, on offers that take no measuring: a budget excludes the choice, and the next is named."""
    board = widget_of(gallery, 1)
    expect(board.get_by_text("trained: 80/100")).to_be_visible()
    picture = board.locator("img").first
    source, training = picture.get_attribute("src"), board.get_by_role("slider").nth(2)
    training.focus()
    for _ in range(2):  # from "any" to at most 5 times
        gallery.keyboard.press("ArrowLeft")
    expect(board.get_by_text("plain: 5/100")).to_be_visible()
    expect(picture).not_to_have_attribute("src", source)
    screenshot(gallery, "board")
    assert gallery.seen["errors"] == [] and board.locator("[role=alert]").count() == 0


@pytest.mark.parametrize("i", range(len(OTHERS)))
def test_every_other_widget_answers_to_the_keyboard(gallery, i):
    """The widgets of lessons 09 to 13, on made-up numbers: each slider, button and list moves the picture."""
    moved = press_all(gallery, widget_of(gallery, len(SHOWN_FIRST) - 1 + i))
    screenshot(gallery, f"other_{i}")
    assert moved >= 2, f"{OTHERS[i]}: {moved} controls moved the picture"
    assert gallery.locator(".jupyter-widgets [role=alert]").count() == 0
    assert gallery.seen["errors"] == []


def press_all(page: Page, widget: Locator) -> int:
    """Use each slider, choice and list of a widget by keyboard. How many there are, for each moved the picture."""
    lock = widget.get_by_role("button", name="Lock", exact=True)
    if lock.count():
        lock.focus()
        page.keyboard.press("Enter")
    image = widget.locator("img").first
    expect(image).to_be_visible()

    def moves(action) -> None:
        source = image.get_attribute("src")
        action()
        expect(image).not_to_have_attribute("src", source)

    sliders, lists = widget.get_by_role("slider").all(), widget.locator("select").all()
    for slider in sliders:
        at_start = slider.get_attribute("aria-valuenow") == slider.get_attribute("aria-valuemin")
        slider.focus()
        moves(lambda key="ArrowRight" if at_start else "ArrowLeft": page.keyboard.press(key))
    groups = widget.locator(".widget-toggle-buttons").all()
    groups = [group for group in groups if group.get_by_role("button").first.is_enabled()]
    for group in groups:
        group.locator("button:not(.mod-active)").first.focus()
        moves(lambda: page.keyboard.press("Enter"))
    for options in lists:  # the browser's own, with its own keys
        moves(lambda options=options: options.select_option(index=1))
    return len(sliders) + len(groups) + len(lists)


def test_a_screen_reader_finds_the_words_of_each_picture(gallery):
    """In the browser's accessibility tree: of a figure, of a widget's picture, and of what a slider has moved."""
    figure = gallery.get_by_role("img", name="FGSM → 1/3 = 33 % [6, 79] PGD → 0/3 = 0 % [0, 56]")
    figure.scroll_into_view_if_needed()
    expect(figure).to_be_visible()
    widget = widget_of(gallery, 0)
    press_all(gallery, widget)
    assert widget.get_by_text("javascript error").count() == 0
    expect(widget.get_by_role("img", name="noise 0, clip 0.1, epochs 10, batch 64 → epsilon")).to_be_visible()
    screenshot(gallery, "words")


def test_the_field_guide_leads_to_the_cell(browser, address, folder):
    """A term opens at a click, and a link of it opens the lesson at the cell that settled the claim."""
    claim = "Adversarial training is the most valuable defense for vision"
    terms = Guide(term for term in guide() if term.name == "Adversarial training")
    data = {"text/plain": repr(terms), "text/html": terms._repr_html_()}
    cell = v4.new_code_cell("guide()", outputs=[v4.new_output("execute_result", data, execution_count=1)])
    nbformat.write(v4.new_notebook(cells=[cell], metadata={"kernelspec": KERNEL}), folder / "guide.ipynb")
    (link,) = (one for answer in terms[0].answers for one in answer.evidence if one.about == claim)
    shutil.copy(ROOT / "notebooks" / link.notebook, folder)
    with opened(browser, address, "guide.ipynb") as page:
        page.locator("summary", has_text="Adversarial training").click()
        page.locator(".evidence", has_text=claim).locator("a").click()
        expect(page.locator("blockquote", has_text=f"“{claim}”")).to_be_in_viewport()
        assert link.notebook in page.url


def test_the_security_card_is_set_to_the_left(browser, address, folder):
    """JupyterLab sets the cells of every table in an output to the right; this one holds sentences."""
    cells = nbformat.read(ROOT / "notebooks" / "14_capstone.ipynb", 4).cells
    (card,) = (cell for cell in cells if cell.source.startswith("HTML(audit.card_html("))
    nbformat.write(v4.new_notebook(cells=[card], metadata={"kernelspec": KERNEL}), folder / "card.ipynb")
    with opened(browser, address, "card.ipynb") as page:
        sentence = page.locator(".security-card .threats td").first
        expect(sentence).to_have_css("text-align", "left")
        screenshot(page, "card")


def test_the_console_is_clean_and_nothing_was_asked_of_the_network(page, address):
    assert page.seen["errors"] == []
    away = {url for url in page.seen["addresses"] if not url.startswith((address, "data:", "blob:"))}
    assert not away
