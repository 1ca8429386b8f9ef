"""Notes on prompts: what of its words a model does not read or know."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from .modality import Modality

# Where notes on prompts go in this thread: None is Python's warnings, which no thread owns.
_notes: ContextVar[list[str] | None] = ContextVar("notes", default=None)


@contextmanager
def collect_notes() -> Iterator[list[str]]:
    """Within it what models ignore of their prompts is told to the list that it yields, and not as
    a warning: for programs that show it in a place of their own, from any thread."""
    token = _notes.set([])
    try:
        yield _notes.get()
    finally:
        _notes.reset(token)


def tell_what_is_ignored(modality: Modality, text: str, what: str) -> None:
    """Pass on what `modality` says of a `text`, which is a `what`: "prompt", "negative prompt"."""
    found = modality.check_prompt(text) if modality.check_prompt and text else ()
    if not found:
        return
    shown = text if len(text) <= 60 else text[:59] + "…"
    note = f"{modality.name} {what} {shown!r}: {'; '.join(found)}"
    if (notes := _notes.get()) is not None:
        notes.append(note)
    else:  # at the line that called the toolkit, where Python says it once for each prompt
        frame, level = sys._getframe(), 1
        inside = ("itskit.", "torch.")  # `no_grad` stands between
        while frame.f_back and frame.f_globals.get("__name__", "").startswith(inside):
            frame, level = frame.f_back, level + 1
        warnings.warn(note, stacklevel=level)
