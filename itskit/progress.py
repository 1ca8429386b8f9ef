"""Progress bars that do not look like errors."""

import sys

from tqdm import tqdm as _tqdm


def tqdm(iterable=None, **options) -> _tqdm:
    """tqdm's plain bar; in a notebook, where all that is written to stderr has a red ground, on
    stdout, so that a terminal's stdout holds results alone. The options are tqdm's."""
    if type(sys.stdout).__module__.partition(".")[0] == "ipykernel":
        options = {"file": sys.stdout, **options}
    return _tqdm(iterable, **options)
