"""To go on from a step of a run is to change the loop in its middle."""

import json

import pytest
import torch
from toys import pair

import itskit
from itskit.composition import compose, guides
from itskit.recomposition import branch, recompose
from itskit.sampling import init_latent, sample
from itskit.schedule import add_noise, timesteps

FAST = {"num_inference_steps": 6, "progress": False}
TOYS = pair()


def _same(one, other):
    return len(one) == len(other) and all(
        torch.equal(a.latent, b.latent) for a, b in zip(one.steps, other.steps, strict=True)
    )


@pytest.fixture(scope="module")
def run():
    return compose(TOYS, "a castle", "bells", seed=3, solver="dpmpp_2m", **FAST)


def test_other_words_are_those_of_a_loop_that_changes_them(run):
    got = branch(run, 2, image_prompt="a tiger", image_weight=0.8, progress=False)
    other = guides(TOYS, "a tiger", "bells", image_weight=0.8)
    rest = sample(
        other, run.steps[1].latent, num_inference_steps=6, solver="dpmpp_2m", first_step=2,
        previous=run.steps[1],
    )  # fmt: skip
    assert got.steps[:2] == run.steps[:2] and len(got) == 6
    assert torch.equal(list(rest)[-1].latent, got.latent)
    assert got.recipe["guides"][0]["prompt"] == "a tiger"
    assert _same(branch(run, 2, progress=False), run)  # with nothing changed


@pytest.mark.parametrize(
    "changes",
    [
        {"sound_prompt": "rain"},
        {"image_negative": "fog", "rule": "not"},
        {"seed": 8},
        {"solver": "ddpm", "seed": 8},
        {"rule": "and", "image_scale": 1.0},
    ],
    ids=str,
)
def test_recipes_of_branches_make_them_again(run, changes):
    got = branch(run, 3, **changes, progress=False)
    assert not torch.equal(got.latent, run.latent)
    recipe = json.loads(json.dumps(got.recipe))
    assert recipe["branch"]["step"] == 3 and recipe["branch"]["of"] == run.recipe
    assert _same(recompose(TOYS, recipe, progress=False), got)
    twice = branch(got, 5, image_prompt="a dog", progress=False)
    assert twice.steps[:5] == got.steps[:5]
    assert _same(recompose(TOYS, twice.recipe, progress=False), twice)


def test_another_seed_noises_the_clean_latent_afresh(run):
    got = branch(run, 3, seed=8, progress=False)
    noise, t = init_latent(TOYS, 8), timesteps(6)[3]
    expected = add_noise(run.steps[2].clean, noise, TOYS.image.alpha_bar[t])
    assert torch.equal(got.steps[3].noisy, expected)


@pytest.mark.parametrize("rule", ["or", "not"])
def test_what_a_rule_remembers_goes_along(rule):
    whole = compose(TOYS, "a", "b", image_negative="c", rule=rule, **FAST)
    assert _same(branch(whole, 4, progress=False), whole)


def test_what_cannot_be_branched_is_refused(run):
    for step in (0, 6):
        with pytest.raises(ValueError, match=f"step={step}: expected one from 1 to 5"):
            itskit.branch(run, step)
    with pytest.raises(ValueError, match=r"\['width'\] cannot change within a run"):
        branch(run, 2, width=64)
