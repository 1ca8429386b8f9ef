"""A diffusion model as one small record of callables, and the pictures and sounds that it makes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from .spectrogram import MelSettings, row_frequencies
from .writing import written

# What a plain audio element does when it begins: all other players pause (see sound.js).
ONE_AT_A_TIME = (
    "for (const one of document.querySelectorAll('audio')) if (one !== this) one.pause(); "
    "new BroadcastChannel('itskit').postMessage('play')"
)


def make_folder(path) -> None:
    """Make the folders above a file that is to be written; a file object needs none.

    Raises IsADirectoryError or NotADirectoryError if a folder or a file is in the way.
    """
    if not isinstance(path, (str, PathLike)):
        return
    if Path(path).is_dir():
        raise IsADirectoryError(f"{path} is a folder: expected the name of a file in it")
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise NotADirectoryError(f"{path} lies under a file: expected a folder there") from None


@dataclass(frozen=True)
class Picture:
    """A picture; a notebook shows it by itself."""

    image: Image.Image

    def __repr__(self) -> str:
        return f"Picture({self.image.width} x {self.image.height} px, {self.image.mode})"

    def save(self, path, format: str | None = None) -> None:
        """Write an image file or file object; the suffix or `format` says which kind."""
        make_folder(path)
        with written(path) as part:
            self.image.save(part, format=format)

    def _repr_png_(self) -> bytes:
        file = BytesIO()
        self.save(file, format="PNG")
        return file.getvalue()


@dataclass(frozen=True, eq=False)
class Sound:
    """Mono `samples`, float32 (n,), at `rate` Hz; a notebook shows it as a player.

    What reaches a person's ears, player or saved file, is brought to a common loudness and a safe
    peak; `samples` stay as they are. Raises ValueError if they are not (n,) finite numbers.
    """

    samples: np.ndarray
    rate: int

    def __post_init__(self):
        samples = np.asarray(self.samples, dtype=np.float32)
        if samples.ndim != 1 or not samples.size or not np.isfinite(samples).all():
            raise ValueError(
                f"Sound was given samples of shape {samples.shape}: expected (n,) finite numbers, "
                "n > 0; average the channels, look for NaN"
            )
        object.__setattr__(self, "samples", samples)

    def __repr__(self) -> str:
        return f"Sound({self.duration:.2f} s at {self.rate} Hz)"

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / self.rate

    def save(self, path, format: str | None = None) -> None:
        """Write a sound file or file object; the suffix or `format` says WAV, FLAC or OGG."""
        import soundfile

        from .loudness import normalise_loudness

        make_folder(path)
        samples = normalise_loudness(self.samples, self.rate)
        if not isinstance(path, (str, PathLike)):
            return soundfile.write(path, samples, self.rate, format=format)
        # In memory first: on a full disk libsndfile cuts an OGG or MP3 off and says nothing.
        file = BytesIO()
        soundfile.write(file, samples, self.rate, format=format or Path(path).suffix[1:])
        with written(path) as part:
            Path(part).write_bytes(file.getvalue())

    def _repr_html_(self) -> str:
        # One data URI, emitted once: it plays in a saved notebook and on a static page too.
        file = BytesIO()
        self.save(file, format="WAV")
        data = b64encode(file.getvalue()).decode()
        source = f"data:audio/wav;base64,{data}"
        return f'<audio controls src="{source}" onplay="{ONE_AT_A_TIME}"></audio>'


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
    render            picture (1 or 3, H, W) -> Picture or Sound
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
