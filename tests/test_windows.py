"""Wide canvases, loops, and prompts along time: the same as the whole where the whole is known."""

import json
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import soundfile
import torch
from toys import SHAPE, gaussian, gaussian_pair, pair, tiny_unet

import itskit
from itskit import codec, lengths, recipes
from itskit.audio.griffin_lim import reconstruct
from itskit.audio.loudness import _limiter_gain, normalise_loudness
from itskit.audio.mel import POCKET_MEL, mel_picture
from itskit.composition import compose, guides
from itskit.guidance import Guide, encode_prompt, estimate, estimate_noise
from itskit.media import Sound
from itskit.modality import Axis
from itskit.recomposition import branch, recompose
from itskit.sampling import sample
from itskit.settings import Settings
from itskit.timeline import Along, checked, text_of
from itskit.views import VIEWS
from itskit.windows import Windows

FAST = {"num_inference_steps": 4, "progress": False}
SECONDS = 0.01  # of a pixel column of the toys
ALL = [
    Windows(16, 12),
    Windows(16, 16),
    Windows(16, 4, loop=True),
    Windows(16, 12, unit=2, loop=True),
    Windows(64, 48, loop=True),
]
WIDTHS = [1, 2, 7, 16, 17, 40, 64]


def noise(width, batch=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, SHAPE[0], SHAPE[1], width, generator=generator)


def timed_pair(make=tiny_unet, **changes):
    """Toys whose columns have a length in seconds."""
    toys = pair(make, **changes)
    return replace(toys, sound=replace(toys.sound, axis=Axis((2.0, 1.0), SECONDS, 800)))


# ---- windows -------------------------------------------------------------------------------------


@pytest.mark.parametrize("windows", ALL, ids=str)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_weights_add_up_to_one_in_every_column(windows, width):
    total = torch.zeros(width, dtype=torch.float64)
    for start, part in zip(windows.starts(width), windows.parts(width), strict=True):
        assert (part > 0).all()
        total.index_add_(0, windows.columns(start, width), part.double())
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-6)


@pytest.mark.parametrize("windows", ALL, ids=str)
@pytest.mark.parametrize("width", [16, 40, 64])
def test_what_looks_at_each_column_alone_gives_the_same_through_windows(windows, width):
    x = noise(width, batch=2)
    found = windows.average(lambda seen, starts: seen**3 - 1, x)
    torch.testing.assert_close(found, x**3 - 1)


def test_the_mean_is_that_of_multidiffusion():
    """By hand: two windows, each answering with its number, by their own sin² weights."""
    windows, x = Windows(4, 2), torch.zeros(1, 1, 1, 6)
    found = windows.average(
        lambda seen, starts: torch.cat([torch.full((1, 1, 1, 4), float(s)) for s in starts]), x
    )
    hill = np.sin(np.pi * (np.arange(4) + 0.5) / 4) ** 2
    both = 2 * hill[:2] / (hill[:2] + hill[2:])  # the second says 2 in columns 2 and 3
    np.testing.assert_allclose(found[0, 0, 0], [0, 0, *both, 2, 2], rtol=1e-6)


def test_windows_cover_a_loop_across_its_end_and_a_line_up_to_its_end():
    assert Windows(64, 48).starts(752)[-1] == 752 - 64
    assert Windows(64, 48).starts(40) == [0]
    loop = Windows(64, 48, 4, loop=True)
    for width in (8, 64, 100, 752):
        seen = [set(loop.columns(start, width).tolist()) for start in loop.starts(width)]
        assert any({width - 1, 0} <= columns for columns in seen[1:])


def test_a_network_is_asked_for_a_few_windows_at_a_time():
    asked = []

    def answer(seen, starts):
        asked.append((len(seen), len(starts)))
        return seen

    Windows(16, 12, at_a_time=3).average(answer, noise(100, batch=2))
    assert asked == [(6, 3), (6, 3), (4, 2)]


@pytest.mark.parametrize(
    "wrong",
    [{"size": 4, "stride": 5}, {"size": 4, "stride": 0}, {"size": 8, "stride": 3, "unit": 2}],
)
def test_windows_that_leave_gaps_are_refused(wrong):
    with pytest.raises(ValueError, match="expected 1 <= stride <= size"):
        Windows(**wrong)


# ---- guides --------------------------------------------------------------------------------------


@pytest.mark.parametrize("branches", ["", "empty"])
@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_through_one_window_a_guide_says_the_same_to_the_bit(scale, branches):
    modality = tiny_unet()
    guide = Guide(modality, encode_prompt(modality, "a", "fog"), scale)
    x = noise(16, batch=2)
    whole = estimate(guide, x, 400, branches)
    seen = estimate(replace(guide, windows=Windows(16, 12)), x, 400, branches)
    for one, other in zip(whole, seen, strict=True):
        assert (one is None) is (other is None) and (one is None or torch.equal(one, other))


def test_guidance_in_windows_is_the_mean_of_guided_windows():
    modality, x, windows = tiny_unet(), noise(40, batch=2), Windows(16, 12, at_a_time=2)
    guide = Guide(modality, encode_prompt(modality, "a", "fog"), 5.0)
    expected = torch.zeros_like(x)
    for start, part in zip(windows.starts(40), windows.parts(40), strict=True):
        said = estimate_noise(guide, x[..., start : start + 16], 400)
        expected[..., start : start + 16] += part * said
    found = estimate_noise(replace(guide, windows=windows), x, 400)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["flip_time", "rotate_180", "negate"])
def test_a_view_is_taken_before_the_windows(name):
    modality, x, windows = tiny_unet(), noise(40), Windows(16, 12)
    guide = Guide(modality, encode_prompt(modality, "a"), 3.0, windows=windows)
    view = VIEWS[name]
    found = estimate_noise(replace(guide, view=view), x, 400)
    torch.testing.assert_close(found, view.inverse(estimate_noise(guide, view(x), 400)))


# ---- loops ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["ddim", "dpmpp_2m"])
def test_a_loop_of_rolled_noise_is_the_rolled_loop(solver):
    toys, x = pair(), noise(48)
    loop = Windows(16, 8, unit=2, loop=True, at_a_time=1)
    both = [Guide(m, encode_prompt(m, "a"), 3.0, windows=loop) for m in (toys.image, toys.sound)]
    ends = [
        list(sample(both, one, num_inference_steps=3, solver=solver))[-1].latent
        for one in (x, x.roll(8 * 2, -1))
    ]
    assert torch.equal(ends[0].roll(16, -1), ends[1])
    line = [replace(guide, windows=replace(loop, loop=False)) for guide in both]
    ends = [
        list(sample(line, one, num_inference_steps=4))[-1].latent for one in (x, x.roll(16, -1))
    ]
    assert not torch.allclose(ends[0].roll(16, -1), ends[1], atol=1e-3)  # a line has ends


def test_a_loop_is_decoded_as_if_it_went_on():
    """By a decoder that looks three cells to either side: any place of the loop may be its seam."""
    kernel = torch.randn(1, SHAPE[0], 1, 7, generator=torch.Generator().manual_seed(1)) / 9

    def decode(latent):
        said = torch.nn.functional.conv2d(latent, kernel, padding=(0, 3)).sigmoid()
        return said.repeat_interleave(8, 2).repeat_interleave(8, 3)

    modality, x = gaussian(decode=decode), noise(40)
    whole = codec.paint(modality, x, loop=True)
    torch.testing.assert_close(whole.roll(8 * 11, -1), codec.paint(modality, x.roll(11, -1), True))
    assert not torch.allclose(codec.paint(modality, x), whole)


@pytest.mark.parametrize("frames", [64, 130])
def test_griffin_lim_of_a_loop_joins_its_end_to_its_beginning(frames):
    """A chord that a whole number of times goes into the loop: there is no step at the seam."""
    hop = POCKET_MEL.hop_length
    n = frames * hop
    t = np.arange(n) / n
    y = sum(np.sin(2 * np.pi * round(f * n / 16000) * t) for f in (220, 440, 1320)) * 0.1
    picture = mel_picture(np.tile(y, 3).astype(np.float32))[:, frames : 2 * frames]
    gaps = {}
    for loop in (True, False):
        made = reconstruct(picture, loop=loop)
        heard = mel_picture(np.tile(made, 3))[:, frames : 2 * frames]  # as a player repeats it
        gaps[loop] = float((heard - picture).abs()[:, [*range(-4, 4)]].mean())
        assert made.shape == (n,)
    inside = float((heard - picture).abs()[:, 8:-8].mean())
    assert gaps[True] < 1.5 * inside + 0.01 < gaps[False]


def test_the_limiter_of_a_loop_looks_across_its_end():
    peaks = np.full(4000, 0.1)
    peaks[30] = 2.0  # right behind the seam
    gain = _limiter_gain(peaks, 16000, 0.5, "wrap")
    np.testing.assert_allclose(
        np.roll(gain, 999), _limiter_gain(np.roll(peaks, 999), 16000, 0.5, "wrap")
    )
    assert gain[-1] < 0.3 < 0.99 < _limiter_gain(peaks, 16000, 0.5, "reflect")[-1]
    y = 0.05 * np.sin(np.arange(16000) * 0.2)
    y[30] = 1.0
    line, loop = (normalise_loudness(y, 16000, lufs=-12, loop=one) for one in (False, True))
    assert np.abs(line[-100:]).max() > 1.2 * np.abs(loop[-100:]).max()


def test_a_loop_says_so_in_wav_files_and_repeats_in_players(tmp_path):
    y = 0.1 * np.sin(np.arange(8000) * 0.3)
    Sound(y, 8000, loop=True).save(tmp_path / "a.wav")
    data = (tmp_path / "a.wav").read_bytes()
    at = data.index(b"smpl")
    size, *numbers = np.frombuffer(data[at + 4 :], "<u4").tolist()
    assert size == 60 and numbers == [0, 0, 125000, 60, 0, 0, 0, 1, 0, 0, 0, 0, 7999, 0, 0]
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    assert len(soundfile.read(tmp_path / "a.wav")[0]) == 8000
    assert "<audio controls loop" in Sound(y, 8000, loop=True)._repr_html_()
    Sound(y, 8000).save(tmp_path / "b.wav")
    assert b"smpl" not in (tmp_path / "b.wav").read_bytes()
    assert " loop" not in Sound(y, 8000)._repr_html_()
    Sound(y, 8000, loop=True).save(file := BytesIO(), format="FLAC")
    assert b"smpl" not in file.getvalue()


# ---- compose -------------------------------------------------------------------------------------


def test_a_window_as_wide_as_the_canvas_changes_nothing():
    toys = pair()
    whole = compose(toys, "a", "b", seed=3, width=128, window=256, **FAST)
    plain = compose(toys, "a", "b", seed=3, **FAST)
    assert torch.equal(whole.latent, plain.latent) and whole.recipe == plain.recipe
    assert all(guide.windows is None for guide in guides(toys, "a", "b", width=256, window=256))


def test_a_wide_canvas_is_seen_through_windows_of_the_usual_width():
    seen = []

    def predict_noise(latent, t, prompt_embeds):
        seen.append(latent.shape[-1])
        return 0 * latent

    toys = pair(gaussian_of(predict_noise))
    made = compose(toys, "a", "b", width=512, **FAST)
    assert set(seen) == {16} and made.latent.shape[-1] == 64
    assert made.recipe["window"] == 128 and made.recipe["loop"] is False
    seen.clear()
    compose(toys, "a", "b", width=512, window=512, **FAST)
    assert set(seen) == {64}


def gaussian_of(predict_noise):
    return lambda name, seed: gaussian(name, predict_noise=predict_noise)


def test_a_known_density_is_reached_on_a_wide_canvas():
    """Each window's Gaussian has the same mean, which is then the mean of the whole."""
    settings = {"width": 400, "image_scale": 1, "sound_scale": 1, "solver": "dpmpp_2m", **FAST}
    made = compose(gaussian_pair(0.7, 0.7), "a", "a", **settings)
    torch.testing.assert_close(made.latent, torch.full_like(made.latent, 0.7), atol=1e-3, rtol=0)


def test_squares_are_seen_one_by_one():
    """A model that draws squares answers the same, however many it is asked for at a time."""
    toys = timed_pair()
    tiled = replace(toys, image=replace(toys.image, tile=8, width_multiple=8))
    settings = lengths.settled(tiled, Settings.of(tiled, given={"width": 512, "window": 128}))
    windows = lengths.windows(tiled, tiled.image, settings)
    assert (windows.size, windows.stride, windows.at_a_time) == (8, 8, 8)
    assert (windows.parts(64) == 1).all()


def test_a_duration_is_the_narrowest_canvas_that_holds_it():
    toys = timed_pair()
    for seconds, width in ((1.28, 128), (1.281, 144), (3.0, 304), (0.01, 16)):
        made = compose(toys, "a", "b", duration=seconds, **FAST)
        assert made.recipe["width"] == width and "duration" not in made.recipe
        assert made.latent.shape[-1] * 8 == width


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"duration": 0}, "duration=0: expected seconds, more than 0"),
        ({"duration": -3.0}, "more than 0"),
        ({"duration": float("nan")}, "expected a number"),
        ({"duration": 2, "width": 128}, "expected one of them"),
        ({"duration": 1e300}, "at most 10485.8 seconds"),
        ({"width": 2**40}, "at most 1048576 pixels"),
        ({"window": 100}, "window=100: expected a multiple of 16 pixels; try 96"),
        ({"loop": "yes"}, "loop='yes': expected True or False"),
        ({"image_prompt": [(0, "a"), (9, "b")], "window": 64}, "less than the 1.28 seconds"),
        ({"sound_prompt": [(0, "a"), (1, "b")]}, "one window of 128 pixels sees the whole canvas"),
        ({"sound_prompt": [(1, "a"), (0, "b")]}, "each later than the one before"),
        ({"sound_prompt": [(0, "a"), (1, " ")]}, "expected words, or seconds and words"),
        ({"sound_prompt": []}, "expected words, or seconds and words"),
        ({"sound_prompt": ["a", "b"]}, "expected words, or seconds and words"),
    ],
)
def test_what_does_not_fit_is_said(given, said):
    prompts = [given.pop(f"{name}_prompt", "a") for name in ("image", "sound")]
    with pytest.raises(ValueError, match=said):
        compose(timed_pair(), *prompts, **FAST, **given)


def test_without_a_length_of_columns_seconds_mean_nothing():
    for wrong in ({"duration": 2}, {"image_prompt": [(0, "a"), (1, "b")], "width": 512}):
        with pytest.raises(ValueError, match="does not tell how long a column is"):
            compose(pair(), wrong.pop("image_prompt", "a"), "b", **FAST, **wrong)
    guide = Guide(tiny_unet(), encode_prompt(tiny_unet(), "a"))
    with pytest.raises(ValueError, match="expected windows"):
        replace(guide, prompt=encode_prompt(tiny_unet(), [(0, "a"), (1, "b")]))


def test_a_recipe_makes_a_loop_with_changing_prompts_again():
    toys = timed_pair()
    words = [(0, "a castle"), (2, "a palm tree")]
    made = compose(toys, words, "bells", duration=4, loop=True, seed=2, **FAST)
    recipe = json.loads(json.dumps(made.recipe))
    assert recipe["guides"][0]["prompts"] == [[0, "a castle"], [2, "a palm tree"]]
    assert recipes.prompts(recipe) == ["a castle → a palm tree", "bells"]
    assert torch.equal(recompose(toys, recipe, progress=False).latent, made.latent)
    assert made.is_loop and made.sound().loop and recipe["crop"] is False
    other = branch(made, 2, image_prompt="a crown", progress=False)
    assert torch.equal(other.steps[1].latent, made.steps[1].latent) and other.is_loop
    with pytest.raises(ValueError, match="duration"):
        branch(made, 2, duration=5)


def test_old_recipes_of_wide_canvases_are_of_one_window():
    toys = pair()
    whole = compose(toys, "a", "b", width=512, window=512, **FAST)
    assert "window" not in whole.recipe
    assert torch.equal(recompose(toys, whole.recipe, progress=False).latent, whole.latent)


def test_guides_beside_the_two_look_through_the_same_windows():
    toys = pair()
    third = Guide(toys.sound, encode_prompt(toys.sound, "wind"), name="wind")
    alone = Guide(tiny_unet(seed=3), encode_prompt(toys.sound, "wind"), name="else")
    made = guides(toys, "a", "b", width=512, extra=[third, alone])
    assert made[2].windows == made[1].windows is not None and made[3].windows is None


# ---- prompts along time --------------------------------------------------------------------------


def test_prompts_along_time_are_straight_lines_between_their_seconds():
    embeds = torch.tensor([[[0.0]], [[1.0]], [[5.0]]])
    along = Along(checked([(1, "a"), (2, "b"), (4, "c")]), embeds)
    times = [0, 1, 1.5, 2, 3, 4, 9]
    assert [float(along.at(t)) for t in times] == [0, 0, 0.5, 1, 3, 5, 5]
    around = [0, 0.5, 1, 4, 4.5, 5]  # in a loop of 5 seconds 2 lie between the last and the first
    assert [float(along.at(t, 5)) for t in around] == [2.5, 1.25, 0, 5, 3.75, 2.5]
    assert along.text == "a → b → c"
    assert text_of([(0, "a"), (3, "a"), (5, "b"), (8, "a")]) == "a → b → a"
    assert (text_of("a"), text_of(None)) == ("a", "")
    assert float(Along(checked([(1, "a")]), embeds[:1]).at(3, 5)) == 0


@pytest.mark.parametrize("view", ["identity", "flip_time", "negate"])
def test_each_window_is_told_what_holds_in_its_middle(view):
    """By a model whose noise is what it was told: the canvas is then the prompt along time."""

    def predict_noise(latent, t, prompt_embeds):
        return prompt_embeds[:, :1, :1, None].expand_as(latent)

    def encode_text(text):
        return torch.full((1, 1, 1), float(text or 0))

    model = gaussian(predict_noise=predict_noise, encode_prompt=encode_text)
    prompt = encode_prompt(model, [(0, "0"), (64, "64")])
    windows = Windows(2, 2, seconds=1.0)
    guide = Guide(model, prompt, 1.0, view=VIEWS[view], windows=windows)
    found = estimate_noise(guide, noise(64), 500)[0, 0, 0].abs()
    np.testing.assert_allclose(found, np.repeat(np.arange(0.5, 64, 2) + 0.5, 2), atol=0.51)


# ---- the pocket pair -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pocket():
    return itskit.load_pair("pocket")


def test_slices_decode_to_what_the_whole_decodes_to(pocket):
    from itskit.models.pocket import LATENT_SHAPE, SLICE, in_slices

    seen = []

    def decode(latent):  # what knows where it is, as the decoder's texture does
        seen.append(latent.shape[-1])
        where = torch.arange(latent.shape[-1] * 8) % (LATENT_SHAPE[2] * 8)
        return where.expand(1, 1, 1, -1).float() + latent[:, :1, :1].repeat_interleave(8, 3)

    latent = 1000 * torch.arange(700).expand(1, 4, 16, 700).float()
    sliced = in_slices(decode)(latent)
    assert torch.equal(sliced, decode(latent)) and max(seen[:-1]) <= SLICE + 2 * LATENT_SHAPE[2]
    latent = itskit.init_latent(pocket, 1, 2688)  # 336 columns: two slices
    halves = [pocket.image.decode(latent[..., part]) for part in (slice(0, 320), slice(192, 336))]
    expected = torch.cat([halves[0][..., :2048], halves[1][..., 512:]], -1)
    torch.testing.assert_close(pocket.image.decode(latent), expected, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_pocket_draws_the_same_squares_and_joins_a_loop(pocket):
    settings = {"num_inference_steps": 4, "seed": 3, "progress": False}
    wide = itskit.compose(pocket, "a castle", None, width=1024, **settings)
    whole = itskit.compose(pocket, "a castle", None, width=1024, window=1024, **settings)
    torch.testing.assert_close(wide.latent, whole.latent, rtol=0, atol=1e-3)
    loop = itskit.compose(pocket, "a castle", "wind blowing", width=640, loop=True, **settings)
    y = loop.sound().samples
    steps = np.abs(np.diff(np.concatenate([y, y[:1]])))
    assert len(y) == 640 * 160 and steps[-1] < steps.max()
    columns = mel_picture(np.tile(y, 3))[:, 640:1280]
    jumps = (columns - columns.roll(1, -1)).abs().mean(0)  # jumps[0] is across the seam
    assert jumps[-2:].mean() + jumps[:2].mean() < 2 * jumps.quantile(0.95)
