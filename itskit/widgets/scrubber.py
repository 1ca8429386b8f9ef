"""The scrubber in a notebook: the exported page's own module, fed by the kernel as it prepares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Lock

import anywidget
import traitlets

from .. import web
from ..export import pages, scrub
from ..trajectory import Trajectory
from . import kept as keep
from .background import give_way, in_background


class Scrubber(keep.Kept, anywidget.AnyWidget):
    """A slider over the steps of a Trajectory, to see and hear each of them.

        Scrubber(result)

    `kept` steps are prepared before it appears; the others follow while it is in use, and other
    tracks when they are first looked at. Dragging never needs the kernel. The `kept` steps and the
    result are also stored in the notebook's file: without a kernel, or as HTML, it still shows and
    plays them. `page()` keeps all steps. `scrubber.step = 3` moves the slider.

    Parameters
    ----------
    trajectory : Trajectory
    item : int
        Which of the batch.
    scores : sequence of dict, optional
        More curves for the plot, from `export.score_steps`.
    kept : int
        How many steps, evenly spread.
    start : {"noise", "result"}
        Where the slider begins.
    go_on : callable, optional
        Called with the step that is shown when a person presses "Go on from step"; without it there
        is no such button. It cannot be pressed while `busy` is True.
    **options
        Of the widget.
    """

    _esm, _css = web.script("scrubber.js"), web.style("scrubber.js")

    facts = traitlets.Dict().tag(sync=True)
    first = traitlets.List().tag(sync=True)
    step = traitlets.Int().tag(sync=True)
    goes_on = traitlets.Bool().tag(sync=True)
    busy = traitlets.Bool().tag(sync=True)

    def __init__(
        self,
        trajectory: Trajectory,
        *,
        item: int = 0,
        scores: Sequence[dict] | None = None,
        kept: int = 9,
        start: str = "noise",
        go_on: Callable[[int], object] | None = None,
        **options,
    ):
        def prepare(track: str, steps: Sequence[int]) -> Iterator[scrub.Frame]:
            return scrub.frames(trajectory, track, steps, item=item)

        facts = scrub.facts(trajectory, item=item, scores=scores, start=start)
        has = {
            track["key"]: list(scrub.latents(trajectory, track["key"], item))
            for track in facts["tracks"]
        }
        self._setup(prepare, has)
        track = facts["start"]["track"]
        self._prepare(track, scrub.keyframes(has[track], kept))
        self._prepare("clean", has["clean"][-1:])
        shown = [frame.as_message() for frame in self._frames.values()]
        self._go_on = go_on
        options = {"step": facts["start"]["step"], "goes_on": go_on is not None, **options}
        super().__init__(facts=facts, first=shown, **options)
        self.on_msg(self._answer)

    def _setup(self, prepare: Callable[..., Iterator[scrub.Frame]], has: dict[str, list[int]]):
        self._make, self._has = prepare, has
        self._frames: dict[tuple[str, int], scrub.Frame] = {}
        self._turns = {track: Lock() for track in has}  # nothing is prepared twice

    def page(self) -> pages.Page:
        """The scrubber as a page that needs no kernel.

        Returns
        -------
        export.Page
            A notebook shows it; `.save(path)` writes it. It has all steps of the noise and of the
            result, and what was prepared of the other tracks.
        """
        for track in ("noisy", "clean"):
            self._prepare(track, self._has[track])
        return pages.Page(pages.page_html(self.facts, list(self._frames.values()), embedded=True))

    def _prepare(self, track: str, steps: Sequence[int], tell: Callable = lambda frame: None):
        """Make those frames that are missing, and `tell` of every one as soon as it is there."""
        with self._turns[track]:
            missing = [step for step in steps if (track, step) not in self._frames]
            missing = scrub.coarse_to_fine(missing)
            for k in range(0, len(missing), 4):  # the end of the program waits for what is begun
                for frame in self._make(track, missing[k : k + 4]):
                    self._frames[track, frame.step] = frame
                    tell(frame)

    def _answer(self, _, content: dict, buffers) -> None:
        """The browser asks for a track: send what is there, then the rest as it gets ready. Or a
        person wants to go on from a step."""
        step, track = content.get("step"), content.get("track")
        if content.get("type") == "go on" and self._go_on and isinstance(step, int):
            self._go_on(step)
        if content.get("type") != "ask" or track not in self._has:
            return
        sent = {message["step"] for message in self.first if message["track"] == track}
        for (name, step), frame in list(self._frames.items()):
            if name == track and step not in sent:
                self._send_frame(frame)
        in_background(self._prepare, track, self._has[track], self._send_frame)

    def _send_frame(self, frame: scrub.Frame) -> None:
        give_way()
        if self.comm is not None:  # closed meanwhile: nobody is there to see it
            message = {"type": "frame", "track": frame.track, "step": frame.step}
            self.send(message, [frame.picture, frame.sound])

    def _kept_html(self) -> str:
        """The page of the kept steps in a frame; where no frame is let in, the result alone."""
        kept = [scrub.Frame(**message) for message in self.first]
        page = pages.iframe(pages.page_html(self.facts, kept, embedded=True))
        last = max((f for f in kept if f.track == "clean"), key=lambda frame: frame.step)
        words = " + ".join(prompt["text"] for prompt in self.facts["prompts"])
        plain = f"its-plain-{self.model_id}"
        alone = keep.figure(last.picture, words, last.sound)
        style = f"<style>.{plain} {{ display: none }}</style>"
        return f'{style}<div class="{plain}">{alone}</div>{page}'
