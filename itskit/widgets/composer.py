"""Compose by hand: prompts, settings, a live preview, a Stop that keeps what it has."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from html import escape
from threading import Event

import ipywidgets as w
import numpy as np
import traitlets

from .. import recipes, web
from ..codec import decode
from ..composition import Run
from ..composition import composing as composing_function
from ..guidance import weight_map
from ..media import Picture
from ..modality import Pair
from ..notes import collect_notes
from ..recomposition import branching
from ..sampling import Step
from ..settings import Settings
from ..timeline import text_of
from ..trajectory import Trajectory
from .background import NO_WORDS, give_way, in_background, plainly
from .controls import controls_of
from .kept import Kept, result_figure, words
from .scrubber import Scrubber
from .weights import WeightCurve, WeightMap


class Composer(Kept, w.VBox):
    """Two prompts, all settings, and a button. Results stay in `history`.

        composer = Composer(pair)
        composer                       # type, press Enter or Compose, watch, listen
        composer.result                # the Trajectory that is shown
        composer.observe(f, "result")  # calls f({"new": trajectory, ...}) at every new one

    The weight is a number, a curve or a map: whichever was touched last, and a button shows which.
    "Go on from step 3", beside the slider, branches from that step of the result that is shown,
    with what the controls say by then.

    Parameters
    ----------
    pair : Pair
    image_prompt, sound_prompt : str
    composing : callable
        A function like `itskit.composing`.
    show : callable, optional
        Trajectory -> the widget that shows it, in place of a Scrubber.
    """

    result = traitlets.Instance(Trajectory, allow_none=True)  # stays in Python

    def __init__(
        self,
        pair: Pair,
        image_prompt: str = "a palm tree",
        sound_prompt: str = "birds chirping",
        *,
        composing: Callable[..., Run] = composing_function,
        show: Callable[[Trajectory], w.Widget] | None = None,
    ):
        self._pair, self._composing, self._show = pair, composing, show or self._scrubber
        self._stop, self._thread = Event(), None
        self.history: list[Trajectory] = []
        self._drawn: dict[int, dict] = {}  # by a result's id: its drawings, and which counted
        self.controls = controls_of(Settings.of(pair), image_prompt, sound_prompt)
        self.curve, self.map = WeightCurve(), WeightMap()
        self.button = w.Button(description="Compose", icon="play")
        self.stopper = w.Button(description="Stop", icon="stop", disabled=True)
        self.button.on_click(lambda _: self.start())
        self.stopper.on_click(lambda _: self.stop())
        self.progress = w.IntProgress(layout=w.Layout(width="240px", display="none"))
        self.status, self.notes = w.HTML(), w.HTML()
        self.preview = w.Image(format="png", layout=w.Layout(display="none"))
        self.stage, self.past = w.VBox(), w.HBox(layout=w.Layout(flex_flow="row wrap"))
        self._listen()
        dress = w.HTML(f"<style>{web.style('composer.css')}</style>", layout={"display": "none"})
        parts = [self._top(), self._settings(), self.preview, self.stage, self.past]
        super().__init__([dress, *parts])
        for widget, names in (
            (self, ("itskit", "its-composer")),
            (self.controls["image_prompt"], ("its-words", "its-see")),
            (self.controls["sound_prompt"], ("its-words", "its-hear")),
            (self.button, ("its-go",)),
        ):
            for name in names:
                widget.add_class(name)

    def _listen(self) -> None:
        """Enter composes; whichever weight is touched is the one that counts."""
        for control in self.controls.values():
            if isinstance(control, w.Text):
                control.on_msg(lambda _, content, __: self._entered(content))
        touched = [("number", self.controls["image_weight"], "value")]
        touched += [("curve", self.curve, "values"), ("map", self.map, "pixels")]
        for choice, widget, name in touched:
            widget.observe(lambda _, choice=choice: self._weigh_by(choice), name)

    def _entered(self, content: dict) -> None:
        if content.get("event") == "submit":
            self.start()

    def _weigh_by(self, choice: str) -> None:
        self.controls["weight"].value = choice

    def _top(self) -> w.Widget:
        run = w.HBox([self.button, self.stopper, self.progress, self.status])
        names = ("image_prompt", "sound_prompt", "weight")
        return w.VBox([*(self.controls[name] for name in names), run, self.notes])

    def _settings(self) -> w.Widget:
        names = ("num_inference_steps", "seed", "image_scale", "sound_scale", "image_start")
        names += ("image_weight", "rule", "image_negative", "sound_negative")
        controls = w.VBox([self.controls[name] for name in names])
        settings = w.Accordion([controls, self.curve, self.map], selected_index=None)
        for k, title in enumerate(("Settings", "Weight over the run", "Weight over the canvas")):
            settings.set_title(k, title)
        return settings

    def settings(self) -> dict:
        """What the controls say, as keyword arguments of `compose`."""
        values = {name: control.value for name, control in self.controls.items()}
        for name in ("image", "sound"):
            values[f"{name}_prompt"] = values[f"{name}_prompt"].strip() or None
            values[f"{name}_negative"] = values[f"{name}_negative"].strip()
        choice, number = values.pop("weight"), values.pop("image_weight")
        image, sound = {
            "number": (number, 1 - number),
            "curve": (self.curve, self.curve.rest),
            "map": (self.map.map, self.map.rest),
        }[choice]
        if None in (values["image_prompt"], values["sound_prompt"]):
            image = sound = 1.0  # whoever is alone has all the say
        if values["sound_prompt"] is None:
            del values["image_start"]  # nobody else is there to begin
        elif choice == "curve" or not np.any(sound):
            values["image_start"] = 0.0  # the curve says when the image joins; nobody else would
        return values | {"image_weight": image, "sound_weight": sound}

    def start(self, step: int | None = None) -> None:
        """Begin a run in the background, one at a time, so that Stop can be pressed; as `run`."""
        if self._thread is None or not self._thread.is_alive():
            self._stop.clear()
            self._thread = in_background(self.run, step)

    def stop(self) -> None:
        """End the run after its present step; the steps so far are kept and shown."""
        self._stop.set()

    def run(self, step: int | None = None) -> Trajectory | None:
        """Compose what the controls say, here and now; with a `step`, go on by it from that step of
        the result that is shown, as `itskit.branch` does.

        Returns
        -------
        Trajectory or None
            None if it failed; the status says why.
        """
        settings, drawn = self.settings(), self._drawing()
        if settings["image_prompt"] is settings["sound_prompt"] is None:
            return self._say(NO_WORDS, failed=True)
        self._busy(True, settings["num_inference_steps"])
        try:
            with collect_notes() as notes:
                run = self._begin(settings, step)
                for one in itertools.dropwhile(lambda one: one.index < (step or 0), run):
                    self._tell(one)
                    if self._stop.is_set():
                        break
            self.history.append(result := run.trajectory)
            self._drawn[id(result)] = drawn
            self.recall(result)
            self.notes.value = "<br>".join(f'<span role="note">{escape(n)}</span>' for n in notes)
            return result
        except Exception as error:  # an error in a thread would otherwise vanish
            self._say(plainly(error), failed=True)
            return None
        finally:
            self._busy(False)

    def _begin(self, settings: dict, step: int | None) -> Run:
        if step is None:
            return self._composing(self._pair, **settings)
        if self.result is None:
            raise ValueError(f"step={step}: expected a result to go on from; compose one first")
        del settings["num_inference_steps"]  # a run keeps its own
        run = branching(self.result, step, **{"image_start": None} | settings)
        self.progress.max, self.progress.value = len(run), step
        return run

    def _scrubber(self, trajectory: Trajectory) -> Scrubber:
        """At its end, since whoever sees it has watched it come about."""
        return Scrubber(trajectory, start="result", go_on=self.start)

    def recall(self, trajectory: Trajectory) -> None:
        """Show a result, and put its prompts, settings and weights back into the controls."""
        self.notes.value = ""
        said = _as_said(trajectory)
        shown = self._show(trajectory)
        for name, control in self.controls.items():
            value = said["seeds"][0] if name == "seed" and "seeds" in said else said.get(name)
            if isinstance(control, w.Text):
                control.value = text_of(value)
            elif isinstance(value, (int, float)) or value in getattr(control, "options", ()):
                control.value = value
        self._draw(self._drawing_of(trajectory))
        self.map.ground = trajectory.picture()._repr_png_()
        self.stage.children = (shown,)
        self.past.children = [self._button(k, trajectory) for k in range(len(self.history))]
        short = "stopped" in trajectory.recipe
        self._say(f"stopped after {len(trajectory)} steps" if short else "done")
        self.result = trajectory  # last: whoever observes it finds all the rest in place
        self._keep()

    def _drawing(self) -> dict:
        """The number, the curve and the map, and which of them counts."""
        return {
            "weight": self.controls["weight"].value,
            "image_weight": self.controls["image_weight"].value,
            "values": self.curve.values,
            "pixels": self.map.pixels,
        }

    def _drawing_of(self, trajectory: Trajectory) -> dict:
        """What was drawn for a result; of one from elsewhere, what its recipe says."""
        if id(trajectory) in self._drawn:
            return self._drawn[id(trajectory)]
        weight = _as_said(trajectory).get("image_weight")
        if isinstance(weight, (int, float)):
            return {"weight": "number", "image_weight": weight}
        if isinstance(weight, list):
            values = weight_map(weight, self.map.size).clamp(0, 1).numpy()
            pixels = (values * 255).round().astype(np.uint8).tobytes()
            return {"weight": "map", "pixels": pixels}
        values = (weight or {}).get("per_step", [])
        if values and all(isinstance(value, (int, float)) for value in values):
            return {"weight": "curve", "values": [min(1.0, value) for value in values]}
        return {}

    def _draw(self, drawing: dict) -> None:
        self.curve.values = drawing.get("values", self.curve.values)
        self.map.pixels = drawing.get("pixels", self.map.pixels)
        for name in ("image_weight", "weight"):  # which one counts comes last: each touch says so
            self.controls[name].value = drawing.get(name, self.controls[name].value)

    def _tell(self, step: Step) -> None:
        give_way()
        self.progress.value += 1
        self._say(f"step {self.progress.value} of {self.progress.max}")
        self.preview.value = _preview(self._pair, step)
        self.preview.layout.display = ""

    def _button(self, k: int, shown: Trajectory) -> w.Button:
        """The button that brings result `k` back: its seed, its words and what is new in it."""
        result, said = self.history[k], words(self.history[k])
        parts = [f"{k + 1}", f"seed {(result.recipe.get('seeds') or [0])[0]}"]
        parts.append(said if len(said) < 40 else said[:39] + "…")
        if began := result.recipe.get("branch"):
            parts.append(f"from step {began['step']}")
        parts += self._changes(k)[:2]
        button = w.Button(description=" · ".join(parts), tooltip=said)
        button.layout = w.Layout(width="auto", max_width="100%")
        button.button_style = "info" if result is shown else ""
        button.on_click(lambda _: self.recall(result))
        return button

    def _changes(self, k: int) -> list[str]:
        """The settings in which result `k` differs from the one before it."""
        if k == 0:
            return []
        before, now = (
            _as_said(self.history[i]) | self._drawing_of(self.history[i]) for i in (k - 1, k)
        )
        ours = ("image_prompt", "sound_prompt", "seed")  # the label has these anyhow
        names = ["weight", *(name for name in self.controls if name not in ("weight", *ours))]
        told = [
            f"{self.controls[name].description} {now[name]}"
            for name in names
            if name in now and now[name] != before.get(name)
        ]
        drawn = {"curve": "values", "map": "pixels"}.get(now.get("weight"))
        same = now.get("weight") == before.get("weight")
        if drawn and same and now[drawn] != before[drawn]:
            told.insert(0, f"another {now['weight']}")
        return told

    def _kept_html(self) -> str:
        return "Nothing was composed." if self.result is None else result_figure(self.result)

    def _busy(self, on: bool, count: int = 1) -> None:
        self.button.disabled, self.stopper.disabled = on, not on
        for shown in self.stage.children:
            if isinstance(shown, Scrubber):
                shown.busy = on
        self.progress.layout.display = "" if on else "none"
        if on:
            self.progress.max, self.progress.value, self.notes.value = count, 0, ""
            self._say("reading the prompts")
        else:
            self.preview.layout.display = "none"

    def _say(self, text: str, failed: bool = False) -> None:
        style = "color: var(--its-alarm)" if failed else "opacity: .7"
        self.status.value = f'<span role="status" style="{style}">{escape(text)}</span>'


def _as_said(trajectory: Trajectory) -> dict:
    """Its recipe by the names of `compose`'s parameters, which are those of the controls."""
    said = {**trajectory.recipe, **recipes.arguments(trajectory.recipe)}
    rule = said.get("rule", "mean")
    return said | {"rule": rule["name"] if isinstance(rule, dict) else rule}


def _preview(pair: Pair, step: Step) -> bytes:
    """The first item of a step as a PNG file."""
    picture: Picture = decode(pair.image, step.clean[:1])
    return picture._repr_png_()
