"""Procedural bells, horns, sirens, telephones and tones.

Each takes a numpy Generator and a number of samples and returns (samples, caption).
"""

import numpy as np

from .tools import RATE, add, bandpass, chirp, drift, lowpass, noise, partials, seconds

BELL = (0.5, 1, 1.2, 1.5, 2, 2.5, 2.67, 3, 4, 5.33, 6.67)  # partials of a church bell


def bell(rng, f0, n, big=1.0):
    a = np.array([0.8, 0.9, 1, 0.5, 1, 0.45, 0.4, 0.4, 0.35, 0.2, 0.12]) * rng.uniform(0.5, 1.3, 11)
    d = np.array([4, 2.6, 1.8, 1.4, 1.1, 0.7, 0.6, 0.5, 0.35, 0.22, 0.15]) * big
    x = partials(rng, n, f0, BELL, a, d)
    k = bandpass(noise(rng, int(0.03 * RATE)), 1500, 6000) * np.exp(
        -seconds(int(0.03 * RATE)) / 0.006
    )
    x[: len(k)] += k * 1.2
    return x


def church_bell(rng, n):
    out = np.zeros(n + 6 * RATE)
    one = rng.random() < 0.4
    f = [rng.uniform(150, 520) for _ in range(1 if one else rng.integers(2, 5))]
    period = rng.uniform(0.7, 2.2) if one else rng.uniform(0.35, 0.9)
    t = 0.02
    i = 0
    while t < n / RATE - 0.2:
        add(out, bell(rng, f[i % len(f)], 4 * RATE), t, rng.uniform(0.7, 1))
        t += period * rng.uniform(0.97, 1.03)
        i += 1
    return out[:n], "a large church bell tolling" if one else "church bells ringing"


def hand_bell(rng, n):
    out = np.zeros(n + 3 * RATE)
    f = rng.uniform(900, 2400)
    period = rng.uniform(0.12, 0.5)
    t = 0.02
    cnt = rng.integers(1, 14)
    for _ in range(cnt):
        add(
            out,
            partials(
                rng, 2 * RATE, f, [1, 2.76, 5.4, 1.5], [1, 0.5, 0.2, 0.15], [0.9, 0.45, 0.2, 0.5]
            ),
            t,
            rng.uniform(0.6, 1),
        )
        t += period * rng.uniform(0.9, 1.1)
    return out[:n], "a small hand bell ringing"


def wind_chimes(rng, n):
    out = np.zeros(n + 3 * RATE)
    fs = rng.uniform(700, 2600, 6)
    t = 0.05
    while t < n / RATE:
        add(
            out,
            partials(
                rng, 2 * RATE, rng.choice(fs), [1, 2.76, 5.4], [1, 0.35, 0.1], [1.4, 0.6, 0.25]
            ),
            t,
            rng.uniform(0.2, 1),
        )
        t += rng.exponential(0.3)
    return out[:n], "wind chimes tinkling"


def gong(rng, n):
    f = rng.uniform(70, 180)
    q = np.sort(rng.uniform(1, 22, 45))
    a = 1 / np.sqrt(q) * rng.uniform(0.4, 1.2, 45)
    x = partials(rng, n, f, q, a, 4 / np.sqrt(q) + 0.3)
    t = seconds(n)
    x += (
        0.8
        * bandpass(noise(rng, n), 800, 5000)
        * np.minimum(1, t / 0.3)
        * np.exp(-t / 1.2)
        * np.std(x)
    )
    return x, "a large gong being struck"


def train_whistle(rng, n):
    t = seconds(n)
    f = rng.uniform(290, 480)
    out = np.zeros(n)
    ch = [1, 1.26, 1.5, 1.68]
    on = np.zeros(n)
    s = 0.05
    while s < n / RATE - 0.4:
        d = rng.uniform(0.4, 1.8)
        on += (
            np.clip((t - s) / 0.06, 0, 1)
            * np.clip((s + d - t) / 0.15, 0, 1)
            * ((t > s) & (t < s + d))
        )
        s += d + rng.uniform(0.2, 0.5)
    vib = (
        1 + 0.006 * np.sin(2 * np.pi * rng.uniform(4, 7) * t) + 0.02 * (np.minimum(1, t / 0.2) - 1)
    )
    for q in ch:
        for k in (1, 2, 3, 4):
            out += chirp(f * q * k * vib) / k**1.2 * rng.uniform(0.5, 1)
    return (
        (out * 0.5 + 1.2 * bandpass(noise(rng, n), 600, 5000)) * on,
        "a steam train whistle blowing",
    )


def ship_horn(rng, n):
    t = seconds(n)
    f = rng.uniform(75, 190)
    d = min(n / RATE - 0.2, rng.uniform(1.5, 4))
    on = np.clip(t / 0.15, 0, 1) * np.clip((d - t) / 0.35, 0, 1)
    two = rng.random() < 0.4
    out = sum(np.sin(2 * np.pi * k * f * t + rng.uniform(0, 6)) / k**0.7 for k in range(1, 22))
    out = out + (
        sum(np.sin(2 * np.pi * k * f * 1.19 * t) / k**0.7 for k in range(1, 20)) if two else 0
    )
    return (out + 0.25 * lowpass(noise(rng, n), 700)) * on, "a ship horn blowing"


def car_horn(rng, n):
    t = seconds(n)
    f = rng.uniform(330, 460)
    out = sum(
        (np.sin(2 * np.pi * k * f * t) + np.sin(2 * np.pi * k * f * 1.26 * t + 1)) / k**0.5
        for k in range(1, 14)
    )
    on = np.zeros(n)
    s = 0.05
    while s < n / RATE - 0.2:
        d = rng.uniform(0.12, 0.9)
        on[(t > s) & (t < s + d)] = 1
        s += d + rng.uniform(0.12, 0.5)
    return out * lowpass(on, 60, 1), "a car horn honking"


def siren(rng, n):
    t = seconds(n)
    m = rng.integers(3)
    if m == 0:
        period = rng.uniform(2.5, 5)
        f = 650 + (np.sin(2 * np.pi * t / period - 1.57) * 0.5 + 0.5) * rng.uniform(600, 950)
        c = "a siren wailing"
    elif m == 1:
        period = rng.uniform(0.25, 0.45)
        f = 700 + (t / period % 1) ** 0.5 * 900
        c = "a police siren yelping"
    else:
        period = rng.uniform(0.9, 1.3)
        f = np.where(t / period % 1 < 0.5, 435, 580) * rng.uniform(0.95, 1.1)
        c = "a two tone ambulance siren"
    p = np.cumsum(f) / RATE
    return sum(np.sin(2 * np.pi * k * p) / k**1.1 for k in range(1, 7)), c


def alarm_clock(rng, n):
    t = seconds(n)
    f = rng.uniform(900, 3000)
    period = rng.choice([0.25, 0.5, 1.0])
    e = (t / period % 1 < rng.uniform(0.3, 0.6)) * 1.0
    if rng.random() < 0.5:
        e *= t / 0.11 % 1 < 0.5
    return np.tanh(2 * np.sin(2 * np.pi * f * t)) * lowpass(e, 200, 1), "an alarm clock beeping"


def telephone(rng, n):
    t = seconds(n)
    on = (t % rng.uniform(2.2, 3.5) < rng.uniform(1.0, 1.8)) * 1.0
    tr = np.sign(np.sin(2 * np.pi * rng.uniform(18, 26) * t)) * 0.5 + 0.5
    f = rng.uniform(1100, 1700)
    out = (
        np.sin(2 * np.pi * f * t)
        + 0.6 * np.sin(2 * np.pi * f * 1.34 * t)
        + 0.3 * np.sin(2 * np.pi * f * 2.76 * t)
    ) * (0.25 + 0.75 * lowpass(tr, 80, 1))
    return out * lowpass(on, 20, 1), "an old telephone ringing"


def laser(rng, n):
    out = np.zeros(n + RATE)
    t = 0.03
    d = rng.uniform(0.12, 0.4)
    a = rng.uniform(1800, 6000)
    b = rng.uniform(100, 500)
    while t < n / RATE - 0.3:
        length = int(d * RATE)
        q = seconds(length) / d
        add(out, chirp(b + (a - b) * np.exp(-4 * q)) * np.exp(-2 * q), t)
        t += d + rng.uniform(0.05, 0.5)
    return out[:n], "science fiction laser zaps"


def radio_static(rng, n):
    return (
        noise(rng, n) * drift(rng, n, 6, 0.7, 1) + (rng.random(n) < 0.0006) * rng.normal(0, 8, n),
        "radio static noise",
    )


def beep(rng, n):
    out = np.zeros(n + RATE)
    t = 0.05
    f = rng.uniform(500, 3000)
    while t < n / RATE - 0.1:
        d = rng.uniform(0.06, 0.3)
        length = int(d * RATE)
        add(
            out,
            np.sin(2 * np.pi * f * seconds(length))
            * np.minimum(1, np.minimum(np.arange(length), np.arange(length)[::-1]) / 60),
            t,
        )
        t += d + rng.uniform(0.05, 0.3)
        f = f if rng.random() < 0.7 else rng.uniform(500, 3000)
    return out[:n], "electronic beeps"


def morse_code(rng, n):
    out = np.zeros(n)
    f = rng.uniform(500, 1000)
    u = rng.uniform(0.05, 0.09)
    t = 0.05
    while t < n / RATE - 0.3:
        d = u * rng.choice([1, 3])
        out[int(t * RATE) : int((t + d) * RATE)] = 1
        t += d + u * rng.choice([1, 1, 1, 3])
    return lowpass(out, 120, 1) * np.sin(2 * np.pi * f * seconds(n)), "morse code beeps"


def sweep(rng, n):
    f = np.geomspace(rng.uniform(80, 400), rng.uniform(2000, 7000), n)
    f = f if rng.random() < 0.5 else f[::-1]
    return chirp(f) * 1.0, "a tone sweeping up" if f[0] < f[-1] else "a tone sweeping down"
