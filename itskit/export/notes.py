"""A result as a score: the bright lines of its mel picture become notes of a MIDI file."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..modality import Axis
from ..trajectory import Trajectory
from ..writing import written
from .names import file_for, stem_of, tag_of
from .recipes import as_text, recipe_of

TICKS = 1000  # a second: 500 a quarter note, at 120 a minute
GAP = 2  # columns: a line that is interrupted for so long goes on


class Note(NamedTuple):
    """A note: what `analytic.piano_roll` takes, and how bright it was.

    number      of MIDI: 69 is 440 Hz, and 1 is a semitone
    start, end  seconds
    grey        of its brightest pixel, in [0, 1]
    """

    number: int
    start: float
    end: float
    grey: float


def notes(
    picture, axis: Axis, *, threshold: float = 0.6, shortest: float = 0.04
) -> list[Note]:  # fmt: skip
    """The notes in a mel picture: in each column the rows that are brighter than `threshold` and
    than their neighbours, and what of it goes on from column to column.

    The pitch of a row is 69 + 12 log2(f / 440). Between rows it is where a parabola through the
    brightest row and its neighbours has its peak: low rows lie further apart than semitones. Below
    C3 (130 Hz) a note may be a semitone off all the same.

    Parameters
    ----------
    picture : array (H, W)
        In [0, 1]; row 0 is the highest frequency.
    axis : Axis
        Such as `pair.sound.axis`.
    threshold : float
        A grey in [0, 1]: what is darker is not played.
    shortest : float
        Seconds: what is shorter is not played.

    Returns
    -------
    list of Note
        In the order of their starts; none if nothing is bright enough.

    Raises
    ------
    ValueError
        If the picture has other rows than the axis.

    Examples
    --------
    >>> itskit.export.notes(result.mel_picture(), pair.sound.axis)[0]
    Note(number=69, start=0.5, end=1.2, grey=0.8)
    """
    picture = np.asarray(picture, dtype=float)
    if picture.ndim != 2 or len(picture) != len(axis.hertz):
        raise ValueError(
            f"the picture has shape {picture.shape}: expected ({len(axis.hertz)}, W), a row for "
            "each of the axis"
        )
    roll = _piano_roll(picture, np.log2(axis.hertz), threshold)  # (128, W)
    found = []
    for number in np.flatnonzero(roll.any(1)):
        for first, last in _runs(roll[number] > 0):
            start, end = first * axis.seconds, last * axis.seconds
            if end - start > shortest - axis.seconds / 2:
                grey = float(roll[number, first:last].max())
                found.append(Note(int(number), round(start, 4), round(end, 4), round(grey, 4)))
    return sorted(found, key=lambda note: (note.start, note.number))


def _piano_roll(picture: np.ndarray, octaves: np.ndarray, threshold: float) -> np.ndarray:
    """(128, W): the grey of the peaks of each column at their numbers, 0 elsewhere."""
    here, edge = picture, np.full((1, picture.shape[1]), -1.0)
    above, below = np.vstack([edge, here[:-1]]), np.vstack([here[1:], edge])
    rows, columns = np.nonzero((here > threshold) & (here >= above) & (here > below))
    one, two, three = (part[rows, columns] for part in (above, here, below))
    inside = (rows > 0) & (rows < len(picture) - 1)
    curve = np.where(inside, one - 2 * two + three, -1.0)  # below 0 at a peak
    off = np.where(inside, 0.5 * (one - three) / curve, 0.0)  # rows, towards the lower pitch
    pitch = np.interp(rows + off, np.arange(len(octaves)), octaves)  # log2 of Hz
    numbers = np.rint(69 + 12 * (pitch - np.log2(440))).astype(int)
    roll = np.zeros((128, picture.shape[1]))
    np.maximum.at(roll, (numbers.clip(0, 127), columns), two)
    return roll


def _runs(on: np.ndarray) -> list[tuple[int, int]]:
    """(first, behind the last) of each stretch of True in (W,), over gaps of up to GAP."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], on.astype(int), [0]])))
    starts, ends = edges[::2], edges[1::2]
    apart = np.flatnonzero(starts[1:] - ends[:-1] > GAP)
    firsts, lasts = starts[np.r_[0, apart + 1]], ends[np.r_[apart, len(ends) - 1]]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def midi(
    trajectory: Trajectory,
    path=None,
    *,
    item: int = 0,
    step: int | None = None,
    threshold: float = 0.6,
    shortest: float = 0.04,
    program: int = 0,
) -> Path:
    """Write the notes of the result, or of a step, as a MIDI file. Needs mido
    (`pip install "itskit[lessons]"`).

    Parameters
    ----------
    trajectory : Trajectory
        Or a `baselines.Canvas`, which has no steps.
    path : path, optional
        A file's name, or a folder, where the file is named after the prompts. Folders are made.
    item : int
        Which of the batch.
    step : int, optional
        None is the result.
    threshold, shortest : float
        Of `notes`: the darkest grey in [0, 1] and the shortest line in seconds that are played. A
        grey becomes the velocity.
    program : int
        The instrument, of General MIDI: 0 is a piano, 14 are tubular bells.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    ImportError
        Without mido.
    ValueError
        If nothing is brighter than `threshold`, or the pair's sounds have no axis.
    """
    try:
        import mido
    except ImportError:
        raise ImportError('a MIDI file needs mido: pip install "itskit[lessons]"') from None
    if not 0 <= program <= 127:
        raise ValueError(f"program={program}: expected a General MIDI instrument, 0 to 127")
    axis, at = trajectory.pair.sound.axis, {} if step is None else {"step": step}
    if axis is None:
        name = trajectory.pair.sound.name
        raise ValueError(f"{name!r} has no axis: expected hertz of rows, to write notes")
    picture = trajectory.mel_picture(item=item, **at)
    found = notes(picture, axis, threshold=threshold, shortest=shortest)
    if not found:
        raise ValueError(
            f"nothing of {shortest} s or more is brighter than threshold={threshold}; the "
            f"brightest pixel is {picture.max():.2f}: expected a lower threshold"
        )
    usual = {"threshold": 0.6, "shortest": 0.04, "program": 0}
    given = {"threshold": threshold, "shortest": shortest, "program": program}
    tag = tag_of(step=step, **{k: v for k, v in given.items() if v != usual[k]})
    path = file_for(path, stem_of(trajectory, item) + tag, ".mid")
    track = mido.MidiTrack(_messages(found, program, as_text(recipe_of(trajectory, item))))
    with written(path) as part:
        mido.MidiFile(type=0, ticks_per_beat=TICKS // 2, tracks=[track]).save(part)
    return path


def _messages(found: list[Note], program: int, recipe: str):
    """The messages of a track: the recipe as a text, the instrument, and each note on and off."""
    import mido

    yield mido.MetaMessage("text", text=recipe)
    yield mido.Message("program_change", program=program)
    events = []  # (ticks, 0 for off: an end comes before a new start, message)
    for note in found:
        velocity = int(np.clip(round(127 * note.grey), 1, 127))
        on = mido.Message("note_on", note=note.number, velocity=velocity)
        off = mido.Message("note_off", note=note.number, velocity=0)
        events += [(round(note.start * TICKS), 1, on), (round(note.end * TICKS), 0, off)]
    now = 0
    for at, _, message in sorted(events, key=lambda event: event[:2]):
        yield message.copy(time=at - now)
        now = at
