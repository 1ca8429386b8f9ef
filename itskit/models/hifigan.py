"""HiFi-GAN's generator: log-mel spectrogram to waveform (Kong et al. 2020, arXiv 2010.05646).

    log-mel (B, num_mels, frames) -> 7-wide convolution
      -> for each rate u: leaky ReLU, transposed convolution (u times as long, half the channels),
         mean of the residual blocks, one for each kernel size
      -> leaky ReLU, 7-wide convolution, tanh -> (B, frames * hop), hop the product of the rates

Checkpoints are pickles of {"generator": weights} with weight norm (Salimans & Kingma 2016, arXiv
1602.07868), w = g * v / |v|. They are read without unpickling objects, and the norm is folded away.
transformers' SpeechT5HifiGan will not do: it knows no output padding, which Auffusion's transposed
convolutions (a kernel of 16 at a rate of 5) need.
"""

from __future__ import annotations

import json
from math import prod
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .hub import reading

SLOPE = 0.1  # of the leaky ReLUs, except the last, which has PyTorch's 0.01


def conv(n_in: int, n_out: int, kernel: int, dilation: int = 1) -> nn.Conv1d:
    """A convolution that keeps the length."""
    return nn.Conv1d(n_in, n_out, kernel, dilation=dilation, padding=dilation * (kernel - 1) // 2)


def upsampling(n_in: int, n_out: int, kernel: int, rate: int) -> nn.ConvTranspose1d:
    """A transposed convolution that makes the signal exactly `rate` times as long."""
    odd = (kernel - rate) % 2
    padding = (kernel - rate) // 2 + odd
    return nn.ConvTranspose1d(n_in, n_out, kernel, rate, padding, output_padding=odd)


class ResBlock(nn.Module):
    """Residual convolutions, one after the other: dilated ones ("2"), or pairs of a dilated and a
    plain one ("1")."""

    def __init__(self, channels: int, kernel: int, dilations, kind: str):
        super().__init__()
        dilated = nn.ModuleList(conv(channels, channels, kernel, d) for d in dilations)
        if kind == "1":
            self.convs1 = dilated
            self.convs2 = nn.ModuleList(conv(channels, channels, kernel) for _ in dilations)
        else:
            self.convs = dilated
        self.paired = kind == "1"

    def forward(self, x: Tensor) -> Tensor:
        if not self.paired:
            for dilated in self.convs:
                x = x + dilated(F.leaky_relu(x, SLOPE))
            return x
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            x = x + plain(F.leaky_relu(dilated(F.leaky_relu(x, SLOPE)), SLOPE))
        return x


class Generator(nn.Module):
    """The vocoder. `config` has HiFi-GAN's fields; `hop` samples come out for each mel frame."""

    def __init__(self, config: dict):
        super().__init__()
        rates, kernels = config["upsample_rates"], config["upsample_kernel_sizes"]
        sizes, dilations = config["resblock_kernel_sizes"], config["resblock_dilation_sizes"]
        channels = [config["upsample_initial_channel"] // 2**i for i in range(len(rates) + 1)]
        self.num_mels, self.hop = config["num_mels"], prod(rates)
        self.conv_pre = conv(self.num_mels, channels[0], 7)
        self.ups = nn.ModuleList(
            upsampling(channels[i], channels[i + 1], kernel, rate)
            for i, (kernel, rate) in enumerate(zip(kernels, rates, strict=True))
        )
        self.resblocks = nn.ModuleList(
            ResBlock(n, size, dilation, str(config["resblock"]))
            for n in channels[1:]
            for size, dilation in zip(sizes, dilations, strict=True)
        )
        self.conv_post = conv(channels[-1], 1, 7)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Natural-log mel magnitudes (B, num_mels, frames), row 0 lowest -> samples (B, n)."""
        x = self.conv_pre(log_mel)  # (B, c, frames)
        beside = len(self.resblocks) // len(self.ups)
        for i, up in enumerate(self.ups):
            x = up(F.leaky_relu(x, SLOPE))  # (B, c / 2, u * length)
            blocks = self.resblocks[i * beside : (i + 1) * beside]
            x = sum(block(x) for block in blocks) / beside
        return self.conv_post(F.leaky_relu(x)).tanh()[:, 0]  # (B, frames * hop)


def fold_weight_norm(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights without weight norm: w = g * v / |v|, the norm over all dimensions but the first."""
    folded = {}
    for name, value in weights.items():
        if name.endswith(".weight_g"):
            v = weights[f"{name[:-1]}v"]
            norm = v.flatten(1).norm(dim=1).view(-1, *[1] * (v.ndim - 1))  # (n, 1, 1)
            folded[name[: -len("_g")]] = value * v / norm
        elif not name.endswith(".weight_v"):
            folded[name] = value
    return folded


def load_vocoder(folder) -> Generator:
    """The vocoder in `folder`, which holds config.json and vocoder.pt; float32, on the CPU.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If one is damaged or does not fit.
    """
    folder = Path(folder)
    for name in ("config.json", "vocoder.pt"):
        if not (folder / name).exists():
            raise FileNotFoundError(
                f"{folder / name} is missing: expected a vocoder as Auffusion has it, "
                "vocoder/config.json and vocoder/vocoder.pt"
            )
    with reading(folder / "vocoder.pt"):
        saved = torch.load(folder / "vocoder.pt", map_location="cpu", weights_only=True)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        vocoder = Generator(config)
        vocoder.load_state_dict(fold_weight_norm(saved["generator"]))
    except (KeyError, TypeError, RuntimeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"the vocoder in {folder} cannot be built ({type(error).__name__}: {error}): expected "
            'HiFi-GAN\'s config.json, and a vocoder.pt of {"generator": weights} that fit it'
        ) from error
    return vocoder.float().eval().requires_grad_(False)
