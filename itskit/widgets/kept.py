"""What stays of a widget in a saved notebook, where no kernel answers for it."""

from __future__ import annotations

from base64 import b64encode
from html import escape

from .. import recipes
from ..export import encode
from ..media.sounds import ONE_AT_A_TIME
from ..trajectory import Trajectory

VIEW = "application/vnd.jupyter.widget-view+json"


class Kept:
    """A widget that puts a second output under itself: HTML that shows and plays by itself.

    A notebook that is opened again shows "model not found" for a widget, whatever else the same
    output holds. So the HTML has an output of its own. Two rules of CSS hide it while the widget
    is there, and hide the complaint when it is not. A page that takes no styles (GitHub, a
    notebook that is not trusted) does not show widgets either.
    """

    _kept_output = None

    def _kept_html(self) -> str:
        """What to show in the widget's place, as HTML."""
        raise NotImplementedError

    def _ipython_display_(self, **_) -> None:
        self._show_widget()
        self._show_kept()

    def _show_widget(self) -> None:
        from IPython.display import display

        self.add_class(f"its-here-{self.model_id}")
        bundle = self._repr_mimebundle_() if hasattr(self, "_repr_mimebundle_") else {}
        _, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        display({VIEW: view, "text/plain": ""}, metadata=metadata, raw=True)

    def _show_kept(self) -> None:
        from IPython.display import display

        self._kept_output = display(self._kept_bundle(), raw=True, display_id=True)

    def _keep(self, _=None) -> None:
        """What is to stay has changed: write it over what was kept before."""
        if self._kept_output is not None:
            self._kept_output.update(self._kept_bundle(), raw=True)

    def _kept_bundle(self) -> dict:
        here, kept = f".its-here-{self.model_id}", f"its-kept-{self.model_id}"
        output = ".jp-OutputArea-child"
        style = f":root:has({here}) .{kept} {{ display: none }} "
        style += f"{output}:not(:has({here})):has(+ {output} .{kept}) {{ display: none }}"
        html = f'<style>{style}</style><div class="{kept}">{self._kept_html()}</div>'
        return {"text/html": html, "text/plain": type(self).__name__}


def figure(picture: bytes, caption: str, sound: bytes = b"", kind: str = encode.PICTURE_TYPE):
    """HTML with a picture (a file of `kind`), a sound (as of `encode`) and words under them."""
    image = f'<img src="{_data(picture, kind)}" alt="{escape(caption)}" style="width: 100%">'
    audio = _data(sound, encode.sound_type())
    player = f'<br><audio controls src="{audio}" onplay="{ONE_AT_A_TIME}"></audio>'
    words = f"<br><small>{escape(caption)}</small>"
    return f'<div style="max-width: 860px">{image}{player if sound else ""}{words}</div>'


def result_figure(result: Trajectory) -> str:
    """A result as HTML: its picture, its sound, and the words that it was made of."""
    picture = encode.picture_bytes(result.picture().image)
    return figure(picture, words(result), encode.sound_bytes(result.sound()))


def words(result: Trajectory) -> str:
    """The prompts of a result, as "a castle + bells"."""
    return " + ".join(recipes.prompts(result.recipe))


def _data(file: bytes, kind: str) -> str:
    return f"data:{kind};base64,{b64encode(file).decode()}"
