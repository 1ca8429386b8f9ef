"""The exported page in a real Chromium: opened from disk, with networking switched off."""

import os
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from a_run import NASTY, run
from listening import LISTEN, RATE, SCRUBBER, band_share, drag_slider, heard, pixels, samples_of
from PIL import Image

from itskit import export
from itskit.export import again
from itskit.export.names import stem_of
from itskit.spectrogram import row_frequencies

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return export.page(run(50), tmp_path_factory.mktemp("page") / "castle.html")


@pytest.fixture
def open_page(browser):
    """Opens a file with the network off; fails on any error that the page reports."""
    contexts, errors = [], []

    def open_it(path, **options):
        context = browser.new_context(offline=True, bypass_csp=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("request", lambda r: errors.append(r.url) if r.url.startswith("http") else None)
        page.on("dialog", lambda dialog: (errors.append("a dialog"), dialog.dismiss()))
        page.add_init_script(LISTEN)
        page.goto(path.as_uri())
        page.wait_for_function(f"{SCRUBBER}?.complete", timeout=60000)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture
def fresh(open_page, file):
    """The page as it opens."""
    return open_page(file, viewport={"width": 1100, "height": 900})


@pytest.fixture
def page(fresh):
    """The page on the result."""
    fresh.evaluate(f"{SCRUBBER}.choose('clean'); {SCRUBBER}.show(49)")
    return fresh


# Times are only judged where the machine does nothing else (ITSKIT_IDLE=1); elsewhere ten times as
# much still tells a picture that is at hand from one that has to be decoded or asked for.
SLACK = 1 if os.environ.get("ITSKIT_IDLE") else 10


def test_a_fifty_step_page_is_under_four_megabytes(file):
    assert file.stat().st_size < 4e6


def test_nothing_plays_until_play_is_pressed(page):
    page.wait_for_timeout(300)
    assert page.evaluate(f"{SCRUBBER}.player.context === undefined")
    assert page.evaluate("window.heard.length") == 0
    page.locator(".its-play").click()
    y, _ = heard(page, 600)
    assert np.sqrt(np.mean(y**2)) > 1e-3


def test_pictures_are_those_of_the_run(page):
    trajectory = run(50)
    for step in (0, 20, 49):
        page.evaluate(f"{SCRUBBER}.show({step})")
        truth = np.asarray(trajectory.picture(step).image, dtype=float).ravel()
        assert np.abs(np.array(pixels(page)) - truth).mean() < 6  # of 255: WebP is lossy


def test_sounds_are_those_of_the_run_and_in_time_with_the_picture(page):
    trajectory = run(50)
    for step in (0, 25, 49):
        mine = samples_of(page, step)
        truth = trajectory.sound(step).samples
        assert len(mine) == len(truth)
        spectrum = np.fft.rfft(mine, 2**18) * np.conj(np.fft.rfft(truth, 2**18))
        correlation = np.fft.irfft(spectrum) / np.linalg.norm(mine) / np.linalg.norm(truth)
        lag = int(np.argmax(correlation))
        assert min(lag, 2**18 - lag) <= 2  # samples: no encoder delay is left
        assert correlation[lag] > 0.9


def test_all_steps_are_equally_loud(page):
    levels = [np.sqrt(np.mean(samples_of(page, step) ** 2)) for step in range(0, 50, 7)]
    assert 20 * np.log10(max(levels) / min(levels)) < 6


def test_first_and_last_step_sound_different(page):
    first, last = samples_of(page, 0), samples_of(page, 49)
    overlap = abs(first @ last) / np.linalg.norm(first) / np.linalg.norm(last)
    assert overlap < 0.5


def test_dragging_shows_each_picture_within_a_frame(page):
    page.evaluate(
        """() => { window.delays = [];
        const channel = new MessageChannel(), waiting = [];
        channel.port1.onmessage = () => window.delays.push(performance.now() - waiting.shift());
        document.querySelector('.its-step').addEventListener('input', (e) =>
          requestAnimationFrame(() => {
            waiting.push(e.timeStamp); channel.port2.postMessage(0); })) }"""
    )
    for _ in range(3):  # the page is measured, not what else the machine is doing: best of three
        page.evaluate("window.delays.length = 0")
        drag_slider(page, 1, 0, 50)
        drag_slider(page, 0, 1, 50)
        delays = np.array(page.evaluate("window.delays"))
        median, late = np.median(delays), np.percentile(delays, 95)
        print(f"drag to picture: median {median:.1f} ms, p95 {late:.1f}")
        if median < 16 and late < 33:
            break
    assert len(delays) >= 40
    assert median < 16 * SLACK
    assert late < 33 * SLACK


def test_a_step_costs_little_of_a_frame(page):
    worked = page.evaluate(
        f"""() => {{ const s = {SCRUBBER}, costs = [];
        for (let k = 0; k < 50; k++) {{ const t = performance.now(); s.show(k);
          document.body.offsetHeight; costs.push(performance.now() - t) }}
        return costs }}"""
    )
    print(f"script and layout for one step: median {np.median(worked):.2f} ms")
    assert np.median(worked) < 4 * SLACK


def test_the_sound_runs_on_through_a_drag(page):
    page.evaluate(f"{SCRUBBER}.show(8)")  # the first steps are steady noise: any hole would show
    page.locator(".its-play").click()
    page.wait_for_timeout(400)
    clock = f"[{SCRUBBER}.player.position(), {SCRUBBER}.player.context.currentTime]"
    before = page.evaluate(clock)
    page.evaluate("window.heard.length = 0")
    drag_slider(page, 8 / 49, 0, 25, pause=20)
    after = page.evaluate(clock)
    ran = (after[0] - before[0]) % 5.12
    assert ran == pytest.approx((after[1] - before[1]) % 5.12, abs=0.005)
    assert page.evaluate(f"{SCRUBBER}.state.step") == 0
    page.wait_for_timeout(200)
    parts = page.evaluate("window.heard")
    y = np.concatenate(parts)
    level = np.sqrt(np.convolve(y**2, np.ones(2048) / 2048, "valid"))
    assert level.min() > 0.25 * np.median(level)  # no hole where sounds change
    assert level.max() < 3 * np.median(level)


def test_what_plays_is_the_shown_step(page):
    truth = [band_share(samples_of(page, step), RATE, 4000, 8000) for step in (0, 49)]
    assert truth[0] > 3 * truth[1]
    page.locator(".its-play").click()
    for _ in range(3):  # a busy machine skips blocks: they click, and a click has all frequencies
        noise, bell = (hiss_of(page, step) for step in (0, 49))
        if noise > 2 * bell:
            break
    assert noise > 2 * bell


def hiss_of(page, step):
    """The part of the energy between 4 and 8 kHz of what plays while a step is shown."""
    page.evaluate(f"{SCRUBBER}.show({step})")
    page.wait_for_timeout(300)
    y, rate = heard(page, 900)
    return band_share(y, rate, 4000, 8000)


def test_a_click_on_the_picture_seeks(page):
    box = page.locator(".its-frame").bounding_box()
    page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 20)
    assert page.evaluate(f"{SCRUBBER}.player.position()") == pytest.approx(0.75 * 5.12, abs=0.02)
    assert float(page.locator(".its-frame").get_attribute("aria-valuenow")) == pytest.approx(3.8)


def test_hovering_reads_seconds_and_hertz(page):
    box = page.locator(".its-frame").bounding_box()
    row = 40
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + (row + 0.5) / 128 * box["height"])
    text = page.locator(".its-chipnote").inner_text()
    assert text.startswith("2.56 s")
    kilohertz = float(text.split("·")[1].split()[0])
    assert kilohertz == pytest.approx(row_frequencies()[row] / 1000, rel=0.02)


def test_a_region_plays_only_its_band_and_time(page):
    page.evaluate(f"{SCRUBBER}.show(10)")
    box = page.locator(".its-frame").bounding_box()
    at = lambda x, y: (box["x"] + x * box["width"], box["y"] + y * box["height"])  # noqa: E731
    page.mouse.move(*at(0.2, 0.3))
    page.mouse.down()
    page.mouse.move(*at(0.4, 0.6), steps=6)
    page.mouse.up()
    region = page.evaluate(f"{SCRUBBER}.player.region")
    assert region["from"] == pytest.approx(0.2 * 5.12, abs=0.02)
    assert region["to"] == pytest.approx(0.4 * 5.12, abs=0.02)
    rows = row_frequencies()
    assert region["high"] == pytest.approx(rows[38], rel=0.05)
    assert region["low"] == pytest.approx(rows[76], rel=0.05)
    page.wait_for_timeout(300)
    y, rate = heard(page, 1200)
    whole = band_share(samples_of(page, 10), RATE, region["low"] * 0.9, region["high"] * 1.1)
    assert whole < 0.8
    assert band_share(y, rate, region["low"] * 0.9, region["high"] * 1.1) > 0.99
    position = page.evaluate(f"{SCRUBBER}.player.position()")
    assert region["from"] <= position <= region["to"]
    page.keyboard.press("Escape")
    assert page.evaluate(f"{SCRUBBER}.player.region") is None
    y, rate = heard(page, 900)
    assert band_share(y, rate, region["low"] * 0.9, region["high"] * 1.1) < 0.9


def test_tracks_show_something_else_at_the_same_step(page):
    page.evaluate(f"{SCRUBBER}.show(30)")
    seen = {}
    for k in range(4):
        page.locator(".its-tracks button").nth(k).click()
        seen[k] = pixels(page)
        assert page.locator(".its-tracks button").nth(k).get_attribute("aria-pressed") == "true"
    assert all(seen[0] != seen[k] for k in (1, 2, 3))
    assert page.evaluate(f"{SCRUBBER}.state.step") == 30
    assert "nearest" in page.locator(".its-note").inner_text()


def test_the_keyboard_reaches_everything(page):
    page.locator(".its-step").focus()
    step = f"{SCRUBBER}.state.step"
    for key, expected in (("Home", 0), ("ArrowRight", 1), ("ArrowLeft", 0), ("End", 49)):
        page.keyboard.press(key)
        assert page.evaluate(step) == expected
    page.keyboard.press("2")
    assert page.evaluate(f"{SCRUBBER}.state.track") == "noisy"
    page.keyboard.press(" ")
    assert page.evaluate(f"{SCRUBBER}.player.playing") is True
    page.keyboard.press(" ")
    assert page.evaluate(f"{SCRUBBER}.player.playing") is False
    page.locator(".its-frame").focus()
    before = page.evaluate(f"{SCRUBBER}.player.position()")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(f"{SCRUBBER}.player.position()") == pytest.approx(before + 0.1, abs=0.01)
    page.keyboard.press("Shift+ArrowRight")
    assert page.evaluate(f"{SCRUBBER}.player.region") is not None


def test_it_begins_with_noise_and_the_drag_ends_in_the_result(fresh):
    trajectory = run(50)
    assert fresh.evaluate(f"{SCRUBBER}.state.track") == "noisy"
    assert fresh.locator(".its-where").inner_text().startswith("step 0 of 0–49")
    for step, end in ((0, 0), (49, 1)):
        drag_slider(fresh, 0, end, 10)
        truth = trajectory.pair.image.decode(trajectory.steps[step].latent)[0].mean(0) * 255
        assert np.abs(np.array(pixels(fresh)) - truth.numpy().ravel()).mean() < 6
    assert fresh.locator(".its-where").inner_text().endswith("t = 0")
    seen = np.asarray(trajectory.picture().image, dtype=float).ravel()
    assert np.abs(np.array(pixels(fresh)) - seen).mean() < 6


def test_keys_work_before_anything_is_clicked(open_page, file):
    page = open_page(file, viewport={"width": 1100, "height": 500})
    step = f"{SCRUBBER}.state.step"
    for key, expected in (("ArrowRight", 1), ("End", 49), ("ArrowLeft", 48), ("Home", 0)):
        page.keyboard.press(key)
        assert page.evaluate(step) == expected
    page.keyboard.press("1")
    assert page.evaluate(f"{SCRUBBER}.state.track") == "clean"
    page.keyboard.press(" ")
    assert page.evaluate(f"{SCRUBBER}.player.playing") is True
    page.keyboard.press("PageDown")  # a page still scrolls
    page.wait_for_function("window.scrollY > 0")
    assert page.evaluate(step) == 0


def test_keys_are_left_to_what_needs_them(page):
    page.locator(".its-volume input").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    assert page.evaluate(f"{SCRUBBER}.player.volume") == 1
    assert page.evaluate(f"{SCRUBBER}.state.step") == 49
    page.evaluate(
        "document.body.append(document.createElement('textarea')); "
        "document.querySelector('textarea').focus()"
    )
    page.keyboard.type("12 l")
    assert page.evaluate("document.querySelector('textarea').value") == "12 l"
    page.keyboard.press("Home")
    assert page.evaluate(f"{SCRUBBER}.state.step") == 49
    assert page.evaluate(f"{SCRUBBER}.state.track") == "clean"
    page.locator(".its-footer summary").first.focus()
    page.keyboard.press(" ")
    assert page.locator(".its-footer dl").is_visible()
    assert page.evaluate(f"{SCRUBBER}.player.playing") is False


@pytest.mark.parametrize("width", [390, 1100])
def test_the_page_explains_itself(open_page, file, width):
    page = open_page(file, viewport={"width": width, "height": 900})
    assert "score of its own sound" in page.locator(".its-score").inner_text()
    assert "Drag this slider" in page.locator(".its-hint").inner_text()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("getComputedStyle(document.querySelector('.its-hint')).opacity === '0'")
    link = page.locator(".its-from a")
    assert (link.inner_text(), link.get_attribute("href")) == (
        "itskit",
        "https://github.com/itskit/itskit",
    )
    frame = page.locator(".its-frame").bounding_box()
    for tick, unit in ((".its-hertz span", "Hz"), (".its-seconds span", " s")):
        ticks = page.locator(tick)
        assert ticks.count() >= 4
        assert all(text.endswith(unit) for text in ticks.all_inner_texts())
        for box in (ticks.nth(k).bounding_box() for k in range(ticks.count())):
            assert box["x"] >= 0 and box["x"] + box["width"] <= width
            assert frame["y"] - 10 < box["y"] < frame["y"] + frame["height"] + 22
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.its-hertz')).visibility")
        == "visible"
    )
    middle = page.locator(".its-hertz span", has_text="1 kHz").bounding_box()
    row = (middle["y"] + middle["height"] / 2 - frame["y"]) / frame["height"] * 128
    assert row_frequencies()[int(row) + 2] < 1000 < row_frequencies()[int(row) - 2]
    assert not page.locator(".its-chart").is_visible()  # behind a fold, with a legend in words
    page.locator(".its-curves summary").click()
    assert page.locator(".its-chart").is_visible()
    said = page.locator(".its-chip").all_inner_texts()
    assert any("1 when both models want the same" in text for text in said)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_pair_that_does_not_know_its_hertz_shows_none(open_page, tmp_path):
    trajectory = run(3)
    sound = replace(trajectory.pair.sound, axis=None)
    foreign = replace(trajectory, pair=replace(trajectory.pair, sound=sound))
    page = open_page(export.page(foreign, tmp_path, keyframes=1))
    assert page.locator(".its-hertz span").count() == 0
    box = page.locator(".its-frame").bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 20)
    assert page.locator(".its-chipnote").inner_text() == "2.56 s"
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 40, steps=4)
    page.mouse.up()
    region = page.evaluate(f"{SCRUBBER}.player.region")
    assert (region["low"], region["high"]) == (0, RATE / 2)  # all of it, for that time
    assert page.locator(".its-caption").inner_text() == "2.56–3.84 s"


def test_picture_and_sound_of_a_step_can_be_saved(page, tmp_path):
    page.evaluate(f"{SCRUBBER}.show(30)")
    page.wait_for_timeout(200)
    truth = run(50)
    for kind, name in (("picture", "a.png"), ("sound", "a.wav")):
        with page.expect_download() as download:
            page.locator(f"[data-save={kind}]").click()
        start = f"{stem_of(truth)}-step-30-clean."
        assert start.startswith("a-castle-with-towers--church-bells-ringing--seed7-")
        assert download.value.suggested_filename == start + name[2:]
        download.value.save_as(tmp_path / name)
    seen = np.asarray(Image.open(tmp_path / "a.png").convert("L"), dtype=float)
    assert np.abs(seen - np.asarray(truth.picture(30).image)).mean() < 6
    samples, rate = soundfile.read(tmp_path / "a.wav")
    assert rate == RATE
    assert np.corrcoef(samples, truth.sound(30).samples)[0, 1] > 0.95


def test_a_step_is_called_what_python_calls_it(page):
    for step in (0, 30, 49):
        page.evaluate(f"{SCRUBBER}.show({step})")
        told = page.locator(".its-where").inner_text()
        assert told.startswith(f"step {step} of 0–49")


def test_every_control_has_a_name(page):
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, input, [role=slider]')].filter((e) =>
        !(e.getAttribute('aria-label') || e.textContent.trim())).map((e) => e.outerHTML)"""
    )
    assert nameless == []
    assert (
        page.locator(".its-step").get_attribute("aria-valuetext").startswith("Step 49 of 0 to 49")
    )


def test_a_finger_can_move_the_slider(open_page, file):
    page = open_page(file, viewport={"width": 390, "height": 800}, has_touch=True)
    page.locator(".its-curves summary").tap()
    chart = page.locator(".its-chart").bounding_box()
    page.touchscreen.tap(chart["x"] + 0.5 * chart["width"], chart["y"] + 30)
    assert page.evaluate(f"{SCRUBBER}.state.step") in (24, 25)
    page.locator(".its-play").tap()
    assert page.evaluate(f"{SCRUBBER}.player.playing") is True
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390


def test_dark_theme_and_reduced_motion(open_page, file):
    page = open_page(file, color_scheme="dark", reduced_motion="reduce")
    style = "getComputedStyle(document.querySelector('{}')).{}"
    assert page.evaluate(style.format(".its-scrubber", "backgroundColor")) == "rgb(25, 27, 32)"
    assert page.evaluate(style.format(".its-play", "transitionProperty")) in ("none", "all")
    assert page.evaluate(style.format(".its-play", "transitionDuration")) in ("0s", "")
    page.locator(".its-play").click()
    moves = page.evaluate(
        """() => new Promise((done) => { let count = 0;
        const playhead = document.querySelector('.its-playhead');
        new MutationObserver(() => count++).observe(playhead, {attributes: true});
        setTimeout(() => done(count), 1000) })"""
    )
    assert 2 <= moves <= 6


@pytest.mark.parametrize("prompt", [NASTY, "</title><img src=x onerror=alert(1)>", "{0} {style}"])
def test_prompts_are_text(open_page, tmp_path, prompt):
    path = export.page(run(4, image_prompt=prompt, sound_prompt=prompt), tmp_path, keyframes=1)
    assert path.parent == tmp_path
    assert len(path.name) < 120
    page = open_page(path)
    shown = page.locator(".its-prompt").all_text_contents()
    assert shown == [prompt, prompt]
    assert prompt in page.title()
    page.locator("summary").first.click()
    assert prompt in page.locator(".its-footer dl").text_content()
    assert page.evaluate("document.querySelectorAll('img, #scrubber script').length") == 0
    for k, said in enumerate(again.lines(run(4).pair, export.read_recipe(path)).values()):
        assert page.locator(".its-again code").nth(k).text_content() == said


def test_the_lines_that_make_it_again_are_copied_or_marked(page):
    page.locator("summary", has_text="Make it again").click()
    said = again.lines(run(50).pair, run(50).recipe)
    page.evaluate(
        "Object.defineProperty(navigator, 'clipboard', {value: "
        "{writeText: async (text) => { if (window.refuse) throw 0; window.copied = text }}})"
    )
    for k, name in enumerate(("python", "shell")):
        button = page.locator(".its-copy").nth(k)
        button.click()
        page.wait_for_function(
            f"document.querySelectorAll('.its-copy')[{k}].innerText === 'Copied'"
        )
        assert page.evaluate("window.copied") == said[name]
    page.evaluate("window.refuse = true")
    page.locator(".its-copy").nth(1).click()
    page.wait_for_function("document.querySelectorAll('.its-copy')[1].innerText === 'Marked'")
    assert page.evaluate("String(getSelection())").strip() == said["shell"]
