"""Loudness: what ITU-R BS.1770-4 says that an ear makes of a sound, and one level for all.

    y --> gain to -20 LUFS --> limiter at -1 dB --> y                         normalise_loudness

A sound is a float numpy array `(n,)` of samples in [-1, 1].
"""

from __future__ import annotations

from math import ceil
from threading import Lock

import numpy as np

from .mel import checked_samples

_METER = Lock()  # pyloudnorm sets the filters of warnings, which all threads share


def normalise_loudness(y, sr: int, lufs: float = -20.0, peak_db: float = -1.0) -> np.ndarray:
    """A sound at another loudness, with limited peaks.

    One gain for the whole sound, at most +30 dB, so that near-silence stays quiet and silence
    silent. Then a look-ahead limiter, which lowers only the surroundings of peaks, also of those
    between the samples; so a sound of sharp clicks ends a little below `lufs`. A sound that
    already peaks at `peak_db` is not raised again, so that to normalise twice changes nothing.

    Parameters
    ----------
    y : array (n,)
    sr : int
        Hz.
    lufs : float
        Loudness, in LUFS.
    peak_db : float
        Largest peak, in dB of full scale.

    Returns
    -------
    array, float32
        (n,).

    Raises
    ------
    ValueError
        If `y` is not (n,) or holds NaN or infinity.
    """
    y = checked_samples(y).astype(np.float64)
    gain_db, peaks = min(lufs - integrated_loudness(y, sr), 30.0), _peaks(y)
    if abs(20 * np.log10(max(peaks.max(), 1e-9)) - peak_db) < 0.02:
        gain_db = min(gain_db, 0.0)
    gain, limit = 10 ** (gain_db / 20), 10 ** (peak_db / 20)
    limited = y * gain * _limiter_gain(peaks * gain, sr, limit)
    return np.clip(limited, -limit, limit).astype(np.float32)  # clips rounding only


def integrated_loudness(y, sr: int) -> float:
    """Loudness of a mono sound (ITU-R BS.1770-4).

    Mean square of the K-weighted sound over those 400 ms blocks (75% overlap) that are above -70
    LUFS and no more than 10 LU below the mean of these. A sound shorter than a block is one block.

    Parameters
    ----------
    y : array (n,)
    sr : int
        Hz.

    Returns
    -------
    float
        In LUFS; -inf for silence.

    Raises
    ------
    ValueError
        If `y` is not (n,) or holds NaN or infinity.
    """
    import pyloudnorm  # here, since it imports scipy.signal, which costs half a second

    y = checked_samples(y)
    if y.ndim != 1:
        raise ValueError(f"Loudness is measured on one channel (n,), given {y.shape}. Mix down.")
    whole = np.pad(y.astype(np.float64), (0, max(0, ceil(0.4 * sr) - len(y))))
    # Of pyloudnorm's filters "DeMan" is the standard's table at 48 kHz, to 1e-10 dB, and the
    # analogue filter behind it at other rates; its default is up to 0.04 dB off.
    meter = pyloudnorm.Meter(sr, filter_class="DeMan")
    with _METER, np.errstate(divide="ignore", invalid="ignore"):  # silence is -inf
        lufs = meter.integrated_loudness(whole)
    return float(lufs + 10 * np.log10(len(whole) / len(y)))


def _peaks(y: np.ndarray) -> np.ndarray:
    """Largest magnitude near each sample (n,), between the samples too: 4 times oversampled."""
    from scipy.ndimage import maximum_filter1d
    from scipy.signal import resample

    between = np.abs(resample(y, 4 * len(y)))
    return np.maximum(np.abs(y), maximum_filter1d(between, 5)[::4])


def _limiter_gain(peaks: np.ndarray, sr: int, limit: float) -> np.ndarray:
    """Gain (n,) <= 1 that keeps `peaks` (n,) below `limit`: a look-ahead limiter.

    The gain that each peak needs is held for 20 ms on either side, then smoothed over as much, so
    that it is never too large at the peak itself nor quick enough to be heard.
    """
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    half = round(0.01 * sr)  # two running means of 2 half + 1 reach 2 half to either side
    gain = minimum_filter1d(np.minimum(1, limit / np.maximum(peaks, 1e-9)), 4 * half + 1)
    return uniform_filter1d(uniform_filter1d(gain, 2 * half + 1), 2 * half + 1)
