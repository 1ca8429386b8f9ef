"""MIDI files against sounds whose notes are known, reliefs against the geometry of solids."""

from collections import Counter
from dataclasses import replace

import mido
import numpy as np
import pytest
import torch
from a_run import NASTY, fake_pair, run
from stl.mesh import Mesh

import itskit
from itskit import analytic, export
from itskit.baselines import Canvas
from itskit.export.relief import closed_surface
from itskit.modality import Axis
from itskit.recipes import prompts
from itskit.sampling import init_latent, sample
from itskit.spectrogram import POCKET_MEL, mel_picture
from itskit.trajectory import Trajectory

AXIS = Axis.of(POCKET_MEL)
# MIDI number, start and end in seconds: an octave of A, a low one, two at once, one twice
TUNE = [(69, 0.2, 0.7), (81, 0.7, 1.1), (57, 1.2, 1.9), (64, 2.1, 2.6), (76, 2.1, 2.9),
        (100, 3.0, 3.3), (100, 3.6, 4.0)]  # fmt: skip


def played(tune, seconds=4.5, rate=16000):
    """A sine for each note: f = 440 * 2**((number - 69) / 12)."""
    y, t = np.zeros(round(seconds * rate)), np.arange(round(seconds * rate)) / rate
    for number, start, end in tune:
        inside = (t >= start) & (t < end)
        fade = np.clip(np.minimum(t - start, end - t) / 0.01, 0, 1)  # s, against clicks
        y += 0.2 * inside * fade * np.sin(2 * np.pi * 440 * 2 ** ((number - 69) / 12) * t)
    return y.astype(np.float32)


def canvas_of(y) -> Canvas:
    recipe = {"pair": "test", "image_prompt": "a bell", "sound_prompt": NASTY, "seeds": [3]}
    return Canvas(mel_picture(y)[None, None], recipe, fake_pair())


def events(path):
    """(note, start, end) in seconds, read by mido's own clock of the whole file."""
    now, sounding, found = 0.0, {}, []
    for message in mido.MidiFile(path):  # `time` is in seconds here
        now += message.time
        if message.type == "note_on" and message.velocity:
            sounding[message.note] = now
        elif message.type in ("note_on", "note_off"):
            found.append((message.note, sounding.pop(message.note), now))
    assert not sounding
    return sorted(found, key=lambda note: note[1:])


def test_a_tune_of_sines_becomes_its_notes(tmp_path):
    path = export.midi(canvas_of(played(TUNE)), tmp_path / "tune.mid")
    found = events(path)
    assert [note for note, *_ in found] == [note for note, *_ in TUNE]
    for (_, start, end), (_, at, until) in zip(found, TUNE, strict=True):
        assert start == pytest.approx(at, abs=0.04) and end == pytest.approx(until, abs=0.04)


@pytest.mark.parametrize("number", range(48, 109, 3))
def test_any_pitch_is_heard_as_its_own(number):
    picture = mel_picture(played([(number, 0.1, 0.9)], 1.0)).numpy()
    found = export.notes(picture, AXIS)
    assert {note.number for note in found if note.end - note.start > 0.3} == {number}


def test_what_is_darker_or_shorter_is_not_played(tmp_path):
    quiet = played(TUNE[:1]) * 10 ** (-60 / 20) + played(TUNE[1:2])
    canvas = canvas_of(quiet)  # 60 dB of 104 are 0.58 of the way from white to black
    assert [n for n, *_ in events(export.midi(canvas, tmp_path / "loud.mid"))] == [81]
    path = export.midi(canvas, tmp_path / "all.mid", threshold=0.35)
    assert {69, 81} <= {n for n, *_ in events(path)}
    path = export.midi(canvas_of(played(TUNE)), tmp_path / "long.mid", shortest=0.6)
    assert [n for n, *_ in events(path)] == [57, 76]
    faint = canvas_of(played(TUNE) / 1000)
    with pytest.raises(ValueError, match=r"brighter than threshold=0\.9.* brightest pixel is 0\."):
        export.midi(faint, tmp_path / "none.mid", threshold=0.9)
    assert not (tmp_path / "none.mid").exists()
    with pytest.raises(ValueError, match=r"shape \(64, 10\): expected \(128, W\)"):
        export.notes(np.zeros((64, 10)), AXIS)


def test_louder_is_struck_harder(tmp_path):
    y = (played([(60, 0.1, 0.5)]) + played([(72, 1.0, 1.5)]) / 8) / 16  # below white
    messages = mido.MidiFile(export.midi(canvas_of(y), tmp_path / "a.mid", program=14)).tracks[0]
    velocity = {m.note: m.velocity for m in messages if m.type == "note_on"}
    assert velocity[60] - velocity[72] == pytest.approx(127 * 20 * np.log10(8) / 104, abs=3)
    assert [m.program for m in messages if m.type == "program_change"] == [14]
    with pytest.raises(ValueError, match="program=200"):
        export.midi(canvas_of(y), program=200)


def test_a_piano_roll_is_read_back(tmp_path):
    """The opposite way through another module: notes painted by a guide, alone, are the notes."""
    pair = itskit.load_pair("pocket")
    voice = analytic.piano_roll(pair, TUNE, firmness=1000.0, partials=1)
    steps = sample([voice], init_latent(pair, 1), solver="dpmpp_2m")
    made = Trajectory(steps, {"seeds": [1]}, pair)
    found = sorted(events(export.midi(made, tmp_path / "roll.mid", shortest=0.2)))
    for (note, start, end), (number, at, until) in zip(found, sorted(TUNE), strict=True):
        assert abs(note - number) <= 1  # rows are as far apart as semitones, or further
        assert start == pytest.approx(at, abs=0.08) and end == pytest.approx(until, abs=0.08)


def test_a_midi_file_carries_its_recipe_and_a_safe_name(tmp_path):
    canvas = canvas_of(played(TUNE))
    path = export.midi(canvas, tmp_path, threshold=0.5)
    assert path.name.startswith("a-bell--script-alert-1-") and "--threshold0.5" in path.name
    assert export.read_recipe(path) == canvas.recipe
    assert prompts(export.read_recipe(path)) == ["a bell", NASTY]
    made = run(4)
    first = export.midi(made, tmp_path, step=0, threshold=0.1)
    assert export.read_recipe(first) == made.recipe and "--step0" in first.name
    mido.MidiFile(type=0, tracks=[mido.MidiTrack()]).save(tmp_path / "other.mid")
    with pytest.raises(ValueError, match=r"other.mid carries no recipe"):
        export.read_recipe(tmp_path / "other.mid")
    (tmp_path / "broken.mid").write_bytes(b"MThd and nothing else")
    with pytest.raises(ValueError, match=r"broken.mid carries no recipe"):
        export.read_recipe(tmp_path / "broken.mid")


def test_without_an_axis_there_are_no_notes(tmp_path):
    pair = fake_pair()
    mute = replace(
        canvas_of(played(TUNE)), pair=replace(pair, sound=replace(pair.sound, axis=None))
    )
    with pytest.raises(ValueError, match="'sound' has no axis"):
        export.midi(mute, tmp_path)


# ---- reliefs -------------------------------------------------------------------------------------


def edges_of(triangles):
    """Directed edge -> how often."""
    corners = [[tuple(corner) for corner in triangle] for triangle in triangles.tolist()]
    return Counter((t[k], t[(k + 1) % 3]) for t in corners for k in range(3))


def volume(triangles):
    """Of a closed surface, by the divergence theorem."""
    a, b, c = triangles.astype(float).swapaxes(0, 1)
    return float((np.cross(a, b) * c).sum() / 6)


def test_the_surface_is_closed_and_its_outside_is_out():
    grey = np.random.default_rng(1).random((7, 11))
    triangles = closed_surface(grey, 50.0, 2.0, 3.0)
    edges = edges_of(triangles)
    assert set(edges.values()) == {1}
    assert all((end, start) in edges for start, end in edges)
    pixel = 50 / 10
    height = 2 + 3 * grey
    a, b, c, d = height[:-1, :-1], height[:-1, 1:], height[1:, :-1], height[1:, 1:]
    # two triangular prisms for each square of four pixels
    prisms = pixel**2 / 2 * ((a + c + d) / 3 + (a + d + b) / 3)
    assert volume(triangles) == pytest.approx(prisms.sum())


def test_a_relief_is_the_picture_in_millimetres(tmp_path):
    whole = run(3)  # of which a part is enough: looking at each triangle takes its time
    last = replace(whole.steps[-1], latent=whole.latent[..., 10:34])
    made = replace(whole, steps=(last,))
    path = export.relief(made, tmp_path, width=100.0)
    solid = Mesh.from_file(str(path))
    assert solid.is_closed(exact=True)
    grey = np.asarray(made.picture().image) / 255
    low, high = solid.vectors.reshape(-1, 3).min(0), solid.vectors.reshape(-1, 3).max(0)
    np.testing.assert_allclose(low, 0, atol=1e-5)
    pixel = 100 / 191
    np.testing.assert_allclose(high, [100, 127 * pixel, 2 + 3 * grey.max()], rtol=1e-5)
    upper = solid.vectors.reshape(-1, 3)
    upper = upper[upper[:, 2] > 1]
    columns = np.rint(upper[:, 0] / pixel).astype(int)
    rows = 127 - np.rint(upper[:, 1] / pixel).astype(int)
    np.testing.assert_allclose(upper[:, 2], 2 + 3 * grey[rows, columns], atol=1e-4)
    assert len(set(zip(rows, columns, strict=True))) == grey.size
    assert volume(solid.vectors) == pytest.approx(float(solid.get_mass_properties()[0]), rel=1e-3)


def test_two_reliefs_of_one_run_are_the_same_file_named_like_the_others(tmp_path):
    made = run(3)
    first = export.relief(made, tmp_path / "a.stl").read_bytes()
    assert first == export.relief(made, tmp_path / "b.stl").read_bytes()
    digits = export.png(made, tmp_path).stem[-8:]
    heading = first[:80].decode("ascii")
    assert digits in heading and heading.startswith("itskit a-castle-with-towers")
    assert export.relief(made, tmp_path, step=0, height=5).name.endswith("--step0--height5.stl")
    canvas = Canvas(torch.rand(1, 1, 128, 128), {"sound_prompt": NASTY}, fake_pair())
    assert export.relief(canvas, tmp_path / "c.stl").stat().st_size > 1e6


@pytest.mark.parametrize("wrong", [{"width": 0}, {"height": -1}, {"base": float("nan")}])
def test_sizes_that_no_printer_knows_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match="expected millimetres above 0"):
        export.relief(run(1), tmp_path, **wrong)
    assert list(tmp_path.iterdir()) == []
