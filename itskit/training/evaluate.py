"""How often results are named rightly, and what else can be measured of them.

For every pair of words and every seed: the picture model alone, the sound model alone, both
composed, and the two alone printed into each other: the imprint (Chen et al. 2024, section 4) and
the strong imprint (`itskit.baselines.press_into`). Each result is named among the candidate words
of the split. Real drawings and clips that nothing was trained on are named in the same table: they
bound what a judge can do.

One question is one line in WORK/evaluation_SPLIT.jsonl, written when it is answered, so that a run
that was stopped goes on where it was, and several processes may share the questions (`--part 1/2`
and `--part 2/2`). Answers count for the same weights, settings, candidates and seeds only.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F
from tqdm import tqdm

from ..baselines import press_into, print_into
from ..baselines.printing import decibels_of, full_range
from ..compose import compose, whole
from ..intervals import interval, share_interval
from ..modality import Pair
from ..models import pocket
from ..models.pocket.weights import FOLDER, weights_hash
from ..writing import written
from . import measures
from .loop import half_precision
from .words import UNSEEN_PICTURES, UNSEEN_SOUNDS, pairs, picture_prompt, sound_prompt


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


@dataclass(frozen=True)
class Examination:
    """What is asked: a pair, candidate words, and those who name (canvases, k) → hits (B,)."""

    pair: Pair
    split: str
    scorers: dict[str, torch.nn.Module]
    namers: dict[str, Callable]
    seeds: int
    settings: dict = field(default_factory=dict)
    bank: Path | None = None  # the folder of the training latents, to find the nearest in
    brief: bool = False  # how pictures alone and composed results are named, and nothing else

    @property
    def chosen(self):
        return pairs(self.split)

    def make(self, image_prompt, sound_prompt):
        """Canvases (seeds, 1, H, W) in [0, 1]."""
        seeds = list(range(self.seeds))
        made = compose(
            self.pair, image_prompt, sound_prompt, seeds=seeds, progress=False, **self.settings
        )
        return self.pair.image.decode(whole(made).latent)

    def named(self, name, canvases, k):
        """Hits (B,) of one who names, and of the judge of the same sense if there is one."""
        return {who: ask(canvases, k) for who, ask in self.namers.items() if who.split()[0] == name}


def in_half_precision(modality):
    """The same modality, its U-Net in bfloat16 where the machine multiplies in it."""

    def predict_noise(*given):
        with half_precision():
            return modality.predict_noise(*given).float()

    return replace(modality, predict_noise=predict_noise)


def examination(
    folder, split, seeds, *, judges=False, bank=None, half=False, brief=False, **settings
) -> Examination:
    pair, scorers = pocket.load(folder), pocket.load_scorers(folder)
    if half:
        image, sound = in_half_precision(pair.image), in_half_precision(pair.sound)
        pair = replace(pair, image=image, sound=sound)
    words = {"image": [p for p, _, _ in pairs(split)], "sound": [w for _, _, w in pairs(split)]}

    def by_scorer(name):
        namer = Namer(scorers[name], getattr(pair, name), words[name])
        return lambda canvases, k: (namer(canvases).argmax(1) == k).numpy()

    namers = {name: by_scorer(name) for name in words}
    if judges:
        from .judges import pocket_judges

        namers |= pocket_judges(pair, words["image"], words["sound"])
    return Examination(pair, split, scorers, namers, seeds, settings, bank, brief)


# ---- questions: each answers {row: one number for each result} -----------------------------------


def ask_pair(exam: Examination, k: int):
    """The four ways of making one pair of prompts, and the composed canvases to look at."""
    concept, _, words = exam.chosen[k]
    picture, sound = picture_prompt(concept, exam.split), sound_prompt(words, exam.split)
    made = {"image only": exam.make(picture, None), "composed": exam.make(picture, sound)}
    if not exam.brief:
        made["sound only"] = exam.make(None, sound)
        made |= imprints(made["image only"], made["sound only"], decibels_of(exam.pair))
    rows: dict[str, np.ndarray] = {}
    for way, canvases in made.items():
        senses = {"image only": ["image"], "sound only": ["sound"]}.get(way, ["image", "sound"])
        hits = [exam.named(sense, canvases, k) for sense in senses]
        rows |= {f"{way}, {who}": hit for found in hits for who, hit in found.items()}
        if len(senses) == 2:
            rows |= joint(way, *hits)
        if "imprint" not in way and not exam.brief:
            measured = measures.all_of(exam, canvases, senses[0])
            rows |= {f"{way}, {what}": values for what, values in measured.items()}
    return rows, made["composed"]


def imprints(pictures, sounds, decibels):
    """Both ways to print pictures into sounds, canvases (B, 1, H, W) each."""
    strong = press_into(full_range(pictures), sounds, decibels)
    return {"imprint": print_into(pictures, sounds), "strong imprint": strong}


def joint(way, seen, heard):
    """Both right at once, by the pocket scorers and by the judges; and for at least one seed."""
    rows = {}
    for suffix in ("", " judge"):
        if "image" + suffix in seen and "sound" + suffix in heard:
            both = seen["image" + suffix] & heard["sound" + suffix]
            rows[f"{way}, joint{suffix}"] = both
            rows[f"{way}, joint{suffix}, best seed"] = both.any(keepdims=True)
    return rows


def ask_unseen(exam: Examination, sense: str, word: str):
    """A word of no training caption: its results named among the known ones."""
    concepts, kinds, _ = zip(*exam.chosen, strict=True)
    known = (UNSEEN_PICTURES if sense == "image" else UNSEEN_SOUNDS)[word]
    k = (concepts if sense == "image" else kinds).index(known)
    canvases = exam.make(*((word, None) if sense == "image" else (None, word)))
    hits = exam.named(sense, canvases, k)
    return {f"unseen words, {who}": hit for who, hit in hits.items()}, None


def questions(exam: Examination, data: Path | None) -> dict[str, Callable]:
    """All questions by name, in the order in which they are asked."""
    found: dict[str, Callable] = {}
    for k, (concept, _, words) in enumerate(exam.chosen):
        found[f"{concept} / {words}"] = partial(ask_pair, exam, k)
    if exam.brief:
        return found
    if exam.split == "test":  # the unseen words stand for words of this split
        for sense, words in (("image", UNSEEN_PICTURES), ("sound", UNSEEN_SOUNDS)):
            for word in words:
                found[f"unseen {sense}: {word}"] = partial(ask_unseen, exam, sense, word)
    if data is not None:
        found |= {
            name: partial(measures.ask_real, exam, material, k)
            for name, material, k in measures.real_material(data, exam.split, exam.chosen)
        }
    return found


# ---- the run -------------------------------------------------------------------------------------


def answers(path, asked: str) -> dict[str, dict]:
    """What the file already knows of this examination: question → rows."""
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {line["question"]: line["rows"] for line in lines if line["asked"] == asked}


def run(todo: dict[str, Callable], path: Path, asked: str, part=(1, 1)) -> dict[str, dict]:
    """Ask what is not yet answered of this part of the questions; returns all answers there are.

    Composed canvases lie as PNG, seeds under one another, in a folder beside `path`.
    """
    known, (mine, parts) = answers(path, asked), part
    left = [q for q in list(todo)[mine - 1 :: parts] if q not in known]
    folder = path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    for question in tqdm(left, desc=path.stem, mininterval=5):
        rows, canvases = todo[question]()
        if canvases is not None:
            stack = (canvases.reshape(-1, canvases.shape[-1]) * 255).round().byte().numpy()
            Image.fromarray(stack).save(folder / f"{list(todo).index(question):02d}.png")
        rows = {row: np.asarray(values, float).tolist() for row, values in rows.items()}
        line = json.dumps({"asked": asked, "question": question, "rows": rows})
        with open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")
    return answers(path, asked)


def over_prompts(row: str, values) -> tuple[float, float, float, int]:
    """Mean, both ends of its 95% interval, and how many prompts: each value is a prompt's mean.

    Student's t; where every prompt is a plain hit or miss, Wilson's for a share.
    """
    n = len(values)
    mean, half = interval(values)
    if n > 1 and not _has_unit(row) and set(values) <= {0, 1}:
        return mean, *share_interval(int(sum(values)), n), n
    return mean, mean - half, mean + half, n


def summary(known: dict[str, dict]) -> dict[str, tuple]:
    """Rows of the table: (mean, both ends of its 95% interval over prompts, prompts)."""
    rows: dict[str, list] = {}
    for answer in known.values():
        for row, values in answer.items():
            rows.setdefault(row, []).append(np.mean(values))
    return {row: over_prompts(row, values) for row, values in rows.items()}


def _has_unit(row: str) -> bool:
    return any(row.endswith(end) for end in measures.UNITS)


def as_text(row: str, mean: float, low: float, high: float) -> tuple[str, str]:
    """Hits in per cent, everything else as the number it is; "±" where both sides are alike."""
    form = ".2f" if _has_unit(row) else ".1%"
    if mean - low > 0 and not np.isclose(high - mean, mean - low):
        return f"{mean:{form}}", f"{low:{form}} to {high:{form}}"
    return f"{mean:{form}}", f"± {mean - low:{form}}"


def contact_sheet(sheet, path, columns=4, size=(256, 64)):
    """Composed canvases (H, W) with their prompts under one another, for a person to look at."""
    from PIL import ImageDraw

    wide, high = size[0] + 10, size[1] + 18
    page = Image.new("L", (columns * wide, -(-len(sheet) // columns) * high), 40)
    draw = ImageDraw.Draw(page)
    for k, (words, canvas) in enumerate(sheet):
        left, top = (k % columns) * wide + 5, (k // columns) * high + 15
        draw.text((left, top - 13), words, fill=255)
        page.paste(Image.fromarray(canvas).resize(size, Image.Resampling.LANCZOS), (left, top))
    with written(path) as part:
        page.save(part)


def blind_sheet(sheet, path, seed=0):
    """The canvases in random order under numbers, for a person who must name them; beside it, in
    JSON, what each number was asked to be."""
    order = np.random.default_rng(seed).permutation(len(sheet))
    numbered = {f"#{n}": sheet[k] for n, k in enumerate(order, 1)}
    contact_sheet([(n, canvas) for n, (_, canvas) in numbered.items()], path, 3, (512, 128))
    words = {n: words for n, (words, _) in numbered.items()}
    with written(path.with_suffix(".json")) as part:
        part.write_text(json.dumps(words, indent=1) + "\n", encoding="utf-8")


def first_seeds(todo, folder, count=64):
    """(words, canvas) of the first seed of every pair, then of the second, up to `count`."""
    sheets = {q: folder / f"{k:02d}.png" for k, q in enumerate(todo)}
    stacks = {q: np.asarray(Image.open(file)) for q, file in sheets.items() if file.exists()}
    seeds = max((len(stack) // pocket.HEIGHT for stack in stacks.values()), default=0)
    every = [
        (question, stack[seed * pocket.HEIGHT : (seed + 1) * pocket.HEIGHT])
        for seed in range(seeds)
        for question, stack in stacks.items()
    ]
    return every[:count]


def main(args):
    folder, path = Path(args.weights or FOLDER), args.work / f"evaluation_{args.split}.jsonl"
    bank = args.work if (args.work / "image_train.safetensors").exists() else None
    data = args.data if (args.data / "pictures.jsonl").exists() else None
    exam = examination(
        folder, args.split, args.seeds,
        judges=args.judges, bank=bank, half=args.half, brief=args.brief,
    )  # fmt: skip
    todo = questions(exam, data)
    if args.quick:
        todo = dict(list(todo.items())[:2])
    described = {"weights": weights_hash(folder), "settings": pocket.DEFAULTS, "seeds": args.seeds}
    described |= {"split": args.split, "prompts": len(exam.chosen)}  # the candidates
    described |= {"judges": args.judges, "bank": bank is not None, "half": args.half}
    described |= {"brief": args.brief}
    known = run(todo, path, json.dumps(described, sort_keys=True), args.part)
    missing = [question for question in todo if question not in known]
    if missing:
        print(f"{len(missing)} of {len(todo)} questions are for the other parts to answer")
        return
    numbers = summary({question: known[question] for question in todo})
    for row, (*found, n) in numbers.items():
        print(f"{row:42s} {' '.join(as_text(row, *found))}  ({n} prompts)")
    report = {**described, "numbers": numbers}
    with written(path.with_suffix(".json")) as part:
        part.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    made, sheet = path.with_suffix(""), args.work / f"contact_{args.split}.png"
    contact_sheet(first_seeds(todo, made), sheet)
    blind = sheet.with_name(f"blind_{args.split}.png")
    blind_sheet(first_seeds(todo, made, len(exam.chosen)), blind)
    print(f"wrote {path.with_suffix('.json')}, {sheet} and {blind}")
