"""The live page in a real Chromium, from a static server, with a worker that answers at once."""

import json
import os
import re
import shutil
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import numpy as np
import pytest
import soundfile
from a_run import NASTY
from listening import LISTEN, SCRUBBER, heard, pixels, samples_of
from live import PAGE, STATUS, Watched, until
from live_folder import served
from PIL import Image

import itskit
from itskit import export, recipes
from itskit.live.shell import EXAMPLES, SOURCE, list_files, listed, write_shell
from itskit.models.pocket import DEFAULTS
from itskit.settings import Settings

pytestmark = pytest.mark.browser
GALLERY = SOURCE.parents[2] / "gallery"
DONE = f"{PAGE}.engine.state === 'ready' && !{PAGE}.running && !{PAGE}.queued"
CANVAS = "document.querySelector('.its-frame canvas').getContext('2d')"
BRIGHT = f"{CANVAS}.getImageData(500, 9, 1, 1).data[0]"  # of one dot
WORDS = "#image=a+castle&sound=bells&seed=7"


@pytest.fixture(scope="module")
def pair():
    return itskit.load_pair("pocket")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pair):
    return fake(tmp_path_factory.mktemp("live"), pair)


def fake(out, pair, **behaviour):
    """The page with a worker that answers at once; `behaviour` is what it reads of itself."""
    (out / "networks").mkdir()
    (out / "networks" / "fake.bin").write_bytes(bytes(2_000_000))
    told = {"files": [{"name": "networks/fake.bin", **listed(out)["networks/fake.bin"]}]}
    (out / "engine.json").write_text(json.dumps(told), encoding="utf-8")
    write_shell(out, pair)
    shutil.copy(Path(__file__).with_name("fake_engine.js"), out / "engine.js")
    (out / "fake.json").write_text(json.dumps(behaviour), encoding="utf-8")
    list_files(out)
    return out


@pytest.fixture(scope="module")
def home(folder):
    with served(folder) as address:
        yield address


@pytest.fixture
def watched(browser, home):
    """Opens the page; fails on whatever went wrong in it."""
    watching = Watched(browser, home)
    yield watching
    watching.close()
    assert watching.errors == []


@pytest.fixture
def page(watched):
    return watched.visit(viewport={"width": 1100, "height": 900})


@pytest.fixture
def composed(watched):
    """A page that was opened by a link to a result, and has composed it."""
    page = watched.visit(WORDS, viewport={"width": 1100, "height": 900})
    until(page, f"{DONE} && {PAGE}.result.scrubber.data.count === 8")
    return page


def another(watched, tmp_path, pair, **behaviour):
    """A folder of its own for a worker that behaves otherwise."""
    return served(fake(tmp_path, pair, **behaviour))


def settings_of(page):
    return page.evaluate(f"{PAGE}.form.settings")


def status(page):
    return page.locator(STATUS).inner_text()


# ---- the first sight -----------------------------------------------------------------------------


def test_it_opens_with_a_picture_of_the_gallery_that_plays(page):
    until(page, f"{SCRUBBER}.frames.get('clean').get(0)?.samples")
    truth = Image.open(GALLERY / EXAMPLES[0] / "picture.png").convert("L")
    assert np.abs(np.array(pixels(page)) - np.asarray(truth, dtype=float).ravel()).max() <= 1
    tune, _ = soundfile.read(GALLERY / EXAMPLES[0] / "sound.mp3")
    mine = samples_of(page, 0)
    most = min(len(mine), len(tune))
    spectrum = np.fft.rfft(mine, 2**18) * np.conj(np.fft.rfft(tune[:most], 2**18))
    likeness = np.fft.irfft(spectrum) / np.linalg.norm(mine) / np.linalg.norm(tune)
    assert likeness.max() > 0.95
    assert page.evaluate(f"{SCRUBBER}.player.context === undefined")  # nothing plays by itself
    assert page.locator("[data-part=examples] button").count() == len(EXAMPLES)
    assert page.locator(".its-step").is_visible() is False  # of one step


@pytest.mark.parametrize(("cpus", "reloads"), [(2, 0), (8, 1)])
def test_the_page_is_loaded_anew_once_where_threads_help_and_never_loops(watched, cpus, reloads):
    context = watched.context()
    context.add_init_script(
        f"Object.defineProperty(navigator, 'hardwareConcurrency', {{value: {cpus}}})"
    )
    page = watched.watch(context.new_page())
    loads = []
    page.on("load", lambda: loads.append(1))
    page.goto(watched.home)
    until(page, f"{PAGE}.engine.state === 'ready'")
    assert page.evaluate("crossOriginIsolated") is bool(reloads)
    page.wait_for_timeout(500)
    assert len(loads) == 1 + reloads
    page.reload()
    until(page, f"{PAGE}.engine.state === 'ready'")
    assert len(loads) == 2 + reloads
    assert page.evaluate("crossOriginIsolated") is True  # by the service worker's headers


def test_an_example_is_one_click_away(page):
    page.locator("[data-part=examples] button").nth(1).click()
    until(page, f"{SCRUBBER}.player.playing")
    recipe = export.read_recipe(GALLERY / EXAMPLES[1] / "picture.png")
    asked = recipes.arguments(recipe)
    said = settings_of(page)
    assert {k: said[k] for k in ("image_prompt", "sound_prompt")} == {
        k: asked[k] for k in ("image_prompt", "sound_prompt")
    }
    assert said["seed"] == recipe["seeds"][0]
    assert status(page).startswith("See a sailboat, hear a piano playing. Press Compose")
    assert page.locator("[aria-current]").count() == 1
    assert parse_qs(urlsplit(page.url).fragment)["image"] == [asked["image_prompt"]]


# ---- composing -----------------------------------------------------------------------------------


def test_each_step_is_seen_as_it_comes_and_sounds_when_it_is_scrubbed_to(watched, tmp_path, pair):
    with another(watched, tmp_path, pair, slow=120) as watched.home:
        page = watched.visit(viewport={"width": 1100, "height": 900})
        page.evaluate(
            f"""() => {{ window.seen = []; const result = {PAGE}.result;
            const step = result.step.bind(result);
            result.step = (...one) => {{ step(...one); queueMicrotask(() => window.seen.push(
              [{SCRUBBER}.state.step, {BRIGHT}, {PAGE}.status.textContent])) }} }}"""
        )
        page.locator(".its-go").click()
        assert page.locator(".its-stop").is_visible()
        until(page, f"!{PAGE}.running && window.seen.length === 8")
        steps, bright, told = zip(*page.evaluate("window.seen"), strict=True)
        assert steps == tuple(range(8))
        assert bright == tuple(sorted(set(bright)))  # each brighter than the one before
        assert any(text.startswith("Step 4 of 8") for text in told)
        assert status(page).startswith("Composed in")
        assert len(samples_of(page, 7)) == 81920
        held = f"{SCRUBBER}.frames.get('clean').get(2).samples"
        assert page.evaluate(f"{held} === undefined")
        page.evaluate(f"{SCRUBBER}.show(2)")
        until(page, held)
        hertz = np.abs(np.fft.rfft(samples_of(page, 2))).argmax() * 16000 / 81920
        assert hertz == pytest.approx(660, abs=1)


def test_steps_sound_as_they_come_while_it_plays_where_there_are_cpus_for_that(
    watched, tmp_path, pair
):
    with another(watched, tmp_path, pair, slow=150) as watched.home:
        for cpus in (2, 8):
            context = watched.context()
            context.add_init_script(
                f"Object.defineProperty(navigator, 'hardwareConcurrency', {{value: {cpus}}})"
            )
            page = watched.visit(context=context)
            page.locator(".its-play").click()
            page.locator(".its-go").click()
            until(page, f"{PAGE}.running?.steps")
            until(page, f"!{PAGE}.running")
            frames = f"[...{SCRUBBER}.frames.get('clean').values()]"
            sounding = page.evaluate(f"{frames}.filter((one) => one.samples).length")
            assert sounding == 1 if cpus == 2 else sounding > 3


def test_whoever_looks_at_an_earlier_step_is_left_there(watched, tmp_path, pair):
    with another(watched, tmp_path, pair, slow=150) as watched.home:
        page = watched.visit()
        page.locator(".its-go").click()
        until(page, f"{PAGE}.running.done >= 3")
        page.locator(".its-step").focus()
        page.keyboard.press("Home")
        until(page, f"!{PAGE}.running")
        assert page.evaluate(f"{SCRUBBER}.state.step") == 0


def test_a_run_can_be_stopped_and_the_sound_plays_on(watched, tmp_path, pair):
    with another(watched, tmp_path, pair, slow=1000) as watched.home:
        context = watched.context(viewport={"width": 1100, "height": 900})
        context.add_init_script(LISTEN)
        page = watched.visit(context=context)
        page.locator(".its-play").click()
        page.locator(".its-go").click()
        until(page, f"{PAGE}.running?.done >= 1")
        y, _ = heard(page, 400)
        assert np.abs(y).max() > 1e-3  # what played before, until there is something new
        page.keyboard.press("Escape")
        assert status(page).startswith("Stopped after")
        assert page.locator(".its-go").is_visible()
        count = page.evaluate(f"[...{SCRUBBER}.frames.get('clean').keys()].length")
        page.wait_for_timeout(1500)
        assert page.evaluate(f"[...{SCRUBBER}.frames.get('clean').keys()].length") == count < 8
        assert page.locator("[data-save=picture]").is_visible() is False  # it has no recipe


def test_everything_by_keyboard(page):
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")  # help
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Help"
    page.keyboard.press("Enter")
    assert page.locator("dialog").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("dialog").is_visible() is False
    page.keyboard.press("Tab")
    page.keyboard.type("an owl? n")  # letters that are keys elsewhere
    page.keyboard.press("Tab")
    page.keyboard.press("Control+a")
    page.keyboard.type("an owl hooting")
    page.keyboard.press("Enter")
    until(page, f"{DONE} && {SCRUBBER}.data.count === 8")
    assert settings_of(page)["sound_prompt"] == "an owl hooting"
    assert settings_of(page)["image_prompt"] == "an owl? n"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(f"{SCRUBBER}.state.step") == 6
    page.keyboard.press(" ")
    assert page.evaluate(f"{SCRUBBER}.player.playing") is True
    before = settings_of(page)["seed"]
    page.keyboard.press("n")
    until(page, DONE)
    assert settings_of(page)["seed"] != before
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()


def test_words_are_asked_for(page):
    for name in ("image_prompt", "sound_prompt"):
        page.locator(f"[name={name}]").fill("  ")
    page.locator(".its-go").click()
    assert status(page).startswith("Write what you want to see")
    assert page.evaluate("document.activeElement.name") == "image_prompt"
    page.locator("[name=sound_prompt]").fill("rain")
    page.keyboard.press("Enter")
    until(page, f"{DONE} && {SCRUBBER}.data.count === 8")
    (guide,) = page.evaluate(f"{SCRUBBER}.data.recipe.guides")
    assert (guide["name"], guide["prompt"]) == ("sound", "rain")


# ---- settings and addresses ----------------------------------------------------------------------


def test_the_page_begins_with_the_pairs_own_settings(page, pair):
    usual = vars(Settings.of(pair))
    said = page.evaluate(f"{PAGE}.form.usual")
    assert {"image_scale", "sound_weight", "num_inference_steps", "solver"} <= said.keys()
    assert said == {name: usual[name] for name in said}


def test_a_result_is_a_link(composed, watched):
    page = composed
    page.locator("[name=image_scale]").fill("9.5")
    page.locator("[name=num_inference_steps]").fill("10")
    page.locator("summary", has_text="Weight over the run").click()
    page.locator(".its-tool .its-tracks button", has_text="warm start").click()
    page.locator("summary", has_text="More").click()
    page.locator("[name=image_negative]").fill("fog & rain")
    page.keyboard.press("Enter")
    until(page, f"{DONE} && {SCRUBBER}.data.count === 10")
    made = page.evaluate(f"{SCRUBBER}.data.recipe")
    assert made["guides"][0]["weight"] == {"per_step": [0] + [0.5] * 9}
    assert made["guides"][1]["weight"] == {"per_step": [1] + [0.5] * 9}
    assert made["guides"][0]["negative"] == "fog & rain"
    page.evaluate(
        "Object.defineProperty(navigator, 'clipboard', {value: "
        "{writeText: async (text) => { window.copied = text }}})"
    )
    page.locator("[data-save=link]").click()
    assert page.locator("[data-save=link]").inner_text() == "Copied"
    link = page.evaluate("window.copied")
    assert link == page.url
    other = watched.visit(link.removeprefix(watched.home))
    until(other, f"{DONE} && {SCRUBBER}.data.count === 10")
    assert other.evaluate(f"{SCRUBBER}.data.recipe") == made
    other.evaluate("location.hash = 'image=a+crown&sound=horns&seed=2'")
    until(other, f"{SCRUBBER}.data.recipe?.seeds[0] === 2")
    assert other.evaluate(f"{SCRUBBER}.data.count") == 8


USUAL_SCALE = DEFAULTS["sound_scale"]
BOUNDED = {
    "seed=99999999999999999999": {"seed": 2**53 - 1},
    "seed=-4&steps=0": {"seed": -4, "num_inference_steps": 1},
    "seed=&steps=x": {"seed": 3, "num_inference_steps": 8},
    "image_scale=1e9&sound_scale=Infinity": {"image_scale": 50, "sound_scale": USUAL_SCALE},
    "solver=<b>&spacing=leading": {"solver": "dpmpp_2m", "spacing": "leading"},
    "balance=0.25": {"image_weight": 0.25, "sound_weight": 0.75},
    "balance=0,1&steps=4": {"image_weight": [0, 0, 1, 1], "sound_weight": [1, 1, 0, 0]},
    "balance=2": {"image_weight": 0.5, "sound_weight": 0.5},
    "constructor=1&__proto__=2": {"image_weight": 0.5},
}


def test_numbers_in_an_address_stay_in_their_bounds(page):
    read = """async ([hash, usual]) => (await import("./page/settings.js"))
        .fromAddress(hash, {...usual, seed: 3})"""
    usual = page.evaluate(f"{PAGE}.form.usual")
    for said, expected in BOUNDED.items():
        found = page.evaluate(read, [f"#image=a&sound=b&{said}", usual])
        assert {name: found[name] for name in expected} == expected, said


@pytest.mark.parametrize(
    "words",
    [
        NASTY,
        "</title><img src=x onerror=alert(1)>",
        "${alert(1)} \"'><svg onload=alert(1)>",
        "ж" * 10_000,
        "a\u2028b \u202edlrow 100% %zz &#x3c;b&#x3e;",
    ],
)
def test_hostile_words_and_addresses_stay_text(watched, tmp_path, words):
    page = watched.visit(
        f"#image={quote(words)}&sound={quote(words)}&seed=1", accept_downloads=True
    )
    until(page, f"{DONE} && {SCRUBBER}.data.recipe?.seeds[0] === 1")
    plain = words.strip()
    assert settings_of(page)["image_prompt"] == words
    assert page.evaluate(f"{SCRUBBER}.data.prompts.map((one) => one.text)") == [plain, plain]
    assert page.evaluate("document.querySelectorAll('main img:not(.its-example img)').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for kind in ("picture", "sound", "page"):
        path = saved(page, kind, tmp_path)
        assert re.fullmatch(r"[a-z0-9.-]{1,140}", path.name)
        assert recipes.prompts(export.read_recipe(path)) == [plain, plain]
    opened = page.context.new_page()
    watched.watch(opened)
    opened.goto(path.as_uri())
    until(opened, f"{SCRUBBER}?.complete")
    assert opened.locator(".its-prompt").all_text_contents() == [plain, plain]
    assert opened.evaluate("document.querySelectorAll('img, #scrubber script').length") == 0


# ---- files ---------------------------------------------------------------------------------------


def saved(page, kind, folder):
    with page.expect_download() as download:
        page.locator(f"[data-save={kind}]").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def drop(page, path):
    page.locator("input[type=file]").set_input_files(path)


def test_what_is_saved_is_read_by_python(composed, tmp_path, pair):
    shown = composed.evaluate(f"{SCRUBBER}.data.recipe")
    files = {kind: saved(composed, kind, tmp_path) for kind in ("picture", "sound", "page")}
    for path in files.values():
        assert path.name.startswith("a-castle--bells--seed7-")
        assert export.read_recipe(path) == shown
        said = recipes.arguments(export.read_recipe(path))
        assert (said["image_prompt"], said["image_scale"]) == ("a castle", DEFAULTS["image_scale"])
    picture = np.asarray(Image.open(files["picture"]).convert("L"), dtype=float)
    assert np.abs(picture.ravel() - pixels(composed)).max() <= 1
    samples, rate = soundfile.read(files["sound"])
    assert rate == 16000
    assert np.abs(samples - samples_of(composed, 7)).max() < 0.01 + 0.3  # its ends are soft
    assert np.abs(samples[200:-200] - samples_of(composed, 7)[200:-200]).max() < 1e-4


def test_the_saved_page_is_the_scrubber_with_all_its_steps(composed, watched, tmp_path):
    path = saved(composed, "page", tmp_path)
    assert path.stat().st_size < 4e6
    opened = watched.watch(composed.context.new_page())
    opened.goto(path.as_uri())
    until(opened, f"{SCRUBBER}?.complete")
    assert opened.evaluate(f"{SCRUBBER}.frames.get('clean').size") == 8
    for step in (0, 7):
        hertz = np.abs(np.fft.rfft(samples_of(opened, step))).argmax() * 16000 / 81920
        assert hertz == pytest.approx(220 * (step + 1), abs=1)
    opened.locator("summary", has_text="Make it again").click()
    assert path.name in opened.locator(".its-again code").nth(1).inner_text()


def made_by_python(folder):
    """Files of one run as itskit writes them, with settings that are not the usual ones."""
    recipe = export.read_recipe(GALLERY / "sailboat_piano" / "picture.png")
    recipe["guides"][0] |= {"scale": 9.0, "prompt": "a tree 🌳", "negative": "fog"}
    recipe["guides"][0]["weight"] = {"per_step": [0.0, 0.25] * 3}
    recipe["guides"][1]["weight"] = {"per_step": [1.0, 0.75] * 3}
    recipe |= {"num_inference_steps": 6, "seeds": [2**40], "solver": "ddim"}
    picture = Image.new("L", (512, 128), 90)
    picture.save(folder / "a.png", **export.recipes.picture_options(recipe, ".png"))
    picture.save(folder / "old.png")
    soundfile.write(folder / "a.wav", np.zeros(1600), 16000)
    with open(folder / "a.wav", "r+b") as file:
        export.recipes.add_to_wav(file, recipe)
    facts = {"recipe": recipe, "name": "a"}
    text = export.pages._json_in_html(facts)
    html = f'<html><script type="application/json" id="data">{text}</script></html>'
    (folder / "a.html").write_text(html, encoding="utf-8")
    (folder / "a.json").write_text(json.dumps(recipe, indent=2), encoding="utf-8")


@pytest.mark.parametrize("ending", ["png", "wav", "html", "json"])
def test_files_made_by_python_bring_their_settings(page, tmp_path, ending):
    made_by_python(tmp_path)
    drop(page, tmp_path / f"a.{ending}")
    until(page, f"{PAGE}.form.settings.seed === 2 ** 40")
    expected = {
        "image_prompt": "a tree 🌳", "image_negative": "fog", "sound_prompt": "a piano playing",
        "image_scale": 9, "sound_scale": USUAL_SCALE, "num_inference_steps": 6, "solver": "ddim",
        "image_weight": [0, 0.25] * 3, "sound_weight": [1, 0.75] * 3,
    }  # fmt: skip
    said = settings_of(page)
    assert {name: said[name] for name in expected} == expected
    assert "Press Compose" in status(page)
    page.locator(".its-go").click()
    until(page, f"{DONE} && {SCRUBBER}.data.count === 6")
    assert page.evaluate(f"{SCRUBBER}.data.recipe.seeds") == [2**40]


def test_what_only_python_can_do_is_told(page, tmp_path):
    recipe = export.read_recipe(GALLERY / "sailboat_piano" / "picture.png")
    recipe |= {"rule": {"name": "and", "lift": 2}, "width": 1024, "pair": "paper"}
    recipe |= {"num_inference_steps": 200, "seeds": [2**60]}
    recipe["guides"][0] |= {"view": "flip_time", "weight": [[0.1, 0.2]]}
    recipe["guides"][1]["scale"] = 99
    recipe["guides"].append({"name": "third", "model": "image", "prompt": "x"})
    (tmp_path / "a.json").write_text(json.dumps(recipe), encoding="utf-8")
    drop(page, tmp_path / "a.json")
    until(page, f"{PAGE}.form.settings.image_prompt === 'a sailboat'")
    said = status(page)
    expected = (
        "the rule and; further guides; the pair paper; a canvas of 1024 pixels; more than 100 "
        "steps; a seed of more than 53 bits; the image's map of weights; the image's view; the "
        "sound's scale of 99."
    )
    assert said.endswith(expected)


def test_ones_own_picture_and_recording_begin_a_run(page, tmp_path):
    Image.new("L", (100, 100), 0).save(tmp_path / "black.png")
    drop(page, tmp_path / "black.png")
    until(page, f"{PAGE}.beginning.init?.kind === 'picture'")
    grey = np.array(page.evaluate(f"Array.from({PAGE}.beginning.init.data)")).reshape(128, 512)
    assert (grey[:, 0] == 255).all() and (grey[:, 256] < 3).all()  # whole, on white
    page.get_by_role("slider", name="Strength").fill("0.5")
    page.locator(".its-go").click()
    until(page, f"{DONE} && {SCRUBBER}.data.count === 4")  # half of eight
    recipe = page.evaluate(f"{SCRUBBER}.data.recipe")
    assert recipe["init"]["kind"] == "Picture" and recipe["strength"] == 0.5
    t = np.arange(44100) / 44100
    soundfile.write(tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * 440 * t), 44100)
    drop(page, tmp_path / "tone.wav")
    until(page, f"{PAGE}.beginning.init?.kind === 'sound'")
    y = np.array(page.evaluate(f"Array.from({PAGE}.beginning.init.data)"))
    assert len(y) == 81920 and np.abs(y[16100:]).max() < 0.01  # a second, then silence
    assert np.abs(np.fft.rfft(y)).argmax() * 16000 / 81920 == pytest.approx(440, abs=1)
    page.get_by_text("Begin with noise").click()
    page.locator(".its-go").click()
    until(page, f"{DONE} && {SCRUBBER}.data.count === 8")
    assert page.evaluate(f"{SCRUBBER}.data.recipe.init") is None


def test_files_that_say_nothing_are_refused_in_words(page, tmp_path):
    (tmp_path / "notes.txt").write_text("nothing", encoding="utf-8")
    (tmp_path / "torn.png").write_bytes((GALLERY / EXAMPLES[0] / "picture.png").read_bytes()[:60])
    (tmp_path / "other.json").write_text('{"guides": 3, "seeds": "x"}', encoding="utf-8")
    before = settings_of(page)
    for name, said in (("notes.txt", "no picture or recording"), ("torn.png", "no picture")):
        drop(page, tmp_path / name)
        until(page, f"{PAGE}.status.textContent.includes('{name}')")
        assert said in status(page)
    drop(page, tmp_path / "other.json")
    until(page, f"{PAGE}.status.textContent.includes('no recipe of itskit')")
    assert settings_of(page) == before


# ---- seeds ---------------------------------------------------------------------------------------


def test_a_row_of_seeds_is_drafted_and_one_is_composed(page):
    next_one = settings_of(page)["seed"] + 1  # the gallery's first entry chose the seed
    page.get_by_text("Draft 6 seeds").click()
    until(page, "document.querySelectorAll('.its-draft:enabled').length === 6")
    labels = page.locator(".its-draft").all_inner_texts()
    assert labels == [f"seed {seed}" for seed in range(next_one, next_one + 6)]
    page.locator(".its-draft").nth(2).click()
    until(page, f"{DONE} && {SCRUBBER}.data.recipe?.seeds[0] === {next_one + 2}")
    page.get_by_text("Draft 6 more").click()
    until(page, "document.querySelectorAll('.its-draft:enabled').length === 6")
    assert page.locator(".its-draft").first.inner_text() == f"seed {next_one + 6}"


def test_drafts_of_no_words_are_refused_and_disturb_no_run(watched, tmp_path, pair):
    with another(watched, tmp_path, pair, slow=100) as watched.home:
        page = watched.visit()
        page.locator(".its-go").click()
        until(page, f"{PAGE}.running?.done >= 1")
        for name in ("image_prompt", "sound_prompt"):
            page.locator(f"[name={name}]").fill("")
        page.get_by_text("Draft 6 seeds").click()
        until(page, "document.querySelectorAll('.its-draft').length === 0")
        until(page, f"!{PAGE}.running")
        assert status(page).startswith("Composed in")


# ---- kind to its visitors ------------------------------------------------------------------------

SMALL = {
    "no WebAssembly": "delete window.WebAssembly",
    "no SIMD": "WebAssembly.validate = () => false",
    "too little memory": "Object.defineProperty(navigator, 'deviceMemory', {value: 1})",
}


@pytest.mark.parametrize("why", SMALL)
def test_a_machine_that_is_too_small_is_told_so_and_plays_the_gallery(watched, why):
    context = watched.context()
    context.add_init_script(SMALL[why])
    page = watched.visit(context=context, ready=False)
    until(page, f"{PAGE}?.why")
    assert why.split()[-1] in status(page)
    assert page.locator(".its-go").is_disabled()
    page.locator("[data-part=examples] button").nth(2).click()
    until(page, f"{SCRUBBER}.player.playing")
    assert page.evaluate(f"{PAGE}.engine.state") == "none"  # nothing was loaded


def test_an_engine_that_fails_is_told_and_the_gallery_plays(watched, tmp_path, pair):
    with another(watched, tmp_path, pair, fails="out of memory.") as watched.home:
        page = watched.visit(ready=False)
        until(page, f"{PAGE}?.why")
        assert status(page).startswith("The engine cannot run here: out of memory. The pictures")
        assert page.locator("[data-part=examples] button").nth(0).is_enabled()
        assert page.locator(".its-go").is_disabled()


def test_a_large_download_is_asked_for_where_it_costs(watched):
    context = watched.context()
    context.add_init_script(
        "Object.defineProperty(navigator, 'connection', {value: {saveData: true}})"
    )
    page = watched.visit(WORDS, context=context, ready=False)
    until(page, f"{PAGE}?.asks")
    assert page.locator(".its-go").inner_text().startswith("Load ")
    page.wait_for_timeout(300)
    assert page.evaluate(f"{PAGE}.engine.state") == "none"
    page.locator(".its-dice").click()
    assert page.get_by_text("Draft 6 seeds").is_disabled()
    assert page.evaluate(f"{PAGE}.engine.state") == "none"
    seed = settings_of(page)["seed"]
    page.locator(".its-go").click()
    until(page, f"{DONE} && {SCRUBBER}.data.recipe?.seeds[0] === {seed}")
    assert page.locator(".its-go").inner_text() == "Compose"
    assert page.get_by_text("Draft 6 seeds").is_enabled()


def test_it_works_without_a_network_after_the_first_visit(browser, folder):
    with served(folder) as home:
        watching = Watched(browser, home)
        page = watching.visit()
    page.reload()  # the server is gone
    until(page, f"{PAGE}.engine.state === 'ready'")
    page.locator("[data-part=examples] button").nth(3).click()
    until(page, f"{SCRUBBER}.player.playing")
    page.locator(".its-go").click()
    until(page, f"{DONE} && {SCRUBBER}.data.count === 8")
    saved_page = page.evaluate("fetch('page/template.html').then((one) => one.text())")
    assert "$policy" in saved_page
    watching.close()
    assert watching.errors == []


def test_a_new_version_takes_the_place_of_the_old_one(browser, tmp_path, pair):
    with served(fake(tmp_path, pair)) as home:
        watching = Watched(browser, home)
        page = watching.visit()
        index = tmp_path / "index.html"
        text = index.read_text(encoding="utf-8")
        index.write_text(text.replace("Images that sound</h1>", "New</h1>"), encoding="utf-8")
        (tmp_path / "icon.svg").unlink()
        list_files(tmp_path)
        page.evaluate("navigator.serviceWorker.getRegistration().then((one) => one.update())")
        for _ in range(50):
            page.wait_for_timeout(100)
            page.reload()
            if page.locator("h1").inner_text() == "New":
                break
        assert page.locator("h1").inner_text() == "New"
        kept = page.evaluate("caches.open('itskit-live').then((one) => one.keys()).then("
                             "(keys) => keys.map(({url}) => url))")  # fmt: skip
        names = [urlsplit(url).path for url in kept]
        assert len(names) == len(set(names)) and "/icon.svg" not in names
        watching.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark"), (360, "light")])
def test_it_fits_a_telephone_and_every_control_has_a_name(watched, width, scheme):
    size = {"width": width, "height": 740}
    page = watched.visit(WORDS, viewport=size, color_scheme=scheme, reduced_motion="reduce")
    until(page, f"{DONE} && {SCRUBBER}.data.count === 8")
    for summary in page.locator("summary:visible").all():
        summary.click()
    page.get_by_text("Draft 6 seeds").click()
    until(page, "document.querySelectorAll('.its-draft:enabled').length === 6")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    nameless = page.evaluate(
        """() => [...document.querySelectorAll(
          "button, input:not([type=file]), [role=slider], progress")].filter((e) => !(
          e.getAttribute("aria-label") || e.textContent.trim()
          || e.closest("label")?.textContent.trim())).map((e) => e.outerHTML)"""
    )
    assert nameless == []
    card, go = (page.evaluate(f"getComputedStyle(document.querySelector('{name}')).backgroundColor")
                for name in (".its-page", ".its-go"))  # fmt: skip
    assert (card, go) == {
        "light": ("rgb(255, 254, 251)", "rgb(35, 37, 43)"),
        "dark": ("rgb(25, 27, 32)", "rgb(236, 234, 228)"),
    }[scheme]
    assert page.evaluate(f"{PAGE}.status.getAttribute('aria-live')") == "polite"


def test_opened_from_a_disk_it_says_what_to_do(browser, folder):
    page = browser.new_page()
    page.goto((folder / "index.html").as_uri())
    assert page.locator(".its-unable").is_visible()
    assert "itskit live" in page.locator(".its-unable").inner_text()
    page.close()


def test_the_policy_refuses_what_is_not_the_pages_own(watched):
    page = watched.visit()
    tried = page.evaluate(
        """async () => {
          const refused = [];
          document.addEventListener("securitypolicyviolation",
            (e) => refused.push(e.effectiveDirective));
          const script = document.createElement("script");
          script.textContent = "window.broken = true";
          document.body.append(script);
          const image = new Image();
          image.src = "https://example.org/spy.gif";
          await fetch("https://example.org/").catch(() => {});
          document.body.setAttribute("style", "color: red");
          await new Promise((done) => setTimeout(done, 200));
          return [refused, window.broken];
        }"""
    )
    refused, broken = tried
    assert broken is None
    assert {"script-src-elem", "img-src", "connect-src", "style-src-attr"} <= set(refused)
    assert watched.errors  # the test's own deeds are seen; nothing else is in this page
    watched.errors.clear()


# ---- the real engine -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(tmp_path_factory, live_engine, pair):
    """The page with its own engine, as `itskit live` makes it."""
    out = tmp_path_factory.mktemp("real") / "live"
    shutil.copytree(live_engine, out, copy_function=os.link)  # sixty megabytes, once
    write_shell(out, pair)
    return out


def test_two_steps_with_the_real_networks_are_those_of_python(browser, real, tmp_path, pair):
    assert sum(path.stat().st_size for path in real.rglob("*") if path.is_file()) < 60e6
    with served(real) as home:
        watching = Watched(browser, home)
        page = watching.visit("#image=a+palm+tree&sound=birds+chirping&seed=3&steps=2", ready=False)
        until(page, f"{DONE} && {SCRUBBER}?.data.recipe?.num_inference_steps === 2", 120)
        path = saved(page, "picture", tmp_path)
        sound = saved(page, "sound", tmp_path)
        heard_there = samples_of(page, 1)
        watching.close()
    assert watching.errors == []
    result = itskit.recompose(pair, export.read_recipe(path))
    assert recipes.prompts(result.recipe) == ["a palm tree", "birds chirping"]
    seen = np.asarray(Image.open(path).convert("L"), dtype=int)
    assert np.abs(seen - np.asarray(result.picture().image, dtype=int)).max() <= 2
    truth = result.sound().audible().samples
    spectra = [np.log10(spectrum_of(y) + 1e-3) for y in (heard_there, truth)]
    assert np.abs(spectra[0] - spectra[1]).mean() < 0.1
    assert export.read_recipe(sound) == export.read_recipe(path)


def spectrum_of(samples):
    """Magnitudes (frames, bins): two sounds of one spectrogram may differ in phase alone."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 1024)[::256]
    return np.abs(np.fft.rfft(frames * np.hanning(1024), axis=1))
