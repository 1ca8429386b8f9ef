"""The controls of the Composer, by the names of `compose`'s arguments."""

from __future__ import annotations

import ipywidgets as w

from ..rules import RULES
from ..settings import Settings

WIDE, NARROW = {"description_width": "124px"}, {"description_width": "48px"}
# Rules for one item; the others pick among several.
ONE_AT_A_TIME = [name for name in RULES if name not in ("corrected", "product")]


def controls_of(defaults: Settings, image_prompt: str, sound_prompt: str) -> dict[str, w.Widget]:
    """The controls by the names of `compose`'s arguments; `weight` says which weight counts."""
    whole = w.Layout(width="auto")
    wide = {"style": WIDE, "layout": w.Layout(width="min(100%, 640px)")}

    def number(text, value, low, high, stride):
        return w.FloatSlider(value, min=low, max=high, step=stride, description=text, **wide)

    weight = defaults.image_weight
    weight = weight if isinstance(weight, (int, float)) else 0.5
    count = defaults.num_inference_steps
    return {
        "image_prompt": w.Text(image_prompt, description="see", style=NARROW, layout=whole),
        "sound_prompt": w.Text(sound_prompt, description="hear", style=NARROW, layout=whole),
        "num_inference_steps": w.IntSlider(count, min=2, max=100, description="steps", **wide),
        "seed": w.BoundedIntText(0, min=0, max=2**31 - 1, description="seed", **wide),
        "image_scale": number("image guidance", defaults.image_scale, 1, 20, 0.5),
        "sound_scale": number("sound guidance", defaults.sound_scale, 1, 20, 0.5),
        "image_start": number("warm start", defaults.image_start, 0, 0.9, 0.05),
        "rule": w.Dropdown(options=ONE_AT_A_TIME, description="rule", **wide),
        "weight": w.ToggleButtons(
            options=["number", "curve", "map"],
            description="weight",
            style=NARROW | {"button_width": "90px"},
        ),
        "image_weight": number("image weight", weight, 0, 1, 0.05),
        "image_negative": w.Text(defaults.image_negative, description="do not see", **wide),
        "sound_negative": w.Text(defaults.sound_negative, description="do not hear", **wide),
    }
