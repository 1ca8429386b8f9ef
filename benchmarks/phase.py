"""Mel picture to sound: itskit.spectrogram against librosa's 32 rounds of Griffin-Lim.

    python benchmarks/phase.py                # sounds computed here
    python benchmarks/phase.py FOLDER         # every audio file in FOLDER
    python benchmarks/phase.py --threads 1    # on one core

Each sound (5.12 s at 16 kHz, shorter ones repeated) is painted as a pocket picture, made audible
again by each method, and analysed anew. "distance" is the mean over pixels of the absolute
difference from the original's picture in dB, of the 104 dB that a picture holds. "short" and "long"
are the same in pictures that no method has seen, of 25 ms and of 128 ms windows, so that nobody
wins by fitting the one picture alone. "ratio" compares a method with librosa; below 1 is better.
librosa (which needs to be installed) gets the same mel magnitudes.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from itskit.spectrogram import POCKET_MEL, MelSettings, mel_picture, reconstruct

MEL, SECONDS = POCKET_MEL, 5.12
SAMPLES = round(SECONDS * MEL.sr)
SHORT = MelSettings(n_fft=400, win_length=400, hop_length=80, n_mels=40)
LONG = MelSettings(n_fft=2048, win_length=2048, hop_length=200, n_mels=128)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="audio files; default: synthetic")
    parser.add_argument("--threads", type=int, help="threads for torch; default: torch's own")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    sounds = load(arguments.folder) if arguments.folder else synthetic()
    methods = {
        "librosa, 32 rounds": librosa_griffin_lim,
        "itskit, 32 rounds": reconstruct,
        "itskit, 16 rounds": lambda picture: reconstruct(picture, n_iter=16),
        "itskit, 8 rounds": lambda picture: reconstruct(picture, n_iter=8),
        "itskit, no rounds": lambda picture: reconstruct(picture, n_iter=0),
    }
    print(f"{len(sounds)} sounds of {SECONDS} s, {torch.get_num_threads()} torch thread(s)")
    print(f"{'':20s}distance ratio   short   long   wall s  cpu s  ratio")
    reference = None
    for name, method in methods.items():
        row = measure(method, sounds)
        reference = row if reference is None else reference
        distance, short, long, wall, cpu = row
        print(
            f"{name:20s}{distance:5.2f} dB {distance / reference[0]:5.2f} {short:5.2f} dB "
            f"{long:5.2f} dB {wall:6.2f} {cpu:6.2f} {cpu / reference[4]:6.2f}"
        )


def measure(method, sounds: list[np.ndarray]) -> np.ndarray:
    """(distance, short, long) in dB, means over the sounds, and (wall, cpu) seconds, medians."""
    method(mel_picture(sounds[0]))  # tables are built, code is loaded
    rows = []
    for y in sounds:
        picture = mel_picture(y)
        wall, cpu = time.perf_counter(), time.process_time()
        again = method(picture)
        seconds = time.perf_counter() - wall, time.process_time() - cpu
        rows.append([*(distance(again, y, mel) for mel in (MEL, SHORT, LONG)), *seconds])
    rows = np.array(rows)  # (sounds, 5)
    return np.concatenate([rows[:, :3].mean(0), np.median(rows[:, 3:], axis=0)])


def distance(again: np.ndarray, y: np.ndarray, mel: MelSettings) -> float:
    """Mean absolute difference of two sounds' pictures, in dB."""
    decibels = 20 / np.log(10) * (mel.log_max - mel.log_min)
    return float((mel_picture(again, mel) - mel_picture(y, mel)).abs().mean()) * decibels


def librosa_griffin_lim(picture: torch.Tensor) -> np.ndarray:
    """librosa's own way back, with its defaults: exact non-negative inversion, momentum 0.99."""
    import librosa

    picture = picture.numpy()[::-1]
    magnitude = np.exp(MEL.log_min + picture * (MEL.log_max - MEL.log_min)) * (picture > 0)
    y = librosa.feature.inverse.mel_to_audio(
        magnitude,
        sr=MEL.sr,
        n_fft=MEL.n_fft,
        hop_length=MEL.hop_length,
        win_length=MEL.win_length,
        center=False,
        power=1.0,
        n_iter=32,
        fmin=MEL.fmin,
        fmax=MEL.fmax,
    )
    start = (MEL.n_fft - MEL.hop_length) // 2
    return y[start : start + SAMPLES]


def load(folder: Path) -> list[np.ndarray]:
    """Every audio file below `folder` as (SAMPLES,) at MEL.sr Hz and -23 dBFS."""
    import librosa

    kinds = {".wav", ".flac", ".ogg", ".mp3", ".opus"}
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in kinds)
    if not files:
        raise SystemExit(f"No audio file ({', '.join(sorted(kinds))}) in {folder}.")
    return [fit(librosa.load(file, sr=MEL.sr)[0]) for file in files]


def fit(y: np.ndarray) -> np.ndarray:
    """Repeat with gaps of a quarter of a second, or cut, to SAMPLES; bring to -23 dBFS."""
    if len(y) < SAMPLES:
        y = np.concatenate([y, np.zeros(MEL.sr // 4)])
        y = np.tile(y, -(-SAMPLES // len(y)))
    y = y[:SAMPLES]
    return (y * 10 ** (-23 / 20) / max(np.sqrt(np.mean(y**2)), 1e-9)).astype(np.float32)


def synthetic() -> list[np.ndarray]:
    """A tone, a chirp, a bell, vowels, clicks, rain, a drum and a siren, from formulas."""
    rng = np.random.default_rng(0)
    t = np.arange(SAMPLES) / MEL.sr  # seconds
    since = t % 0.64  # seconds since the last stroke
    noise = rng.normal(size=SAMPLES)
    partials = [(1, 1.0, 1.5), (2.0, 0.7, 2), (2.4, 0.6, 3), (3, 0.5, 4), (4.5, 0.3, 6)]
    pitch = 120 + 20 * np.sin(2 * np.pi * 0.7 * t)  # Hz
    phase = 2 * np.pi * np.cumsum(pitch) / MEL.sr
    envelope = 700 + 500 * np.sin(2 * np.pi * 1.1 * t)  # Hz, a wandering formant
    voice = [(np.exp(-(((k * pitch - envelope) / 400) ** 2)), k * phase) for k in range(1, 40)]
    sounds = [
        np.sin(2 * np.pi * 440 * t),
        np.sin(2 * np.pi * (200 * t + 3000 * t**2 / (2 * SECONDS))),
        sum(a * np.exp(-d * since) * np.sin(2 * np.pi * 523 * f * t) for f, a, d in partials),
        sum(loud * np.sin(angle) for loud, angle in voice),
        (since < 1 / MEL.sr).astype(float),
        noise,
        np.exp(-12 * since) * (np.sin(2 * np.pi * 90 * since) + 0.3 * noise),
        np.sin(2 * np.pi * 700 * t + 150 * np.sin(2 * np.pi * 0.5 * t)),
    ]
    return [fit(y) for y in sounds]


if __name__ == "__main__":
    main()
