"""`python -m itskit.training harvest`: compositions that came out right, for `together` to learn.

A pair composes what it was trained on, any two of it; what both scorers name rightly is kept. To
learn from one's own best so is RAFT (Dong et al. 2023, arXiv 2304.06767).
"""

import json
from dataclasses import replace
from itertools import count

import numpy as np
import torch
from safetensors.torch import save_file
from tqdm import tqdm

from ..compose import compose, whole
from ..models import pocket
from ..writing import written
from . import material
from .captions import picture_caption, sound_caption
from .evaluate import in_half_precision
from .loom import read_harvest
from .loop import Budget
from .scorers import likelihoods

SEEDS = 2  # results for each two captions
SHARES = (0.6, 1.0)  # of the usual guidance; the weaker one bleaches less
OFTEN = 25  # pairs of captions until the file is written again


def main(args):
    """WORK/harvest_SEED.safetensors: latents (N, 4, 16, 64) and, as metadata, their pairs.

    By the package's weights, or those in the folder --weights. `together` learns from each file
    that is there, so another --seed may harvest beside this one, or with other weights.
    """
    pair = pocket.load(args.weights or pocket.FOLDER)
    pair = replace(pair, image=in_half_precision(pair.image), sound=in_half_precision(pair.sound))
    loom, file = material.loom_of(args), args.work / f"harvest_{args.seed}.safetensors"
    latents, pairs = read_harvest(file) if file.exists() else ([], [])
    rng = np.random.default_rng((args.seed, len(pairs)))  # not again what is there
    named = _namers(loom, args.weights or pocket.FOLDER, pair, rng)
    budget, found = Budget(args.steps, args.minutes), len(pairs)
    bar = tqdm(count(1), desc="harvest", mininterval=5)
    try:
        for step in bar:
            made, concept, kind = _composed(pair, loom, rng)
            canvases = pair.image.encode(pair.image.decode(made))  # as they are seen and heard
            right = named["image"](canvases, concept) & named["sound"](canvases, kind)
            latents += list(made[right].half())
            pairs += [(concept, kind)] * int(right.sum())
            bar.set_postfix_str(f"{len(pairs) - found} of {SEEDS * step}", refresh=False)
            if budget.progress(step) >= 1:
                break
            if step % OFTEN == 0:
                _write(file, latents, pairs)
    finally:  # Ctrl-C, too, keeps what there is
        _write(file, latents, pairs)


def _write(file, latents, pairs):
    if pairs:
        with written(file) as part:
            save_file({"latents": torch.stack(latents)}, part, {"pairs": json.dumps(pairs)})


def _composed(pair, loom, rng):
    """Latents (SEEDS, 4, 16, 64) of two captions that may be paired, their concept and class."""
    concept, clip = loom.ground.match(rng, loom.excluded)
    share = rng.choice(SHARES)
    scales = {
        f"{name}_scale": share * pair.defaults[f"{name}_scale"] for name in ("image", "sound")
    }
    seen = picture_caption(rng, concept, row=rng.random() < 0.5)
    heard = sound_caption(rng, loom.clips[clip])
    seeds = rng.integers(2**31, size=SEEDS).tolist()
    made = whole(compose(pair, seen, heard, seeds=seeds, progress=False, **scales))
    return made.latent, concept, loom.clips[clip]["class"]


def _namers(loom, folder, pair, rng):
    """{"image": (latents, concept) → which are named so (B,), "sound": (latents, class) → …}."""
    ground = loom.ground
    captions = {
        "image": {
            c: [picture_caption(rng, c, row=k % 2 == 0) for k in range(8)] for c in ground.drawings
        },
        "sound": {
            kind: [sound_caption(rng, loom.clips[ground.clip(rng, kind)]) for _ in range(8)]
            for kind in ground.clips
        },
    }

    def namer(name, scorer):
        labels = list(captions[name])
        log_probabilities = likelihoods(
            scorer,
            lambda texts: torch.cat([pair.image.encode_prompt(t) for t in texts]),
            captions[name],
        )
        return lambda latents, label: log_probabilities(latents).argmax(1) == labels.index(label)

    return {name: namer(name, scorer) for name, scorer in pocket.load_scorers(folder).items()}
