"""A diffusion model as one small record of callables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from .audio.mel import MelSettings, row_frequencies
from .media import Picture, Sound


@dataclass(frozen=True)
class Axis:
    """What the rows and columns of a sound model's pictures mean.

    Attributes
    ----------
    hertz : tuple of float
        Centre frequency of each row, (H,), highest first.
    seconds : float
        Length of a column.
    rate : int
        Of the sounds, in Hz.
    decibels : float or None
        From black to white, if grey levels are decibels.
    """

    hertz: tuple[float, ...] = field(repr=False)
    seconds: float
    rate: int
    decibels: float | None = None

    @classmethod
    def of(cls, mel: MelSettings) -> Axis:
        """The axis of mel pictures painted with these settings."""
        hertz = tuple(row_frequencies(mel).tolist())
        return cls(hertz, mel.hop_length / mel.sr, mel.sr, mel.decibels)


@dataclass(frozen=True, eq=False)
class Modality:
    """A diffusion model as a record of functions (N items, C latent channels, L tokens).

    Attributes
    ----------
    name : str
    encode_prompt : callable
        text -> prompt_embeds (1, L, D), L the same for every text.
    predict_noise : callable
        (latent (N, C, h, w), t, prompt_embeds (N, L, D)) -> noise (N, C, h, w). For a small network
        on the CPU, wrapped in `threads.own_thread`.
    encode, decode : callable
        picture (N, 1, H, W) in [0, 1] -> latent (N, C, h, w), and back, grey or RGB.
    render : callable
        picture (1 or 3, H, W) -> Picture, or the Sound that it stands for, at its own level.
    alpha_bar : Tensor
        The noise schedule that it was trained with, (1000,).
    latent_shape : tuple of int
        (C, h, w) of the usual canvas.
    width_multiple : int
        The w of a latent is a multiple of it.
    tile : int, optional
        Latent columns of the squares that it looks at one by one, if it does.
    analyse : callable, optional
        Picture, Sound, PIL image or array -> picture (1, 1, H, W); undoes `render`.
    vae_scale_factor : int
        Pixels along a side of a latent cell.
    encode_solo : callable, optional
        In place of `encode_prompt` in a run without another model, if that makes a difference.
    check_prompt : callable, optional
        text -> short notes on what of it this model does not read or know, such as
        "not known: theremin; nearest: harp"; for most prompts there are none.
    render_near : callable, optional
        (picture, Sound of a similar picture) -> Sound. Quicker than `render`, and nearly as good.
    render_loop : callable, optional
        Like `render`, of a picture whose right edge is followed by its left one.
    axis : Axis, optional
        Of a sound model. Without it pages and plots show no hertz.
    """

    name: str
    encode_prompt: Callable[[str], Tensor]
    predict_noise: Callable[[Tensor, int, Tensor], Tensor]
    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]
    render: Callable[[Tensor], Picture | Sound]
    alpha_bar: Tensor = field(repr=False)
    latent_shape: tuple[int, int, int]
    width_multiple: int = 1
    tile: int | None = None
    analyse: Callable[..., Tensor] | None = None
    vae_scale_factor: int = 8
    encode_solo: Callable[[str], Tensor] | None = None
    check_prompt: Callable[[str], Sequence[str]] | None = None
    render_near: Callable[[Tensor, Sound], Sound] | None = None
    render_loop: Callable[[Tensor], Sound] | None = None
    axis: Axis | None = None


@dataclass(frozen=True, eq=False)
class Pair:
    """Two modalities of one latent space, with the settings that suit them.

    Attributes
    ----------
    name : str
    image, sound : Modality
    defaults : dict
        Keyword arguments of `compose`.
    presets : dict
        Name -> keyword arguments of `compose`.
    weights_hash : str
        Identifies the networks.
    crop_pixels : int
        Cut from the right edge by `crop=True` (32 in the paper's pair).
    scorers : dict
        "image" or "sound" -> quick scorer, (latent (B, C, h, w), prompt) -> (B,), higher where the
        latent is more like the prompt.
    """

    name: str
    image: Modality
    sound: Modality
    defaults: dict = field(default_factory=dict)
    presets: dict[str, dict] = field(default_factory=dict)
    weights_hash: str = ""
    crop_pixels: int = 0
    scorers: dict[str, Callable[[Tensor, str], Tensor]] = field(default_factory=dict)
