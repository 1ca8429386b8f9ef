"""Stable Diffusion's parts as the core's callables.

Notation: B items, C latent channels, (H, W) pixels, (h, w) = (H/8, W/8) latent cells, L = 77 tokens
of width D. Latents, prompts and pictures cross this border as float32 on the CPU, whatever the
networks compute in and wherever they lie.

"High-Resolution Image Synthesis with Latent Diffusion Models", Rombach et al. 2022.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from ..media import Picture
from ..modality import Modality
from .devices import Placement
from .hub import load_network

# --- reading a folder ---------------------------------------------------------------------------


@dataclass(eq=False)
class Parts:
    """What a Stable Diffusion folder holds. `predicts` is "epsilon" or "v_prediction"."""

    unet: nn.Module
    vae: nn.Module
    encoder: nn.Module
    tokenizer: object
    alpha_bar: Tensor  # (1000,)
    predicts: str = "epsilon"


def load_parts(folder: Path, dtype: torch.dtype) -> Parts:
    """All parts of `folder`, on the CPU, in `dtype`.

    Raises ValueError for what is damaged or does not fit.
    """
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    scheduler = DDIMScheduler.from_pretrained(folder / "scheduler")
    predicts = scheduler.config.prediction_type
    if predicts not in ("epsilon", "v_prediction"):
        raise ValueError(f"{folder} predicts {predicts!r}: expected 'epsilon' or 'v_prediction'")
    return Parts(
        load_network(UNet2DConditionModel, folder, "unet", dtype),
        load_network(AutoencoderKL, folder, "vae", dtype),
        load_network(CLIPTextModel, folder, "text_encoder", dtype),
        CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        scheduler.alphas_cumprod.float(),
        predicts,
    )


def share(parts: Parts, other: Parts) -> Parts:
    """`parts` with the networks of `other` wherever the weights are the same, to the bit."""
    if _equal(parts.vae, other.vae) and _scale(parts.vae) == _scale(other.vae):
        parts.vae = other.vae
    same_words = parts.tokenizer.get_vocab() == other.tokenizer.get_vocab()
    same_length = parts.tokenizer.model_max_length == other.tokenizer.model_max_length
    if same_words and same_length and _equal(parts.encoder, other.encoder):
        parts.encoder, parts.tokenizer = other.encoder, other.tokenizer
    return parts


def _equal(a: nn.Module, b: nn.Module) -> bool:
    first, second = a.state_dict(), b.state_dict()
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


def _scale(vae) -> float:
    return vae.config.scaling_factor


# --- the callables ------------------------------------------------------------------------------


def text_encoding(encoder, tokenizer, placement: Placement):
    """prompt -> (1, L, D); the last 256 prompts are kept."""

    @lru_cache(maxsize=256)
    @torch.no_grad()
    def encode_prompt(text: str) -> Tensor:
        length = tokenizer.model_max_length
        fit = {"padding": "max_length", "max_length": length, "truncation": True}
        ids = tokenizer(text, return_tensors="pt", **fit).input_ids  # (1, L)
        states = placement.place(encoder)(ids.to(placement.device))[0]  # (1, L, D)
        return states.float().cpu()

    return encode_prompt


def prompt_checking(tokenizer):
    """prompt -> a note of the end that is cut off, if there is one. CLIP reads every sign."""

    def check_prompt(text: str) -> list[str]:
        length, is_fast = tokenizer.model_max_length, tokenizer.is_fast
        read = tokenizer(text, verbose=False, return_offsets_mapping=is_fast)
        if len(read.input_ids) <= length:
            return []
        rest = slice(length - 1, -1)  # the last of all tokens, and of those read, marks an end
        if is_fast:
            cut = text[read.offset_mapping[rest][0][0] :]
        else:
            cut = tokenizer.decode(read.input_ids[rest])
        return [f"too long, not read: “{cut.strip()}”"]

    return check_prompt


def noise_prediction(parts: Parts, placement: Placement):
    """(latent (N, C, h, w), t, prompt_embeds (N, L, D)) -> noise (N, C, h, w)."""
    alpha_bar = parts.alpha_bar
    every_t = torch.arange(len(alpha_bar), device=placement.device)

    @torch.no_grad()
    def predict_noise(latent: Tensor, t: int, prompt_embeds: Tensor) -> Tensor:
        unet = placement.turn(parts.unet)
        embeds = placement.bring(prompt_embeds)
        answer = unet(placement.bring(latent), every_t[t], encoder_hidden_states=embeds).sample
        answer = answer.to(latent)
        if parts.predicts == "v_prediction":  # Salimans & Ho 2022, appendix D
            return alpha_bar[t].sqrt() * answer + (1 - alpha_bar[t]).sqrt() * latent
        return answer

    return predict_noise


def encoding(vae, placement: Placement):
    """Picture (B, 1 or 3, H, W) in [0, 1] -> latent (B, C, h, w), the mean of the posterior.

    Gradients flow back to the picture.
    """

    def encode(picture: Tensor) -> Tensor:
        colours = picture.expand(-1, 3, -1, -1) * 2 - 1  # (B, 3, H, W)
        posterior = placement.place(vae).encode(placement.bring(colours)).latent_dist
        return posterior.mean.to(picture) * _scale(vae)

    return encode


def decoding(vae, placement: Placement):
    """Latent (B, C, h, w) -> picture (B, 3, H, W) in [0, 1], one at a time to save memory."""

    def decode(latent: Tensor) -> Tensor:
        network = placement.place(vae)
        decoded = [network.decode(placement.bring(z / _scale(vae))).sample for z in latent.split(1)]
        return (torch.cat(decoded).to(latent) / 2 + 0.5).clamp(0, 1)

    return decode


def pixels_per_cell(vae) -> int:
    return 2 ** (len(vae.config.block_out_channels) - 1)


def modality(name: str, parts: Parts, placement: Placement, encode_prompt, height, width, **voice):
    """The Modality of `parts` over a canvas of height × width pixels; `voice` holds `render`,
    `analyse` and what else a Modality may have."""
    cell, channels = pixels_per_cell(parts.vae), parts.vae.config.latent_channels
    return Modality(
        name=name,
        encode_prompt=encode_prompt,
        predict_noise=noise_prediction(parts, placement),
        encode=encoding(parts.vae, placement),
        decode=decoding(parts.vae, placement),
        alpha_bar=parts.alpha_bar,
        latent_shape=(channels, height // cell, width // cell),
        width_multiple=2 ** (len(parts.unet.config.block_out_channels) - 1),
        vae_scale_factor=cell,
        check_prompt=prompt_checking(parts.tokenizer),
        **voice,
    )


def render_picture(picture: Tensor) -> Picture:
    """(1 or 3, H, W) in [0, 1] -> an RGB picture."""
    pixels = (picture.expand(3, -1, -1) * 255).round().byte().permute(1, 2, 0)  # (H, W, 3)
    return Picture(Image.fromarray(pixels.numpy()))
