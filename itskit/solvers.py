"""Solvers: how a run gets from one noise level to the next.

A solver is a frozen object. Its `step` takes the latent at t, the estimates of its clean latent and
of its noise, and alpha_bar at t and at the next t (see `schedule`); after the first step also
`previous`, the clean estimate before and the alpha_bar that it was made at. It returns the latent
at the next t.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .checks import lookup
from .schedule import add_noise


@dataclass(frozen=True)
class DDIM:
    """DDIM without fresh noise (Song et al. 2021, eq. 12 with sigma = 0)."""

    name = "ddim"

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


Solver = DDIM | DPMSolver  # or anything with their name, step and final_alpha_bar
SOLVERS = {solver.name: solver for solver in (DDIM(), DPMSolver())}


def as_solver(solver: str | Solver) -> Solver:
    """A solver by its name; one that is none already. Raises ValueError for an unknown name."""
    return lookup(SOLVERS, solver, "solver") if isinstance(solver, str) else solver
