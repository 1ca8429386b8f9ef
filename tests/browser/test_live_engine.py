"""The live page's engine, in a real browser on a plain static server, against Python."""

import json
import subprocess
from hashlib import sha256

import numpy as np
import pytest
import torch
from live_folder import HELP, array, blank, packed, served

import itskit
from itskit import media
from itskit.audio.mel import POCKET_MEL, mel_picture
from itskit.media import Picture, Sound
from itskit.models import pocket
from itskit.models.pocket import analyse_picture, analyse_sound

pytestmark = pytest.mark.browser

WORDS = {"image_prompt": "a castle with towers", "sound_prompt": "church bells ringing", "seed": 7}
FEW = WORDS | {"num_inference_steps": 2}
VERSIONS = {"torch", "diffusers", "onnxruntime", "onnxruntime-web", "engine"}


@pytest.fixture(scope="module")
def pair():
    return pocket.load(engine="torch")  # onnxruntime would judge itself


@pytest.fixture(scope="module")
def address(live_engine):
    blank(live_engine)
    with served(live_engine) as address:
        yield address


@pytest.fixture(scope="module")
def open_engine(browser, address):
    """Opens a page with an engine; fails on any error that it reports, and on what is asked of
    another host."""
    pages, errors = [], []

    def open_it(early=None, **load):
        page = browser.new_page()
        pages.append(page)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.context.on(
            "request", lambda r: None if r.url.startswith((address, "data:")) else errors.append(r)
        )
        page.add_init_script(HELP)
        page.goto(address + "blank.html")
        page.set_default_timeout(120_000)
        return page, page.evaluate(BEGIN, [{"device": "wasm", **load}, early])

    yield open_it
    for page in pages:
        page.close()
    assert errors == []


@pytest.fixture(scope="module")
def engine(open_engine):
    page, ready = open_engine()
    assert ready["type"] == "ready", ready
    return page


BEGIN = """([load, early]) => {
    const ready = begin(load);
    if (early) engine.worker.postMessage(early);
    return ready;
}"""
COUNT = iter(range(1, 10_000))


def compose(page, settings):
    """Its number, and the last word about it."""
    number = next(COUNT)
    return number, ask(page, {"type": "compose", "id": number, "settings": settings}, "done")


def ask(page, message, kind):
    return page.evaluate("([message, kind]) => ask(message, kind)", [message, kind])


def told(page, number, kind):
    """The messages of one kind about a composition."""
    return page.evaluate("([id, kind]) => told(id, kind)", [number, kind])


def agrees(page, number, run, latents=1e-2, levels=2):
    """Every step and the sound of a composition are those of a run in Python."""
    steps = told(page, number, "step")
    assert [one["step"] for one in steps] == list(range(len(run)))
    for one, step in zip(steps, run.steps, strict=True):
        last = one["step"] == one["steps"] - 1
        truth = run.latent if last else step.clean
        assert np.abs(array(one["latent"]) - truth.flatten().numpy()).max() < latents
        there = np.asarray(run.picture(None if last else one["step"]).image, int)
        here = array(one["pixels"], "u1").reshape(there.shape)
        assert np.abs(here - there).max() <= levels
    (sound,) = told(page, number, "sound")
    assert (sound["step"], sound["sr"]) == (len(run) - 1, 16000)
    here, there = array(sound["samples"]), run.sound().audible().samples
    apart = (mel_picture(here) - mel_picture(there)) * POCKET_MEL.decibels
    assert float(apart.square().mean().sqrt()) < 1  # the pictures may differ by a grey level
    assert np.corrcoef(here, there)[0, 1] > 0.9


# ---- the folder ----------------------------------------------------------------------------------


def test_the_folder_is_whole_and_light(live_engine):
    about = json.loads((live_engine / "engine.json").read_text(encoding="utf-8"))
    for one in about["files"]:
        data = (live_engine / one["name"]).read_bytes()
        assert (len(data), sha256(data).hexdigest()) == (one["bytes"], one["sha256"])
    total = sum(path.stat().st_size for path in live_engine.rglob("*") if path.is_file())
    assert total < 60e6  # both runtimes; a visitor loads one


def test_another_runtime_than_the_pinned_one_is_refused(tmp_path, monkeypatch):
    from itskit.live import engine

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(engine, "_fetched", lambda: b"something else")
    with pytest.raises(ValueError, match="expected sha512-q0y"):
        engine.runtime()
    assert not list(tmp_path.rglob("*.tgz"))


def test_without_npm_the_runtime_comes_from_the_registry(tmp_path, monkeypatch):
    from itskit.live import engine

    asked = []
    monkeypatch.setattr(engine.shutil, "which", lambda name: None)
    monkeypatch.setattr(
        engine, "urlopen", lambda url, timeout: asked.append(url) or path.open("rb")
    )
    path = tmp_path / "package"
    path.write_bytes(b"the package")
    assert engine._fetched() == b"the package"
    assert asked == ["https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-1.30.0.tgz"]
    monkeypatch.setattr(engine, "urlopen", lambda url, timeout: (tmp_path / "nothing").open("rb"))
    with pytest.raises(OSError, match="could not be fetched"):
        engine._fetched()
    monkeypatch.setattr(engine.shutil, "which", lambda name: "npm")
    monkeypatch.setattr(subprocess, "run", lambda command, **_: path.rename(tmp_path / "no.tgz"))
    with pytest.raises(OSError, match="could not be fetched"):
        engine._fetched()  # npm brought nothing, either


# ---- compositions --------------------------------------------------------------------------------


def test_a_short_composition_is_that_of_python(engine, pair):
    number, answer = compose(engine, FEW)
    assert answer["type"] == "done", answer
    run = itskit.compose(
        pair, *list(WORDS.values())[:2], seed=7, num_inference_steps=2, progress=False
    )
    agrees(engine, number, run)
    known = {k: v for k, v in run.recipe.items() if k not in VERSIONS}
    assert {k: v for k, v in answer["recipe"].items() if k not in VERSIONS} == known


@pytest.mark.slow
def test_a_whole_composition_is_that_of_python(engine, pair):
    number, answer = compose(engine, WORDS)
    assert answer["type"] == "done", answer
    agrees(engine, number, itskit.compose(pair, *list(WORDS.values())[:2], seed=7, progress=False))


OTHERS = {
    "alone": {"sound_prompt": "", "image_negative": "fog", "seed": 2**53 - 1},
    "curve": {"image_weight": {"per_step": [0.2, 0.8]}, "sound_weight": 0.4, "solver": "ddim"},
    "late": {"image_start": 0.5, "image_scale": 1, "spacing": "leading", "sound_view": "flip_time"},
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_settings_do_what_they_do_in_python(engine, pair, name):
    number, answer = compose(engine, FEW | OTHERS[name])
    assert answer["type"] == "done", answer
    agrees(engine, number, itskit.recompose(pair, answer["recipe"], progress=False))


def test_a_run_begins_with_a_picture_as_in_python(engine, pair):
    rows, columns = np.mgrid[:128, :512]
    grey = np.where((rows - 64) ** 2 + (columns - 250) ** 2 < 2500, 40, 230).astype(np.uint8)
    look = """async (grey) => { const data = Uint8ClampedArray.from(grey);
        const found = await ask({ type: "analyse", kind: "picture", data }, "analysed");
        window.began = unpack(found.latent);
        return found }"""
    found = engine.evaluate(look, grey.flatten().tolist())
    picture = Picture(media.plain(media.picture_of_array(grey)).image)
    truth = pair.image.encode(analyse_picture(picture))
    assert found["kind"] == "picture"
    assert np.abs(array(found["latent"]) - truth.flatten().numpy()).max() < 1e-3
    settings = FEW | {"num_inference_steps": 4, "strength": 0.5}
    settings["init_told"] = {"kind": "Picture", "shape": [128, 512], "sha256": "of the file"}
    number = next(COUNT)
    begin = "([id, own]) => ask({ type: 'compose', id, settings: { ...own, init: began } }, 'done')"
    answer = engine.evaluate(begin, [number, settings])
    assert answer["recipe"]["init"]["kind"] == "Picture"
    assert answer["recipe"]["strength"] == 0.5
    run = itskit.compose(
        pair, *list(WORDS.values())[:2], seed=7, num_inference_steps=4, strength=0.5, init=picture,
        progress=False,
    )  # fmt: skip
    agrees(engine, number, run)


def test_a_recording_is_read_as_in_python(engine, pair):
    y = (0.2 * np.sin(2 * np.pi * 500 * np.arange(40000) / 16000)).astype(np.float32)
    look = "(y) => ask({ type: 'analyse', kind: 'sound', data: unpack(y) }, 'analysed')"
    found = array(engine.evaluate(look, packed(y))["latent"])
    truth = pair.sound.encode(analyse_sound(media.fit_sound(Sound(y, 16000), 5.12)))
    assert np.abs(found - truth.flatten().numpy()).max() < 2e-2


def test_every_step_can_be_heard(engine):
    number, _ = compose(engine, FEW)
    found = ask(engine, {"type": "hear", "id": number, "step": 0}, "sound")
    last, first = told(engine, number, "sound")
    assert first == found
    assert (found["sr"], found["step"], last["step"]) == (16000, 0, 1)
    here, there = array(found["samples"]), array(last["samples"])
    assert here.shape == there.shape == (81920,)
    assert np.abs(here - there).max() > 0.01
    gone = ask(engine, {"type": "hear", "id": 99_999, "step": 0}, "sound")
    assert "compose it again" in gone["message"]


def test_a_new_composition_replaces_the_one_before_and_one_can_be_stopped(engine):
    first, second, third = (next(COUNT) for _ in range(3))
    send = "(message) => engine.worker.postMessage(message)"
    engine.evaluate(send, {"type": "compose", "id": first, "settings": WORDS})
    engine.evaluate(send, {"type": "compose", "id": second, "settings": WORDS | {"seed": 1}})
    begun = "(id) => engine.until((one) => one.type === 'step' && one.id === id).then(() => {})"
    engine.evaluate(begun, second)
    engine.evaluate(send, {"type": "stop", "id": second})
    answer = ask(engine, {"type": "compose", "id": third, "settings": FEW}, "done")
    assert (answer["type"], answer["id"]) == ("done", third)
    assert told(engine, first, "step") == []
    assert 1 <= len(told(engine, second, "step")) <= 3
    for number in (first, second):
        assert told(engine, number, "done") == told(engine, number, "error") == []


def test_drafts_look_like_what_they_are_drafts_of(engine, pair):
    number = next(COUNT)
    message = {"type": "thumbnails", "id": number, "settings": WORDS, "seeds": [7, 8]}
    wait = """(message) => {
        const all = engine.until((one) => one.type === "error" || one.seed === 8);
        engine.worker.postMessage(message);
        return all.then(plain);
        }"""
    assert engine.evaluate(wait, message)["type"] == "thumbnail"
    drafts = told(engine, number, "thumbnail")
    assert [one["seed"] for one in drafts] == [7, 8]
    assert {(one["width"], one["height"]) for one in drafts} == {(256, 64)}
    draft = array(drafts[0]["pixels"], "u1").reshape(64, 256)
    run = itskit.compose(
        pair, *list(WORDS.values())[:2], seed=7, num_inference_steps=4, progress=False
    )
    small = np.asarray(run.picture().image, float).reshape(64, 2, 256, 2).mean((1, 3))
    assert np.abs(draft - small).max() <= 3


def test_drafts_wait_for_a_composition_and_can_be_stopped(engine):
    drafts, run = next(COUNT), next(COUNT)
    send = "(message) => engine.worker.postMessage(message)"
    asked = {"type": "thumbnails", "id": drafts, "settings": FEW, "seeds": list(range(100, 140))}
    engine.evaluate(send, asked)
    answer = ask(engine, {"type": "compose", "id": run, "settings": FEW}, "done")
    assert answer["type"] == "done"
    order = engine.evaluate("engine.log.map(({ type, id }) => [type, id])")
    first, last = (order.index([kind, run]) for kind in ("step", "done"))
    # One that is as good as ready may come in between, no more.
    assert order[first:last].count(["thumbnail", drafts]) <= 1
    engine.evaluate(send, {"type": "stop", "id": drafts})
    ask(engine, {"type": "compose", "id": next(COUNT), "settings": FEW}, "done")
    assert len(told(engine, drafts, "thumbnail")) < 5


# ---- what goes wrong -----------------------------------------------------------------------------

WRONG = {
    "Both prompts are empty": {"image_prompt": " ", "sound_prompt": ""},
    "The number of steps was 0": {"num_inference_steps": 0},
    "The solver was euler": {"solver": "euler"},
    "The seed was 1.5": {"seed": 1.5},
    "no setting called colour": {"colour": "red"},
    "The sound's weight was given for 3 steps": {"sound_weight": [1, 1, 1]},
    "The image's weight was -1": {"image_weight": -1},
    "The image's part of the run was 0.9 to 0.2": {"image_start": 0.9, "image_stop": 0.2},
    "The sound's scale was loud": {"sound_scale": "loud"},
    "The rule was and": {"rule": "and"},
    "The loop was true": {"loop": True},
    "Nobody speaks": {"image_weight": 0, "sound_weight": 0},
}


@pytest.mark.parametrize("words", WRONG)
def test_what_does_not_fit_is_told_in_words(engine, words):
    _, answer = compose(engine, FEW | WRONG[words])
    assert answer["type"] == "error"
    assert words in answer["message"]


def test_a_damaged_or_missing_network_is_told_in_words(open_engine, live_engine):
    path = live_engine / "networks" / "decoder.onnx.gz"
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[:-100])
        _, answer = open_engine()
        assert answer["type"] == "error"
        assert "decoder.onnx.gz came damaged" in answer["message"]
    finally:
        path.write_bytes(whole)


def test_one_lane_says_the_same_as_two_and_who_asks_too_early_is_told(open_engine, engine):
    early = {"type": "compose", "id": next(COUNT), "settings": FEW}
    page, ready = open_engine(early, threads=1)
    assert (ready["device"], ready["threads"]) == ("wasm", 1)
    (error,) = told(page, early["id"], "error")
    assert "not ready yet" in error["message"]
    one, _ = compose(page, FEW)
    two, _ = compose(engine, FEW)
    latents = [told(p, n, "step")[1]["latent"] for p, n in ((page, one), (engine, two))]
    assert np.abs(array(latents[0]) - array(latents[1])).max() < 1e-5


def test_progress_is_told_in_bytes(engine, live_engine):
    log = engine.evaluate("engine.log.filter(({ type }) => type === 'progress')")
    about = json.loads((live_engine / "engine.json").read_text(encoding="utf-8"))
    total = sum(one["bytes"] for one in about["files"] if "asyncify" not in one["name"])
    assert log[-1]["loaded"] == log[-1]["total"] == total
    assert [one["loaded"] for one in log] == sorted(one["loaded"] for one in log)


def test_noise_of_the_question_is_what_python_answers(live_engine, pair):
    """What a graphics card is held against before it is trusted."""
    about = json.loads((live_engine / "engine.json").read_text(encoding="utf-8"))
    asked = about["check"]
    noise = itskit.init_latent(pair, asked["seed"])
    embeds = pair.sound.encode_prompt(asked["prompt"])
    with torch.no_grad():
        truth = pair.sound.predict_noise(noise, asked["t"], embeds).flatten()
    assert asked["noise"]["sound"] == pytest.approx(
        truth[: len(asked["noise"]["sound"])].tolist(), abs=1e-4
    )
