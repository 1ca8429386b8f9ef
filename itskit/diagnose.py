"""What happened in a run, read from its Trajectory: agreement, sizes, and who moved the latent.

notation
    eps_g     guide g's noise estimate at a step (C, h, w); absent while it is silent
    w_g       its mean share of the blend, they add up to 1
    eps       the blend, sum over g of w_g eps_g

Everything here is a pure function of recorded Steps; only `scores` and `failures` ask networks,
the pair's own scorers.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from . import recipes
from .trajectory import Trajectory


def guide_names(trajectory: Trajectory) -> list[str]:
    """A name for each guide, the recipe's; without one "image", "sound", then numbers."""
    count = max(len(step.weights) for step in trajectory.steps)
    told = [guide["name"] for guide in recipes.guides(trajectory.recipe)]
    names = told or list(recipes.ARGUMENTS)
    return [names[g] if g < len(names) else f"guide {g + 1}" for g in range(count)]


def cosines(trajectory: Trajectory, item: int = 0, guides: tuple[int, int] = (0, 1)) -> np.ndarray:
    """Cosine between the noise estimates of two guides, (steps,); NaN where one is silent.

    1 where both want the same change, 0 where they have nothing to do with each other.
    """
    values = np.full(len(trajectory), np.nan)
    for i in range(len(trajectory)):
        estimates = _estimates(trajectory, i, item)
        a, b = (estimates[g] if g < len(estimates) else None for g in guides)
        if a is not None and b is not None:
            values[i] = float((a * b).sum() / (a.norm() * b.norm()).clamp_min(1e-12))
    return values


def norms(trajectory: Trajectory, item: int = 0) -> np.ndarray:
    """Root mean square of each guide's noise estimate, (steps, guides); NaN where it is silent.

    Without guidance it is near 1, the size of the noise; a large guidance scale inflates it.
    """
    values = np.full((len(trajectory), len(guide_names(trajectory))), np.nan)
    for i in range(len(trajectory)):
        for g, noise in enumerate(_estimates(trajectory, i, item)):
            if noise is not None:
                values[i, g] = float(noise.square().mean().sqrt())
    return values


def shares(trajectory: Trajectory, item: int = 0) -> np.ndarray:
    """Each guide's part in every update, (steps, guides), adding up to 1.

    The blend is a sum, so its squared length falls into one part for each guide,
    `<w_g eps_g, eps> / <eps, eps>`: how far that voice carried the update. It is 0 for a silent
    guide, and can leave [0, 1] when voices pull against each other. Trajectories saved without
    noises give the weights instead.
    """
    values = np.zeros((len(trajectory), len(guide_names(trajectory))))
    for i, step in enumerate(trajectory.steps):
        weights = np.asarray(step.weights, dtype=float)
        estimates = _estimates(trajectory, i, item)
        parts = [
            weight * noise if noise is not None else None
            for weight, noise in zip(weights, estimates, strict=False)
        ]
        spoken = [part for part in parts if part is not None]
        if not spoken:
            values[i, : len(weights)] = weights
            continue
        blend = sum(spoken)
        length = float((blend * blend).sum()) or 1.0
        for g, part in enumerate(parts):
            values[i, g] = 0.0 if part is None else float((part * blend).sum()) / length
    return values


def updates(trajectory: Trajectory, item: int = 0) -> np.ndarray:
    """Root mean square of the change that each step made to the latent, (steps,)."""
    moves = (step.latent[item].double() - step.noisy[item].double() for step in trajectory.steps)
    return np.array([float(move.square().mean().sqrt()) for move in moves])


def scores(trajectory: Trajectory, item: int = 0) -> list[dict]:
    """How much each step's clean latent is like each prompt, by the pair's own scorers.

    A list of {"label", "guide", "values" (steps,)}; empty where the pair has no scorers.
    """
    judges = trajectory.pair.scorers if trajectory.pair else {}
    clean = torch.stack([step.clean[item] for step in trajectory.steps]).float()  # (steps, C, h, w)
    found = []
    for g, guide in enumerate(recipes.guides(trajectory.recipe)):
        judge = judges.get(guide["model"])
        if judge and guide["prompt"]:
            values = judge(clean, guide["prompt"]).tolist()
            found.append({"label": f"{guide['name']} score", "guide": g, "values": _plain(values)})
    return found


# Things that few prompts mean: what a scorer gives these, it gives to anything.
WRONG = {
    "image": ("a bicycle", "an umbrella", "a fish", "a crown", "a tree", "a snowman"),
    "sound": ("typing", "a trumpet", "ocean waves", "a dog barking", "thunder", "a violin"),
}


def failures(trajectory: Trajectory, item: int = 0, wrong: dict = WRONG) -> list[str]:
    """The usual ways to fail ("Images that Sound", limitations) of which a result shows the signs.

    "no picture"        its picture scores no better than with most of the `wrong` prompts
    "no sound"          the same of its sound
    "silence"           nothing in it can be heard
    "seeds look alike"  the items of a batch hardly differ

    Without scorers in the pair only the last two are looked for. No sign is no proof of success.
    """
    found = []
    judges = trajectory.pair.scorers if trajectory.pair else {}
    latent = trajectory.latent[item][None]
    for guide in recipes.guides(trajectory.recipe):
        model, prompt = guide["model"], guide["prompt"]
        if model in judges and prompt:
            own, *others = (
                float(judges[model](latent, words)) for words in (prompt, *wrong[model])
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
    """The mean cosine between two of the unit vectors (B, D), B > 1: 1 where all are the same."""
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
    }


def _estimates(trajectory: Trajectory, index: int, item: int) -> list[Tensor | None]:
    """The guides' noises (C, h, w) of one item at a step, in float64."""
    noises = trajectory.steps[index].noises or ()
    return [None if noise is None else noise[item].double() for noise in noises]


def _plain(values: np.ndarray) -> list[float | None]:
    return [round(float(value), 4) if np.isfinite(value) else None for value in values]
