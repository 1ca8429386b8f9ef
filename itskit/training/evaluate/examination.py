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
from tqdm import tqdm

from ...baselines import press_into, print_into
from ...baselines.printing import decibels_of, full_range
from ...composition import composed
from ...modality import Pair
from ...models import pocket
from ...models.pocket.weights import FOLDER, weights_hash
from ...writing import append_line, read_lines, written
from ..dataset.held_out import (
    UNSEEN_PICTURES,
    UNSEEN_SOUNDS,
    pairs,
    picture_prompt,
    sound_prompt,
)
from ..naming import Namer
from ..place import Place
from ..precision import in_half_precision
from . import measures
from .sheets import blind_sheet, contact_sheet, first_seeds
from .summary import as_text, summary


@dataclass(frozen=True)
class Examination:
    """What is asked: a pair, candidate words, and those who name (canvases, k) → hits (B,)."""

    pair: Pair
    split: str
    scorers: dict[str, torch.nn.Module]
    namers: dict[str, Callable]
    seeds: int
    settings: dict = field(default_factory=dict)
    cache: Path | None = None  # the folder of the training latents, to find the nearest in
    brief: bool = False  # how pictures alone and composed results are named, and nothing else

    @property
    def chosen(self):
        return pairs(self.split)

    def make(self, image_prompt, sound_prompt):
        """Canvases (seeds, 1, H, W) in [0, 1]."""
        seeds = list(range(self.seeds))
        made = composed(self.pair, image_prompt, sound_prompt, seeds=seeds, **self.settings)
        return self.pair.image.decode(made.latent)

    def named(self, name, canvases, k):
        """Hits (B,) of one who names, and of the judge of the same sense if there is one."""
        return {who: ask(canvases, k) for who, ask in self.namers.items() if who.split()[0] == name}


def examination(
    folder, split, seeds, *, judges=False, cache=None, half=False, brief=False, **settings
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
    return Examination(pair, split, scorers, namers, seeds, settings, cache, brief)


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
    lines = [line for line in read_lines(path) if line.get("asked") == asked]
    return {line["question"]: line["rows"] for line in lines}


def run(todo: dict[str, Callable], path: Path, asked: str, part=(1, 1)) -> dict[str, dict]:
    """Ask what is not yet answered of this part of the questions; returns all answers there are.

    Composed canvases lie as PNG, seeds under one another, in a folder beside `path`.
    """
    known, (mine, parts) = answers(path, asked), part
    left = [q for q in list(todo)[mine - 1 :: parts] if q not in known]
    folder = path.with_suffix("")
    for question in tqdm(left, desc=path.stem, mininterval=5):
        rows, canvases = todo[question]()
        if canvases is not None:
            stack = (canvases.reshape(-1, canvases.shape[-1]) * 255).round().byte().numpy()
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(stack).save(folder / f"{list(todo).index(question):02d}.png")
        rows = {row: np.asarray(values, float).tolist() for row, values in rows.items()}
        append_line(path, {"asked": asked, "question": question, "rows": rows})
    return answers(path, asked)


def evaluate(
    place: Place, *, weights: Path = FOLDER, split="validation", seeds=8, judges=False, half=False,
    brief=False, part=(1, 1), quick=False,
):  # fmt: skip
    """WORK/evaluation_SPLIT.json, and sheets to look at: how often results are named rightly.

    `judges` asks the independent ones, too; `brief` only how pictures alone and composed results
    are named; `half` has the U-Nets in bfloat16; `part` (1, 2) and (2, 2) are for two processes;
    `quick` asks two questions.
    """
    path = place.work / f"evaluation_{split}.jsonl"
    cache = place.work if (place.work / "image_train.safetensors").exists() else None
    data = place.data if (place.data / "pictures.jsonl").exists() else None
    exam = examination(weights, split, seeds, judges=judges, cache=cache, half=half, brief=brief)
    todo = questions(exam, data)
    if quick:
        todo = dict(list(todo.items())[:2])
    asked = {
        "weights": weights_hash(weights), "settings": pocket.DEFAULTS, "seeds": seeds,
        "split": split, "prompts": len(exam.chosen),  # the candidates
        "judges": judges, "cache": cache is not None, "half": half, "brief": brief,
    }  # fmt: skip
    known = run(todo, path, json.dumps(asked, sort_keys=True), part)
    if missing := [question for question in todo if question not in known]:
        print(f"{len(missing)} of {len(todo)} questions are for the other parts to answer")
        return
    report(path, asked, {question: known[question] for question in todo})
    made = path.with_suffix("")
    contact_sheet(first_seeds(todo, made), place.work / f"contact_{split}.png")
    blind_sheet(first_seeds(todo, made, len(exam.chosen)), place.work / f"blind_{split}.png")
    print(f"wrote {path.with_suffix('.json')}, contact_{split}.png and blind_{split}.png")


def report(path, asked: dict, known: dict):
    """The summary as text, and with what was asked as JSON."""
    numbers = summary(known)
    for row, (*found, n) in numbers.items():
        print(f"{row:42s} {' '.join(as_text(row, *found))}  ({n} prompts)")
    with written(path.with_suffix(".json")) as part:
        part.write_text(
            json.dumps({**asked, "numbers": numbers}, indent=1) + "\n", encoding="utf-8"
        )
