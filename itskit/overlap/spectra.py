"""What can be said of single pictures by Fourier transform and gradients.

Pictures are grey, (N, H, W) or one (H, W), rows downwards; as spectrograms, columns are moments and
rows are pitches. Frequencies are in cycles per pixel, up to 1/2.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter

# Slowest changes are the picture's frame, quickest ones are what a decoder smooths away.
BAND = (1 / 32, 1 / 4)
WEDGE = 22.5  # degrees to both sides of an axis


def power(pictures) -> np.ndarray:
    """The power spectrum of each picture, (N, H, W).

    The mean is taken out and the edges are faded by a Hann window, as else the jump from the right
    edge to the left one would be the strongest line. Frequency 0 is at [H // 2, W // 2]: changes
    along the rows (in time) lie to both sides of it, changes along the columns above and below.
    """
    pictures = _several(pictures)
    height, width = pictures.shape[1:]
    window = np.outer(np.hanning(height + 1)[:-1], np.hanning(width + 1)[:-1])
    mean = (pictures * window).sum((1, 2), keepdims=True) / window.sum()
    found = np.abs(np.fft.fft2((pictures - mean) * window)) ** 2 / (window**2).sum()
    return np.fft.fftshift(found, axes=(1, 2))


def slope(pictures, band: tuple[float, float] = BAND) -> np.ndarray:
    """a of each picture, (N,), where its power falls as 1 / frequency**a.

    Photographs have about 2 (Field 1987), white noise has 0. A line is fitted to the logarithms of
    the mean power in rings within the band, four rings an octave, each with the weight of what it
    holds.
    """
    spectra = power(pictures)
    _, _, radius = _grid(*spectra.shape[1:])
    edges = np.geomspace(*band, 1 + round(4 * np.log2(band[1] / band[0])))
    rings = [(low <= radius) & (radius < high) for low, high in pairwise(edges)]
    rings = [ring for ring in rings if ring.any()]
    if len(rings) < 3:
        raise ValueError(
            f"the band {band} holds {len(rings)} rings of pictures of {spectra.shape[1:]} pixels: "
            "expected 3 or more; take larger pictures or a wider band"
        )
    middles = np.log([radius[ring].mean() for ring in rings])
    levels = np.log(np.stack([spectra[:, ring].mean(1) for ring in rings]) + 1e-12)  # (rings, N)
    weights = [ring.sum() ** 0.5 for ring in rings]  # the spread of a mean goes with the root
    return -np.polyfit(middles, levels, 1, w=weights)[0]


def anisotropy(pictures, band: tuple[float, float] = BAND) -> np.ndarray:
    """Which way each picture changes more, (N,), in doublings of power.

    0 is alike in both directions. Above 0 it changes more from left to right than from top to
    bottom: upright strokes, clicks. Below 0 its strokes are level: held tones. The powers compared
    are means in the two wedges of 45 degrees around the axes.
    """
    spectra = power(pictures)
    along_time, along_pitch, radius = _grid(*spectra.shape[1:])
    angle = np.degrees(np.arctan2(np.abs(along_pitch), np.abs(along_time)))
    inside = (band[0] <= radius) & (radius < band[1])
    time = spectra[:, inside & (angle < WEDGE)].mean(1)
    pitch = spectra[:, inside & (angle > 90 - WEDGE)].mean(1)
    return np.log2((time + 1e-12) / (pitch + 1e-12))


def orientations(pictures, bins: int = 8) -> np.ndarray:
    """How much of each picture's strokes goes which way, (N, bins), rows that add up to 1.

    Bin k is around 180 k / bins degrees, counted from level, against the clock: 0 is level, a
    quarter of the bins is rising to the right, half of them upright. A pixel counts as much as its
    gradient is steep. A picture without any gradient has 0 everywhere.
    """
    pictures = _several(pictures)
    # Of neighbouring pixels alone, hard edges would have gradients of eight directions only.
    down, right = (gaussian_filter(pictures, (0, 1, 1), order=o) for o in ((0, 1, 0), (0, 0, 1)))
    steep = np.hypot(down, right)
    stroke = np.arctan2(-down, right) + np.pi / 2  # a stroke runs across its gradient
    places = np.round(stroke / np.pi * bins).astype(int) % bins
    found = np.stack([(steep * (places == k)).sum((1, 2)) for k in range(bins)], axis=1)
    return found / np.maximum(found.sum(1, keepdims=True), 1e-12)


def _grid(height: int, width: int):
    """Frequencies (H, W) along time, along pitch, and their length, as `power` lays them."""
    time = np.fft.fftshift(np.fft.fftfreq(width))[None, :]
    pitch = np.fft.fftshift(np.fft.fftfreq(height))[:, None]
    return *np.broadcast_arrays(time, pitch), np.hypot(time, pitch)


def _several(pictures) -> np.ndarray:
    pictures = np.asarray(pictures, dtype=float)
    pictures = pictures[None] if pictures.ndim == 2 else pictures
    if pictures.ndim != 3 or min(pictures.shape) < 1 or not np.isfinite(pictures).all():
        raise ValueError(
            f"pictures of shape {pictures.shape}: expected (N, H, W) or (H, W), finite; grey ones, "
            "such as result.mel_picture() or decoded[:, 0]"
        )
    return pictures
