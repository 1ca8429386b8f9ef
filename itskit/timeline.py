"""Prompts that change along the time of a canvas: [(0, "a castle"), (30, "a palm tree")].

What is said at a second holds there; between two seconds one turns into the other, and before the
first and behind the last nothing changes. A loop goes on from its last prompt to its first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

import torch
from torch import Tensor

from .checks import is_number


@dataclass(frozen=True, eq=False)
class Along:
    """Encoded prompts and the seconds where they hold.

    Parameters
    ----------
    said : tuple of (float, str)
        As `checked`.
    embeds : Tensor
        (prompts, L, D).
    """

    said: tuple[tuple[float, str], ...]
    embeds: Tensor = field(repr=False)

    @property
    def text(self) -> str:
        """All of them in one line, to show."""
        return text_of(self.said)

    def at(self, second: float, length: float | None = None) -> Tensor:
        """What is said at a second of the canvas.

        Token for token a straight line leads from prompt to prompt: a network's keys and values are
        linear in these states, so that it attends to both.

        Parameters
        ----------
        second : float
        length : float, optional
            Of a loop, in seconds.

        Returns
        -------
        Tensor
            (1, L, D).
        """
        times = [time for time, _ in self.said]
        order = list(range(len(times)))
        if length is not None:  # the last once more before the first, the first behind the last
            times = [times[-1] - length, *times, times[0] + length]
            order = [order[-1], *order, 0]
        after = sum(time <= second for time in times)
        if after in (0, len(times)):
            return self.embeds[order[min(after, len(times) - 1)]][None]
        done = (second - times[after - 1]) / (times[after] - times[after - 1])
        before, behind = (self.embeds[order[k]][None] for k in (after - 1, after))
        return torch.lerp(before, behind, done)


def text_of(prompt) -> str:
    """A prompt, along time or not, in one line to show; "" for none."""
    if not is_along(prompt):
        return prompt or ""
    return " → ".join(words for words, _ in groupby(words for _, words in prompt))


def is_along(prompt) -> bool:
    """Whether a prompt is given along time: as a list, not as words."""
    return isinstance(prompt, (list, tuple))


def checked(prompt: Sequence) -> tuple[tuple[float, str], ...]:
    """A prompt along time as ((seconds, words), ...).

    Parameters
    ----------
    prompt : sequence of (number, str)

    Returns
    -------
    tuple

    Raises
    ------
    ValueError
        If it is none, if words are missing, or if the seconds are negative or do not rise.
    """
    pairs = [tuple(one) if is_along(one) else () for one in prompt]
    if not pairs or not all(
        len(pair) == 2 and is_number(pair[0]) and isinstance(pair[1], str) and pair[1].strip()
        for pair in pairs
    ):
        raise ValueError(
            f"the prompt was {prompt!r}: expected words, or seconds and words, such as "
            "[(0, 'a castle'), (30, 'a palm tree')]"
        )
    times = [float(second) for second, _ in pairs]
    if times[0] < 0 or any(late <= early for early, late in pairwise(times)):
        raise ValueError(
            f"the prompt changes at the seconds {times}: expected 0 or more, each later than the "
            "one before it"
        )
    return tuple((second, words) for second, (_, words) in zip(times, pairs, strict=True))
