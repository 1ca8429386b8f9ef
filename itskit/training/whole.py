"""`python -m itskit.training all --minutes 8 --data SMALL --work WORK --out OUT`: the whole pair in
one call, for a GPU that is lent for minutes.

Each stage gets its share of what is left of --minutes, however long the others took. --out holds
the packed weights of each stage that has ended, so a call that is killed leaves what it had made;
called again with the same --work it goes on with the stage that it was in. It begins with the
weights in --work, with --from-shipped with the package's, else with nothing. A stage that fails is
reported and left out, and tried again when the call is repeated.

Afterwards `pack --work EMPTY --weights OUT` adds the text encoder, and `unpack --weights OUT --work
WORK` makes checkpoints of it, from which the other stages go on.

What has to be there:
- a small set (`extract`): nothing else of --data, and neither librosa nor soundfile;
- torch 2.9 or later, transformers, tokenizers, safetensors, scipy, pillow with WebP, tqdm;
- diffusers, and what only it and the captions need. Where nothing can be installed, carry wheels:
  `pip download --no-deps -d WHEELS diffusers==0.42.1 importlib_metadata inflect more_itertools
  typeguard jaraco.functools lazy-importer` (6.6 MB; inflect comes from the extra
  `train`), and `pip install --no-index --no-deps --target SITE WHEELS/*.whl` there.
  diffusers 0.42 asks for huggingface_hub 1.32 or later, below 3;
- of this repository `itskit/` alone (52 MB, 29 MB without the U-Nets, which only --from-shipped
  needs). Within 64 MiB that leaves a set of 7 MB (`extract --megabytes 7`), or of 30 MB without.
"""

import contextlib
import json
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from ..models.pocket.networks import UNETS, Autoencoder, Scorer
from ..models.pocket.weights import FOLDER
from ..writing import written
from .checkpoints import save_weights
from .fit import autoencoder, finetune, scorers
from .fit.loop import Budget
from .place import Place
from .release.packing import last_line, pack_networks, unpack


@dataclass(frozen=True)
class Stage:
    """`run(place, budget=…, batch=…, …)` gets a share of the time.

    `batch` is for a GPU of 40 GiB or more; in proportion on a smaller one. A run of a minute needs
    many steps more than it needs large ones.
    """

    run: Callable
    share: float
    batch: int
    composites: bool = False  # whether it takes `workers` and `compile`


STAGES = {
    "vae": Stage(autoencoder.fit_autoencoder, 0.14, 128),
    "decoder": Stage(autoencoder.fit_decoder, 0.10, 64),
    "grain": Stage(autoencoder.fit_grain, 0.02, 128),
    "finetune-image": Stage(partial(finetune.finetune_one, which="image"), 0.16, 512, True),
    "finetune-sound": Stage(partial(finetune.finetune_one, which="sound"), 0.16, 512, True),
    "finetune-joint": Stage(finetune.finetune_joint, 0.24, 512, True),
    "scorers": Stage(scorers.fit_scorers, 0.12, 1024),
    "solo": Stage(finetune.fit_solo, 0.06, 256, True),
}
LARGEST = 16e6  # bytes of a file in --out
NETWORKS = {
    "vae": Autoencoder,
    **{f"{name}_unet": make for name, make in UNETS.items()},
    **{f"{name}_scorer": Scorer for name in UNETS},
}


def train_all(
    place: Place, *, out: Path = Path("out"), minutes=8.0, steps=None, batch=None, stages=None,
    device="cpu", seed=0, workers=None, compile=False, start="work", weights: Path = FOLDER,
):  # fmt: skip
    """OUT: packed weights, their manifest, and all.json: what each stage did.

    `minutes` are for all of it, `steps` for each stage; `stages` names some alone.
    """
    end, file = time.monotonic() + 60 * minutes, place.work / "all.json"
    report = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if unknown := set(stages or ()) - set(STAGES):
        raise ValueError(f"--stages {', '.join(unknown)}: expected some of {', '.join(STAGES)}")
    asked = [name for name in STAGES if name in (stages or STAGES)]
    out.mkdir(parents=True, exist_ok=True)
    begin(place, start, weights, seed)
    usual = 8 if tune_for(device) else 0  # processes that select: pixels are the device's
    workers = usual if workers is None else workers
    options = {"device": device, "seed": seed, "workers": workers, "compile": compile}
    with stopping() as stopped:
        for k, name in enumerate(asked):
            if report.get(name, {}).get("done"):
                print(f"{name} was done before")
                continue
            began, ahead = time.monotonic(), [n for n in asked[k:] if not report.get(n)]
            share = STAGES[name].share / sum(STAGES[n].share for n in {name, *ahead})
            budget = Budget(steps, until=began + share * max(0.0, end - began))
            size = batch or batch_for(name, device)
            error = run(name, place, budget, size, options)
            took = round((time.monotonic() - began) / 60, 2)
            report[name] = {"done": not (error or stopped), "error": error, "minutes": took}
            write(file, report)
            pack(place.work, out, report)
            if stopped:
                break
    print(f"{out}: {', '.join(sorted(file.name for file in out.iterdir()))}")
    if failed := [name for name in asked if report.get(name, {}).get("error")]:
        raise SystemExit(f"stages that failed: {', '.join(failed)}; their errors stand above")


def tune_for(device) -> bool:
    """Whether the device is a GPU of CUDA, whose fast ways are then switched on."""
    if torch.device(device).type != "cuda":
        return False
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    return True


def begin(place, start, weights, seed):
    """The first checkpoint of each network that has none in WORK: those in `weights` if `start` is
    "shipped", else new ones."""
    if start == "shipped":
        unpack(place, weights=weights, keep=True)
    torch.manual_seed(seed)
    for name, make in NETWORKS.items():
        file = place.work / f"{name}.safetensors"
        if not file.exists():
            save_weights(make().state_dict(), file)


def run(name, place, budget, batch, options):
    """One stage, in batches of its own size if `batch` is None; what went wrong, or None."""
    stage = STAGES[name]
    left_out = set() if stage.composites else {"workers", "compile"}
    options = {key: value for key, value in options.items() if key not in left_out}
    while True:
        size = {"batch": batch} if batch else {}
        try:
            stage.run(place, budget=budget, start="work", on_device=True, **size, **options)
            return None
        except torch.OutOfMemoryError:
            if not batch or batch < 16:
                return traceback.format_exc(limit=-1)
            batch //= 2  # it goes on from its last checkpoint
            torch.cuda.empty_cache()
            print(f"{name}: not enough memory, now in batches of {batch}")
        except Exception:
            traceback.print_exc()
            return traceback.format_exc(limit=-1)


def batch_for(name, device):
    """None, a stage's own, on a CPU."""
    if torch.device(device).type != "cuda":
        return None
    memory = torch.cuda.get_device_properties(device).total_memory / 2**30
    return max(16, round(STAGES[name].batch * min(1.0, memory / 40)))


def pack(work, out, report):
    pack_networks(work, out)
    lines = {log.stem: last_line(log) for log in sorted(work.glob("*.log"))}
    write(out / "all.json", {"stages": report, "logs": lines})
    for file in out.iterdir():
        if (size := file.stat().st_size) > LARGEST:
            print(f"{file.name} is {size / 1e6:.1f} MB: more than {LARGEST / 1e6:.0f}")


def write(file, report):
    with written(file) as part:
        part.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


@contextlib.contextmanager
def stopping():
    """SIGINT and SIGTERM end the run that they come in, which keeps what it learned; then `all`."""
    stopped = []

    def stop(*_):
        stopped.append(True)
        raise KeyboardInterrupt

    before = {kind: signal.signal(kind, stop) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    except KeyboardInterrupt:
        print("stopped between two runs")
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
