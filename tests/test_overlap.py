"""Statistics of pictures, piles and models against closed forms; `test_analytic` tests what is read
from runs."""

import numpy as np
import pytest
import torch
from scipy.stats import norm
from toys import SHAPE, gaussian

from itskit import overlap
from itskit.overlap.piles import _auc_interval


def _noise(exponent, count=6, size=128, seed=0, stretch=1.0):
    """Pictures whose power falls as 1 / frequency**exponent, made in the frequency domain;
    `stretch` above 1 counts changes along the columns as more rapid than they are."""
    y, x = np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size), indexing="ij")
    radius = np.hypot(x, y * stretch)
    radius[0, 0] = 1.0
    white = np.fft.fft2(np.random.default_rng(seed).standard_normal((count, size, size)))
    return np.fft.ifft2(white * radius ** (-exponent / 2)).real


def _grating(degrees, size=128, period=8.0):
    """Strokes that rise to the right by so many degrees, against the clock."""
    y, x = np.mgrid[:size, :size].astype(float)
    angle = np.radians(degrees)
    across = x * np.sin(angle) + y * np.cos(angle)  # rows count downwards
    return np.sin(2 * np.pi * across / period)


# ---- single pictures -----------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 3.0])
def test_the_slope_of_noise_is_the_one_it_was_made_with(exponent):
    found = overlap.slope(_noise(exponent))
    assert found.shape == (6,)
    assert found.mean() == pytest.approx(exponent, abs=0.1)


def test_power_of_a_grating_lies_at_its_frequency():
    spectrum = overlap.power(_grating(90.0, period=8.0))[0]  # upright strokes: changes in time
    row, column = np.unravel_index(spectrum.argmax(), spectrum.shape)
    assert row == 64 and abs(column - 64) == 128 / 8
    white = np.random.default_rng(0).standard_normal((20, 64, 96))
    assert overlap.power(white).mean() == pytest.approx(1.0, rel=0.05)  # Parseval: the variance
    assert overlap.power(np.full((32, 32), 0.7)).max() < 1e-20


def test_anisotropy_is_zero_for_round_spectra_and_known_for_stretched_ones():
    assert abs(overlap.anisotropy(_noise(2.0, count=12)).mean()) < 0.15
    # Power radius**-2, one axis counted four-fold: means over the wedges, by sums over the grid.
    y, x = np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128), indexing="ij")
    radius, angle = np.hypot(x, y), np.degrees(np.arctan2(abs(y), abs(x)))
    inside = (radius >= 1 / 32) & (radius < 1 / 4)
    density = 1 / np.maximum(x**2 + 16 * y**2, 1e-12)
    time, pitch = (density[inside & wedge].mean() for wedge in (angle < 22.5, angle > 67.5))
    expected = np.log2(time / pitch)
    found = overlap.anisotropy(_noise(2.0, count=12, stretch=4.0)).mean()
    assert expected > 2 and found == pytest.approx(expected, abs=0.25)


def test_anisotropy_has_the_sign_of_the_strokes_and_turns_with_the_picture():
    upright, level = _grating(90.0), _grating(0.0)
    assert overlap.anisotropy(upright)[0] > 5 > -5 > overlap.anisotropy(level)[0]
    noise = _noise(2.0, stretch=3.0)
    turned = overlap.anisotropy(np.rot90(noise, axes=(1, 2)))
    np.testing.assert_allclose(turned, -overlap.anisotropy(noise), atol=0.15)


@pytest.mark.parametrize("k", range(8))
def test_strokes_of_rotated_gratings_fall_into_their_bin(k):
    found = overlap.orientations(_grating(k * 180 / 8), bins=8)[0]
    assert found.sum() == pytest.approx(1.0)
    assert found[k] > 0.95


def test_pictures_without_strokes_have_no_orientation():
    assert (overlap.orientations(np.ones((2, 16, 16))) == 0).all()
    white = np.random.default_rng(0).standard_normal((4, 128, 128))
    np.testing.assert_allclose(overlap.orientations(white, bins=4).mean(0), 0.25, atol=0.02)


def test_what_is_no_grey_picture_is_refused():
    with pytest.raises(ValueError, match=r"shape \(1, 3, 8, 8\): expected \(N, H, W\)"):
        overlap.slope(np.zeros((1, 3, 8, 8)))
    with pytest.raises(ValueError, match=r"holds 0 rings .* larger pictures"):
        overlap.slope(np.zeros((1, 4, 4)))
    with pytest.raises(ValueError, match="finite"):
        overlap.orientations(np.full((8, 8), np.nan))


# ---- piles ---------------------------------------------------------------------------------------


def _cloud(count, dimension, seed=0, width=40):
    """Gaussian points of a dimension, turned into a wider space."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.standard_normal((width, dimension)))
    return rng.standard_normal((count, dimension)) @ turn.T


@pytest.mark.parametrize("known", [1, 2, 5])
def test_the_dimension_of_a_gaussian_is_found_in_a_wider_space(known):
    found = overlap.dimension(_cloud(1500, known))
    assert found.value == pytest.approx(known, rel=0.12)
    assert found.low < found.value < found.high


def test_intervals_of_the_dimension_hold_what_they_promise():
    inside = [
        found.low <= 2 <= found.high
        for found in (overlap.dimension(_cloud(200, 2, seed)) for seed in range(200))
    ]
    assert 0.88 <= np.mean(inside) <= 0.99  # 95%, were neighbours independent


def test_copies_have_no_dimension():
    points = _cloud(100, 2)
    twice = overlap.dimension(np.concatenate([points, points[:1]]))
    assert twice.value == pytest.approx(overlap.dimension(points).value, rel=0.1)
    with pytest.raises(ValueError, match="take out the copies"):
        overlap.dimension(np.ones((10, 3)))


def test_two_halves_of_one_pile_cover_each_other_as_theory_says():
    """Naeem et al. 2020, lemma 2: for n points of one source in each of two piles."""
    n, k = 150, 5
    expected = 1 - np.prod([(n - 1 - i) / (2 * n - 1 - i) for i in range(k)])
    found = [
        overlap.nearness(_cloud(n, 3, 2 * s, 3), _cloud(n, 3, 2 * s + 1, 3), k) for s in range(12)
    ]
    assert np.mean([f.coverage for f in found]) == pytest.approx(expected, abs=0.015)
    assert np.mean([f.density for f in found]) == pytest.approx(1.0, abs=0.06)


def test_far_piles_share_nothing_and_a_narrow_one_is_precise():
    wide, rng = _cloud(200, 2, width=2), np.random.default_rng(3)
    assert overlap.nearness(wide + 100, wide) == (0, 0, 0, 0)
    narrow = rng.standard_normal((200, 2)) * 0.1
    found = overlap.nearness(narrow, wide)
    assert found.precision == 1.0 and found.recall < 0.2
    # By hand, on a line: neighbourhoods of the real reach to the next, one of three holds a made.
    real, made = np.array([[0.0], [1.0], [10.0]]), np.array([[0.2], [20.0], [40.0]])
    assert overlap.nearness(made, real, k=1) == pytest.approx((1 / 3, 1, 2 / 3, 2 / 3))


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.0])
def test_the_auc_of_a_known_shift(shift):
    """Two unit Gaussians `shift` apart: the best classifier has Phi(shift / sqrt 2)."""
    one, other = _cloud(600, 1, 1, 1), _cloud(600, 1, 2, 1) + shift
    found = overlap.separability(one, other)
    expected = float(norm.cdf(shift / 2**0.5))
    assert found.auc == pytest.approx(expected, abs=0.06 if shift == 0 else 0.03)
    assert found.low - 0.02 < expected < found.high + 0.02
    assert found.said.shape == (1200,) and 0 <= found.said.min() <= found.said.max() <= 1


def test_groups_are_held_out_together():
    """Copies of a few things with labels by chance: who may look at a copy of it knows it all."""
    rng = np.random.default_rng(0)
    things = rng.standard_normal((20, 60))
    one, other = (np.repeat(part, 8, 0) for part in (things[:10], things[10:]))
    groups = np.repeat(np.arange(20), 8)
    assert overlap.separability(one, other).auc > 0.95
    assert overlap.separability(one, other, groups=groups).auc < 0.8


def test_the_interval_of_an_auc():
    low, high = _auc_interval(1.0, 20, 20)
    assert 0.8 < low < 1 == high
    low, high = _auc_interval(0.8, 50, 50)
    spread = (0.8 * 0.2 * (1 + 49 * (0.2 / 1.2 + 0.8 / 1.8)) / 2500) ** 0.5  # Hanley & McNeil
    assert (high - low) / 2 == pytest.approx(1.96 * spread, rel=0.05)
    assert 0.8 - low > high - 0.8 > 0  # longer towards the middle
    assert _auc_interval(0.2, 50, 50) == pytest.approx((1 - high, 1 - low), abs=1e-6)


def test_what_is_no_pile_is_refused():
    points = _cloud(20, 2)
    with pytest.raises(ValueError, match=r"one has shape \(20,\): expected \(N, D\)"):
        overlap.separability(points[:, 0], points)
    with pytest.raises(ValueError, match="points of 40 and of 3 numbers"):
        overlap.nearness(points, points[:, :3])
    with pytest.raises(ValueError, match="N at least 21"):
        overlap.nearness(points, points, k=20)
    with pytest.raises(ValueError, match=r"piles has 1 groups: expected at least folds=5"):
        overlap.separability(points, points, groups=[0] * 20 + list(range(20)))
    with pytest.raises(ValueError, match="groups for 40 points: expected one for each"):
        overlap.separability(points, points, groups=[0, 1])


# ---- models --------------------------------------------------------------------------------------


def test_a_models_loss_on_its_own_data_and_on_strange_data():
    """Of the perfect denoiser of N(m, s**2): a s**2 / v on its own, v = a s**2 + 1 - a, and
    (1 - a) a (c - m)**2 / v**2 more on latents around c with the same spread."""
    std, timesteps = 0.5, [900, 500, 100]
    model = gaussian("image", {"a": 1.0}, std)
    latents = 1.0 + std * torch.randn(400, *SHAPE, generator=torch.Generator().manual_seed(0))
    own = overlap.losses(model, latents, timesteps, prompt="a")
    strange = overlap.losses(model, latents - 0.7, timesteps, prompt="a")
    assert own.shape == (400, 3)
    a = model.alpha_bar[timesteps].double().numpy()
    v = a * std**2 + 1 - a
    np.testing.assert_allclose(own.mean(0), a * std**2 / v, rtol=0.02)
    np.testing.assert_allclose(strange.mean(0) - own.mean(0), (1 - a) * a * 0.49 / v**2, rtol=0.05)


def test_models_are_asked_with_the_same_noise():
    latents = torch.zeros(2, *SHAPE)
    one, other = (overlap.losses(gaussian(n, {}, 0.5), latents, [500]) for n in ("image", "sound"))
    assert (one == other).all() and one[0] != one[1]
    again = overlap.losses(gaussian("image", {}, 0.5), latents[:1], [500])
    assert again[0] == one[0]
    more = overlap.losses(gaussian("image", {}, 0.5), latents, [500], draws=50)
    assert abs(more[0, 0] - more[1, 0]) < abs(one[0, 0] - one[1, 0])


def test_latents_of_another_space_and_unknown_timesteps_are_refused():
    model = gaussian()
    with pytest.raises(ValueError, match=r"\(1, 3, 8, 16\): 'image' expected \(N, 4, h, w\)"):
        overlap.losses(model, torch.zeros(1, 3, 8, 16), [500])
    with pytest.raises(ValueError, match=r"timesteps=\[1000\]: expected each in 0 to 999"):
        overlap.losses(model, torch.zeros(1, *SHAPE), [1000])
