"""Blind listening tests: which word do people hear, and which of two sounds do they like better?

    clips = [listening.Clip(run.sound(), "bell", condition="composed") for run in runs]
    plan = listening.identify(clips, choices=["bell", "bird", "clock", "wind"])
    itskit.widgets.ListeningTest(plan, "out/bells.jsonl")      # in the notebook
    itskit.export.listening_page(plan, "out/bells.html")       # for people without Python
    answers = listening.read("out/bells.jsonl", plan)
    listening.shares(answers.main)                             # of right answers, with intervals

Generated sounds have no reference to be compared with, so tests for codecs (MUSHRA) do not fit.
Listeners choose among words (`identify`), or between two sounds (`prefer`). What is what stays in
the plan; listeners get sounds under names that mean nothing, in an order that a secret decides.
The plan's `seal` is shown before, and its `envelope` opened after.
"""

from .analysis import Share, bootstrap, bradley_terry, confusion, d_prime, preferences, shares
from .answers import Answer, Answers, line, read
from .files import from_table, report
from .levels import levelled
from .plan import Clip, Discard, Plan, Sheet, check_seal, identify, prefer
from .power import listeners_needed, power
from .simulate import simulate

__all__ = [
    "Answer",
    "Answers",
    "Clip",
    "Discard",
    "Plan",
    "Share",
    "Sheet",
    "bootstrap",
    "bradley_terry",
    "check_seal",
    "confusion",
    "d_prime",
    "from_table",
    "identify",
    "levelled",
    "line",
    "listeners_needed",
    "power",
    "prefer",
    "preferences",
    "read",
    "report",
    "shares",
    "simulate",
]
