"""What a model ignores of its prompt is said once, exactly, and never of usual words."""

import json
import subprocess
import sys
import time
import warnings
from pathlib import Path
from threading import Thread

import ipywidgets
import numpy as np
import pytest
import tiny_folders
import torch
import toys
from a_run import composing_pair
from transformers import CLIPTokenizer

import itskit
from itskit import cli, widgets
from itskit.guidance import encode_prompt
from itskit.models import sd
from itskit.models.pocket import vocabulary
from itskit.notes import collect_notes
from itskit.training.dataset import captions, held_out

ROOT = Path(itskit.__file__).parent.parent
MADE_UP = """snorfblib xylotheque theremin flumph grobnik zarblat quixnorf wug blicket frobnicate
    gorp splunge vorpal jabberwock glimmerfang tromblezot krimpluk ploobert shrdlu qwertyuiop asdf
    lorem ipsum""".split()
# Many of these words stand in no list: they are common, and something known is beside them.
DESCRIPTIONS = """a castle in Spain|a wolf howling at the moon|two tigers in the jungle|a dramatic
    castle on a hill|a ship in a violent storm|a mighty dragon breathing fire|an owl on a branch|a
    rabbit in a field of flowers|a butterfly, symmetrical|a lion with a mane|birds on a
    wire|windmills in Holland| the sun setting behind mountains|a heart-shaped balloon|a red sports
    car|a loyal dog|a fearless tiger|a clumsy bear|a rugged mountain|a tranquil, secluded garden"""
PHRASES = """a painting of castle towers, grayscale|lithograph of kittens|castle, lithograph style,
    black background|a blooming garden|trains|horses|race cars|snowy mountains at dusk,
    minimalist|the silhouettes of three wolves|butterflies|a cartoon elephant, cute, high
    quality|palm-tree|a dog’s portrait|churches|a rusty anchor|a huge, foggy lighthouse, 4k"""
HEARD = """bell ringing|a kitten mewing for attention|birds singing sweetly|tiger growling|train
    whistling|race car passing by|dog barking|church bells ringing in the distance|heavy rain on a
    tin roof|a violin playing a sad melody|somebody playing the piano softly|thunder and
    lightning|a lion roaring|crickets at night|footsteps on gravel|horses galloping|people chatting
    in a café"""


@pytest.fixture(scope="module")
def pair():
    return itskit.load_pair("pocket")


def split(text):
    return [" ".join(phrase.split()) for phrase in text.split("|")]


# ---- words that are not known --------------------------------------------------------------------


@pytest.mark.parametrize("words", [("a \ud83c", ""), ("a", "\udcff")])
def test_half_a_character_is_no_word(words):
    with pytest.raises(ValueError, match="expected whole characters"):
        encode_prompt(toys.gaussian("image"), *words)


def test_vocabulary_is_what_the_captions_are_made_of():
    assert json.loads(vocabulary.FILE.read_text(encoding="utf-8")) == captions.vocabulary()
    shipped = captions.vocabulary()
    assert set(shipped["sound"]["things"]) == {k.replace("_", " ") for k in captions.CORE_SOUNDS}
    named = {captions.SPOKEN.get(concept, concept) for concept in captions.CORE}
    assert set(shipped["image"]["things"]) == named


def test_no_usual_phrasing_is_warned_of(pair):
    asked = {"image": split(f"{PHRASES}|{DESCRIPTIONS}"), "sound": split(HEARD)}
    for part in ("test", "validation"):
        for picture, _, sound in held_out.pairs(part):
            asked["image"].append(held_out.picture_prompt(picture, part))
            asked["sound"].append(held_out.sound_prompt(sound, part))
    rng = np.random.default_rng(0)
    concepts = sorted(captions.CORE)
    asked["image"] += [
        captions.picture_caption(rng, concepts[k % 99], k % 2 == 0) for k in range(990)
    ]
    for phrases in captions.ALIASES.values():
        templates = rng.choice(captions.SOUND_TEMPLATES, len(phrases))
        asked["sound"] += [t.format(p) for t, p in zip(templates, phrases, strict=True)]
    said = {
        p: n for name in asked for p in asked[name] if (n := getattr(pair, name).check_prompt(p))
    }
    assert said == {}


def test_gallery_asks_for_known_words_but_where_it_fails_for_that(pair):
    chosen = json.loads((ROOT / "gallery/choices.json").read_text(encoding="utf-8"))
    assert len(chosen) > 20
    for name, entry in chosen.items():
        for sense in ("image", "sound"):
            prompt = entry["asked"][f"{sense}_prompt"]
            notes = getattr(pair, sense).check_prompt(prompt) if prompt else []
            assert name.startswith("fails_") or not notes, (name, notes)


@pytest.mark.parametrize("sense", ["image", "sound"])
def test_made_up_words_are_named_wherever_they_stand(pair, sense):
    check, thing = getattr(pair, sense).check_prompt, {"image": "castle", "sound": "bell"}[sense]
    for word in MADE_UP:
        for prompt in (word, f"a painting of a {word}, grayscale", f"a {thing} and {word}s"):
            notes = check(prompt)
            assert len(notes) == 1 and notes[0].startswith(f"not known: {word}"), (prompt, notes)
    assert check("xylotheque") == check("a xylotheque, vintage style")


def test_the_nearest_is_that_of_the_sentences(pair):
    """Row 0 of the text states, one by one, is another way to the same places."""
    for modality, lists in (
        (pair.image, captions.vocabulary()["image"]),
        (pair.sound, captions.vocabulary()["sound"]),
    ):

        def place(text, modality=modality):
            return torch.nn.functional.normalize(modality.encode_prompt(text)[0, 0], dim=0)

        places = torch.stack([place(thing) for thing in lists["things"]])
        for word in ("theremin", "xylotheque", "snorfblib", "ukulele"):
            nearest = lists["things"][int((places @ place(word)).argmax())]
            assert modality.check_prompt(f"a {word}") == [f"not known: {word}; nearest: {nearest}"]


def test_near_lies_between_made_up_words_and_synonyms(pair):
    known = vocabulary.Vocabulary("image", _places(pair), lambda word: False)
    made_up = [known.nearest(word)[1] for word in MADE_UP]
    meant = {word: known.nearest(word) for word in held_out.UNSEEN_PICTURES}
    assert max(made_up) < vocabulary.NEAR - 0.05
    near = [word for word, (_, cosine) in meant.items() if cosine >= vocabulary.NEAR]
    assert len(near) >= 12 and {"hound", "pony", "automobile", "fortress", "bunny"} <= set(near)
    right = [word for word, truth in held_out.UNSEEN_PICTURES.items() if meant[word][0] == truth]
    assert len(right) >= 14


def _places(pair):
    def places(texts):
        rows = torch.cat([pair.image.encode_prompt(text)[:, 0] for text in texts])
        return torch.nn.functional.normalize(rows, dim=1)

    return places


def test_two_things_are_judged_each_by_itself(pair):
    check = pair.image.check_prompt
    assert [note.split(";")[0] for note in check("a dog and a zebra")] == ["not known: zebra"]
    assert check("a dog and a cat") == [] == check("a black and white dog")
    assert pair.sound.check_prompt("a castle") and not pair.image.check_prompt("a castle")


def test_a_prompt_is_judged_once_and_listed_words_need_no_network(pair):
    calls = []

    def places(texts):
        calls.append(list(texts))
        return _places(pair)(texts)

    known = vocabulary.Vocabulary("image", places, lambda word: False)
    assert known.unknown("two old castles with towers, grayscale") == {} and calls == []
    for _ in range(3):
        assert set(known.unknown("a theremin")) == {"theremin"}
    assert [call for call in calls if call == ["theremin"]] == [["theremin"]] and len(calls) == 2


# ---- what is cut off or cannot be read -----------------------------------------------------------


def test_the_end_that_is_cut_off_is_quoted(pair):
    start = "a castle " + "and a castle " * 6
    ends = [f"{start}with a {tower} and many birds" for tower in ("tower", "moon")]
    codes = [pair.image.encode_prompt(text) for text in ends]
    assert torch.equal(*codes)  # two endings that the model never sees
    for text in ends:
        (note,) = pair.image.check_prompt(text)
        cut = note.removeprefix("too long, not read: “").removesuffix("”")
        assert text.endswith(cut)
        kept = text.removesuffix(cut)
        assert torch.equal(pair.image.encode_prompt(kept), codes[0])
        assert not torch.equal(pair.image.encode_prompt(kept.rsplit(maxsplit=1)[0]), codes[0])


def test_signs_that_are_all_alike_are_shown(pair):
    assert torch.equal(*(pair.image.encode_prompt(text) for text in ("🦜🌴 bell", "สวัสดี bell")))
    assert pair.image.check_prompt("🦜🌴 bell") == ["cannot be read: 🦜🌴"]
    assert pair.image.check_prompt("a bell ♫, สวัสดี") == ["cannot be read: ♫ สวัสดี"]
    assert pair.image.check_prompt("a “bell” – l’horloge, 5 °C…".replace("horloge", "clock")) == []


def test_everything_that_is_ignored_is_one_warning_at_the_callers_line(pair):
    text = "a theremin 🦜 " + "and a castle " * 7
    with pytest.warns(UserWarning) as caught:
        encode_prompt(pair.image, text, "a xylotheque")
    mine = [str(w.message) for w in caught if w.filename == __file__]
    assert len(mine) == 2 and len(caught) == 2
    assert mine[0].startswith("image prompt 'a theremin 🦜 and a castle")
    for said in ("too long, not read: “", "cannot be read: 🦜", "not known: theremin; nearest: "):
        assert said in mine[0]
    assert mine[1].startswith("image negative prompt 'a xylotheque': not known: xylotheque")


def test_compose_warns_once_for_each_prompt_at_the_callers_line():
    pair = composing_pair()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for seed in (1, 2, 3):
            settings = {"num_inference_steps": 2, "seed": seed, "progress": False}
            itskit.compose(pair, "a theremin", "bells", **settings)
    assert [w.filename for w in caught] == [__file__]
    assert str(caught[0].message) == (
        "image prompt 'a theremin': not known: theremin; nearest: harp"
    )


def test_a_pair_that_checks_nothing_says_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encode_prompt(toys.gaussian("image"), "🦜 theremin " * 99)


def test_notes_go_to_the_thread_that_collects_them():
    pair, found = composing_pair(), {}

    def read(prompt):
        with collect_notes() as notes:
            encode_prompt(pair.image, prompt)
        found[prompt] = notes

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        threads = [Thread(target=read, args=(prompt,)) for prompt in ("a theremin", "a harp")]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    assert len(found["a theremin"]) == 1 and found["a harp"] == []
    with pytest.warns(UserWarning, match="theremin"):
        encode_prompt(pair.image, "a theremin")


@pytest.mark.parametrize("is_fast", [True, False])
def test_what_clip_cuts_off_is_quoted(tmp_path, is_fast):
    folder = tiny_folders.stable_diffusion(tmp_path / "sd", unet_seed=1)
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    if not is_fast:
        tokenizer = _Slow(tokenizer)
    check, length = sd.prompt_checking(tokenizer), tiny_folders.LENGTH
    assert check("bell " * 5) == [] and check("🦜") == []
    (note,) = check("bell " * 40 + "abc")
    cut = note.removeprefix("too long, not read: “").removesuffix("”")
    kept = ("bell " * 40 + "abc").removesuffix(cut)
    whole = tokenizer("bell " * 40 + "abc", truncation=True, max_length=length).input_ids
    assert cut.startswith("bell") and cut.endswith("abc")
    assert tokenizer(kept).input_ids == whole and len(whole) == length


class _Slow:
    """A tokenizer that knows no offsets, as those of transformers 4 in Python."""

    is_fast = False

    def __init__(self, tokenizer):
        self.model_max_length, self.decode = tokenizer.model_max_length, tokenizer.decode
        self._tokenizer = tokenizer

    def __call__(self, text, return_offsets_mapping=False, **options):
        if return_offsets_mapping:
            raise NotImplementedError("only fast tokenizers know offsets")
        return self._tokenizer(text, **options)


# ---- where it is said ----------------------------------------------------------------------------


def test_command_line_says_it_in_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(itskit, "load_pair", lambda name: composing_pair(), raising=False)
    quick = ["--steps", "2", "--seeds", "1,2", "--no-video", "--no-page"]
    code = cli.main(["compose", "a theremin", "bells", "--out", str(tmp_path / "out"), *quick])
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert code == 0
    assert lines == [
        "itskit: warning: image prompt 'a theremin': not known: theremin; nearest: harp"
    ]


@pytest.mark.slow
def test_command_line_says_it_of_the_pocket_pair(tmp_path):
    words = ["a theremin", "church bells 🦜", "--steps", "2", "--no-video", "--no-page"]
    words += ["--out", str(tmp_path)]
    code = f"import sys; from itskit.cli import main; sys.exit(main(['compose', *{words!r}]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("itskit: warning")]
    assert len(said) == 2 and "not known: theremin; nearest: " in said[0]
    assert said[1].endswith("sound prompt 'church bells 🦜': cannot be read: 🦜")


def test_composer_shows_it_until_the_next_run():
    mine = widgets.Composer(composing_pair(), show=lambda result: ipywidgets.Label("shown"))
    mine.controls["num_inference_steps"].value = 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mine.controls["image_prompt"].value = "a <b>theremin</b>"
        mine.run()
        assert "&lt;b&gt;" in mine.notes.value and "<b>" not in mine.notes.value
        assert "not known: theremin; nearest: harp" in mine.notes.value
        mine.controls["image_prompt"].value = "a harp"
        mine.run()
    assert mine.notes.value == ""


def test_live_shows_it_as_a_line_that_changes():
    mine, said = widgets.Live(composing_pair(), "a harp", "rain"), []
    mine.observe(lambda change: said.append(change["new"]), "notes")
    expected = "image prompt 'a theremin': not known: theremin; nearest: harp"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for prompt, note in (("a theremin", expected), ("a harp", "")):
            mine.image_prompt = prompt
            mine.play()
            until = time.monotonic() + 20
            while mine.notes != note and time.monotonic() < until:
                time.sleep(0.01)
    assert said == [expected, ""] and not mine.status.startswith("UserWarning")
