"""The lines that make a result again, to be copied out of its page."""

from __future__ import annotations

import shlex

from .. import recipes
from ..modality import Pair
from ..settings import NAMES, Settings
from ..timeline import is_along
from .names import stem_for

# What the command line has a flag for; everything else is left to the recipe in the file.
FLAGS = {
    name: "--" + name.replace("_", "-")
    for name in ("seed", "preset", *NAMES)
    if name not in ("spacing", "crop")
} | {"num_inference_steps": "--steps", "duration": "--seconds"}
LONGEST = 600  # characters: a map of weights is no line to copy


def lines(pair: Pair, recipe: dict) -> dict[str, str]:
    """{"python": ..., "shell": ...}: what makes the result of a recipe again.

    They name the settings that are not the pair's own. Where that would be too long, or the run
    began with a picture or a sound, they read the recipe out of the page itself. The second line is
    quoted for POSIX shells.
    """
    settings, said = _settings(pair, recipe), recipes.arguments(recipe)
    prompts = [said["image_prompt"], said["sound_prompt"]]
    return {
        "python": _python(recipe, prompts, settings),
        "shell": _shell(recipe, prompts, settings),
    }


def _settings(pair: Pair, recipe: dict) -> dict:
    """The settings of a recipe that are not the pair's own, as keyword arguments of `compose`."""
    preset = recipe.get("preset") if recipe.get("preset") in pair.presets else None
    usual = vars(Settings.of(pair, preset)).copy()
    usual["width"] = usual["window"] = pair.image.latent_shape[2] * pair.image.vae_scale_factor
    usual["strength"] = recipe.get("strength")  # counts with init alone, which is read elsewhere
    usual["crop"] = usual["crop"] and not recipe.get("loop")  # which has no edge
    one_sees_all = max(usual["width"], recipe.get("width") or 0)  # older recipes have no windows
    said = {"window": one_sees_all, **recipe, **recipes.arguments(recipe)}
    changed = {k: said[k] for k in NAMES if k in said and said[k] != usual[k]}
    return (
        {"seed": (recipe.get("seeds") or [0])[0]} | ({"preset": preset} if preset else {}) | changed
    )


def _is_more(recipe: dict) -> bool:
    """Whether it is a branch or one of many, began with a picture or a sound, or has guides beside
    those of the prompts."""
    names = {guide["name"] for guide in recipes.guides(recipe)}
    told = recipe.get("init") or recipe.get("branch") or "item" in recipe
    return bool(told or names - set(recipes.ARGUMENTS))


def _python(recipe: dict, prompts: list, settings: dict) -> str:
    pair = f"itskit.load_pair({recipe.get('pair', 'pocket')!r})"
    given = [*map(repr, prompts), *(f"{name}={value!r}" for name, value in settings.items())]
    line = f"itskit.compose({pair}, {', '.join(given)})"
    if _is_more(recipe) or len(line) > LONGEST + sum(map(len, filter(None, prompts))):
        init = ', init="YOUR FILE"' if recipe.get("init") else ""
        file = f"{stem_for(recipe)}.html"
        line = f"itskit.recompose({pair}, itskit.export.read_recipe({file!r}){init})"
    return f"import itskit\n\nresult = {line}"


def _shell(recipe: dict, prompts: list, settings: dict) -> str:
    later = [words for one in prompts if is_along(one) for _, words in one]
    is_plain = (
        all(prompts)
        and not any(words.startswith("-") for words in later)
        and all(
            name in FLAGS and isinstance(value, (str, int, float))
            for name, value in settings.items()
        )
    )
    if _is_more(recipe) or not is_plain:
        init = ["--init", "YOUR FILE"] if recipe.get("init") else []
        return shlex.join(["itskit", "again", f"{stem_for(recipe)}.html", *init])
    flags = [
        FLAGS[name] if value is True else f"{FLAGS[name]}={value}"
        for name, value in settings.items()
    ]
    for k, name in enumerate(recipes.ARGUMENTS):
        if is_along(prompts[k]):
            later = [[f"--{name}-at", f"{at}", words] for at, words in prompts[k] if at]
            flags += [part for one in later for part in one]
            prompts = [*prompts[:k], prompts[k][0][1], *prompts[k + 1 :]]
    if recipe.get("pair", "pocket") != "pocket":
        flags.append(f"--pair={recipe['pair']}")
    end = ["--"] if any(prompt.startswith("-") for prompt in prompts) else []
    return shlex.join(["itskit", "compose", *flags, *end, *prompts])
