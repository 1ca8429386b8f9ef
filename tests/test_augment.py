"""Drawings redrawn and sounds recorded elsewhere: still themselves, and altered as is said."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from itskit.training.dataset import augment, canvas


def disc():
    image = Image.new("L", (128, 128))
    ImageDraw.Draw(image).ellipse((24, 24, 104, 104), fill=230)
    return image


def test_redrawn_drawings_differ_and_stay_whole():
    rng = np.random.default_rng(0)
    first, *others = [augment.redrawn(rng, np.asarray(disc())) for _ in range(40)]
    for drawing in others:
        assert drawing.shape == (128, 128) and drawing.dtype == np.uint8
        assert not np.array_equal(drawing, first)
        assert drawing.max() > 100
        edge = np.concatenate([drawing[[0, -1]].ravel(), drawing[:, [0, -1]].ravel()])
        assert edge.max() < 16  # nothing is cut


def test_one_generator_makes_one_drawing():
    once, again = (augment.redrawn(np.random.default_rng(3), np.asarray(disc())) for _ in range(2))
    np.testing.assert_array_equal(once, again)


def test_an_outline_is_bright_where_the_edge_is_and_nowhere_else():
    drawing = np.asarray(augment.outlined(disc(), 5))
    rows, columns = np.mgrid[:128, :128]
    away = np.abs(np.hypot(rows - 64, columns - 64) - 40)  # pixels from the disc's edge
    assert drawing[away < 1].min() > 200
    assert drawing[away > 5].max() == 0


def test_bands_shift_down_the_picture_and_silence_comes_in():
    sound = np.arange(1.0, 13).reshape(4, 3)
    lower = [[0, 0, 0], [1, 2, 3], [4, 5, 6], [7, 8, 9]]
    np.testing.assert_array_equal(augment.shifted(sound, 1), lower)
    np.testing.assert_array_equal(augment.shifted(sound, -2)[:2], sound[2:])
    assert augment.shifted(sound, -2)[2:].max() == 0
    np.testing.assert_array_equal(augment.shifted(sound, 0), sound)


def test_in_a_reverberant_room_a_click_falls_evenly():
    click = np.zeros((2, 30))
    click[0, 4] = 40.0
    heard = augment.reverberant(click, 2.0)
    np.testing.assert_allclose(heard[0, 4:25], 40 - 2.0 * np.arange(21))
    assert heard[0, :4].max() == 0 and heard[1].max() == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_colour_is_smooth_and_cuts_at_most_the_highest_bands(seed):
    rng = np.random.default_rng(seed)
    for _ in range(50):
        response = augment.coloration(rng, 128)
        assert np.abs(np.diff(response)).max() < 5  # dB from band to band
        assert np.abs(response[64:]).max() < 25  # the lower half comes through


def test_rerecorded_sounds_keep_their_pitch_and_their_rhythm():
    """A low tone in pulses: loudest within a few bands of where it was, and as many pulses."""
    mel = np.zeros((128, 200), np.uint8)
    for start in range(0, 200, 40):
        mel[98:102, start + 4 : start + 24] = 220
    rng = np.random.default_rng(1)
    for _ in range(30):
        heard = augment.rerecorded(rng, mel)
        assert heard.dtype == np.uint8 and heard.shape[0] == 128
        assert heard.shape[1] == pytest.approx(200, rel=0.8)
        assert np.argmax(heard.mean(1)) == pytest.approx(100, abs=12)
        loud = heard[np.argmax(heard.mean(1))].astype(float)
        on = loud > loud.max() - 5 / canvas.DECIBELS * 255  # rooms may ring between the pulses
        assert np.count_nonzero(np.diff(on.astype(int)) == 1) in (4, 5)


def test_a_level_on_the_decibel_scale_stays_one():
    """Grey levels are dB: a colour of c dB adds c / DECIBELS."""
    mel = np.full((128, 50), 128, np.uint8)
    rng = np.random.default_rng(5)
    levels = np.concatenate([augment.rerecorded(rng, mel)[64:].ravel() for _ in range(40)])
    assert levels.mean() / 255 * canvas.DECIBELS == pytest.approx(
        128 / 255 * canvas.DECIBELS, abs=2.5
    )
