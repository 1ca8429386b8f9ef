"""The live page's surface: what is seen of it, as files of a static folder."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path

from .. import recipes, web
from ..export import read_recipe
from ..modality import Pair
from ..settings import Settings

SOURCE = Path(web.__file__).parent / "live"
# Entries of the gallery that the page begins with, the first one at once; a wheel has them, too.
EXAMPLES = (
    "palm_tree_birds", "sailboat_piano", "crown_trombone", "castle_church_bells", "owl_hooting",
    "telephone_ringing", "cat_meowing", "rooster_crowing", "clock_ticking", "guitar_chords",
    "train_whistle", "heart_choir",
)  # fmt: skip
PICTURE, SOUND = "picture.png", "sound.mp3"
WITH_GRAPHICS_CARD = "asyncify"  # in the name of what is loaded instead of a part of the rest


def write_shell(out: Path, pair: Pair) -> None:
    """Write the page into a folder that holds its engine, and a list of all files.

    Parameters
    ----------
    out : Path
        A folder; what the engine needs is in it already.
    pair : Pair
        Whose settings are the page's own, and whose pictures of the gallery are shown.
    """
    left_out = shutil.ignore_patterns("*.py", "__*", "gallery")
    shutil.copytree(SOURCE, out, dirs_exist_ok=True, ignore=left_out)
    examples = [one for name in EXAMPLES if (one := _example(name, out, pair))]
    shutil.copy(SOURCE.parents[1] / "models" / "pocket" / "ATTRIBUTION.md", out)
    surface = out / "page"
    light, dark = web.PALETTE["light"]["page"], web.PALETTE["dark"]["page"]
    ground = (
        f"body {{ margin: 0; padding: clamp(6px, 2vw, 24px); background: {light}; }}\n"
        f"@media (prefers-color-scheme: dark) {{ body {{ background: {dark}; }} }}\n"
    )
    own = (SOURCE / "page" / "page.css").read_text(encoding="utf-8")
    dress = web.style("scrubber.js", "weight_curve.js", "live.js")
    texts = {
        "page.css": "\n".join([dress, ground, own]),
        "scrubber.css": web.style("scrubber.js"),
        "house.js": web.script("scrubber.js"),
        "curve.js": web.script("weight_curve.js"),
        "template.html": (SOURCE.parent / "page.html").read_text(encoding="utf-8"),
        "facts.js": f"export const FACTS = {json.dumps(_facts(out, pair, examples))};\n",
    }
    for name, text in texts.items():
        (surface / name).write_text(text, encoding="utf-8")
    list_files(out)


def _facts(out: Path, pair: Pair, examples: list[dict]) -> dict:
    """What the page knows of the pair, of the gallery, and of what it has to load."""
    axis, factor = pair.sound.axis, pair.image.vae_scale_factor
    height, width = (side * factor for side in pair.image.latent_shape[1:])
    usual = vars(Settings.of(pair))
    names = [name for keys in recipes.ARGUMENTS.values() for name in keys.values()]
    names = [n for n in names if not n.endswith(("prompt", "negative", "view"))]
    names += ["num_inference_steps", "solver", "spacing", "strength"]
    return {
        "size": [width, height],
        "seconds": width * axis.seconds,
        "rate": axis.rate,
        "hertz": [round(f, 1) for f in axis.hertz],
        "usual": {name: usual[name] for name in names},
        "weights_hash": pair.weights_hash,
        "examples": examples,
        "packed": _packed(out),
        "page": {  # of the one-file page that is saved
            "padding": "clamp(8px, 3vw, 40px)",
            "light": web.PALETTE["light"]["page"],
            "dark": web.PALETTE["dark"]["page"],
        },
    }


def _packed(out: Path) -> list[dict]:
    """What is loaded before anything is composed, on a CPU: the engine tells of it."""
    told = json.loads((out / "engine.json").read_text(encoding="utf-8"))["files"]
    return [one for one in told if WITH_GRAPHICS_CARD not in one["name"]]


def _example(name: str, out: Path, pair: Pair) -> dict | None:
    """An entry of the gallery, copied; None if it is not there or was made with other weights."""
    folder = SOURCE / "gallery" / name  # in a wheel; in a clone it lies beside the package
    if not folder.is_dir():
        folder = SOURCE.parents[2] / "gallery" / name
    if not all((folder / file).is_file() for file in (PICTURE, SOUND)):
        return None
    recipe = read_recipe(folder / PICTURE)
    if recipe.get("weights_hash") != pair.weights_hash:
        return None
    there = out / "gallery" / name
    there.mkdir(parents=True, exist_ok=True)
    for file in (PICTURE, SOUND):
        shutil.copy(folder / file, there / file)
    words = {kind: recipes.guide(recipe, kind)["prompt"] for kind in ("image", "sound")}
    return {"name": name, **words, "recipe": recipe}


def listed(out: Path) -> dict[str, dict]:
    """{name: {bytes, sha256}} of every file of the folder but the list and its keeper."""
    found = {}
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        name = path.relative_to(out).as_posix()
        if name not in ("files.json", "sw.js") and not name.startswith("."):
            data = path.read_bytes()
            found[name] = {"bytes": len(data), "sha256": sha256(data).hexdigest()}
    return found


def list_files(out: Path) -> None:
    """Write the list of all files, for the engine and for the worker that keeps them."""
    files = listed(out)
    keeper = (SOURCE / "sw.js").read_text(encoding="utf-8")
    keeper = keeper.replace("{/* files */}", json.dumps(files, indent=1))
    (out / "sw.js").write_text(keeper, encoding="utf-8")
    rows = [{"name": name, **told} for name, told in files.items()]
    (out / "files.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
