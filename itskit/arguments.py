"""The options of the command line, checked before anything is loaded.

Nothing here imports torch. The defaults of the named pairs are repeated here, so that wrong values
are refused, and `--help` shows numbers, before gigabytes are downloaded; a test compares both.
"""

import argparse
import json
from functools import partial
from pathlib import Path

from itskit import __version__, recipes
from itskit.argument_groups import add_listening, add_live, add_printing
from itskit.argument_types import (
    AtSecond,
    anything,
    colour,
    file,
    fraction,
    number,
    seed,
    tried,
    typed,
    until,
    whole_number,
    words,
)

SOLVERS = ("ddim", "dpmpp_2m", "ddpm")
RULES = (
    "mean", "corrected", "product", "and", "or", "not", "perp_neg", "projection", "frequency",
    "langevin", "alternate",
)  # fmt: skip
FITS = ("pad", "crop", "stretch")
VIEWS = ("identity", "flip_time", "flip_frequency", "rotate_180", "negate")
INIT_DEFAULTS = {  # of options that need --init
    "strength": "0.7",
    "init_fit": "pad",
    "init_background": "white",
    "init_start": "0",
    "init_duration": "all that fit",
}
OTHER_DEFAULTS = {
    "rule": "mean",
    "image_stop": "1",
    "sound_stop": "1",
    "image_view": "identity",
    "sound_view": "identity",
}
LARGE = {
    "num_inference_steps": 100,
    "solver": "ddim",
    "image_scale": 10.0,
    "sound_scale": 10.0,
    "image_weight": 0.5,
    "sound_weight": 0.5,
    "image_start": 0.1,
    "sound_start": 0.0,
}
# The defaults of each pair. A folder of pocket weights has those of "pocket".
PAIRS = {
    "pocket": LARGE
    | {
        "num_inference_steps": 8,
        "solver": "dpmpp_2m",
        "sound_scale": 4.0,
        "image_start": 0.0,
    },
    "paper": LARGE,
    "riffusion": LARGE,
}
PRESETS = {"pocket": ("paper",), "paper": ("fast", "paper"), "riffusion": ("fast", "paper")}
PRESET_STEPS = {"paper": 100, "fast": 30}
WIDTHS = {"pocket": (512, 128), "paper": (1024, 64), "riffusion": (512, 64)}  # usual, multiples of


class Parser(argparse.ArgumentParser):
    """argparse with errors of one line, as everywhere in this package."""

    def error(self, message):
        message = " ".join(message.split())  # what was typed may hold breaks of lines
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def usual(keyword: str) -> str:
    """The default of a setting, for `--help`: "pocket 8, paper 100", or one value for both."""
    if keyword in ("width", "window"):
        return ", ".join(f"{name} {width}" for name, (width, _) in WIDTHS.items())
    if keyword not in LARGE:
        return (INIT_DEFAULTS | OTHER_DEFAULTS).get(keyword, "none")
    said = {name: PAIRS[name][keyword] for name in ("pocket", "paper")}
    said = {name: v if isinstance(v, str) else f"{v:g}" for name, v in said.items()}
    if len(set(said.values())) == 1:
        return said["pocket"]
    return ", ".join(f"{name} {value}" for name, value in said.items())


pair = typed(
    "PAIR",
    f"{', '.join(PAIRS)}, or a folder of pocket weights with a weights.json",
    lambda text: text if text in PAIRS or (Path(text) / "weights.json").is_file() else None,
)


fit = typed("FIT", ", ".join(FITS), lambda text: text if text in FITS else None)


view = typed("VIEW", ", ".join(VIEWS), lambda text: text if text in VIEWS else None)


@partial(typed, "RULE", f'{", ".join(RULES)}, or JSON such as {{"name": "and", "lift": 2}}')
def rule(text: str):
    said = json.loads(text) if text.startswith("{") else text
    name = said.get("name") if isinstance(said, dict) else said
    return said if name in RULES else None


# Flag, keyword of `itskit.compose`, type, help. Without the flag the preset or the pair decides.
SETTINGS = (
    ("--image-negative", "image_negative", anything, "words for what should not be seen"),
    ("--sound-negative", "sound_negative", anything, "words for what should not be heard"),
    ("--steps", "num_inference_steps", whole_number(1, 999), "number of denoising steps, 1 to 999"),
    ("--image-scale", "image_scale", number(), "classifier-free guidance scale of the picture"),
    ("--sound-scale", "sound_scale", number(), "classifier-free guidance scale of the sound"),
    ("--image-weight", "image_weight", number(0), "weight of the image model in the blend"),
    ("--sound-weight", "sound_weight", number(0), "weight of the sound model in the blend"),
    ("--image-start", "image_start", fraction, "when the image model begins: fraction of the run"),
    ("--sound-start", "sound_start", fraction, "when the sound model begins: fraction of the run"),
    ("--image-stop", "image_stop", until, "when the image model stops: fraction of the run"),
    ("--sound-stop", "sound_stop", until, "when the sound model stops: fraction of the run"),
    ("--image-view", "image_view", view,
     f"view of the canvas for the image model: {', '.join(VIEWS)}"),
    ("--sound-view", "sound_view", view,
     "view of the canvas for the sound model: the same choices"),
    ("--rule", "rule", rule, f"how the noises of both models become one: {', '.join(RULES)}"),
    ("--width", "width", whole_number(1),
     "width of the picture in pixels, which sets the length of the sound"),
    ("--seconds", "duration", number(0, without=[0]),
     "length of the sound in seconds, in place of --width"),
    ("--window", "window", whole_number(1),
     "how many pixels of a wider picture a model sees at once"),
    ("--strength", "strength", number(0, 1, without=[0]), "with --init: how much to change, "
     "above 0; small values keep the picture or sound, 1 keeps hardly anything of it"),
    ("--init-fit", "init_fit", fit,
     f"with --init: how to fit a picture of other proportions: {', '.join(FITS)}"),
    ("--init-background", "init_background", colour,
     "with --init: colour behind a transparent picture"),
    ("--init-start", "init_start", number(0),
     "with --init: where in the recording to begin, in seconds"),
    ("--init-duration", "init_duration", number(0, without=[0]),
     "with --init: how much of the recording to use, in seconds"),
)  # fmt: skip


def prompts(args: argparse.Namespace) -> tuple:
    """What `compose` takes for the two prompts: words, or what they turn into along time."""
    told = (args.image_prompt, args.image_at), (args.sound_prompt, args.sound_at)
    return tuple([(0.0, first), *sorted(later)] if later else first for first, later in told)


def contradiction(args: argparse.Namespace) -> str | None:
    """The error in settings of `compose` that are valid alone but not together, or None."""
    like = args.pair if args.pair in PAIRS else "pocket"
    if args.preset not in (None, *PRESETS[like]):
        known = ", ".join(PRESETS[like])
        return f"argument --preset: expected {known} for {args.pair}, got {args.preset!r}"
    unit = WIDTHS[like][1]
    for name in ("width", "window"):
        if (value := getattr(args, name)) is not None and value % unit:
            nearest = max(unit, round(value / unit) * unit)
            return (
                f"argument --{name}: expected a multiple of {unit}, such as {nearest}, got {value}"
            )
    if None not in (args.width, args.duration):
        return "argument --seconds: expected no --width beside it, since each tells the other"
    for keyword in INIT_DEFAULTS:
        if getattr(args, keyword) is not None and args.init is None:
            flag = f"--{keyword.replace('_', '-')}"
            return f"argument {flag}: expected --init beside it, a picture or a sound to change"
    if recipes.picks_among_items(args.rule):
        return _lone_particle(args)
    if not _a_model_begins(args, like):
        return (
            "arguments --image-weight, --sound-weight, --image-start and --sound-start: no model "
            "works in the first step; expected a weight above 0 with a start of 0"
        )
    return None


def _lone_particle(args: argparse.Namespace) -> str | None:
    """The error if a rule that picks among seeds is given nothing to pick from, or has to hunt."""
    if args.command == "hunt":
        return (
            "argument --rule: it picks among the seeds of a batch, so that none has a result of "
            "its own to hunt for; expected another rule, or itskit compose --seeds 8"
        )
    if len(args.seeds or [args.seed]) < 2:
        return (
            "argument --rule: it picks among the seeds of a batch; expected several, such as "
            "--seeds 8"
        )
    return None


def _a_model_begins(args: argparse.Namespace, like: str) -> bool:
    settings = dict(PAIRS[like] if args.preset is None else LARGE)
    if args.preset is not None:
        settings["num_inference_steps"] = PRESET_STEPS[args.preset]
    given = {name: getattr(args, name) for name in settings}
    settings |= {name: value for name, value in given.items() if value is not None}
    working = [name for name in ("image", "sound") if settings[f"{name}_weight"] > 0]
    if len(working) == 1 and given[f"{working[0]}_start"] is None:
        return True  # a model that works alone begins at once
    steps = settings["num_inference_steps"]
    return any(round(settings[f"{name}_start"] * steps) == 0 for name in working)


def parser() -> argparse.ArgumentParser:
    """All commands with their options; `args.command` is the one that was typed."""
    whole = Parser(
        prog="itskit",
        description="Make images that sound: a picture that is also the spectrogram of a sound.",
    )
    whole.add_argument("--version", action="version", version=f"itskit {__version__}")
    commands = whole.add_subparsers(
        title="commands", dest="command", required=True, metavar="COMMAND"
    )

    def command(name: str, about: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=about)
        made.add_argument("--debug", action="store_true", help="show the traceback of an error")
        made.set_defaults(parser=made)
        return made

    compose = command("compose", "make a picture that is also a sound from two prompts")
    hunt = command("hunt", "compose with many seeds and keep the best")
    again = command("again", "make a result from its recipe")
    printing = command("print", "print your own drawing into your own recording")
    listen = add_listening(command)
    add_live(command)
    info = command("info", "show versions, weights and licences")
    _add_seed(compose)
    _add_seeds(hunt)
    for each in (compose, hunt):
        _add_settings(each)
    recipe = "its .json, or any other file that itskit made"
    again.add_argument("recipe", metavar="RECIPE", type=file, help=recipe)
    for each in (compose, hunt, again):
        _add_start(each)
    add_printing(printing)
    for each in (compose, hunt, again, printing, listen):
        each.add_argument(
            "--out", default="out", type=Path, help="folder to write the files to (out)"
        )
    for each in (compose, hunt, printing, info):
        _add_pair(each, "pocket")
    _add_pair(again, None)
    return whole


def _add_seed(command: argparse.ArgumentParser) -> None:
    either = command.add_mutually_exclusive_group()
    either.add_argument(
        "--seed", type=seed, default=0, metavar="N", help="seed of the random noise (0)"
    )
    either.add_argument(
        "--seeds",
        type=tried,
        metavar="N",
        help="how many seeds, or which, such as 1,2,3: one "
        "result for each; the rules corrected and product need several",
    )


def _add_seeds(command: argparse.ArgumentParser) -> None:
    which = "how many seeds to try, or which: 1,2,3 (16)"
    command.add_argument("--seeds", type=tried, default=range(16), metavar="16", help=which)
    some = {"type": whole_number(1), "default": 4, "metavar": "N"}
    command.add_argument("--keep", **some, help="how many of the results to write (4)")
    command.add_argument("--batch", **some, help="how many seeds to compose at a time (4)")
    share = "draft all seeds, and finish this share of them, such as 0.25 (all are finished)"
    command.add_argument("--prune", type=number(0, 1, without=[0]), metavar="X", help=share)
    either = command.add_mutually_exclusive_group()
    workers = "how many processes compose side by side (none: this one does)"
    either.add_argument("--workers", type=whole_number(1), metavar="N", help=workers)
    dask = "address of a dask scheduler, such as tcp://10.0.0.1:8786, whose workers compose (none)"
    either.add_argument("--scheduler", metavar="URL", help=dask)
    kept = "keep every score in this JSONL file, and go on from what is in it (none)"
    command.add_argument("--scores", type=Path, metavar="FILE", help=kept)


def _add_settings(command: argparse.ArgumentParser) -> None:
    """The prompts, and the settings of `compose`."""
    for name, verb in (("IMAGE_PROMPT", "look"), ("SOUND_PROMPT", "sound")):
        about = f"words for what it should {verb} like"
        command.add_argument(name.lower(), metavar=name, type=words, help=about)
    for flag, keyword, kind, text in SETTINGS:
        text = f"{text} ({usual(keyword)})"
        command.add_argument(flag, dest=keyword, type=kind, metavar=kind.__name__, help=text)
    loop = "let the end join the beginning, in the picture and in the sound (off)"
    command.add_argument("--loop", action="store_const", const=True, help=loop)
    for name in ("image", "sound"):
        at = f"let the {name}'s words turn into others by this second; more than once, if you like"
        told = {"nargs": 2, "metavar": ("SECOND", "WORDS"), "action": AtSecond}
        command.add_argument(f"--{name}-at", **told, help=f"{at} (none)")
    solver = f"formula of a denoising step ({usual('solver')})"
    command.add_argument("--solver", choices=SOLVERS, help=solver)
    presets = sorted({name for names in PRESETS.values() for name in names})
    settings = "named set of settings (none); pocket has only paper"
    command.add_argument("--preset", choices=presets, help=settings)


def _add_start(command: argparse.ArgumentParser) -> None:
    start = "picture or recording to start from (noise)"
    command.add_argument("--init", metavar="FILE", type=file, help=start)
    command.add_argument("--no-video", action="store_true", help="do not write the MP4 (off)")
    command.add_argument("--no-page", action="store_true", help="do not write the HTML page (off)")


def _add_pair(command: argparse.ArgumentParser, usual: str | None) -> None:
    text = f"{', '.join(PAIRS)} or a folder of pocket weights ({usual or 'the recipe’s'})"
    command.add_argument("--pair", metavar="PAIR", type=pair, default=usual, help=text)
