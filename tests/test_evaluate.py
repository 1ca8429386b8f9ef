"""The measuring stick: questions answered once, in parts, and measures against slow truths."""

import argparse
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from itskit.models import pocket
from itskit.training.__main__ import part
from itskit.training.dataset.held_out import PAIRS, UNSEEN_PICTURES, UNSEEN_SOUNDS
from itskit.training.evaluate import examination, measures, sheets
from itskit.training.evaluate.summary import as_text, summary
from itskit.training.release.card import evaluation_table


def ask(counter, name, value):
    def question():
        counter.append(name)
        return {"composed, image": [value, 1.0]}, torch.full((2, 1, 128, 512), value)

    return question


def test_questions_are_answered_once_and_shared_between_parts(tmp_path):
    asked: list[str] = []
    todo = {f"q{k}": ask(asked, f"q{k}", k / 4) for k in range(5)}
    path = tmp_path / "evaluation_test.jsonl"
    first = examination.run(todo, path, "these weights", (1, 2))
    assert asked == ["q0", "q2", "q4"] and set(first) == set(asked)
    both = examination.run(todo, path, "these weights", (2, 2))
    assert set(both) == set(todo) and len(asked) == 5
    assert examination.run(todo, path, "these weights") == both and len(asked) == 5
    assert both["q2"] == {"composed, image": [0.5, 1.0]}
    examination.run(todo, path, "other weights", (1, 5))  # other weights are asked anew
    assert asked[5:] == ["q0"]


def test_what_was_answered_is_kept_when_a_question_fails(tmp_path):
    def broken():
        raise RuntimeError("no more memory")

    todo, path = {"one": ask([], "one", 0.5), "two": broken}, tmp_path / "e.jsonl"
    with pytest.raises(RuntimeError):
        examination.run(todo, path, "w")
    assert examination.answers(path, "w") == {"one": {"composed, image": [0.5, 1.0]}}


def test_summary_is_over_prompts_not_over_seeds():
    known = {"a": {"x": [1, 1, 1, 1]}, "b": {"x": [0, 0]}, "c": {"x": [1, 0], "y": [1]}}
    rows = summary(known)
    mean, low, high, count = rows["x"]
    assert (mean, count) == (0.5, 3)
    assert (high - mean, mean - low) == (pytest.approx(4.302653 * 0.5 / 3**0.5),) * 2
    assert rows["y"][0] == 1 and np.isnan(rows["y"][1:3]).all()  # one prompt says nothing of others


def test_hits_and_misses_of_prompts_are_a_share():
    known = {f"q{k}": {"best seed": [k < 36], "x, dB": [float(k < 36)]} for k in range(40)}
    known |= {"all": {"x, dB": [0.5]}}
    rows = summary(known)
    assert rows["best seed"] == pytest.approx((0.9, 0.7695, 0.9604, 40), abs=1e-4)  # by Wilson
    assert as_text("best seed", *rows["best seed"][:3]) == ("90.0%", "76.9% to 96.0%")
    mean, low, high, _ = rows["x, dB"]
    assert high - mean == pytest.approx(mean - low)
    assert summary({f"{k}": {"x": [1.0]} for k in range(40)})["x"][1] < 0.92


def test_sixty_four_canvases_are_shown_first_seeds_first(tmp_path):
    todo = {f"q{k}": ask([], f"q{k}", k / 40) for k in range(40)}
    examination.run(todo, tmp_path / "e.jsonl", "w")
    sheet = sheets.first_seeds(todo, tmp_path / "e")
    assert len(sheet) == 64
    assert [words for words, _ in sheet] == [f"q{k % 40}" for k in range(64)]
    assert all((canvas == round(255 * (k % 40) / 40)).all() for k, (_, canvas) in enumerate(sheet))
    sheets.contact_sheet(sheet, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 1000


def test_the_blind_sheet_shows_numbers_and_keeps_the_words_apart(tmp_path):
    sheet = [(f"word {k}", np.full((128, 512), 6 * k, np.uint8)) for k in range(40)]
    sheets.blind_sheet(sheet, tmp_path / "blind.png")
    words = json.loads((tmp_path / "blind.json").read_text(encoding="utf-8"))
    assert sorted(words.values()) == sorted(w for w, _ in sheet)
    assert list(words.values()) != [w for w, _ in sheet]
    page = np.asarray(Image.open(tmp_path / "blind.png"))
    for n in range(40):  # three in a row, each with a line of text above
        middle = page[(n // 3) * 146 + 80, (n % 3) * 522 + 260]
        assert words[f"#{n + 1}"] == f"word {middle // 6}"


def test_both_at_once_is_not_each_for_itself():
    seen, heard = np.array([True, True, False]), np.array([False, True, True])
    rows = examination.joint("composed", {"image": seen}, {"sound": heard})
    assert rows["composed, joint"].tolist() == [False, True, False]
    assert rows["composed, joint, best seed"].tolist() == [True]
    assert "composed, joint judge" not in rows


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "-1/2"])
def test_parts_that_make_no_sense_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="such as 1/2"):
        part(text)
    assert part("2/3") == (2, 3)


def test_nearest_is_the_highest_cosine_of_any_square(tmp_path):
    gen = torch.Generator().manual_seed(0)
    bank = torch.randn(3, 4, 16, 40, generator=gen)
    latent = torch.randn(2, 4, 16, 32, generator=gen)
    latent[0, :, :, 16:] = 3 * bank[1, :, :, 7:23]  # a remembered square, louder
    latent[1, :, :, :16] = 0  # and one that is black: left out
    save_file({"latents": bank.half()}, tmp_path / "image_train.safetensors")
    found = measures.nearest(latent, tmp_path, "image")

    def slowly(square):
        places = [bank[n, :, :, at : at + 16].half().float() for n in range(3) for at in range(25)]
        return max(float(torch.cosine_similarity(square.ravel(), p.ravel(), 0)) for p in places)

    first, second = slowly(latent[0, :, :, :16]), slowly(latent[1, :, :, 16:])
    assert found[0] == pytest.approx((first + 1) / 2, abs=1e-3)
    assert found[1] == pytest.approx(second, abs=1e-3)


def test_spread_is_zero_of_the_same_and_one_of_strangers():
    assert measures.spread(torch.eye(3)[[0, 0, 0]]) == pytest.approx(0)
    assert measures.spread(torch.eye(3)) == pytest.approx(1)
    half = torch.tensor([[1.0, 0.0], [0.5, 0.75**0.5]])
    assert measures.spread(half) == pytest.approx(0.5)


def test_cycle_error_is_small_for_a_tone_and_large_for_a_checkerboard():
    pair = SimpleNamespace(
        sound=SimpleNamespace(render=pocket.render_sound, analyse=pocket.analyse_sound)
    )
    rate = 16000
    tone = 0.2 * np.sin(2 * np.pi * 880 * np.arange(int(5.12 * rate)) / rate)
    kept = measures.cycle_error(pair, pocket.analyse_sound(tone.astype(np.float32))[0])
    board = torch.zeros(1, 128, 512)
    board[:, ::2, ::2] = 1.0  # no sound looks like that
    assert kept < 2.0 < 5.0 < measures.cycle_error(pair, board)


def test_every_word_is_asked_on_the_test_split_only():
    exam = examination.Examination(None, "test", {}, {}, 2)
    todo = examination.questions(exam, None)
    assert len(todo) == len(PAIRS) + len(UNSEEN_PICTURES) + len(UNSEEN_SOUNDS)
    exam = examination.Examination(None, "validation", {}, {}, 2)
    assert not any(question.startswith("unseen") for question in examination.questions(exam, None))


def test_the_card_shows_its_headlines_and_says_who_judged():
    numbers = {"composed, sound judge": (0.25, 0.15, 0.35, 40)}
    numbers |= {"composed, cycle error, dB": (3, 2.6, 3.4, 40)}
    report = {"weights": "abc", "seeds": 8, "prompts": 40, "split": "test", "numbers": numbers}
    table = evaluation_table(json.loads(json.dumps(report)))
    assert "| composed, as a sound | independent judge | 25.0% |" in table
    assert "dB" not in table and table.count("\n| ") == 2  # the rest stands in the JSON
    assert "chance is 2.5%" in table and "test words" in table


@pytest.mark.slow
def test_one_question_of_the_shipped_pair(tmp_path):
    exam = examination.examination(pocket.FOLDER, "validation", 2, half=True, num_inference_steps=2)
    full = examination.examination(pocket.FOLDER, "validation", 2, num_inference_steps=2)
    words = "a castle", None
    assert exam.make(*words).sub(full.make(*words)).abs().mean() < 0.02  # the same but for rounding
    rows, canvases = examination.ask_pair(exam, 0)
    assert canvases.shape == (2, 1, 128, 512)
    expected = {
        f"{way}, {name}"
        for way in ("composed", "imprint", "strong imprint")
        for name in ("image", "sound")
    }
    assert expected | {"image only, image", "sound only, sound"} <= set(rows)
    assert len(rows["composed, image"]) == 2 and len(rows["composed, joint, best seed"]) == 1
    assert len(rows["composed, cycle error, dB"]) == 2
    brief, same = examination.ask_pair(replace(exam, brief=True), 0)
    torch.testing.assert_close(same, canvases)
    asked = {row for row in rows if row.startswith(("composed", "image only"))}
    assert set(brief) == {row for row in asked if not row.endswith(tuple(measures.UNITS))}
    assert all((brief[row] == rows[row]).all() for row in brief)
    assert len(examination.questions(replace(exam, brief=True, split="test"), None)) == len(PAIRS)
