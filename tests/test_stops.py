"""Whatever composes more than once stops when Ctrl-C stops one: no further step is taken."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from test_gallery import Entry
from toys import pair

from itskit import baselines, metrics
from itskit.composition import compose, composed, composing
from itskit.training.evaluate.examination import Examination
from itskit.training.fit import self_training

FAST = {"num_inference_steps": 3, "progress": False}
SCORERS = {of: metrics.Scorer(of, lambda *_: 0.0) for of in ("image", "sound")}


@pytest.fixture
def press():
    """A callback that presses Ctrl-C in the second step, and counts the steps."""

    class Press(list):
        def __call__(self, step):
            self.append(step)
            if len(self) == 2:
                raise KeyboardInterrupt

    return Press()


def test_compose_itself_keeps_the_steps_so_far(press):
    result = compose(pair(), "a", "b", callback=press, **FAST)
    assert len(result) == 2 and result.recipe["stopped"] == 2
    press.clear()
    run = composing(pair(), "a", "b", num_inference_steps=3)
    with pytest.raises(KeyboardInterrupt):  # whoever pulls decides
        run.finish(press)
    assert len(run.steps) == 2 and run.trajectory.recipe["stopped"] == 2
    assert "stopped" not in compose(pair(), "a", "b", **FAST).recipe


def test_imprint_stops(press):
    with pytest.raises(KeyboardInterrupt):
        baselines.imprint(pair(), "a", "b", callback=press, **FAST)
    assert len(press) == 2


def test_compare_stops(press):
    prompts, settings = [("a", "b"), ("c", "d")], {"num_inference_steps": 3, "callback": press}
    with pytest.raises(KeyboardInterrupt):
        metrics.compare(pair(), prompts, [1, 2], scorers=SCORERS, progress=False, **settings)
    assert len(press) == 2


def test_a_gallery_entry_writes_nothing_half(press, tmp_path):
    entry = Entry("a", "b", 1, "It stops.", {"num_inference_steps": 3})
    with pytest.raises(KeyboardInterrupt):
        entry.make(tmp_path / "entry.py", pair(), callback=press)
    assert len(press) == 2 and not list(tmp_path.iterdir())


def test_an_examination_stops(press):
    settings = {"num_inference_steps": 3, "callback": press}
    asks = Examination(pair(), "test", {}, {}, seeds=2, settings=settings)
    with pytest.raises(KeyboardInterrupt):
        asks.make("a", "b")


def test_self_training_stops(press, monkeypatch):
    monkeypatch.setattr(self_training, "picture_caption", lambda rng, concept, row: concept)
    monkeypatch.setattr(self_training, "sound_caption", lambda rng, clip: clip["class"])
    compositor = SimpleNamespace(match=lambda rng, excluded: ("a cat", 0))
    composites = SimpleNamespace(compositor=compositor, excluded=(), clips=[{"class": "a bell"}])
    monkeypatch.setattr(
        self_training,
        "composed",
        lambda *given, **settings: composed(*given, callback=press, **settings),
    )
    toys = pair(defaults={"image_scale": 2.0, "sound_scale": 2.0, "num_inference_steps": 3})
    with pytest.raises(KeyboardInterrupt):
        self_training._composed(toys, composites, np.random.default_rng(0))
    assert len(press) == 2


def test_score_distillation_ends_at_once():
    """It does not compose: Ctrl-C comes out of its loop by itself."""
    calls = []

    def pressed(latent, t, embeds):
        calls.append(t)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return latent

    toys = pair()
    toys = replace(toys, sound=replace(toys.sound, predict_noise=pressed))
    with pytest.raises(KeyboardInterrupt):
        for _ in baselines.sds(toys, "a", "b", num_steps=9, image_start=0.0, crops=1, hidden=4):
            pass
    assert len(calls) == 3
