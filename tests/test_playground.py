"""The playground of the site: its JavaScript in a real browser, beside PyTorch."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright
from safetensors import safe_open
from scipy import special, stats

import playground
from conftest import BROWSER
from utils import bounds
from utils.attacks import pgd
from utils.data import load
from utils.models import logits, predict, small_cnn

NAMES = ("undefended", "adversarial", "interval", "noise")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium, chromium-browser or google-chrome on the PATH")
data = load("digits")
x, y = data.test.take(100)


@pytest.fixture(scope="module")
def file():
    with safe_open(playground.FILE, "pt") as tensors:
        yield tensors


@pytest.fixture(scope="module")
def networks(file):
    found = {name: small_cnn(data) for name in NAMES}
    names = list(file.keys())
    for name, network in found.items():
        begin = f"{name}."
        weights = {key.removeprefix(begin): file.get_tensor(key) for key in names if key.startswith(begin)}
        network.load_state_dict(weights)
        network.requires_grad_(False)
    return found


@pytest.fixture(scope="module")
def page():
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    folder = playground.FILE.parent
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server, sync_playwright() as play:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        chromium = play.chromium.launch(executable_path=BROWSER, args=["--headless=new", "--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1100, "height": 1000})
        page.asked, page.failed = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: page.failed.append(str(error)))
        page.address = f"http://127.0.0.1:{server.server_port}/"
        page.goto(page.address)
        page.locator("#rows tr").nth(3).wait_for()
        # What the tests below ask: the functions of network.js, the networks and the digits.
        page.evaluate(
            """async names => {
            window.js = await import("./network.js")
            const { tensors } = await js.read("networks.safetensors")
            window.layers = Object.fromEntries(names.map(name => [name, js.network(tensors, name)]))
            window.digit = k => Float64Array.from(tensors.digits.data.slice(64 * k, 64 * k + 64), value => value / 16)
            window.labels = tensors.labels.data
            window.all = of => Array.from({length: 100}, (_, k) => Array.from(of(digit(k), labels[k])))
        }""",
            list(NAMES),
        )
        yield page
        chromium.close()
        server.shutdown()


def asked(page, of: str) -> torch.Tensor:
    """What the page makes of each digit `x` with label `y`: rows of numbers."""
    return torch.tensor(page.evaluate(f"() => all((x, y) => {of})"), dtype=torch.float64)


def test_the_file_is_of_the_present_code(file):
    assert file.metadata()["made by"] == playground.made_by(), "run python tools/playground.py"
    assert playground.FILE.stat().st_size < 1_000_000
    assert torch.equal(file.get_tensor("digits"), (16 * x).round().to(torch.uint8))
    assert torch.equal(file.get_tensor("labels").long(), y)


def test_the_networks_learned_their_tasks(networks):
    """Each is what the page says of it."""
    right = {name: float((predict(network, x) == y).float().mean()) for name, network in networks.items()}
    assert min(right.values()) > 0.9
    left = {
        name: float((predict(network, pgd(network, x, y, eps=data.eps)) == y).float().mean())
        for name, network in networks.items()
    }
    assert left["undefended"] < 0.4 and left["adversarial"] > 0.6 and left["interval"] > 0.6
    assert bounds.proved(networks["interval"], x, y, eps=data.eps, by="intervals").float().mean() > 0.6


@pytest.mark.parametrize("name", NAMES)
def test_logits_and_gradients_are_those_of_pytorch(page, networks, name):
    here = asked(page, f"js.logits(layers.{name}, x)")
    assert (here - logits(networks[name], x)).abs().max() < 1e-4
    images = x.clone().requires_grad_()
    torch.nn.functional.cross_entropy(networks[name](images), y, reduction="sum").backward()
    slope = asked(page, f"js.gradient(layers.{name}, x, y)")
    assert (slope - images.grad.flatten(1)).abs().max() < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_pgd_leaves_what_the_course_s_leaves(page, networks, name):
    """The same attack, from the same start: within one image in 100, in the ball and in [0, 1]."""
    found = asked(page, f"js.pgd(layers.{name}, x, y, {data.eps}, 20)").float().view_as(x)
    assert (found - x).abs().max() <= data.eps + 1e-6 and found.min() >= 0 and found.max() <= 1
    ours = pgd(networks[name], x, y, eps=data.eps, steps=20, start=False)
    left, left_by_ours = ((predict(networks[name], image) == y).sum() for image in (found, ours))
    assert abs(int(left - left_by_ours)) <= 1


def test_intervals_prove_what_the_course_s_prove(page, networks):
    """The least leads differ by rounding alone; the course takes a margin for it off."""
    for name in ("interval", "adversarial"):
        here = asked(page, f"[js.leastLead(layers.{name}, x, y, {data.eps})]")[:, 0]
        steps = bounds.steps_of(networks[name], x)
        others = bounds.by_intervals(steps, x, y, data.eps)[0].scatter(1, y[:, None], torch.inf)
        least = others.amin(1)
        assert ((here - least) / least.abs().clamp_min(1)).abs().max() < 1e-5


def test_the_statistics_of_a_certificate(page):
    for k, n in ((0, 10), (7, 10), (390, 400), (400, 400)):
        want = special.betaincinv(k, n - k + 1, 0.001) if k else 0
        assert page.evaluate(f"js.shareAbove({k}, {n}, 0.001)") == pytest.approx(want, abs=1e-9)
    for p in (0.5, 0.7, 0.99, 0.99999):
        assert page.evaluate(f"js.quantile({p})") == pytest.approx(stats.norm.ppf(p), abs=1e-7)


def test_a_step_takes_at_most_20_ms(page):
    page.evaluate("for (let i = 0; i < 30; i++) js.fgsm(layers.adversarial, digit(i), labels[i], 0.15)")  # warm
    each = page.evaluate("""() => Array.from({length: 31}, (_, k) => {
        const begin = performance.now()
        js.fgsm(layers.adversarial, digit(k), labels[k], 0.15)
        return performance.now() - begin
    })""")
    assert sorted(each)[15] <= 20


def test_a_visitor_attacks_a_digit(page):
    """From the test digit to a changed answer in one click, and by the keyboard; nothing is asked of other hosts."""
    first = page.locator("#rows tr").first
    expect(first).to_contain_text(f"{int(y[0])} (")
    page.get_by_label("twenty (PGD)").check()
    expect(first.locator(".changed")).to_have_count(1)
    expect(page.locator("#said")).to_contain_text("undefended")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#said")).to_have_text("The page is blank.")
    page.locator("[data-at='0']").focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight", *["Space", "ArrowDown"] * 6):
        page.keyboard.press(key)
    expect(page.locator("[data-at='11']")).to_have_attribute("aria-label", "row 2, column 4: ink 100 %")
    expect(first).to_contain_text("1 (")
    page.get_by_role("button", name="Clear").click()
    box = page.locator("#grid").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 30, steps=20)
    page.mouse.up()
    expect(first).to_contain_text("1 (")
    assert page.failed == [] and all(url.startswith((page.address, "data:")) for url in page.asked)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 360])
def test_all_can_use_it(page, theme, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)
    page.get_by_label("one (FGSM)").check()
    page.get_by_role("button", name="Another test digit").click()
    wrong = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}).response["violations"]
    assert not wrong, "\n".join(f"{node['html'][:200]}: {node['failureSummary']}" for w in wrong for node in w["nodes"])
    assert page.evaluate("document.documentElement.scrollWidth") <= width
