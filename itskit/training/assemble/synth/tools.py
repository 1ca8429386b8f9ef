"""What the procedural sounds are made of: filtered noise, gliding tones, decaying partials.

The order in which random numbers are drawn is part of each sound: a clip is known by its seed.
"""

import numpy as np
from scipy import signal

RATE = 16000  # Hz


def noise(rng, n):
    return rng.standard_normal(n)


def bandpass(x, low, high, order=2):
    """Between two frequencies in Hz, kept within 20 to 7900."""
    edges = [max(20, low) / 8000, min(7900, high) / 8000]
    return signal.sosfilt(signal.butter(order, edges, "band", output="sos"), x)


def lowpass(x, hertz, order=2):
    return signal.sosfilt(signal.butter(order, min(0.99, hertz / 8000), output="sos"), x)


def highpass(x, hertz, order=2):
    return signal.sosfilt(signal.butter(order, hertz / 8000, "high", output="sos"), x)


def drift(rng, n, hertz, low=0, high=1):
    """A curve that wanders between two values, with `hertz` turning points a second."""
    points = max(2, int(n / RATE * hertz) + 3)
    values = rng.uniform(low, high, points)
    return np.interp(np.linspace(0, points - 1, n), np.arange(points), values)


def seconds(n):
    return np.arange(n) / RATE


def chirp(hertz):
    """A sine whose frequency is given for every sample."""
    return np.sin(2 * np.pi * np.cumsum(hertz) / RATE)


def decay(n, strength):
    """From 1 down to exp(-strength) over n samples."""
    return np.exp(-np.linspace(0, strength, n))


def hump(n):
    """From 0 up to 1 and down again over n samples."""
    return np.sin(np.pi * np.linspace(0, 1, n))


def add(out, x, at, gain=1.0):
    """Add a sound to a longer one, `at` seconds after its beginning; what hangs over is cut."""
    start = int(at * RATE)
    if start < len(out):
        end = min(len(out), start + len(x))
        out[start:end] += gain * x[: end - start]


def partials(rng, n, hertz, ratios, levels, decays):
    """Slightly mistuned, slowly beating partials that die away: a struck thing."""
    t, out = seconds(n), np.zeros(n)
    for ratio, level, time in zip(ratios, levels, decays, strict=False):
        f = hertz * ratio * (1 + rng.normal(0, 0.0015))
        if f > 7600:
            continue
        wave = level * np.exp(-t / time) * np.sin(2 * np.pi * f * t + rng.uniform(0, 6.28))
        beat = np.sin(2 * np.pi * rng.uniform(0.3, 2.5) * t + rng.uniform(0, 6))
        out += wave * (1 + 0.25 * beat)
    return out
