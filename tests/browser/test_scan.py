"""A QR code in a composition is read off the screen, from a screenshot of the exported page."""

import numpy as np
import pytest
from PIL import Image

import itskit
from itskit import analytic, export

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_code_is_read_from_a_screenshot_of_the_page(browser, tmp_path):
    zxingcpp = pytest.importorskip("zxingcpp")
    pytest.importorskip("segno")
    pair = itskit.load_pair("pocket")
    code = analytic.qr(pair, "HI")
    made = itskit.compose(pair, "a crown", "a trombone playing", seed=2, extra=[code])
    file = export.page(made, tmp_path / "trio.html", steps=2, keyframes=1)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(file.as_uri())
    page.get_by_text("Result", exact=True).click()
    slider = page.locator(".its-step")
    slider.focus()
    slider.press("End")
    page.wait_for_timeout(500)
    page.screenshot(path=tmp_path / "screen.png")
    page.close()
    screen = Image.open(tmp_path / "screen.png").convert("L")
    found = zxingcpp.read_barcodes(screen)
    assert [one.text for one in found] == ["HI"]
    # And it is what a telephone sees: at its size on the screen, in the picture's left quarter.
    corners = found[0].position
    side = corners.top_right.x - corners.top_left.x
    assert 150 < side < 300 and corners.top_right.x < screen.width / 2
    assert np.asarray(screen).std() > 30
