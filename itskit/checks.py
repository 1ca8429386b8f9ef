"""Checks of what people hand in; each error says what was given and what was expected."""

from __future__ import annotations

from collections.abc import Hashable
from importlib.metadata import PackageNotFoundError, version
from math import isfinite


def lookup(options: dict, name, kind: str):
    """`options[name]`, or a ValueError that lists what there is."""
    if not isinstance(name, Hashable) or name not in options:
        raise ValueError(f"unknown {kind} {name!r}: expected one of {sorted(options)}")
    return options[name]


def is_number(value) -> bool:
    """Whether it is a finite real number: Python's, NumPy's or a tensor of one."""
    try:
        return not isinstance(value, (str, bytes)) and isfinite(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return False


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


def installed(*packages: str, for_: str) -> bool:
    """Whether packages are there, by their names on PyPI; prints which are not, and what for.

    if itskit.checks.installed("segno", for_="The QR code"):
        ...
    """
    missing = [package for package in packages if not _is_there(package)]
    if missing:
        names = " and ".join(missing) + (" is missing" if len(missing) == 1 else " are missing")
        print(
            f"{for_} is left out: {names}. To have it, run %pip install {' '.join(missing)} "
            "and then this cell again."
        )
    return not missing


def _is_there(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
