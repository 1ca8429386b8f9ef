"""Procedural steps, applause, explosions and breakage.

Each takes a numpy Generator and a number of samples and returns (samples, caption).
"""

import numpy as np

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


def applause(rng, n):
    out = np.zeros(n + RATE)
    ppl = rng.integers(8, 60)
    for _ in range(ppl):
        period = 1 / rng.uniform(2.5, 5)
        t = rng.uniform(0, period)
        f = rng.uniform(700, 2200)
        while t < n / RATE:
            length = int(0.025 * RATE)
            add(
                out,
                bandpass(noise(rng, length), f * 0.6, f * 2) * decay(length, 5),
                t,
                rng.uniform(0.3, 1),
            )
            t += period * rng.uniform(0.85, 1.15)
    return out[:n], "an audience applauding"


def footsteps(rng, n):
    out = np.zeros(n + RATE)
    period = rng.uniform(0.32, 0.75)
    t = 0.05
    lo = rng.uniform(80, 300)
    while t < n / RATE - 0.1:
        length = int(0.09 * RATE)
        add(
            out,
            bandpass(noise(rng, length), lo, lo * rng.uniform(6, 14)) * decay(length, 7),
            t,
            rng.uniform(0.7, 1),
        )
        add(
            out,
            bandpass(noise(rng, length), lo * 2, lo * 12) * decay(length, 9),
            t + 0.07,
            0.4,
        )
        t += period * rng.uniform(0.95, 1.05)
    return out[:n], "footsteps walking"


def heartbeat(rng, n):
    out = np.zeros(n + RATE)
    period = rng.uniform(0.6, 1.1)
    t = 0.05
    while t < n / RATE - 0.3:
        for dt, g in ((0, 1), (0.28 * min(1, period), 0.7)):
            length = int(0.14 * RATE)
            q = seconds(length)
            add(
                out,
                np.sin(2 * np.pi * rng.uniform(45, 60) * q) * np.exp(-q * 28)
                + 0.1 * lowpass(noise(rng, length), 150) * np.exp(-q * 30),
                t + dt,
                g,
            )
        t += period
    return out[:n], "a heart beating"


def explosion(rng, n):
    t = seconds(n)
    out = (
        lowpass(noise(rng, n), rng.uniform(150, 600)) * np.exp(-t / rng.uniform(0.4, 1.2)) * 3
        + highpass(noise(rng, n), 800) * np.exp(-t / 0.08)
        + np.sin(2 * np.pi * np.cumsum(90 * np.exp(-t * 5) + 28) / RATE) * np.exp(-t / 0.5) * 1.5
    )
    k = np.zeros(n)
    m = rng.integers(10, 60)
    k[np.minimum(n - 1, (rng.exponential(0.7, m) * RATE).astype(int))] = rng.uniform(-4, 4, m)
    return np.tanh(out) + 0.25 * lowpass(k, 2500), "an explosion"


def gunshot(rng, n):
    out = np.zeros(n + 2 * RATE)
    t = 0.03
    for _ in range(rng.integers(1, 4)):
        length = RATE
        q = seconds(length)
        add(
            out,
            np.tanh(
                4
                * (
                    noise(rng, length) * np.exp(-q / 0.015)
                    + lowpass(noise(rng, length), 900) * np.exp(-q / 0.12) * 0.8
                )
            ),
            t,
        )
        t += rng.uniform(0.4, 1.2)
    return out[:n], "a gunshot"


def machine_gun(rng, n):
    out = np.zeros(n + RATE)
    period = 1 / rng.uniform(8, 16)
    t = 0.03
    end = rng.uniform(1, n / RATE - 0.3)
    while t < end:
        length = int(0.2 * RATE)
        q = seconds(length)
        add(
            out,
            np.tanh(
                4
                * (
                    noise(rng, length) * np.exp(-q / 0.01)
                    + lowpass(noise(rng, length), 700) * np.exp(-q / 0.05) * 0.7
                )
            ),
            t,
            rng.uniform(0.85, 1),
        )
        t += period
    return out[:n], "a machine gun firing"


def fireworks(rng, n):
    out = np.zeros(n + 2 * RATE)
    for _ in range(rng.integers(1, 4)):
        t = rng.uniform(0, n / RATE * 0.5)
        length = int(rng.uniform(0.5, 1) * RATE)
        q = seconds(length)
        add(
            out,
            chirp(np.linspace(900, rng.uniform(1800, 3000), length))
            * 0.15
            * np.linspace(0.3, 1, length)
            + 0.05 * highpass(noise(rng, length), 2000),
            t,
        )
        t += length / RATE
        length = RATE
        q = seconds(length)
        add(out, np.tanh(3 * lowpass(noise(rng, length), 1500) * np.exp(-q / 0.15)), t, 1.2)
        for _ in range(rng.integers(20, 90)):
            length = 64
            add(
                out,
                noise(rng, length) * decay(length, 5),
                t + 0.15 + rng.exponential(0.35),
                rng.uniform(0.05, 0.35),
            )
    return out[:n], "fireworks whistling and exploding"


def door_creak(rng, n):
    out = np.zeros(n + RATE)
    t = 0.05
    f = rng.uniform(300, 900)
    rate = drift(rng, n, 2, 15, rng.uniform(50, 140))
    while t < n / RATE - 0.05:
        length = int(0.02 * RATE)
        q = seconds(length)
        add(
            out,
            np.exp(-q * 200)
            * (
                np.sin(2 * np.pi * f * q)
                + 0.6 * np.sin(2 * np.pi * 2.3 * f * q)
                + 0.4 * np.sin(2 * np.pi * 4.1 * f * q)
            ),
            t,
        )
        t += 1 / rate[min(n - 1, int(t * RATE))]
    return out[:n], "a door creaking"


def glass_break(rng, n):
    out = np.zeros(n + RATE)
    length = int(0.05 * RATE)
    add(out, highpass(noise(rng, length), 2000) * decay(length, 5), 0.02, 2)
    for _ in range(rng.integers(20, 70)):
        add(
            out,
            partials(
                rng,
                int(0.4 * RATE),
                rng.uniform(1800, 6500),
                [1, 1.7],
                [1, 0.5],
                [rng.uniform(0.03, 0.2), 0.05],
            ),
            0.02 + rng.exponential(0.25),
            rng.exponential(0.4),
        )
    return out[:n], "glass shattering"
