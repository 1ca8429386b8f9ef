"""The live page's modules in a real browser, against Python: noise, words, steps, sounds."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from live_folder import HELP, array, packed, scripts, served
from PIL import Image
from toys import SHAPE, gaussian

import itskit
from itskit import schedule
from itskit.audio.griffin_lim import reconstruct
from itskit.audio.loudness import integrated_loudness, normalise_loudness
from itskit.audio.mel import POCKET_MEL, mel_picture
from itskit.media import Sound
from itskit.models.pocket import analyse_sound
from itskit.models.pocket.weights import FOLDER
from itskit.settings import PerStep
from itskit.views import VIEWS

pytestmark = pytest.mark.browser

SEEDS = [*range(14), 42, 2**31, 2**32 - 1, 2**32 + 5, 10**15, 2**53 - 1]
MEL = asdict(POCKET_MEL) | {"turn": 2 * np.pi * np.random.default_rng(0).random()}
GALLERY = Path(__file__).parents[2] / "gallery"
NASTY = [
    "",
    "a castle with towers",
    "Ünïcödé Çédille ÀÉÎ",
    "日本語の城 castle",
    "😀 a cat 👩‍👩‍👧",
    "한국어 สวัสดี नमस्ते",
    "[MASK] a [SEP] dog[CLS]x",
    "İstanbul ΣΑΣ ß ﬁ Ⅷ ẞ",
    "a" * 101,
    "a" * 100,
    "don't-stop! #1 $5 ~`^|",
    "tab\tnew\nline\r\x00\x07zero\u200bwidth\u00a0nb\ufeff\ufffd\x0bvt\x85",
    "word " * 60,
    "x" * 10000,
    "\u0301abc e\u0301\u0327",
    "“quotes” — dash… «no» ¿qué?",
    "𠀀𪜀𫝀",
    " " * 50,
    "a\u2028b\u2029c",
]


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """A page beside the modules; fails on any error that it reports."""
    errors = []
    with served(scripts(tmp_path_factory.mktemp("scripts"))) as address:
        page = browser.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.add_init_script(HELP)
        page.goto(address + "blank.html")
        yield page
        page.close()
    assert errors == []


def test_noise_is_that_of_pytorch(page):
    ask = """async (seeds) => { const { randn } = await import("./random.js");
        return seeds.map((seed) => pack(randn(4096, BigInt(seed)))) }"""
    for seed, text in zip(SEEDS, page.evaluate(ask, [str(s) for s in SEEDS]), strict=True):
        truth = torch.randn(4, 16, 64, generator=torch.Generator().manual_seed(seed)).flatten()
        assert np.abs(array(text) - truth.numpy()).max() < 2e-6, seed


def test_noise_of_any_number_is_that_of_pytorch(page):
    ask = """async (counts) => { const { randn } = await import("./random.js");
        return counts.map((count) => pack(randn(count, 3))) }"""
    for count, text in zip([16, 17, 37, 640], page.evaluate(ask, [16, 17, 37, 640]), strict=True):
        truth = torch.randn(count, generator=torch.Generator().manual_seed(3)).numpy()
        assert np.abs(array(text) - truth).max() < 2e-6, count


@pytest.mark.parametrize("seed", ["1.5", "'seven'", "2 ** 60", "NaN", "null", "2n ** 64n"])
def test_what_is_no_seed_is_refused(page, seed):
    ask = f"""import("./random.js").then(({{ randn }}) => randn(16, {seed}))
        .then(() => "", (error) => error.message)"""
    assert "expected a whole number" in page.evaluate(ask)


def test_words_are_read_as_in_python(page):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    tokenizer.enable_truncation(23)
    tokenizer.enable_padding(length=23)
    file = json.loads((FOLDER / "tokenizer.json").read_text(encoding="utf-8"))
    ask = """async ([file, texts]) => { const { Tokenizer } = await import("./tokenizer.js");
        const reader = new Tokenizer(file, 23);
        const code = texts.map((text) => reader.encode(text));
        return code.map(({ ids, mask }) => [[...ids], [...mask]]) }"""
    for text, (ids, mask) in zip(NASTY, page.evaluate(ask, [file, NASTY]), strict=True):
        code = tokenizer.encode(text)
        assert (ids, mask) == (code.ids, code.attention_mask), text


def test_noise_levels_and_timesteps_are_those_of_python(page):
    asked = [(n, s) for n in (1, 2, 7, 8, 16, 30, 999) for s in ("leading", "trailing")]
    ask = """async (asked) => { const it = await import("./schedule.js");
        return [pack(it.stableDiffusionAlphaBar()), asked.map((one) => it.timesteps(...one))] }"""
    table, found = page.evaluate(ask, asked)
    assert np.abs(array(table) - schedule.stable_diffusion_alpha_bar().numpy()).max() < 1e-7
    assert found == [schedule.timesteps(*one).tolist() for one in asked]


TOYS = {
    "plain": ({}, {}),
    "late": ({"start": 0.3}, {"stop": 0.8}),
    "curve": ({"weight": [0.1, 0.9, 0.5, 0.0, 1.0]}, {"weight": [0.9, 0.1, 0.5, 1.0, 0.0]}),
    "map": ({"weight": np.linspace(0, 1, 8 * 16).reshape(8, 16).tolist()}, {"weight": 0.3}),
    "view": ({"view": "flip_time", "scale": 1.0}, {"view": "negate", "weight": 0.7}),
}


@pytest.mark.parametrize("name", TOYS)
@pytest.mark.parametrize(("solver", "spacing"), [("dpmpp_2m", "trailing"), ("ddim", "leading")])
def test_steps_are_those_of_python(page, name, solver, spacing):
    usual = {"scale": 3.0, "weight": 0.5, "start": 0.0, "stop": 1.0, "view": "identity"}
    words = [{"cond": 1.0, "uncond": -0.5}, {"cond": -2.0, "uncond": 0.25}]
    own = [usual | one for one in TOYS[name]]
    latent = torch.randn(SHAPE, generator=torch.Generator().manual_seed(5))
    first = 1 if name == "late" else 0
    asked = [one | said | {"name": "toy"} for one, said in zip(own, words, strict=True)]
    for one in asked:
        if name == "map" and isinstance(one["weight"], list):
            one["weight"] = packed(one["weight"])
    found = page.evaluate(
        "toyRun",
        {
            "shape": SHAPE, "guides": asked, "latent": packed(latent), "count": 5,
            "solver": solver, "spacing": spacing, "firstStep": first,
        },
    )  # fmt: skip
    guides = []
    for one, said in zip(own, words, strict=True):
        toy = gaussian(means={"yes": said["cond"], "no": said["uncond"]}, std=0.5)
        weight = PerStep(one["weight"]) if name == "curve" else one["weight"]
        prompt = itskit.encode_prompt(toy, "yes", "no")
        options = one | {"weight": weight, "view": VIEWS[one["view"]]}
        guides.append(itskit.Guide(toy, prompt, **options))
    steps = itskit.sample(
        guides, latent[None], num_inference_steps=5, solver=solver, spacing=spacing,
        first_step=first,
    )  # fmt: skip
    for (after, clean, weights, t), step in zip(found, steps, strict=True):
        assert t == step.t
        assert weights == pytest.approx(step.weights, abs=1e-6)
        assert np.abs(array(clean) - step.clean.flatten().numpy()).max() < 2e-4
        assert np.abs(array(after) - step.latent.flatten().numpy()).max() < 2e-4


def test_a_step_without_anybody_is_refused(page):
    ask = """import("./sampling.js").then(({ weightMaps }) => weightMaps([0, 0], 4))
        .then(() => "", (error) => error.message)"""
    assert "Nobody speaks" in page.evaluate(ask)


# ---- sound ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["bell_ringing", "bird_singing"])
def played(page, request):
    """A picture, and its sound here and in Python."""
    grey = Image.open(GALLERY / request.param / "picture.png").convert("L")
    picture = np.asarray(grey, np.float32) / 255
    ask = "([picture, mel]) => play(unpack(picture), mel, { turn: mel.turn })"
    here, again = (page.evaluate(ask, [packed(picture), MEL]) for _ in range(2))
    assert here == again
    return picture, array(here), reconstruct(torch.from_numpy(picture), POCKET_MEL)


def decibels_apart(one, other) -> float:
    """The log-spectral distance between the mel pictures of two sounds."""
    apart = (mel_picture(one) - mel_picture(other)) * POCKET_MEL.decibels
    return float(apart.square().mean().sqrt())


def test_sounds_are_those_of_python(played):
    picture, here, there = played
    assert here.shape == there.shape == (picture.shape[1] * 160,)
    assert decibels_apart(here, there) < 0.5
    assert np.corrcoef(here, there)[0, 1] > 0.99


def test_led_sounds_are_those_of_python(page, played):
    picture, _, near = played
    moved = np.roll(picture, 3, axis=1)
    ask = "([picture, mel, near]) => play(unpack(picture), mel, { near: unpack(near), rounds: 4 })"
    found = array(page.evaluate(ask, [packed(moved), MEL, packed(near)]))
    truth = reconstruct(torch.from_numpy(moved), near=torch.from_numpy(near), n_iter=4)
    assert np.abs(found - truth).max() < 1e-4


def test_a_black_picture_is_silent(page):
    ask = "(mel) => play(new Float32Array(128 * 16), mel)"
    assert np.abs(array(page.evaluate(ask, MEL))).max() < 1e-4


def loud(page, y, rate=16000):
    ask = """async ([y, rate]) => { const it = await import("./loudness.js");
        const samples = unpack(y);
        return [pack(it.normaliseLoudness(samples, rate)), it.integratedLoudness(samples, rate)];
        }"""
    found, lufs = page.evaluate(ask, [packed(y), rate])
    return array(found), -np.inf if lufs is None else lufs


def clicks():
    y = np.zeros(40960)
    y[::6000] = 1
    return y


@pytest.mark.parametrize(
    "y",
    [
        0.01 * np.random.default_rng(0).standard_normal(81920),
        clicks(),  # the limiter has work to do
        np.sin(2 * np.pi * 3999 * np.arange(20000) / 16000 + 0.7),  # peaks between the samples
        1e-4 * np.sin(np.arange(16000)),  # near silence is raised by 30 dB, no more
        0.3 * np.sin(np.arange(3000)),  # shorter than a block
    ],
    ids=["noise", "clicks", "between", "faint", "short"],
)
def test_loudness_is_that_of_python(page, y):
    found, lufs = loud(page, y)
    y = y.astype(np.float32)
    assert lufs == pytest.approx(integrated_loudness(y, 16000), abs=1e-3)
    assert np.abs(found - normalise_loudness(y, 16000)).max() < 1e-5


def test_silence_stays_silent(page):
    found, _ = loud(page, np.zeros(16000))
    assert not found.any()


def test_pictures_of_recordings_are_those_of_python(page):
    y = 0.1 * np.sin(2 * np.pi * 440 * np.arange(60000) / 16000) * (np.arange(60000) % 9000 < 5000)
    y += 0.002 * np.random.default_rng(1).standard_normal(60000) + 0.05
    y = y.astype(np.float32)
    ask = """async ([y, mel]) => { const { asHeard } = await import("./recordings.js");
        const { melPicture } = await import("./mel.js");
        return pack(melPicture(asHeard(unpack(y), mel, 512), mel)) }"""
    found = array(page.evaluate(ask, [packed(y), MEL])).reshape(128, 512)
    truth = analyse_sound(itskit.media.fit_sound(Sound(y, 16000), 5.12))[0, 0]
    assert np.abs(found - truth.numpy()).max() < 2e-3
