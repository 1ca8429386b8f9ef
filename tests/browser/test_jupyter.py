"""The widgets in a real JupyterLab, with a real kernel, driven as a person would."""

import subprocess
import sys
import time

import nbformat
import numpy as np
import pytest
from a_lab import TESTS, open_and_run, run_cell, running_lab, write_notebook
from listening import RATE, SCRUBBER, band_share, drag_slider, heard, pixels, samples_of

from itskit import web

pytest.importorskip("jupyterlab")
pytestmark = [pytest.mark.browser, pytest.mark.slow]

LESSON = TESTS.parent / "notebooks" / "04_watch_and_listen.ipynb"
CELLS = (
    "from a_run import composing_pair, run\nfrom itskit import widgets",
    "scrubber = widgets.Scrubber(run(24), kept=5)\nscrubber",
    "composer = widgets.Composer(composing_pair(0.2))\n"
    "composer.controls['num_inference_steps'].value = 40\ncomposer",
    "curve = widgets.WeightCurve()\ncurve",
    "paint = widgets.WeightMap(run(6).picture(), start=0)\npaint",
    "live = widgets.Live(composing_pair())\nlive",
)
LIVE = "document.querySelector('.its-live').live.player"


def write_lesson(path):
    """The lesson's run and its scrubber; that all of its cells run is tested by nbval."""
    lesson = nbformat.read(LESSON, 4)
    needed = ("find_spec", "load_pair(", "itskit.compose(", "Scrubber(", "scrubber.step =")
    code = [cell for cell in lesson.cells if cell.cell_type == "code"]
    lesson.cells = [cell for cell in code if any(words in cell.source for words in needed)]
    assert len(lesson.cells) == len(needed)
    nbformat.write(lesson, path)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a JupyterLab over a folder with one notebook and a lesson."""
    folder = tmp_path_factory.mktemp("lab")
    write_notebook(folder / "scrub.ipynb", CELLS)
    write_lesson(folder / LESSON.name)
    with running_lab(folder) as address:
        yield address, folder


@pytest.fixture(scope="module")
def page(lab, browser):
    """The notebook, all its cells run."""
    page = open_and_run(browser, lab[0], "scrub.ipynb")
    # one map inside the composer, one of its own in the last cell
    page.wait_for_function("document.querySelectorAll('.its-paint').length === 2", timeout=180000)
    yield page
    page.context.close()


@pytest.fixture(scope="module")
def scrubber(page):
    """The first scrubber of the notebook, all its steps prepared."""
    page.locator(".its-scrubber").first.scroll_into_view_if_needed()
    ready = f"[...{SCRUBBER}.frames.get('noisy').values()].filter((f) => f.samples && f.bitmap)"
    page.wait_for_function(f"{ready}.length === 24", timeout=120000)
    return page


def test_the_first_steps_work_before_the_last_are_ready(page):
    page.wait_for_function(f"{SCRUBBER}?.state.shown?.step === 0", timeout=60000)
    assert page.evaluate(f"{SCRUBBER}.state.shown.track") == "noisy"  # it begins with the noise
    assert page.locator(".its-where b").first.inner_text() == "0"


def test_dragging_changes_the_picture_and_asks_the_kernel_nothing(scrubber):
    page = scrubber
    before = pixels(page)
    page.evaluate(
        """() => { const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (...a) { window.sent++; send.apply(this, a) } }"""
    )
    box = page.locator(".its-step").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 9, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.evaluate("window.sent = 0")
    for k in range(1, 24):
        page.mouse.move(box["x"] + box["width"] * (1 - k / 24), box["y"] + box["height"] / 2)
    assert page.evaluate("window.sent") == 0
    page.mouse.up()
    assert pixels(page) != before
    step = page.evaluate(f"{SCRUBBER}.state.step")
    deadline = time.time() + 10
    while run_cell(page, "print(scrubber.step)") != str(step) and time.time() < deadline:
        time.sleep(0.2)
    assert run_cell(page, "print(scrubber.step)") == str(step)  # told once, when it is let go


def test_the_kernel_can_move_the_slider(scrubber):
    run_cell(scrubber, "scrubber.step = 7")
    scrubber.wait_for_function(f"{SCRUBBER}.state.step === 7")


def test_it_plays_and_the_position_continues_across_a_drag(scrubber):
    page = scrubber
    page.locator(".its-play").first.click()
    y, _ = heard(page, 800)
    assert np.sqrt(np.mean(y**2)) > 1e-3
    clock = f"[{SCRUBBER}.player.position(), {SCRUBBER}.player.context.currentTime]"
    before = page.evaluate(clock)
    drag_slider(page, 0.3, 1, 15, pause=20)
    after = page.evaluate(clock)
    ran = (after[0] - before[0]) % 5.12
    assert ran == pytest.approx((after[1] - before[1]) % 5.12, abs=0.005)
    first, last = samples_of(page, 0, "noisy"), samples_of(page, 23, "noisy")
    assert abs(first @ last) / np.linalg.norm(first) / np.linalg.norm(last) < 0.5
    page.locator(".its-play").first.click()
    assert page.evaluate(f"{SCRUBBER}.player.playing") is False


def test_a_region_is_heard_alone(scrubber):
    page = scrubber
    page.evaluate(f"{SCRUBBER}.show(5)")
    box = page.locator(".its-frame").first.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.35 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.6 * box["height"], steps=5)
    page.mouse.up()
    page.wait_for_timeout(300)
    region = page.evaluate(f"{SCRUBBER}.player.region")
    y, rate = heard(page, 1000)
    low, high = region["low"] * 0.9, region["high"] * 1.1
    assert band_share(samples_of(page, 5, "noisy"), RATE, low, high) < 0.8
    assert band_share(y, rate, low, high) > 0.99
    page.keyboard.press("Escape")
    page.locator(".its-play").first.click()


def test_keys_belong_to_the_scrubber_and_not_to_the_notebook(scrubber):
    page = scrubber
    cells = page.locator(".jp-Cell").count()
    markdown = page.locator(".jp-MarkdownCell").count()
    page.locator(".its-step").first.focus()
    for key, step in (("Home", 0), ("ArrowRight", 1), ("End", 23)):
        page.keyboard.press(key)
        assert page.evaluate(f"{SCRUBBER}.state.step") == step
    page.keyboard.press("1")  # would turn the cell into a heading
    page.locator(".its-play").first.focus()
    page.keyboard.press("2")
    assert page.locator(".jp-Cell").count() == cells
    assert page.locator(".jp-MarkdownCell").count() == markdown
    assert page.evaluate(f"{SCRUBBER}.state.track") == "noisy"


def test_tracks_are_prepared_when_they_are_first_looked_at(scrubber):
    page = scrubber
    page.locator(".its-tracks").first.locator("button").nth(2).click()
    count = f"{SCRUBBER}.frames.get('guide-0').size"
    page.wait_for_function(f"{count} === 19", timeout=60000)  # silent in the first five
    page.wait_for_function(f"{SCRUBBER}.state.shown?.track === 'guide-0'")
    page.locator(".its-tracks").first.locator("button").nth(0).click()


def test_every_instrument_follows_jupyterlabs_theme(scrubber):
    page = scrubber
    kinds = ("scrubber", "composer", "live", "tool:has(.its-draw)", "tool:has(.its-paint)")
    colour = "getComputedStyle(document.querySelector('.its-%s')).color"
    command = "window.jupyterapp.commands.execute('apputils:change-theme', {theme: '%s'})"
    for theme in ("dark", "light"):
        page.evaluate(command % f"JupyterLab {theme.capitalize()}")
        ink = "rgb({}, {}, {})".format(*web.rgb(web.PALETTE[theme]["ink"]))
        for kind in kinds:
            page.wait_for_function(f"{colour % kind} === '{ink}'", timeout=30000)


def test_no_instruments_style_undoes_anothers(scrubber):
    """Each brings a copy of what they share, and the last copy wins over what is as exact."""
    looks = {
        ".its-scrubber .its-step": ("height", "34px"),
        ".its-scrubber .its-tracks": ("marginTop", "0px"),
        ".its-live": ("padding", "18px"),
        ".its-tool:not(.its-composer *)": ("maxWidth", "720px"),
        ".its-composer .its-tool": ("borderTopWidth", "0px"),
    }
    for selector, (name, value) in looks.items():
        found = scrubber.locator(selector).first
        assert found.evaluate("(e, name) => getComputedStyle(e)[name]", name) == value, selector
    icons = scrubber.locator(".its-play").first.locator("svg")
    assert [icons.nth(k).is_visible() for k in range(2)] == [True, False]


def test_stop_ends_a_running_composition_and_keeps_it(page):
    page.get_by_role("button", name="Compose").scroll_into_view_if_needed()
    page.get_by_role("button", name="Compose").click()
    page.wait_for_selector("text=/^step [3-9]/", timeout=60000)
    shown = page.locator(".widget-image, .jupyter-widgets.widget-image").first
    shown.wait_for(state="visible", timeout=60000)  # the picture follows the words
    page.get_by_role("button", name="Stop").click()
    page.wait_for_selector("text=/^stopped after/", timeout=60000)
    steps = int(run_cell(page, "print(len(composer.result))"))
    assert 3 <= steps < 40
    page.wait_for_function("document.querySelectorAll('.its-stage').length === 2", timeout=60000)


def test_a_curve_is_drawn_with_the_mouse(page):
    box = page.locator(".its-draw").last
    box.scroll_into_view_if_needed()
    place = box.bounding_box()
    y = lambda v: place["y"] + (1 - v) * place["height"]  # noqa: E731
    page.mouse.move(place["x"] + 1, y(0.8))
    page.mouse.down()
    page.mouse.move(place["x"] + place["width"] - 1, y(0.2), steps=12)
    page.mouse.up()
    time.sleep(1)
    values = [float(v) for v in run_cell(page, "print(*curve.values)").split()]
    assert values == pytest.approx(np.linspace(0.8, 0.2, len(values)), abs=0.04)


def test_a_map_is_painted_with_the_mouse(page):
    paint = page.locator(".its-paint").last
    paint.scroll_into_view_if_needed()
    place = paint.bounding_box()
    page.mouse.move(place["x"] + 0.25 * place["width"], place["y"] + 0.5 * place["height"])
    page.mouse.down()
    page.mouse.move(place["x"] + 0.5 * place["width"], place["y"] + 0.5 * place["height"], steps=8)
    page.mouse.up()
    time.sleep(1)
    code = "m = paint.map; print(m[16, 40], m[16, 60], m[0, 50], m[16, 120])"
    inside, also, above, right = (float(v) for v in run_cell(page, code).split())
    assert inside > 0.9
    assert also > 0.9
    assert above == right == 0


def test_live_glides_to_another_sound_at_every_letter(page):
    root = page.locator(".its-live")
    root.scroll_into_view_if_needed()
    page.wait_for_function(f"{LIVE}.samples?.length === {5.12 * RATE}", timeout=60000)
    root.get_by_role("button", name="Play").click()
    y, _ = heard(page, 800)
    assert np.sqrt(np.mean(y**2)) > 1e-3
    clock = f"[{LIVE}.position(), {LIVE}.context.currentTime]"
    before, picture = page.evaluate(clock), root.locator("img").get_attribute("src")
    page.evaluate(f"window.old = {LIVE}.samples, 0")
    root.get_by_label("hear").press("End")
    page.keyboard.type(" at dawn", delay=30)
    root.get_by_role("button", name="another seed").click()
    page.wait_for_function(f"{LIVE}.samples !== window.old", timeout=60000)
    after = page.evaluate(clock)
    assert (after[0] - before[0]) % 5.12 == pytest.approx((after[1] - before[1]) % 5.12, abs=0.005)
    said = "print(live.sound_prompt, live.seed)"
    assert run_cell(page, said) == "birds chirping at dawn 1"
    assert root.locator("img").get_attribute("src") != picture
    root.get_by_role("button", name="Pause").click()
    assert page.evaluate(f"{LIVE}.playing") is False


def test_the_kernel_plays_the_instrument_too(page):
    run_cell(page, "live.image_prompt, live.balance = 'a tree', 0.8")
    root = page.locator(".its-live")
    page.wait_for_function("document.querySelector('.its-live input').value === 'a tree'")
    assert root.get_by_label("balance").input_value() == "0.8"


def test_an_unknown_word_is_named_under_the_instrument_while_it_is_there(page):
    root = page.locator(".its-live")
    root.scroll_into_view_if_needed()
    line, words = root.get_by_role("note"), root.get_by_label("see", exact=True)
    assert not line.is_visible()
    words.fill("a theremin")
    line.wait_for(state="visible", timeout=60000)
    assert line.inner_text() == "image prompt 'a theremin': not known: theremin; nearest: harp"
    words.fill("a tree")
    line.wait_for(state="hidden", timeout=60000)


def test_the_saved_notebook_turned_into_html_still_plays(page, lab, browser, tmp_path):
    _, folder = lab
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    for _ in range(100):
        saved = nbformat.read(folder / "scrub.ipynb", 4)
        if any(cell.get("outputs") for cell in saved.cells):
            break
        time.sleep(0.2)
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--to", "html", "--output-dir"]
    subprocess.run([*command, str(tmp_path), str(folder / "scrub.ipynb")], check=True)
    context = browser.new_context(offline=True, bypass_csp=True)
    alone = context.new_page()
    alone.goto((tmp_path / "scrub.html").as_uri())
    frame = alone.frame_locator("iframe[title=Scrubber]").first
    frame.locator(".its-play").wait_for(timeout=60000)
    frame.locator(".its-play").click()
    inner = next(f for f in alone.frames if f.parent_frame)
    inner.wait_for_function(f"{SCRUBBER}.player.position() > 0.3", timeout=20000)
    frame.locator(".its-step").focus()
    alone.keyboard.press("Home")
    assert inner.evaluate(f"{SCRUBBER}.state.shown.step") == 0
    context.close()


def test_the_scrubber_of_a_lesson_is_played_and_scrubbed(lab, browser):
    page = open_and_run(browser, lab[0], LESSON.name)
    page.wait_for_selector(".its-scrubber", state="attached", timeout=300000)
    page.locator(".its-scrubber").first.scroll_into_view_if_needed()
    frames = f"[...{SCRUBBER}.frames.get('noisy').values()]"
    done = f"{frames}.filter((f) => f.samples && f.bitmap).length === 12"
    page.wait_for_function(done, timeout=300000)
    page.locator(".its-play").first.click()
    drag_slider(page, 0.4, 0, 10, pause=20)
    noise = pixels(page)
    drag_slider(page, 0, 1, 10, pause=20)
    assert pixels(page) != noise
    y, _ = heard(page, 1500)
    assert np.sqrt(np.mean(y**2)) > 1e-4
    first, last = samples_of(page, 0, "noisy"), samples_of(page, 11, "noisy")
    assert abs(first @ last) / np.linalg.norm(first) / np.linalg.norm(last) < 0.5
    page.locator(".its-scrubber .its-tracks button").nth(2).click()
    page.wait_for_function(f"{SCRUBBER}.state.shown?.track === 'guide-0'", timeout=60000)
    assert page.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0
    page.context.close()
