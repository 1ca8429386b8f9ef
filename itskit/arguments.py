"""What may be said on the command line: checked before anything is loaded.

Nothing here imports torch. What the named pairs take is written down once more, so that wrong
values are refused and `--help` has numbers before gigabytes are fetched; a test compares.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from math import inf, isfinite
from pathlib import Path

from itskit import __version__

SOLVERS = ("ddim", "dpmpp_2m", "ddpm")
FITS = ("pad", "crop", "stretch")
VIEWS = ("identity", "flip_time", "flip_frequency", "rotate_180", "negate")
UNSAID = {
    "strength": "0.7",
    "init_fit": "pad",
    "init_background": "white",
    "init_start": "0",
    "init_duration": "all that fit",
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
# What each pair takes where nothing is said. A folder of pocket weights is like "pocket".
PAIRS = {
    "pocket": LARGE
    | {
        "num_inference_steps": 8,
        "solver": "dpmpp_2m",
        "image_scale": 14.0,
        "sound_scale": 7.0,
        "image_start": 0.0,
    },
    "paper": LARGE,
    "riffusion": LARGE,
}
PRESETS = {"pocket": ("paper",), "paper": ("fast", "paper"), "riffusion": ("fast", "paper")}
PRESET_STEPS = {"paper": 100, "fast": 30}
WIDTHS = {"pocket": (512, 128), "paper": (1024, 64), "riffusion": (512, 64)}  # usual, multiples of


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line, like every other error here."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def usual(keyword: str) -> str:
    """What counts where nothing is said, for `--help`: "pocket 8, paper 100", or what both have."""
    if keyword == "width":
        return ", ".join(f"{name} {width}" for name, (width, _) in WIDTHS.items())
    if keyword not in LARGE:
        return UNSAID.get(keyword, "nothing")
    said = {name: PAIRS[name][keyword] for name in ("pocket", "paper")}
    said = {name: v if isinstance(v, str) else f"{v:g}" for name, v in said.items()}
    if len(set(said.values())) == 1:
        return said["pocket"]
    return ", ".join(f"{name} {value}" for name, value in said.items())


def _type(name: str, expected: str, read: Callable) -> Callable:
    """An argparse type: what `read` makes of a text; a text that it raises ValueError for, or makes
    None of, is refused with what was `expected`."""

    def parse(text: str):
        try:
            value = read(text)
        except (ValueError, argparse.ArgumentTypeError):
            value = None
        if value is None:
            raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
        return value

    parse.__name__ = name
    return parse


def whole_number(low: int, high: float = inf) -> Callable:
    def read(text):
        return value if low <= (value := int(text)) <= high else None

    return _type("N", f"a whole number{_range(low, high)}", read)


def number(low: float = -inf, high: float = inf, *, without: Sequence[float] = ()) -> Callable:
    """A finite number from `low` to `high`, but none of those `without`."""

    def read(text):
        value = float(text)
        return value if isfinite(value) and low <= value <= high and value not in without else None

    but = "".join(f", not {value:g}" for value in without)
    return _type("X", f"a number{_range(low, high)}{but}", read)


def _range(low: float, high: float) -> str:
    if high < 10_000:
        return f" from {low:g} to {high:g}"
    return f", {low:g} or more" if low > -10_000 else ""


words = _type("WORDS", "words", lambda text: text if text.strip() else None)
anything = _type("WORDS", "words", str)
file = _type("FILE", "a file that is there", lambda text: text if Path(text).is_file() else None)
seed = whole_number(-(2**63), 2**64 - 1)  # what PyTorch takes
seeds = _type(
    "SEEDS",
    "whole numbers with commas between, such as 1,2,3",
    lambda text: [seed(part) for part in text.split(",")],
)
tried = _type(  # a list of seeds, or the first so many
    "SEEDS",
    "how many (1 or more), or which, such as 1,2,3",
    lambda text: (range(int(text)) or None) if text.isdecimal() else seeds(text),
)
pair = _type(
    "PAIR",
    f"{', '.join(PAIRS)}, or a folder of pocket weights with a weights.json",
    lambda text: text if text in PAIRS or (Path(text) / "weights.json").is_file() else None,
)


fit = _type("FIT", ", ".join(FITS), lambda text: text if text in FITS else None)


@partial(_type, "COLOUR", "a colour, such as white or #808080")
def colour(text: str):
    from PIL import ImageColor

    return text if ImageColor.getrgb(text) else None


view = _type("VIEW", ", ".join(VIEWS), lambda text: text if text in VIEWS else None)
fraction = number(0, 1, without=[1])
until = number(0, 1, without=[0])

# Flag, keyword of `itskit.compose`, type, help. What is not given is left to preset and pair.
SETTINGS = (
    ("--image-negative", "image_negative", anything, "what the picture should keep away from"),
    ("--sound-negative", "sound_negative", anything, "what the sound should keep away from"),
    ("--steps", "num_inference_steps", whole_number(1, 999), "denoising steps, 1 to 999"),
    ("--image-scale", "image_scale", number(), "classifier-free guidance scale of the picture"),
    ("--sound-scale", "sound_scale", number(), "classifier-free guidance scale of the sound"),
    ("--image-weight", "image_weight", number(0), "weight of the image model in the blend"),
    ("--sound-weight", "sound_weight", number(0), "weight of the sound model in the blend"),
    ("--image-start", "image_start", fraction, "fraction of the run at which its model joins"),
    ("--sound-start", "sound_start", fraction, "fraction of the run at which its model joins"),
    ("--image-stop", "image_stop", until, "fraction of the run at which its model leaves"),
    ("--sound-stop", "sound_stop", until, "fraction of the run at which its model leaves"),
    ("--image-view", "image_view", view, f"how its model looks at the canvas: {', '.join(VIEWS)}"),
    ("--sound-view", "sound_view", view, "the same for the sound model"),
    ("--width", "width", whole_number(1), "of the picture in pixels, hence length of the sound"),
    ("--strength", "strength", number(0, 1, without=[0]), "with --init: how much of it to change, "
     "above 0; little keeps the file, 1 forgets it"),
    ("--init-fit", "init_fit", fit, f"an --init picture of another shape: {', '.join(FITS)}"),
    ("--init-background", "init_background", colour, "what a transparent --init picture lies on"),
    ("--init-start", "init_start", number(0), "second of the --init recording to begin at"),
    ("--init-duration", "init_duration", number(0, without=[0]), "its seconds to use"),
)  # fmt: skip


def contradiction(args: argparse.Namespace) -> str | None:
    """What is wrong with settings of `compose` that are each right for itself; None if nothing."""
    like = args.pair if args.pair in PAIRS else "pocket"
    if args.preset not in (None, *PRESETS[like]):
        known = ", ".join(PRESETS[like])
        return f"argument --preset: expected {known} for {args.pair}, got {args.preset!r}"
    unit = WIDTHS[like][1]
    if args.width is not None and args.width % unit:
        nearest = max(unit, round(args.width / unit) * unit)
        return (
            f"argument --width: expected a multiple of {unit}, such as {nearest}, got {args.width}"
        )
    for keyword in UNSAID:
        if getattr(args, keyword) is not None and args.init is None:
            flag = f"--{keyword.replace('_', '-')}"
            return f"argument {flag}: expected --init beside it, a picture or a sound to change"
    if not _somebody_begins(args, like):
        return (
            "arguments --image-weight, --sound-weight, --image-start and --sound-start: nobody "
            "speaks in the first step; expected a weight above 0 with a start of 0"
        )
    return None


def _somebody_begins(args: argparse.Namespace, like: str) -> bool:
    settings = dict(PAIRS[like] if args.preset is None else LARGE)
    if args.preset is not None:
        settings["num_inference_steps"] = PRESET_STEPS[args.preset]
    given = {name: getattr(args, name) for name in settings}
    settings |= {name: value for name, value in given.items() if value is not None}
    speaking = [name for name in ("image", "sound") if settings[f"{name}_weight"] > 0]
    if len(speaking) == 1 and given[f"{speaking[0]}_start"] is None:
        return True  # alone, it begins
    steps = settings["num_inference_steps"]
    return any(round(settings[f"{name}_start"] * steps) == 0 for name in speaking)


def parser() -> argparse.ArgumentParser:
    """All commands with their options; `args.command` says which one was typed."""
    whole = Parser(prog="itskit", description="Images that sound: one picture that also plays.")
    whole.add_argument("--version", action="version", version=f"itskit {__version__}")
    commands = whole.add_subparsers(
        title="commands", dest="command", required=True, metavar="COMMAND"
    )

    def command(name: str, about: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=about)
        made.add_argument("--debug", action="store_true", help="show where an error came from")
        made.set_defaults(parser=made)
        return made

    compose = command("compose", "two prompts in, one picture that is also a sound out")
    hunt = command("hunt", "the best of many seeds")
    again = command("again", "make a result from its recipe")
    printing = command("print", "a drawing of yours printed into a recording of yours")
    info = command("info", "versions, weights, licences")
    _add_seed(compose)
    _add_seeds(hunt)
    for each in (compose, hunt):
        _add_settings(each)
    recipe = "the .json, or any file that itskit made"
    again.add_argument("recipe", metavar="RECIPE", type=file, help=recipe)
    for each in (compose, hunt, again):
        _add_start(each)
    _add_printing(printing)
    for each in (compose, hunt, again, printing):
        each.add_argument("--out", default="out", type=Path, help="folder for the files (out)")
    for each in (compose, hunt, printing, info):
        _add_pair(each, "pocket")
    _add_pair(again, None)
    return whole


def _add_seed(command: argparse.ArgumentParser) -> None:
    either = command.add_mutually_exclusive_group()
    either.add_argument(
        "--seed", type=seed, default=0, metavar="N", help="where the noise comes from (0)"
    )
    either.add_argument("--seeds", type=seeds, metavar="1,2,3", help="one result for each")


def _add_seeds(command: argparse.ArgumentParser) -> None:
    which = "how many, or which: 1,2,3 (16)"
    command.add_argument("--seeds", type=tried, default=range(16), metavar="16", help=which)
    some = {"type": whole_number(1), "default": 4, "metavar": "N"}
    command.add_argument("--keep", **some, help="how many of them to write (4)")
    command.add_argument("--batch", **some, help="how many at a time (4)")


def _add_settings(command: argparse.ArgumentParser) -> None:
    """The prompts, and the settings of `compose`."""
    for name, verb in (("IMAGE_PROMPT", "look"), ("SOUND_PROMPT", "sound")):
        about = f"what it should {verb} like"
        command.add_argument(name.lower(), metavar=name, type=words, help=about)
    for flag, keyword, kind, text in SETTINGS:
        text = f"{text} ({usual(keyword)})"
        command.add_argument(flag, dest=keyword, type=kind, metavar=kind.__name__, help=text)
    solver = f"who takes the steps ({usual('solver')})"
    command.add_argument("--solver", choices=SOLVERS, help=solver)
    presets = sorted({name for names in PRESETS.values() for name in names})
    settings = "a named set of settings (none); pocket has paper, the others have both"
    command.add_argument("--preset", choices=presets, help=settings)


def _add_start(command: argparse.ArgumentParser) -> None:
    start = "start from a picture or a recording (from noise)"
    command.add_argument("--init", metavar="FILE", type=file, help=start)
    command.add_argument("--no-video", action="store_true", help="no MP4 (there is one)")
    command.add_argument("--no-page", action="store_true", help="no HTML page (there is one)")


def _add_printing(command: argparse.ArgumentParser) -> None:
    drawing, recording = "a picture; ink on light paper is seen, too", "a sound, of any length"
    command.add_argument("drawing", metavar="DRAWING", type=file, help=drawing)
    command.add_argument("recording", metavar="RECORDING", type=file, help=recording)
    level = "dB below the loudest sound at which the drawing stands (50)"
    command.add_argument("--level", type=number(0), default=50.0, metavar="X", help=level)
    cut = "dB by which the sound is quieter where the drawing is dark (16)"
    command.add_argument("--cut", type=number(0), default=16.0, metavar="X", help=cut)
    ink = "whether dark is what is drawn (if the picture's border is light)"
    command.add_argument("--invert", action=argparse.BooleanOptionalAction, help=ink)
    command.set_defaults(no_video=True)


def _add_pair(command: argparse.ArgumentParser, usual: str | None) -> None:
    text = f"{', '.join(PAIRS)} or a folder of pocket weights ({usual or 'the recipe’s'})"
    command.add_argument("--pair", metavar="PAIR", type=pair, default=usual, help=text)
