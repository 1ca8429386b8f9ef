"""The one reader of people's files: against what was put into them, sample by sample."""

import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
import toys
from a_run import composing_pair
from PIL import Image, ImageDraw

import itskit
from itskit import media
from itskit.beginning import describe
from itskit.media import Picture, Sound, pictures
from itskit.modality import Axis
from itskit.models import paper, pocket, riffusion
from itskit.spectrogram import PAPER_MEL, POCKET_MEL
from itskit.trajectory import Trajectory

RATE = 44100


def png(image, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format=options.pop("format", "PNG"), **options)
    return file.getvalue()


def pixels(what, **options):
    return np.asarray(media.read_picture(what, **options).image)


def tone(seconds, hz=1000.0, rate=RATE, loud=0.1):
    return Sound(loud * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate), rate)


def bare(kind="image", **changes):
    """The pocket pair's border without its networks: `encode` gives the picture itself."""
    made = toys.gaussian(
        kind, latent_shape=(4, 16, 64), encode=lambda picture: picture, width_multiple=16
    )
    analyse = {"image": pocket.analyse_picture, "sound": pocket.analyse_sound}[kind]
    axis = Axis.of(POCKET_MEL) if kind == "sound" else None
    return replace(made, analyse=analyse, axis=axis, **changes)


# ---- pictures ------------------------------------------------------------------------------------


def ink():
    """A black square of ink in the middle of nothing, and of half-black at its left half's edge."""
    alpha = np.zeros((20, 30), np.uint8)
    alpha[5:15, 10:20] = 255
    alpha[5:15, 9] = 51  # a fifth
    return alpha


def test_ink_on_nothing_lies_on_white_or_on_what_is_chosen():
    alpha = ink()
    drawn = Image.fromarray(np.dstack([np.zeros((20, 30, 3), np.uint8), alpha]))
    for what in (drawn, Picture(drawn), png(drawn), np.asarray(drawn), drawn.convert("LA")):
        np.testing.assert_array_equal(pixels(what)[..., 0], 255 - alpha)
    green = pixels(drawn, background="#008000")
    np.testing.assert_array_equal(green[0, 0], [0, 128, 0])
    np.testing.assert_array_equal(green[10, 15], [0, 0, 0])
    assert pixels(drawn, background=(0, 0, 255))[0, 0].tolist() == [0, 0, 255]
    with pytest.raises(ValueError, match=r"background='whte': expected a colour"):
        media.read_picture(drawn, background="whte")


def test_colours_that_a_palette_or_a_header_calls_transparent():
    plate = Image.fromarray((ink() == 255).astype(np.uint8)).convert("P")
    plate.putpalette([200, 0, 0, 0, 0, 0])
    expected = np.where(ink() == 255, 0, 255)
    for clear in (0, b"\x00\xff"):
        got = pixels(png(plate, transparency=clear))
        np.testing.assert_array_equal(got, np.dstack([expected] * 3))
    assert pixels(png(plate))[0, 0].tolist() == [200, 0, 0]
    grey = Image.fromarray(np.where(ink() == 255, 0, 7).astype(np.uint8))
    np.testing.assert_array_equal(pixels(png(grey, transparency=7))[..., 0], expected)
    deep = Image.fromarray(np.where(ink() == 255, 0, 700).astype(np.uint16))
    np.testing.assert_array_equal(pixels(png(deep, transparency=700))[..., 0], expected)


def test_white_ink_on_white_is_said():
    drawn = Image.merge("LA", [Image.new("L", (30, 20), 255), Image.fromarray(ink())])
    with pytest.warns(UserWarning, match="nothing is to be seen .* on white"):
        media.read_picture(drawn)


# Exif's definition: which side of the scene the stored first row and first column are.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.T,
    6: lambda a: np.rot90(a),
    7: lambda a: a[::-1, ::-1].T,
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", STORED)
def test_pictures_stand_upright(orientation):
    scene = np.arange(6 * 4, dtype=np.uint8).reshape(4, 6) * 10
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](scene)))
    file = png(stored, exif=exif)
    np.testing.assert_array_equal(pixels(file)[..., 0], scene)
    np.testing.assert_array_equal(pixels(Image.open(io.BytesIO(file))), scene)
    np.testing.assert_array_equal(pixels(Picture(Image.open(io.BytesIO(file)))), scene)


def test_sixteen_bits_are_scaled_to_eight():
    deep = np.linspace(0, 65535, 20 * 30).reshape(20, 30).astype(np.uint16)
    expected = np.round(deep / 65535 * 255)
    image = Image.fromarray(deep)
    files = [
        png(image),
        png(image, format="TIFF"),
        png(Image.fromarray(deep.astype(">u2")), format="TIFF"),
    ]
    for what in (deep, image, torch.from_numpy(deep), *files):
        got = pixels(what)
        np.testing.assert_array_equal(got[..., 0] if got.ndim == 3 else got, expected)


@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy, np.ndarray.tolist])
def test_arrays_of_shares_are_pictures(make):
    shares = np.linspace(0, 1, 20 * 30).reshape(20, 30)
    np.testing.assert_array_equal(pixels(make(shares)), np.round(shares * 255))


def test_arrays_of_any_layout():
    colour = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    for what in (
        colour,
        colour.transpose(2, 0, 1),
        torch.from_numpy(colour).permute(2, 0, 1)[None],
    ):
        np.testing.assert_array_equal(pixels(what), colour)
    np.testing.assert_array_equal(pixels(colour[..., :1]), colour[..., 0])
    np.testing.assert_array_equal(pixels(colour[..., 0] > 99), (colour[..., 0] > 99) * 255)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.linspace(0, 255, 600).reshape(20, 30), r"float64 with values from 0 to 255: expected"),
        (np.linspace(0, 1.01, 600).reshape(20, 30), r"values from 0 to 1.01: expected floats in"),
        (np.linspace(-1, 1, 600).reshape(20, 30), r"values from -1 to 1"),
        (np.full((20, 30), np.nan), r"values from nan"),
        (np.full((20, 30), 200), r"int64 with values from 200 to 200"),
        (np.full((20, 30), 200, np.int32), r"int32 with values"),
        (np.zeros((20, 30, 7)), r"shape \(20, 30, 7\): expected a picture"),
        (np.zeros((5, 3, 20, 30)), r"shape \(5, 3, 20, 30\): expected a picture"),
        (np.zeros(900, np.float32), r"shape \(900,\): .*\(n,\) is a recording"),
    ],
)
def test_pictures_of_an_unknown_scale_are_refused(array, said):
    with pytest.raises(ValueError, match=said):
        media.read_picture(array)
    if array.ndim == 2:  # the same in a file that can hold it
        with pytest.raises(ValueError, match="values from"):
            file = Image.fromarray(
                array.astype(np.float32 if array.dtype.kind == "f" else np.int32)
            )
            media.read(png(file, format="TIFF"))


def disc(size=200, ground=0, light=255):
    image = Image.new("L", (size, size), ground)
    ImageDraw.Draw(image).ellipse([20, 20, size - 20, size - 20], fill=light)
    return image


def extent(lit):
    """Columns and rows of the box around what is lit."""
    return [int(np.ptp(np.nonzero(lit.any(axis))[0])) + 1 for axis in (0, 1)]


@pytest.mark.parametrize(("ground", "light"), [(0, 255), (255, 0), (90, 255)])
def test_a_disc_stays_round_and_its_ground_goes_on(ground, light):
    picture = itskit.encode(bare(), disc(ground=ground, light=light), width=512)[0, 0]
    assert picture.shape == (128, 512)
    lit = (picture - ground / 255).abs() > 0.3
    across, down = extent(lit.numpy())
    assert abs(across - down) <= 1 and abs(down - 160 * 128 / 200) <= 2
    assert torch.allclose(picture[:, :190], torch.tensor(ground / 255), atol=1e-6)
    assert torch.allclose(picture[:, -190:], torch.tensor(ground / 255), atol=1e-6)
    without = itskit.encode(bare(), disc(ground=ground, light=light))[0, 0]
    assert torch.equal(without, picture[:, 192:320])


def test_other_ways_to_fit_can_be_chosen():
    wide = itskit.encode(bare(), disc(), width=512, fit="stretch")[0, 0]
    across, down = extent(wide.numpy() > 0.5)
    assert abs(across / down - 4) < 0.1
    full = itskit.encode(bare(), disc(), width=512, fit="crop")[0, 0].numpy()
    expected = np.asarray(disc().crop((0, 75, 200, 125)).resize((512, 128), Image.LANCZOS)) / 255
    assert np.abs(full - expected).mean() < 0.01
    with pytest.raises(ValueError, match="fit='squeeze': expected one of 'pad', 'crop', 'stretch'"):
        itskit.encode(bare(), disc(), width=512, fit="squeeze")


def test_no_picture_is_made_smaller_than_its_canvas():
    stripes = np.tile(np.repeat([0, 255], 4), (512, 64)).astype(np.uint8)  # (512, 512)
    got = itskit.encode(bare(), stripes, width=512, fit="stretch")[0, 0].numpy()
    np.testing.assert_allclose(got, stripes[:128] / 255, atol=0.01)


def test_a_picture_of_the_canvas_stays_itself():
    grey = np.random.default_rng(0).integers(0, 256, (128, 512), dtype=np.uint8)
    for what in (
        grey,
        Image.fromarray(grey),
        Picture(Image.fromarray(grey)),
        png(Image.fromarray(grey)),
    ):
        for fit in pictures.FITS:
            got = itskit.encode(bare(), what, width=512, fit=fit)
            assert torch.equal(got, torch.from_numpy(grey.astype(np.float32) / 255)[None, None])
    assert media.fit_picture(picture := Picture(Image.fromarray(grey)), (512, 128)) is picture


def test_proportions_near_a_square_are_kept_without_a_width():
    got = itskit.encode(bare(), Image.new("L", (150, 128), 255))[0, 0]
    assert got.shape == (128, 128)
    bars = Image.new("L", (300, 100))
    bars.paste(255, (100, 0, 200, 100))  # a white square between black ones
    across, down = extent(pocket.analyse_picture(bars)[0, 0].numpy() > 0.5)
    assert down in (across - 1, across, across + 1)


# ---- recordings ----------------------------------------------------------------------------------


def wav(sound, format="WAV", **options) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound.samples, sound.rate, format=format, **options)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_a_picture_without_pixels_is_refused(mode):
    with pytest.raises(ValueError, match="0 x 3 pixels"):
        media.read(Image.new(mode, (0, 3)))


@pytest.mark.parametrize("analyse", [
    pocket.analyse_sound,
    lambda what: paper.analyse_sound(what, PAPER_MEL),
    lambda what: 1 - riffusion.analyse(what),
], ids=["pocket", "paper", "riffusion"])  # fmt: skip
def test_nothing_is_lost_at_the_end(analyse):
    for seconds in (0.3, 1.5, 1.9, 2.2, 7.0):
        heard = analyse(tone(seconds))[0, 0].amax(0)  # (W,), a column for 10 ms
        lit = torch.nonzero(heard > 0.7)[:, 0]
        assert abs(int(lit.max()) - 100 * seconds) < 6, seconds
        assert len(heard) - 100 * seconds < 128, "no more silence than the next canvas needs"


def test_as_much_is_kept_as_the_canvas_is_wide():
    sound = bare("sound")
    for width in (512, 1024, 2048):
        heard = itskit.encode(sound, tone(12.0), width=width)[0, 0].amax(0)
        assert heard.shape == (width,)
        lit = heard > 0.5
        assert lit[: min(width, 1195)].all() and not lit[1210:].any()


def test_the_level_is_that_of_the_part_that_is_used():
    quiet, loud = tone(6.0, loud=0.003), tone(60.0, loud=0.9)
    whole = Sound(np.concatenate([quiet.samples, loud.samples]), RATE)
    sound = bare("sound")
    got = itskit.encode(sound, whole, width=512)
    expected = itskit.encode(sound, Sound(quiet.samples[: round(5.12 * RATE)], RATE), width=512)
    torch.testing.assert_close(got, expected)
    assert got[0, 0].amax() > 0.8


def test_a_constant_is_no_level():
    sound, offset = tone(5.12), 0.4
    moved = Sound(sound.samples + offset, RATE)
    short = Sound(moved.samples[:RATE], RATE)
    for analyse in (pocket.analyse_sound, lambda what: paper.analyse_sound(what, PAPER_MEL)):
        torch.testing.assert_close(analyse(moved), analyse(sound), atol=0.02, rtol=0)
    got = itskit.encode(bare("sound"), short, width=512)[0, 0]
    assert got[:, 110:].amax() == 0, "where the recording ends there is no step"


def test_pauses_are_no_part_of_the_level():
    tones = tone(2.0)
    with_pause = Sound(np.pad(tones.samples, (0, 3 * RATE)), RATE)
    beside = slice(20, 180)  # away from the ends
    one, other = pocket.analyse_sound(tones), pocket.analyse_sound(with_pause)
    torch.testing.assert_close(one[..., beside], other[..., beside], atol=1e-3, rtol=0)


def test_quiet_is_raised_and_silence_is_not():
    rng = np.random.default_rng(0)
    dither = Sound(rng.integers(-1, 2, 16000 * 5) / 32768, 16000)
    assert pocket.analyse_sound(dither).max() < 0.25  # as faint as it is, 80 dB below white
    assert (1 - riffusion.analyse(dither)).mean() < 0.2  # of noise that is heard: more than half
    loud = Sound(rng.normal(size=16000 * 5) * 0.05, 16000)
    assert (1 - riffusion.analyse(loud)).mean() > 0.5
    for quieter in (1 / 8, 1 / 15):  # -44 and -49.5 dBFS
        faint = Sound(loud.samples * quieter, 16000)
        torch.testing.assert_close(pocket.analyse_sound(faint), pocket.analyse_sound(loud))
    low, lower = (Sound(loud.samples * 10 ** (-db / 20), 16000) for db in (34, 40))
    fall = pocket.analyse_sound(low) - pocket.analyse_sound(lower)  # -60 and -66 dBFS
    assert fall.max() == pytest.approx(6 / pocket.POCKET_MEL.decibels, abs=1e-3)
    with pytest.warns(UserWarning, match="the recording is silent from 0 s on"):
        itskit.encode(bare("sound"), dither, width=512)


def test_seconds_can_be_chosen():
    parts = [tone(1.0, hz) for hz in (500, 1000, 2000, 4000)]
    song = Sound(np.concatenate([part.samples for part in parts]), RATE)
    third = itskit.encode(bare("sound"), song, width=256, start=2.0, duration=1.0)
    torch.testing.assert_close(third, itskit.encode(bare("sound"), parts[2], width=256))
    rest = media.read_sound(wav(song), start=1.5)
    assert rest.duration == 2.5
    for wrong in ({"start": 4.0}, {"start": -1.0}, {"duration": 0.0}, {"start": float("nan")}):
        with pytest.raises(ValueError, match=r"a recording of 4.00 s, 0 <= start < 4.00"):
            media.read_sound(song, **wrong)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_another_rate_is_the_same_sound(rate):
    t = np.arange(16000 * 2) / 16000
    for hz in (100, 1000, 0.9 * min(rate, 16000) / 2):
        got = media.resample(tone(2.0, hz, rate).samples, rate, 16000)
        assert got.shape == t.shape and got.dtype == np.float32
        inner = slice(800, -800)
        np.testing.assert_allclose(got[inner], 0.1 * np.sin(2 * np.pi * hz * t)[inner], atol=2e-4)
    if rate > 16000:  # what 16 kHz cannot hold does not come back as something else
        above = media.resample(tone(2.0, 8400, rate).samples, rate, 16000)
        assert np.abs(above[800:-800]).max() < 1e-5


# ---- whatever people hand in ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["photo.jfif", "photo.wav", "photo", "photo.txt"])
def test_a_picture_is_told_by_its_content(tmp_path, name):
    (tmp_path / name).write_bytes(png(Image.new("RGB", (30, 20), (200, 0, 0)), format="JPEG"))
    for path in (tmp_path / name, str(tmp_path / name)):
        found = media.read(path)
        assert isinstance(found, Picture) and found.image.size == (30, 20)


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
@pytest.mark.parametrize("name", ["noise.png", "noise"])
def test_a_recording_is_told_by_its_content(tmp_path, name, format):
    (tmp_path / name).write_bytes(wav(tone(0.5), format=format))
    found = media.read(tmp_path / name)
    assert isinstance(found, Sound) and found.rate == RATE
    assert found.duration == pytest.approx(0.5, abs=0.06)
    assert np.abs(found.samples).max() == pytest.approx(0.1, abs=0.02)


def test_recordings_in_memory():
    y = tone(0.5).samples
    stereo = np.stack([y, np.zeros_like(y)], 1)
    coarse = (stereo * 32768).round().astype(np.int16)
    for what in (
        (stereo, RATE),
        (stereo.T, RATE),
        (RATE, stereo),
        (torch.from_numpy(stereo), RATE),
        (coarse, RATE),
    ):
        found = media.read(what)
        assert isinstance(found, Sound) and found.rate == RATE
        np.testing.assert_allclose(found.samples, y / 2, atol=2e-5)
    assert media.read(y, sr=16000).rate == 16000
    np.testing.assert_array_equal(media.read_sound(stereo, sr=8000).samples, y / 2)
    np.testing.assert_array_equal(media.read(y), y)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ((np.zeros(99), 0), "rate 0: expected a whole number of Hz"),
        ((np.zeros(99), "fast"), "rate 'fast': expected"),
        ((np.zeros((99, 98)), 16000), r"shape \(99, 98\): expected a recording"),
        ((np.zeros(99, np.int64), 16000), "type int64: expected floats, int16"),
        ((np.full(99, np.nan), 16000), "expected .*finite"),
        (np.zeros(99), "99 samples without a rate: expected"),
        (Image.new("L", (3, 3)), "this Image is a picture: expected a recording"),
        (None, "given a NoneType: expected a picture or a recording, as the path"),
        (b"la la la", r"upload is no file .*expected a picture \(PNG.*recording \(WAV"),
        (b"", "upload is no file"),
    ],
)
def test_what_is_no_recording_is_refused(what, said):
    with pytest.raises(ValueError, match=said):
        media.read_sound(what)


def test_damaged_and_missing_files_are_named(tmp_path):
    whole = png(Image.effect_noise((200, 200), 50))
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"half\.png cannot be read as a picture: .*truncated"):
        media.read(tmp_path / "half.png")
    (tmp_path / "none.wav").write_bytes(wav(Sound([0.0], RATE))[:44])
    with pytest.raises(ValueError, match=r"none\.wav: .*n > 0"):
        media.read(tmp_path / "none.wav")
    with pytest.raises(FileNotFoundError, match=r"gone\.png: no such file"):
        media.read(str(tmp_path / "gone.png"))
    with pytest.raises(IsADirectoryError, match="is a folder"):
        media.read(tmp_path)


def test_uploads_of_both_ipywidgets_are_read():
    file = png(Image.new("L", (30, 20), 7))
    newer = ({"name": "a.png", "type": "image/png", "size": 1, "content": memoryview(file)},)
    older = {"a.png": {"metadata": {"name": "a.png"}, "content": file}}
    for what in (newer, older, file, bytearray(file), io.BytesIO(file)):
        assert (pixels(what) == 7).all()


def run_of_two_steps():
    return itskit.compose(composing_pair(), "a", "b", num_inference_steps=2, progress=False)


def test_a_run_is_read_on_either_side():
    run = run_of_two_steps()
    assert itskit.encode(run.pair.image, run) is run.latent
    np.testing.assert_array_equal(pixels(run), np.asarray(run.picture().image))
    np.testing.assert_array_equal(media.read_sound(run).samples, run.sound().samples)


def test_each_side_refuses_what_is_the_others():
    with pytest.raises(ValueError, match="this Sound is a recording: expected a picture"):
        itskit.encode(bare("image"), tone(1.0), width=512)
    with pytest.raises(ValueError, match="this Picture is a picture: expected a recording"):
        itskit.encode(bare("sound"), Image.new("L", (512, 128)), width=512)
    with pytest.raises(ValueError, match="width=200: expected a multiple of 128"):
        itskit.encode(bare(), disc(), width=200)


def test_an_array_given_to_the_sound_side_is_a_recording():
    sound, y = bare("sound"), tone(2.0, rate=16000).samples
    expected = itskit.encode(sound, Sound(y, 16000), width=512)
    for what in (
        y,
        y.tolist(),
        torch.from_numpy(y),
        np.stack([y, y]),
        np.stack([y, y], 1),
        (y, 16000),
    ):
        assert torch.equal(itskit.encode(sound, what, width=512), expected)
    strange = replace(sound, axis=None)  # of somebody's own, whose rate nobody knows
    assert itskit.encode(strange, y, width=512).shape == (1, 1, 128, 512)


def test_the_first_recording_needs_no_slow_import(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(tone(1.0)))
    code = (
        "import sys\nfrom itskit.models import pocket\n"
        f"assert pocket.analyse_sound({str(tmp_path / 'a.wav')!r}).shape == (1, 1, 128, 128)\n"
        "assert not {'librosa', 'numba', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- compose -------------------------------------------------------------------------------------


FAST = {"num_inference_steps": 2, "progress": False}


def sounding_pair():
    """The toys with a border of sounds that reads any recording, 100 samples for a column."""
    pair = toys.pair(weights_hash="0123")
    axis = Axis(tuple(float(k) for k in range(64, 0, -1)), 0.01, 10000)

    def analyse(what):
        y = media.samples_at(what, 10000)
        columns = torch.from_numpy(y).unflatten(0, (-1, 100)).square().mean(1)
        return columns.expand(1, 1, 64, -1)

    return replace(pair, sound=replace(pair.sound, axis=axis, analyse=analyse))


def test_a_file_begins_as_what_is_in_it_does(tmp_path):
    pair = sounding_pair()
    (tmp_path / "p").write_bytes(png(disc().convert("RGB")))
    (tmp_path / "s").write_bytes(wav(tone(3.0, rate=10000), subtype="FLOAT"))
    for name in "ps":
        path = tmp_path / name
        forms = [path, str(path), path.read_bytes(), media.read(path)]
        made = [itskit.compose(pair, "a", "b", init=what, **FAST) for what in forms]
        assert all(torch.equal(made[0].latent, one.latent) for one in made)
        assert all(made[0].recipe == one.recipe for one in made)
        again = itskit.recompose(pair, made[0].recipe, init=path, progress=False)
        assert torch.equal(made[0].latent, again.latent) and again.recipe == made[0].recipe
    assert made[0].recipe["init"]["kind"] == "Sound"
    path.write_bytes(wav(tone(3.0, 900, rate=10000)))
    other = itskit.compose(pair, "a", "b", init=path, **FAST)
    assert other.recipe["init"]["sha256"] != made[0].recipe["init"]["sha256"]


def test_choices_about_the_beginning_are_kept_in_the_recipe():
    pair = sounding_pair()
    chosen = {"init_fit": "crop", "init_background": [9, 9, 9]}
    made = itskit.compose(pair, "a", "b", init=disc(), **chosen, **FAST)
    assert chosen.items() <= made.recipe.items()
    song = Sound(np.concatenate([tone(1.0, rate=10000).samples, np.zeros(9000, np.float32)]), 10000)
    late = itskit.compose(pair, "a", "b", init=song, init_start=0.5, init_duration=0.2, **FAST)
    part = Sound(song.samples[5000:7000], 10000)
    same = itskit.compose(pair, "a", "b", init=part, **FAST)
    assert torch.equal(late.latent, same.latent)
    again = itskit.recompose(pair, late.recipe, init=song, progress=False)
    assert torch.equal(late.latent, again.latent)


def test_older_recipes_stretch_as_they_did():
    pair = sounding_pair()
    made = itskit.compose(pair, "a", "b", init=disc(), init_fit="stretch", **FAST)
    older = {k: v for k, v in made.recipe.items() if not k.startswith("init_")}
    again = itskit.recompose(pair, older, init=disc(), progress=False)
    assert torch.equal(made.latent, again.latent)


def test_a_run_goes_on_from_its_latent():
    pair = sounding_pair()
    first = itskit.compose(pair, "a", "b", **FAST)
    second, same = (itskit.compose(pair, "a", "b", init=i, **FAST) for i in (first, first.latent))
    assert torch.equal(second.latent, same.latent)
    assert second.recipe["init"]["kind"] == "Trajectory"
    assert second.recipe["init"]["sha256"] == same.recipe["init"]["sha256"]
    alien = Trajectory(first.steps, {**first.recipe, "weights_hash": "beef"}, pair)
    with pytest.raises(ValueError, match=r"weights beef, this pair has 0123.*run\.picture\(\)"):
        itskit.compose(pair, "a", "b", init=alien, **FAST)


def test_bare_samples_begin_on_the_sound_side():
    pair, sound = sounding_pair(), tone(1.28, rate=10000)
    for what in (sound.samples, np.stack([sound.samples] * 2, 1), (sound.samples, 10000)):
        made = itskit.compose(pair, "a", "b", init=what, **FAST)
        assert torch.equal(made.latent, itskit.compose(pair, "a", "b", init=sound, **FAST).latent)


def test_a_beginning_is_described_alike_however_it_is_handed_in(tmp_path):
    grey, pair = np.asarray(disc()), sounding_pair()
    y = tone(1.28, rate=10000).samples
    (tmp_path / "s.wav").write_bytes(wav(Sound(y, 10000), subtype="FLOAT"))
    for forms in ([grey, disc(), Picture(disc()), grey / 255], [y, (y, 10000), tmp_path / "s.wav"]):
        made = [itskit.compose(pair, "a", "b", init=what, **FAST).recipe["init"] for what in forms]
        assert all(made[0] == one == describe(what) for one, what in zip(made, forms, strict=True))


@pytest.mark.parametrize("rate", [None, "16000", 0, 1.5, float("nan")])
def test_a_rate_that_is_no_number_of_hertz_is_refused(rate):
    with pytest.raises(ValueError, match=r"has rate .*: expected a whole number of Hz"):
        media.read([rate, [0.0, 0.1]])
