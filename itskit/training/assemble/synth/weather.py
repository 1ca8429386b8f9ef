"""Procedural rain, thunder, wind, water and fire.

Each takes a numpy Generator and a number of samples and returns (samples, caption).
"""

import numpy as np
from scipy import signal

from .tools import RATE, add, bandpass, chirp, decay, drift, highpass, lowpass, noise, seconds


def rain(rng, n):
    d = rng.uniform(0.1, 1)
    out = (
        highpass(noise(rng, n), rng.uniform(500, 1500))
        * rng.uniform(0.4, 1)
        * drift(rng, n, 0.7, 0.8, 1.0)
    )
    k = np.zeros(n)
    m = int(n / RATE * rng.uniform(60, 600))
    i = rng.integers(0, n, m)
    k[i] = rng.exponential(1, m) * 6
    out = out + bandpass(k, rng.uniform(900, 2000), rng.uniform(4000, 7500)) * rng.uniform(0.6, 2)
    out = lowpass(out, rng.uniform(4000, 7900))
    return out, "heavy rain falling" if d > 0.55 else "light rain falling"


def thunder(rng, n):
    t = seconds(n)
    out = np.zeros(n)
    start = rng.uniform(0, 0.3)
    for k in range(rng.integers(3, 9)):
        s = start + rng.exponential(0.5) * (k > 0)
        e = np.where(t > s, np.exp(-(t - s) / rng.uniform(0.3, 1.4)), 0)
        out += (
            lowpass(noise(rng, n), rng.uniform(90, 900) * (1 if k else 2.5))
            * e
            * rng.uniform(0.4, 1)
            * (2 if k == 0 else 1.5)
        )
    out += lowpass(noise(rng, n), 150) * np.exp(-t / 3) * 1.5
    out += (
        (rng.random() < 0.5)
        * 0.15
        * highpass(noise(rng, n), 1500)
        * np.where(t > start, np.exp(-(t - start) / 0.12), 0)
    )
    return out, "thunder rumbling"


def wind(rng, n):
    x = noise(rng, n)
    f = drift(rng, n, rng.uniform(0.4, 1.2), 180, rng.uniform(500, 1100))
    out = np.zeros(n)
    B = 512
    for i in range(0, n, B):
        sos = signal.butter(1, [f[i] * 0.7 / 8000, f[i] * 1.4 / 8000], "band", output="sos")
        if i == 0:
            zi = np.zeros((sos.shape[0], 2))
        y, zi = signal.sosfilt(sos, x[i : i + B], zi=zi)
        out[i : i + B] = y
    g = drift(rng, n, rng.uniform(0.5, 1.5), 0.15, 1.0) ** 1.5
    return (
        out * g + 0.08 * lowpass(noise(rng, n), 300) * g,
        "howling wind" if f.max() > 750 else "wind blowing",
    )


def ocean_waves(rng, n):
    t = seconds(n)
    period = rng.uniform(2.2, 5)
    ph = rng.uniform(0, 1)
    u = (t / period + ph) % 1
    e = np.where(u < 0.35, (u / 0.35) ** 2, np.exp(-(u - 0.35) * rng.uniform(3, 5))) + 0.12
    b = lowpass(noise(rng, n), rng.uniform(400, 900))
    h = highpass(noise(rng, n), 1000)
    return b * e * 1.5 + h * e**2 * rng.uniform(0.2, 0.5), "ocean waves breaking on the shore"


def stream(rng, n):
    out = np.zeros(n + RATE)
    m = int(n / RATE * rng.uniform(60, 220))
    for _ in range(m):
        f0 = rng.uniform(350, 2600)
        length = int(RATE * rng.uniform(0.01, 0.07))
        t = seconds(length)
        add(
            out,
            np.exp(-t * rng.uniform(30, 120)) * chirp(f0 * (1 + t * rng.uniform(0, 9))),
            rng.uniform(0, n / RATE),
            rng.exponential(0.5),
        )
    return out[:n] + 0.06 * bandpass(noise(rng, n), 400, 4000), "a stream of water trickling"


def waterfall(rng, n):
    return (
        lowpass(highpass(noise(rng, n), rng.uniform(60, 300)), rng.uniform(2500, 7000))
        * drift(rng, n, 2, 0.85, 1),
        "a rushing waterfall",
    )


def water_drip(rng, n):
    out = np.zeros(n + RATE)
    t = 0.05
    period = rng.uniform(0.25, 1.1)
    while t < n / RATE - 0.1:
        length = int(0.12 * RATE)
        q = seconds(length)
        f = rng.uniform(600, 1800)
        add(
            out,
            np.exp(-q * rng.uniform(35, 80)) * chirp(f * (1 + q * rng.uniform(2, 8))),
            t,
            rng.uniform(0.5, 1),
        )
        t += period * rng.uniform(0.8, 1.2)
    return out[:n], "water dripping"


def bubbles(rng, n):
    out = np.zeros(n + RATE)
    t = 0
    while t < n / RATE:
        length = int(0.15 * RATE)
        q = seconds(length)
        add(
            out,
            np.exp(-q * rng.uniform(15, 40))
            * chirp(rng.uniform(180, 700) * (1 + q * rng.uniform(4, 14))),
            t,
            rng.uniform(0.3, 1),
        )
        t += rng.exponential(0.09)
    return out[:n], "bubbles in water"


def fire_crackle(rng, n):
    out = lowpass(noise(rng, n), 500) * 0.25 * drift(rng, n, 3, 0.5, 1)
    k = np.zeros(n + RATE)
    m = int(n / RATE * rng.uniform(8, 45))
    for _ in range(m):
        length = int(RATE * rng.uniform(0.003, 0.03))
        add(
            k,
            bandpass(noise(rng, max(length, 64)), rng.uniform(500, 2500), rng.uniform(3000, 7500))
            * decay(max(length, 64), 6),
            rng.uniform(0, n / RATE),
            rng.exponential(1) ** 1.5,
        )
    return out + k[:n], "a fire crackling"
