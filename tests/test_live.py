"""The live page as a folder, its server, and the command that makes both."""

import json
import re
import threading
from dataclasses import replace
from hashlib import sha256
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from test_repository import ROOT, tomllib

import itskit
from itskit import cli, export, live, recipes
from itskit.live import engine, serving, shell
from itskit.settings import Settings
from itskit.spectrogram import row_frequencies


@pytest.fixture(scope="module")
def pair():
    return itskit.load_pair("pocket")


def small_engine(out, pair=None):
    """In the place of sixty megabytes."""
    (out / "networks").mkdir()
    (out / "networks" / "a.onnx.gz").write_bytes(bytes(100))
    files = [{"name": "networks/a.onnx.gz", "bytes": 100, "sha256": "0"}]
    files += [{"name": "ort/x.asyncify.wasm.gz", "bytes": 9, "sha256": "0"}]
    (out / "engine.json").write_text(json.dumps({"files": files}), encoding="utf-8")


@pytest.fixture
def quick(monkeypatch, pair):
    """Building takes a second."""
    monkeypatch.setattr(engine, "write_engine", small_engine)
    monkeypatch.setattr(itskit, "load_pair", lambda name: pair, raising=False)


@pytest.fixture
def folder(quick, tmp_path):
    live.build(tmp_path / "live")
    return tmp_path / "live"


def facts_of(folder):
    text = (folder / "page" / "facts.js").read_text(encoding="utf-8")
    return json.loads(re.fullmatch(r"export const FACTS = (.*);\n", text, re.S)[1])


# ---- the folder ----------------------------------------------------------------------------------


def test_the_folder_lists_its_files_with_their_hashes(folder):
    rows = json.loads((folder / "files.json").read_text(encoding="utf-8"))
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert {row["name"] for row in rows} == there - {"files.json", "sw.js", live.MARK}
    for row in rows:
        data = (folder / row["name"]).read_bytes()
        assert (row["bytes"], row["sha256"]) == (len(data), sha256(data).hexdigest())
    keeper = (folder / "sw.js").read_text(encoding="utf-8")
    told = json.loads(re.search(r"const FILES = (\{.*?\n\});", keeper, re.S)[1])
    assert told == {row.pop("name"): row for row in rows}


def test_the_page_knows_what_the_pair_knows(folder, pair):
    facts, usual = facts_of(folder), vars(Settings.of(pair))
    assert facts["usual"] == {name: usual[name] for name in facts["usual"]}
    assert {"image_scale", "sound_weight", "num_inference_steps", "strength"} <= set(facts["usual"])
    assert (facts["size"], facts["rate"], facts["seconds"]) == ([512, 128], 16000, 5.12)
    assert facts["hertz"] == pytest.approx(row_frequencies(), abs=0.1)
    assert [one["name"] for one in facts["packed"]] == ["networks/a.onnx.gz"]


def test_its_examples_are_the_gallerys_with_the_shipped_weights(folder, pair):
    examples = facts_of(folder)["examples"]
    assert [one["name"] for one in examples] == list(shell.EXAMPLES)
    for one in examples:
        recipe = export.read_recipe(ROOT / "gallery" / one["name"] / "picture.png")
        assert one["recipe"] == recipe and recipe["weights_hash"] == pair.weights_hash
        assert [one["image"], one["sound"]] == recipes.prompts(recipe)
        for file in (shell.PICTURE, shell.SOUND):
            assert (folder / "gallery" / one["name"] / file).is_file()


def test_examples_of_other_weights_are_left_out(quick, pair, tmp_path):
    small_engine(tmp_path)
    shell.write_shell(tmp_path, replace(pair, weights_hash="other"))
    assert facts_of(tmp_path)["examples"] == []
    assert not (tmp_path / "gallery").exists()


def test_a_wheel_has_the_examples():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    said = tomllib.loads(text)["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    files = [f"{name}/{f}" for name in shell.EXAMPLES for f in (shell.PICTURE, shell.SOUND)]
    assert said == {f"gallery/{file}": f"itskit/web/live/gallery/{file}" for file in files}


def test_what_is_somebody_elses_stays(quick, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match="something else than a live page: choose another"):
        live.build(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_interrupted_build_leaves_the_old_page(folder, monkeypatch):
    before = (folder / "files.json").read_bytes()

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(live, "write_shell", stop)
    with pytest.raises(KeyboardInterrupt):
        live.build(folder)
    assert (folder / "files.json").read_bytes() == before
    assert [path.name for path in folder.parent.iterdir()] == ["live"]


def test_a_page_is_current_until_what_it_is_made_of_changes(folder, monkeypatch, tmp_path):
    assert live.is_current(folder)
    assert not live.is_current(tmp_path / "nowhere")
    monkeypatch.setattr(live, "__version__", "9")
    assert not live.is_current(folder)


# ---- the server ----------------------------------------------------------------------------------


@pytest.fixture
def address(folder):
    with serving.server(folder, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_address[1]}/"
        server.shutdown()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", "text/html"),
        ("page/main.js", "text/javascript"),
        ("ort/a.wasm", "application/wasm"),
        ("ort/a.mjs", "text/javascript"),
        ("gallery/owl_hooting/sound.mp3", "audio/mpeg"),
    ],
)
def test_the_server_says_what_browsers_insist_on(folder, address, name, kind):
    (folder / "ort").mkdir()
    for made in ("a.wasm", "a.mjs"):
        (folder / "ort" / made).write_bytes(b"x")
    with urlopen(address + name) as answer:
        headers = answer.headers
        assert headers.get_content_type() == kind
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"


def test_the_server_shows_nothing_outside_its_folder(folder, address):
    (folder.parent / "secret.txt").write_text("secret", encoding="utf-8")
    for path in ("../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt"):
        with pytest.raises(HTTPError, match="404"):
            urlopen(address + path)


def test_only_this_machine_is_served(folder):
    with serving.server(folder, 0) as server:
        assert server.server_address[0] == "127.0.0.1"


# ---- the command ---------------------------------------------------------------------------------


def test_the_command_builds_what_is_missing_and_serves_it(quick, tmp_path, monkeypatch, capsys):
    served, opened = [], []
    monkeypatch.setattr(
        serving.ThreadingHTTPServer, "serve_forever", lambda self: served.append(self)
    )
    monkeypatch.setattr(serving.webbrowser, "open", opened.append)
    out = str(tmp_path / "page")
    assert cli.main(["live", "--out", out, "--port", "0"]) == 0
    said = capsys.readouterr().out
    assert "Making the live page" in said
    assert (tmp_path / "page" / "index.html").is_file()
    assert len(served) == 1 and opened[0] in said
    assert cli.main(["live", "--out", out, "--port", "0", "--no-browser"]) == 0
    assert "Making" not in capsys.readouterr().out  # it is there
    assert (len(served), len(opened)) == (2, 1)
    assert cli.main(["live", "--out", out, "--only-build"]) == 0
    assert len(served) == 2


def test_a_port_that_is_taken_is_told(folder, capsys):
    with serving.server(folder, 0) as taken:
        port = taken.server_address[1]
        assert cli.main(["live", "--out", str(folder), "--port", str(port)]) == 2
        assert f"--port {port} is taken" in capsys.readouterr().err
        with serving.server(folder) as usual, serving.server(folder) as another:
            assert usual.server_address[1] != another.server_address[1]
