"""Diagnoses of runs whose answers are known in closed form."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from a_run import run
from toys import pair

from itskit import diagnose, plots
from itskit.composition import compose
from itskit.recomposition import branch
from itskit.rules.plain import low_pass
from itskit.sampling import Step
from itskit.trajectory import Trajectory

GENERATOR = torch.Generator().manual_seed(0)
A = torch.randn(2, 4, 4, 8, generator=GENERATOR)
B = torch.randn(2, 4, 4, 8, generator=GENERATOR)


def one(noises, weights, recipe=None):
    step = Step(0, 500, A, A + 0.5, A, tuple(noises), tuple(weights))
    return Trajectory((step,), recipe or {})


def test_cosine_of_the_same_opposite_and_perpendicular_noises():
    across = B[:1] - (A[:1] * B[:1]).sum() / A[:1].square().sum() * A[:1]
    for other, truth in ((3 * A[:1], 1), (-A[:1], -1), (across, 0)):
        found = diagnose.cosines(one([A[:1], other], (0.5, 0.5)))
        assert found == pytest.approx([truth], abs=1e-6)


def test_cosine_at_a_known_angle_for_each_item_of_a_batch():
    unit = torch.zeros(2, 1, 1, 2)
    unit[:, ..., 0] = 1
    angles = (math.pi / 3, math.pi / 4)
    turned = torch.tensor([[math.cos(a), math.sin(a)] for a in angles]).reshape(2, 1, 1, 2)
    for item, angle in enumerate(angles):
        found = diagnose.cosines(one([unit, turned], (0.5, 0.5)), item)
        assert found == pytest.approx([math.cos(angle)], abs=1e-6)


def test_norms_are_root_mean_squares_and_nan_while_silent():
    found = diagnose.norms(one([None, 3 * A], (0.0, 1.0)), item=1)
    assert math.isnan(found[0, 0])
    assert found[0, 1] == pytest.approx(3 * np.sqrt((A[1].numpy() ** 2).mean()), rel=1e-6)


def test_shares_of_perpendicular_voices_follow_pythagoras():
    across = B[:1] - (A[:1] * B[:1]).sum() / A[:1].square().sum() * A[:1]
    across = across * A[:1].norm() / across.norm()
    found = diagnose.shares(one([A[:1], across], (0.6, 0.3)))
    assert found[0] == pytest.approx([0.36 / 0.45, 0.09 / 0.45], abs=1e-6)


def test_shares_of_parallel_voices_are_their_weights_and_add_up_to_one():
    assert diagnose.shares(one([A, A], (0.7, 0.3)))[0] == pytest.approx([0.7, 0.3], abs=1e-6)
    assert diagnose.shares(one([A, B], (0.2, 0.8))).sum() == pytest.approx(1)


def test_a_silent_voice_has_no_share_and_no_cosine():
    silent = one([None, A], (0.0, 1.0))
    assert diagnose.shares(silent)[0].tolist() == [0.0, 1.0]
    assert math.isnan(diagnose.cosines(silent)[0])


def test_without_recorded_noises_the_weights_are_the_shares():
    assert diagnose.shares(one([None, None], (0.25, 0.75)))[0].tolist() == [0.25, 0.75]


def _pulls(noises, blend):
    """Who moved the latent, by the noises that were added up: the definition."""
    return [float((n * blend).sum() / (blend * blend).sum()) for n in noises]


@pytest.mark.parametrize("rule", ["and", "or", {"name": "alternate", "every": 2}, "frequency"])
def test_shares_are_by_the_rule_that_mixed(rule):
    """The parts add up to the very noise that the solver was given."""
    run = compose(
        pair(), "a", "b", seeds=[3, 4], rule=rule, solver="ddpm", num_inference_steps=6,
        image_scale=1.0, sound_scale=1.0, image_start=0.0, progress=False,
    )  # fmt: skip
    found = diagnose.shares(run, item=1)
    table, name = run.pair.image.alpha_bar, rule if isinstance(rule, str) else rule["name"]
    for k, step in enumerate(run.steps):
        image, sound = (noise[1].double() for noise in step.noises)
        used = (step.noisy - table[step.t] ** 0.5 * step.clean)[1] / (1 - table[step.t]) ** 0.5
        if name in ("and", "or"):
            kappa = step.memory["kappa"][1]
            parts = [kappa[0] * image, kappa[1] * sound]
        elif name == "alternate":
            parts = [image, 0 * sound] if k // 2 % 2 == 0 else [0 * image, sound]
        else:
            low = low_pass(sound, 2.0)
            parts = [image - low_pass(image, 2.0), low]
        torch.testing.assert_close(sum(parts), used.double(), rtol=1e-3, atol=1e-3)
        assert found[k] == pytest.approx(_pulls(parts, sum(parts)), abs=1e-5)
    mean = diagnose.shares(replace(run, recipe={**run.recipe, "rule": "mean"}), item=1)
    assert abs(found - mean).max() > 0.01
    assert diagnose.mixed_by(run) == diagnose.summary(run)["mixed_by"] == f"rule {name}"


@pytest.mark.parametrize("rule", ["corrected", "product"])
def test_particles_mix_as_the_mean_does(rule):
    run = compose(
        pair(), "a", "b", seeds=[1, 2, 3], rule=rule, num_inference_steps=4, progress=False
    )
    assert diagnose.shares(run).sum(1) == pytest.approx([1] * 4)
    assert diagnose.mixed_by(run) == f"rule {rule}"


@pytest.mark.parametrize("rule", ["not", "perp_neg", "projection", "langevin", None])
def test_what_is_no_mixture_is_shown_as_the_mean_and_says_so(rule):
    made = one([A, B], (0.2, 0.8), {"guides": [], "rule": rule})
    mean = one([A, B], (0.2, 0.8))
    assert (diagnose.shares(made) == diagnose.shares(mean)).all()
    name = rule or "of one's own"
    assert diagnose.mixed_by(made) == f"the weighted mean, in place of rule {name}"
    assert diagnose.mixed_by(mean) == "the weighted mean"
    title = plots.tug_of_war(made).get_title()
    assert title == f"Who moves the latent\nby {diagnose.mixed_by(made)}"
    assert plots.tug_of_war(mean).get_title() == "Who moves the latent"


def test_a_branch_mixes_each_step_by_the_rule_that_made_it():
    first = compose(pair(), "a", "b", rule="alternate", num_inference_steps=4, progress=False)
    made = branch(first, 2, rule="mean", progress=False)
    found = diagnose.shares(made)
    assert found[:2].tolist() == [[1, 0], [0, 1]]
    assert (found[2:] == diagnose.shares(replace(made, recipe={}))[2:]).all()
    assert diagnose.mixed_by(made) == "rule alternate, then mean"


def test_updates_measure_the_change_of_the_latent():
    assert diagnose.updates(one([A, B], (0.5, 0.5))) == pytest.approx([0.5], rel=1e-6)


def test_a_third_guide_needs_no_change():
    three = one([A, B, A + B], (0.5, 0.25, 0.25))
    assert diagnose.guide_names(three) == ["image", "sound", "guide 3"]
    assert diagnose.shares(three).sum() == pytest.approx(1)


def test_a_guide_that_works_alone_keeps_its_name():
    alone = one([A], (1.0,), {"image_prompt": None, "sound_prompt": "a bell"})
    assert diagnose.guide_names(alone) == ["sound"]
    assert diagnose.summary(alone)["cosine"] == []


def test_summary_is_json_and_marks_silence_with_null():
    summary = diagnose.summary(run(10, silent=3))
    again = json.loads(json.dumps(summary, allow_nan=False))
    assert again["count"] == 10
    assert again["cosine"][:3] == [None] * 3
    assert all(isinstance(value, float) for value in again["cosine"][3:])
    assert again["shares"][0][:3] == [0.0] * 3


def test_scores_ask_the_pairs_judges_about_every_step_and_the_right_prompt():
    from dataclasses import replace

    trajectory, asked = run(6), []

    def judge(latent, prompt):
        asked.append(prompt)
        return latent.mean((1, 2, 3))

    pair = replace(trajectory.pair, scorers={"sound": judge})
    judged = Trajectory(trajectory.steps, trajectory.recipe, pair)
    (curve,) = diagnose.scores(judged)
    assert asked == ["church bells ringing"]
    assert curve["guide"] == 1
    truth = [float(step.clean[0].mean()) for step in trajectory.steps]
    assert curve["values"] == pytest.approx(truth, abs=1e-4)
    assert diagnose.scores(trajectory) == []


def judged_run(scores, latent=None):
    """The finished run with a scorer for each modality that looks words up, 0 for unknown ones."""
    from dataclasses import replace

    trajectory = run(3)
    if latent is not None:
        last = replace(trajectory.steps[-1], latent=latent)
        trajectory = Trajectory((last,), trajectory.recipe, trajectory.pair)
    prompts = {guide["name"]: guide["prompt"] for guide in trajectory.recipe["guides"]}

    def judge(name):
        known = {prompts[name]: scores[name], "a crown": 0.3, "thunder": 0.3}
        return lambda latent, words: torch.tensor([known.get(words, 0.1)])

    pair = replace(trajectory.pair, scorers={name: judge(name) for name in prompts})
    return Trajectory(trajectory.steps, trajectory.recipe, pair)


def test_who_scores_as_with_wrong_words_has_failed():
    assert diagnose.failures(judged_run({"image": 0.2, "sound": 0.2})) == []  # one may be meant
    assert diagnose.failures(judged_run({"image": 0.1, "sound": 0.2})) == ["no picture"]
    assert diagnose.failures(judged_run({"image": 0.2, "sound": 0.05})) == ["no sound"]
    both = diagnose.failures(judged_run({"image": 0.0, "sound": 0.0}))
    assert both == ["no picture", "no sound"]


def test_black_is_silence_and_copies_look_alike():
    fine = {"image": 0.9, "sound": 0.9}
    black = torch.full((1, 4, 16, 64), -1.0)
    assert diagnose.failures(judged_run(fine, black)) == ["silence"]
    noise = torch.randn(3, 4, 16, 64, generator=torch.Generator().manual_seed(1))
    assert diagnose.failures(judged_run(fine, noise)) == []
    assert diagnose.failures(judged_run(fine, noise[[0, 0, 0]])) == ["seeds look alike"]
    assert diagnose.failures(one([A, B], (0.5, 0.5))) == []  # no pair: nothing to see or hear
