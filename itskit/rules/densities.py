"""Rules that follow how likely each item is for each guide.

notation (see `Estimates`)
    eps_i       noise of guide i, with the prompt and without guidance; g_i the guided one
    y           latent / sqrt(alpha_bar), with noise of standard deviation sigma
    dy          -2 rate sigma eps + kick, a step of DDPM by the noise eps

By Ito's formula the log density of guide i grows by  -rate |eps_i|**2 - <dy, eps_i> / sigma  in a
step, and by something that all guides share (Skreta et al. 2024, "The Superposition of Diffusion
Models Using the Ito Density Estimator", arXiv 2412.17762). That holds for many short steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .estimates import Combined, Estimates, as_combined, each_by, flat

OWN_DRAWS = 100  # the streams of noise from here on are those of `Langevin`


def growth(said: Estimates, noise: Tensor) -> Tensor:
    """By how much the log density of each guide grows in a step by `noise`, (B, guides), float64;
    0 for the silent ones."""
    found = torch.zeros(len(noise), len(said.spoken), dtype=torch.float64, device=noise.device)
    move = flat([said.move(noise)])  # (B, 1, D)
    eps = flat([said.spoken[k].cond for k in said.speaking])  # (B, speaking, D)
    found[:, said.speaking] = -said.rate * (eps**2).sum(2) - (move * eps).sum(2) / said.sigma
    return found


def _so_far(said: Estimates) -> Tensor:
    """The log densities (B, guides), relative to each other, up to this step."""
    nothing = torch.zeros(len(said.latent), len(said.spoken), dtype=torch.float64)
    return said.memory.get("log_q", nothing).to(said.latent.device)


def _mix(said: Estimates, kappa: Tensor) -> Combined:
    """The noises mixed by kappa (B, guides), with densities and kappa to remember."""
    parts = kappa.to(said.latent)[:, :, None, None, None]  # (B, guides, 1, 1, 1)
    noise = sum(parts[:, k] * said.noises[k] for k in said.speaking)
    log_q = _so_far(said) + growth(said, noise)
    return Combined(noise, {"log_q": log_q, "kappa": kappa})


def _mixed_by_kappa(step) -> list[Tensor | None]:
    kappa = step.memory["kappa"][:, :, None, None, None]  # (B, guides, 1, 1, 1)
    return each_by(kappa.unbind(1), step.noises)


@dataclass(frozen=True)
class And:
    """All densities rise alike, so that an item is as likely for one guide as for the other.

    eps = sum of kappa_i g_i, with the kappa, different for each item and step and of sum 1, that
    let the log densities grow by the same (SuperDiff AND, arXiv 2412.17762, prop. 6). `lift` is by
    how much that of the first guide shall end above the others'. Where guidance leaves no kappa
    that does so (guided noises at right angles to unguided), kappa stays with the weights. The
    memory holds `log_q` and `kappa`, (B, guides).
    """

    lift: float = 0.0

    name = "and"
    stochastic = True

    def __call__(self, said: Estimates) -> Combined:
        speaking = said.speaking
        weights = said.parts.mean((1, 2)).double().to(said.latent.device)
        kappa = weights.expand(len(said.latent), -1).clone()  # (B, guides)
        if len(speaking) > 1:
            kappa[:, speaking] += self._correction(said, kappa[:, speaking])
        return _mix(said, kappa)

    def mixture(self, step, names):
        return _mixed_by_kappa(step)

    def _correction(self, said: Estimates, weights: Tensor) -> Tensor:
        """What to add to the weights (B, n) of those that speak; it has sum 0."""
        rate, sigma = said.rate, said.sigma
        eps = flat([said.spoken[k].cond for k in said.speaking])  # (B, n, D)
        guided = flat([said.noises[k] for k in said.speaking])
        kick = flat([said.kick])  # (B, 1, D)
        apart = eps[:, :-1] - eps[:, -1:]  # (B, n - 1, D)
        apart_guided = guided[:, :-1] - guided[:, -1:]
        size = (eps**2).sum(2)  # (B, n)
        wanted = rate * (size[:, :-1] - size[:, -1:]) + (kick * apart).sum(2) / sigma
        wanted[:, 0] += self.lift / len(said.timesteps)
        by_weights = 2 * rate * apart @ (weights[:, None] @ guided).mT  # (B, n - 1, 1)
        left = wanted[..., None] - by_weights
        lengths = [one.norm(dim=2, keepdim=True).clamp_min(1e-12) for one in (apart, apart_guided)]
        cosines = (apart / lengths[0]) @ (apart_guided / lengths[1]).mT  # (B, n - 1, n - 1)
        step = torch.linalg.pinv(cosines, atol=0.05) @ (left / lengths[0]) / lengths[1]
        step = step[..., 0] / (2 * rate)
        return torch.cat([step, -step.sum(1, keepdim=True)], 1)


@dataclass(frozen=True)
class Or:
    """Each item turns to the guide that it is likelier for: samples of the mixture.

    kappa = softmax of the log densities so far, over `temperature`, on top of the weights
    (SuperDiff OR, arXiv 2412.17762, prop. 5). A high temperature leaves the weighted mean. The
    memory holds `log_q` and `kappa`, (B, guides).
    """

    temperature: float = 1.0

    name = "or"
    stochastic = True

    def __call__(self, said: Estimates) -> Combined:
        prior = said.parts.mean((1, 2)).double().to(said.latent.device).log()  # -inf: silent
        return _mix(said, torch.softmax(prior + _so_far(said) / self.temperature, 1))

    def mixture(self, step, names):
        return _mixed_by_kappa(step)


@dataclass(frozen=True)
class Corrected:
    """The density that the weighted mean aims at, the product of the guides' densities to the power
    of their weights, exactly for many particles and steps.

    The items of the batch are particles. Each gathers log W, of which a step by eps = sum of e_i
    eps_i adds  -rate (sum of e_i |eps_i|**2 - |eps|**2),  less the batch's mean; then those of much
    weight are doubled and those of little dropped, after every step but the last (Feynman-Kac
    correctors, Skreta et al. 2025, arXiv 2503.02819; systematic resampling). The memory holds
    `log_w` and `picked`, (B,). Raises ValueError for one item alone.
    """

    limit: float = 1.0  # of what one step may add to log W, either way

    name = "corrected"
    stochastic = True

    def exponents(self, count: int) -> float:
        """The sum of the exponents for so many guides."""
        return 1.0

    def begin(self, latent: Tensor, guides) -> Tensor:
        return latent / self.exponents(len(guides)) ** 0.5

    def __call__(self, said: Estimates) -> Combined:
        items = len(said.latent)
        if items < 2:
            raise ValueError(
                f"the rule {self.name!r} picks among the items of a batch, and there is one: "
                "expected several seeds, such as seeds=range(8)"
            )
        total = self.exponents(len(said.speaking))
        noise = total * said.mean(said.noises)
        squares = [None if one is None else one**2 for one in said.noises]
        lost = (total * said.mean(squares) - noise**2).double().sum((1, 2, 3))  # (B,)
        gained = -said.rate * lost
        gained = (gained - gained.mean()).clamp(-self.limit, self.limit)
        log_w = said.memory.get("log_w", torch.zeros_like(gained)).to(gained) + gained
        if said.is_last:
            return Combined(noise, {"log_w": log_w, "picked": torch.arange(items)})
        uniform = torch.special.ndtr(said.draw(1)[0].flatten()[0].double())
        picked = systematic(torch.softmax(log_w, 0), uniform)
        return Combined(noise, {"log_w": 0 * log_w, "picked": picked}, picked=picked)

    def mixture(self, step, names):
        return each_by(step.weights, step.noises)


def systematic(weights: Tensor, uniform: Tensor) -> Tensor:
    """The numbers (B,) that systematic resampling picks by weights (B,) of sum 1: number k about
    B weights[k] times, at most one more or less (Kitagawa 1996)."""
    count = len(weights)
    comb = (torch.arange(count, device=weights.device) + uniform.to(weights)) / count
    return torch.searchsorted(weights.cumsum(0), comb).clamp_max(count - 1)


@dataclass(frozen=True)
class Product(Corrected):
    """The product of the guides' densities, for equal weights: `Corrected` with exponents that add
    up to the number of guides. A run begins with as much less noise."""

    name = "product"

    def exponents(self, count: int) -> float:
        return float(count)


@dataclass(frozen=True)
class Langevin:
    """Any rule, after `corrections` steps in place by it.

    Each moves y by -h eps / sigma + sqrt(2 h) z, h = `size` sigma**2, and asks all networks again:
    a run takes 1 + corrections times as long. It mends the shape of what a rule samples, not how
    often each of its kinds comes up (Du et al. 2023, arXiv 2302.11552).
    """

    rule: Any = "mean"
    corrections: int = 3
    size: float = 0.05

    name = "langevin"

    def __post_init__(self):
        from . import as_rule

        object.__setattr__(self, "rule", as_rule(self.rule))

    @property
    def stochastic(self) -> bool:
        return getattr(self.rule, "stochastic", False)

    @property
    def branches(self) -> str:
        return getattr(self.rule, "branches", "")

    def begin(self, latent: Tensor, guides) -> Tensor:
        return self.rule.begin(latent, guides) if hasattr(self.rule, "begin") else latent

    def __call__(self, said: Estimates) -> Combined:
        spread = (1 - said.alpha_bar) ** 0.5  # of the noise in the latent itself
        latent = said.latent
        for k in range(self.corrections):
            noise = as_combined(self.rule(said)).noise
            shaken = (2 * self.size) ** 0.5 * said.draw(OWN_DRAWS + k)
            latent = latent + spread * (shaken - self.size * noise)
            said = said.again(latent)
        return as_combined(self.rule(said))._replace(latent=latent)
