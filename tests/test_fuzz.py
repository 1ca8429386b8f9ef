"""Whatever comes in: a result, or an error of ours that says what to do; and nothing is lost.

ITSKIT_FUZZ=10000 tries so many examples of each kind; without it there are few.
"""

import io
import json
import os
import string
import sys
import traceback
import wave
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from a_run import run
from PIL import Image
from toys import pair

import itskit
from itskit import export, media
from itskit.checks import is_number
from itskit.cli import main
from itskit.composition import compose
from itskit.guidance import weight_map
from itskit.modality import Axis
from itskit.recomposition import recompose
from itskit.trajectory import Trajectory
from itskit.writing import read_lines

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as some  # noqa: E402

pytestmark = pytest.mark.slow
ROOT = Path(itskit.__file__).parent
MANY = int(os.environ.get("ITSKIT_FUZZ", 25))
fuzz = settings(
    max_examples=MANY, deadline=None, database=None, derandomize="ITSKIT_FUZZ" not in os.environ,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
TOYS = pair()
TOYS = replace(TOYS, sound=replace(TOYS.sound, axis=Axis((2.0, 1.0), 0.01, 800)))

letters = some.text(max_size=40) | some.text(string.printable, max_size=40)
torn = some.text(some.characters(categories=("Cs", "Cc", "Lo", "So")), max_size=20)
words = letters | torn | some.just("word " * 2000)
number = some.floats(allow_nan=True, allow_infinity=True) | some.integers(-(2**70), 2**70)
plain = some.none() | some.booleans() | number | letters
anything = some.recursive(
    plain,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(letters, inner, max_size=4),
    max_leaves=8,
)


def clear(error: Exception) -> None:
    """An error that itskit itself raised, with a type to catch and words to act on."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{type(error).__name__}: {error} ({frames[-1].filename}:{frames[-1].lineno})"
    assert isinstance(error, (ValueError, OSError, FloatingPointError)), where
    assert Path(frames[-1].filename).is_relative_to(ROOT), where
    assert len(str(error)) > 15, where


def attempt(call, *arguments, **options):
    """The answer, or None after a clear error."""
    try:
        return call(*arguments, **options)
    except Exception as error:
        clear(error)
        return None


# ---- words, numbers, weights ---------------------------------------------------------------------


along = some.lists(some.tuples(some.integers(0, 2) | number, words), max_size=3)
prompts = words | some.none() | along


@given(prompts, prompts, words)
@fuzz
def test_any_words_compose_and_are_composed_again(image, sound, negative):
    few = {"width": 256, "num_inference_steps": 2, "progress": False}
    made = attempt(compose, TOYS, image, sound, image_negative=negative, **few)
    if made is None:
        return
    recipe = json.loads(json.dumps(made.recipe))
    assert torch.equal(recompose(TOYS, recipe, progress=False).latent, made.latent)
    shown = export.scrub.prompts(recipe)
    page = export.pages.page_html({"prompts": shown, "recipe": recipe}, [])
    assert page.count("</script") == EMPTY_PAGE.count("</script")
    name = export.names.stem_for(made.recipe)
    assert set(name) <= set(string.ascii_lowercase + string.digits + "-") and len(name) < 200


EMPTY_PAGE = export.pages.page_html({"prompts": [], "recipe": {}}, [])
SETTINGS = (
    "seed", "seeds", "num_inference_steps", "image_scale", "sound_weight", "image_weight",
    "image_start", "sound_stop", "image_view", "solver", "spacing", "rule", "width", "strength",
    "preset", "crop", "init", "duration", "window", "loop", "extra", "image_negative",
    "sound_prompt_typo",
)  # fmt: skip


@given(some.dictionaries(some.sampled_from(SETTINGS), anything, min_size=1, max_size=3))
@fuzz
def test_any_settings_compose_or_say_what_is_wrong(given):
    given = {"num_inference_steps": 2} | given
    steps = given["num_inference_steps"]
    if isinstance(steps, (int, float)) and not isinstance(steps, bool) and 50 < steps < 1000:
        given["num_inference_steps"] = 3  # would do, and take long
    for name, most in (("width", 2**12), ("duration", 40)):
        if is_number(given.get(name)) and most < given[name] < 2**20:
            given[name] = most
    made = attempt(compose, TOYS, "a", "b", progress=False, **given)
    if made is not None and made.recipe["rule"] is not None:
        assert made.latent.isfinite().all()
        json.loads(json.dumps(made.recipe, allow_nan=False))


shapes = some.lists(some.integers(0, 5), max_size=4).map(tuple)
kinds = some.sampled_from(["float32", "float64", "int8", "uint8", "bool", "complex64", "U3", "O"])


@given(shapes, kinds, some.floats(-2, 300), some.booleans())
@fuzz
def test_any_array_is_a_weight_or_is_refused(shape, kind, value, is_nan):
    array = np.full(shape, value if kind not in "U3 O" else "x").astype(kind)
    if is_nan and array.dtype.kind == "f":
        array[...] = np.nan
    found = attempt(weight_map, array, (8, 16))
    assert found is None or (found.shape == (8, 16) and (found >= 0).all())


# ---- recipes -------------------------------------------------------------------------------------

RECIPE = json.loads(
    json.dumps(compose(TOYS, "a", "b", num_inference_steps=2, progress=False).recipe)
)
BRANCH = {"branch": {"step": 1, "of": RECIPE}}


@given(
    some.sampled_from([RECIPE, RECIPE | BRANCH]),
    some.dictionaries(
        some.sampled_from([*RECIPE, "window", "loop", "branch", "method", "stopped"]), anything
    ),
    some.lists(
        some.tuples(
            some.integers(0, 1), some.sampled_from([*RECIPE["guides"][0], "prompts"]), anything
        )
    ),
    some.sets(some.sampled_from([*RECIPE])),
)
@fuzz
def test_any_recipe_is_made_or_refused(recipe, changes, of_guides, without):
    recipe = json.loads(json.dumps(recipe)) | changes
    for place, key, value in of_guides:
        told = recipe.get("guides")
        if isinstance(told, list) and len(told) > place and isinstance(told[place], dict):
            told[place][key] = value
    recipe = {key: value for key, value in recipe.items() if key not in without}
    steps = recipe.get("num_inference_steps")
    if isinstance(steps, (int, float)) and not isinstance(steps, bool) and steps > 50:
        recipe["num_inference_steps"] = 2
    before = json.dumps(recipe)
    attempt(recompose, TOYS, recipe, progress=False)
    assert json.dumps(recipe) == before  # it is the user's


# ---- files ---------------------------------------------------------------------------------------


def _bytes_of(write) -> bytes:
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"itskit-fuzz-{os.getpid()}{write[1]}"
    try:
        write[0](path)
        return path.read_bytes()
    finally:
        path.unlink(missing_ok=True)


def _wav(path):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(8000)
        file.writeframes(bytes(4000))


SHORT = run(2)
FILES = {
    ".png": _bytes_of((lambda p: export.png(SHORT, p), ".png")),
    ".wav": _bytes_of((lambda p: export.audio(SHORT, p), ".wav")),
    ".mp3": _bytes_of((lambda p: export.audio(SHORT, p), ".mp3")),
    ".html": _bytes_of((lambda p: export.page(SHORT, p), ".html")),
    ".safetensors": _bytes_of((lambda p: SHORT.save(p), ".safetensors")),
    ".json": json.dumps(RECIPE).encode(),
    ".short.wav": _bytes_of((_wav, ".wav")),
}
damages = some.lists(
    some.tuples(some.floats(0, 1, exclude_max=True), some.binary(max_size=8), some.booleans()),
    max_size=6,
)


def _damaged(content: bytes, damage) -> bytes:
    """Bytes written over others, or in place of all that follows."""
    for at, new, cut in damage:
        k = int(at * len(content))
        content = content[:k] + new + (b"" if cut else content[k + len(new) :])
    return content


@given(some.sampled_from([*FILES]), some.sampled_from([*FILES]), damages, some.binary(max_size=200))
@fuzz
@pytest.mark.filterwarnings("ignore")
def test_any_file_is_read_or_refused_and_stays_what_it_is(
    tmp_path_factory, kind, ending, damage, raw
):
    content = _damaged(FILES[kind], damage) if damage else raw
    path = tmp_path_factory.getbasetemp() / f"file{ending}"
    path.write_bytes(content)
    recipe = attempt(export.read_recipe, path)
    assert recipe is None or isinstance(recipe, dict)
    attempt(media.read, path)
    attempt(media.read, content)
    attempt(Trajectory.load, path)
    assert path.read_bytes() == content


def _png_of(width: int, height: int, depth: int, colour: int) -> bytes:
    """A PNG that says it is so large, whatever is in it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")
        )

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, colour, 0, 0, 0])
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


sizes = some.sampled_from([0, 1, 7, 4000, 2**20, 2**31 - 1])


@given(sizes, sizes, some.sampled_from([0, 1, 8, 16, 3]), some.sampled_from([0, 2, 3, 4, 6, 9]))
@fuzz
@pytest.mark.filterwarnings("ignore")
def test_pictures_that_lie_about_their_size_are_read_or_refused(width, height, depth, colour):
    attempt(media.read, _png_of(width, height, depth, colour))


@given(shapes, kinds, some.sampled_from([Image.fromarray, np.asarray, torch.as_tensor]))
@fuzz
def test_any_array_is_a_picture_or_a_sound_or_is_refused(shape, kind, make):
    array = np.zeros(shape).astype(kind)
    try:
        what = make(array)
    except Exception:
        return  # PIL and PyTorch do not have it either
    attempt(media.read, what)
    attempt(itskit.encode, TOYS.image, what)


@given(some.binary(max_size=300), some.lists(anything, max_size=3))
@fuzz
def test_whatever_lies_in_a_file_of_scores_stays_and_does_no_harm(tmp_path_factory, raw, rows):
    path = tmp_path_factory.getbasetemp() / "scores.jsonl"
    content = raw + b"".join(b"\n" + json.dumps(row).encode() for row in rows)
    content += b'\n{"made": 3, "seed": [1]}\n{"made": "a", "seed": 0}'
    path.write_bytes(content)
    scored = itskit.metrics.Scorer(
        "image", lambda result, item, _: float(result.latent[item].mean())
    )
    options = {"scorers": {"image": scored}, "num_inference_steps": 1, "progress": False}
    for _ in range(2):
        found = itskit.hunt(TOYS, "a", None, seeds=2, keep=1, path=path, **options)
        assert len(found.scores) == 2 and path.read_bytes().startswith(content)
    assert len([row for row in read_lines(path) if "prompts" in row]) == 2


# ---- the command line ----------------------------------------------------------------------------

flags = some.sampled_from(
    "--seed --seeds --steps --image-scale --image-weight --image-start --rule --width --strength "
    "--init --init-fit --solver --preset --pair --out --image-view --keep --workers --prune".split()
)
arguments = some.lists(some.tuples(flags, letters | torn | number.map(str)), max_size=3)


@given(
    some.sampled_from(["compose", "hunt", "again", "print", "info"]), letters, letters, arguments
)
@fuzz
def test_any_command_ends_with_a_code_and_an_error_of_one_line(command, image, sound, given):
    """The pair is toys, and cannot be loaded: what is wrong is found before, or that is said."""
    argv = [command, image, sound, *(part for pair in given for part in pair)]
    out, err = io.StringIO(), io.StringIO()
    before, load = (sys.stdout, sys.stderr), itskit.__dict__.get("load_pair")
    itskit.load_pair = _no_pair
    try:
        sys.stdout, sys.stderr = out, err
        try:
            code = main(argv)
        except SystemExit as stop:
            code = stop.code
    finally:
        sys.stdout, sys.stderr = before
        itskit.load_pair = load
    assert code in (0, 2)
    lines = [line for line in err.getvalue().splitlines() if line.strip()]
    assert code == 0 or (len(lines) == 1 and "error: " in lines[0] and len(lines[0]) > 25)
    assert "Traceback" not in err.getvalue()


def _no_pair(name):
    raise ValueError("no pair here: expected another day")
