"""Files of a result: picture, sound, film, page. Each carries the recipe that makes it again."""

from .names import safe_name
from .pages import iframe, page, page_frames, page_html

__all__ = ["iframe", "page", "page_frames", "page_html", "safe_name"]
