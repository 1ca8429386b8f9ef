"""A static server for the live page, on this machine alone."""

from __future__ import annotations

import errno
import webbrowser
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

HOST, PORT = "127.0.0.1", 8765


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


def server(folder: Path, port: int | None = None) -> ThreadingHTTPServer:
    """A server of a folder on localhost, not yet running: `serve_forever` does that.

    Parameters
    ----------
    folder : Path
    port : int, optional
        0 is any that is free; None is the usual one, else any: browsers keep what they have loaded
        for each port.

    Raises
    ------
    ValueError
        If the port is taken.
    """
    handler = partial(Handler, directory=str(folder))
    try:
        return ThreadingHTTPServer((HOST, PORT if port is None else port), handler)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        if port is None:
            return server(folder, 0)
        raise ValueError(
            f"--port {port} is taken or not allowed: expected another, or 0 for any that is free"
        ) from None


def serve(folder: Path, port: int | None = None, *, browser: bool = True) -> None:
    """Serve a folder until Ctrl-C; says where, and opens it in the user's `browser`."""
    with server(folder, port) as serving:
        address = f"http://localhost:{serving.server_address[1]}/"
        print(f"{address}   for browsers on this machine; Ctrl-C ends it", flush=True)
        if browser:
            webbrowser.open(address)
        with suppress(KeyboardInterrupt):
            serving.serve_forever()
