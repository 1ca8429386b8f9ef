"""Mel pictures of sound, and sound from mel pictures.

A picture is a float32 tensor `(n_mels, frames)` in [0, 1] whose row 0 is the highest frequency,
so that it can be looked at, and be denoised, like any other image. A sound is a float32 numpy
array `(n,)` of samples in [-1, 1].

    y --STFT--> magnitude --mel filters--> log, scale, flip --> picture      mel_picture
    picture --> mel magnitudes --> magnitude, phase --> rounds of STFT --> y  reconstruct
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log, pi

import numpy as np
import torch

from .loudness import checked_samples, integrated_loudness, normalise_loudness  # noqa: F401
from .threads import own_thread


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


# --- sound to picture ---------------------------------------------------------------------------


def mel_picture(y, mel: MelSettings = POCKET_MEL) -> torch.Tensor:
    """Paint the sound `y` (..., n) as pictures (..., n_mels, n // hop_length) in [0, 1].

    `y` is an array or tensor of samples at `mel.sr` Hz. Row 0 is the highest frequency, column k
    is centred on `column_seconds(frames, mel)[k]`. The mel magnitudes equal
    `librosa.feature.melspectrogram(power=1, center=False)` of the sound padded by reflection with
    `(n_fft - hop_length) / 2` samples on either side.

    Raises ValueError if `y` is shorter than one hop, holds NaN or infinity, or is not of floats.
    """
    y = checked_samples(y)
    if y.shape[-1] < mel.hop_length:
        raise ValueError(
            f"mel_picture was given {y.shape[-1]} samples; it needs at least one hop of "
            f"{mel.hop_length} samples. Pad the sound with zeros."
        )
    magnitude = _stft(torch.from_numpy(y), mel).abs()  # (..., frames, bins)
    log_mel = (magnitude @ _mel_filters(mel).T).clamp_min(1e-10).log()  # (..., frames, n_mels)
    picture = (log_mel - mel.log_min) / (mel.log_max - mel.log_min)
    return picture.clamp(0, 1).transpose(-1, -2).flip(-2)  # (..., n_mels, frames)


def row_frequencies(mel: MelSettings = POCKET_MEL) -> np.ndarray:
    """Centre frequency in Hz of each picture row, (n_mels,), highest first."""
    return _mel_edges(mel)[1:-1][::-1].copy()


def column_seconds(frames: int, mel: MelSettings = POCKET_MEL) -> np.ndarray:
    """Time in seconds on which each of `frames` picture columns is centred, (frames,)."""
    return (np.arange(frames) + 0.5) * mel.hop_length / mel.sr


# --- picture to sound ---------------------------------------------------------------------------


@own_thread
def reconstruct(
    picture, mel: MelSettings = POCKET_MEL, seed: int = 0, *, rounds: int = 32, near=None
) -> np.ndarray:
    """A sound (frames * hop_length,) whose mel picture is as near to `picture` as possible.

    `picture` (n_mels, frames) is clipped to [0, 1]. Fast Griffin-Lim (Griffin & Lim 1984;
    Perraudin, Balazs & Søndergaard 2013), in which a picture does not fix the magnitude of every
    bin but only what the mel filters see of it (as in Masuyama, Ueno & Ono 2023, arXiv
    2307.12232): each round goes through the waveform, a little on in the direction of the last
    change, and scales each bin towards the picture. Black means "no louder than black", so a black
    picture is silent. The same `seed` gives the same samples; another turns the phase, which the
    picture leaves open, or that of `near` (a tensor), the sound of one like it: few rounds do.

    Raises ValueError if the picture has another shape or holds NaN.
    """
    target = _mel_magnitudes(picture, mel)  # (frames, n_mels)
    filters = _mel_filters(mel)
    magnitude = target / filters.sum(1) @ filters  # (frames, bins)
    for _ in range(6 if near is None else 2):  # multiplicative: sharpen what the filters blurred
        magnitude = magnitude * _gain_towards(target, magnitude, mel)
    phase = _initial_phase(magnitude, mel, seed) if near is None else _stft(near, mel).angle()
    spectrum = torch.polar(magnitude, phase)
    previous = None
    for _ in range(rounds):
        consistent = _stft(_istft(spectrum, mel), mel)
        ahead = consistent if previous is None else consistent + 0.9 * (consistent - previous)
        spectrum = ahead * _gain_towards(target, ahead.abs(), mel)
        previous = consistent
    return _istft(spectrum, mel).numpy()


def _gain_towards(target, magnitude, mel: MelSettings) -> torch.Tensor:
    """Factors (frames, bins) that bring `magnitude` nearer to the mel magnitudes `target`.

    The mean, over the filters that see a bin, of wanted / present (the multiplicative update of
    Lee & Seung 2001 for the Kullback-Leibler divergence). Below black all levels are alike.
    """
    filters, black = _mel_filters(mel), np.exp(mel.log_min)
    present = (magnitude @ filters.T).clamp_min(black)  # (frames, n_mels)
    return (target.clamp_min(black) / present) @ filters / filters.sum(0).clamp_min(1e-8)


def _initial_phase(magnitude: torch.Tensor, mel: MelSettings, seed: int) -> torch.Tensor:
    """Phase (frames, bins) in radians, guessed from the slopes of the log magnitude.

    For a Gaussian window both derivatives of the phase follow from the magnitude alone (Průša,
    Balazs & Søndergaard 2017). As in its real-time form (Průša & Søndergaard 2016) frame follows
    frame; where that takes the loudest path through a heap, here each bin averages, weighted by
    magnitude, what its predecessor, both neighbours and a pulse struck in this frame would say.
    """
    S = magnitude.numpy()
    bins = np.arange(S.shape[1])
    log_S = np.pad(np.log(np.maximum(S, 1e-5 * S.max() + 1e-9)), 1, mode="edge")
    per_frame, per_bin = (slope[1:-1, 1:-1] for slope in np.gradient(log_S))  # (frames, bins)
    # a Hann window resembles the Gaussian exp(-pi t^2 / gamma), gamma = 0.25645 win_length^2
    ratio = mel.hop_length * mel.n_fft / (0.25645 * mel.win_length**2)
    along = 2 * pi * mel.hop_length / mel.n_fft * bins + ratio * per_bin  # radians a frame
    across = -pi - per_frame / ratio  # radians a bin; -pi since a frame starts n_fft / 2 early
    onward = np.exp(0.5j * (along[1:] + along[:-1])).astype(np.complex64)  # (frames - 1, bins)
    upward = np.exp(0.5j * (across[:, 1:] + across[:, :-1])).astype(np.complex64)
    turn = 2 * pi * np.random.default_rng(seed).random()
    pulse = (0.5 * S * np.exp(1j * (np.cumsum(across, axis=1) + turn))).astype(np.complex64)
    frame, frames = pulse[0], np.empty_like(pulse)
    for n in range(len(S)):
        frame = pulse[n] + (frame * onward[n - 1] if n else 0)
        neighbour = S[n] * _direction(frame)
        frame[1:] += neighbour[:-1] * upward[n]
        frame[:-1] += neighbour[1:] * upward[n].conj()
        frame = frames[n] = S[n] * _direction(frame)
    return torch.from_numpy(np.angle(frames))


def _direction(z: np.ndarray) -> np.ndarray:
    return z / np.maximum(np.abs(z), 1e-20)  # zero stays zero


def _mel_magnitudes(picture, mel: MelSettings) -> torch.Tensor:
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


def _stft(y: torch.Tensor, mel: MelSettings) -> torch.Tensor:
    """Complex spectrum (..., n // hop_length, n_fft // 2 + 1) of a sound (..., n)."""
    padded = y[..., _reflection(y.shape[-1], mel)]  # (..., n + n_fft - hop_length)
    frames = padded.unfold(-1, mel.n_fft, mel.hop_length)  # (..., frames, n_fft)
    return torch.fft.rfft(frames * _window(mel))


def _istft(spectrum: torch.Tensor, mel: MelSettings) -> torch.Tensor:
    """The sound (frames * hop_length,) whose `_stft` is nearest (Griffin & Lim 1984, eq. 6)."""
    frames = torch.fft.irfft(spectrum, n=mel.n_fft) * _window(mel)  # (frames, n_fft)
    return _overlap_add(frames, mel) / _overlapping_windows(len(frames), mel)


def _overlap_add(frames: torch.Tensor, mel: MelSettings) -> torch.Tensor:
    """Sum frames (frames, n_fft), a hop apart, and cut the padding off: (frames * hop_length,)."""
    hop, pieces = mel.hop_length, -(-mel.n_fft // mel.hop_length)
    frames = torch.nn.functional.pad(frames, (0, pieces * hop - mel.n_fft))
    frames = frames.reshape(len(frames), pieces, hop)
    total = frames.new_zeros(len(frames) + pieces - 1, hop)
    for k in range(pieces):
        total[k : k + len(frames)] += frames[:, k]
    start = (mel.n_fft - hop) // 2
    return total.flatten()[start : start + len(frames) * hop]


@lru_cache(maxsize=8)
def _overlapping_windows(frames: int, mel: MelSettings) -> torch.Tensor:
    """Sum of the squared windows over each sample, (frames * hop_length,)."""
    return _overlap_add(_window(mel).square().expand(frames, -1), mel)


@lru_cache(maxsize=8)
def _reflection(n: int, mel: MelSettings) -> torch.Tensor:
    """Indices (n + n_fft - hop_length,) that pad n samples by reflection, as often as needed."""
    left = (mel.n_fft - mel.hop_length) // 2
    right = mel.n_fft - mel.hop_length - left
    return torch.from_numpy(np.pad(np.arange(n), (left, right), mode="reflect"))


@lru_cache(maxsize=8)
def _window(mel: MelSettings) -> torch.Tensor:
    """Periodic Hann window of win_length in the middle of (n_fft,)."""
    left = (mel.n_fft - mel.win_length) // 2
    window = torch.hann_window(mel.win_length, dtype=torch.float32)
    return torch.nn.functional.pad(window, (left, mel.n_fft - mel.win_length - left))


@lru_cache(maxsize=8)
def _mel_filters(mel: MelSettings) -> torch.Tensor:
    """Triangular filters of unit area (n_mels, n_fft // 2 + 1), lowest frequency first."""
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
