"""The sampling loop: a pure step, and a generator of steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import lcm

import torch
from torch import Tensor

from . import schedule
from .checks import as_seeds
from .guidance import Guide
from .modality import Modality, Pair
from .rules import Rule, as_combined, as_rule, listen
from .rules import name_of as name_of_rule
from .solvers import Solver, as_solver

MOST_WIDTH = 2**20  # pixels, hours of sound: what is more is a mistake


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a run; latents and noises are (B, C, h, w).

    index, t  its place in the run, and its timestep
    noisy     the latent that the guides judged: what the step before came to, but where a rule
              moved it or picked other items
    latent    the latent that came out
    clean     the estimate of the clean latent: what to decode to see and hear this step
    noises    each guide's estimate of the noise, None while it is silent
    weights   each guide's mean part in this update; they add up to 1
    memory    what the rule remembers for the next step, tensors (B, ...)
    """

    index: int
    t: int
    noisy: Tensor = field(repr=False)
    latent: Tensor = field(repr=False)
    clean: Tensor = field(repr=False)
    noises: tuple[Tensor | None, ...] = field(repr=False)
    weights: tuple[float, ...]
    memory: dict[str, Tensor] = field(default_factory=dict, repr=False)


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


def check_width(width: int, *modalities: Modality, name: str = "width") -> None:
    """Raise ValueError unless a canvas `width` pixels wide suits the networks of all; `name` is
    what was given."""
    if width > MOST_WIDTH:
        raise ValueError(
            f"{name}={width}: expected at most {MOST_WIDTH} pixels; compose it in parts"
        )
    unit = lcm(*(m.width_multiple * m.vae_scale_factor for m in modalities))
    if width < unit or width % unit:
        nearest = max(unit, round(width / unit) * unit)
        raise ValueError(f"{name}={width}: expected a multiple of {unit} pixels; try {nearest}")


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
    seeds: int | Sequence[int] | None = None,
    rule: str | dict | Rule = "mean",
) -> Step:
    """One step of "Images that Sound" (Chen et al. 2024, arXiv 2405.12221), for any guides.

    Each guide that speaks estimates the noise in `latent` (B, C, h, w) at `timesteps[index]`, the
    `rule` makes one noise of them (see `rules`; the paper's is the weighted mean), and the solver
    goes to the next timestep. What a multistep solver or a rule remembers is in the `previous`
    step; noise is drawn from `seeds`, one for each item. Raises ValueError if guides, latent, rule
    and solver do not fit, or all guides are silent.
    """
    if previous is None:  # else they were checked when the run began
        _check(guides, latent)
    solver, rule = as_solver(solver), as_rule(rule)
    draws_noise = getattr(solver, "draws_noise", False)
    _check_rule(rule, solver, draws_noise)
    seeds = None if seeds is None else as_seeds(seeds)
    if previous is None and index == 0 and hasattr(rule, "begin"):
        latent = rule.begin(latent, guides)
    said = listen(
        guides, latent, index, timesteps, solver, seeds=seeds,
        memory=previous.memory if previous else {}, branches=getattr(rule, "branches", ""),
    )  # fmt: skip
    noise, memory, moved, picked = as_combined(rule(said))
    latent = latent if moved is None else moved
    clean = schedule.predict_clean(latent, noise, said.alpha_bar)
    before = previous and (previous.clean, guides[0].modality.alpha_bar[previous.t])
    fresh = {"fresh": said.draw()} if draws_noise else {}
    after = solver.step(latent, clean, noise, said.alpha_bar, said.alpha_bar_next, before, **fresh)
    all_of_it = latent, after, clean, *said.noises
    if picked is not None:
        all_of_it = (None if one is None else one[picked] for one in all_of_it)
    latent, after, clean, *noises = all_of_it
    weights = tuple(said.parts.mean((1, 2)).tolist())
    return Step(index, said.t, latent, after, clean, tuple(noises), weights, memory)


def _check_rule(rule, solver: Solver, draws_noise: bool) -> None:
    if getattr(rule, "stochastic", False) and not draws_noise:
        raise ValueError(
            f"the rule {name_of_rule(rule)!r} is one for steps that draw noise, and the solver "
            f"{solver.name!r} draws none: expected solver='ddpm'"
        )


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
    rule: str | dict | Rule = "mean",
) -> Iterator[Step]:
    """Denoise `latent` (B, C, h, w), one Step at a time; whoever pulls may stop at any time.

    With `first_step` > 0 the run is entered late, by a latent noised to that step's timestep. What
    goes on from a run's step k is `sample(guides, step.latent, first_step=k + 1, previous=step,
    ...)`. Solvers and rules that draw noise take it from `seeds`, one for each item.
    """
    timesteps = schedule.timesteps(num_inference_steps, spacing)
    solver, rule = as_solver(solver), as_rule(rule)
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
            seeds=seeds, rule=rule,
        )  # fmt: skip
        latent = step.latent
        yield step
