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
# Typed arrays come out of a browser as texts.
PACK = """
window.pack = (array) => {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  let text = "";
  for (let k = 0; k < bytes.length; k += 32768) text += String.fromCharCode(...bytes.subarray(k, k + 32768));
  return btoa(text);
};
window.unpack = (text) => new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
"""
# window.engine keeps all that the worker says; `until` resolves to the next message of a kind.
ENGINE = """
window.open = (load) => {
  const worker = new Worker("engine.js", { type: "module" });
  const waiting = [];
  window.engine = { worker, log: [], until: (wanted) => new Promise((done) => waiting.push({ wanted, done })) };
  const hear = (message) => {
    engine.log.push(message);
    for (const one of waiting.splice(0)) {
      if (one.wanted(message)) one.done(message);
      else waiting.push(one);
    }
  };
  worker.onmessage = ({ data }) => hear(data);
  worker.onerror = (event) => hear({ type: "error", message: event.message });
  worker.postMessage({ type: "load", base: location.href, ...load });
  return engine.until(({ type }) => type === "ready" || type === "error");
};
window.ask = (message, ...types) => {
  const answer = engine.until(({ type, id }) => [...types, "error"].includes(type) && (id === message.id || id === undefined));
  engine.worker.postMessage(message);
  return answer;
};
"""


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
