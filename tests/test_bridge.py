"""Models joined through pixels against what they say when they share their latents."""

import pytest
import torch
import torch.nn.functional as F
from toys import SHAPE, gaussian, gaussian_pair

from itskit.bridge import through_pixels
from itskit.guidance import Guide, encode_prompt, estimate_noise
from itskit.sampling import init_latent, sample

STD = 0.5
MEAN = torch.randn(SHAPE, generator=torch.Generator().manual_seed(5))


def _encode(picture):
    """(N, 1, 64, 128) to (N, 4, 8, 16), without loss for what `_decode` makes."""
    return F.pixel_unshuffle(F.avg_pool2d(picture, 4), 2)


def _decode(latent):
    return F.pixel_shuffle(latent, 2).repeat_interleave(4, 2).repeat_interleave(4, 3)


def _lossless(name, mean, **changes):
    changes = {"encode": _encode, "decode": _decode, **changes}
    return gaussian(name, {"a": mean}, STD, **changes)


def _mirrored(name, mean):
    """The same pictures in another latent space: all signs are the other way round."""
    turned = {"encode": lambda p: -_encode(p), "decode": lambda z: _decode(-z)}
    return _lossless(name, -mean, **turned)


def _says(modality, latent, t):
    return estimate_noise(Guide(modality, encode_prompt(modality, "a"), scale=1), latent, t)


@pytest.mark.parametrize("t", [50, 500, 999])
def test_in_one_space_without_loss_the_bridge_is_not_there(t):
    other, space = _lossless("sound", MEAN), _lossless("image", torch.zeros(SHAPE))
    latent = init_latent(space, [1, 2])
    expected = _says(other, latent, t)
    torch.testing.assert_close(
        _says(through_pixels(other, space), latent, t), expected, atol=2e-4, rtol=1e-3
    )


def test_a_model_of_another_space_says_what_theory_says():
    """space's estimate c and noise n; other sees -sqrt(a) c + sqrt(1 - a) n, and finds the mean of
    its Gaussian given that; back through the mirror."""
    other, space = _mirrored("sound", MEAN), _lossless("image", torch.zeros(SHAPE))
    latent, t = init_latent(space, [3]), 600
    a = float(space.alpha_bar[t])
    v = a * STD**2 + 1 - a
    clean = a**0.5 * STD**2 / v * latent
    noise = (latent - a**0.5 * clean) / (1 - a) ** 0.5
    noisy = -(a**0.5) * clean + (1 - a) ** 0.5 * noise
    found = -MEAN + a**0.5 * STD**2 / v * (noisy + a**0.5 * MEAN)
    expected = (latent + a**0.5 * found) / (1 - a) ** 0.5
    torch.testing.assert_close(
        _says(through_pixels(other, space), latent, t), expected, atol=1e-4, rtol=1e-4
    )


def test_through_pixels_a_model_lands_where_it_would_have():
    """If the space's own model, without words, takes such pictures for possible."""
    other = _mirrored("sound", MEAN)
    space = gaussian("image", {"": MEAN}, STD, encode=_encode, decode=_decode)
    bridged = through_pixels(other, space)
    guide = Guide(bridged, encode_prompt(bridged, "a"), scale=1)
    *_, last = sample([guide], init_latent(space, range(30)), num_inference_steps=50)
    torch.testing.assert_close(last.latent.mean(0), MEAN, atol=0.5, rtol=0)
    assert (last.latent.mean(0) - MEAN).abs().mean() < 0.1
    straight = Guide(other, encode_prompt(other, "a"), scale=1)  # its latents, read as the space's
    *_, last = sample([straight], init_latent(space, range(30)), num_inference_steps=50)
    assert (last.latent.mean(0) + MEAN).abs().mean() < 0.1


def test_latents_of_another_shape_meet_on_the_canvas():
    """One channel of larger latents, every number a block of 4 x 4 pixels."""
    fields = {
        "latent_shape": (1, 16, 32), "vae_scale_factor": 4,
        "encode": lambda p: F.avg_pool2d(p, 4),
        "decode": lambda z: z.repeat_interleave(4, 2).repeat_interleave(4, 3),
        "encode_prompt": lambda _: torch.zeros(1, 1, 1),
        "predict_noise": lambda z, t, _: z,  # all is noise: the clean one is 0
    }  # fmt: skip
    other, space = _lossless("sound", MEAN, **fields), _lossless("image", MEAN)
    bridged, latent = through_pixels(other, space), init_latent(space, [1, 2])
    assert bridged.latent_shape == space.latent_shape and bridged.render is other.render
    a = float(space.alpha_bar[900])
    noise = bridged.predict_noise(latent, 900, torch.zeros(2, 1, 1))
    # Where x = sqrt(a') z + sqrt(1 - a') e is called noise, z = (1 - sqrt(1 - a')) x / sqrt(a').
    assert noise.shape == latent.shape
    again = bridged.predict_noise(latent[:1], 900, torch.zeros(1, 1, 1))
    torch.testing.assert_close(noise[:1], again)
    made = (latent - (1 - a) ** 0.5 * noise) / a**0.5
    plain = encode_prompt(space, "b").cond  # unknown words: mean 0, as without words
    clean = (latent - (1 - a) ** 0.5 * space.predict_noise(latent, 900, plain)) / a**0.5
    drawn = torch.randn((1, 16, 32), generator=torch.Generator("cpu").manual_seed(0))
    seen = a**0.5 * F.pixel_shuffle(clean, 2) + (1 - a) ** 0.5 * drawn
    expected = F.pixel_unshuffle((1 - (1 - a) ** 0.5) / a**0.5 * seen, 2)
    torch.testing.assert_close(made, expected, atol=1e-3, rtol=1e-3)


def test_pictures_of_other_heights_are_refused():
    toys = gaussian_pair(1.0, 2.0)
    flat = gaussian("flat", latent_shape=(4, 4, 16))
    with pytest.raises(ValueError, match=r"'flat' paints 32 rows .* 'image' 64"):
        through_pixels(flat, toys.image)
