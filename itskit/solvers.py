"""Solvers: how a run gets from one noise level to the next.

A solver is a frozen object. Its `step` takes the latent at t, the estimates of its clean latent and
of its noise, and alpha_bar at t and at the next t (see `schedule`); after the first step also
`previous`, the clean estimate before and the alpha_bar that it was made at. It returns the latent
at the next t. A solver that `draws_noise` takes unit Gaussian noise `fresh` at every step, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .checks import lookup
from .schedule import add_noise


@dataclass(frozen=True)
class DDIM:
    """DDIM without fresh noise (Song et al. 2021, eq. 12 with sigma = 0)."""

    name = "ddim"
    draws_noise = False

    def step(self, latent, clean, noise, alpha_bar_t, alpha_bar_next, previous=None) -> Tensor:
        return add_noise(clean, noise, alpha_bar_next)

    def final_alpha_bar(self, alpha_bar: Tensor) -> Tensor:
        """Stable Diffusion's end on alpha_bar[0], a trace of noise that its decoder expects
        (diffusers' set_alpha_to_one False)."""
        return alpha_bar[0]


@dataclass(frozen=True)
class DPMSolver:
    """DPM-Solver++(2M) (Lu et al. 2022, algorithm 2, midpoint).

    The clean estimate is continued as a straight line in lambda = log(signal / noise), half a step
    ahead. First order without a previous estimate, and where the next latent is clean, since lambda
    is infinite there.
    """

    name = "dpmpp_2m"
    draws_noise = False

    def step(self, latent, clean, noise, alpha_bar_t, alpha_bar_next, previous=None) -> Tensor:
        ahead = clean
        if previous is not None and alpha_bar_next < 1:
            before, alpha_bar_before = previous
            past, here, there = (
                math.log(a / (1 - a)) / 2 for a in (alpha_bar_before, alpha_bar_t, alpha_bar_next)
            )
            ahead = clean + (clean - before) / (here - past) * (there - here) / 2
        shrink = ((1 - alpha_bar_next) / (1 - alpha_bar_t)) ** 0.5
        return shrink * latent + (alpha_bar_next**0.5 - shrink * alpha_bar_t**0.5) * ahead

    def final_alpha_bar(self, alpha_bar: Tensor) -> Tensor:
        """The clean latent itself (sigma 0)."""
        return torch.ones_like(alpha_bar[0])


@dataclass(frozen=True)
class DDPM:
    """Ancestral sampling (Ho et al. 2020, algorithm 2) over the timesteps of the run.

    The next latent is drawn from what the clean estimate leaves open. It is DDIM with eta = 1
    (Song et al. 2021, eq. 16) and Karras' "Euler ancestral": with sigma**2 = (1 - a) / a and
    y = latent / sqrt(a), y moves by -(sigma**2 - next**2) / sigma * noise and is shaken by
    next * sqrt(1 - next**2 / sigma**2). In many steps that is Euler-Maruyama's way to the same
    process, -2 delta noise and sqrt(2 sigma delta); in few, it does not overshoot.
    """

    name = "ddpm"
    draws_noise = True

    def step(self, latent, clean, noise, alpha_bar_t, alpha_bar_next, previous=None, *, fresh):
        kept = (1 - alpha_bar_next) / (1 - alpha_bar_t)  # of the noise's variance
        variance = kept * (1 - alpha_bar_t / alpha_bar_next)
        direction = (1 - alpha_bar_next - variance).clamp_min(0) ** 0.5
        return alpha_bar_next**0.5 * clean + direction * noise + variance**0.5 * fresh

    def final_alpha_bar(self, alpha_bar: Tensor) -> Tensor:
        """The clean latent itself: the last step adds nothing."""
        return torch.ones_like(alpha_bar[0])


Solver = DDIM | DPMSolver | DDPM  # or anything with their name, step and final_alpha_bar
SOLVERS = {solver.name: solver for solver in (DDIM(), DPMSolver(), DDPM())}


def as_solver(solver: str | Solver) -> Solver:
    """A solver by its name; one that is none already. Raises ValueError for an unknown name."""
    return solver if hasattr(solver, "step") else lookup(SOLVERS, solver, "solver")


def draw_noise(seeds: Sequence[int], index: int, like: Tensor, stream: int = 0) -> Tensor:
    """Unit Gaussian noise of the shape of `like` (B, C, h, w) for step `index`: of each item's own
    seed, drawn on the CPU, so that a run may be entered anywhere and a batch be taken apart.

    `stream` tells apart what a step draws more than once.
    """
    if len(seeds) != len(like):
        raise ValueError(f"{len(seeds)} seeds for {len(like)} items: expected one for each item")
    found = []
    for seed in seeds:
        mixed = np.random.SeedSequence([seed % 2**64, index, stream]).generate_state(1, np.uint64)
        generator = torch.Generator("cpu").manual_seed(int(mixed[0]))
        found.append(torch.randn(like.shape[1:], generator=generator, dtype=torch.float32))
    return torch.stack(found).to(like)
