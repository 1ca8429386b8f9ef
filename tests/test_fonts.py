"""Captions are written in a font that has their signs; where none has, that is said."""

import warnings

import numpy as np
import pytest
from a_run import run
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image, ImageDraw

from itskit.export import files, film, fonts


def make_font(path, signs):
    """A font in which every sign is a full black square, 1000 units wide."""
    pen = TTGlyphPen(None)
    for move, *points in (("moveTo", (0, 0)), ("lineTo", (0, 800)), ("lineTo", (1000, 800))):
        getattr(pen, move)(*points)
    pen.lineTo((1000, 0))
    pen.closePath()
    square, builder = pen.glyph(), FontBuilder(1000)
    builder.setupGlyphOrder([".notdef", "square"])
    builder.setupCharacterMap({ord(sign): "square" for sign in signs})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "square": square})
    builder.setupHorizontalMetrics({".notdef": (1000, 0), "square": (1000, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=0)
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return str(path)


@pytest.fixture
def computer(monkeypatch):
    """A computer that has just these fonts beside matplotlib's."""

    def has(*paths):
        monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: list(paths))
        fonts._choose.cache_clear()

    yield has
    fonts._choose.cache_clear()


def ink(text, face):
    page = Image.new("L", (600, 60))
    ImageDraw.Draw(page).text((5, 5), text, fill=255, font=face)
    return np.asarray(page)


def test_a_font_that_has_the_signs_is_found_among_the_computers(computer, tmp_path):
    other = make_font(tmp_path / "other.ttf", "abc")
    mine = make_font(tmp_path / "zz.ttf", "東京tower ")
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    computer(str(tmp_path / "broken.ttf"), other, mine)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text, face = fonts.legible("東京 tower", 26)
    assert text == "東京 tower" and face.path == mine
    # Eight squares of 26 pixels in a row, and nothing that a font writes for a missing sign.
    assert face.getlength(text) == 8 * 26
    assert (ink(text, face) > 0).any(0).sum() == 8 * 26
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fonts.legible("Löwe, лев, λέων, 5 °C", 26)[1].path == fonts._usual()


def test_what_no_font_has_is_said_and_shown_as_one_sign(computer):
    computer()
    with pytest.warns(UserWarning, match="no font of this computer has 東京: .* shows � instead"):
        text, face = fonts.legible("東京 tower", 26)
    assert text == "�� tower"
    assert not fonts._missing(face.path, frozenset(text))


def test_the_best_of_the_fonts_is_taken_where_none_has_all(computer, tmp_path):
    mine = make_font(tmp_path / "mine.ttf", "東京大阪� ")
    computer(mine)
    with pytest.warns(UserWarning, match="has 🦜: "):
        text, face = fonts.legible("東京 大阪 🦜", 22)
    assert (text, face.path) == ("東京 大阪 �", mine)


@pytest.mark.parametrize("kind", ["film", "sheet"])
def test_captions_are_written_in_it(computer, tmp_path, kind):
    mine = make_font(tmp_path / "mine.ttf", "東京 +")
    computer(mine)
    recipe = {"image_prompt": "東京", "sound_prompt": "東東"}
    picture = Image.new("RGB", (512, 128))
    if kind == "film":
        still, (left, top, _, height) = film._still(picture, recipe)
        line = np.asarray(still)[top + height + 40 :, left + 80 : left + 80 + 52]
        assert (line.max((1, 2)) > 200).sum() > 30  # both captions: two squares each, side by side
        assert (line[5:15] > 200).all()
    else:
        sheet = np.asarray(files.grid([picture], ["step 0"], heading="東京 + 東東"))
        assert (sheet[25:35, 20 : 20 + 7 * 22] < 60).all()


def test_every_file_of_a_run_in_any_script_is_written(computer, tmp_path):
    computer()
    result = run(3, "🦜 東京", "नमस्ते")
    with pytest.warns(UserWarning, match="no font of this computer has"):
        film.video(result, tmp_path / "film.mp4", fps=2)
        files.contact_sheet(result, tmp_path / "sheet.png", count=2)
    assert (tmp_path / "film.mp4").stat().st_size > 1000
