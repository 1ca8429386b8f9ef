"""Sound from mel pictures: Griffin-Lim with a guess of the phase to begin with.

    picture --> mel magnitudes --> magnitude, phase --> rounds of STFT --> y

The letters of the papers, what they are called here, and in what they are counted:

    t, ω          frames and bins: hop_length samples and sr / n_fft Hz apart
    X             spectrum     complex STFT (frames, bins)
    |X|           magnitude, S
    φ = arg X     phase        radians
    v             target       mel magnitudes that the picture asks for (frames, n_mels)
    F             filters      mel filters (n_mels, bins): F |X| should be v
    ∂log|X|/∂t    per_frame    nepers a frame
    ∂log|X|/∂ω    per_bin      nepers a bin
    ∂φ/∂t         along        radians a frame:  2π hop_length ω / n_fft + ρ ∂log|X|/∂ω
    ∂φ/∂ω         across       radians a bin:    −π − (∂log|X|/∂t) / ρ
    ρ             ratio        hop_length n_fft / γ, of a Gaussian window exp(−π t² / γ)
    P_C X         consistent   stft(istft(X)), the nearest spectrum that a sound has
    α             0.9          how far on in the direction of the last change (Perraudin et al.)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from math import pi

import numpy as np
import torch

from ..renamed import renamed
from ..threads import own_thread, together
from .mel import POCKET_MEL, MelSettings, frames_of, mel_filters, mel_magnitudes, stft, window

BLOCK = 128  # frames that are worked on at a time: they fit into a cache, whoever works on them


@renamed(seed="random_state", rounds="n_iter")
@own_thread
def reconstruct(
    picture,
    mel: MelSettings = POCKET_MEL,
    random_state: int = 0,
    *,
    n_iter: int = 32,
    near=None,
    loop: bool = False,
) -> np.ndarray:
    """A sound whose mel picture is as near to a given one as possible.

    Fast Griffin-Lim (Griffin & Lim 1984; Perraudin, Balazs & Søndergaard 2013), in which a picture
    does not fix the magnitude of every bin but only what the mel filters see of it (as in
    Masuyama, Ueno & Ono 2023, arXiv 2307.12232). Each iteration goes through the waveform, a
    little on in the direction of the last change, and scales each bin towards the picture. Black
    means "no louder than black", so a black picture is silent.

    Parameters
    ----------
    picture : array or Tensor (n_mels, frames)
        Clipped to [0, 1].
    mel : MelSettings
        Those that the picture was made with.
    random_state : int
        The picture leaves the phase open; this decides it.
    n_iter : int
        Iterations.
    near : Tensor, optional
        The sound of a similar picture, (frames * hop_length,). Its phase is taken for a start, and
        few iterations do.
    loop : bool
        Whether the end of the sound shall lead to its beginning.

    Returns
    -------
    array, float32
        (frames * hop_length,).

    Raises
    ------
    ValueError
        If the picture has another shape or holds NaN.
    """
    led, target = near is not None, mel_magnitudes(picture, mel)  # (frames, n_mels)
    filters = mel_filters(mel)
    magnitude = target / filters.sum(1) @ filters  # (frames, bins)
    for _ in range(2 if led else 6):  # multiplicative: sharpen what the filters blurred
        magnitude = magnitude * _gain_towards(target, magnitude, mel)
    if led:
        spectrum = magnitude * _unit(stft(near, mel, loop))
    else:
        spectrum = _with_guessed_phase(magnitude, mel, random_state)
    consistent = torch.empty_like(spectrum)
    for n in range(n_iter):
        frames, first = frames_of(_istft(spectrum, mel, loop), mel, loop), n == 0
        _by_blocks(partial(_round, frames, target, consistent, spectrum, mel, first), len(frames))
    return _istft(spectrum, mel, loop).numpy()


def _round(frames, target, consistent, spectrum, mel: MelSettings, first: bool, block) -> None:
    """What one iteration makes of a block of `frames`, written into it in the last two."""
    ahead = now = torch.fft.rfft(frames[block] * window(mel))  # (block, bins)
    if not first:  # now + 0.9 (now - before)
        before = torch.view_as_real(consistent[block])
        ahead = torch.view_as_complex(torch.lerp(before, torch.view_as_real(now), 1.9))
    consistent[block] = now
    torch.mul(ahead, _gain_towards(target[block], _size(ahead), mel), out=spectrum[block])


def _size(z: torch.Tensor) -> torch.Tensor:
    """|z| of complex numbers, in a third of the time of `torch.abs`, which heeds overflow."""
    squares = torch.view_as_real(z).square()
    return (squares[..., 0] + squares[..., 1]).sqrt_()


def _unit(z: torch.Tensor) -> torch.Tensor:
    """Complex numbers as far from zero as 1, in their direction; zero is 1, as its angle is 0."""
    size = _size(z)
    return torch.where(size > 0, z / size.clamp_min(1e-30), 1)


def _by_blocks(call: Callable, frames: int) -> list:
    """What `call` says of each block of frames, a slice, by as many threads as there may be."""
    blocks = [slice(k, min(k + BLOCK, frames)) for k in range(0, frames, BLOCK)]
    return together(partial(call, block) for block in blocks)


def _gain_towards(target, magnitude, mel: MelSettings) -> torch.Tensor:
    """Factors (frames, bins) that bring `magnitude` nearer to the mel magnitudes `target`.

    The mean, over the filters that see a bin, of wanted / present (the multiplicative update of
    Lee & Seung 2001 for the Kullback-Leibler divergence). Below black all levels are alike.
    """
    black, (seen, back) = np.exp(mel.log_min), _bands(mel)
    present = torch.cat([magnitude[:, bins] @ part for bins, part in seen], 1)  # (frames, n_mels)
    ratio = target.clamp_min(black) / present.clamp_min_(black)
    return torch.cat([ratio[:, mels] @ part for mels, part in back], 1)  # (frames, bins)


@lru_cache(maxsize=8)
def _bands(mel: MelSettings, count: int = 8):
    """The filters, which are nearly all zeros, in bands: of `count` parts of the mels the bins
    (slice) that they see, and how (bins, mels); and of as many parts of the bins the mels (slice)
    that see them, and how (mels, bins), each bin's adding up to 1."""
    filters = mel_filters(mel)
    mean = filters / filters.sum(0).clamp_min(1e-8)
    seen = [(_span(part.any(0)), part) for part in filters.tensor_split(count)]
    back = [(_span(part.any(1)), part) for part in mean.tensor_split(count, 1)]
    return (
        [(bins, part[:, bins].T.contiguous()) for bins, part in seen],
        [(mels, part[mels].contiguous()) for mels, part in back],
    )


def _span(some: torch.Tensor) -> slice:
    """From the first that is true to the last."""
    where = some.nonzero()[:, 0].tolist() or [0]
    return slice(where[0], where[-1] + 1)


def _with_guessed_phase(magnitude, mel: MelSettings, random_state: int) -> torch.Tensor:
    """A spectrum (frames, bins) of this magnitude, its phase guessed from the slopes of the log.

    For a Gaussian window both derivatives of the phase follow from the magnitude alone (Průša,
    Balazs & Søndergaard 2017). As in its real-time form (Průša & Søndergaard 2016) frame follows
    frame; where that takes the loudest path through a heap, here each bin averages, weighted by
    magnitude, what its predecessor, both neighbours and a pulse struck in this frame would say.
    """
    S = magnitude.numpy()
    bins = np.arange(S.shape[1])
    log_S = np.pad(np.log(np.maximum(S, 1e-5 * S.max() + 1e-9)), 1, mode="edge")
    per_frame, per_bin = (slope[1:-1, 1:-1] for slope in np.gradient(log_S))  # (frames, bins)
    # A Hann window resembles the Gaussian of γ = 0.25645 win_length².
    ratio = mel.hop_length * mel.n_fft / (0.25645 * mel.win_length**2)
    along = 2 * pi * mel.hop_length / mel.n_fft * bins + ratio * per_bin  # radians a frame
    across = -pi - per_frame / ratio  # radians a bin; -pi since a frame starts n_fft / 2 early
    onward = _turned((along[1:] + along[:-1]) / 2)  # (frames - 1, bins)
    upward = _turned((across[:, 1:] + across[:, :-1]) / 2)
    turn = 2 * pi * np.random.default_rng(random_state).random()
    pulse = 0.5 * S * _turned(np.cumsum(across, axis=1) + turn)
    frame, frames = pulse[0], np.empty_like(pulse)
    for n in range(len(S)):
        frame = pulse[n] + (frame * onward[n - 1] if n else 0)
        neighbour = S[n] * _direction(frame)
        frame[1:] += neighbour[:-1] * upward[n]
        frame[:-1] += neighbour[1:] * upward[n].conj()
        frame = frames[n] = S[n] * _direction(frame)
    return torch.from_numpy(frames)


def _turned(angle: np.ndarray) -> np.ndarray:
    """exp(i angle) in single precision, of angles of many turns in double."""
    within = torch.from_numpy(angle).remainder(2 * pi).float()
    return torch.complex(within.cos(), within.sin()).numpy()


def _direction(z: np.ndarray) -> np.ndarray:
    return z / np.maximum(np.abs(z), 1e-20)  # zero stays zero


def _istft(spectrum: torch.Tensor, mel: MelSettings, loop: bool = False) -> torch.Tensor:
    """The sound (frames * hop_length,) whose `stft` is nearest (Griffin & Lim 1984, eq. 6)."""

    def turn_back(block):
        return _overlap_add(torch.fft.irfft(spectrum[block], n=mel.n_fft) * window(mel), mel)

    parts = _by_blocks(turn_back, len(spectrum))
    return _joined(parts, len(spectrum), mel, loop) / _overlapping_windows(len(spectrum), mel, loop)


def _overlap_add(frames: torch.Tensor, mel: MelSettings) -> torch.Tensor:
    """Sum frames (frames, n_fft), a hop apart: (frames + pieces - 1, hop_length)."""
    hop, pieces = mel.hop_length, -(-mel.n_fft // mel.hop_length)
    total = frames.new_zeros(len(frames) + pieces - 1, hop)
    for k in range(pieces):
        piece = frames[:, k * hop : (k + 1) * hop]  # the last is shorter
        total[k : k + len(frames), : piece.shape[1]] += piece
    return total


def _joined(parts, frames: int, mel: MelSettings, loop: bool) -> torch.Tensor:
    """What blocks of frames add up to, with the padding cut off, or laid over the other end of a
    loop: (frames * hop_length,)."""
    hop, first = mel.hop_length, 0
    total = parts[0].new_zeros(frames + -(-mel.n_fft // hop) - 1, hop)
    for part in parts:
        total[first : first + len(part)] += part
        first += BLOCK
    start, n = (mel.n_fft - hop) // 2, frames * hop
    if loop:
        places = (torch.arange(total.numel()) - start) % n
        return total.new_zeros(n).index_add_(0, places, total.flatten())
    return total.flatten()[start : start + n]


@lru_cache(maxsize=8)
def _overlapping_windows(frames: int, mel: MelSettings, loop: bool = False) -> torch.Tensor:
    """Sum of the squared windows over each sample, (frames * hop_length,)."""
    whole = _overlap_add(window(mel).square().expand(frames, -1), mel)
    return _joined([whole], frames, mel, loop)
