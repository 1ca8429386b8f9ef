"""Guides: the voices over the shared latent, what each of them says, and how they are blended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from . import threads
from .checks import is_number
from .media import Picture, read_picture
from .modality import Modality
from .notes import tell_what_is_ignored
from .timeline import Along, checked, is_along
from .views import Identity
from .windows import Windows

MOST_IN_A_MAP = 100.0  # of a weight beside weights near 1: what is above are the levels of a mask


@dataclass(frozen=True, eq=False)
class Prompt:
    """An encoded prompt: `cond` of the text, `uncond` of what to keep away from, `empty` of no
    words at all, each (1, L, D). Of a prompt that changes along time, `along` holds all of it, and
    `cond` is what it begins with."""

    text: str
    negative: str
    cond: Tensor = field(repr=False)
    uncond: Tensor = field(repr=False)
    empty: Tensor | None = field(default=None, repr=False)
    along: Along | None = field(default=None, repr=False)


@torch.no_grad()
def encode_prompt(
    modality: Modality, text: str | Sequence, negative: str = "", *, solo: bool = False
) -> Prompt:
    """Encode `text`, and `negative`, words to keep away from, which may be empty.

    `text` may change along time, [(0, "a castle"), (30, "a palm tree")], for a guide that looks
    through `windows`. `solo` is for a run in which no other model speaks. Warns of what the model
    ignores: the end of a text that is too long, signs that it cannot read, words that it has
    learned nothing about.

    Raises ValueError if `text` is empty or one of them is no text.
    """
    if is_along(text):
        said = checked(text)
        each = [encode_prompt(modality, words, negative, solo=solo) for _, words in said]
        along = Along(said, torch.cat([one.cond for one in each]))
        return replace(each[0], text=along.text, along=along)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(
            f"the prompt for {modality.name!r} was {text!r}: expected words, such as 'a castle'"
        )
    if not isinstance(negative, str):
        raise ValueError(
            f"the negative prompt for {modality.name!r} was {negative!r}: expected words, or ''"
        )
    for words in (text, negative):
        if any("\ud800" <= sign <= "\udfff" for sign in words):
            raise ValueError(
                f"the words for {modality.name!r} were {words!r}: expected whole characters, and "
                "this has halves (lone surrogates); type or decode them anew"
            )
    tell_what_is_ignored(modality, text, "prompt")
    tell_what_is_ignored(modality, negative, "negative prompt")
    encode = (solo and modality.encode_solo) or modality.encode_prompt
    cond, uncond = encode(text), encode(negative)
    return Prompt(text, negative, cond, uncond, encode("") if negative else uncond)


@dataclass(frozen=True, eq=False)
class Guide:
    """One voice over the shared latent.

    scale        classifier-free guidance; 1 takes the prompt as it is, more exaggerates it
    weight       its say beside the others: a number >= 0, a map (H, W) over the canvas with row 0
                 at the top, a mask (Picture or PIL image), or a function (index,
                 num_inference_steps) -> number, map or mask
    start, stop  fractions of the run between which it speaks
    view         how it looks at the latent; a map lies on the canvas, not on the view
    name         what recipes, plots and pages call it; by default what its modality is called
    windows      through which it looks at a wide canvas; None: it sees all of it at once
    """

    modality: Modality
    prompt: Prompt
    scale: float = 7.5
    weight: float | Sequence | np.ndarray | Tensor | Callable = 1.0
    start: float = 0.0
    stop: float = 1.0
    view: Callable[[Tensor], Tensor] = Identity()  # noqa: RUF009 (frozen: safe to share)
    name: str = ""
    windows: Windows | None = None

    def __post_init__(self):
        numbers = all(map(is_number, (self.scale, self.start, self.stop)))
        if not (numbers and 0 <= self.start < self.stop <= 1):
            raise ValueError(
                f"guide {self.modality.name!r} was given scale={self.scale}, start={self.start}, "
                f"stop={self.stop}: expected a finite scale and 0 <= start < stop <= 1"
            )
        if not callable(self.weight):
            weight_map(self.weight, (1, 1))
        if self.prompt.along and (self.windows is None or self.windows.seconds is None):
            raise ValueError(
                f"guide {self.modality.name!r} was given a prompt that changes along time: "
                "expected windows=Windows(..., seconds=...) to look through"
            )

    def weight_at(self, index: int, num_inference_steps: int):
        """Its weight, number or map, at a step: 0 while it is silent."""
        first, end = round(self.start * num_inference_steps), round(self.stop * num_inference_steps)
        if not first <= index < end:
            return 0.0
        return self.weight(index, num_inference_steps) if callable(self.weight) else self.weight


def as_guides(extra) -> list[Guide]:
    """`extra` as a list, of one Guide as well; None is none. ValueError for anything else."""
    some = () if extra is None else (extra,) if isinstance(extra, Guide) else extra
    if not isinstance(some, (list, tuple)) or not all(isinstance(one, Guide) for one in some):
        raise ValueError(
            f"extra={extra!r}: expected a list of Guides, such as those of itskit.guides"
        )
    return list(some)


class Estimate(NamedTuple):
    """What a guide answers, each (B, C, h, w): its `noise`, guided; and what that is made of, with
    the prompt (`cond`), with what to keep away from (`uncond`), and with no words (`empty`). The
    last two are None where nobody asked the network for them."""

    noise: Tensor
    cond: Tensor
    uncond: Tensor | None = None
    empty: Tensor | None = None


@torch.no_grad()
def estimate(guide: Guide, latent: Tensor, t: int, branches: str = "") -> Estimate:
    """`estimate_noise`, with what it is made of. `branches` names what has to be there even if the
    guided noise does without it: "uncond", or "empty" for both."""
    prompt, seen = guide.prompt, guide.view(latent)
    wanted = prompt.along or prompt.cond
    if guide.scale == 1 and not branches:
        (cond,) = (noise,) = _answers(guide, seen, t, [wanted])
        uncond = empty = None
    else:
        asked = [prompt.uncond, wanted]
        if branches == "empty" and prompt.negative:
            asked.insert(0, _empty(guide))
        *others, uncond, cond = _answers(guide, seen, t, asked)  # (B, C, h, w) each
        noise = cond if guide.scale == 1 else uncond + guide.scale * (cond - uncond)
        empty = others[0] if others else None if prompt.negative else uncond
    if not noise.isfinite().all():
        raise FloatingPointError(
            f"guide {guide.modality.name!r} answered with NaN or infinity at t={t}, scale "
            f"{guide.scale}: expected finite noise; check the latent that it was given, lower the "
            "scale, or load the network in float32"
        )
    found = noise, cond, uncond, empty
    return Estimate(*(None if one is None else guide.view.inverse(one) for one in found))


def _answers(guide: Guide, seen: Tensor, t: int, asked: Sequence) -> tuple[Tensor, ...]:
    """What the network says about `seen` (B, C, h, w), asked for each of some prompts, (1, L, D) or
    along time; all in one call, or one for a few windows."""
    predict, batch = guide.modality.predict_noise, len(seen)
    many = torch.cat([seen] * len(asked)) if len(asked) > 1 else seen  # (prompts B, C, h, w)

    def about(window: Tensor, starts: Sequence[int]) -> Tensor:
        when = [_second(guide, seen, start) for start in starts]
        embeds = [prompt_at(one, *second) for second in when for one in asked]
        return predict(window, t, torch.cat(embeds).repeat_interleave(batch, 0))

    if guide.windows is None:
        found = predict(many, t, torch.cat(asked).repeat_interleave(batch, 0))
    else:
        found = guide.windows.average(about, many)
    return found.to(seen).chunk(len(asked))


def _second(guide: Guide, seen: Tensor, start: int) -> tuple[float, float | None]:
    """Which second of the canvas lies in the middle of a window of what the guide sees; and the
    length of a loop."""
    windows, (height, width) = guide.windows, seen.shape[-2:]
    if windows.seconds is None:
        return 0.0, None
    canvas = torch.arange(0.5, width).expand(1, 1, height, width)
    place = windows.columns(start, width)[min(windows.size, width) // 2]
    column = float(guide.view(canvas)[0, 0, height // 2, place].abs())  # as the view moves them
    return column * windows.seconds, width * windows.seconds if windows.loop else None


def prompt_at(prompt: Tensor | Along, second: float, length: float | None) -> Tensor:
    """A prompt (1, L, D), or what one along time says at a second."""
    return prompt.at(second, length) if isinstance(prompt, Along) else prompt


def _empty(guide: Guide) -> Tensor:
    if guide.prompt.empty is None:
        raise ValueError(
            f"the prompt of guide {guide.modality.name!r} was encoded without its `empty` branch: "
            "expected a Prompt of encode_prompt"
        )
    return guide.prompt.empty


def estimate_noise(guide: Guide, latent: Tensor, t: int) -> Tensor:
    """The noise that `guide` finds in `latent` (B, C, h, w) at timestep `t`, of the same shape.

    Classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598), both branches in one call of
    the network. Raises FloatingPointError if it answers with NaN or infinity.
    """
    return estimate(guide, latent, t).noise


def estimate_all(
    guides: Sequence[Guide], latent: Tensor, t: int, branches: str = ""
) -> list[Estimate]:
    """`estimate` of each guide; of all at once if their networks are made for it
    (`threads.own_thread`), which changes nothing but the time that it takes."""
    calls = [partial(estimate, guide, latent, t, branches) for guide in guides]
    if all(getattr(guide.modality.predict_noise, "own_thread", False) for guide in guides):
        return threads.together(calls)
    return [call() for call in calls]


def weight_map(weight, grid: tuple[int, int]) -> Tensor:
    """A number, or a map of any size, as a map over the latent's `grid` (h, w).

    A Picture or PIL image is a mask: black is 0, white is 1. Raises ValueError for an array that
    seems to hold grey levels instead of weights.
    """
    if isinstance(weight, (Picture, Image.Image)):
        weight = np.asarray(read_picture(weight).image.convert("L")) / np.float32(255)
    kind = str(getattr(weight, "dtype", "numbers"))
    if not isinstance(weight, Tensor):
        weight = _as_floats(weight)
    values = torch.as_tensor(weight, dtype=torch.float32, device="cpu")
    fits = values.ndim in (0, 2) and values.numel()
    if not fits or not (values.isfinite() & (values >= 0)).all():
        raise ValueError(
            f"the weight was {values.numpy()}: expected a number or a map (H, W), finite and "
            "nowhere negative; to steer away from something use a negative prompt"
        )
    if values.ndim == 0:
        return values.expand(grid)
    if values.max() > (1 if "uint" in kind else MOST_IN_A_MAP):  # unsigned: as pictures are
        raise ValueError(
            f"the weight was a map of {kind} up to {values.max():g}: expected weights, such as 0 "
            "to 1; if these are grey levels, divide by 255 or pass the mask as a PIL image"
        )
    return F.interpolate(values[None, None], grid, mode="area")[0, 0]  # (H, W) -> (h, w)


def _as_floats(weight) -> np.ndarray:
    try:
        if np.iscomplexobj(weight):
            raise ValueError("they are complex")
        return np.array(weight, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"the weight was {weight!r}: expected a number or a map (H, W) of numbers ({error})"
        ) from None


def weight_maps(weights: Sequence, grid: tuple[int, int]) -> Tensor:
    """The weights of all guides as their parts of the blend (guides, h, w), which add up to 1.

    A guide whose weight is 0 everywhere is silent, and leaves its part to those that speak: where
    they have no weight of their own, as when a map waits for a late guide, to all of them alike.
    Raises ValueError where nobody has any.
    """
    maps = torch.stack([weight_map(weight, grid) for weight in weights])  # (guides, h, w)
    speaks = maps.flatten(1).any(1)  # (guides,)
    if not speaks.all():
        maps = torch.where(maps.sum(0) > 0, maps, speaks.float()[:, None, None])
    total = maps.sum(0)
    if not total.all():
        raise ValueError(
            f"the weights of the {len(weights)} guides are all 0 on "
            f"{int((total == 0).sum())} of {total.numel()} latent cells: expected somebody "
            "everywhere; change a weight, start or stop"
        )
    return maps / total


def blend(noises: Sequence[Tensor | None], weights: Sequence) -> Tensor:
    """The weighted mean of the noises (B, C, h, w) that are not None: a silent guide leaves its
    part to the others, as in `weight_maps`. Two guides of equal weight are the blend of "Images
    that Sound".

    Weights are numbers or maps (H, W). Raises ValueError where all that speak have weight 0.
    """
    spoken = [noise for noise in noises if noise is not None]
    if not spoken:
        raise ValueError(f"{len(noises)} noises, all of them None: expected a guide that speaks")
    weights = [0.0 if n is None else weight for n, weight in zip(noises, weights, strict=True)]
    return weighted_mean(noises, weight_maps(weights, spoken[0].shape[-2:]))


def weighted_mean(noises: Sequence[Tensor | None], parts: Tensor) -> Tensor:
    """`blend` for parts (guides, h, w) that add up to 1 already."""
    spoken = [(part, noise) for part, noise in zip(parts, noises, strict=True) if noise is not None]
    return sum(part.to(noise) * noise for part, noise in spoken)
