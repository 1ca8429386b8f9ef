"""Choose the seed of each pairing: `python gallery/choose.py [--seeds 8] [NAME ...]`.

It may be interrupted: a pairing that is chosen is written down, and asked again only when its
words, its settings, the weights or the number of seeds have changed. A seed that a person wrote
into an entry afterwards stays. Failures keep their seeds: they show what happens, not what can.
Baselines have the seed of the composition that they are compared with.
"""

import argparse
import json
import re
import time
from pathlib import Path

from _make import HERE, asked, entries, replace_text

RULE = (
    "The seed of a pairing is chosen by a rule: as many seeds as its card says, counted from 0, "
    "are composed with half of the steps, and the best four of them again with all steps. The "
    "pair’s own scorers say how much each result is like its words, as a picture and as a sound; "
    "each score is standardised over the seeds tried, and the best seed is the one whose lower "
    "score is the highest."
)
CHOICES = HERE / "choices.json"
SEEDS, FINALISTS = 8, 4


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="pairings (all)")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"how many to try ({SEEDS})")
    args = parser.parse_args(argv)
    pairings = [module for module in entries(args.names) if module.entry.is_chosen]
    import itskit

    pair = itskit.load_pair("pocket")
    for count, module in enumerate(pairings, start=1):
        started = time.perf_counter()
        said = choose(module, pair, args.seeds)
        seconds = time.perf_counter() - started
        print(f"[{count}/{len(pairings)}] {module.__name__}: {said} ({seconds:.0f} s)", flush=True)


def choose(module, pair, count: int, path: Path = CHOICES) -> str:
    """Find the seed of one pairing, write it into its file and into `path`; what was done."""
    question = asked(module.entry, pair) | {"seeds": count}
    if read(path).get(module.__name__, {}).get("asked") == question:
        return f"seed {module.entry.seed} stays"
    seed, scores = best(module.entry, pair, range(count))
    write_seed(Path(module.__file__), seed)
    chosen = {"seed": seed, "scores": scores, "asked": question}
    choices = read(path) | {module.__name__: chosen}  # only now: others may be choosing, too
    replace_text(path, json.dumps(choices, indent=1, sort_keys=True) + "\n")
    return f"seed {seed}"


def best(entry, pair, seeds) -> tuple[int, dict[str, float]]:
    """The seed that `itskit.hunt` ranks first, and its scores: all of them with half of the steps,
    which shows where a seed is going, then the FINALISTS in full."""
    import itskit

    steps = asked(entry, pair)["num_inference_steps"]
    settings = {"progress": False, **entry.settings}
    half = {**settings, "num_inference_steps": max(1, steps // 2)}
    for keep, how in ((FINALISTS, half), (1, settings)):
        found = itskit.hunt(pair, entry.image, entry.sound, seeds=seeds, keep=keep, **how)
        if found.stopped:
            raise KeyboardInterrupt  # hunt keeps what it found before Ctrl-C: no choice of all
        seeds = [seed for seed, *_ in found]
    seed, scores, _ = found[0]
    return int(seed), {name: round(float(score), 4) for name, score in scores.items()}


def read(path: Path = CHOICES) -> dict:
    """What was chosen so far: {name: {"seed", "scores", "asked"}}."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write_seed(path: Path, seed: int) -> None:
    """Put a seed into an entry's file. Raises ValueError unless it has one line `seed=…,`."""
    text = path.read_text(encoding="utf-8")
    text, count = re.subn(r"^(\s+seed=)-?\d+,", rf"\g<1>{seed},", text, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"{path.name} has {count} lines `seed=NUMBER,`: expected one")
    replace_text(path, text)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("Stopped. Start it again to go on with the next pairing.") from None
