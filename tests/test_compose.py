"""The whole method in one call equals its parts, and can be made again from its recipe."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from toys import RATE, gaussian, gaussian_pair, pair

import itskit
from itskit import recipes
from itskit.codec import encode
from itskit.composition import compose, guides
from itskit.guidance import Guide, encode_prompt
from itskit.media import Picture, Sound
from itskit.recomposition import recompose
from itskit.sampling import init_latent, sample
from itskit.schedule import add_noise, timesteps
from itskit.settings import NAMES, Settings
from itskit.trajectory import Trajectory


def flat(recipe):
    """By the names of the arguments."""
    return {**recipe, **recipes.arguments(recipe)}


FAST = {"num_inference_steps": 6, "progress": False}


def _same(one, other):
    return len(one) == len(other) and all(
        torch.equal(a.latent, b.latent) and a.t == b.t
        for a, b in zip(one.steps, other.steps, strict=True)
    )


# ---- made of the other calls ---------------------------------------------------------------------


def test_equals_the_calls_by_hand():
    toys = pair()
    image = Guide(toys.image, encode_prompt(toys.image, "a castle"), 5.0, weight=0.7, start=0.2)
    sound = Guide(toys.sound, encode_prompt(toys.sound, "bells"), 3.0, weight=0.4)
    latent = init_latent(toys, [7])
    expected = list(sample([image, sound], latent, num_inference_steps=10, solver="dpmpp_2m"))
    settings = {"image_scale": 5.0, "sound_scale": 3.0, "image_weight": 0.7, "sound_weight": 0.4}
    got = compose(
        toys,
        "a castle",
        "bells",
        seed=7,
        num_inference_steps=10,
        image_start=0.2,
        solver="dpmpp_2m",
        progress=False,
        **settings,
    )
    assert all(torch.equal(a.latent, b.latent) for a, b in zip(got.steps, expected, strict=True))
    assert got.pair is toys and got.picture().image.size == (128, 64)


@pytest.mark.parametrize("extra", [1.0, "guides", [None], {"a": 1}])
def test_extra_guides_that_are_none_are_refused_in_words(extra):
    with pytest.raises(ValueError, match=r"extra=.*: expected a list of Guides"):
        compose(pair(), "a", "b", extra=extra, **FAST)
    with pytest.raises(ValueError, match=r"extra=.*: expected a list of Guides"):
        itskit.guides(pair(), "a", "b", extra=extra)


def test_one_extra_guide_needs_no_list():
    toys = pair()
    third = Guide(toys.image, encode_prompt(toys.image, "c"), 2.0, name="third")
    one, listed = (compose(toys, "a", "b", extra=some, **FAST) for some in (third, [third]))
    assert _same(one, listed) and not _same(one, compose(toys, "a", "b", **FAST))


def test_guides_are_those_of_compose():
    toys = pair(
        defaults={"image_scale": 2.0, "sound_negative": "rain"},
        presets={"loud": {"sound_scale": 12.0}},
    )
    given = {"image_weight": _wipe, "sound_weight": 0.3, "image_start": 0.25, "preset": "loud"}
    image, sound = guides(toys, "a castle", "bells", **given, num_inference_steps=8)
    assert (image.modality, image.scale, image.start) == (toys.image, 2.0, 0.25)
    assert (sound.modality, sound.scale, sound.start) == (toys.sound, 12.0, 0.0)
    assert image.prompt.text == "a castle" and sound.prompt.negative == "rain"
    run = sample([image, sound], init_latent(toys, 0), num_inference_steps=8)
    got = compose(toys, "a castle", "bells", **given, num_inference_steps=8, progress=False)
    assert _same(Trajectory(run), got)


def test_guides_of_one_prompt_or_none():
    toys = pair(defaults={"image_start": 0.2})
    (image,) = guides(toys, "a castle", None)
    assert (image.modality, image.start) == (toys.image, 0.0)
    assert guides(toys, "a castle", None, image_start=0.5)[0].start == 0.5
    with pytest.raises(ValueError, match="image_prompt and sound_prompt are None"):
        guides(toys, None, None)
    with pytest.raises(ValueError, match="unknown setting 'scale': expected one of"):
        guides(toys, "a", "b", scale=3.0)


def test_only_a_model_without_the_other_is_told_that_it_is_alone():
    told = gaussian("either", {"a": 3.0}).encode_prompt
    both = gaussian_pair(1.0, 1.0)
    image, sound = (replace(modality, encode_solo=told) for modality in (both.image, both.sound))
    toys = replace(both, image=image, sound=sound)
    settings = {"image_scale": 1.0, "sound_scale": 1.0, "solver": "dpmpp_2m", **FAST}
    for prompts, mean in ((("a", "a"), 1.0), (("a", None), 3.0), ((None, "a"), 3.0)):
        made = compose(toys, *prompts, **settings)
        assert torch.allclose(made.latent, torch.full_like(made.latent, mean), atol=1e-4)
        assert torch.equal(recompose(toys, made.recipe, progress=False).latent, made.latent)


@pytest.mark.parametrize(
    "nothing", [0, 0.0, np.zeros((8, 16)), torch.zeros(8, 16), [[0, 0]], lambda index, count: 0]
)
def test_a_model_beside_one_without_weight_is_alone(nothing):
    told = gaussian("either", {"a": 3.0}).encode_prompt
    both = gaussian_pair(1.0, 1.0)
    image, sound = (replace(modality, encode_solo=told) for modality in (both.image, both.sound))
    toys = replace(both, image=image, sound=sound, defaults={"image_start": 0.0})
    for silent, prompts in (("image", (None, "a")), ("sound", ("a", None))):
        alone = compose(toys, *prompts, **FAST)
        made = compose(toys, "a", "a", **{f"{silent}_weight": nothing}, **FAST)
        assert torch.equal(made.latent, alone.latent)
        assert torch.equal(recompose(toys, made.recipe, progress=False).latent, alone.latent)
    made = compose(toys, "a", "a", sound_weight=[[0, 1]], **FAST)  # somewhere is not nowhere
    assert not torch.equal(made.latent, alone.latent)


def test_negative_prompts_are_those_of_encode_prompt():
    toys = pair()
    image = Guide(toys.image, encode_prompt(toys.image, "a castle", "fog"), 5.0, weight=0.5)
    sound = Guide(toys.sound, encode_prompt(toys.sound, "bells", "rain"), 5.0, weight=0.5)
    *_, expected = sample([image, sound], init_latent(toys, 0), num_inference_steps=6)
    settings = {"image_scale": 5.0, "sound_scale": 5.0, "image_start": 0.0, **FAST}
    negatives = {"image_negative": "fog", "sound_negative": "rain"}
    got = compose(toys, "a castle", "bells", **negatives, **settings)
    assert torch.equal(got.latent, expected.latent)
    assert negatives.items() <= recipes.arguments(got.recipe).items()
    plain = compose(toys, "a castle", "bells", **settings)
    assert not torch.allclose(plain.latent, expected.latent)
    assert [guide["negative"] for guide in plain.recipe["guides"]] == ["", ""]


def test_one_prompt_is_one_model_alone():
    toys = pair()
    for name, prompts in (("image", ("a", None)), ("sound", (None, "a"))):
        modality = getattr(toys, name)
        latent = init_latent(toys, 0)
        *_, expected = sample(
            [Guide(modality, encode_prompt(modality, "a"))], latent, num_inference_steps=6
        )
        got = compose(toys, *prompts, **FAST)
        assert torch.equal(got.latent, expected.latent)
        assert got.steps[0].weights == (1.0,)
        assert recipes.guide(got.recipe, name)["start"] == 0.0


def test_a_guide_without_weight_leaves_the_beginning_to_the_other():
    late = pair(defaults={"image_start": 0.5})
    got = compose(late, "a castle", "bells", image_weight=1.0, sound_weight=0, **FAST)
    alone = compose(late, "a castle", None, **FAST)
    assert recipes.guide(got.recipe, "image")["start"] == 0.0
    assert torch.equal(got.latent, alone.latent)
    with pytest.raises(ValueError, match="at step 0"):  # what was asked for is not overruled
        compose(late, "a castle", "bells", sound_weight=0, image_start=0.5, **FAST)


def test_a_batch_is_its_seeds_one_by_one():
    toys = pair()
    batch = compose(toys, "a", "b", seeds=[4, 9], **FAST)
    assert batch.recipe["seeds"] == [4, 9]
    for item, seed in enumerate((4, 9)):
        alone = compose(toys, "a", "b", seed=seed, **FAST)
        torch.testing.assert_close(batch.latent[item], alone.latent[0], rtol=1e-4, atol=1e-4)


def test_the_pair_meets_at_the_weighted_mean_at_any_width():
    toys = gaussian_pair(1.0, -1.0)
    settings = {"image_weight": 3.0, "sound_weight": 1.0, "image_scale": 1, "sound_scale": 1}
    got = compose(toys, "a", "a", **FAST, **settings)
    torch.testing.assert_close(got.steps[-1].clean, torch.full((1, 4, 8, 16), 0.5))
    wide = compose(pair(), "a", "b", width=256, **FAST)
    assert wide.latent.shape == (1, 4, 8, 32) and wide.recipe["width"] == 256
    assert wide.picture().image.size == (256, 64) and len(wide.sound().samples) == 256 * 8


def test_callback_gets_every_step_as_it_is_made():
    seen = []
    got = compose(pair(), "a", "b", callback=seen.append, **FAST)
    assert [id(step) for step in seen] == [id(step) for step in got.steps]


def test_progress_is_plain_text_and_can_be_off(capfd):
    compose(pair(), "a", "b", num_inference_steps=3)
    assert "3/3" in capfd.readouterr().err
    compose(pair(), "a", "b", num_inference_steps=3, progress=False)
    assert capfd.readouterr() == ("", "")


def test_crop_is_the_pairs():
    toys = pair(crop_pixels=32)
    assert compose(toys, "a", "b", **FAST).picture().image.size == (96, 64)
    assert compose(toys, "a", "b", crop=False, **FAST).picture().image.size == (128, 64)


# ---- settings ------------------------------------------------------------------------------------


def test_call_beats_preset_beats_pair_beats_library():
    toys = pair(
        defaults={"image_scale": 2.0, "sound_negative": "rain", "num_inference_steps": 3},
        presets={"paper": {"image_scale": 10.0, "sound_scale": 10.0, "strength": None}},
    )
    negatives = [{}, {"preset": "paper", "sound_negative": ""}, {"sound_negative": "hail"}]
    made = [compose(toys, "a", "b", progress=False, **given) for given in negatives]
    kept = [recipes.arguments(result.recipe) for result in made]
    assert [recipe["sound_negative"] for recipe in kept] == ["rain", "", "hail"]
    plain = flat(compose(toys, "a", "b", progress=False).recipe)
    named = compose(toys, "a", "b", preset="paper", sound_scale=4.0, progress=False)
    named = flat(named.recipe)
    assert (plain["image_scale"], plain["sound_scale"], plain["preset"]) == (2.0, 7.5, None)
    assert (named["image_scale"], named["sound_scale"], named["preset"]) == (10.0, 4.0, "paper")
    assert len(plain["seeds"]) == 1 and plain["num_inference_steps"] == 3
    library = {"image_weight", "sound_weight", "image_start", "solver", "strength", "crop"}
    assert all(named[name] == getattr(Settings(), name) for name in library)


def test_recipe_is_complete_plain_json():
    import diffusers

    import itskit

    got = compose(pair(weights_hash="abc"), "çastle", "b", seed=np.int64(5), **FAST)
    recipe = got.recipe
    assert json.loads(json.dumps(recipe)) == recipe
    assert set(NAMES) - set(flat(recipe)) == {"duration", "window", "loop"}  # nothing to say
    looped = compose(pair(), "a", "b", width=256, loop=True, **FAST).recipe
    assert set(NAMES) - set(flat(looped)) == {"duration"}  # its width is there
    expected = {
        "itskit": itskit.__version__,
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "pair": "toy",
        "weights_hash": "abc",
        "image_prompt": "çastle",
        "sound_prompt": "b",
        "seeds": [5],
        "width": 128,
        "init": None,
    }
    assert {name: flat(recipe)[name] for name in expected} == expected


# ---- again ---------------------------------------------------------------------------------------


def _fade(index, num_inference_steps):
    return 1 - index / num_inference_steps


def _wipe(index, num_inference_steps):
    """A map that opens from the left."""
    weight = np.full((64, 128), 0.1)
    weight[:, : 128 * (index + 1) // num_inference_steps] = 1
    return weight


@pytest.mark.parametrize(
    "settings",
    [
        {"seed": 3},
        {"seeds": [3, 4], "solver": "dpmpp_2m", "spacing": "trailing", "width": 192},
        {"image_weight": 0.3, "sound_weight": np.float32(0.9), "image_scale": np.float64(2)},
        {"image_weight": np.random.default_rng(0).random((64, 128))},
        {"image_weight": torch.rand(5, 7, generator=torch.Generator().manual_seed(0))},
        {"image_weight": _fade, "sound_weight": _wipe, "image_start": 0.5},
        {"preset": "loud"},
        {"image_negative": "fog", "sound_negative": "räin"},
    ],
)
def test_a_recipe_makes_the_same_again(settings):
    toys = pair(presets={"loud": {"sound_scale": 12.0}})
    once = compose(toys, "a", "b", **settings, **FAST)
    again = recompose(toys, json.loads(json.dumps(once.recipe)), progress=False)
    assert _same(once, again)
    assert again.recipe == once.recipe


def test_an_image_alone_is_made_again():
    once = compose(pair(), "a", None, **FAST)
    assert _same(once, recompose(pair(), once.recipe, progress=False))


def test_a_recipe_may_be_changed():
    once = compose(pair(), "a", "b", seed=3, **FAST)
    other = recompose(pair(), once.recipe, seeds=[4], progress=False)
    assert _same(other, compose(pair(), "a", "b", seed=4, **FAST))


def test_a_preset_that_is_gone_is_not_needed_again():
    once = compose(pair(presets={"loud": {"sound_scale": 12.0}}), "a", "b", preset="loud", **FAST)
    assert _same(once, recompose(pair(), once.recipe, progress=False))


def test_a_recipe_from_before_negative_prompts_had_none():
    once = compose(pair(), "a", "b", **FAST)
    old = {name: value for name, value in once.recipe.items() if "negative" not in name}
    fussy = pair(defaults={"image_negative": "fog", "sound_negative": "rain"})
    assert _same(once, recompose(fussy, old, progress=False))
    assert not _same(once, compose(fussy, "a", "b", **FAST))


def test_other_networks_are_told():
    once = compose(pair(weights_hash="abc"), "a", "b", **FAST)
    with pytest.warns(UserWarning, match=r"made with pair \('toy', 'abc'\).*expect another result"):
        recompose(pair(weights_hash="xyz"), once.recipe, progress=False)


# ---- Ctrl-C --------------------------------------------------------------------------------------


def _press_at(k):
    def callback(step):
        if step.index == k:
            raise KeyboardInterrupt

    return callback


def test_ctrl_c_keeps_the_steps_so_far():
    whole = compose(pair(), "a", "b", **FAST)
    stopped = compose(pair(), "a", "b", callback=_press_at(3), **FAST)
    assert len(stopped) == 4 and stopped.recipe["stopped"] == 4
    assert torch.equal(stopped.latent, whole.steps[3].latent)
    assert stopped.picture(3).image.size == (128, 64)
    assert "stopped" not in whole.recipe
    finished = recompose(pair(), stopped.recipe, progress=False)
    assert _same(finished, whole) and finished.recipe == whole.recipe


def test_ctrl_c_inside_a_network_keeps_the_steps_so_far():
    toys, calls = pair(), []
    network = toys.sound.predict_noise

    def predict_noise(latent, t, prompt_embeds):
        calls.append(t)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return network(latent, t, prompt_embeds)

    object.__setattr__(toys.sound, "predict_noise", predict_noise)
    assert len(compose(toys, "a", "b", **FAST)) == 2
    calls[:] = [0, 0]
    with pytest.raises(KeyboardInterrupt):  # nothing to keep yet
        compose(toys, "a", "b", **FAST)


@pytest.mark.parametrize("seed", [1.5, "7", None, float("nan"), 2**64, -(2**63) - 1, 1j, [1]])
def test_a_seed_that_is_no_whole_number_is_refused(seed):
    ways = [
        lambda: compose(pair(), "a", "b", seed=seed, **FAST),
        lambda: compose(pair(), "a", "b", seeds=[1, seed], **FAST),
        lambda: init_latent(pair(), [seed]),
        lambda: itskit.hunt(pair(), "a", "b", seeds=[seed], **FAST),
        lambda: itskit.baselines.imprint(pair(), "a", "b", seed=seed, **FAST),
        lambda: next(itskit.baselines.sds(pair(), "a", "b", seed=seed)),
        lambda: itskit.baselines.colourise(
            pair().image, torch.zeros(64, 128).numpy(), "a", seed=seed, start=0, **FAST
        ),
    ]
    for way in ways:
        with pytest.raises(ValueError, match=r"seed=.*: expected a whole number"):
            way()


def test_a_seed_is_recorded_as_the_whole_number_that_it_is():
    kinds = (7, 7.0, np.int64(7), torch.tensor(7))
    made = [compose(pair(), "a", "b", seed=seed, **FAST) for seed in kinds]
    for result in made:
        assert result.recipe["seeds"] == [7] and isinstance(result.recipe["seeds"][0], int)
        assert _same(result, made[0])


def test_seeds_that_are_one_are_told_from_how_many():
    with pytest.raises(ValueError, match=r"seeds=4: expected several.*one is seed=4"):
        compose(pair(), "a", "b", seeds=4, **FAST)


def test_other_errors_are_not_swallowed():
    with pytest.raises(ZeroDivisionError):
        compose(pair(), "a", "b", callback=lambda step: 1 / 0, **FAST)


# ---- from a picture, a sound, a latent -----------------------------------------------------------


def _inits():
    ramp = np.linspace(0, 1, 128, dtype=np.float32) * np.ones((64, 1), dtype=np.float32)
    image = Image.fromarray((ramp * 255).astype(np.uint8))
    sound = Sound(np.full(128 * 8, 0.4), RATE)
    return {"picture": Picture(image), "pil": image, "array": ramp, "sound": sound}


@pytest.mark.parametrize("kind", ["picture", "pil", "array", "sound", "latent"])
@pytest.mark.parametrize(("strength", "first"), [(0.5, 5), (1.0, 0), (0.01, 9)])
def test_begins_from_what_is_given_noised_by_strength(kind, strength, first):
    toys = pair()
    modality = toys.sound if kind == "sound" else toys.image
    latent = torch.randn(1, 4, 8, 16, generator=torch.Generator().manual_seed(0))
    init = latent if kind == "latent" else _inits()[kind]
    got = compose(
        toys, "a", "b", seeds=[1, 2], init=init, strength=strength,
        num_inference_steps=10, progress=False,
    )  # fmt: skip
    assert [step.index for step in got.steps] == list(range(first, 10))
    t = int(timesteps(10)[first])
    noise = init_latent(toys, [1, 2])
    expected = add_noise(encode(modality, init), noise, toys.image.alpha_bar[t])
    torch.testing.assert_close(got.steps[0].noisy, expected)
    read = {"latent": "Tensor", "sound": "Sound"}.get(kind, "Picture")
    assert got.recipe["init"]["kind"] == read


def test_little_strength_keeps_the_picture_and_much_forgets_it():
    toys = gaussian_pair(0.0, 0.0, std=0.7)
    init = _inits()["picture"]
    settings = {"num_inference_steps": 20, "progress": False, "image_scale": 1, "sound_scale": 1}
    clean = encode(toys.image, init)
    distances = [
        float((compose(toys, "a", "a", init=init, strength=s, **settings).latent - clean).norm())
        for s in (0.05, 0.3, 0.6, 1.0)
    ]
    assert distances == sorted(distances) and distances[0] < 0.2 * distances[-1]


def test_init_is_fitted_to_the_width():
    toys = pair()
    for init in (Image.new("L", (50, 30), 200), Sound(np.full(80 * 8, 0.4), RATE)):
        got = compose(toys, "a", "b", init=init, width=256, **FAST)
        assert got.latent.shape == (1, 4, 8, 32)


def test_init_is_needed_again():
    toys, init = pair(), _inits()["picture"]
    once = compose(toys, "a", "b", init=init, **FAST)
    with pytest.raises(ValueError, match=r"began with .*'kind': 'Picture'.*expected .*init="):
        recompose(toys, once.recipe)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = recompose(toys, once.recipe, init=init, progress=False)
    assert _same(once, again) and again.recipe == once.recipe


def test_another_init_than_the_recipes_is_told():
    toys, inits = pair(), _inits()
    once = compose(toys, "a", "b", init=inits["picture"], **FAST)
    darker = Picture(inits["pil"].point(lambda value: value // 2))
    for other in (darker, inits["sound"], torch.zeros(1, 4, 8, 16)):
        with pytest.warns(UserWarning, match=r"began with .*'Picture'.*this init is .*another"):
            recompose(toys, once.recipe, init=other, progress=False)
    plain = compose(toys, "a", "b", **FAST)
    with pytest.warns(UserWarning, match=r"began with noise alone, this init is"):
        recompose(toys, plain.recipe, init=darker, progress=False)


def test_a_picture_may_be_the_weight():
    mask = np.zeros((64, 128), np.uint8)
    mask[:, 32:] = 255
    made = [
        compose(pair(), "a", "b", image_weight=weight, **FAST)
        for weight in (Picture(Image.fromarray(mask)), Image.fromarray(mask), mask / 255)
    ]
    assert all(_same(made[0], one) and one.recipe == made[0].recipe for one in made)
    assert flat(made[0].recipe)["image_weight"][0] == [0.0] * 4 + [1.0] * 12
    with pytest.raises(ValueError, match="divide by 255"):
        compose(pair(), "a", "b", image_weight=lambda index, n: mask, **FAST)


# ---- what does not fit ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_wieght": 1.0}, r"unknown setting 'image_wieght': expected .*'image_weight'"),
        ({"preset": "louder"}, r"unknown preset 'louder': expected one of \['loud'\]"),
        ({"preset": "loud"}, r"unknown setting 'volume': expected one of \['crop'"),
        ({"solver": "euler"}, r"unknown solver 'euler': .*\['ddim', 'ddpm', 'dpmpp_2m'\]"),
        ({"num_inference_steps": 0}, r"num_inference_steps=0: expected .* 1 to 999"),
        ({"image_weight": -1}, r"the weight was -1.0: expected .*nowhere negative"),
        ({"image_weight": [[1, np.nan]]}, r"the weight was .*nan.*: expected .*finite"),
        ({"image_weight": 0, "sound_weight": 0}, r"at step 0 of 30: the weights .* all 0"),
        ({"image_weight": {"per_step": [1, 1]}}, r"given for 2 steps: expected 30"),
        ({"sound_negative": 7}, r"negative prompt for 'sound' was 7: expected words"),
        ({"image_start": 1.5}, r"guide 'image' was given .*start=1.5.*expected"),
        ({"sound_start": 0.5}, r"at step 0 of 30: .*change a weight, start or stop"),
        ({"width": 100}, r"width=100: expected a multiple of 16 pixels; try 96"),
        ({"seeds": []}, r"seeds was empty: expected a whole number"),
        ({"init": torch.zeros(1, 4, 8, 32)}, r"init is a latent .*32\): expected \(1, 4, 8, 16\)"),
        ({"init": torch.zeros(3, 4, 8, 16)}, r"init is a latent \(3, .* a seed for each item"),
        ({"init": torch.zeros(1, 4, 8, 16), "strength": 0}, r"strength=0: expected a fraction"),
        ({"init": torch.zeros(1, 4, 8, 16), "strength": 1.1}, r"strength=1.1: expected a fraction"),
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(settings, message):
    toys = pair(presets={"loud": {"volume": 11}})
    if settings.get("preset") == "louder":
        toys.presets["loud"] = {}
    with pytest.raises(ValueError, match=message):
        compose(toys, "a", "b", progress=False, **settings)


@pytest.mark.parametrize("prompts", [("", "b"), ("a", "  "), (7, "b")])
def test_empty_prompts_are_refused(prompts):
    with pytest.raises(ValueError, match=r"prompt for '(image|sound)' was .*expected words"):
        compose(pair(), *prompts, **FAST)


def test_no_prompt_at_all_is_refused():
    with pytest.raises(ValueError, match="image_prompt and sound_prompt are None: expected words"):
        compose(pair(), None, None)


def test_a_lone_model_that_comes_late_on_purpose_is_refused():
    with pytest.raises(ValueError, match=r"at step 0 of 6: the weights of the 1 guides"):
        compose(pair(), "a", None, image_start=0.5, **FAST)
