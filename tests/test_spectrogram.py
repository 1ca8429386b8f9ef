"""Pictures against librosa, sounds against their formulas, loudness against BS.1770."""

import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import librosa
import numpy as np
import pytest
import scipy.signal
import torch

from itskit.spectrogram import (
    PAPER_MEL,
    POCKET_MEL,
    column_seconds,
    integrated_loudness,
    mel_picture,
    normalise_loudness,
    reconstruct,
    row_frequencies,
)

SR = 16000
SETTINGS = pytest.mark.parametrize("mel", [POCKET_MEL, PAPER_MEL], ids=["pocket", "paper"])


def tone(frequency, seconds=2.0, sr=SR, level=0.1):
    return (level * np.sin(2 * np.pi * frequency * np.arange(seconds * sr) / sr)).astype("float32")


def noise(n=20000, level=0.1, seed=0):
    return (level * np.random.default_rng(seed).normal(size=n)).astype("float32")


def bell(seconds=2.0):
    """Struck every 0.7 s: onsets, decays and partials that beat."""
    t = np.arange(seconds * SR) / SR
    partials = [(523, 0.1, 2), (1046, 0.07, 3), (1255, 0.06, 4), (2353, 0.04, 7)]
    y = sum(a * np.exp(-d * (t % 0.7)) * np.sin(2 * np.pi * f * t) for f, a, d in partials)
    return y.astype("float32")


def pitch(y, sr=SR):
    """Frequency in Hz of the strongest sinusoid of `y`, from one long, padded FFT."""
    n = 16 * len(y)
    return np.argmax(np.abs(np.fft.rfft(y * np.hanning(len(y)), n))) * sr / n


def semitones(a, b):
    return abs(12 * np.log2(a / b))


def difference_db(a, b, mel=POCKET_MEL):
    """Mean absolute difference of two pictures in dB."""
    return float((a - b).abs().mean()) * (mel.log_max - mel.log_min) * 20 / np.log(10)


# --- pictures -----------------------------------------------------------------------------------


@SETTINGS
@pytest.mark.parametrize("n", [20000, 16037, 1600, 161])
def test_picture_is_librosas(mel, n):
    y = noise(n, level=0.02)
    S = librosa.feature.melspectrogram(
        y=np.pad(y, (mel.n_fft - mel.hop_length) // 2, mode="reflect"),
        sr=SR,
        n_fft=mel.n_fft,
        win_length=mel.win_length,
        hop_length=mel.hop_length,
        n_mels=mel.n_mels,
        center=False,
        power=1.0,
    )
    expected = (np.log(S) - mel.log_min) / (mel.log_max - mel.log_min)
    assert np.mean((expected > 0) & (expected < 1)) > 0.95  # little is hidden by clipping
    picture = mel_picture(y, mel)
    assert picture.dtype == torch.float32 and picture.shape == (mel.n_mels, n // 160)
    np.testing.assert_allclose(picture, np.clip(expected, 0, 1)[::-1], atol=1e-4)


def test_settings_are_the_papers():
    assert (PAPER_MEL.sr, PAPER_MEL.n_fft, PAPER_MEL.win_length) == (16000, 2048, 1024)
    assert (PAPER_MEL.hop_length, PAPER_MEL.n_mels) == (160, 256)
    assert np.exp([PAPER_MEL.log_min, PAPER_MEL.log_max]) == pytest.approx([1e-5, 200])
    decibels = (POCKET_MEL.log_max - POCKET_MEL.log_min) * 20 / np.log(10)
    assert POCKET_MEL.decibels == pytest.approx(decibels) == pytest.approx(104.3, abs=0.1)


@SETTINGS
def test_rows_are_librosas_mel_frequencies(mel):
    edges = librosa.mel_frequencies(mel.n_mels + 2, fmin=0, fmax=8000)
    np.testing.assert_allclose(row_frequencies(mel)[::-1], edges[1:-1], rtol=1e-6)


@SETTINGS
@pytest.mark.parametrize("frequency", [200, 440, 1000, 3150, 7000])
def test_a_tone_lights_its_row(mel, frequency):
    row = int(mel_picture(tone(frequency), mel)[:, 100].argmax())
    nearest = np.argmin(np.abs(row_frequencies(mel) - frequency))
    assert abs(row - nearest) <= 1


def test_a_click_lights_its_column():
    y = np.zeros(2 * SR, "float32")
    y[round(1.2345 * SR)] = 1
    loudness = mel_picture(y).sum(0).numpy()
    lit = column_seconds(200)[loudness > 0.9 * loudness.max()]
    assert lit.mean() == pytest.approx(1.2345, abs=0.01)
    assert loudness[column_seconds(200) < 1.19].max() == 0  # a window reaches 32 ms


def test_a_chirp_climbs_from_the_bottom():
    t = np.arange(2 * SR) / SR
    picture = mel_picture(0.1 * np.sin(2 * np.pi * (500 * t + 1500 * t**2 / 2)))  # 500 -> 3500 Hz
    columns = slice(10, 190)
    ridge = row_frequencies()[picture.argmax(0).numpy()][columns]
    np.testing.assert_allclose(ridge, 500 + 1500 * column_seconds(200)[columns], rtol=0.05)


def test_batches_and_tensors_are_painted_alike():
    y = noise(2 * 3 * 3200).reshape(2, 3, 3200)
    before = y.copy()
    batch = mel_picture(torch.from_numpy(y))
    assert batch.shape == (2, 3, 128, 20)
    torch.testing.assert_close(batch[1, 2], mel_picture(y[1, 2].astype("float64")))
    np.testing.assert_array_equal(y, before)


def test_silence_is_black_and_black_is_silent():
    picture = mel_picture(np.zeros(SR))
    assert picture.max() == 0
    np.testing.assert_array_equal(reconstruct(picture), np.zeros(SR))


# --- sounds -------------------------------------------------------------------------------------


@pytest.mark.parametrize("frequency", [110, 262, 440, 1500, 4000])
def test_a_tone_keeps_its_pitch(frequency):
    y = reconstruct(mel_picture(tone(frequency)))
    assert y.dtype == np.float32 and y.shape == (2 * SR,)
    middle = y[SR // 2 : -SR // 2]
    assert semitones(pitch(middle), frequency) < 0.5
    level = np.sqrt(np.mean(middle**2)) / (0.1 / np.sqrt(2))
    assert abs(20 * np.log10(level)) < 3  # dB; wide rows at the top spread a tone


def test_the_papers_picture_is_heard_too():
    y = reconstruct(mel_picture(tone(440, 1.0), PAPER_MEL), PAPER_MEL, n_iter=8)
    assert semitones(pitch(y), 440) < 0.5


def test_a_chirp_is_heard_where_it_was():
    t = np.arange(2 * SR) / SR
    y = reconstruct(mel_picture(0.1 * np.sin(2 * np.pi * (400 * t + 1000 * t**2 / 2))))
    for second in (0.4, 0.8, 1.2, 1.6):
        part = y[round((second - 0.03) * SR) : round((second + 0.03) * SR)]
        assert semitones(pitch(part), 400 + 1000 * second) < 0.5


def test_a_burst_is_heard_when_it_was():
    y = np.zeros(2 * SR, "float32")
    y[12000:20000] = noise(8000)
    energy = np.square(reconstruct(mel_picture(y)))
    begin, end = np.searchsorted(np.cumsum(energy) / energy.sum(), [0.02, 0.98]) / SR
    assert (begin, end) == pytest.approx((0.76, 1.24), abs=0.02)


@pytest.mark.parametrize("y", [bell(), noise(2 * SR), tone(440) + tone(1000)])
def test_sound_analysed_anew_is_the_picture(y):
    picture = mel_picture(y)
    assert difference_db(mel_picture(reconstruct(picture)), picture) < 1.5


def test_rounds_bring_the_sound_nearer():
    picture = mel_picture(bell())
    by_rounds = [mel_picture(reconstruct(picture, n_iter=n)) for n in (0, 8, 32)]
    errors = [difference_db(again, picture) for again in by_rounds]
    assert errors[0] > 1.2 * errors[1] > 1.2**2 * errors[2]


@pytest.mark.parametrize("y", [bell(), noise(2 * SR)])
def test_nearer_than_librosas_griffin_lim(y):
    mel, picture = POCKET_MEL, mel_picture(y)
    magnitude = np.exp(mel.log_min + picture.numpy()[::-1] * (mel.log_max - mel.log_min))
    other = librosa.feature.inverse.mel_to_audio(
        magnitude, sr=SR, n_fft=1024, hop_length=160, center=False, power=1.0, n_iter=32
    )[432 : 432 + len(y)]
    ours = difference_db(mel_picture(reconstruct(picture)), picture)
    assert ours < 0.8 * difference_db(mel_picture(other), picture)


def test_the_sound_of_a_like_picture_saves_most_rounds():
    """Led by a sound whose picture is much like it, 4 rounds come nearly as near as 32 alone do;
    led by a sound that has nothing to do with it, they do not."""
    t = np.arange(40960) / SR
    bell = sum(np.sin(2 * np.pi * hz * t) * np.exp(-3 * (t % 0.8)) for hz in (440, 1130, 2210)) / 8
    wanted = mel_picture(bell.astype("float32"))
    blurred = torch.nn.functional.avg_pool2d(wanted[None], 3, 1, 1)[0]  # as an earlier step is
    near = torch.from_numpy(reconstruct(blurred))
    led = reconstruct(wanted, near=near, n_iter=4)
    astray = reconstruct(wanted, near=torch.from_numpy(noise(40960)), n_iter=4)
    off, alone, lost = (
        difference_db(mel_picture(y), wanted) for y in (led, reconstruct(wanted), astray)
    )
    assert off < alone + 0.8 < lost
    assert np.array_equal(led, reconstruct(wanted, near=near, n_iter=4, random_state=5))


def test_a_random_state_says_which_sound():
    picture = mel_picture(bell(1.0))
    state = torch.get_rng_state()
    y = reconstruct(picture, random_state=3, n_iter=4)
    np.testing.assert_array_equal(y, reconstruct(picture.numpy(), random_state=3, n_iter=4))
    assert np.abs(y - reconstruct(picture, random_state=4, n_iter=4)).max() > 0.01
    assert torch.equal(torch.get_rng_state(), state)


def test_old_names_of_the_arguments_still_work():
    picture = mel_picture(bell(1.0))
    with pytest.warns(DeprecationWarning, match="is called (random_state|n_iter) now") as warned:
        old = reconstruct(picture, seed=3, rounds=4)
    assert {w.filename for w in warned} == {__file__} and len(warned) == 2
    np.testing.assert_array_equal(old, reconstruct(picture, random_state=3, n_iter=4))


def test_any_picture_makes_a_finite_sound():
    for picture in (torch.ones(128, 1), torch.rand(128, 7) * 3 - 1, torch.eye(128)):
        y = reconstruct(picture, n_iter=3)
        assert np.isfinite(y).all() and y.shape == (picture.shape[1] * 160,) and y.any()


# --- loudness -----------------------------------------------------------------------------------


def by_the_standard(y):
    """LUFS of samples (n,) at 48 kHz: ITU-R BS.1770-4 with the coefficients of its tables 1 and 2,
    over blocks of 400 ms, a quarter apart."""
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285]
    shelf += [1, -1.69065929318241, 0.73248077421585]
    high_pass = [1, -2, 1, 1, -1.99004745483398, 0.99007225036621]
    weighted = scipy.signal.sosfilt([shelf, high_pass], y.astype("float64"))
    blocks = np.lib.stride_tricks.sliding_window_view(weighted, 19200)[::4800]
    power = np.square(blocks).mean(1)

    def level(power):
        return -0.691 + 10 * np.log10(power)

    power = power[level(power) > -70]
    return level(power[level(power) > level(power.mean()) - 10].mean())


@pytest.mark.parametrize("y", [(20, 0.5), (60, 0.1), (997, 1.0), (3000, 0.1), (15000, 0.1)])
def test_loudness_is_the_standards(y):
    y = tone(y[0], sr=48000, level=y[1])
    assert integrated_loudness(y, 48000) == pytest.approx(by_the_standard(y), abs=1e-3)


@pytest.mark.parametrize("levels", [(0.1, 0.05), (0.1, 0.02), (0.1, 0.0001), (0.001, 0.0002)])
def test_quiet_blocks_are_left_out_as_in_the_standard(levels):
    y = np.concatenate([noise(2 * 48000, level=level) for level in levels])
    assert integrated_loudness(y, 48000) == pytest.approx(by_the_standard(y), abs=1e-3)


@pytest.mark.parametrize("sr", [16000, 22050, 44100, 48000])
def test_a_full_scale_tone_has_the_standards_loudness(sr):
    assert integrated_loudness(tone(997, sr=sr, level=1.0), sr) == pytest.approx(-3.01, abs=0.05)


def test_a_sound_shorter_than_a_block_is_one_block():
    y = tone(1000, seconds=0.4)
    assert integrated_loudness(y[:800], SR) == pytest.approx(integrated_loudness(y, SR), abs=0.3)


def test_loudness_in_threads_leaves_the_filters_of_warnings_alone():
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: integrated_loudness(bell(), SR), range(64)))
    assert len(set(found)) == 1 and warnings.filters == before


def test_pauses_do_not_count():
    y = tone(1000, 2.0)
    paused = np.concatenate([y, np.zeros(4 * SR, "float32")])
    assert integrated_loudness(paused, SR) == pytest.approx(integrated_loudness(y, SR), abs=0.7)
    assert integrated_loudness(np.zeros(SR), SR) == -np.inf


@pytest.mark.parametrize("y", [tone(300, level=0.01), noise(5000), tone(1000, 0.05), 30 * bell()])
def test_sounds_reach_the_target(y):
    before = y.copy()
    again = normalise_loudness(y, SR)
    assert again.dtype == np.float32 and again.shape == y.shape
    assert integrated_loudness(again, SR) == pytest.approx(-20, abs=0.3)
    np.testing.assert_array_equal(y, before)


@pytest.mark.parametrize("y", [noise(SR, level=3.0), bell(), "clicks"])
def test_normalising_twice_is_normalising_once(y):
    once = normalise_loudness(clicks() if isinstance(y, str) else y, SR)
    np.testing.assert_allclose(normalise_loudness(once, SR), once, rtol=0.02, atol=1e-6)


def true_peak(y):
    """Largest value of the band-limited curve through the samples, by zero-padding the FFT."""
    spectrum = np.fft.rfft(np.pad(y, 500).astype("float64"))
    n = 16 * (len(y) + 1000)
    return np.abs(np.fft.irfft(np.pad(spectrum, (0, n // 2 + 1 - len(spectrum))), n)).max() * 16


def clicks(period=8000):
    y = noise(4 * SR, level=0.002)
    y[period // 2 :: period] = 1.0
    return y


@pytest.mark.parametrize("peak_db", [-1.0, -6.0])
@pytest.mark.parametrize(
    "y",
    [clicks(), clicks(480), noise(SR, level=5.0), np.sign(tone(50)), 1e6 * clicks(), tone(4000.7)],
    ids=["clicks", "rattle", "noise", "square", "huge", "tone"],
)
def test_peaks_stay_below_the_limit(y, peak_db):
    again = normalise_loudness(y, SR, lufs=-6.0, peak_db=peak_db)
    limit = 10 ** (peak_db / 20)
    assert np.abs(again).max() <= limit * (1 + 1e-6)
    assert true_peak(again) <= limit * 10 ** (0.3 / 20)  # 0.3 dB between the samples
    assert np.abs(again).max() > 0.5 * limit  # limited, not scaled away


def test_the_limiter_ducks_only_around_the_peak():
    y = tone(1000, 4.0, level=0.05)
    y[2 * SR] = 3.0
    again = normalise_loudness(y, SR, lufs=-12.0)
    loud = np.flatnonzero(np.abs(y) > 0.04)
    far = loud[np.abs(loud - 2 * SR) > 800]  # more than 50 ms from the peak
    gain = again[far] / y[far]
    assert gain.max() == pytest.approx(gain.min(), rel=1e-3) and gain.min() > 2


def test_silence_stays_silence_and_hiss_stays_quiet():
    np.testing.assert_array_equal(normalise_loudness(np.zeros(SR), SR), np.zeros(SR))
    hiss = noise(SR, level=1e-5)  # -100 dBFS
    np.testing.assert_allclose(normalise_loudness(hiss, SR), hiss * 10**1.5, rtol=1e-4)  # +30 dB
    one = normalise_loudness(np.array([0.3], "float32"), SR)
    assert one.shape == (1,) and 0 < abs(one[0]) <= 10 ** (-1 / 20) + 1e-6


# --- errors and imports -------------------------------------------------------------------------


@pytest.mark.parametrize("function", [mel_picture, lambda y: normalise_loudness(y, SR)])
def test_bad_samples_are_refused_in_words(function):
    y = noise(3200)
    y[7:9] = np.nan, np.inf
    with pytest.raises(ValueError, match=r"2 NaN or infinite samples of 3200.*nan_to_num"):
        function(y)
    with pytest.raises(ValueError, match=r"int16.*32768"):
        function(np.zeros(3200, "int16"))
    with pytest.raises(ValueError, match=r"shape \(0,\)"):
        function(np.zeros(0))


def test_other_errors_say_what_to_do():
    with pytest.raises(ValueError, match=r"159 samples.*160.*Pad"):
        mel_picture(np.zeros(159))
    with pytest.raises(ValueError, match=r"one channel.*\(2, 800\).*Mix"):
        normalise_loudness(np.zeros((2, 800)), SR)
    for shape in [(1, 128, 512), (256, 512), (128, 0)]:
        with pytest.raises(ValueError, match=r"\(128, frames\).*shape.*Take one"):
            reconstruct(torch.zeros(shape))
    picture = torch.zeros(128, 10)
    picture[:3, 4] = torch.nan
    with pytest.raises(ValueError, match=r"3 NaN or infinite pixels of 1280"):
        reconstruct(picture)


def test_importing_stays_light():
    code = "import sys, itskit.spectrogram\n"
    code += "print({'scipy', 'pyloudnorm', 'librosa'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.strip() == "set()"
