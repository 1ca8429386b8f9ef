"""The sampling loop: a pure step, a generator of steps, and the record of a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import lcm

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from . import media, schedule
from .guidance import Guide, blend, estimate_noises, shares
from .modality import Modality, Pair, Picture, Sound, make_folder
from .schedule import as_seed
from .writing import written


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
    seeds = [as_seed(seed) for seed in ([seeds] if np.ndim(seeds) == 0 else seeds)]
    if not seeds:
        raise ValueError("seeds was empty: expected a whole number for each item, such as [7]")
    modalities = (pair.image, pair.sound) if isinstance(pair, Pair) else (pair,)
    channels, height, columns = modalities[0].latent_shape
    if width is not None:
        check_width(width, *modalities)
        columns = int(width) // modalities[0].vae_scale_factor
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
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
    solver: str = "ddim",
    previous: Step | None = None,
) -> Step:
    """One step of "Images that Sound" (Chen et al. 2024, arXiv 2405.12221), for any guides.

    Each guide that speaks estimates the noise in `latent` (B, C, h, w) at `timesteps[index]`, the
    noises are blended, and the solver goes to the next timestep. A multistep solver looks back at
    the `previous` step. Raises ValueError if the guides do not fit the latent or all are silent.
    """
    _check(guides, latent)
    move, count = schedule.lookup(schedule.SOLVERS, solver, "solver"), len(timesteps)
    weights = [guide.weight_at(index, count) for guide in guides]
    try:
        parts = shares(weights, latent.shape[-2:])  # (guides, h, w)
    except ValueError as error:
        raise ValueError(f"at step {index} of {count}: {error}") from None

    alpha_bar, t = guides[0].modality.alpha_bar, int(timesteps[index])
    speaks = [bool(part.any()) for part in parts]
    speaking = [guide for guide, speaks_now in zip(guides, speaks, strict=True) if speaks_now]
    spoken = iter(estimate_noises(speaking, latent, t))
    noises = tuple(next(spoken) if speaks_now else None for speaks_now in speaks)
    noise = blend(noises, weights)
    clean = schedule.predict_clean(latent, noise, alpha_bar[t])
    is_last = index == count - 1
    alpha_bar_next = (
        schedule.final_alpha_bar(solver, alpha_bar) if is_last else alpha_bar[timesteps[index + 1]]
    )
    before = (previous.clean, alpha_bar[previous.t]) if previous else ()
    after = move(latent, clean, noise, alpha_bar[t], alpha_bar_next, *before)
    return Step(index, t, latent, after, clean, noises, tuple(parts.mean((1, 2)).tolist()))


def sample(
    guides: Sequence[Guide],
    latent: Tensor,
    *,
    num_inference_steps: int = 30,
    solver: str = "ddim",
    spacing: str = "leading",
    first_step: int = 0,
) -> Iterator[Step]:
    """Denoise `latent` (B, C, h, w), one Step at a time; whoever pulls may stop at any time.

    With `first_step` > 0 the run is entered late, by a latent noised to that step's timestep.
    """
    timesteps = schedule.timesteps(num_inference_steps, spacing)
    if not 0 <= first_step < len(timesteps):
        raise ValueError(
            f"first_step={first_step}: expected 0 to {len(timesteps) - 1}, as "
            f"num_inference_steps={num_inference_steps}"
        )
    step = None
    for index in range(first_step, len(timesteps)):
        step = denoise_step(
            guides, latent, index=index, timesteps=timesteps, solver=solver, previous=step
        )
        latent = step.latent
        yield step


@torch.no_grad()
def decode(modality: Modality, latent: Tensor, crop: int = 0):
    """The Picture or Sound in `latent` (1, C, h, w), or a list of B of them for (B, C, h, w).

    `crop` pixels, and the sound that they are, are cut from the right edge.
    """
    pictures = modality.decode(latent).float().cpu()  # (B, 1 or 3, H, W)
    results = [render(modality, picture, crop) for picture in pictures]
    return results[0] if len(results) == 1 else results


def render(modality: Modality, picture: Tensor, crop: int = 0) -> Picture | Sound:
    """What a whole decoded picture (1 or 3, H, W) shows or plays, without its last `crop` columns.

    It is cut after rendering, as in the paper, whose vocoder hears the whole: a wave made of a part
    would end otherwise.
    """
    whole, width = modality.render(picture), picture.shape[-1]
    if isinstance(whole, Sound):
        return Sound(whole.samples[: len(whole.samples) * (width - crop) // width], whole.rate)
    columns, rows = whole.image.size
    return Picture(whole.image.crop((0, 0, columns * (width - crop) // width, rows)))


@torch.no_grad()
def _mel_picture(modality: Modality, latent: Tensor, crop: int) -> np.ndarray:
    """The grey picture (H, W - crop) of a latent (1, C, h, w)."""
    grey = modality.decode(latent).float().cpu()[0].mean(0)  # (1 or 3, H, W) -> (H, W)
    return grey[:, : grey.shape[-1] - crop].numpy()


@torch.no_grad()
def encode(
    modality: Modality,
    what,
    width: int | None = None,
    *,
    fit: str = "pad",
    background="white",
    start: float = 0.0,
    duration: float | None = None,
) -> Tensor:
    """The latent (1, C, h, w) of whatever `media.read` reads; a latent or Trajectory gives its own.

    Bare samples are at the rate of `modality.axis`.

    width            of the canvas in pixels, to which a sound is cut or followed by silence
    fit              of a picture of other proportions: "pad" (with the colour of its edge), "crop"
                     or "stretch"
    background       what a transparent picture is laid on
    start, duration  the seconds of a recording that are used

    Raises ValueError, or FileNotFoundError, for what cannot be read, and for a width that the
    networks cannot take.
    """
    channels, height, _ = modality.latent_shape
    if isinstance(what, Trajectory):
        what = what.latent
    if isinstance(what, Tensor) and what.ndim == 4 and what.shape[1] == channels:
        return what
    if modality.analyse is None:
        raise ValueError(
            f"{modality.name!r} has no analyse, so cannot read a {type(what).__name__}: expected a "
            f"latent (B, {channels}, h, w)"
        )
    if width is not None:
        check_width(width, modality)
    found = media.read(what, background=background, sr=modality.axis and modality.axis.rate)
    if isinstance(found, Picture):
        unit = modality.width_multiple * modality.vae_scale_factor
        size = media.nearest_size(found, height * modality.vae_scale_factor, unit, width)
        picture = modality.analyse(media.fit_picture(found, size, fit))  # (1, 1, H, W)
        if picture.shape[2:] != size[::-1]:
            picture = F.interpolate(picture, size[::-1], mode="bilinear", antialias=True)
        return modality.encode(picture)  # (1, 1, H, W) -> (1, C, h, w)
    if isinstance(found, Sound):
        known = width is not None and modality.axis is not None
        seconds = width * modality.axis.seconds if known else None
        found = media.fit_sound(found, seconds, start=start, duration=duration)
    picture = modality.analyse(found)  # (1, 1, H, W)
    if width is not None:
        picture = F.pad(picture, (0, width - picture.shape[-1]))  # (1, 1, H, width)
    return modality.encode(picture)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """A run: its steps, the recipe that makes it again, and the pair that decodes it.

    `steps` may be anything that yields Steps, such as `sample(...)`: a loop of one's own becomes a
    run to look at with `Trajectory(steps, pair=pair)`. Steps count from 0 and, in Python, from the
    end with -1: `picture(step=4)` is step 4 on every axis, label and slider.
    """

    steps: tuple[Step, ...]
    recipe: dict = field(default_factory=dict)
    pair: Pair | None = None

    def __post_init__(self):
        object.__setattr__(self, "steps", tuple(self.steps))
        if not self.steps:
            raise ValueError("steps was empty: expected one Step or more")

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        words = [self.recipe.get(f"{name}_prompt") for name in ("image", "sound")]
        said = "".join(f"{word!r}, " for word in words if word)
        return f"Trajectory({said}{len(self)} steps, latent {tuple(self.latent.shape)})"

    @property
    def latent(self) -> Tensor:
        """The result (B, C, h, w)."""
        return self.steps[-1].latent

    def _decode(self, name: str, step: int | None, item: int, how: Callable = decode):
        if self.pair is None:
            raise ValueError("no pair to decode with: expected Trajectory.load(path, pair=...)")
        if step is not None and not -len(self) <= step < len(self):
            raise IndexError(
                f"step={step}: expected 0 to {len(self) - 1}, since steps count from 0"
            )
        latent = self.latent if step is None else self.steps[step].clean
        crop = self.pair.crop_pixels if self.recipe.get("crop") else 0
        return how(getattr(self.pair, name), latent[item][None], crop)

    def picture(self, step: int | None = None, item: int = 0) -> Picture:
        """What there is to see in the result, or in the clean estimate of a step."""
        return self._decode("image", step, item)

    def sound(self, step: int | None = None, item: int = 0) -> Sound:
        """What there is to hear in the result, or in the clean estimate of a step."""
        return self._decode("sound", step, item)

    def mel_picture(self, step: int | None = None, item: int = 0) -> np.ndarray:
        """The mel picture (H, W) in [0, 1] that `sound` plays; row 0 is the highest frequency."""
        return self._decode("sound", step, item, _mel_picture)

    def save(self, path, noises: bool = True) -> None:
        """Write steps, in float16, and recipe as one safetensors file, with or without noises.

        The folders above it are made.
        """
        make_folder(path)
        tensors = {
            name: torch.stack([getattr(step, name) for step in self.steps]).half()
            for name in ("noisy", "latent", "clean")
        }  # (steps, B, C, h, w) each
        for name in ("index", "t", "weights"):
            tensors[name] = torch.tensor([getattr(step, name) for step in self.steps])
        for guide, spoken in enumerate(zip(*(step.noises for step in self.steps), strict=True)):
            spoken = [noise for noise in spoken if noise is not None]
            if noises and spoken:
                tensors[f"noises.{guide}"] = torch.stack(spoken).half()  # (spoken, B, C, h, w)
        with written(path) as part:
            save_file(tensors, part, metadata={"recipe": json.dumps(self.recipe)})

    @classmethod
    def load(cls, path, pair: Pair | None = None) -> Trajectory:
        """Read what `save` wrote; `pair` is needed for decoding only."""
        try:
            with safe_open(path, framework="pt") as file:
                saved = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                recipe = (file.metadata() or {}).get("recipe")
        except SafetensorError as error:
            raise ValueError(f"{path} is damaged or no file of Trajectory.save: {error}") from None
        if recipe is None or "weights" not in saved:
            raise ValueError(f"{path} holds {sorted(saved)}: expected a file of Trajectory.save")
        saved = {name: x.float() if x.dtype == torch.half else x for name, x in saved.items()}
        guides = range(saved["weights"].shape[1])
        spoken = [iter(saved.get(f"noises.{guide}", ())) for guide in guides]
        steps = []
        for k, parts in enumerate(saved["weights"].tolist()):
            # A guide has a part in exactly those updates in which it speaks.
            noises = tuple(next(spoken[g], None) if parts[g] > 0 else None for g in guides)
            latents = {name: saved[name][k] for name in ("noisy", "latent", "clean")}
            index, t = int(saved["index"][k]), int(saved["t"][k])
            steps.append(Step(index=index, t=t, noises=noises, weights=tuple(parts), **latents))
        return cls(tuple(steps), json.loads(recipe), pair)
