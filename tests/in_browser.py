"""What tests of pages share: a real browser, a server of a folder on loopback, and axe."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from conftest import BROWSER

QUIET = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
QUIET += ["--disable-background-networking", "--disable-component-update"]
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]  # level AA of version 2.1


@contextmanager
def chromium() -> Iterator[Browser]:
    """One for all tests of a file: a second Playwright cannot start beside the first."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=QUIET)
        yield browser
        browser.close()


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address, with its slash, of a server of this folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


# What fades in has its colours only in the end.
AT_REST = """() => Promise.allSettled(document.getAnimations()
    .filter(each => each.effect.getComputedTiming().endTime < Infinity).map(each => each.finished))"""


def asked_axe(page: Page, selector: str | None = None, **options) -> dict:
    """What axe tells of the page, or of a part of it, against WCAG 2.1 AA."""
    page.evaluate(AT_REST)
    return Axe().run(page, context=selector, options={"runOnly": WCAG} | options).response


def found(told: dict) -> list[str]:
    """axe's violations, a text for each place."""
    return [f"{node['html'][:200]}: {node['failureSummary']}" for rule in told["violations"] for node in rule["nodes"]]


def barriers(page: Page) -> list[str]:
    """What axe finds on the page against WCAG 2.1 AA, a text for each place. It must have measured many contrasts."""
    told = asked_axe(page)
    contrasts = [rule["nodes"] for rule in told["passes"] if rule["id"] == "color-contrast"]
    assert sum(map(len, contrasts)) > 60, "axe has seen next to nothing"
    return found(told)


def barriers_within(page: Page, selector: str, **options) -> list[str]:
    """What axe finds in parts of a page against WCAG 2.1 AA. It must have passed something there."""
    told = asked_axe(page, selector, resultTypes=["violations"], **options)  # of what passes, the rules alone
    assert told["passes"], "axe has seen nothing"
    return found(told)
