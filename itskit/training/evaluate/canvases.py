"""`python -m itskit.training canvases`: are drawing and sound recognised on training canvases?

No model can do better than its canvases, and its autoencoder takes from these again. The
independent judge of sounds names held-out recordings as they are, on a canvas of their own, and
with a drawing printed into them; before and after the autoencoder in WORK (or the package's,
--from-shipped). A numbered sheet of the printed canvases is for people, who must name the drawings.
"""

import json

import numpy as np
import torch

from ...intervals import interval
from ...models import pocket
from ...models.pocket.networks import Autoencoder
from ...writing import written
from ..checkpoints import network
from ..dataset import material
from ..dataset.canvas import fill_with_sound, place_drawing, printed
from ..dataset.files import mel_pictures, read_clip, read_pictures, read_sounds
from ..dataset.held_out import pairs
from ..place import Place
from .judges import Ear
from .sheets import blind_sheet

EACH = 4  # recordings of a class


def judge_canvases(place: Place, *, split="validation", start="work"):
    """WORK/canvases_SPLIT.json: {row: (mean, half a 95% interval, classes)}, and the sheet."""
    net, pair = network(Autoencoder(), "vae", place.work, start), pocket.load()
    chosen = pairs(split)
    ear = Ear([words for _, _, words in chosen], _sentences(pair), pair.sound.render)
    images, records = read_pictures(place.data)
    drawings = material.grouped(material.rows_in(records, "train"), records, "concept")
    clips = read_sounds(place.data)
    held_out = material.grouped(
        [k for k, clip in enumerate(clips) if clip["split"] != "train"], clips, "class"
    )
    rows, sheet = {}, []
    for k, (concept, kind, words) in enumerate(chosen):
        mine = [clips[row] for row in held_out.get(kind, [])[:EACH]]
        if not mine:
            continue
        rng = np.random.default_rng(k)
        some = [images[row] for row in rng.choice(drawings[concept], 4)]
        made = _canvases(rng, mine, some)
        for name, hits in _answers(net, ear, mine, made, k).items():
            rows.setdefault(name, []).append(np.mean(hits))
        sheet.append((f"{concept} / {words}", (made["printed"][0] * 255).astype(np.uint8)))
    numbers = {name: (*interval(means), len(means)) for name, means in rows.items()}
    for name, (mean, half, n) in numbers.items():
        print(f"{name:32s} {mean:.1%} ± {half:.1%}  ({n} classes)")
    with written(place.work / f"canvases_{split}.json") as part:
        part.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    blind_sheet(sheet, place.work / f"canvases_{split}_blind.png")


def _canvases(rng, clips, images):
    """{"plain", "printed"}: canvases (128, 512) of each clip, alone and with a row of drawings."""
    plain = [fill_with_sound(rng, mel_pictures(clip, (1,))[0]) for clip in clips]
    row = np.concatenate([place_drawing(rng, image) for image in images], 1)
    return {"plain": plain, "printed": [printed(rng, row, sound) for sound in plain]}


@torch.no_grad()
def _answers(net, ear, clips, made, k):
    """{row: which of the clips are named as the k-th of the words}."""
    samples = [(read_clip(clip), pocket.POCKET_MEL.sr) for clip in clips]
    found = {"as recorded": ear.of_sounds(samples, k)}
    for name, canvases in made.items():
        canvases = torch.from_numpy(np.stack(canvases))[:, None].float()  # (n, 1, 128, 512)
        found[name] = ear(canvases, k)
        found[f"{name}, coded"] = ear(net.decode(net.encode(canvases)), k)
    return found


def _sentences(pair):
    def encode(texts):
        sentences = torch.cat([pair.image.encode_prompt(text)[:, 0] for text in texts])
        return torch.nn.functional.normalize(sentences, dim=1)

    return encode
