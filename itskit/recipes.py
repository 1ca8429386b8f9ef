"""Recipes: what a run was made with, as a dict that JSON can hold, and old ones in today's form.

    {"guides": [{"name": "image", "model": "image", "prompt": "a castle", "negative": "",
                 "scale": 7.5, "weight": 0.5, "start": 0.1, "stop": 1.0, "view": "identity"}, ...],
     "seeds": [7], "num_inference_steps": 30, "solver": "ddim", "pair": "pocket", ...}

Whatever shows, scores or repeats a run reads the list of its guides, however many there are. The
"model" of a guide is "image" or "sound", as the pair calls it, or the name of a model of one's own.
Where its prompt changes along time, "prompts" is [[0, "a castle"], [30, "a palm tree"]], and
"prompt" shows that in one line.
"""

from __future__ import annotations

import warnings

# What `compose` calls the settings of its two guides, which older recipes called so, too.
ARGUMENTS = {
    "image": {
        "prompt": "image_prompt",
        "negative": "image_negative",
        "scale": "image_scale",
        "weight": "image_weight",
        "start": "image_start",
        "stop": "image_stop",
        "view": "image_view",
    },
    "sound": {
        "prompt": "sound_prompt",
        "negative": "sound_negative",
        "scale": "sound_scale",
        "weight": "sound_weight",
        "start": "sound_start",
        "stop": "sound_stop",
        "view": "sound_view",
    },
}
_PLACES = {old: (name, key) for name, keys in ARGUMENTS.items() for key, old in keys.items()}


class Recipe(dict):
    """A recipe in today's form, which answers to the names of older ones with a warning."""

    def __missing__(self, key):
        if key not in _PLACES:
            raise KeyError(key)
        name, of_it = _PLACES[key]
        warnings.warn(
            f"recipe[{key!r}] is now {of_it!r} of the guide named {name!r} in recipe['guides']",
            DeprecationWarning,
            stacklevel=2,
        )
        return guide(self, name).get(of_it)

    def get(self, key, default=None):
        found = self[key] if key in self or key in _PLACES else None
        return default if found is None else found


def read(recipe: dict) -> Recipe:
    """A recipe of any version in today's form; what has no prompts stays as it is.

    Raises ValueError if its guides are no list of named ones.
    """
    if "guides" in recipe:
        told = recipe["guides"]
        if not isinstance(told, list) or not all(map(_is_named, told)):
            raise ValueError(f"the recipe's guides are {told!r}: expected a list of named guides")
        return Recipe(recipe)
    if isinstance(recipe, Recipe):
        return recipe
    made = {key: value for key, value in recipe.items() if key not in _PLACES}
    unsaid = {"negative": "", "stop": 1.0, "view": "identity"}  # before there was anything else
    found = [
        {"name": name, "model": name, **unsaid}
        | {key: recipe[old] for key, old in keys.items() if old in recipe}
        for name, keys in ARGUMENTS.items()
        if recipe.get(keys["prompt"]) is not None
    ]
    return Recipe({"guides": found} | made if found else made)


def _is_named(entry) -> bool:
    if not isinstance(entry, dict):
        return False
    words = entry.get("name"), entry.get("model", ""), entry.get("prompt") or ""
    return all(isinstance(word, str) for word in words)


def guides(recipe: dict) -> list[dict]:
    """The entries of its guides, in the order of a Step's noises; [] if it does not tell them."""
    return read(recipe).get("guides", [])


def guide(recipe: dict, name: str) -> dict:
    """The entry of the guide of this name; {} if there is none."""
    return next((one for one in guides(recipe) if one["name"] == name), {})


def sense(entry: dict) -> str:
    """What a person does with a guide's words: "see", "hear", or the guide's name."""
    return {"image": "see", "sound": "hear"}.get(entry["model"], entry["name"])


def prompts(recipe: dict) -> list[str]:
    """The words of all guides that have some, in their order."""
    return [one["prompt"] for one in guides(recipe) if one.get("prompt")]


def words(entry: dict):
    """What a guide's entry says for a prompt: words, or a list of (seconds, words)."""
    return entry.get("prompts") or entry["prompt"]


def picks_among_items(rule) -> bool:
    """Whether a rule, as a recipe says it, takes the items of a batch for particles, so that none
    of them comes about alone."""
    name = rule.get("name") if isinstance(rule, dict) else rule
    inner = isinstance(rule, dict) and "rule" in rule and picks_among_items(rule["rule"])
    return name in ("corrected", "product") or bool(inner)


def rule_at(recipe: dict, index: int):
    """The rule by which step `index` was made, which in a branch may be that of the run before.
    None is one of the user's own."""
    while (began := recipe.get("branch")) and index < began["step"]:
        recipe = began["of"]
    return {"rule": "mean", **recipe}["rule"]  # None is an answer


def arguments(recipe: dict) -> dict:
    """The guides named "image" and "sound" as keyword arguments of `compose`, and who else there is
    is left out. One that has no entry has None for a prompt."""
    found = {"image_prompt": None, "sound_prompt": None}
    for name, keys in ARGUMENTS.items():
        entry = guide(recipe, name)
        found |= {keys[key]: value for key, value in entry.items() if key in keys}
        if "prompts" in entry:
            found[keys["prompt"]] = words(entry)
    return found
