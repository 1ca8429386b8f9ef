"""How well a model knows latents that it did not make: its denoising loss on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .. import schedule
from ..modality import Modality
from ..solvers import draw_noise


@torch.no_grad()
def losses(
    modality: Modality,
    latents: Tensor,
    timesteps: Sequence[int],
    *,
    prompt: str = "",
    draws: int = 1,
    seed: int = 0,
) -> np.ndarray:
    """The mean squared error of a model's noise estimate, for each latent and noise level.

    It is what the model was trained to make small (Ho et al. 2020, eq. 14), so a model that gives
    strange latents a larger loss than its own does not take them for its own. The noise depends on
    the seed alone: two models that are asked about the same latents hear the same noise, and their
    losses can be compared item by item.

    Parameters
    ----------
    modality : Modality
    latents : Tensor
        (N, C, h, w), without noise.
    timesteps : sequence of int
        0 to 999; high ones are noisy.
    prompt : str
        The same for all; without words by default.
    draws : int
        Times that noise is added; the losses are means over these.
    seed : int

    Returns
    -------
    array
        (N, timesteps); 1 is what "no noise at all" would get.

    Raises
    ------
    ValueError
        If the latents are not of this model, or a timestep is not in its schedule.
    """
    channels, last = modality.latent_shape[0], len(modality.alpha_bar) - 1
    if latents.ndim != 4 or latents.shape[1] != channels:
        raise ValueError(
            f"latents of shape {tuple(latents.shape)}: {modality.name!r} expected (N, {channels}, "
            "h, w); make them with itskit.encode or compose"
        )
    if not all(0 <= t <= last for t in timesteps):
        raise ValueError(f"timesteps={list(timesteps)}: expected each in 0 to {last}")
    embeds = modality.encode_prompt(prompt).expand(len(latents), -1, -1)  # (N, L, D)
    found = np.zeros((len(latents), len(timesteps)))
    for k, t in enumerate(timesteps):
        for draw in range(draws):
            seeds = range(seed, seed + len(latents))
            noise = draw_noise(seeds, draw, latents)  # (N, C, h, w)
            noisy = schedule.add_noise(latents, noise, modality.alpha_bar[t])
            off = modality.predict_noise(noisy, t, embeds) - noise
            found[:, k] += off.square().mean((1, 2, 3)).cpu().numpy() / draws
    return found
