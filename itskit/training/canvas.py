"""Canvases to train on: drawings placed at random, sounds repeated so that they fill the time.

Every function takes a numpy Generator and returns float32 in [0, 1].
"""

import numpy as np
from PIL import Image

from ..baselines import print_into

ROWS, COLUMNS = 128, 512
DECIBELS = 65.0  # between black and white of the pocket pair's mel picture


def place_drawing(rng, image: np.ndarray, mirror=True) -> np.ndarray:
    """One drawing (128, 128) uint8 on a black square: scaled, moved, dimmed, perhaps mirrored."""
    if mirror and rng.random() < 0.5:
        image = image[:, ::-1]
    rows, columns = np.nonzero(image.max(1) > 16)[0], np.nonzero(image.max(0) > 16)[0]
    if len(rows) == 0:
        return np.zeros((ROWS, ROWS), np.float32)
    image = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    size = rng.uniform(80, 122) / max(image.shape)
    height, width = (max(4, round(n * size)) for n in image.shape)
    small = Image.fromarray(np.ascontiguousarray(image)).resize((width, height), Image.LANCZOS)
    canvas = np.zeros((ROWS, ROWS), np.float32)
    # low in the picture is where things stand, and where most sound is
    top = round((ROWS - height) * rng.beta(2, 1.6))
    left = rng.integers(0, ROWS - width + 1)
    canvas[top : top + height, left : left + width] = np.asarray(small) / 255
    return canvas * rng.uniform(0.6, 1.0)


def fill_with_sound(rng, mel: np.ndarray, columns=COLUMNS) -> np.ndarray:
    """One clip's mel picture (128, n) uint8 on a canvas (128, columns).

    A long clip gives a window; a short one is repeated, with pauses if it dies away and without
    if it is a texture that goes on. Start and level vary.
    """
    mel = mel.astype(np.float32) / 255
    n = mel.shape[1]
    shift = rng.uniform(-8, 5) / DECIBELS
    mel = np.where(mel > 0.02, np.clip(mel + shift, 0, 1), 0)
    if n >= columns:
        start = rng.integers(0, n - columns + 1)
        return mel[:, start : start + columns]
    goes_on = n > 100 and mel[:, -8:].mean() > 0.75 * mel.mean()
    parts, total = [], 0
    offset = 0 if rng.random() < 0.5 else int(rng.integers(0, 40))
    parts.append(np.zeros((ROWS, offset), np.float32))
    total = offset
    pause = 0 if goes_on else int(rng.uniform(8, 30 + 0.6 * n))
    while total < columns:
        gap = 0 if goes_on else int(pause * rng.uniform(0.8, 1.25))
        parts += [faded(mel, goes_on), np.zeros((ROWS, gap), np.float32)]
        total += n + gap
    return np.concatenate(parts, 1)[:, :columns]


def faded(mel: np.ndarray, goes_on: bool) -> np.ndarray:
    """Ends in black within 40 ms unless the sound goes on."""
    if goes_on or mel.shape[1] < 16:
        return mel
    out = mel.copy()
    out[:, -4:] *= np.linspace(0.8, 0.1, 4)
    return out


def woven(canvas: np.ndarray, other: np.ndarray, hold: float, trace: float) -> np.ndarray:
    """`canvas` in the texture of `other`: dimmed by `hold` where `other` is dark, and with a
    `trace` of `other` where `canvas` is dark.

    Shown to both models, this widens the ground that they share: a castle may be made of
    harmonics, a bell may ring in the shape of a castle.
    """
    return print_into(other, canvas, hold) + trace * other * (1 - canvas)
