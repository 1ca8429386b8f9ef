"""A plan from a table of files, and what its answers say as text: for the command line."""

from __future__ import annotations

import csv
from pathlib import Path

from ..media import read_sound
from .analysis import bootstrap, bradley_terry, d_prime, preferences, shares
from .answers import Answers
from .plan import Clip, Plan, identify, prefer

COLUMNS = ("file", "word", "condition", "item", "training")


def from_table(path, kind: str = "identify", **options) -> Plan:
    """A plan of the sounds in a CSV table.

    Parameters
    ----------
    path : path
        A table with the columns `file` and `word`, and, as far as there is something to say,
        `condition`, `item` and `training` (anything in it makes the sound one to practise on).
        Files are looked for beside the table.
    kind : {"identify", "prefer"}
    **options
        Of `identify` or `prefer`.

    Raises
    ------
    ValueError
        For a table that lacks a column, or has one too many; and for pairs with practice, which
        `prefer` takes as pairs.
    FileNotFoundError
        If there is no such sound.
    """
    with open(path, newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file)
        found, rows = table.fieldnames or [], list(table)
    if not {"file", "word"} <= set(found) <= set(COLUMNS):
        raise ValueError(
            f"{path} has the columns {', '.join(found) or 'none'}: expected file, word, and "
            "perhaps condition, item, training"
        )
    clips: dict[bool, list[Clip]] = {False: [], True: []}
    for row in rows:
        sound = read_sound(Path(path).parent / row["file"])
        told = [(row.get(name) or "").strip() for name in ("word", "condition", "item", "training")]
        clips[bool(told[3])].append(Clip(sound, *told[:3]))
    if kind == "identify":
        return identify(clips[False], training=clips[True], **options)
    if clips[True]:
        raise ValueError(f"{path} has sounds to practise on: expected none in a test of pairs")
    return prefer(clips[False], **options)


def report(answers: Answers) -> str:
    """What the answers say, a line for each condition or pair of them."""
    said = [repr(answers)]
    said += [f"left out: {name} ({why})" for name, why in answers.dropped.items()]
    same, repeated = answers.agreement
    if repeated:
        said.append(f"{same} of {repeated} repeated questions answered alike")
    if not answers.main:
        return "\n".join([*said, "nothing left to analyse"])
    told = _of_words if answers.plan.kind == "identify" else _of_pairs
    return "\n".join([*said, *told(answers)])


def _of_words(answers: Answers) -> list[str]:
    wide, choices = bootstrap(answers.main, shares), len(answers.plan.choices)
    said = [f"right, and for other people and words; chance is {1 / choices:.2f}"]
    for name, share in shares(answers.main).items():
        low, high = wide[name]
        d = d_prime(share.share, choices)
        said.append(f"  {name or 'all':16} {share}, [{low:.2f}, {high:.2f}], d' {d:.1f}")
    return said


def _of_pairs(answers: Answers) -> list[str]:
    said = [f"  {one} over {other}: {s}" for (one, other), s in preferences(answers.main).items()]
    try:
        strengths = bradley_terry(answers.main)
    except ImportError as error:
        return [*said, str(error)]
    wide = bootstrap(answers.main, bradley_terry, draws=200)
    said.append("strengths (Bradley-Terry)")
    for name, strength in strengths.items():
        said.append(f"  {name:16} {strength:5.2f} [{wide[name][0]:.2f}, {wide[name][1]:.2f}]")
    return said
