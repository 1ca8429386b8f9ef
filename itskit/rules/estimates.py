"""What a rule is called with, and what it may answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from ..guidance import Estimate, Guide, estimate_all, weight_maps, weighted_mean
from ..solvers import Solver, draw_noise


class Combined(NamedTuple):
    """What a rule makes of the estimates; one that only makes a noise may return that alone.

    noise   of all guides together (B, C, h, w)
    memory  what it wants to find in `Estimates.memory` at the next step, tensors (B, ...)
    latent  where it moved the latent before it asked for the last time
    picked  (B,) the item that each item goes on from, where some are doubled and others dropped
    """

    noise: Tensor
    memory: dict[str, Tensor] = {}  # noqa: RUF012 (nobody writes into it)
    latent: Tensor | None = None
    picked: Tensor | None = None


def as_combined(answer: Tensor | Combined) -> Combined:
    """What a rule answered, as a `Combined`."""
    return answer if isinstance(answer, Combined) else Combined(answer)


@dataclass(frozen=True, eq=False)
class Estimates:
    """What is known at a step, when the noises of the guides have to become one.

    latent     (B, C, h, w) that goes into the step, with variance 1 - alpha_bar of noise
    spoken     each guide's `Estimate`, None while it is silent; `noises` are the guided ones
    parts      the weights as maps (guides, h, w) that add up to 1
    index, timesteps, t    the step's place in the run
    alpha_bar, alpha_bar_next   here, and where the step leads
    memory     what the rule remembered at the step before; {} at first

    In y = latent / sqrt(alpha_bar) the noise has the standard deviation `sigma`. A step of DDPM is
    -2 rate sigma noise + kick: in the notation of continuous time, `rate` is delta / sigma.
    """

    guides: Sequence[Guide]
    latent: Tensor
    spoken: tuple[Estimate | None, ...]
    parts: Tensor
    index: int
    timesteps: Tensor
    alpha_bar: Tensor
    alpha_bar_next: Tensor
    memory: dict[str, Tensor] = field(default_factory=dict)
    seeds: Sequence[int] | None = None
    branches: str = ""

    @property
    def noises(self) -> tuple[Tensor | None, ...]:
        return tuple(one and one.noise for one in self.spoken)

    @property
    def speaking(self) -> list[int]:
        """The numbers of the guides that speak."""
        return [number for number, one in enumerate(self.spoken) if one is not None]

    @property
    def names(self) -> list[str]:
        return [guide.name or guide.modality.name for guide in self.guides]

    @property
    def t(self) -> int:
        return int(self.timesteps[self.index])

    @property
    def is_last(self) -> bool:
        return self.index == len(self.timesteps) - 1

    @property
    def sigma(self) -> float:
        return _sigma(self.alpha_bar)

    @property
    def sigma_next(self) -> float:
        return _sigma(self.alpha_bar_next)

    @property
    def rate(self) -> float:
        return (1 - (self.sigma_next / self.sigma) ** 2) / 2

    @cached_property
    def kick(self) -> Tensor:
        """What the solver's noise adds to y in this step."""
        return self.sigma_next * (2 * self.rate) ** 0.5 * self.draw()

    def mean(self, noises: Sequence[Tensor | None]) -> Tensor:
        """The weighted mean of a noise for each guide, None for the silent ones."""
        return weighted_mean(noises, self.parts)

    def move(self, noise: Tensor) -> Tensor:
        """How a step of DDPM by this noise moves y."""
        return -2 * self.rate * self.sigma * noise + self.kick

    def draw(self, stream: int = 0) -> Tensor:
        """Unit Gaussian noise (B, C, h, w) of the items' seeds: stream 0 is what the solver takes
        at this step, any other number is the rule's own. Raises ValueError without seeds."""
        if self.seeds is None:
            raise ValueError(
                "this solver or rule draws noise: expected seeds=[...], one for each item, such as "
                "those of init_latent"
            )
        return draw_noise(self.seeds, self.index, self.latent, stream)

    def again(self, latent: Tensor) -> Estimates:
        """The same guides asked once more, about another latent."""
        return replace(self, latent=latent, spoken=_ask(self, latent))


def listen(
    guides: Sequence[Guide], latent: Tensor, index: int, timesteps: Tensor, solver: Solver,
    *, memory: dict[str, Tensor], seeds: Sequence[int] | None, branches: str,
) -> Estimates:  # fmt: skip
    """Ask the guides that speak at this step. Raises ValueError if nobody does."""
    count = len(timesteps)
    try:
        weights = [guide.weight_at(index, count) for guide in guides]
        parts = weight_maps(weights, latent.shape[-2:])  # (guides, h, w)
    except ValueError as error:
        raise ValueError(f"at step {index} of {count}: {error}") from None
    table = guides[0].modality.alpha_bar
    is_last = index == count - 1
    after = solver.final_alpha_bar(table) if is_last else table[timesteps[index + 1]]
    here = table[int(timesteps[index])]
    nothing = Estimates(
        guides, latent, (), parts, index, timesteps, here, after, memory, seeds, branches
    )
    return replace(nothing, spoken=_ask(nothing, latent))


def _sigma(alpha_bar: Tensor) -> float:
    return ((1 - float(alpha_bar)) / float(alpha_bar)) ** 0.5


def _ask(about: Estimates, latent: Tensor) -> tuple[Estimate | None, ...]:
    speaks = [bool(part.any()) for part in about.parts]
    speaking = [guide for guide, now in zip(about.guides, speaks, strict=True) if now]
    spoken = iter(estimate_all(speaking, latent, about.t, about.branches))
    return tuple(next(spoken) if now else None for now in speaks)


def each_by(weights: Sequence, noises: Sequence[Tensor | None]) -> list[Tensor | None]:
    """What each guide adds to a sum of the noises by these weights; None for the silent ones."""
    return [None if n is None else w * n for w, n in zip(weights, noises, strict=False)]


def flat(tensors: Sequence[Tensor]) -> Tensor:
    """(B, C, h, w) of some guides as (B, guides, C h w), in float64: their products are large."""
    return torch.stack([one.flatten(1).double() for one in tensors], dim=1)
