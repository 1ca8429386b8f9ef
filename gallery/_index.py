"""The gallery's page as text; index.css, index.js and the entries' files lie beside it."""

from __future__ import annotations

from html import escape
from pathlib import Path
from types import ModuleType

from _make import PAGE, PICTURE, SOUND
from choose import RULE

TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="itskit">
<title>Images that sound: the itskit gallery</title>
<link rel="stylesheet" href="index.css">
<script src="index.js" defer></script>
</head>
<body>
<a class="skip" href="#pairings">Skip to the pictures</a>
<header>
<h1>Images that sound</h1>
<p>Each picture is also the spectrogram of its sound: time runs from left to right, low sounds lie
at the bottom, bright is loud. Press play, or click in a picture where you want to begin; on a play
button, the left and right arrow keys move by half a second.</p>
<p>They were made by <a href="https://github.com/itskit/itskit">itskit</a> from two prompts
and a seed, by its small pocket pair on a CPU, and each is made again by a file of a few lines. What
is not composed says so: it shows what composing has to beat.
{rule}</p>
</header>
<main>
<section aria-labelledby="pairings">
<h2 id="pairings" tabindex="-1">Pairings</h2>
<ul class="grid">
{pairings}
</ul>
</section>
<section aria-labelledby="failures">
<h2 id="failures">Failures, on purpose</h2>
<p>What goes wrong, and why. Nobody chose their seeds: they are 0, or those of the pairings above
that they spoil.</p>
<ul class="grid">
{failures}
</ul>
</section>
</main>
<footer><p>Weights {weights}. <a href="README.md">How the gallery is made</a>.</p></footer>
</body>
</html>
"""

CARD = """<li class="card" id="{name}">
<h3>{title}</h3>
<div class="picture"><img src="{name}/{picture}" width="{width}" height="{height}" loading="lazy"
alt="A picture made from the words “{image}” and “{sound}”."><span class="playhead"></span></div>
<div class="words">
<button type="button" class="play" hidden><span class="sign" aria-hidden="true"></span></button>
<dl><div class="see"><dt>See</dt><dd>{image}</dd></div>
<div class="hear"><dt>Hear</dt><dd>{sound}</dd></div></dl>
</div>
<audio controls preload="none" src="{name}/{track}" data-seconds="{seconds}"
aria-label="{sound}, from the picture of {image}"></audio>
<p class="remark">{remark}</p>
<p class="seed">{seed}</p>
<p class="links">
<a href="{name}/{page}">{look}<span class="quiet">: {title}</span></a></p>
<details><summary>How this was made<span class="quiet">: {title}</span></summary>
<pre tabindex="0"><code>{source}</code></pre>
<p><a href="{name}.py">{name}.py</a>, run with <code>python gallery/{name}.py</code></p></details>
</li>"""


def index_html(made: dict[ModuleType, dict], choices: dict) -> str:
    """The page of all entries made: {module: recipe}, and what choose.py wrote down."""
    cards = {
        module: CARD.format(
            **{k: escape(str(v)) for k, v in facts(module, recipe, choices).items()}
        )
        for module, recipe in made.items()
    }
    fails = {module for module in made if module.entry.failure}
    weights = sorted({recipe["weights_hash"] for recipe in made.values()})
    return TEMPLATE.format(
        rule=escape(RULE),
        pairings="\n".join(card for module, card in cards.items() if module not in fails),
        failures="\n".join(card for module, card in cards.items() if module in fails),
        weights=escape(", ".join(weights)),
    )


def facts(module: ModuleType, recipe: dict, choices: dict) -> dict:
    """What a card says of an entry."""
    from itskit.spectrogram import POCKET_MEL

    entry, path = module.entry, Path(module.__file__)
    width, height = recipe["width"], POCKET_MEL.n_mels
    return {
        "name": path.stem,
        "title": module.__doc__.strip().rstrip("."),
        "image": entry.image,
        "sound": entry.sound,
        "remark": entry.remark,
        "seed": seed_of(entry, choices.get(path.stem)),
        "source": path.read_text(encoding="utf-8").strip(),
        "picture": PICTURE,
        "track": SOUND,
        "page": PAGE,
        "look": "Look into it" if entry.baseline else "Scrub through its steps",
        "width": width,
        "height": height,
        "seconds": width * POCKET_MEL.hop_length / POCKET_MEL.sr,
    }


def seed_of(entry, choice: dict | None) -> str:
    """The seed, how it was found, and the settings that are the entry's own."""
    said = f"Seed {entry.seed}"
    if entry.baseline:
        said = f"Not composed: {entry.baseline.replace('_', ' ')} · seed {entry.seed}"
    if choice and choice["seed"] == entry.seed and entry.is_chosen:
        said += f", the best of {choice['asked']['seeds']}"
    for name, value in entry.settings.items():
        said += f" · {name.removeprefix('num_').replace('_', ' ')} {value}"
    return said
