"""Ways for a guide to look at the shared latent (..., h, w).

A view is applied before the network, and its inverse to the noise that the network answers with, so
that every guide may see the canvas turned while their noises add up upright (Geng et al. 2024,
"Visual Anagrams"). Two laws, both tested: `view.inverse(view(x)) == x`; and unit Gaussian noise
stays unit Gaussian noise, since values are only moved or change their sign.

Turning a latent turns the decoded picture only nearly: a decoder is not quite symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .checks import lookup


@dataclass(frozen=True)
class Identity:
    """As it is."""

    def __call__(self, x: Tensor) -> Tensor:
        return x

    inverse = __call__


@dataclass(frozen=True)
class FlipTime:
    """Left and right swapped: a sound played backwards."""

    def __call__(self, x: Tensor) -> Tensor:
        return x.flip(-1)

    inverse = __call__


@dataclass(frozen=True)
class FlipFrequency:
    """Top and bottom swapped: high notes become low ones."""

    def __call__(self, x: Tensor) -> Tensor:
        return x.flip(-2)

    inverse = __call__


@dataclass(frozen=True)
class Rotate180:
    """Upside down: both flips at once."""

    def __call__(self, x: Tensor) -> Tensor:
        return x.flip(-2, -1)

    inverse = __call__


@dataclass(frozen=True)
class Negate:
    """Every sign changed: roughly the negative of the decoded picture."""

    def __call__(self, x: Tensor) -> Tensor:
        return -x

    inverse = __call__


VIEWS = {
    "identity": Identity(),
    "flip_time": FlipTime(),
    "flip_frequency": FlipFrequency(),
    "rotate_180": Rotate180(),
    "negate": Negate(),
}


def as_view(view):
    """A view by its name, as recipes and the command line say it; one that is none already."""
    if callable(view) and hasattr(view, "inverse"):
        return view
    return lookup(VIEWS, view, "view")


def name_of(view) -> str | None:
    """The name of a view, None for one of the user's own: a recipe cannot make that again."""
    return next((name for name, known in VIEWS.items() if known == view), None)
