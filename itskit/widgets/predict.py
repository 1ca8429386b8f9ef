"""A question that is answered before a run, and judged by the run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from html import escape
from io import BytesIO
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from PIL import Image, ImageDraw

from .. import answers, web
from ..media import read_picture
from .kept import Kept, figure
from .weights import TONES, _png

KINDS = ("choices", "number", "step", "point", "region")


@dataclass(frozen=True)
class Outcome:
    """What a run says to a question, beside the answer that was given; a notebook shows it.

    `answer` and `truth` are None where nobody answered and where the run does not say; `verdict` is
    None in both cases.
    """

    question: str
    kind: answers.Choice | answers.Number | answers.Step | answers.Point | answers.Region
    answer: object
    truth: object
    verdict: answers.Verdict | None

    @property
    def words(self) -> tuple[str, str, str]:
        """What was answered, what the run says, and how the one lies to the other."""
        tell = self.kind.tell
        said = "Nobody answered." if self.answer is None else f"You said: {tell(self.answer)}."
        ran = (
            "The run does not say." if self.truth is None else f"The run says: {tell(self.truth)}."
        )
        return said, ran, self.verdict.words if self.verdict else ""

    def __repr__(self) -> str:
        return " ".join(self.words).strip()

    def _repr_html_(self) -> str:
        said, ran, verdict = map(escape, self.words)
        mine, its = (
            f'<span style="color: rgb{tuple(tone)}" aria-hidden="true">●</span>' for tone in TONES
        )
        question = f"<em>{escape(self.question)}</em>"
        return f"<p>{question}<br>{mine} {said} &ensp;{its} {ran} &ensp;{verdict}</p>"


class Predict(Kept, anywidget.AnyWidget):
    """A question to answer before the run that answers it.

        guess = Predict("Where will you see the cat?", choices=["left", "right"])
        guess                                                # answer
        run = itskit.compose(pair, "a cat", "a cat meowing")
        guess.reveal(run, lambda run: side_of(run))          # your answer beside the run's

    There is no answer key: `truth` is a function of the run. After `reveal` the answer is locked;
    run the cell of the question again to answer again. Nobody has to answer. Without a browser,
    `guess.answer = "left"` does it.

    Every answer and every reveal is added to `path`, a line of JSON each: `event` ("answer" or
    "reveal"), `key`, `question`, `kind`, `answer`, `truth`, `right`, `distance`, `seconds` (from
    showing the question to the answer) and `time`. The last answer is there when the notebook is
    opened again. `itskit.answers.read(path)` reads the file.

    Parameters
    ----------
    question : str
    choices : sequence of str, optional
        One of them is the answer, and what `truth` returns.
    number : (low, high), optional
        A number between them; `truth` returns a number.
    step : int, optional
        How many steps there are; `truth` returns one of them, counted from 0.
    point, region : picture or True, optional
        A place, or a box, on what `media.read_picture` reads; True is an empty canvas. `truth`
        returns (x, y) in [0, 1] from the left and the top; for a region a box (x0, y0, x1, y1) or
        a map (rows, columns), boolean or of how much of it is where.
    unit : str
        Of a number, such as "Hz".
    key : str
        Under which the answer is kept; by default the question itself.
    path : path
        The file of answers.

    Raises
    ------
    ValueError
        If not exactly one of `choices`, `number`, `step`, `point` and `region` is given, or if it
        is not as described.
    """

    _esm, _css = web.script("predict.js"), web.style("predict.js")

    question = traitlets.Unicode().tag(sync=True)
    kind = traitlets.Unicode().tag(sync=True)
    facts = traitlets.Dict().tag(sync=True)  # the fields of the kind
    ground = traitlets.Bytes().tag(sync=True)  # PNG
    value = traitlets.Any().tag(sync=True)
    seconds = traitlets.Float().tag(sync=True)
    outcome = traitlets.Dict().tag(sync=True)  # empty until it is revealed
    overlay = traitlets.Bytes().tag(sync=True)  # PNG: the map of the run
    status = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        question: str,
        *,
        choices=None,
        number=None,
        step=None,
        point=None,
        region=None,
        unit: str = "",
        key: str = "",
        path="out/answers.jsonl",
        **options,
    ):
        given = dict(zip(KINDS, (choices, number, step, point, region), strict=True))
        given = {name: what for name, what in given.items() if what is not None}
        if not str(question).strip():
            raise ValueError(f"question={question!r}: expected a question")
        if len(given) != 1:
            told = " and ".join(given) or "none"
            raise ValueError(f"{told} given: expected exactly one of {', '.join(KINDS)}")
        name, what = given.popitem()
        self._kind, ground = _kind_of(name, what, unit)
        self._key, self._path, self._begun = str(key or question), Path(path), time.monotonic()
        self._said, self._outcome = None, None
        super().__init__(
            question=str(question), kind=self._kind.kind, facts=dict(vars(self._kind)),
            ground=ground, **options,
        )  # fmt: skip
        self._restore()
        self.observe(self._answered, "value")
        self.on_msg(self._asked)

    @property
    def answer(self):
        """What was answered, None if nothing was; set it to answer by code."""
        return self.value

    @answer.setter
    def answer(self, given) -> None:
        if self.outcome:
            raise ValueError(f"{self.question!r} is revealed: make the question anew to answer it")
        self.seconds = time.monotonic() - self._begun
        self.value = self._kind.read(given)

    def reveal(self, run, truth: Callable) -> Outcome:
        """Lock the answer, and show what the run says beside it.

        Parameters
        ----------
        run : Trajectory or any other result
        truth : callable
            Called with `run`; says what the right answer was, or None if the run does not say.

        Returns
        -------
        Outcome
            A text, and HTML in a notebook.

        Raises
        ------
        TypeError
            If `truth` is not a function.
        ValueError
            If it says something that is no answer to this kind of question.
        """
        if not callable(truth):
            raise TypeError(f"truth={truth!r}: expected a function of the run")
        found = truth(run)
        if found is not None:
            found = self._kind.read(found, is_truth=True)
        is_judged = self.value is not None and found is not None
        verdict = self._kind.compare(self.value, found) if is_judged else None
        self._outcome = Outcome(self.question, self._kind, self.value, found, verdict)
        self.overlay = _overlay(found) if isinstance(found, np.ndarray) else b""
        words = dict(zip(("said", "ran", "verdict"), self._outcome.words, strict=True))
        self.outcome = {"truth": _plain(found), **words}
        if self.value is not None:
            self._log("reveal")
        self._keep()
        return self._outcome

    def __repr__(self) -> str:
        if self._outcome:
            return f"{self.question} {self._outcome!r}"
        given = "" if self.value is None else f" You said: {self._kind.tell(self.value)}."
        return f"{self.question} ({_hint(self._kind)}){given}"

    # ---- what happens --------------------------------------------------------------------------

    def _restore(self) -> None:
        """The last answer to the same question, if it still is one."""
        about = {"event": "answer", "key": self._key, "kind": self.kind}
        same = [r for r in self._records() if about.items() <= r.items()]
        if same:
            with suppress(ValueError):
                self._said = self._kind.read(same[-1].get("answer"))
                self.value, self.seconds = self._said, float(same[-1].get("seconds", 0))
                self.status = f"Your last answer, of {str(same[-1].get('time'))[:10]}."

    @traitlets.validate("value")
    def _check(self, proposal):
        """What the browser sends is an answer, and comes before the reveal; else the last stays."""
        try:
            if self.outcome:
                raise ValueError("The answer is locked.")
            return None if proposal.value is None else self._kind.read(proposal.value)
        except ValueError as error:
            self.status = str(error)
            self.send_state("value")
            return self._said

    def _answered(self, _) -> None:
        if self.value != self._said:
            self._said, self.status = self.value, ""
            self._log("answer")
            self._keep()

    def _log(self, event: str) -> None:
        record = {"event": event, "key": self._key, "question": self.question, "kind": self.kind}
        record |= {"answer": self.value, "seconds": round(self.seconds, 2)}
        if event == "reveal":
            verdict = self._outcome.verdict
            record["truth"] = self.outcome["truth"]
            record |= {"right": verdict.right, "distance": verdict.distance} if verdict else {}
        record["time"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
        try:
            answers.append(self._path, record)
        except OSError as error:
            self.status = f"This answer is not kept: {error}"

    def _records(self) -> list[dict]:
        try:
            return answers.read(self._path)
        except OSError as error:
            self.status = f"What was answered before cannot be read: {error}"
            return []

    def _asked(self, _, content: dict, buffers) -> None:
        """The browser wants the file, to save it."""
        if content.get("type") == "download":
            text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in self._records())
            self.send({"type": "file", "name": self._path.name, "text": text})

    # ---- where there is no widget --------------------------------------------------------------

    def _kept_html(self) -> str:
        told = repr(self).removeprefix(self.question).strip()
        still = f"<small>{escape(told)}</small>"
        if self.ground:
            still = figure(self._still(), told, kind="image/png")
        return f"<p><strong>{escape(self.question)}</strong></p>{still}"

    def _still(self) -> bytes:
        """The canvas with what was answered and what the run says, as PNG."""
        with Image.open(BytesIO(self.ground)) as ground:
            image = ground.convert("RGBA")
        truth = self.outcome.get("truth")
        if self.overlay:
            with Image.open(BytesIO(self.overlay)) as overlay:
                image.alpha_composite(overlay.convert("RGBA").resize(image.size))
            truth = None
        draw = ImageDraw.Draw(image)
        for value, tone in zip((self.value, truth), TONES, strict=True):
            if value is not None:
                (x0, y0), (x1, y1) = value[:2], value[-2:]  # of a point, twice the same
                round_ = 0 if len(value) == 4 else image.height / 20
                shape = draw.rectangle if len(value) == 4 else draw.ellipse
                width, height = image.size
                low = (x0 * width - round_, y0 * height - round_)
                high = (x1 * width + round_, y1 * height + round_)
                shape((*low, *high), outline=tone, width=2)
        return _png(image.convert("RGB"))

    def _kept_bundle(self) -> dict:
        return super()._kept_bundle() | {"text/plain": repr(self)}


def _kind_of(name: str, what, unit: str):
    """The kind of question of an argument, and the picture under it as PNG, b"" for none."""
    if name == "choices":
        if isinstance(what, str):
            raise ValueError(f"choices={what!r}: expected a list of words")
        return answers.Choice(tuple(map(str, what))), b""
    if name == "number":
        try:
            low, high = what
        except (TypeError, ValueError):
            raise ValueError(f"number={what!r}: expected (low, high)") from None
        return answers.Number(low, high, str(unit)), b""
    if name == "step":
        return answers.Step(what), b""
    image = Image.new("L", (512, 128)) if what is True else read_picture(what).image
    aspect = image.height / image.width
    return (answers.Point(aspect) if name == "point" else answers.Region()), _png(image)


def _hint(kind) -> str:
    """What an answer looks like, in words."""
    if isinstance(kind, answers.Choice):
        return " or ".join(kind.choices)
    if isinstance(kind, answers.Number):
        return f"a number from {kind.low:g} to {kind.tell(kind.high)}"
    if isinstance(kind, answers.Step):
        return f"a step from 0 to {kind.steps - 1}"
    return "a place on the canvas" if isinstance(kind, answers.Point) else "a part of the canvas"


def _plain(found):
    """What a run says as plain JSON; of a map, its outline."""
    return answers.outline(found) if isinstance(found, np.ndarray) else found


def _overlay(there: np.ndarray) -> bytes:
    """A map as PNG in the run's colour: the more, the less it lets through."""
    alpha = Image.fromarray((there * 150).astype(np.uint8))
    image = Image.new("RGBA", alpha.size, tuple(TONES[1]))
    image.putalpha(alpha)
    return _png(image)
