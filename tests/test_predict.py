"""Questions that a run answers: judged rightly, kept safely, never in the way."""

import json
import math
import os
import re
from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from a_run import NASTY
from PIL import Image

from itskit import answers
from itskit.widgets import Predict


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out" / "answers.jsonl"


KINDS = {  # how to ask, an answer, a truth, right, distance: counted by hand
    "choice": ({"choices": ["left", "right"]}, "left", "right", False, None),
    "choice, right": ({"choices": [2, 4, 8]}, 4, np.int64(4), True, None),
    "number": ({"number": (20, 8000), "unit": "Hz"}, 440, np.float32(523.5), None, 83.5),
    "number, beyond": ({"number": (0, 1)}, 1, -3.0, None, 4.0),
    "step": ({"step": 8}, 2, np.int64(7), False, 5),
    "step, right": ({"step": 8}, 7, 7, True, 0),
    # 300 of 400 pixels to the side and 100 of 100 down: hypot(300, 100) / 400 of the width
    "point": ({"point": Image.new("L", (400, 100))}, (0, 0), (0.75, 1), None, math.sqrt(10) / 4),
    # boxes that share 1 of 7 quarters
    "region, box": ({"region": True}, (0, 0, 0.5, 0.5), (0.25, 0.25, 0.75, 0.75), None, 6 / 7),
    "region, the same": ({"region": True}, (0.2, 0.1, 0.9, 0.3), (0.9, 0.3, 0.2, 0.1), None, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_the_run_judges(path, name):
    ask, answer, truth, right, distance = KINDS[name]
    guess = Predict("?", path=path, **ask)
    guess.answer = answer
    run = object()
    outcome = guess.reveal(run, lambda found: truth if found is run else None)
    assert outcome.verdict.right is right
    assert outcome.verdict.distance == (distance if distance is None else pytest.approx(distance))
    said, ran = answers.read(path)
    assert (said["event"], ran["event"]) == ("answer", "reveal")
    assert ran["right"] is right and ran["distance"] == outcome.verdict.distance
    assert json.dumps(ran)  # plain numbers, not numpy's


def test_a_map_is_judged_by_what_the_box_holds(path):
    there = np.zeros((4, 8), bool)
    there[1:3, 2:6] = True  # 8 cells
    guess = Predict("?", region=True, path=path)
    guess.answer = (0.5, 0, 1, 1)  # the right half: 16 cells, 4 of them
    outcome = guess.reveal(None, lambda _: there)
    assert repr(outcome).endswith("Your box holds 50% of it, on 50% of the canvas.")
    assert outcome.verdict.distance == pytest.approx(1 - 4 / 20)
    assert answers.read(path)[-1]["truth"] == [0.25, 0.25, 0.75, 0.75]
    loud = there * [0, 0, 1, 1, 3, 3, 0, 0]
    assert "holds 75% of it" in repr(guess.reveal(None, lambda _: loud))


def test_the_outline_of_a_map_leaves_out_what_is_scattered():
    there = np.zeros((10, 20))
    there[2:5, 4:8] = 1  # 12 cells
    there[9, 19] = 0.5  # a twenty-fifth of it
    assert answers.outline(there) == [0.2, 0.2, 0.4, 0.5]
    there[9, 19] = 1  # a thirteenth
    assert answers.outline(there) == [0.2, 0.2, 1, 1]


def test_a_box_between_the_cells_covers_parts_of_them():
    cells = answers._coverage([0.125, 0, 0.5, 0.75], (2, 4))
    assert cells == pytest.approx(np.array([[0.5, 1, 0, 0], [0.25, 0.5, 0, 0]]))


def test_nobody_has_to_answer(path):
    guess = Predict("Left or right?", choices=["left", "right"], path=path)
    outcome = guess.reveal("a run", lambda run: "left")
    assert repr(outcome) == "Nobody answered. The run says: left."
    assert outcome.verdict is None and outcome.answer is None
    assert not path.exists()  # there is nothing to keep


def test_a_run_may_not_say(path):
    guess = Predict("When does it laugh?", step=5, path=path)
    guess.answer = 3
    assert repr(guess.reveal(1, lambda run: None)) == "You said: step 3. The run does not say."
    assert answers.read(path)[-1]["truth"] is None


def test_an_answer_is_locked_by_the_reveal(path):
    guess = Predict("?", step=5, path=path)
    guess.answer = 3
    guess.reveal(1, lambda run: 2)
    with pytest.raises(ValueError, match=r"revealed: make the question anew"):
        guess.answer = 2
    guess.set_state({"value": 2})  # as a browser would that was late
    assert guess.answer == 3
    assert guess.reveal(1, lambda run: 2).answer == 3
    assert [r["answer"] for r in answers.read(path)] == [3, 3, 3]


def test_a_browser_can_send_only_answers(path):
    guess = Predict("?", step=5, path=path)
    for value in (7, "<b>", [1, 2], {"a": 1}, 2.5):
        guess.set_state({"value": value})
        assert guess.answer is None
        assert "expected" in guess.status
    guess.set_state({"value": 4, "seconds": 2.25})
    (record,) = answers.read(path)
    assert (record["answer"], record["seconds"], guess.status) == (4, 2.25, "")


def test_the_last_answer_is_there_when_a_notebook_is_opened_again(path):
    for answer in ("a", "b"):
        Predict("one?", choices="ab ba a b".split(), path=path).answer = answer
    Predict("one?", choices=["a", "c"], key="other", path=path).answer = "c"
    again = Predict("one?", choices="ab ba a b".split(), path=path)
    assert again.answer == "b" and "last answer" in again.status
    assert len(answers.read(path)) == 3  # to be remembered is no answer
    assert "You said: b. The run says: a." in repr(again.reveal(1, lambda run: "a"))
    # what is no longer an answer is forgotten
    assert Predict("one?", choices=["x", "y"], path=path).answer is None
    assert Predict("one?", step=4, path=path).answer is None


def test_answers_survive_what_happens_to_files(path):
    answers.append(path, {"key": "ж", "answer": 1})
    with open(path, "ab") as file:
        file.write(b'{"key": "cut o')
    answers.append(path, {"key": "next"})
    with open(path, "ab") as file:
        file.write(b"\xff\xfe\n[1, 2]\n\n")
    assert answers.read(path) == [{"key": "ж", "answer": 1}, {"key": "next"}]
    assert answers.read(path.with_name("none")) == []


@pytest.mark.skipif(os.name == "nt", reason="a file in the way is another error there")
def test_a_folder_that_takes_no_answers_stops_nobody(tmp_path):
    (tmp_path / "out").write_text("a file", encoding="utf-8")
    guess = Predict("?", step=3, path=tmp_path / "out" / "answers.jsonl")
    guess.answer = 1
    assert "not kept" in guess.status
    guess = Predict("?", step=3, path=tmp_path)
    assert "cannot be read" in guess.status
    guess.answer = 1
    assert "not kept" in guess.status
    assert guess.reveal(1, lambda run: 1).verdict.right


def test_text_is_only_text(path):
    guess = Predict(NASTY, choices=[NASTY, "b"], path=path)
    guess.answer = NASTY
    outcome = guess.reveal(1, lambda run: NASTY)
    for html in (guess._kept_html(), outcome._repr_html_()):
        assert "<script" not in html and "&lt;script&gt;" in html
    assert answers.read(path)[0]["question"] == NASTY


def test_without_widgets_it_is_text(path):
    guess = Predict("Which pitch?", number=(20, 8000), unit="Hz", path=path)
    assert repr(guess) == "Which pitch? (a number from 20 to 8000 Hz)"
    assert guess._kept_bundle()["text/plain"] == repr(guess)
    guess.answer = 440
    assert repr(guess).endswith("You said: 440 Hz.")
    guess.reveal(1, lambda run: 523.25)
    said = "You said: 440 Hz. The run says: 523.2 Hz. You were off by 83.25 Hz."
    assert repr(guess) == f"Which pitch? {said}"
    assert said in guess._kept_html()


def test_without_a_kernel_a_canvas_shows_both(path):
    white = Image.new("L", (400, 100), "white")
    there = np.zeros((2, 4))
    there[:, 3] = 1
    for ask, answer, truth in (
        ("point", (0.25, 0.5), (0.75, 0.5)),
        ("region", (0.1, 0.1, 0.4, 0.9), there),
    ):
        guess = Predict("?", path=path, **{ask: white})
        before = _still(guess)
        guess.answer = answer
        guess.reveal(1, lambda run, truth=truth: truth)
        after = _still(guess)
        assert (before == 255).all()
        tinted = np.flatnonzero((after != 255).any((0, 2)))  # columns
        assert tinted.min() < 105 and tinted.max() > 295
        left, right = after[:, :200].reshape(-1, 3), after[:, 200:].reshape(-1, 3)
        assert (
            left[left[:, 0] > left[:, 2] + 60].size
            and not right[right[:, 0] > right[:, 2] + 60].size
        )
        assert right[right[:, 2] > right[:, 0] + 30].size  # the run's is teal, mine amber


def _still(guess):
    data = re.search(r"data:image/png;base64,([^\"]+)", guess._kept_html())[1]
    return np.asarray(Image.open(BytesIO(b64decode(data))), int)


def test_the_file_can_be_downloaded(path):
    guess = Predict("?", choices=["ж", "b"], path=path)
    guess.answer = "ж"
    sent = []
    guess.send = lambda content: sent.append(content)
    guess._asked(guess, {"type": "download"}, [])
    assert sent[0]["name"] == "answers.jsonl"
    assert json.loads(sent[0]["text"]) == answers.read(path)[0]


WRONG = {
    "none given": ({}, "exactly one of"),
    "two": ({"step": 3, "point": True}, "step and point given"),
    "one word": ({"choices": "left"}, "expected a list"),
    "the same twice": ({"choices": ["a", "a"]}, "all different"),
    "one choice": ({"choices": ["a"]}, "two or more"),
    "no range": ({"number": 3}, r"\(low, high\)"),
    "backwards": ({"number": (3, 1)}, "the smaller one first"),
    "no numbers": ({"number": ("a", 1)}, "'a': expected a number"),
    "infinite": ({"number": (0, math.inf)}, "inf: expected a number"),
    "one step": ({"step": 1}, "2 or more"),
    "half a step": ({"step": 2.5}, "whole number"),
}


@pytest.mark.parametrize("name", WRONG)
def test_questions_that_are_none(path, name):
    arguments, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        Predict("?", path=path, **arguments)


def test_a_question_needs_words(path):
    with pytest.raises(ValueError, match="expected a question"):
        Predict(" ", step=3, path=path)


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        ({"choices": ["a", "b"]}, "c"),
        ({"number": (0, 1)}, 2),
        ({"number": (0, 1)}, math.nan),
        ({"step": 3}, -1),
        ({"step": 3}, "one"),
        ({"point": True}, (0.5, 1.5)),
        ({"point": True}, 0.5),
        ({"region": True}, (0, 0, 1)),
        ({"region": True}, (0.2, 0, 0.2, 1)),
        ({"region": True}, np.ones((3, 3))),
    ],
)
def test_answers_that_are_none(path, ask, answer):
    guess = Predict("?", path=path, **ask)
    with pytest.raises(ValueError, match="expected"):
        guess.answer = answer
    assert guess.answer is None and not path.exists()


def test_what_a_run_says_must_be_an_answer(path):
    guess = Predict("?", choices=["a", "b"], path=path)
    with pytest.raises(ValueError, match="'c': expected one of 'a', 'b'"):
        guess.reveal(1, lambda run: "c")
    with pytest.raises(TypeError, match="expected a function of the run"):
        guess.reveal(1, "a")
    with pytest.raises(ValueError, match="more than that somewhere"):
        Predict("?", region=True, path=path).reveal(1, lambda run: np.zeros((3, 3)))
    guess.answer = "a"  # it is not locked by a reveal that did not come about
