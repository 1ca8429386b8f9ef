"""The sampling loop against a plain loop over diffusers' schedulers, and against closed forms."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler
from safetensors.torch import save_file
from toys import RATE, SHAPE, gaussian, gaussian_pair, pair, tiny_unet

from itskit import plots, sampling
from itskit.codec import decode, encode
from itskit.export.scrub import facts, show
from itskit.guidance import Guide, encode_prompt
from itskit.media import Picture, Sound
from itskit.modality import Pair
from itskit.sampling import denoise_step, init_latent, sample
from itskit.schedule import stable_diffusion_alpha_bar, timesteps
from itskit.solvers import draw_noise
from itskit.trajectory import Trajectory
from itskit.views import Rotate180

SD15 = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}


def _guide(modality, text="a", **settings):
    return Guide(modality, encode_prompt(modality, text), **settings)


def _last(guides, latent, **settings):
    *_, step = sample(guides, latent, **settings)
    return step


def _distance(got, expected):
    """The largest difference as a part of the largest value."""
    return float((got - expected).abs().max() / expected.abs().max())


# ---- against diffusers ---------------------------------------------------------------------------


@torch.no_grad()
def _guided(modality, text, scale, latent, t):
    embeds = torch.cat([modality.encode_prompt(""), modality.encode_prompt(text)])
    uncond, cond = modality.predict_noise(torch.cat([latent] * 2), t, embeds).chunk(2)
    return uncond + scale * (cond - uncond)


def _paper_loop(scheduler, image, sound, latent, image_from):
    """The loop of "Images that Sound" written out: the sound alone, then half and half."""
    for index, t in enumerate(scheduler.timesteps):
        noise = _guided(sound, "bell ringing", 10, latent, int(t))
        if index >= image_from:
            seen = _guided(image, "castle towers", 10, latent, int(t))
            noise = 0.5 * seen + 0.5 * noise
        latent = scheduler.step(noise, t, latent).prev_sample
    return latent


@pytest.mark.parametrize(("steps", "image_from"), [(100, 10), (20, 2)])
def test_equals_the_papers_loop_over_diffusers_ddim(steps, image_from):
    image, sound = tiny_unet("image", seed=1), tiny_unet("sound", seed=2)
    scheduler = DDIMScheduler(**SD15, steps_offset=1, set_alpha_to_one=False, clip_sample=False)
    scheduler.set_timesteps(steps)
    latent = init_latent(image, 1234)
    expected = _paper_loop(scheduler, image, sound, latent, image_from)
    guides = [
        _guide(image, "castle towers", scale=10, weight=0.5, start=0.1),
        _guide(sound, "bell ringing", scale=10, weight=0.5),
    ]
    run = list(sample(guides, latent, num_inference_steps=steps))
    assert _distance(run[-1].latent, expected) <= 1e-6
    assert [step.noises[0] is None for step in run] == [i < image_from for i in range(steps)]
    assert run[image_from].weights == (0.5, 0.5) and run[0].weights == (0.0, 1.0)


def test_clean_is_diffusers_pred_original_sample():
    network = tiny_unet()
    scheduler = DDIMScheduler(**SD15, steps_offset=1, set_alpha_to_one=False, clip_sample=False)
    scheduler.set_timesteps(10)
    latent = init_latent(network, 3)
    for step in sample([_guide(network, "bell ringing", scale=10)], latent, num_inference_steps=10):
        noise = _guided(network, "bell ringing", 10, latent, step.t)
        answer = scheduler.step(noise, step.t, latent)
        assert torch.equal(step.noisy, latent)
        assert _distance(step.clean, answer.pred_original_sample) <= 1e-6
        latent = answer.prev_sample


@pytest.mark.parametrize("spacing", ["leading", "trailing"])
def test_equals_a_loop_over_diffusers_dpm_solver(spacing):
    image, sound = tiny_unet("image", seed=1), tiny_unet("sound", seed=2)
    scheduler = DPMSolverMultistepScheduler(
        **SD15,
        algorithm_type="dpmsolver++",
        solver_order=2,
        solver_type="midpoint",
        final_sigmas_type="zero",
    )
    scheduler.set_timesteps(timesteps=timesteps(20, spacing).tolist())
    latent = init_latent(image, 1234)
    expected = _paper_loop(scheduler, image, sound, latent, 2)
    guides = [
        _guide(image, "castle towers", scale=10, weight=0.5, start=0.1),
        _guide(sound, "bell ringing", scale=10, weight=0.5),
    ]
    last = _last(guides, latent, num_inference_steps=20, solver="dpmpp_2m", spacing=spacing)
    assert _distance(last.latent, expected) <= 1e-5
    assert torch.equal(last.latent, last.clean)


# ---- against closed forms ------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["ddim", "dpmpp_2m"])
def test_one_guide_is_that_model_alone(solver):
    network, latent = tiny_unet(), init_latent(tiny_unet(), 5)
    alone = _last([_guide(network)], latent, num_inference_steps=6, solver=solver)
    weighted = _last([_guide(network, weight=0.3)], latent, num_inference_steps=6, solver=solver)
    beside = _guide(tiny_unet("sound", seed=2), weight=0.0)
    silent = _last(
        [_guide(network, weight=0.3), beside], latent, num_inference_steps=6, solver=solver
    )
    assert torch.equal(alone.latent, weighted.latent)
    assert torch.equal(alone.latent, silent.latent)
    assert silent.noises[1] is None and silent.weights == (1.0, 0.0)


@pytest.mark.parametrize("solver", ["ddim", "dpmpp_2m"])
@pytest.mark.parametrize("weights", [(0.5, 0.5), (1.0, 3.0), (2.0, 0.5)])
def test_point_masses_meet_at_their_weighted_mean(solver, weights):
    means = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1))
    guides = [
        _guide(gaussian(name, {"a": mean}), scale=1, weight=weight)
        for name, mean, weight in zip(("image", "sound"), means, weights, strict=True)
    ]
    last = _last(guides, init_latent(guides[0].modality, [1, 2]), solver=solver)
    expected = (weights[0] * means[0] + weights[1] * means[1]) / sum(weights)
    torch.testing.assert_close(last.clean, expected.expand(2, -1, -1, -1), atol=1e-5, rtol=1e-5)


def test_any_number_of_guides():
    means = (3.0, -1.0, 0.5, 2.0)
    guides = [_guide(gaussian(f"m{m}", {"a": m}), scale=1, weight=0.25) for m in means]
    last = _last(guides, init_latent(guides[0].modality, 1))
    torch.testing.assert_close(last.clean, torch.full_like(last.clean, 1.125))


def test_a_sampled_gaussian_has_its_mean_and_spread():
    """The start is pure noise where the schedule expects a trace of the mean; the exact flow keeps
    (latent - sqrt(a) mean) / spread, so that much of the mean is missing in the end."""
    mean, std = 1.5, 0.5
    modality = gaussian("image", {"a": mean}, std)
    latent = init_latent(modality, range(40))
    settings = {"num_inference_steps": 60, "solver": "dpmpp_2m", "spacing": "trailing"}
    last = _last([_guide(modality, scale=1)], latent, **settings)
    a = float(stable_diffusion_alpha_bar()[999])
    spread = (a * std**2 + 1 - a) ** 0.5
    assert last.latent.mean() == pytest.approx(mean - std * a**0.5 * mean / spread, abs=0.01)
    assert last.latent.std() == pytest.approx(std / spread, abs=0.03)


def test_half_and_half_maps_give_each_half_to_its_guide():
    left = torch.zeros(64, 128)
    left[:, :64] = 1
    image, sound = gaussian("image", {"a": 2.0}), gaussian("sound", {"a": -2.0})
    guides = [_guide(image, scale=1, weight=left), _guide(sound, scale=1, weight=1 - left)]
    last = _last(guides, init_latent(image, 1))
    torch.testing.assert_close(last.clean[..., :8], torch.full((1, 4, 8, 8), 2.0))
    torch.testing.assert_close(last.clean[..., 8:], torch.full((1, 4, 8, 8), -2.0))
    assert last.weights == (0.5, 0.5)


@pytest.mark.parametrize("late", ["start", "function"])
def test_a_map_leaves_its_part_to_the_others_until_its_guide_joins(late):
    """Of three certain models, one has the left half; before it joins, the two others share it."""
    means = {"image": 3.0, "low": 1.0, "high": -2.0}
    left, rows = [[1.0, 0.0]], torch.full((8, 16), 0.25)
    rows[:, :8] = 0  # neither of the others wants the left half
    when = {"start": {"weight": left, "start": 0.5}}
    when["function"] = {"weight": lambda i, n: left if i >= n // 2 else 0.0}
    guides = [_guide(gaussian("image", {"a": means["image"]}), scale=1, **when[late])]
    for name, weight in (("low", rows), ("high", 3 * rows)):
        guides.append(_guide(gaussian(name, {"a": means[name]}), scale=1, weight=weight))
    run = list(sample(guides, init_latent(guides[0].modality, 1), num_inference_steps=4))
    right = (1.0 - 2.0 * 3) / 4
    for step, wanted in ((run[1], (1.0 - 2.0) / 2), (run[-1], 3.0)):
        torch.testing.assert_close(step.clean[..., :8], torch.full((1, 4, 8, 8), wanted))
        torch.testing.assert_close(step.clean[..., 8:], torch.full((1, 4, 8, 8), right))
    assert run[1].weights == (0.0, 0.375, 0.625) and run[-1].weights == (0.5, 0.125, 0.375)


def test_a_hole_that_all_guides_leave_is_refused_even_beside_a_silent_one():
    hole = torch.ones(8, 16)
    hole[0, 0] = 0
    guides = [_guide(gaussian(n), weight=hole, start=s) for n, s in (("image", 0.5), ("sound", 0))]
    run = sample(guides, init_latent(guides[0].modality, 1), num_inference_steps=4)
    assert next(run).weights == (0.0, 1.0)
    with pytest.raises(ValueError, match=r"at step 2 of 4: .*all 0 on 1 of 128 .*somebody"):
        list(run)


def test_weight_as_a_function_hands_over():
    image, sound = gaussian("image", {"a": 2.0}), gaussian("sound", {"a": -2.0})
    early = _guide(image, scale=1, weight=lambda i, n: 1.0 if i < n // 2 else 0.0)
    late = _guide(sound, scale=1, weight=lambda i, n: 0.0 if i < n // 2 else 1.0)
    run = list(sample([early, late], init_latent(image, 1), num_inference_steps=10))
    assert [step.weights for step in run] == [(1, 0)] * 5 + [(0, 1)] * 5
    torch.testing.assert_close(run[4].clean, torch.full_like(run[4].clean, 2.0))
    torch.testing.assert_close(run[-1].clean, torch.full_like(run[4].clean, -2.0))


def test_one_canvas_seen_two_ways():
    """Two certain models, one of which looks at the canvas upside down."""
    up, down = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1))
    guides = [
        _guide(gaussian("image", {"a": up}), scale=1),
        _guide(gaussian("sound", {"a": down}), scale=1, view=Rotate180()),
    ]
    last = _last(guides, init_latent(guides[0].modality, 1))
    expected = (up + down.rot90(2, (-2, -1))) / 2
    torch.testing.assert_close(last.clean[0], expected, atol=1e-5, rtol=1e-5)


# ---- seeds, batches, widths, late entry ----------------------------------------------------------


def test_each_seed_has_its_own_unit_noise():
    network = tiny_unet()
    latent = init_latent(network, range(200))
    assert latent.shape == (200, *SHAPE) and latent.dtype == torch.float32
    assert latent.mean() == pytest.approx(0, abs=0.02) and latent.std() == pytest.approx(
        1, abs=0.02
    )
    assert torch.equal(latent[7:8], init_latent(network, 7))
    assert torch.equal(latent[7:8], init_latent(network, np.int64(7)))
    generator = torch.Generator("cpu").manual_seed(7)
    assert torch.equal(latent[7:8], torch.randn(1, *SHAPE, generator=generator))


@pytest.mark.parametrize("solver", ["ddim", "dpmpp_2m", "ddpm"])
def test_an_item_of_a_batch_is_its_seed_alone(solver):
    toys, seeds = pair(), (3, -1, 2**64 - 1)
    guides = [_guide(toys.image, start=0.2), _guide(toys.sound)]
    settings = {"num_inference_steps": 8, "solver": solver}
    batch = _last(guides, init_latent(toys, seeds), **settings, seeds=seeds)
    for item, seed in enumerate(seeds):
        alone = _last(guides, init_latent(toys, seed), **settings, seeds=seed)
        assert _distance(batch.latent[item], alone.latent[0]) < 1e-5


@pytest.mark.parametrize("width", [16, 128, 208, 512])
def test_any_width_that_fits(width):
    toys = pair()
    latent = init_latent(toys, 1, width=width)
    assert latent.shape == (1, 4, 8, width // 8)
    guides = [_guide(toys.image), _guide(toys.sound)]
    assert _last(guides, latent, num_inference_steps=2).latent.shape == latent.shape


@pytest.mark.parametrize(("width", "nearest"), [(100, 96), (0, 48), (-48, 48), (47, 48)])
def test_widths_that_do_not_fit_are_refused(width, nearest):
    toys = Pair("toy", tiny_unet(width_multiple=2), tiny_unet("sound", width_multiple=3))
    with pytest.raises(ValueError, match=f"width={width}: .*multiple of 48 pixels; try {nearest}"):
        init_latent(toys, 1, width=width)


def test_a_late_entry_continues_the_run():
    network = tiny_unet()
    run = list(sample([_guide(network)], init_latent(network, 1), num_inference_steps=10))
    rest = list(sample([_guide(network)], run[3].latent, num_inference_steps=10, first_step=4))
    assert [step.index for step in rest] == [4, 5, 6, 7, 8, 9]
    assert torch.equal(rest[-1].latent, run[-1].latent)


@pytest.mark.parametrize("solver", ["ddim", "dpmpp_2m", "ddpm"])
def test_a_run_goes_on_from_any_of_its_steps(solver):
    network, settings = tiny_unet(), {"num_inference_steps": 6, "solver": solver, "seeds": [5]}
    run = list(sample([_guide(network)], init_latent(network, 5), **settings))
    rest = sample([_guide(network)], run[2].latent, **settings, first_step=3, previous=run[2])
    assert torch.equal(list(rest)[-1].latent, run[-1].latent)


def test_fresh_noise_is_unit_and_of_no_other_seed_step_or_stream():
    seeds, like = range(40), init_latent(tiny_unet(), range(40))
    drawn = [draw_noise(seeds, index, like, stream) for index, stream in ((0, 0), (1, 0), (0, 1))]
    for noise in drawn:
        assert noise.mean() == pytest.approx(0, abs=0.02)
        assert noise.std() == pytest.approx(1, abs=0.02)
    flat = torch.stack([like, *drawn]).reshape(4 * 40, -1).double()
    likeness = torch.corrcoef(flat) - torch.eye(160)
    assert likeness.abs().max() < 0.25  # 512 numbers each: the largest of 12,720 by chance
    with pytest.raises(ValueError, match="2 seeds for 40 items: expected one for each item"):
        draw_noise([1, 2], 0, like)
    with pytest.raises(ValueError, match=r"draws noise: expected seeds=\[...\]"):
        next(sample([_guide(tiny_unet())], like, solver="ddpm"))


def test_a_step_changes_nothing_but_what_it_returns():
    network, latent = tiny_unet(), init_latent(tiny_unet(), 1)
    before = latent.clone()
    steps = timesteps(5)
    first = denoise_step([_guide(network)], latent, index=0, timesteps=steps)
    second = denoise_step([_guide(network)], latent, index=0, timesteps=steps)
    assert torch.equal(latent, before)
    assert torch.equal(first.latent, second.latent)


# ---- what does not fit ---------------------------------------------------------------------------


def test_guides_must_share_schedule_and_latent_space():
    image, latent = gaussian("image"), init_latent(gaussian("image"), 1)
    other = gaussian("sound", alpha_bar=stable_diffusion_alpha_bar() * 0.99)
    with pytest.raises(ValueError, match="'sound' and 'image' have different alpha_bar tables"):
        next(sample([_guide(image), _guide(other)], latent))
    shorter = gaussian("sound", alpha_bar=stable_diffusion_alpha_bar()[:500])
    with pytest.raises(
        ValueError, match=r"different alpha_bar tables.*expected one noise schedule"
    ):
        next(sample([_guide(image), _guide(shorter)], latent))
    wide = gaussian("sound", latent_shape=(16, 8, 16))
    with pytest.raises(ValueError, match=r"\(1, 4, 8, 16\): 'sound' expected \(B, 16, h, w\)"):
        next(sample([_guide(image), _guide(wide)], latent))


def test_latents_that_do_not_fit_are_refused():
    network = tiny_unet()
    for shape in [(1, 3, 8, 16), (4, 8, 16), (1, 4, 8, 15)]:
        with pytest.raises(ValueError, match=r"expected \(B, 4, h, w\), w a multiple of 2"):
            next(sample([_guide(network)], torch.zeros(shape)))


def test_silence_is_refused_with_its_step():
    guides = [_guide(gaussian("image"), stop=0.5), _guide(gaussian("sound"), start=0.75)]
    run = sample(guides, init_latent(guides[0].modality, 1), num_inference_steps=20)
    with pytest.raises(ValueError, match="at step 10 of 20: the weights of the 2 guides"):
        list(run)


def test_a_function_that_turns_negative_is_refused_with_its_step():
    guide = _guide(gaussian("image"), weight=lambda index, n: 2.5 - index)
    with pytest.raises(ValueError, match=r"at step 3 of 30: the weight was -0.5.*nowhere negative"):
        list(sample([guide], init_latent(guide.modality, 1)))


def test_nan_latents_are_refused():
    network = tiny_unet()
    latent = init_latent(network, 1)
    latent[0, 0, 0, 0] = float("nan")
    with pytest.raises(FloatingPointError, match=r"'image'.*t=958.*check the latent"):
        next(sample([_guide(network)], latent))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_inference_steps": 0}, "num_inference_steps=0: expected a whole number"),
        (
            {"solver": "euler"},
            r"unknown solver 'euler': expected one of \['ddim', 'ddpm', 'dpmpp_2m'\]",
        ),
        ({"spacing": "even"}, "unknown spacing 'even'"),
        ({"first_step": 30}, "first_step=30: expected 0 to 29"),
        ({"first_step": -1}, "first_step=-1: expected 0 to 29"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    network = gaussian("image")
    with pytest.raises(ValueError, match=message):
        next(sample([_guide(network)], init_latent(network, 1), **settings))


def test_no_guides_and_no_seeds_are_refused():
    with pytest.raises(ValueError, match="guides was empty: expected one Guide"):
        next(sample([], torch.zeros(1, 4, 8, 16)))
    with pytest.raises(ValueError, match="seeds was empty: expected a whole number"):
        init_latent(gaussian("image"), [])


# ---- encode, decode, Trajectory ------------------------------------------------------------------


def test_decode_gives_one_for_one_and_a_list_for_a_batch():
    toys = pair()
    latent = torch.zeros(1, *SHAPE)
    latent[:, 0, :, 8:] = 1  # right half white
    picture = decode(toys.image, latent)
    assert isinstance(picture, Picture) and picture.image.size == (128, 64)
    np.testing.assert_array_equal(
        np.asarray(picture.image)[0, [0, 63, 64, 127]], [128, 128, 255, 255]
    )
    sounds = decode(toys.sound, latent.expand(3, -1, -1, -1))
    assert [type(sound) for sound in sounds] == [Sound] * 3
    np.testing.assert_allclose(sounds[0].samples[[0, -1]], [0.25, 0.5])
    assert decode(toys.image, latent, crop=32).image.size == (96, 64)


def test_encode_is_the_way_back():
    toys = pair()
    latent = torch.zeros(1, *SHAPE)
    latent[:, 0] = torch.rand(8, 1, generator=torch.Generator().manual_seed(1)).expand(8, 16)
    back = encode(toys.image, decode(toys.image, latent))
    torch.testing.assert_close(back, latent, atol=0.01, rtol=0)
    assert encode(toys.image, latent) is latent


def test_encode_fits_the_canvas():
    toys = pair()
    square = torch.zeros(20, 20)
    square[:, 10:] = 1
    latent = encode(toys.image, square, width=256, fit="stretch")
    assert latent.shape == (1, 4, 8, 32)
    assert (latent[0, 0, :, :14] < -0.95).all() and (latent[0, 0, :, 18:] > 0.95).all()
    loud = Sound(np.full(100 * 8, 0.5), RATE)  # a hundred white columns
    longer, shorter = encode(toys.sound, loud, width=160), encode(toys.sound, loud, width=80)
    assert longer.shape == (1, 4, 8, 20) and shorter.shape == (1, 4, 8, 10)
    assert (longer[0, 0, :, :12] == 1).all() and (longer[0, 0, :, 13:] == -1).all()
    assert (shorter[0, 0] == 1).all()


def test_a_modality_that_cannot_read_says_so():
    mute = gaussian("image", analyse=None)
    with pytest.raises(ValueError, match=r"'image' has no analyse.*ndarray: expected a latent"):
        encode(mute, np.zeros((64, 128)))


def _trajectory(**settings):
    toys = pair(crop_pixels=16)
    guides = [_guide(toys.image, start=0.5), _guide(toys.sound)]
    run = sample(guides, init_latent(toys, [1, 2]), num_inference_steps=4)
    return Trajectory(tuple(run), {"seeds": [1, 2], **settings}, toys)


def test_trajectory_decodes_any_step_of_any_item():
    run = _trajectory()
    assert len(run) == 4 and torch.equal(run.latent, run.steps[-1].latent)
    for step, latent in ((None, run.latent), (2, run.steps[2].clean)):
        for item in (0, 1):
            expected = decode(run.pair.image, latent[item : item + 1]).image
            assert run.picture(step, item).image.tobytes() == expected.tobytes()
            sound = decode(run.pair.sound, latent[item : item + 1])
            np.testing.assert_array_equal(run.sound(step, item).samples, sound.samples)
            mel = run.pair.sound.decode(latent[item : item + 1])[0, 0].numpy()
            np.testing.assert_array_equal(run.mel_picture(step, item), mel)


def test_a_loop_of_ones_own_becomes_a_trajectory_that_plots_and_scrubs():
    toys = pair()
    three = [_guide(toys.image), _guide(toys.sound, start=0.5), _guide(toys.sound, "b")]
    steps = list(sample(three, init_latent(toys, 1), num_inference_steps=4))
    run = Trajectory((step for step in steps), pair=toys)
    assert run.steps == tuple(steps)
    assert run.picture(2).image.tobytes() == decode(toys.image, steps[2].clean).image.tobytes()
    told = facts(run)
    assert told["count"] == 4 and told["prompts"] == []
    assert told["diagnosis"]["guides"] == ["image", "sound", "guide 3"]
    drawn = plots.tug_of_war(run)
    assert [text.get_text() for text in drawn.get_legend().get_texts()] == told["diagnosis"][
        "guides"
    ]


def test_steps_count_from_0():
    run = _trajectory()
    first, last = (run.picture(step).image.tobytes() for step in (-4, -1))
    assert (run.picture(0).image.tobytes(), run.picture(3).image.tobytes()) == (first, last)
    for wrong in (4, -5):
        with pytest.raises(IndexError, match=f"step={wrong}: expected 0 to 3, since steps count"):
            run.sound(wrong)


def test_steps_prompts_and_pairs_print_no_arrays():
    run = _trajectory()
    assert repr(run.steps[0]) == f"Step(index=0, t={run.steps[0].t}, weights=(0.0, 1.0))"
    assert repr(encode_prompt(run.pair.image, "a", "fog")) == "Prompt(text='a', negative='fog')"
    assert "tensor" not in repr(run.pair)


def test_crop_cuts_picture_and_sound_alike():
    cut, whole = _trajectory(crop=True), _trajectory(crop=False)
    assert cut.picture().image.size == (112, 64) and whole.picture().image.size == (128, 64)
    np.testing.assert_array_equal(cut.sound().samples, whole.sound().samples[: 112 * 8])
    assert cut.mel_picture(1).shape == (64, 112)


def test_a_sound_is_rendered_whole_and_then_cut():
    """A voice that listens to the right: each column's loudness is the sum of all that follow."""

    def voice(picture):
        sums = picture.mean((0, 1)).flip(0).cumsum(0).flip(0)  # (W,)
        return Sound(sums.repeat_interleave(5).numpy(), RATE)

    toys = pair(crop_pixels=16)
    toys = replace(toys, sound=replace(toys.sound, render=voice))
    run = replace(_trajectory(crop=True), pair=toys)
    mel = toys.sound.decode(run.latent[:1])[0].mean(0)  # (64, 128), uncropped
    whole = [float(mel[:, column:].mean(0).sum()) for column in range(128)]
    expected = np.repeat(whole[:112], 5)
    for sound in (
        run.sound(),
        decode(toys.sound, run.latent[:1], 16),
        show(run, run.latent[:1])[1],
    ):
        np.testing.assert_allclose(sound.samples, expected, rtol=1e-5)
    np.testing.assert_array_equal(run.mel_picture(), mel[:, :112])
    assert show(run, run.latent[:1])[0].image.tobytes() == run.picture().image.tobytes()


@pytest.mark.parametrize("noises", [True, False])
def test_trajectory_survives_its_file(tmp_path, noises):
    run, path = _trajectory(prompt="çà ñ"), tmp_path / "run.safetensors"
    run.save(path, noises=noises)
    again = Trajectory.load(path, run.pair)
    assert again.recipe == run.recipe and len(again) == len(run)
    for old, new in zip(run.steps, again.steps, strict=True):
        assert (new.index, new.t, new.weights) == (old.index, old.t, old.weights)
        for name in ("noisy", "latent", "clean"):
            assert getattr(new, name).dtype == torch.float32
            assert _distance(getattr(new, name), getattr(old, name)) < 1e-3  # float16
        for before, after in zip(old.noises, new.noises, strict=True):
            if before is None or not noises:
                assert after is None
            else:
                assert _distance(after, before) < 1e-3
    difference = again.mel_picture(1, item=1) - run.mel_picture(1, item=1)
    assert np.abs(difference).max() < 0.01


def test_a_trajectory_prints_in_one_line_and_is_saved_in_a_new_folder(tmp_path):
    run = _trajectory(image_prompt="a castle", sound_prompt=None)
    assert repr(run) == "Trajectory('a castle', 4 steps, latent (2, 4, 8, 16))"
    run.save(tmp_path / "new" / "run.safetensors")
    assert len(Trajectory.load(tmp_path / "new" / "run.safetensors")) == 4
    with pytest.raises(IsADirectoryError, match="new is a folder: expected the name of a file"):
        run.save(tmp_path / "new")


def test_files_without_a_trajectory_and_runs_without_a_pair_are_refused(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"other.safetensors holds \['x'\]: expected a file of"):
        Trajectory.load(tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors at all, only words", encoding="utf-8")
    with pytest.raises(ValueError, match=r"text\.safetensors is damaged or no file of Trajectory"):
        Trajectory.load(tmp_path / "text.safetensors")
    run, path = _trajectory(), tmp_path / "run.safetensors"
    run.save(path)
    with pytest.raises(ValueError, match=r"no pair to decode with: expected .*pair="):
        Trajectory.load(path).picture()
    for nothing in ((), iter(())):
        with pytest.raises(ValueError, match="steps was empty"):
            Trajectory(nothing)


def test_one_hundred_full_size_steps_stay_small(tmp_path):
    """Two latents a step at the paper's size are about 6 MB; `noisy` adds half of that."""
    big = gaussian_pair(0.0, 1.0)
    guides = [_guide(big.image, scale=1)]
    step = next(sample(guides, torch.zeros(1, *SHAPE)))
    full = torch.zeros(1, 4, 32, 128)
    steps = [sampling.Step(i, step.t, full, full, full, (full,), (1.0,)) for i in range(100)]
    Trajectory(tuple(steps)).save(tmp_path / "run.safetensors", noises=False)
    assert (tmp_path / "run.safetensors").stat().st_size < 10e6
