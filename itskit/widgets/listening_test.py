"""A blind listening test in the notebook."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

import anywidget
import traitlets

from .. import answers, listening, web
from ..export import encode
from .background import plainly
from .kept import Kept


class ListeningTest(Kept, anywidget.AnyWidget):
    """Take a listening test: the browser gets sounds under names that mean nothing, no key.

        plan = itskit.listening.identify(clips, training=easy, repeats=2)
        itskit.widgets.ListeningTest(plan, "out/bells.jsonl")
        itskit.listening.read("out/bells.jsonl", plan)

    Each answer is added to the file at once. The plan's secret is kept beside it (`Plan.kept`), so
    that a test that was interrupted goes on where it was, also in a new kernel. Space or P plays,
    1 to 9 choose, Enter goes on.

    Parameters
    ----------
    plan : Plan
        Of `itskit.listening`; `test.plan` is the one with the kept secret.
    path : path
        The file of answers.
    listener : int
        Who listens, as a number: 0 for the first, 1 for the next. Each has an order of their own.

    Raises
    ------
    ValueError
        For a listener who is no number: names are not kept.
    """

    _esm, _css = web.script("listening.js"), web.style("listening.js")

    facts = traitlets.Dict().tag(sync=True)  # what listeners may know
    answered = traitlets.List(traitlets.Unicode()).tag(sync=True)  # ids

    def __init__(self, plan, path="out/listening.jsonl", *, listener: int = 0, **options):
        if isinstance(listener, bool) or not isinstance(listener, int) or listener < 0:
            raise ValueError(f"listener={listener!r}: expected 0, 1, 2, …, since no names are kept")
        self.path, self.listener = Path(path), str(listener)
        self.plan = plan.kept(self.path)
        self._sheet = self.plan.sheet(listener)
        heard = listening.levelled([clip.sound for clip in self.plan.clips])
        self._sounds = dict(zip(self.plan.sound_ids(), heard, strict=True))
        facts = self.plan.facts() | {"trials": list(self._sheet.trials)}
        super().__init__(facts=facts, answered=[line["id"] for line in self._lines()], **options)
        self.on_msg(self._asked)

    @property
    def answers(self) -> listening.Answers:
        """All answers to this test in the file, those of other listeners too."""
        lines = [one for one in answers.read(self.path) if one.get("seal") == self.plan.seal]
        return listening.read(lines, self.plan)

    def __repr__(self) -> str:
        return f"ListeningTest({len(self.answered)} of {len(self.plan)} questions answered)"

    def _lines(self) -> list[dict]:
        """What this listener has answered, as far as it belongs to this test."""
        ours = (self.plan.seal, self.listener)
        lines = answers.read(self.path)
        return [one for one in lines if (one.get("seal"), one.get("listener")) == ours]

    def _asked(self, _, content: dict, buffers) -> None:
        answer = {"sound": self._sound, "answer": self._answer, "close": self._close}
        wanted = answer.get(content.get("type"))
        if wanted is None:
            return
        try:
            told, sent = wanted(content)
        except Exception as error:  # an error in a message would otherwise vanish
            told, sent = {"error": plainly(error)}, []
        self.send({"call": content.get("call"), **told}, sent)

    def _sound(self, content: dict):
        return {}, [encode.lossless_bytes(self._sounds[content["id"]])]

    def _answer(self, content: dict):
        """Keep an answer; of practice, tell the right one."""
        given = content["id"], content["answer"]
        told = {"seconds": content["seconds"], "plays": content["plays"]}
        line = listening.line(self.plan, self._sheet, *given, listener=self.listener, **told)
        if content["id"] not in self.answered:
            answers.append(self.path, line)
            self.answered = [*self.answered, content["id"]]
            self._keep()
        trial, _ = self._sheet.key[content["id"]]
        return {"right": trial.right if trial.training else None}, []

    def _close(self, _):
        """The answers as a file, and the envelope once there is nothing left to give away."""
        done = len(self.answered) >= len(self.plan)
        lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in self._lines())
        return {
            "lines": lines,
            "name": f"{self.path.stem}-{self.listener}.jsonl",
            "envelope": self.plan.envelope if done else "",
        }, []

    def _kept_html(self) -> str:
        return f"<p><strong>{escape(self.plan.question)}</strong><br><small>{self!r}</small></p>"

    def _kept_bundle(self) -> dict:
        return super()._kept_bundle() | {"text/plain": repr(self)}
