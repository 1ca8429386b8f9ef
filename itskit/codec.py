"""Latents to pictures and sounds, and back: whatever `media` reads becomes a latent."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from . import media
from .media import Picture, Sound
from .modality import Modality
from .sampling import check_width

PAD = 128  # pixels around the seam of a loop: more than decoders and vocoders look across


@torch.no_grad()
def decode(modality: Modality, latent: Tensor, crop: int = 0, loop: bool = False):
    """The pictures or sounds in a latent.

    Parameters
    ----------
    modality : Modality
        Its networks decode; the image modality gives pictures, the sound modality sounds.
    latent : Tensor
        (B, C, h, w).
    crop : int
        Pixels, and the sound that they are, to cut from the right edge.
    loop : bool
        Whether the right edge is followed by the left one.

    Returns
    -------
    Picture or Sound, or a list of B of them if B > 1

    Examples
    --------
    >>> latent = itskit.init_latent(pair, seeds=[7])
    >>> itskit.decode(pair.sound, latent)
    Sound(5.12 s at 16000 Hz)
    """
    pictures = paint(modality, latent, loop)
    results = [render(modality, picture, crop, loop) for picture in pictures]
    return results[0] if len(results) == 1 else results


def paint(modality: Modality, latent: Tensor, loop: bool = False) -> Tensor:
    """The canvas that a latent (B, C, h, w) decodes to, (B, 1 or 3, H, W), on the CPU.

    A loop is decoded with as much around it as a usual canvas is wide, and where it ends the
    decoder's own texture glides into that of the beginning.
    """
    if not loop:
        return modality.decode(latent).float().cpu()
    cell, cells, pad = modality.vae_scale_factor, latent.shape[-1], modality.latent_shape[2]
    around = latent[..., torch.arange(-pad, cells + pad) % cells]
    whole = modality.decode(around).float().cpu()  # (B, 1 or 3, H, W + 2 pad)
    ahead = whole[..., pad * cell :]
    canvas, behind = ahead[..., : cells * cell], ahead[..., cells * cell :]
    fade = torch.linspace(0, 1, min(PAD, canvas.shape[-1], behind.shape[-1] // 2))
    begin = torch.lerp(behind[..., : len(fade)], canvas[..., : len(fade)], fade)
    return torch.cat([begin, canvas[..., len(fade) :]], -1)


def render(
    modality: Modality, picture: Tensor, crop: int = 0, loop: bool = False
) -> Picture | Sound:
    """What a decoded picture shows or plays.

    It is cut after rendering, as in the paper, whose vocoder hears the whole: a wave made of a part
    would end otherwise.

    Parameters
    ----------
    modality : Modality
    picture : Tensor
        (1 or 3, H, W) in [0, 1], the whole canvas.
    crop : int
        Columns to cut from the right edge.
    loop : bool
        Whether the right edge is followed by the left one.

    Returns
    -------
    Picture or Sound
    """
    how = partial(_render_around, modality.render) if loop else modality.render
    if loop and modality.render_loop is not None:
        how = modality.render_loop
    whole, width = how(picture), picture.shape[-1]
    if isinstance(whole, Sound):
        count = len(whole.samples) * (width - crop) // width
        return Sound(whole.samples[:count], whole.rate, loop)
    columns, rows = whole.image.size
    return Picture(whole.image.crop((0, 0, columns * (width - crop) // width, rows)))


def _render_around(render: Callable, picture: Tensor) -> Picture | Sound:
    """What `render` makes of a loop, (1 or 3, H, W): the middle of the same with more around it."""
    width = picture.shape[-1]
    whole = render(picture[..., torch.arange(-PAD, width + PAD) % width])
    if isinstance(whole, Sound):
        first, count = (len(whole.samples) * n // (width + 2 * PAD) for n in (PAD, width))
        return Sound(whole.samples[first : first + count], whole.rate)
    first, count = (whole.image.width * n // (width + 2 * PAD) for n in (PAD, width))
    return Picture(whole.image.crop((first, 0, first + count, whole.image.height)))


@torch.no_grad()
def mel_picture(
    modality: Modality, latent: Tensor, crop: int = 0, loop: bool = False
) -> np.ndarray:
    """The grey picture (H, W - crop) of a latent (1, C, h, w), which may be a loop."""
    grey = paint(modality, latent, loop)[0].mean(0)  # (1 or 3, H, W) -> (H, W)
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
    """The latent of a picture or a recording.

    Parameters
    ----------
    modality : Modality
    what
        Whatever `media.read` reads; bare samples are at the rate of `modality.axis`. A latent or
        Trajectory gives its own latent.
    width : int, optional
        Of the canvas, in pixels. A sound is cut to it or followed by silence.
    fit : {"pad", "crop", "stretch"}
        How a picture of other proportions is fitted; "pad" fills with the colour of its edge.
    background : colour
        What a transparent picture is laid on.
    start, duration : float
        The seconds of a recording that are used; without `duration` all from `start` on.

    Returns
    -------
    Tensor
        (1, C, h, w).

    Raises
    ------
    ValueError
        For what cannot be read, and for a width that the networks cannot take.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> itskit.encode(pair.image, "drawing.png").shape
    torch.Size([1, 4, 16, 64])
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
