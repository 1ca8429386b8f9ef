"""How long a composition takes with both engines, beside a plain loop in the same run.

    python benchmarks/compose.py [--repeats 5] [--threads 2]

The reference is the method as one would first write it: float32, 50 DDIM steps, each guidance
branch a call of its own, picture and sound decoded once. A ratio above 1 says how many times faster
itskit is. Cold start and peak memory are those of a fresh process, from `import itskit` to a
picture and a sound.

onnxruntime is timed twice: as the machine is, and beside one process that keeps a CPU busy, as a
browser or another notebook may. "slower" is the second by the first; at most 2.5 is the aim.
PyTorch is timed as the machine is; "torch" says how many times as long it takes. Figures are the
shortest of all repeats, for whatever else runs only adds to them.

The limit is what the multiplications and additions of the two U-Nets would take if all were done as
fast as this machine multiplies large matrices, on all CPUs that are used.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

import torch
from torch.utils.flop_counter import FlopCounterMode

import itskit
from itskit import schedule
from itskit.threads import budget, cpus

PROMPTS = "a castle with towers", "church bells ringing"
STEP, ALL = "one denoising step (both, guided)", "composition, picture and sound"
COLD = """
import resource, time
begin = time.perf_counter()
import itskit
result = itskit.compose(itskit.load_pair("pocket"), {!r}, {!r}, seed=7, progress=False)
result.picture(), result.sound()
print(time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def seconds(function, repeats: int) -> float:
    """Shortest wall time after one warm-up."""
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return min(times[1:])


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
    result = itskit.compose(pair, *PROMPTS, seed=7, progress=False)
    return result.picture(), result.sound()


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
        return 2 * 1024**3 / seconds(lambda: one @ one, 10 * repeats) * min(usual, cpus())
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
    elapsed, peak = run.stdout.split()
    return float(elapsed), float(peak)


def page(pair, result):
    """The page of a run, none of whose sounds has been made yet."""
    fresh = itskit.Trajectory(result.steps, result.recipe, pair)
    with tempfile.TemporaryDirectory() as folder:
        itskit.export.page(fresh, f"{folder}/page.html")


def measure(pair, result, repeats: int) -> dict[str, float]:
    """Seconds for each part of the work."""
    return {
        STEP: seconds(one_step(pair), repeats),
        "decode to a picture": seconds(result.picture, repeats),
        "decode to a sound": seconds(result.sound, repeats),
        ALL: seconds(lambda: ours(pair), repeats),
        "page of it, every step heard": seconds(lambda: page(pair, result), repeats),
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

    idle, slow = measure(pair, result, args.repeats), measure(plainly, same, args.repeats)
    plain = seconds(lambda: reference(plainly), max(1, args.repeats // 2))
    limit = operations(plainly) / fastest(args.repeats)
    with busy_neighbour():
        busy = measure(pair, result, args.repeats)
    cold = {engine: cold_start(args.threads, engine) for engine in ("onnxruntime", "torch")}
    threads = f"{torch.get_num_threads()} threads on {cpus()} CPUs, {budget()} used"
    print(f"{threads}, torch {torch.__version__}, {len(result)} steps, 1 item")
    print(f"{'':40}{'alone':>8}   {'beside a busy process':>22} {'slower':>8} {'torch':>8}")
    for name, alone in idle.items():
        print(
            f"{name:40}{alone:8.3f} s {busy[name]:22.3f} s {busy[name] / alone:8.2f} "
            f"{slow[name] / alone:8.2f}"
        )
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
