"""A suite of prompts in classes, and a table of how a pair gets on with each class.

    suite = itskit.suites.load()                             # the one that ships, or yours
    itskit.suites.select(suite, "natural", "abstract")       # some classes
    itskit.suites.table(pair, suite, "out/suite.jsonl")      # all of it; goes on where it stopped

The classes are the questions that "Images that Sound" (Chen et al. 2024, arXiv 2405.12221) leaves
open: simple shapes and tones, a thing and its own sound, a thing and another's sound, abstract
words, whole scenes, and words that no model knows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import diagnose, metrics
from .composition import composing
from .intervals import share_interval
from .modality import Pair
from .notes import collect_notes
from .progress import tqdm
from .writing import append_line, read_lines

FILE = Path(__file__).with_suffix(".tsv")
OUTCOMES = ("both", "picture only", "sound only", "neither")


class Entry(NamedTuple):
    """One of a suite: its class, and what is to be seen and heard."""

    kind: str
    image: str
    sound: str


def load(path=FILE) -> tuple[Entry, ...]:
    """Read a suite.

    Parameters
    ----------
    path : path
        UTF-8 text of lines "class, tab, picture, tab, sound"; # begins a remark. The toolkit's own
        suite by default: 72 pairs in 6 classes.

    Returns
    -------
    tuple of Entry

    Raises
    ------
    ValueError
        For a line that has other than three parts.
    """
    found = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            parts = [part.strip() for part in line.split("\t")]
            if len(parts) != 3 or not all(parts):
                raise ValueError(
                    f"{path}, line {number}: {line!r}: expected a class, a picture and a sound "
                    "with a tab between"
                )
            found.append(Entry(*parts))
    return tuple(found)


def select(suite: Iterable[Entry], *kinds: str, count: int | None = None) -> tuple[Entry, ...]:
    """Some of a suite: the entries of these classes (without any: of all), at most `count` of each,
    the first. Raises ValueError for a class that is not in it.

    >>> itskit.suites.select(itskit.suites.load(), "natural", count=1)
    (Entry(kind='natural', image='a dog', sound='a dog barking'),)
    """
    suite = [Entry(*entry) for entry in suite]
    known = list(dict.fromkeys(entry.kind for entry in suite))
    if unknown := [kind for kind in kinds if kind not in known]:
        raise ValueError(f"{', '.join(unknown)}: expected some of {', '.join(known)}")
    found = []
    for kind in known:
        if not kinds or kind in kinds:
            found += [entry for entry in suite if entry.kind == kind][:count]
    return tuple(found)


@dataclass(frozen=True)
class Table:
    """What a pair made of a suite; a notebook shows it by class.

    Attributes
    ----------
    rows : tuple of dict
        For each entry "kind", "image", "sound", "seeds"; "scores", {scorer: a number for each
        seed}; "outcomes", one of `OUTCOMES` for each seed; "alike", whether the seeds' results
        hardly differ (None of a single seed); "notes" on words that a model does not know; and
        "made", which tells runs of other settings apart.
    stopped : bool
        Whether Ctrl-C ended it, so that entries are missing.
    """

    rows: tuple[dict, ...]
    stopped: bool = False

    def by_class(self) -> dict[str, dict[str, float]]:
        """Class -> {"n": prompts, outcome: share of the tries, ..., "seeds alike": of the prompts}.

        The share with both has a 95% interval, "both_interval" (low, high): Wilson's, over prompts,
        since another seed is no other prompt; a little too wide where a prompt's tries differ.
        """
        found = {}
        for kind in dict.fromkeys(row["kind"] for row in self.rows):
            rows = [row for row in self.rows if row["kind"] == kind]
            tells = {o: [np.mean([one == o for one in row["outcomes"]]) for row in rows]
                     for o in OUTCOMES}  # fmt: skip
            mine = {"n": len(rows)} | {o: float(np.mean(share)) for o, share in tells.items()}
            mine["both_interval"] = share_interval(sum(tells["both"]), len(rows))
            alike = [row["alike"] for row in rows if row["alike"] is not None]
            mine["seeds alike"] = float(np.mean(alike)) if alike else float("nan")
            found[kind] = mine
        return found

    def __repr__(self) -> str:
        lines = [f"{'':16}{'prompts':>8}" + "".join(f"{name:>14}" for name in _COLUMNS)]
        for kind, cells in self._cells():
            lines.append(f"{kind[:15]:16}" + "".join(
                f"{cell:>{14 if k else 8}}" for k, cell in enumerate(cells)))  # fmt: skip
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in ("class", "prompts", *_COLUMNS))
        body = "".join(
            f"<tr><td>{escape(kind)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
            for kind, cells in self._cells()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _cells(self):
        for kind, mine in self.by_class().items():
            low, high = (100 * end for end in mine["both_interval"])
            shares = (mine[name] for name in _COLUMNS[1:])
            others = ("–" if np.isnan(share) else f"{100 * share:.0f}%" for share in shares)
            both = f"{100 * mine['both']:.0f}% ({low:.0f}–{high:.0f})"
            yield kind, [str(mine["n"]), both, *others]


_COLUMNS = (*OUTCOMES, "seeds alike")


def table(
    pair: Pair,
    suite: Iterable[Entry],
    path=None,
    *,
    seeds: Sequence[int] = (0, 1),
    progress: bool = True,
    **settings,
) -> Table:
    """Compose every entry of a suite, and read off each result what became of it.

    Each result is scored by the pair's own scorers, and searched for the signs of failure of
    `diagnose.failures`. These signs are no proof: look and listen. Nothing is kept but the rows;
    `compose` makes any result again.

    Parameters
    ----------
    pair : Pair
        With scorers.
    suite : iterable of Entry
        Or of (class, picture, sound).
    path : path, optional
        A JSONL file. Each row is appended as soon as it is known; a row that is there already, made
        by the same models, settings and seeds, is not made again. Nothing in the file is changed.
    seeds : sequence of int
        With two or more, it is seen whether they look alike.
    progress : bool
        Whether to show a bar.
    **settings
        Of `compose`.

    Returns
    -------
    Table
        After Ctrl-C, of what was made.

    Raises
    ------
    ValueError
        For an empty suite, or a pair without scorers.
    """
    suite = [Entry(*entry) for entry in suite]
    if not suite or not pair.scorers:
        raise ValueError(
            f"{len(suite)} entries, and scorers {list(pair.scorers)} of the pair {pair.name!r}: "
            "expected one or more of both"
        )
    known, rows, stopped = read(path), [], False
    try:
        for entry in tqdm(suite, unit="prompt", disable=not progress):
            with collect_notes() as said:
                run = composing(pair, entry.image, entry.sound, seeds=seeds, **settings)
            made = _digest(entry, run.recipe)
            if made not in known:
                known[made] = _row(entry, run.finish(), said) | {"made": made}
                if path is not None:
                    append_line(path, known[made])
            rows.append(known[made])
    except KeyboardInterrupt:
        if not rows:
            raise
        stopped = True
    return Table(tuple(rows), stopped)


def read(path) -> dict[str, dict]:
    """The rows in a file of `table` by their "made"; none if there is no file. What is no row, such
    as the last line of a run that was killed, is passed over."""
    rows = [] if path is None else read_lines(path)
    return {row["made"]: row for row in rows if isinstance(row.get("made"), str)}


def _row(entry: Entry, result, notes: list[str]) -> dict:
    items = range(len(result.latent))
    signs = [diagnose.failures(result, item) for item in items]
    scores = metrics.scores(result, scorers=metrics.PAIR_SCORERS)
    return {
        **entry._asdict(),
        "seeds": list(result.recipe["seeds"]),
        "scores": {name: [round(v, 4) for v in values] for name, values in scores.items()},
        "outcomes": [outcome(found) for found in signs],
        "alike": "seeds look alike" in signs[0] if len(signs) > 1 else None,
        "notes": notes,
    }


def outcome(signs: Sequence[str]) -> str:
    """Which of the `OUTCOMES` signs of `diagnose.failures` mean: what is left without a sign."""
    seen, heard = "no picture" not in signs, not {"no sound", "silence"} & set(signs)
    if seen and heard:
        return "both"
    return "picture only" if seen else "sound only" if heard else "neither"


def _digest(entry: Entry, recipe: dict) -> str:
    """Sixteen digits of all that makes a row."""
    text = json.dumps([*entry, recipe], sort_keys=True)
    return sha256(text.encode()).hexdigest()[:16]
