"""A run without networks: 50 steps from noise to a clear picture that is also a clear sound.

The "latent" is the mel picture itself, averaged over 8 x 8 pixels, so that every decoded picture
and sound is known in advance: a bell of steady partials, and a castle's outline of two towers.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from itskit.media import Picture, Sound
from itskit.modality import Axis, Modality, Pair
from itskit.sampling import Step
from itskit.schedule import add_noise, noise_from_clean, stable_diffusion_alpha_bar, timesteps
from itskit.spectrogram import POCKET_MEL, row_frequencies
from itskit.trajectory import Trajectory

HEIGHT, WIDTH, FACTOR = 128, 512, 8
NASTY = "<script>alert(1)</script> \"quotes\" & 'more' 🐯 مرحبا بالعالم </script> " + "ж" * 420


def _decode(latent: torch.Tensor) -> torch.Tensor:
    """(B, 4, h, w) -> (B, 1, 8h, 8w) in [0, 1], the mean of the channels."""
    big = F.interpolate(latent.mean(1, keepdim=True), scale_factor=FACTOR, mode="bilinear")
    return (big * 0.5 + 0.5).clamp(0, 1)


def _encode(picture: torch.Tensor) -> torch.Tensor:
    small = F.avg_pool2d(picture, FACTOR)  # (B, 1, H, W) -> (B, 1, h, w)
    return (small * 2 - 1).expand(-1, 4, -1, -1)


def _render_picture(picture: torch.Tensor) -> Picture:
    grey = (picture.mean(0).numpy() * 255).round().astype(np.uint8)
    return Picture(Image.fromarray(grey))


@lru_cache(maxsize=4)
def _tones(frames: int, rate: int) -> np.ndarray:
    """A sine for every fourth row, (32, samples)."""
    seconds = np.arange(frames * POCKET_MEL.hop_length) / rate
    hertz = row_frequencies(POCKET_MEL)[2::4, None]
    return np.sin(2 * math.pi * hertz * seconds + 0.6 * np.arange(32)[:, None]).astype(np.float32)


def oscillators(picture: np.ndarray, rate: int = 16000) -> np.ndarray:
    """A sound from a picture (128, W): a bank of oscillators, one for every fourth row."""
    tones = _tones(picture.shape[1], rate)
    loud = picture.reshape(32, 4, -1).mean(1) ** 3  # (32, W)
    return 0.1 * (np.repeat(loud, POCKET_MEL.hop_length, 1) * tones).sum(0)


def _render_sound(picture: torch.Tensor) -> Sound:
    return Sound(oscillators(picture.mean(0).numpy()), POCKET_MEL.sr)


def _modality(name, render) -> Modality:
    def no_network(*_):
        raise AssertionError("a recorded run calls no network")

    table = stable_diffusion_alpha_bar()
    shape = (4, HEIGHT // FACTOR, WIDTH // FACTOR)
    speaking = (name, no_network, no_network, _encode, _decode, render, table, shape)
    return Modality(*speaking, axis=Axis.of(POCKET_MEL))


def fake_pair() -> Pair:
    """A pair whose latent is a small picture."""
    image, sound = _modality("image", _render_picture), _modality("sound", _render_sound)
    return Pair("test", image, sound, weights_hash="0123abcd")


def composing_pair(pause: float = 0.0) -> Pair:
    """A pair to compose with: both models know where the castle lies and pull the latent there,
    each call after `pause` seconds."""
    pair = fake_pair()
    target = _encode(castle())

    def towards(latent, t, embeds):
        time.sleep(pause)
        return noise_from_clean(latent, target.expand_as(latent), pair.image.alpha_bar[t])

    def check_prompt(text):
        return ["not known: theremin; nearest: harp"] if "theremin" in text else []

    speaking = {"predict_noise": towards, "encode_prompt": lambda text: torch.zeros(1, 2, 3)}
    speaking["check_prompt"] = check_prompt
    image, sound = (replace(modality, **speaking) for modality in (pair.image, pair.sound))
    return replace(pair, image=image, sound=sound)


def castle() -> torch.Tensor:
    """A picture (1, 1, 128, 512): two towers, a wall, and the partials of a bell across them."""
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    picture = torch.zeros(HEIGHT, WIDTH)
    for left in (90, 330):
        tower = (x > left) & (x < left + 70) & (y > 30)
        teeth = (x > left) & (x < left + 70) & (y > 16) & ((x - left) // 14 % 2 == 0)
        picture[tower | teeth] = 0.75
    picture[(x > 150) & (x < 340) & (y > 74)] = 0.55
    for row, loud in ((120, 1.0), (104, 0.9), (88, 0.8), (64, 0.5)):
        stripe = (y - row).abs() < 4
        picture = torch.where(stripe, loud * torch.exp(-(x % 256) / 140.0), picture)
    return picture[None, None]


def run(
    count: int = 50,
    image_prompt: str = "a castle with towers",
    sound_prompt: str = "church bells ringing",
    silent: int = 5,
    seed: int = 7,
) -> Trajectory:
    """A trajectory of `count` steps; the image guide is silent in the first `silent`."""
    pair, table = fake_pair(), stable_diffusion_alpha_bar()
    generator = torch.Generator().manual_seed(seed)
    target = _encode(castle())
    noise = torch.randn(target.shape, generator=generator)
    sway = torch.randn(target.shape, generator=generator)
    blur = F.avg_pool2d(target, 5, 1, 2)
    ts = timesteps(count).tolist()
    steps = []
    for i, t in enumerate(ts):
        done = i / max(1, count - 1)
        clean = (1 - done) ** 2 * 0.6 * noise + (1 - (1 - done) ** 2) * target
        noisy = add_noise(clean, noise, table[t])
        after = add_noise(clean, noise, table[ts[i + 1]]) if i + 1 < count else clean
        pull = (0.2 + done) * (target - blur) + 0.4 * done * (1 - done) * sway
        pull = pull * (1 - table[t]).sqrt() * (0.3 + table[t].sqrt())
        seen = noise_from_clean(noisy, clean + pull, table[t])
        heard = noise_from_clean(noisy, clean - pull, table[t])
        weight = 0.0 if i < silent else 0.35 + 0.25 * math.sin(3 * done)
        noises = (seen if weight else None, heard)
        steps.append(Step(i, t, noisy, after, clean, noises, (weight, 1 - weight)))
    recipe = {
        "itskit": "0.1.0",
        "pair": "test",
        "weights": pair.weights_hash,
        "image_prompt": image_prompt,
        "sound_prompt": sound_prompt,
        "seeds": [seed],
        "num_inference_steps": count,
        "image_scale": 7.5,
        "solver": "ddim",
        "crop": False,
    }
    return Trajectory(tuple(steps), recipe, pair)
