"""The pair as an instrument: type or drag, and it is composed again while the sound goes on."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock
from time import perf_counter

import anywidget
import traitlets

from .. import web
from ..composition import Run
from ..composition import composing as composing_function
from ..modality import Pair
from ..notes import collect_notes
from ..settings import Settings
from ..trajectory import Trajectory
from .background import NO_WORDS, give_way, in_background, plainly
from .kept import Kept, result_figure
from .weights import _png


class Live(Kept, anywidget.AnyWidget):
    """Two prompts, three sliders and a seed; every change is composed at once, and a loop plays it.

        live = Live(pair, "a palm tree", "birds chirping")
        live                                                 # press play, type, drag
        itskit.compose(pair, **live.settings())              # the same in all steps

    It composes when it is first shown, and then after every change, in the browser or from Python
    (`live.seed = 7`), with half of the pair's steps. A composition that is not finished by then is
    dropped. The new sound fades in at the place where the old one is. `live.observe(f, "result")`
    calls `f` with every new result.

    Parameters
    ----------
    pair : Pair
    image_prompt, sound_prompt : str
    composing : callable
        A function like `itskit.composing`.
    **options
        First values: `image_scale`, `sound_scale`, `seed`, and `balance` of the blend, from 0 (all
        sound) to 1 (all picture).
    """

    _esm, _css = web.script("live.js"), web.style("live.js")

    image_prompt = traitlets.Unicode().tag(sync=True)
    sound_prompt = traitlets.Unicode().tag(sync=True)
    image_scale = traitlets.Float(min=1, max=20).tag(sync=True)
    sound_scale = traitlets.Float(min=1, max=20).tag(sync=True)
    balance = traitlets.Float(0.5, min=0, max=1).tag(sync=True)
    seed = traitlets.Int(0, min=0).tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)
    notes = traitlets.Unicode().tag(sync=True)  # what of the prompts is not read or known
    picture = traitlets.Bytes().tag(sync=True)  # PNG
    samples = traitlets.Bytes().tag(sync=True)  # 16 bit, little-endian, at `rate`
    rate = traitlets.Int(1).tag(sync=True)
    result = traitlets.Instance(Trajectory, allow_none=True)  # stays in Python
    PLAYED = ("image_prompt", "sound_prompt", "image_scale", "sound_scale", "balance", "seed")

    def __init__(
        self,
        pair: Pair,
        image_prompt: str = "a palm tree",
        sound_prompt: str = "birds chirping",
        *,
        composing: Callable[..., Run] = composing_function,
        **options,
    ):
        usual = Settings.of(pair)
        self._pair, self._composing = pair, composing
        self._steps = max(2, usual.num_inference_steps // 2)
        self._changed, self._lock, self._thread = Event(), Lock(), None
        self._is_shown = False
        scales = {"image_scale": usual.image_scale, "sound_scale": usual.sound_scale}
        words = {"image_prompt": image_prompt, "sound_prompt": sound_prompt}
        super().__init__(**{**scales, **words, **options})
        self.observe(self._follow, self.PLAYED)
        self.on_msg(self._answer)

    def settings(self) -> dict:
        """What the controls say, as keyword arguments of `compose`."""
        values = {name: getattr(self, name) for name in self.PLAYED}
        balance = values.pop("balance")
        for name in ("image_prompt", "sound_prompt"):
            values[name] = values[name].strip() or None
        return values | {"image_weight": balance, "sound_weight": 1 - balance}

    def play(self) -> Trajectory | None:
        """Compose what the controls say, here and now.

        Returns
        -------
        Trajectory or None
            None if it failed, or if something changed meanwhile.
        """
        begin, settings = perf_counter(), self.settings()
        if settings["image_prompt"] is settings["sound_prompt"] is None:
            self.status = NO_WORDS
            return None
        self.status = "composing"
        try:
            with collect_notes() as notes:
                run = self._composing(self._pair, **settings, num_inference_steps=self._steps)
                for _ in run:
                    give_way()
                    if self._changed.is_set():
                        return None
            self._show(result := run.trajectory)
            self.notes = "\n".join(notes)
        except Exception as error:  # an error in a thread would otherwise vanish
            self.status = plainly(error)
            return None
        self.status = f"{len(result)} steps in {perf_counter() - begin:.1f} s"
        return result

    def _show(self, result: Trajectory) -> None:
        sound = result.sound().audible()
        samples = (sound.samples * 32767).round().astype("<i2").tobytes()
        with self.hold_sync():  # seen and heard together
            self.rate, self.samples = sound.rate, samples
            self.picture = _png(result.picture().image)
        self.result = result

    def _ipython_display_(self, **_) -> None:
        first, self._is_shown = not self._is_shown, True
        self._show_widget()
        if first:
            self._follow()
            if (thread := self._thread) is not None:
                thread.join()  # the notebook keeps what comes of it, below
        self._show_kept()

    def _kept_html(self) -> str:
        return "Nothing was composed." if self.result is None else result_figure(self.result)

    def _answer(self, _, content: dict, buffers) -> None:
        """The browser shows it; inside another widget that is the first that is heard of it."""
        if content.get("type") == "shown" and not self._is_shown:
            self._is_shown = True
            self._follow()

    def _follow(self, _=None) -> None:
        """Something changed: play it, after what is being played now has given way."""
        if not self._is_shown:
            return
        with self._lock:
            self._changed.set()
            if self._thread is None:
                self._thread = in_background(self._keep_up)

    def _keep_up(self) -> None:
        while True:
            with self._lock:
                if not self._changed.is_set():
                    self._thread = None
                    break
                self._changed.clear()
            self.play()
        self._keep()
