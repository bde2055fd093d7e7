"""The formulas of losses: what is minimised, and its derivative by each output.

Of classes an output is compared with that of the right class. Of values the loss is the mean of
what each element has: {0} is the output there and {1} what is wanted, and where there are two cases
their difference decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from fastbp.losses import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HingeLoss,
    HuberLoss,
    L1Loss,
    Loss,
    MSELoss,
    NLLLoss,
    PoissonNLLLoss,
    SquaredHingeLoss,
)

from .formulas import Formula, d, sum_of


class Element(NamedTuple):
    """The templates of a mean's elements: each is told the output less what is wanted."""

    value: Callable[[float], str]
    gradient: Callable[[float], str]


OF_VALUES: dict[type[Loss], Element] = {
    MSELoss: Element(lambda away: "({0} − {1})²", lambda away: "2·({0} − {1})"),
    L1Loss: Element(
        lambda away: "|{0} − {1}|",
        lambda away: (
            "1, for {0} > {1}"
            if away > 0
            else "−1, for {0} < {1}"
            if away < 0
            else "0, for {0} = {1}"
        ),
    ),
    HuberLoss: Element(
        lambda away: "({0} − {1})² / 2" if abs(away) <= 1 else "(|{0} − {1}| − 1 / 2)",
        lambda away: (
            "({0} − {1})"
            if abs(away) <= 1
            else "1, for {0} − {1} > 1"
            if away > 0
            else "−1, for {0} − {1} < −1"
        ),
    ),
    PoissonNLLLoss: Element(lambda away: "(e^{0} − {1}·{0})", lambda away: "(e^{0} − {1})"),
    BCEWithLogitsLoss: Element(
        lambda away: "(log(1 + e^{0}) − {1}·{0})",
        lambda away: "(σ({0}) − {1})",
    ),
}
OF_CLASSES: tuple[type[Loss], ...] = (HingeLoss, SquaredHingeLoss, CrossEntropyLoss, NLLLoss)


def value(
    loss: Loss, o: Sequence[str], wanted: Sequence[str], right: int, away: Sequence[float]
) -> Formula:
    """What is minimised, of outputs o: against wanted values, or the right class's number.

    ``away`` are the outputs less the wanted values, where those are.
    """
    if type(loss) in OF_VALUES:
        return _mean([OF_VALUES[type(loss)].value(each) for each in away], o, wanted)
    if isinstance(loss, HingeLoss | SquaredHingeLoss):
        wrong = [(name, o[right]) for name in o if name != o[right]]
        square = "²" if isinstance(loss, SquaredHingeLoss) else ""
        template = f"max(0, {{}} − {{}} + 1){square}"
        return sum_of(template, wrong) if wrong else Formula("0", ())
    if isinstance(loss, CrossEntropyLoss):
        total = sum_of("e^{}", [(name,) for name in o])
        return Formula(f"log({total.template}) − {{{len(o)}}}", (*total.names, o[right]))
    return Formula("−{0}", (o[right],))


def _mean(templates: Sequence[str], o: Sequence[str], wanted: Sequence[str]) -> Formula:
    """Over all outputs, each of which has a template of its own."""
    terms = [
        template.replace("{0}", f"{{{2 * k}}}").replace("{1}", f"{{{2 * k + 1}}}")
        for k, template in enumerate(templates)
    ]
    names = tuple(name for pair in zip(o, wanted, strict=True) for name in pair)
    whole = " + ".join(terms)
    return Formula(whole if len(o) == 1 else f"({whole}) / {len(o)}", names)


def gradient(
    loss: Loss,
    o: Sequence[str],
    wanted: Sequence[str],
    right: int,
    unit: int,
    found: float,
    away: Sequence[float],
) -> Formula:
    """The loss's derivative by one output; what was found decides where there are two cases."""
    if type(loss) in OF_VALUES:
        template, comma, case = OF_VALUES[type(loss)].gradient(away[unit]).partition(",")
        share = f" / {len(o)}" if len(o) > 1 else ""
        return Formula(template + share + comma + case, (o[unit], wanted[unit]))
    if isinstance(loss, HingeLoss | SquaredHingeLoss):
        return _hinge_gradient(loss, o, right, unit, found)
    if isinstance(loss, CrossEntropyLoss):
        total = sum_of("e^{}", [(name,) for name in o])
        template = f"e^{{{len(o)}}} / ({total.template}) − {int(unit == right)}"
        return Formula(template, (*total.names, o[unit]))
    return Formula("−1, the right class" if unit == right else "0, a wrong class", ())


def _hinge_gradient(loss: Loss, o: Sequence[str], right: int, unit: int, found: float) -> Formula:
    if unit == right:
        others = [(d(name),) for name in o if name != o[right]]
        total = sum_of("{}", others) if others else Formula("0", ())
        return Formula(f"−({total.template})", total.names)
    if not found:
        return Formula("0, for {0} − {1} + 1 ≤ 0", (o[unit], o[right]))
    slope = "2·({0} − {1} + 1)" if isinstance(loss, SquaredHingeLoss) else "1"
    return Formula(f"{slope}, for {{0}} − {{1}} + 1 > 0", (o[unit], o[right]))
