"""The command line: `itskit compose "a castle with towers" "church bells ringing" --seed 7`.

Importing this module is light; torch and the models are imported by the commands that need them.
Errors are one line on stderr with exit code 2 (`--debug` shows where they came from).
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from itskit import __version__

# Flag, keyword of `itskit.compose`, type, help. What is not given is left to preset and pair.
SETTINGS = (
    ("--image-negative", "image_negative", str, "what the picture should keep away from"),
    ("--sound-negative", "sound_negative", str, "what the sound should keep away from"),
    ("--steps", "num_inference_steps", int, "denoising steps"),
    ("--image-scale", "image_scale", float, "classifier-free guidance scale of the picture"),
    ("--sound-scale", "sound_scale", float, "classifier-free guidance scale of the sound"),
    ("--image-weight", "image_weight", float, "weight of the image model in the blend"),
    ("--sound-weight", "sound_weight", float, "weight of the sound model in the blend"),
    ("--image-start", "image_start", float, "fraction of the run at which the image model joins"),
    ("--sound-start", "sound_start", float, "fraction of the run at which the sound model joins"),
    ("--solver", "solver", str, "ddim or dpmpp_2m"),
    ("--width", "width", int, "width of the picture in pixels, hence the length of the sound"),
    ("--strength", "strength", float, "with --init: 0 keeps the file, 1 forgets it (0.7)"),
    ("--preset", "preset", str, "a named set of settings, such as paper"),
)


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line, like every other error here."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit code: 0, 2 after an error, 130 when stopped by the keyboard."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a console without emoji must not stop a composition
            stream.reconfigure(errors="replace")
    args = _parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            args.run(args)
    except KeyboardInterrupt:
        print("itskit: stopped", file=sys.stderr)
        return 130
    except Exception as error:
        if args.debug:
            raise
        print(f"itskit: error: {_one_line(error)}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show where an error came from")
    parser = Parser(prog="itskit", description="Images that sound: one picture that also plays.")
    parser.add_argument("--version", action="version", version=f"itskit {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    compose = commands.add_parser(
        "compose", parents=[common], help="two prompts in, one picture that is also a sound out"
    )
    seeds = compose.add_mutually_exclusive_group()
    seeds.add_argument("--seed", type=int, default=0, help="where the noise comes from (0)")
    seeds.add_argument("--seeds", type=_seeds, metavar="1,2,3", help="one result for each")
    compose.set_defaults(run=_compose)

    hunt = commands.add_parser("hunt", parents=[common], help="the best of many seeds")
    hunt.add_argument(
        "--seeds",
        type=_tried,
        default=range(16),
        metavar="16",
        help="how many, or which: 1,2,3 (16)",
    )
    hunt.add_argument("--keep", type=int, default=4, help="how many of them to write (4)")
    hunt.add_argument("--batch", type=int, default=4, help="how many at a time (4)")
    hunt.set_defaults(run=_hunt)

    for command in (compose, hunt):
        command.add_argument(
            "image_prompt", metavar="IMAGE_PROMPT", help="what it should look like"
        )
        command.add_argument(
            "sound_prompt", metavar="SOUND_PROMPT", help="what it should sound like"
        )
        for flag, keyword, kind, text in SETTINGS:
            command.add_argument(flag, dest=keyword, type=kind, metavar=kind.__name__, help=text)
        command.add_argument("--pair", default="pocket", help="pocket, paper or a folder (pocket)")

    again = commands.add_parser("again", parents=[common], help="make a result from its recipe")
    again.add_argument("recipe", metavar="RECIPE", help="the .json, or any file that itskit made")
    again.add_argument("--pair", help="use this pair instead of the recipe's")
    again.set_defaults(run=_again)

    for command in (compose, hunt, again):
        command.add_argument("--init", metavar="FILE", help="start from a picture or a recording")
        command.add_argument("--out", default="out", type=Path, help="folder for the files (out)")
        command.add_argument("--no-video", action="store_true", help="no MP4")
        command.add_argument("--no-page", action="store_true", help="no HTML page")

    info = commands.add_parser("info", parents=[common], help="versions, weights, licences")
    info.add_argument("--pair", default="pocket", help="pocket, paper or a folder (pocket)")
    info.set_defaults(run=_info)
    return parser


# ---- commands ------------------------------------------------------------------------------------


def _compose(args) -> None:
    import itskit

    settings, pair = _settings(args), _load(args.pair)
    seeds = args.seeds or [args.seed]
    for number, seed in enumerate(seeds, start=1):  # one by one: each result is there to be opened
        count = f" ({number} of {len(seeds)})" if len(seeds) > 1 else ""
        print(f"Composing “{args.image_prompt}” and “{args.sound_prompt}”, seed {seed}{count}")
        started = time.perf_counter()
        result = itskit.compose(pair, args.image_prompt, args.sound_prompt, seed=seed, **settings)
        _save(result, args, _composed(started))


def _hunt(args) -> None:
    import itskit

    settings, pair = _settings(args), _load(args.pair)
    settings |= {"seeds": args.seeds, "keep": args.keep, "batch": args.batch}
    print(f"Hunting for “{args.image_prompt}” and “{args.sound_prompt}”, {len(args.seeds)} seeds")
    for seed, scores, result in itskit.hunt(pair, args.image_prompt, args.sound_prompt, **settings):
        said = ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
        _save(result, args, f"Seed {seed}: {said}")


def _again(args) -> None:
    from itskit.compose import recompose

    recipe = read_recipe(args.recipe)
    changes = {} if args.init is None else {"init": read_start(args.init)}
    pair = _load(args.pair or recipe["pair"])
    started = time.perf_counter()
    result = recompose(pair, recipe, **changes)
    _save(result, args, _composed(started))


def _info(args) -> None:
    for name in ("itskit", "torch", "diffusers", "transformers", "numpy"):
        print(f"{name:14}{_version(name)}")
    print(f"{'python':14}{sys.version.split()[0]}")
    pair = _load(args.pair)
    print(f"{'pair':14}{pair.name}")
    print(f"{'weights':14}{pair.weights_hash}")
    print(f"{'latent':14}{' x '.join(map(str, pair.image.latent_shape))}")
    print(f"{'presets':14}{', '.join(sorted(pair.presets)) or 'none'}")
    print(f"{'licence':14}{_licence(pair.name)}")


def _settings(args) -> dict:
    """The keyword arguments of `compose` that were given."""
    settings = {key: getattr(args, key) for _, key, _, _ in SETTINGS}
    settings |= {"init": None if args.init is None else read_start(args.init)}
    return {key: value for key, value in settings.items() if value is not None}


def _load(name: str):
    """`load_pair`, telling the person who waits: the first import takes seconds."""
    print(f"Loading the {name} pair ...", flush=True)
    import itskit

    return itskit.load_pair(name)


def _composed(started: float) -> str:
    return f"Composed in {time.perf_counter() - started:.1f} s. Your files:"


def _save(result, args, heading: str) -> None:
    """Write every file of every item of a result and say what each is."""
    from itskit import export
    from itskit.export.carry import recipe_of
    from itskit.export.names import stem_for

    print(heading)
    args.out.mkdir(parents=True, exist_ok=True)
    for item in range(len(result.recipe["seeds"])):
        recipe = recipe_of(result, item)
        stem = str(args.out / stem_for(recipe))
        _made(export.png(result, stem + ".png", item=item), "the picture")
        _made(export.audio(result, stem + ".wav", item=item), "its sound")
        text = json.dumps(recipe, indent=2, ensure_ascii=False)
        Path(stem + ".json").write_text(text + "\n", encoding="utf-8")
        _made(stem + ".json", "the recipe: itskit again makes it anew")
        if not args.no_video:
            _made(export.video(result, stem + ".mp4", item=item), "picture and sound in one film")
        if not args.no_page:
            page = export.page(result, stem + ".html", item=item, progress=True)
            _made(page, "see and hear every step, in any browser")


def _made(path, what: str) -> None:
    print(f"  {path}   {what}", flush=True)


# ---- what people hand in -------------------------------------------------------------------------


def read_start(path: str | Path):
    """A `Picture` or a `Sound` (mono, float32, its own rate) from a file, told by its ending."""
    from itskit.modality import Picture, Sound

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"--init {path}: no such file")
    ending = path.suffix.lower()
    if ending in (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"):
        from PIL import Image

        with Image.open(path) as image:
            return Picture(image.convert("RGB"))
    if ending in (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff"):
        import soundfile

        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)  # (n, channels)
        return Sound(samples.mean(axis=1), rate)  # (n,)
    raise ValueError(f"--init {path}: expected a picture (PNG, JPEG …) or a sound (WAV, MP3 …)")


def read_recipe(path: str | Path) -> dict:
    """The recipe in a .json file, or inside a picture, sound, film or page that itskit wrote."""
    from itskit import export

    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    recipe = export.read_recipe(path)
    wanted = ("pair", "image_prompt", "sound_prompt", "seeds")
    missing = [key for key in wanted if not isinstance(recipe, dict) or key not in recipe]
    if missing:
        raise ValueError(f"{path}: not a recipe of itskit, it lacks {', '.join(missing)}")
    return recipe


# ---- small things --------------------------------------------------------------------------------


def _seeds(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        message = f"expected whole numbers with commas between, such as 1,2,3, got {text!r}"
        raise argparse.ArgumentTypeError(message) from None


def _tried(text: str) -> Sequence[int]:
    """A list of seeds, or the first so many."""
    return range(int(text)) if text.isdecimal() else _seeds(text)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _licence(pair_name: str) -> str:
    weights = (
        "CC-BY-SA-4.0 (text encoder Apache-2.0)" if pair_name == "pocket" else "see their authors"
    )
    return f"code MIT, weights {weights}"


def _show_warning(message, category, *_) -> None:
    if category is UserWarning:  # what libraries tell their developers is not for this person
        print(f"itskit: warning: {_one_line(message)}", file=sys.stderr)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    plain = isinstance(error, (ValueError, OSError, Warning)) and text
    return text if plain else f"{type(error).__name__}: {text}"
