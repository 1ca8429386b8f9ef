"""95% intervals that hold for few values as well."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LEVEL = 0.95


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half of the 95% interval by Student's t (Student 1908).

    t · s / √n, s with n - 1, t for n - 1 degrees of freedom: 4.30 for three values, 1.96 for
    thousands. Exact where single values are normal, and near it where their means are.

    Parameters
    ----------
    values : sequence of float

    Returns
    -------
    mean, half : float
        `half` is NaN for a single value.

    Raises
    ------
    ValueError
        Without values.
    """
    from scipy.stats import t

    values = _numbers(values)
    n = len(values)
    if n == 1:
        return float(values[0]), float("nan")
    return float(values.mean()), float(t.ppf((1 + LEVEL) / 2, n - 1) * values.std(ddof=1) / n**0.5)


def share_interval(hits: int, n: int) -> tuple[float, float]:
    """Both ends of the 95% interval of a share (Wilson 1927).

    Parameters
    ----------
    hits, n : int
        `hits` of `n`.

    Returns
    -------
    low, high : float
        In [0, 1]; they differ even for no hits, or `n`.

    Examples
    --------
    >>> share_interval(5, 10)
    (0.236..., 0.763...)
    """
    from scipy.stats import norm

    if not (0 <= hits <= n and n > 0):
        raise ValueError(f"{hits} hits of {n}: expected 0 <= hits <= n and n > 0")
    z, share = norm.ppf((1 + LEVEL) / 2), hits / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def paper_interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and interval as in "Images that Sound" (Chen et al. 2024), to compare with its numbers.

    Parameters
    ----------
    values : sequence of float

    Returns
    -------
    mean, half : float
        1.96 standard deviations (with n) divided by √n, which is too short for few values.
    """
    values = _numbers(values)
    return float(values.mean()), float(1.96 * values.std() / len(values) ** 0.5)


def _numbers(values) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"values of shape {values.shape}: expected (n,), n > 0")
    return values
