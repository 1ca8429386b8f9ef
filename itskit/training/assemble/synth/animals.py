"""Procedural insects, birds and frogs.

Each takes a numpy Generator and a number of samples and returns (samples, caption).
"""

import numpy as np

from .tools import RATE, add, bandpass, chirp, drift, hump, noise, seconds


def crickets(rng, n):
    out = np.zeros(n)
    for _ in range(rng.integers(1, 4)):
        f = rng.uniform(2800, 5600)
        period = rng.uniform(0.35, 0.9)
        p = rng.integers(2, 5)
        pr = rng.uniform(0.016, 0.03)
        ph = rng.uniform(0, period)
        t = seconds(n)
        u = (t + ph) % period
        e = np.where(u < p * pr, np.sin(np.pi * (u % pr) / pr) ** 2, 0)
        out += e * np.sin(2 * np.pi * f * t) * rng.uniform(0.4, 1)
    return out + 0.01 * noise(rng, n), "crickets chirping at night"


def cicada(rng, n):
    t = seconds(n)
    f = rng.uniform(3500, 6000)
    out = (
        bandpass(noise(rng, n), f * 0.85, f * 1.15)
        * (1 + 0.8 * np.sign(np.sin(2 * np.pi * rng.uniform(40, 120) * t)))
        * drift(rng, n, 1, 0.5, 1)
    )
    return out, "cicadas buzzing"


def bird(rng, n):
    out = np.zeros(n + RATE)
    t = 0.05
    mot = []
    for _ in range(rng.integers(1, 4)):
        mot.append(
            [
                (
                    rng.uniform(0.03, 0.18),
                    rng.uniform(2000, 5500),
                    rng.uniform(-2200, 2200),
                    rng.choice([0, 0, 25, 45]),
                    rng.uniform(0, 500),
                )
                for _ in range(rng.integers(1, 5))
            ]
        )
    while t < n / RATE - 0.3:
        m = mot[rng.integers(len(mot))]
        for _ in range(rng.integers(1, 5)):
            for d, f, df, vr, vd in m:
                length = int(d * RATE)
                q = seconds(length)
                add(
                    out,
                    hump(length) ** 0.7
                    * chirp(np.clip(f + df * q / d + vd * np.sin(2 * np.pi * vr * q), 900, 7500)),
                    t,
                    rng.uniform(0.6, 1),
                )
                t += d + rng.uniform(0.01, 0.06)
        t += rng.uniform(0.15, 0.8)
    return out[:n] + 0.006 * noise(rng, n), rng.choice(["a bird chirping", "a songbird singing"])


def cuckoo(rng, n):
    out = np.zeros(n + RATE)
    f = rng.uniform(600, 760)
    t = 0.05
    while t < n / RATE - 0.6:
        for q, d in ((1, 0.17), (0.8, 0.28)):
            length = int(d * RATE)
            add(
                out,
                hump(length) ** 0.5
                * (
                    np.sin(2 * np.pi * f * q * seconds(length))
                    + 0.12 * np.sin(4 * np.pi * f * q * seconds(length))
                ),
                t,
            )
            t += d + 0.07
        t += rng.uniform(0.5, 1)
    return out[:n] + 0.003 * noise(rng, n), "a cuckoo calling"


def owl(rng, n):
    out = np.zeros(n + RATE)
    f = rng.uniform(300, 520)
    t = 0.05
    pat = [[0.5], [0.12, 0.5], [0.15, 0.15, 0.55], [0.3, 0.3, 0.6]][rng.integers(4)]
    while t < n / RATE - 0.5:
        for d in pat:
            length = int(d * RATE)
            q = seconds(length)
            add(
                out,
                hump(length) ** 0.6
                * (
                    chirp(f * (1 - 0.06 * q / d) + 4 * np.sin(2 * np.pi * rng.uniform(5, 14) * q))
                    + 0.15 * chirp(2 * f + 0 * q)
                ),
                t,
            )
            t += d + rng.uniform(0.08, 0.2)
        t += rng.uniform(0.7, 1.6)
    return out[:n] + 0.004 * noise(rng, n), "an owl hooting"


def frog(rng, n):
    out = np.zeros(n + RATE)
    t = 0.05
    f = rng.uniform(400, 1500)
    pr = rng.uniform(25, 90)
    d = rng.uniform(0.12, 0.4)
    while t < n / RATE - 0.2:
        length = int(d * RATE)
        q = seconds(length)
        e = np.maximum(0, np.sin(2 * np.pi * pr * q)) ** 3 * np.sin(
            np.pi * np.linspace(0, 1, length)
        )
        add(
            out,
            e
            * (
                np.sin(2 * np.pi * f * q)
                + 0.6 * np.sin(2 * np.pi * 2.1 * f * q)
                + 0.3 * noise(rng, length) * 0.3
            ),
            t,
            rng.uniform(0.6, 1),
        )
        t += d + rng.uniform(0.1, 0.6)
    return out[:n], "a frog croaking"


def bee(rng, n):
    f = rng.uniform(120, 260) * (
        1 + 0.08 * drift(rng, n, 4, -1, 1) + 0.01 * drift(rng, n, 60, -1, 1)
    )
    p = np.cumsum(f) / RATE
    out = sum(np.sin(2 * np.pi * k * p) / k ** rng.uniform(0.6, 1) for k in range(1, 16))
    return out * drift(rng, n, 2, 0.3, 1) + 0.05 * noise(rng, n), "a bee buzzing"


def mosquito(rng, n):
    f = rng.uniform(400, 700) * (1 + 0.06 * drift(rng, n, 3, -1, 1))
    p = np.cumsum(f) / RATE
    out = sum(np.sin(2 * np.pi * k * p) / k for k in range(1, 9))
    return out * drift(rng, n, 2, 0.15, 1), "a mosquito buzzing"
