"""One file that shows and plays everything, with no kernel and no network."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from .. import web
from ..trajectory import Trajectory
from ..writing import written
from . import scrub
from .names import digest, file_for, stem_for, stem_of, tag_of, title_of
from .recipes import recipe_in

# Nothing may be fetched, not even by mistake: all that the page needs is in it.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; media-src data: blob:"
)


@dataclass(frozen=True)
class Page:
    """A finished page: a notebook shows it in its output, and keeps it there."""

    html: str

    def __repr__(self) -> str:
        return f"Page({len(self.html) / 1e6:.1f} MB of HTML)"

    def save(self, path) -> Path:
        """Write it as a file of its own; the folders above it are made."""
        stem = stem_for(recipe_in(self.html) or {}, self.html.encode())
        path = file_for(path, stem, ".html")
        with written(path) as part:
            part.write_text(self.html, encoding="utf-8")
        return path

    def _repr_html_(self) -> str:
        return iframe(self.html)


def page(
    trajectory: Trajectory,
    path=None,
    *,
    item: int = 0,
    steps: int | None = None,
    keyframes: int = 4,
    scores: Sequence[dict] | None = None,
    progress: bool = False,
) -> Path:
    """Write a self-contained HTML page with the scrubber; 50 steps are under 4 MB.

    Parameters
    ----------
    trajectory : Trajectory
    path : path, optional
        A file's name, or a folder, where the file is named after the prompts. Folders are made.
    item : int
        Which of the batch.
    steps : int, optional
        How many of the result and of the noise that it comes out of, evenly spread; None is all.
    keyframes : int
        How many of what each model alone believes.
    scores : sequence of dict, optional
        Further curves, from `score_steps`.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    Path
        Where it was written.
    """
    tag = tag_of(
        steps=steps,
        keyframes=keyframes if keyframes != 4 else None,
        scores=digest({}, json.dumps(scores).encode()) if scores else None,
    )
    path = file_for(path, stem_of(trajectory, item) + tag, ".html")
    frames = page_frames(trajectory, item=item, steps=steps, keyframes=keyframes)
    if progress:
        from ..progress import tqdm

        total = sum(map(len, _chosen(trajectory, item, steps, keyframes).values()))
        frames = tqdm(frames, desc="page", unit="sound", total=total)
    facts = scrub.facts(trajectory, item=item, scores=scores)
    html = page_html(facts, frames)
    with written(path) as part:
        part.write_text(html, encoding="utf-8")
    return path


def page_frames(
    trajectory: Trajectory, *, item: int = 0, steps: int | None = None, keyframes: int = 4
) -> Iterator[scrub.Frame]:
    """The frames of a page: `steps` of the result and of the noise that it comes from (None: all),
    `keyframes` of what each model alone believes."""
    return scrub.prepare(trajectory, _chosen(trajectory, item, steps, keyframes), item=item)


def _chosen(
    trajectory: Trajectory, item: int, steps: int | None, keyframes: int
) -> dict[str, list[int]]:
    """Which steps of which track are in a page."""
    chosen = {}
    for track in (track["key"] for track in scrub.tracks(trajectory)):
        has = list(scrub.latents(trajectory, track, item))
        count = steps if track in ("clean", "noisy") else keyframes
        chosen[track] = has if count is None else scrub.keyframes(has, count)
    return chosen


def page_html(facts: dict, frames: Iterable[scrub.Frame], *, embedded: bool = False) -> str:
    """The page as text; `embedded` leaves out the margin and the background around it."""
    data = facts | {"frames": [frame.as_text() for frame in frames]}
    return web.page(
        policy=POLICY,
        main="scrubber",
        mount="mountPage",
        title=escape(title_of(facts["recipe"])),
        padding="2px" if embedded else "clamp(8px, 3vw, 40px)",
        light="transparent" if embedded else web.PALETTE["light"]["page"],
        dark="transparent" if embedded else web.PALETTE["dark"]["page"],
        style=web.style("scrubber.js"),
        data=_json_in_html(data),
        script=web.script("scrubber.js"),
    )


def iframe(html: str, height: int = 720) -> str:
    """The page inside another page or a notebook's output: an `<iframe srcdoc>`, which keeps its
    scripts and styles to itself and needs no file beside it."""
    return (
        f'<iframe srcdoc="{escape(html, quote=True)}" title="Scrubber" '
        f'style="width: 100%; height: {height}px; border: 0" allow="autoplay" loading="lazy">'
        "</iframe>"
    )


def _json_in_html(data: dict) -> str:
    """JSON that can stand inside a script element: no text in it can close that element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
