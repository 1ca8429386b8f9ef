"""Work beside the notebook: in threads that end with the program, and errors in plain words."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread, main_thread

NO_WORDS = "Write what to see, what to hear, or both."
# In these words threads and pools refuse to start something at the end of the program: a pool that
# has noticed the end leaves the interpreter out.
AT_THE_END = ("interpreter shutdown", "new futures after shutdown")


def in_background(work: Callable, *arguments) -> Thread:
    """Run a function in a thread of its own.

    The interpreter waits for the thread at its end, since a thread that is dropped inside a network
    ("daemon") takes the whole process down with it. So `work` must call `give_way` now and then.

    Parameters
    ----------
    work : callable
    *arguments
        Of `work`.

    Returns
    -------
    Thread
    """

    def run():
        try:
            work(*arguments)
        except RuntimeError as error:
            if not any(words in str(error) for words in AT_THE_END):
                raise

    thread = Thread(target=run)
    thread.start()
    return thread


def give_way() -> None:
    """End this thread if the program is at its end."""
    if not main_thread().is_alive():
        raise SystemExit


def plainly(error: Exception) -> str:
    """An error in words for a user: itskit's own as they are, others with their type."""
    if isinstance(error, (ValueError, FloatingPointError)) and str(error):
        return str(error)
    return f"That did not work: {str(error) or 'no reason was given'} ({type(error).__name__})"
