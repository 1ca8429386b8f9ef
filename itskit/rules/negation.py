"""Rules for negative prompts: what is not wanted, asked for apart from what is wanted.

notation
    eps_c, eps_n, eps_0   a guide's noise with its prompt, its negative prompt, and no words

They ask the network for three branches instead of two, of guides that have a negative prompt. The
others answer as ever, and the weighted mean of all is the step's noise. That ordinary guidance
puts eps_n in the place of eps_0 is what these rules are an answer to.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..guidance import Estimate
from .estimates import Combined, Estimates, flat

LEAST = 1e-6  # of the odds that are kept, so that an item may come back to them


@dataclass(frozen=True)
class Not:
    """Away from the negative prompt, only as far as an item is likely to be what it says.

    eps = eps_c guided by eps_0, less  strength p / (1 - p) (eps_n - eps_0),  where p is how likely
    the item is the forbidden thing: `prior` at first, then multiplied at each step by how much
    likelier that step was under eps_n than under eps_0, to the power of `temperature`, and by a
    little for the wait (`offset`), at most `most` ("Dynamic Negative Guidance", Koulischer et al.
    2024, arXiv 2410.14398; its values are the defaults). Prior the share of the forbidden,
    strength 1, temperature 1 and offset 0 are what Bayes says. The memory holds `odds`, p for each
    item and guide (B, guides).
    """

    strength: float = 5.0
    prior: float = 0.01
    temperature: float = 0.2
    offset: float = 2e-4
    most: float = 0.8

    name = "not"
    branches = "empty"
    stochastic = True

    def __call__(self, said: Estimates) -> Combined:
        odds = said.memory.get("odds")
        if odds is None:
            odds = torch.full((len(said.latent), len(said.spoken)), self.prior, dtype=torch.float64)
        odds = odds.to(said.latent.device)
        noises = list(said.noises)
        denying = [k for k in said.speaking if said.guides[k].prompt.negative]
        for k in denying:
            one, p = said.spoken[k], odds[:, k, None, None, None]  # (B, 1, 1, 1)
            push = (self.strength * p / (1 - p)).to(one.cond)
            wanted = one.empty + said.guides[k].scale * (one.cond - one.empty)
            noises[k] = wanted - push * (one.uncond - one.empty)
        noise = said.mean(noises)
        if denying and not said.is_last:
            odds = odds.clone()
            for k in denying:
                odds[:, k] *= self._likelier(said, noise, said.spoken[k]).exp()
            odds = odds.clamp(LEAST, self.most)
        return Combined(noise, {"odds": odds})

    def _likelier(self, said: Estimates, noise: Tensor, one: Estimate) -> Tensor:
        """The log of how much likelier the step was under eps_n than under eps_0, (B,)."""
        drift = 2 * said.rate * said.sigma
        off = [flat([said.kick - drift * (noise - eps)]) for eps in (one.uncond, one.empty)]
        gap = (off[0] ** 2).sum((1, 2)) - (off[1] ** 2).sum((1, 2))  # (B,)
        variance = 2 * said.rate * said.sigma_next**2  # of the kick, in y; in the latent less:
        offset = self.offset / float(said.alpha_bar_next)
        return (offset - self.temperature * gap) / (2 * variance)


@dataclass(frozen=True)
class PerpNeg:
    """Away from the negative prompt, but not from what it has in common with the prompt.

    With p = eps_c - eps_0 and n = eps_n - eps_0:  eps = eps_0 + scale (p - strength (n - its part
    along p))  (Perp-Neg, Armandpour et al. 2023, arXiv 2304.04968).
    """

    strength: float = 1.0

    name = "perp_neg"
    branches = "empty"

    def __call__(self, said: Estimates) -> Tensor:
        noises = list(said.noises)
        for k in said.speaking:
            if said.guides[k].prompt.negative:
                one = said.spoken[k]
                wanted, denied = one.cond - one.empty, one.uncond - one.empty
                length = (wanted**2).sum((1, 2, 3), keepdim=True).clamp_min(1e-12)
                along = (denied * wanted).sum((1, 2, 3), keepdim=True) / length  # (B, 1, 1, 1)
                away = wanted - self.strength * (denied - along * wanted)
                noises[k] = one.empty + said.guides[k].scale * away
        return said.mean(noises)
