"""Checks of what people hand in; each error says what was given and what was expected."""

from __future__ import annotations


def lookup(options: dict, name, kind: str):
    """`options[name]`, or a ValueError that lists what there is."""
    if name not in options:
        raise ValueError(f"unknown {kind} {name!r}: expected one of {sorted(options)}")
    return options[name]


def as_seed(seed) -> int:
    """A seed as the whole number that it is. Raises ValueError for one that is none, and for one
    that PyTorch cannot take."""
    try:
        whole = int(seed)
        if whole == seed and -(2**63) <= whole < 2**64:
            return whole
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValueError(f"seed={seed!r}: expected a whole number from -2**63 to 2**64 - 1, such as 7")


def as_seeds(seeds) -> list[int]:
    """One seed, or several, as a list of whole numbers: [7] for 7.

    Raises ValueError for none at all.
    """
    is_one = not hasattr(seeds, "__iter__") or getattr(seeds, "ndim", 1) == 0
    found = [as_seed(seed) for seed in ([seeds] if is_one else seeds)]
    if not found:
        raise ValueError("seeds was empty: expected a whole number for each item, such as [7]")
    return found
