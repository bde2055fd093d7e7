"""What fit makes of words and of nothing: a loss, an optimiser, and its arguments' other names."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastbp._arrays import as_array, is_whole
from fastbp._checks import check_kind
from fastbp._hints import meant, nearest
from fastbp.datasets import Dataset, is_shards
from fastbp.layers import LogSoftmax
from fastbp.layers.nesting import every_layer
from fastbp.losses import (
    LOSSES,
    SUM_TOLERANCE,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    Loss,
    MSELoss,
    NLLLoss,
)
from fastbp.network import Sequential
from fastbp.optimizers import OPTIMIZERS, Adam, Optimizer

from .samples import Data, Samples, as_two, batch_of

LOOKED_AT = 8  # samples, of which one tells whether scores are log-probabilities
RATE = 0.01  # of an optimiser by its name that has none by itself

# What other libraries call fit's arguments, and what to write here.
ELSEWHERE = {
    "verbose": "progress=True",
    "validation_data": "validation=(x, y)",
    "validation_split": "validation=0.1",
    "validation_fraction": "validation=0.1",
    "validation_freq": "validate_every=n",
    "lr": "optimizer=fb.Adam(lr=0.001)",
    "learning_rate": "optimizer=fb.Adam(lr=0.001)",
    "weight_decay": "optimizer=fb.Adam(weight_decay=1e-4), or l2=1e-4 for a penalty in the loss",
    "momentum": "optimizer=fb.SGD(lr=0.01, momentum=0.9)",
    "criterion": "loss=fb.CrossEntropyLoss()",
    "scheduler": "schedule=fb.schedules.Cosine()",
    "lr_scheduler": "schedule=fb.schedules.Cosine()",
    "max_grad_norm": "clip_norm=1.0",
    "clipnorm": "clip_norm=1.0",
    "clipvalue": "clip_value=1.0",
    "random_state": "seed=0",
    "patience": "early_stopping=fb.EarlyStopping(patience=10)",
    "n_iter_no_change": "early_stopping=fb.EarlyStopping(patience=10)",
    "max_iter": "epochs=10",
    "num_epochs": "epochs=10",
    "n_epochs": "epochs=10",
    "initial_epoch": "history=, a history to go on with",
    "device": "nothing: there is the CPU, and threads=",
    "X": "train=(x, y)",
    "x": "train=(x, y)",
    "data": "train=(x, y)",
}


def refuse_unknown(given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Say what to write instead of an argument that fit has not."""
    for name in given:
        if name in ELSEWHERE:
            advice = f"; write {ELSEWHERE[name]}"
        else:
            near = nearest(name, known)
            advice = f"; did you mean {near}=?" if near else f"; it has {', '.join(known)}"
        raise TypeError(f"fit: it has no argument {name!r}{advice}")


def _named(known: Mapping[str, Any], name: str, what: str, example: str) -> Any:
    """The class of that name, however its words are set."""
    kind = known.get(name.lower().replace("_", "-"))
    if kind is None:
        raise ValueError(
            f"{what}: expected one of {', '.join(known)}, or an object such as {example}; "
            f"got {name!r}{meant(name, known)}"
        )
    return kind


def as_optimizer(optimizer: Any) -> Optimizer:
    """An optimiser from itself, its name, or nothing: Adam."""
    if optimizer is None:
        return Adam()
    if isinstance(optimizer, str):
        kind = _named(OPTIMIZERS, optimizer, "fit optimizer", "fb.Adam(lr=0.001)")
        needs_rate = inspect.signature(kind).parameters["lr"].default is inspect.Parameter.empty
        made: Optimizer = kind(lr=RATE) if needs_rate else kind()
        return made
    check_kind(optimizer, Optimizer, "fit optimizer")
    return optimizer


def as_loss(loss: Any, net: Sequential, data: Data) -> Loss:
    """A loss from itself, its name, or nothing: what fits the targets' kind."""
    return _fitting(net, data) if loss is None else named_loss(loss, "fit loss")


def named_loss(loss: Any, who: str) -> Loss:
    """A loss from itself or its name."""
    if isinstance(loss, str):
        made: Loss = _named(LOSSES, loss, who, "fb.CrossEntropyLoss()")()
        return made
    check_kind(loss, Loss, who)
    return loss


def _fitting(net: Sequential, data: Data) -> Loss:
    """The loss for these targets where none is named.

    Whole numbers are classes: of several outputs cross-entropy's, whatever their dtype; of one
    output 0 and 1. Rows of
    zeros and ones are classes where each has a single one, else answers of yes and no. All else are
    values.
    """
    data = data.head if is_shards(data) else data
    y = as_array(data.y if isinstance(data, Dataset) else as_two(data, "train")[1], "y")
    whole = y.dtype.kind in "iub"
    several = (net.outputs or 2) > 1
    if y.ndim == 1 and several and y.dtype.kind == "f" and is_whole(y).all():
        return CrossEntropyLoss()
    if y.ndim == 1 and whole and (several or np.isin(y, (0, 1)).all()):
        return CrossEntropyLoss() if several else BCEWithLogitsLoss()
    if y.ndim == 2 and several and (whole or y.dtype.kind == "f") and np.isin(y, (0, 1)).all():
        return CrossEntropyLoss() if (y.sum(axis=1) == 1).all() else BCEWithLogitsLoss()
    return MSELoss()


def warn_of_raw_scores(net: Sequential, loss: Loss, samples: Samples) -> None:
    """Say it where a loss of log-probabilities gets scores that are none."""
    last = [*every_layer(net.layers)][-1]
    if type(loss) is not NLLLoss or isinstance(last, LogSoftmax):
        return
    few = np.arange(min(len(samples.x), LOOKED_AT))
    with np.errstate(over="ignore"):
        sums = np.exp(net.scores(batch_of(net, samples, few)[0])).sum(axis=1)
    if not np.allclose(sums, 1, atol=SUM_TOLERANCE):
        warnings.warn(
            f"fit: {loss!r} takes log-probabilities, but exp of the scores has the sum "
            f"{sums[np.argmax(abs(sums - 1))]:.3g}, not 1; end the network in fb.LogSoftmax(), or "
            "take fb.CrossEntropyLoss(), which takes raw scores",
            UserWarning,
            stacklevel=4,
        )
