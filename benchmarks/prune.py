"""How much a hunt saves by dropping seeds after a draft, at the same quality of its best.

    python benchmarks/prune.py                          # all 45 validation pairs, 16 seeds each
    python benchmarks/prune.py --pairs 4 --seeds 8      # to try it

Every seed is composed once, and what the models believe is scored after each step: so one run says
what any hunt with any draft would have found, and what it would have cost, in network steps. Those
that a draft lets go on begin anew, as in `itskit.hunt(prune=...)`.

A hunt's quality is that of its best seed: its lowest score, standardised over all seeds of the pair
(the rule of `hunt`). "plain hunt of as many steps" is how good a hunt without drafts is that does
the same number of steps, on fewer seeds: the mean over every choice of them. "cost" is of a plain
hunt of all seeds, and "saved" how many steps fewer than the plain hunt of the same quality. Drafts
are ranked by the pair's own scorers, or by D (`overlap.disagreement`), which nobody had to train.

One pair is one line in a JSONL file: a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from math import comb
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import itskit
from itskit import metrics, overlap, tasks
from itskit.intervals import interval
from itskit.training.dataset.held_out import pairs, picture_prompt, sound_prompt
from itskit.writing import append_line, read_lines

SHARES = (0.125, 0.25, 0.5)
SCORERS = {**metrics.PAIR_SCORERS, "agreement": overlap.SCORERS["agreement"]}
BY = {"own scorers": ("image", "sound"), "D": ("agreement",)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, help="only the first so many")
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--file", type=Path, default=Path("out/prune.jsonl"))
    parser.add_argument("--threads", type=int, help="threads for torch; default: torch's own")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    pair = itskit.load_pair("pocket")
    asked = [pair.weights_hash, args.seeds]
    known = {tuple(row["prompts"]): row for row in read_lines(args.file) if row["asked"] == asked}
    for concept, _, words in tqdm(pairs("validation")[: args.pairs], mininterval=5):
        prompts = picture_prompt(concept, "validation"), sound_prompt(words, "validation")
        if prompts not in known:
            scores = watch(pair, prompts, args.seeds)
            known[prompts] = {"asked": asked, "prompts": prompts, "scores": scores}
            append_line(args.file, known[prompts])
    found = [{n: np.array(v) for n, v in row["scores"].items()} for row in known.values()]
    print(f"{len(found)} pairs of {args.seeds} seeds, {found[0]['image'].shape[0]} steps\n")
    print(table(found))


def watch(pair, prompts, seeds: int) -> dict[str, list]:
    """{scorer: (steps, seeds)} of what the models believe after each step."""
    found: dict[str, list] = {name: [] for name in SCORERS}
    for some in tasks.blocks(range(seeds), 8):
        run = itskit.composing(pair, *prompts, seeds=some)
        rows: dict[str, list] = {name: [] for name in SCORERS}
        for step in run:
            before = run.steps[:-1]
            seen = itskit.Trajectory((*before, replace(step, latent=step.clean)), run.recipe, pair)
            for name, values in metrics.scores(seen, scorers=SCORERS).items():
                rows[name].append(values)
        for name, values in rows.items():
            found[name].append(np.array(values))  # (steps, some)
    return {name: np.concatenate(parts, 1).tolist() for name, parts in found.items()}


def lowest(scores: list[np.ndarray]) -> np.ndarray:
    """The lowest standardised score of each seed, (seeds,): the rule of `hunt`."""
    standard = [(s - s.mean()) / (s.std() or 1.0) for s in scores]
    return np.min(standard, 0)


def best_of(quality: np.ndarray, many: float) -> float:
    """The expected best of so many of the seeds, drawn without looking; between whole numbers on a
    straight line."""
    down, n = np.sort(quality)[::-1], len(quality)

    def of(k: int) -> float:
        return sum(down[i] * comb(n - 1 - i, k - 1) for i in range(n - k + 1)) / comb(n, k)

    low = int(np.clip(np.floor(many), 1, n))
    high = min(n, low + 1)
    return of(low) + (min(many, n) - low) * (of(high) - of(low))


def table(found: list[dict[str, np.ndarray]]) -> str:
    """What each draft costs and brings, as Markdown."""
    steps, seeds = found[0]["image"].shape
    qualities = [lowest([one["image"][-1], one["sound"][-1]]) for one in found]
    plain = [np.mean([best_of(q, many) for q in qualities]) for many in np.arange(1, seeds + 1)]
    head = ["draft", "by", "finished", "cost", "best", "plain hunt of as many steps", "saved"]
    lines = [head, ["---"] * len(head)]
    lines.append(["none", "–", "100%", "1.00", f"{plain[-1]:+.2f}", f"{plain[-1]:+.2f}", "–"])
    for after in range(1, steps):
        for by, names in BY.items():
            for share in SHARES:
                many = max(1, round(share * seeds))
                cost = after / steps + many / seeds
                if cost >= 1:
                    continue
                drafts = [lowest([one[name][after - 1] for name in names]) for one in found]
                best = [
                    q[np.argsort(-d)[:many]].max() for q, d in zip(qualities, drafts, strict=True)
                ]
                gain = [b - best_of(q, cost * seeds) for b, q in zip(best, qualities, strict=True)]
                mean, half = interval(gain)
                as_good = np.interp(np.mean(best), plain, np.arange(1, seeds + 1))
                fair = f"{np.mean(best) - mean:+.2f} ({mean:+.2f} ± {half:.2f})"
                saved = f"{1 - cost * seeds / as_good:.0%}"
                cells = [f"{after} of {steps} steps", by, f"{share:.0%}", f"{cost:.2f}"]
                lines.append([*cells, f"{np.mean(best):+.2f}", fair, saved])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
