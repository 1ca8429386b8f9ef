"""Loudness: what ITU-R BS.1770-4 says that an ear makes of a sound, and one level for all.

    y --> gain to -20 LUFS --> limiter at -1 dB --> y                         normalise_loudness

A sound is a float numpy array `(n,)` of samples in [-1, 1].
"""

from __future__ import annotations

from math import pi

import numpy as np
import torch


def normalise_loudness(y, sr: int, lufs: float = -20.0, peak_db: float = -1.0) -> np.ndarray:
    """Bring a sound `y` (n,) at `sr` Hz to `lufs` LUFS with no peak above `peak_db` dB.

    One gain for the whole sound, at most +30 dB so that near-silence is not blown up (silence
    stays silence), then a look-ahead limiter that ducks only around the peaks, also those between
    the samples; a sound of sharp clicks therefore ends a little below `lufs`. A sound that
    already peaks at `peak_db` is not raised again, so that to normalise twice changes nothing.

    Raises ValueError if `y` is not (n,) or holds NaN or infinity.
    """
    y = checked_samples(y).astype(np.float64)
    gain_db, peaks = min(lufs - integrated_loudness(y, sr), 30.0), _peaks(y)
    if abs(20 * np.log10(max(peaks.max(), 1e-9)) - peak_db) < 0.02:
        gain_db = min(gain_db, 0.0)
    gain, limit = 10 ** (gain_db / 20), 10 ** (peak_db / 20)
    limited = y * gain * _limiter_gain(peaks * gain, sr, limit)
    return np.clip(limited, -limit, limit).astype(np.float32)  # clips rounding only


def integrated_loudness(y, sr: int) -> float:
    """Loudness of a mono sound `y` (n,) in LUFS (ITU-R BS.1770-4); -inf for silence.

    Mean square of the K-weighted sound over those 400 ms blocks (75% overlap) that are above
    -70 LUFS and no more than 10 LU below the mean of these. A sound shorter than a block is one
    block. Raises ValueError if `y` is not (n,) or holds NaN or infinity.
    """
    from scipy.signal import sosfilt

    y = checked_samples(y)
    if y.ndim != 1:
        raise ValueError(f"Loudness is measured on one channel (n,), given {y.shape}. Mix down.")
    weighted = sosfilt(_k_weighting(sr), y.astype(np.float64))
    energy = np.cumsum(np.pad(weighted, (1, 0)) ** 2)  # (n + 1,), of all samples before each
    size = min(round(0.4 * sr), len(y))
    starts = np.arange(0, len(y) - size + 1, max(1, round(0.1 * sr)))
    blocks = (energy[starts + size] - energy[starts]) / size  # mean squares
    blocks = blocks[blocks > 10 ** ((-70 + 0.691) / 10)]
    blocks = blocks[blocks > 0.1 * blocks.mean()] if len(blocks) else blocks
    return float(-0.691 + 10 * np.log10(blocks.mean())) if len(blocks) else -np.inf


def _k_weighting(sr: int) -> np.ndarray:
    """Second-order sections (2, 6) of BS.1770's filter: a shelf for the head, then a high-pass.

    The standard prints coefficients for 48 kHz only; these are the analogue prototypes behind them
    (De Man 2014), so that every rate has its own.
    """
    k, q = np.tan(pi * 1681.974450955533 / sr), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)  # gain of the shelf
    middle = high**0.4996667741545416
    shelf = [high + middle * k / q + k * k, 2 * (k * k - high), high - middle * k / q + k * k]
    shelf = np.array([*shelf, 1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k])
    k, q = np.tan(pi * 38.13547087602444 / sr), 0.5003270373238773
    below = np.array([1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k])
    return np.stack([shelf / shelf[3], np.concatenate([[1, -2, 1], below / below[0]])])


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


def checked_samples(y) -> np.ndarray:
    """`y` as a float32 array, or a ValueError that says what is wrong with it."""
    y = y.detach().cpu().numpy() if isinstance(y, torch.Tensor) else np.asarray(y)
    expected = "A sound must be an array (..., n), n > 0, of finite floats in [-1, 1]"
    if y.ndim == 0 or y.size == 0 or y.dtype.kind != "f":
        raise ValueError(
            f"{expected}; this one has shape {y.shape} and type {y.dtype}. Divide 16-bit samples "
            "by 32768, and leave empty sounds out."
        )
    bad = y.size - int(np.isfinite(y).sum())
    if bad:
        raise ValueError(
            f"{expected}; this one has {bad} NaN or infinite samples of {y.size}. Look for where "
            "they arose, or replace them (numpy.nan_to_num)."
        )
    return y.astype(np.float32)
