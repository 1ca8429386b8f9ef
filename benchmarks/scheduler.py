"""What one scheduler costs a hunt over many machines: a simulation, and what a task costs here.

    python benchmarks/scheduler.py                      # measures a task's cost, then simulates
    python benchmarks/scheduler.py --overhead 0.001     # simulates with this cost

Each worker starts, asks the scheduler for a block of seeds, composes it, asks again. The scheduler
does one thing at a time and spends `overhead` seconds on a task, to hand it out and to take its
answer. Workers are lost at random: the block of a lost one is done again by another, and a new one
comes in its place. "use" is the time that workers spend on answers that count, of all that they
were there. What a task costs is the CPU time of the process that hands it out.
"""

from __future__ import annotations

import argparse
import heapq
import random
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import count
from multiprocessing import get_context

SECONDS = 1.0  # one seed by the pocket pair on one core, about
START = 12.0  # a worker, from nothing to its first block: imports and weights
LIFE = 4 * 3600.0  # how long a borrowed machine stays, on average


def simulate(
    workers: int, seeds: int, block: int, overhead: float, *, seconds=SECONDS, start=START,
    life=LIFE, spread=0.2, seed=0,
) -> dict[str, float]:  # fmt: skip
    """{"seconds": until the last answer, "use": as above, "lost": blocks that were done again}.

    A block takes `block * seconds`, give or take `spread` of it; `life` is the mean time until a
    worker is lost, inf for never.
    """
    rng, numbers = random.Random(seed), count()
    left = -(-seeds // block)  # blocks that nobody has yet
    free, now, lost, missing = 0.0, 0.0, 0, left  # `free`: when the scheduler has time again
    dies = [rng.expovariate(1 / life) if life < float("inf") else life for _ in range(workers)]
    events = [(start, next(numbers), worker, "asks") for worker in range(workers)]
    heapq.heapify(events)
    while missing:
        now, _, worker, what = heapq.heappop(events)
        if what == "answers":
            missing -= 1
        if what == "is lost":
            lost, left = lost + 1, left + 1
            dies[worker] = now + start + rng.expovariate(1 / life)
            heapq.heappush(events, (now + start, next(numbers), worker, "asks"))
            continue
        if not left:  # a lost block may still come back
            if missing:
                heapq.heappush(events, (now + seconds, next(numbers), worker, "asks"))
            continue
        left -= 1
        free = max(free, now) + overhead
        end = free + block * seconds * max(0.1, rng.gauss(1, spread))
        event = (end, "answers") if end < dies[worker] else (max(free, dies[worker]), "is lost")
        heapq.heappush(events, (event[0], next(numbers), worker, event[1]))
    return {"seconds": now, "use": seeds * seconds / (workers * now), "lost": lost}


def cost_of_a_task(many: int = 400) -> dict[str, float]:
    """Seconds for a task of the size of a recipe that does nothing, by executors that are here."""
    import itskit
    from itskit import tasks

    pair = itskit.load_pair("pocket")
    task = tasks.task_of(pair, "a castle with towers", "church bells ringing")
    found = {}
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        found["processes"] = _seconds(executor, task, many)
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        return found
    with (
        LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
        client.get_executor(pure=False) as executor,
    ):
        found["dask"] = _seconds(executor, task, many)
    return found


def nothing(task) -> list[dict]:
    return [{"made": "0" * 16, "seed": seed, "scores": {"image": 0.0}} for seed in task.seeds]


def _seconds(executor, task, many: int) -> float:
    list(executor.map(nothing, [task] * 8))  # all workers are there
    started = time.process_time()
    for future in [executor.submit(nothing, task) for _ in range(many)]:
        future.result()
    return (time.process_time() - started) / many


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--overhead", type=float, help="seconds for a task; default: measured")
    args = parser.parse_args()
    overhead = args.overhead
    if overhead is None:
        measured = cost_of_a_task()
        for name, seconds in measured.items():
            print(f"a task costs {1000 * seconds:.2f} ms by {name}")
        overhead = measured.get("dask", measured["processes"])
    print(f"\n{1000 * overhead:.2f} ms a task\n")
    blocks = (4, 8, 64)
    head = ["workers", "seeds", *(f"use, blocks of {block}" for block in blocks), "minutes (8)"]
    print(f"| {' | '.join(head)} |\n| {' | '.join(['---'] * len(head))} |")
    for workers in (8, 100, 1000, 10_000):
        seeds = 600 * workers  # ten minutes of work each
        runs = {block: simulate(workers, seeds, block, overhead) for block in blocks}
        cells = [f"{run['use']:.0%}" for run in runs.values()]
        minutes = f"{runs[8]['seconds'] / 60:.1f}"
        print(f"| {' | '.join([f'{workers}', f'{seeds}', *cells, minutes])} |", flush=True)


if __name__ == "__main__":
    main()
