"""Mel pictures of sound: which row is which frequency, which grey which magnitude.

A picture is a float32 tensor `(n_mels, frames)` in [0, 1] whose row 0 is the highest frequency,
so that it can be looked at, and be denoised, like any other image. A sound is a float32 numpy
array `(n,)` of samples in [-1, 1].

    y --stft--> magnitude --mel_filters--> log, scale, flip --> picture      mel_picture
    picture --mel_magnitudes--> magnitude --> y                              griffin_lim.reconstruct
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log

import numpy as np
import torch


@dataclass(frozen=True)
class MelSettings:
    """How sounds and mel pictures correspond.

    Attributes
    ----------
    sr : int
        Sampling rate in Hz.
    n_fft, win_length, hop_length : int
        In samples.
    n_mels : int
        Mel bands, which are the rows of a picture.
    fmin, fmax : float
        In Hz.
    log_min, log_max : float
        Natural logarithms of the mel magnitudes that are black (0) and white (1).
    """

    sr: int = 16000
    n_fft: int = 1024
    win_length: int = 1024
    hop_length: int = 160
    n_mels: int = 128
    fmin: float = 0.0
    fmax: float = 8000.0
    log_min: float = log(1e-5)
    log_max: float = 0.5

    @property
    def decibels(self) -> float:  # between black and white
        return 20 * (self.log_max - self.log_min) / log(10)


# 104 dB from the paper's black to white. Of 300 training clips at -23 dBFS the 99.9th percentile is
# 0.97. 50 dB below the loudest is a clear grey and nothing to an ear: there a drawing has room.
POCKET_MEL = MelSettings()

# Auffusion's picture, used by "Images that Sound" (Chen et al. 2024, arXiv 2405.12221).
PAPER_MEL = MelSettings(n_fft=2048, n_mels=256, log_min=log(1e-5), log_max=log(200.0))


def mel_picture(y, mel: MelSettings = POCKET_MEL) -> torch.Tensor:
    """The mel picture of a sound, with low frequencies at the bottom.

    The mel magnitudes equal `librosa.feature.melspectrogram(power=1, center=False)` of the sound
    padded by reflection with `(n_fft - hop_length) / 2` samples on either side.

    Parameters
    ----------
    y : array or Tensor (..., n)
        Samples at `mel.sr` Hz.
    mel : MelSettings

    Returns
    -------
    Tensor
        (..., n_mels, n // hop_length) in [0, 1]. Row 0 is the highest frequency; column k is
        centred on `column_seconds(frames, mel)[k]`.

    Raises
    ------
    ValueError
        If `y` is shorter than one hop, holds NaN or infinity, or is not of floats.

    Examples
    --------
    >>> y = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    >>> mel_picture(y).shape
    torch.Size([128, 100])
    """
    y = checked_samples(y)
    if y.shape[-1] < mel.hop_length:
        raise ValueError(
            f"mel_picture was given {y.shape[-1]} samples; it needs at least one hop of "
            f"{mel.hop_length} samples. Pad the sound with zeros."
        )
    magnitude = stft(torch.from_numpy(y), mel).abs()  # (..., frames, bins)
    log_mel = (magnitude @ mel_filters(mel).T).clamp_min(1e-10).log()  # (..., frames, n_mels)
    picture = (log_mel - mel.log_min) / (mel.log_max - mel.log_min)
    return picture.clamp(0, 1).transpose(-1, -2).flip(-2)  # (..., n_mels, frames)


def row_frequencies(mel: MelSettings = POCKET_MEL) -> np.ndarray:
    """Centre frequency in Hz of each picture row, (n_mels,), highest first."""
    return _mel_edges(mel)[1:-1][::-1].copy()


def column_seconds(frames: int, mel: MelSettings = POCKET_MEL) -> np.ndarray:
    """Time in seconds on which each of `frames` picture columns is centred, (frames,)."""
    return (np.arange(frames) + 0.5) * mel.hop_length / mel.sr


def mel_magnitudes(picture, mel: MelSettings) -> torch.Tensor:
    """Mel magnitudes (frames, n_mels), lowest frequency first, that a picture stands for."""
    picture = torch.as_tensor(picture).detach().cpu().float()
    expected = f"A mel picture must be ({mel.n_mels}, frames), frames > 0, of finite numbers"
    if picture.ndim != 2 or picture.shape[0] != mel.n_mels or picture.shape[1] == 0:
        raise ValueError(
            f"{expected}; this one has shape {tuple(picture.shape)}. Take one picture of a batch, "
            "the mean of its channels, and the MelSettings that it was painted with."
        )
    bad = picture.numel() - int(picture.isfinite().sum())
    if bad:
        raise ValueError(
            f"{expected}; this one has {bad} NaN or infinite pixels of {picture.numel()}. "
            "Look at the step of the diffusion in which they arose."
        )
    picture = picture.clamp(0, 1).flip(0).T  # (frames, n_mels)
    magnitude = (mel.log_min + picture * (mel.log_max - mel.log_min)).exp()
    return torch.where(picture > 0, magnitude, 0.0)


def stft(y: torch.Tensor, mel: MelSettings, loop: bool = False) -> torch.Tensor:
    """Complex spectrum (..., n // hop_length, n_fft // 2 + 1) of a sound (..., n), which goes on as
    its mirror image, or from the other end if it is a loop."""
    return torch.fft.rfft(frames_of(y, mel, loop) * window(mel))


def frames_of(y: torch.Tensor, mel: MelSettings, loop: bool = False) -> torch.Tensor:
    """The overlapping frames of a sound (..., n) that the window is laid on, a view
    (..., n // hop_length, n_fft)."""
    padded = y[..., _padding(y.shape[-1], mel, loop)]  # (..., n + n_fft - hop_length)
    return padded.unfold(-1, mel.n_fft, mel.hop_length)


@lru_cache(maxsize=8)
def _padding(n: int, mel: MelSettings, loop: bool = False) -> torch.Tensor:
    """Indices (n + n_fft - hop_length,) that pad n samples by reflection or from the other end, as
    often as needed."""
    left = (mel.n_fft - mel.hop_length) // 2
    right = mel.n_fft - mel.hop_length - left
    mode = "wrap" if loop else "reflect"
    return torch.from_numpy(np.pad(np.arange(n), (left, right), mode=mode))


@lru_cache(maxsize=8)
def window(mel: MelSettings) -> torch.Tensor:
    """Periodic Hann window of win_length in the middle of (n_fft,)."""
    left = (mel.n_fft - mel.win_length) // 2
    hann = torch.hann_window(mel.win_length, dtype=torch.float32)
    return torch.nn.functional.pad(hann, (left, mel.n_fft - mel.win_length - left))


@lru_cache(maxsize=8)
def mel_filters(mel: MelSettings) -> torch.Tensor:
    """Triangular filters of unit area (n_mels, n_fft // 2 + 1), lowest frequency first.

    A test holds them against `librosa.filters.mel`, whose first call costs seconds.
    """
    bins = np.linspace(0, mel.sr / 2, mel.n_fft // 2 + 1)  # Hz
    low, centre, high = (_mel_edges(mel)[k : k + mel.n_mels, None] for k in range(3))
    rise, fall = (bins - low) / (centre - low), (high - bins) / (high - centre)
    triangles = np.maximum(0, np.minimum(rise, fall)) * 2 / (high - low)
    return torch.from_numpy(triangles.astype(np.float32))


def _mel_edges(mel: MelSettings) -> np.ndarray:
    """Hz of n_mels + 2 points spaced evenly on Slaney's mel scale (Auditory Toolbox, 1998):
    200/3 Hz a mel up to 1 kHz, 27 mels for each factor of 6.4 above."""
    log_step = log(6.4) / 27

    def to_mel(hz):
        return hz * 3 / 200 if hz < 1000 else 15 + log(hz / 1000) / log_step

    mels = np.linspace(to_mel(mel.fmin), to_mel(mel.fmax), mel.n_mels + 2)
    return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(log_step * (mels - 15)))


def checked_samples(y) -> np.ndarray:
    """`y` as a float32 array, or a ValueError that says what is wrong with it."""
    y = y.detach().cpu().numpy() if isinstance(y, torch.Tensor) else np.asarray(y)
    expected = "A sound must be an array (..., n), n > 0, of finite floats in [-1, 1]"
    if y.ndim == 0 or y.size == 0 or y.dtype.kind != "f":
        raise ValueError(
            f"{expected}; this one has shape {y.shape} and type {y.dtype}. Divide 16-bit samples "
            "by 32768, and leave empty sounds out."
        )
    bad = y.size - int(np.isfinite(y).sum())
    if bad:
        raise ValueError(
            f"{expected}; this one has {bad} NaN or infinite samples of {y.size}. Look for where "
            "they arose, or replace them (numpy.nan_to_num)."
        )
    return y.astype(np.float32)
