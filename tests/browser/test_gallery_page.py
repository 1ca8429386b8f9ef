"""The page of the gallery in a real Chromium: from disk, with networking off."""

import pytest
from test_gallery import small_gallery

pytestmark = pytest.mark.browser

PLAYING = "[...document.querySelectorAll('audio')].map((audio) => !audio.paused)"


def test_the_page_shows_its_cards_and_plays_one_sound_at_a_time(browser, tmp_path):
    folder, modules, _ = small_gallery(tmp_path)
    context = browser.new_context(offline=True, viewport={"width": 1200, "height": 900})
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda r: errors.append(r.url) if not r.url.startswith("file:") else None)
    page.on("dialog", lambda dialog: (errors.append("a dialog"), dialog.dismiss()))
    page.goto((folder / "index.html").as_uri())
    assert page.locator(".card").count() == len(modules)
    page.locator("img").last.scroll_into_view_if_needed()
    page.wait_for_function("[...document.images].every((one) => one.naturalWidth === 512)")
    assert page.evaluate(PLAYING) == [False] * 3  # nothing begins by itself

    first, second, _ = page.locator(".play").all()
    assert first.get_attribute("aria-label").startswith("Play: bells")
    first.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('audio').currentTime > 0.2")
    assert page.evaluate(PLAYING) == [True, False, False]
    assert first.get_attribute("aria-label").startswith("Pause: bells")
    swept = float(page.locator(".playhead").first.evaluate("e => parseFloat(e.style.left)"))
    assert 100 * 0.1 / 5.12 < swept < 100

    second.click()
    page.wait_for_function("document.querySelectorAll('audio')[1].currentTime > 0.1")
    assert page.evaluate(PLAYING) == [False, True, False]
    page.keyboard.press("Escape")
    page.wait_for_function(f"!({PLAYING}).includes(true)")
    assert errors == []
    context.close()
