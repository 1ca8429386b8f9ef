"""Whoever composes, in whatever order, and whoever dies: hunts and sweeps come out the same."""

import json
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
import torch
import working
from toys import pair
from working import NEVER, PROMPTS, SCORERS, deadly_scorers

import itskit
from itskit import hunt, sweep, tasks
from itskit.composition import compose
from itskit.metrics import Scorer
from itskit.writing import read_lines

FAST_STEPS = {"num_inference_steps": 4}
FAST = FAST_STEPS | {"progress": False}
SEARCH = {"seeds": range(9), "batch": 2, "keep": 2, "scorers": SCORERS, **FAST}
SUITE = [("k", "a", "b"), ("k", "a cat", "wind"), ("other", "a", "c")]


class Backwards(ThreadPoolExecutor):
    """Does what it was given only when it has all of it, the last first."""

    def __init__(self, many):
        super().__init__(1)
        self.many, self.given = many, []

    def submit(self, call, *arguments):
        self.given.append((Future(), partial(call, *arguments)))
        if len(self.given) == self.many:
            for future, work in reversed(self.given):
                future.set_result(work())
        return self.given[-1][0]


@pytest.fixture(scope="module")
def plain():
    return hunt(pair(), *PROMPTS, **SEARCH)


def _same(one, other):
    assert [found[:2] for found in one] == [found[:2] for found in other]
    assert one.scores == other.scores
    for (_, _, a), (_, _, b) in zip(one, other, strict=True):
        torch.testing.assert_close(a.latent, b.latent, rtol=1e-4, atol=1e-4)
        assert a.recipe == b.recipe


# ---- the same, whoever works ---------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda: ThreadPoolExecutor(2), lambda: Backwards(5)])
def test_a_hunt_is_the_same_by_any_executor(plain, make):
    with make() as executor:
        _same(hunt(pair(), *PROMPTS, executor=executor, load=working.load, **SEARCH), plain)


def test_what_travels_is_plain():
    """Words and numbers there, words and numbers back: JSON can hold all of it."""
    seen = []

    class Spy(ThreadPoolExecutor):
        def submit(self, call, task):
            seen.append(json.dumps(task.recipe))
            future = super().submit(call, task)
            seen.append(json.dumps(future.result()))
            return future

    with Spy(1) as executor:
        hunt(pair(), *PROMPTS, executor=executor, load=working.load, **SEARCH)
    assert len(seen) == 10 and max(map(len, seen)) < 2000


def test_a_stopped_hunt_goes_on_where_it_was(plain, tmp_path):
    path, calls = tmp_path / "rows.jsonl", []

    def stop(result, item, prompt):
        calls.append(item)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return working.by_mean(result, item, prompt)

    stopping = SCORERS | {"image": Scorer("image", stop)}
    with pytest.raises(KeyboardInterrupt):
        hunt(pair(), *PROMPTS, path=path, **SEARCH | {"scorers": stopping})
    assert [row["seed"] for row in read_lines(path)] == [0, 1, 2, 3]  # two batches were done
    with open(path, "ab") as file:
        file.write(b'{"made": "half of a li')
    _same(hunt(pair(), *PROMPTS, path=path, **SEARCH), plain)
    assert [row["seed"] for row in read_lines(path)] == list(range(9))
    _same(hunt(pair(), *PROMPTS, path=path, **SEARCH | {"scorers": NEVER}), plain)


def test_scores_of_something_else_do_not_count(tmp_path):
    path, toys = tmp_path / "rows.jsonl", pair()
    hunt(toys, *PROMPTS, path=path, **SEARCH)
    others = [{"image_scale": 2.0}, {"num_inference_steps": 3}, {"image_negative": "fog"}]
    for k, other in enumerate(others, start=2):
        hunt(toys, *PROMPTS, path=path, **SEARCH | other)
        assert len(read_lines(path)) == 9 * k
    hunt(replace(toys, weights_hash="other"), *PROMPTS, path=path, **SEARCH)
    hunt(toys, *PROMPTS, path=path, **SEARCH | {"seeds": range(12)})
    assert len(read_lines(path)) == 9 * 5 + 3


def test_a_worker_with_other_weights_is_refused():
    with (
        ThreadPoolExecutor(1) as executor,
        pytest.raises(ValueError, match="a worker loaded the pair 'toy' of weights : expected"),
    ):
        other = replace(pair(), weights_hash="0123")
        hunt(other, *PROMPTS, executor=executor, load=working.load, **SEARCH)


def test_what_cannot_travel_is_refused_before_anything_begins():
    lonely = {"image": Scorer("image", lambda *_: 1.0)}
    with pytest.raises(ValueError, match=r"cannot go to another process.*no lambdas"):
        hunt(pair(), *PROMPTS, executor=2, load=working.load, **SEARCH | {"scorers": lonely})


def test_a_pool_that_broke_is_told_with_what_to_do():
    class Broken(ThreadPoolExecutor):
        def submit(self, *_):
            raise BrokenProcessPool

    with (
        Broken(1) as executor,
        pytest.raises(RuntimeError, match=r"expected path=\.\.\., to go on"),
    ):
        hunt(pair(), *PROMPTS, executor=executor, load=working.load, **SEARCH)


# ---- drafts --------------------------------------------------------------------------------------


def test_a_draft_is_what_the_models_believe_after_so_many_steps():
    run = compose(pair(), *PROMPTS, seeds=[3, 4], **FAST)
    task = tasks.task_of(pair(), *PROMPTS, settings={"num_inference_steps": 4}, part=0.5)
    half = tasks.result_of(itskit.composing(pair(), *PROMPTS, seeds=[3, 4], **FAST_STEPS), 2)
    assert task.steps == 2 and len(half) == 2
    torch.testing.assert_close(half.latent, run.steps[1].clean)


@pytest.mark.parametrize("executor", [None, 1])
def test_only_the_most_promising_are_finished(executor):
    """The draft's ranking decides who goes on, the result's who wins."""
    drafts = {
        seed: {
            name: scorer.score(tasks.result_of(
                itskit.composing(pair(), *PROMPTS, seed=seed, **FAST_STEPS), 2), 0, "")
            for name, scorer in SCORERS.items()
        }
        for seed in range(9)
    }  # fmt: skip
    promising = itskit.seed_search.rank(drafts)[:3]
    pool = ThreadPoolExecutor(1) if executor else None
    got = hunt(
        pair(), *PROMPTS, prune=(1 / 3, 0.5), executor=pool, load=working.load, **SEARCH
    )  # fmt: skip
    assert {row["seed"] for row in got.scores} == set(promising)
    _same(got, hunt(pair(), *PROMPTS, **SEARCH | {"seeds": sorted(promising)}))


def test_at_least_as_many_are_finished_as_are_kept():
    got = hunt(pair(), *PROMPTS, prune=0.1, **SEARCH | {"keep": 4})
    assert len(got) == len(got.scores) == 4


@pytest.mark.parametrize("wrong", [0, 1.5, (0.5, 0), (0.5, 1)])
def test_impossible_prunings_are_refused(wrong):
    with pytest.raises(ValueError, match=r"prune=.*expected the share of seeds to finish"):
        hunt(pair(), *PROMPTS, prune=wrong, **SEARCH)


# ---- sweeps --------------------------------------------------------------------------------------


def test_a_sweep_is_the_same_by_any_executor_and_as_alone(tmp_path):
    options = {"seeds": [5, 6, 7], "batch": 2, "scorers": SCORERS, **FAST}
    path = tmp_path / "rows.jsonl"
    rows = sweep(pair(), SUITE, path=path, **options)
    told = [(row["kind"], row["image"], row["sound"], row["seed"]) for row in rows]
    assert told == [(*entry, seed) for entry in SUITE for seed in (5, 6, 7)]
    alone = compose(pair(), "a cat", "wind", seed=6, **FAST)
    assert rows[4]["scores"]["sound"] == pytest.approx(float(alone.latent.std()), abs=1e-4)
    with Backwards(6) as executor:
        assert sweep(pair(), SUITE, executor=executor, load=working.load, **options) == rows
    assert sweep(pair(), SUITE, path=path, **options | {"scorers": NEVER}) == rows
    assert [row["prompts"] for row in read_lines(path)][3] == ["a cat", "wind"]
    with pytest.raises(ValueError, match=r"expected \(class, image prompt, sound prompt\)"):
        sweep(pair(), [("a", "b")], **options)


# ---- processes that are killed -------------------------------------------------------------------


@pytest.mark.slow
def test_a_killed_process_is_replaced_and_nothing_is_lost(plain, tmp_path):
    path, mark = tmp_path / "rows.jsonl", tmp_path / "killed"
    search = SEARCH | {"scorers": deadly_scorers(mark, 5)}
    _same(hunt(pair(), *PROMPTS, executor=2, path=path, load=working.load, **search), plain)
    assert mark.exists()
    assert sorted(row["seed"] for row in read_lines(path)) == list(range(9))  # none twice


@pytest.mark.slow
def test_a_dask_cluster_loses_a_worker_and_no_score(plain, tmp_path):
    distributed = pytest.importorskip("distributed")
    path, mark = tmp_path / "rows.jsonl", tmp_path / "killed"
    search = SEARCH | {"scorers": deadly_scorers(mark, 5)}
    with (
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        before = {worker["pid"] for worker in client.run(_pid).values()}
        with client.get_executor() as executor:
            got = hunt(pair(), *PROMPTS, executor=executor, path=path, load=working.load, **search)
        client.wait_for_workers(2, timeout=60)
        after = {worker["pid"] for worker in client.run(_pid).values()}
    _same(got, plain)
    assert mark.exists() and len(before - after) == 1  # it was killed, and another one came
    assert sorted(row["seed"] for row in read_lines(path)) == list(range(9))


def _pid():
    import os

    return {"pid": os.getpid()}


# ---- what a scheduler costs ----------------------------------------------------------------------


def test_the_simulated_scheduler_agrees_with_closed_forms():
    path = Path(itskit.__file__).parents[1] / "benchmarks" / "scheduler.py"
    module = ModuleType("scheduler")
    exec(compile(path.read_text(encoding="utf-8"), path, "exec"), module.__dict__)
    still = {"life": float("inf"), "spread": 0, "start": 12}
    free = module.simulate(8, 80, 2, 0.0, **still)
    assert free["seconds"] == pytest.approx(12 + 5 * 2)  # 40 blocks of 2 s, 5 for each of 8
    assert free["use"] == pytest.approx(80 / (8 * 22))
    busy = module.simulate(1000, 4000, 4, 0.1, **still)  # 1,000 blocks, one after another
    assert busy["seconds"] == pytest.approx(12 + 1000 * 0.1 + 4)
    steady = module.simulate(200, 100_000, 4, 0.1, **still)  # T / h = 40 workers, however many
    assert steady["use"] == pytest.approx(40 / 200, rel=0.02)
    mortal = module.simulate(50, 5000, 4, 0.0, **still | {"life": 60.0})
    assert mortal["lost"] > 10 and mortal["seconds"] > 12 + 5000 / 50
