"""Latents prepared once, so that a training step costs one U-Net and nothing else."""

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from ..models.pocket.networks import LATENT_CHANNELS
from .canvas import fill_with_sound, place_drawing, woven
from .loop import half_precision


@torch.no_grad()
def encode_all(vae, canvases, total, size=64):
    """Latents (N, 4, h, w) in half precision of a stream of canvases (128, W)."""
    out, batch = [], []

    def encode():
        pictures = torch.from_numpy(np.stack(batch)[:, None]).float()  # (n, 1, 128, W)
        with half_precision():
            return vae.encode(pictures).half()

    for canvas in tqdm(canvases, total=total, desc="latents", mininterval=5):
        batch.append(canvas)
        if len(batch) == size:
            out.append(encode())
            batch = []
    if batch:
        out.append(encode())
    return torch.cat(out) if out else torch.empty(0, LATENT_CHANNELS, 16, 16).half()


def filled_columns(canvas, margin=8):
    """First and last+1 latent column that a drawing touches."""
    columns = np.nonzero(canvas.max(0) > 0.06)[0]
    if len(columns) == 0:
        return 0, 16
    return max(0, columns[0] // margin - 0), min(16, columns[-1] // margin + 1)


def picture_bank(vae, images, indices, mels, out, *, variants=4, woven_variants=0, seed=0):
    """Latents (N·all variants, 4, 16, 16), whose picture they show, and the columns they fill.

    The woven variants have the texture of a random sound.
    """
    rng = np.random.default_rng(seed)
    spans, which = [], np.tile(np.array(indices, int), variants + woven_variants)

    def canvases():
        for n, k in enumerate(which):
            canvas = place_drawing(rng, images[k])
            spans.append(filled_columns(canvas))
            if n >= variants * len(indices):
                clip = mels[rng.integers(len(mels))]
                sound = fill_with_sound(rng, clip[rng.integers(len(clip))])  # (128, 512)
                start = rng.integers(0, sound.shape[1] - 127)
                sound = sound[:, start : start + 128] / max(0.2, sound.max())
                canvas = woven(canvas, sound, rng.uniform(0.2, 0.85), rng.uniform(0, 0.35))
            yield canvas

    latents = encode_all(vae, canvases(), len(which))
    save_file({"latents": latents, "which": torch.tensor(which), "spans": torch.tensor(spans)}, out)


def sound_bank(vae, mels, indices, images, out, *, variants=3, woven_variants=0, seed=0):
    """Latents (N·all variants, 4, 16, 64) and whose clip they hold.

    The woven variants have the shape of a random drawing, four in a row.
    """
    rng = np.random.default_rng(seed)
    which = np.tile(np.array(indices, int), variants + woven_variants)

    def canvases():
        for n, k in enumerate(which):
            canvas = fill_with_sound(rng, mels[k][rng.integers(len(mels[k]))])
            if n >= variants * len(indices):
                drawing = place_drawing(rng, images[rng.integers(len(images))])
                row = np.tile(drawing, canvas.shape[1] // drawing.shape[1])  # (128, 512)
                canvas = woven(canvas, row, rng.uniform(0.3, 0.9), rng.uniform(0, 0.3))
            yield canvas

    latents = encode_all(vae, canvases(), len(which), size=16)
    save_file({"latents": latents, "which": torch.tensor(which)}, out)


def row_of_tiles(rng, latents, spans, columns=64):
    """Drawings side by side on one canvas of latents (4, 16, columns), with random gaps.

    Black is zero and the code is local, so placing latents is placing pictures.
    """
    canvas = torch.zeros(4, 16, columns)
    at = int(rng.integers(0, 5))
    order = rng.integers(0, len(latents), 16)
    for k in order:
        first, last = (int(n) for n in spans[k])
        if at + last - first > columns:
            break
        canvas[:, :, at : at + last - first] = latents[k, :, :, first:last]
        at += last - first + int(rng.integers(0, 7))
    shift = int(rng.integers(0, max(1, columns - at + 1)))
    return canvas.roll(shift, 2)


def load_bank(path):
    return load_file(path)
