"""The widgets as instruments in a real JupyterLab: their keys, who sounds, what a file keeps."""

import os
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from a_lab import open_and_run, open_notebook, run_cell, running_lab, save, until, write_notebook
from listening import SCRUBBER, heard

pytest.importorskip("jupyterlab")
pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = (
    "import itskit\nfrom a_run import composing_pair, run\nfrom itskit import widgets",
    "scrubber = widgets.Scrubber(run(12), kept=5)\nscrubber",
    "composer = widgets.Composer(composing_pair(0.02))\n"
    "composer.controls['num_inference_steps'].value = 8\ncomposer",
    "paint = widgets.WeightMap(run(6).picture(), start=0.5)\npaint",
    "live = widgets.Live(composing_pair())\nlive",
    "run(6).sound()",
    "run(6).sound()",
)
LIVE = "document.querySelector('.its-live').live.player"
CURVE, MAP = "Weight over the run", "Weight over the canvas"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    write_notebook(folder / "play.ipynb", CELLS)
    with running_lab(folder) as address:
        yield address, folder


@pytest.fixture(scope="module")
def page(lab, browser):
    """The notebook, all its cells run."""
    page = open_and_run(browser, lab[0], "play.ipynb")
    page.wait_for_function("document.querySelectorAll('audio').length >= 2", timeout=180000)
    ready = f"{LIVE}.samples && {SCRUBBER}.player.samples"
    page.wait_for_function(ready, timeout=120000)
    yield page
    page.context.close()


def look(page, name):
    """Keeps a screenshot where ITSKIT_LOOK names a folder, for somebody to look at."""
    if os.environ.get("ITSKIT_LOOK"):
        page.screenshot(path=os.path.join(os.environ["ITSKIT_LOOK"], f"{name}.png"))


def composer_of(page):
    return page.locator(".its-composer").first


def press(page, locator, key):
    """Focus a control, press a key, and say its value before and after."""
    locator.scroll_into_view_if_needed()
    locator.focus()
    value = "(e) => Number(e.value ?? e.getAttribute('aria-valuenow'))"
    before = locator.evaluate(value)
    page.keyboard.press(key)
    assert locator.evaluate("(e) => e === document.activeElement"), "the notebook took the focus"
    return before, locator.evaluate(value)


# ---- keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "control",
    [
        ".its-live [aria-label=balance]",
        ".its-live [aria-label='picture guidance']",
        ".its-live [aria-label=seed]",
        ".its-scrubber [aria-label=Volume]",
        ".its-step",
        ".its-tool:has(.its-paint) [aria-label^=Weight]",
        ".its-tool:has(.its-paint) [aria-label^=Size]",
    ],
)
def test_the_arrow_keys_move_every_slider(page, control):
    slider = page.locator(f"{control}:visible").first
    before, lower = press(page, slider, "ArrowDown")
    if control in (".its-step", ".its-live [aria-label=seed]"):  # these stand at 0
        before, lower = press(page, slider, "ArrowUp")[::-1]
    assert lower < before
    _, higher = press(page, slider, "ArrowUp")
    assert higher > lower


def test_an_arrow_on_the_balance_reaches_the_kernel(page):
    _, value = press(page, page.locator(".its-live [aria-label=balance]"), "ArrowRight")
    until(page, "print(live.balance)", str(value))


def test_everything_that_takes_the_focus_keeps_its_keys(page):
    bare = page.evaluate(
        """() => [...document.querySelectorAll('.itskit:not(.its-composer) :is(input, button, summary, [tabindex])')]
        .filter((e) => !e.hasAttribute('data-lm-suppress-shortcuts')).map((e) => e.outerHTML)"""  # noqa: E501
    )
    assert bare == []


# ---- one sounds at a time ------------------------------------------------------------------------


def playing(page):
    """Which of the players sound: the scrubber, the instrument, the first and second sound."""
    plain = "[...document.querySelectorAll('.jp-OutputArea audio:not([class*=its] audio)')]"
    return page.evaluate(
        f"""() => [{SCRUBBER}.player.playing, {LIVE}.playing,
        ...{plain}.filter((a) => a.checkVisibility()).slice(-2).map((a) => !a.paused)]"""
    )


def test_one_player_sounds_at_a_time(page):
    plain = page.locator(".jp-OutputArea audio:visible")
    begin = [
        lambda: page.locator(".its-play").first.click(),
        lambda: page.locator(".its-live .its-go").click(),
        lambda: plain.nth(0).evaluate("(a) => a.play()"),
        lambda: plain.nth(1).evaluate("(a) => a.play()"),
    ]
    assert plain.count() == 2
    for order in ([0, 1, 2, 3], [1, 0, 3, 2], [0, 2, 1, 3]):
        for k in order:
            begin[k]()
            page.wait_for_timeout(300)
            assert playing(page) == [k == other for other in range(4)]
    page.evaluate("document.querySelectorAll('audio').forEach((a) => a.pause())")
    page.wait_for_timeout(300)
    silence, _ = heard(page, 500)
    assert np.abs(silence).max() < 1e-4


def test_a_frame_with_a_saved_page_yields_too(page):
    """A saved scrubber is a page in a frame: it and the notebook's players know of each other."""
    html = run_cell(page, "print(scrubber._kept_html())")
    page.evaluate(
        "(html) => { const d = document.createElement('div'); d.id = 'old'; d.innerHTML = html;"
        "document.body.append(d); d.querySelector('iframe').loading = 'eager'; }",
        html,
    )
    frame = page.frame_locator("#old iframe")
    frame.locator(".its-play").wait_for(timeout=60000)
    inner = page.frames[-1]
    inner.wait_for_function(f"{SCRUBBER}?.complete", timeout=60000)
    click = "document.querySelector('.its-play').click()"
    page.locator(".its-live .its-go").click()
    inner.evaluate(click)
    page.wait_for_function(f"!{LIVE}.playing")
    assert inner.evaluate(f"{SCRUBBER}.player.playing") is True
    page.locator(".its-live .its-go").click()
    inner.wait_for_function(f"!{SCRUBBER}.player.playing")
    page.locator(".its-live .its-go").click()
    page.locator(".jp-OutputArea audio:visible").first.evaluate("(a) => a.play()")
    inner.evaluate(click)
    page.wait_for_timeout(300)
    assert playing(page) == [False] * 4
    page.evaluate("document.querySelector('#old').remove()")


# ---- the composer --------------------------------------------------------------------------------


def composed(page, count):
    """Waits until `count` results are there."""
    until(page, "print(len(composer.history), composer.button.disabled)", f"{count} False")


def unfold(page, title):
    head = composer_of(page).locator(".jupyter-widget-Collapse-header", has_text=title)
    head.scroll_into_view_if_needed()
    head.click()
    page.wait_for_timeout(400)


def weight_shown(page):
    """The weight's button that is pressed."""
    return composer_of(page).locator(".widget-toggle-buttons .mod-active").inner_text().strip()


def test_enter_composes_and_the_steps_are_counted(page):
    run_cell(
        page,
        "said = []\ncomposer.status.observe(lambda change: said.append(change['new']), 'value')",
    )
    prompt = composer_of(page).locator("input[type=text]").first
    prompt.scroll_into_view_if_needed()
    prompt.fill("a lighthouse")
    prompt.press("Enter")
    composed(page, 1)
    said = run_cell(page, "print(*said, sep='\\n')")
    assert all(f">step {k} of 8<" in said for k in range(1, 9))
    assert ">step 0" not in said
    assert ">step 9" not in said
    assert run_cell(page, "print(composer.result.recipe['guides'][0]['prompt'])") == "a lighthouse"
    look(page, "composed")


def test_a_drawn_curve_counts_at_once_and_so_does_a_painted_map(page):
    assert weight_shown(page) == "number"
    unfold(page, CURVE)
    place = composer_of(page).locator(".its-draw").bounding_box()
    page.mouse.move(place["x"] + 2, place["y"] + 0.2 * place["height"])
    page.mouse.down()
    page.mouse.move(place["x"] + place["width"] - 2, place["y"] + 0.8 * place["height"], steps=9)
    page.mouse.up()
    composer_of(page).locator("text=curve").first.wait_for()
    page.wait_for_timeout(800)
    assert weight_shown(page) == "curve"
    look(page, "curve")
    composer_of(page).locator("input[type=text]").first.press("Enter")
    composed(page, 2)
    weights = run_cell(page, "print(*composer.result.recipe['guides'][0]['weight']['per_step'])")
    assert np.allclose([float(w) for w in weights.split()], np.linspace(0.8, 0.27, 8), atol=0.06)

    unfold(page, MAP)
    paint = composer_of(page).locator(".its-paint")
    place = paint.bounding_box()
    page.mouse.move(place["x"] + 0.2 * place["width"], place["y"] + 0.5 * place["height"])
    page.mouse.down()
    page.mouse.move(place["x"] + 0.5 * place["width"], place["y"] + 0.5 * place["height"], steps=8)
    page.mouse.up()
    page.wait_for_timeout(800)
    assert weight_shown(page) == "map"
    look(page, "map")
    composer_of(page).locator("input[type=text]").first.press("Enter")
    composed(page, 3)
    row = run_cell(page, "print(*composer.result.recipe['guides'][0]['weight'][8])")
    row = np.array([float(w) for w in row.split()])
    assert row[len(row) // 3] > 0.9
    assert row[-3] == pytest.approx(0.5, abs=0.01)


def test_the_map_is_painted_over_the_last_result(page):
    """Seen where it is painted: the greys under the map are the result's."""
    ground = composer_of(page).locator(".its-ground")
    size = ground.evaluate("(i) => [i.naturalWidth, i.naturalHeight, i.checkVisibility()]")
    assert size == [512, 128, True]
    seen = ground.evaluate(
        """(i) => { const c = document.createElement('canvas'); [c.width, c.height] = [512, 128];
        const ink = c.getContext('2d'); ink.drawImage(i, 0, 0);
        return Array.from(ink.getImageData(0, 0, 512, 128).data).filter((_, k) => k % 4 === 0) }"""
    )
    code = "import numpy\nprint(*numpy.asarray(composer.result.picture().image).ravel())"
    truth = [int(v) for v in run_cell(page, code).split()]
    assert np.abs(np.array(seen) - truth).max() <= 1


def test_history_buttons_tell_results_apart_and_bring_everything_back(page):
    buttons = composer_of(page).locator("button", has_text="seed 0")
    labels = buttons.all_inner_texts()
    assert len(set(labels)) == 3
    assert "weight curve" in labels[1]
    assert "weight map" in labels[2]
    assert all("a lighthouse" in label for label in labels)
    wide = buttons.nth(1).evaluate("(b) => b.scrollWidth <= b.clientWidth + 1")
    assert wide, "a label is cut off"
    painted = run_cell(page, "print(bytes(composer.map.pixels).hex())")
    drawn = run_cell(page, "print(composer.curve.values)")
    run_cell(page, "composer.curve.values = [0.1, 0.9]\ncomposer.map.pixels = bytes(4096)")
    for k, mode in ((0, "number"), (1, "curve"), (2, "map")):
        buttons = composer_of(page).locator("button", has_text="seed 0")
        buttons.nth(k).scroll_into_view_if_needed()
        buttons.nth(k).click()
        until(page, f"print(composer.result is composer.history[{k}])", "True")
        until(page, "print(composer.controls['weight'].value)", mode)
        page.wait_for_timeout(500)
        assert weight_shown(page) == mode
        if k:
            assert run_cell(page, "print(composer.curve.values)") == drawn
    assert run_cell(page, "print(bytes(composer.map.pixels).hex())") == painted
    look(page, "history")


def test_an_error_is_told_in_words_beside_the_result(page):
    before = run_cell(page, "print(len(composer.history))")
    for k, name in ((1, "sound"), (0, "image")):
        composer_of(page).locator("input[type=text]").nth(k).fill("")
        until(page, f"print(composer.settings()['{name}_prompt'])", "None")
    composer_of(page).locator("input[type=text]").nth(0).press("Enter")
    status = composer_of(page).locator("[role=status]", has_text="Write what to see").first
    status.wait_for(timeout=20000)
    assert "Error" not in status.inner_text()
    assert composer_of(page).locator(".its-stage").is_visible()
    assert run_cell(page, "print(len(composer.history))") == before
    look(page, "error")
    run_cell(page, "composer.recall(composer.history[-1])")


def test_going_on_from_the_step_that_is_shown(page):
    """By a click, and as it is said now; the kernel is told of no step before that."""
    root = composer_of(page)
    run_cell(page, "before = composer.history[-1]\ncomposer.recall(before)")
    slider, go_on = root.locator(".its-step"), root.locator(".its-go-on")
    go_on.scroll_into_view_if_needed()
    assert go_on.inner_text() == "Go on from step 7"
    slider.press("Home")
    assert not go_on.is_visible()  # nothing would stay
    for _ in range(3):
        slider.press("ArrowRight")
    assert go_on.inner_text() == "Go on from step 3"
    look(page, "go on from a step")
    root.locator("input[type=text]").first.fill("a tiger")
    until(page, "print(composer.controls['image_prompt'].value)", "a tiger")
    go_on.click()
    until(page, "print(composer.result.recipe.get('branch', {}).get('step'))", "3")
    said = "print(*(r['guides'][0]['prompt'] for r in (composer.result.recipe, before.recipe)))"
    assert run_cell(page, said) == "a tiger a lighthouse"
    same = "print(*(a is b for a, b in zip(composer.result.steps, before.steps)))"
    assert run_cell(page, same) == "True True True False False False False False"
    root.get_by_role("button", name="from step 3").wait_for(timeout=60000)
    until(page, "print(composer.button.disabled)", "False")
    look(page, "gone on from a step")
    run_cell(page, "composer.recall(before)")


# ---- opened again --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(page, lab):
    """The notebook's file, saved after all that."""
    save(page)
    notebook = nbformat.read(lab[1] / "play.ipynb", 4)
    page.evaluate(
        "async () => { await window.jupyterapp.shell.currentWidget.sessionContext.shutdown() }"
    )
    return notebook


def test_a_saved_notebook_is_small(saved, lab):
    assert "widgets" not in saved.metadata
    assert (lab[1] / "play.ipynb").stat().st_size < 1.5e6


def seen_and_heard(page):
    """Of each figure that is left: is its picture there, does its sound play?"""
    return page.evaluate(
        """async () => { const found = [];
        for (const player of document.querySelectorAll('div > audio')) {
          const image = player.parentElement.querySelector('img');
          if (!image || !image.checkVisibility()) continue;
          await image.decode(); player.muted = true; await player.play();
          await new Promise((done) => setTimeout(done, 700));
          found.push([image.naturalWidth, player.duration > 4.5, player.currentTime > 0]);
          player.pause();
        } return found; }"""
    )


@pytest.mark.parametrize("kernel", ["a new kernel", "no kernel"])
def test_jupyterlab_shows_and_plays_what_was_saved(saved, lab, browser, kernel):
    address, folder = lab
    name = f"again-{kernel.replace(' ', '-')}.ipynb"
    nbformat.write(saved, folder / name)
    page = open_notebook(browser, address, name, kernel == "a new kernel")
    if kernel == "no kernel":
        page.locator(".jp-Dialog button").last.click(timeout=60000)  # none could be started
        page.locator(".jp-Dialog button", has_text="No Kernel").click(timeout=60000)
    else:
        busy = "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status"
        page.wait_for_function(f"{busy} === 'idle'", timeout=120000)
    page.wait_for_timeout(4000)
    assert page.locator("text=/model not found|Loading widget/ >> visible=true").count() == 0
    frame = page.locator("iframe[title=Scrubber]")
    frame.scroll_into_view_if_needed()
    frame.content_frame.locator(".its-play").wait_for(timeout=60000)
    look(page, f"again {kernel}")
    assert seen_and_heard(page) == [[512, True, True]] * 2  # Composer and Live
    page.locator("img[alt='a lighthouse + birds chirping']").scroll_into_view_if_needed()
    look(page, f"again {kernel}, below")
    frame.content_frame.locator(".its-play").click()
    inner = frame.element_handle().content_frame()
    inner.wait_for_function(f"{SCRUBBER}.player.position() > 0.3", timeout=20000)
    page.context.close()


def test_jupyterlab_shows_pictures_and_sounds_of_a_notebook_that_it_does_not_trust(
    saved, lab, browser
):
    """Somebody else's file: no script, no style and no frame is let in."""
    address, folder = lab
    other = nbformat.from_dict(saved)
    for cell in other.cells:
        for output in cell.get("outputs", ()):  # never shown on this machine
            if "text/html" in output.get("data", {}):
                output["data"]["text/html"] += "<!-- from afar -->"
    nbformat.write(other, folder / "afar.ipynb")
    page = open_notebook(browser, address, "afar.ipynb")
    page.wait_for_timeout(4000)
    assert page.locator("iframe[title=Scrubber]").count() == 0
    assert page.locator("text=/model not found|Loading widget/ >> visible=true").count() == 0
    page.wait_for_function("document.querySelectorAll('img').length >= 4", timeout=60000)
    assert seen_and_heard(page) == [[512, True, True]] * 3
    look(page, "untrusted")
    page.context.close()


def test_html_of_it_shows_and_plays_everything(saved, lab, browser, tmp_path):
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--to", "html", "--output-dir"]
    subprocess.run([*command, str(tmp_path), str(lab[1] / "play.ipynb")], check=True)
    context = browser.new_context(
        offline=True, bypass_csp=True, viewport={"width": 1100, "height": 900}
    )
    page = context.new_page()
    page.goto((tmp_path / "play.html").as_uri())
    frame = page.frame_locator("iframe[title=Scrubber]")
    frame.locator(".its-play").wait_for(timeout=60000)
    assert seen_and_heard(page) == [[512, True, True]] * 2
    look(page, "html")
    page.locator("img[alt='a lighthouse + birds chirping']").scroll_into_view_if_needed()
    look(page, "html, below")
    context.close()
