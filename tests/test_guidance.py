"""Guidance and blending against closed forms and against plain loops."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from toys import SHAPE, gaussian, tiny_unet

from itskit.guidance import Guide, blend, encode_prompt, estimate_noise, weight_map, weight_maps
from itskit.media import Picture
from itskit.schedule import stable_diffusion_alpha_bar

GRID = SHAPE[1:]


def _latent(batch=2, seed=0):
    return torch.randn(batch, *SHAPE, generator=torch.Generator().manual_seed(seed))


def _guide(modality, text="a bell", negative="", **settings):
    return Guide(modality, encode_prompt(modality, text, negative), **settings)


# ---- classifier-free guidance --------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.0, 0.5, 2.0, 7.5])
def test_guided_point_masses_are_a_point_mass_further_out(scale):
    """With clean latents u and c certain, guidance by s is certain of u + s (c - u)."""
    modality = gaussian("image", {"c": 2.0, "u": -1.0})
    latent, a = _latent(), stable_diffusion_alpha_bar()[300]
    noise = estimate_noise(_guide(modality, "c", "u", scale=scale), latent, 300)
    mean = -1 + scale * 3
    torch.testing.assert_close(noise, (latent - a**0.5 * mean) / (1 - a) ** 0.5)


def test_both_branches_in_one_call_are_two_calls():
    modality, latent = tiny_unet(), _latent(3)
    prompt = encode_prompt(modality, "a bell", "a car")
    rows = []
    with torch.no_grad():
        for item in latent:  # one by one, one branch at a time
            cond = modality.predict_noise(item[None], 400, modality.encode_prompt("a bell"))
            uncond = modality.predict_noise(item[None], 400, modality.encode_prompt("a car"))
            rows.append(uncond + 7.5 * (cond - uncond))
    got = estimate_noise(Guide(modality, prompt), latent, 400)
    torch.testing.assert_close(got, torch.cat(rows), rtol=1e-5, atol=1e-5)
    assert not got.requires_grad


def test_solo_words_are_those_of_encode_solo_if_there_is_one():
    plain = gaussian("image", {"c": 2.0, "u": -1.0})
    told = gaussian("image", {"c": 5.0, "u": 3.0}).encode_prompt
    modality = replace(plain, encode_solo=told)
    words = {solo: encode_prompt(modality, "c", "u", solo=solo) for solo in (False, True)}
    for solo, encode in ((False, plain.encode_prompt), (True, told)):
        assert torch.equal(words[solo].cond, encode("c"))
        assert torch.equal(words[solo].uncond, encode("u"))
    assert torch.equal(encode_prompt(plain, "c", solo=True).cond, plain.encode_prompt("c"))


def test_scale_one_asks_the_conditional_branch_only():
    modality, asked = tiny_unet(), []

    def predict_noise(latent, t, prompt_embeds):
        asked.append(len(latent))
        return modality.predict_noise(latent, t, prompt_embeds)

    counting = tiny_unet(predict_noise=predict_noise)
    latent = _latent()
    got = estimate_noise(_guide(counting, scale=1.0), latent, 400)
    with torch.no_grad():
        embeds = modality.encode_prompt("a bell").expand(2, -1, -1)
        expected = modality.predict_noise(latent, 400, embeds)
    assert asked == [2]
    torch.testing.assert_close(got, expected)


def test_noise_of_an_adapter_in_half_precision_comes_back_in_float32():
    half = tiny_unet(predict_noise=lambda latent, t, embeds: latent.half())
    noise = estimate_noise(_guide(half), _latent(), 400)
    assert noise.dtype == torch.float32


def test_nan_is_blamed_on_its_guide():
    broken = tiny_unet("sound", predict_noise=lambda latent, t, embeds: latent / 0)
    with pytest.raises(FloatingPointError, match=r"'sound'.*NaN.*t=400.*expected finite.*float32"):
        estimate_noise(_guide(broken), _latent(), 400)


# ---- prompts and guides --------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "  \n", None, 7])
def test_empty_prompts_are_refused(text):
    with pytest.raises(ValueError, match=r"prompt for 'image' was .*expected words"):
        encode_prompt(gaussian("image"), text)


@pytest.mark.parametrize(
    "settings",
    [
        {"start": -0.1},
        {"start": 0.5, "stop": 0.5},
        {"stop": 1.2},
        {"start": float("nan")},
        {"scale": float("inf")},
    ],
)
def test_impossible_guides_are_refused(settings):
    with pytest.raises(ValueError, match=r"'image' was given scale=.*expected.*start < stop <= 1"):
        _guide(gaussian("image"), **settings)


GREYS = np.arange(8 * 16, dtype=np.uint8).reshape(8, 16) * 2  # of a mask, up to 254


@pytest.mark.parametrize("mask", [
    GREYS, torch.from_numpy(GREYS), GREYS.astype(np.uint16) * 257, GREYS.astype(np.float32),
    GREYS.astype(float).tolist(), GREYS.astype(int), GREYS // 60,
], ids=lambda mask: f"{type(mask).__name__} {getattr(mask, 'dtype', '')}")  # fmt: skip
def test_grey_levels_are_not_taken_for_weights(mask):
    with pytest.raises(ValueError, match=r"a map of .* up to .*: expected weights.*divide by 255"):
        weight_map(mask, GRID)
    with pytest.raises(ValueError, match="divide by 255"):
        _guide(gaussian("image"), weight=mask)


def test_a_mask_that_is_a_picture_is_understood():
    expected = weight_map(GREYS / 255, GRID)
    for mask in (
        Image.fromarray(GREYS),
        Picture(Image.fromarray(GREYS)),
        Image.fromarray(GREYS).convert("RGB"),
    ):
        torch.testing.assert_close(weight_map(mask, GRID), expected)
    torch.testing.assert_close(weight_map(GREYS > 9, GRID), weight_map((GREYS > 9) * 1.0, GRID))
    assert weight_map(np.ones((2, 2), np.uint8), GRID).eq(1).all()
    assert weight_map([[3, 5]], GRID).max() == 5 and float(weight_map(300, GRID)[0, 0]) == 300


@pytest.mark.parametrize("weight", [-0.1, float("nan"), [1.0, 2.0], np.array([[0.5, -1.0]])])
def test_impossible_weights_are_refused(weight):
    with pytest.raises(ValueError, match=r"weight was .*expected a number or a map \(H, W\)"):
        _guide(gaussian("image"), weight=weight)


@pytest.mark.parametrize(
    ("start", "stop", "steps", "speaking"),
    [
        (0.1, 1.0, 100, range(10, 100)),
        (0.07, 1.0, 100, range(7, 100)),  # 0.07 * 100 is a little more than 7
        (0.0, 0.5, 30, range(15)),
        (0.3, 0.6, 10, range(3, 6)),
        (0.0, 1.0, 1, range(1)),
    ],
)
def test_speaks_in_its_part_of_the_run(start, stop, steps, speaking):
    guide = _guide(gaussian("image"), weight=0.5, start=start, stop=stop)
    assert [i for i in range(steps) if guide.weight_at(i, steps) == 0.5] == list(speaking)
    assert all(guide.weight_at(i, steps) == 0 for i in set(range(steps)) - set(speaking))


def test_weight_may_be_a_function_of_the_step():
    guide = _guide(gaussian("image"), weight=lambda index, n: index / n)
    assert [guide.weight_at(i, 4) for i in range(4)] == [0, 0.25, 0.5, 0.75]


# ---- blending ------------------------------------------------------------------------------------


def test_blend_is_the_weighted_mean_cell_by_cell():
    noises = [_latent(2, seed).numpy().astype(np.float64) for seed in range(3)]
    rng = np.random.default_rng(0)
    weights = [0.7, rng.random(GRID), rng.random(GRID)]
    expected = np.zeros_like(noises[0])
    for y, x in np.ndindex(GRID):
        here = [w if np.isscalar(w) else w[y, x] for w in weights]
        for w, noise in zip(here, noises, strict=True):
            expected[..., y, x] += w / sum(here) * noise[..., y, x]
    got = blend([torch.from_numpy(noise).float() for noise in noises], weights)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_the_silent_leave_their_part_to_the_others():
    a, b, c = _latent(3, 1).split(1)
    torch.testing.assert_close(blend([a, None, c], [1.0, 5.0, 3.0]), 0.25 * a + 0.75 * c)
    assert torch.equal(blend([None, b], [0.5, 0.3]), b)


def test_halves_go_to_their_own_guides():
    a, b = _latent(2, 1).split(1)
    left = np.zeros((64, 128))
    left[:, :64] = 1
    got = blend([a, b], [left, 1 - left])
    assert torch.equal(got[..., :8], a[..., :8])
    assert torch.equal(got[..., 8:], b[..., 8:])


@pytest.mark.parametrize("size", [(2, 1), (8, 16), (64, 128), (24, 16)])
def test_maps_of_any_size_keep_top_on_top(size):
    top = torch.zeros(size)
    top[: size[0] // 2] = 3.0
    expected = torch.zeros(GRID)
    expected[:4] = 3.0
    torch.testing.assert_close(weight_map(top, GRID), expected)
    torch.testing.assert_close(weight_map(top.tolist(), GRID), expected)
    torch.testing.assert_close(weight_map(top.numpy()[::-1], GRID), expected.flip(0))


def test_maps_are_averaged_over_a_cell():
    fine = np.random.default_rng(1).random((64, 128)).astype(np.float32)
    expected = fine.reshape(8, 8, 16, 8).mean((1, 3))
    np.testing.assert_allclose(weight_map(fine, GRID), expected, rtol=1e-5)


def test_nobody_speaking_anywhere_or_somewhere_is_refused():
    with pytest.raises(ValueError, match=r"2 guides.*all 0 on 128 of 128.*change a weight"):
        weight_maps([0.0, 0.0], GRID)
    hole = torch.ones(GRID)
    hole[0, 0] = 0
    with pytest.raises(ValueError, match=r"all 0 on 1 of 128.*expected somebody"):
        weight_maps([hole, hole], GRID)
    with pytest.raises(ValueError, match="2 noises, all of them None"):
        blend([None, None], [1.0, 1.0])
