"""Latents to pictures and sounds, and back: whatever `media` reads becomes a latent."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from . import media
from .media import Picture, Sound
from .modality import Modality
from .sampling import check_width


@torch.no_grad()
def decode(modality: Modality, latent: Tensor, crop: int = 0):
    """The Picture or Sound in `latent` (1, C, h, w), or a list of B of them for (B, C, h, w).

    `crop` pixels, and the sound that they are, are cut from the right edge.
    """
    pictures = modality.decode(latent).float().cpu()  # (B, 1 or 3, H, W)
    results = [render(modality, picture, crop) for picture in pictures]
    return results[0] if len(results) == 1 else results


def render(modality: Modality, picture: Tensor, crop: int = 0) -> Picture | Sound:
    """What a whole decoded picture (1 or 3, H, W) shows or plays, without its last `crop` columns.

    It is cut after rendering, as in the paper, whose vocoder hears the whole: a wave made of a part
    would end otherwise.
    """
    whole, width = modality.render(picture), picture.shape[-1]
    if isinstance(whole, Sound):
        return Sound(whole.samples[: len(whole.samples) * (width - crop) // width], whole.rate)
    columns, rows = whole.image.size
    return Picture(whole.image.crop((0, 0, columns * (width - crop) // width, rows)))


@torch.no_grad()
def mel_picture(modality: Modality, latent: Tensor, crop: int) -> np.ndarray:
    """The grey picture (H, W - crop) of a latent (1, C, h, w)."""
    grey = modality.decode(latent).float().cpu()[0].mean(0)  # (1 or 3, H, W) -> (H, W)
    return grey[:, : grey.shape[-1] - crop].numpy()


@torch.no_grad()
def encode(
    modality: Modality,
    what,
    width: int | None = None,
    *,
    fit: str = "pad",
    background="white",
    start: float = 0.0,
    duration: float | None = None,
) -> Tensor:
    """The latent (1, C, h, w) of whatever `media.read` reads; a latent or Trajectory gives its own.

    Bare samples are at the rate of `modality.axis`.

    width            of the canvas in pixels, to which a sound is cut or followed by silence
    fit              of a picture of other proportions: "pad" (with the colour of its edge), "crop"
                     or "stretch"
    background       what a transparent picture is laid on
    start, duration  the seconds of a recording that are used

    Raises ValueError, or FileNotFoundError, for what cannot be read, and for a width that the
    networks cannot take.
    """
    channels, height, _ = modality.latent_shape
    what = getattr(what, "latent", what)  # of a Step or Trajectory
    if isinstance(what, Tensor) and what.ndim == 4 and what.shape[1] == channels:
        return what
    if modality.analyse is None:
        raise ValueError(
            f"{modality.name!r} has no analyse, so cannot read a {type(what).__name__}: expected a "
            f"latent (B, {channels}, h, w)"
        )
    if width is not None:
        check_width(width, modality)
    found = media.read(what, background=background, sr=modality.axis and modality.axis.rate)
    if isinstance(found, Picture):
        unit = modality.width_multiple * modality.vae_scale_factor
        size = media.nearest_size(found, height * modality.vae_scale_factor, unit, width)
        picture = modality.analyse(media.fit_picture(found, size, fit))  # (1, 1, H, W)
        if picture.shape[2:] != size[::-1]:
            picture = F.interpolate(picture, size[::-1], mode="bilinear", antialias=True)
        return modality.encode(picture)  # (1, 1, H, W) -> (1, C, h, w)
    if isinstance(found, Sound):
        known = width is not None and modality.axis is not None
        seconds = width * modality.axis.seconds if known else None
        found = media.fit_sound(found, seconds, start=start, duration=duration)
    picture = modality.analyse(found)  # (1, 1, H, W)
    if width is not None:
        picture = F.pad(picture, (0, width - picture.shape[-1]))  # (1, 1, H, width)
    return modality.encode(picture)
