"""The gallery: short entries, outputs that are theirs, and a page of them."""

import json
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
from a_run import NASTY, composing_pair
from PIL import Image

GALLERY = Path(__file__).parent.parent / "gallery"
sys.path.insert(0, str(GALLERY))  # the entries import what they share by its bare name

from _index import index_html  # noqa: E402
from _make import FILES, PAGE, PICTURE, SOUND, Entry, entries, is_current, recipe_in  # noqa: E402
from choose import write_seed  # noqa: E402

from itskit import export, recipes  # noqa: E402
from itskit.baselines import strong_imprint  # noqa: E402

ENTRIES = entries()
NAMES = [module.__name__ for module in ENTRIES]


@pytest.mark.parametrize("module", ENTRIES, ids=NAMES)
def test_an_entry_is_short_and_has_a_title(module):
    text = Path(module.__file__).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 30
    assert module.__doc__.strip().endswith(".")
    assert len(module.__doc__.strip().splitlines()) == 1
    assert module.entry.image and module.entry.sound and module.entry.remark.endswith(".")


def test_importing_entries_runs_nothing():
    ask = "import sys; from _make import entries; entries(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", ask], cwd=GALLERY).returncode == 0


def test_there_are_pairings_and_failures():
    fails = [name for module, name in zip(ENTRIES, NAMES, strict=True) if module.entry.failure]
    assert fails == [name for name in NAMES if name.startswith("fails_")]
    assert len(fails) >= 8
    assert len(NAMES) - len(fails) >= 24


def test_baselines_stand_beside_what_they_are_compared_with():
    composed = {(m.entry.image, m.entry.sound, m.entry.seed) for m in ENTRIES if m.entry.is_chosen}
    others = [module.entry for module in ENTRIES if module.entry.baseline]
    assert {"strong_imprint"} <= {entry.baseline for entry in others}
    assert {(entry.image, entry.sound, entry.seed) for entry in others} <= composed
    assert all("compared" in entry.remark and not entry.failure for entry in others)


@pytest.mark.parametrize("name", [m.__name__ for m in ENTRIES if m.entry.is_chosen])
def test_a_chosen_seed_goes_into_the_entry(name, tmp_path):
    copy = tmp_path / f"{name}.py"
    before = (GALLERY / copy.name).read_text(encoding="utf-8")
    copy.write_text(before, encoding="utf-8")
    write_seed(copy, 4711)
    after = copy.read_text(encoding="utf-8")
    seed = next(m.entry.seed for m in ENTRIES if m.__name__ == name)
    assert "seed=4711," in after
    assert after.replace("seed=4711,", f"seed={seed},") == before


# ---- made here, with models whose answer is known ------------------------------------------------


class Listed(HTMLParser):
    """The cards of an index, what stands in them, and where its links lead."""

    def __init__(self, page: str):
        super().__init__()
        self.cards, self.tags, self.links, self.prompts, self.within = [], [], [], [], None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        self.within = tag
        if attributes.get("class") == "card":
            self.cards.append(attributes["id"])
        self.links += [attributes[k] for k in ("href", "src") if k in attributes]
        if tag == "dd":
            self.prompts.append("")

    def handle_data(self, data):
        if self.within == "dd":
            self.prompts[-1] += data

    def handle_endtag(self, tag):
        self.within = None


def module_of(name: str, entry: Entry, folder: Path) -> ModuleType:
    """An entry's module as `entries` gives them, in another folder."""
    module = ModuleType(name, f"Title of {name}.")
    module.__file__, module.entry = str(folder / f"{name}.py"), entry
    Path(module.__file__).write_text(f"# {entry.image}\n", encoding="utf-8")
    return module


def small_gallery(folder: Path):
    """A folder with two entries made by models whose answer is known, and the page of them."""
    pair = composing_pair()
    castle = Entry("a castle", "bells", 3, "It rings.", {"num_inference_steps": 3})
    nasty = Entry(NASTY, NASTY, 4, NASTY, {"num_inference_steps": 2}, failure=True)
    printed = castle.made_by("strong_imprint", "Compared.", level=40.0, num_inference_steps=2)
    named = {"castle": castle, "nasty": nasty, "printed": printed}
    modules = [module_of(name, entry, folder) for name, entry in named.items()]
    for module in modules:
        module.entry.make(module.__file__, pair)
    page = index_html({m: recipe_in(folder / m.__name__) for m in modules}, {})
    (folder / "index.html").write_text(page, encoding="utf-8")
    for name in ("index.css", "index.js", "README.md"):
        shutil.copy(GALLERY / name, folder)
    return folder, modules, pair


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return small_gallery(tmp_path_factory.mktemp("gallery"))


def check_outputs(folder: Path, modules):
    for module in modules:
        for path in (folder / module.__name__ / name for name in FILES):
            if path.suffix == ".mp3":
                continue  # read_recipe reads no MP3; the three are written in one go
            recipe = export.read_recipe(path)
            asked = module.entry
            said = {**recipe, **recipes.arguments(recipe)}
            assert (said["image_prompt"], said["sound_prompt"]) == (asked.image, asked.sound), path
            assert recipe["seeds"] == [asked.seed], path
            assert {k: said[k] for k in asked.settings} == asked.settings, path
    listed = Listed((folder / "index.html").read_text(encoding="utf-8"))
    assert sorted(listed.cards) == sorted(module.__name__ for module in modules)


def test_outputs_are_those_of_their_entries(made):
    folder, modules, _ = made
    check_outputs(folder, modules)
    # and those that lie in the gallery, once `make gallery` has made them
    if here := [module for module in ENTRIES if recipe_in(GALLERY / module.__name__)]:
        check_outputs(GALLERY, here)


def test_the_page_lists_each_entry_once_and_prompts_are_text(made):
    folder, *_ = made
    listed = Listed((folder / "index.html").read_text(encoding="utf-8"))
    assert sorted(listed.cards) == ["castle", "nasty", "printed"]
    assert listed.prompts == ["a castle", "bells"] * 2 + [NASTY, NASTY]  # failures come last
    assert listed.tags.count("script") == 1  # index.js, and none out of a prompt
    local = [link for link in listed.links if not link.startswith(("#", "https://"))]
    assert [link for link in local if not (folder / link).is_file()] == []
    loaded = [link for link in listed.links if link.startswith("https://")]
    assert loaded == ["https://github.com/itskit/itskit"]  # a link to follow, nothing to fetch


def test_every_entry_gets_one_card():
    recipe = {"width": 512, "weights_hash": "0123abcd"}
    listed = Listed(index_html(dict.fromkeys(ENTRIES, recipe), {}))
    assert sorted(listed.cards) == sorted(NAMES)


def test_what_has_changed_is_stale(made):
    folder, (castle, _, printed), pair = made
    entry, there = castle.entry, folder / "castle"
    assert is_current(entry, there, pair)
    assert not is_current(replace(entry, seed=5), there, pair)
    assert not is_current(replace(entry, sound="thunder"), there, pair)
    assert not is_current(replace(entry, settings={"num_inference_steps": 4}), there, pair)
    assert not is_current(entry, there, replace(pair, weights_hash="other"))
    assert not is_current(entry, folder / "never made", pair)
    other, there = printed.entry, folder / "printed"
    assert is_current(other, there, pair)
    assert not is_current(replace(other, baseline=""), there, pair)
    assert not is_current(replace(other, baseline="imprint"), there, pair)
    assert not is_current(replace(other, settings={**other.settings, "level": 50}), there, pair)
    assert not is_current(replace(other, seed=5), there, pair)


def test_a_baseline_shows_one_frame_and_says_what_it_is(made):
    folder, _, pair = made
    recipe, page = recipe_in(folder / "printed"), (folder / "printed" / PAGE).read_text("utf-8")
    assert (recipe["method"], recipe["level"], recipe["cut"]) == ("strong imprint", 40.0, 16.0)
    data = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])
    assert [(one["track"], one["step"]) for one in data["frames"]] == [("clean", 0)]
    assert data["again"] is None  # `compose` would make something else
    assert data["diagnosis"] is None  # nobody pulled
    truth = strong_imprint(pair, "a castle", "bells", seed=3, level=40.0, num_inference_steps=2)
    with Image.open(folder / "printed" / PICTURE) as image:
        assert np.array_equal(np.asarray(image), np.asarray(truth.picture().image))
    with Image.open(BytesIO(b64decode(data["frames"][0]["picture"]))) as image:
        seen = np.asarray(image.convert("L"), float)
    assert np.abs(seen - np.asarray(truth.picture().image)).mean() < 5
    index = (folder / "index.html").read_text(encoding="utf-8")
    assert "Not composed: strong imprint · seed 3" in index


@pytest.mark.slow
def test_an_entry_made_twice_is_the_same(tmp_path):
    from castle_church_bells import entry

    import itskit

    pair = itskit.load_pair("pocket")
    seen, heard = [], []
    for name, seed in (("first", 1), ("second", 1), ("other", 2)):
        here = replace(entry, seed=seed).make(tmp_path / name, pair, num_inference_steps=2)
        seen.append(np.asarray(Image.open(here / PICTURE)))
        heard.append(soundfile.read(here / SOUND)[0])
    for first, second, other in (seen, heard):
        assert np.array_equal(first, second)
        assert not np.array_equal(first, other)
