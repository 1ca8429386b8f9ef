"""Other systems: locales that are not UTF-8, names that ffmpeg would take for something else."""

import json
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import soundfile
from a_run import NASTY, run

from itskit import export, recipes
from itskit.training.assemble.clips import read_recording

C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
film = partial(export.video, fps=2)  # of few frames: its name and what it carries matter here
NAMES = ["take:1", "-x", "file:a", "concat:a|b", "http:", "a%03d", "pipe:1", "-", "a b'c\"d", "@a"]


def in_c_locale(code: str, folder, *arguments: str) -> str:
    """What a script prints in a process whose locale knows ASCII only."""
    told = "import locale; assert locale.getpreferredencoding(False).lower() != 'utf-8'\n"
    done = subprocess.run(
        [sys.executable, "-c", told + code, *arguments],
        env=os.environ | C_LOCALE,
        cwd=folder,
        capture_output=True,
        encoding="ascii",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_recipes_are_read_in_a_locale_that_is_not_utf_8(tmp_path):
    made = run(3, image_prompt=NASTY, sound_prompt="Glöckchen, 鐘 🔔")
    for name, maker in (("a.html", export.page), ("a.mp4", film), ("a.png", export.png)):
        maker(made, tmp_path / name)
    text = json.dumps(made.recipe, ensure_ascii=False)
    (tmp_path / "a.json").write_text(text, encoding="utf-8-sig")
    names = ["a.html", "a.mp4", "a.png", "a.json"]  # one process for all: it takes seconds
    code = f"import json; from itskit import export; told = map(export.read_recipe, {names})\n"
    told = json.loads(in_c_locale(code + "print(json.dumps(list(told)))", tmp_path))
    assert told == [made.recipe] * 4


def test_files_are_written_in_a_locale_that_is_not_utf_8(tmp_path):
    """Whatever the prompt, and though the letters come as bytes that the locale does not know."""
    code = f"""
import sys; sys.path.insert(0, {os.path.dirname(__file__)!r})
from a_run import composing_pair
import itskit; from itskit import cli
itskit.load_pair = lambda name: composing_pair()
print(cli.main())
"""
    asked = ["compose", NASTY, "Glöckchen 🔔", "--steps", "2", "--out", "there"]
    assert in_c_locale(code, tmp_path, *asked).splitlines()[-1] == "0"
    (recipe,) = (tmp_path / "there").glob("*.json")
    assert recipes.prompts(json.loads(recipe.read_text(encoding="utf-8")))[0] == NASTY
    for path in (tmp_path / "there").iterdir():
        assert export.read_recipe(path)["sound_prompt"] == "Glöckchen 🔔", path.name
    assert len(list((tmp_path / "there").iterdir())) == 5


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("name", NAMES)
def test_names_that_ffmpeg_would_take_for_something_else(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    made = run(2)
    for path in (f"{name}.mp4", f"{name}/b.mp4"):
        if "/b" in path:
            os.mkdir(name)
        film(made, path)
        assert export.read_recipe(path) == made.recipe
        with open(path, "rb") as file:
            assert file.read(8)[4:] == b"ftyp"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, f"{name}.mp4"])
    # Training sets are read through ffmpeg where libsndfile cannot.
    heard = read_recording(f"{name}.mp4")
    assert len(heard) == pytest.approx(5.12 * 16000, abs=2000)
    reference = made.sound().samples
    assert np.corrcoef(heard[1000:70000], reference[1000:70000])[0, 1] > 0.9


def test_reading_a_film_leaves_the_keyboard_alone(tmp_path):
    """ffmpeg reads commands from its standard input, which is not its own."""
    film(run(2), tmp_path / "a.mp4")
    code = "from itskit import export; export.read_recipe('a.mp4'); print(input())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, input="mine\n" * 50, capture_output=True,
        encoding="utf-8",
    )  # fmt: skip
    assert done.stdout == "mine\n", done.stderr


def test_a_film_without_its_program_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nonexistent/ffmpeg")
    with pytest.raises(FileNotFoundError, match=r"IMAGEIO_FFMPEG_EXE names /nonexistent/ffmpeg"):
        export.video(run(2), tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())


def test_a_broken_film_carries_no_recipe(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no film at all")
    soundfile.write(tmp_path / "a.wav", np.zeros(8), 16000)
    (tmp_path / "a.html").write_bytes("<p>Käfer</p>".encode("latin-1"))
    (tmp_path / "a.json").write_bytes('{"a": "Käfer"}'.encode("latin-1"))
    for name in ("a.mp4", "a.wav", "a.html", "a.json"):
        with pytest.raises(ValueError, match=rf"{name} carries no recipe"):
            export.read_recipe(tmp_path / name)
