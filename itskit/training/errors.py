"""How much better U-Nets in training predict v than the package's do, at each step of a run.

On canvases woven of validation material, with all that chance decides the same for both, so that a
few minutes of training can be told apart, which hits in `evaluate` never can.
"""

import argparse

import numpy as np
import torch
from tqdm import tqdm

from ..intervals import interval
from ..models.pocket import DEFAULTS, TILE
from ..models.pocket.networks import UNETS, Autoencoder
from ..schedule import add_noise, stable_diffusion_alpha_bar
from ..schedule import timesteps as timesteps_of
from . import material, stages
from .bank import Ground
from .captions import CORE, CORE_SOUNDS, picture_caption, sound_caption
from .data import read_pictures
from .unet import composed_errors


def main(args):
    latents, captions = _unseen_canvases(args, args.batch or 192)
    texts = stages.text_bank()
    words, empty = [texts(some) for some in captions], texts([""])
    timesteps = timesteps_of(DEFAULTS["num_inference_steps"], DEFAULTS["spacing"])
    found = {}
    for whose in ("package", "work"):
        asked = {"from_shipped": whose == "package", "device": "cpu"}
        of = argparse.Namespace(**{**vars(args), **asked})
        nets = [stages.trained(UNETS[name](), f"{name}_unet", of) for name in UNETS]
        calls = [stages.call_of(nets[0], of, TILE), stages.call_of(nets[1], of)]
        found[whose] = errors_by_timestep(
            calls, latents, words, empty, timesteps, args.seed
        )  # (T, 3, N)
    print(table_of_errors(found["package"], found["work"], timesteps))


def _unseen_canvases(args, count):
    """Latents (N, 4, 16, 64) of woven validation material, and its captions, seen and heard."""
    images, records = read_pictures(args.data)
    mels, sounds = material.prepared_sounds(args)
    drawn = [k for k in material.rows_in(records, "validation") if records[k]["concept"] in CORE]
    heard = [k for k in material.rows_in(sounds, "validation") if sounds[k]["class"] in CORE_SOUNDS]
    if not drawn or not heard:
        raise ValueError(
            f"{args.data} holds {len(drawn)} drawings and {len(heard)} clips for validation: "
            "expected some of each; a twentieth of a set is, so name a larger one"
        )
    ground = Ground(
        images,
        material.grouped(drawn, records, "concept"),
        mels,
        material.grouped(heard, sounds, "class"),
    )
    rng = np.random.default_rng(args.seed)
    canvases, concepts, clips = zip(*(ground.pair(rng) for _ in range(count)), strict=True)
    coder = stages.trained(Autoencoder(), "vae", args)
    with torch.no_grad():
        latents = coder.encode(torch.from_numpy(np.stack(canvases)[:, None]).float())
    seen = [picture_caption(rng, concept, row=True) for concept in concepts]
    return latents, (seen, [sound_caption(rng, sounds[k]) for k in clips])


@torch.no_grad()
def errors_by_timestep(calls, latents, texts, empty, timesteps, seed=0):
    """(T, 3, N): the mean squared errors of v, (composed, image, sound), for each of the latents at
    each of the timesteps. Noise is the same for all who are asked, so differences are exact."""
    generator = torch.Generator().manual_seed(seed)
    alpha_bar, rows = stable_diffusion_alpha_bar(), []
    for t in tqdm(timesteps, desc="timesteps", mininterval=5):
        noise, a = torch.randn(latents.shape, generator=generator), alpha_bar[t]
        noisy = add_noise(latents, noise, a)
        target = a.sqrt() * noise - (1 - a).sqrt() * latents
        parts = zip(*(x.split(32) for x in (noisy, target, *texts)), strict=True)
        errors = [
            torch.stack(composed_errors(calls, x, t.expand(len(x)), told, empty, v))
            for x, v, *told in parts
        ]  # each (3, n, 4, 16, 64)
        rows.append(torch.cat(errors, 1).mean((2, 3, 4)))
    return torch.stack(rows)


def table_of_errors(before, after, timesteps) -> str:
    """Errors (T, 3, N) of two pairs of U-Nets in words: means, and the mean difference of the
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
