"""Does D, how far two prompted models disagree, tell which pairings succeed?

    python benchmarks/overlap.py                    a few pairings, a minute
    python benchmarks/overlap.py --pairings 90      all: the validation pairs, and the same pictures
                                                    with sounds that were not meant for them

Success is the pair's own scorers' opinion, as in lesson 10: how far the right words stand above all
others of the list, in standard deviations; a mean over the seeds. Printed are Spearman's rank
correlations with 95% bootstrap intervals over pairings. Below 0, a small D goes with success.
"""

import argparse
import random
from dataclasses import replace

import numpy as np
from scipy.stats import bootstrap, spearmanr

import itskit
from itskit import overlap
from itskit.guidance import estimate
from itskit.training.dataset.captions import phrase
from itskit.training.dataset.held_out import VALIDATION_PAIRS

SHIFT = 17  # how far the second half of the list moves the sounds: by hand, for no reason


def pairings(count: int) -> list[tuple[str, str]]:
    """Half of them meant for each other, half not, in an order by chance."""
    meant = [(phrase("{a}", thing), words) for thing, _, words in VALIDATION_PAIRS]
    sounds = [words for _, words in meant]
    crossed = zip((see for see, _ in meant), sounds[SHIFT:] + sounds[:SHIFT], strict=True)
    both = meant + list(crossed)
    random.Random(0).shuffle(both)
    return both[:count]


def unguided(run: itskit.Trajectory) -> itskit.Trajectory:
    """The same steps with what the models say at guidance 1, which the theory is about."""
    words = [guide["prompt"] for guide in run.recipe["guides"]]
    guides = [replace(guide, scale=1.0) for guide in itskit.guides(run.pair, *words)]
    asked = [tuple(estimate(g, step.noisy, step.t).noise for g in guides) for step in run.steps]
    steps = [replace(step, noises=said) for step, said in zip(run.steps, asked, strict=True)]
    return itskit.Trajectory(steps, run.recipe, run.pair)


def measure(pair, see: str, hear: str, all_words: tuple, seeds: int) -> dict:
    settings = {"seeds": range(seeds), "width": 128, "progress": False}
    run = itskit.compose(pair, see, hear, **settings)
    found = {}
    for name, own, words in zip(("picture", "sound"), (see, hear), all_words, strict=True):
        score = pair.scorers["image" if name == "picture" else "sound"]
        scores = np.array([score(run.latent, one).numpy() for one in words])  # (words, seeds)
        above = (scores[words.index(own)] - scores.mean(0)) / scores.std(0)
        found[name] = float(above.mean())
    for name, one in (("D", run), ("D at guidance 1", unguided(run))):
        found[name] = float(np.mean([overlap.disagreement(one, k).total for k in range(seeds)]))
    return found


def correlation(x, y) -> str:
    drawn = {"paired": True, "vectorized": False, "n_resamples": 2000, "random_state": 0}
    low, high = bootstrap((x, y), lambda a, b: spearmanr(a, b)[0], **drawn).confidence_interval
    return f"{spearmanr(x, y)[0]:+.2f} [{low:+.2f}, {high:+.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairings", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=2)
    asked = parser.parse_args()
    pair, chosen = itskit.load_pair("pocket"), pairings(asked.pairings)
    all_words = tuple(sorted(set(words)) for words in zip(*pairings(10**6), strict=True))
    rows = [
        measure(pair, see, hear, all_words, asked.seeds)
        for see, hear in itskit.progress.tqdm(chosen)
    ]
    column = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    column["the worse of both"] = np.minimum(column["picture"], column["sound"])
    print(f"weights {pair.weights_hash}, {len(rows)} pairings, {asked.seeds} seeds each")
    print("picture's success with the sound's:", correlation(column["picture"], column["sound"]))
    for measured in ("D", "D at guidance 1"):
        for success in ("picture", "sound", "the worse of both"):
            print(f"{measured} with {success}:", correlation(column[measured], column[success]))


if __name__ == "__main__":
    main()
