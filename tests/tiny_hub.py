"""A model hub on this machine, with the faults of the real one, for tests without a network."""

import json
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34
LARGE = (".safetensors", ".bin", ".pt")  # stored apart, and named by their SHA-256


class TinyHub:
    """Serves {"owner/name": folder} the way `huggingface_hub` asks for it.

    cut      names of files whose transfer breaks off half way
    spoiled  names of files of which another content of the same size arrives
    refused  repository -> an error code of the hub, such as "GatedRepo"
    served   paths of the files that were sent whole, in order
    """

    def __init__(self, repositories: dict[str, Path]):
        self.repositories = repositories
        self.cut, self.spoiled, self.refused, self.served = set(), set(), {}, []
        handler = type("Handler", (_Handler,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()


def _etag(path: Path) -> str:
    content = path.read_bytes()
    if path.suffix in LARGE:
        return sha256(content).hexdigest()
    return sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *message):
        pass

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def _answer(self, body):
        path = unquote(urlsplit(self.path).path).strip("/").split("/")
        asked = path[2:] if path[0] == "api" else path
        repository = "/".join(asked[:2])
        if repository in self.hub.refused or repository not in self.hub.repositories:
            code = self.hub.refused.get(repository, "RepoNotFound")
            return self._send(
                403 if code == "GatedRepo" else 404, b"", body, {"X-Error-Code": code}
            )
        folder = self.hub.repositories[repository]
        if asked[2:3] == ["resolve"]:
            return self._file(folder, "/".join(asked[4:]), body)
        listing = self._tree(folder) if asked[2:3] == ["tree"] else self._info(folder, repository)
        self._send(200, json.dumps(listing).encode(), body, {"Content-Type": "application/json"})

    def _info(self, folder, repository):
        names = [str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()]
        siblings = [{"rfilename": name} for name in names]
        return {"id": repository, "modelId": repository, "sha": COMMIT, "siblings": siblings}

    def _tree(self, folder):
        entries = []
        for path in (p for p in folder.rglob("*") if p.is_file()):
            size, etag = path.stat().st_size, _etag(path)
            entry = {"type": "file", "path": str(path.relative_to(folder)), "size": size}
            if path.suffix in LARGE:
                entry["lfs"] = {"oid": etag, "size": size, "pointerSize": 130}
            entries.append({**entry, "oid": etag[:40]})
        return entries

    def _file(self, folder, name, body):
        path = folder / name
        if not path.is_file():
            return self._send(404, b"", body, {"X-Error-Code": "EntryNotFound"})
        content, etag = path.read_bytes(), _etag(path)
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if path.suffix in LARGE:
            headers |= {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(content))}
        if name in self.hub.spoiled:
            content = content[:-8] + bytes(8)
        start = int(self.headers.get("Range", "bytes=0-")[6:].split("-")[0])
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(206 if start else 200, content[start:], body, headers, name)

    def _send(self, status, content, body, headers, name=""):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if not body:
            return
        if name in self.hub.cut:
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        self.wfile.write(content)
        if name:
            self.hub.served.append(name)
