"""Types of the command line's options: what is typed, checked, or an error that says what was
expected."""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from math import inf, isfinite
from pathlib import Path


def typed(name: str, expected: str, read: Callable) -> Callable:
    """An argparse type that returns `read(text)`.

    If `read` raises ValueError or returns None, the error says what was `expected`.
    """

    def parse(text: str):
        try:
            value = read(text)
        except (ValueError, argparse.ArgumentTypeError):
            value = None
        if value is None:
            raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
        return value

    parse.__name__ = name
    return parse


def whole_number(low: int, high: float = inf) -> Callable:
    def read(text):
        return value if low <= (value := int(text)) <= high else None

    return typed("N", f"a whole number{_range(low, high)}", read)


def number(low: float = -inf, high: float = inf, *, without: Sequence[float] = ()) -> Callable:
    """A finite number from `low` to `high`, except those in `without`."""

    def read(text):
        value = float(text)
        return value if isfinite(value) and low <= value <= high and value not in without else None

    but = "".join(f", not {value:g}" for value in without)
    return typed("X", f"a number{_range(low, high)}{but}", read)


def _range(low: float, high: float) -> str:
    if high < 10_000:
        return f" from {low:g} to {high:g}"
    return f", {low:g} or more" if low > -10_000 else ""


words = typed("WORDS", "words", lambda text: text if text.strip() else None)
anything = typed("WORDS", "words", str)
file = typed("FILE", "an existing file", lambda text: text if Path(text).is_file() else None)
seed = whole_number(-(2**63), 2**64 - 1)  # what PyTorch takes
seeds = typed(
    "SEEDS",
    "whole numbers with commas between, such as 1,2,3",
    lambda text: [seed(part) for part in text.split(",")],
)
tried = typed(  # a list of seeds, or the first so many
    "SEEDS",
    "how many (1 or more), or which, such as 1,2,3",
    lambda text: (range(int(text)) or None) if text.isdecimal() else seeds(text),
)


@partial(typed, "COLOUR", "a colour, such as white or #808080")
def colour(text: str):
    from PIL import ImageColor

    return text if ImageColor.getrgb(text) else None


class AtSecond(argparse.Action):
    """An option of a second and words, such as --image-at 30 "a palm tree", as often as one likes:
    a list of (second, words)."""

    def __call__(self, parser, namespace, values, option_string=None):
        try:
            told = number(0)(values[0]), words(values[1])
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentError(self, str(error)) from None
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or ()), told])


fraction = number(0, 1, without=[1])
until = number(0, 1, without=[0])
