"""What happened in a run, read from its Trajectory: agreement, sizes, and who moved the latent.

notation
    eps_g     guide g's noise estimate at a step (C, h, w); absent while it is silent
    w_g       its mean share of the blend, they add up to 1
    eps       the blend, sum over g of w_g eps_g, or as the run's rule mixes

Everything here is a pure function of recorded Steps; only `scores` and `failures` ask networks,
the pair's own scorers.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from . import recipes
from .rules import RULES, Mean, as_rule
from .trajectory import Trajectory


def guide_names(trajectory: Trajectory) -> list[str]:
    """A name for each guide, the recipe's; without one "image", "sound", then numbers."""
    count = max(len(step.weights) for step in trajectory.steps)
    told = [guide["name"] for guide in recipes.guides(trajectory.recipe)]
    names = told or list(recipes.ARGUMENTS)
    return [names[g] if g < len(names) else f"guide {g + 1}" for g in range(count)]


def cosines(trajectory: Trajectory, item: int = 0, guides: tuple[int, int] = (0, 1)) -> np.ndarray:
    """Cosine between the noise estimates of two guides at every step.

    Parameters
    ----------
    trajectory : Trajectory
    item : int
        Which of the batch.
    guides : tuple of int
        Which two.

    Returns
    -------
    array
        (steps,): 1 where both want the same change, 0 where their changes have nothing to do with
        each other, NaN where one is silent.
    """
    values = np.full(len(trajectory), np.nan)
    for i in range(len(trajectory)):
        estimates = _estimates(trajectory, i, item)
        a, b = (estimates[g] if g < len(estimates) else None for g in guides)
        if a is not None and b is not None:
            values[i] = float((a * b).sum() / (a.norm() * b.norm()).clamp_min(1e-12))
    return values


def norms(trajectory: Trajectory, item: int = 0) -> np.ndarray:
    """Root mean square of each guide's noise estimate.

    Parameters
    ----------
    trajectory : Trajectory
    item : int
        Which of the batch.

    Returns
    -------
    array
        (steps, guides): near 1, the size of the noise, without guidance; more with a large guidance
        scale; NaN where a guide is silent.
    """
    values = np.full((len(trajectory), len(guide_names(trajectory))), np.nan)
    for i in range(len(trajectory)):
        for g, noise in enumerate(_estimates(trajectory, i, item)):
            if noise is not None:
                values[i, g] = float(noise.square().mean().sqrt())
    return values


def shares(trajectory: Trajectory, item: int = 0) -> np.ndarray:
    """Each guide's part in every update.

    The blend is a sum, so its squared length is the sum of one part for each guide,
    `<w_g eps_g, eps> / <eps, eps>`: how far that guide moved the latent. What each adds is said by
    the run's rule. Of rules that are no mixture ("not", "perp_neg", "projection", "langevin", and
    your own without a `mixture`) the parts are those of the weighted mean, and `mixed_by` says so.

    Parameters
    ----------
    trajectory : Trajectory
        If it was saved without noises, the result is the weights.
    item : int
        Which of the batch.

    Returns
    -------
    array
        (steps, guides), adding up to 1: 0 for a silent guide, and outside [0, 1] where guides pull
        against each other.
    """
    names = guide_names(trajectory)
    values = np.zeros((len(trajectory), len(names)))
    for i, step in enumerate(trajectory.steps):
        noises = _estimates(trajectory, i, item)
        if all(noise is None for noise in noises):
            values[i, : len(step.weights)] = step.weights
            continue
        noises = tuple(None if noise is None else noise[None] for noise in noises)  # (1, C, h, w)
        memory = {name: one[item][None] for name, one in step.memory.items()}
        rule = _mixing(trajectory, step.index) or Mean()
        parts = rule.mixture(replace(step, noises=noises, memory=memory), names)
        blend = sum(part for part in parts if part is not None)
        length = float((blend * blend).sum()) or 1.0
        for g, part in enumerate(parts):
            values[i, g] = 0.0 if part is None else float((part * blend).sum()) / length
    return values


def mixed_by(trajectory: Trajectory) -> str:
    """By what the shares are reckoned, in words: "the weighted mean", "rule or", or the mean in
    place of a rule that is no mixture."""
    said = [recipes.rule_at(trajectory.recipe, step.index) for step in trajectory.steps]
    names = dict.fromkeys(one["name"] if isinstance(one, dict) else one for one in said)
    if list(names) == ["mean"]:
        return "the weighted mean"
    words = ", then ".join("of one's own" if name is None else name for name in names)
    if all(_mixing(trajectory, step.index) for step in trajectory.steps):
        return f"rule {words}"
    return f"the weighted mean, in place of rule {words}"


def _mixing(trajectory: Trajectory, index: int):
    """The rule of a step, if it can say what each guide added."""
    said = recipes.rule_at(trajectory.recipe, index)
    name = said["name"] if isinstance(said, dict) else said
    return as_rule(said) if hasattr(RULES.get(name), "mixture") else None


def updates(trajectory: Trajectory, item: int = 0) -> np.ndarray:
    """Root mean square of the change that each step made to the latent, (steps,)."""
    moves = (step.latent[item].double() - step.noisy[item].double() for step in trajectory.steps)
    return np.array([float(move.square().mean().sqrt()) for move in moves])


def scores(trajectory: Trajectory, item: int = 0) -> list[dict]:
    """How much each step's clean estimate is like each prompt, by the pair's own scorers.

    Parameters
    ----------
    trajectory : Trajectory
    item : int
        Which of the batch.

    Returns
    -------
    list of dict
        {"label", "guide", "values" (steps,)} for each prompt; empty if the pair has no scorers.
    """
    scorers = trajectory.pair.scorers if trajectory.pair else {}
    clean = torch.stack([step.clean[item] for step in trajectory.steps]).float()  # (steps, C, h, w)
    found = []
    for g, guide in enumerate(recipes.guides(trajectory.recipe)):
        scorer = scorers.get(guide["model"])
        if scorer and guide["prompt"]:
            values = scorer(clean, guide["prompt"]).tolist()
            found.append({"label": f"{guide['name']} score", "guide": g, "values": _plain(values)})
    return found


# Things that few prompts mean: what a scorer gives these, it gives to anything.
WRONG = {
    "image": ("a bicycle", "an umbrella", "a fish", "a crown", "a tree", "a snowman"),
    "sound": ("typing", "a trumpet", "ocean waves", "a dog barking", "thunder", "a violin"),
}


def failures(trajectory: Trajectory, item: int = 0, wrong: dict = WRONG) -> list[str]:
    """Signs of the usual failures ("Images that Sound", limitations).

    A result without any need not be a success.

    Parameters
    ----------
    trajectory : Trajectory
    item : int
        Which of the batch.
    wrong : dict
        "image" and "sound" -> prompts that do not fit, to compare scores with.

    Returns
    -------
    list of str
        "no picture", "no sound": it scores no better than with most of the `wrong` prompts (only if
        the pair has scorers). "silence": nothing can be heard. "seeds look alike": the items of the
        batch hardly differ.

    Examples
    --------
    >>> itskit.diagnose.failures(result)
    ['no picture']
    """
    found = []
    scorers = trajectory.pair.scorers if trajectory.pair else {}
    latent = trajectory.latent[item][None]
    for guide in recipes.guides(trajectory.recipe):
        model, prompt = guide["model"], guide["prompt"]
        if model in scorers and prompt:
            own, *others = (
                float(scorers[model](latent, words)) for words in (prompt, *wrong[model])
            )
            if own <= np.quantile(others, 0.75):  # one of them may be what was asked for
                name = "picture" if guide["name"] == "image" else guide["name"]
                found.append(f"no {name}")
    if trajectory.pair and trajectory.mel_picture(item=item).max() < 0.1:
        found.append("silence")
    if len(trajectory.latent) > 1:
        flat = torch.nn.functional.normalize(trajectory.latent.flatten(1).double(), dim=1)
        if likeness(flat) > 0.9:
            found.append("seeds look alike")
    return found


def likeness(vectors: Tensor) -> float:
    """The mean cosine between two of the unit vectors (B, D), B > 1; 1 if all are the same."""
    count, cosines = len(vectors), vectors @ vectors.T  # (B, B)
    return float((cosines.sum() - cosines.trace()) / (count * (count - 1)))


def summary(trajectory: Trajectory, item: int = 0) -> dict:
    """All of the above as JSON-able lists, None for NaN: what plots and the scrubber draw."""
    several = len(guide_names(trajectory)) > 1
    return {
        "count": len(trajectory),
        "guides": guide_names(trajectory),
        "cosine": _plain(cosines(trajectory, item)) if several else [],
        "norms": [_plain(column) for column in norms(trajectory, item).T],
        "shares": [_plain(column) for column in shares(trajectory, item).T],
        "mixed_by": mixed_by(trajectory),
    }


def _estimates(trajectory: Trajectory, index: int, item: int) -> list[Tensor | None]:
    """The guides' noises (C, h, w) of one item at a step, in float64."""
    noises = trajectory.steps[index].noises or ()
    return [None if noise is None else noise[item].double() for noise in noises]


def _plain(values: np.ndarray) -> list[float | None]:
    return [round(float(value), 4) if np.isfinite(value) else None for value in values]
