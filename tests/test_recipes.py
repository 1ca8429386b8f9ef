"""A recipe is a list of guides: old ones are read, and a third voice goes all the way."""

import json

import matplotlib
import pytest
import torch
from a_run import composing_pair
from toys import gaussian, pair

from itskit import diagnose, export, metrics, plots, recipes, views
from itskit.composition import compose, composing
from itskit.guidance import Guide, encode_prompt
from itskit.recomposition import recompose
from itskit.sampling import init_latent, sample
from itskit.trajectory import Trajectory

matplotlib.use("agg")

OLD = {
    "pair": "toy",
    "image_prompt": "a castle",
    "image_negative": "fog",
    "image_scale": 5.0,
    "image_weight": 0.25,
    "image_start": 0.1,
    "sound_prompt": None,
    "sound_scale": 7.0,
    "seeds": [3],
}
FAST = {"num_inference_steps": 4, "progress": False}


def test_an_old_recipe_is_read_as_a_list_of_those_who_had_a_prompt():
    assert recipes.read(OLD) == {
        "guides": [
            {
                "name": "image", "model": "image", "prompt": "a castle", "negative": "fog",
                "scale": 5.0, "weight": 0.25, "start": 0.1, "stop": 1.0, "view": "identity",
            }
        ],
        "pair": "toy",
        "seeds": [3],
    }  # fmt: skip
    said = recipes.arguments(OLD)
    assert said.items() >= {key: OLD[key] for key in OLD if key.startswith("image_")}.items()
    assert said["sound_prompt"] is None and "sound_scale" not in said
    assert recipes.read(recipes.read(OLD)) == recipes.read(OLD)
    assert recipes.read({"method": "press"}) == {"method": "press"}


def test_old_names_answer_for_a_while():
    recipe = recipes.read(OLD)
    with pytest.warns(DeprecationWarning, match="'prompt' of the guide named 'image'"):
        assert recipe["image_prompt"] == "a castle"
    with pytest.warns(DeprecationWarning):
        assert recipe.get("sound_prompt", "none") == "none"
    with pytest.raises(KeyError):
        recipe["nothing"]
    assert recipe.get("nothing", 1) == 1
    with pytest.raises(ValueError, match="expected a list of named guides"):
        recipes.read({"guides": [{"prompt": "a"}]})


def third(toys, **options):
    return Guide(toys.image, encode_prompt(toys.image, "<b>a third"), weight=0.5, **options)


def test_three_guides_are_those_of_a_loop_of_ones_own():
    toys = pair()
    settings = {"image_scale": 3.0, "sound_scale": 2.0, "image_start": 0.0, "sound_stop": 0.5}
    made = compose(toys, "a", "b", extra=[third(toys)], sound_view="flip_time", **settings, **FAST)
    guides = [
        Guide(toys.image, encode_prompt(toys.image, "a"), 3.0, 0.5),
        Guide(toys.sound, encode_prompt(toys.sound, "b"), 2.0, 0.5, 0.0, 0.5, views.FlipTime()),
        third(toys),
    ]
    *_, expected = sample(guides, init_latent(toys, 0), num_inference_steps=4)
    assert torch.equal(made.latent, expected.latent)
    assert made.steps[3].noises[1] is None and made.steps[3].weights[1] == 0.0
    assert [guide["name"] for guide in made.recipe["guides"]] == ["image", "sound", "image 2"]
    assert made.recipe["guides"][1]["view"] == "flip_time"


def test_three_guides_are_repeated_from_the_recipe(tmp_path):
    toys = pair()
    ramp = third(toys, scale=2.0, name="ramp")
    made = compose(toys, "a", "b", extra=[ramp], image_weight=lambda i, n: i / n, **FAST)
    recipe = json.loads(json.dumps(made.recipe))
    assert torch.equal(recompose(toys, recipe, progress=False).latent, made.latent)
    made.save(tmp_path / "run.safetensors")
    loaded = Trajectory.load(tmp_path / "run.safetensors", toys)
    assert loaded.recipe == made.recipe and len(loaded.steps[1].noises) == 3
    without = compose(toys, "a", "b", image_weight=lambda i, n: i / n, **FAST)
    assert not torch.equal(without.latent, made.latent)


def test_a_model_of_ones_own_has_to_be_handed_in_again():
    toys, other = pair(), gaussian("sketch", {"a": 2.0})
    guide = Guide(other, encode_prompt(other, "a"), name="pencil")
    made = compose(toys, "a", "b", extra=[guide], **FAST)
    assert made.recipe["guides"][2]["model"] == "sketch"
    with pytest.raises(ValueError, match=r"guide 'pencil' of 'sketch'.*expected extra="):
        recompose(toys, made.recipe, progress=False)
    again = recompose(toys, made.recipe, extra=[guide], progress=False)
    assert torch.equal(again.latent, made.latent)


def test_a_view_of_ones_own_has_to_be_handed_in_again():
    class Mine(views.FlipTime):
        pass

    toys = pair()
    made = compose(toys, "a", "b", image_view=Mine(), **FAST)
    with pytest.raises(ValueError, match="expected image_view="):
        recompose(toys, made.recipe, progress=False)
    again = recompose(toys, made.recipe, image_view=Mine(), progress=False)
    assert torch.equal(again.latent, made.latent)


def test_a_third_voice_is_seen_scored_and_exported(tmp_path):
    toys = composing_pair()
    made = compose(toys, "a church", "bells", extra=[third(toys)], **FAST)
    assert diagnose.guide_names(made) == ["image", "sound", "image 2"]
    summary = diagnose.summary(made)
    assert [len(summary[key]) for key in ("norms", "shares")] == [3, 3]
    labels = plots.tug_of_war(made).get_legend_handles_labels()[1]
    assert labels == ["image", "sound", "image 2"]
    said = metrics.scores(made, scorers={"s": metrics.Scorer("image", lambda r, i, words: words)})
    assert said == {"s": ["a church"]}  # of two by one model the first counts
    page = export.page(made, tmp_path / "three.html").read_text(encoding="utf-8")
    assert "<b>a third" not in page
    assert recipes.prompts(export.read_recipe(tmp_path / "three.html")) == [
        "a church", "bells", "<b>a third",
    ]  # fmt: skip
    assert "itskit again" in page  # no line of `compose` has room for a third
    assert export.png(made, tmp_path).name.startswith("a-church--bells--b-a-third--seed0")
    assert export.video(made, tmp_path / "three.mp4").stat().st_size > 1000


def test_a_run_is_pulled_as_far_as_one_likes():
    run = composing(pair(), "a", "b", num_inference_steps=5)
    assert len(run) == 5
    for step in run:
        if step.index == 1:
            break
    assert [step.index for step in run.steps] == [0, 1]
    assert run.trajectory.recipe["stopped"] == 2
    entire = run.finish()  # it goes on where it was left
    assert torch.equal(
        entire.latent, compose(pair(), "a", "b", **FAST | {"num_inference_steps": 5}).latent
    )
    assert "stopped" not in entire.recipe
    with pytest.raises(ValueError, match="steps was empty"):
        composing(pair(), "a", "b").trajectory  # noqa: B018
