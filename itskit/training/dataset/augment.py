"""The same drawing by another hand, the same sound recorded elsewhere: what a scorer must not mind.

A few thousand recordings are soon known by heart, and then a new one is not recognised. Every
function takes a numpy Generator and returns what it was given in kind: uint8, bright on black.
"""

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch.nn import functional as F

from .canvas import DECIBELS


def redrawn(rng, image: np.ndarray) -> np.ndarray:
    """A drawing (128, 128): turned, leaned, stretched; its strokes thinner, thicker or outlines."""
    a = np.deg2rad(rng.normal(0, 7))
    lean, stretch = rng.normal(0, 0.1), np.exp(rng.normal(0, 0.12))
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    matrix = 1.15 * turn @ np.array([[stretch, lean], [0, 1 / stretch]])  # smaller, nothing is cut
    centre = np.array([63.5, 63.5])
    offset = centre - matrix @ centre
    coefficients = (*matrix[0], offset[0], *matrix[1], offset[1])
    drawing = Image.fromarray(image).transform(
        (128, 128), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
    )
    kind = rng.random()
    if kind < 0.15:
        drawing = drawing.filter(ImageFilter.MaxFilter(3))
    elif kind < 0.3:
        drawing = drawing.filter(ImageFilter.MinFilter(3))
    elif kind < 0.5:
        drawing = outlined(drawing, 3 if rng.random() < 0.5 else 5)
    if rng.random() < 0.3:
        drawing = drawing.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2.0)))
    return np.asarray(drawing)


def outlined(drawing: Image.Image, width: int) -> Image.Image:
    """The morphological gradient: where a drawing changes within `width` pixels."""
    most, least = ImageFilter.MaxFilter(width), ImageFilter.MinFilter(width)
    wide, narrow = (np.asarray(drawing.filter(f), np.int16) for f in (most, least))
    return Image.fromarray((wide - narrow).astype(np.uint8))


def rerecorded(rng, mel: np.ndarray) -> np.ndarray:
    """A mel picture (128, n): higher or lower, faster or slower, another room and microphone."""
    frames = max(8, round(mel.shape[1] * np.exp(rng.normal(0, 0.15))))
    picture = Image.fromarray(mel).resize((frames, len(mel)), Image.Resampling.BILINEAR)
    sound = np.asarray(picture, np.float32) / 255 * DECIBELS  # (128, frames), dB above black
    sound = shifted(sound, round(rng.normal(0, 2.5)))
    if rng.random() < 0.3:
        sound = reverberant(sound, rng.uniform(0.7, 4.0))
    sound = np.where(sound > 1, sound + coloration(rng, len(sound))[:, None], 0)
    if rng.random() < 0.5:  # the hiss of what it was recorded with
        hiss = sound.max() - rng.uniform(43, 63) + coloration(rng, len(sound))[:, None]
        sound = np.maximum(sound, hiss + rng.normal(0, 2.5, sound.shape))
    return (sound.clip(0, DECIBELS) / DECIBELS * 255).round().astype(np.uint8)


def shifted(sound, bands: int):
    """Lower by so many mel bands (higher if negative); what comes in is silent."""
    out = np.roll(sound, bands, 0)
    if bands > 0:
        out[:bands] = 0
    elif bands < 0:
        out[bands:] = 0
    return out


def reverberant(sound, fall: float):
    """Nothing falls by more than `fall` dB from one frame to the next."""
    out = sound.copy()
    for k in range(1, out.shape[1]):
        out[:, k] = np.maximum(out[:, k], out[:, k - 1] - fall)
    return out


def coloration(rng, bands: int) -> np.ndarray:
    """A smooth response (bands,) in dB, the highest band first; sometimes it cuts that end off."""
    knots = rng.normal(0, 3.5, 6)
    response = np.interp(np.arange(bands), np.linspace(0, bands - 1, 6), knots)
    if rng.random() < 0.3:
        response -= 2.5 * np.clip(rng.integers(1, bands // 2) - np.arange(bands), 0, None)
    return response


def redrawn_some(draw, images):
    """Half of the drawings (N, 128, 128) in [0, 1], as by `redrawn`; a DeviceCompositor draws
    at random."""
    n = len(images)
    angle, lean = torch.deg2rad(7 * draw.normal(n)), 0.1 * draw.normal(n)
    stretch, zero = (0.12 * draw.normal(n)).exp(), torch.zeros_like(angle)
    cos, sin = angle.cos(), angle.sin()
    rows = [cos * stretch, cos * lean - sin / stretch, zero]
    rows += [sin * stretch, sin * lean + cos / stretch, zero]
    turn = 1.15 * torch.stack(rows, 1).view(n, 2, 3)
    grid = F.affine_grid(turn, (n, 1, *images.shape[1:]), align_corners=False)
    made = F.grid_sample(images[:, None], grid, align_corners=False)
    thick, thin = F.max_pool2d(made, 3, 1, 1), -F.max_pool2d(-made, 3, 1, 1)
    kind = draw.random(n, 1, 1, 1)
    for below, other in ((0.5, thick - thin), (0.3, thin), (0.15, thick)):
        made = torch.where(kind < below, other, made)
    blurred = F.avg_pool2d(F.avg_pool2d(made, 3, 1, 1), 3, 1, 1)
    made = torch.where(draw.random(n, 1, 1, 1) < 0.3, blurred, made)[:, 0]
    return torch.where(draw.random(n, 1, 1) < 0.5, made, images)


def rerecorded_some(draw, sounds):
    """Half of the canvases of sounds (N, 128, 512) in [0, 1], as by `rerecorded`."""
    n, bands, columns = sounds.shape
    at = torch.arange(columns, device=sounds.device)
    speed, begin = (0.15 * draw.normal(n, 1)).exp(), columns * draw.random(n, 1)
    frames = (at * speed + begin).long() % columns  # (n, columns)
    sound = sounds.gather(2, frames[:, None].expand(-1, bands, -1)) * DECIBELS
    rows = torch.arange(bands, device=sounds.device) - (2.5 * draw.normal(n, 1)).round().long()
    sound = sound.gather(1, rows.clamp(0, bands - 1)[:, :, None].expand(-1, -1, columns))
    sound = sound * ((rows >= 0) & (rows < bands))[:, :, None]
    fall = at * draw.random(n, 1, 1, low=0.7, high=4.0)
    echo = (sound + fall).cummax(2).values - fall
    sound = torch.where(draw.random(n, 1, 1) < 0.3, echo, sound)
    sound = torch.where(sound > 1, sound + colorations(draw, n, bands), 0.0)
    hiss = sound.amax((1, 2), keepdim=True) - draw.random(n, 1, 1, low=43, high=63)
    hiss = hiss + colorations(draw, n, bands) + 2.5 * draw.normal(*sound.shape)
    sound = torch.where(draw.random(n, 1, 1) < 0.5, torch.maximum(sound, hiss), sound)
    made = (sound / DECIBELS).clamp(0, 1)
    return torch.where(draw.random(n, 1, 1) < 0.5, made, sounds)


def colorations(draw, n, bands):
    """As `coloration`, (n, bands, 1)."""
    knots = 3.5 * draw.normal(n, 1, 6)
    response = F.interpolate(knots, bands, mode="linear", align_corners=True)[:, 0]
    edge = draw.whole(1, bands // 2, (n, 1)) - torch.arange(bands, device=knots.device)
    cut = 2.5 * edge.clamp(min=0) * (draw.random(n, 1) < 0.3)
    return (response - cut)[:, :, None]
