"""Names that have changed, and still work for one version."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps


def renamed(**new_names: str) -> Callable:
    """Keywords of a function that had other names: the old ones are understood, with a warning.

    @renamed(seed="random_state")
    def reconstruct(picture, random_state=0): ...
    """

    def decorate(function: Callable) -> Callable:
        @wraps(function)
        def understanding(*args, **options):
            for old in new_names.keys() & options.keys():
                message = f"{function.__name__}: {old} is called {new_names[old]} now"
                warnings.warn(message, DeprecationWarning, stacklevel=2)
                options[new_names[old]] = options.pop(old)
            return function(*args, **options)

        return understanding

    return decorate
