"""Imprint: a picture printed into a finished spectrogram (Chen et al. 2024, arXiv 2405.12221)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..compose import compose, whole
from ..modality import Pair
from ..sampling import as_seed
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
    seeds = [as_seed(one) for one in ([seed] if seeds is None else seeds)]
    settings = {"progress": False, **settings}
    image_steps = num_inference_steps if image_steps is None else image_steps
    sound_steps = num_inference_steps if sound_steps is None else sound_steps
    drawn = whole(
        compose(pair, image_prompt, None, seeds=seeds, num_inference_steps=image_steps, **settings)
    )
    others = [seed + 1_000_000 for seed in seeds]
    played = whole(
        compose(pair, None, sound_prompt, seeds=others, num_inference_steps=sound_steps, **settings)
    )
    grey = pair.image.decode(drawn.latent).float().cpu().mean(1, keepdim=True)  # (B, 1, H, W)
    spectrogram = pair.sound.decode(played.latent).float().cpu().mean(1, keepdim=True)
    recipe = {
        **drawn.recipe,
        "method": "imprint",
        "strength": strength,
        "sound_prompt": sound_prompt,
        "image_steps": drawn.recipe["num_inference_steps"],
        "sound_steps": played.recipe["num_inference_steps"],
    }
    return Canvas(print_into(grey, spectrogram, strength), recipe, pair)
