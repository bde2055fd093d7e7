"""The one table of what PyTorch and fastbp both have: layers, losses, optimisers.

A row says how the settings are called in both, and what PyTorch's other settings must be for the
two to compute the same. It serves both directions, the names in state dicts, and the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from torch import nn, optim

import fastbp.layers as ours
from fastbp import losses, optimizers
from fastbp.layers import Layer

from . import modules

Same = dict[str, Any]


class Row(NamedTuple):
    """A class of PyTorch's, the class here that computes the same, and where."""

    theirs: Any
    ours: Any
    settings: Mapping[str, str | tuple[str, ...]] = {}  # PyTorch's names: those here
    must: Mapping[str, tuple[Any, ...]] = {}  # PyTorch's names: what they may be
    arrays: Mapping[str, str] = {}  # of a layer, as settings, in the order of PyTorch's state dict


def _same(*names: str) -> dict[str, str]:
    """Settings that are called the same."""
    return dict(zip(names, names, strict=True))


_WEIGHTS = {"weight": "w", "bias": "b"}
_AVERAGES = _same("running_mean", "running_var", "num_batches_tracked")
_WINDOW = {"kernel_size": "kernel", "stride": "stride", "padding": "padding"}
_BATCH_NORM: dict[str, Any] = {
    "settings": _same("num_features", "eps", "momentum", "affine"),
    "must": {"track_running_stats": (True,)},
    "arrays": _WEIGHTS | _AVERAGES,
}

LAYERS = (
    Row(
        nn.Linear,
        ours.Linear,
        {"in_features": "inputs", "out_features": "outputs", "bias": "bias"},
        arrays=_WEIGHTS,
    ),
    Row(
        nn.Conv2d,
        ours.Conv2d,
        _same("in_channels", "out_channels") | _WINDOW | _same("groups", "bias"),
        {"dilation": ((1, 1),), "padding_mode": ("zeros",)},
        _WEIGHTS,
    ),
    Row(
        nn.MaxPool2d,
        ours.MaxPool2d,
        _WINDOW,
        {"dilation": (1, (1, 1)), "return_indices": (False,), "ceil_mode": (False,)},
    ),
    Row(
        nn.AvgPool2d,
        ours.AvgPool2d,
        _WINDOW,
        {"ceil_mode": (False,), "count_include_pad": (True,), "divisor_override": (None,)},
    ),
    Row(nn.Flatten, ours.Flatten, must={"start_dim": (1,), "end_dim": (-1,)}),
    Row(nn.BatchNorm1d, ours.BatchNorm1d, **_BATCH_NORM),
    Row(nn.BatchNorm2d, ours.BatchNorm2d, **_BATCH_NORM),
    Row(
        nn.LayerNorm,
        ours.LayerNorm,
        _same("normalized_shape", "eps", "elementwise_affine"),
        arrays=_WEIGHTS,
    ),
    Row(nn.Dropout, ours.Dropout, _same("p")),
    Row(nn.ReLU, ours.ReLU),
    Row(nn.LeakyReLU, ours.LeakyReLU, _same("negative_slope")),
    Row(nn.ELU, ours.ELU, _same("alpha")),
    Row(nn.SELU, ours.SELU),
    Row(nn.GELU, ours.GELU, _same("approximate")),
    Row(nn.SiLU, ours.SiLU),
    Row(nn.Mish, ours.Mish),
    Row(nn.Softplus, ours.Softplus, _same("beta", "threshold")),
    Row(nn.Tanh, ours.Tanh),
    Row(nn.Sigmoid, ours.Sigmoid),
    Row(nn.LogSoftmax, ours.LogSoftmax, must={"dim": (1, -1)}),
    Row(modules.Residual, ours.Residual),
    Row(modules.Scale, ours.Scale, _same("num_features"), arrays={"weight": "w"}),
    Row(modules.Standardize, ours.Standardize, _same("columns"), arrays=_same("mean", "std")),
)

_MEAN: Same = {"reduction": ("mean",)}
_OF_LABELS: Same = _MEAN | {"weight": (None,), "ignore_index": (-100,)}

LOSSES = (
    Row(nn.CrossEntropyLoss, losses.CrossEntropyLoss, _same("label_smoothing"), _OF_LABELS),
    Row(nn.NLLLoss, losses.NLLLoss, {}, _OF_LABELS),
    Row(nn.MSELoss, losses.MSELoss, {}, _MEAN),
    Row(nn.L1Loss, losses.L1Loss, {}, _MEAN),
    Row(nn.HuberLoss, losses.HuberLoss, _same("delta"), _MEAN),
    Row(nn.SmoothL1Loss, losses.HuberLoss, {}, _MEAN | {"beta": (1.0,)}),
    Row(
        nn.PoissonNLLLoss,
        losses.PoissonNLLLoss,
        {},
        _MEAN | {"log_input": (True,), "full": (False,)},
    ),
    Row(
        nn.BCEWithLogitsLoss,
        losses.BCEWithLogitsLoss,
        _same("pos_weight"),
        _MEAN | {"weight": (None,)},
    ),
)

_ADAM: Same = _same("lr", "weight_decay") | {"betas": ("beta1", "beta2"), "eps": "epsilon"}
_DOWN: Same = {"maximize": (False,)}
_PLAIN: Same = _DOWN | {"amsgrad": (False,)}
_COUPLED: Same = {"decoupled_weight_decay": (False,)}

OPTIMIZERS = (
    Row(
        optim.SGD,
        optimizers.SGD,
        _same("lr", "momentum", "nesterov", "weight_decay"),
        _DOWN | {"dampening": (0,)},
    ),
    Row(optim.Adam, optimizers.Adam, _ADAM, _PLAIN | _COUPLED),
    Row(optim.AdamW, optimizers.AdamW, _ADAM, _PLAIN),
    Row(optim.NAdam, optimizers.NAdam, _ADAM | _same("momentum_decay"), _DOWN | _COUPLED),
    Row(
        optim.RMSprop,
        optimizers.RMSprop,
        _same("lr", "alpha", "momentum", "weight_decay") | {"eps": "epsilon"},
        _DOWN | {"centered": (False,)},
    ),
    Row(
        optim.Adagrad,
        optimizers.Adagrad,
        _same("lr", "lr_decay", "weight_decay", "initial_accumulator_value") | {"eps": "epsilon"},
        _DOWN,
    ),
)


def row_of(table: tuple[Row, ...], theirs: object) -> Row | None:
    """The row of an object of PyTorch's; one of a class that comes from it may do anything else."""
    return next((row for row in table if type(theirs) is row.theirs), None)


def row_for(layer: Layer) -> Row | None:
    """The row of a layer."""
    return next((row for row in LAYERS if type(layer) is row.ours), None)


def settings_of(row: Row, get: Callable[[str], Any]) -> dict[str, Any]:
    """The settings of a thing of PyTorch's, whose attributes ``get`` has, by their names here.

    Raises
    ------
    ValueError
        If it has another setting that counts, and is not as it is here.
    """
    for name, values in row.must.items():
        if not any(get(name) is value or get(name) == value for value in values):
            raise ValueError(f"expected {name}={values[0]!r}, got {get(name)!r}")
    found: dict[str, Any] = {}
    for name, here in row.settings.items():
        value = plain(get(name), name)
        found |= {here: value} if isinstance(here, str) else dict(zip(here, value, strict=True))
    return found


def plain(value: Any, name: str) -> Any:
    """A setting without tensors; "bias" is whether there is one."""
    if name == "bias":
        return value is not None
    if name == "normalized_shape" and len(value) == 1:
        return value[0]
    if not hasattr(value, "detach"):
        return value
    numbers = value.detach().cpu().numpy()
    return numbers if numbers.ndim else numbers.item()


def title(thing: object) -> str:
    """A thing's class as it is written: nn.Linear."""
    return named(type(thing))


def named(kind: type) -> str:
    """The same of the class."""
    top, _, rest = kind.__module__.partition(".")
    name = kind.__qualname__
    if top != "torch":
        return name
    return f"optim.{name}" if rest.startswith("optim") else f"nn.{name}"
