"""Procedural engines, trains, aircraft and tools.

Each takes a numpy Generator and a number of samples and returns (samples, caption).
"""

import numpy as np
from scipy import signal

from .tools import (
    RATE,
    add,
    bandpass,
    chirp,
    decay,
    drift,
    highpass,
    lowpass,
    noise,
    partials,
    seconds,
)


def engine(rng, f, n, rough, kmax=40):
    p = np.cumsum(f) / RATE
    out = np.zeros(n)
    for k in range(1, kmax):
        if (k * f).min() > 7500:
            break
        out += np.sin(2 * np.pi * k * p / 2 + rng.uniform(0, 6)) / k**0.6 * rng.uniform(0.3, 1)
    am = np.maximum(0, np.sin(2 * np.pi * p)) ** 4
    return out + rough * bandpass(noise(rng, n), 100, 2500) * (0.3 + am)


def car_engine(rng, n):
    f = drift(rng, n, 0.6, 40, rng.uniform(70, 160))
    return lowpass(engine(rng, f, n, 0.3), rng.uniform(1500, 5000)), "a car engine running"


def race_car(rng, n):
    f = np.interp(
        seconds(n) % rng.uniform(1.2, 2.5),
        [0, 0.9, 1.0, 2.5],
        [110, rng.uniform(220, 330), 150, rng.uniform(250, 340)],
    )
    f = signal.filtfilt(np.ones(800) / 800, 1, f)
    return engine(rng, f, n, 0.25), "a race car engine accelerating"


def motorcycle(rng, n):
    f = drift(rng, n, 0.7, 35, rng.uniform(60, 140))
    p = np.cumsum(f) / RATE
    e = np.maximum(0, np.sin(np.pi * p)) ** 12
    return (
        bandpass(noise(rng, n) * e, 60, 2500) * 2 + engine(rng, f, n, 0.15) * 0.6,
        "a motorcycle engine revving",
    )


def diesel_engine(rng, n):
    f = drift(rng, n, 0.5, 14, rng.uniform(18, 32))
    p = np.cumsum(f) / RATE
    e = np.maximum(0, np.sin(np.pi * p * 2)) ** 20
    return (
        bandpass(noise(rng, n) * e, 60, 1800) * 5 + 0.3 * lowpass(noise(rng, n), 200),
        "a diesel engine idling",
    )


def propeller(rng, n):
    f = np.full(n, rng.uniform(60, 130)) * drift(rng, n, 0.4, 0.97, 1.03)
    return (
        lowpass(engine(rng, f, n, 0.2), 3500) + 0.08 * lowpass(noise(rng, n), 1500),
        "a propeller airplane flying",
    )


def jet(rng, n):
    t = seconds(n)
    w = rng.uniform(1800, 4200) * drift(rng, n, 0.4, 0.94, 1.06)
    g = np.exp(-(((t - n / RATE * rng.uniform(0.3, 0.7)) / (n / RATE * 0.4)) ** 2)) + 0.15
    return (
        (lowpass(noise(rng, n), rng.uniform(900, 4000)) + 0.12 * chirp(w) + 0.06 * chirp(w * 1.37))
        * g,
        "a jet airplane flying by",
    )


def helicopter(rng, n):
    f = rng.uniform(9, 17)
    t = seconds(n)
    e = np.maximum(0, np.sin(2 * np.pi * f * t)) ** 5
    return (
        lowpass(noise(rng, n), rng.uniform(400, 1100)) * (e + 0.12)
        + 0.12 * engine(rng, np.full(n, rng.uniform(70, 110)), n, 0.2, 14) * 0.3,
        "a helicopter hovering",
    )


def train(rng, n):
    out = lowpass(noise(rng, n), 600) * 0.35
    k = np.zeros(n + RATE)
    period = rng.uniform(0.45, 0.95)
    t = 0.05
    while t < n / RATE:
        for dt in (0, 0.09):
            length = int(0.09 * RATE)
            add(
                k,
                bandpass(noise(rng, length), 80, 2500) * decay(length, 6),
                t + dt,
                rng.uniform(0.7, 1) * 2,
            )
        t += period
    return out + k[:n], "a train rolling over rail joints"


def steam_train(rng, n):
    out = np.zeros(n + RATE)
    period = rng.uniform(0.18, 0.55)
    t = 0
    i = 0
    acc = rng.choice([1.0, 0.985])
    while t < n / RATE:
        length = int(period * 0.9 * RATE)
        q = np.linspace(0, 1, length)
        add(
            out,
            bandpass(noise(rng, length), 150, rng.uniform(2500, 5000)) * q**0.15 * np.exp(-q * 3.5),
            t,
            1.0 if i % 4 == 0 else rng.uniform(0.55, 0.8),
        )
        t += period
        period *= acc
        i += 1
    return out[:n] + 0.05 * highpass(noise(rng, n), 2000), "a steam train chuffing"


def steam_hiss(rng, n):
    t = seconds(n)
    return (
        highpass(noise(rng, n), rng.uniform(1500, 3500))
        * np.minimum(1, t / rng.uniform(0.02, 0.4))
        * drift(rng, n, 1, 0.6, 1),
        "steam hissing",
    )


def clock_tick(rng, n):
    out = np.zeros(n + RATE)
    period = rng.choice([0.25, 0.5, 0.5, 1.0])
    t = 0.05
    i = 0
    f = rng.uniform(1500, 4500)
    while t < n / RATE:
        length = int(0.03 * RATE)
        q = seconds(length)
        add(
            out,
            np.exp(-q * rng.uniform(200, 300))
            * (np.sin(2 * np.pi * f * (1 if i % 2 == 0 else 0.8) * q) + 0.8 * noise(rng, length)),
            t,
            1 if i % 2 == 0 else 0.7,
        )
        t += period
        i += 1
    return out[:n] + 0.001 * noise(rng, n), "a clock ticking"


def sawing(rng, n):
    t = seconds(n)
    period = rng.uniform(0.35, 0.8)
    u = t / period % 1
    e = np.abs(np.sin(2 * np.pi * u)) ** 0.8 * (1 - 0.35 * (u > 0.5))
    tooth = 0.5 + 0.5 * np.sign(np.sin(2 * np.pi * np.cumsum(60 + 120 * e) / RATE))
    return bandpass(noise(rng, n), 700, 5500) * e * (0.5 + tooth), "a hand saw sawing wood"


def hammering(rng, n):
    out = np.zeros(n + 2 * RATE)
    period = rng.uniform(0.4, 1.0)
    t = 0.05
    f = rng.uniform(500, 1500)
    anv = rng.random() < 0.6
    while t < n / RATE - 0.1:
        if anv:
            add(
                out,
                partials(
                    rng,
                    RATE,
                    f,
                    [1, 2.1, 3.3, 4.9, 6.1],
                    [0.6, 1, 0.8, 0.5, 0.3],
                    [0.35, 0.3, 0.2, 0.12, 0.08],
                ),
                t,
                rng.uniform(0.7, 1),
            )
        length = int(0.06 * RATE)
        add(
            out,
            bandpass(noise(rng, length), 200, 4000) * decay(length, 8),
            t,
            1.5,
        )
        t += period * rng.uniform(0.9, 1.1)
    return out[:n], "a hammer striking an anvil" if anv else "a hammer hitting wood"


def typing(rng, n):
    out = np.zeros(n + RATE)
    t = 0.05
    while t < n / RATE:
        length = int(0.03 * RATE)
        add(
            out,
            bandpass(noise(rng, length), 1200, 6500) * decay(length, 8),
            t,
            rng.uniform(0.5, 1),
        )
        add(
            out,
            bandpass(noise(rng, length), 800, 4000) * decay(length, 8),
            t + 0.06,
            0.35,
        )
        t += rng.choice([0.09, 0.12, 0.16, 0.3]) * rng.uniform(0.8, 1.2)
    return out[:n], "typing on a keyboard"
