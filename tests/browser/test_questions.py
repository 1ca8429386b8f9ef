"""Questions in a real JupyterLab: answered with the mouse and the keys, revealed, and kept."""

import json

import pytest
from a_lab import open_and_run, run_cell, running_lab, until, write_notebook

pytest.importorskip("jupyterlab")
pytestmark = [pytest.mark.browser, pytest.mark.slow]

KINDS = ("choice", "number", "step", "point", "region", "map")
CELLS = (
    "import numpy as np\nfrom a_run import NASTY, run\nfrom itskit.widgets import Predict\n"
    "picture = run(6).picture()\nthere = np.zeros((32, 128))\nthere[4:28, 40:72] = 1",
    "choice = Predict('Which way?', choices=['left', NASTY[:60], 'right'])\nchoice",
    "number = Predict('At which pitch?', number=(20, 8000), unit='Hz')\nnumber",
    "step = Predict('At which step?', step=12)\nstep",
    "point = Predict('Where is the tower?', point=picture)\npoint",
    "region = Predict('Where is the bell?', region=picture)\nregion",
    "map = Predict('Where is the noise?', region=picture)\nmap",
)
TRUTHS = {  # what the run says, and what is said of the answers given with the keys
    "choice": ("'right'", "You were wrong."),
    "number": ("523.25", "You were off by 83.25 Hz."),
    "step": ("6", "You were off by 2 steps."),
    "point": ("(0.25, 0.5)", "You were off by 27% of the canvas's width."),
    "region": ("(0.44, 0.3, 0.54, 0.7)", "Your box holds 100% of it, on 9% of the canvas."),
    "map": ("there", "Your box holds 75% of it, on 20% of the canvas."),
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predict")
    for name in ("mouse.ipynb", "keys.ipynb"):
        write_notebook(folder / name, CELLS)
    with running_lab(folder) as address:
        yield address, folder


def opened(browser, lab, name):
    page = open_and_run(browser, lab[0], name)
    page.wait_for_function("document.querySelectorAll('.its-predict').length === 6", timeout=180000)
    return page


@pytest.fixture(scope="module")
def mouse(browser, lab):
    page = opened(browser, lab, "mouse.ipynb")
    yield page
    page.context.close()


@pytest.fixture(scope="module")
def keys(mouse, browser, lab):
    """Another notebook beside the first, opened after all was answered there."""
    page = opened(browser, lab, "keys.ipynb")
    yield page
    page.context.close()


def tool(page, kind):
    found = page.locator(".its-predict").nth(KINDS.index(kind))
    found.scroll_into_view_if_needed()
    return found


def drag(page, frame, start, end):
    box = frame.bounding_box()
    (x, y), (x1, y1) = (
        (box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in (start, end)
    )
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x1, y1, steps=6)
    page.mouse.up()


def places(page, kind):
    until(page, f"print({kind}.answer is None)", "False")
    return json.loads(run_cell(page, f"print({kind}.answer)"))


def test_all_kinds_are_answered_with_the_mouse(mouse):
    page = mouse
    tool(page, "choice").get_by_role("button", name="left").click()
    until(page, "print(choice.answer)", "left")
    box = tool(page, "number").locator("input[type=range]").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    until(page, "print(1900 < (number.answer or 0) < 2100)", "True")
    box = tool(page, "step").locator("input[type=range]").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2 - 9, box["y"] + box["height"] / 2)
    until(
        page, "print(step.answer)", "5"
    )  # where the slider stood already, not an answer till then
    frame = tool(page, "point").locator(".its-frame")
    drag(page, frame, (0.5, 0.2), (0.75, 0.5))
    assert places(page, "point") == pytest.approx([0.75, 0.5], abs=0.02)
    drag(page, tool(page, "region").locator(".its-frame"), (0.6, 0.9), (0.2, 0.1))
    assert places(page, "region") == pytest.approx([0.2, 0.1, 0.6, 0.9], abs=0.02)
    frame = tool(page, "map").locator(".its-frame")
    frame.click()  # a box without a size is none
    drag(page, frame, (0.25, 0.1), (0.5, 0.9))
    assert places(page, "map") == pytest.approx([0.25, 0.1, 0.5, 0.9], abs=0.02)


def test_the_answers_of_one_notebook_stand_in_the_next(keys):
    page = keys
    pressed = tool(page, "choice").get_by_role("button", name="left")
    assert pressed.get_attribute("aria-pressed") == "true"
    assert "last answer" in tool(page, "choice").inner_text()
    assert tool(page, "step").locator("input[type=number]").input_value() == "5"
    assert tool(page, "region").locator(".its-box").count() == 1


def test_all_kinds_are_answered_with_the_keys(keys):
    page = keys
    cells = page.locator(".jp-Cell").count()
    choice = tool(page, "choice")
    choice.get_by_role("button", name="left").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    until(page, "print(choice.answer == NASTY[:60])", "True")
    field = tool(page, "number").locator("input[type=number]")
    field.fill("99999")
    field.press("Enter")  # out of range: it is not taken
    field.fill("440")
    field.press("Enter")
    until(page, "print(number.answer)", "440.0")
    tool(page, "step").locator("input[type=range]").focus()
    for key in ("Home", *["ArrowRight"] * 4):
        page.keyboard.press(key)
    until(page, "print(step.answer)", "4")
    tool(page, "point").locator(".its-frame").focus()
    before = places(page, "point")
    for key in ["ArrowLeft"] * 12 + ["ArrowUp"] * 3:
        page.keyboard.press(key)
    wanted = f"{before[0] - 0.24:.2f} {before[1] - 0.06:.2f}"
    until(page, "print('%.2f %.2f' % tuple(point.answer))", wanted)
    run_cell(page, "region.answer = (0.4, 0.3, 0.6, 0.7)")
    tool(page, "region").locator(".its-frame").focus()
    for key in ("ArrowRight", "ArrowDown", "Shift+ArrowLeft", "Shift+ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    until(page, "print(region.answer)", "[0.42, 0.3, 0.6, 0.68]")
    assert page.locator(".jp-Cell").count() == cells


def test_a_reveal_locks_the_answer_and_shows_the_runs_beside_it(keys):
    page = keys
    run_cell(page, "point.answer, region.answer = (0.52, 0.5), (0.42, 0.25, 0.6, 0.75)")
    for kind, (truth, _) in TRUTHS.items():
        run_cell(page, f"{kind}.reveal('a run', lambda run: {truth})")
    for kind, (_, words) in TRUTHS.items():
        tool(page, kind).locator(f'text="{words}"').wait_for(timeout=10000)
    run = tool(page, "choice").get_by_role("button", name="right")
    assert run.is_disabled() and "its-run" in run.get_attribute("class")
    assert tool(page, "number").locator("input:disabled").count() == 2
    ticks = tool(page, "step").locator(".its-tick")
    mine, its = (ticks.nth(k).bounding_box()["x"] for k in range(2))
    scale = tool(page, "step").locator(".its-scale").bounding_box()["width"]
    assert its - mine == pytest.approx(scale * 2 / 11, abs=1.5)
    frame = tool(page, "point").locator(".its-frame").bounding_box()
    dot = tool(page, "point").locator(".its-dot.its-run").bounding_box()
    assert dot["x"] + dot["width"] / 2 - frame["x"] == pytest.approx(frame["width"] / 4, abs=1.5)
    assert tool(page, "region").locator(".its-box").count() == 2
    assert tool(page, "map").locator("img").nth(1).is_visible()
    before = run_cell(page, "print(map.answer)")
    drag(page, tool(page, "map").locator(".its-frame"), (0.8, 0.1), (0.9, 0.9))
    page.wait_for_timeout(600)
    assert run_cell(page, "print(map.answer)") == before
    assert page.evaluate("document.querySelectorAll('.its-predict script').length") == 0


def test_all_that_was_answered_is_in_the_file_and_in_the_download(keys, lab):
    with keys.expect_download() as waiting:
        tool(keys, "choice").get_by_role("button", name="Download answers").click()
    assert waiting.value.suggested_filename == "answers.jsonl"
    kept = (lab[1] / "out" / "answers.jsonl").read_text(encoding="utf-8")
    with open(waiting.value.path(), encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    assert records == [json.loads(line) for line in kept.splitlines()]
    for kind in ("choice", "number", "step", "point", "region"):
        events = [r["event"] for r in records if r["kind"] == kind]
        assert events.count("reveal") == 1 + (kind == "region") and events.count("answer") >= 2
    assert all(0 <= r["seconds"] < 600 for r in records)
    steps = [r["answer"] for r in records if r["kind"] == "step" and r["event"] == "answer"]
    assert steps == [5, 4]  # a row of keys is one answer
