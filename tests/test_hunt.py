"""The seed search finds what a plain search finds, wants both at once, and forgets the rest."""

import gc
import weakref

import numpy as np
import pytest
import torch
from toys import pair

import itskit
from itskit import hunt, recipes
from itskit.composition import compose
from itskit.metrics import Scorer
from itskit.recomposition import recompose
from itskit.seed_search import rank
from itskit.trajectory import Trajectory

FAST = {"num_inference_steps": 3, "progress": False}
PROMPTS = "a castle", "bells"


def _of_seed(table):
    """Scorers that know the truth: seed -> (image score, sound score)."""

    def scorer(of, place):
        return Scorer(of, lambda result, item, _: table[result.recipe["seeds"][item]][place])

    return {"image": scorer("image", 0), "sound": scorer("sound", 1)}


def _same(one, other):
    assert len(one) == len(other)
    for a, b in zip(one.steps, other.steps, strict=True):
        for name in ("noisy", "latent", "clean"):
            torch.testing.assert_close(getattr(a, name), getattr(b, name), rtol=1e-4, atol=1e-4)
        for x, y in zip(a.noises, b.noises, strict=True):
            assert (x is None) == (y is None)
            if x is not None:
                torch.testing.assert_close(x, y, rtol=1e-4, atol=1e-4)
        assert (a.index, a.t, a.weights) == (b.index, b.t, b.weights)


# ---- the rule ------------------------------------------------------------------------------------


def test_neither_modality_wins_alone():
    rows = {
        1: {"image": 1.0, "sound": 0.0},  # the best picture, the worst sound
        2: {"image": 0.0, "sound": 1.0},
        3: {"image": 0.6, "sound": 0.6},  # good at both
        4: {"image": 0.0, "sound": 0.0},
        5: {"image": 0.5, "sound": 0.7},
    }
    assert rank(rows)[:2] == [3, 5]
    assert set(rank(rows)) == set(rows)


def test_the_rule_does_not_know_the_units_of_a_score():
    seeds = torch.Generator().manual_seed(0)
    values = torch.rand(20, 2, generator=seeds).tolist()
    plain = {k: {"image": a, "sound": b} for k, (a, b) in enumerate(values)}
    other = {k: {"image": 40 * a - 7, "sound": 0.01 * b} for k, (a, b) in enumerate(values)}
    assert rank(plain) == rank(other)


def test_a_score_that_says_nothing_decides_nothing_and_nan_comes_last():
    rows = {k: {"image": 0.3, "sound": s} for k, s in ((1, 0.1), (2, 0.9), (3, float("nan")))}
    assert rank(rows) == [2, 1, 3]
    assert rank({8: {"image": 0.3}}) == [8]


# ---- the search ----------------------------------------------------------------------------------


def test_finds_the_seeds_that_a_scorer_knows():
    table = {s: (0.01 * s, 0.01 * s) for s in range(9)}
    table |= {2: (0.9, 0.8), 5: (0.8, 0.9), 7: (0.99, 0.0)}
    got = hunt(pair(), *PROMPTS, seeds=range(9), batch=4, keep=2, scorers=_of_seed(table), **FAST)
    assert {seed for seed, *_ in got} == {2, 5} and len(got) == 2
    assert {row["seed"]: (row["image"], row["sound"]) for row in got.scores} == table
    assert [row["seed"] for row in got.scores[:2]] == [seed for seed, *_ in got]
    assert got[0][1] == dict(zip(("image", "sound"), table[got[0][0]], strict=True))


def test_each_find_is_what_its_seed_composes_and_is_made_again():
    toys = pair()
    table = {s: (s % 4, s % 3) for s in range(6)}
    got = hunt(toys, *PROMPTS, seeds=range(6), keep=3, scorers=_of_seed(table), **FAST)
    for seed, _, run in got:
        alone = compose(toys, *PROMPTS, seed=seed, **FAST)
        _same(run, alone)
        assert run.recipe == alone.recipe
        _same(recompose(toys, run.recipe, progress=False), alone)


def test_what_is_best_does_not_depend_on_the_batches():
    """Alone against 1 and 2, seed 0 is behind and let go; the spread of all four puts it first."""
    table = dict(enumerate([(9, 6), (4, 7), (4, 9), (8, 3)]))
    assert rank({s: {"image": table[s][0], "sound": table[s][1]} for s in range(3)})[0] == 1
    search = {"seeds": table, "keep": 1, "scorers": _of_seed(table), **FAST}
    every, single = (hunt(pair(), *PROMPTS, batch=size, **search) for size in (4, 1))
    assert every[0][0] == single[0][0] == 0
    assert every.scores == single.scores
    _same(single[0][2], compose(pair(), *PROMPTS, seed=0, **FAST))


def test_settings_reach_compose_and_seeds_are_tried_once():
    table = {4: (0, 0), 9: (1, 1)}
    got = hunt(
        pair(), *PROMPTS, seeds=[4, 9, 4], scorers=_of_seed(table), image_scale=2.0, **FAST
    )  # fmt: skip
    assert [seed for seed, *_ in got] == [9, 4]
    assert recipes.guide(got[0][2].recipe, "image")["scale"] == 2.0 and len(got[0][2]) == 3


def test_the_pairs_own_scorers_judge_and_one_prompt_is_enough():
    toys = pair(scorers={"image": lambda latent, prompt: latent.mean((1, 2, 3))})
    got = hunt(toys, "a castle", None, seeds=range(5), keep=1, **FAST)
    means = {
        s: float(compose(toys, "a castle", None, seed=s, **FAST).latent.mean()) for s in range(5)
    }
    assert got[0][0] == max(means, key=means.get)
    assert got[0][1]["image"] == pytest.approx(means[got[0][0]], abs=1e-4)


def test_only_the_best_are_held():
    runs, alive = weakref.WeakSet(), []

    class Counted(Scorer):
        def __init__(self, of):
            def score(result, item, prompt):
                runs.update(result.steps)
                alive.append(len(runs))
                return result.recipe["seeds"][item]

            super().__init__(of, score)

    both = {"image": Counted("image"), "sound": Counted("sound")}
    got = hunt(pair(), *PROMPTS, seeds=range(6), batch=2, keep=1, scorers=both, **FAST)
    gc.collect()
    assert max(alive) == 3 and not runs  # one batch at a time, and none at the end
    assert all(step.latent.untyped_storage().nbytes() == 4 * 4 * 8 * 16 for step in got[0][2].steps)


# ---- Ctrl-C --------------------------------------------------------------------------------------


def _press_at_call(k):
    calls = []

    def callback(step):
        calls.append(step)
        if len(calls) == k:
            raise KeyboardInterrupt

    return callback


def test_ctrl_c_keeps_what_was_found():
    table = {s: (s, s) for s in range(8)}
    settings = {"seeds": range(8), "batch": 2, "keep": 3, "scorers": _of_seed(table), **FAST}
    got = hunt(pair(), *PROMPTS, callback=_press_at_call(3 + 3 + 2), **settings)  # in batch 3
    assert [seed for seed, *_ in got] == [3, 2, 1] and len(got.scores) == 4
    assert "stopped" not in got[0][2].recipe
    with pytest.raises(KeyboardInterrupt):  # nothing to keep yet
        hunt(pair(), *PROMPTS, callback=_press_at_call(2), **settings)


def test_ctrl_c_while_a_seed_is_made_again_keeps_the_next_best():
    table = dict(enumerate([(9, 6), (4, 7), (4, 9), (8, 3)]))  # 0 was let go, and is missed
    settings = {"seeds": table, "batch": 1, "keep": 1, "scorers": _of_seed(table), **FAST}
    got = hunt(pair(), *PROMPTS, callback=_press_at_call(4 * 3 + 1), **settings)
    assert [seed for seed, *_ in got] == [2] and got.scores[0]["seed"] == 0


# ---- shown, refused, real ------------------------------------------------------------------------


def test_the_strip_shows_and_plays_and_escapes():
    table = {s: (s, s) for s in range(4)}
    got = hunt(
        pair(), "<b>castle</b>", "bells & whistles", seeds=range(4), keep=2,
        scorers=_of_seed(table), **FAST,
    )  # fmt: skip
    strip = got._repr_html_()
    assert strip.count("data:image/png") == strip.count("data:audio/wav") == 2
    assert "&lt;b&gt;castle&lt;/b&gt; + bells &amp; whistles" in strip and "<b>" not in strip
    assert strip.index("seed 3: image 3.000, sound 3.000") < strip.index("seed 2:")
    assert repr(got) == "Hunt(best first: seeds 3, 2; 4 tried)"


def test_a_number_of_seeds_is_how_many():
    table = {s: (s, s) for s in range(4)}
    settings = {"keep": 4, "scorers": _of_seed(table), **FAST}
    for four in (4, np.int64(4), range(4), {0, 1, 2, 3}, (seed for seed in range(4))):
        assert [seed for seed, *_ in hunt(pair(), *PROMPTS, seeds=four, **settings)] == [3, 2, 1, 0]


@pytest.mark.parametrize("wrong", [{"seeds": []}, {"seeds": 0}, {"batch": 0}, {"keep": 0}])
def test_impossible_searches_are_refused(wrong):
    with pytest.raises(ValueError, match=r"seeds, batch=.*keep=.*expected 1 or more"):
        hunt(pair(), *PROMPTS, **wrong)


@pytest.mark.parametrize("rule", ["corrected", {"name": "langevin", "rule": "product"}])
def test_no_seed_has_a_result_of_its_own_under_rules_that_pick_among_them(rule):
    with pytest.raises(
        ValueError, match=r"picks among the items of a batch.*another rule, or comp"
    ):
        hunt(pair(), *PROMPTS, rule=rule, **FAST)


def test_one_seed_is_no_search():
    with pytest.raises(ValueError, match=r"seed=7: expected seeds=\.\.\."):
        hunt(pair(), *PROMPTS, seed=7)


def test_scorers_that_score_nothing_are_refused():
    with pytest.raises(ValueError, match="no scorer scored: expected one for a prompt"):
        hunt(pair(), None, "bells", scorers={"image": _of_seed({})["image"]}, **FAST)


def test_the_pocket_pair_in_two_steps():
    pocket = itskit.load_pair("pocket")
    words = "a castle with towers", "church bells ringing"
    settings = {"num_inference_steps": 2, "progress": False}
    got = itskit.hunt(pocket, *words, seeds=[3, 8, 5], batch=2, keep=1, **settings)
    seed, scores, run = got[0]
    alone = compose(pocket, *words, seed=seed, **settings)
    torch.testing.assert_close(run.latent, alone.latent, rtol=1e-4, atol=1e-4)
    for of, words_of in zip(("image", "sound"), words, strict=True):
        assert scores[of] == pytest.approx(
            float(pocket.scorers[of](alone.latent, words_of)), abs=1e-4
        )
    assert isinstance(run, Trajectory) and {row["seed"] for row in got.scores} == {3, 8, 5}
