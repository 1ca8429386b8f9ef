"""The page of a wide canvas scrolls, and follows the sound; a loop's ends stay as they are."""

from dataclasses import replace

import pytest
import torch
from a_run import run
from listening import LISTEN, SCRUBBER

from itskit import export
from itskit.trajectory import Trajectory

pytestmark = pytest.mark.browser
SCROLL = "document.querySelector('.its-scroll')"


def repeated(step, times):
    longer = {
        name: torch.cat([getattr(step, name)] * times, -1) for name in ("noisy", "latent", "clean")
    }
    noises = tuple(one if one is None else torch.cat([one] * times, -1) for one in step.noises)
    return replace(step, **longer, noises=noises)


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    short = run(3, silent=0)
    steps = tuple(repeated(step, 4) for step in short.steps)
    long = Trajectory(steps, dict(short.recipe) | {"width": 2048, "loop": True}, short.pair)
    return export.page(long, tmp_path_factory.mktemp("page") / "wide.html")


@pytest.fixture
def page(browser, wide):
    context = browser.new_context(
        offline=True, bypass_csp=True, viewport={"width": 900, "height": 800}
    )
    page = context.new_page()
    page.add_init_script(LISTEN)
    page.goto(wide.as_uri())
    page.wait_for_function(f"{SCRUBBER}?.complete", timeout=60000)
    yield page
    context.close()


def test_a_wide_canvas_scrolls_and_the_page_itself_does_not(page):
    inside, shown = page.evaluate(f"[{SCROLL}.scrollWidth, {SCROLL}.clientWidth]")
    box = page.locator(".its-frame").bounding_box()
    assert inside > 3 * shown and box["height"] == pytest.approx(200, abs=2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 900
    hertz = page.locator(".its-hertz").bounding_box()
    assert hertz["height"] == pytest.approx(box["height"], abs=2) and hertz["y"] == box["y"]


def test_a_place_in_a_scrolled_picture_is_the_place_that_is_meant(page):
    page.evaluate(f"{SCROLL}.scrollLeft = 1500")
    box = page.locator(".its-scroll").bounding_box()
    page.mouse.click(box["x"] + 100, box["y"] + 80)
    inside = page.evaluate(f"{SCROLL}.scrollWidth")
    at = page.evaluate(f"{SCRUBBER}.player.position()")
    assert at == pytest.approx(1600 / inside * 20.48, abs=0.02)
    assert page.evaluate(f"{SCROLL}.scrollLeft") == 1500  # nobody turned the page


def test_the_picture_follows_what_plays(page):
    page.evaluate(f"{SCRUBBER}.player.seek(15)")
    assert page.evaluate(f"{SCROLL}.scrollLeft") == 0
    page.locator(".its-play").click()
    page.wait_for_function(f"{SCROLL}.scrollLeft > 0")
    frame = page.locator(".its-playhead").bounding_box()
    box = page.locator(".its-scroll").bounding_box()
    assert box["x"] <= frame["x"] <= box["x"] + box["width"]
    page.locator(".its-play").click()
    page.evaluate(f"{SCROLL}.scrollLeft = 3")
    page.wait_for_timeout(200)
    assert page.evaluate(f"{SCROLL}.scrollLeft") == 3  # at rest, a person may look elsewhere


def test_the_ends_of_a_loop_are_not_faded(page):
    """By the first sample of the file that the page saves, which is what it plays."""
    first = f"""async ([seamless, region]) => {{
        const player = {SCRUBBER}.player;
        player.samples = new Float32Array(16000).fill(0.5);
        Object.assign(player, {{ seamless, region }});
        return new DataView(await {SCRUBBER}.sound().arrayBuffer()).getInt16(44, true);
    }}"""
    assert page.evaluate(f"{SCRUBBER}.player.seamless") is True
    assert page.evaluate(first, [True, None]) == 16383
    assert page.evaluate(first, [False, None]) == 0
    region = {"from": 0.1, "to": 0.4, "low": 0, "high": 8000}
    assert page.evaluate(first, [True, region]) == 0
