"""PyTorch's losses and optimisers as those here that compute the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from torch import nn, optim

from fastbp.optimizers import Optimizer

from .rows import LOSSES, OPTIMIZERS, Row, named, row_of, settings_of, title

HINTS = {
    "nn.BCELoss": "write nn.BCEWithLogitsLoss() and leave out the nn.Sigmoid before it",
    "nn.MultiMarginLoss": "fb.HingeLoss() does not divide by the number of classes",
    "nn.GaussianNLLLoss": "nn.MSELoss() takes every variance to be the same",
    "optim.LBFGS": "fb.minimize has it, for a network",
}

# What was made of an optimiser: what that remembers stays for the next call.
_MADE: WeakKeyDictionary[optim.Optimizer, Optimizer] = WeakKeyDictionary()


def as_loss(loss: Any) -> Any:
    """The loss that is like one of PyTorch's; all else as it is."""
    if not isinstance(loss, nn.Module):
        return loss
    row = _row(LOSSES, loss, "loss")
    try:
        return row.ours(**settings_of(row, lambda name: getattr(loss, name)))
    except (TypeError, ValueError) as problem:
        hint = "; write fit(..., class_weight=...)" if "weight=" in str(problem) else ""
        raise type(problem)(f"fit loss, {title(loss)}: {problem}{hint}") from None


def as_optimizer(optimizer: Any, module: nn.Module) -> Any:
    """The optimiser that is like one of PyTorch's over all of a module; all else as it is."""
    if not isinstance(optimizer, optim.Optimizer):
        return optimizer
    row, said = _row(OPTIMIZERS, optimizer, "optimizer"), f"fit optimizer, {title(optimizer)}"
    group = _group(optimizer, module, said)
    try:
        settings = settings_of(row, lambda name: group.get(name, *row.must.get(name, ())[:1]))
        made = _MADE.setdefault(optimizer, row.ours(**settings))
        for name, value in settings.items():
            setattr(made, name, value)
    except (TypeError, ValueError) as problem:
        raise type(problem)(f"{said}: {problem}") from None
    return made


def _row(table: tuple[Row, ...], theirs: object, what: str) -> Row:
    row = row_of(table, theirs)
    if row is None:
        known = ", ".join(dict.fromkeys(named(each.theirs) for each in table))
        hint = HINTS.get(title(theirs))
        raise TypeError(
            f"fit {what}: there is none like {title(theirs)}; "
            + (hint or f"there are {known}, and those of fastbp")
        )
    return row


def _group(optimizer: optim.Optimizer, module: nn.Module, said: str) -> dict[str, Any]:
    """The settings of an optimiser that moves all of a module alike, and has moved nothing yet."""
    if len(optimizer.param_groups) != 1:
        raise ValueError(
            f"{said}: expected one group of parameters, got {len(optimizer.param_groups)}"
        )
    (group,) = optimizer.param_groups
    given = {id(each) for each in group["params"]}
    if any(id(each) not in given for each in _trained(module)):
        raise ValueError(
            f"{said}: expected one of all of the module's parameters; set requires_grad=False of "
            "those that shall stay as they are"
        )
    if any(map(_remembers, optimizer.state.values())):
        raise ValueError(
            f"{said}: it has taken steps, and what it remembers of them would not count; make a "
            "new one"
        )
    return group


def _remembers(state: dict[str, Any]) -> bool:
    """Whether an optimiser has seen a gradient of a parameter."""
    return bool(state.get("step", any(value is not None for value in state.values())))


def _trained(module: nn.Module) -> Iterable[nn.Parameter]:
    return (each for each in module.parameters() if each.requires_grad)
