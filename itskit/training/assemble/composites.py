"""Clips made of several short recordings of one package: footsteps, hammering, a ticking clock.

Truthful, for nothing is said of them that is not true of their parts: steps become "footsteps".
"""

import random
from dataclasses import dataclass

import numpy as np

from .clips import RATE, to_level

# class: the shortest and the longest pause between two of its events, in seconds
PAUSES = {
    "footsteps": (0.42, 0.7), "typing": (0.12, 0.35), "hammering": (0.5, 0.9),
    "axe_chop": (0.7, 1.1), "hand_clap": (0.35, 0.7), "finger_snap": (0.4, 0.8),
    "gunshot": (0.5, 1.2), "sword_clash": (0.35, 0.9), "arrow": (0.7, 1.2), "knock": (0.3, 0.6),
    "digging": (0.7, 1.2), "cowbell": (0.3, 0.6), "bongo": (0.2, 0.5), "djembe": (0.22, 0.5),
    "claves": (0.3, 0.6), "woodblock": (0.3, 0.6), "tambourine": (0.3, 0.6),
    "tom_drum": (0.25, 0.6), "snare_drum": (0.25, 0.5), "kick_drum": (0.4, 0.8),
    "tabla": (0.2, 0.5), "cajon": (0.25, 0.5), "shaker": (0.25, 0.5), "metal_hit": (0.6, 1.1),
    "splash": (0.9, 1.5), "water_drip": (0.4, 1.1), "glass_clink": (0.6, 1.2),
    "cannon": (1.0, 1.8), "explosion": (1.2, 2.2), "dog_bark": (0.5, 1.1),
    "duck_quack": (0.4, 0.9), "bird_song": (0.4, 1.0), "hen_cluck": (0.5, 1.0),
    "camera_click": (0.6, 1.2), "coins": (0.5, 1.0), "door": (1.2, 2.0), "castanets": (0.2, 0.5),
    "beep": (0.3, 0.7), "hi_hat": (0.2, 0.4),
}  # fmt: skip
LONGEST_EVENT = 2.2 * RATE
BEATS = ((0, 4), (0, 3, 4), (0, 4, 5), (0, 2, 4), (0, 5))  # eighths with a bass drum


@dataclass(frozen=True)
class Event:
    """One short recording, levelled; `record` is what the set says of it."""

    samples: np.ndarray
    recording: str
    record: dict


def repeated_events(rng: random.Random, events: list[Event], name: str, caption: str):
    """(record, samples) of clips of 2.5 to 5 s with a few of the events, again and again."""
    shortest, longest = PAUSES[name]
    if name in ("footsteps", "typing"):
        count = min(24, max(4, len(events)))
    else:
        count = min(20, max(2, len(events) // 2))
    for _ in range(count):
        pause, duration = rng.uniform(shortest, longest), rng.uniform(2.5, 5.0)
        out, t, used = np.zeros(int(duration * RATE), np.float32), 0.02, set()
        pool = rng.sample(events, min(len(events), rng.choice([1, 2, 4, 6])))
        while t < duration - 0.15:
            event = rng.choice(pool)
            add(out, event.samples, int(t * RATE), 10 ** (rng.uniform(-5, 0) / 20))
            used.add(event.recording)
            t += max(pause * rng.uniform(0.8, 1.2), 0.5 * len(event.samples) / RATE)
        record = {**events[0].record, "rec": "|".join(sorted(used)[:6]), "composite": True}
        record["caption"] = in_plural(name, caption)
        yield record, to_level(out)


def in_plural(name: str, caption: str) -> str:
    if name == "dog_bark":
        return "a dog barking repeatedly"
    caption = caption.replace("a footstep", "footsteps")
    return caption if name == "footsteps" else caption.replace(" hit", " hits")


def ticking_clocks(rng: random.Random, ticks: list[Event], count=20):
    """(record, samples): one or two ticks in strict time."""
    for _ in range(count if ticks else 0):
        period, duration = rng.choice([0.25, 0.4, 0.5, 0.5, 0.6, 1.0]), rng.uniform(3, 5)
        out = np.zeros(int(duration * RATE) + RATE, np.float32)
        tick = rng.choice(ticks)
        tock = rng.choice(ticks) if rng.random() < 0.5 else tick
        for k in range(int(np.ceil(duration / period))):
            event, gain = (tick, 1) if k % 2 == 0 else (tock, 0.8)
            add(out, event.samples[: int(0.3 * RATE)], int(k * period * RATE), gain)
        record = {**tick.record, "composite": True, "caption": "a clock ticking"}
        yield record, to_level(out[: int(duration * RATE)])


def drum_beats(rng: random.Random, kicks, snares, hats, keywords, count=60):
    """(record, samples): rock beats played with one kit's hits."""
    for _ in range(count if kicks and snares and hats else 0):
        eighth, duration = 60 / rng.uniform(75, 160) / 2, rng.uniform(3.5, 5.5)
        out = np.zeros(int(duration * RATE) + RATE, np.float32)
        kick, snare, hat = (rng.choice(hits).samples for hits in (kicks, snares, hats))
        beat, k = rng.choice(BEATS), 0
        while k * eighth < duration:
            for samples, plays, gain in (
                (kick, k % 8 in beat, 1.0),
                (snare, k % 8 in (2, 6), 0.9),
                (hat, True, 0.5 * rng.uniform(0.6, 1)),
            ):
                if plays:
                    add(out, samples, int(k * eighth * RATE), gain)
            k += 1
        record = {**rng.choice(kicks).record, "composite": True, "class": "drum_kit"}
        record |= {"caption": "a drum kit playing a beat", "keywords": keywords}
        yield record, to_level(out[: int(duration * RATE)])


def add(out, samples, start, gain):
    end = min(len(out), start + len(samples))
    out[start:end] += samples[: end - start] * gain
