"""Hunt for seeds: compose many, score each, keep the few that are picture and sound at once."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from html import escape

import numpy as np

from . import metrics, recipes
from .checks import as_seed
from .composition import composed
from .modality import Pair
from .progress import tqdm
from .rules import as_rule, describe
from .tasks import blocks, scored, task_of
from .trajectory import Trajectory


@dataclass(frozen=True, eq=False)
class Hunt:
    """The result of `hunt`; a notebook shows a strip of pictures with their sounds.

    It is a sequence of `found`.

    Attributes
    ----------
    found : tuple
        (seed, {scorer: score}, Trajectory of that seed alone) of each seed that was kept, best
        first.
    scores : list of dict
        {"seed": seed, scorer: score, ...} of every seed that was tried, best first.
    stopped : bool
        Whether Ctrl-C ended it, so that there may be better ones.
    """

    found: tuple[tuple[int, dict[str, float], Trajectory], ...]
    scores: list[dict]
    stopped: bool = False

    def __iter__(self) -> Iterator[tuple[int, dict[str, float], Trajectory]]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, place):
        return self.found[place]

    def __repr__(self) -> str:
        seeds = ", ".join(str(seed) for seed, *_ in self)
        return f"Hunt(best first: seeds {seeds}; {len(self.scores)} tried)"

    def _repr_html_(self) -> str:
        words = " + ".join(recipes.prompts(self[0][2].recipe))
        tiles = "".join(_tile(*one) for one in self)
        return (
            f"<p>{escape(words)}: best of {len(self.scores)} seeds</p>"
            f'<div style="display: flex; flex-wrap: wrap; gap: 12px">{tiles}</div>'
        )


def hunt(
    pair: Pair,
    image_prompt: str | None,
    sound_prompt: str | None,
    *,
    seeds: int | Iterable[int] = range(16),
    batch: int = 4,
    keep: int = 4,
    scorers: dict[str, metrics.Scorer] | None = None,
    prune: float | tuple[float, float] | None = None,
    executor: Executor | int | None = None,
    path=None,
    load: Callable[[], Pair] | None = None,
    progress: bool = True,
    **settings,
) -> Hunt:
    """Compose with many seeds, and keep the best.

    Results of "Images that Sound" (Chen et al. 2024, arXiv 2405.12221) depend on the seed, and its
    authors picked those that they show by hand, often one of a hundred.

    Each score is standardised over the seeds tried (minus their mean, divided by their standard
    deviation), since the scores of two scorers have no common unit. A seed is as good as its lowest
    standardised score: it has to be good as a picture and as a sound, and cannot make up for one
    with the other, as in a mean. That says which of these seeds are best, not that any is good.

    Parameters
    ----------
    pair : Pair
    image_prompt, sound_prompt : str or None
        As for `compose`.
    seeds : int or iterable of int
        Which, or how many: 4 is range(4).
    batch : int
        How many to compose at a time.
    keep : int
        How many to return. Memory holds the steps of so many results and of one batch; a seed that
        was let go may be composed again at the end.
    scorers : dict of str to Scorer, optional
        None takes the pair's own if it has them, else CLIP and CLAP.
    prune : float or (float, float), optional
        Draft all seeds, and finish only this share of them, the most promising: those whose clean
        estimates score best after a part of the steps (`DRAFT`, or the second number). It counts at
        least `keep` seeds. With few steps it saves nothing: see docs/scaling.md.
    executor : concurrent.futures.Executor or int, optional
        Who composes: any executor (the standard library's, dask's `client.get_executor()`), or how
        many processes. Recipes go there and scores come back; only the best are composed here. The
        result is the same.
    path : path, optional
        A JSONL file that keeps each score as it comes. Seeds that it knows are not tried again, so
        that a hunt that was stopped, or lost a worker, goes on where it was.
    load : callable, optional
        What makes the pair in each worker, a function of a module; `load_pair` by the pair's name,
        without it.
    progress : bool
        Whether to show a bar.
    **settings
        Of `compose`; its `callback` is called with the Steps of each batch that is composed here.

    Returns
    -------
    Hunt
        After Ctrl-C, what was found before the batch that it stopped.

    Raises
    ------
    ValueError
        For settings that do not fit.
    RuntimeError
        If the executor breaks.

    Examples
    --------
    >>> seed, scores, result = itskit.hunt(pair, "an owl", "an owl hooting", seeds=32)[0]
    """
    seeds = _seeds_of(seeds, batch, keep, settings)
    share, part = _pruning(prune)
    search = _Search(pair, image_prompt, sound_prompt, keep, scorers, settings)
    work = {"executor": executor, "path": path, "pair": pair, "progress": progress}
    task = partial(task_of, pair, image_prompt, sound_prompt, scorers, load, settings)
    try:
        if share < 1:
            drafts = rank(scored(task(part), seeds, batch, **work))
            best = set(drafts[: max(keep, round(share * len(seeds)))])
            seeds = [seed for seed in seeds if seed in best]
        if executor is not None or path is not None:
            search.rows = scored(task(), seeds, batch, **work)
        else:
            for some in tqdm(blocks(seeds, batch), unit="batch", disable=not progress):
                search.try_out(some)
        search.make_what_is_missing()
    except KeyboardInterrupt:
        if not search.held:
            raise
        return search.result(stopped=True)
    return search.result(stopped=False)


DRAFT = 0.4  # of the steps, after which a hunt drops seeds


def _pruning(prune) -> tuple[float, float]:
    """(the share of seeds to finish, the part of the steps of a draft)."""
    if prune is None:
        return 1.0, 1.0
    share, part = prune if isinstance(prune, (tuple, list)) else (prune, DRAFT)
    if not (0 < share <= 1 and 0 < part < 1):
        raise ValueError(
            f"prune={prune!r}: expected the share of seeds to finish, 0 < share <= 1, or (share, "
            "part of the steps of a draft, 0 < part < 1)"
        )
    return share, part


def _seeds_of(seeds, batch: int, keep: int, settings: dict) -> list[int]:
    """The seeds to try, each once. Raises ValueError for a hunt that cannot be."""
    if "seed" in settings:
        raise ValueError(
            f"seed={settings['seed']}: expected seeds=..., all those that are to be tried"
        )
    rule = describe(as_rule(settings.get("rule") or "mean"))
    if recipes.picks_among_items(rule):
        raise ValueError(
            f"rule={rule!r} picks among the items of a batch, so that no seed has a result of its "
            "own to hunt for: expected another rule, or compose(seeds=...)"
        )
    seeds = seeds if hasattr(seeds, "__iter__") else range(as_seed(seeds))
    seeds = list(dict.fromkeys(map(as_seed, seeds)))
    if not seeds or batch < 1 or keep < 1:
        raise ValueError(
            f"{len(seeds)} seeds, batch={batch}, keep={keep}: expected 1 or more of each"
        )
    return seeds


class _Search:
    """`rows` are the scores of every seed so far, `held` the results of the best of them."""

    def __init__(self, pair, image_prompt, sound_prompt, keep, scorers, settings):
        self.made_of = pair, image_prompt, sound_prompt
        self.keep, self.scorers, self.settings = keep, scorers, settings
        self.rows: dict[int, dict[str, float]] = {}
        self.held: dict[int, Trajectory] = {}

    def make(self, seeds: Sequence[int]) -> Trajectory:
        return composed(*self.made_of, seeds=seeds, **self.settings)

    def try_out(self, seeds: Sequence[int]) -> None:
        result = self.make(seeds)
        scored = metrics.scores(result, scorers=self.scorers)
        if not scored:
            raise ValueError("no scorer scored: expected one for a prompt that is given")
        found = {s: {name: v[k] for name, v in scored.items()} for k, s in enumerate(seeds)}
        rows = self.rows | found
        best = [s for s in rank(rows) if s in self.held or s in found][: self.keep]
        held = {s: self.held[s] if s in self.held else _one(result, seeds.index(s)) for s in best}
        self.rows, self.held = rows, held

    def make_what_is_missing(self) -> None:
        """Of the best, those that were let go when others seemed better."""
        for seed in set(rank(self.rows)[: self.keep]) - set(self.held):
            self.held[seed] = self.make([seed])

    def result(self, stopped: bool) -> Hunt:
        order = rank(self.rows)
        best = [seed for seed in order if seed in self.held][: self.keep]
        found = tuple((seed, dict(self.rows[seed]), self.held[seed]) for seed in best)
        return Hunt(found, [{"seed": seed, **self.rows[seed]} for seed in order], stopped)


def rank(rows: dict[int, dict[str, float]]) -> list[int]:
    """The seeds of {seed: {scorer: score}}, best first, by the rule in `hunt`.

    A seed with a score that is no number comes last; of equals the earlier comes first.
    """
    values = np.array([list(row.values()) for row in rows.values()], float)  # (seeds, scorers)
    spread = np.nanstd(values, axis=0)  # (scorers,)
    standard = (values - np.nanmean(values, axis=0)) / np.where(spread > 0, spread, 1)
    lowest = np.nan_to_num(standard.min(axis=1), nan=-np.inf)  # (seeds,)
    return [list(rows)[k] for k in np.argsort(-lowest, kind="stable")]


def _one(result: Trajectory, item: int) -> Trajectory:
    """One item of a batch as a run of its own, in memory of its own: the batch can be let go."""

    def pick(latents):
        return None if latents is None else latents[item : item + 1].clone()  # (1, C, h, w)

    steps = tuple(
        replace(
            step,
            **{name: pick(getattr(step, name)) for name in ("noisy", "latent", "clean")},
            noises=tuple(map(pick, step.noises)),
            memory={name: pick(one) for name, one in step.memory.items()},
        )
        for step in result.steps
    )
    return Trajectory(
        steps, {**result.recipe, "seeds": [result.recipe["seeds"][item]]}, result.pair
    )


def _tile(seed: int, scores: dict[str, float], run: Trajectory) -> str:
    picture = b64encode(run.picture()._repr_png_()).decode()
    said = ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
    label = escape(f"seed {seed}: {said}")
    return (
        '<figure style="margin: 0; max-width: 512px">'
        f'<img src="data:image/png;base64,{picture}" alt="{label}" style="max-width: 100%">'
        f"<figcaption>{label}</figcaption>{run.sound()._repr_html_()}</figure>"
    )
