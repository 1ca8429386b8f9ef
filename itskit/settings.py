"""What can be set about a composition, in one frozen type, resolved once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np

from .checks import is_number, lookup
from .guidance import weight_map
from .media import Picture
from .modality import Pair
from .rules import as_rule


@dataclass(frozen=True)
class Settings:
    """The settings of a composition, with what counts where nobody says anything; `compose`
    explains each of them."""

    image_negative: str = ""
    sound_negative: str = ""
    num_inference_steps: int = 30
    image_scale: float = 7.5
    sound_scale: float = 7.5
    image_weight: float | Sequence | Callable = 0.5
    sound_weight: float | Sequence | Callable = 0.5
    image_start: float = 0.1  # the paper's warm start: the sound alone lays the ground
    sound_start: float = 0.0
    image_stop: float = 1.0
    sound_stop: float = 1.0
    image_view: str | Callable = "identity"
    sound_view: str | Callable = "identity"
    solver: str = "ddim"
    rule: str | dict | Callable = "mean"
    spacing: str = "leading"
    width: int | None = None
    duration: float | None = None
    window: int | None = None
    loop: bool = False
    strength: float = 0.7
    init_fit: str = "pad"
    init_background: str = "white"
    init_start: float = 0.0
    init_duration: float | None = None
    crop: bool = True

    @classmethod
    def of(cls, pair: Pair, preset: str | None = None, given: dict | None = None) -> Settings:
        """What was given, else the preset's, else the pair's, else the defaults; None is nothing.
        A rule for solvers that draw noise brings one along, unless a solver was given.

        Raises ValueError for a name that is no setting and for an unknown preset.
        """
        named = {} if preset is None else lookup(pair.presets, preset, "preset")
        settings = asdict(cls())
        for layer in (pair.defaults, named, given or {}):
            for name, value in layer.items():
                lookup(settings, name, "setting")
                if value is not None:
                    settings[name] = as_weight(value) if name.endswith("weight") else value
        _check(settings)
        rule = as_rule(settings["rule"])
        if getattr(rule, "stochastic", False) and (given or {}).get("solver") is None:
            settings["solver"] = "ddpm"
        return cls(**settings)


def _check(settings: dict) -> None:
    """Raise ValueError for what is no number, or no words, where they are expected."""
    for one in fields(Settings):
        value, usual = settings[one.name], one.default
        if one.name in ("width", "duration", "window", "init_duration") and value is not None:
            usual = 0.0
        kind = type(usual) if not one.name.endswith(("weight", "background", "crop")) else None
        if kind is bool and not isinstance(value, (bool, np.bool_)):
            raise ValueError(f"{one.name}={value!r}: expected True or False")
        if kind in (int, float) and not is_number(value):
            raise ValueError(f"{one.name}={value!r}: expected a number, such as {usual or 1}")
        if one.name.endswith(("fit", "spacing")) and not isinstance(value, str):
            raise ValueError(f"{one.name}={value!r}: expected words, such as {usual!r}")


NAMES = tuple(one.name for one in fields(Settings))


@dataclass(frozen=True)
class PerStep:
    """A weight that was recorded: a number or a map (h, w) for each step of a run."""

    per_step: Sequence

    def __call__(self, index: int, num_inference_steps: int):
        return self.per_step[index]


def as_weight(said):
    """A weight as a recipe says it, as a `Guide` takes it."""
    if not isinstance(said, dict):
        return said
    if list(said) != ["per_step"] or not isinstance(said["per_step"], (list, tuple)):
        raise ValueError(
            f"the weight was {said}: expected a number, a map, or {{'per_step': [...]}}"
        )
    return PerStep(said["per_step"])


def recorded(weight, grid: tuple[int, int], count: int):
    """A weight of any kind as what JSON can hold: a number, a map on the latent's grid (h, w), or
    `PerStep` of these. Raises ValueError if it is given for another number of steps."""
    if isinstance(weight, PerStep) and len(weight.per_step) != count:
        raise ValueError(
            f"the weight is given for {len(weight.per_step)} steps: expected {count}, as "
            "num_inference_steps"
        )
    if callable(weight):
        each = [weight(index, count) for index in range(count)]
        return PerStep([recorded(one, grid, count) for one in each])
    values = weight_map(weight, grid)
    return values.tolist() if isinstance(weight, Picture) or np.ndim(weight) else float(weight)


def is_zero(weight) -> bool:
    """Whether a weight, as given or as recorded, is 0 everywhere, always. What a function will say
    is known only when it is `recorded`."""
    if isinstance(weight, PerStep):
        return all(map(is_zero, weight.per_step))
    return not callable(weight) and not (np.asarray(weight) != 0).any()
