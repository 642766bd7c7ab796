"""README's picture: `python tools/still.py` takes it from the playground's own page, in Chromium, under attack."""

import io
import sys

from PIL import Image

from pages import ROOT

sys.path.insert(0, str(ROOT / "tests"))  # where browsers are opened
sys.path.insert(0, str(ROOT))
from in_browser import chromium, served

STILL = ROOT / "site" / "playground.png"
DIGIT, ATTACK = "a test digit 3", "PGD, many steps"  # README's text says what they bring about


def still() -> bytes:
    """A test digit, attacked, and what the networks say: a PNG of 32 colours."""
    with served(ROOT / "site" / "playground") as address, chromium() as browser:
        page = browser.new_page(viewport={"width": 1100, "height": 900}, color_scheme="light")
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        page.get_by_role("button", name=DIGIT).click()
        page.get_by_role("button", name=ATTACK).click()
        page.wait_for_function("document.querySelector('[data-network=undefended]').innerText.includes('wrong')")
        page.wait_for_function("!document.querySelector('#cards').innerText.includes('being counted')")
        page.evaluate("document.activeElement.blur()")
        top, cards = page.locator(".desk").bounding_box(), page.locator("#cards").bounding_box()
        area = {"x": 0, "y": top["y"], "width": 1100, "height": cards["y"] + cards["height"] - top["y"] + 12}
        shot = page.screenshot(clip=area, full_page=True)
    Image.open(io.BytesIO(shot)).convert("RGB").quantize(32).save(small := io.BytesIO(), format="png", optimize=True)
    return small.getvalue()


if __name__ == "__main__":
    STILL.write_bytes(still())
