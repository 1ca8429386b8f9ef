"""The listening test as a page opened from disk, and as a widget in a real JupyterLab."""

import json
import os
from hashlib import sha256

import numpy as np
import pytest
from a_lab import open_and_run, run_cell, running_lab, until, write_notebook

from itskit import listening
from itskit.export import listening_page
from itskit.listening import Clip
from itskit.media import Sound

pytestmark = pytest.mark.browser

TEST = "document.querySelector('.its-listening').test"
NASTY = "What </script><img src=x onerror=alert(1)> do you hear?"
MAKE_PLAN = """
import numpy as np
from itskit import listening, widgets
from itskit.media import Sound
from itskit.listening import Clip
def tone(hertz):
    return Sound(0.1 * np.sin(2 * np.pi * hertz * np.arange(2400) / 8000), 8000)
words = ['bell', 'bird', 'wind']
clips = [Clip(tone(300 + 90 * k), word, 'composed') for k, word in enumerate(words)]
plan = listening.identify(clips, training=[Clip(tone(200), 'bell', 'recorded')], repeats=1)
""".strip()


def tone(hertz):
    return Sound(0.1 * np.sin(2 * np.pi * hertz * np.arange(2400) / 8000), 8000)


def words_plan(question="What do you hear?"):
    words = ["bell", "bird", "<b>wind</b>"]
    clips = [Clip(tone(300 + 90 * k), word, "composed") for k, word in enumerate(words)]
    training = [Clip(tone(200), "bell", "recorded")]
    return listening.identify(clips, training=training, repeats=1, question=question)


def pairs_plan():
    made = ("alone", "composed", "printed")
    clips = [Clip(tone(300 + 90 * k), "bell", condition) for k, condition in enumerate(made)]
    return listening.prefer(clips)


@pytest.fixture
def open_page(browser):
    """Opens a file with the network off; fails on any error that the page reports."""
    contexts, errors = [], []

    def open_it(path, context=None, **options):
        if context is None:
            context = browser.new_context(offline=True, bypass_csp=True, **options)
            contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("request", lambda r: errors.append(r.url) if r.url.startswith("http") else None)
        page.on("dialog", lambda dialog: (errors.append("a dialog"), dialog.dismiss()))
        page.goto(path.as_uri())
        page.wait_for_selector(".its-listening", timeout=60000)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not errors


def look(page, name):
    """Keeps a screenshot where ITSKIT_LOOK names a folder, for somebody to look at."""
    if os.environ.get("ITSKIT_LOOK"):
        page.screenshot(path=os.path.join(os.environ["ITSKIT_LOOK"], f"{name}.png"))


def listen(page):
    """Plays all sounds of a question to their end."""
    for k in range(page.locator(".its-listen").count()):
        page.locator(".its-listen").nth(k).click()
        page.wait_for_function(f"{TEST}.trial.players[{k}].heard", timeout=20000)
    page.wait_for_function(f"!{TEST}.trial.options.root.disabled", timeout=5000)


def answer_all(page, plan, order, choose, most=99):
    """Answers as `choose(trial, words)` says; what was answered, {id: answer}."""
    given = {}
    while page.locator(".its-listen").count() and len(given) < most:
        id = page.evaluate(f"{TEST}.trial.id")
        trial, _ = plan.sheet(order).key[id]
        given[id] = choose(trial)
        listen(page)
        page.locator(f".its-option input[value='{given[id]}']").check()
        page.locator(".its-go").click()
        if trial.training:
            page.wait_for_function(f"{TEST}.trial.told.textContent !== ''")
            page.locator(".its-go").click()
        page.wait_for_function(f"{TEST}.trial?.id !== '{id}'")
    return given


def order_of(page):
    sittings = page.evaluate("JSON.parse(Object.values(localStorage)[0])")
    return sittings[-1]["order"]


def downloaded(page, path):
    page.wait_for_selector("a[download]")
    with page.expect_download() as download:
        page.locator("a[download]").click()
    download.value.save_as(path)
    return download.value.suggested_filename


def test_the_page_is_taken_and_its_answers_are_read(open_page, tmp_path):
    plan = words_plan(NASTY)
    file = listening_page(plan, tmp_path / "bells.html", orders=3)
    text = file.read_text("utf-8")
    assert "composed" not in text and "recorded" not in text
    (key,) = tmp_path.glob("bells.*.key.json")
    plan = listening.Plan.opened(key.read_text("utf-8"))
    assert plan.secret not in text and plan.seal in text
    page = open_page(file)
    assert page.locator("code").inner_text() == plan.seal
    assert "fewer than 50% of the practice" in page.locator(".its-listening").inner_text()
    assert NASTY in page.locator(".its-listening").text_content()
    assert page.locator(".its-listening img").count() == 0
    look(page, "listening-begin")
    page.locator(".its-go").click()
    given = answer_all(page, plan, order_of(page), lambda trial: trial.right)
    assert page.locator("h2").inner_text() == "Thank you for listening"
    look(page, "listening-end")
    assert downloaded(page, tmp_path / "a.jsonl") == "bells-answers.jsonl"
    answers = listening.read(tmp_path / "a.jsonl", plan)
    assert {row.id: row.answer for row in answers.rows} == given
    assert len(answers.rows) == 5 and all(row.right for row in answers.rows)
    assert answers.dropped == {} and answers.agreement == (1, 1)
    assert all(0.2 < row.seconds < 60 for row in answers.rows)
    assert listening.read(tmp_path / "a.jsonl", key.read_text("utf-8")).rows == answers.rows


def test_the_rule_is_that_sounds_are_heard_before_they_are_judged(open_page, tmp_path):
    page = open_page(listening_page(words_plan(), tmp_path / "bells.html"))
    page.locator(".its-go").click()
    assert page.locator(".its-option input").first.is_disabled()
    assert page.locator(".its-go").is_disabled()
    page.keyboard.press("1")
    assert page.locator(":checked").count() == 0
    listen(page)
    assert page.locator(".its-go").is_disabled()  # still nothing chosen
    look(page, "listening-question")


def test_it_goes_on_after_the_page_was_closed_and_another_may_follow(open_page, tmp_path):
    plan = words_plan()
    file = listening_page(plan, tmp_path / "bells.html")
    plan = plan.kept(file)
    page = open_page(file)
    page.locator(".its-go").click()
    order = order_of(page)
    first = answer_all(page, plan, order, lambda trial: trial.right, most=2)
    context = page.context
    page.close()
    page = open_page(file, context)
    assert page.locator(".its-go").inner_text() == "Go on"
    page.locator(".its-go").click()
    rest = answer_all(page, plan, order, lambda trial: "bird")
    assert len(rest) == 3 and not set(first) & set(rest)
    page.get_by_text("Somebody else begins").click()
    page.wait_for_function("document.querySelector('.its-go')?.innerText === 'Begin'")
    page.locator(".its-go").click()
    answer_all(page, plan, order_of(page), lambda trial: "bell")
    downloaded(page, tmp_path / "a.jsonl")
    answers = listening.read(tmp_path / "a.jsonl", plan)
    assert len(answers.rows) == 10 and len(answers.listeners) == 2


def test_pairs_are_answered_by_keys_alone(open_page, tmp_path):
    plan = pairs_plan()
    file = listening_page(plan, tmp_path / "pairs.html")
    plan = plan.kept(file)
    page = open_page(file, viewport={"width": 390, "height": 800})
    page.locator(".its-go").focus()
    page.keyboard.press("Enter")
    for k in range(3):
        id = page.evaluate(f"{TEST}.trial.id")
        for heard in range(2):
            page.keyboard.press("p")
            page.wait_for_function(f"{TEST}.trial.players[{heard}].heard", timeout=20000)
        page.wait_for_function(f"!{TEST}.trial.options.root.disabled")
        page.keyboard.press("2")
        if k == 0:
            look(page, "listening-pair-phone")
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.keyboard.press("Enter")
        page.wait_for_function(f"{TEST}.trial?.id !== '{id}'")
    downloaded(page, tmp_path / "a.jsonl")
    answers = listening.read(tmp_path / "a.jsonl", plan)
    assert [row.answer for row in answers.rows] == ["second"] * 3
    met = {"+".join(sorted((row.condition, row.other))) for row in answers.rows}
    assert met == {"alone+composed", "alone+printed", "composed+printed"}


def test_all_sounds_are_equally_loud_and_nothing_is_lost(tmp_path):
    import re
    from base64 import b64decode
    from io import BytesIO

    import pyloudnorm
    import soundfile

    noise = np.random.default_rng(0).standard_normal(32000)
    clicks = noise * np.exp(-60 * (np.arange(32000) / 16000 % 0.7))
    several = {"bell": 0.02 * noise, "bird": 0.9 * noise, "clock": 0.1 * clicks}
    clips = [Clip(Sound(y, 16000), word) for word, y in several.items()]
    alone = clips[2].sound.audible()  # its peaks keep it below the others
    quiet = pyloudnorm.Meter(16000).integrated_loudness(alone.samples)
    assert quiet < -22
    plan = listening.identify(clips)
    text = listening_page(plan, tmp_path / "loud.html").read_text("utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])
    levels = []
    for sound in data["sounds"].values():
        y, rate = soundfile.read(BytesIO(b64decode(sound)))
        levels.append(pyloudnorm.Meter(rate).integrated_loudness(y))
    assert levels == pytest.approx([quiet] * 3, abs=0.3)


# ---- the widget ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    pytest.importorskip("jupyterlab")
    folder = tmp_path_factory.mktemp("lab")
    cell = "test = widgets.ListeningTest(plan, 'out/bells.jsonl')\ntest"
    write_notebook(folder / "listen.ipynb", [MAKE_PLAN, cell])
    with running_lab(folder) as address:
        yield address, folder


@pytest.mark.slow
def test_the_widget_is_taken_in_a_notebook_and_goes_on_in_a_new_kernel(lab, browser):
    page = open_and_run(browser, lab[0], "listen.ipynb")
    page.wait_for_selector(".its-listening .its-go", timeout=120000)
    assert page.locator(".its-listening code").inner_text() == run_cell(
        page, "print(test.plan.seal)"
    )
    state = page.evaluate("JSON.stringify(document.querySelector('.its-listening').test.facts)")
    assert "composed" not in state and "recorded" not in state
    page.locator(".its-listening .its-go").click()
    plan = listening.Plan.opened(run_cell(page, "print(test.plan.envelope)"))
    given = answer_all(page, plan, 0, lambda trial: "bell", most=2)
    look(page, "listening-lab")
    until(page, "print(len(test.answered))", "2")
    page.context.close()
    page = open_and_run(browser, lab[0], "listen.ipynb")  # the cells run again: a new plan
    page.wait_for_function(
        "document.querySelector('.its-go')?.innerText === 'Go on'", timeout=120000
    )
    page.locator(".its-listening .its-go").click()
    given |= answer_all(page, plan, 0, lambda trial: "bell")
    page.wait_for_selector("a[download]", timeout=20000)
    envelope = page.locator(".its-listening pre").text_content()
    assert sha256(envelope.encode()).hexdigest() == plan.seal
    look(page, "listening-lab-end")
    text = (lab[1] / "out" / "bells.jsonl").read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    assert {line["id"]: line["answer"] for line in lines} == given and len(given) == 5
    answers = listening.read(lab[1] / "out" / "bells.jsonl", plan)
    assert [row.right for row in answers.rows] == [row.word == "bell" for row in answers.rows]
    page.context.close()
