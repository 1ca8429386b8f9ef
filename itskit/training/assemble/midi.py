"""General MIDI instruments playing notes, chords, scales and melodies, with captions to match.

Each sound font plays one MIDI file with a slot of six seconds for each clip; the rendering is cut
at the slots. What is played follows from the sound font's number alone.
"""

import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

import soundfile

from ...media import resample
from ..tables import read_rows
from .clips import RATE, at_least_half_a_second, loudness, to_level, trim
from .fetch import run, tool

SLOT = 6.0  # seconds
TICKS = 960  # a second: 480 a quarter note at 120 a minute
DRUMS = 9  # General MIDI's channel for percussion
MAJOR, MINOR, PENTATONIC = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9)
CHORDS = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 12), (0, 3, 7, 12), (0, 4, 7, 10))
CLIPS = {"tubular_bells": 16, "hand_bell": 8}  # of each program; usually 6, of effects 4
SOUND_FONTS = {
    "fluid-soundfont-gm": "FluidR3_GM",
    "musescore-general-soundfont": "MuseScore_General",
}


@dataclass(frozen=True)
class Slot:
    """What one clip plays: notes as (start, duration in seconds, MIDI note)."""

    channel: int
    program: int
    name: str
    caption: str
    notes: list
    velocity: int

    @property
    def recording(self):
        return f"drum{self.notes[0][2]}" if self.channel == DRUMS else f"prog{self.program}"


def slots(seed: int) -> list[Slot]:
    """Everything that a sound font is asked to play."""
    rng, out = random.Random(seed), []
    for program, name, noun, low, high, way in read_rows("general_midi.tsv"):
        if way == "drum":
            out += drum_slots(rng, name, noun, int(low))
            continue
        for _ in range(CLIPS.get(name, 4 if way == "effect" else 6)):
            words, notes = phrase(rng, int(low), int(high), way)
            velocity = rng.randint(60, 118)
            if words.endswith(" note") and rng.random() < 0.3:
                words = words.replace(" note", " sustained note")
            out.append(Slot(0, int(program), name, f"{noun}{words}", notes, velocity))
    return out


def drum_slots(rng, name, noun, key):
    once = f"{noun} hit".replace("hand claps hit", "hand claps")
    once = once.replace("maracas hit", "maracas shaken")
    yield Slot(DRUMS, 0, name, once, [(0, 1, key)], rng.randint(70, 118))
    beat = rng.uniform(0.15, 0.5)
    notes = [(k * beat, beat, key) for k in range(int(3 / beat))]
    yield Slot(DRUMS, 0, name, f"{noun} played repeatedly", notes, rng.randint(70, 118))


def phrase(rng, low: int, high: int, way: str):
    """(how the caption goes on, notes) of one clip."""
    kind = rng.random()
    if way == "effect":
        return "", [(0, rng.uniform(2.5, 4.5), rng.randint(low, high))]
    if way == "bell":
        return " ringing", ringing(rng, low, high, single=kind < 0.4)
    if kind < 0.28:
        note = rng.randint(low, high)
        lasting = rng.uniform(1.5, 3.2) if way in ("plucked", "voice", "pad") else 3
        return f" playing a {register(note, low, high)}note", [(0, lasting, note)]
    if kind < 0.45 and way in ("keys", "pad"):
        root, chord = rng.randint(low, max(low, high - 14)), rng.choice(CHORDS)
        delay = 0.02 if way == "keys" else 0
        notes = [(delay * k, 3, root + step) for k, step in enumerate(chord)]
        return f" playing a {'major' if 4 in chord else 'minor'} chord", notes
    if kind < 0.62:
        return scale(rng, low, high)
    if kind < 0.74:
        note, beat = rng.randint(low, high), rng.uniform(0.15, 0.5)
        notes = [(k * beat, beat * 0.8, note) for k in range(int(3.5 / beat))]
        return f" playing repeated {register(note, low, high)}notes", notes
    return melody(rng, low, high)


def register(note, low, high) -> str:
    third = 0.33 * (high - low)
    if note > low + 0.66 * (high - low):
        return "high "
    return "low " if note < low + third else ""


def ringing(rng, low, high, single):
    if single:
        return [(0, 4, rng.randint(low, high))]
    period = rng.uniform(0.5, 1.3)
    bells = [rng.randint(low, high) for _ in range(rng.choice([1, 2, 3, 4]))]
    return [(k * period, period * 1.5, bells[k % len(bells)]) for k in range(int(4 / period))]


def scale(rng, low, high):
    steps, base = rng.choice([MAJOR, MINOR]), rng.randint(low, max(low, high - 14))
    beat, rising = rng.uniform(0.18, 0.4), rng.random() < 0.5
    notes = [base + 12 * (k // 7) + steps[k % 7] for k in range(8)]
    notes = notes if rising else notes[::-1]
    words = f" playing a {'rising' if rising else 'falling'} scale"
    return words, [(k * beat, beat * 0.95, note) for k, note in enumerate(notes)]


def melody(rng, low, high):
    """A walk over a pentatonic scale."""
    base, place = rng.randint(low, max(low, high - 16)), rng.randint(0, 9)
    slow, t, notes = rng.random() < 0.5, 0, []
    while t < 4.2:
        beat = rng.choice([0.5, 0.75, 1.0] if slow else [0.15, 0.2, 0.3, 0.4])
        note = base + 12 * (place // 5) + PENTATONIC[place % 5]
        notes.append((t, beat * 0.95, min(high, max(low, note))))
        t += beat
        place = max(0, min(10, place + rng.choice([-2, -1, -1, 1, 1, 2])))
    return f" playing a {'slow' if slow else 'fast'} melody", notes


# ---- MIDI file → clips ---------------------------------------------------------------------------


def midi_file(all_slots):
    """A `mido.MidiFile` of one track: at the start of each slot all sound off, then its program and
    its notes."""
    import mido

    events = []  # (ticks, what comes first at the same time, message)
    for index, slot in enumerate(all_slots):

        def add(seconds, order, kind, start=index * SLOT, channel=slot.channel, **values):
            message = mido.Message(kind, channel=channel, **values)
            events.append((int((start + seconds) * TICKS), order, message))

        if index:
            add(0, 0, "control_change", control=120)
        if slot.channel != DRUMS:
            add(0.01, 1, "program_change", program=slot.program)
        for start, duration, note in slot.notes:
            add(0.05 + start, 3, "note_on", note=note, velocity=slot.velocity)
            end = min(SLOT - 0.1, 0.05 + start + duration)
            add(end, 2, "note_off", note=note, velocity=0)
    events.sort(key=lambda event: event[:2])
    track, now = mido.MidiTrack(), 0
    for at, _, message in events:
        track.append(message.copy(time=at - now))
        now = at
    return mido.MidiFile(type=0, ticks_per_beat=TICKS // 2, tracks=[track])


def render(all_slots, sound_font: Path):
    """(slot, samples) of every slot that sounds."""
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder) / "slots.mid", Path(folder) / "slots.wav"
        midi_file(all_slots).save(midi)
        run(
            [tool("fluidsynth"), "-ni", "-q", "-g", "0.6", "-r", "32000",
             "-o", "synth.reverb.active=0", "-o", "synth.chorus.active=0",
             "-O", "s16", "-T", "wav", "-F", str(wav), str(sound_font), str(midi)],
            folder,
        )  # fmt: skip
        everything, rate = soundfile.read(wav, dtype="float32", always_2d=True)
    everything = everything.mean(1)
    for index, slot in enumerate(all_slots):
        start = int(index * SLOT * rate)
        samples = everything[start : int((index * SLOT + SLOT - 0.02) * rate)]
        if len(samples) < rate * 0.1 or abs(samples).max() < 1e-3:
            continue
        samples = trim(resample(samples, rate, RATE))
        if len(samples) >= 0.05 * RATE and loudness(samples).max() > 0:
            yield slot, at_least_half_a_second(to_level(samples[: int(5.2 * RATE)]))
