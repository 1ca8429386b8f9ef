"""How much better U-Nets in training predict v than the package's do, at each step of a run.

Both see the same composites of validation material with the same noise, so that a few minutes of
training already show; hits in `evaluate` are far too coarse for that.
"""

import numpy as np
import torch
from tqdm import tqdm

from ...intervals import interval
from ...models.pocket import DEFAULTS, TILE
from ...models.pocket.networks import UNETS, Autoencoder
from ...schedule import add_noise, stable_diffusion_alpha_bar
from ...schedule import timesteps as timesteps_of
from ..checkpoints import network, shipped_texts
from ..dataset import material
from ..dataset.captions import picture_caption, sound_caption
from ..dataset.compositor import Compositor
from ..dataset.files import read_pictures
from ..fit.finetune import composed_errors
from ..fit.unet import velocity
from ..place import Place


def compare_losses(place: Place, *, canvases=192, seed=0, start="work"):
    """Prints the losses of WORK's U-Nets and of the package's; `start` is whose autoencoder encodes
    the canvases."""
    latents, captions = _unseen_composites(place, canvases, seed, start)
    texts = shipped_texts()
    words, empty = [texts(some) for some in captions], texts([""])
    timesteps = timesteps_of(DEFAULTS["num_inference_steps"], DEFAULTS["spacing"])
    found = []
    for whose in ("shipped", "work"):
        nets = {name: network(make(), f"{name}_unet", place.work, whose)
                for name, make in UNETS.items()}  # fmt: skip
        calls = [velocity(nets["image"], tile=TILE), velocity(nets["sound"])]
        found.append(losses_by_timestep(calls, latents, words, empty, timesteps, seed))  # (T, 3, N)
    print(table_of_losses(*found, timesteps))


def _unseen_composites(place, count, seed, start):
    """Latents (N, 4, 16, 64) of composites of validation material, and their captions, of what is
    seen and of what is heard."""
    images, records = read_pictures(place.data)
    mels, sounds = material.prepared_sounds(place)
    drawn = material.core_drawings(records, "validation")
    heard = material.core_clips(sounds, "validation")
    if not drawn or not heard:
        raise ValueError(
            f"{place.data} holds drawings of {len(drawn)} concepts and clips of {len(heard)} "
            "classes for validation: expected some of each; a twentieth of a set is, so name a "
            "larger one"
        )
    compositor = Compositor(images, drawn, mels, heard)
    rng = np.random.default_rng(seed)
    canvases, concepts, clips = zip(*(compositor.pair(rng) for _ in range(count)), strict=True)
    vae = network(Autoencoder(), "vae", place.work, start)
    with torch.no_grad():
        latents = vae.encode(torch.from_numpy(np.stack(canvases)[:, None]).float())
    seen = [picture_caption(rng, concept, row=True) for concept in concepts]
    return latents, (seen, [sound_caption(rng, sounds[k]) for k in clips])


@torch.no_grad()
def losses_by_timestep(calls, latents, texts, empty, timesteps, seed=0):
    """(T, 3, N): the mean squared errors of v, (composed, image, sound), for each of the latents at
    each of the timesteps. Noise is the same for all, so differences are exact."""
    generator = torch.Generator().manual_seed(seed)
    alpha_bar, rows = stable_diffusion_alpha_bar(), []
    for t in tqdm(timesteps, desc="timesteps", mininterval=5):
        noise, a = torch.randn(latents.shape, generator=generator), alpha_bar[t]
        noisy = add_noise(latents, noise, a)
        target = a.sqrt() * noise - (1 - a).sqrt() * latents
        parts = zip(*(x.split(32) for x in (noisy, target, *texts)), strict=True)
        errors = [
            torch.stack(composed_errors(calls, x, t.expand(len(x)), prompts, empty, v))
            for x, v, *prompts in parts
        ]  # each (3, n, 4, 16, 64)
        rows.append(torch.cat(errors, 1).mean((2, 3, 4)))
    return torch.stack(rows)


def table_of_losses(before, after, timesteps) -> str:
    """Losses (T, 3, N) of two pairs of U-Nets in words: means, and the mean difference of the
    composed ones with half a 95% interval over canvases."""
    lines = ["t " + " " * 24 + "  ".join(f"{int(t):7d}" for t in timesteps)]
    for k, name in enumerate(("composed", "picture", "sound")):
        for whose, errors in (("package", before), ("work", after)):
            means = "  ".join(f"{float(x):7.4f}" for x in errors[:, k].mean(1))
            lines.append(f"{name + ', ' + whose:26s}{means}")
    change = after[:, 0] - before[:, 0]  # (T, N)
    each = [interval(x.numpy()) for x in (*change, change.mean(0))]
    lines.append(
        f"{'composed, difference':26s}" + "  ".join(f"{mean:+7.4f}" for mean, _ in each[:-1])
    )
    lines.append(f"{'':26s}" + "  ".join(f"±{half:6.4f}" for _, half in each[:-1]))
    lines.append("over all timesteps: {:+.4f} ± {:.4f}".format(*each[-1]))
    return "\n".join(lines)
