"""A listening test as one file, for people without Python."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from pathlib import Path

from .. import web
from ..listening import Plan, levelled
from ..writing import written
from . import encode
from .names import file_for
from .pages import POLICY, _json_in_html


def listening_page(plan: Plan, path="out/listening.html", *, orders: int = 24) -> Path:
    """Write a listening test as a page that needs no network, and its envelope beside it.

    Whoever opens the page gets one of the orders by chance and a few random letters for a name.
    Answers stay in their browser until they download them, as the JSONL that `listening.read`
    reads, with the plan or its envelope. The test can be interrupted, and taken by several people
    in turn.

    The page does not hold the key, apart from that of the practice items: only sounds, under names
    that mean nothing. What it cannot hide from somebody who reads its source are the sounds
    themselves, and that a repeated question plays the same sound. Keep the envelope,
    NAME.xxxxxxxx.key.json, away from listeners, and open it when all have answered.

    Parameters
    ----------
    plan : Plan
        Of `itskit.listening`.
    path : path
        A file's name, or a folder. Folders are made.
    orders : int
        How many orders there are to be had.

    Returns
    -------
    Path
        Of the page. An envelope that is there already for the same questions is used again, so that
        answers to an earlier copy of the page count.
    """
    if orders < 1:
        raise ValueError(f"orders={orders}: expected 1 or more")
    path = file_for(path, "listening", ".html")
    plan = plan.kept(path)
    sheets = [plan.sheet(order) for order in range(orders)]
    asked = [(id, trial) for sheet in sheets for id, (trial, _) in sheet.key.items()]
    heard = levelled([clip.sound for clip in plan.clips])
    sounds = [b64encode(encode.lossless_bytes(sound)).decode() for sound in heard]
    data = {
        "facts": plan.facts(),
        "sheets": [sheet.trials for sheet in sheets],
        "practice": {id: trial.right for id, trial in asked if trial.training},
        "sounds": dict(sorted(zip(plan.sound_ids(), sounds, strict=True))),
        "name": f"{path.stem}-answers.jsonl",
    }
    html = web.page(
        policy=POLICY, main="listening", mount="mountListening", title=escape(plan.question),
        padding="clamp(8px, 3vw, 40px)", light=web.PALETTE["light"]["page"],
        dark=web.PALETTE["dark"]["page"], style=web.style("listening_page.js"),
        data=_json_in_html(data), script=web.script("listening_page.js"),
    )  # fmt: skip
    with written(path) as part:
        part.write_text(html, encoding="utf-8")
    return path
