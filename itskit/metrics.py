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
    """`score(result, item, prompt)` is a number, higher where an item of a result (a Trajectory or
    a Canvas) is more like the prompt; `of` says which prompt is meant, "image" or "sound"."""

    of: str
    score: Callable[..., float]


def _by_pair(of: str) -> Callable[..., float]:
    @torch.no_grad()
    def score(result, item: int, prompt: str) -> float:
        if hasattr(result, "latent"):
            latent = result.latent[item : item + 1]  # (1, C, h, w)
        else:
            latent = getattr(result.pair, of).encode(result.pictures[item : item + 1])
        return float(result.pair.scorers[of](latent, prompt))

    return score


# The scorers that a pair brings: quick, and to be trusted only for comparisons.
PAIR_SCORERS = {of: Scorer(of, _by_pair(of)) for of in ("image", "sound")}
# The paper's.
PAPER_SCORERS = {
    "clip": Scorer("image", lambda r, item, prompt: clip_score(r.mel_picture(item=item), prompt)),
    "clap": Scorer("sound", lambda r, item, prompt: clap_score(r.sound(item=item), prompt)),
}


def scores(
    result,
    *,
    scorers: dict[str, Scorer] | None = None,
    prompts: tuple[str | None, str | None] | None = None,
) -> dict[str, list[float]]:
    """What each scorer says of each item of a result: {"image": [...], "sound": [...]}.

    scorers  name -> Scorer; None takes the pair's own if it has them, else CLIP and CLAP
    prompts  (image, sound) to score against, such as the sound that a picture was made without;
             None takes those that the result was made with, and leaves out what had none
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
    """Scores of all items of one result or several: {"n": items, "image": mean, "image_interval":
    half of the 95% interval, ...}, a flat dict.

    The arguments are those of `scores`. The interval is over items: several seeds of few prompts
    say little about other prompts; of one item it is NaN. `interval=paper_interval` makes bars as
    the paper does, to stand beside its numbers.
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
    """Each way of making something of the same (image, sound) prompts and seeds, in numbers.

    Each model alone bounds what its scorer can say; "composed" is the method. `others` adds ways:
    name -> function (pair, image_prompt, sound_prompt, seeds=…), such as {"imprint":
    baselines.imprint}. `seeds` are which, or how many. `settings` go to `compose`. All are scored
    against both prompts. Values are means over seeds, so that the interval, over prompts, says what
    to expect of another prompt.
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
    """Rows of `evaluate` or `compare` as a Markdown table, "mean ± half of the 95% interval".

    One value alone has no interval: it says nothing of the next.
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
    """A mel picture that was `asked` for, and the one that is `heard` in the sound made of it,
    both (H, W) in [0, 1]."""

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
    """The wave of a result analysed again, to be laid beside the picture that it was made of.

    Analysis brings every sound to one level, so that a constant difference of levels, the median
    over what is not black in either, is taken out.
    """
    asked = result.mel_picture(item=item)  # (H, W)
    heard = result.pair.sound.analyse(result.sound(item=item))[0, 0].numpy()  # (H, W')
    asked, heard = asked[:, : heard.shape[1]], heard[:, : asked.shape[1]]
    seen = (asked > 0) & (heard > 0)
    level = float(np.median((asked - heard)[seen])) if seen.any() else 0.0
    return Cycle(asked, np.where(heard > 0, (heard + level).clip(0, 1), 0.0))
