"""Models of different latent spaces over one canvas: what both have in common is the picture.

foreign = itskit.bridge.through_pixels(other, pair.image)    # a Modality of the pair's latents
itskit.compose(replace(pair, sound=foreign), "a castle", "bells")
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from . import schedule
from .modality import Modality


def through_pixels(other: Modality, space: Modality) -> Modality:
    """The model `other`, as if it denoised the latents of the model `space`.

    At every step `space` estimates, without words, the clean latent, and decodes it; `other`
    encodes that picture, adds the same noise again (other noise, always the same, where its latents
    have another shape), and says what it would make of it; `space` encodes that. With one latent
    space and an autoencoder without loss this is `other` itself. What autoencoders lose, and what
    they do to pictures that are still blurred, is the price, and about two more calls of a network.

    Parameters
    ----------
    other : Modality
        Of any latent space. It keeps its words, and how its pictures are shown or played.
    space : Modality
        The one whose latents are denoised, such as `pair.image`.

    Returns
    -------
    Modality

    Raises
    ------
    ValueError
        If the pictures of the two have different heights, or their schedules different lengths.
    """
    heights = [m.latent_shape[1] * m.vae_scale_factor for m in (other, space)]
    if heights[0] != heights[1] or len(other.alpha_bar) != len(space.alpha_bar):
        raise ValueError(
            f"{other.name!r} paints {heights[0]} rows in {len(other.alpha_bar)} timesteps, "
            f"{space.name!r} {heights[1]} in {len(space.alpha_bar)}: expected the same; resize "
            "pictures in `encode` and `decode` of one of them"
        )

    def predict_noise(latent: Tensor, t: int, prompt_embeds: Tensor) -> Tensor:
        ours, theirs = space.alpha_bar[t], other.alpha_bar[t]
        noise = space.predict_noise(latent, t, space.encode_prompt("").expand(len(latent), -1, -1))
        clean = schedule.predict_clean(latent, noise, ours)
        seen = other.encode(_grey(space.decode(clean)))  # (N, C', h', w')
        noisy = schedule.add_noise(seen, _like(noise, seen), theirs)
        said = other.predict_noise(noisy, t, prompt_embeds)
        made = other.decode(schedule.predict_clean(noisy, said, theirs))  # (N, 1 or 3, H, W)
        return schedule.noise_from_clean(latent, space.encode(_grey(made)), ours)

    return replace(
        other, predict_noise=predict_noise, encode=space.encode, decode=space.decode,
        alpha_bar=space.alpha_bar, latent_shape=space.latent_shape, encode_solo=None,
        width_multiple=space.width_multiple, tile=None, vae_scale_factor=space.vae_scale_factor,
    )  # fmt: skip


def _grey(picture: Tensor) -> Tensor:
    return picture.mean(1, keepdim=True)  # (N, 1 or 3, H, W) -> (N, 1, H, W)


def _like(noise: Tensor, seen: Tensor) -> Tensor:
    """The noise, if the latents have one shape; else as much of one that is always the same."""
    if noise.shape == seen.shape:
        return noise
    drawn = torch.randn(seen.shape[1:], generator=torch.Generator("cpu").manual_seed(0))
    return drawn.to(seen).expand_as(seen)
