"""Rules of composition: how the noises of several guides become one.

    mean         the weighted mean of "Images that Sound"; any number of steps leaves it beside the
                 product of powers that it aims at
    corrected    that product, exactly, by particles: the items of a batch are doubled and dropped
    product      the product of all densities, the same way
    and          all densities rise alike
    or           each item turns to whichever guide it is likelier for
    not          away from negative prompts, only where an item comes near them
    perp_neg     away from negative prompts, only as far as that does not work against the prompt
    projection   what two prompts want against each other is taken out
    frequency    coarse shapes from one guide, details from the others
    langevin     any rule, and steps in place after each that settle what it left crooked
    alternate    the guides take turns

A rule is a frozen object, called with the `Estimates` of a step; it answers with the noise, or with
`Combined` if it wants to remember something, which is kept in the Step. One of your own is a
function:

    def loudest(said):                      # cell by cell, whoever wants the most
        noises = torch.stack([n for n in said.noises if n is not None])    # (guides, B, C, h, w)
        return noises.gather(0, noises.abs().argmax(0, keepdim=True))[0]

    itskit.compose(pair, "a castle", "bells", rule=loudest)

It may have `branches` ("uncond" or "empty": what `Estimate`s have to hold), `stochastic` (True: for
solvers that draw noise), `begin(latent, guides)`, which changes the noise that a run begins with,
and `mixture(step, names)`, what each guide added to the noise of a recorded Step, (B, C, h, w) or
None for the silent ones: without it `diagnose.shares` shows the weighted mean. Where guidance
scales differ from 1, guided noises stand for the scores of densities that nobody knows; the
theorems hold for scale 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass

from torch import Tensor

from ..checks import is_number, lookup
from .densities import And, Corrected, Langevin, Or, Product
from .estimates import Combined, Estimates, as_combined, listen
from .negation import Not, PerpNeg
from .plain import Alternate, FrequencySplit, Mean, Projection

__all__ = [
    "RULES", "Alternate", "And", "Combined", "Corrected", "Estimates", "FrequencySplit", "Langevin",
    "Mean", "Not", "Or", "PerpNeg", "Product", "Projection", "Rule", "as_combined", "as_rule",
    "describe", "listen", "name_of",
]  # fmt: skip

Rule = Callable[[Estimates], Tensor | Combined]
RULES = {
    rule.name: rule
    for rule in (
        Mean, Corrected, Product, And, Or, Not, PerpNeg, Projection, FrequencySplit, Langevin,
        Alternate,
    )
}  # fmt: skip


def as_rule(said: str | dict | Rule) -> Rule:
    """A rule by its name, or by name and parameters as a recipe says it, {"name": "and", "lift":
    2.0}; one that is a rule already. Raises ValueError for unknown names and parameters."""
    if callable(said):
        return said
    if not isinstance(said, dict):
        return lookup(RULES, said, "rule")()
    kind = lookup(RULES, said.get("name"), "rule")
    parameters = {name: value for name, value in said.items() if name != "name"}
    for name in parameters:
        known = {one.name: one for one in fields(kind)}
        usual = lookup(known, name, f"parameter of rule {kind.name!r}").default
        value = parameters[name]
        wrong = not is_number(value) if isinstance(usual, (int, float)) else False
        if wrong or (kind is FrequencySplit and name == "low" and not isinstance(value, str)):
            raise ValueError(f"rule {kind.name!r}: {name}={value!r}: expected such as {usual!r}")
    return kind(**parameters)


def describe(rule: Rule) -> str | dict | None:
    """A rule as a recipe says it: `as_rule` makes it again. None for one of the user's own."""
    if RULES.get(name_of(rule)) is not type(rule):
        return None
    values = {one.name: getattr(rule, one.name) for one in fields(rule)}
    inner = {name: describe(value) for name, value in values.items() if is_dataclass(value)}
    if None in inner.values():
        return None
    return {"name": rule.name, **values, **inner} if values else rule.name


def name_of(rule: Rule) -> str:
    """What to call a rule, one of the user's own, too."""
    return getattr(rule, "name", None) or getattr(rule, "__name__", type(rule).__name__)
