"""Rules of composition on the validation pairs: what each makes of picture and sound, and its time.

    python benchmarks/rules.py                          # 45 pairs, 8 seeds, 8 steps, own scorers
    python benchmarks/rules.py --steps 30 --judges      # thirty steps, and ask the judges, too
    python benchmarks/rules.py --pairs 3 --seeds 2      # to try it
    python benchmarks/rules.py --part 1/2               # for two processes, beside --part 2/2

A result is named among the words of the split (`itskit.training.evaluate`): "picture" and "sound"
say how often rightly, "both" how often both at once. Differences are from the first row, pair by
pair over the same seeds, with the 95% interval over pairs. "time" is the median of one composition
of all seeds, and as a ratio of the first row's that was made beside it.

One composition is one line in a JSONL file, written when it is made: a run that was stopped goes
on where it was. Rules "not" and "perp_neg" are left out: without negative prompts they do nothing.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from itskit.intervals import interval
from itskit.models.pocket.weights import FOLDER, weights_hash
from itskit.training.dataset.held_out import picture_prompt, sound_prompt
from itskit.training.evaluate.examination import examination, run

RULES = {
    "mean (the default)": {},
    "mean, ddpm": {"solver": "ddpm"},
    **{
        name: {"rule": name}
        for name in ("corrected", "product", "and", "or", "projection", "frequency", "alternate")
    },
    "langevin": {"rule": "langevin"},
}
DEFAULT = next(iter(RULES))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--pairs", type=int, help="only the first so many")
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES))
    parser.add_argument("--judges", action="store_true", help="needs the extra `score`")
    parser.add_argument("--weights", type=Path, default=FOLDER, help="a folder of pocket weights")
    parser.add_argument("--part", default="1/1", help="1/2 and 2/2: for two processes")
    parser.add_argument("--file", type=Path, default=Path("out/rules.jsonl"))
    parser.add_argument("--threads", type=int, help="threads for torch; default: torch's own")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    exam = examination(args.weights, "validation", args.seeds, judges=args.judges)
    names = list(dict.fromkeys([DEFAULT, *args.rules]))
    pairs = range(len(exam.chosen))[: args.pairs]
    mine, parts = map(int, args.part.split("/"))
    steps = {"num_inference_steps": args.steps}
    todo = {
        question(exam, k, name): partial(ask, exam, k, RULES[name] | steps)
        for k in pairs[mine - 1 :: parts]
        for name in names
    }  # fmt: skip
    asked = {
        "weights": weights_hash(args.weights), "seeds": args.seeds, "steps": args.steps,
        "judges": args.judges, "settings": RULES, "threads": torch.get_num_threads(),
    }  # fmt: skip
    known = run(todo, args.file, json.dumps(asked, sort_keys=True))
    done = [k for k in pairs if all(question(exam, k, name) in known for name in names)]
    print(f"{len(done)} of {len(pairs)} pairs, {args.seeds} seeds, {args.steps} steps, "
          f"{torch.get_num_threads()} threads, weights {asked['weights']}\n")  # fmt: skip
    if done:
        print(table({n: [known[question(exam, k, n)] for k in done] for n in names}))


def question(exam, k: int, name: str) -> str:
    concept, _, words = exam.chosen[k]
    return f"{concept} / {words}: {name}"


def ask(exam, k: int, settings: dict):
    """{"picture", "sound", "both": hits of each seed, "seconds"}; with judges theirs as well."""
    exam = replace(exam, settings=settings)
    concept, _, words = exam.chosen[k]
    prompts = picture_prompt(concept, exam.split), sound_prompt(words, exam.split)
    started = time.perf_counter()
    canvases = exam.make(*prompts)
    rows = {"seconds": [time.perf_counter() - started]}
    seen, heard = (exam.named(sense, canvases, k) for sense in ("image", "sound"))
    for suffix in [who.removeprefix("image") for who in seen]:
        found = seen[f"image{suffix}"], heard[f"sound{suffix}"]
        rows |= {f"picture{suffix}": found[0], f"sound{suffix}": found[1]}
        rows[f"both{suffix}"] = found[0] & found[1]
    return rows, None


def crossed(rows: dict) -> dict:
    """With judges, also the own scorer of pictures and the judge of sounds at once: the judge of
    pictures was taught photographs, and names few drawings."""
    if "sound judge" not in rows:
        return rows
    return rows | {"picture, sound judge": np.multiply(rows["picture"], rows["sound judge"])}


def table(found: dict[str, list[dict]]) -> str:
    """Rule -> the rows of its pairs, as Markdown."""
    found = {name: list(map(crossed, all_rows)) for name, all_rows in found.items()}
    columns = [name for name in found[DEFAULT][0] if name != "seconds"]

    def means(name: str, column: str) -> np.ndarray:
        return np.array([np.mean(rows[column]) for rows in found[name]])  # (pairs,)

    lines = [["rule", *columns, "time"], ["---"] * (len(columns) + 2)]
    for name in found:
        cells = []
        for column in columns:
            cell = f"{means(name, column).mean():.0%}"
            if name != DEFAULT:
                mean, half = interval(means(name, column) - means(DEFAULT, column))
                cell += f" ({100 * mean:+.0f} ± {100 * half:.0f})"
            cells.append(cell)
        seconds = means(name, "seconds")
        ratio = np.median(seconds / means(DEFAULT, "seconds"))
        lines.append([name, *cells, f"{np.median(seconds):.1f} s ({ratio:.2f})"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
