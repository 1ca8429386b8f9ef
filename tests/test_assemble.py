"""The assembly of the training set, on small things made here; no package is fetched."""

import io
import json
import math
import random
import struct
import tarfile
import wave
import zipfile
import zlib

import numpy as np
import pytest
import soundfile
from PIL import Image

from itskit.training import assemble
from itskit.training.__main__ import main
from itskit.training.assemble import (
    artworks,
    checks,
    clips,
    composites,
    containers,
    drawing,
    fetch,
    lexicon,
    midi,
    openclipart,
    pictures,
    sounds,
    synth,
)
from itskit.training.tables import read_rows

RATE = 16000


# ---- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "concept"),
    [
        ("black cat", "cat"),
        ("Kitty", "cat"),
        ("dog on a car", "dog"),
        ("church bell", "bell"),
        ("flower house", "house"),
        ("bird eagle", "eagle"),
        ("eagle bird", "eagle"),
        ("quux", None),
    ],
)
def test_concept_of_a_name(name, concept):
    assert lexicon.concept_of(name) == concept


@pytest.mark.parametrize(
    ("name", "concept", "kind"),
    [
        ("cat", "cat", "exact"),
        ("tabby", "cat", "exact"),
        ("sitting cat 2", "cat", "qualified"),
        ("cat quarrel", "cat", "loose"),
        ("kumquat", "kumquat", "unlisted"),
    ],
)
def test_how_sure_a_match_is(name, concept, kind):
    assert lexicon.match_kind(name, concept) == kind


def test_user_interface_icons_count_only_if_they_show_a_thing():
    shown = [n for n in ("bell", "bell-off", "cloud-rain", "cat-mail", "key") if is_picture(n)]
    assert shown == ["bell", "cloud-rain"]


is_picture = lexicon.is_interface_picture


def test_variants_of_an_icon():
    styles = "*-(rounded|sharp)=- *-outline=line *=glyph"
    assert artworks.variant_of("bell-outline", styles) == ("bell", "line")
    assert artworks.variant_of("bell", styles) == ("bell", "glyph")
    assert artworks.variant_of("bell-sharp", styles)[1] is None
    assert artworks.variant_of("bell-bold", "*-line=line")[1] is None


def clip_art(title="Tabby cat", licence="http://web.resource.org/cc/PublicDomain", keyword="cat"):
    return (
        f'<svg><cc:license rdf:resource="{licence}"/><dc:title>{title}</dc:title>'
        f"<dc:creator><dc:title>Ann Artist</dc:title></dc:creator><rdf:li>{keyword}</rdf:li></svg>"
    )


def test_clip_art_is_read_only_where_it_is_in_the_public_domain():
    entry = openclipart.read_entry("animals/tabby_ann_artist_01.svg", clip_art())
    assert (entry.concept, entry.name, entry.category) == ("cat", "tabby cat", "animal")
    assert (entry.author, entry.keywords) == ("Ann Artist", ["cat"])
    other = clip_art(licence="http://creativecommons.org/licenses/by-nc/2.0/")
    assert openclipart.read_entry("animals/tabby.svg", other) is None


def test_a_title_that_nothing_bears_out_is_not_believed():
    entry = openclipart.read_entry("animals/horse_01.svg", clip_art(title="Fire truck"))
    assert (entry.concept, entry.name) == ("horse", "horse")


# ---- drawings ------------------------------------------------------------------------------------


def svg(body, size=24):
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}">{body}</svg>'


def test_a_disc_fills_its_part_of_the_square():
    pytest.importorskip("resvg_py", reason="SVG is drawn with resvg-py, which is not installed")
    image = drawing.svg_to_image(svg('<circle cx="20" cy="5" r="4" fill="#fff"/>'))
    picture, aspect = drawing.on_square(drawing.tone(image, one_colour=True)[0])
    assert picture.shape == (128, 128) and aspect == pytest.approx(1, abs=0.02)
    disc = math.pi / 4 * (112 / 128) ** 2  # a margin of 1/16 on each side
    assert drawing.measures(picture)["fill"] == pytest.approx(disc, abs=0.015)
    assert drawing.measures(picture)["solid"] is True
    rows = np.nonzero(picture.max(1) > 40)[0]
    assert (rows[0], rows[-1]) == pytest.approx((8, 119), abs=1)


def rgba(grey, alpha):
    grey, alpha = np.broadcast_arrays(np.asarray(grey, np.uint8), np.asarray(alpha, np.uint8))
    return Image.fromarray(np.stack([grey, grey, grey, alpha], -1))


def test_tones():
    ramp, opaque = np.tile(np.arange(64) * 4, (64, 1)), np.full((64, 64), 255)
    grey, way = drawing.tone(rgba(ramp, opaque), one_colour=False)
    assert way == "lum" and (grey.min(), grey.max()) == pytest.approx((0.2, 1.0), abs=0.01)
    assert drawing.tone(rgba(0, opaque), one_colour=False)[1] == "ink"
    flat, way = drawing.tone(rgba(200, opaque), one_colour=False)
    assert way == "flat" and flat.max() == pytest.approx(0.92)
    assert drawing.tone(rgba(200, np.zeros((64, 64))), one_colour=False) == (None, "empty")


def test_a_white_page_is_cut_away_but_not_the_white_inside():
    page = np.full((64, 64), 255)
    page[16:48, 16:48] = 40
    page[28:36, 28:36] = 255  # white, but enclosed
    alpha = np.asarray(drawing.without_white_page(rgba(page, np.full((64, 64), 255))))[..., 3]
    assert alpha[4, 4] == 0 and alpha[20, 20] == 255 and alpha[32, 32] == 255
    photo = rgba(np.random.default_rng(0).integers(0, 255, (64, 64)), np.full((64, 64), 255))
    assert drawing.without_white_page(photo) is photo


def test_nearly_equal_drawings_of_one_concept_are_taken_once():
    disc = np.hypot(*np.mgrid[-64:64, -64:64]) < 50
    ring = disc & (np.hypot(*np.mgrid[-64:64, -64:64]) > 30)
    disc, ring = (x.astype(np.uint8) * 255 for x in (disc, ring))
    nearly = pictures.NearlyEqual()
    seen = [nearly.seen("sun", disc), nearly.seen("sun", disc // 2), nearly.seen("sun", ring)]
    assert seen == [False, True, False]
    assert nearly.seen("ball", disc) is False


# ---- clips ---------------------------------------------------------------------------------------


def tone(seconds, hertz=440, level=0.1):
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype("f")


def test_trim_and_level():
    quiet = np.zeros(RATE, np.float32)
    trimmed = clips.trim(np.concatenate([quiet, tone(1), quiet]))
    assert len(trimmed) == pytest.approx(RATE, abs=1000)
    level = clips.to_level(trimmed)
    middle = level[RATE // 4 : -RATE // 4]
    assert 20 * np.log10(np.sqrt((middle**2).mean())) == pytest.approx(-23, abs=0.2)
    assert abs(level[0]) < 1e-6 and abs(level[-1]) < 1e-6


def test_level_never_clips():
    click = np.zeros(RATE, np.float32)
    click[::1600] = 0.01
    assert np.abs(clips.to_level(click)).max() <= 10 ** (-1 / 20) + 1e-6


def test_a_long_recording_gives_its_five_loudest_windows_in_time():
    levels = [0.1, 0.5, 0.2, 0.01, 0.4, 0.3, 0.45, 0.001]
    starts = [
        start for start, _ in clips.windows(np.concatenate([tone(6, level=v) for v in levels]))
    ]
    assert starts == [6, 12, 24, 30, 36]
    assert [len(part) for _, part in clips.windows(tone(9))] == [9 * RATE]


def test_the_same_recording_is_known_again_in_another_package():
    rng, same = np.random.default_rng(0), clips.SameRecording()
    bark, meow = rng.normal(size=(2, RATE)).astype("f") * np.hanning(RATE)
    assert same.seen("dog_bark", bark) is False
    assert same.seen("dog_bark", np.roll(0.3 * bark, 200)) is True
    assert same.seen("dog_bark", meow) is False


def test_composites_repeat_events_in_their_own_time():
    record = {"class": "footsteps", "caption": "a footstep on wood", "composite": False}
    step = np.hanning(800).astype("f")
    events = [composites.Event(step, f"pack:{k}", record) for k in range(3)]
    made = list(
        composites.repeated_events(random.Random(0), events, "footsteps", record["caption"])
    )
    assert len(made) == 4
    for new, samples in made:
        assert new["composite"] and new["caption"] == "footsteps on wood"
        assert set(new["rec"].split("|")) <= {"pack:0", "pack:1", "pack:2"}
        loud = np.nonzero(np.diff((np.abs(samples) > 0.02).astype(int)) == 1)[0] / RATE
        assert 2.4 <= len(samples) / RATE <= 5
        assert ((np.diff(loud) > 0.42 * 0.8 - 0.02) & (np.diff(loud) < 0.7 * 1.2 + 0.02)).all()


def test_few_of_each_are_spread_over_what_there_is():
    many = [({"class": "rain", "k": k}, None) for k in range(28)] + [({"class": "wind"}, None)]
    kept = sounds.few_of_each(many, most=10)
    assert [r["k"] for r, _ in kept if r["class"] == "rain"] == [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]
    assert kept[-1][0]["class"] == "wind"


def test_captions_of_a_recording_and_of_an_imitation():
    real, made = ({"caption": "a dog barking", "kind": kind} for kind in ("real", "synthetic"))
    assert sounds.captions_of(real) == [
        "a dog barking",
        "dog barking",
        "the sound of a dog barking",
        "a recording of a dog barking",
    ]
    assert sounds.captions_of(made)[-1] == "a sound like a dog barking"


# Facts of the set that the shipped weights were trained on.


@pytest.mark.parametrize(
    ("row", "number", "name", "caption", "seconds"),
    [
        (0, 0, "church_bell", "a large church bell tolling", 4.129),
        (4, 3, "rain", "light rain falling", 2.846),
        (6, 3, "wind", "wind blowing", 3.072),
        (15, 4, "bird_song", "a bird chirping", 2.693),
        (33, 7, "siren", "a siren wailing", 4.264),
        (54, 2, "glass_break", "glass shattering", 2.410),
    ],
)
def test_procedural_clips_are_those_of_the_set(row, number, name, caption, seconds):
    samples, said = synth.clip(row, number)
    cut = clips.trim(clips.to_level(samples))
    assert synth.GENERATORS[row][2] == name and said == caption
    assert len(cut) / RATE == pytest.approx(seconds, abs=0.002)


def test_midi_captions_are_those_of_the_set():
    first, second = midi.slots(100), midi.slots(101)
    assert len(first) == len(second) == 712
    assert first[0].caption == "a grand piano playing a sustained note"
    assert first[1].caption == "a grand piano playing a minor chord"
    assert second[711].caption == "an open triangle played repeatedly"


# ---- MIDI files ----------------------------------------------------------------------------------


def test_midi_file_places_notes_in_their_slots():
    """Read by the MIDI standard: 480 ticks a quarter, 120 quarters a minute."""
    playing = midi.Slot(0, 40, "violin", "", [(1.0, 0.5, 69)], 100)
    file = io.BytesIO()
    midi.midi_file([playing, playing]).save(file=file)
    data = file.getvalue()
    assert data[:14] == b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480)
    assert struct.unpack(">I", data[18:22])[0] == len(data) - 22
    assert note_times(data[22:], 0x90, (69, 100)) == pytest.approx([1.05, 7.05], abs=0.002)
    assert note_times(data[22:], 0x80, (69, 0)) == pytest.approx([1.55, 7.55], abs=0.002)
    assert note_times(data[22:], 0xC0, (40,)) == pytest.approx([0.01, 6.01], abs=0.002)
    assert note_times(data[22:], 0xB0, (120, 0)) == pytest.approx([6.0], abs=0.002)  # sound off


def note_times(track, wanted, values):
    """Seconds of every message of a kind with these values, by walking over the track."""
    ticks, place, status, out = 0, 0, 0, []
    while place < len(track):
        delta = 0
        while True:
            byte = track[place]
            place, delta = place + 1, delta << 7 | byte & 127
            if byte < 128:
                break
        ticks += delta
        if track[place] >= 128:  # else the last status goes on
            status, place = track[place], place + 1
        count = {0xC0: 1, 0xF0: 2}.get(status & 0xF0, 2)
        if status & 0xF0 == wanted and tuple(track[place : place + count]) == values:
            out.append(ticks / 960)
        place += count
    return out


# ---- containers ----------------------------------------------------------------------------------


def test_zip_inside_a_package_is_unpacked_once_and_stays_inside(tmp_path):
    with zipfile.ZipFile(tmp_path / "game.pk3", "w") as archive:
        archive.writestr("sound/bell.ogg", b"ding")
        archive.writestr("readme.txt", b"no sound")
    containers.unpack(tmp_path)
    found = [p.relative_to(tmp_path).as_posix() for p in (tmp_path / "_x").rglob("*.*")]
    assert sorted(found) == ["_x/game.pk3", "_x/game.pk3/sound/bell.ogg"]
    assert (tmp_path / "_x/game.pk3/sound/bell.ogg").read_bytes() == b"ding"
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../../../escaped.ogg", b"x")
    containers.unpack(tmp_path)
    assert not list(tmp_path.parent.rglob("escaped.ogg"))


def test_wad_sound(tmp_path):
    samples = bytes(range(100))
    lump = struct.pack("<HHHH", 3, 11025, len(samples) + 32, 0)
    lump += b"\0" * 16 + samples + b"\0" * 16
    entry = struct.pack("<II8s", 12, len(lump), b"DSBARK\0\0")
    (tmp_path / "a.wad").write_bytes(b"IWAD" + struct.pack("<II", 1, 12 + len(lump)) + lump + entry)
    ((name, data),) = containers.read_wad(tmp_path / "a.wad")
    with wave.open(io.BytesIO(data)) as sound:
        assert (name, sound.getframerate()) == ("DSBARK.wav", 11025)
        assert sound.readframes(100) == samples


def test_qt_resource(tmp_path):
    content = zlib.compress(b"ding")
    names = b"".join(
        struct.pack(">HI", len(n), 0) + n.encode("utf-16-be") for n in ("snd", "bell.ogg")
    )
    data = struct.pack(">I", len(content) + 4) + struct.pack(">I", 4) + content
    nodes = [
        struct.pack(">IHII", 0, 2, 1, 1),  # root: one child, at 1
        struct.pack(">IHII", 0, 2, 1, 2),  # snd: one child, at 2
        struct.pack(">IHHHI", 12, 1, 0, 0, 0),  # bell.ogg: compressed, data at 0
    ]
    head = 20
    places = (head, head + 42, head + 42 + len(data))
    file = b"qres" + struct.pack(">IIII", 1, *places) + b"".join(nodes) + data + names
    (tmp_path / "a.rcc").write_bytes(file)
    assert list(containers.read_rcc(tmp_path / "a.rcc")) == [("/snd/bell.ogg", b"ding")]


# ---- packages ------------------------------------------------------------------------------------


def npm_archive(folder, **files):
    with tarfile.open(folder / "package.tgz", "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))


def test_fetching_unpacks_what_is_wanted_and_does_so_once(tmp_path, monkeypatch):
    commands = []

    def run(command, folder):
        commands.append(command[1:])
        npm_archive(folder, **{"package__icons.json": "{}", "package__index.js": "no"})

    monkeypatch.setattr(fetch, "run", run)
    monkeypatch.setattr(fetch, "tool", lambda name: name)
    package = fetch.parse_package("npm:@scope/icons", "1.2.3")
    for _ in range(2):
        folder = fetch.fetch(package, tmp_path, r"icons\.json$")
    assert commands == [["pack", "--silent", "@scope/icons@1.2.3"]]
    found = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    assert found == ["VERSION", "package/icons.json"]
    assert fetch.version_of(folder) == "1.2.3"


def test_fetching_refuses_paths_that_lead_out(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "tool", lambda name: name)
    monkeypatch.setattr(
        fetch, "run", lambda command, folder: npm_archive(folder, **{"..__..__x.json": "{}"})
    )
    with pytest.raises(ValueError, match="leads out"):
        fetch.fetch(fetch.Package("npm", "bad", "1"), tmp_path / "cache", "json$")


def test_a_missing_program_is_named_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setenv("PATH", "")
    for name in fetch.TOOLS:
        with pytest.raises(FileNotFoundError, match=f"{name!r} is needed and not here: "):
            fetch.tool(name)


def test_a_failing_program_is_quoted(tmp_path):
    with pytest.raises(RuntimeError, match=r"(?s)failed:.*no-such-option"):
        fetch.run(["python3", "--no-such-option"], tmp_path)


def test_tables_agree_with_each_other():
    rules, packages = sounds.read_rules(), read_rows("sound_packages.tsv")
    assert {row[3] for row in packages} == {"P", "SA", "G"}
    named = {sounds.Source(*row).name for row in packages if row[4] == "sounds"}
    assert {rule.package for rule in rules} - {"kajongg", "supercollider-common"} <= named
    classes = sounds.class_keywords().keys()
    assert {rule.name for rule in rules} - {"-"} <= classes
    assert {row[2] for row in synth.GENERATORS} <= classes
    drawn = [artworks.Source(*row) for row in read_rows("pictures.tsv")]
    kept = [source for source in drawn if source.tier in pictures.KEPT_TIERS]
    assert {source.licence for source in kept} <= checks.PICTURE_LICENCES
    assert {source.reader for source in kept} <= artworks.READERS.keys() <= artworks.WANTED.keys()


# ---- a set that is there -------------------------------------------------------------------------


@pytest.fixture
def whole_set(tmp_path):
    root = tmp_path / "set"
    root.mkdir()
    picture = {
        "id": "maki/bell", "source": "npm:maki@1", "licence": "CC0-1.0", "author": "Ann | Bob",
        "concept": "bell", "category": "music",
    }  # fmt: skip
    np.savez(root / "pictures_128.npz", images=np.full((1, 128, 128), 99, np.uint8))
    (root / "pictures.jsonl").write_text(json.dumps(picture) + "\n", encoding="utf-8")
    for part, tier, source in (("train", "P", "free"), ("eval", "G", "copyleft")):
        record = {
            "id": f"rain-{part}", "class": "rain", "source": source, "version": "2", "tier": tier,
            "license": f"licence of {source}", "kind": "real", "caption": "rain",
            "rec": f"{source}:rain.ogg",
        }  # fmt: skip
        sounds.write(root, part, [(record, tone(1.5))])
    return root


def test_a_whole_set_is_found_whole(whole_set):
    assert assemble.check(whole_set) == []
    text = checks.report(whole_set)
    assert "1 pictures of 1 concepts" in text and "sounds_train: 1 clips" in text
    assert text.count("a set of its own") == 6


@pytest.mark.parametrize(
    ("part", "change", "problem"),
    [
        ("pictures", {"licence": "CC-BY-NC-4.0"}, "1 pictures under 'CC-BY-NC-4.0'"),
        ("sounds_train", {"tier": "G"}, "sounds_train holds 1 clips of tier G"),
        ("sounds_train", {"file": "rain/other.ogg"}, "sounds_train.tar lacks rain/other.ogg"),
        ("sounds_train", {"duration": 3.0}, "lasts 1.50 s, its record says 3.0 s"),
        ("sounds_eval", {"rec": "free:rain.ogg"}, "1 recordings both train and measure"),
    ],
)
def test_what_is_wrong_with_a_set_is_said(whole_set, part, change, problem):
    file = whole_set / f"{part}.jsonl"
    record = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(record | change) + "\n", encoding="utf-8")
    assert any(problem in line for line in assemble.check(whole_set))


def test_pictures_without_their_lines_are_noticed(whole_set):
    (whole_set / "pictures.jsonl").write_text("", encoding="utf-8")
    assert "where pictures.jsonl has 0 lines" in assemble.check(whole_set)[0]


def test_a_missing_file_is_named_with_the_way_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"pictures\.jsonl is missing.*--assemble"):
        assemble.check(tmp_path)


def test_attribution_counts_sources_and_licences(whole_set):
    text = assemble.attribution(whole_set)
    assert "| npm:maki@1 | CC0-1.0 | Ann \\| Bob | 1 |" in text
    assert "| free@2 | licence of free | 1 |" in text
    assert text.index("licence of free") < text.index("only measured") < text.index("copyleft@2")


def look_over(root, *more):
    main(["data", "--data", str(root), "--work", str(root.parent / "work"), *more])


def test_the_command_checks_and_says_what_is_wrong(whole_set, capsys):
    look_over(whole_set)
    assert capsys.readouterr().out.endswith("This set is whole.\n")
    (whole_set / "sounds_eval.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"sounds_eval\.tar holds 1 files without a record"):
        look_over(whole_set)


def test_the_command_never_writes_over_a_set(whole_set):
    with pytest.raises(FileExistsError, match="--assemble wants another folder"):
        look_over(whole_set, "--assemble")


def test_the_command_assembles_from_packages_in_the_cache(tmp_path, monkeypatch, capsys):
    """One Debian package with a bell and a twin of it, from file to checked set."""
    folder = tmp_path / "packages/deb/sonic-pi-samples"
    inside = folder / "usr/share/sonic-pi/samples"
    inside.mkdir(parents=True)
    (folder / "VERSION").write_text("3.2.2", encoding="utf-8")
    y = tone(2, 880) * np.exp(-3 * np.arange(2 * RATE) / RATE).astype("f")
    for name in ("perc_bell.flac", "perc_bell2.flac"):
        soundfile.write(inside / name, y, RATE)
    some = ["--assemble", "sounds", "--only", "sonic-pi-samples"]
    look_over(tmp_path / "new", *some, "--cache", str(tmp_path / "packages"))
    (record,) = checks.read_records(tmp_path / "new", "sounds_train.jsonl")
    assert record["rec"] == "sonic-pi-samples:usr/share/sonic-pi/samples/perc_bell.flac"
    assert (record["version"], record["license"], record["tier"]) == ("3.2.2", "CC0-1.0", "P")
    assert record["duration"] == pytest.approx(1.75, abs=0.1)  # 45 dB below its beginning
    assert "This set is whole." in capsys.readouterr().out


def test_unknown_sources_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no sound source is called \['drums'\]"):
        sounds.assemble_sounds(tmp_path, tmp_path, ["drums"])
    with pytest.raises(ValueError, match=r"no picture source is called \['drums'\]"):
        artworks.sources(tmp_path, ["drums"])
