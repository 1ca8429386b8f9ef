"""Answers of an examination as a table: means over prompts with their intervals."""

import numpy as np

from ...intervals import interval, share_interval
from .measures import UNITS


def over_prompts(row: str, values) -> tuple[float, float, float, int]:
    """Mean, both ends of its 95% interval, and how many prompts: each value is a prompt's mean.

    Student's t; where every prompt is a plain hit or miss, Wilson's for a share.
    """
    n = len(values)
    mean, half = interval(values)
    if n > 1 and not _has_unit(row) and set(values) <= {0, 1}:
        return mean, *share_interval(int(sum(values)), n), n
    return mean, mean - half, mean + half, n


def summary(known: dict[str, dict]) -> dict[str, tuple]:
    """Rows of the table: (mean, both ends of its 95% interval over prompts, prompts)."""
    rows: dict[str, list] = {}
    for answer in known.values():
        for row, values in answer.items():
            rows.setdefault(row, []).append(np.mean(values))
    return {row: over_prompts(row, values) for row, values in rows.items()}


def _has_unit(row: str) -> bool:
    return row.endswith(UNITS)


def as_text(row: str, mean: float, low: float, high: float) -> tuple[str, str]:
    """Hits in per cent, everything else as the number it is; "±" where both sides are alike."""
    form = ".2f" if _has_unit(row) else ".1%"
    if mean - low > 0 and not np.isclose(high - mean, mean - low):
        return f"{mean:{form}}", f"{low:{form}} to {high:{form}}"
    return f"{mean:{form}}", f"± {mean - low:{form}}"
