"""Pictures and sounds as a notebook, a file and an ear meet them."""

import base64
import io
import re

import numpy as np
import pytest
import soundfile
from PIL import Image

from itskit.media import Picture, Sound


def _tone(gain=1.0, rate=16000, seconds=2.0):
    return gain * np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate)


def _read_player(html):
    data = re.search(r'src="data:audio/wav;base64,([^"]+)"', html).group(1)
    return soundfile.read(io.BytesIO(base64.b64decode(data)), dtype="float32")


def test_picture_shows_and_saves_its_own_pixels(tmp_path):
    pixels = np.arange(32 * 64, dtype=np.uint8).reshape(32, 64)
    picture = Picture(Image.fromarray(pixels))
    shown = Image.open(io.BytesIO(picture._repr_png_()))
    np.testing.assert_array_equal(np.asarray(shown), pixels)
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), pixels)


def test_both_print_in_one_line():
    assert repr(Picture(Image.new("L", (64, 32)))) == "Picture(64 x 32 px, L)"
    assert repr(Sound(np.zeros(8200), 16000)) == "Sound(0.51 s at 16000 Hz)"


def test_saving_makes_the_folders(tmp_path):
    picture, sound = Picture(Image.new("L", (64, 32))), Sound(_tone(), 16000)
    picture.save(tmp_path / "a" / "b" / "c.png")
    sound.save(str(tmp_path / "d" / "e.wav"))
    assert Image.open(tmp_path / "a" / "b" / "c.png").size == (64, 32)
    assert soundfile.info(tmp_path / "d" / "e.wav").duration == 2.0


def test_sound_knows_its_length_and_is_float32():
    sound = Sound(_tone(seconds=0.5), 16000)
    assert sound.duration == 0.5
    assert sound.samples.dtype == np.float32
    np.testing.assert_allclose(sound.samples, _tone(seconds=0.5), atol=1e-7)


def test_player_is_one_element_that_waits_to_be_pressed():
    html = Sound(_tone(), 16000)._repr_html_()
    assert html.count("<audio") == 1
    assert "controls" in html
    assert "autoplay" not in html and "loop" not in html
    samples, rate = _read_player(html)
    assert rate == 16000
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) / 2.0 == 440  # two seconds: bins half a hertz apart


@pytest.mark.parametrize("gain", [0.03, 0.1, 1.0, 50.0])
def test_played_and_saved_sounds_have_one_loudness_and_no_clipped_peak(gain, tmp_path):
    sound, usual = Sound(_tone(gain), 16000), Sound(_tone(0.3), 16000)
    played, _ = _read_player(sound._repr_html_())
    sound.save(tmp_path / "a.flac")
    saved, _ = soundfile.read(tmp_path / "a.flac", dtype="float32")
    expected, _ = _read_player(usual._repr_html_())
    for samples in (played, saved, sound.audible().samples):
        assert np.abs(samples).max() < 10 ** (-1 / 20) + 1e-3  # -1 dB of full scale
        assert np.std(samples) == pytest.approx(np.std(expected), rel=0.02)
    np.testing.assert_allclose(sound.samples, _tone(gain), rtol=1e-5, atol=1e-6)  # as they were


def test_silence_stays_silence(tmp_path):
    silence = Sound(np.zeros(16000), 16000)
    played, _ = _read_player(silence._repr_html_())
    silence.save(tmp_path / "a.wav")
    saved, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    for samples in (played, saved):
        assert len(samples) == 16000 and not samples.any()


@pytest.mark.parametrize("samples", [[], [[0.1, 0.2]], [0.0, np.nan], [np.inf]])
def test_what_is_not_a_sound_is_refused(samples):
    with pytest.raises(ValueError, match=r"samples of shape .*expected \(n,\) finite.*NaN"):
        Sound(np.array(samples), 16000)
