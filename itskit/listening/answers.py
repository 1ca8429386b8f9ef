"""What listeners answered: a line of JSON for each answer, in a file that is only added to."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property

from .. import answers
from .plan import FIRST, Plan, Sheet

FIELDS = ("seal", "listener", "order", "n", "id", "answer", "seconds", "plays", "time")


@dataclass(frozen=True)
class Answer:
    """One answer, with what the listener did not know.

    Attributes
    ----------
    listener, id : str
        A number or random letters, never a name; and the question's id.
    n : int
        Its place in the listener's order, from 0.
    answer : str
        The word chosen, or "first" or "second".
    word, condition, item : str
        Of the clip; of a pair those of the chosen one.
    right : bool or None
        None where nothing is right or wrong.
    other : str
        The condition of the clip that was not chosen.
    training : bool
    repeats : str or None
        The id of the same question before.
    seconds : float
        From the first playing to the answer.
    """

    listener: str
    id: str
    n: int
    answer: str
    word: str
    condition: str
    item: str
    right: bool | None
    other: str = ""
    training: bool = False
    repeats: str | None = None
    seconds: float = float("nan")


@dataclass(frozen=True, eq=False)
class Answers:
    """All answers to a plan; `main` are those to analyse."""

    plan: Plan
    rows: tuple[Answer, ...] = field(repr=False)

    def __repr__(self) -> str:
        said = f"{len(self.rows)} answers of {len(self.listeners)} listeners"
        return f"Answers({said}, {len(self.dropped)} of them left out)"

    @property
    def listeners(self) -> list[str]:
        return list(dict.fromkeys(row.listener for row in self.rows))

    @cached_property
    def dropped(self) -> dict[str, str]:
        """{listener: why the plan's `discard` leaves them out}"""
        found = {listener: self._why(listener) for listener in self.listeners}
        return {listener: why for listener, why in found.items() if why}

    @property
    def main(self) -> list[Answer]:
        """Without practice, repeats and those who are left out."""
        kept = (row for row in self.rows if row.listener not in self.dropped)
        return [row for row in kept if not row.training and row.repeats is None]

    @property
    def agreement(self) -> tuple[int, int]:
        """How many hidden repeats were answered as the first time, and how many there are, of all
        who are not left out."""
        return _agreement([row for row in self.rows if row.listener not in self.dropped])

    def _why(self, listener: str) -> str:
        rows, rule = [row for row in self.rows if row.listener == listener], self.plan.discard
        practice = [row.right for row in rows if row.training]
        same, repeated = _agreement(rows)
        if rule.complete and len(rows) < len(self.plan):
            return f"answered {len(rows)} of {len(self.plan)}"
        if practice and sum(practice) < rule.training * len(practice):
            return f"{sum(practice)} of {len(practice)} practice items right"
        if repeated and same < rule.repeats * repeated:
            return f"{same} of {repeated} repeats answered alike"
        return ""


def _agreement(rows: Sequence[Answer]) -> tuple[int, int]:
    first = {(row.listener, row.id): row for row in rows}
    both = [(row, first.get((row.listener, row.repeats))) for row in rows if row.repeats]
    same = [_meant(now) == _meant(before) for now, before in both if before]
    return sum(same), len(same)


def _meant(row: Answer) -> str:
    """What an answer chose, whichever side it was on."""
    return row.condition if row.other else row.answer


def line(
    plan: Plan, sheet: Sheet, id: str, answer: str, *, listener, seconds=0.0, plays=0
) -> dict:  # fmt: skip
    """An answer as it stands in a file. Raises ValueError for one that cannot be given."""
    trials = {trial["id"]: (n, trial) for n, trial in enumerate(sheet.trials)}
    n, trial = trials.get(id, (0, {"choices": []}))
    if answer not in trial["choices"]:
        raise ValueError(
            f"question {id!r}, answer {answer!r}: expected one of {trial['choices'] or 'the sheet'}"
        )
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    told = plan.seal, str(listener), sheet.order, n, id, answer
    return dict(zip(FIELDS, (*told, round(float(seconds), 2), int(plays), now), strict=True))


def read(paths, plan: Plan | str) -> Answers:
    """The answers in files, as the widget and the page write them.

    Parameters
    ----------
    paths : path, or a sequence of paths or of lines (dict)
    plan : Plan or str
        The plan, or the text of its envelope.

    Returns
    -------
    Answers
        The first answer to each question counts. Lines of other tests, and damaged ones, are left
        out.

    Raises
    ------
    ValueError
        If there are lines, but none of this test.
    """
    plan = Plan.opened(plan) if isinstance(plan, str) else plan
    several = paths if isinstance(paths, (list, tuple)) else [paths]
    found = [[one] if isinstance(one, dict) else answers.read(one) for one in several]
    lines, seal = [one for each in found for one in each if set(FIELDS) <= set(one)], plan.seal
    ours = [one for one in lines if one["seal"] == seal]
    if lines and not ours:
        raise ValueError(
            f"none of {len(lines)} answers is to this test (seal {seal[:12]}…): expected the plan "
            "or envelope that they were given to"
        )
    sheets, rows = {}, {}
    for told in ours:
        order = str(told["order"])
        if order not in sheets:
            sheets[order] = plan.sheet(order)
        row = _row(plan, sheets[order], told)
        if row:
            rows.setdefault((row.listener, row.id), row)
    return Answers(plan, tuple(rows.values()))


def _row(plan: Plan, sheet: Sheet, told: dict) -> Answer | None:
    places = {trial["id"]: n for n, trial in enumerate(sheet.trials)}
    known = told["id"] in places
    if not known or told["answer"] not in sheet.trials[places[told["id"]]]["choices"]:
        warnings.warn(
            f"{told['id']!r}, {told['answer']!r}: no such question, left out", stacklevel=4
        )
        return None
    trial, repeats = sheet.key[told["id"]]
    clips = [plan.clips[k] for k in trial.clips]
    answer, other = told["answer"], ""
    chosen = clips[0]
    if len(clips) == 2:
        chosen, left = clips if answer == FIRST else clips[::-1]
        other = left.condition
    return Answer(
        str(told["listener"]), told["id"], places[told["id"]], answer, chosen.word,
        chosen.condition, chosen.item, None if trial.right is None else answer == trial.right,
        other, trial.training, repeats, float(told["seconds"]),
    )  # fmt: skip
