"""The suite is what it says, and its table counts what is known beforehand and loses nothing."""

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from toys import gaussian_pair, pair

import itskit
from itskit import suites

FAST = {"num_inference_steps": 2, "progress": False}
SUITE = suites.load()
KINDS = ("simple", "natural", "contradictory", "abstract", "complex scene", "unknown words")


# ---- the list ------------------------------------------------------------------------------------


def test_sixty_pairs_and_more_in_six_classes_none_twice():
    count = Counter(kind for kind, *_ in SUITE)
    assert tuple(count) == KINDS and min(count.values()) >= 10 and len(SUITE) >= 60
    assert len({(image, sound) for _, image, sound in SUITE}) == len(SUITE)
    runs = [one.kind for one, other in pairwise(SUITE) if one.kind != other.kind]
    assert len(runs) == 5  # each class stands together


def test_classes_are_what_their_names_say():
    """By what the pocket pair says of prompts, which knows nothing of this list."""
    shipped = itskit.load_pair("pocket")

    def unknown(entry):
        return [*shipped.image.check_prompt(entry.image), *shipped.sound.check_prompt(entry.sound)]

    by_kind = {kind: suites.select(SUITE, kind) for kind in KINDS}
    assert [e for e in by_kind["natural"] if unknown(e)] == []
    assert [e for e in by_kind["unknown words"] if len(unknown(e)) < 2] == []
    shared = [e for e in by_kind["natural"] if set(e.image.split()) & set(e.sound.split()) - {"a"}]
    assert len(shared) >= 8  # "a dog" and "a dog barking"
    words = {kind: np.mean([len(e.image.split()) for e in by_kind[kind]]) for kind in KINDS}
    assert words["complex scene"] > 3 * words["natural"]


def test_some_of_a_suite():
    assert [e.kind for e in suites.select(SUITE, count=1)] == list(KINDS)
    assert len(suites.select(SUITE, "abstract", "natural", count=3)) == 6
    assert suites.select([("mine", "a cat", "wind")]) == (suites.Entry("mine", "a cat", "wind"),)
    with pytest.raises(ValueError, match=r"odd: expected some of simple, natural, contradictory"):
        suites.select(SUITE, "odd")


def test_a_suite_of_ones_own(tmp_path):
    path = tmp_path / "mine.tsv"
    path.write_text("# remark\n\nmine\tein Käfer\tein Brummen\n", encoding="utf-8")
    assert suites.load(path) == (("mine", "ein Käfer", "ein Brummen"),)
    path.write_text("mine\ta cat\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"mine.tsv, line 1: 'mine\\ta cat': expected a class"):
        suites.load(path)


# ---- the table -----------------------------------------------------------------------------------

# What each prompt is worth to scorers that go by words; wrong words are worth 0.
WORTH = {"good": 1.0, "bad": -1.0}
MINE = [
    ("one", "good", "good"), ("one", "good", "bad"),
    ("two", "bad", "good"), ("two", "bad", "bad"),
]  # fmt: skip


def judged(toys=None, hear=lambda latent: None):
    def scorer(latent, prompt):
        hear(latent)
        return torch.full((len(latent),), WORTH.get(prompt, 0.0))

    return replace(toys or pair(), scorers={"image": scorer, "sound": scorer})


def test_the_table_says_what_the_scorers_know():
    found = suites.table(judged(), MINE, **FAST)
    outcomes = [row["outcomes"] for row in found.rows]
    assert outcomes == [["both"] * 2, ["picture only"] * 2, ["sound only"] * 2, ["neither"] * 2]
    one, two = found.by_class().values()
    assert (one["n"], one["both"], one["picture only"], one["neither"]) == (2, 0.5, 0.5, 0.0)
    assert (two["n"], two["sound only"], two["neither"]) == (2, 0.5, 0.5)
    wilson = binomtest(1, 2).proportion_ci(method="wilson")
    assert one["both_interval"] == pytest.approx((wilson.low, wilson.high))
    assert repr(found).splitlines()[1].split()[:2] == ["one", "2"]
    assert "<td>one</td><td>2</td><td>50% (9–91)</td>" in found._repr_html_()


def test_silence_is_no_sound_and_equal_seeds_look_alike():
    dark = gaussian_pair(-1.0, -1.0)  # black, whatever the noise
    row = suites.table(judged(dark), [("k", "a", "a")], **FAST).rows[0]
    assert row["outcomes"] == ["neither"] * 2 and row["alike"] is True
    assert suites.outcome(["silence"]) == "picture only"
    wild = suites.table(judged(gaussian_pair(0.0, 0.0, 1.0)), MINE[:1], **FAST).rows[0]
    assert wild["alike"] is False
    single = suites.table(judged(), MINE[:1], seeds=[3], **FAST)
    assert single.rows[0]["alike"] is None
    assert "–" in repr(single) and "nan" not in repr(single)


def test_a_stopped_table_goes_on_where_it_was(tmp_path):
    path, calls = tmp_path / "out" / "suite.jsonl", []

    def stop_at_the_third(latent):
        calls.append(1)
        if len(calls) == 2 * PER_ROW + 1:
            raise KeyboardInterrupt

    suites.table(judged(hear=lambda _: calls.append(1)), MINE[:1], **FAST)
    PER_ROW = len(calls)
    calls.clear()
    part = suites.table(judged(hear=stop_at_the_third), MINE, path, **FAST)
    assert part.stopped and len(part.rows) == 2
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"kind": "two", "im')  # a process that was killed
    calls.clear()
    whole = suites.table(judged(hear=lambda _: calls.append(1)), MINE, path, **FAST)
    assert len(calls) == 2 * PER_ROW and not whole.stopped
    assert whole.rows == suites.table(judged(), MINE, **FAST).rows
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 5 and [json.loads(x)["made"] for x in lines if x.endswith("}")] == [
        row["made"] for row in whole.rows
    ]


def test_other_settings_and_seeds_are_other_rows(tmp_path):
    path = tmp_path / "suite.jsonl"
    toys = judged()
    suites.table(toys, MINE[:1], path, **FAST)
    suites.table(toys, MINE[:1], path, seeds=[5, 6], **FAST)
    suites.table(toys, MINE[:1], path, image_scale=2.0, **FAST)
    suites.table(replace(toys, weights_hash="other"), MINE[:1], path, **FAST)
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(suites.read(path)) == 4
    suites.table(toys, MINE[:1], path, **FAST)
    assert len(path.read_text(encoding="utf-8").splitlines()) == 4


def test_prompts_are_text_and_never_markup(tmp_path):
    nasty = [("<b>\u2028", "<script>alert(1)</script>\u2028", 'bells \u0085 & "more"')]
    path = tmp_path / "suite.jsonl"
    found = suites.table(judged(), nasty, path, **FAST)
    assert "<b>" not in found._repr_html_() and "&lt;b&gt;" in found._repr_html_()
    assert [row["image"] for row in suites.read(path).values()] == [nasty[0][1]]
    suites.table(judged(), nasty, path, **FAST)
    assert path.read_bytes().count(b"\n") == 1


def test_notes_on_unknown_words_are_kept_and_not_warned_of():
    toys = judged()
    strict = replace(toys.image, check_prompt=lambda text: [f"not known: {text}"])
    row = suites.table(replace(toys, image=strict), [("k", "a wug", "b")], **FAST).rows[0]
    assert row["notes"] == ["image prompt 'a wug': not known: a wug"]


def test_what_cannot_be_tabled_is_refused():
    with pytest.raises(ValueError, match="0 entries"):
        suites.table(judged(), [])
    with pytest.raises(ValueError, match=r"scorers \[\] of the pair 'toy'"):
        suites.table(pair(), MINE)
