"""The book in a real Chromium: opened from disk, with networking switched off, large and small."""

import re
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag

import nbformat
import pytest

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "docs" / "book"))
pytest.importorskip("myst_nb")

from build import build  # noqa: E402

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# A question of each kind that the book's script treats by itself, and a run that answers at once.
QUESTIONS = """import itskit
left = itskit.widgets.Predict("Left or right?", choices=["left", "right"])
where = itskit.widgets.Predict("Where?", point=True)
display(left, where)
left.reveal(None, lambda run: "right")
where.reveal(None, lambda run: (0.25, 0.5))"""
DRAWN = """from PIL import Image
display(itskit.widgets.WeightCurve("warm start"))
itskit.widgets.WeightMap(Image.new("L", (512, 128)), start=0.5)"""


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A book of a lesson, and of a page of questions and drawings."""
    folder = tmp_path_factory.mktemp("book")
    cells = [nbformat.v4.new_markdown_cell("# Questions\n\n$\\sqrt{\\bar\\alpha_t}$")]
    cells += [nbformat.v4.new_code_cell(source) for source in (QUESTIONS, DRAWN)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "99_questions.ipynb")
    chosen = [ROOT / "notebooks" / "00_start.ipynb", folder / "99_questions.ipynb"]
    return build(folder / "out", folder / "work", chosen).parent


@pytest.fixture
def open_page(browser):
    """Opens a page of the book with the network off; fails on any error that it reports."""
    contexts, errors = [], []

    def open_it(path, **options):
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("request", lambda r: errors.append(r.url) if r.url.startswith("http") else None)
        page.goto(path.as_uri())
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not errors


def test_every_link_and_every_file_is_there(book):
    pages = [p for p in book.rglob("*.html") if "media" not in p.parts and p.name != "page.html"]
    assert {"index.html", "00_start.html", "glossary.html", "teaching.html"} <= {
        p.name for p in pages
    }
    missing = set()
    for page in pages:
        for link in re.findall(r'(?:href|src)="([^"]+)"', page.read_text(encoding="utf-8")):
            path = unquote(urldefrag(link)[0]).split("?")[0]
            if path and not re.match(r"\w+:", path) and not (page.parent / path).exists():
                missing.add((page.name, path))
    assert missing == set()
    assert (book / ".nojekyll").exists()  # else GitHub Pages leaves _static out


def test_nothing_is_fetched_from_elsewhere(book):
    for page in book.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        fetched = re.findall(r'<(?:script|img|audio|iframe|source)[^>]* src="(https?:[^"]+)"', text)
        fetched += re.findall(r'<link[^>]* href="(https?:[^"]+)"', text)
        assert fetched == [], page.name


@pytest.mark.parametrize("name", ["index", "gallery", "notebooks/00_start",
                                  "notebooks/99_questions", "docs/teaching", "docs/glossary",
                                  "api/itskit"])  # fmt: skip
def test_pages_fit_a_phone(book, open_page, name):
    phone = {"viewport": {"width": 390, "height": 800}, "is_mobile": True, "has_touch": True}
    page = open_page(book / f"{name}.html", **phone)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_scrubber_lives(book, open_page):
    page = open_page(book / "notebooks" / "00_start.html")
    frame = page.frame_locator("iframe.its-framed").first
    slider = frame.locator(".its-step")
    slider.wait_for(timeout=60000)
    ask = "canvas => canvas.toDataURL()"
    before = frame.locator(".its-frame canvas").evaluate(ask)
    slider.focus()
    page.keyboard.press("End")
    page.wait_for_timeout(500)
    assert slider.evaluate("e => e.value === e.max")
    assert frame.locator(".its-frame canvas").evaluate(ask) != before


def test_sounds_play_one_at_a_time(book, open_page):
    page = open_page(book / "notebooks" / "00_start.html")
    ask = "k => document.querySelectorAll('.cell_output audio')[k]"
    for k in (0, 1):
        page.evaluate(f"k => ({ask})(k).play()", k)
        page.wait_for_function(f"k => ({ask})(k).currentTime > 0.1", arg=k)
    assert page.evaluate(f"[({ask})(0).paused, ({ask})(1).paused]") == [True, False]


def test_pictures_are_shown_and_described(book, open_page):
    page = open_page(book / "notebooks" / "00_start.html")
    page.evaluate("document.querySelectorAll('img').forEach((img) => (img.loading = 'eager'))")
    page.wait_for_function("[...document.images].every((img) => img.complete)")
    own = "img => !img.closest('.its-book-predict')"  # whose canvas is described by its frame
    ask = f"[...document.images].filter({own}).map(img => [img.naturalWidth, img.alt])"
    pictures = page.evaluate(ask)
    assert len(pictures) > 8
    assert all(width > 0 and words for width, words in pictures)


def test_widgets_say_what_they_need(book, open_page):
    start = open_page(book / "notebooks" / "00_start.html").locator("article").inner_text()
    assert "this is an instrument" in start and "a Compose button" in start
    drawn = open_page(book / "notebooks" / "99_questions.html").locator("article").inner_text()
    assert "you draw this curve" in drawn and "you paint this map" in drawn
    for text in (start, drawn):
        assert "Error" not in text and "it/s" not in text


def test_guess_first_hides_what_cells_show_until_it_is_asked_for(book, open_page):
    page = open_page(book / "notebooks" / "00_start.html")
    pictures = page.locator(".cell_output:not(:has(.its-book-predict)) img")
    picture = pictures.first
    assert picture.is_visible()
    page.get_by_label("Guess first").check()
    assert not picture.is_visible()
    holder = picture.locator("xpath=ancestor::div[contains(@class, 'cell_output')]")
    holder.get_by_role("button", name="Show what it says").press("Enter")  # the page glides
    assert picture.is_visible()
    assert not pictures.last.is_visible()
    page.reload()
    assert not picture.is_visible()  # it is remembered


def test_questions_are_answered_without_a_kernel(book, open_page):
    page = open_page(book / "notebooks" / "99_questions.html")
    choice, point = page.locator(".its-book-predict").all()
    choice.get_by_role("button", name="left", exact=True).click()
    assert "right" not in choice.locator(".its-verdict").inner_text()
    choice.get_by_role("button", name="See what the run said").click()
    said = choice.locator(".its-verdict").inner_text()
    assert " ".join(said.split()) == "You said: left. The run says: right. You were wrong."
    assert choice.get_by_role("button", name="left", exact=True).is_disabled()
    point.locator(".its-frame").click()
    point.get_by_role("button", name="See what the run said").click()
    assert "25% from the left" in point.locator(".its-verdict").inner_text()
    kept = page.evaluate("localStorage.getItem('itskit-answers')").splitlines()
    assert len(kept) == 4 and '"answer":"left"' in kept[0] and '"truth":"right"' in kept[1]
    assert page.locator("math").count() == 1


def test_answers_of_the_book_are_read_like_those_of_a_notebook(book, open_page, tmp_path):
    from itskit import answers

    page = open_page(book / "notebooks" / "99_questions.html")
    choice = page.locator(".its-book-predict").first
    choice.get_by_role("button", name="left", exact=True).click()
    with page.expect_download() as waiting:
        choice.get_by_role("button", name="Download answers").click()
    waiting.value.save_as(tmp_path / "answers.jsonl")
    (record,) = answers.read(tmp_path / "answers.jsonl")
    assert (record["event"], record["key"], record["answer"]) == (
        "answer",
        "Left or right?",
        "left",
    )


def test_the_gallery_shows_plays_and_opens(book, open_page):
    page = open_page(book / "gallery.html")
    assert page.locator(".its-card").count() > 30
    player = page.locator("#palm_tree_birds audio")
    player.evaluate("audio => audio.play()")
    page.wait_for_function("document.querySelector('#palm_tree_birds audio').currentTime > 0.1")
    page.locator("#palm_tree_birds > a").click()
    page.wait_for_selector(".its-scrubber")


def test_the_reference_has_docstrings(book, open_page):
    text = open_page(book / "api" / "itskit.html").locator("article").text_content()
    assert "compose(" in text and "num_inference_steps" in text and "Parameters" in text


def test_words_are_found(book, open_page):
    page = open_page(book / "search.html")
    page.goto((book / "search.html").as_uri() + "?q=spectrogram")
    page.wait_for_selector("#search-results li", timeout=30000)
