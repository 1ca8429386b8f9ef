"""What can be measured of canvases beside their names, and real material to measure it on.

spread over seeds        1 - the mean cosine between the scorer's vectors of two seeds: 0 is one
                         and the same thing each time
nearest training item    the highest cosine of a square of latents to any in the training set:
                         above what held-out material reaches, things are remembered, not made
cycle error              what is lost of the picture once it has been heard: mel, wave, mel
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from ...baselines import Canvas
from ...diagnose import likeness
from ...metrics import vocoder_cycle
from ...models import pocket
from ..dataset.canvas import DECIBELS, fill_with_sound, place_drawing, quiet
from ..dataset.files import mel_pictures, read_clip, read_pictures, read_sounds

UNITS = (", cosine", ", dB")  # how rows end that do not count hits


@torch.no_grad()
def all_of(exam, canvases, sense="image") -> dict[str, list]:
    """{row: values} of canvases (B, 1, H, W) in [0, 1] of one prompt."""
    latent = exam.pair.image.encode(canvases)  # (B, 4, h, w)
    rows = {"cycle error, dB": [cycle_error(exam.pair, canvas) for canvas in canvases]}
    if len(latent) > 1:
        rows["spread over seeds, cosine"] = [spread(exam.scorers[sense](latent))]
    if exam.cache is not None:
        rows["nearest training item, cosine"] = nearest(latent, exam.cache, sense).tolist()
    return rows


def spread(vectors) -> float:
    """1 - the mean cosine between two of the unit vectors (B, D)."""
    return 1 - likeness(vectors)


def cycle_error(pair, canvas) -> float:
    """Decibels between a canvas (1, H, W) and the mel picture of the sound that it plays."""
    return vocoder_cycle(Canvas(canvas[None], {}, pair)).error * DECIBELS


def nearest(latent, folder, sense) -> torch.Tensor:
    """Each canvas's (B,) mean, over its squares, of the highest cosine to any place in the cache.

    `latent` (B, 4, 16, w); squares that are nearly black say nothing and are left out.
    """
    squares = torch.cat(latent.split(pocket.TILE, dim=3))  # (w/16 · B, 4, 16, 16), square first
    size = squares.flatten(1).norm(dim=1)  # (w/16 · B,)
    kernels = squares / size.clamp(min=1e-6).view(-1, 1, 1, 1)
    best = torch.full((len(squares),), -1.0)
    for part, norms in _cached(str(folder), sense):
        cosines = F.conv2d(part.float(), kernels)[:, :, 0] / norms  # (n, squares, places)
        best = torch.maximum(best, cosines.amax((0, 2)))
    size, best = size.view(-1, len(latent)), best.view(-1, len(latent))  # (w/16, B)
    says = size > 0.1 * size.amax(0)
    return (best * says).sum(0) / says.sum(0)


@lru_cache(maxsize=2)
def _cached(folder, sense, chunk=1024):
    """The training latents in parts (n, 4, 16, w), each with the norms (n, 1, places) of all its
    squares; what is nearly black in them is near to nothing."""
    parts = load_file(Path(folder) / f"{sense}_train.safetensors")["latents"].split(chunk)
    window = torch.ones(1, parts[0].shape[1], pocket.TILE, pocket.TILE)
    return [(p, F.conv2d(p.float() ** 2, window)[:, 0].sqrt().clamp(min=1.0)) for p in parts]


# ---- real material -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Real:
    """Drawings or clips of one word, of which nothing was trained on."""

    name: str
    sense: str
    items: list  # uint8 drawings (128, 128), or records of clips


def real_material(data, split, chosen, per_word=8) -> Iterator[tuple[str, Real, int]]:
    """(question, material, which of the chosen it shows) for all that was held out, and for the
    foreign clips of `sounds_eval`."""
    images, records = read_pictures(data)
    for k, (concept, _, _) in enumerate(chosen):
        rng = np.random.default_rng(k)
        rows = [n for n, r in enumerate(records) if r["concept"] == concept and r["split"] == split]
        if rows:
            drawings = [images[n] for n in rng.choice(rows, per_word)]
            yield f"real drawings: {concept}", Real("real drawings", "image", drawings), k
    for part, wanted, name in (
        ("train", split, "held-out recordings"),
        ("eval", "eval", "foreign recordings"),
    ):
        clips = [r for r in read_sounds(data, part) if r["split"] == wanted]
        for k, (_, kind, words) in enumerate(chosen):
            mine = [c for c in clips if c["class"] == kind][:per_word]
            if mine:
                yield f"{name}: {words}", Real(name, "sound", mine), k


def ask_real(exam, real: Real, k: int):
    """How real things are named as canvases of the pocket pair, after its autoencoder (what a model
    can make at best), and clips also as they were."""
    rng = np.random.default_rng(k)
    if real.sense == "image":
        canvases = [quiet(rng, place_drawing(rng, drawing)) for drawing in real.items]
    else:
        canvases = [fill_with_sound(rng, mel_pictures(clip, (1,))[0]) for clip in real.items]
    canvases = torch.from_numpy(np.stack(canvases))[:, None].float()  # (n, 1, 128, W)
    coded = exam.pair.image.decode(exam.pair.image.encode(canvases))
    rows = dict(exam.named(real.sense, canvases, k))
    rows |= {f"{who}, coded": hits for who, hits in exam.named(real.sense, coded, k).items()}
    if real.sense == "sound" and "sound judge" in exam.namers:
        clips = [(read_clip(clip), pocket.POCKET_MEL.sr) for clip in real.items]
        rows["sound judge, before mel and back"] = exam.namers["sound judge"].of_sounds(clips, k)
    rows |= all_of(exam, canvases, real.sense)
    if real.sense == "image":
        rows.pop("cycle error, dB")  # a drawing was never meant to be heard
    return {f"{real.name}, {row}": values for row, values in rows.items()}, None
