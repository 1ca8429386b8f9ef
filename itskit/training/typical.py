"""`python -m itskit.training curate`: which drawings and clips of each thing are typical of it."""

import json

import numpy as np
import torch
from tqdm import tqdm

from ..models.pocket.networks import Autoencoder, Scorer
from ..writing import written
from . import curate, material, stages
from .canvas import printed
from .captions import picture_caption, sound_caption
from .data import read_pictures
from .scorers import likelihoods as likelihoods_of


def main(args):
    """Few typical drawings of each core concept, turned the same way, and few typical clips of each
    core class → WORK/typical.json: {"drawings": {concept: [[row, whether to mirror it], …]},
    "clips": {class: [row, …]}}."""
    net, texts = stages.trained(Autoencoder(), "vae", args), stages.text_bank()
    images, records = read_pictures(args.data)
    rows = material.core_drawings(records)
    rng = np.random.default_rng(args.seed)
    captions = {c: [picture_caption(rng, c, row=k % 2 == 0) for k in range(8)] for c in rows}
    scorer = stages.trained(Scorer(), "image_scorer", args)
    named, labels = likelihoods_of(scorer, texts, captions), list(rows)

    @torch.no_grad()
    def likelihoods(row):
        canvas = curate.centred(np.random.default_rng(0), images[row])  # (128, 128)
        latents = net.encode(
            torch.from_numpy(np.stack([canvas, curate.silhouette(canvas)])[:, None])
        )
        return named(latents)[:, labels.index(records[row]["concept"])].tolist()

    chosen = {
        c: curate.typical(some, images, records, likelihoods) for c, some in tqdm(rows.items())
    }
    chosen |= {c: chosen[other] for c, other in curate.SHOWN_AS.items() if other in chosen}
    heard = _typical_clips(args, net, texts, images, records)
    with written(args.work / "typical.json") as part:
        part.write_text(json.dumps({"drawings": chosen, "clips": heard}), encoding="utf-8")
    print(f"{sum(map(len, chosen.values()))} drawings of {len(chosen)} concepts")
    print(f"{sum(map(len, heard.values()))} clips of {len(heard)} classes")


def _typical_clips(args, net, texts, images, records):
    """{class: the rows of its clips that are alike and that a scorer names through a drawing}."""
    mels, sounds = material.prepared_sounds(args)
    ground = material.ground_of(images, records, mels, sounds)
    rng = np.random.default_rng(args.seed)
    captions = {
        kind: [sound_caption(rng, sounds[rng.choice(rows)]) for _ in range(8)]
        for kind, rows in ground.clips.items()
    }
    scorer = stages.trained(Scorer(), "sound_scorer", args)
    named, labels = likelihoods_of(scorer, texts, captions), list(captions)

    @torch.no_grad()
    def likelihood(row):
        some = [printed(rng, ground.drawing(rng), ground.played(rng, row)) for _ in range(6)]
        latents = net.encode(torch.from_numpy(np.stack(some)[:, None]).float())
        return float(named(latents)[:, labels.index(sounds[row]["class"])].mean())

    def texture(row):
        return np.mean([curate.texture_of(ground.played(rng, row)) for _ in range(3)], 0)

    textures = {k: texture(k) for rows in ground.clips.values() for k in rows}
    usual = np.mean(list(textures.values()), 0)

    def chosen(rows):
        places = curate.typical_clips(
            np.stack([textures[k] for k in rows]) - usual, [likelihood(k) for k in rows]
        )
        return [rows[k] for k in places]

    right = {
        kind: [k for k in rows if curate.sounds_right(sounds[k])] or rows
        for kind, rows in ground.clips.items()
    }
    return {kind: chosen(rows) for kind, rows in tqdm(right.items())}
