"""A static server for the live page, on this machine alone."""

from __future__ import annotations

import errno
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

HOST = "127.0.0.1"


class Handler(SimpleHTTPRequestHandler):
    """Files with the types that browsers insist on, and the two headers that threads need."""

    extensions_map: ClassVar = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".webmanifest": "application/manifest+json",
        ".md": "text/plain; charset=utf-8",
    }

    def end_headers(self):
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *_) -> None:
        """Says nothing of each file."""


def server(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server of a folder on localhost, not yet running: `serve_forever` does that.

    Parameters
    ----------
    folder : Path
    port : int
        0 is any that is free.

    Raises
    ------
    ValueError
        If the port is taken.
    """
    try:
        return ThreadingHTTPServer((HOST, port), partial(Handler, directory=str(folder)))
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise ValueError(
            f"--port {port} is taken or not allowed: expected another, or 0 for any that is free"
        ) from None


def address(serving: ThreadingHTTPServer) -> str:
    return f"http://localhost:{serving.server_address[1]}/"
