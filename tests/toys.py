"""Small modalities whose truth is known, for tests: closed forms, and tiny random networks."""

import hashlib

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from PIL import Image

from itskit.media import Picture, Sound
from itskit.modality import Modality, Pair
from itskit.schedule import stable_diffusion_alpha_bar

SHAPE = (4, 8, 16)  # latent channels, height, width; 8 pixels to a cell
RATE = 800  # samples a second of a toy sound: 8 for each column of the picture


def gaussian(name="image", means=(), std=0.0, **changes) -> Modality:
    """The perfect denoiser of data z0 ~ N(mean, std**2), whose noise estimate is known exactly.

    `means` maps prompts to numbers or latents (C, h, w) ("" and unknown prompts mean 0). As
    x = sqrt(a) z0 + sqrt(1 - a) e is Gaussian, E[e | x] is linear in x.
    """
    means = dict(means)
    alpha_bar = stable_diffusion_alpha_bar()

    def encode_prompt(text):
        mean = torch.as_tensor(means.get(text, 0.0), dtype=torch.float32)
        return mean.expand(SHAPE).reshape(1, 1, -1)  # (1, L=1, D=C*h*w)

    def predict_noise(latent, t, prompt_embeds):
        a = alpha_bar[t]
        mean = prompt_embeds[:, 0].reshape(-1, *SHAPE)  # (N, C, h, w)
        return (1 - a) ** 0.5 * (latent - a**0.5 * mean) / (a * std**2 + 1 - a)

    fields = {"encode_prompt": encode_prompt, "predict_noise": predict_noise}
    return _modality(name, **{**fields, **changes})


def tiny_unet(name="image", seed=0, **changes) -> Modality:
    """A real, random UNet2DConditionModel (some 10,000 weights) with hashed words as embeddings."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        unet = UNet2DConditionModel(
            in_channels=SHAPE[0],
            out_channels=SHAPE[0],
            block_out_channels=(8, 16),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=8,
            attention_head_dim=4,
            norm_num_groups=4,
        ).eval()

    def encode_prompt(text):
        digest = int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
        return torch.randn(1, 3, 8, generator=torch.Generator().manual_seed(digest))

    def predict_noise(latent, t, prompt_embeds):
        return unet(latent, t, encoder_hidden_states=prompt_embeds).sample

    fields = {"encode_prompt": encode_prompt, "predict_noise": predict_noise, "width_multiple": 2}
    return _modality(name, **{**fields, **changes})


def pair(make=tiny_unet, **changes) -> Pair:
    """An image and a sound modality of one kind."""
    return Pair("toy", make("image", seed=1), make("sound", seed=2), **changes)


def gaussian_pair(image, sound, std=0.0, **changes) -> Pair:
    """A closed-form pair: prompt "a" means `image` to the one, `sound` to the other."""
    return Pair(
        "toy",
        gaussian("image", {"a": image}, std),
        gaussian("sound", {"a": sound}, std),
        **changes,
    )


def _encode(picture):
    """Grey (B, 1, H, W) in [0, 1] to the first latent channel, one cell for 8 x 8 pixels."""
    picture = F.pad(picture, (0, -picture.shape[-1] % 8))  # silence fills the last cell
    cells = F.avg_pool2d(picture, 8) * 2 - 1  # (B, 1, h, w)
    return F.pad(cells, (0, 0, 0, 0, 0, SHAPE[0] - 1))  # (B, C, h, w)


def _decode(latent):
    """The first latent channel as blocks of 8 x 8 pixels, (B, 1, H, W) in [0, 1]."""
    blocks = latent[:, :1].repeat_interleave(8, 2).repeat_interleave(8, 3)
    return (blocks / 2 + 0.5).clamp(0, 1)


def _render_picture(picture):
    return Picture(Image.fromarray((picture[0] * 255).round().byte().numpy()))


def _render_sound(picture):
    """Loudness follows the mean brightness of each column, 8 samples long."""
    return Sound(picture.mean((0, 1)).repeat_interleave(8).numpy() * 0.5, RATE)


def _analyse(what):
    image = what.image if isinstance(what, Picture) else what
    if isinstance(image, Image.Image):
        image = np.asarray(image.convert("L")) / 255
    values = torch.as_tensor(getattr(image, "samples", image), dtype=torch.float32)
    if values.ndim > 1:
        return values[None, None]
    samples = F.pad(values * 2, (0, -len(values) % 8))  # silence fills the last column
    columns = samples.unflatten(0, (-1, 8)).mean(1)  # (W,): of 8 samples each, all rows alike
    return columns.expand(1, 1, SHAPE[1] * 8, -1)


def _modality(name, **fields) -> Modality:
    usual = {
        "name": name,
        "encode": _encode,
        "decode": _decode,
        "render": _render_sound if name == "sound" else _render_picture,
        "alpha_bar": stable_diffusion_alpha_bar(),
        "latent_shape": SHAPE,
        "analyse": _analyse,
    }
    return Modality(**{**usual, **fields})
