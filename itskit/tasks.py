"""Compositions as tasks for any `concurrent.futures.Executor`: recipes go out, scores come back.

A task is a recipe of a block of seeds, as plain numbers and words, and where the pair comes from;
never a tensor. Each worker loads the pair once. An answer is kept in a JSONL file as soon as it
comes, so that whatever is stopped goes on where it was, and gives the same in the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from hashlib import sha256
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.reduction import ForkingPickler
from threading import Lock

import torch

from . import metrics, recipes
from .composition import Run, composing
from .modality import Pair
from .progress import tqdm
from .recomposition import recomposing
from .trajectory import Trajectory
from .writing import append_line, read_lines

AHEAD = 1000  # tasks that are handed out before the first is done; an executor keeps all of them
TRIES = 3  # pools of one's own that may break one after another without an answer between


@dataclass(frozen=True)
class Task:
    """What to compose and to score.

    recipe   of a block of seeds
    load     () -> Pair, called once in each process; it travels, so it has to be a function of a
             module, or a partial of one
    scorers  as for `metrics.scores`
    steps    score what the models believe after so many steps; None is the result
    changes  what a recipe only describes: `init`, `extra`, a `rule` or view of one's own
    """

    recipe: dict
    load: Callable[[], Pair]
    scorers: dict[str, metrics.Scorer] | None = None
    steps: int | None = None
    changes: dict = field(default_factory=dict)

    @property
    def seeds(self) -> list[int]:
        return self.recipe["seeds"]

    @cached_property
    def made(self) -> str:
        """Sixteen digits of all that makes an answer, but the seeds."""
        recipe = {key: value for key, value in self.recipe.items() if key not in UNTOLD}
        names = sorted(self.scorers or ("the pair's own",))
        own = [getattr(one, "__qualname__", "") for one in self.changes.values() if callable(one)]
        text = json.dumps([recipe, self.steps, names, own], sort_keys=True)
        return sha256(text.encode()).hexdigest()[:16]


def task_of(
    pair: Pair, image_prompt, sound_prompt, scorers=None, load=None, settings=None, part=None
) -> Task:
    """A task of one seed, which stands for all that shall be tried; `settings` are those of
    `compose`, and `part` is that of the steps of a draft. Raises their errors."""
    settings = {name: value for name, value in (settings or {}).items() if name != "callback"}
    run = composing(pair, image_prompt, sound_prompt, **settings)
    steps = None if part is None else max(1, round(part * len(run)))
    names = ("rule", "image_view", "sound_view")  # of one's own: a recipe cannot say them
    changes = {name: settings[name] for name in names if callable(settings.get(name))}
    changes |= {name: settings[name] for name in ("init", "extra") if name in settings}
    if load is None:
        from . import load_pair

        load = partial(load_pair, pair.name)
    return Task(run.recipe, load, scorers, steps, changes)


UNTOLD = ("seeds", "itskit", "torch", "diffusers")  # of another version an answer counts, too
_loaded: dict = {}
_loading = Lock()


def _pair_of(task: Task) -> Pair:
    """The task's pair, loaded once in a process. Raises ValueError if it is another one."""
    try:
        key = as_sent(task.load)  # a function that travelled is another object each time
    except Exception:  # it cannot travel: a thread of this process has it as it is
        key = task.load
    with _loading:
        if key not in _loaded:
            if parent_process() is not None:  # a worker: there are as many as there are CPUs
                torch.set_num_threads(1)
            _loaded.clear()
            _loaded[key] = task.load()
    pair, wanted = _loaded[key], (task.recipe["pair"], task.recipe["weights_hash"])
    if (pair.name, pair.weights_hash) != wanted:
        raise ValueError(
            f"a worker loaded the pair {pair.name!r} of weights {pair.weights_hash}: expected "
            f"{wanted[0]!r} of {wanted[1]}; install the same itskit on all, or say with load=... "
            "where the pair comes from"
        )
    return pair


def score(task: Task, pair: Pair | None = None) -> list[dict]:
    """Do a task, with a pair that is there already or loaded: a row {"made", "prompts", "seed",
    "scores"} for each of its seeds."""
    run = recomposing(pair or _pair_of(task), task.recipe, **task.changes)
    return rows_of(task, result_of(run, task.steps))


def result_of(run: Run, steps: int | None) -> Trajectory:
    """A run to its end; or after some steps, with what the models then believe in for a result."""
    if steps is None or steps >= len(run):
        return run.finish()
    for _ in islice(run, steps):
        pass
    *before, last = run.steps
    return replace(run.trajectory, steps=(*before, replace(last, latent=last.clean)))


def rows_of(task: Task, result: Trajectory) -> list[dict]:
    """The scores of a result as rows. Raises ValueError if no scorer scored."""
    scored = metrics.scores(result, scorers=task.scorers)
    if not scored:
        raise ValueError("no scorer scored: expected one for a prompt that is given")
    each = [{name: float(v[k]) for name, v in scored.items()} for k in range(len(task.seeds))]
    told = zip(task.seeds, each, strict=True)
    about = {"made": task.made, "prompts": recipes.prompts(task.recipe)}
    return [{**about, "seed": seed, "scores": scores} for seed, scores in told]


def blocks(seeds: Sequence[int], size: int) -> list[list[int]]:
    return [list(seeds[k : k + size]) for k in range(0, len(seeds), size)]


def scored(task: Task, seeds: Sequence[int], batch: int, **work) -> dict[int, dict[str, float]]:
    """The scores of each seed by a task's recipe, in their order; `work` is for `done`."""
    tasks = [replace(task, recipe={**task.recipe, "seeds": some}) for some in blocks(seeds, batch)]
    return {seed: scores for (_, seed), scores in done(tasks, **work).items()}


def done(
    tasks: Iterable[Task],
    executor: Executor | int | None = None,
    path=None,
    *,
    pair: Pair | None = None,
    progress: bool = True,
) -> dict[tuple[str, int], dict[str, float]]:
    """Do the tasks, and keep every answer: {(made, seed): {scorer: score}}.

    Parameters
    ----------
    tasks : iterable of Task
    executor : Executor or int, optional
        Who does them; a number makes so many processes, and new ones if one of them is killed.
        None is this process.
    path : path, optional
        A JSONL file. Seeds that it knows are not composed again; nothing in it is changed.
    pair : Pair, optional
        For this process, where it need not be loaded.
    progress : bool
        Whether to show a bar.

    Raises
    ------
    RuntimeError
        If the executor breaks. What was answered is in the file.
    """
    known = {} if path is None else _known(path)
    asked, todo = [], []
    for task in tasks:
        asked += [(task.made, seed) for seed in task.seeds]
        missing = [seed for seed in task.seeds if (task.made, seed) not in known]
        if missing:
            todo.append(replace(task, recipe={**task.recipe, "seeds": missing}))
    with tqdm(total=len(asked), unit="seed", disable=not progress) as bar:
        bar.update(len(asked) - sum(len(task.seeds) for task in todo))
        for rows in _answers(todo, executor, pair):
            for row in rows:
                if path is not None:
                    append_line(path, row)
                known[row["made"], row["seed"]] = row["scores"]
            bar.update(len(rows))
    return {one: known[one] for one in asked}


def _known(path) -> dict[tuple[str, int], dict[str, float]]:
    """The answers in a file; lines of something else are passed over."""
    rows = [row for row in read_lines(path) if isinstance(row.get("scores"), dict)]
    numbers = [row for row in rows if all(isinstance(v, float) for v in row["scores"].values())]
    return {
        (row["made"], row["seed"]): row["scores"]
        for row in numbers
        if isinstance(row.get("made"), str) and isinstance(row.get("seed"), int)
    }


def _answers(tasks: list[Task], executor, pair) -> Iterator[list[dict]]:
    """Each task's rows, in whatever order they come."""
    if executor is None:
        yield from (score(task, pair) for task in tasks)
    elif isinstance(executor, Executor):
        try:
            yield from (rows for _, rows in _each(tasks, executor))
        except BrokenProcessPool:
            raise RuntimeError(
                "the executor broke, as when a worker is killed or has no memory left: expected "
                "path=..., to go on with another one from what was kept, or a number of processes, "
                "which are replaced"
            ) from None
    else:
        yield from _rows_of_processes(tasks, executor)


def _rows_of_processes(tasks: list[Task], many: int) -> Iterator[list[dict]]:
    """By so many processes; a killed one takes its task with it, which is then done again."""
    left, tries = {id(task): task for task in tasks}, 0
    for task in tasks[:1]:
        _check_travels(task)
    while left:
        # never forked: a fork of a process whose PyTorch has threads may hang
        pool = ProcessPoolExecutor(min(many, len(left)), mp_context=get_context("spawn"))
        try:
            for task, rows in _each(left.values(), pool):
                tries = 0
                del left[id(task)]
                yield rows
        except BrokenProcessPool:
            tries += 1
            if tries == TRIES:
                raise RuntimeError(
                    f"{TRIES} times all {many} processes ended without an answer: expected fewer "
                    "of them, if memory is short; a script needs its call under `if __name__ == "
                    '"__main__":`'
                ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def as_sent(what) -> bytes:
    """What `multiprocessing` sends of it to another process; nothing here reads it back."""
    return bytes(ForkingPickler.dumps(what))


def _check_travels(task: Task) -> None:
    """Raise ValueError for a task that cannot be sent to another process."""
    try:
        as_sent(task)
    except Exception as error:
        raise ValueError(
            f"the task cannot go to another process ({error}): expected scorers, rules, views and "
            "load=... that are functions of a module, or partials of them, and no lambdas"
        ) from None


def _each(tasks: Iterable[Task], executor: Executor) -> Iterator[tuple[Task, list[dict]]]:
    """(task, its rows) as they come; whoever stops pulling cancels what has not begun."""
    coming = iter(list(tasks))
    waiting: dict[Future, Task] = {}

    def hand_out(many: int) -> None:
        for task in islice(coming, many):
            waiting[executor.submit(score, task)] = task

    try:
        hand_out(AHEAD)
        while waiting:
            ready, _ = wait(waiting, return_when=FIRST_COMPLETED)
            hand_out(len(ready))
            for future in ready:
                yield waiting.pop(future), future.result()
    finally:
        for future in waiting:
            future.cancel()
