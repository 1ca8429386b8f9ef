"""Files of a result: picture, sound, film, page. Each carries the recipe that makes it again."""

from .files import animation, audio, contact_sheet, figure, png
from .film import video
from .names import safe_name
from .pages import iframe, page, page_frames, page_html
from .recipes import read_recipe
from .scrub import score_steps

__all__ = [
    "animation",
    "audio",
    "contact_sheet",
    "figure",
    "iframe",
    "page",
    "page_frames",
    "page_html",
    "png",
    "read_recipe",
    "safe_name",
    "score_steps",
    "video",
]
