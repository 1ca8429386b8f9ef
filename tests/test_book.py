"""The book: what a lesson showed, as a page without a kernel shows it. `browser/` has all of it."""

import ast
import json
import re
import sys
import time
from base64 import b64encode
from html import unescape
from pathlib import Path

import nbformat
import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs" / "book"))
pytest.importorskip("nbclient")

import assemble  # noqa: E402
import build  # noqa: E402
import execute  # noqa: E402
from stills import STATE, VIEW, Stills, without_bars  # noqa: E402

from itskit import Sound, export  # noqa: E402

PAGES = {"notebooks/01_one_step.ipynb", "docs/glossary.md"}
LESSON = ROOT / "notebooks" / "00_start.ipynb"


def cell(*outputs, states=None, **data):
    """A notebook with one cell that showed `outputs` (bundles of MIME types)."""
    made = [nbformat.v4.new_output("display_data", bundle) for bundle in outputs]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=made)])
    notebook.metadata["widgets"] = {STATE: {"state": states or {}}}
    return notebook


def html_of(notebook):
    return [output.data["text/html"] for output in notebook.cells[0].outputs]


def widget(name, **values):
    return {"state": {"_anywidget_id": f"itskit.widgets.x.{name}", **values}, "buffers": []}


def test_a_sound_becomes_an_mp3_beside_the_page(tmp_path):
    tone = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    notebook = cell({"text/html": Sound(0.1 * tone, 16000)._repr_html_()})
    (html,) = html_of(Stills(tmp_path).notebook(notebook))
    assert "data:" not in html and 'preload="none"' in html
    name = re.search(r'src="media/([\w.]+)"', html)[1]
    samples, rate = soundfile.read(tmp_path / name)
    assert name.endswith(".mp3") and rate == 16000
    spectrum = np.abs(np.fft.rfft(samples[:16000]))
    assert abs(np.argmax(spectrum) - 440) < 3


def test_a_scrubber_becomes_a_page_beside_the_page(tmp_path):
    inside = '<!doctype html><p title="a &amp; b">steps</p>'
    notebook = cell({"text/html": f"<p>still</p>{export.pages.iframe(inside)}"})
    (html,) = html_of(Stills(tmp_path).notebook(notebook))
    name = re.search(r'<iframe [^>]*src="media/([\w.]+)"', html)[1]
    assert (tmp_path / name).read_text(encoding="utf-8") == inside
    assert "srcdoc" not in html and "still" not in html


def test_a_picture_says_what_it_is(tmp_path):
    png = b64encode(b"not looked at").decode()
    notebook = cell({"image/png": png, "text/plain": "Picture(512 x 128 px, L)"})
    (html,) = html_of(Stills(tmp_path).notebook(notebook))
    assert 'alt="Picture, 512 by 128 pixels"' in html
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"not looked at"]


def test_a_widget_leaves_its_still_and_a_word_on_what_it_needs(tmp_path):
    kept = '<style>x</style><div class="its-kept-m1"><b>still</b></div>'
    notebook = cell(
        {VIEW: {"model_id": "m1"}, "text/plain": ""},
        {"text/html": kept},
        states={"m1": widget("Live")},
    )
    note, still = html_of(Stills(tmp_path).notebook(notebook))
    assert "instrument" in note and "<b>still</b>" in still
    assert "widgets" not in notebook.metadata


def test_what_was_not_run_says_so_without_the_word_for_tests(tmp_path):
    notebook = cell()
    notebook.cells[0].source = "# NBVAL_SKIP\nwait()"
    (note,) = html_of(Stills(tmp_path).notebook(notebook))
    assert "Not run" in note and notebook.cells[0].source == "wait()"


def test_an_unknown_widget_does_not_vanish_in_silence(tmp_path):
    notebook = cell({VIEW: {"model_id": "m1"}, "text/plain": "w"}, states={"m1": {"state": {}}})
    (note,) = html_of(Stills(tmp_path).notebook(notebook))
    assert "needs Python" in note


def test_interact_shows_what_it_showed_at_first_and_names_its_knobs(tmp_path):
    inner = {"output_type": "stream", "name": "stdout", "text": "seven\n"}
    states = {
        "box": {
            "state": {"_dom_classes": ["widget-interact"], "children": ["IPY_MODEL_s", "m", "o"]}
        },
        "s": {"state": {"description": "step", "min": 0, "max": 11, "value": 7}},
        "m": {"state": {"description": "rule", "_options_labels": list("abcdefgh"), "index": 0}},
        "o": {"model_name": "OutputModel", "state": {"outputs": [inner]}},
    }
    notebook = cell({VIEW: {"model_id": "box"}}, states=states)
    note, said = Stills(tmp_path).notebook(notebook).cells[0].outputs
    told = "step, from 0 to 11, at 7; rule, one of a, b, c, d, e, f and 2 others"
    assert told in note.data["text/html"]
    assert said.text == "seven\n"


def test_a_question_is_all_that_its_script_asks_for(tmp_path):
    nasty = 'Is <b>"this"</b> & that?'
    state = widget("Predict", question=nasty, kind="choice", facts={"choices": ["a", "b"]})
    state["buffers"] = [{"path": ["ground"], "data": b64encode(b"png").decode()}]
    kept = '<div class="its-kept-m1">the question as text</div>'
    notebook = cell(
        {VIEW: {"model_id": "m1"}}, {"text/html": kept}, states={"m1": state}
    )  # fmt: skip
    (html,) = html_of(Stills(tmp_path).notebook(notebook))
    data = json.loads(unescape(re.search(r'data-widget="([^"]*)"', html)[1]))
    assert data["values"]["question"] == nasty and data["files"] == {"ground": "cG5n"}
    assert "<b>" not in html


def test_progress_bars_and_the_places_of_warnings_are_left_out():
    assert without_bars("\r  0%|   | 0/8\r100%|███| 8/8 [00:06<00:00]\nseed 5\n") == "seed 5\n"
    assert without_bars("/x/ipykernel_8/1.py:2: UserWarning: no\n") == "UserWarning: no\n"


# ---- prose ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](01_one_step.ipynb)", "[a](01_one_step.ipynb)"),
        ("[a](../docs/glossary.md#words)", "[a](../docs/glossary.md#words)"),
        ("[a](../itskit/codec.py)", f"[a]({assemble.REPOSITORY}/blob/main/itskit/codec.py)"),
        ("[a](../tests)", f"[a]({assemble.REPOSITORY}/tree/main/tests)"),
        (f"[a]({assemble.REPOSITORY}/tree/main/gallery)", "[a](../gallery.md)"),
        ("[a](https://arxiv.org/abs/2405.12221)", "[a](https://arxiv.org/abs/2405.12221)"),
        (
            "![p](https://raw.githubusercontent.com/itskit/itskit/main/gallery/a/picture.png)",
            "![p](../gallery/a/picture.png)",
        ),
        ("[![Open in Colab](https://x/badge.svg)](https://y)", "[Open in Colab](https://y)"),
        (
            "[Hear](https://github.com/itskit/itskit/raw/main/gallery/a/sound.mp3)",
            '<a href="../gallery/a/sound.mp3">Hear</a>\n\n'
            '<audio controls preload="none" src="../gallery/a/sound.mp3"></audio>',
        ),
    ],
)
def test_links_lead_into_the_book_or_to_the_repository(text, expected):
    assert assemble.in_book(text, LESSON, PAGES) == expected


def test_every_lesson_is_found_and_has_a_place_in_the_contents():
    found = assemble.lessons()
    assert {path.name for path in found} == {p.name for p in ROOT.glob("notebooks/*.ipynb")}
    assert assemble.entry(LESSON) == "00 Start <notebooks/00_start>"


# ---- running -------------------------------------------------------------------------------------

TINY = [
    "import os, random",
    "print(os.environ['OMP_NUM_THREADS'], random.random())",
    "# NBVAL_SKIP\nraise SystemExit",
]


@pytest.mark.slow
def test_a_lesson_runs_once_and_again_only_when_its_code_changes(tmp_path, monkeypatch):
    cells = [nbformat.v4.new_code_cell(source) for source in TINY]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A"), *cells])
    path, cache = tmp_path / "tiny.ipynb", tmp_path / "cache"
    nbformat.write(notebook, path)
    first = execute.executed(path, cache)
    thread, number = first.cells[2].outputs[0].text.split()
    assert thread == "1" and float(number) == 0.8444218515250481  # of seed 0
    assert first.cells[3].outputs == []

    def fail(*_):
        raise AssertionError("run again")

    monkeypatch.setattr(execute, "run", fail)
    notebook.cells[0].source = "# Another title"
    nbformat.write(notebook, path)
    assert execute.executed(path, cache).cells[2].outputs == first.cells[2].outputs
    notebook.cells[1].source += "  # changed"
    nbformat.write(notebook, path)
    with pytest.raises(AssertionError, match="run again"):
        execute.executed(path, cache)


@pytest.mark.slow
def test_widgets_that_show_something_do_not_hang(monkeypatch):
    monkeypatch.setattr(execute, "SECONDS", 600)
    show = (
        "from ipywidgets import interact\ninteract(lambda k: display(k, 'x' * 300_000), k=(0, 5));"
    )
    cells = [nbformat.v4.new_code_cell(show) for _ in range(4)]
    begin = time.monotonic()
    kept = execute.run(nbformat.v4.new_notebook(cells=cells), "interact")
    assert time.monotonic() - begin < 300
    assert [len(outputs) for outputs in kept["outputs"]] == [1] * 4
    states = kept["widgets"][STATE]["state"].values()
    held = [s["state"]["outputs"] for s in states if s["model_name"] == "OutputModel"]
    assert [len(outputs) for outputs in held] == [2] * 4


def test_a_folder_of_something_else_is_not_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match="something else than a book"):
        build.build(tmp_path, tmp_path / "work", [LESSON])
    with pytest.raises(SystemExit, match="no lesson has such a name"):
        build.main(["--only", "nothing", "--out", str(tmp_path / "x")])
    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "mine"


def test_the_readme_s_moving_picture_moves_and_is_light():
    from PIL import Image

    path = ROOT / "docs" / "scrubber.gif"
    assert path.stat().st_size < 1_500_000
    with Image.open(path) as film:
        assert film.n_frames > 10
        film.seek(0)
        first = np.asarray(film.convert("L"), float)
        film.seek(film.n_frames - 1)
        assert np.abs(np.asarray(film.convert("L"), float) - first).mean() > 5
    assert 'src="docs/scrubber.gif"' in (ROOT / "README.md").read_text(encoding="utf-8")


GUIDE = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
SHEETS = (ROOT / "docs" / "worksheets.md").read_text(encoding="utf-8")


def items(text: str) -> list[str]:
    """The items of the test before and after: lists of ten."""
    found = re.findall(r"^(\d+)\. (.*?)(?=\n\d+\. |\n\n|\Z)", text, flags=re.M | re.S)
    return [" ".join(words.split()) for _, words in found]


@pytest.mark.parametrize("path", assemble.lessons(), ids=lambda path: path.stem)
def test_a_teacher_finds_every_lesson(path):
    number = path.stem[:2]
    assert f"| [{number}](../notebooks/{path.name}) " in GUIDE  # aim, age, minutes, before
    section = re.search(rf"^### {number} .*?(?=^##|\Z)", GUIDE, flags=re.M | re.S)[0]
    assert "**Misconceptions.**" in section and "**Answers.**" in section
    assert re.search(rf"^## {number} ", SHEETS, flags=re.M)


def test_whatever_the_paper_asks_has_a_lesson_that_runs():
    rows = GUIDE[GUIDE.index("| of the paper |") :].splitlines()[2:]
    assert len(rows) > 20
    assert [row for row in rows if "](../notebooks/" not in row] == []
    for words in ("experiment: ", "check: ", *(f"open question {k}" for k in (1, 2, 3))):
        assert any(row.startswith(f"| {words}") for row in rows), words


def test_the_ten_items_are_the_same_on_the_sheet_without_their_answers():
    asked = items(SHEETS[SHEETS.index("## Ten items") :])
    said = GUIDE[GUIDE.index("## Before and after") :]
    solved = items(said[: said.index("The right answers")])
    assert len(asked) == len(solved) == 10
    assert asked == [item.replace("**", "") for item in solved]
    # One answer of four is right: some are short, all are bold.
    assert [len(re.findall(r"\*\*[^*]+\*\*", item)) for item in solved] == [1] * 10
    assert all(re.findall(r"\(([abcd])\)", item) == list("abcd") for item in asked)


def test_the_gain_is_computed_as_it_is_explained():
    code = re.search(r"```python\n(def gain.*?)```", GUIDE, flags=re.S)[1]
    body = ast.parse(code).body[0].body[0].value
    assert ast.unparse(body) == "(post - pre) / (100 - pre)"
    pre, post, gain = map(float, re.search(r"From (\d+) to (\d+) per cent .*? = (0\.\d+)\$", GUIDE)
                          .groups())  # fmt: skip
    assert round((post - pre) / (100 - pre), 2) == gain


@pytest.mark.parametrize("made", [True, False])
def test_the_book_takes_the_live_page_along_if_it_is_up_to_date(tmp_path, monkeypatch, made):
    live, extra, source = (tmp_path / name for name in ("live", "extra", "source"))
    for folder in (live, extra, source):
        folder.mkdir()
    (live / "index.html").write_text("composes", encoding="utf-8")
    monkeypatch.setattr("itskit.live.is_current", lambda folder: made and folder == live)
    assert assemble.has_live(live, extra) is made
    assert (extra / "live" / "index.html").exists() is made
    assemble.contents(source, [], [], made)
    index = (source / "index.md").read_text(encoding="utf-8")
    assert ('href="live/index.html"' in index) is made
    assert ("`itskit live`" in index) is not made
    assert "@" not in index.replace("git@", "")
    assert assemble.has_live(None, extra) is False
