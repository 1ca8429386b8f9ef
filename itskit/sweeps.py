"""Many prompts, many seeds, as many machines as there are: scores of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import replace

from . import metrics
from .checks import as_seeds
from .modality import Pair
from .tasks import blocks, done, task_of


def sweep(
    pair: Pair,
    suite: Iterable[Sequence[str]],
    *,
    seeds: Sequence[int] = range(4),
    batch: int = 4,
    scorers: dict[str, metrics.Scorer] | None = None,
    executor: Executor | int | None = None,
    path=None,
    load: Callable[[], Pair] | None = None,
    progress: bool = True,
    **settings,
) -> list[dict]:
    """Compose and score each of a suite with each seed; nothing is kept but the scores.

    Parameters
    ----------
    pair : Pair
    suite : iterable of (class, image prompt, sound prompt)
        Such as `suites.load()`.
    seeds : sequence of int
    batch : int
        How many seeds are one task.
    scorers, executor, path, load, progress
        As for `hunt`.
    **settings
        Of `compose`.

    Returns
    -------
    list of dict
        {"kind", "image", "sound", "seed", "scores": {scorer: score}} in the order of the suite and
        its seeds, whoever did which first.

    Raises
    ------
    ValueError
        For settings that do not fit, and an entry that has no three parts.
    RuntimeError
        If the executor breaks; what was done is in the file.

    Examples
    --------
    >>> rows = itskit.sweep(pair, itskit.suites.load(), executor=8, path="out/sweep.jsonl")
    """
    suite, seeds = [tuple(entry) for entry in suite], as_seeds(seeds)
    if wrong := [entry for entry in suite if len(entry) != 3]:
        raise ValueError(f"{wrong[0]!r}: expected (class, image prompt, sound prompt)")
    tasks = [task_of(pair, *entry[1:], scorers, load, settings) for entry in suite]
    todo = [
        replace(task, recipe={**task.recipe, "seeds": some})
        for task in tasks
        for some in blocks(seeds, batch)
    ]
    found = done(todo, executor, path, pair=pair, progress=progress)
    return [
        dict(zip(("kind", "image", "sound"), entry, strict=True))
        | {"seed": seed, "scores": found[task.made, seed]}
        for entry, task in zip(suite, tasks, strict=True)
        for seed in seeds
    ]
