"""A composition again, from its recipe."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from . import recipes, views
from .beginning import describe
from .composition import OF_THE_RUN, Run, compose, composing
from .guidance import Guide, encode_prompt
from .modality import Pair
from .settings import as_weight
from .trajectory import Trajectory


def recompose(pair: Pair, recipe: dict, **changes) -> Trajectory:
    """Compose again from a Trajectory's recipe; a run that was stopped is carried to its end.

    `changes` are keyword arguments of `compose` that replace the recipe's, such as `callback`, or
    `init` and `extra` guides of models that are not the pair's, which a recipe only describes.
    Warns if the networks, or `init`, are not the recipe's.
    """
    return compose(pair, **_arguments(pair, recipes.read(recipe), changes))


def recomposing(pair: Pair, recipe: dict, **changes) -> Run:
    """`recompose` as an iterator of Steps."""
    return composing(pair, **_arguments(pair, recipes.read(recipe), changes))


def _arguments(pair: Pair, recipe: recipes.Recipe, changes: dict) -> dict:
    """The arguments of `compose` that make it again."""
    if method := recipe.get("method"):  # of `baselines`
        raise ValueError(
            f"the recipe is of a {method}, which was not composed: expected a recipe of `compose`; "
            "`itskit.baselines` makes the others"
        )
    made_with = recipe.get("pair"), recipe.get("weights_hash")
    if made_with != (pair.name, pair.weights_hash):
        warnings.warn(
            f"the recipe was made with pair {made_with}, this is {(pair.name, pair.weights_hash)}: "
            "expect another result",
            stacklevel=4,
        )
    _compare_init(recipe, changes)
    # What older recipes do not name.
    kept = {"image_negative": "", "sound_negative": "", "init_fit": "stretch"}
    kept |= {name: recipe[name] for name in (*OF_THE_RUN, "seeds", "preset") if name in recipe}
    kept |= recipes.arguments(recipe)
    if kept.get("preset") not in pair.presets:  # the settings themselves are all in the recipe
        kept["preset"] = None
    for key in ("image_view", "sound_view"):
        if key in kept and kept[key] is None and key not in changes:
            raise ValueError(f"the recipe was made with a view of one's own: expected {key}=...")
    if kept.get("rule", "") is None and "rule" not in changes:
        raise ValueError("the recipe was made with a rule of one's own: expected rule=...")
    kept["extra"] = _extra_again(pair, recipe, changes.get("extra", ()))
    return kept | {name: value for name, value in changes.items() if name != "extra"}


def _extra_again(pair: Pair, recipe: recipes.Recipe, given: Sequence[Guide]) -> list[Guide]:
    """The guides of a recipe beside "image" and "sound": those `given` under their names, and those
    by the pair's own models made again."""
    by_name = {guide.name or guide.modality.name: guide for guide in given}
    found = []
    for entry in recipes.guides(recipe):
        if entry["name"] in recipes.ARGUMENTS:
            continue
        guide = by_name.pop(entry["name"], None)
        model = {"image": pair.image, "sound": pair.sound}.get(entry["model"])
        if guide is None and (model is None or entry["view"] is None):
            raise ValueError(
                f"the recipe has a guide {entry['name']!r} of {entry['model']!r}, which is "
                f"not the pair's to make again: expected extra=[Guide(..., name="
                f"{entry['name']!r})]"
            )
        if guide is not None and model is None and guide.modality.name != entry["model"]:
            warnings.warn(
                f"the recipe has a guide {entry['name']!r} of {entry['model']!r}, this one is of "
                f"{guide.modality.name!r}: expect another result",
                stacklevel=5,
            )
        if guide is None:
            guide = Guide(
                model, encode_prompt(model, entry["prompt"], entry["negative"]), entry["scale"],
                as_weight(entry["weight"]), entry["start"], entry["stop"],
                views.as_view(entry["view"]), entry["name"],
            )  # fmt: skip
        found.append(guide)
    return [*found, *by_name.values()]


def _compare_init(recipe: recipes.Recipe, changes: dict) -> None:
    """Warn if `init` is not what the recipe began with; ValueError if it is missing."""
    if recipe.get("init") and "init" not in changes:
        raise ValueError(f"the recipe began with {recipe['init']}: expected the same as init=...")
    init, began = changes.get("init"), recipe.get("init") or "noise alone"
    given = None if init is None else describe(init, recipe.get("init_background", "white"))
    if given and (began == "noise alone" or given["sha256"] != began["sha256"]):
        warnings.warn(
            f"the recipe began with {began}, this init is {given}: expect another result",
            stacklevel=5,
        )
