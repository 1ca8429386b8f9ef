"""Widgets without a browser: what they hold, send and call."""

import json
import re
import time
from html import unescape
from io import BytesIO

import ipywidgets
import numpy as np
import pytest
import torch
from a_run import NASTY, castle, composing_pair, fake_pair, run
from PIL import Image

import itskit
from itskit import widgets
from itskit.sampling import Trajectory

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
    assert sorted(frame["step"] for frame in scrubber.first) == [0, 4, 7, 11]
    data, _ = scrubber._repr_mimebundle_()
    assert VIEW in data
    page = unescape(re.search(r'srcdoc="([^"]*)"', data["text/html"])[1])
    held = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])
    assert sorted(frame["step"] for frame in held["frames"]) == [0, 4, 7, 11]


def test_scrubber_sends_the_rest_when_asked_and_each_step_once(trajectory, monkeypatch):
    scrubber = widgets.Scrubber(trajectory, kept=3)
    sent = []
    monkeypatch.setattr(scrubber, "send", lambda message, buffers: sent.append((message, buffers)))
    monkeypatch.setattr(type(scrubber), "comm", object())
    scrubber._answer(scrubber, {"type": "ask", "track": "clean"}, [])
    wait_for(lambda: len(sent) == 9)
    steps = [message["step"] for message, _ in sent]
    assert sorted(steps) == sorted(set(range(12)) - {0, 6, 11})
    assert not set(steps) & {frame["step"] for frame in scrubber.first}
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
    assert sorted(frame["step"] for frame in held["frames"]) == list(range(12))
    assert page._repr_html_().startswith("<iframe srcdoc=")


def test_widgets_7_shows_the_saved_page_too(trajectory):
    from IPython.utils.dir2 import get_real_method

    scrubber = widgets.Scrubber(trajectory, kept=1)
    assert get_real_method(scrubber, "_ipython_display_") is None
    assert get_real_method(scrubber, "_repr_mimebundle_") is not None


# ---- weights -------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [10, 30, 50, 100])
def test_the_warm_start_is_the_papers(count):
    curve = widgets.WeightCurve("warm start")
    weights = [curve(i, count) for i in range(count)]
    assert weights == [0.0] * (count // 10) + [0.5] * (count - count // 10)
    assert [curve.rest(i, count) + curve(i, count) for i in range(count)] == [1.0] * count


def test_curve_takes_values_and_refuses_others():
    assert [widgets.WeightCurve([0, 0.5, 1])(i, 6) for i in range(6)] == [0, 0, 0.5, 0.5, 1, 1]
    assert len(set(widgets.WeightCurve("alternate").values)) == 2
    with pytest.raises(ValueError, match="'warm start', 'constant', 'alternate'"):
        widgets.WeightCurve("cold start")
    with pytest.raises(Exception, match="values"):
        widgets.WeightCurve([2.0])


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


# ---- Composer ------------------------------------------------------------------------------------


def recorded(calls, count=6, pause=0.0):
    """A compose that plays a recorded run, step by step, and stops like the real one."""

    def compose(pair, image_prompt, sound_prompt, *, callback, progress, **settings):
        calls.append({"image_prompt": image_prompt, "sound_prompt": sound_prompt, **settings})
        full, steps = run(count, image_prompt, sound_prompt), []
        try:
            for step in full.steps:
                time.sleep(pause)
                steps.append(step)
                callback(step)
        except KeyboardInterrupt:
            return Trajectory(tuple(steps), full.recipe | {"stopped": len(steps)}, pair)
        return full

    return compose


def composer(calls, **options):
    compose = recorded(calls, **options)
    return widgets.Composer(
        fake_pair(), compose=compose, show=lambda result: ipywidgets.Label(str(len(result)))
    )


def test_composer_hands_its_controls_to_compose():
    calls = []
    mine = composer(calls)
    mine.controls["seed"].value = 42
    mine.controls["image_scale"].value = 9.5
    mine.controls["image_weight"].value = 0.3
    mine.controls["sound_prompt"].value = "  rain  "
    mine.controls["sound_negative"].value = " thunder "
    result = mine.run()
    assert len(result) == 6
    assert (calls[0]["image_negative"], calls[0]["sound_negative"]) == ("", "thunder")
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
    second = mine.run()
    assert mine.history == [first, second]
    mine.past.children[0].click()
    assert mine.result is first
    assert mine.controls["image_prompt"].value == "a palm tree"


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


def test_an_error_is_told_as_text_and_leaves_the_composer_usable():
    def broken(*_, **__):
        raise ValueError("<img src=x onerror=alert(1)>")

    mine = widgets.Composer(fake_pair(), compose=broken)
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


def live(calls, **options):
    mine = widgets.Live(fake_pair(), "a church", "rain", compose=recorded(calls, **options))
    wait_for(lambda: mine._thread is None)
    return mine


def test_live_plays_at_once_in_half_of_the_steps():
    calls = []
    mine = live(calls)
    assert len(calls) == 1
    assert calls[0]["num_inference_steps"] == 15  # of the thirty that a pair has if it says nothing
    assert mine.result is not None
    with Image.open(BytesIO(mine.picture)) as shown:
        np.testing.assert_array_equal(np.asarray(shown), np.asarray(mine.result.picture().image))
    heard = np.frombuffer(mine.samples, "<i2") / 32767
    np.testing.assert_allclose(heard, mine.result.sound().samples, atol=1 / 32767)
    assert mine.rate == 16000
    assert mine.status.startswith("6 steps in ")


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


def test_live_tells_an_error_and_goes_on():
    def compose(pair, image_prompt, sound_prompt, **settings):
        if image_prompt is None:
            raise ValueError("expected words")
        return run(6)

    mine = widgets.Live(fake_pair(), compose=compose)
    wait_for(lambda: mine._thread is None)
    mine.image_prompt = ""
    wait_for(lambda: mine._thread is None)
    assert mine.status == "ValueError: expected words"
    mine.image_prompt = "a tree"
    wait_for(lambda: mine._thread is None)
    assert mine.status.startswith("6 steps")


def test_live_runs_the_real_compose():
    mine = widgets.Live(composing_pair())
    wait_for(lambda: mine._thread is None)
    assert mine.result.recipe["num_inference_steps"] == 15
    assert len(mine.samples) == 2 * 81920
