"""Mel pictures of sound, and sound from mel pictures.

A picture is a float32 tensor `(n_mels, frames)` in [0, 1] whose row 0 is the highest frequency,
so that it can be looked at, and be denoised, like any other image. A sound is a float32 numpy
array `(n,)` of samples in [-1, 1].

    sound y --STFT--> magnitude --mel filters, log, scale, flip--> picture
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log

import numpy as np
import torch


@dataclass(frozen=True)
class MelSettings:
    """How sound and picture correspond: `sr`, `fmin`, `fmax` in Hz; `n_fft`, `win_length`,
    `hop_length` in samples; `log_min`, `log_max` the natural logarithms of the mel magnitudes
    that are painted black (0) and white (1)."""

    sr: int = 16000
    n_fft: int = 1024
    win_length: int = 1024
    hop_length: int = 160
    n_mels: int = 128
    fmin: float = 0.0
    fmax: float = 8000.0
    log_min: float = -7.0
    log_max: float = 0.5


# 65 dB between black and white. Over 300 training clips at -23 dBFS the natural logarithm of the
# mel magnitude has its median at -5.9, its 90th percentile at -2.3 and its 99.9th at 0.15, which
# is grey level 0.95; 40% of the pixels (pauses, empty top rows) are black.
POCKET_MEL = MelSettings()

# Auffusion's picture, used by "Images that Sound" (Chen et al. 2024, arXiv 2405.12221).
PAPER_MEL = MelSettings(n_fft=2048, n_mels=256, log_min=log(1e-5), log_max=log(200.0))


def mel_picture(y, mel: MelSettings = POCKET_MEL) -> torch.Tensor:
    """Paint the sound `y` (..., n) as pictures (..., n_mels, n // hop_length) in [0, 1].

    `y` is an array or tensor of samples at `mel.sr` Hz. Row 0 is the highest frequency, column k
    is centred on `column_seconds(frames, mel)[k]`. The mel magnitudes equal
    `librosa.feature.melspectrogram(power=1, center=False)` of the sound padded by reflection with
    `(n_fft - hop_length) / 2` samples on either side.

    Raises ValueError if `y` is shorter than one hop or holds NaN or infinity.
    """
    y = _checked_samples(y)
    if y.shape[-1] < mel.hop_length:
        raise ValueError(
            f"mel_picture was given {y.shape[-1]} samples; it needs at least one hop of "
            f"{mel.hop_length} samples. Pad the sound with zeros."
        )
    pad = (mel.n_fft - mel.hop_length) // 2
    widths = [(0, 0)] * (y.ndim - 1) + [(pad, mel.n_fft - mel.hop_length - pad)]
    # numpy reflects as often as a short sound needs; torch refuses to
    padded = torch.from_numpy(np.pad(y, widths, mode="reflect"))  # (..., n + n_fft - hop)
    magnitude = _stft(padded.flatten(0, -2) if y.ndim > 1 else padded, mel).abs()
    log_mel = (_mel_filters(mel) @ magnitude).clamp_min(1e-10).log()  # (..., n_mels, frames)
    picture = (log_mel - mel.log_min) / (mel.log_max - mel.log_min)
    picture = picture.clamp(0, 1).flip(-2)
    return picture.reshape(*y.shape[:-1], *picture.shape[-2:])


def row_frequencies(mel: MelSettings = POCKET_MEL) -> np.ndarray:
    """Centre frequency in Hz of each picture row, (n_mels,), highest first."""
    return _mel_edges(mel)[1:-1][::-1].copy()


def column_seconds(frames: int, mel: MelSettings = POCKET_MEL) -> np.ndarray:
    """Time in seconds on which each of `frames` picture columns is centred, (frames,)."""
    return (np.arange(frames) + 0.5) * mel.hop_length / mel.sr


def _checked_samples(y) -> np.ndarray:
    """`y` as a float32 array, or a ValueError that says what is wrong with it."""
    y = y.detach().cpu().numpy() if isinstance(y, torch.Tensor) else np.asarray(y)
    y = y.astype(np.float32)
    bad = y.size - int(np.isfinite(y).sum())
    if y.ndim == 0 or y.size == 0 or bad:
        given = f"{bad} NaN or infinite samples of {y.size}" if bad else f"shape {y.shape}"
        raise ValueError(
            f"A sound must be an array (..., n) of finite samples, n > 0; this one has {given}. "
            "Repair the samples (numpy.nan_to_num) or look for where they arose."
        )
    return y


def _stft(padded: torch.Tensor, mel: MelSettings) -> torch.Tensor:
    """Complex spectrum (..., n_fft // 2 + 1, frames) of an already padded sound (..., n)."""
    return torch.stft(
        padded,
        mel.n_fft,
        mel.hop_length,
        mel.win_length,
        window=torch.hann_window(mel.win_length),
        center=False,
        return_complex=True,
    )


@lru_cache(maxsize=8)
def _mel_filters(mel: MelSettings) -> torch.Tensor:
    """Triangular filters of unit area (n_mels, n_fft // 2 + 1), lowest frequency first."""
    bins = np.linspace(0, mel.sr / 2, mel.n_fft // 2 + 1)  # Hz
    low, centre, high = (_mel_edges(mel)[k : k + mel.n_mels, None] for k in range(3))
    rise, fall = (bins - low) / (centre - low), (high - bins) / (high - centre)
    triangles = np.maximum(0, np.minimum(rise, fall)) * 2 / (high - low)
    return torch.from_numpy(triangles.astype(np.float32))


def _mel_edges(mel: MelSettings) -> np.ndarray:
    """Hz of n_mels + 2 points spaced evenly on Slaney's mel scale (Auditory Toolbox, 1998).

    The scale is linear (200/3 Hz a mel) up to 1 kHz and logarithmic (27 mels for a factor of 6.4)
    above.
    """
    log_step = log(6.4) / 27

    def to_mel(hz):
        return hz * 3 / 200 if hz < 1000 else 15 + log(hz / 1000) / log_step

    mels = np.linspace(to_mel(mel.fmin), to_mel(mel.fmax), mel.n_mels + 2)
    return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(log_step * (mels - 15)))
