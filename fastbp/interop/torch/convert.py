"""``from_torch`` and ``to_torch``: networks of modules, and modules of networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar, overload

import torch
from torch import nn

from fastbp._checks import check_kind
from fastbp.layers import Layer
from fastbp.layers.initializers import Nothing
from fastbp.layers.nesting import every_layer
from fastbp.network import Sequential

from .pairs import (
    Pair,
    check_layers,
    check_modules,
    check_numbers,
    every,
    is_row,
    leaves,
    of_layers,
    of_modules,
    to_layers,
    to_modules,
)
from .rows import title

Given = TypeVar("Given", bound=nn.Module)


class Converted(NamedTuple):
    """A network, and which module each of its layers was made of."""

    net: Sequential
    pairs: list[Pair]


def from_torch(module: nn.Module, *, input_shape: Sequence[int] | None = None) -> Sequential:
    """The network that computes what a PyTorch module does, with its numbers.

    Parameters
    ----------
    module : nn.Sequential
        Of layers that there are here, and of such modules again, which become one row of layers;
        nn.Identity is left out. Parameters, buffers, settings and each module's mode (training or
        in use) are taken as they are, in float32 or float64. Where a module's parameters require no
        gradient, its layer is not trainable.
    input_shape : (channels, height, width), optional
        Of one sample, for networks on images; an nn.Unflatten at the beginning says it too.

    Returns
    -------
    Sequential
        It shares nothing with the module.

    Raises
    ------
    TypeError
        If the module is no nn.Sequential, or there is no layer for what it holds: all of those are
        named, with their places. If its numbers are on another device than the CPU.
    ValueError
        If a module has a setting that is not here, or the layers do not fit.

    Examples
    --------
    >>> module = nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
    >>> net = fb.torch.from_torch(module)
    """
    pairs, shape = paired(module, "from_torch")
    return joined(pairs, shape if input_shape is None else input_shape, "from_torch").net


@overload
def to_torch(net: Sequential, module: None = None) -> nn.Sequential: ...


@overload
def to_torch(net: Sequential, module: Given) -> Given: ...


def to_torch(net: Sequential, module: nn.Module | None = None) -> nn.Module:
    """The PyTorch module that computes what a network does, with its numbers.

    Parameters
    ----------
    net : Sequential
        Of layers that PyTorch has, and of Residual, Scale and Standardize, which ``fb.torch`` has
        as modules.
    module : nn.Sequential, optional
        One of the same layers and the same dtype, nested as it may be, which gets the numbers, each
        module's mode, and whether its parameters require gradients. Left out, a new one is made.

    Returns
    -------
    nn.Sequential

    Raises
    ------
    TypeError
        If PyTorch has no module for a layer; its place is named.
    ValueError
        If ``module`` has other layers.

    Examples
    --------
    >>> torch.save(fb.torch.to_torch(net).state_dict(), "net.pt")
    """
    check_kind(net, Sequential, "to_torch")
    check_layers(net.layers, "to_torch")
    if module is None:
        with torch.random.fork_rng(devices=()), torch.device("cpu"):
            pairs = of_layers(net.layers)
            module = nn.Sequential(*(pair.module for pair in pairs))
        module.to(getattr(torch, str(net.dtype)))
    else:
        pairs = _matched(net, module)
    to_modules(pairs)
    module.train(net.training)
    for pair in every(pairs):
        pair.module.training = pair.layer.training
        pair.module.requires_grad_(pair.layer.trainable)
    return module


def joined(pairs: list[Pair], input_shape: Sequence[int] | None, who: str) -> Converted:
    """A network of what modules are here, with their numbers."""
    for pair in pairs if input_shape is None else ():
        if takes_images(pair.layer):
            raise ValueError(
                f"{who}: {pair.name}, {title(pair.module)} takes images of a known size; name it, "
                "input_shape=(channels, height, width)"
            )
    dtype = check_numbers(pairs, who)
    try:
        layers = [pair.layer for pair in pairs]
        net = Sequential(layers, input_shape=input_shape, init=Nothing(), dtype=dtype)
    except ValueError as problem:
        raise ValueError(f"{who}: {problem}") from None
    to_layers(pairs, who)
    return Converted(net, pairs)


def paired(module: Any, who: str) -> tuple[list[Pair], Sequence[int] | None]:
    """A module's parts and their layers; and a sample's shape, where its first part says it."""
    if not is_row(module):
        hint = ""
        if isinstance(module, nn.Module):
            hint = "; its forward may do anything: give the nn.Sequential in it, or make one"
        elif isinstance(module, Sequential):
            hint = " of fastbp, which is a network already"
        raise TypeError(f"{who}: expected an nn.Sequential, got {title(module)}{hint}")
    parts, shape = [*leaves(module)], None
    if parts and type(parts[0][1]) is nn.Unflatten and parts[0][1].dim == 1:
        shape = tuple(parts.pop(0)[1].unflattened_size)
    check_modules(parts, who)
    return of_modules(parts, who), shape


def takes_images(layer: Layer) -> bool:
    """Whether it must know their size."""
    try:
        layer.output_shape(None)
    except ValueError:
        return True
    return False


def _matched(net: Sequential, module: Any) -> list[Pair]:
    """The parts of a module that is like a network, with the network's layers."""
    pairs, _ = paired(module, "to_torch")
    dtype = check_numbers(pairs, "to_torch")
    if dtype != net.dtype:
        raise ValueError(f"to_torch: expected a module in {net.dtype}, got {dtype}")
    found, layers = [*every(pairs)], every_layer(net.layers)
    for pair, layer in zip(found, layers, strict=False):
        if said(pair.layer) != said(layer):
            raise ValueError(
                f"to_torch: {pair.name}, {title(pair.module)}: expected what {layer!r} is here, "
                f"got {pair.layer!r}"
            )
    if len(found) != len(layers):
        raise ValueError(f"to_torch: expected {len(layers)} modules with a layer, got {len(found)}")
    return [Pair(pair.name, pair.module, layer) for pair, layer in zip(found, layers, strict=True)]


def said(layer: Layer) -> tuple[type[Layer], dict[str, Any]]:
    """What must be the same in both; masks are drawn in two ways."""
    apart = ("layers", "seed")
    return type(layer), {k: v for k, v in layer.description().items() if k not in apart}
