"""Models of points in a plane, known exactly: to see where a rule of composition lands.

A point is a latent of two channels and one cell, (2, 1, 1), so that guides, solvers and rules take
it as they take a canvas.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .guidance import Guide, encode_prompt
from .modality import Modality
from .sampling import init_latent, sample
from .schedule import stable_diffusion_alpha_bar


def bumps(words: dict[str, Sequence[tuple[float, float]]], spread: float = 0.4) -> Modality:
    """The perfect denoiser of points that lie around centres, with a Gaussian `spread`.

    Its noise estimate is E[noise | latent] in closed form: each centre's own, weighted by how
    likely it is that the point comes from there.

    Parameters
    ----------
    words : dict
        prompt -> its centres [(x, y), ...], all equally likely. "" is what no words mean; by
        default all centres.
    """
    centres = list(dict.fromkeys(c for several in words.values() for c in several))
    words = {"": centres, **words}
    places, alpha_bar = torch.tensor(centres), stable_diffusion_alpha_bar()  # (K, 2)

    def encode(text: str) -> Tensor:
        mine = torch.tensor([centre in words[text] for centre in centres])
        return mine.float().log().view(1, 1, -1)  # (1, 1, K): log shares

    def predict_noise(latent: Tensor, t: int, shares: Tensor) -> Tensor:
        a = alpha_bar[t]
        variance = a * spread**2 + 1 - a
        off = latent[:, None, :, 0, 0] - a**0.5 * places  # (N, K, 2)
        likely = torch.softmax(shares[:, 0] - (off**2).sum(2) / (2 * variance), 1)  # (N, K)
        noise = (1 - a) ** 0.5 / variance * (likely[..., None] * off).sum(1)  # (N, 2)
        return noise[..., None, None]

    nothing = {"encode": _no_picture, "decode": _no_picture, "render": _no_picture}
    return Modality(
        "plane", encode, predict_noise, **nothing, alpha_bar=alpha_bar, latent_shape=(2, 1, 1)
    )


def _no_picture(_):
    raise ValueError("a point in a plane is no picture: expected `itskit.plane.scatter`")


def guide(words: dict, prompt: str, negative: str = "", scale: float = 1.0, spread=0.4) -> Guide:
    """A voice over points: that of `bumps(words)` for a prompt."""
    model = bumps(words, spread)
    return Guide(model, encode_prompt(model, prompt, negative), scale=scale)


def land(*guides: Guide, rule="mean", seeds=range(400), num_inference_steps=60) -> Tensor:
    """Where the points of these seeds land (N, 2), by DDPM, since the rules' theorems are about
    steps that draw noise."""
    noise = init_latent(guides[0].modality, seeds)
    steps = sample(
        guides, noise, rule=rule, seeds=seeds, solver="ddpm",
        num_inference_steps=num_inference_steps, spacing="trailing",
    )  # fmt: skip
    *_, last = steps
    return last.latent[:, :, 0, 0]


def scatter(points: Tensor, title: str = "", ax=None):
    """The points (N, 2) on a square from -3 to 3; returns the axes."""
    import matplotlib.pyplot as plt

    ax = ax or plt.subplots(figsize=(3, 3))[1]
    ax.scatter(*points.T.tolist(), s=4, alpha=0.5, linewidths=0)
    ax.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal", title=title)
    return ax


def clouds(found: dict[str, Tensor]):
    """One `scatter` beside the other, {title: points}; returns their axes."""
    import matplotlib.pyplot as plt

    size = (3 * len(found), 3.2)
    _, axes = plt.subplots(1, len(found), figsize=size, layout="constrained", squeeze=False)
    for ax, (title, points) in zip(axes[0], found.items(), strict=True):
        scatter(points, title, ax)
    return axes[0]
