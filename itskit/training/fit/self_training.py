"""Compositions that came out right, for `finetune joint` to learn.

A pair composes what it was trained on, any two of it; what both scorers name rightly is accepted.
To learn from one's own best so is RAFT (Dong et al. 2023, arXiv 2304.06767).
"""

import json
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tqdm import tqdm

from ...composition import composed
from ...models import pocket
from ...writing import written
from ..dataset import material
from ..dataset.captions import picture_caption, sound_caption
from ..dataset.composites import read_accepted
from ..naming import likelihoods
from ..place import Place
from ..precision import in_half_precision

SEEDS = 2  # results for each two captions
SCALES = (0.6, 1.0)  # times the usual guidance scales; the weaker ones bleach less
OFTEN = 25  # pairs of captions until the file is written again


def accept_compositions(place: Place, *, budget, weights: Path = pocket.FOLDER, seed=0):
    """WORK/harvest_SEED.safetensors: latents (N, 4, 16, 64) and, as metadata, their pairs.

    By the package's weights, or those in the folder `weights`. `finetune joint` learns from each
    file that is there, so another `seed` may run beside this one, or with other weights.
    """
    pair = pocket.load(weights)
    pair = replace(pair, image=in_half_precision(pair.image), sound=in_half_precision(pair.sound))
    composites = material.composites_of(place, seed=seed)
    file = place.work / f"harvest_{seed}.safetensors"
    latents, pairs = read_accepted(file) if file.exists() else ([], [])
    rng = np.random.default_rng((seed, len(pairs)))  # not again what is there
    named = _namers(composites, pocket.load_scorers(weights), pair, rng)
    clock, before = budget.begin(), len(pairs)
    bar = tqdm(count(1), desc="self-training", mininterval=5)
    try:
        for step in bar:
            made, concept, kind = _composed(pair, composites, rng)
            canvases = pair.image.encode(pair.image.decode(made))  # as they are seen and heard
            right = named["image"](canvases, concept) & named["sound"](canvases, kind)
            latents += list(made[right].half())
            pairs += [(concept, kind)] * int(right.sum())
            bar.set_postfix_str(f"{len(pairs) - before} of {SEEDS * step}", refresh=False)
            if clock.progress(step) >= 1:
                break
            if step % OFTEN == 0:
                _write(file, latents, pairs)
    finally:  # Ctrl-C, too, keeps what there is
        _write(file, latents, pairs)


def _write(file, latents, pairs):
    if pairs:
        with written(file) as part:
            save_file({"latents": torch.stack(latents)}, part, {"pairs": json.dumps(pairs)})


def _composed(pair, composites, rng):
    """Latents (SEEDS, 4, 16, 64) of two captions that may be paired, their concept and class."""
    concept, clip = composites.compositor.match(rng, composites.excluded)
    share = rng.choice(SCALES)
    scales = {
        f"{name}_scale": share * pair.defaults[f"{name}_scale"] for name in ("image", "sound")
    }
    seen = picture_caption(rng, concept, row=rng.random() < 0.5)
    heard = sound_caption(rng, composites.clips[clip])
    seeds = rng.integers(2**31, size=SEEDS).tolist()
    made = composed(pair, seen, heard, seeds=seeds, **scales)
    return made.latent, concept, composites.clips[clip]["class"]


def _namers(composites, scorers, pair, rng):
    """{"image": (latents, concept) → which are named so (B,), "sound": (latents, class) → …}."""
    compositor = composites.compositor
    captions = {
        "image": {
            concept: [picture_caption(rng, concept, row=k % 2 == 0) for k in range(8)]
            for concept in compositor.drawings
        },
        "sound": {
            kind: [
                sound_caption(rng, composites.clips[compositor.clip(rng, kind)]) for _ in range(8)
            ]
            for kind in compositor.clips
        },
    }

    def texts(some):
        return torch.cat([pair.image.encode_prompt(text) for text in some])

    def namer(sense, scorer):
        labels = list(captions[sense])
        of = likelihoods(scorer, texts, captions[sense])
        return lambda latents, label: of(latents).argmax(1) == labels.index(label)

    return {sense: namer(sense, scorer) for sense, scorer in scorers.items()}
