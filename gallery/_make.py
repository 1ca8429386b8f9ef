"""What all entries share: an `Entry` holds prompts, seed and settings, and writes three files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib import import_module
from io import BytesIO
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent
FILES = PAGE, SOUND, PICTURE = "page.html", "sound.mp3", "picture.png"
TOOLS = ("build", "choose")
PAGE_STEPS = 5  # of the result, and no other track: about 250 kB a page instead of 1.3 MB


@dataclass(frozen=True)
class Entry:
    """Two prompts and all that makes their result again.

    seed      of the noise; in a pairing it is written by choose.py
    remark    one sentence: what to look and listen for, or what goes wrong and why
    settings  keyword arguments of `itskit.compose`, numbers and words; the pair's own otherwise
    failure   shown for what goes wrong; its seed is never chosen
    baseline  the function of `itskit.baselines` that makes it, to be compared with the composition
              whose words and seed it has; nothing: it is composed
    """

    image: str
    sound: str
    seed: int
    remark: str
    settings: dict = field(default_factory=dict)
    failure: bool = False
    baseline: str = ""

    @property
    def is_chosen(self) -> bool:
        """Whether choose.py finds its seed."""
        return not (self.failure or self.baseline)

    def failing(self, remark: str, **settings) -> Entry:
        """The same words and the same seed with other settings, to show what they spoil."""
        settings = {**self.settings, **settings}
        return replace(self, remark=remark, settings=settings, failure=True)

    def made_by(self, baseline: str, remark: str, **settings) -> Entry:
        """The same words and the same seed by another way, whose settings all are given here."""
        return replace(self, remark=remark, settings=settings, baseline=baseline)

    def make(self, beside, pair=None, **changes) -> Path:
        """Compose, or do what the baseline does, and write picture, sound and page into the folder
        named after `beside`.

        `beside` is the entry's own file, `pair` the shipped one unless it is given, `changes` are
        further settings. What was there is replaced; an interrupted run replaces nothing.
        """
        import itskit
        from itskit import baselines
        from itskit.composition import composed

        folder = Path(beside).with_suffix("")
        settings = {"progress": pair is None, **self.settings, **changes}
        pair = pair or itskit.load_pair("pocket")
        way = getattr(baselines, self.baseline) if self.baseline else composed
        write(way(pair, self.image, self.sound, seed=self.seed, **settings), folder)
        print(f"{folder.name}: {', '.join(FILES)}", flush=True)
        return folder


# ---- files ---------------------------------------------------------------------------------------


def write(result, folder: Path) -> None:
    """The three files of a result, each with its recipe. The picture comes last: `is_current` asks
    it, so that a folder that was left half written is made again."""
    from itskit import export
    from itskit.writing import written

    folder.mkdir(parents=True, exist_ok=True)
    replace_text(folder / PAGE, _page(result))
    _write_mp3(result.sound(), heard := BytesIO(), result.recipe)
    with written(folder / SOUND) as part:
        part.write_bytes(heard.getvalue())
    export.png(result, folder / PICTURE)


def _page(result) -> str:
    """The scrubber with PAGE_STEPS steps of the result: the whole one is `itskit.export.page`. A
    Canvas has one frame, no curves, and no line of `compose` makes it again."""
    from itskit import baselines, export
    from itskit.export import encode, scrub

    if isinstance(result, baselines.Canvas):
        facts = scrub.facts(_one_step(result)) | {"again": None, "diagnosis": None}
        _write_mp3(result.sound(), heard := BytesIO())
        seen = encode.picture_bytes(result.picture().image, quality=80)
        frames = [scrub.Frame("clean", 0, seen, heard.getvalue())]
    else:
        facts, frames = scrub.facts(result), _frames(result)
    facts["tracks"] = facts["tracks"][:1]
    return export.page_html(facts, frames)


def _one_step(canvas):
    """A Canvas as the only step of a run in which nobody spoke, for what a page says beside it."""
    from itskit.sampling import Step
    from itskit.trajectory import Trajectory

    latent = canvas.pair.image.encode(canvas.pictures[:1])
    return Trajectory((Step(0, 0, latent, latent, latent, (), ()),), canvas.recipe, canvas.pair)


def _frames(result):
    from itskit.export import encode, scrub

    for step in scrub.keyframes(range(len(result)), PAGE_STEPS):
        picture, sound = scrub.show(result, result.steps[step].clean[:1])
        _write_mp3(sound, heard := BytesIO())
        seen = encode.picture_bytes(picture.image, quality=80)
        yield scrub.Frame("clean", step, seen, heard.getvalue())


def _write_mp3(sound, file, recipe: dict | None = None) -> None:
    """MP3, which every browser plays, at about 32 kbit/s and the toolkit's loudness."""
    import soundfile

    from itskit.export.encode import within_full_scale
    from itskit.export.names import title_of
    from itskit.export.recipes import as_text

    coding = {"format": "MP3", "compression_level": 0.6, "bitrate_mode": "VARIABLE"}
    samples, rate = sound.audible().samples, sound.rate
    samples = within_full_scale(samples, rate, subtype="MPEG_LAYER_III", **coding)
    with soundfile.SoundFile(file, "w", rate, 1, "MPEG_LAYER_III", **coding) as track:
        if recipe is not None:
            track.title, track.comment = title_of(recipe), as_text(recipe)
        track.write(samples)


# ---- all of them ---------------------------------------------------------------------------------


def entries(names=()) -> list[ModuleType]:
    """The entries' modules, or those named: `entry`, a docstring that is its title, a `__file__`.

    Raises SystemExit with the names that there are if one is unknown.
    """
    known = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in TOOLS)
    known = [name for name in known if not name.startswith("_")]
    if unknown := set(names) - set(known):
        raise SystemExit(f"no entry {', '.join(sorted(unknown))}: expected {', '.join(known)}")
    return [import_module(name) for name in known if not names or name in names]


def asked(entry: Entry, pair) -> dict:
    """What a recipe must say that was made from this entry with this pair as they are now."""
    from itskit.settings import NAMES, Settings

    made_by = {"method": entry.baseline.replace("_", " ")} if entry.baseline else {}
    own = {name: value for name, value in entry.settings.items() if name in NAMES}
    settings = {**vars(Settings.of(pair, entry.settings.get("preset"), own)), **entry.settings}
    if entry.baseline:  # whose models speak one at a time: each begins, and no start is theirs
        settings = {k: v for k, v in settings.items() if not k.endswith("_start")}
    return made_by | {
        "pair": pair.name,
        "weights_hash": pair.weights_hash,
        "image_prompt": entry.image,
        "sound_prompt": entry.sound,
        "seeds": [entry.seed],
        **{name: value for name, value in settings.items() if value is not None},
    }


def recipe_in(folder: Path) -> dict | None:
    """The recipe of a folder whose three files are there; None if they are not."""
    from itskit import export

    if not all((folder / name).is_file() for name in FILES):
        return None
    return export.read_recipe(folder / PICTURE)


def is_current(entry: Entry, folder: Path, pair) -> bool:
    """Whether a folder holds what this entry makes: same prompts, seed, settings and weights."""
    from itskit import recipes

    if (recipe := recipe_in(folder)) is None:
        return False
    # a recipe names a loop only where there is one
    said = {"loop": False, **recipe, **recipes.arguments(recipe)}
    return all(said.get(name) == value for name, value in asked(entry, pair).items())


def replace_text(path: Path, text: str) -> None:
    """Write a text file in one go: whoever is interrupted leaves the old one or the new one."""
    from itskit.writing import written

    with written(path) as part:
        part.write_text(text, encoding="utf-8")
