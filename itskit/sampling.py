"""The sampling loop: a pure step, and a generator of steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import lcm

import torch
from torch import Tensor

from . import schedule
from .checks import as_seeds
from .guidance import Guide, estimate_noises, weight_maps, weighted_mean
from .modality import Modality, Pair
from .solvers import Solver, as_solver, draw_noise


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a run; latents and noises are (B, C, h, w).

    index, t  its place in the run, and its timestep
    noisy     the latent that went in
    latent    the latent that came out
    clean     the estimate of the clean latent: what to decode to see and hear this step
    noises    each guide's estimate of the noise, None while it is silent
    weights   each guide's mean part in this update; they add up to 1
    """

    index: int
    t: int
    noisy: Tensor = field(repr=False)
    latent: Tensor = field(repr=False)
    clean: Tensor = field(repr=False)
    noises: tuple[Tensor | None, ...] = field(repr=False)
    weights: tuple[float, ...]


def init_latent(
    pair: Pair | Modality, seeds: int | Sequence[int], width: int | None = None
) -> Tensor:
    """Unit Gaussian noise (B, C, h, w), one item for each seed, drawn on the CPU.

    `width` is the canvas width in pixels; None is the usual one. Raises ValueError if the networks
    cannot take it.
    """
    modalities = (pair.image, pair.sound) if isinstance(pair, Pair) else (pair,)
    channels, height, columns = modalities[0].latent_shape
    if width is not None:
        check_width(width, *modalities)
        columns = int(width) // modalities[0].vae_scale_factor
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in as_seeds(seeds)]
    shape = channels, height, columns
    return torch.stack([torch.randn(shape, generator=g, dtype=torch.float32) for g in generators])


def check_width(width: int, *modalities: Modality) -> None:
    """Raise ValueError unless a canvas `width` pixels wide suits the networks of all."""
    unit = lcm(*(m.width_multiple * m.vae_scale_factor for m in modalities))
    if width < unit or width % unit:
        nearest = max(unit, round(width / unit) * unit)
        raise ValueError(f"width={width}: expected a multiple of {unit} pixels; try {nearest}")


def _check(guides: Sequence[Guide], latent: Tensor) -> None:
    """Raise ValueError unless these guides can share this latent."""
    if not guides:
        raise ValueError("guides was empty: expected one Guide or more")
    first = guides[0].modality
    for modality in (guide.modality for guide in guides):
        channels, multiple = modality.latent_shape[0], modality.width_multiple
        if latent.ndim != 4 or latent.shape[1] != channels or latent.shape[3] % multiple:
            raise ValueError(
                f"the latent is {tuple(latent.shape)}: {modality.name!r} expected (B, {channels}, "
                f"h, w), w a multiple of {multiple}; start from init_latent or encode, and combine "
                "modalities of one latent space only"
            )
        tables = modality.alpha_bar, first.alpha_bar
        if tables[0].shape != tables[1].shape or not torch.allclose(*tables, rtol=1e-4):
            raise ValueError(
                f"{modality.name!r} and {first.name!r} have different alpha_bar tables: expected "
                "one noise schedule; combine models that were trained with the same"
            )


def denoise_step(
    guides: Sequence[Guide],
    latent: Tensor,
    *,
    index: int,
    timesteps: Tensor,
    solver: str | Solver = "ddim",
    previous: Step | None = None,
    seeds: Sequence[int] | None = None,
) -> Step:
    """One step of "Images that Sound" (Chen et al. 2024, arXiv 2405.12221), for any guides.

    Each guide that speaks estimates the noise in `latent` (B, C, h, w) at `timesteps[index]`, the
    noises are blended, and the solver goes to the next timestep. A multistep solver looks back at
    the `previous` step; one that draws noise takes it from `seeds`, one for each item. Raises
    ValueError if the guides do not fit the latent or all are silent.
    """
    if previous is None:  # else they were checked when the run began
        _check(guides, latent)
    solver, count = as_solver(solver), len(timesteps)
    try:
        weights = [guide.weight_at(index, count) for guide in guides]
        parts = weight_maps(weights, latent.shape[-2:])  # (guides, h, w)
    except ValueError as error:
        raise ValueError(f"at step {index} of {count}: {error}") from None

    alpha_bar, t = guides[0].modality.alpha_bar, int(timesteps[index])
    speaks = [bool(part.any()) for part in parts]
    speaking = [guide for guide, speaks_now in zip(guides, speaks, strict=True) if speaks_now]
    spoken = iter(estimate_noises(speaking, latent, t))
    noises = tuple(next(spoken) if speaks_now else None for speaks_now in speaks)
    noise = weighted_mean(noises, parts)
    clean = schedule.predict_clean(latent, noise, alpha_bar[t])
    is_last = index == count - 1
    alpha_bar_next = (
        solver.final_alpha_bar(alpha_bar) if is_last else alpha_bar[timesteps[index + 1]]
    )
    before = previous and (previous.clean, alpha_bar[previous.t])
    fresh = {}
    if getattr(solver, "draws_noise", False):
        fresh = {"fresh": draw_noise(_known(seeds, solver), index, latent)}
    after = solver.step(latent, clean, noise, alpha_bar[t], alpha_bar_next, before, **fresh)
    return Step(index, t, latent, after, clean, noises, tuple(parts.mean((1, 2)).tolist()))


def _known(seeds: Sequence[int] | None, solver: Solver) -> list[int]:
    if seeds is None:
        raise ValueError(
            f"the solver {solver.name!r} draws noise: expected seeds=[...], one for each item, "
            "such as those of init_latent"
        )
    return as_seeds(seeds)


def sample(
    guides: Sequence[Guide],
    latent: Tensor,
    *,
    num_inference_steps: int = 30,
    solver: str | Solver = "ddim",
    spacing: str = "leading",
    first_step: int = 0,
    seeds: int | Sequence[int] | None = None,
    previous: Step | None = None,
) -> Iterator[Step]:
    """Denoise `latent` (B, C, h, w), one Step at a time; whoever pulls may stop at any time.

    With `first_step` > 0 the run is entered late, by a latent noised to that step's timestep. What
    goes on from a run's step k is `sample(guides, step.latent, first_step=k + 1, previous=step,
    ...)`. A solver that draws noise takes it from `seeds`, one for each item.
    """
    timesteps, solver = schedule.timesteps(num_inference_steps, spacing), as_solver(solver)
    if not 0 <= first_step < len(timesteps):
        raise ValueError(
            f"first_step={first_step}: expected 0 to {len(timesteps) - 1}, as "
            f"num_inference_steps={num_inference_steps}"
        )
    _check(guides, latent)
    step = previous
    for index in range(first_step, len(timesteps)):
        step = denoise_step(
            guides, latent, index=index, timesteps=timesteps, solver=solver, previous=step,
            seeds=seeds,
        )  # fmt: skip
        latent = step.latent
        yield step
