"""Compose by hand: prompts, settings, a live preview, a Stop that keeps what it has."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from threading import Event, Thread

import ipywidgets as w

from ..compose import DEFAULTS
from ..compose import compose as compose_function
from ..guidance import collect_notes
from ..modality import Pair, Picture
from ..sampling import Step, Trajectory, decode
from .scrubber import Scrubber
from .weights import WeightCurve, WeightMap

WIDE, NARROW = {"description_width": "110px"}, {"description_width": "40px"}


class Composer(w.VBox):
    """Two prompts, their settings, and a button. Results stay in `history`.

        composer = Composer(pair)
        composer                       # type, press Compose, watch, listen
        composer.result                # the Trajectory that is shown

    compose   a function like `itskit.compose`: (pair, image_prompt, sound_prompt, **settings)
    show      a function from a Trajectory to the widget that shows it
    """

    def __init__(
        self,
        pair: Pair,
        image_prompt: str = "a palm tree",
        sound_prompt: str = "birds chirping",
        *,
        compose: Callable[..., Trajectory] = compose_function,
        show: Callable[[Trajectory], w.Widget] = Scrubber,
    ):
        self._pair, self._compose, self._show = pair, compose, show
        self._stop, self._thread = Event(), None
        self.history: list[Trajectory] = []
        self.result: Trajectory | None = None
        self.controls = _controls(DEFAULTS | pair.defaults, image_prompt, sound_prompt)
        self.curve, self.map = WeightCurve(), WeightMap()
        self.button = w.Button(description="Compose", icon="play", button_style="primary")
        self.stopper = w.Button(description="Stop", icon="stop", disabled=True)
        self.button.on_click(lambda _: self.start())
        self.stopper.on_click(lambda _: self.stop())
        self.progress = w.IntProgress(layout=w.Layout(width="240px", visibility="hidden"))
        self.status, self.notes = w.HTML(), w.HTML()
        self.preview = w.Image(format="png", layout=w.Layout(display="none", width="100%"))
        self.stage, self.past = w.VBox(), w.HBox(layout=w.Layout(flex_flow="row wrap"))
        super().__init__([self._top(), self._settings(), self.preview, self.stage, self.past])

    def _top(self) -> w.Widget:
        run = w.HBox([self.button, self.stopper, self.progress, self.status])
        return w.VBox(
            [self.controls["image_prompt"], self.controls["sound_prompt"], run, self.notes]
        )

    def _settings(self) -> w.Widget:
        names = ("num_inference_steps", "seed", "image_scale", "sound_scale", "image_start")
        names += ("weight", "image_weight", "image_negative", "sound_negative")
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
        if values["sound_prompt"] is None:
            del values["image_start"]  # nobody else is there to begin
        choice, number = values.pop("weight"), values.pop("image_weight")
        image, sound = {
            "number": (number, 1 - number),
            "curve": (self.curve, self.curve.rest),
            "map": (self.map.map, self.map.rest),
        }[choice]
        return values | {"image_weight": image, "sound_weight": sound}

    def start(self) -> None:
        """Begin a run in the background, so that Stop can be heard; one at a time."""
        if self._thread is None or not self._thread.is_alive():
            self._stop.clear()
            self._thread = Thread(target=self.run, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the run after its present step; what was reached is kept and shown."""
        self._stop.set()

    def run(self) -> Trajectory | None:
        """Compose what the controls say, here and now; None if it failed (the status says why)."""
        settings = self.settings()
        self._busy(True, settings["num_inference_steps"])
        try:
            with collect_notes() as notes:
                result = self._compose(self._pair, **settings, callback=self._tell, progress=False)
        except Exception as error:  # an error in a thread would otherwise vanish
            self._say(f"{type(error).__name__}: {error}", failed=True)
            return None
        else:
            self.history.append(result)
            self._remember(result)
            self.recall(result)
            self.notes.value = "<br>".join(f'<span role="note">{escape(n)}</span>' for n in notes)
            return result
        finally:
            self._busy(False)

    def recall(self, trajectory: Trajectory) -> None:
        """Show a result, and put its prompts and settings back into the controls."""
        self.result, self.notes.value = trajectory, ""
        recipe = trajectory.recipe
        for name, control in self.controls.items():
            value = recipe["seeds"][0] if name == "seed" and "seeds" in recipe else recipe.get(name)
            if isinstance(control, w.Text):
                control.value = value or ""
            elif isinstance(value, (int, float)):
                control.value = value
        self.stage.children = (self._show(trajectory),)
        short = "stopped" in recipe
        self._say(f"stopped after {len(trajectory)} steps" if short else "done")

    def _tell(self, step: Step) -> None:
        self.progress.value += 1
        self._say(f"step {self.progress.value - 1}")
        self.preview.value = _preview(self._pair, step)
        self.preview.layout.display = ""
        if self._stop.is_set():
            raise KeyboardInterrupt  # which compose takes for "enough": it keeps the steps so far

    def _remember(self, result: Trajectory) -> None:
        words = [result.recipe.get(f"{name}_prompt") or "" for name in ("image", "sound")]
        label = " + ".join(word for word in words if word)
        label = label if len(label) < 48 else label[:47] + "…"
        seed = (result.recipe.get("seeds") or [0])[0]
        button = w.Button(description=f"{len(self.history)}. {label}, seed {seed}")
        button.layout.width = "auto"
        button.on_click(lambda _: self.recall(result))
        self.past.children = (*self.past.children, button)

    def _busy(self, on: bool, count: int = 1) -> None:
        self.button.disabled, self.stopper.disabled = on, not on
        self.progress.layout.visibility = "visible" if on else "hidden"
        if on:
            self.progress.max, self.progress.value, self.notes.value = count, 0, ""
            self.stage.children = ()
            self._say("reading the prompts")
        else:
            self.preview.layout.display = "none"

    def _say(self, text: str, failed: bool = False) -> None:
        style = "color: #c62828" if failed else "opacity: .7"
        self.status.value = f'<span role="status" style="{style}">{escape(text)}</span>'


def _controls(defaults: dict, image_prompt: str, sound_prompt: str) -> dict[str, w.Widget]:
    """The controls by the names of `compose`'s arguments; `weight` says which weight counts."""
    full = w.Layout(width="min(100%, 640px)")
    wide = {"style": WIDE, "layout": full}

    def number(text, value, low, high, stride):
        return w.FloatSlider(value, min=low, max=high, step=stride, description=text, **wide)

    weight = defaults["image_weight"]
    weight = weight if isinstance(weight, (int, float)) else 0.5
    count = defaults["num_inference_steps"]
    return {
        "image_prompt": w.Text(image_prompt, description="see", style=NARROW, layout=full),
        "sound_prompt": w.Text(sound_prompt, description="hear", style=NARROW, layout=full),
        "num_inference_steps": w.IntSlider(count, min=2, max=100, description="steps", **wide),
        "seed": w.BoundedIntText(0, min=0, max=2**31 - 1, description="seed", **wide),
        "image_scale": number("image guidance", defaults["image_scale"], 1, 20, 0.5),
        "sound_scale": number("sound guidance", defaults["sound_scale"], 1, 20, 0.5),
        "image_start": number("warm start", defaults["image_start"], 0, 0.9, 0.05),
        "weight": w.ToggleButtons(options=["number", "curve", "map"], description="weight", **wide),
        "image_weight": number("image weight", weight, 0, 1, 0.05),
        "image_negative": w.Text(defaults["image_negative"], description="do not see", **wide),
        "sound_negative": w.Text(defaults["sound_negative"], description="do not hear", **wide),
    }


def _preview(pair: Pair, step: Step) -> bytes:
    """The first item of a step as a PNG file."""
    picture: Picture = decode(pair.image, step.clean[:1])
    return picture._repr_png_()
