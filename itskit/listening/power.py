"""How many listeners a test needs, before anybody is asked to listen."""

from __future__ import annotations

import numpy as np

MOST = 20_000  # answers; whoever needs more looks for a difference that nobody hears


def power(share: float, answers: int, *, chance: float = 0.5, level: float = 0.05) -> float:
    """How likely so many answers show that a share is above chance, if it is `share` in truth.

    The exact one-sided binomial test at `level`. For a preference in either direction ask with half
    of the level.

    Parameters
    ----------
    share : float
        Of right answers, or of choices of the better one.
    answers : int
    chance : float
        1 / choices; 0.5 for pairs.
    level : float

    Returns
    -------
    float
    """
    return float(_powers(share, np.array([answers]), chance, level)[0])


def listeners_needed(
    share: float, each: int, *, chance: float = 0.5, level: float = 0.05, wanted: float = 0.8,
    alike: float = 0.0,
) -> int:  # fmt: skip
    """How many listeners, of `each` so many answers, show a share that is above chance.

    Parameters
    ----------
    share, chance, level : float
        As for `power`.
    each : int
        Answers of a listener to what is compared, without practice and repeats.
    wanted : float
        The power: 0.8 finds what is there four times out of five.
    alike : float
        By how much the answers of one person resemble each other (intraclass correlation): 0 if
        people do not differ, 1 if a person's first answer says all others. So many answers count as
        each / (1 + (each - 1) alike), which is Kish's design effect (1965).

    Returns
    -------
    int
        From so many on, the power is never below `wanted`: it rises in a saw.

    Raises
    ------
    ValueError
        For a share that is not above chance, or so little that no crowd would do.
    """
    if not (0 < chance < share <= 1 and each >= 1 and 0 <= alike <= 1 and 0 < wanted < 1):
        raise ValueError(
            f"share={share}, chance={chance}, each={each}, alike={alike}, wanted={wanted}: expected"
            " 0 < chance < share <= 1, each >= 1, alike in [0, 1], wanted in (0, 1)"
        )
    worth = each / (1 + (each - 1) * alike)
    listeners = 32
    while listeners * worth <= 2 * MOST:
        several = np.arange(1, 2 * listeners + 1)
        enough = _powers(share, np.floor(several * worth).astype(int), chance, level) >= wanted
        if enough[listeners - 1 :].all():
            return int(np.flatnonzero(~enough).max(initial=-1)) + 2
        listeners *= 2
    raise ValueError(f"share={share}, chance={chance}: more than {MOST} answers would be needed")


def _powers(share: float, answers: np.ndarray, chance: float, level: float) -> np.ndarray:
    from scipy.stats import binom

    needed = binom.ppf(1 - level, answers, chance)  # the least k with P(more than k) <= level
    return np.where(answers > 0, binom.sf(needed, answers, share), 0.0)
