"""Noise levels and the solvers that walk down them.

    alpha_bar   what is left of the clean latent's variance at a timestep: 1 is clean, 0 is noise
    latent      sqrt(alpha_bar) * clean + sqrt(1 - alpha_bar) * noise
    clean       the estimate of the clean latent z0
    noise       the estimate of the unit Gaussian noise, epsilon

Ho et al. 2020, "Denoising Diffusion Probabilistic Models" (DDPM); Song et al. 2021, "Denoising
Diffusion Implicit Models" (DDIM); Lu et al. 2022, "DPM-Solver++". Every function is pure, and an
alpha_bar is a number or a tensor without dimensions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def lookup(options: dict, name, kind: str):
    """`options[name]`, or a ValueError that lists what there is."""
    if name not in options:
        raise ValueError(f"unknown {kind} {name!r}: expected one of {sorted(options)}")
    return options[name]


def stable_diffusion_alpha_bar() -> Tensor:
    """Stable Diffusion's table (1000,): "scaled linear" betas from 0.00085 to 0.012."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float32) ** 2
    return torch.cumprod(1 - betas, dim=0)


def timesteps(num_inference_steps: int, spacing: str = "leading") -> Tensor:
    """The timesteps to visit (n,), int64, descending (Lin et al. 2024, arXiv 2305.08891, table 2).

    "leading" is Stable Diffusion's: equal strides up from 1, so that the first timestep is a stride
    short of pure noise. "trailing" strides down from 999, which short runs profit from.
    Raises ValueError unless `num_inference_steps` is a whole number from 1 to 999.
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


# A solver takes the latent at t, the estimates of its clean latent and its noise, alpha_bar at t
# and at the next t; after the first step also the previous clean estimate and the alpha_bar it was
# made at. It returns the latent at the next t.


def ddim(
    latent, clean, noise, alpha_bar_t, alpha_bar_next, previous_clean=None, previous_alpha_bar=None
) -> Tensor:
    """DDIM without fresh noise (eq. 12 with sigma = 0)."""
    return add_noise(clean, noise, alpha_bar_next)


def dpmpp_2m(
    latent, clean, noise, alpha_bar_t, alpha_bar_next, previous_clean=None, previous_alpha_bar=None
) -> Tensor:
    """DPM-Solver++(2M) (algorithm 2, midpoint): the clean estimate is continued as a straight line
    in lambda = log(signal / noise), half a step ahead. First order without a previous estimate, and
    where the next latent is clean, since lambda is infinite there."""
    ahead = clean
    if previous_clean is not None and alpha_bar_next < 1:
        past, here, there = (
            math.log(a / (1 - a)) / 2 for a in (previous_alpha_bar, alpha_bar_t, alpha_bar_next)
        )
        ahead = clean + (clean - previous_clean) / (here - past) * (there - here) / 2
    shrink = ((1 - alpha_bar_next) / (1 - alpha_bar_t)) ** 0.5
    return shrink * latent + (alpha_bar_next**0.5 - shrink * alpha_bar_t**0.5) * ahead


SOLVERS = {"ddim": ddim, "dpmpp_2m": dpmpp_2m}


def final_alpha_bar(solver: str, alpha_bar: Tensor) -> Tensor:
    """Where a run ends: Stable Diffusion's DDIM on alpha_bar[0], a trace of noise that its decoder
    expects (set_alpha_to_one False); DPM-Solver++ on the clean latent itself (sigma 0)."""
    return alpha_bar[0] if solver == "ddim" else torch.ones_like(alpha_bar[0])


def as_seed(seed) -> int:
    """A seed as the whole number that it is. Raises ValueError for one that is none, and for one
    that PyTorch cannot take."""
    try:
        whole = int(seed)
        if whole == seed and -(2**63) <= whole < 2**64:
            return whole
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValueError(f"seed={seed!r}: expected a whole number from -2**63 to 2**64 - 1, such as 7")
