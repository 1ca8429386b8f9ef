"""What is played to whom, in which order, and what is kept from those who listen."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from random import Random

import numpy as np

from ..media import Sound
from ..writing import make_folder, written

FIRST, SECOND = "first", "second"  # the answers to a pair


@dataclass(frozen=True, eq=False)
class Clip:
    """A sound of a listening test, and what listeners are not told.

    Attributes
    ----------
    sound : Sound or str
        Played as loud as all others of the test (`levelled`). In a plan that was read back from
        its envelope it is the SHA-256 of the sound.
    word : str
        What it is meant to be: the right answer.
    condition : str
        How it was made, such as "composed": what is compared.
    item : str
        What it has in common with clips of other conditions, such as its prompts; by default the
        word. Preferences are asked within an item.
    """

    sound: Sound | str = field(repr=False)
    word: str
    condition: str = ""
    item: str = ""

    def __post_init__(self):
        object.__setattr__(self, "item", self.item or self.word)

    def described(self) -> dict:
        return {"word": self.word, "condition": self.condition, "item": self.item}


@dataclass(frozen=True)
class Discard:
    """Whose answers are left out, decided before anybody has answered.

    training   least part of the practice items that has to be right. These are easy: recordings
               that anybody knows
    repeats    least part of the hidden repeats that has to be answered as the first time. 0 asks
               for none: who hears no difference cannot repeat an answer, and to leave these people
               out would make a weak result look strong
    complete   whether all has to be answered
    """

    training: float = 0.5
    repeats: float = 0.0
    complete: bool = True

    def __str__(self) -> str:
        said = []
        if self.training:
            said.append(f"fewer than {self.training:.0%} of the practice items are right")
        if self.repeats:
            said.append(f"fewer than {self.repeats:.0%} of repeated items are answered alike")
        if self.complete:
            said.append("the test was not finished")
        return f"Answers are left out if {' or '.join(said)}." if said else "All answers count."


@dataclass(frozen=True)
class Trial:
    """One question: the numbers of one clip or two; `right` is the answer, if there is one."""

    clips: tuple[int, ...]
    right: str | None
    training: bool = False


@dataclass(frozen=True)
class Sheet:
    """A listener's order.

    trials  what may be known: [{"id", "question", "training", "sounds", "choices"}, ...]
    key     id -> what may not: (Trial with its clips in the order played, id that it repeats)
    """

    order: int
    trials: tuple[dict, ...]
    key: dict[str, tuple[Trial, str | None]] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Plan:
    """A listening test, made by `identify` or `prefer`.

    Attributes
    ----------
    kind : {"identify", "prefer"}
    question : str
    choices : tuple of str
        The words of `identify`.
    clips, trials : tuple
    repeats : int
        So many trials come twice.
    discard : Discard
    secret : str
        What the order and the names of sounds are derived from.
    """

    kind: str
    question: str
    choices: tuple[str, ...]
    clips: tuple[Clip, ...]
    trials: tuple[Trial, ...]
    repeats: int = 0
    discard: Discard = Discard()
    secret: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    def __post_init__(self):
        main = [trial for trial in self.trials if not trial.training]
        if not main:
            raise ValueError("no clips to ask about: expected one or more besides the training")
        if not 0 <= self.repeats <= (len(main) + 1) // 2:
            raise ValueError(
                f"repeats={self.repeats}: expected 0 to {(len(main) + 1) // 2}, half of the "
                f"{len(main)} questions"
            )

    def __repr__(self) -> str:
        practice = sum(trial.training for trial in self.trials)
        asked = len(self.trials) - practice
        return f"Plan({self.kind}, {practice} + {asked} questions, {self.repeats} asked twice)"

    def __len__(self) -> int:
        return len(self.trials) + self.repeats

    @cached_property
    def envelope(self) -> str:
        """The whole truth as JSON: the secret, and what every clip is. For after the test."""
        return json.dumps(self._told | {"secret": self.secret}, ensure_ascii=False, indent=1)

    @cached_property
    def _told(self) -> dict:
        """The envelope without the secret."""
        clips = [clip.described() | {"sha256": _digest(clip.sound)} for clip in self.clips]
        return {
            "itskit": "listening test", "kind": self.kind, "question": self.question,
            "choices": self.choices, "repeats": self.repeats, "discard": vars(self.discard),
            "clips": clips, "trials": [vars(trial) for trial in self.trials],
        }  # fmt: skip

    @cached_property
    def seal(self) -> str:
        """The SHA-256 of the envelope, for before: nobody can change the one and keep the other."""
        return sha256(self.envelope.encode()).hexdigest()

    @classmethod
    def opened(cls, envelope: str) -> Plan:
        """The plan of an envelope, without its sounds: enough to read answers.

        Raises ValueError for a text that is none.
        """
        try:
            told = json.loads(envelope)
            clips = [Clip(c["sha256"], c["word"], c["condition"], c["item"]) for c in told["clips"]]
            trials = [Trial(tuple(t["clips"]), t["right"], t["training"]) for t in told["trials"]]
            plan = cls(
                told["kind"], told["question"], tuple(told["choices"]), tuple(clips),
                tuple(trials), told["repeats"], Discard(**told["discard"]), told["secret"],
            )  # fmt: skip
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"this is not the envelope of a listening test ({error}): expected the text of "
                "Plan.envelope, or of the file NAME.key.json beside a page"
            ) from None
        return plan

    def kept(self, path) -> Plan:
        """The plan with the secret that it had when answers were first written to `path`.

        Its envelope lies beside that file, as NAME.xxxxxxxx.key.json, where x stands for what is
        asked: written if it is not there, else read, so that a test goes on after a pause, and a
        test that has changed is another test.
        """
        path, asked = Path(path), sha256(json.dumps(self._told).encode()).hexdigest()[:8]
        file = path.with_name(f"{path.stem}.{asked}.key.json")
        if file.exists():
            return replace(self, secret=Plan.opened(file.read_text("utf-8")).secret)
        make_folder(file)
        with written(file) as part:
            part.write_text(self.envelope, encoding="utf-8")
        return self

    def facts(self) -> dict:
        """What listeners are told before they begin."""
        question = self.question.replace("{word}", "…")
        return {"question": question, "discard": str(self.discard), "seal": self.seal}

    def sound_ids(self) -> list[str]:
        """What each clip is called outside of the kernel, by its number."""
        return _names(Random(f"{self.secret}/sounds"), len(self.clips))

    def sheet(self, order: int = 0) -> Sheet:
        """One of any number of orders; the same number gives the same order.

        Practice comes first. Those asked twice come from the first half, once more in the second;
        of a pair the other way round.
        """
        chance = Random(f"{self.secret}/{order}")
        practice = [trial for trial in self.trials if trial.training]
        main = [trial for trial in self.trials if not trial.training]
        chance.shuffle(practice)
        chance.shuffle(main)
        asked = [(_turned(trial, k % 2), None) for k, trial in enumerate(main)]  # balanced
        chance.shuffle(asked)
        half = (len(asked) + 1) // 2
        again = chance.sample(range(half), self.repeats)
        practised = [(_turned(trial, chance.random() < 0.5), None) for trial in practice]
        ids = _names(chance, len(self))
        told = dict(zip(ids, [*practised, *asked], strict=False))
        names = ids[len(practice) :]
        row = names[: len(asked)]
        for name, k in zip(names[len(asked) :], again, strict=True):
            told[name] = (_turned(asked[k][0], True), names[k])
            row.insert(chance.randint(min(half + 1, len(row)), len(row)), name)
        choices = list(self.choices)
        chance.shuffle(choices)
        row = [*ids[: len(practice)], *row]
        sounds = self.sound_ids()
        public = tuple(self._public(name, told[name][0], sounds, choices) for name in row)
        return Sheet(order, public, told)

    def _public(self, name: str, trial: Trial, sounds: list[str], choices: list[str]) -> dict:
        word = self.clips[trial.clips[0]].word if self.kind == "prefer" else "…"
        return {
            "id": name,
            "question": self.question.replace("{word}", word),
            "training": trial.training,
            "sounds": [sounds[k] for k in trial.clips],
            "choices": choices if self.kind == "identify" else [FIRST, SECOND],
        }


def identify(
    clips: Sequence[Clip], *, choices: Sequence[str] | None = None, training: Sequence[Clip] = (),
    question: str = "What do you hear?", **options,
) -> Plan:  # fmt: skip
    """A test of which word people hear.

    Parameters
    ----------
    clips, training : sequence of Clip
        Training clips come first, and their word is told after the answer: easy ones.
    choices : sequence of str, optional
        The words to choose from, by default those of all clips.
    question : str
    **options
        Of `Plan`: repeats, discard, secret.

    Raises
    ------
    ValueError
        If the choices are fewer than two, or do not hold the word of a clip.
    """
    both = [*training, *clips]
    choices = tuple(dict.fromkeys(choices or (clip.word for clip in both)))
    missing = sorted({clip.word for clip in both} - set(choices))
    if len(choices) < 2 or missing:
        raise ValueError(
            f"the choices are {list(choices)}: expected two or more, the word of each clip among "
            f"them (missing: {missing})"
        )
    practice = [Trial((k,), clip.word, True) for k, clip in enumerate(training)]
    asked = [Trial((k,), clip.word) for k, clip in enumerate(clips, len(training))]
    return Plan("identify", question, choices, tuple(both), (*practice, *asked), **options)


def prefer(
    clips: Sequence[Clip], *, training: Sequence[tuple[Clip, Clip]] = (),
    question: str = "Which of the two do you like better?", **options,
) -> Plan:  # fmt: skip
    """A test of which of two sounds people choose: all pairs of conditions within an item.

    Parameters
    ----------
    clips : sequence of Clip
        One for each condition and item.
    training : sequence of (Clip, Clip)
        Practice: the first of each pair is plainly better.
    question : str
        "{word}" in it stands for the word of the first of the two.
    **options
        Of `Plan`.

    Raises
    ------
    ValueError
        If no item has two clips, or one has two of the same condition.
    """
    flat = [clip for both in training for clip in both]
    practice = [Trial((2 * k, 2 * k + 1), FIRST, True) for k in range(len(training))]
    numbered = list(enumerate(clips, len(flat)))
    pairs = [(a, b) for a, b in combinations(numbered, 2) if a[1].item == b[1].item]
    alike = [(a.item, a.condition) for (_, a), (_, b) in pairs if a.condition == b.condition]
    if not pairs or alike:
        raise ValueError(
            f"nothing can be compared ({alike or 'no item has two clips'}): expected clips of one "
            "item and different conditions"
        )
    asked = [Trial((i, j), None) for (i, _), (j, _) in pairs]
    return Plan("prefer", question, (), (*flat, *clips), (*practice, *asked), **options)


def check_seal(seal: str, envelope: str) -> bool:
    """Whether an opened envelope is the one whose seal was shown before."""
    return sha256(envelope.encode()).hexdigest() == seal


def _turned(trial: Trial, turn) -> Trial:
    """The same question with its two sounds the other way round."""
    if not turn or len(trial.clips) == 1:
        return trial
    right = {FIRST: SECOND, SECOND: FIRST}.get(trial.right)
    return Trial(trial.clips[::-1], right, trial.training)


def _names(chance: Random, count: int) -> list[str]:
    return [f"{number:08x}" for number in chance.sample(range(2**32), count)]


def _digest(sound: Sound | str) -> str:
    if isinstance(sound, str):
        return sound
    samples = np.ascontiguousarray(sound.samples, "<f4").tobytes()
    return sha256(samples + str(sound.rate).encode()).hexdigest()
