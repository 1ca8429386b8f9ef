"""Listening tests: blind, fair and kept; and their analysis against known truths."""

import json
import re
from collections import Counter

import numpy as np
import pytest
from scipy.stats import binom, binomtest, norm

from itskit import answers, listening
from itskit.listening import Clip, Discard
from itskit.media import Sound

WORDS = ["bell", "bird", "clock", "wind"]


def tone(hertz):
    return Sound(0.1 * np.sin(2 * np.pi * hertz * np.arange(1600) / 8000), 8000)


def clips(conditions=("alone", "composed"), words=WORDS):
    several = [(word, condition) for word in words for condition in conditions]
    return [Clip(tone(200 + 50 * k), word, made) for k, (word, made) in enumerate(several)]


def words_plan(**options):
    training = [Clip(tone(100), "bell", "recorded"), Clip(tone(110), "wind", "recorded")]
    return listening.identify(
        clips(), training=training, **{"repeats": 3, "secret": "tell nobody", **options}
    )


def pairs_plan(conditions=("alone", "composed", "printed"), **options):
    return listening.prefer(clips(conditions), **{"secret": "tell nobody", **options})


# ---- blind and fair ------------------------------------------------------------------------------


def test_what_travels_says_nothing_of_what_it_is():
    plan = words_plan()
    told = json.dumps(plan.sheet(3).trials)
    assert not re.search("alone|composed|recorded|right|word", told)
    assert plan.secret not in told
    for trial in plan.sheet(3).trials:
        assert set(trial) == {"id", "question", "training", "sounds", "choices"}
        assert sorted(trial["choices"]) == WORDS
    assert len(set(plan.sound_ids())) == len(plan.clips)


def test_the_order_is_known_to_who_has_the_secret_and_differs_between_listeners():
    plan, other = words_plan(secret="a"), words_plan(secret="b")
    assert plan.sheet(1) == words_plan(secret="a").sheet(1)
    orders = [[t["sounds"] for t in one.trials] for one in (plan.sheet(1), plan.sheet(2))]
    assert orders[0] != orders[1]
    assert not set(plan.sound_ids()) & set(other.sound_ids())
    assert listening.identify(clips()).secret != listening.identify(clips()).secret


def test_practice_comes_first_and_repeats_come_late_under_another_name():
    plan = words_plan()
    for order in range(20):
        sheet = plan.sheet(order)
        assert [t["training"] for t in sheet.trials] == [True] * 2 + [False] * 11
        places = {trial["id"]: n for n, trial in enumerate(sheet.trials)}
        assert len(places) == len(plan) == 13
        again = {new: old for new, (_, old) in sheet.key.items() if old}
        assert len(again) == 3
        for new, old in again.items():
            assert places[new] >= places[old] + 2
            assert sheet.key[new][0] == sheet.key[old][0]


def test_every_first_place_is_as_likely_and_sides_are_balanced():
    plan = pairs_plan(secret="x")  # 4 words, 3 pairs each
    first, sides = Counter(), []
    for order in range(300):
        sheet = plan.sheet(order)
        first[sheet.trials[0]["sounds"][0]] += 1
        shown = [sheet.key[t["id"]][0].clips for t in sheet.trials]
        sides.append(sum(a < b for a, b in shown))
    assert set(sides) == {6}  # of 12
    assert len(first) == 12 and max(first.values()) < 3 * min(first.values())


def test_a_repeated_pair_comes_the_other_way_round():
    sheet = pairs_plan(repeats=4).sheet(5)
    for new, (trial, old) in sheet.key.items():
        if old:
            assert trial.clips == sheet.key[old][0].clips[::-1], new


def test_a_question_may_name_the_word_of_a_pair_but_never_of_a_single_sound():
    asked = "Which sounds more like {word}?"
    for trial in pairs_plan(question=asked).sheet(0).trials:
        assert trial["question"] in {f"Which sounds more like {word}?" for word in WORDS}
    assert {t["question"] for t in words_plan(question=asked).sheet(0).trials} == {
        "Which sounds more like …?"
    }
    assert pairs_plan(question=asked).facts()["question"] == "Which sounds more like …?"


def test_the_seal_binds_the_secret_the_key_and_the_rule():
    import hashlib

    plan = words_plan()
    assert plan.seal == hashlib.sha256(plan.envelope.encode()).hexdigest()
    assert listening.check_seal(plan.seal, plan.envelope)
    assert not listening.check_seal(plan.seal, plan.envelope.replace('"bell"', '"wind"', 1))
    assert words_plan(secret="a").seal != words_plan(secret="a", discard=Discard(0.9)).seal
    back = listening.Plan.opened(plan.envelope)
    assert back.seal == plan.seal and back.sheet(4) == plan.sheet(4)
    assert back.sound_ids() == plan.sound_ids()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"clips": 3}'])
def test_what_is_no_envelope_is_refused(text):
    with pytest.raises(ValueError, match="expected the text of"):
        listening.Plan.opened(text)


def test_a_test_keeps_its_secret_beside_its_answers(tmp_path):
    path = tmp_path / "deep" / "bells.jsonl"
    plan = words_plan().kept(path)
    assert words_plan(secret="another").kept(path).seal == plan.seal
    assert words_plan(repeats=1).kept(path).seal != plan.seal  # another test, another file
    kept = sorted(path.parent.iterdir())
    assert len(kept) == 2 and all(re.search(r"bells\.\w{8}\.key\.json$", str(k)) for k in kept)
    assert listening.Plan.opened(kept[0].read_text("utf-8")).seal in (
        plan.seal,
        words_plan(repeats=1).kept(path).seal,
    )


def test_plans_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="missing: \\['wind'\\]"):
        listening.identify(clips(), choices=WORDS[:3])
    with pytest.raises(ValueError, match="two or more"):
        listening.identify(clips(words=["bell"]))
    with pytest.raises(ValueError, match="expected 0 to 4"):
        words_plan(repeats=5)
    with pytest.raises(ValueError, match="no clips"):
        listening.identify([], choices=WORDS)
    with pytest.raises(ValueError, match="no item has two clips"):
        listening.prefer(clips(("alone",)))
    with pytest.raises(ValueError, match="'bell', 'alone'"):
        listening.prefer(clips(("alone", "alone")))


def test_nothing_is_lowered_to_silence():
    loud, quiet = tone(300), Sound(np.full(8000, 1e-6), 8000)
    before = loud.audible().samples
    after = listening.levelled([loud, quiet])[0].samples
    assert 10 ** (-15 / 20) - 1e-3 < after.std() / before.std() <= 1
    assert np.array_equal(listening.levelled([loud, loud])[1].samples, before)


# ---- kept ----------------------------------------------------------------------------------------


def test_answers_make_a_round_trip(tmp_path):
    plan, path = words_plan(), tmp_path / "out" / "a.jsonl"
    lines = listening.simulate(plan, 5, right={"alone": 1.0, "composed": 0.0})
    for one in lines:
        answers.append(path, one)
    found = listening.read(path, plan)
    assert len(found.rows) == 5 * 13 and len(found.main) == 5 * 8
    assert listening.read(path, plan.envelope).rows == found.rows
    assert listening.read(lines, plan).rows == found.rows
    assert all(row.right == (row.condition != "composed") for row in found.rows)
    assert {row.word for row in found.main} == set(WORDS)


def test_a_line_that_was_cut_off_spoils_only_itself(tmp_path):
    plan, path = words_plan(), tmp_path / "a.jsonl"
    lines = listening.simulate(plan, 1)
    for one in lines[:3]:
        answers.append(path, one)
    path.write_bytes(path.read_bytes()[:-30])
    for one in lines[3:]:
        answers.append(path, one)
    assert len(listening.read(path, plan).rows) == 12


def test_the_first_answer_counts_and_strangers_are_left_out(tmp_path):
    plan, other = words_plan(), words_plan(secret="b")
    sheet = plan.sheet(0)
    first, second = (
        listening.line(plan, sheet, sheet.trials[0]["id"], word, listener=1) for word in WORDS[:2]
    )
    foreign = listening.simulate(other, 1)
    found = listening.read([first, second, *foreign], plan)
    assert [row.answer for row in found.rows] == ["bell"]
    with pytest.raises(ValueError, match="none of 13 answers is to this test"):
        listening.read(foreign, plan)
    with pytest.warns(UserWarning, match="no such question"):
        found = listening.read([first | {"answer": "<b>"}, first | {"id": "x"}, first], plan)
    assert len(found.rows) == 1


def test_an_answer_that_cannot_be_given_is_no_line():
    plan = words_plan()
    with pytest.raises(ValueError, match="expected one of"):
        listening.line(plan, plan.sheet(), plan.sheet().trials[0]["id"], "a name", listener=0)


def test_the_rule_for_leaving_out_is_kept():
    plan = words_plan(discard=Discard(training=0.75, repeats=0.5))
    assert "75% of the practice" in str(plan.discard) and "50% of repeated" in str(plan.discard)
    good = listening.simulate(plan, 4, right=1.0)
    sheet = plan.sheet(0)
    practice = [t["id"] for t in sheet.trials if t["training"]]
    bad = [one | {"listener": "asleep"} for one in good if one["listener"] == "made up 0"]
    flip = {"bell": "bird", "bird": "bell", "clock": "wind", "wind": "clock"}
    for one in bad:
        if one["id"] == practice[0] or sheet.key[one["id"]][1]:
            one["answer"] = flip[one["answer"]]
    hasty = [one | {"listener": "hasty"} for one in good[:6]]
    found = listening.read([*good, *bad, *hasty], plan)
    assert found.dropped == {
        "asleep": "1 of 2 practice items right",
        "hasty": "answered 6 of 13",
    }
    assert len(found.main) == 4 * 8 and found.agreement == (12, 12)
    plan = words_plan(secret=plan.secret, discard=Discard(training=0, repeats=0.5))
    again = [one | {"seal": plan.seal} for one in [*good, *bad]]
    assert listening.read(again, plan).dropped == {"asleep": "0 of 3 repeats answered alike"}


def test_a_repeated_pair_is_answered_alike_if_the_same_sound_is_chosen():
    plan = pairs_plan(repeats=4)
    lines = listening.simulate(plan, 3, strengths={"alone": 100, "composed": 50})
    assert listening.read(lines, plan).agreement == (12, 12)
    always_first = [one | {"answer": "first"} for one in lines]
    assert listening.read(always_first, plan).agreement == (0, 12)


# ---- analysis ------------------------------------------------------------------------------------


def test_shares_are_those_of_scipy():
    plan = words_plan()
    rows = listening.read(listening.simulate(plan, 7, right=0.6, seed=1), plan).main
    found = listening.shares(rows)
    assert set(found) == {"alone", "composed"}
    for share in found.values():
        truth = binomtest(share.hits, share.n).proportion_ci(method="wilson")
        assert (share.low, share.high) == pytest.approx((truth.low, truth.high), abs=1e-9)
    assert sum(share.hits for share in found.values()) == sum(row.right for row in rows)
    assert listening.shares(rows, "listener")["made up 3"].n == 8
    table = listening.confusion(rows)
    assert sum(table["bell"].values()) == 14
    assert table["bell"]["bell"] == listening.shares(rows, "word")["bell"].hits
    with pytest.raises(ValueError, match="none of them right or wrong"):
        listening.shares([])


def test_d_prime_of_two_is_its_closed_form_and_of_more_what_maxima_say():
    assert listening.d_prime(norm.cdf(1 / 2**0.5)) == pytest.approx(1)
    assert listening.d_prime(0.5) == pytest.approx(0)
    assert listening.d_prime(1 / 5, choices=5) == pytest.approx(0, abs=1e-6)
    assert listening.d_prime(1.0) == float("inf")
    heard = np.random.default_rng(0).standard_normal((400_000, 4))
    heard[:, 0] += 1.3
    share = (heard.argmax(1) == 0).mean()
    assert listening.d_prime(share, choices=4) == pytest.approx(1.3, abs=0.02)
    from itskit.listening.analysis import share_of

    assert share_of(1.0, 2) == pytest.approx(norm.cdf(1 / 2**0.5), abs=1e-6)
    with pytest.raises(ValueError, match="expected 0 to 1"):
        listening.d_prime(1.2)


def test_bradley_terry_recovers_known_strengths():
    pytest.importorskip("choix")
    plan = pairs_plan()
    truth = {"alone": 0.9, "composed": 0.1, "printed": -1.0}
    rows = listening.read(listening.simulate(plan, 400, strengths=truth, seed=2), plan).main
    found = listening.bradley_terry(rows)
    assert found == pytest.approx(truth, abs=0.1)
    pair = listening.preferences(rows)["alone", "printed"]
    assert pair.share == pytest.approx(1 / (1 + np.exp(-1.9)), abs=0.03)
    assert pair.n == 400 * 4
    always = [row for row in rows if row.condition == "alone"]
    assert np.isfinite(list(listening.bradley_terry(always).values())).all()
    with pytest.raises(ValueError, match="none of them to a pair"):
        listening.bradley_terry([])


def test_bootstrap_of_one_answer_each_is_the_binomial_and_alike_people_widen_it():
    row = listening.Answer("", "", 0, "bell", "bell", "composed", "bell", True)

    def answers(right):  # (people, items)
        return [
            listening.Answer(f"p{i}", "", 0, "", "", "c", f"item {j}", bool(right[i, j]))
            for i in range(right.shape[0])
            for j in range(right.shape[1])
        ]

    def share(rows):
        return sum(row.right for row in rows) / len(rows)

    generator = np.random.default_rng(3)
    single = generator.random((200, 1)) < 0.7
    low, high = listening.bootstrap(answers(single), share)[""]
    wide = 2 * 1.96 * (0.7 * 0.3 / 200) ** 0.5
    assert high - low == pytest.approx(wide, rel=0.15)
    people = np.repeat(generator.random((20, 1)) < 0.7, 30, axis=1)  # all or nothing
    low, high = listening.bootstrap(answers(people), share)[""]
    assert high - low == pytest.approx(2 * 1.96 * (0.7 * 0.3 / 20) ** 0.5, rel=0.3)
    found = listening.bootstrap([row] * 3, listening.shares)
    assert found == {"composed": (1.0, 1.0)}
    with pytest.raises(ValueError, match="no answers"):
        listening.bootstrap([], share)


def test_power_is_that_of_the_exact_test():
    for n, p, chance in ((12, 0.8, 0.5), (40, 0.45, 0.25), (7, 0.9, 0.5)):
        shows = [
            k for k in range(n + 1) if binomtest(k, n, chance, alternative="greater").pvalue <= 0.05
        ]
        truth = sum(binom.pmf(k, n, p) for k in shows)
        assert listening.power(p, n, chance=chance) == pytest.approx(truth, abs=1e-12)
    assert listening.power(0.5, 1000) <= 0.05
    assert listening.power(0.9, 2) == 0  # two of two happen by chance in one of four


def test_the_number_of_listeners_is_near_the_normal_closed_form():
    for p, chance in ((0.6, 0.5), (0.75, 0.5), (0.35, 0.25)):
        za, zb = norm.ppf(0.95), norm.ppf(0.8)
        root = za * (chance * (1 - chance)) ** 0.5 + zb * (p * (1 - p)) ** 0.5
        normal = (root / (p - chance)) ** 2
        found = listening.listeners_needed(p, 1, chance=chance)
        assert normal - 1 < found < 1.15 * normal + 8
        assert all(listening.power(p, n, chance=chance) >= 0.8 for n in range(found, found + 40))
        assert listening.power(p, found - 1, chance=chance) < 0.8
    assert listening.listeners_needed(0.6, 10) <= -(-listening.listeners_needed(0.6, 1) // 10) + 1
    alike = listening.listeners_needed(0.6, 10, alike=1.0)
    assert alike == listening.listeners_needed(0.6, 1)  # ten answers of one mind are one answer
    with pytest.raises(ValueError, match="more than"):
        listening.listeners_needed(0.5001, 1)
    with pytest.raises(ValueError, match="chance < share"):
        listening.listeners_needed(0.4, 1)


def test_power_is_what_simulated_tests_find():
    plan, shown = words_plan(), 0
    for seed in range(200):
        rows = listening.read(listening.simulate(plan, 4, right=0.45, seed=seed), plan).main
        k = sum(row.right for row in rows)
        shown += binomtest(k, len(rows), 0.25, alternative="greater").pvalue <= 0.05
    assert shown / 200 == pytest.approx(listening.power(0.45, 32, chance=0.25), abs=0.1)


def test_careless_people_are_found_by_practice():
    plan = words_plan(discard=Discard(training=1.0))
    lines = listening.simulate(plan, 60, right=0.9, careless=0.5, seed=5)
    found = listening.read(lines, plan)
    assert 20 <= len(found.dropped) <= 40  # of some 30, all but one in 16
    assert listening.shares(found.main)["alone"].low > 0.7


# ---- the widget, without a browser ---------------------------------------------------------------


def asked(test, **content):
    """What the kernel answers to a message of the browser."""
    sent = []
    test.send = lambda told, buffers=None: sent.append((told, buffers))
    test._asked(None, {"call": "1", **content}, [])
    return sent[0]


def test_the_widget_keeps_answers_and_tells_only_what_was_right_in_practice(tmp_path):
    widgets = pytest.importorskip("itskit.widgets")
    test = widgets.ListeningTest(words_plan(), tmp_path / "a.jsonl", listener=4)
    state = json.dumps(test.get_state(), default=str)
    assert not re.search("alone|composed|recorded", state) and test.plan.secret not in state
    right = []
    for trial in test.facts["trials"]:
        given = {"id": trial["id"], "answer": "wind", "seconds": 1.5, "plays": 2}
        told, _ = asked(test, type="answer", **given)
        right.append(told["right"])
        assert asked(test, type="close")[0]["envelope"] == "" or trial is test.facts["trials"][-1]
    assert sorted(right[:2]) == ["bell", "wind"] and right[2:] == [None] * 11
    told, _ = asked(test, type="close")
    assert told["envelope"] == test.plan.envelope and told["lines"].count("\n") == 13
    assert len(test.answers.rows) == 13 and test.answers.listeners == ["4"]
    again = widgets.ListeningTest(words_plan(secret="another"), tmp_path / "a.jsonl", listener=4)
    assert again.plan.seal == test.plan.seal and again.answered == test.answered
    other = widgets.ListeningTest(words_plan(), tmp_path / "a.jsonl", listener=5)
    assert other.answered == [] and "0 of 13" in repr(other)


def test_the_widget_refuses_names_and_what_is_no_answer(tmp_path):
    widgets = pytest.importorskip("itskit.widgets")
    with pytest.raises(ValueError, match="no names are kept"):
        widgets.ListeningTest(words_plan(), tmp_path / "a.jsonl", listener="Ada")
    test = widgets.ListeningTest(words_plan(), tmp_path / "a.jsonl")
    bad = {"id": test.facts["trials"][0]["id"], "answer": "<b>", "seconds": 1, "plays": 1}
    told, _ = asked(test, type="answer", **bad)
    assert "expected one of" in told["error"] and not (tmp_path / "a.jsonl").exists()
    told, _ = asked(test, type="sound", id="nothing")
    assert "error" in told
    _, (sound,) = asked(test, type="sound", id=test.facts["trials"][0]["sounds"][0])
    assert sound[:4] == b"fLaC"


# ---- on the command line -------------------------------------------------------------------------


def table_of(folder, rows, header="file,word,condition,training"):
    folder.mkdir(exist_ok=True)
    for k, row in enumerate(rows):
        tone(200 + 40 * k).save(folder / row.split(",")[0])
    path = folder / "bells.csv"
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return path


def test_a_table_of_files_becomes_a_page_and_its_answers_a_report(tmp_path, capsys):
    from itskit.cli import main

    rows = [f"{made}-{k}.wav,{word},{made}," for k, word in enumerate(WORDS[:3]) for made in "ab"]
    table = table_of(tmp_path / "in", [*rows, "easy.wav,bell,,yes"])
    assert main(["listen", str(table), "--out", str(tmp_path / "out"), "--repeats", "1"]) == 0
    assert "bells.html   8 questions" in capsys.readouterr().out
    (key,) = (tmp_path / "out").glob("bells.*.key.json")
    plan = listening.Plan.opened(key.read_text("utf-8"))
    assert [clip.condition for clip in plan.clips] == ["", *"ababab"]
    for one in listening.simulate(plan, 9, right={"a": 1.0, "b": 0.0}):
        answers.append(tmp_path / "all.jsonl", one)
    assert main(["heard", str(key), str(tmp_path / "all.jsonl")]) == 0
    told = capsys.readouterr().out
    assert "72 answers of 9 listeners, 0 of them left out" in told
    assert re.search(r"a +27/27 = 1.00 .* d' inf", told)
    assert re.search(r"b +0/27 = 0.00", told) and "chance is 0.33" in told
    assert "of 9 repeated questions" in told


def test_pairs_on_the_command_line(tmp_path, capsys):
    pytest.importorskip("choix")
    from itskit.cli import main

    rows = [f"{made}-{word}.wav,{word},{made}," for word in WORDS[:2] for made in "ab"]
    table = table_of(tmp_path / "in", rows)
    assert main(["listen", str(table), "--pairs", "--repeats", "0", "--out", str(tmp_path)]) == 0
    (key,) = tmp_path.glob("bells.*.key.json")
    plan = listening.Plan.opened(key.read_text("utf-8"))
    assert plan.question == "Which of the two sounds more like {word}?"
    for one in listening.simulate(plan, 30, strengths={"a": 3.0}):
        answers.append(tmp_path / "all.jsonl", one)
    assert main(["heard", str(key), str(tmp_path / "all.jsonl")]) == 0
    told = capsys.readouterr().out
    assert "a over b: " in told and re.search(r"a +1\.\d\d \[", told)


def test_tables_that_cannot_be_used_are_refused(tmp_path):
    wrong = table_of(tmp_path, ["a.wav,bell"], "file,name")
    with pytest.raises(ValueError, match="expected file, word"):
        listening.from_table(wrong)
    practised = table_of(tmp_path, ["a.wav,bell,a,yes", "b.wav,bell,b,"])
    with pytest.raises(ValueError, match="practise"):
        listening.from_table(practised, "prefer")
    missing = table_of(tmp_path, ["a.wav,bell,a,"])
    (tmp_path / "a.wav").unlink()
    with pytest.raises(FileNotFoundError, match="no such file"):
        listening.from_table(missing)
