"""Imprint: a picture printed into a finished spectrogram (Chen et al. 2024, arXiv 2405.12221).

The strong imprint keeps to what an ear and an eye mind, and needs a grey scale with room for both.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import media, recipes
from ..beginning import describe
from ..checks import as_seeds
from ..composition import composed
from ..modality import Pair
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

LOUDEST = 0.95  # grey of the loudest in a recording of one's own


def print_into(picture: Tensor, spectrogram: Tensor, strength: float = 0.5) -> Tensor:
    """`spectrogram` darkened where `picture` is dark: spec (1 - strength (1 - picture)).

    Parameters
    ----------
    picture, spectrogram : Tensor
        (..., H, W) in [0, 1].
    strength : float
        The paper's is 0.5.

    Returns
    -------
    Tensor
        (..., H, W) in [0, 1].
    """
    return spectrogram * (1 - strength * (1 - picture))


def press_into(
    picture: Tensor,
    spectrogram: Tensor,
    decibels: float,
    *,
    level: float | Tensor = 50.0,
    cut: float | Tensor = 16.0,
) -> Tensor:
    """`spectrogram` with `picture` in its quiet greys, pressed a little into its loud ones.

        max(spectrogram - cut (1 - picture),  picture (loudest - level))

    Where the picture is dark the sound is `cut` dB quieter; where it is bright it stands `level`
    dB below the loudest sound (the 99.8% quantile), which the eye sees and the ear does not.

    Parameters
    ----------
    picture, spectrogram : Tensor or array
        (..., H, W) in [0, 1].
    decibels : float
        From black to white: with 65 or fewer there is no room for both, with 100 or more there is.
    level, cut : float or Tensor
        In dB; tensors (..., 1, 1) with those of each item.

    Returns
    -------
    Tensor
        (..., H, W) in [0, 1].
    """
    spectrogram, picture = torch.as_tensor(spectrogram), torch.as_tensor(picture)
    cut_out = (spectrogram - cut / decibels * (1 - picture)).clamp(0, 1)
    stands = (loudest(spectrogram.float()) - level / decibels).clamp(0, 1)
    return torch.maximum(cut_out, picture * stands)


def loudest(spectrogram: Tensor) -> Tensor:
    """The 99.8% quantile of each (..., H, W), as (..., 1, 1), which a few clicks do not move.

    `torch.quantile` says the same of up to 16 million numbers, and sorts them all.
    """
    values = spectrogram.flatten(-2)
    place = 0.998 * (values.shape[-1] - 1)
    top = values.topk(values.shape[-1] - int(place), -1).values  # (..., k), falling
    upper = top[..., max(0, top.shape[-1] - 2)]
    return torch.lerp(top[..., -1], upper, place - int(place))[..., None, None]


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

    The picture starts from the seed's noise, the sound from that of seed + 1,000,000, since from
    the same noise they would resemble each other. Ctrl-C in either raises KeyboardInterrupt: half
    of an imprint is none.

    Parameters
    ----------
    pair : Pair
    image_prompt, sound_prompt : str
    seed : int
    seeds : sequence of int, optional
        A batch, instead of `seed`.
    strength : float
        How dark the picture is printed, 0 to 1.
    num_inference_steps : int, optional
        Of both, unless one has its own `image_steps` or `sound_steps`.
    **settings
        Those of `compose`.

    Returns
    -------
    Canvas
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
    beat.

    Parameters
    ----------
    level, cut : float
        In dB, as in `press_into`; all others are those of `imprint`.

    Returns
    -------
    Canvas

    Raises
    ------
    ValueError
        If the grey levels of the pair's sound model are not known to be decibels (`Modality.axis`).
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
def press(
    pair: Pair,
    drawing,
    recording,
    *,
    level: float = 50.0,
    cut: float = 16.0,
    invert: bool | None = None,
) -> Canvas:
    """A drawing of one's own pressed into a recording of one's own (`press_into`).

    Parameters
    ----------
    pair : Pair
    drawing
        What `itskit.media.read_picture` reads, the path of a file too. It is never cut: it is
        repeated as often as it fits into the recording, or the recording is followed by silence
        until it fits once.
    recording
        What `itskit.media.read_sound` reads, of any length; bare samples are at the rate of the
        pair's sounds. Its loudest (the 99.8% quantile) is brought near to white.
    level, cut : float
        In dB.
    invert : bool, optional
        Whether dark is what is drawn. None: if the border of the picture is light (the median of
        its outermost pixels above half), for that is paper, which becomes black, and black ink
        becomes white.

    Returns
    -------
    Canvas

    Raises
    ------
    ValueError
        If there is nothing in the drawing, and where `strong_imprint` raises it.
    """
    decibels = decibels_of(pair)
    drawing = media.read_picture(drawing)
    recording = media.fit_sound(media.read_sound(recording, sr=pair.sound.axis.rate))
    picture = _drawn(pair.image.analyse(drawing), invert)  # (1, 1, H, w)
    sound = _near_white(pair.sound.analyse(recording).float().mean(1, keepdim=True))
    sound = F.pad(sound, (0, max(0, picture.shape[-1] - sound.shape[-1])))  # (1, 1, H, W)
    pressed = press_into(_in_a_row(picture, sound.shape[-1]), sound, decibels, level=level, cut=cut)
    recipe = {
        "method": "press",
        "pair": pair.name,
        "drawing": describe(drawing),
        "recording": describe(recording),
        "level": level,
        "cut": cut,
        "invert": invert,
        "crop": False,
    }
    return Canvas(pressed, recipe, pair)


def _drawn(picture: Tensor, invert: bool | None) -> Tensor:
    """A person's picture (1, C, H, w) as a drawing (1, 1, H, w), what is drawn white on black."""
    picture = picture.float().mean(1, keepdim=True)
    edges = picture[..., 0, :], picture[..., -1, :], picture[..., 0], picture[..., -1]
    border = torch.cat([edge.flatten() for edge in edges]).median()
    if border > 0.5 if invert is None else invert:
        paper = border if border > 0.5 else 1.0  # seldom white in a photograph
        picture = (1 - picture / paper).clamp(0, 1)
    if picture.max() < 0.02:
        raise ValueError(
            "nothing is in the drawing but its background: expected something brighter than its "
            "dark border or darker than its light one; invert=True or False says what is drawn"
        )
    return full_range(picture)


def _in_a_row(picture: Tensor, width: int) -> Tensor:
    """A drawing (1, 1, H, w) as often as it fits into (1, 1, H, width), evenly, on black."""
    count = width // picture.shape[-1]
    row = picture.new_zeros(*picture.shape[:-1], width)
    for k in range(count):
        left = round((k + 0.5) * width / count - picture.shape[-1] / 2)
        row[..., left : left + picture.shape[-1]] = picture
    return row


def _near_white(sound: Tensor) -> Tensor:
    """A spectrogram in dB, louder or quieter, so that its loudest is near white. Black is silence,
    and stays."""
    loudest = torch.quantile(sound.flatten(), 0.998)
    return torch.where((sound > 0) & (loudest > 0), sound + LOUDEST - loudest, sound).clamp(0, 1)


def full_range(picture: Tensor) -> Tensor:
    """The pictures (..., H, W) brightened so that each one's brightest (99.8% quantile) is white.

    A drawing that a model makes stands in quiet greys; a dark one stays darker than half.
    """
    return (picture / loudest(picture).clamp_min(0.2)).clamp(0, 1)


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
    seeds = as_seeds(seeds)
    ways = {  # from the same noise they would resemble each other
        "image": (prompts[0], None, seeds, steps[0]),
        "sound": (None, prompts[1], [seed + 1_000_000 for seed in seeds], steps[1]),
    }
    made = {
        name: composed(pair, *words, seeds=some, num_inference_steps=count, **settings)
        for name, (*words, some, count) in ways.items()
    }
    pictures = [
        getattr(pair, name).decode(result.latent).float().cpu().mean(1, keepdim=True)
        for name, result in made.items()
    ]  # (B, 1, H, W) each
    counts = {f"{name}_steps": r.recipe["num_inference_steps"] for name, r in made.items()}
    guides = [guide for result in made.values() for guide in recipes.guides(result.recipe)]
    return *pictures, {**made["image"].recipe, "guides": guides, **counts}
