"""`python -m itskit.training all --minutes 8 --data SMALL --work WORK --out OUT`: the whole pair in
one call, for a GPU that is lent for minutes.

Each stage gets its share of what is left of --minutes, however long the others took. --out holds
the packed weights of each stage that has ended, so a call that is killed leaves what it had made;
called again with the same --work it goes on with the stage that it was in. It begins with the
weights in --work, with --from-shipped with the package's, else with nothing. A stage that fails is
told and left out, and tried again when the call is repeated.

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
from argparse import Namespace

import torch

from ..models.pocket.networks import UNETS, Autoencoder, Scorer
from ..writing import written
from . import stages
from .loop import save_weights
from .packing import last_line, pack_networks, unpack

SHARES = {
    "vae": 0.14, "decoder": 0.12, "draw": 0.16, "play": 0.16, "together": 0.24, "scorers": 0.12,
    "solo": 0.06,
}  # fmt: skip
# On a GPU of 40 GiB or more; in proportion on a smaller one. A run of a minute needs many steps
# more than it needs large ones.
BATCHES = {
    "vae": 128, "decoder": 64, "draw": 512, "play": 512, "together": 512, "scorers": 1024,
    "solo": 256,
}  # fmt: skip
LARGEST = 16e6  # bytes of a file in --out
NETWORKS = {
    "vae": Autoencoder,
    **{f"{name}_unet": make for name, make in UNETS.items()},
    **{f"{name}_scorer": Scorer for name in UNETS},
}


def main(args):
    """--out: packed weights, their manifest, and all.json: what each stage did."""
    end, told = time.monotonic() + 60 * args.minutes, args.work / "all.json"
    report = json.loads(told.read_text(encoding="utf-8")) if told.exists() else {}
    prepare(args)
    begin(args)
    asked = [name for name in SHARES if name in (args.stages or SHARES)]
    if unknown := set(args.stages or ()) - set(SHARES):
        raise ValueError(f"--stages {', '.join(unknown)}: expected some of {', '.join(SHARES)}")
    with stopping() as stopped:
        for k, name in enumerate(asked):
            if report.get(name, {}).get("done"):
                print(f"{name} was done before")
                continue
            began, ahead = time.monotonic(), [n for n in asked[k:] if not report.get(n)]
            share = SHARES[name] / sum(SHARES[n] for n in {name, *ahead})
            error = run(name, args, began + share * max(0.0, end - began))
            minutes = round((time.monotonic() - began) / 60, 2)
            report[name] = {"done": not (error or stopped), "error": error, "minutes": minutes}
            write(told, report)
            pack(args, report)
            if stopped:
                break
    failed = [name for name in asked if report.get(name, {}).get("error")]
    print(f"{args.out}: {', '.join(sorted(file.name for file in args.out.iterdir()))}")
    if failed:
        raise SystemExit(f"stages that failed: {', '.join(failed)}; their errors stand above")


def prepare(args):
    if torch.device(args.device).type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
        args.workers = args.workers or 8  # to choose what is woven: pixels are the GPU's
    args.weave_on_device = True


def begin(args):
    """The first checkpoint of each network that has none in WORK."""
    args.out.mkdir(parents=True, exist_ok=True)
    if args.from_shipped:
        unpack(Namespace(work=args.work, weights=args.weights), keep=True)
    torch.manual_seed(args.seed)
    for name, make in NETWORKS.items():
        file = args.work / f"{name}.safetensors"
        if not file.exists():
            save_weights(make().state_dict(), file)


def run(name, args, until):
    """One stage that ends at a time of `time.monotonic`; what went wrong, or None."""
    batch = args.batch or batch_for(name, args.device)
    while True:
        mine = {"until": until, "batch": batch, "from_shipped": False}
        try:
            getattr(stages, name)(Namespace(**{**vars(args), **mine}))
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
    return max(16, round(BATCHES[name] * min(1.0, memory / 40)))


def pack(args, report):
    pack_networks(args.work, args.out)
    lines = {log.stem: last_line(log) for log in sorted(args.work.glob("*.log"))}
    write(args.out / "all.json", {"stages": report, "logs": lines})
    for file in args.out.iterdir():
        if (size := file.stat().st_size) > LARGEST:
            print(f"{file.name} is {size / 1e6:.1f} MB: more than {LARGEST / 1e6:.0f}")


def write(file, told):
    with written(file) as part:
        part.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


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
