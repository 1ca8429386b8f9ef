"""How often results are named rightly, by the pocket scorers and by independent judges.

For every pair of words and every seed: the picture model alone, the sound model alone, both
composed, and the imprint (the picture printed into the finished spectrogram; Chen et al. 2024,
section 4). Each result is named among the candidate words of the run. Real drawings and clips that
nothing was trained on are named in the same table: they bound what a judge can do.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from tqdm import tqdm

from ..baselines import print_into
from ..compose import compose
from ..models import pocket
from ..models.pocket.weights import FOLDER, weights_hash
from .canvas import fill_with_sound, place_drawing
from .data import mel_pictures, read_pictures, read_sounds
from .words import UNSEEN_PICTURES, UNSEEN_SOUNDS, pairs, picture_prompt, sound_prompt

RATES_ONE = (1,)


class Namer:
    """Names canvases among candidate words with one pocket scorer."""

    def __init__(self, scorer, modality, words):
        self.scorer, self.encode = scorer, modality.encode
        text = torch.cat([modality.encode_prompt(word)[:, 0] for word in words])  # (words, 384)
        self.text = F.normalize(text, dim=1)

    @torch.no_grad()
    def __call__(self, canvases):
        """(B, 1, H, W) → cosine to each word (B, words)."""
        return self.scorer(self.encode(canvases)) @ self.text.T


def results_of(pair, image_prompt, sound_prompt, seeds, **settings):
    """Canvases (seeds, 1, H, W) of the four ways of making them, as each modality decodes them."""
    both = compose(pair, image_prompt, sound_prompt, seeds=seeds, progress=False, **settings)
    image = compose(pair, image_prompt, None, seeds=seeds, progress=False, **settings)
    sound = compose(pair, None, sound_prompt, seeds=seeds, progress=False, **settings)
    decode = pair.image.decode
    out = {"image only": decode(image.latent), "sound only": decode(sound.latent)}
    out["composed"] = decode(both.latent)
    out["imprint"] = print_into(out["image only"], out["sound only"])
    return out


def interval(values) -> tuple[float, float]:
    """Mean, and half a 95% interval over prompts (each entry one prompt's mean over seeds)."""
    values = np.asarray(values, float)
    return float(values.mean()), float(1.96 * values.std(ddof=1) / len(values) ** 0.5)


def evaluate(folder, *, split="validation", seeds=8, judges=False, quick=False, **settings):
    """Rows of numbers and a few canvases to look at. `settings` go to compose."""
    pair, scorers = pocket.load(folder), pocket.load_scorers(folder)
    chosen = pairs(split)[:4] if quick else pairs(split)
    namers = {
        "image": Namer(scorers["image"], pair.image, [p for p, _, _ in chosen]),
        "sound": Namer(scorers["sound"], pair.sound, [w for _, _, w in chosen]),
    }
    asked = _judges(pair, chosen) if judges else {}
    right: dict[str, list] = {}
    sheet = []
    for k, (concept, _, words) in enumerate(tqdm(chosen, desc=f"{split} pairs", mininterval=5)):
        texts = picture_prompt(concept, split), sound_prompt(words, split)
        made = results_of(pair, *texts, list(range(seeds)), **settings)
        for way, canvases in made.items():
            hits = {m: (namers[m](canvases).argmax(1) == k).numpy() for m in namers}
            for name, judge in asked.items():
                hits[name] = judge(canvases, k)
            _note(right, way, hits)
        sheet.append((concept, words, (made["composed"][0, 0] * 255).byte().numpy()))
    return {name: interval(values) for name, values in right.items()}, sheet


def _note(right, way, hits):
    """Per prompt: the share of seeds named rightly; for results with both, also both at once."""
    for name, hit in hits.items():
        if (way == "image only" and "sound" in name) or (way == "sound only" and "image" in name):
            continue
        right.setdefault(f"{way}, {name}", []).append(hit.mean())
    if way in ("composed", "imprint"):
        for suffix in ("", " judge"):
            if "image" + suffix in hits:
                both = hits["image" + suffix] & hits["sound" + suffix]
                right.setdefault(f"{way}, joint{suffix}", []).append(both.mean())
                right.setdefault(f"{way}, joint{suffix}, best seed", []).append(both.any())


def _judges(pair, chosen):
    from .judges import named, picture_judge, sound_judge

    def encode(texts):
        return F.normalize(torch.cat([pair.image.encode_prompt(t)[:, 0] for t in texts]), dim=1)

    eye, ear = picture_judge(), sound_judge()
    concepts, words = [p for p, _, _ in chosen], [w for _, _, w in chosen]

    def see(canvases, k):
        found = np.stack([eye.probabilities(c[0].numpy()) for c in canvases])
        return np.array(named(found, eye.labels, concepts, encode).rank(concepts[k])) == 1

    def hear(canvases, k):
        sounds = [pair.sound.render(c) for c in canvases]
        found = np.stack([ear.probabilities(s.samples, s.rate) for s in sounds])
        return np.array(named(found, ear.labels, words, encode).rank(words[k])) == 1

    return {"image judge": see, "sound judge": hear}


def real_material(folder, data, *, split="validation", per_word=8, seed=0):
    """The scorers on held-out drawings and recordings, and on foreign clips (sounds_eval)."""
    pair, scorers = pocket.load(folder), pocket.load_scorers(folder)
    chosen, rng = pairs(split), np.random.default_rng(seed)
    images, records = read_pictures(data)
    look = Namer(scorers["image"], pair.image, [p for p, _, _ in chosen])
    listen = Namer(scorers["sound"], pair.sound, [w for _, _, w in chosen])
    right: dict[str, list] = {}
    for k, (concept, _, _) in enumerate(chosen):
        rows = [n for n, r in enumerate(records) if r["concept"] == concept and r["split"] == split]
        if rows:
            canvases = [place_drawing(rng, images[n]) for n in rng.choice(rows, per_word)]
            hit = look(torch.tensor(np.stack(canvases))[:, None]).argmax(1) == k
            right.setdefault("real drawings, image", []).append(hit.float().mean().item())
    for part in ("train", "eval"):
        wanted = split if part == "train" else "eval"
        name = "held-out recordings" if part == "train" else "foreign recordings"
        clips = [r for r in read_sounds(data, part) if r["split"] == wanted]
        for k, (_, kind, _) in enumerate(chosen):
            mine = [c for c in clips if c["class"] == kind][:per_word]
            if mine:
                canvases = [fill_with_sound(rng, mel_pictures(c, RATES_ONE)[0]) for c in mine]
                hit = listen(torch.tensor(np.stack(canvases))[:, None].float()).argmax(1) == k
                right.setdefault(f"{name}, sound", []).append(hit.float().mean().item())
    return {name: (*interval(v), len(v)) for name, v in right.items()}


def unseen_words(folder, split, *, seeds=4, **settings):
    """Words of no training caption: each result named among the known 40 (pictures, sounds)."""
    pair, scorers = pocket.load(folder), pocket.load_scorers(folder)
    chosen = pairs("test")
    pictures, classes = [p for p, _, _ in chosen], [c for _, c, _ in chosen]
    look = Namer(scorers["image"], pair.image, pictures)
    listen = Namer(scorers["sound"], pair.sound, [w for _, _, w in chosen])
    right: dict[str, list] = {"unseen words, image": [], "unseen words, sound": []}
    for word, concept in UNSEEN_PICTURES.items():
        made = compose(pair, word, None, seeds=range(seeds), progress=False, **settings)
        hit = look(pair.image.decode(made.latent)).argmax(1) == pictures.index(concept)
        right["unseen words, image"].append(hit.float().mean().item())
    for word, kind in UNSEEN_SOUNDS.items():
        made = compose(pair, None, word, seeds=range(seeds), progress=False, **settings)
        hit = listen(pair.sound.decode(made.latent)).argmax(1) == classes.index(kind)
        right["unseen words, sound"].append(hit.float().mean().item())
    return {name: interval(values) for name, values in right.items()}


def contact_sheet(sheet, path, columns=2):
    """Composed canvases under one another with their prompts, for a person to look at."""
    from PIL import Image, ImageDraw

    rows = -(-len(sheet) // columns)
    page = Image.new("L", (columns * 524, rows * 150), 40)
    draw = ImageDraw.Draw(page)
    for k, (concept, words, canvas) in enumerate(sheet):
        left, top = (k % columns) * 524 + 6, (k // columns) * 150 + 16
        draw.text((left, top - 13), f"{concept} / {words}", fill=255)
        page.paste(Image.fromarray(canvas), (left, top))
    page.save(path)


def main(args):
    folder = Path(args.weights or FOLDER)
    numbers, sheet = evaluate(
        folder, split=args.split, seeds=args.seeds, judges=args.judges, quick=args.quick
    )
    numbers |= unseen_words(folder, args.split, seeds=min(4, args.seeds)) if not args.quick else {}
    if (args.data / "pictures.jsonl").exists():
        numbers |= real_material(folder, args.data, split=args.split)
    for name, (mean, half, *_) in numbers.items():
        print(f"{name:42s} {mean:6.1%} ± {half:.1%}")
    report = {
        "split": args.split,
        "prompts": len(pairs(args.split)),
        "seeds": args.seeds,
        "weights": weights_hash(folder),
        "settings": pocket.DEFAULTS,
        "numbers": numbers,
    }
    (args.work / f"evaluation_{args.split}.json").write_text(json.dumps(report, indent=1) + "\n")
    contact_sheet(sheet, args.work / f"contact_{args.split}.png")
    print(f"wrote {args.work}/evaluation_{args.split}.json and contact_{args.split}.png")
