"""Files are read back with other programs and compared with the run that they came from."""

import json
import re
import subprocess
import threading
import time
import wave
from dataclasses import replace
from html import unescape
from io import BytesIO
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile
import torch
from a_run import NASTY, run
from PIL import Image

from itskit import export, threads, web
from itskit.export import encode, film, names, scrub
from itskit.media import Sound
from itskit.spectrogram import row_frequencies


@pytest.fixture(scope="module")
def trajectory():
    return run(12)


NASTY_RUN = run(3, image_prompt=NASTY, sound_prompt='bell = "one"; two # three \\ four\nfive')


# ---- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A castle, with Towers!", "a-castle-with-towers"),
        ("<script>alert(1)</script>", "script-alert-1-script"),
        ("../../etc/passwd", "etc-passwd"),
        ("Käfer & café", "kafer-cafe"),
    ],
)
def test_safe_names_of_known_texts(text, name):
    assert export.safe_name(text) == name


@pytest.mark.parametrize(
    "text", [NASTY, "🐯🐯", "مرحبا", "x" * 500, "CON", "", " . ", "\x00\ud800"]
)
def test_safe_names_are_safe_anywhere(text):
    name = export.safe_name(text)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert len(name) <= 60
    assert name not in {"con", "nul"}


def test_prompts_without_latin_letters_keep_different_names():
    assert export.safe_name("🐯") != export.safe_name("🐈")


def test_a_file_without_a_name_is_named_after_its_prompts(tmp_path, trajectory):
    path = export.png(trajectory, tmp_path)
    assert re.fullmatch(
        r"a-castle-with-towers--church-bells-ringing--seed7-[0-9a-f]{8}\.png", path.name
    )


LONG = "a castle with towers and a gate and a bridge and "
OTHERS = [
    {"image_weight": 0.3},
    {"image_weight": 0.7},
    {"image_weight": {"per_step": [0.3, 0.7]}},
    {"weights_hash": "another"},
    {"stopped": 3},
    {"init": {"kind": "Picture", "shape": [2], "sha256": "0"}},
    {"image_prompt": "東京 tower"},
    {"image_prompt": "大阪 tower"},
    {"image_prompt": "🦜🌴"},
    {"image_prompt": "🐯"},
    {"image_prompt": LONG + "a moat"},
    {"image_prompt": LONG + "a king"},
    {"image_prompt": "A castle"},
    {"image_prompt": "a castle"},
    {"image_prompt": "a castle!"},
    {"seeds": [8]},
]


def test_names_differ_where_results_differ(trajectory):
    recipes = [trajectory.recipe | {"weights_hash": "one"} | other for other in [{}, *OTHERS]]
    stems = [names.stem_for(recipe) for recipe in recipes]
    assert len({stem.lower() for stem in stems}) == len(recipes)
    assert all(re.fullmatch(r"[a-z0-9]+(--?[a-z0-9]+)*", stem) for stem in stems)
    reread = [json.loads(json.dumps(dict(reversed(recipe.items())))) for recipe in recipes]
    assert [names.stem_for(recipe) for recipe in reread] == stems  # the same again: the same name


def test_a_loop_of_ones_own_is_told_apart_by_its_result(tmp_path):
    runs = [run(2, seed=seed) for seed in (1, 2, 1)]
    loops = [type(made)(made.steps, {}, made.pair) for made in runs]
    other = torch.full_like(loops[1].latent, 0.5)
    steps = (loops[1].steps[0], replace(loops[1].steps[1], latent=other))
    loops[1] = type(loops[1])(steps, {}, loops[1].pair)
    first, second, again = (export.png(made, tmp_path).name for made in loops)
    assert first == again != second


def test_names_differ_where_one_result_is_written_in_several_ways(tmp_path, trajectory):
    from itskit import plots

    short, curves = run(4), [{"label": "cat", "values": [1, 2, 3, 4], "guide": 0}]
    ways = [
        (export.png, {}),
        (export.png, {"step": 0}),
        (export.png, {"step": 1}),
        (export.contact_sheet, {}),
        (export.contact_sheet, {"count": 2}),
        (export.contact_sheet, {"columns": 2}),
        (export.audio, {}),
        (export.audio, {"step": 1}),
        (export.animation, {}),
        (export.animation, {"count": 2}),
        (export.animation, {"fps": 3}),
        (export.page, {}),
        (export.page, {"steps": 2}),
        (export.page, {"keyframes": 1}),
        (export.page, {"scores": curves}),
        (lambda r, to: export.figure(plots.agreement(r), r, to), {}),
        (lambda r, to: export.figure(plots.norms(r), r, to), {}),
    ]
    made = [way(short, tmp_path, **options) for way, options in ways]
    assert len(set(made)) == len(ways) == len(list(tmp_path.iterdir()))
    again = [way(short, tmp_path, **options) for way, options in ways]
    assert again == made and len(list(tmp_path.iterdir())) == len(ways)
    pages = [export.pages.Page(path.read_text(encoding="utf-8")) for path in made[11:14]]
    saved = {page.save(tmp_path / "pages") for page in pages}
    assert len(saved) == 3 and all(path.name.startswith("a-castle-with") for path in saved)


def test_every_exporter_makes_a_folder_of_a_name_without_ending(tmp_path):
    from itskit import plots

    short = run(2)
    folder = tmp_path / "new"
    axes = plots.diagnosis(short)
    makers = {
        ".png": export.png,
        ".wav": export.audio,
        ".gif": export.animation,
        ".mp4": export.video,
        ".html": export.page,
        "--plot.png": lambda *where: export.figure(axes, *where),
        "--steps12.png": export.contact_sheet,
    }
    stem = names.stem_of(short)
    for suffix, maker in makers.items():
        new = folder / suffix.replace(".", "")
        path = maker(short, str(new / "out"))
        assert path.parent == new / "out" and path.stat().st_size > 0
        assert re.sub("(--plot)-[0-9a-f]{8}", r"\1", path.name) == f"{stem}{suffix}"
    named = export.audio(short, str(tmp_path / "other" / "bell.flac"))
    assert named == tmp_path / "other" / "bell.flac" and named.is_file()


# ---- one picture, one sound ----------------------------------------------------------------------


def test_png_holds_the_picture_and_its_recipe(tmp_path, trajectory):
    path = export.png(trajectory, tmp_path / "deep" / "castle.png")
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(trajectory.picture().image))
        assert json.loads(image.text["itskit-recipe"]) == trajectory.recipe
    step = export.png(trajectory, tmp_path / "step.png", step=3)
    with Image.open(step) as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(trajectory.picture(3).image))


def test_wav_plays_in_the_standard_library(tmp_path, trajectory):
    path = export.audio(trajectory, tmp_path / "bell.wav")
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels()) == (16000, 1)
        raw = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
    truth = trajectory.sound().samples
    assert len(raw) == len(truth)
    assert np.corrcoef(raw, truth)[0, 1] > 0.999
    assert np.abs(raw).max() <= 10 ** (-1 / 20) + 1e-3  # -1 dBFS


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".mp3"])
def test_compressed_sounds_are_the_same_sound(tmp_path, trajectory, suffix):
    path = export.audio(trajectory, tmp_path / f"bell{suffix}")
    samples, rate = soundfile.read(path)
    assert rate == 16000
    assert np.corrcoef(samples, trajectory.sound().samples)[0, 1] > 0.99


@pytest.mark.parametrize(
    ("maker", "wrong", "right"),
    [
        (export.png, "castle.jpg", ".png"),
        (export.audio, "bell.aiff", ".wav or .flac or .ogg or .mp3"),
        (export.animation, "castle.mov", ".gif or .webp"),
        (export.contact_sheet, "castle.pdf", ".png"),
        (export.video, "castle.avi", ".mp4"),
        (export.page, "castle.txt", ".html"),
        (lambda what, path: export.pages.Page("").save(path), "castle.txt", ".html"),
    ],
)
def test_other_suffixes_are_refused_with_the_right_ones(tmp_path, trajectory, maker, wrong, right):
    with pytest.raises(ValueError, match=f"{wrong}: expected a name that ends in {right}, or a f"):
        maker(trajectory, tmp_path / "new" / wrong)
    assert not (tmp_path / "new").exists()


def test_folders_with_a_dot_and_files_in_the_way(tmp_path, trajectory):
    path = export.png(trajectory, f"{tmp_path}/v1.2/")
    assert path.parent == tmp_path / "v1.2" and path.suffix == ".png"
    (tmp_path / "out").write_text("a file", encoding="utf-8")
    for way in (tmp_path / "out", tmp_path / "out" / "deep" / "castle.png"):
        with pytest.raises(NotADirectoryError, match="lies under a file: expected a folder"):
            export.png(trajectory, way)
    page = export.pages.Page("<p>").save(tmp_path / "pages")
    assert page.parent == tmp_path / "pages" and page.name.startswith("itskit-")


def test_mp3_has_the_length_of_the_sound_and_a_fifth_of_its_size(trajectory):
    from io import BytesIO

    sound = trajectory.sound()
    data = encode.sound_bytes(sound)
    samples, rate = soundfile.read(BytesIO(data))
    assert (len(samples), rate) == (len(sound.samples), 16000)
    assert np.corrcoef(samples, sound.samples)[0, 1] > 0.98
    assert len(data) < 2 * len(sound.samples) / 4


def test_a_sound_is_encoded_twice_only_if_it_would_clip(trajectory, monkeypatch):
    rng, written, write = np.random.default_rng(0), [], soundfile.write
    monkeypatch.setattr(soundfile, "write", lambda *a, **k: written.append(a) or write(*a, **k))
    tone = np.sin(np.arange(80000) / 8).astype(np.float32)
    first = encode.sound_bytes(Sound(tone, 16000))
    assert len(written) == 1
    clicks = np.zeros(80000, np.float32)
    for k in range(0, 80000, 8000):
        clicks[k : k + 400] = rng.uniform(-1, 1, 400) * np.exp(-np.arange(400) / 80)
    encode.sound_bytes(Sound(clicks, 16000))
    assert len(written) == 3
    assert len(encode.sound_bytes(Sound(tone, 16000), level=0.8)) < len(first)


def test_a_lossy_coder_never_makes_clicks_clip():
    """Bursts limited to -1 dBFS come out of MP3 above full scale, unless they went in quieter."""
    from io import BytesIO

    coding, loudest = {"format": "MP3", "subtype": "MPEG_LAYER_III"}, [0, 0]
    for seed in range(4):
        rng, y = np.random.default_rng(seed), np.zeros(80000, np.float32)
        for k in range(0, len(y), 8000):
            y[k : k + 400] = rng.uniform(-1, 1, 400) * np.exp(-np.arange(400) / 80)
        y *= 0.89 / np.abs(y).max()
        for k, samples in enumerate((y, encode.within_full_scale(y, 16000, **coding))):
            soundfile.write(file := BytesIO(), samples, 16000, **coding)
            file.seek(0)
            loudest[k] = max(loudest[k], np.abs(soundfile.read(file)[0]).max())
    assert loudest[0] > 1 > 0.98 > loudest[1]
    quiet = 0.1 * y
    assert np.array_equal(encode.within_full_scale(quiet, 16000, **coding), quiet)


# ---- several steps -------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_animation_runs_from_noise_to_result(tmp_path, trajectory, suffix):
    path = export.animation(trajectory, tmp_path / f"castle{suffix}", count=6)
    with Image.open(path) as image:
        assert image.n_frames == 6
        image.seek(5)
        last = np.asarray(image.convert("L"), dtype=float)
    assert np.abs(last - np.asarray(trajectory.picture(11).image)).mean() < 6


def test_contact_sheet_holds_every_chosen_step(tmp_path, trajectory):
    path = export.contact_sheet(trajectory, tmp_path / "sheet.png", count=4, columns=2)
    sheet = np.asarray(Image.open(path).convert("L"), dtype=float)
    assert sheet.shape[1] == 2 * 512 + 3 * 20
    first = np.asarray(trajectory.picture(0).image, dtype=float)
    match = [
        y for y in range(20, 120) if np.abs(sheet[y : y + 128, 20 : 20 + 512] - first).mean() < 1
    ]
    assert len(match) == 1


def test_video_shows_the_playhead_where_the_sound_is(tmp_path, trajectory):
    from imageio_ffmpeg import get_ffmpeg_exe

    path = export.video(trajectory, tmp_path / "castle.mp4", fps=10)
    command = [get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-f", "rawvideo"]
    command += ["-pix_fmt", "gray", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    frames = np.frombuffer(raw, np.uint8).reshape(-1, 720, 1280)
    assert len(frames) in (51, 52)
    moving = frames[20].astype(float) - frames[50]
    line = np.argmax(moving[76:84].mean(0))  # just above the picture: nothing else is there
    assert line == pytest.approx(64 + 20 / 51.2 * 1152, abs=4)
    sound = subprocess.run(
        [get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-f", "f32le", "-ar", "16000", "-"],
        capture_output=True,
        check=True,
    ).stdout
    heard = np.frombuffer(sound, np.float32)[: 16000 * 5]
    assert np.corrcoef(heard, trajectory.sound().samples[: len(heard)])[0, 1] > 0.95


def test_a_film_of_a_wide_canvas_turns_pages():
    """Each pixel's grey says how far along the canvas it lies; so it does below the line."""
    ramp = np.linspace(20, 235, 1600).astype(np.uint8)
    wide = Image.fromarray(np.tile(ramp, (100, 1))).convert("RGB")
    heads = [0.01, 0.3, 0.49, 0.51, 0.75, 0.99]
    lines = []
    for head, raw in zip(heads, film._frames(wide, {"guides": []}, heads), strict=True):
        frame = np.frombuffer(raw, np.uint8).reshape(720, 1280, 3)[..., 0]
        at = int(np.argmax(frame[80]))  # just above the picture
        assert frame[79, at] == 255
        lines.append(at)
        assert frame[150, at + 6] == pytest.approx(np.interp(head, [0, 1], [20, 235]), abs=3)
    assert lines[0] == pytest.approx(64 + 0.02 * 1152, abs=2)
    assert lines[3] == lines[0] and lines[2] == lines[5] > 1150


def test_pictures_wider_than_webp_can_be_are_png():
    narrow = Image.open(BytesIO(encode.picture_bytes(Image.new("L", (16383, 2)))))
    wide = Image.open(BytesIO(encode.picture_bytes(Image.new("L", (16384, 2)))))
    assert (narrow.format, wide.format) == ("WEBP", "PNG")


def test_a_failing_film_is_an_error_and_ffmpeg_says_why(tmp_path, trajectory, monkeypatch, capfd):
    monkeypatch.setattr(film, "SIZE", (0, 720))
    monkeypatch.setattr(film, "_still", lambda picture, recipe: (picture, (0, 8, 512, 100)))
    with pytest.raises(
        RuntimeError, match=r"ffmpeg could not write castle\.mp4: its own words are"
    ):
        export.video(trajectory, tmp_path / "castle.mp4")
    assert "size" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_film_of_which_the_end_is_lost_is_an_error(tmp_path, trajectory, monkeypatch):
    """ffmpeg may fail at the very end, and nobody asks it for its exit code."""
    count = imageio_ffmpeg.count_frames_and_secs

    def cut(path):
        with open(path, "r+b") as file:
            file.truncate(Path(path).stat().st_size // 2)
        return count(path)

    monkeypatch.setattr(imageio_ffmpeg, "count_frames_and_secs", cut)
    with pytest.raises(RuntimeError, match=r"ffmpeg could not write castle\.mp4") as caught:
        export.video(trajectory, tmp_path / "castle.mp4")
    assert "of 128 frames arrived" in str(caught.value.__cause__)
    assert not list(tmp_path.iterdir())


def test_a_film_carries_a_recipe_that_is_too_long_for_a_command_line(tmp_path, trajectory):
    recipe = trajectory.recipe | {"image_weight": np.linspace(0, 1, 16 * 64 * 8).tolist()}
    assert len(json.dumps(recipe)) > 2**17  # of one argument, on Linux
    long = type(trajectory)(trajectory.steps, recipe, trajectory.pair)
    path = export.video(long, tmp_path / "castle.mp4", fps=2)
    assert export.read_recipe(path) == recipe


# ---- every artefact carries its recipe -----------------------------------------------------------

WRITERS = {
    "a.png": export.png,
    "a.wav": export.audio,
    "a.flac": export.audio,
    "a.ogg": export.audio,
    "a.mp3": export.audio,
    "a.gif": export.animation,
    "a.webp": export.animation,
    "sheet.png": export.contact_sheet,
    "a.mp4": export.video,
    "a.html": export.page,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_file_gives_its_recipe_back(tmp_path, name):
    path = WRITERS[name](NASTY_RUN, tmp_path / name)
    assert export.read_recipe(path) == NASTY_RUN.recipe


def test_a_plot_carries_the_recipe_of_its_run(tmp_path, trajectory):
    import matplotlib

    matplotlib.use("Agg")
    from itskit import plots

    path = export.figure(plots.diagnosis(trajectory), trajectory, tmp_path)
    assert "--plot-" in path.name
    assert export.read_recipe(path) == trajectory.recipe


def test_a_long_recipe_survives_in_a_sound(tmp_path, trajectory):
    recipe = trajectory.recipe | {"image_weight": np.linspace(0, 1, 16 * 64 * 4).tolist()}
    long = type(trajectory)(trajectory.steps, recipe, trajectory.pair)
    for name in ("a.wav", "a.ogg", "a.flac", "a.mp3", "a.png"):
        assert export.read_recipe(WRITERS[name](long, tmp_path / name)) == recipe


def test_a_file_without_a_recipe_says_so(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "plain.png")
    with pytest.raises(ValueError, match="carries no recipe"):
        export.read_recipe(tmp_path / "plain.png")
    with pytest.raises(ValueError, match="expected one of"):
        export.read_recipe(tmp_path / "plain.txt")


# ---- the page and the scrubber's data ------------------------------------------------------------


def page_data(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text)[1]), text


def test_a_page_tells_how_far_it_is_and_of_how_many(tmp_path, trajectory, capsys):
    export.page(replace(trajectory), tmp_path / "a.html", keyframes=3, progress=True)
    told = capsys.readouterr().err
    total = 12 + 12 + 2 * 3
    assert f"0/{total}" in told and f"{total}/{total}" in told
    assert re.search(rf"\b([1-9]|1\d)/{total}", told)  # and it moves in between


def test_the_result_is_heard_in_full_and_all_else_is_led_by_it(tmp_path, trajectory, monkeypatch):
    """A pair's quick rendering is for what is dragged through; the result is not made by it."""
    asked = []

    def near(picture, like):
        asked.append(like)
        return Sound(np.full(81920, 0.01 * len(asked), np.float32), 16000)

    coded = []
    monkeypatch.setattr(encode, "sound_bytes", lambda sound, level: coded.append(sound) or b"")
    sound = replace(trajectory.pair.sound, render_near=near)
    quick = replace(trajectory, pair=replace(trajectory.pair, sound=sound))
    frames = list(export.page_frames(quick, keyframes=2))
    whole = trajectory.sound(11).samples
    full = [y for y in coded if np.array_equal(y.samples, whole)]
    assert len(full) + len(asked) == len(frames)
    assert len(full) == 1 + torch.equal(trajectory.steps[11].latent, trajectory.steps[11].clean)
    assert all(np.array_equal(like.samples, whole) for like in asked)


def test_what_was_shown_is_not_made_again_for_the_page(tmp_path):
    """And the last canvas, which is the result's and the noise's, is decoded once for all."""
    short, asked = run(4, silent=1), []

    def decode(latent):
        asked.append(latent)
        return short.pair.image.decode(latent)

    sense = {name: replace(getattr(short.pair, name), decode=decode) for name in ("image", "sound")}
    counted = replace(short, pair=replace(short.pair, **sense))
    frames = list(scrub.frames(counted, "clean")) + list(scrub.frames(counted, "noisy"))
    distinct = {step.clean.numpy().tobytes() for step in counted.steps}
    distinct |= {step.latent.numpy().tobytes() for step in counted.steps}
    assert len(asked) == len(distinct) < len(frames) == 8
    data, _ = page_data(export.page(counted, tmp_path / "a.html", keyframes=1))
    assert len(asked) == len(distinct) + 2  # what each model alone believes
    held = [frame for frame in data["frames"] if frame["track"] in ("clean", "noisy")]
    by_place = sorted(held, key=lambda frame: (frame["track"], frame["step"]))
    assert by_place == [
        one.as_text() for one in sorted(frames, key=lambda one: (one.track, one.step))
    ]


def test_frames_are_made_by_as_many_threads_as_there_are_cpus_each_alone(trajectory, monkeypatch):
    """Two threads of torch in each of two threads of Python get into each other's way."""
    seen = []

    def render(picture):
        seen.append((threading.get_ident(), torch.get_num_threads()))
        time.sleep(0.02)
        return trajectory.pair.sound.render(picture)

    sound = replace(trajectory.pair.sound, render=render)
    counted = replace(trajectory, pair=replace(trajectory.pair, sound=sound))
    before = torch.get_num_threads()
    try:
        for cpus, asked in ((1, 2), (3, 3), (3, 2)):  # the user's own number is the most
            torch.set_num_threads(asked)
            monkeypatch.setattr(threads, "cpus", lambda n=cpus: n)
            seen.clear()
            list(scrub.frames(replace(counted)))
            assert len({thread for thread, _ in seen}) == min(cpus, asked)
            assert {count for _, count in seen} == {1}
            assert torch.get_num_threads() == asked
    finally:
        torch.set_num_threads(before)


def test_page_holds_every_step_and_keyframes_of_other_tracks(tmp_path, trajectory):
    data, _ = page_data(export.page(trajectory, tmp_path / "a.html", keyframes=3))
    steps = {}
    for frame in data["frames"]:
        steps.setdefault(frame["track"], []).append(frame["step"])
    assert sorted(steps["clean"]) == list(range(12))
    assert sorted(steps["noisy"]) == list(range(12))
    assert min(steps["guide-0"]) == 5  # silent before
    assert len(steps["guide-1"]) == 3


def test_page_loads_nothing_from_anywhere(tmp_path, trajectory):
    _, text = page_data(export.page(trajectory, tmp_path / "a.html", keyframes=1))
    head = text[: text.index('<script type="application/json"')]
    links = set(re.findall(r"https?://[^\"'\s]+", head + web.script("scrubber.js")))
    # a namespace, and a link to follow: neither is loaded
    assert links <= {"http://www.w3.org/2000/svg", "https://github.com/itskit/itskit"}
    assert "default-src 'none'" in head


def test_prompts_cannot_leave_the_json(tmp_path):
    data, text = page_data(export.page(NASTY_RUN, tmp_path / "a.html", keyframes=1))
    assert data["prompts"][0]["text"] == NASTY
    assert text.count("</script>") == 2
    assert "<script>alert" not in text
    frame = export.iframe(text)
    inner = re.search(r'srcdoc="([^"]*)"', frame)[1]
    assert unescape(inner) == text


def test_axes_say_what_row_and_column_mean(trajectory):
    facts = scrub.facts(trajectory)
    assert facts["size"] == [512, 128]
    assert facts["seconds"] == pytest.approx(5.12)
    assert facts["hertz"] == pytest.approx(row_frequencies().tolist(), abs=0.1)
    assert facts["timesteps"][0] > facts["timesteps"][-1]
    json.dumps(facts, allow_nan=False)


def test_a_foreign_pair_shows_no_hertz_and_the_seconds_of_its_sound(trajectory):
    """Row heights say nothing: 128 rows may be anybody's."""

    def render(picture):
        return Sound(np.zeros(picture.shape[-1] * 50, np.float32), 22050)

    sound = replace(trajectory.pair.sound, axis=None, render=render)
    foreign = replace(trajectory, pair=replace(trajectory.pair, sound=sound))
    facts = scrub.facts(foreign)
    assert facts["hertz"] is None
    assert (facts["seconds"], facts["rate"]) == (512 * 50 / 22050, 22050)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 50])
def test_coarse_to_fine_names_every_step_once_and_the_ends_first(count):
    order = scrub.coarse_to_fine(range(count))
    assert sorted(order) == list(range(count))
    assert order[0] == count - 1
    if count > 8:
        gaps = np.diff(sorted(order[:9]))
        assert gaps.max() <= -(-count // 8) + 1


def test_keyframes_keep_both_ends():
    assert scrub.keyframes(range(50), 6) == [0, 10, 20, 29, 39, 49]
    assert scrub.keyframes([3, 4], 6) == [3, 4]
    assert scrub.keyframes(range(9), 1) == [0]


def test_a_models_belief_is_the_clean_latent_of_its_own_noise(trajectory):
    from itskit.schedule import add_noise

    found = scrub.latents(trajectory, "guide-1")
    step = trajectory.steps[8]
    table = trajectory.pair.image.alpha_bar
    again = add_noise(found[8], step.noises[1], table[step.t])
    assert (again - step.noisy).abs().max() < 1e-4
    with pytest.raises(ValueError, match="clean, noisy, guide-0, guide-1"):
        scrub.latents(trajectory, "dirty")


def test_a_run_saved_without_noises_has_no_beliefs_to_show(tmp_path, trajectory):
    trajectory.save(tmp_path / "run.safetensors", noises=False)
    loaded = type(trajectory).load(tmp_path / "run.safetensors", trajectory.pair)
    assert [track["key"] for track in scrub.tracks(loaded)] == ["clean", "noisy"]
    facts = scrub.facts(loaded)
    assert not any(facts["diagnosis"]["cosine"])
    assert facts["diagnosis"]["shares"][0][8] == pytest.approx(
        trajectory.steps[8].weights[0], abs=1e-3
    )


def test_scores_are_asked_at_a_few_steps_and_joined(trajectory):
    asked = []

    def judge(picture):
        asked.append(picture)
        return len(asked)

    curve = export.score_steps(trajectory, "castle", judge, guide=0, count=4)
    assert len(asked) == 4
    assert curve["values"][0] == 1
    assert curve["values"][-1] == 4
    assert len(curve["values"]) == 12
    assert np.all(np.diff(curve["values"]) > 0)


def test_a_trajectory_without_a_pair_says_what_to_do(trajectory):
    alone = type(trajectory)(trajectory.steps, trajectory.recipe)
    with pytest.raises(ValueError, match=r"pair=itskit\.load_pair"):
        scrub.facts(alone)


def test_seeds_of_a_batch_keep_their_own_recipe(tmp_path, trajectory):
    both = [
        type(step)(
            step.index,
            step.t,
            *(torch.cat([x, -x]) for x in (step.noisy, step.latent, step.clean)),
            step.noises,
            step.weights,
        )
        for step in trajectory.steps
    ]
    batch = type(trajectory)(tuple(both), trajectory.recipe | {"seeds": [7, 8]}, trajectory.pair)
    path = export.png(batch, tmp_path, item=1)
    assert "--seed8-" in path.stem
    assert export.read_recipe(path)["seeds"] == [8]
