"""Colours for a grey picture, which stays as it is to whoever sees only its light."""

from __future__ import annotations

import torch
from PIL import Image
from torch import Tensor

from .. import schedule
from ..checks import as_seed
from ..guidance import Guide, encode_prompt, estimate_noise
from ..media import Picture
from ..modality import Modality
from ..progress import tqdm


def keep_luminance(colour: Tensor, grey: Tensor) -> Tensor:
    """The colours of `colour` (B, 3, H, W) with the mean over channels of `grey` (B, 1, H, W).

    Where a colour would leave [0, 1], it is made paler rather than cut, so that the mean is kept
    exactly.

    Parameters
    ----------
    colour : Tensor
        (B, 3, H, W) in [0, 1].
    grey : Tensor
        (B, 1, H, W) in [0, 1].

    Returns
    -------
    Tensor
        (B, 3, H, W) in [0, 1].
    """
    chroma = colour - colour.mean(1, keepdim=True)  # (B, 3, H, W), adds up to 0
    room = torch.where(chroma > 0, 1 - grey, grey)  # how far each channel may go
    most = (room / chroma.abs().clamp_min(1e-8)).amin(1, keepdim=True)  # (B, 1, H, W)
    return (grey + chroma * most.clamp(max=1)).clamp(0, 1)


@torch.no_grad()
def colourise(
    modality: Modality,
    what,
    prompt: str,
    *,
    scale: float = 10.0,
    num_inference_steps: int = 30,
    start: int = 7,
    seed: int = 0,
    progress: bool = True,
) -> Picture:
    """Colours for a grey picture, which stays its luminance, from a model that paints in colour.

    After "Factorized Diffusion" (Geng et al. 2024, arXiv 2404.11615): the grey component of what is
    denoised is replaced, in every step, by that of the given picture. There it is that of a pixel
    model's noisy picture; here that of the decoded clean estimate, so that latent models will do.

    Parameters
    ----------
    modality : Modality
        A model that paints in colour, such as `itskit.load_pair("paper").image`.
    what : Picture, PIL image or array
        The grey picture.
    prompt : str
        What is seen, such as "a colorful photo of a white castle".
    scale : float
        Of guidance.
    num_inference_steps : int
    start : int
        The step to begin with, from the noised grey picture.
    seed : int
    progress : bool
        Whether to show a bar.

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        If the model paints in grey, as the pocket pair does.
    """
    if not 0 <= start < num_inference_steps:
        raise ValueError(f"start={start}: expected a step from 0 to {num_inference_steps - 1}")
    generator = torch.Generator().manual_seed(as_seed(seed))
    grey = modality.analyse(what)  # (1, 1, H, W)
    guide = Guide(modality, encode_prompt(modality, prompt), scale=scale)
    timesteps = schedule.timesteps(num_inference_steps)
    alpha_bars = [modality.alpha_bar[t] for t in timesteps] + [modality.alpha_bar[0]]
    clean = modality.encode(grey)  # (1, C, h, w)
    if (channels := modality.decode(clean).shape[1]) != 3:
        raise ValueError(
            f"{modality.name!r} paints pictures of {channels} channel(s): expected a model of "
            'colours, such as itskit.load_pair("paper").image'
        )
    noise = torch.randn(clean.shape, generator=generator, dtype=clean.dtype)
    latent = schedule.add_noise(clean, noise, alpha_bars[start])
    for index in tqdm(range(start, num_inference_steps), disable=not progress):
        here, there = alpha_bars[index : index + 2]
        noise = estimate_noise(guide, latent, int(timesteps[index]))
        colour = modality.decode(schedule.predict_clean(latent, noise, here))  # (1, 3, H, W)
        clean = modality.encode(keep_luminance(colour, grey))
        noise = schedule.noise_from_clean(latent, clean, here)
        latent = schedule.add_noise(clean, noise, there)  # DDIM
    colour = keep_luminance(modality.decode(latent).float().cpu(), grey)[0]
    pixels = (colour * 255).round().byte().permute(1, 2, 0)  # (H, W, 3)
    return Picture(Image.fromarray(pixels.numpy()))
