"""Riffusion's pictures of sound: dark on white, 512 rows up to 10 kHz, a column for every 10 ms.

Riffusion (Forsgren & Martiros 2022) is a fine-tune of Stable Diffusion 1.5 on pictures whose
darkness is the fourth root of the mel amplitude, relative to the loudest. There is no vocoder: the
phase is found by Griffin-Lim (1984; momentum after Perraudin et al. 2013).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .. import media
from ..media import Sound
from ..modality import Axis
from .paper import Voice

SR, HOP, WINDOW, N_FFT = 44100, 441, 4410, 17640  # 10 ms, 100 ms, 400 ms
ROWS, TOP_HZ, POWER = 512, 10000, 0.25
FULL_SCALE = WINDOW / 4  # STFT magnitude of a sine of full scale: half the sum of its Hann window


def voice(folder: Path, device) -> Voice:
    """The voice of a Riffusion folder: no network, so neither the folder nor the device matters."""
    return Voice(render, analyse, ROWS, ROWS, axis=axis())


def axis() -> Axis:
    """Rows are spaced evenly on the HTK mel scale, 2595 log10(1 + hertz / 700), up to TOP_HZ."""
    mels = np.linspace(0, 2595 * np.log10(1 + TOP_HZ / 700), ROWS + 2)[-2:0:-1]  # highest first
    return Axis(tuple((700 * (10 ** (mels / 2595) - 1)).tolist()), HOP / SR, SR)


@cache
def _filters() -> np.ndarray:
    """Triangles of height 1 on the HTK mel scale, (512, bins), lowest first."""
    import librosa

    return librosa.filters.mel(
        sr=SR, n_fft=N_FFT, n_mels=ROWS, fmin=0, fmax=TOP_HZ, htk=True, norm=None
    )


def render(picture: Tensor, n_iter: int = 32, random_state: int = 0) -> Sound:
    """A picture (1 or 3, 512, W) -> W / 100 s of sound at 44.1 kHz.

    Riffusion's pictures know no level. Here black is the magnitude of a sine of full scale.
    """
    import librosa

    dark = 1 - picture.float().cpu().mean(0).flip(0).clamp(0, 1).numpy()  # (512, W), lowest first
    # W hops of sound have W + 1 frames, centred on both ends.
    wanted, filters = np.pad(dark ** (1 / POWER), ((0, 0), (0, 1)), mode="edge"), _filters()
    S = filters.T @ wanted  # (bins, W + 1)
    covered = filters.sum(0)[:, None] + 1e-8
    for _ in range(8):  # multiplicative updates (Lee & Seung 2001), as in `griffin_lim`
        S *= filters.T @ (wanted / (filters @ S + 1e-8)) / covered
    options = {"n_fft": N_FFT, "hop_length": HOP, "win_length": WINDOW}
    options |= {"length": HOP * dark.shape[1], "random_state": random_state}
    y = librosa.griffinlim(S, n_iter=n_iter, **options)
    return Sound(y * FULL_SCALE, SR)


def analyse(what, multiple: int = 64) -> Tensor:
    """Any recording that `media` reads, bare samples at 44.1 kHz -> (1, 1, 512, W), W a multiple of
    `multiple` pixels.

    The loudest is black, unless it is faint (`media.gain`).
    """
    import librosa

    y = media.whole_columns(media.samples_at(what, SR), HOP, multiple)
    peak = max(1e-9, float(np.abs(y).max()))
    S = np.abs(librosa.stft(y, n_fft=N_FFT, hop_length=HOP, win_length=WINDOW))
    amplitudes = _filters() @ S[:, : len(y) // HOP]  # (512, W), lowest first
    reached = peak * media.gain(y, SR, 1 / peak)  # 1 for all that is loud enough
    dark = (reached * amplitudes / max(1e-6, float(amplitudes.max()))) ** POWER
    return torch.from_numpy(1 - dark[::-1].copy()).float()[None, None]
