"""Widgets without a browser: what they hold, send and call."""

import json
import os
import re
import subprocess
import sys
import time
from base64 import b64decode
from dataclasses import replace
from html import unescape
from io import BytesIO
from pathlib import Path
from unittest import mock

import ipywidgets
import jupyter_client
import nbclient
import nbformat
import numpy as np
import pytest
import soundfile
import torch
from a_run import NASTY, castle, composing_pair, fake_pair, run
from PIL import Image

import itskit
from itskit import widgets
from itskit.composition import Run
from itskit.media import Sound
from itskit.recomposition import branch
from itskit.spectrogram import integrated_loudness

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def trajectory():
    return run(12)


def wait_for(condition, seconds=20):
    end = time.time() + seconds
    while not condition() and time.time() < end:
        time.sleep(0.05)
    assert condition()


# ---- Scrubber ------------------------------------------------------------------------------------


def test_scrubber_appears_with_a_few_steps_and_keeps_them_in_the_notebook(trajectory):
    scrubber = widgets.Scrubber(trajectory, kept=4)
    few = [("clean", 11), *(("noisy", step) for step in (0, 4, 7, 11))]
    assert sorted((frame["track"], frame["step"]) for frame in scrubber.first) == few
    page = unescape(re.search(r'srcdoc="([^"]*)"', scrubber._kept_html())[1])
    held = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])
    assert sorted((frame["track"], frame["step"]) for frame in held["frames"]) == few


@pytest.mark.parametrize(
    ("start", "track", "step"), [("noise", "noisy", 0), ("result", "clean", 11)]
)
def test_scrubber_begins_with_the_noise_or_the_result(trajectory, start, track, step):
    scrubber = widgets.Scrubber(trajectory, kept=2, start=start)
    assert (scrubber.facts["start"], scrubber.step) == ({"track": track, "step": step}, step)
    assert (track, step) in [(frame["track"], frame["step"]) for frame in scrubber.first]
    with pytest.raises(ValueError, match="start='end': expected one of 'noise', 'result'"):
        widgets.Scrubber(trajectory, start="end")


def test_scrubber_sends_the_rest_when_asked_and_each_step_once(trajectory, monkeypatch):
    scrubber = widgets.Scrubber(trajectory, kept=3)
    sent = []
    monkeypatch.setattr(scrubber, "send", lambda message, buffers: sent.append((message, buffers)))
    monkeypatch.setattr(type(scrubber), "comm", object())
    scrubber._answer(scrubber, {"type": "ask", "track": "noisy"}, [])
    wait_for(lambda: len(sent) == 9)
    steps = [message["step"] for message, _ in sent]
    assert sorted(steps) == sorted(set(range(12)) - {0, 6, 11})
    picture, sound = sent[0][1]
    assert picture[:4] == b"RIFF"
    assert len(sound) > 1000
    scrubber._answer(scrubber, {"type": "ask", "track": "guide-0"}, [])
    wait_for(lambda: len(sent) == 9 + 7)  # silent in the first five
    scrubber._answer(scrubber, {"type": "ask", "track": "no such track"}, [])
    scrubber._answer(scrubber, {"type": "something else"}, [])
    assert len(sent) == 16


def test_scrubber_page_holds_all_steps(trajectory):
    page = widgets.Scrubber(trajectory, kept=2).page()
    held = json.loads(re.search(r'id="data">(.*?)</script>', page.html)[1])
    for track in ("noisy", "clean"):
        steps = [frame["step"] for frame in held["frames"] if frame["track"] == track]
        assert sorted(steps) == list(range(12))
    assert page._repr_html_().startswith("<iframe srcdoc=")


# ---- what stays of them in a saved notebook ------------------------------------------------------


def show_in_cells(*sources):
    """The outputs of code cells, run in a kernel of their own, as a saved notebook has them."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    with mock.patch.dict(os.environ, PYTHONPATH=paths):
        nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    return nbformat.from_dict(notebook)


def sound_in(html):
    """The first sound in some HTML: its samples and its rate."""
    data = re.search(r'<audio controls src="data:audio/[a-z]+;base64,([^"]*)"', html)[1]
    return soundfile.read(BytesIO(b64decode(data)))


def picture_in(html):
    """The first picture in some HTML, as an array of greys (H, W)."""
    data = re.search(r'<img src="data:image/webp;base64,([^"]*)"', html)[1]
    with Image.open(BytesIO(b64decode(data))) as image:
        return np.asarray(image.convert("L"), float)


@pytest.fixture(scope="module")
def saved():
    """A notebook with every widget, and what happened to them later."""
    return show_in_cells(
        "from a_run import composing_pair, run\nfrom itskit import widgets\nimport numpy as np",
        "scrubber = widgets.Scrubber(run(12), kept=3)\nscrubber",
        "composer = widgets.Composer(composing_pair())\n"
        "composer.controls['num_inference_steps'].value = 4\ncomposer",
        "live = widgets.Live(composing_pair(), 'a <b> castle', 'bells')\nlive",
        "curve = widgets.WeightCurve()\ncurve",
        "paint = widgets.WeightMap(run(6).picture(), start=0)\npaint",
        "composer.run()\ncurve.values = [0.0, 1.0]\npaint.pixels = bytes([255] * 32 * 128)",
    )


@pytest.mark.parametrize("cell", range(1, 6))
def test_a_saved_widget_is_a_view_and_then_html_that_needs_no_kernel(saved, cell):
    view, kept = saved.cells[cell].outputs
    assert VIEW in view.data
    assert "text/html" not in view.data
    assert view.data["text/plain"] == ""  # nothing, where widgets are unknown
    assert VIEW not in kept.data
    assert len(kept.data["text/html"]) < (600e3 if cell == 1 else 150e3)
    assert view.data[VIEW]["model_id"] in kept.data["text/html"]  # so that the view can hide it


def test_widget_state_is_absent_or_whole(saved):
    """GitHub shows nothing at all of a notebook whose metadata.widgets lacks "state"."""
    assert all("state" in kind for kind in saved.metadata.get("widgets", {}).values())


@pytest.mark.parametrize("cell", [1, 2, 3])
def test_what_stays_is_seen_and_heard(saved, cell):
    html = saved.cells[cell].outputs[1].data["text/html"]
    truth = fake_pair().image.render(castle()[0]).image.resize((64, 16)).resize((512, 128))
    assert np.corrcoef(picture_in(html).ravel(), np.asarray(truth, float).ravel())[0, 1] > 0.9
    samples, rate = sound_in(html)
    assert len(samples) / rate == pytest.approx(5.12, abs=0.2)
    assert integrated_loudness(samples, rate) == pytest.approx(-20, abs=1.5)
    assert "<b>" not in html


def test_what_stays_of_a_curve_and_a_map_is_how_they_ended(saved):
    curve, paint = (saved.cells[cell].outputs[1].data["text/html"] for cell in (4, 5))
    svg = b64decode(re.search(r"data:image/svg\+xml;base64,([^\"]*)", curve)[1]).decode()
    assert 'points="0,100 1,0"' in svg
    plain = np.asarray(run(6).picture().image, float)
    assert picture_in(paint).mean() > plain.mean() + 30  # amber all over it


# ---- weights -------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [10, 30, 50, 100])
def test_the_warm_start_is_the_papers(count):
    curve = widgets.WeightCurve("warm start")
    weights = [curve(i, count) for i in range(count)]
    assert weights == [0.0] * (count // 10) + [0.5] * (count - count // 10)
    assert [curve.rest(i, count) + curve(i, count) for i in range(count)] == [1.0] * count


def test_curve_takes_values_and_refuses_others():
    assert [widgets.WeightCurve([0, 0.5, 1])(i, 6) for i in range(6)] == [0, 0, 0.5, 0.5, 1, 1]
    with pytest.raises(ValueError, match="'warm start', 'constant', 'alternate'"):
        widgets.WeightCurve("cold start")
    with pytest.raises(Exception, match="values"):
        widgets.WeightCurve([2.0])


@pytest.mark.parametrize("count", [1, 2, 4, 5, 7, 8, 10, 20, 30, 50, 100])
def test_alternate_takes_turns_at_every_step(count):
    curve = widgets.WeightCurve("alternate")
    assert [curve(i, count) for i in range(count)] == [float(i % 2) for i in range(count)]
    assert [curve.rest(i, count) for i in range(count)] == [1.0 - i % 2 for i in range(count)]


@pytest.mark.parametrize("count", [4, 8, 10, 20, 30])
def test_alternating_models_speak_in_turn(count):
    curve = widgets.WeightCurve()
    curve.values = curve.presets["alternate"]  # what its button does
    pair = replace(composing_pair(), defaults={"image_start": 0.0})
    weights = {"image_weight": curve, "sound_weight": curve.rest}
    got = itskit.compose(pair, "a", "b", num_inference_steps=count, progress=False, **weights)
    turns = [(1.0, 0.0) if i % 2 else (0.0, 1.0) for i in range(count)]
    assert [step.weights for step in got.steps] == turns
    silent = [tuple(noise is None for noise in step.noises) for step in got.steps]
    assert silent == [(not i % 2, bool(i % 2)) for i in range(count)]


def test_a_preset_that_was_drawn_on_is_a_drawing():
    curve = widgets.WeightCurve("alternate")
    curve.values = [0.3, *curve.values[1:]]
    assert curve(0, 4) == 0.3


def test_map_is_what_was_painted():
    painted = widgets.WeightMap(start=np.tile([0.0, 1.0], (2, 2)), rows=2, columns=4)
    np.testing.assert_array_equal(painted.map, [[0, 1, 0, 1], [0, 1, 0, 1]])
    painted.pixels = bytes([0, 51, 102, 153, 204, 255, 0, 255])
    np.testing.assert_allclose(painted.map[0], [0, 0.2, 0.4, 0.6], atol=1e-6)
    np.testing.assert_allclose(painted.map + painted.rest, 1)
    with pytest.raises(ValueError, match="from 0"):
        widgets.WeightMap(start=2)


@pytest.mark.parametrize("small", [[[1, 0]], np.array([[1.0, 0.0]]), torch.tensor([[1.0, 0.0]])])
def test_map_begins_with_a_small_map_stretched_over_the_canvas(small):
    halves = np.zeros((32, 128))
    halves[:, :64] = 1
    np.testing.assert_array_equal(widgets.WeightMap(start=small).map, halves)
    tall = widgets.WeightMap(start=[[0.0], [0.2], [0.4], [1.0]], rows=4, columns=3)
    np.testing.assert_allclose(tall.map, np.tile([[0], [0.2], [0.4], [1]], 3), atol=1e-6)
    for wrong in ([0.0, 1.0], [[-1.0]], [[np.nan]]):
        with pytest.raises(ValueError, match=r"expected a number or a map \(H, W\)"):
            widgets.WeightMap(start=wrong)


def test_a_mask_begins_as_its_grey_levels():
    mask = Image.fromarray(np.array([[0, 51, 255]], np.uint8))
    painted = widgets.WeightMap(start=mask, rows=1, columns=3)
    np.testing.assert_allclose(painted.map, [[0, 0.2, 1]], atol=1e-6)
    with pytest.raises(ValueError, match="divide by 255"):
        widgets.WeightMap(start=np.asarray(mask))


def test_a_painted_map_goes_with_a_warm_start():
    """Where the map is all picture, the sound has the floor until the picture joins."""
    painted = widgets.WeightMap(start=[[1, 0]])
    weights = {"image_weight": painted.map, "sound_weight": painted.rest}
    steps = {"num_inference_steps": 4, "image_start": 0.5, "progress": False}
    got = itskit.compose(composing_pair(), "a", "b", **weights, **steps)
    assert [step.weights for step in got.steps] == [(0.0, 1.0)] * 2 + [(0.5, 0.5)] * 2


def test_map_lies_on_a_picture(trajectory):
    ground = bytes(widgets.WeightMap(trajectory.picture()).ground)
    with Image.open(BytesIO(ground)) as image:
        assert image.size == (512, 128)
    transparent = Image.new("LA", (8, 4), (0, 0))
    with Image.open(BytesIO(bytes(widgets.WeightMap(transparent).ground))) as image:
        assert image.getpixel((0, 0)) == (255, 255, 255)
    with pytest.raises(FileNotFoundError, match=r"nothing\.png"):
        widgets.WeightMap("nothing.png")


# ---- Composer ------------------------------------------------------------------------------------


def recorded(calls, count=6, pause=0.0):
    """A `composing` that plays a recorded run, step by step."""

    def composing(pair, image_prompt, sound_prompt, **settings):
        calls.append({"image_prompt": image_prompt, "sound_prompt": sound_prompt, **settings})
        full = run(count, image_prompt, sound_prompt)
        paused = (time.sleep(pause) or step for step in full.steps)
        return Run(paused, count, full.recipe, pair)

    return composing


def composer(calls, **options):
    composing = recorded(calls, **options)
    return widgets.Composer(
        fake_pair(), composing=composing, show=lambda result: ipywidgets.Label(str(len(result)))
    )


def test_composer_hands_its_controls_to_compose():
    calls = []
    mine = composer(calls)
    mine.controls["seed"].value = 42
    mine.controls["image_scale"].value = 9.5
    mine.controls["image_weight"].value = 0.3
    mine.controls["sound_prompt"].value = "  rain  "
    mine.controls["sound_negative"].value = " thunder "
    mine.controls["rule"].value = "alternate"
    result = mine.run()
    assert len(result) == 6
    assert (calls[0]["image_negative"], calls[0]["sound_negative"]) == ("", "thunder")
    assert calls[0]["rule"] == "alternate"
    assert calls[0]["seed"] == 42
    assert calls[0]["image_scale"] == 9.5
    assert calls[0]["sound_prompt"] == "rain"
    assert (calls[0]["image_weight"], calls[0]["sound_weight"]) == (0.3, 0.7)
    assert mine.result is result
    assert mine.stage.children[0].value == "6"


def test_composer_takes_the_curve_or_the_map_as_weight():
    calls = []
    mine = composer(calls)
    mine.controls["weight"].value = "curve"
    mine.run()
    assert calls[0]["image_weight"] is mine.curve
    mine.controls["weight"].value = "map"
    mine.run()
    assert calls[1]["image_weight"].shape == (32, 128)
    np.testing.assert_allclose(calls[1]["image_weight"] + calls[1]["sound_weight"], 1)


def test_composer_previews_every_step():
    mine = composer([])
    seen = []
    mine.preview.observe(lambda change: seen.append(change["new"]), "value")
    mine.run()
    assert len({bytes(png) for png in seen}) == 6
    assert mine.progress.value == 6
    assert mine.preview.layout.display == "none"


def test_stop_keeps_what_it_has():
    mine = composer([], count=40, pause=0.05)
    mine.start()
    wait_for(lambda: mine.progress.value >= 3)
    assert mine.button.disabled
    mine.stop()
    mine._thread.join(10)
    assert 3 <= len(mine.result) < 40
    assert f"stopped after {len(mine.result)} steps" in mine.status.value
    assert not mine.button.disabled


def test_history_brings_a_result_and_its_settings_back():
    mine = composer([])
    first = mine.run()
    mine.controls["image_prompt"].value = "a tiger"
    mine.controls["rule"].value = "and"
    second = mine.run()
    assert mine.history == [first, second]
    mine.past.children[0].click()
    assert mine.result is first
    assert mine.controls["image_prompt"].value == "a palm tree"
    assert mine.controls["rule"].value == "mean"


def weights_of(mine):
    return mine.controls["weight"].value, mine.curve.values, bytes(mine.map.pixels)


def test_what_is_touched_last_is_the_weight():
    mine = composer([])
    for touch, choice in (
        (lambda: setattr(mine.curve, "values", [0.1, 0.9]), "curve"),
        (lambda: setattr(mine.map, "pixels", bytes(32 * 128)), "map"),
        (lambda: setattr(mine.controls["image_weight"], "value", 0.2), "number"),
    ):
        touch()
        assert mine.controls["weight"].value == choice


def test_a_composer_tells_of_every_result_when_all_else_is_in_place():
    mine, told = composer([]), []

    def hear(change):
        buttons = [button.button_style for button in mine.past.children]
        told.append((change["new"], mine.controls["seed"].value, buttons))

    mine.observe(hear, "result")
    first, second = mine.run(), mine.run()
    mine.controls["seed"].value = 3
    mine.past.children[0].click()
    assert told == [(first, 7, ["info"]), (second, 7, ["", "info"]), (first, 7, ["info", ""])]


def test_history_brings_mode_curve_and_map_back():
    mine, seen = composer([]), []
    for touch in (
        lambda: None,
        lambda: setattr(mine.curve, "values", [0.1, 0.9]),
        lambda: setattr(mine.map, "pixels", bytes(range(256)) * 16),
        lambda: setattr(mine.controls["image_weight"], "value", 0.2),
    ):
        touch()
        mine.run()
        seen.append(weights_of(mine))
    assert [mode for mode, *_ in seen] == ["number", "curve", "map", "number"]
    for k in (1, 3, 0, 2):
        mine.past.children[k].click()
        assert weights_of(mine) == seen[k]
        assert [button.button_style == "info" for button in mine.past.children] == [
            k == other for other in range(4)
        ]


@pytest.mark.parametrize("choice", ["number", "curve", "map"])
def test_recall_of_a_result_from_elsewhere_reads_its_recipe(choice):
    weights = {
        "number": (0.3, 0.7),
        "curve": (lambda i, n: i / n, lambda i, n: 1 - i / n),
        "map": (np.tile([0.25, 0.75], (16, 32)), np.tile([0.75, 0.25], (16, 32))),
    }[choice]
    pair = composing_pair()
    settings = {"num_inference_steps": 4, "progress": False, "image_start": 0.0}
    image, sound = weights
    other = itskit.compose(pair, "a", "b", image_weight=image, sound_weight=sound, **settings)
    mine = widgets.Composer(pair, show=lambda result: ipywidgets.Label("shown"))
    mine.recall(other)
    again = mine.run()
    assert mine.controls["weight"].value == choice
    assert [step.weights for step in again.steps] == [
        pytest.approx(step.weights, abs=0.01) for step in other.steps
    ]


def test_history_labels_tell_results_apart():
    mine = composer([])
    words = "a very long description of a palm tree on an island at noon"
    mine.controls["image_prompt"].value = words
    for name, value in (("seed", 0), ("seed", 7), ("image_scale", 9.5), ("image_negative", "fog")):
        mine.controls[name].value = value
        mine.run()
    mine.curve.values = [0.0, 1.0]
    mine.run()
    mine.curve.values = [1.0, 0.0]
    mine.run()
    labels = [button.description for button in mine.past.children]
    without_number = [label.split(" · ", 1)[1] for label in labels]
    assert all("seed 7" in label and words[:30] in label for label in labels)
    assert "weight curve" in labels[4]
    assert "another curve" in labels[5]
    assert len(set(without_number)) >= 3
    assert all(words in button.tooltip for button in mine.past.children)


def test_going_on_from_a_step_is_a_branch_by_what_the_controls_say():
    mine = widgets.Composer(composing_pair(), "a castle", "bells")
    mine.controls["num_inference_steps"].value = 6
    first = mine.run()
    assert mine.stage.children[0].goes_on
    mine.controls["num_inference_steps"].value = 40  # a run keeps its own length
    new = {"image_prompt": "a tiger", "sound_negative": "rain", "image_weight": 0.8, "seed": 9}
    for name, value in (new | {"rule": "or"}).items():
        mine.controls[name].value = value
    mine.stage.children[0]._answer(None, {"type": "go on", "step": 4}, [])
    mine._thread.join(60)
    same = branch(
        first, 4, **(new | {"rule": "or", "sound_weight": 1 - 0.8}), progress=False
    )  # fmt: skip
    assert mine.result is not first and mine.history[0] is first
    assert torch.equal(mine.result.latent, same.latent)
    assert not torch.equal(mine.result.steps[5].noisy, first.steps[5].noisy)
    assert mine.result.recipe == same.recipe and mine.result.steps[:4] == first.steps[:4]
    assert mine.result.recipe["branch"]["step"] == 4
    assert " · from step 4" in mine.past.children[1].description
    assert mine.controls["image_prompt"].value == "a tiger"  # as the new run's
    assert mine.controls["num_inference_steps"].value == 6


def test_going_on_from_what_is_not_there_is_told():
    mine = composer([])
    assert mine.run(3) is None and "expected a result to go on from" in mine.status.value
    mine.run()
    assert mine.run(0) is None and "step=0: expected one from 1 to 5" in mine.status.value
    assert not mine.button.disabled and len(mine.history) == 1


def test_the_map_lies_over_the_last_result():
    mine = composer([])
    assert not mine.map.ground
    result = mine.run()
    with Image.open(BytesIO(bytes(mine.map.ground))) as ground:
        np.testing.assert_array_equal(np.asarray(ground), np.asarray(result.picture().image))


@pytest.mark.parametrize("number", [0, 0.5, 1])
@pytest.mark.parametrize("choice", ["number", "curve", "map"])
@pytest.mark.parametrize("missing", [None, "image_prompt", "sound_prompt"])
def test_every_weight_composes_whoever_speaks(missing, choice, number):
    mine = widgets.Composer(composing_pair(), show=lambda result: ipywidgets.Label("shown"))
    mine.controls["num_inference_steps"].value = 20
    mine.controls["image_start"].value = 0.1
    mine.curve.values = mine.curve.presets["alternate"] if number == 0.5 else [number] * 50
    mine.map.pixels = bytes([round(255 * number)] * 32 * 128)
    mine.controls["image_weight"].value = number
    mine.controls["weight"].value = choice
    if missing:
        mine.controls[missing].value = " "
    assert mine.run() is not None, mine.status.value
    assert len(mine.result) == 20


def test_composer_counts_steps_to_their_number():
    mine, said = composer([]), []
    mine.controls["num_inference_steps"].value = 6
    mine.status.observe(lambda change: said.append(re.sub("<[^>]*>", "", change["new"])), "value")
    mine.run()
    assert said == ["reading the prompts", *(f"step {k} of 6" for k in range(1, 7)), "done"]


def test_enter_composes():
    mine = composer([])
    for name in ("image_prompt", "sound_negative"):
        mine.controls[name]._handle_custom_msg({"event": "submit"}, [])
        mine._thread.join(20)
    assert len(mine.history) == 2


def test_history_brings_negative_prompts_and_missing_ones_back():
    mine = widgets.Composer(composing_pair(), show=lambda result: ipywidgets.Label("shown"))
    mine.controls["num_inference_steps"].value = 2
    mine.controls["image_negative"].value = "fog"
    mine.controls["image_start"].value = 0.5
    mine.controls["sound_prompt"].value = ""
    alone = mine.run()
    assert (alone.recipe["image_negative"], alone.recipe["sound_prompt"]) == ("fog", None)
    mine.controls["sound_prompt"].value = "bells"
    mine.controls["image_negative"].value = ""
    mine.run()
    mine.past.children[0].click()
    assert mine.controls["image_negative"].value == "fog"
    assert mine.controls["sound_prompt"].value == ""


def test_an_error_leaves_the_last_result_where_it_is():
    fail = []

    def composing(*arguments, **settings):
        if fail:
            raise fail[0]
        return recorded([])(*arguments, **settings)

    shown = {"composing": composing, "show": lambda r: ipywidgets.Label("shown")}
    mine = widgets.Composer(fake_pair(), **shown)
    result = mine.run()
    stage = mine.stage.children
    for error, words in (
        (ValueError("width=3: expected 512"), ">width=3: expected 512<"),
        (RuntimeError("out of memory"), ">That did not work: out of memory (RuntimeError)<"),
        (MemoryError(), ">That did not work: no reason was given (MemoryError)<"),
    ):
        fail[:] = [error]
        assert mine.run() is None
        assert words in mine.status.value
        assert (mine.result, mine.stage.children, mine.history) == (result, stage, [result])
    fail.clear()
    mine.controls["image_prompt"].value = mine.controls["sound_prompt"].value = " "
    assert mine.run() is None
    assert "Write what to see, what to hear, or both." in mine.status.value
    assert mine.stage.children == stage


def test_an_error_is_told_as_text_and_leaves_the_composer_usable():
    def broken(*_, **__):
        raise ValueError("<img src=x onerror=alert(1)>")

    mine = widgets.Composer(fake_pair(), composing=broken)
    assert mine.run() is None
    assert "&lt;img" in mine.status.value
    assert "<img" not in mine.status.value
    assert not mine.button.disabled


def test_prompts_of_any_kind_pass_through_the_composer():
    calls = []
    mine = composer(calls)
    mine.controls["image_prompt"].value = NASTY
    mine.run()
    assert calls[0]["image_prompt"] == NASTY.strip()
    assert len(mine.past.children[0].description) < 80


def test_composer_runs_the_real_compose():
    pair = composing_pair()
    mine = widgets.Composer(pair, show=lambda result: widgets.Scrubber(result, kept=2))
    mine.controls["num_inference_steps"].value = 4
    result = mine.run()
    truth = fake_pair().image.render(castle()[0]).image
    blurred = np.asarray(truth.resize((64, 16)).resize((512, 128)), float)
    assert np.abs(np.asarray(result.picture().image, float) - blurred).mean() < 12
    assert result.recipe["num_inference_steps"] == 4
    assert isinstance(mine.stage.children[0], widgets.Scrubber)


def test_stop_ends_the_real_compose_early():
    mine = widgets.Composer(composing_pair(0.02), show=lambda result: ipywidgets.Label("shown"))
    mine.controls["num_inference_steps"].value = 60
    mine.start()
    wait_for(lambda: mine.progress.value >= 3)
    mine.stop()
    mine._thread.join(20)
    assert 3 <= len(mine.result) < 60
    assert mine.result.recipe["stopped"] == len(mine.result)


# ---- Live ----------------------------------------------------------------------------------------


def shown(mine):
    """A Live after a browser has shown it, and what it does then is done."""
    mine._handle_custom_msg({"type": "shown"}, [])
    wait_for(lambda: mine._thread is None)
    return mine


def live(calls, **options):
    composing = recorded(calls, **options)
    return shown(widgets.Live(fake_pair(), "a church", "rain", composing=composing))


def test_live_plays_at_once_in_half_of_the_steps():
    calls = []
    mine = live(calls)
    assert len(calls) == 1
    assert calls[0]["num_inference_steps"] == 15  # of the thirty that a pair has if it says nothing
    assert mine.result is not None
    with Image.open(BytesIO(mine.picture)) as shown:
        np.testing.assert_array_equal(np.asarray(shown), np.asarray(mine.result.picture().image))
    heard = np.frombuffer(mine.samples, "<i2") / 32767
    truth = mine.result.sound().samples
    assert np.corrcoef(heard, truth)[0, 1] > 0.99
    assert mine.rate == 16000
    assert mine.status.startswith("6 steps in ")


def test_live_tells_of_every_result_with_its_picture():
    mine, told = live([]), []
    mine.observe(lambda change: told.append((change["new"], bytes(mine.picture))), "result")
    for seed in (1, 2):
        mine.seed = seed
        wait_for(lambda: mine._thread is None)
    assert [result for result, _ in told][-1] is mine.result
    assert len({id(result) for result, _ in told}) == len(told) == 2
    for result, picture in told:
        with Image.open(BytesIO(picture)) as shown:
            truth = np.asarray(result.picture().image)
            np.testing.assert_array_equal(np.asarray(shown), truth)


def test_live_composes_what_its_controls_say_after_every_change():
    calls = []
    mine = live(calls)
    changes = {"seed": 5, "image_scale": 3.0, "balance": 0.25, "sound_prompt": " a bell "}
    for name, value in changes.items():
        setattr(mine, name, value)
        wait_for(lambda: mine._thread is None)
    assert len(calls) == 5
    assert {**calls[-1], "num_inference_steps": 30} == mine.settings() | {"num_inference_steps": 30}
    assert (calls[-1]["image_weight"], calls[-1]["sound_weight"]) == (0.25, 0.75)
    assert (calls[-1]["sound_prompt"], calls[-1]["image_prompt"]) == ("a bell", "a church")
    mine.image_prompt = " "
    assert mine.settings()["image_prompt"] is None  # the sound alone


def test_live_drops_what_is_outdated_and_ends_with_the_last_change():
    calls = []
    mine = live(calls, count=20, pause=0.02)
    for seed in range(1, 30):
        mine.seed = seed
        time.sleep(0.01)
    wait_for(lambda: mine._thread is None)
    assert calls[-1]["seed"] == 29
    assert len(calls) < 25
    assert len(mine.result) == 20  # nothing that was stopped is shown


def test_live_composes_nothing_before_it_is_shown():
    calls = []
    mine = widgets.Live(fake_pair(), composing=recorded(calls))
    mine.seed = 5
    time.sleep(0.3)
    assert (calls, mine._thread, mine.result) == ([], None, None)
    shown(mine)
    shown(mine)  # in a second view
    assert [call["seed"] for call in calls] == [5]


@pytest.mark.parametrize("gain", [0.05, 1, 40])
def test_live_sends_quiet_and_loud_pairs_at_the_toolkits_loudness(gain):
    pair = composing_pair()
    render = pair.sound.render

    def other(picture):
        sound = render(picture)
        return Sound(gain * sound.samples, sound.rate)

    pair = replace(pair, sound=replace(pair.sound, render=other))
    mine = shown(widgets.Live(pair))
    heard = np.frombuffer(mine.samples, "<i2") / 32767
    assert integrated_loudness(heard, mine.rate) == pytest.approx(-20, abs=0.5)
    assert np.abs(heard).max() <= 10 ** (-1 / 20) + 1e-4


def test_live_tells_an_error_and_goes_on():
    def composing(pair, image_prompt, sound_prompt, **settings):
        if image_prompt is None:
            raise ValueError("expected words")
        return Run(iter(run(6).steps), 6, {}, pair)

    mine = shown(widgets.Live(fake_pair(), composing=composing))
    before = mine.result
    mine.image_prompt = ""
    wait_for(lambda: mine._thread is None)
    assert mine.status == "expected words"
    mine.sound_prompt = " "
    wait_for(lambda: mine._thread is None)
    assert mine.status == "Write what to see, what to hear, or both."
    assert mine.result is before
    mine.image_prompt = "a tree"
    wait_for(lambda: mine._thread is None)
    assert mine.status.startswith("6 steps")


def test_live_runs_the_real_compose():
    mine = shown(widgets.Live(composing_pair()))
    assert mine.result.recipe["num_inference_steps"] == 15
    assert len(mine.samples) == 2 * 81920


# ---- the end of the program ----------------------------------------------------------------------

BUSY = {
    "Scrubber": """
result = itskit.compose(pair, 'a bell', 'rain', num_inference_steps=8, progress=False)
scrubber = widgets.Scrubber(result, kept=2)
scrubber._answer(scrubber, {'type': 'ask', 'track': 'guide-1'}, [])""",
    "Live": "live._handle_custom_msg({'type': 'shown'}, [])",
    "Composer": "composer.start()",
}
BUSY_SCRIPT = """
import time, itskit
from itskit import widgets
pair = itskit.load_pair()
live, composer = (make(pair, 'a bell', 'rain') for make in (widgets.Live, widgets.Composer))
composer.controls['num_inference_steps'].value = 100
{busy}
time.sleep({pause})
"""


@pytest.mark.slow
@pytest.mark.parametrize("pause", [0, 0.5])
@pytest.mark.parametrize("name", BUSY)
def test_a_script_that_ends_in_the_middle_ends_well(name, pause):
    script = BUSY_SCRIPT.format(busy=BUSY[name], pause=pause)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_script_that_ends_before_a_pool_is_full_ends_well():
    # The pool's idle thread ends first at the end of the program; then the pool takes nothing more.
    script = """
from concurrent.futures import ThreadPoolExecutor
from threading import current_thread
from itskit.widgets.background import in_background
pool = ThreadPoolExecutor(1)
idle = pool.submit(current_thread).result()
def work():
    idle.join()
    pool.submit(print, "too late")
in_background(work)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_script_does_not_wait_for_all_steps_of_a_scrubber():
    script = """
import atexit
from a_run import run
from itskit import widgets
scrubber = widgets.Scrubber(run(60), kept=2)
atexit.register(lambda: print(len(scrubber._frames)))
scrubber._answer(scrubber, {'type': 'ask', 'track': 'clean'}, [])
"""
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = os.environ | {"PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, encoding="utf-8", env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) < 20


@pytest.mark.slow
def test_a_kernel_that_shuts_down_in_the_middle_ends_well(tmp_path):
    manager = jupyter_client.KernelManager(kernel_name="python3")
    with open(tmp_path / "log", "wb") as log:
        manager.start_kernel(stdout=log, stderr=log)
    process, client = manager.provisioner.process, manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=120)
        script = BUSY_SCRIPT.format(busy="\n".join(BUSY.values()), pause=0.5)
        reply = client.execute_interactive(script, timeout=300)
        assert reply["content"]["status"] == "ok"
        client.shutdown()
        assert process.wait(60) == 0
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert "terminate" not in (tmp_path / "log").read_text(encoding="utf-8")
