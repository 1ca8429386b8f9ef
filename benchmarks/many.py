"""A thousand compositions in one process: does its memory stay flat?

    python benchmarks/many.py                       # 1,000 of 8 steps, each seen and heard
    python benchmarks/many.py --count 100 --steps 2

Each has words of its own, as a long evening's would. Memory is what the process has from the system
(its resident set). "growth" is the slope of a straight line through all but the first fifth, in MiB
per 1,000 compositions, and "a result" the size of one, which is what a leak would cost each time.
"""

from __future__ import annotations

import argparse
import gc
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

import itskit

MIB = 2**20


def resident() -> float:
    """MiB of memory that this process has now; where nobody says, the most that it ever had."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize() / MIB
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / (MIB if sys.platform == "darwin" else 1024)


def compositions(pair, steps: int, **settings) -> Callable[[int], list]:
    """A function of a number: composes that one, looks at it, hears it; returns what it made.
    `settings` are those of `compose`."""
    settings |= {"num_inference_steps": steps, "progress": False}

    def make(k: int):
        words = f"a castle with {k} towers", f"{k} church bells ringing"
        run = itskit.compose(pair, *words, seed=k, **settings)
        return [run, run.picture()._repr_png_(), run.sound().audible().samples]

    return make


def watch(make: Callable[[int], object], count: int, progress: bool = False) -> np.ndarray:
    """MiB after each of so many calls, (count,)."""
    found = []
    for k in tqdm(range(count), disable=not progress, mininterval=5):
        make(k)
        gc.collect()
        found.append(resident())
    return np.array(found)


def growth(mib: np.ndarray) -> float:
    """MiB per 1,000 compositions, without the first fifth, in which caches fill."""
    rest = mib[len(mib) // 5 :]
    return 1000 * float(np.polyfit(np.arange(len(rest)), rest, 1)[0])


def size(made: list) -> float:
    """MiB of one result: its latents and noises, picture and samples."""
    run, picture, samples = made
    tensors = [t for step in run.steps for t in (step.noisy, step.latent, step.clean, *step.noises)]
    return (sum(t.nbytes for t in tensors) + len(picture) + samples.nbytes) / MIB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=8)
    args = parser.parse_args()
    make = compositions(itskit.load_pair("pocket"), args.steps)
    mib = watch(make, args.count, progress=True)
    print(f"{args.count} compositions of {args.steps} steps; a result {size(make(0)):.1f} MiB")
    for k in sorted({0, args.count // 10, args.count // 5, args.count // 2, args.count - 1}):
        print(f"after {k + 1:5d}: {mib[k]:8.1f} MiB")
    print(f"growth {growth(mib):+.1f} MiB per 1,000; peak {mib.max():.0f} MiB")


if __name__ == "__main__":
    main()
