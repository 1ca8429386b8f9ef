"""A diffusion model as one small record of callables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from .audio.mel import MelSettings, row_frequencies
from .media import Picture, Sound


@dataclass(frozen=True)
class Axis:
    """What the rows and columns of a sound model's pictures mean to the ear.

    hertz    centre frequency of each row (H,), highest first
    seconds  that a column lasts
    rate     of the sounds, in Hz
    decibels  from black to white, if grey levels are decibels
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
    """What the core knows of a diffusion model (N items, C latent channels, L tokens).

    encode_prompt     text -> prompt_embeds (1, L, D), L the same for every text
    predict_noise     latent (N, C, h, w), t, prompt_embeds (N, L, D) -> noise (N, C, h, w); for a
                      small network on the CPU, wrapped in `threads.own_thread`
    encode, decode    picture (N, 1, H, W) in [0, 1] -> latent (N, C, h, w), and back, grey or RGB
    render            picture (1 or 3, H, W) -> Picture, or the Sound that it says, level and all
    alpha_bar         the noise schedule that it was trained with (1000,)
    latent_shape      (C, h, w) of the usual canvas
    width_multiple    any w that is a multiple of this will do
    analyse           Picture, Sound, PIL image or array -> picture (1, 1, H, W): the way back from
                      render, if there is one
    vae_scale_factor  pixels along a side of a latent cell
    encode_solo       encode_prompt for a run in which no other model speaks, if that makes a
                      difference to this one
    check_prompt      text -> what of it this model does not read or know, a short note for each,
                      such as "not known: theremin; nearest: harp"; none for most prompts
    render_near       picture, the Sound of a picture much like it -> Sound: quicker than render and
                      nearly as good, if there is such a way
    axis              of a sound model: what rows and columns of its pictures mean, if that is
                      known; pages and plots show no hertz without it
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
    analyse: Callable[..., Tensor] | None = None
    vae_scale_factor: int = 8
    encode_solo: Callable[[str], Tensor] | None = None
    check_prompt: Callable[[str], Sequence[str]] | None = None
    render_near: Callable[[Tensor, Sound], Sound] | None = None
    axis: Axis | None = None


@dataclass(frozen=True, eq=False)
class Pair:
    """Two modalities of one latent space, with the settings that suit them.

    `defaults` and each of `presets` hold keyword arguments of `compose`; `weights_hash` identifies
    the networks; `crop` cuts `crop_pixels` from the right edge (32 in the paper's pair). `scorers`
    may hold, for "image" and "sound", a quick judge (latent (B, C, h, w), prompt) -> (B,), higher
    where the latent is more like the prompt.
    """

    name: str
    image: Modality
    sound: Modality
    defaults: dict = field(default_factory=dict)
    presets: dict[str, dict] = field(default_factory=dict)
    weights_hash: str = ""
    crop_pixels: int = 0
    scorers: dict[str, Callable[[Tensor, str], Tensor]] = field(default_factory=dict)
