"""The record of a run, and its file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from . import recipes
from .codec import decode, mel_picture
from .media import Picture, Sound
from .modality import Pair
from .sampling import Step
from .writing import make_folder, written

SAVED = {"noisy", "latent", "clean", "index", "t", "weights"}


@dataclass(frozen=True, eq=False)
class Trajectory:
    """A run: its steps, the recipe that makes it again, and the pair that decodes it.

    Steps count from 0 and, as in Python, from the end with -1: `picture(step=4)` is step 4 on every
    axis, label and slider.

    Parameters
    ----------
    steps : iterable of Step
        Such as `sample(...)`: the steps of a loop of your own become a run to look at.
    recipe : dict
        What makes the run again; see `itskit.recipes`.
    pair : Pair, optional
        For decoding.

    Raises
    ------
    ValueError
        If there are no steps.

    Examples
    --------
    >>> run = itskit.Trajectory(itskit.sample([image, sound], latent), pair=pair)
    >>> run.picture(step=4)
    Picture(512 x 128 px, L)
    """

    steps: tuple[Step, ...]
    recipe: dict = field(default_factory=dict)
    pair: Pair | None = None

    def __post_init__(self):
        object.__setattr__(self, "steps", tuple(self.steps))
        object.__setattr__(self, "recipe", recipes.read(self.recipe))
        if not self.steps:
            raise ValueError("steps was empty: expected one Step or more")

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        said = "".join(f"{prompt!r}, " for prompt in recipes.prompts(self.recipe))
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
        return how(getattr(self.pair, name), latent[item][None], crop, self.is_loop)

    @property
    def is_loop(self) -> bool:
        """Whether the end joins the beginning."""
        return bool(self.recipe.get("loop"))

    def picture(self, step: int | None = None, item: int = 0) -> Picture:
        """What there is to see in the result.

        Parameters
        ----------
        step : int, optional
            The clean estimate of this step instead.
        item : int
            Which of the batch.

        Returns
        -------
        Picture

        Raises
        ------
        IndexError
            If there is no such step.
        ValueError
            Without a pair.
        """
        return self._decode("image", step, item)

    def sound(self, step: int | None = None, item: int = 0) -> Sound:
        """What there is to hear in the result.

        Parameters
        ----------
        step : int, optional
        item : int
            As for `picture`, with its errors.

        Returns
        -------
        Sound
        """
        return self._decode("sound", step, item)

    def mel_picture(self, step: int | None = None, item: int = 0) -> np.ndarray:
        """The mel picture that `sound` plays.

        Parameters
        ----------
        step : int, optional
        item : int
            As for `picture`, with its errors.

        Returns
        -------
        array
            (H, W) in [0, 1]; row 0 is the highest frequency.
        """
        return self._decode("sound", step, item, mel_picture)

    def save(self, path, noises: bool = True) -> None:
        """Write steps and recipe as one safetensors file.

        Parameters
        ----------
        path : path
            Folders above it are made.
        noises : bool
            Whether to keep every guide's noise estimates. All latents are written in float16.
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
        for k, step in enumerate(self.steps):  # as it is: a rule goes on from it
            tensors |= {f"memory.{k}.{name}": one.clone() for name, one in step.memory.items()}
        with written(path) as part:
            save_file(tensors, part, metadata={"recipe": json.dumps(self.recipe)})

    @classmethod
    def load(cls, path, pair: Pair | None = None) -> Trajectory:
        """Read what `save` wrote.

        Parameters
        ----------
        path : path
        pair : Pair, optional
            For decoding.

        Returns
        -------
        Trajectory

        Raises
        ------
        ValueError
            If the file is damaged or of another kind.
        """
        try:
            with safe_open(path, framework="pt") as file:
                saved = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                recipe = (file.metadata() or {}).get("recipe")
        except SafetensorError as error:
            raise ValueError(f"{path} is damaged or no file of Trajectory.save: {error}") from None
        if recipe is None or not saved.keys() >= SAVED:
            raise ValueError(f"{path} holds {sorted(saved)}: expected a file of Trajectory.save")
        memory = [{} for _ in saved["index"]]
        for name in [name for name in saved if name.startswith("memory.")]:
            _, k, what = name.split(".", 2)
            memory[int(k)][what] = saved.pop(name)
        saved = {name: x.float() if x.dtype == torch.half else x for name, x in saved.items()}
        guides = range(saved["weights"].shape[1])
        spoken = [iter(saved.get(f"noises.{guide}", ())) for guide in guides]
        steps = []
        for k, parts in enumerate(saved["weights"].tolist()):
            # A guide has a part in exactly those updates in which it speaks.
            noises = tuple(next(spoken[g], None) if parts[g] > 0 else None for g in guides)
            latents = {name: saved[name][k] for name in ("noisy", "latent", "clean")}
            index, t = int(saved["index"][k]), int(saved["t"][k])
            known = {"noises": noises, "weights": tuple(parts), "memory": memory[k]}
            steps.append(Step(index=index, t=t, **known, **latents))
        try:
            return cls(tuple(steps), json.loads(recipe), pair)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path} is damaged: its recipe cannot be read ({error})") from None
