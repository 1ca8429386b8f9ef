"""What answers say, and how surely."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..intervals import LEVEL, share_interval
from .answers import Answer


@dataclass(frozen=True)
class Share:
    """`hits` of `n`, and both ends of the 95% interval (Wilson 1927). Answers count as independent;
    where few people gave many, `bootstrap` is the honest interval."""

    hits: int
    n: int
    low: float
    high: float

    @property
    def share(self) -> float:
        return self.hits / self.n

    def __str__(self) -> str:
        return f"{self.hits}/{self.n} = {self.share:.2f} [{self.low:.2f}, {self.high:.2f}]"


def shares(rows: Sequence[Answer], by: str = "condition") -> dict[str, Share]:
    """Right answers by condition, or by "word", "item" or "listener": {name: Share}.

    Raises ValueError if there is nothing that is right or wrong.
    """
    judged = [row for row in rows if row.right is not None]
    if not judged:
        raise ValueError(f"{len(rows)} answers, none of them right or wrong: expected `identify`")
    counts = Counter(getattr(row, by) for row in judged)
    hits = Counter(getattr(row, by) for row in judged if row.right)
    return {name: _share(hits[name], n) for name, n in sorted(counts.items())}


def preferences(rows: Sequence[Answer]) -> dict[tuple[str, str], Share]:
    """How often one condition was chosen when it met another: {(one, other): Share}, each pair of
    conditions once, by the alphabet."""
    pairs = [(row.condition, row.other) for row in rows if row.other and not row.training]
    counts = Counter(tuple(sorted(pair)) for pair in pairs)
    hits = Counter(pair for pair in pairs if pair == tuple(sorted(pair)))
    return {pair: _share(hits[pair], n) for pair, n in sorted(counts.items())}


def _share(hits: int, n: int) -> Share:
    return Share(hits, n, *share_interval(hits, n))


def confusion(rows: Sequence[Answer]) -> dict[str, Counter]:
    """{word that was meant: Counter of the words that were heard}"""
    found: dict[str, Counter] = {}
    for row in rows:
        if row.right is not None and not row.other:
            found.setdefault(row.word, Counter())[row.answer] += 1
    return found


def d_prime(share: float, choices: int = 2) -> float:
    """How far apart right and wrong sound, in standard deviations of what is heard: 0 is chance.

    sqrt(2) Φ⁻¹(share) for two alternatives, and for more the d at which the right one of so many is
    the largest as often: ∫ φ(x - d) Φ(x)^(choices - 1) dx = share (Green & Swets 1966). This takes
    listeners to have no favourites among the choices. It turns both ends of an interval of shares
    into those of d'; a share of 1 gives infinity.

    Raises ValueError for a share outside [0, 1], or fewer than two choices.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    if not (0 <= share <= 1 and choices >= 2):
        raise ValueError(
            f"share={share}, choices={choices}: expected 0 to 1, and two choices or more"
        )
    if share in (0, 1):
        return float("inf") if share else float("-inf")
    if choices == 2:
        return float(2**0.5 * norm.ppf(share))
    return float(brentq(lambda d: share_of(d, choices) - share, -30, 30))


def share_of(d: float, choices: int) -> float:
    """The share of right answers at a d': the inverse of `d_prime`."""
    from scipy.integrate import quad
    from scipy.stats import norm

    found, _ = quad(lambda x: norm.pdf(x - d) * norm.cdf(x) ** (choices - 1), d - 9, d + 9)
    return found


def bradley_terry(rows: Sequence[Answer], conditions: Sequence[str] = ()) -> dict[str, float]:
    """The strength of each condition, by what was chosen over what (Bradley & Terry 1952).

    One is chosen over another with probability 1 / (1 + exp(other - one)); strengths are logarithms
    that add up to 0. A weak prior, as of a hundredth of a duel, keeps them finite where one always
    wins.

    Parameters
    ----------
    rows : sequence of Answer
        To pairs.
    conditions : sequence of str, optional
        By default those that appear.

    Raises
    ------
    ValueError
        Without answers to pairs.
    ImportError
        Without choix, which fits it: `pip install choix`.
    """
    try:
        import choix
    except ImportError:
        raise ImportError("Bradley-Terry needs choix: pip install choix") from None
    duels = [(row.condition, row.other) for row in rows if row.other and not row.training]
    if not duels:
        raise ValueError(f"{len(rows)} answers, none of them to a pair: expected those of `prefer`")
    names = list(conditions) or sorted({name for duel in duels for name in duel})
    place = {name: k for k, name in enumerate(names)}
    numbers = [(place[won], place[lost]) for won, lost in duels]
    found = choix.opt_pairwise(len(names), numbers, alpha=0.01)
    return dict(zip(names, (found - found.mean()).tolist(), strict=True))


def bootstrap(
    rows: Sequence[Answer], statistic: Callable, *, draws: int = 400, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95% intervals of any statistic, for other listeners *and* other items than these.

    Listeners are drawn with replacement, and items too; an answer counts as often as its listener
    times its item was drawn (the pigeonhole bootstrap of Owen 2007, which errs to the wide side).

    Parameters
    ----------
    rows : sequence of Answer
    statistic : callable
        Sequence of Answer -> number, or {name: number}.
    draws : int
    seed : int

    Returns
    -------
    dict
        {name: (low, high)}; the name is "" for a statistic that gives one number. Draws for which
        the statistic cannot be computed are left out.
    """
    listeners = {name: k for k, name in enumerate({row.listener: None for row in rows})}
    items = {name: k for k, name in enumerate({row.item: None for row in rows})}
    if not rows:
        raise ValueError("no answers: expected one or more")
    generator, found = np.random.default_rng(seed), {}
    for _ in range(draws):
        people, things = (
            np.bincount(generator.integers(n, size=n), minlength=n)
            for n in (len(listeners), len(items))
        )
        counts = [people[listeners[row.listener]] * things[items[row.item]] for row in rows]
        drawn = [row for row, count in zip(rows, counts, strict=True) for _ in range(count)]
        try:
            values = statistic(drawn)
        except (ValueError, ZeroDivisionError):
            continue
        for name, value in (values if isinstance(values, dict) else {"": values}).items():
            found.setdefault(name, []).append(float(getattr(value, "share", value)))
    ends = [50 * (1 - LEVEL), 50 * (1 + LEVEL)]
    return {name: tuple(np.percentile(values, ends).tolist()) for name, values in found.items()}
