"""The pocket pair's networks: a shared autoencoder, two U-Nets and two scorers, all small.

Shapes: B batch, C = 4 latent channels, (H, W) picture rows and columns, (h, w) = (H/8, W/8).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ...audio.mel import POCKET_MEL, mel_picture

if TYPE_CHECKING:  # it takes seconds, and onnxruntime computes without it
    from diffusers import UNet2DConditionModel

LATENT_CHANNELS = 4
TEXT_WIDTH = 384
TEXT_ROWS = 24  # row 0 is the sentence, the others its tokens


class ChannelNorm(nn.Module):
    """RMS norm over channels at each position (Zhang & Sennrich 2019).

    Nothing is averaged over the canvas, so a wide picture is coded exactly as its parts are.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        scale = torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-6)  # (B, 1, h, w)
        return x * scale * self.weight[:, None, None]


def conv3(n_in: int, n_out: int, stride: int = 1) -> nn.Conv2d:
    # Replicated edges keep a black canvas constant, so that silence has one latent everywhere.
    return nn.Conv2d(n_in, n_out, 3, stride, padding=1, padding_mode="replicate")


class ResBlock(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            ChannelNorm(channels), nn.SiLU(), conv3(channels, channels),
            ChannelNorm(channels), nn.SiLU(), conv3(channels, channels),
        )  # fmt: skip

    def forward(self, x):
        return x + self.body(x)


class DeepBlock(ResBlock):
    """Two residual blocks, the second of which does nothing before it has learned.

    Weights of a ResBlock, as older ones are, load as those of a DeepBlock that does the same.
    """

    def __init__(self, channels: int):
        super().__init__(channels)
        self.more = ResBlock(channels)
        nn.init.zeros_(self.more.body[-1].weight)
        nn.init.zeros_(self.more.body[-1].bias)
        self.register_load_state_dict_pre_hook(_deepen)

    def forward(self, x):
        return self.more(super().forward(x))


def _deepen(block: DeepBlock, state, prefix, *_):
    for name, value in block.more.state_dict().items():
        state.setdefault(f"{prefix}more.{name}", value)


def ready(net: nn.Module, state: dict) -> nn.Module:
    """A network with these weights, in float32, to be used and not to be trained."""
    net.float().load_state_dict(state)
    return net.eval().requires_grad_(False)


class Autoencoder(nn.Module):
    """Grey picture in [0, 1] ↔ latent, f = 8, four channels (Kingma & Welling 2013).

    Latents are shifted and scaled per channel so that a black, silent canvas is zero and the
    training material has unit variance.

    A latent has no room for each grain of a noise, so the decoder paints noise smooth, and what is
    smooth sounds hollow. `grain` tells how much of it is missing where, and `decode` puts that much
    of one and the same noise back (as AAC does for sound, Herre & Schulz 1998, and AV1 for films,
    Norkin & Birkbeck 2018).
    """

    def __init__(self, encoder_channels=(48, 96), decoder_channels=(128, 64, 32)):
        super().__init__()
        e1, e2 = encoder_channels
        d1, d2, d3 = decoder_channels
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4),  # (B, 16, H/4, W/4)
            conv3(16, e1), DeepBlock(e1),
            conv3(e1, e2, stride=2), ResBlock(e2), DeepBlock(e2),  # (B, e2, h, w)
            ChannelNorm(e2), nn.SiLU(), conv3(e2, 2 * LATENT_CHANNELS),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            conv3(LATENT_CHANNELS, d1), ResBlock(d1), DeepBlock(d1),
            nn.Upsample(scale_factor=2), conv3(d1, d2), DeepBlock(d2),
            nn.Upsample(scale_factor=2), conv3(d2, d3), DeepBlock(d3),  # (B, d3, H/2, W/2)
            ChannelNorm(d3), nn.SiLU(), conv3(d3, 4),
            nn.PixelShuffle(2),  # (B, 1, H, W)
        )  # fmt: skip
        self.grain = nn.Sequential(
            ChannelNorm(d3), nn.SiLU(), conv3(d3, 4), nn.PixelShuffle(2), nn.Softplus()
        )
        self.register_buffer("texture", white_noise(), persistent=False)
        self.register_buffer("shift", torch.zeros(1, LATENT_CHANNELS, 1, 1))
        self.register_buffer("scale", torch.ones(1, LATENT_CHANNELS, 1, 1))
        self.register_load_state_dict_pre_hook(_no_grain)

    def moments(self, picture):
        """Mean and log variance of q(z|x), before normalisation, each (B, 4, h, w)."""
        mean, logvar = self.encoder(picture * 2 - 1).chunk(2, 1)
        return mean, logvar.clamp(-20, 5)

    def encode(self, picture):
        """(B, 1, H, W) in [0, 1] → (B, 4, H/8, W/8)."""
        return (self.moments(picture)[0] - self.shift) / self.scale

    def painted(self, z):
        """Raw latents (B, 4, h, w) → the smooth canvas and the spread of the grain that it lacks,
        (B, 1, 8h, 8w), in grey levels."""
        features = self.decoder[:-4](z)  # (B, d3, 4h, 4w); the last four layers make pixels of them
        return self.decoder[-4:](features) / 2 + 0.5, self.grain(features) / 10

    def decode(self, latent):
        """(B, 4, h, w) → (B, 1, 8h, 8w) in [0, 1]."""
        smooth, amount = self.painted(latent * self.scale + self.shift)
        columns = torch.arange(smooth.shape[3], device=smooth.device) % self.texture.shape[1]
        return (smooth + amount * self.texture[-smooth.shape[2] :, columns]).clamp(0, 1)


def white_noise(columns=512) -> torch.Tensor:
    """The grain (128, columns) of the mel picture of white noise: its rows have mean 0, spread 1.

    Its grains are as wide and as high as a window of the STFT and a mel band make them.
    """
    y = np.random.default_rng(0).standard_normal(columns * POCKET_MEL.hop_length)
    picture = mel_picture(0.05 * y.astype(np.float32), POCKET_MEL)
    return (picture - picture.mean(1, keepdim=True)) / picture.std(1, keepdim=True)


def _no_grain(net: Autoencoder, state, *_):
    """The weights of an autoencoder that had none."""
    if "grain.2.weight" not in state:
        state |= {f"grain.{k}": torch.zeros_like(v) for k, v in net.grain.state_dict().items()}
        state["grain.2.bias"] -= 20  # of a Softplus


def text_unet(
    block_out_channels=(64, 128, 192), head_dim=32, in_channels=LATENT_CHANNELS
) -> UNet2DConditionModel:
    """A small diffusers U-Net on the text states, predicting v (Salimans & Ho 2022).

    The sentence (row 0 of the text) joins the time embedding; its tokens are attended to in the
    two lower levels.
    """
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=(16, 64),
        in_channels=in_channels,
        out_channels=LATENT_CHANNELS,
        block_out_channels=block_out_channels,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=tuple(c // head_dim for c in block_out_channels),
        norm_num_groups=16,
        cross_attention_dim=128,
        encoder_hid_dim=TEXT_WIDTH,
        encoder_hid_dim_type="text_proj",
        class_embed_type="projection",
        projection_class_embeddings_input_dim=TEXT_WIDTH,
    )


class LayoutUNet(nn.Module):
    """A `text_unet` that also gets the mean of all latents that go with its prompt.

    `layout` estimates that mean, `columns` wide (a square for pictures; one column, the mean
    spectrum, for sounds), and the U-Net takes it as four more channels of its input. In the first
    steps of a run a prompt says little more than what usually lies where, and a small U-Net, whose
    convolutions are the same everywhere, is slow to learn that. `layout_loss` trains `layout`.
    """

    def __init__(self, columns, hidden=256, **options):
        super().__init__()
        self.columns = columns
        self.layout = nn.Sequential(
            nn.Linear(TEXT_WIDTH, hidden),
            nn.SiLU(),
            nn.Linear(hidden, LATENT_CHANNELS * 16 * columns),
        )
        nn.init.zeros_(self.layout[2].weight)  # nothing is usual before it is learned
        nn.init.zeros_(self.layout[2].bias)
        self.unet = text_unet(in_channels=2 * LATENT_CHANNELS, **options)
        self.register_load_state_dict_pre_hook(_widen)

    def usual(self, sentence):
        """(N, 384) → (N, 4, 16, columns)."""
        return self.layout(sentence).view(-1, LATENT_CHANNELS, 16, self.columns)

    def forward(self, latent, t, prompt_embeds, class_labels):
        """As the U-Net's own, for latents (N, 4, 16, columns·k) and sentences (N, 384)."""
        usual = self.usual(class_labels).detach()  # it is taught by `layout_loss` alone
        usual = usual.repeat(1, 1, 1, latent.shape[3] // self.columns)
        return self.unet(
            torch.cat([latent, usual.to(latent)], 1), t, prompt_embeds, class_labels=class_labels
        )


def _widen(net: LayoutUNet, state, *_):
    """The weights of a plain `text_unet` are those of one that does not look at its layout yet."""
    if "conv_in.weight" not in state:
        return
    plain = {name: state.pop(name) for name in list(state)}
    first = plain["conv_in.weight"]  # (n, 4, 3, 3)
    plain["conv_in.weight"] = torch.cat([first, torch.zeros_like(first)], 1)
    state |= {f"unet.{name}": value for name, value in plain.items()}
    state |= {f"layout.{name}": value for name, value in net.layout.state_dict().items()}


UNETS = {"image": partial(LayoutUNet, columns=16), "sound": partial(LayoutUNet, columns=1)}


def layout_loss(net: LayoutUNet, latent, prompt_embeds):
    """Mean squared error of `net.usual` at each place of rows of them (N, 4, 16, columns·k).

    What minimises it is the mean of all latents that are seen with a sentence.
    """
    usual = net.usual(prompt_embeds[:, 0])  # (N, 4, 16, columns)
    return (latent - usual.repeat(1, 1, 1, latent.shape[3] // net.columns)).square().mean()


def predict_v(unet, latent, t, prompt_embeds, tile=None):
    """v (N, 4, h, w) for latents (N, 4, h, w), timesteps (N,) and text (N, 24, 384).

    With `tile`, the network looks at the canvas in squares of so many latent columns.
    """
    n, c, h, w = latent.shape
    k = w // (tile or w)
    x = latent.view(n, c, h, k, w // k).permute(0, 3, 1, 2, 4)  # (n, k, c, h, w/k)
    x, text = x.reshape(n * k, c, h, w // k), prompt_embeds.repeat_interleave(k, 0)
    v = unet(x, t.repeat_interleave(k), text, class_labels=text[:, 0]).sample  # (n·k, c, h, w/k)
    return v.view(n, k, c, h, w // k).permute(0, 2, 3, 1, 4).reshape(n, c, h, w)


class Scorer(nn.Module):
    """Places a latent, of a picture or of a sound, in the sentence space (cf. CLIP, CLAP)."""

    def __init__(self, channels=(64, 128, 256)):
        super().__init__()
        layers, n_in = [], LATENT_CHANNELS
        for level, n in enumerate(channels):
            layers += [nn.Conv2d(n_in, n, 3, stride=1 + (level > 0), padding=1)]
            layers += [nn.BatchNorm2d(n), nn.ReLU()]
            layers += [nn.Conv2d(n, n, 3, padding=1), nn.BatchNorm2d(n), nn.ReLU()]
            n_in = n
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(2 * n_in, TEXT_WIDTH))
        self.log_temperature = nn.Parameter(torch.tensor(3.0))

    def forward(self, latent):
        """(B, 4, h, w) → (B, 384) of unit length."""
        x = self.body(latent)  # (B, c, h/4, w/4)
        x = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)  # (B, 2c)
        return F.normalize(self.head(x), dim=1)
