"""The playground in a real browser: its JavaScript computes what PyTorch and utils compute, and the page works by keys,
touch and screen reader, on a phone, and asks no other host. SCREENSHOTS=DIR keeps pictures."""

import json
import os
import re
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from playwright.sync_api import expect

import playground
from conftest import needs_browser
from in_browser import barriers, chromium, served
from utils import bounds
from utils.attacks import fgsm, pgd
from utils.data import load
from utils.evaluation import accuracy
from utils.models import logits
from utils.smoothing import certificates, clopper_pearson_below

SITE = playground.FOLDER
NETWORKS = ("undefended", "adversarial", "noise", "intervals")
# Everything of network.js and of the networks, for a script of a test: `net`, `course`, and the exports.
LOADED = """async (given) => {
    const code = await import("/network.js"), course = await code.load(new URL("/", location.href))
    const net = new Map(course.networks).get(given.name)
    const {logits, gradient, fgsm, pgd, proved, leads, best, vote, shareBelow, certificate} = code
    const {x, y, eps} = given
    const images = x?.map((one) => Float32Array.from(one))
    %s
}"""


@pytest.fixture(scope="module")
def address():
    with served(SITE) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@contextmanager
def opened(browser, address, **how):
    """The page, ready; whatever it complains of or asks of another host fails the test."""
    context = browser.new_context(**how)
    page = context.new_page()
    errors, asked = [], []
    page.on("console", lambda message: message.type in ("error", "warning") and errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    yield page
    context.close()
    assert not errors
    assert asked and all(url.startswith((address, "data:")) for url in asked)


@pytest.fixture(scope="module")
def page(browser, address):
    with opened(browser, address) as page:
        yield page


@pytest.fixture(scope="module")
def digits():
    data = load("digits")
    x, y = data.test.take(playground.DIGITS)
    return data, x.cpu(), y.cpu()


@pytest.fixture(scope="module")
def networks(digits):
    return playground.read(digits[0])


def ask(page, script: str, name: str = "undefended", x=None, y=None, **more):
    given = {"name": name, **more}
    if x is not None:
        given |= {"x": x.flatten(1).tolist(), "y": y.tolist()}
    return page.evaluate(LOADED % script, given)


def remains(attack, model, x, y, **how) -> int:
    """How many of a hundred digits an attack leaves, and FGSM in float64, as the page takes its softmax: in float32 the
    gradient of an answer that is all but certain is mostly rounding (lesson 05), and three digits more are left."""
    if attack is fgsm:
        model, x = deepcopy(model).double(), x.double()
    return round(100 * float(accuracy(model, (attack(model, x, y, **how), y))))


# The file.


def test_networks_are_those_of_this_code():
    about = json.loads((SITE / "networks.json").read_text(encoding="utf-8"))
    assert tuple(about["networks"]) == NETWORKS
    assert about["code"] == playground.code(), "run python tools/playground.py"


def test_the_page_is_small_and_names_no_other_host():
    files = [file for file in SITE.iterdir() if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 1_000_000
    for file in files:
        if file.suffix in {".html", ".css", ".js"}:
            assert not re.search(r"https?://|//cdn", file.read_text(encoding="utf-8")), file


def test_each_network_does_what_it_was_trained_for(digits, networks):
    data, x, y = digits
    assert all(float(accuracy(model, (x, y))) >= 0.9 for model in networks.values())
    left = {name: remains(pgd, model, x, y, eps=data.eps, steps=20) for name, model in networks.items()}
    assert left["adversarial"] > left["undefended"] + 30 and left["intervals"] > left["undefended"] + 30, left
    proofs = {name: bounds.proved(model, x, y, eps=data.eps, by="intervals") for name, model in networks.items()}
    assert proofs["intervals"].sum() > 50 and not proofs["undefended"].any()


# The arithmetic.


@needs_browser
def test_the_test_digits_are_those_of_the_course(page, digits):
    _, x, y = digits
    told = ask(page, "return {digits: course.digits.map((one) => [...one]), labels: course.labels}")
    assert torch.equal(torch.tensor(told["digits"]), x.flatten(1)) and told["labels"] == y.tolist()


@needs_browser
@pytest.mark.parametrize("name", NETWORKS)
def test_logits_are_those_of_pytorch(page, digits, networks, name):
    _, x, y = digits
    got = torch.tensor(ask(page, "return images.map((one) => [...logits(net, one)])", name, x, y))
    assert (got - logits(networks[name], x)).abs().max() <= 1e-4


@needs_browser
@pytest.mark.parametrize("name", NETWORKS)
def test_input_gradient_is_that_of_autograd(page, digits, networks, name):
    _, x, y = digits
    y = (y + 1) % 10  # of a wrong label: that of the right one is close to zero
    got = torch.tensor(ask(page, "return images.map((one, i) => [...gradient(net, one, y[i]).gradient])", name, x, y))
    x = x.clone().requires_grad_()
    torch.nn.functional.cross_entropy(networks[name](x), y, reduction="sum").backward()
    assert x.grad.abs().max() > 0.1
    assert (got - x.grad.flatten(1)).abs().max() <= 1e-4


@needs_browser
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("eps", [0.08, 0.15])
def test_attacks_leave_what_those_of_utils_leave(page, digits, networks, name, eps):
    _, x, y = digits
    script = "return images.map((one, i) => [...%s])"
    for ours, there in (
        ("fgsm(net, one, y[i], eps)", remains(fgsm, networks[name], x, y, eps=eps)),
        ("pgd(net, one, y[i], eps, {steps: 20})", remains(pgd, networks[name], x, y, eps=eps, steps=20, start=False)),
    ):
        moved = torch.tensor(ask(page, script % ours, name, x, y, eps=eps)).view_as(x)
        assert (moved - x).abs().max() <= eps + 1e-6 and moved.min() >= 0 and moved.max() <= 1
        here = round(100 * float(accuracy(networks[name], (moved, y))))
        assert abs(there - here) <= 1, (ours, there, here)


@needs_browser
def test_a_random_start_stays_in_the_ball(page, digits):
    _, x, y = digits
    starts = [
        torch.tensor(
            ask(page, "return images.map((one, i) => [...pgd(net, one, y[i], eps, {steps: 0, start: true})])", x=x, y=y,
                eps=0.1)
        )
        for _ in range(2)
    ]  # fmt: skip
    far = torch.stack([start - x.flatten(1) for start in starts])
    assert far.abs().max() <= 0.1 + 1e-6 and far.abs().max() > 0.09
    assert not torch.equal(*starts)


@needs_browser
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("eps", [0.01, 0.03, 0.15])
def test_intervals_prove_what_those_of_utils_prove(page, digits, networks, name, eps):
    _, x, y = digits
    script = """return images.map((one, i) => {
        const {least, off} = leads(net, one, y[i], eps)
        return [least.map((lead) => Math.min(lead, 1e9)), off, proved(net, one, y[i], eps)]
    })"""
    told = ask(page, script, name, x, y, eps=eps)
    least, off, sure = (torch.tensor(part, dtype=torch.float64) for part in zip(*told, strict=True))
    theirs, theirs_off = bounds.by_intervals(bounds.steps_of(networks[name], x), x, y, eps)
    others = torch.arange(10) != y[:, None]
    assert torch.allclose(least[others], theirs[others], rtol=0, atol=1e-9)
    assert torch.allclose(off, theirs_off, rtol=1e-6, atol=0)
    assert torch.equal(sure.bool(), bounds.proved(networks[name], x, y, eps=eps, by="intervals"))


@needs_browser
def test_votes_are_those_of_pytorch_for_the_same_noise(page, digits, networks):
    _, x, y = digits
    noise = torch.randn(5, 50, 64, generator=torch.Generator().manual_seed(0))
    script = """return images.slice(0, 5).map((one, i) => {
        let at = 0
        return vote(net, one, course.sigma, 50, Array(10).fill(0), () => given.noise[i][at++])
    })"""
    got = torch.tensor(ask(page, script, "noise", x, y, noise=noise.flatten(1).tolist()))
    copies = x[:5].flatten(1)[:, None] + playground.SIGMA * noise
    answers = logits(networks["noise"], copies.view(-1, 1, 8, 8)).argmax(1).view(5, 50)
    assert torch.equal(got, torch.stack([answers[i].bincount(minlength=10) for i in range(5)]))


@needs_browser
def test_normal_numbers_are_normal(page):
    script = "const {normal} = code; return Array.from({length: 20000}, normal)"
    drawn = torch.tensor(ask(page, script), dtype=torch.float64)
    assert (
        abs(drawn.mean()) < 0.05
        and abs(drawn.std() - 1) < 0.04
        and abs((drawn.abs() < 1).double().mean() - 0.6827) < 0.02
    )


@needs_browser
def test_certificates_are_those_of_utils(page):
    hits = [0, 1, 400, 500, 549, 560, 700, 999, 1000]
    told = ask(page, """return given.hits.map((k) =>
        [shareBelow(k, 1000, 0.001), certificate(0, [k, 1000 - k], 0.25)])""", hits=hits)  # fmt: skip
    counts = torch.tensor([[k, 1000 - k] for k in hits])
    theirs = certificates(torch.zeros(len(hits), dtype=torch.int64), counts, sigma=0.25, failure_prob=0.001)
    for k, (share, ours), label, radius in zip(hits, told, theirs.label.tolist(), theirs.radius.tolist(), strict=True):
        assert share == pytest.approx(float(clopper_pearson_below(k, 1000, 0.001)), abs=1e-9)
        assert ours["label"] == label and ours["radius"] == pytest.approx(radius, abs=1e-8)
    assert {-1, 0} == set(theirs.label.tolist())


@needs_browser
def test_a_step_takes_at_most_20_ms(page, digits):
    _, x, y = digits
    took = ask(page, """const took = []
        for (let i = 0; i < images.length; i++) {
            const start = performance.now()
            pgd(net, images[i], y[i], eps, {steps: 1})
            took.push(performance.now() - start)
        }
        return took""", "adversarial", x, y, eps=0.15)  # fmt: skip
    assert torch.tensor(took).median() <= 20


# The page.


def kept(page, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder, f"playground_{name}.png"), full_page=True)


def card(page, name: str):
    return page.locator(f"[data-network={name}]")


@needs_browser
def test_three_clicks_fool_the_undefended_network(browser, address):
    with opened(browser, address, viewport={"width": 1100, "height": 900}) as page:
        page.get_by_role("button", name="a test digit 3").click()
        expect(card(page, "undefended")).to_contain_text("✓ right")
        page.get_by_role("button", name="PGD, many steps").click()
        expect(card(page, "undefended")).to_contain_text("✗ wrong")
        expect(page.locator("#status")).to_contain_text(re.compile(r"Undefended: 3, now \d, .+%\."))
        expect(card(page, "undefended").get_by_role("img")).to_have_attribute(
            "aria-label", re.compile(r"\d+ of 64 pixels moved")
        )
        for name in NETWORKS:
            expect(card(page, name)).to_contain_text(re.compile("certified within|abstains"), timeout=60_000)
        kept(page, "attacked")


@needs_browser
def test_eps_0_moves_nothing(browser, address):
    with opened(browser, address) as page:
        page.get_by_role("button", name="FGSM").click()
        page.get_by_role("slider", name="Each pixel").fill("0")
        for name in NETWORKS:
            picture = card(page, name).get_by_role("img")
            expect(picture).to_have_attribute("aria-label", "the attacked digit: 0 of 64 pixels moved")


@needs_browser
def test_a_digit_is_drawn_by_keys_alone(browser, address):
    with opened(browser, address) as page:
        page.get_by_role("button", name="Clear").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Shift+Tab")
        for _ in range(10):  # back over the test digits
            page.keyboard.press("Shift+Tab")
        first = page.get_by_role("gridcell").first
        expect(first).to_be_focused()
        assert first.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
        before = page.locator("#status").text_content()
        page.keyboard.press("ArrowDown")
        for _ in range(4):
            page.keyboard.press("ArrowRight")
            page.keyboard.press("Space")
            page.keyboard.press("ArrowDown")
        page.keyboard.press("9")
        page.keyboard.press("ArrowUp")
        expect(page.get_by_role("gridcell", name="row 2, column 2: 100 % ink")).to_have_count(1)
        expect(page.get_by_role("gridcell", name="row 6, column 5: 100 % ink")).to_have_count(1)
        expect(page.get_by_role("gridcell", name="row 5, column 5: 100 % ink")).to_be_focused()
        page.keyboard.press("Space")
        expect(page.get_by_role("gridcell", name="row 5, column 5: 0 % ink")).to_be_focused()
        assert page.locator("#status").text_content() != before


@needs_browser
def test_a_digit_is_drawn_by_touch_on_a_phone(browser, address):
    how = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "color_scheme": "dark"}
    with opened(browser, address, **how) as page:
        page.get_by_role("button", name="Clear").tap()
        expect(page.get_by_role("gridcell", name=re.compile("[1-9]0? % ink|100 % ink"))).to_have_count(0)
        paper = page.locator("#paper")
        side = paper.bounding_box()["width"]
        paper.tap(position={"x": side * 9 / 16, "y": side * 9 / 16})
        expect(page.get_by_role("gridcell", name="row 5, column 5: 100 % ink")).to_have_count(1)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.get_by_role("button", name="a test digit 8").tap()
        page.get_by_role("button", name="PGD").tap()
        kept(page, "phone")


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_barrier(browser, address, scheme):
    with opened(browser, address, color_scheme=scheme) as page:
        page.get_by_role("button", name="PGD").click()
        assert barriers(page) == []
        kept(page, scheme)


@needs_browser
def test_everything_to_press_has_a_name(page):
    for role in ("button", "slider", "checkbox", "combobox", "gridcell", "img"):
        all_of_it = page.get_by_role(role)
        named = page.get_by_role(role, name=re.compile(r"\S"))
        assert named.count() == all_of_it.count() > 0, role


@needs_browser
def test_the_page_counts_what_pytorch_counts(browser, address, digits, networks):
    data, x, y = digits
    with opened(browser, address) as page:
        page.get_by_role("button", name="Count them").click()
        expect(page.locator("#progress")).to_have_text("Counted.", timeout=120_000)
        rows = page.locator("#table tbody tr").all()
        kept(page, "counted")
        for row, model in zip(rows, networks.values(), strict=True):
            clean, one, many, sure = (int(text) for text in row.locator("td").all_text_contents())
            assert clean == round(100 * float(accuracy(model, (x, y))))
            assert abs(one - remains(fgsm, model, x, y, eps=data.eps)) <= 1
            assert abs(many - remains(pgd, model, x, y, eps=data.eps, steps=20, start=False)) <= 1
            assert sure == int(bounds.proved(model, x, y, eps=data.eps, by="intervals").sum())


@needs_browser
def test_the_readmes_picture_shows_what_its_words_say(page):
    """Three clicks from README: its picture leads to the playground, a digit, an attack."""
    readme = (SITE.parents[1] / "README.md").read_text(encoding="utf-8")
    words, picture, link = re.search(r"\[!\[(The playground: [^\]]+)\]\((\S+)\)\]\((\S+)\)", readme).groups()
    assert (SITE.parents[1] / picture).stat().st_size < 60_000 and link.endswith("/playground/index.html")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    page.get_by_role("button", name="a test digit 3").click()
    page.get_by_role("button", name="PGD, many steps").click()
    expect(card(page, "undefended")).to_contain_text("wrong")
    now = [re.search(r"After: (\d)", card(page, name).inner_text().replace("\n", " "))[1] for name in NETWORKS]
    told = re.search(r"undefended .*? reads (\d), the adv.*? still (\d), .*? noise (\d), .*? intervals (\d)", words)
    assert now == list(told.groups())
