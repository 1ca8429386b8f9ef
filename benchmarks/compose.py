"""How long a composition takes with both engines, beside a plain loop in the same run.

    python benchmarks/compose.py [--repeats 5] [--threads 2]

The reference is the method as one would first write it: float32, 50 DDIM steps, each guidance
branch a call of its own, picture and sound decoded once. A ratio above 1 says how many times faster
itskit is. Cold start and peak memory are those of a fresh process, from `import itskit` to a
picture and a sound.

onnxruntime is timed twice: as the machine is, and beside one process that keeps a CPU busy, as a
browser or another notebook may. "slower" is the second by the first; at most 2.5 is the aim.
PyTorch is timed as the machine is; "torch" says how many times as long it takes. "page /
composition" is the time of a run's page by that of the run; at most 1 is the aim. Figures are the
shortest of all repeats, for whatever else runs only adds to them.

The limit is what the multiplications and additions of the two U-Nets would take if all were done as
fast as this machine multiplies large matrices, on all CPUs that are used.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from functools import partial

import torch
from torch.utils.flop_counter import FlopCounterMode

import itskit
from itskit import schedule
from itskit.threads import budget, cpus

PROMPTS = "a castle with towers", "church bells ringing"
STEP, ALL = "one denoising step (both, guided)", "composition, picture and sound"
PAGE = "page of it, after it was heard"
COLD = """
import sys, time
begin = time.perf_counter()
import itskit
result = itskit.compose(itskit.load_pair("pocket"), {!r}, {!r}, seed=7, progress=False)
result.picture(), result.sound()
print(time.perf_counter() - begin)
if sys.platform == "linux":  # elsewhere nobody says, and what `resource` says is the parent's, too
    lines = open("/proc/self/status", encoding="utf-8").read().splitlines()
    print(next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")))
"""


def seconds(*functions, repeats: int) -> list[float]:
    """Shortest wall time of each after a warm-up; in turns, so that all share neighbours."""
    times = [[] for _ in functions]
    for _ in range(repeats + 1):
        for function, found in zip(functions, times, strict=True):
            begin = time.perf_counter()
            function()
            found.append(time.perf_counter() - begin)
    return [min(found[1:]) for found in times]


@torch.no_grad()
def reference(pair, steps: int = 50):
    """The plain loop: four network calls a step, nothing shared, nothing batched."""
    alpha_bar = schedule.stable_diffusion_alpha_bar()
    timesteps = schedule.timesteps(steps)
    latent = itskit.init_latent(pair, [7])
    for k, t in enumerate(timesteps.tolist()):
        noises = []
        for modality, prompt in zip((pair.image, pair.sound), PROMPTS, strict=True):
            uncond = modality.predict_noise(latent, t, modality.encode_prompt(""))
            cond = modality.predict_noise(latent, t, modality.encode_prompt(prompt))
            noises.append(uncond + 5 * (cond - uncond))
        noise = 0.5 * noises[0] + 0.5 * noises[1]
        clean = (latent - (1 - alpha_bar[t]) ** 0.5 * noise) / alpha_bar[t] ** 0.5
        following = alpha_bar[timesteps[k + 1]] if k + 1 < steps else alpha_bar[0]
        latent = following**0.5 * clean + (1 - following) ** 0.5 * noise
    return itskit.decode(pair.image, latent), itskit.decode(pair.sound, latent)


def one_step(pair):
    guides = [
        itskit.Guide(modality, itskit.encode_prompt(modality, prompt), scale=5, weight=0.5)
        for modality, prompt in zip((pair.image, pair.sound), PROMPTS, strict=True)
    ]
    latent, timesteps = itskit.init_latent(pair, [7]), schedule.timesteps(20)
    return lambda: itskit.denoise_step(guides, latent, index=5, timesteps=timesteps)


def ours(pair):
    seeds = itertools.count()  # a new one for each, since what was decoded last is remembered

    def make():
        result = itskit.compose(pair, *PROMPTS, seed=next(seeds), progress=False)
        return result.picture(), result.sound()

    return make


def each_step(show):
    """`show` of one step after the other."""
    steps = itertools.cycle(range(8))
    return lambda: show(next(steps))


@contextmanager
def busy_neighbour():
    """A process that computes as long as this lasts."""
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(1)  # it has begun
        yield
    finally:
        neighbour.kill()
        neighbour.wait()


def operations(pair) -> float:
    """Multiplications and additions of the two U-Nets in one step."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)  # so that all is done, and counted, here
    try:
        with FlopCounterMode(display=False) as counter:
            one_step(pair)()
    finally:
        torch.set_num_threads(usual)
    return counter.get_total_flops()


def fastest(repeats: int) -> float:
    """Multiplications and additions a second in products of large matrices, on all CPUs in use."""
    usual, one = torch.get_num_threads(), torch.randn(1024, 1024)
    torch.set_num_threads(1)
    try:
        (best,) = seconds(lambda: one @ one, repeats=10 * repeats)
        return 2 * 1024**3 / best * min(usual, cpus())
    finally:
        torch.set_num_threads(usual)


def cold_start(threads: int | None, engine: str) -> tuple[float, float]:
    """Seconds and MiB of a fresh process."""
    code = f"import torch; torch.set_num_threads({threads})" if threads else ""
    code += COLD.format(*PROMPTS)
    run = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"ITSKIT_ENGINE": engine},
        capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    elapsed, peak = [*run.stdout.split(), "nan"][:2]
    return float(elapsed), float(peak)


def page(pair, result):
    """The page of a run of which nothing but the result was seen and heard before."""
    fresh = itskit.Trajectory(result.steps, result.recipe, pair)
    with tempfile.TemporaryDirectory() as folder:
        itskit.export.page(fresh, f"{folder}/page.html")


def measure(*results, repeats: int) -> dict[str, list[float]]:
    """Seconds for each part of the work, with the pair of each result."""

    def times(make):
        return seconds(*map(make, results), repeats=repeats)

    return {
        STEP: times(lambda result: one_step(result.pair)),
        "decode to a picture": times(lambda result: each_step(result.picture)),
        "decode to a sound": times(lambda result: each_step(result.sound)),
        ALL: times(lambda result: ours(result.pair)),
        PAGE: times(lambda result: partial(page, result.pair, result)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, help="threads for torch; default: torch's own")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    pair = itskit.load_pair("pocket", engine="onnxruntime")
    plainly = itskit.load_pair("pocket", engine="torch")
    result, same = (itskit.compose(p, *PROMPTS, seed=7, progress=False) for p in (pair, plainly))

    both = measure(result, same, repeats=args.repeats)
    idle = {name: times[0] for name, times in both.items()}
    (plain,) = seconds(lambda: reference(plainly), repeats=max(1, args.repeats // 2))
    limit = operations(plainly) / fastest(args.repeats)
    with busy_neighbour():
        busy = {name: times[0] for name, times in measure(result, repeats=args.repeats).items()}
    cold = {engine: cold_start(args.threads, engine) for engine in ("onnxruntime", "torch")}
    threads = f"{torch.get_num_threads()} threads on {cpus()} CPUs, {budget()} used"
    print(f"{threads}, torch {torch.__version__}, {len(result)} steps, 1 item")
    print(f"{'':40}{'alone':>8}   {'beside a busy process':>22} {'slower':>8} {'torch':>8}")
    for name, alone in idle.items():
        print(
            f"{name:40}{alone:8.3f} s {busy[name]:22.3f} s {busy[name] / alone:8.2f} "
            f"{both[name][1] / alone:8.2f}"
        )
    shares = [times[PAGE] / times[ALL] for times in (idle, busy)]
    print(f"page / composition                      {shares[0]:8.2f}   {shares[1]:22.2f}")
    print(f"the U-Nets' limit, one step             {limit:8.3f} s")
    print(f"the U-Nets' limit, all steps            {limit * len(result):8.3f} s")
    print(f"plain loop, 50 DDIM steps               {plain:8.3f} s")
    ratios = {"ratio": (plain / 50, plain), "limit": (limit, limit * len(result))}
    for word, (one, all_of_it) in ratios.items():  # by the plain loop, by the limit
        for name, work in ((STEP, one), (ALL, all_of_it)):
            print(f"{word}, {name:33}{work / idle[name]:8.2f}   {work / busy[name]:22.2f}")
    for engine, (begin, peak) in cold.items():
        print(f"cold start, import to sound {engine:12}{begin:8.2f} s, at most {peak:.0f} MiB")


if __name__ == "__main__":
    main()
