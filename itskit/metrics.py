"""How much a result looks like its picture's words and sounds like its sound's, with intervals.

    clip_score   the grey spectrogram against words, by CLIP (Radford et al. 2021)
    clap_score   the sound against words, by CLAP (Wu et al. 2023)
    evaluate     many results -> one flat dict of means and 95% intervals (Student's t)
    compare      each model alone, whatever else, and the method, on the same prompts and seeds
    table        such dicts as a Markdown table
    vocoder_cycle  what of the picture is still there once it has been heard

CLIP and CLAP are used as "Images that Sound" (Chen et al. 2024, arXiv 2405.12221) uses them; they
are downloaded when first used. A pair's own quick scorers (`pair.scorers`) need nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from . import recipes
from .clip_clap import clap_score, clip_score
from .composition import composed
from .intervals import interval, paper_interval, share_interval  # noqa: F401
from .modality import Pair
from .progress import tqdm

# --- many results -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scorer:
    """A way to measure results.

    Attributes
    ----------
    of : {"image", "sound"}
        Which prompt it compares with.
    score : callable
        (result, item, prompt) -> float, higher where that item of a Trajectory or Canvas is more
        like the prompt. For other processes to use it, it has to be a function of a module.
    """

    of: str
    score: Callable[..., float]


@torch.no_grad()
def _by_pair(of: str, result, item: int, prompt: str) -> float:
    if hasattr(result, "latent"):
        latent = result.latent[item : item + 1]  # (1, C, h, w)
    else:
        latent = getattr(result.pair, of).encode(result.pictures[item : item + 1])
    return float(result.pair.scorers[of](latent, prompt))


def _by_clip(result, item: int, prompt: str) -> float:
    return clip_score(result.mel_picture(item=item), prompt)


def _by_clap(result, item: int, prompt: str) -> float:
    return clap_score(result.sound(item=item), prompt)


# The scorers that a pair brings: quick, and to be trusted only for comparisons.
PAIR_SCORERS = {of: Scorer(of, partial(_by_pair, of)) for of in ("image", "sound")}
# The paper's.
PAPER_SCORERS = {
    "clip": Scorer("image", _by_clip),
    "clap": Scorer("sound", _by_clap),
}


def scores(
    result,
    *,
    scorers: dict[str, Scorer] | None = None,
    prompts: tuple[str | None, str | None] | None = None,
) -> dict[str, list[float]]:
    """The scores of each item of a result.

    Parameters
    ----------
    result : Trajectory or Canvas
    scorers : dict of str to Scorer, optional
        None takes the pair's own if it has them, else CLIP and CLAP.
    prompts : tuple of str or None, optional
        (image, sound) to compare with, such as a sound prompt that was not used. None takes the
        prompts of the result, and leaves out what had none.

    Returns
    -------
    dict
        Scorer's name -> scores of the items: {"image": [...], "sound": [...]}.

    Examples
    --------
    >>> itskit.metrics.scores(itskit.compose(pair, "a crown", "a trombone playing", seeds=[1, 2]))
    {'image': [0.294..., 0.249...], 'sound': [0.201..., 0.129...]}
    """
    if scorers is None:
        scorers = PAIR_SCORERS if result.pair.scorers else PAPER_SCORERS
    if prompts is None:
        meant = {
            guide["model"]: guide["prompt"] for guide in recipes.guides(result.recipe)[::-1]
        }  # of two guides of one model the first counts
    else:
        meant = dict(zip(("image", "sound"), prompts, strict=True))
    items = range(len(result.latent if hasattr(result, "latent") else result.pictures))
    return {
        name: [scorer.score(result, item, meant[scorer.of]) for item in items]
        for name, scorer in scorers.items()
        if meant.get(scorer.of)
    }


def _summary(found: Sequence[dict[str, list[float]]], interval: Callable) -> dict[str, float]:
    """{"n", name, name_interval, ...} of all values of each name."""
    values = {name: [v for f in found for v in f.get(name, [])] for f in found for name in f}
    numbers = {"n": max(map(len, values.values()), default=0)}
    for name, all_of_it in values.items():
        numbers[name], numbers[f"{name}_interval"] = interval(all_of_it)
    return numbers


def evaluate(
    results, *, scorers=None, prompts=None, interval: Callable = interval
) -> dict[str, float]:
    """Mean scores of one result or several, with intervals.

    Parameters
    ----------
    results : Trajectory, Canvas, or list of them
    scorers, prompts
        As for `scores`.
    interval : callable
        `interval` (95%, Student's t), `share_interval`, or `paper_interval` to compare with the
        paper's numbers. It is over items: many seeds of few prompts say little about other prompts.

    Returns
    -------
    dict
        {"n": items, "image": mean, "image_interval": half of the interval, ...}; of one item the
        interval is NaN.

    Raises
    ------
    ValueError
        Without results.
    """
    results = list(results) if isinstance(results, (list, tuple)) else [results]
    if not results:
        raise ValueError("results was empty: expected a Trajectory or Canvas, or several")
    found = [scores(result, scorers=scorers, prompts=prompts) for result in results]
    return _summary(found, interval)


def compare(
    pair: Pair,
    prompts: Sequence[tuple[str, str]],
    seeds: int | Sequence[int] = (0, 1, 2, 3),
    *,
    others: dict[str, Callable] | None = None,
    scorers: dict[str, Scorer] | None = None,
    interval: Callable = interval,
    progress: bool = True,
    **settings,
) -> dict[str, dict[str, float]]:
    """Several ways to make something of the same prompts and seeds, in numbers.

    Each model alone shows the best that its scorer can be expected to say; "composed" is the
    method.

    Parameters
    ----------
    pair : Pair
    prompts : sequence of (str, str)
        Image and sound prompts. All ways are compared with both.
    seeds : int or sequence of int
        How many, or which.
    others : dict of str to callable, optional
        More ways, (pair, image_prompt, sound_prompt, seeds=...) -> result: {"imprint":
        baselines.imprint}.
    scorers, interval
        As for `evaluate`.
    progress : bool
        Whether to show a bar.
    **settings
        Of `compose`.

    Returns
    -------
    dict of dict
        Way -> numbers as of `evaluate`, for `table`. Values are means over seeds and the interval
        is over prompts, so that it says what to expect of another prompt.
    """

    def made_by(*speaking):
        def make(pair, *both, seeds):
            image, sound = (both[k] if names[k] in speaking else None for k in (0, 1))
            return composed(pair, image, sound, seeds=seeds, **settings)

        return make

    names = "image", "sound"
    seeds = list(seeds if hasattr(seeds, "__iter__") else range(seeds))
    ways = {f"{name} model alone": made_by(name) for name in names}
    ways |= {**(others or {}), "composed": made_by(*names)}
    found: dict[str, list] = {way: [] for way in ways}
    for both in tqdm(prompts, disable=not progress):
        for way, make in ways.items():
            said = scores(make(pair, *both, seeds=seeds), scorers=scorers, prompts=both)
            found[way].append({name: [float(np.mean(v))] for name, v in said.items()})
    return {way: _summary(values, interval) for way, values in found.items()}


def table(rows: dict[str, dict[str, float]], digits: int = 3) -> str:
    """Numbers as a Markdown table, "mean ± half of the 95% interval".

    Parameters
    ----------
    rows : dict of dict
        Name -> what `evaluate` returns; or what `compare` returns.
    digits : int
        After the point.

    Returns
    -------
    str
        A single value is shown without an interval.
    """
    columns = [c for c in dict.fromkeys(name for row in rows.values() for name in row) if c != "n"]
    columns = [column for column in columns if not column.endswith("_interval")]
    lines = [["", *columns, "n"], ["---"] * (len(columns) + 2)]
    for way, row in rows.items():
        around = {c: f" ± {row.get(f'{c}_interval', 0):.{digits}f}" for c in columns}
        cells = [
            f"{row[c]:.{digits}f}{around[c] if row['n'] > 1 else ''}" if c in row else "–"
            for c in columns
        ]
        lines.append([way, *cells, str(row["n"])])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# --- is what is heard what is seen? -------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Cycle:
    """The mel picture that a sound was made of, and that of the sound itself.

    Attributes
    ----------
    asked, heard : array
        (H, W) in [0, 1], before and after.
    """

    asked: np.ndarray
    heard: np.ndarray

    @property
    def difference(self) -> np.ndarray:
        """(H, W): above 0 where more is heard than was asked for."""
        return self.heard - self.asked

    @property
    def error(self) -> float:
        """The mean absolute difference, a share of the way from black to white."""
        return float(np.abs(self.difference).mean())


def vocoder_cycle(result, item: int = 0) -> Cycle:
    """How much of a picture survives in its sound, which is analysed again.

    Analysis brings all sounds to one level. So a constant difference of levels, the median over
    what is not black in either, is taken out.

    Parameters
    ----------
    result : Trajectory or Canvas
    item : int
        Which of the batch.

    Returns
    -------
    Cycle
    """
    asked = result.mel_picture(item=item)  # (H, W)
    heard = result.pair.sound.analyse(result.sound(item=item))[0, 0].numpy()  # (H, W')
    asked, heard = asked[:, : heard.shape[1]], heard[:, : asked.shape[1]]
    seen = (asked > 0) & (heard > 0)
    level = float(np.median((asked - heard)[seen])) if seen.any() else 0.0
    return Cycle(asked, np.where(heard > 0, (heard + level).clip(0, 1), 0.0))
