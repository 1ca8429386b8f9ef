"""The live page: the pocket pair in a browser, with nothing to install (`itskit live`).

`build` makes a static folder of it, which any host can serve; `serve` serves it on this machine.
"""

from __future__ import annotations

import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

from .. import __version__, web
from ..writing import make_folder
from .serving import serve, server
from .shell import EXAMPLES, write_shell

__all__ = ["EXAMPLES", "build", "is_current", "serve", "server", "write_shell"]

MARK = ".itskit-live"  # says that a folder is ours, and what it was made of


def build(out) -> Path:
    """Make the folder of the live page.

    Parameters
    ----------
    out : path
        What an earlier call has made there is replaced, and only once the new one is whole.

    Returns
    -------
    Path
        Of the page's first file.

    Raises
    ------
    ValueError
        If something else is in the folder.
    """
    import itskit

    from .engine import write_engine

    out = Path(out).resolve()
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / MARK).is_file())):
        raise ValueError(f"{out} holds something else than a live page: choose another folder")
    if not out.exists():
        make_folder(out)
    work = out.with_name(f".itskit-{os.getpid()}-{out.name}")
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir()
        write_engine(work)
        write_shell(work, itskit.load_pair("pocket"))
        (work / MARK).write_text(json.dumps(stamp()), encoding="utf-8")
        shutil.rmtree(out, ignore_errors=True)
        work.rename(out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return out / "index.html"


def is_current(out) -> bool:
    """Whether a folder holds the live page as this version makes it."""
    mark = Path(out) / MARK
    try:
        return json.loads(mark.read_text(encoding="utf-8")) == stamp()
    except (OSError, ValueError):
        return False


def stamp() -> dict:
    """What a live page is made of: the toolkit's version, scripts, weights."""
    package = Path(web.__file__).parent.parent
    parts = [p for p in sorted((package / "web").rglob("*")) if p.is_file()]
    parts += sorted((package / "live").glob("*.py"))
    parts += sorted((package / "models" / "pocket").glob("*.py"))
    parts += [package / "models" / "pocket" / "weights" / "weights.json"]
    total = sha256()
    for path in parts:
        if "__pycache__" not in path.parts:
            total.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return {"itskit": __version__, "made_of": total.hexdigest()}
