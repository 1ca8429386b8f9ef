"""What a lesson showed, as a page without a kernel can show it: pictures, sounds and scrubbers as
files beside the page, widgets as what they held, with a word on what they need."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from html import escape, unescape
from io import BytesIO
from pathlib import Path

import nbformat
from execute import SKIP, digest

from itskit.writing import written

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
IFRAME = re.compile(r'<iframe srcdoc="([^"]*)"[^>]*></iframe>')
DATA = re.compile(r'(<audio[^>]* )?src="data:([\w/+.-]+);base64,([^"]+)"')
UNANSWERED = re.compile(r"<span[^>]*>●</span> Nobody answered\. &ensp;")  # but the reader may
MOST = 6  # of a menu's choices that are named
BAR = re.compile(r"\d+%\|")  # of tqdm
WARNED = re.compile(r"^\S*ipykernel_\S+\.py:\d+: ", re.M)  # where, on the machine that ran it
SUFFIXES = {"audio/mpeg": ".mp3", "image/svg+xml": ".svg", "application/json": ".json"}
# What a person could do with it in a notebook.
PLAYED = {
    "Live": "Where the lesson runs, this is an instrument: type or drag, and it composes at once.",
    "Composer": "Where the lesson runs, this has fields for the words and all settings, a Compose "
    "button and a Stop button.",
    "ListeningTest": "Where the lesson runs, you take the test here: sounds under names that mean "
    "nothing, and your answers are kept.",
    "WeightCurve": "Where the lesson runs, you draw this curve with mouse, finger or keys.",
    "WeightMap": "Where the lesson runs, you paint this map over the canvas.",
}
NOTHING = "Nothing was composed."  # what Composer and Live keep at first
OTHER = "Where the lesson runs, a widget stands here that needs Python."


class Stills:
    """Turns a notebook's outputs into what a page can show; `media` is where files go, and `at` is
    the way there from the page."""

    def __init__(self, media: Path, at: str = "media"):
        self.media, self.at = media, at

    def notebook(self, notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
        """The same notebook, its outputs plain text and HTML alone, without widgets' state."""
        states = notebook.metadata.pop("widgets", {}).get(STATE, {}).get("state", {})
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = list(self.outputs(cell.outputs, states))
                if SKIP in cell.source.splitlines():
                    cell.source = cell.source.replace(f"{SKIP}\n", "")
                    cell.outputs = [shown(note("Not run for this book: it wants a GPU."))]
        return notebook

    def outputs(self, outputs: list, states: dict) -> Iterator[nbformat.NotebookNode]:
        """What is shown of a cell, or of an Output widget."""
        outputs = joined([nbformat.from_dict(output) for output in outputs])
        kept_by = {model for o in outputs for model in kept_in(o)}
        replaced = set()
        for output in outputs:
            data = output.get("data", {})
            if VIEW in data:
                model = data[VIEW]["model_id"]
                yield from self.widget(model, states, has_kept=model in kept_by)
                if name_of(states.get(model, {})) == "Predict":
                    replaced.add(model)
            elif replaced.isdisjoint(kept_in(output)) and NOTHING not in str(data):
                yield self.plain(output)

    def plain(self, output: nbformat.NotebookNode) -> nbformat.NotebookNode:
        data = output.get("data", {})
        if "text/html" in data:
            return shown(self.beside(UNANSWERED.sub("", data["text/html"])))
        for kind in ("image/svg+xml", "image/png", "image/jpeg"):
            if kind in data:
                is_text = kind == "image/svg+xml"
                file = data[kind].encode() if is_text else b64decode(data[kind])
                words = escape(alt_text(data.get("text/plain", "")))
                address = self.keep(file, kind)
                return shown(f'<img src="{address}" alt="{words}" loading="lazy">')
        return output

    def widget(self, model: str, states: dict, has_kept: bool) -> Iterator[nbformat.NotebookNode]:
        """What a page shows in place of a widget."""
        state = states.get(model, {})
        values = state.get("state", {})
        name = name_of(state) or ("Composer" if has_kept else "")  # the one that is a plain box
        if name == "Predict":
            yield shown(question(state))
        elif "widget-interact" in values.get("_dom_classes", []):
            yield from self.interact(values, states)
        elif name in PLAYED:
            yield shown(note(PLAYED[name]))
        elif not has_kept:
            yield shown(note(OTHER))

    def interact(self, box: dict, states: dict) -> Iterator[nbformat.NotebookNode]:
        """What `interact` showed at first, and a word on the controls that it had."""
        children = [states.get(c.removeprefix("IPY_MODEL_"), {}) for c in box.get("children", [])]
        told = [control(child.get("state", {})) for child in children]
        controls = "; ".join(filter(None, told))
        yield shown(note(f"Where the lesson runs, you turn knobs here: {controls}. As they stand:"))
        for child in children:
            if child.get("model_name") == "OutputModel":
                yield from self.outputs(child["state"].get("outputs", []), states)

    # ---- files beside the page -------------------------------------------------------------------

    def beside(self, html: str) -> str:
        """HTML whose scrubbers, pictures and sounds are files, fetched when they are needed."""
        framed = IFRAME.search(html)
        if framed:
            address = self.keep(unescape(framed[1]).encode(), "text/html")
            return (
                f'<iframe class="its-framed" src="{address}" title="Scrubber" loading="lazy" '
                'allow="autoplay"></iframe>'
                f'<p class="its-note"><a href="{address}">The scrubber on a page of its own</a></p>'
            )

        def as_file(found: re.Match) -> str:
            before, kind, data = found.groups()
            address = self.keep(*smaller(b64decode(data), kind))
            return f'{before}preload="none" src="{address}"' if before else f'src="{address}"'

        return DATA.sub(as_file, html)

    def keep(self, file: bytes, kind: str) -> str:
        """Write a file, named after what is in it; returns its address."""
        suffix = SUFFIXES.get(kind, "." + kind.split("/")[1])
        path = self.media / f"{digest([file])}{suffix}"
        if not path.exists():
            self.media.mkdir(parents=True, exist_ok=True)
            with written(path) as part:
                part.write_bytes(file)
        return f"{self.at}/{path.name}"


def shown(html: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_output("display_data", {"text/html": html})


def note(words: str) -> str:
    return f'<p class="its-note">{escape(words)}</p>'


def joined(outputs: list) -> list:
    """The outputs, with what was written to one stream in a row as one text without bars."""
    found = []
    for output in outputs:
        is_more = output.output_type == "stream" and found and found[-1].get("name") == output.name
        if is_more:
            found[-1].text += output.text
        else:
            found.append(output)
    for output in found:
        if output.output_type == "stream":
            output.text = without_bars(output.text)
    return [o for o in found if o.output_type != "stream" or o.text.strip()]


def without_bars(text: str) -> str:
    """What stands on a terminal in the end, less progress bars."""
    lines = (line.rsplit("\r", 1)[-1] for line in text.split("\n"))
    return WARNED.sub("", "\n".join(line for line in lines if not BAR.search(line)))


def kept_in(output: nbformat.NotebookNode) -> set[str]:
    """The widgets whose kernel-less form an output is (see itskit.widgets.kept)."""
    return set(re.findall(r'class="its-kept-(\w+)"', output.get("data", {}).get("text/html", "")))


def name_of(state: dict) -> str:
    return state.get("state", {}).get("_anywidget_id", "").rsplit(".", 1)[-1]


def control(values: dict) -> str:
    """A control of `interact` in words: "step, from 0 to 11, at 6"."""
    name = values.get("description")
    if not name or ("value" not in values and "index" not in values):
        return ""
    options = values.get("_options_labels")
    if options:
        more = f" and {len(options) - MOST} others" if len(options) > MOST else ""
        return f"{name}, one of {', '.join(options[:MOST])}{more}"
    if isinstance(values["value"], bool):
        return f"{name}, on or off"
    if isinstance(values["value"], str):
        return f"{name}, any words, such as “{values['value']}”"
    span = f", from {values['min']:g} to {values['max']:g}" if "min" in values else ""
    return f"{name}{span}, at {values['value']:g}"


def alt_text(repr_of: str) -> str:
    """What a picture is for those who do not see it."""
    found = re.match(r"Picture\((\d+) x (\d+) px", repr_of)
    return f"Picture, {found[1]} by {found[2]} pixels" if found else "Figure"


def question(state: dict) -> str:
    """A Predict as HTML that the book's script brings to life: all that its own script asks for."""
    values = {k: v for k, v in state["state"].items() if not k.startswith("_") and k != "layout"}
    files = {b["path"][0]: b["data"] for b in state.get("buffers", []) if len(b["path"]) == 1}
    data = json.dumps({"values": values, "files": files}, ensure_ascii=False)
    words = escape(values.get("question", ""))
    return f'<div class="its-book-predict" data-widget="{escape(data)}"><p>{words}</p></div>'


def smaller(file: bytes, kind: str) -> tuple[bytes, str]:
    """A WAV file as MP3 where this machine can write one; others as they are."""
    from itskit.export import encode

    if kind != "audio/wav" or encode.sound_type() != "audio/mpeg":
        return file, kind
    import soundfile

    samples, rate = soundfile.read(BytesIO(file), dtype="float32")
    if samples.ndim > 1 or rate not in encode.MP3_RATES:
        return file, kind
    coding = {"format": "MP3", "compression_level": 0.4, "bitrate_mode": "VARIABLE"}
    samples = encode.within_full_scale(samples, rate, **coding)
    out = BytesIO()
    soundfile.write(out, samples, rate, **coding)
    return out.getvalue(), "audio/mpeg"
