"""Files of a result: picture, sound, film, page, notes, relief. Each carries the recipe that makes
it again, but for the relief, which has no room for more than its name."""

from .files import animation, audio, contact_sheet, figure, png
from .film import video
from .listening_page import listening_page
from .names import safe_name
from .notes import Note, midi, notes
from .pages import iframe, page, page_frames, page_html
from .recipes import read_recipe
from .relief import relief
from .scrub import score_steps

__all__ = [
    "Note",
    "animation",
    "audio",
    "contact_sheet",
    "figure",
    "iframe",
    "listening_page",
    "midi",
    "notes",
    "page",
    "page_frames",
    "page_html",
    "png",
    "read_recipe",
    "relief",
    "safe_name",
    "score_steps",
    "video",
]
