"""Imprint: a picture printed into a finished spectrogram (Chen et al. 2024, arXiv 2405.12221).

The strong imprint keeps to what an ear and an eye mind, and needs a grey scale with room for both.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..compose import compose, whole
from ..modality import Pair
from ..schedule import as_seed
from .canvas import Canvas

# The paper's settings, for the paper's pair: imprint(pair, "…", "…", **PAPER_IMPRINT)
PAPER_IMPRINT = {
    "image_steps": 50,
    "sound_steps": 100,
    "image_scale": 7.5,
    "sound_scale": 7.5,
    "solver": "ddim",
    "spacing": "leading",
}


def print_into(picture: Tensor, spectrogram: Tensor, strength: float = 0.5) -> Tensor:
    """`spectrogram` darkened where `picture` is dark: spec (1 - strength (1 - picture)).

    Both (..., H, W) in [0, 1]. The paper's strength is 0.5.
    """
    return spectrogram * (1 - strength * (1 - picture))


def press_into(
    picture: Tensor,
    spectrogram: Tensor,
    decibels: float,
    *,
    level: float = 50.0,
    cut: float = 16.0,
) -> Tensor:
    """`spectrogram` with `picture` in its quiet greys, pressed a little into its loud ones.

        max(spectrogram - cut (1 - picture),  picture (loudest - level))

    Where the picture is dark the sound is `cut` dB quieter; where it is bright it stands `level`
    dB below the loudest sound (the 99.8% quantile), which the eye sees and the ear does not. Both
    (..., H, W) in [0, 1], on a grey scale of so many `decibels` from black to white: with 65 or
    fewer there is no room for both, with 100 or more there is. Arrays do as well.
    """
    spectrogram, picture = torch.as_tensor(spectrogram), torch.as_tensor(picture)
    loudest = torch.quantile(spectrogram.float().flatten(-2), 0.998, -1)[..., None, None]
    cut_out = (spectrogram - cut / decibels * (1 - picture)).clamp(0, 1)
    return torch.maximum(cut_out, picture * (loudest - level / decibels).clamp(0, 1))


@torch.no_grad()
def imprint(
    pair: Pair,
    image_prompt: str,
    sound_prompt: str,
    *,
    seed: int = 0,
    seeds: Sequence[int] | None = None,
    strength: float = 0.5,
    num_inference_steps: int | None = None,
    image_steps: int | None = None,
    sound_steps: int | None = None,
    **settings,
) -> Canvas:
    """A picture and a spectrogram, each made by its model alone, one printed into the other.

    `num_inference_steps` is meant for both, unless one has its own `image_steps` or `sound_steps`;
    `settings` are those of `compose`. The picture starts from the seed's noise, the sound from that
    of seed + 1,000,000, since from the same noise they would resemble each other. Ctrl-C in either
    raises KeyboardInterrupt: half of an imprint is none.
    """
    steps = [num_inference_steps if n is None else n for n in (image_steps, sound_steps)]
    prompts = (image_prompt, sound_prompt)
    seeds = [seed] if seeds is None else seeds
    picture, sound, recipe = _alone(pair, prompts, seeds, steps, settings)
    recipe |= {"method": "imprint", "strength": strength}
    return Canvas(print_into(picture, sound, strength), recipe, pair)


@torch.no_grad()
def strong_imprint(
    pair: Pair,
    image_prompt: str,
    sound_prompt: str,
    *,
    seed: int = 0,
    seeds: Sequence[int] | None = None,
    level: float = 50.0,
    cut: float = 16.0,
    num_inference_steps: int | None = None,
    image_steps: int | None = None,
    sound_steps: int | None = None,
    **settings,
) -> Canvas:
    """As `imprint`, but with the drawing where an ear does not miss anything: `press_into`.

    It asks nothing of the models but that each can work alone, so it is what a composition has to
    beat. `level` and `cut` are in dB. Raises ValueError if the grey levels of the pair's sound
    model are not known to be decibels (`Modality.axis`).
    """
    steps = [num_inference_steps if n is None else n for n in (image_steps, sound_steps)]
    decibels = decibels_of(pair)
    prompts = (image_prompt, sound_prompt)
    seeds = [seed] if seeds is None else seeds
    picture, sound, recipe = _alone(pair, prompts, seeds, steps, settings)
    pressed = press_into(full_range(picture), sound, decibels, level=level, cut=cut)
    recipe |= {"method": "strong imprint", "level": level, "cut": cut}
    return Canvas(pressed, recipe, pair)


@torch.no_grad()
def press(pair: Pair, drawing, recording, *, level: float = 50.0, cut: float = 16.0) -> Canvas:
    """A drawing of one's own pressed into a recording of one's own (`press_into`).

    Either is what `itskit.encode` takes: a Picture or PIL image, bright where it is to be seen; a
    Sound or samples at the pair's rate. The drawing is repeated, or cut off, to last as long as the
    recording.
    """
    picture = pair.image.analyse(drawing).float().mean(1, keepdim=True)  # (1, 1, H, w)
    sound = pair.sound.analyse(recording).float().mean(1, keepdim=True)  # (1, 1, H, W)
    times = -(-sound.shape[-1] // picture.shape[-1])
    picture = picture.repeat(1, 1, 1, times)[..., : sound.shape[-1]]
    pressed = press_into(full_range(picture), sound, decibels_of(pair), level=level, cut=cut)
    recipe = {"method": "press", "pair": pair.name, "level": level, "cut": cut, "crop": False}
    return Canvas(pressed, recipe, pair)


def full_range(picture: Tensor) -> Tensor:
    """The pictures (..., H, W) brightened so that each one's brightest (99.8% quantile) is white.

    A drawing that a model makes stands in quiet greys; a dark one stays darker than half.
    """
    brightest = torch.quantile(picture.flatten(-2), 0.998, -1)[..., None, None]
    return (picture / brightest.clamp_min(0.2)).clamp(0, 1)


def decibels_of(pair: Pair) -> float:
    """From black to white of the pair's canvas."""
    axis = pair.sound.axis
    if axis is None or axis.decibels is None:
        raise ValueError(
            f"the sound model of pair {pair.name!r} does not say that its grey levels are decibels:"
            " expected Modality.axis with its decibels; `imprint` does without"
        )
    return axis.decibels


def _alone(pair, prompts, seeds, steps, settings):
    """What each model makes alone, (B, 1, H, W) each, and the recipe of both."""
    seeds, settings = [as_seed(seed) for seed in seeds], {"progress": False, **settings}
    ways = {  # from the same noise they would resemble each other
        "image": (prompts[0], None, seeds, steps[0]),
        "sound": (None, prompts[1], [seed + 1_000_000 for seed in seeds], steps[1]),
    }
    made = {
        name: whole(compose(pair, *words, seeds=some, num_inference_steps=count, **settings))
        for name, (*words, some, count) in ways.items()
    }
    pictures = [
        getattr(pair, name).decode(result.latent).float().cpu().mean(1, keepdim=True)
        for name, result in made.items()
    ]  # (B, 1, H, W) each
    counts = {f"{name}_steps": r.recipe["num_inference_steps"] for name, r in made.items()}
    return *pictures, {**made["image"].recipe, "sound_prompt": prompts[1], **counts}
