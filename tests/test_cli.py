"""The command line, run on a pair without networks whose result is known in advance: a castle."""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version

import numpy as np
import pytest
import soundfile
import torch
from a_run import NASTY, castle, fake_pair
from PIL import Image

import itskit
from itskit import arguments, export, media, recipes
from itskit.baselines import press
from itskit.cli import main, read_start
from itskit.schedule import noise_from_clean
from itskit.spectrogram import mel_picture
from itskit.writing import read_lines

WORDS = ["a castle with towers", "church bells ringing"]
QUICK = ["--steps", "4", "--no-video", "--no-page"]


def known_pair():
    """Both models believe in the castle, whatever the prompt and the noise."""
    pair = fake_pair()
    target = pair.image.encode(castle())  # (1, 4, 16, 64)

    def predict_noise(latent, t, prompt_embeds):
        assert prompt_embeds.shape == (len(latent), 1, 2)
        return noise_from_clean(latent, target[..., : latent.shape[-1]], pair.image.alpha_bar[t])

    def analyse(picture):
        return torch.from_numpy(np.asarray(picture.image.convert("L")) / 255.0).float()[None, None]

    changes = {
        "encode_prompt": lambda text: torch.full((1, 1, 2), float(len(text))),
        "predict_noise": predict_noise,
        "analyse": analyse,
    }
    return replace(pair, image=replace(pair.image, **changes), sound=replace(pair.sound, **changes))


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run a command in an empty folder: exit code, stdout, stderr."""
    monkeypatch.setattr(itskit, "load_pair", lambda name: known_pair(), raising=False)
    monkeypatch.chdir(tmp_path)

    def call(*argv):
        try:
            code = main([str(arg) for arg in argv])
        except SystemExit as stop:  # argparse's way out
            code = stop.code
        out, err = capsys.readouterr()
        return code, out, err

    return call


def one_file(folder, ending):
    (path,) = folder.glob(f"*{ending}")
    return path


# ---- compose -------------------------------------------------------------------------------------


def test_compose_writes_picture_sound_and_recipe(run, tmp_path):
    code, out, _ = run("compose", *WORDS, "--seed", 7, *QUICK)
    assert code == 0
    folder = tmp_path / "out"
    with Image.open(one_file(folder, ".png")) as image:
        made = np.asarray(image.convert("L")) / 255
    # The castle as the pair's own decoder shows it, but for DDIM's last grain of noise (0.03).
    pair = fake_pair()
    expected = pair.image.decode(pair.image.encode(castle()))[0, 0].numpy()
    assert made.shape == (128, 512)
    assert np.abs(made - expected).max() < 0.06

    samples, rate = soundfile.read(one_file(folder, ".wav"))
    assert rate == 16000
    assert len(samples) == 512 * 160
    assert 0.01 < np.abs(samples).max() <= 1

    recipe = json.loads(one_file(folder, ".json").read_text(encoding="utf-8"))
    assert recipes.prompts(recipe) == WORDS
    assert recipe["seeds"] == [7]
    assert recipe["num_inference_steps"] == 4
    for path in folder.iterdir():
        assert path.name in out  # it says where everything is


def test_compose_writes_video_and_page(run, tmp_path):
    code, _, err = run("compose", *WORDS, "--seed", 7, "--steps", 3, "--out", "elsewhere")
    assert code == 0, err
    folder = tmp_path / "elsewhere"
    assert one_file(folder, ".mp4").read_bytes()[4:8] == b"ftyp"
    page = one_file(folder, ".html").read_text(encoding="utf-8")
    assert WORDS[0] in page
    assert "<script" in page


def test_each_seed_gets_its_files(run, tmp_path):
    code, _, _ = run("compose", *WORDS, "--seeds", "1,2,3", *QUICK)
    assert code == 0
    recipes = [
        json.loads(p.read_text(encoding="utf-8")) for p in sorted((tmp_path / "out").glob("*.json"))
    ]
    assert [recipe["seeds"] for recipe in recipes] == [[1], [2], [3]]
    assert len(list((tmp_path / "out").glob("*.png"))) == 3


def test_settings_reach_the_recipe(run, tmp_path):
    flags = ["--image-scale", 3, "--sound-scale", 4, "--image-weight", 0.25, "--sound-weight", 0.75]
    flags += ["--image-start", 0.5, "--sound-start", 0, "--solver", "dpmpp_2m", "--width", 256]
    flags += ["--image-negative", "fog", "--sound-negative", "rain"]
    flags += ["--image-stop", 0.75, "--sound-view", "flip_time"]
    flags += ["--rule", '{"name": "frequency", "width": 3.0}']
    code, _, err = run("compose", *WORDS, *QUICK, *flags)
    assert code == 0, err
    recipe = json.loads(one_file(tmp_path / "out", ".json").read_text(encoding="utf-8"))
    expected = {"image_scale": 3, "sound_scale": 4, "image_weight": 0.25, "sound_weight": 0.75}
    expected |= {"image_start": 0.5, "sound_start": 0, "solver": "dpmpp_2m", "width": 256}
    expected |= {"image_negative": "fog", "sound_negative": "rain"}
    expected |= {"image_stop": 0.75, "sound_view": "flip_time"}
    expected["rule"] = {"name": "frequency", "low": "sound", "width": 3.0}
    said = {**recipe, **recipes.arguments(recipe)}
    assert {key: said[key] for key in expected} == expected
    with Image.open(one_file(tmp_path / "out", ".png")) as image:
        assert image.size == (256, 128)


def test_a_long_loop_with_changing_words(run, tmp_path):
    flags = ["--seconds", 7, "--loop", "--window", 256, "--image-at", 5, "a palm", "--image-at"]
    code, _, err = run("compose", *WORDS, *flags, 3, "a crown", *QUICK)
    assert code == 0, err
    recipe = json.loads(one_file(tmp_path / "out", ".json").read_text(encoding="utf-8"))
    assert (recipe["width"], recipe["window"], recipe["loop"]) == (704, 256, True)
    told = [[0.0, WORDS[0]], [3.0, "a crown"], [5.0, "a palm"]]
    assert recipe["guides"][0]["prompts"] == told and recipe["guides"][1]["prompt"] == WORDS[1]
    assert b"smpl" in one_file(tmp_path / "out", ".wav").read_bytes()


def test_prompts_cannot_leave_the_folder(run, tmp_path):
    code, _, err = run("compose", "../../" + NASTY, "/etc/" + NASTY, *QUICK)
    assert code == 0, err
    assert {p.parent for p in tmp_path.rglob("*.*")} == {tmp_path / "out"}
    recipe = json.loads(one_file(tmp_path / "out", ".json").read_text(encoding="utf-8"))
    assert recipes.prompts(recipe)[0] == "../../" + NASTY


# ---- hunt ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["corrected", '{"name": "langevin", "rule": "product"}'])
def test_rules_that_pick_among_seeds_compose_them_in_one_batch(run, tmp_path, rule):
    code, out, _ = run("compose", *WORDS, "--rule", rule, "--seeds", 3, *QUICK)
    assert code == 0 and "3 seeds together" in out
    whole = itskit.compose(
        known_pair(), *WORDS, seeds=range(3), rule=arguments.rule(rule), num_inference_steps=4,
        progress=False,
    )  # fmt: skip
    names = sorted(path.name for path in (tmp_path / "out").glob("*.json"))
    assert len(names) == 3 and [f"seed{k}-" in name for k, name in enumerate(names)] == [True] * 3
    for item, name in enumerate(names):
        recipe = export.read_recipe(tmp_path / "out" / name)
        assert (recipe["seeds"], recipe["item"]) == ([0, 1, 2], item)
        picture = np.asarray(Image.open((tmp_path / "out" / name).with_suffix(".png")))
        assert (picture == np.asarray(whole.picture(item=item).image)).all()
    code, out, _ = run("again", tmp_path / "out" / names[1], "--no-video", "--no-page")
    assert code == 0 and sorted(p.name for p in (tmp_path / "out").glob("*.json")) == names


def test_seeds_of_compose_are_how_many_or_which(run, tmp_path):
    run("compose", *WORDS, "--seeds", 2, *QUICK)
    found = [export.read_recipe(path)["seeds"] for path in (tmp_path / "out").glob("*.json")]
    assert sorted(found) == [[0], [1]]


@pytest.mark.parametrize(("flag", "tried"), [("5", range(5)), ("6,2,9", (6, 2, 9))])
def test_hunt_writes_the_best_of_its_seeds(monkeypatch, run, tmp_path, flag, tried):
    """The judges know how bright the noise of each seed was, and call the darkest the best."""
    made = []

    def darkness(latent, prompt):
        return -latent.mean((1, 2, 3))

    def noisy_pair(name):
        pair = known_pair()
        scorers = {"image": darkness, "sound": darkness}

        def predict_noise(latent, t, prompt_embeds):  # as if all were noise: the seed decides
            return latent * (1 - pair.image.alpha_bar[t]).sqrt()

        changes = {"predict_noise": predict_noise}
        made.append(pair)
        image, sound = (replace(m, **changes) for m in (pair.image, pair.sound))
        return replace(pair, image=image, sound=sound, scorers=scorers)

    monkeypatch.setattr(itskit, "load_pair", noisy_pair)
    code, out, err = run("hunt", *WORDS, "--seeds", flag, "--keep", 2, *QUICK)
    assert code == 0, err
    noise = itskit.init_latent(made[0], tried)
    best = [tried[k] for k in noise.mean((1, 2, 3)).argsort()[:2].tolist()]
    recipes = [
        json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "out").glob("*.json")
    ]
    assert sorted(recipe["seeds"][0] for recipe in recipes) == sorted(best)
    assert out.index(f"Seed {best[0]}: image") < out.index(f"Seed {best[1]}: image")
    assert len(list((tmp_path / "out").glob("*.wav"))) == 2


def test_hunt_prunes_keeps_scores_and_asks_a_scheduler(monkeypatch, run, tmp_path):
    distributed, asked = pytest.importorskip("distributed"), []

    class Client:
        def __init__(self, address, timeout):
            asked.append(address)

        def get_executor(self):
            return ThreadPoolExecutor(1)

    def judged(name):
        bright = {of: lambda latent, prompt: latent.mean((1, 2, 3)) for of in ("image", "sound")}
        return replace(known_pair(), scorers=bright)

    monkeypatch.setattr(distributed, "Client", Client)
    monkeypatch.setattr(itskit, "load_pair", judged)
    options = ["--seeds", 4, "--keep", 1, "--prune", 0.5, "--scores", "a.jsonl"]
    code, _, err = run("hunt", *WORDS, *options, "--scheduler", "tcp://here:1", *QUICK)
    assert code == 0 and asked == ["tcp://here:1"], err
    rows = read_lines(tmp_path / "a.jsonl")
    assert len(rows) == 4 + 2 and len({row["made"] for row in rows}) == 2  # drafts, and results
    monkeypatch.setattr(itskit, "load_pair", lambda name: replace(judged(name), scorers={"no": 1}))
    assert run("hunt", *WORDS, *options, *QUICK)[0] == 0  # all is known: nothing is scored


def test_a_scheduler_that_is_not_there_is_named(monkeypatch, run):
    distributed = pytest.importorskip("distributed")

    def client(address, timeout):
        raise OSError("Timed out")

    monkeypatch.setattr(distributed, "Client", client)
    code, _, err = run("hunt", *WORDS, "--scheduler", "tcp://nowhere:1", *QUICK)
    assert code == 2 and "--scheduler tcp://nowhere:1: no scheduler answered (Timed out)" in err
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, err = run("hunt", *WORDS, "--scheduler", "tcp://nowhere:1", *QUICK)
    assert code == 2 and 'pip install "itskit[dask]"' in err


# ---- again ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".json", ".png", ".wav"])
def test_again_makes_the_same_files(run, tmp_path, ending):
    run("compose", *WORDS, "--seed", 5, *QUICK, "--out", "first")
    recipe = one_file(tmp_path / "first", ending)
    code, _, err = run("again", recipe, "--out", "second", "--no-video", "--no-page")
    assert code == 0, err
    for kept in (".png", ".wav", ".json"):
        first, second = (one_file(tmp_path / f, kept) for f in ("first", "second"))
        assert first.name == second.name
        assert first.read_bytes() == second.read_bytes()


def test_a_picture_to_begin_with_is_asked_for_again(run, tmp_path):
    start = tmp_path / "mine.png"
    Image.new("L", (512, 128), 200).save(start)
    run("compose", *WORDS, *QUICK, "--init", start, "--strength", 0.5, "--out", "first")
    recipe = one_file(tmp_path / "first", ".json")
    assert json.loads(recipe.read_text(encoding="utf-8"))["init"]["kind"] == "Picture"
    code, _, err = run("again", recipe, "--no-video", "--no-page")
    assert code == 2
    assert "init" in err
    assert run("again", recipe, "--init", start, "--no-video", "--no-page")[0] == 0


# ---- print ---------------------------------------------------------------------------------------


def printing_pair():
    """As `known_pair`, but its sounds are painted as they are heard."""
    pair = known_pair()

    def analyse(sound):
        return mel_picture(media.whole_columns(sound.samples, 160, 128))[None, None]

    return replace(pair, sound=replace(pair.sound, analyse=analyse))


def test_a_drawing_is_printed_into_a_recording(run, tmp_path, monkeypatch):
    monkeypatch.setattr(itskit, "load_pair", lambda name: printing_pair())
    paper = Image.new("L", (128, 128), 255)
    paper.paste(0, (40, 40, 90, 90))
    paper.save(tmp_path / "My ink.png")
    noise = np.random.default_rng(1).normal(size=2 * 16000).astype(np.float32) / 20
    soundfile.write(tmp_path / "rain.wav", noise, 16000)
    argv = ["print", "My ink.png", "rain.wav", "--level", "40", "--cut", "20", "--out", "made"]
    code, out, err = run(*argv)
    assert (code, err) == (0, "")
    seen, heard = one_file(tmp_path / "made", ".png"), one_file(tmp_path / "made", ".wav")
    assert seen.stem == heard.stem and seen.stem.startswith("my-ink--rain-")
    assert str(seen.relative_to(tmp_path)) in out and str(heard.relative_to(tmp_path)) in out
    files = tmp_path / "My ink.png", tmp_path / "rain.wav"
    truth = press(printing_pair(), *files, level=40, cut=20)
    with Image.open(seen) as image:
        assert np.array_equal(np.asarray(image), np.asarray(truth.picture().image))
    assert export.read_recipe(seen) == export.read_recipe(heard) == truth.recipe
    assert soundfile.info(heard).duration == pytest.approx(2.56)
    assert run(*argv, "--no-invert")[0] == 0  # another name, and the paper is what is drawn
    assert len(list((tmp_path / "made").iterdir())) == 4
    code, _, err = run("again", seen)
    assert code == 2 and len(err.splitlines()) == 1


def test_what_cannot_be_printed_is_one_clear_line(run, tmp_path, monkeypatch):
    monkeypatch.setattr(itskit, "load_pair", lambda name: printing_pair())
    Image.new("L", (128, 128), 255).save(tmp_path / "blank.png")
    soundfile.write(tmp_path / "a.wav", np.full(16000, 0.1), 16000)
    for argv, said in (
        (("a.wav", "a.wav"), "is a recording: expected a picture"),
        (("blank.png", "blank.png"), "is a picture: expected a recording"),
        (("blank.png", "a.wav"), "nothing is in the drawing but its background"),
    ):
        code, _, err = run("print", *argv)
        assert code == 2 and said in err.splitlines()[-1], err


# ---- errors: one line, code 2 --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["compose", "", "bells"], "IMAGE_PROMPT: expected words, got ''"),
        (["compose", "a cat", " "], "SOUND_PROMPT: expected words"),
        (["compose", "a cat"], "SOUND_PROMPT"),
        (["compose", *WORDS, "--steps", "0"], "--steps: expected a whole number from 1 to 999"),
        (["compose", *WORDS, "--steps", "1000"], "--steps: expected a whole number from 1 to 999"),
        (["compose", *WORDS, "--steps", "7.5"], "got '7.5'"),
        (["compose", *WORDS, "--steps", "many"], "got 'many'"),
        (["compose", *WORDS, "--image-scale", "nan"], "--image-scale: expected a number"),
        (["compose", *WORDS, "--sound-scale", "inf"], "--sound-scale: expected a number"),
        (["compose", *WORDS, "--image-weight", "-1"], "--image-weight: expected a number, 0 or"),
        (["compose", *WORDS, "--image-start", "1"], "--image-start: expected a number from 0 to 1"),
        (["compose", *WORDS, "--image-weight", "0", "--sound-weight", "0"], "no model works"),
        (["compose", *WORDS, "--image-start", "0.5", "--sound-start", "0.2"], "--sound-start"),
        (["compose", *WORDS, "--preset", "paper", "--sound-start", "0.2"], "no model works"),
        (
            ["compose", *WORDS, "--strength", "0"],
            "--strength: expected a number from 0 to 1, not 0",
        ),
        (["compose", *WORDS, "--strength", "0.5"], "--strength: expected --init"),
        (["compose", *WORDS, "--width", "13"], "--width: expected a multiple of 128, such as 128"),
        (["compose", *WORDS, "--window", "13"], "--window: expected a multiple of 128, such as 12"),
        (["compose", *WORDS, "--seconds", "0"], "--seconds: expected a number, 0 or more, not 0"),
        (["compose", *WORDS, "--seconds", "9", "--width", "128"], "expected no --width beside it"),
        (["compose", *WORDS, "--image-at", "x", "a"], "--image-at: expected a number, 0 or more"),
        (["compose", *WORDS, "--sound-at", "5", " "], "--sound-at: expected words, got ' '"),
        (["compose", *WORDS, "--width", "0"], "--width: expected a whole number, 1 or more"),
        (["compose", *WORDS, "--preset", "nonesuch"], "--preset: invalid choice: 'nonesuch'"),
        (
            ["compose", *WORDS, "--preset", "fast"],
            "--preset: expected paper for pocket, got 'fast'",
        ),
        (["compose", *WORDS, "--solver", "nonesuch"], "--solver: invalid choice: 'nonesuch'"),
        (
            ["compose", *WORDS, "--pair", "nonesuch"],
            "--pair: expected pocket, paper, riffusion, or",
        ),
        (["compose", *WORDS, "--rule", "nand"], "--rule: expected mean, corrected, product, and"),
        (["compose", *WORDS, "--rule", '{"name": 3}'], "--rule: expected mean"),
        (["compose", *WORDS, "--seed", "1.5"], "--seed: expected a whole number"),
        (["compose", *WORDS, "--seed", "99999999999999999999"], "--seed: expected a whole number"),
        (["compose", *WORDS, "--seeds", "1;2"], "--seeds: expected how many (1 or more), or which"),
        (
            ["compose", *WORDS, "--seeds", "1,,2"],
            "--seeds: expected how many (1 or more), or which",
        ),
        (["compose", *WORDS, "--rule", "corrected"], "expected several, such as --seeds 8"),
        (["compose", *WORDS, "--rule", "product", "--seeds", "1"], "such as --seeds 8"),
        (["hunt", *WORDS, "--rule", "product"], "expected another rule, or itskit compose --seeds"),
        (["compose", *WORDS, "--seed", "1", "--seeds", "1,2"], "--seed"),
        (["compose", *WORDS, "--init", "missing.png"], "--init: expected an existing file"),
        (["compose", *WORDS, "--out", "a-file"], "--out: a-file is or lies under a file"),
        (["compose", *WORDS, "--out", "a-file/deep"], "--out: a-file/deep is or lies under a file"),
        (["hunt", *WORDS, "--keep", "0"], "--keep: expected a whole number, 1 or more, got '0'"),
        (["hunt", *WORDS, "--batch", "none"], "--batch: expected a whole number, 1 or more"),
        (["hunt", *WORDS, "--seeds", "some"], "--seeds: expected how many (1 or more), or which"),
        (["hunt", *WORDS, "--seeds", "0"], "--seeds: expected how many (1 or more), or which"),
        (["again", "missing.json"], "RECIPE: expected an existing file, got 'missing.json'"),
        (["again", "a-file", "--pair", "nonesuch"], "--pair: expected pocket"),
        (["print", "missing.png", "a-file"], "DRAWING: expected an existing file"),
        (["print", "a-file"], "RECORDING"),
        (["print", "a-file", "a-file", "--level", "-5"], "--level: expected a number, 0 or more"),
        (["print", "a-file", "a-file", "--cut", "much"], "--cut: expected a number, 0 or more"),
        (["print", "a-file", "a-file", "--out", "a-file"], "--out: a-file is or lies under a file"),
        (["info", "--pair", "nonesuch"], "--pair: expected pocket"),
        (["sing"], "sing"),
    ],
    ids=lambda value: " ".join(value)[-30:] if isinstance(value, list) else "",
)
def test_bad_arguments_are_one_clear_line_before_anything_is_loaded(
    run, tmp_path, monkeypatch, argv, said
):
    def load_pair(name):
        raise AssertionError("loaded")

    monkeypatch.setattr(itskit, "load_pair", load_pair)
    (tmp_path / "a-file").touch()
    code, out, err = run(*argv)
    assert out == ""  # which would say "Loading the pocket pair"
    assert len(err.strip().splitlines()) == 1
    last = err.strip().splitlines()[-1]
    assert code == 2
    assert said in last
    assert last.startswith("itskit") and ": error: " in last
    assert re.search(r"\(see itskit.* --help\)$", last)


def test_what_cannot_be_foreseen_is_one_clear_line(run, monkeypatch):
    def load_pair(name):
        raise ValueError("the weights\nare damaged")

    monkeypatch.setattr(itskit, "load_pair", load_pair)
    code, _, err = run("compose", *WORDS)
    assert (code, err) == (2, "itskit: error: the weights are damaged\n")
    with pytest.raises(ValueError, match="the weights"):
        run("compose", *WORDS, "--debug")


def test_help_shows_defaults_and_choices_and_comes_by_itself(run):
    code, out, err = run()
    assert (code, err) == (0, "") and out == run("--help")[1]
    code, out, _ = run("compose", "--help")
    shown = " ".join(out.split())
    for option in re.findall(r"\n  (--(?!debug|help)[a-z-]+.*?)(?=\n  -|\Z)", out, re.S):
        assert re.search(r"\([^()]+\)|one result for each", " ".join(option.split())), option
    for said in (
        "pocket 8, paper 100",
        "{ddim,dpmpp_2m,ddpm}",
        "{fast,paper}",
        "(0.5)",
        "1 to 999",
    ):
        assert said in shown
    assert "0 keeps the file" not in shown


def test_what_the_command_line_says_of_the_pairs_is_so():
    """In `arguments` stands once more what the pairs know: they are asked."""
    from itskit.models import registry
    from itskit.models.paper import PRESETS
    from itskit.models.presets import PAPER
    from itskit.rules import RULES
    from itskit.solvers import SOLVERS
    from itskit.views import VIEWS

    pocket = itskit.models.load_pair("pocket")
    assert set(arguments.PAIRS) == {"pocket", *registry.PAIRS}
    assert tuple(SOLVERS) == arguments.SOLVERS
    assert tuple(RULES) == arguments.RULES
    assert tuple(VIEWS) == arguments.VIEWS
    for said, pair in (("pocket", pocket.defaults), ("paper", PAPER), ("riffusion", PAPER)):
        assert arguments.PAIRS[said].items() <= pair.items()
    assert {
        "pocket": tuple(sorted(pocket.presets)),
        **dict.fromkeys(registry.PAIRS, tuple(sorted(PRESETS))),
    } == arguments.PRESETS
    steps = {name: preset["num_inference_steps"] for name, preset in PRESETS.items()}
    assert steps == arguments.PRESET_STEPS
    assert arguments.LARGE.items() <= (PRESETS["fast"] | {"solver": "ddim"} | PAPER).items()
    usual, unit = arguments.WIDTHS["pocket"]
    assert itskit.init_latent(pocket, 0).shape[-1] * 8 == usual
    for width in range(64, 4 * unit, 64):
        if width % unit:
            with pytest.raises(ValueError, match=f"multiple of {unit}"):
                itskit.init_latent(pocket, 0, width)
        else:
            itskit.init_latent(pocket, 0, width)


@pytest.mark.parametrize("text", ["{", "[]", '{"pair": "pocket"}', ""])
def test_what_is_no_recipe_is_refused(run, tmp_path, text):
    (tmp_path / "odd.json").write_text(text, encoding="utf-8")
    code, _, err = run("again", "odd.json")
    assert code == 2
    assert "odd.json" in err
    assert len(err.strip().splitlines()) == 1


def test_ctrl_c_is_not_an_error_of_the_program(run, monkeypatch):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(itskit, "load_pair", interrupted)
    code, _, err = run("compose", *WORDS)
    assert (code, err) == (130, "itskit: stopped\n")


# ---- what people hand in -------------------------------------------------------------------------


def test_a_stereo_recording_becomes_the_mean_of_its_channels(tmp_path):
    left, right = np.linspace(-0.5, 0.5, 800), np.full(800, 0.25)
    soundfile.write(tmp_path / "s.wav", np.stack([left, right], 1), 22050, subtype="FLOAT")
    sound = read_start(tmp_path / "s.wav")
    assert sound.rate == 22050
    np.testing.assert_allclose(sound.samples, (left + right) / 2, atol=1e-6)


def test_a_picture_keeps_its_pixels(tmp_path):
    Image.new("RGB", (9, 4), (10, 20, 30)).save(tmp_path / "p.PNG")
    image = read_start(tmp_path / "p.PNG").image
    assert image.size == (9, 4)
    assert image.getpixel((3, 3)) == (10, 20, 30)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("la la la", encoding="utf-8")
    with pytest.raises(ValueError, match=r"notes\.txt.*PNG.*WAV"):
        read_start(tmp_path / "notes.txt")


def test_an_ending_does_not_matter(tmp_path, capsys):
    Image.new("RGB", (40, 30), (9, 9, 9)).save(tmp_path / "photo.jfif", format="JPEG")
    assert read_start(tmp_path / "photo.jfif").image.size == (40, 30)
    soundfile.write(tmp_path / "bell.png", np.full(800, 0.25), 8000, format="WAV")
    assert read_start(tmp_path / "bell.png").duration == 0.1
    said = capsys.readouterr().out
    for words in ("photo.jfif ...", "Picture(40 x 30", "bell.png ...", "Sound(0.10 s at 8000 Hz)"):
        assert words in said


def test_how_a_file_is_read_can_be_chosen(run, tmp_path):
    Image.new("LA", (100, 100), (0, 0)).save(tmp_path / "ink.png")
    command = ["compose", *WORDS, *QUICK, "--init", "ink.png"]
    chosen = ["--init-fit", "crop", "--init-background", "#808080"]
    code, _, err = run(*command, *chosen, "--init-start", 1.5, "--init-duration", 2)
    assert code == 0, err
    recipe = json.loads(one_file(tmp_path / "out", ".json").read_text(encoding="utf-8"))
    expected = {"init_fit": "crop", "init_background": "#808080", "init_start": 1.5}
    assert (expected | {"init_duration": 2.0}).items() <= recipe.items()
    grey = np.full((100, 100, 3), 128, np.uint8).tobytes()
    assert recipe["init"]["sha256"] == sha256(grey).hexdigest()
    again = one_file(tmp_path / "out", ".png")
    code, _, err = run("again", again, "--init", "ink.png", "--out", "b", "--no-video", "--no-page")
    assert code == 0, err
    assert again.read_bytes() == one_file(tmp_path / "b", ".png").read_bytes()
    for wrong, said in (("--init-fit", "pad, crop, stretch"), ("--init-background", "a colour")):
        code, _, err = run(*command, wrong, "maybe")
        assert code == 2 and said in err


# ---- the door ------------------------------------------------------------------------------------


def test_info_names_versions_weights_and_licence(run):
    code, out, _ = run("info")
    assert code == 0
    for expected in (itskit.__version__, version("torch"), "0123abcd", "4 x 16 x 64", "MIT"):
        assert expected in out


def test_version_needs_no_torch():
    script = "import sys, itskit.cli; assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
    shown = subprocess.run(
        [sys.executable, "-m", "itskit", "--version"],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert shown.stdout.strip() == f"itskit {itskit.__version__}"


@pytest.mark.slow
def test_the_shipped_pair_composes_in_a_fresh_process(tmp_path):
    command = [sys.executable, "-m", "itskit", "compose", *WORDS, "--seed", "7", *QUICK]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    with Image.open(one_file(tmp_path / "out", ".png")) as image:
        assert image.size == (512, 128)
        assert np.asarray(image.convert("L")).std() > 5  # something is drawn
    assert soundfile.info(one_file(tmp_path / "out", ".wav")).duration == pytest.approx(5.12)


# ---- nothing lost, nothing overwritten, nothing half ---------------------------------------------


def test_other_settings_and_other_scripts_get_other_files(run, tmp_path):
    def made():
        return {path.name for path in (tmp_path / "out").iterdir()}

    prompts = ["a castle", "東京 tower", "大阪 tower", "🦜🌴", "🌴🦜"]
    long = "a very long prompt that goes on for more than forty letters "
    for count, prompt in enumerate([*prompts, long + "of cats", long + "of dogs"], start=1):
        assert run("compose", prompt, "bells", *QUICK)[0] == 0
        assert len(made()) == 3 * count
    for flag, value in (("--image-weight", 0.3), ("--image-weight", 0.7), ("--sound-scale", 2)):
        before = made()
        assert run("compose", "a castle", "bells", *QUICK, flag, value)[0] == 0
        assert len(made() - before) == 3 and before < made()
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert run("compose", "a castle", "bells", *QUICK, "--image-weight", 0.3)[0] == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def pressing(monkeypatch, at):
    """The pair of these tests, with Ctrl-C at the `at`-th call of a network; the calls."""
    calls = []

    def load_pair(name):
        pair = known_pair()
        real = pair.sound.predict_noise

        def predict_noise(*given):
            calls.append(given)
            if len(calls) == at:
                raise KeyboardInterrupt
            return real(*given)

        both = (replace(m, predict_noise=predict_noise) for m in (pair.image, pair.sound))
        darkness = {of: lambda latent, prompt: -latent.mean((1, 2, 3)) for of in ("image", "sound")}
        return replace(pair, **dict(zip(("image", "sound"), both, strict=True)), scorers=darkness)

    monkeypatch.setattr(itskit, "load_pair", load_pair)
    return calls


def test_ctrl_c_ends_a_series_and_leaves_nothing_half(run, tmp_path, monkeypatch):
    calls = pressing(monkeypatch, at=2 * 4 + 5)  # 4 steps of both for seed 1; in seed 2's third
    code, _, err = run("compose", *WORDS, "--seeds", "1,2,3,4", *QUICK)
    assert code == 130 and err.endswith("itskit: stopped\n")
    assert len(calls) == 13
    recipes = [json.loads(p.read_text("utf-8")) for p in (tmp_path / "out").glob("*.json")]
    assert [recipe["seeds"] for recipe in recipes] == [[1]] and "stopped" not in recipes[0]
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_ctrl_c_ends_a_hunt_with_what_it_has_found(run, tmp_path, monkeypatch):
    calls = pressing(monkeypatch, at=2 * 4 * 2 + 5)
    code, _, err = run("hunt", *WORDS, "--seeds", "9", "--batch", "1", "--keep", "1", *QUICK)
    assert code == 130 and err.endswith("itskit: stopped\n")
    assert len(calls) == 21
    recipe = json.loads(one_file(tmp_path / "out", ".json").read_text("utf-8"))
    assert recipe["seeds"][0] in (0, 1) and "stopped" not in recipe


def test_without_ffmpeg_everything_else_is_made(run, tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nonexistent/ffmpeg")
    code, out, err = run("compose", *WORDS, "--seeds", "1,2", "--steps", 2)
    assert code == 1
    assert err.index("no ffmpeg for MP4s (IMAGEIO_FFMPEG_EXE names /nonexistent/ffmpeg") < 30
    assert out.index("Loading") < out.index("Composing")
    endings = sorted(path.suffix for path in (tmp_path / "out").iterdir())
    assert endings == sorted(2 * [".html", ".json", ".png", ".wav"])
    assert (
        run("compose", *WORDS, "--steps", 2, "--no-video", "--no-page")[0] == 0
    )  # nothing missing


def test_a_file_that_cannot_be_made_is_named_and_the_others_are(run, tmp_path, monkeypatch):
    def full(result, path, item):
        raise OSError(28, f"{path} could not be written: the disk is full")

    monkeypatch.setattr(export, "audio", full)
    code, _, err = run("compose", *WORDS, "--seeds", "1,2", *QUICK)
    assert code == 1
    assert len(re.findall(r"^itskit: no sound: out/.*\.wav could not be written", err, re.M)) == 2
    assert sorted(p.suffix for p in (tmp_path / "out").iterdir()) == [
        ".json",
        ".json",
        ".png",
        ".png",
    ]
    monkeypatch.setattr(export, "png", full)
    monkeypatch.setattr("itskit.cli.written", lambda path: full(None, path, 0))
    code, _, err = run("compose", *WORDS, "--seeds", "1,2", *QUICK)
    assert code == 2 and err.count("no picture") == 1  # nothing at all: no need to go on


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_without_rights_is_refused_before(run, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    code, out, err = run("compose", *WORDS, *QUICK, "--out", "locked")
    assert (code, out) == (2, "") and "--out: locked could not be written: you may not" in err


def test_a_recipe_with_a_byte_order_mark_is_read(run, tmp_path):
    run("compose", "ein Käfer 🪲", "bells", *QUICK, "--out", "first")
    text = one_file(tmp_path / "first", ".json").read_text(encoding="utf-8")
    for encoding in ("utf-8-sig", "utf-16"):  # Windows' editor, and its shell's `>`
        (tmp_path / "marked.json").write_text(text, encoding=encoding)
        code, _, err = run("again", "marked.json", "--out", encoding, "--no-video", "--no-page")
        assert code == 0, err
        assert one_file(tmp_path / encoding, ".json").read_text(encoding="utf-8") == text
