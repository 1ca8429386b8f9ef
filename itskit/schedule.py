"""Noise levels, and the timesteps at which a run visits them.

    alpha_bar   what is left of the clean latent's variance at a timestep: 1 is clean, 0 is noise
    latent      sqrt(alpha_bar) * clean + sqrt(1 - alpha_bar) * noise
    clean       the estimate of the clean latent z0
    noise       the estimate of the unit Gaussian noise, epsilon

Ho et al. 2020, "Denoising Diffusion Probabilistic Models" (DDPM); Song et al. 2021, "Denoising
Diffusion Implicit Models" (DDIM). Every function is pure, and an alpha_bar is a number or a tensor
without dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .checks import lookup


def stable_diffusion_alpha_bar() -> Tensor:
    """Stable Diffusion's table (1000,): "scaled linear" betas from 0.00085 to 0.012."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float32) ** 2
    return torch.cumprod(1 - betas, dim=0)


def timesteps(num_inference_steps: int, spacing: str = "leading") -> Tensor:
    """The timesteps to visit, descending (Lin et al. 2024, arXiv 2305.08891, table 2).

    Parameters
    ----------
    num_inference_steps : int
        From 1 to 999; else ValueError.
    spacing : {"leading", "trailing"}
        "leading" is Stable Diffusion's: equal strides up from 1, so that the first timestep is a
        stride short of pure noise. "trailing" strides down from 999, which is better for short
        runs.

    Returns
    -------
    Tensor, int64 (num_inference_steps,)
    """
    n = int(num_inference_steps)
    if n != num_inference_steps or not 1 <= n <= 999:
        raise ValueError(
            f"num_inference_steps={num_inference_steps}: expected a whole number from 1 to 999; "
            "30 is a good start"
        )
    leading = torch.arange(n).flip(0) * (1000 // n) + 1
    trailing = (1000 - torch.arange(n, dtype=torch.float64) * (1000 / n)).round().long() - 1
    return lookup({"leading": leading, "trailing": trailing}, spacing, "spacing")


def add_noise(clean: Tensor, noise: Tensor, alpha_bar_t) -> Tensor:
    """The noisy latent at `alpha_bar_t` (DDPM, eq. 4)."""
    return alpha_bar_t**0.5 * clean + (1 - alpha_bar_t) ** 0.5 * noise


def predict_clean(latent: Tensor, noise: Tensor, alpha_bar_t) -> Tensor:
    """The clean latent, given that `noise` is in `latent` (DDPM, eq. 15)."""
    return (latent - (1 - alpha_bar_t) ** 0.5 * noise) / alpha_bar_t**0.5


def noise_from_clean(latent: Tensor, clean: Tensor, alpha_bar_t) -> Tensor:
    """The noise, given that `clean` is in `latent`."""
    return (latent - alpha_bar_t**0.5 * clean) / (1 - alpha_bar_t) ** 0.5
