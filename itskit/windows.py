"""Windows over a wide latent (..., w): each is judged by itself, and the judgements are averaged.

A network that has learned canvases of one width looks at a wider one through windows of that width,
which overlap, and every column gets the mean of what is said about it, by weights that are largest
in the middle of a window and add up to one everywhere ("MultiDiffusion", Bar-Tal et al. 2023, arXiv
2302.08113, eq. 5, for noises in place of latents, of which a step is a linear function). The memory
that this takes grows by what a column of the latent is, not by what a network makes of it. Windows
of a loop go around its end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import pi

import torch
from torch import Tensor


@dataclass(frozen=True)
class Windows:
    """How a guide looks at a canvas through windows.

    Parameters
    ----------
    size : int
        Of a window, in latent columns.
    stride : int
        From one window to the next, at most `size`. Of a canvas that it does not divide, the last
        window begins a little earlier.
    unit : int
        Windows begin at its multiples.
    loop : bool
        Whether the right edge of the canvas is followed by its left edge.
    at_a_time : int
        Windows in one call of the network.
    seconds : float, optional
        Length of a latent column, for prompts that change along time.

    Raises
    ------
    ValueError
        If size and stride are no such numbers.

    Examples
    --------
    >>> Windows(size=64, stride=32).starts(160)
    [0, 32, 64, 96]
    """

    size: int
    stride: int
    unit: int = 1
    loop: bool = False
    at_a_time: int = 4
    seconds: float | None = None

    def __post_init__(self):
        if not 1 <= self.unit <= self.stride <= self.size or self.stride % self.unit:
            raise ValueError(
                f"windows of size={self.size}, stride={self.stride}, unit={self.unit}: expected "
                "1 <= stride <= size, the stride a multiple of the unit"
            )

    def starts(self, width: int) -> list[int]:
        """The first column of each window over so many columns; of a loop at least two, if its
        columns are more than a unit, so that one of them looks across the end."""
        if self.loop:
            half = max(self.unit, width // 2 // self.unit * self.unit)
            return list(range(0, width, min(self.stride, half)))
        last = width - min(self.size, width)
        return [*range(0, last, self.stride), last // self.unit * self.unit]

    def columns(self, start: int, width: int) -> Tensor:
        """The columns (size,) of a window of a canvas, which may be narrower than it."""
        return (start + torch.arange(min(self.size, width))) % width

    def parts(self, width: int) -> Tensor:
        """The weight of each window in the mean, column by column of it, (windows, size)."""
        size, starts = min(self.size, width), self.starts(width)
        hill = torch.sin(pi * (torch.arange(size, dtype=torch.float64) + 0.5) / size) ** 2
        places = torch.stack([self.columns(start, width) for start in starts])  # (windows, size)
        total = torch.zeros(width, dtype=torch.float64)
        total.index_add_(0, places.flatten(), hill.repeat(len(starts)))
        return (hill / total[places]).float()

    def average(self, answer: Callable[[Tensor, Sequence[int]], Tensor], latent: Tensor) -> Tensor:
        """The mean of what is said about the windows of a latent.

        Parameters
        ----------
        answer : callable
            (n windows of `latent` one after the other (n N, C, h, size), the first columns of
            each) -> one answer for each, of the same shape.
        latent : Tensor
            (N, C, h, w).

        Returns
        -------
        Tensor
            (N, C, h, w).
        """
        width, found = latent.shape[-1], torch.zeros_like(latent)
        starts, parts = self.starts(width), self.parts(width).to(latent)
        for first in range(0, len(starts), self.at_a_time):
            some = starts[first : first + self.at_a_time]
            places = [self.columns(start, width).to(latent.device) for start in some]
            seen = torch.cat([latent[..., place] for place in places])  # (n N, C, h, size)
            said = answer(seen, some).to(latent).chunk(len(some))  # (N, C, h, size) each
            for place, part, one in zip(places, parts[first:], said, strict=False):
                found.index_add_(-1, place, part * one)
        return found
