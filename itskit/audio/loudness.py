"""Loudness: what ITU-R BS.1770-4 says that an ear makes of a sound, and one level for all.

    y --> gain to -20 LUFS --> limiter at -1 dB --> y                         normalise_loudness

A sound is a float numpy array `(n,)` of samples in [-1, 1].
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, pi, tan

import numpy as np

from .mel import checked_samples

# The analogue filters behind BS.1770's tables of coefficients at 48 kHz (De Man 2014): Hz, Q, dB.
SHELF, HIGH_PASS = (
    (1681.9744509555319, 0.7071752369554193, 3.99984385397),
    (38.13547087613982, 0.5003270373253953),
)


def normalise_loudness(
    y, sr: int, lufs: float = -20.0, peak_db: float = -1.0, *, loop: bool = False
) -> np.ndarray:
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
    loop : bool
        Whether the end is followed by the beginning, for the limiter.

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
    limited = y * gain * _limiter_gain(peaks * gain, sr, limit, "wrap" if loop else "symmetric")
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
    y = checked_samples(y)
    if y.ndim != 1:
        raise ValueError(f"Loudness is measured on one channel (n,), given {y.shape}. Mix down.")
    whole = np.pad(y.astype(np.float64), (0, max(0, ceil(0.4 * sr) - len(y))))
    power = _block_powers(_k_weighted(whole, sr), sr)
    power = power[_level(power) > -70]
    power = power[_level(power) > _level(power.mean()) - 10] if len(power) else power
    lufs = _level(power.mean()) if len(power) else -np.inf
    return float(lufs + 10 * np.log10(len(whole) / len(y)))


def _level(power):
    """Mean square of K-weighted samples → LUFS."""
    with np.errstate(divide="ignore"):  # silence is -inf
        return -0.691 + 10 * np.log10(power)


def _k_weighted(y: np.ndarray, sr: int) -> np.ndarray:
    """Samples (n,) as a head and an ear weigh frequencies: both filters of BS.1770."""
    room = len(y) + ceil(0.5 * sr)  # what the filters ring on has died away long before
    room += -room % 4096  # of small factors: the transform is four times as quick
    return np.fft.irfft(np.fft.rfft(y, room) * _k_response(room, sr), room)[: len(y)]


@lru_cache(maxsize=2)
def _k_response(room: int, sr: int) -> np.ndarray:
    """What both filters make of each bin (room // 2 + 1,) of a transform of `room` samples."""
    z = np.exp(-2j * pi * np.fft.rfftfreq(room))  # z^-1 of each bin
    parts = (
        np.polyval(b[::-1], z) / np.polyval(a[::-1], z) for b, a in (_shelf(sr), _high_pass(sr))
    )
    return np.prod(list(parts), axis=0)


def _shelf(sr: int):
    """The biquad (b, a) that raises what is above 1.7 kHz."""
    hertz, q, decibels = SHELF
    k, high = tan(pi * hertz / sr), 10 ** (decibels / 20)
    band, a0 = high**0.499666774155, 1 + k / q + k * k
    above = [high + band * k / q + k * k, 2 * (k * k - high), high - band * k / q + k * k]
    return np.divide(above, a0), np.divide([a0, 2 * (k * k - 1), 1 - k / q + k * k], a0)


def _high_pass(sr: int):
    """The biquad (b, a) that takes out what is below 40 Hz."""
    hertz, q = HIGH_PASS
    k = tan(pi * hertz / sr)
    a0 = 1 + k / q + k * k
    return np.array([1.0, -2.0, 1.0]), np.divide([a0, 2 * (k * k - 1), 1 - k / q + k * k], a0)


def _block_powers(y: np.ndarray, sr: int) -> np.ndarray:
    """Mean square over each 400 ms, a quarter of that apart."""
    count = round((len(y) / sr - 0.4) / 0.1) + 1
    first = (0.1 * sr * np.arange(count)).astype(int)
    last = np.minimum(len(y), (0.1 * sr * (np.arange(count) + 4)).astype(int))
    total = np.concatenate([[0.0], np.cumsum(np.square(y))])
    return (total[last] - total[first]) / (0.4 * sr)


def _peaks(y: np.ndarray) -> np.ndarray:
    """Largest magnitude near each sample (n,), between the samples too: 4 times oversampled."""
    spectrum, n = np.fft.rfft(y), len(y)
    if n % 2 == 0:
        spectrum[-1] /= 2  # the Nyquist frequency's two halves part
    between = np.abs(np.fft.irfft(spectrum, 4 * n)) * 4
    return np.maximum(np.abs(y), _greatest(between, 2)[::4])


def _greatest(y: np.ndarray, reach: int, mode: str = "symmetric") -> np.ndarray:
    """The largest of the 2 reach + 1 values around each (n,); edges are mirrored, or as np.pad's
    `mode` says."""
    y, size = np.pad(y, reach, mode=mode), 2 * reach + 1
    width = 1
    while width < size:  # of windows twice as wide as the last, or as much more as is missing
        more = min(width, size - width)
        y, width = np.maximum(y[:-more], y[more:]), width + more
    return y


def _mean_around(y: np.ndarray, reach: int, mode: str) -> np.ndarray:
    """The mean of the 2 reach + 1 values around each (n,), with edges as np.pad's `mode` says."""
    total = np.cumsum(np.pad(y, (reach + 1, reach), mode=mode))
    return (total[2 * reach + 1 :] - total[: -2 * reach - 1]) / (2 * reach + 1)


def _limiter_gain(peaks: np.ndarray, sr: int, limit: float, mode: str) -> np.ndarray:
    """Gain (n,) <= 1 that keeps `peaks` (n,) below `limit`: a look-ahead limiter. `mode` says what
    follows the ends, as in np.pad.

    The gain that each peak needs is held for 20 ms on either side, then smoothed over as much, so
    that it is never too large at the peak itself nor quick enough to be heard.
    """
    half = round(0.01 * sr)  # two running means of 2 half + 1 reach 2 half to either side
    needed = np.minimum(1, limit / np.maximum(peaks, 1e-9))
    gain = -_greatest(-needed, 2 * half, mode)
    return _mean_around(_mean_around(gain, half, mode), half, mode)
