"""Latents prepared once, so that a training step costs one U-Net and nothing else."""

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from ..models.pocket.networks import LATENT_CHANNELS
from .canvas import fill_with_sound, place_drawing


@torch.no_grad()
def encode_all(vae, canvases, total, size=64):
    """Latents (N, 4, h, w) in half precision of a stream of canvases (128, W)."""
    out, batch = [], []
    for canvas in tqdm(canvases, total=total, desc="latents", mininterval=5):
        batch.append(canvas)
        if len(batch) == size:
            out.append(vae.encode(torch.from_numpy(np.stack(batch)[:, None])).half())
            batch = []
    if batch:
        out.append(vae.encode(torch.from_numpy(np.stack(batch)[:, None])).half())
    return torch.cat(out) if out else torch.empty(0, LATENT_CHANNELS, 16, 16).half()


def filled_columns(canvas, margin=8):
    """First and last+1 latent column that a drawing touches."""
    columns = np.nonzero(canvas.max(0) > 0.06)[0]
    if len(columns) == 0:
        return 0, 16
    return max(0, columns[0] // margin - 0), min(16, columns[-1] // margin + 1)


def picture_bank(vae, images, indices, out, *, variants=4, seed=0):
    """Latents (N·variants, 4, 16, 16), whose picture they show, and the columns they fill."""
    rng = np.random.default_rng(seed)
    spans, which = [], np.repeat(indices, variants)

    def canvases():
        for k in which:
            canvas = place_drawing(rng, images[k])
            spans.append(filled_columns(canvas))
            yield canvas

    latents = encode_all(vae, canvases(), len(which))
    save_file({"latents": latents, "which": torch.tensor(which), "spans": torch.tensor(spans)}, out)


def sound_bank(vae, mels, indices, out, *, variants=3, seed=0):
    """Latents (N·variants, 4, 16, 64) and whose clip they hold."""
    rng = np.random.default_rng(seed)
    which = np.repeat(indices, variants)

    def canvases():
        for n, k in enumerate(which):
            yield fill_with_sound(rng, mels[k][n % len(mels[k])])

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
