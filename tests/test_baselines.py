"""The baselines on models whose answers are known in closed form."""

import dataclasses

import numpy as np
import pytest
import soundfile
import tiny_folders
import torch
import torch.nn.functional as F
from PIL import Image
from toys import SHAPE, gaussian, pair

import itskit
from itskit import baselines, recipes
from itskit.baselines import (
    colourise,
    distillation_loss,
    imprint,
    keep_luminance,
    press,
    press_into,
    print_into,
    sds,
    strong_imprint,
)
from itskit.composition import compose
from itskit.guidance import Guide, encode_prompt
from itskit.media import Sound
from itskit.modality import Axis, Pair

SDS = {"crops": 2, "hidden": 16, "learning_rate": 1e-2}


# --- imprint ------------------------------------------------------------------------------------


def test_the_formula():
    picture, spectrogram = torch.tensor([0.0, 0.5, 1.0]), torch.tensor([0.8, 0.8, 0.8])
    assert print_into(picture, spectrogram).tolist() == pytest.approx([0.4, 0.6, 0.8])
    assert torch.equal(print_into(picture, spectrogram, strength=0), spectrogram)
    assert torch.equal(print_into(picture, spectrogram, strength=1), spectrogram * picture)


def test_imprint_is_two_runs_and_the_formula():
    toys = pair(crop_pixels=32)
    fast = {"num_inference_steps": 4, "progress": False}
    drawn = compose(toys, "a", None, seeds=[3, 4], image_scale=2.0, **fast)
    played = compose(
        toys,
        None,
        "b",
        seeds=[1_000_003, 1_000_004],
        sound_scale=3.0,
        **{**fast, "num_inference_steps": 6},
    )
    made = imprint(
        toys, "a", "b", seeds=[3, 4], image_steps=4, sound_steps=6, image_scale=2.0, sound_scale=3.0
    )
    picture, spec = toys.image.decode(drawn.latent), toys.sound.decode(played.latent)
    assert torch.equal(made.pictures, spec * (1 - 0.5 * (1 - picture)))
    assert len(made) == 2 and made.recipe["seeds"] == [3, 4]
    assert recipes.prompts(made.recipe) == ["a", "b"]
    assert (made.recipe["image_steps"], made.recipe["sound_steps"]) == (4, 6)
    both = imprint(toys, "a", "b", num_inference_steps=3, sound_steps=5)
    assert (both.recipe["image_steps"], both.recipe["sound_steps"]) == (3, 5)
    # It answers like a Trajectory, the edge of the pair cut off.
    assert made.mel_picture(1).shape == (64, 96)
    assert np.array_equal(made.mel_picture(1), made.pictures[1, 0, :, :96].numpy())
    assert made.picture(1).image.size == (96, 64)
    expected = toys.sound.render(made.pictures[1, :, :, :96])
    assert np.array_equal(made.sound(1).samples, expected.samples)


def by_hand(drawing, sound, decibels, level, cut):
    """The rule of `press_into`, pixel by pixel, in dB above black."""
    out = np.empty_like(sound)
    loudest = np.quantile(sound, 0.998) * decibels
    for at in np.ndindex(sound.shape):
        heard = sound[at] * decibels - cut * (1 - drawing[at])
        seen = drawing[at] * max(0.0, loudest - level)
        out[at] = max(heard, seen, 0.0) / decibels
    return out


@pytest.mark.parametrize(("level", "cut"), [(50, 16), (60, 12), (40, 0), (200, 30)])
def test_the_strong_rule_pixel_by_pixel(level, cut):
    rng = np.random.default_rng(level)
    drawing, sound = rng.random((2, 16, 24)).astype(np.float32)
    made = press_into(drawing, sound, 104.0, level=level, cut=cut)
    assert np.allclose(made, by_hand(drawing, sound, 104.0, level, cut), atol=1e-5)
    two = press_into(np.stack([drawing] * 2), np.stack([sound, sound / 2]), 104.0)
    assert torch.allclose(two[1], press_into(drawing, sound / 2, 104.0))  # each its own loudest


def with_axis(toys, decibels=104.0):
    axis = Axis(tuple(range(64)), 0.01, 800, decibels)
    return dataclasses.replace(toys, sound=dataclasses.replace(toys.sound, axis=axis))


def test_strong_imprint_is_two_runs_and_the_rule():
    toys = with_axis(pair())
    fast = {"num_inference_steps": 3, "progress": False}
    drawn = compose(toys, "a", None, seeds=[5, 6], **fast)
    played = compose(toys, None, "b", seeds=[1_000_005, 1_000_006], **fast)
    made = strong_imprint(toys, "a", "b", seeds=[5, 6], num_inference_steps=3, level=40, cut=10)
    for k in range(2):
        picture = toys.image.decode(drawn.latent)[k, 0].numpy()
        picture = np.clip(picture / max(0.2, np.quantile(picture, 0.998)), 0, 1)
        sound = toys.sound.decode(played.latent)[k, 0].numpy()
        assert np.allclose(made.pictures[k, 0], by_hand(picture, sound, 104.0, 40, 10), atol=1e-5)
    assert made.recipe["method"] == "strong imprint"
    assert (made.recipe["level"], made.recipe["cut"]) == (40, 10)


def test_own_drawing_pressed_into_own_recording():
    toys = with_axis(pair())
    drawing = np.zeros((64, 32), np.float32)
    drawing[20:40, 8:24] = 0.6
    recording = Sound(np.repeat(np.linspace(0.2, 0.3, 80, dtype=np.float32), 8), 800)  # 80 columns
    made = press(toys, drawing, recording, level=45, cut=12)
    sound = toys.sound.analyse(recording)[0, 0].numpy()
    sound = sound + 0.95 - np.quantile(sound, 0.998)  # its loudest is near white
    row = np.zeros((64, 80), np.float32)  # two of them fit, each in the middle of its half
    row[:, 4:36] = row[:, 44:76] = drawing / 0.6
    assert np.allclose(made.pictures[0, 0], by_hand(row, sound, 104.0, 45, 12), atol=1e-5)
    short = Sound(recording.samples[:80], 800)  # 10 columns: silence follows, none of it is cut
    made = press(toys, drawing, short, level=45, cut=12)
    sound = np.zeros((64, 32), np.float32)
    sound[:, :10] = toys.sound.analyse(short)[0, 0] + 0.95 - toys.sound.analyse(short).max()
    assert made.pictures.shape[-1] == 32
    assert np.allclose(made.pictures[0, 0], by_hand(drawing / 0.6, sound, 104, 45, 12), atol=0.01)


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (200, 20), (40, 230)])
def test_what_is_drawn_is_bright_on_any_background(paper, ink):
    toys = with_axis(pair())
    drawing = np.full((64, 32), paper, np.uint8)
    drawing[20:40, 8:24] = ink
    recording = Sound(np.full(8 * 32, 0.01, np.float32), 800)
    seen = press(toys, drawing, recording, cut=104).pictures[0, 0].numpy()  # the ink alone is left
    inside = np.zeros((64, 32), bool)
    inside[20:40, 8:24] = True
    darkest, brightest = seen[inside].min(), seen[~inside].max()
    assert darkest > brightest + 0.1
    other = press(toys, drawing, recording, cut=104, invert=paper < 128).pictures[0, 0].numpy()
    assert other[inside].max() < other[~inside].min()


def test_a_blank_sheet_is_refused():
    recording = Sound(np.full(8 * 32, 0.4, np.float32), 800)
    for blank in (np.ones((64, 32)), np.zeros((64, 32))):
        with pytest.raises(ValueError, match="nothing is in the drawing but its background"):
            press(with_axis(pair()), blank, recording)


@pytest.mark.parametrize(("seconds", "columns"), [(0.4, 128), (2.0, 256), (7.0, 768)])
def test_files_of_any_length_are_pressed_and_saved(tmp_path, seconds, columns):
    """Ink on white paper and a recording that is far too quiet, as files, by the shipped pair."""
    pocket = itskit.load_pair("pocket")
    paper = Image.new("RGB", (300, 300), "white")
    paper.paste("navy", (100, 100, 200, 200))
    paper.save(tmp_path / "ink.jpg")
    noise = np.random.default_rng(0).normal(size=round(seconds * 44100)) * 1e-3
    soundfile.write(tmp_path / "rain.flac", noise, 44100)
    made = press(pocket, str(tmp_path / "ink.jpg"), tmp_path / "rain.flac", level=40)
    canvas = made.mel_picture()
    assert canvas.shape == (128, columns)
    loudest = np.quantile(canvas[:, : round(seconds * 100)], 0.998)
    assert 0.94 - 16 / 104 < loudest < 0.96  # near white, but where it is pressed in
    at = 64 if columns == 128 else columns // 2 - 64  # the middle of a square
    for column in range(at, columns, 128):
        assert canvas[64, column] >= 0.5
    again = itskit.export.png(made, tmp_path / "out" / "a.png")
    with Image.open(again) as image:
        assert np.array_equal(np.asarray(image), np.asarray(made.picture().image))
    heard = itskit.export.audio(made, tmp_path / "out")
    assert soundfile.info(heard).duration == pytest.approx(columns / 100)
    said = itskit.export.read_recipe(heard)
    assert said == itskit.export.read_recipe(again) == made.recipe
    assert (said["method"], said["level"], said["drawing"]["kind"]) == ("press", 40, "Picture")
    with pytest.raises(ValueError, match="recipe is of a press, which was not composed"):
        itskit.recompose(pocket, said)


def test_no_strong_imprint_where_grey_levels_are_no_decibels():
    for toys in (pair(), with_axis(pair(), None)):
        with pytest.raises(ValueError, match=r"expected Modality\.axis"):
            strong_imprint(toys, "a", "b", num_inference_steps=2)


def test_colours_are_printed_in_grey(tmp_path):
    make = tiny_folders.stable_diffusion, tiny_folders.auffusion
    folders = [build(tmp_path / str(k)) for k, build in enumerate(make)]
    paper = itskit.load_pair("paper", image=folders[0], sound=folders[1])
    made = imprint(paper, "a", "b", width=64, image_steps=2, sound_steps=2, solver="ddim")
    assert made.pictures.shape == (1, 1, 32, 64) and made.mel_picture().shape == (32, 32)
    assert set(baselines.PAPER_IMPRINT) - {"image_steps", "sound_steps"} <= {
        *made.recipe,
        *recipes.arguments(made.recipe),
    }


# --- score distillation -------------------------------------------------------------------------


def _point(name, mean, **changes):
    """The perfect denoiser of data at one point, for a canvas of any size."""
    toy = gaussian(name)

    def predict_noise(latent, t, embeds):
        a = toy.alpha_bar[t]
        return (latent - a**0.5 * mean) / (1 - a) ** 0.5

    return dataclasses.replace(toy, predict_noise=predict_noise, **changes)


@pytest.mark.parametrize("t", [30, 500, 970])
def test_the_gradient_is_the_closed_form(t):
    """For data at one point m, eps - noise is sqrt(a / (1 - a)) (z - m)."""
    mean = torch.randn(SHAPE)
    modality = gaussian(means={"a": mean})
    latents = []

    def encode(picture):
        latents.append(torch.tanh(picture.mean() * torch.ones(2, *SHAPE)).requires_grad_())
        latents[-1].retain_grad()
        return latents[-1]

    modality = dataclasses.replace(modality, encode=encode)
    guide = Guide(modality, encode_prompt(modality, "a"), scale=1)
    picture = torch.rand(2, 1, 64, 128, requires_grad=True)
    distillation_loss(guide, picture, torch.Generator().manual_seed(1), t=t).backward()
    a = modality.alpha_bar[t]
    expected = (1 - a) * (a / (1 - a)) ** 0.5 * (latents[0] - mean) / 2  # two items
    torch.testing.assert_close(latents[0].grad, expected, atol=1e-5, rtol=1e-4)
    assert picture.grad is not None and picture.grad.abs().sum() > 0


def test_both_models_pull_the_picture_to_where_they_agree():
    """Grey p is latent 2 p - 1 to the toy VAE, so that means of 0.4 and -0.8 are greys of 0.7 and
    0.1; where both pull, they meet between."""
    toys = Pair("toy", _point("image", 0.4), _point("sound", -0.8))
    settings = {**SDS, "image_scale": 1, "sound_scale": 1, "num_steps": 120}
    *_, alone = sds(toys, "a", "a", image_start=0.99, **settings)
    assert alone.image_loss is not None  # the very last step
    assert alone.canvas.pictures.mean() == pytest.approx(0.1, abs=0.02)
    *_, both = sds(toys, "a", "a", image_start=0.0, image_weight=1.0, **settings)
    assert 0.2 < both.canvas.pictures.mean() < 0.65


def test_the_image_model_joins_when_it_is_told():
    run = list(sds(pair(), "a", "b", num_steps=4, image_start=0.5, **SDS))
    assert [step.image_loss is None for step in run] == [True, True, False, False]
    assert all(step.sound_loss > 0 for step in run)
    assert [step.index for step in run] == [0, 1, 2, 3]
    assert run[-1].canvas.mel_picture().shape == (64, 128)
    assert run[-1].canvas.sound().duration > 0


def test_a_run_that_is_resumed_is_the_run_that_was_not_stopped(tmp_path):
    toys, settings = pair(), {**SDS, "num_steps": 5, "image_start": 0.3, "seed": 9}
    whole = list(sds(toys, "a", "b", **settings))
    stopped = sds(toys, "a", "b", **settings)
    for _ in range(2):
        step = next(stopped)
    step.save(tmp_path / "state.safetensors")
    rest = list(sds(toys, "a", "b", resume=tmp_path / "state.safetensors", **settings))
    assert [step.index for step in rest] == [2, 3, 4]
    for one, other in zip(rest, whole[2:], strict=True):
        assert torch.equal(one.canvas.pictures, other.canvas.pictures)
        assert all(torch.equal(one.state[name], other.state[name]) for name in other.state)
    assert not torch.equal(whole[0].canvas.pictures, whole[4].canvas.pictures)
    with pytest.raises(ValueError, match=r"saved with seed.*\[9\], this run has \[8\]"):
        next(sds(toys, "a", "b", resume=tmp_path / "state.safetensors", **{**settings, "seed": 8}))


def test_models_of_different_latent_spaces_may_pull_at_one_picture():
    """As in the paper, whose image model works on pixels: only the picture is shared."""
    pool = lambda picture: F.avg_pool2d(picture, 4) * 2 - 1  # noqa: E731
    pixels = _point("image", 0.5, encode=pool, latent_shape=(1, 16, 16), vae_scale_factor=4)
    mixed = Pair("mixed", pixels, _point("sound", -0.5))
    settings = {**SDS, "num_steps": 3, "image_start": 0.0, "crop_size": 32}
    run = list(sds(mixed, "a", "b", **settings))
    assert run[-1].canvas.pictures.shape == (1, 1, 64, 128)
    assert all(step.image_loss > 0 for step in run)


# --- colour -------------------------------------------------------------------------------------


def test_luminance_is_kept_exactly_and_hue_is_too():
    colour, grey = torch.rand(4, 3, 8, 9), torch.rand(4, 1, 8, 9)
    grey[0, 0, 0, :2] = torch.tensor([0.0, 1.0])  # black and white have no room for colour
    kept = keep_luminance(colour, grey)
    assert kept.min() >= 0 and kept.max() <= 1
    torch.testing.assert_close(kept.mean(1, keepdim=True), grey, atol=1e-6, rtol=0)
    before, after = colour - colour.mean(1, keepdim=True), kept - grey
    cosine = F.cosine_similarity(before, after, dim=1)
    assert cosine[after.norm(dim=1) > 1e-3].min() > 0.999
    pale = 0.5 + 0.1 * (colour - 0.5)
    torch.testing.assert_close(keep_luminance(pale, pale.mean(1, keepdim=True)), pale)


def _painter(colour):
    """A model that knows one picture in colour, and says so at every timestep."""
    cells = F.avg_pool2d(colour, 8) * 2 - 1  # (1, 3, h, w)
    mean = F.pad(cells, (0, 0, 0, 0, 0, 1))[0]  # (4, h, w)

    def encode(picture):
        return F.pad(F.avg_pool2d(picture.expand(-1, 3, -1, -1), 8) * 2 - 1, (0, 0, 0, 0, 0, 1))

    def decode(latent):
        return (F.interpolate(latent[:, :3], scale_factor=8) / 2 + 0.5).clamp(0, 1)

    return dataclasses.replace(gaussian(means={"a": mean}), encode=encode, decode=decode)


def test_colours_come_from_the_model_and_light_from_the_picture():
    blocks = torch.rand(1, 3, 8, 16).repeat_interleave(8, 2).repeat_interleave(8, 3)
    grey = np.random.default_rng(0).random((8, 16)).astype(np.float32).repeat(8, 0).repeat(8, 1)
    made = colourise(_painter(blocks), grey, "a", scale=1, progress=False)
    pixels = torch.from_numpy(np.asarray(made.image).copy()).permute(2, 0, 1) / 255
    expected = keep_luminance(blocks, torch.from_numpy(grey)[None, None])[0]
    assert (pixels - expected).abs().max() < 0.1  # the last latent keeps a trace of noise
    assert (pixels - expected).abs().mean() < 0.01 < (expected - expected.mean(0)).abs().mean()
    assert np.abs(np.asarray(made.image).mean(2) / 255 - grey).max() < 0.004  # 8 bits


def test_a_small_network_colours_too_and_a_seed_is_a_seed(tmp_path):
    folders = [
        tiny_folders.stable_diffusion(tmp_path / "sd"),
        tiny_folders.auffusion(tmp_path / "a"),
    ]
    modality = itskit.load_pair("paper", image=folders[0], sound=folders[1]).image
    grey = Image.fromarray((np.linspace(0, 255, 32 * 64).reshape(32, 64)).astype(np.uint8))
    options = {"num_inference_steps": 4, "start": 1, "progress": False}
    one, same, other = (colourise(modality, grey, "a", seed=s, **options).image for s in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert np.abs(np.asarray(one).mean(2) - np.asarray(grey)).max() <= 1
    assert np.asarray(one).std(2).mean() > 1


def test_a_grey_model_and_an_impossible_start_are_refused():
    grey = np.zeros((64, 128), np.float32)
    with pytest.raises(ValueError, match=r"1 channel\(s\): expected a model of colours"):
        colourise(pair().image, grey, "a", progress=False)
    with pytest.raises(ValueError, match="start=30: expected a step from 0 to 29"):
        colourise(_painter(torch.rand(1, 3, 64, 128)), grey, "a", start=30)
