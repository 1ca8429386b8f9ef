"""Listeners who are not there: to try a plan and its analysis before people give their time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .answers import line
from .plan import FIRST, SECOND, Plan


def simulate(
    plan: Plan, listeners: int = 10, *, right: Mapping[str, float] | float = 0.7,
    strengths: Mapping[str, float] | None = None, careless: float = 0.0, seed: int = 0,
) -> list[dict]:  # fmt: skip
    """The lines that made-up listeners would write, for `read`, or `itskit.answers.append`.

    Parameters
    ----------
    plan : Plan
    listeners : int
    right : float, or {condition: float}
        How often a word is recognised; whoever does not guesses among the other words. Practice is
        always right.
    strengths : {condition: float}, optional
        Of pairs, as `bradley_terry` finds them; without it all are as good.
    careless : float
        The part of listeners who press anything.
    seed : int

    Returns
    -------
    list of dict
    """
    generator, found = np.random.default_rng(seed), []
    for number in range(listeners):
        sheet = plan.sheet(number)
        asleep = generator.random() < careless
        for trial in sheet.trials:
            asked, _ = sheet.key[trial["id"]]
            if asleep:
                answer = generator.choice(trial["choices"])
            else:
                answer = _heard(plan, asked, right, strengths or {}, generator)
            told = {"listener": f"made up {number}", "seconds": 5 + 3 * generator.random()}
            found.append(line(plan, sheet, trial["id"], str(answer), **told, plays=1))
    return found


def _heard(plan: Plan, asked, right, strengths, generator) -> str:
    """What somebody who listens answers."""
    clips = [plan.clips[k] for k in asked.clips]
    if asked.training:
        return asked.right
    if len(clips) == 2:
        one, other = (strengths.get(clip.condition, 0.0) for clip in clips)
        return FIRST if generator.random() < 1 / (1 + np.exp(other - one)) else SECOND
    known = right if isinstance(right, (int, float)) else right.get(clips[0].condition, 0.0)
    if generator.random() < known:
        return asked.right
    return str(generator.choice([word for word in plan.choices if word != asked.right]))
