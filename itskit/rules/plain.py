"""Rules that remember nothing: a noise of the noises."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .estimates import Estimates, each_by


@dataclass(frozen=True)
class Mean:
    """The weighted mean ("Images that Sound", Chen et al. 2024, arXiv 2405.12221)."""

    name = "mean"

    def __call__(self, said: Estimates) -> Tensor:
        return said.mean(said.noises)

    def mixture(self, step, names):
        return each_by(step.weights, step.noises)


@dataclass(frozen=True)
class Alternate:
    """The guides take turns, each for `every` steps; weights say only who speaks."""

    every: int = 1

    name = "alternate"

    def __call__(self, said: Estimates) -> Tensor:
        turn = said.index // self.every % len(said.speaking)
        return said.noises[said.speaking[turn]]

    def mixture(self, step, names):
        speaking = [k for k, noise in enumerate(step.noises) if noise is not None]
        turn = speaking[step.index // self.every % len(speaking)]
        return each_by([float(k == turn) for k in range(len(step.noises))], step.noises)


@dataclass(frozen=True)
class FrequencySplit:
    """Coarse shapes from the guide named `low`, details from the mean of the others.

    noise = L low + (I - L) others, with L a Gaussian blur whose standard deviation is `width`
    latent cells ("Factorized Diffusion", Geng et al. 2024, arXiv 2404.11615).
    """

    low: str = "sound"
    width: float = 2.0

    name = "frequency"

    def __call__(self, said: Estimates) -> Tensor:
        if self.low not in said.names:
            raise ValueError(f"low={self.low!r}: expected a guide, one of {said.names}")
        number = said.names.index(self.low)
        coarse = said.noises[number]
        others = [None if k == number else noise for k, noise in enumerate(said.noises)]
        if coarse is None or not any(one is not None for one in others):
            return said.mean(said.noises)
        parts = said.parts.clone()  # (guides, h, w)
        parts[number] = 0
        speaks = torch.tensor([one is not None for one in others])[:, None, None]
        parts = torch.where(parts.sum(0) > 0, parts, speaks.float())
        parts = parts / parts.sum(0)
        fine = sum(p.to(one) * one for p, one in zip(parts, others, strict=True) if one is not None)
        return fine + low_pass(coarse - fine, self.width)

    def mixture(self, step, names):
        low = names.index(self.low)
        alone = [k == low or noise is None for k, noise in enumerate(step.noises)]
        if step.noises[low] is None or all(alone):
            return each_by(step.weights, step.noises)
        rest = [0.0 if k == low else weight for k, weight in enumerate(step.weights)]
        rest = rest if sum(rest) else [float(not one) for one in alone]
        parts = each_by([weight / sum(rest) for weight in rest], step.noises)
        fine = [None if one is None else one - low_pass(one, self.width) for one in parts]
        return [*fine[:low], low_pass(step.noises[low], self.width), *fine[low + 1 :]]


def low_pass(x: Tensor, width: float) -> Tensor:
    """A Gaussian blur of (..., h, w), `width` cells wide, that mirrors what lies at the edges: it
    is diagonal in the cosine transform."""
    height, columns = x.shape[-2:]
    mirrored = torch.cat([x, x.flip(-1)], -1)
    mirrored = torch.cat([mirrored, mirrored.flip(-2)], -2)  # (..., 2h, 2w)
    rows, cols = (
        torch.exp(-2 * (torch.pi * width * frequency) ** 2)
        for frequency in (torch.fft.fftfreq(2 * height), torch.fft.rfftfreq(2 * columns))
    )
    spectrum = torch.fft.rfft2(mirrored) * (rows[:, None] * cols).to(x)
    return torch.fft.irfft2(spectrum, mirrored.shape[-2:])[..., :height, :columns]


@dataclass(frozen=True)
class Projection:
    """What two prompts want against each other is taken out.

    d = cond - uncond is what a prompt wants. Where <d1, d2> < 0, d1 loses its part along d2 and d2
    its part along d1; the guided noises with these are blended as ever (a heuristic, after Yu et
    al. 2020, arXiv 2001.06782, on gradients of several tasks).
    """

    name = "projection"
    branches = "uncond"

    def __call__(self, said: Estimates) -> Tensor:
        wants = {k: said.spoken[k].cond - said.spoken[k].uncond for k in said.speaking}
        noises = list(said.noises)
        for k, want in wants.items():
            kept = want
            for other in (wants[j] for j in wants if j != k):
                against = _dot(kept, other).clamp_max(0)  # (B, 1, 1, 1)
                kept = kept - against / _dot(other, other).clamp_min(1e-12) * other
            noises[k] = said.spoken[k].uncond + said.guides[k].scale * kept
        return said.mean(noises)


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum((1, 2, 3), keepdim=True)
