"""The live page's scripts and engine on a plain static server, as any host serves them."""

import base64
import shutil
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np

from itskit import web

LIVE = Path(web.__file__).parent / "live"
HELP = (Path(__file__).parent / "live_page.js").read_text(encoding="utf-8")  # an init script


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def served(folder):
    """The address of a folder on a static server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


def scripts(folder: Path) -> Path:
    """A page with the engine's modules beside it, and nothing else."""
    for path in [*LIVE.glob("*.js"), LIVE.parent / "fourier.js"]:
        shutil.copy(path, folder / path.name)
    blank(folder)
    return folder


def blank(folder: Path) -> None:
    """A page without anything in it."""
    page = '<!doctype html><title>live</title><link rel="icon" href="data:,">'
    (folder / "blank.html").write_text(page, encoding="utf-8")


def array(text: str, dtype="<f4") -> np.ndarray:
    """What `pack` made of a typed array."""
    return np.frombuffer(base64.b64decode(text), dtype)


def packed(values) -> str:
    """Numbers for `unpack`."""
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()
