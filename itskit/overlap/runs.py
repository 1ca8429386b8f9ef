"""What two prompts have in common: where the models of a run disagree, and whether a result is more
likely with its prompts than without. Neither needs a scorer that was trained for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from .. import lengths, recipes, schedule, views
from ..guidance import Guide, encode_prompt, estimate
from ..metrics import Scorer
from ..solvers import draw_noise
from ..trajectory import Trajectory


@dataclass(frozen=True, eq=False)
class Disagreement:
    """How far two guides of a run are from wanting the same.

    curve   (steps,) what each step adds
    map     (h, w) what each latent cell adds, over the whole run
    """

    curve: np.ndarray
    map: np.ndarray

    @property
    def total(self) -> float:
        """0 where the two always agree."""
        return float(self.curve.sum())


def disagreement(
    result: Trajectory, item: int = 0, guides: tuple[int, int] = (0, 1), weight: float = 0.5
) -> Disagreement:
    """The sum over a run of  w (1 - w) (delta / sigma) |eps1 - eps2|**2,  from its recorded noises.

    It is what rule "corrected" takes from log W (Skreta et al. 2025, arXiv 2503.02819): the mean of
    exp(-total) over many runs of the weighted mean by "ddpm" is the integral of q1**w q2**(1 - w),
    so that with w = 1/2 the total bounds the Bhattacharyya distance of the two prompted models. Of
    guided noises it is that of the guided models. Steps in which one of the two is silent, or whose
    noises were not saved, add nothing.
    """
    table = result.pair.image.alpha_bar if result.pair else schedule.stable_diffusion_alpha_bar()
    variance = [float((1 - table[step.t]) / table[step.t]) for step in result.steps] + [0.0]
    curve, total = [], torch.zeros(result.latent.shape[-2:], dtype=torch.float64)
    for k, step in enumerate(result.steps):
        one, other = (step.noises[g] if g < len(step.noises) else None for g in guides)
        if one is None or other is None:
            curve.append(0.0)
            continue
        rate = (1 - variance[k + 1] / variance[k]) / 2
        apart = (one[item] - other[item]).double().cpu()  # (C, h, w)
        added = weight * (1 - weight) * rate * (apart**2).sum(0)  # (h, w)
        curve.append(float(added.sum()))
        total += added
    return Disagreement(np.array(curve), total.numpy())


def lift(
    result: Trajectory, *, t: int = 930, draws: int = 4, seed: int = 0
) -> dict[str, np.ndarray]:
    """By how much each guide of the pair's own predicts noise better with its prompt than without,
    {name: (B,)}, a mean over the numbers of a latent: CompLift (Yu et al. 2025, arXiv 2505.13740).

    The result is noised to timestep `t`, `draws` times, with the same noise for both. An item is to
    be accepted where it is above 0 for every guide.
    """
    found = {}
    for entry in recipes.guides(result.recipe):
        if entry["model"] in recipes.ARGUMENTS and entry["prompt"]:
            found[entry["name"]] = _lift(result.latent, result, entry, t, draws, seed)
    return found


@torch.no_grad()
def _lift(latent: Tensor, result, entry: dict, t=930, draws=4, seed=0) -> np.ndarray:
    pair, recipe = result.pair, result.recipe
    modality = getattr(pair, entry["model"])
    prompt = encode_prompt(modality, recipes.words(entry))
    looks = lengths.windows_again(pair, modality, recipe, prompt.along)
    view = views.as_view(entry["view"])
    guide = Guide(modality, prompt, scale=1.0, view=view, windows=looks)
    gained = []
    for draw in range(draws):
        noise = draw_noise([seed], draw, latent[:1]).expand_as(latent)
        noisy = schedule.add_noise(latent, noise, modality.alpha_bar[t])
        said = estimate(guide, noisy, t, "empty")
        off = [((noise - one) ** 2).mean((1, 2, 3)) for one in (said.empty, said.cond)]
        gained.append(off[0] - off[1])  # (B,)
    return torch.stack(gained).mean(0).cpu().numpy()


def _agreement(result, item: int, _) -> float:
    return -disagreement(result, item).total


def _lift_of(name: str, result, item: int, prompt: str) -> float:
    entry = recipes.guide(result.recipe, name)
    if prompt != entry["prompt"]:
        entry = entry | {"prompt": prompt, "prompts": None}
    return float(_lift(result.latent[item][None], result, entry)[0])


# For `hunt` and `evaluate`: higher is better.
SCORERS = {
    "agreement": Scorer("image", _agreement),
    "image lift": Scorer("image", partial(_lift_of, "image")),
    "sound lift": Scorer("sound", partial(_lift_of, "sound")),
}
