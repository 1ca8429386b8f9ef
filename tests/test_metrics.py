"""Scores equal what transformers' parts give by hand, and means and intervals closed forms."""

import json
import string
import warnings

import numpy as np
import pytest
import tiny_folders
import torch
import torch.nn.functional as F
import transformers
from PIL import Image
from toys import gaussian_pair, pair
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, CLIPConfig, CLIPModel

from itskit import clip_clap, metrics, recipes
from itskit.baselines import Canvas, imprint
from itskit.composition import compose
from itskit.media import Picture, Sound
from itskit.metrics import PAIR_SCORERS, PAPER_SCORERS, Scorer, clap_score, clip_score

try:  # the one without torchvision; before transformers 5 it had no name of its own
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
except ImportError:
    from transformers import CLIPImageProcessor as CLIPImageProcessorPil


def _clip_folder(folder, sign=1):
    """A tiny, random CLIP in the layout of OpenAI's."""
    width = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2}
    width |= {"num_attention_heads": 2}
    ends = tiny_folders.vocabulary()
    marks = {"bos_token_id": ends["<|startoftext|>"], "eos_token_id": ends["<|endoftext|>"]}
    text = {**width, **marks, "vocab_size": len(ends), "max_position_embeddings": 77}
    vision = {**width, "image_size": 32, "patch_size": 8}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8))
    model.visual_projection.weight.data *= sign
    model.save_pretrained(folder)
    tiny_folders.tokenizer(folder)
    return folder


def _clap_folder(folder, sign=1):
    """A tiny, random CLAP in the layout of LAION's."""
    audio = {"depths": [1, 1], "num_attention_heads": [1, 2], "num_hidden_layers": 2}
    audio |= {"hidden_size": 16, "patch_embeds_hidden_size": 8, "projection_dim": 8}
    text = {"vocab_size": 60, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    text |= {"intermediate_size": 16, "projection_dim": 8, "max_position_embeddings": 80}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = ClapConfig(text_config=text, audio_config=audio, projection_dim=8)
        model = ClapModel(config)
    for projection in (model.audio_projection, model.text_projection):
        projection.linear1.bias.data += 0.5  # so that its ReLU lets something through
    model.audio_projection.linear2.weight.data *= sign
    model.save_pretrained(folder)
    ClapFeatureExtractor(truncation="rand_trunc").save_pretrained(folder)
    words = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "Ġ", *string.ascii_lowercase]
    (folder / "vocab.json").write_text(
        json.dumps({w: i for i, w in enumerate(words)}), encoding="utf-8"
    )
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    settings = {"tokenizer_class": "RobertaTokenizer", "model_max_length": 77}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two that say the opposite of each other, so that whatever is asked, one says yes."""
    return [_clip_folder(tmp_path_factory.mktemp("clip"), sign) for sign in (1, -1)]


@pytest.fixture(scope="module")
def claps(tmp_path_factory):
    return [_clap_folder(tmp_path_factory.mktemp("clap"), sign) for sign in (1, -1)]


def _cosine(a, b):
    return F.cosine_similarity(a, b, dim=-1)


# --- CLIP ---------------------------------------------------------------------------------------


@torch.no_grad()
def _clip_by_hand(folder, picture, prompt):
    """The paper's protocol with transformers' own preparation: (H, W) in [0, 1] -> cosine."""
    model = CLIPModel.from_pretrained(folder).eval()
    grey = torch.from_numpy(picture).expand(1, 3, -1, -1)  # channel mean repeated
    height = grey.shape[2]
    crops = grey.unfold(3, height, height // 8)[0].permute(2, 0, 1, 3)  # (N, 3, H, H)
    images = [Image.fromarray((c * 255).round().byte().permute(1, 2, 0).numpy()) for c in crops]
    side = model.config.vision_config.image_size
    size = {"size": {"shortest_edge": side}, "crop_size": {"height": side, "width": side}}
    pixels = CLIPImageProcessorPil(**size)(images, return_tensors="pt").pixel_values
    seen = model.visual_projection(model.vision_model(pixels).pooler_output)
    ids = transformers.CLIPTokenizer.from_pretrained(folder)(prompt, return_tensors="pt")
    read = model.text_projection(model.text_model(**ids).pooler_output)
    return float(_cosine(seen, read).mean()), len(crops)


def test_clip_score_is_the_mean_over_overlapping_squares_and_at_least_zero(clips):
    rng = np.random.default_rng(0)
    picture = rng.random((64, 204)).astype(np.float32) * np.linspace(0, 1, 204, dtype=np.float32)
    for prompt in ("a castle", "bell", "three dogs, barking"):
        expected = [_clip_by_hand(clip, picture, prompt) for clip in clips]
        assert expected[0][1] == 18  # lefts 0, 8, … 136; 4 columns at the right are left over
        cosines = [cosine for cosine, _ in expected]
        assert cosines[0] == pytest.approx(-cosines[1], abs=1e-6) and abs(cosines[0]) > 0.01
        got = [clip_score(picture, prompt, clip) for clip in clips]
        assert got == pytest.approx([max(0, cosine) for cosine in cosines], abs=1e-5)


def test_channels_are_averaged_and_all_kinds_of_picture_read(clips):
    rng = np.random.default_rng(1)
    colours = rng.integers(0, 256, (3, 32, 64)).astype(np.float32) / 255
    image = Image.fromarray((colours * 255).round().astype(np.uint8).transpose(1, 2, 0))
    expected = [clip_score(colours.mean(0), "bell", clip) for clip in clips]
    assert max(expected) > 0.01
    for what in (colours, torch.from_numpy(colours), image, Picture(image)):
        assert [clip_score(what, "bell", clip) for clip in clips] == pytest.approx(expected)


@pytest.mark.parametrize("size", [64, 256])
def test_preparation_is_clips_own(size):
    squares = np.random.default_rng(0).random((2, size, size)).astype(np.float32)
    images = [Image.fromarray((s * 255).round().astype(np.uint8)).convert("RGB") for s in squares]
    expected = CLIPImageProcessorPil()(images, return_tensors="pt").pixel_values
    torch.testing.assert_close(clip_clap.clip_input(squares), expected, atol=2e-6, rtol=0)


def test_a_tall_or_a_loud_picture_is_refused():
    with pytest.raises(ValueError, match="4 wide and 8 high: expected width >= height"):
        clip_clap.squares(np.zeros((8, 4)))
    with pytest.raises(ValueError, match=r"values in \[0, 1\]"):
        clip_clap._grey(np.full((8, 8), 255.0))


# --- CLAP ---------------------------------------------------------------------------------------


def _noise(seconds, rate=16000, seed=0):
    y = np.random.default_rng(seed).normal(size=round(seconds * rate)).astype(np.float32)
    return Sound(y * np.linspace(0.01, 0.2, len(y), dtype=np.float32), rate)


@torch.no_grad()
def _clap_by_hand(folder, sound, prompt):
    model = ClapModel.from_pretrained(folder).eval()
    features = ClapFeatureExtractor.from_pretrained(folder)
    heard = features(clip_clap.clap_input(sound), sampling_rate=48000, return_tensors="pt")
    audio = model.audio_projection(model.audio_model(**heard).pooler_output)
    ids = transformers.AutoTokenizer.from_pretrained(folder)(prompt, return_tensors="pt")
    return float(_cosine(audio, model.text_projection(model.text_model(**ids).pooler_output)))


def test_clap_score_is_the_cosine_of_clap_and_at_least_zero(claps):
    cosines = []
    for prompt in ("bell ringing", "zzzz z"):
        for clap in claps:
            cosines.append(_clap_by_hand(clap, _noise(3), prompt))
            got = clap_score(_noise(3), prompt, clap)
            assert got == pytest.approx(max(0, cosines[-1]), abs=1e-5)
    assert min(cosines) < -0.01 and max(cosines) > 0.01


def test_a_sound_is_heard_at_48_khz_with_its_peak_at_one():
    t = np.arange(16000) / 16000
    y = clip_clap.clap_input(Sound(0.1 * np.sin(2 * np.pi * 1000 * t).astype(np.float32), 16000))
    assert len(y) == 48000 and np.abs(y).max() == pytest.approx(1)
    expected = np.sin(2 * np.pi * 1000 * np.arange(48000) / 48000)
    assert np.abs(y - expected)[2000:-2000].max() < 0.01


def test_a_long_sound_is_cut_so_that_nothing_is_random():
    assert len(clip_clap.clap_input(_noise(12))) == 480_000


def test_a_judge_says_when_it_does_not_read_a_whole_prompt(clips, claps):
    """Two endings beyond what it reads are judged alike, so that somebody has to be told."""
    picture, sound = np.zeros((64, 64), np.float32), Sound(np.ones(9600, np.float32), 48000)
    long = "a bell and " * 40
    for score, what, folder in (
        (metrics.clip_score, picture, clips[0]),
        (metrics.clap_score, sound, claps[0]),
    ):
        with pytest.warns(UserWarning, match=r"of 'a bell and .*'… \d+ of \d+ tokens are judged"):
            ends = [score(what, long + end, folder) for end in ("a cat", "a dog")]
        assert ends[0] == ends[1]
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            score(what, "a bell", folder)


# --- many results -------------------------------------------------------------------------------


def _said(values):
    """A scorer that says what it is told to, one item after the other."""
    values = iter(values)
    return lambda result, item, prompt: next(values)


def test_evaluate_is_flat_and_counts_every_item():
    results = [
        compose(
            pair(), "a", "b", seeds=[1, 2], num_inference_steps=1, progress=False, image_start=0
        )
    ] * 2
    scorers = {
        "eye": Scorer("image", _said([0.0, 1.0, 0.0, 1.0])),
        "ear": Scorer("sound", lambda result, item, prompt: float(prompt == "b")),
    }
    got = metrics.evaluate(results, scorers=scorers)
    assert got == {
        "n": 4,
        "eye": 0.5,
        "eye_interval": pytest.approx(3.182446 / 12**0.5),  # t for 3 degrees, s / 2
        "ear": 1.0,
        "ear_interval": 0.0,
    }
    scorers["eye"] = Scorer("image", _said([0.0, 1.0, 0.0, 1.0]))
    papers = metrics.evaluate(results, scorers=scorers, interval=metrics.paper_interval)
    assert papers == got | {"eye_interval": pytest.approx(1.96 * 0.5 / 2)}
    one = metrics.evaluate(results[0], scorers={"ear": scorers["ear"]}, prompts=("a", "c"))
    assert one == {"n": 2, "ear": 0.0, "ear_interval": 0.0}


def test_what_had_no_prompt_is_left_out():
    alone = compose(pair(), "a", None, num_inference_steps=1, progress=False)
    scorers = {"ear": Scorer("sound", _said([])), "eye": Scorer("image", _said([0.7]))}
    got = metrics.evaluate(alone, scorers=scorers)
    assert np.isnan(got.pop("eye_interval")) and got == {"n": 1, "eye": 0.7}
    assert metrics.table({"alone": got}).splitlines()[-1] == "| alone | 0.700 | 1 |"
    with pytest.raises(ValueError, match="results was empty"):
        metrics.evaluate([])


def test_a_pairs_own_scorers_see_latents_of_trajectories_and_canvases():
    def brightness(latent, prompt):
        return latent[:, 0].mean((1, 2)) + len(prompt)

    toys = gaussian_pair(0.5, 0.5, scorers={"image": brightness, "sound": brightness})
    run = compose(toys, "a", "a", seeds=[1, 2], num_inference_steps=3, progress=False)
    said = metrics.scores(run)
    assert said["image"] == pytest.approx((run.latent[:, 0].mean((1, 2)) + 1).tolist())
    canvas = Canvas(torch.full((2, 1, 64, 128), 0.75), run.recipe, toys)
    assert metrics.scores(canvas, prompts=("aaa", None)) == {"image": [3.5, 3.5]}
    assert metrics.scores(run, scorers=PAIR_SCORERS) == said


def test_the_papers_scorers_see_the_mel_picture_and_hear_the_sound(monkeypatch):
    seen = {}
    monkeypatch.setattr(metrics, "clip_score", lambda x, prompt: seen.update(clip=(x, prompt)) or 1)
    monkeypatch.setattr(metrics, "clap_score", lambda x, prompt: seen.update(clap=(x, prompt)) or 2)
    run = compose(
        pair(crop_pixels=32),
        "a",
        "b",
        seeds=[1, 2],
        num_inference_steps=1,
        image_start=0,
        progress=False,
    )
    assert metrics.scores(run) == {"clip": [1, 1], "clap": [2, 2]}  # toys bring no scorers
    assert np.array_equal(seen["clip"][0], run.mel_picture(item=1)) and seen["clip"][1] == "a"
    assert np.array_equal(seen["clap"][0].samples, run.sound(item=1).samples)
    assert seen["clap"][1] == "b" and set(PAPER_SCORERS) == {"clip", "clap"}


def test_compare_scores_every_way_against_both_prompts():
    asked = []

    def hear(result, item, prompt):
        said = recipes.arguments(result.recipe)
        asked.append((said["image_prompt"], said["sound_prompt"], prompt))
        return float(len(prompt))

    toys = pair(defaults={"num_inference_steps": 2, "image_start": 0.0})
    prompts = [("a", "bell"), ("b", "rains")]
    scorers, others = {"ear": Scorer("sound", hear)}, {"imprint": imprint}
    got = metrics.compare(
        toys, prompts, seeds=[0, 1], scorers=scorers, others=others, progress=False
    )
    ways = ["image model alone", "sound model alone", "imprint", "composed"]
    assert list(got) == ways
    for row in got.values():  # the interval is over prompts, of 4 and 5 letters
        assert row == {"n": 2, "ear": 4.5, "ear_interval": pytest.approx(12.7062 * 0.5)}
    assert asked[0] == ("a", None, "bell") and asked[2] == (None, "bell", "bell")
    assert asked[4] == asked[6] == ("a", "bell", "bell") and len(asked) == 16


def test_the_table_is_markdown():
    rows = {
        "ours": {"n": 4, "clip": 0.25, "clip_interval": 0.0126, "clap": 0.1, "clap_interval": 0.0},
        "picture": {"n": 9, "clip": 0.3, "clip_interval": 0.02},
        "one": {"n": 1, "clip": 0.2, "clip_interval": 0.0},
    }
    assert metrics.table(rows, digits=2).splitlines() == [
        "|  | clip | clap | n |",
        "| --- | --- | --- | --- |",
        "| ours | 0.25 ± 0.01 | 0.10 ± 0.00 | 4 |",
        "| picture | 0.30 ± 0.02 | – | 9 |",
        "| one | 0.20 | – | 1 |",
    ]


# --- the vocoder --------------------------------------------------------------------------------


def test_the_cycle_finds_what_the_vocoder_loses_and_no_level():
    """The toy's sound knows the mean of each column only, and here its level is another."""
    toys = pair()
    render = toys.sound.render
    object.__setattr__(toys.sound, "render", lambda p: Sound(render(p).samples * 0.8 + 0.04, 800))
    pictures = torch.rand(1, 1, 64, 128) * 0.2 + 0.4
    cycle = metrics.vocoder_cycle(Canvas(pictures, {}, toys))
    columns = pictures[0, 0].mean(0) * 0.8 + 0.08
    expected = columns.expand(64, 128) - pictures[0, 0]
    expected = expected - expected.median()
    np.testing.assert_allclose(cycle.difference, expected, atol=1e-3)
    assert cycle.error == pytest.approx(float(expected.abs().mean()), abs=1e-3)
    assert np.array_equal(cycle.asked, pictures[0, 0].numpy())
    flat = torch.full((1, 1, 64, 128), 0.3)
    assert metrics.vocoder_cycle(Canvas(flat, {}, toys)).error == pytest.approx(0, abs=1e-5)
