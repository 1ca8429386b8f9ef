"""Fixtures shared by the tests: a real headless Chromium, or a clear reason why there is none."""

import os

import pytest
from chromium import find_chromium

# Quiet on a machine without network, and never a download in the background.
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def _missing_browser() -> str | None:
    """Why the browser tests cannot run here; None if they can."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "browser test: Playwright is missing (pip install playwright)"
    if find_chromium() is None:
        return "browser test: no Chromium found (`make test` installs one, or set ITSKIT_CHROMIUM)"
    return None


def pytest_collection_modifyitems(items):
    marked = [item for item in items if item.get_closest_marker("browser")]
    reason = _missing_browser() if marked else None
    if reason:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def chromium_flags() -> list[str]:
    """Command-line flags for Chromium; root (a container, CI) cannot use its sandbox."""
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return [*FLAGS, *(["--no-sandbox"] if as_root else [])]


@pytest.fixture(scope="session")
def browser(chromium_flags):
    """A Playwright browser (sync API) for tests marked `browser`: `page = browser.new_page()`."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=find_chromium(), args=list(chromium_flags)
        )
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def live_engine(tmp_path_factory):
    """A folder with the live page's engine: networks, onnxruntime-web, scripts."""
    from itskit.live.engine import write_engine

    folder = tmp_path_factory.mktemp("live")
    try:
        write_engine(folder)
    except OSError as error:
        pytest.skip(f"live page: {error}")
    return folder
