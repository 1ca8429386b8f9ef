"""The command line: `itskit compose "a castle with towers" "church bells ringing" --seed 7`.

Importing this module is light; torch and the models are imported by the commands that need them.
Errors are one line on stderr with exit code 2 (`--debug` shows where they came from).
"""

import json
import os
import sys
import time
import warnings
from functools import partial
from importlib import metadata
from pathlib import Path

from itskit import arguments as says
from itskit import recipes
from itskit.writing import check_folder, written


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit code: 0, 1 if some files could not be made, 2 after an error, 130
    when stopped by the keyboard."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a console without emoji must not stop a composition
            stream.reconfigure(errors="replace")
    argv = list(map(_as_typed, sys.argv[1:])) if argv is None else argv
    args = says.parser().parse_args(argv or ["--help"])
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_once()
            code = COMMANDS[args.command](args) or 0
    except KeyboardInterrupt:
        code = STOPPED
    except Exception as error:
        if args.debug:
            raise
        print(f"itskit: error: {_one_line(error)}", file=sys.stderr)
        return 2
    if code == STOPPED:
        print("itskit: stopped", file=sys.stderr)
    return code


# ---- commands ------------------------------------------------------------------------------------


def _compose(args) -> int:
    import itskit

    settings, pair = _settings(args), _begin(args.pair, args)
    seeds = list(args.seeds or [args.seed])
    together = recipes.picks_among_items(args.rule)
    # else one by one: each result is there to be opened
    for number, some in enumerate([seeds] if together else [[seed] for seed in seeds], start=1):
        count = f" ({number} of {len(seeds)})" if len(seeds) > len(some) else ""
        said = f"{len(seeds)} seeds together" if together else f"seed {some[0]}{count}"
        print(f"Composing “{args.image_prompt}” and “{args.sound_prompt}”, {said}")
        started = time.perf_counter()
        run = itskit.composing(pair, *says.prompts(args), seeds=some, **settings)
        result = run.finish(progress=True)
        _save(result, args, _composed(started))
    return args.missing


def _hunt(args) -> int:
    import itskit

    settings, pair = _settings(args), _begin(args.pair, args)
    settings |= {"seeds": args.seeds, "keep": args.keep, "batch": args.batch}
    settings |= {"prune": args.prune, "path": args.scores, "executor": args.workers}
    settings["load"] = partial(itskit.load_pair, args.pair)  # a folder, too
    if args.scheduler:
        settings["executor"] = _dask(args.scheduler)
    print(f"Hunting for “{args.image_prompt}” and “{args.sound_prompt}”, {len(args.seeds)} seeds")
    found = itskit.hunt(pair, *says.prompts(args), **settings)
    for seed, scores, result in found:
        said = ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
        _save(result, args, f"Seed {seed}: {said}")
    if found.stopped:
        return STOPPED  # what it has found is written
    return args.missing


def _dask(address: str):
    """The executor of a dask scheduler, for as long as this process lives."""
    try:
        from distributed import Client
    except ImportError:
        raise ValueError(
            '--scheduler needs dask, here and on the workers: pip install "itskit[dask]"'
        ) from None
    try:
        return Client(address, timeout=20).get_executor()
    except OSError as error:
        raise ValueError(f"--scheduler {address}: no scheduler answered ({error})") from None


def _again(args) -> int:
    from itskit.recomposition import recomposing

    recipe = read_recipe(args.recipe)
    background = recipe.get("init_background", "white")
    changes = {} if args.init is None else {"init": read_start(args.init, background)}
    pair = _begin(args.pair or recipe["pair"], args)
    started = time.perf_counter()
    result = recomposing(pair, recipe, **changes).finish(progress=True)
    _save(result, args, _composed(started))
    return args.missing


def _print(args) -> int:
    pair = _begin(args.pair, args)
    from itskit import export
    from itskit.baselines import press
    from itskit.export.names import digest, safe_name

    print(f"Printing {args.drawing} into {args.recording}")
    options = {"level": args.level, "cut": args.cut, "invert": args.invert}
    result = press(pair, args.drawing, args.recording, **options)
    names = [safe_name(Path(path).stem, 40) for path in (args.drawing, args.recording)]
    stem = str(args.out / f"{'--'.join(names)}-{digest(result.recipe)}")
    _made(export.png(result, stem + ".png"), "the picture")
    _made(export.audio(result, stem + ".wav"), "its sound")
    return args.missing


def _listen(args) -> None:
    from itskit import export, listening

    usual = "Which of the two sounds more like {word}?" if args.pairs else "What do you hear?"
    settings = {"question": args.question or usual, "repeats": args.repeats}
    plan = listening.from_table(args.table, "prefer" if args.pairs else "identify", **settings)
    check_folder(args.out)
    page = export.listening_page(plan, args.out / f"{Path(args.table).stem}.html")
    _made(page, f"{len(plan)} questions, in any browser")
    print(f"  Keep {page.stem}.*.key.json beside it from listeners; itskit heard needs it.")


def _heard(args) -> None:
    from itskit import listening

    envelope = Path(args.key).read_text(encoding="utf-8")
    print(listening.report(listening.read(args.answers, envelope)))


def _live(args) -> None:
    from itskit import live

    if not live.is_current(args.out):
        print(f"Making the live page in {args.out} ...", flush=True)
        live.build(args.out)
    if args.only_build:
        return _made(args.out / "index.html", "any web server can serve this folder")
    live.serve(args.out, args.port, browser=not args.no_browser)


def _info(args) -> None:
    from .models.pocket.engines import engine_of

    for name in ("itskit", "torch", "onnxruntime", "diffusers", "transformers", "numpy"):
        print(f"{name:14}{_version(name)}")
    print(f"{'python':14}{sys.version.split()[0]}")
    print(f"{'engine':14}{engine_of()}, of the pocket pair")
    pair = _load(args.pair)
    print(f"{'pair':14}{pair.name}")
    print(f"{'weights':14}{pair.weights_hash}")
    print(f"{'latent':14}{' x '.join(map(str, pair.image.latent_shape))}")
    print(f"{'presets':14}{', '.join(sorted(pair.presets)) or 'none'}")
    print(f"{'licence':14}{_licence(pair.name)}")


STOPPED = 130  # as shells say of what Ctrl-C ended

COMMANDS = {
    "compose": _compose, "hunt": _hunt, "again": _again, "print": _print, "listen": _listen,
    "heard": _heard, "live": _live, "info": _info,
}  # fmt: skip


def _settings(args) -> dict:
    """The keyword arguments of `compose` that were given."""
    if reason := says.contradiction(args):
        args.parser.error(reason)
    keys = (*(key for _, key, _, _ in says.SETTINGS), "loop", "solver", "preset")
    settings = {key: getattr(args, key) for key in keys}
    background = args.init_background or "white"
    settings |= {"init": None if args.init is None else read_start(args.init, background)}
    return {key: value for key, value in settings.items() if value is not None}


def _load(name: str):
    """`load_pair`, telling the person who waits: the first import takes seconds."""
    print(f"Loading the {name} pair ...", flush=True)
    import itskit

    return itskit.load_pair(name)


def _begin(pair: str, args):
    """`_load` the pair, after a look at whether the files can be written. Sets `args.missing`, the
    exit code so far: 1 if there is something that cannot be made."""
    args.missing = 0
    try:
        check_folder(args.out)
    except OSError as error:
        args.parser.error(f"argument --out: {_one_line(error)}")
    loaded = _load(pair)
    if not args.no_video:
        from itskit.export.ffmpeg import ffmpeg

        try:
            ffmpeg()
        except FileNotFoundError as error:
            args.no_video, args.missing = True, 1
            print(f"itskit: warning: {_one_line(error)}; going on without films", file=sys.stderr)
    return loaded


def _composed(started: float) -> str:
    return f"Composed in {time.perf_counter() - started:.1f} s. Your files:"


def _save(result, args, heading: str) -> None:
    """Write every file of every item of a result and say what each is. What cannot be made is said,
    too (`args.missing`); raises its error only if nothing can."""
    print(heading)
    for item in range(len(result.recipe["seeds"])):
        failed = []
        makers = _makers(result, item, args)
        for ending, (make, what) in makers.items():
            try:
                _made(make(), what)
            except Exception as error:
                if args.debug:
                    raise
                failed.append(error)
                print(f"itskit: no {ending}: {_one_line(error)}", file=sys.stderr)
        if len(failed) == len(makers):
            raise failed[0]
        args.missing = args.missing or int(bool(failed))


def _makers(result, item: int, args) -> dict:
    """Ending -> (a function that writes the file and returns its path, what the file is)."""
    from itskit import export
    from itskit.export.names import stem_of
    from itskit.export.recipes import recipe_of

    stem = str(args.out / stem_of(result, item))

    def recipe() -> str:
        text = json.dumps(recipe_of(result, item), indent=2, ensure_ascii=False)
        with written(stem + ".json") as part:
            part.write_text(text + "\n", encoding="utf-8")
        return stem + ".json"

    def by(exporter, ending, **options):
        return lambda: exporter(result, stem + ending, item=item, **options)

    makers = {
        "picture": (by(export.png, ".png"), "the picture"),
        "sound": (by(export.audio, ".wav"), "its sound"),
        "recipe": (recipe, "the recipe: itskit again makes it anew"),
    }
    if not args.no_video:
        makers["film"] = by(export.video, ".mp4"), "picture and sound in one film"
    if not args.no_page:
        page = by(export.page, ".html", progress=True)
        makers["page"] = page, "see and hear every step, in any browser"
    return makers


def _made(path, what: str) -> None:
    print(f"  {path}   {what}", flush=True)


# ---- what people hand in -------------------------------------------------------------------------


def read_start(path: str | Path, background="white"):
    """The `Picture` or `Sound` in a file, told by its content; says what was found."""
    print(f"Reading {path} ...", flush=True)  # the first import takes seconds
    from itskit import media

    found = media.read(Path(path), background=background)
    print(f"Starting from {found!r}")
    return found


def read_recipe(path: str | Path) -> dict:
    """The recipe in a .json file, or inside a picture, sound, film or page that itskit wrote."""
    from itskit import export

    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    recipe = export.read_recipe(path)
    wanted = ("pair", "guides", "seeds")
    missing = [key for key in wanted if not isinstance(recipe, dict) or key not in recipe]
    if missing:
        raise ValueError(f"{path}: not a recipe of itskit, it lacks {', '.join(missing)}")
    return recipe


# ---- small things --------------------------------------------------------------------------------


def _as_typed(argument: str) -> str:
    """UTF-8 that a locale of ASCII alone has made nonsense of, put right: it could not be saved."""
    return os.fsencode(argument).decode("utf-8", "replace") if _is_torn(argument) else argument


def _is_torn(text: str) -> bool:
    return any("\udc80" <= sign <= "\udcff" for sign in text)


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


def _show_once():
    """What prints a warning in one line, and each only once: Python itself forgets what it has said
    whenever a library changes its filters."""
    said = set()

    def show(message, category, *_) -> None:
        line = f"itskit: warning: {_one_line(message)}"
        if category is UserWarning and line not in said:  # others are for developers
            said.add(line)
            print(line, file=sys.stderr)

    return show


def _one_line(error: Exception) -> str:
    named = isinstance(error, OSError) and error.strerror and not error.filename
    text = " ".join(str(error.strerror if named else error).split())
    plain = isinstance(error, (ValueError, OSError, Warning)) and text
    return text if plain else f"{type(error).__name__}: {text}"
