"""What a composition begins with, if not with noise alone: a picture, a recording or a run."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
from torch import Tensor

from . import media, schedule
from .codec import encode
from .media import Picture, Sound
from .modality import Pair
from .settings import Settings
from .trajectory import Trajectory


def read(init, pair: Pair, settings: Settings):
    """`init` as a Picture, a recording, a latent or a Trajectory."""
    if isinstance(init, Tensor) and init.ndim == 4:
        return init
    if not isinstance(init, Trajectory):
        rate = pair.sound.axis and pair.sound.axis.rate
        return media.read(init, background=settings.init_background, sr=rate)
    if (made_with := init.recipe.get("weights_hash", pair.weights_hash)) != pair.weights_hash:
        raise ValueError(
            f"init is a run of weights {made_with}, this pair has {pair.weights_hash}, so that its "
            "latent means something else: expected init=run.picture() or init=run.sound()"
        )
    return init


def begin_from(init, pair: Pair, noise: Tensor, timesteps: Tensor, settings: Settings):
    """`init` noised to where `strength` lets the run begin (B, C, h, w), and that step's index."""
    strength = settings.strength
    if not 0 < strength <= 1:
        raise ValueError(f"strength={strength}: expected a fraction of the run, 0 < strength <= 1")
    is_sound = isinstance(init, (Sound, np.ndarray))  # samples whose rate nobody knows, too
    modality = pair.sound if is_sound else pair.image
    width = noise.shape[-1] * modality.vae_scale_factor
    clean = encode(
        modality, init, width, fit=settings.init_fit, background=settings.init_background,
        start=settings.init_start, duration=settings.init_duration,
    ).to(noise)  # (1 or B, C, h, w)  # fmt: skip
    if clean.shape[0] not in (1, len(noise)) or clean.shape[1:] != noise.shape[1:]:
        raise ValueError(
            f"init is a latent {tuple(clean.shape)}: expected {tuple(noise.shape)}; pass width, "
            f"{modality.vae_scale_factor} pixels for each column, and a seed for each item"
        )
    first_step = len(timesteps) - max(1, round(strength * len(timesteps)))
    return schedule.add_noise(clean, noise, modality.alpha_bar[timesteps[first_step]]), first_step


def describe(init, background="white") -> dict:
    """What a recipe keeps of `init`: enough to recognise it, not to make it. It is the same however
    it is handed in, as a file or as what is in it."""
    if isinstance(init, Trajectory) or (isinstance(init, Tensor) and init.ndim == 4):
        kind, content = type(init).__name__, getattr(init, "latent", init)
    else:
        init = media.read(init, background=background)
        kind = "Picture" if isinstance(init, Picture) else "Sound"
        content = init.image if kind == "Picture" else getattr(init, "samples", init)
    array = np.ascontiguousarray(content)
    return {"kind": kind, "shape": list(array.shape), "sha256": sha256(array).hexdigest()}
