"""Modules and the layers that compute the same, side by side: made of each other, kept alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import nn

from fastbp._tensors import numbers_of
from fastbp.layers import Layer
from fastbp.layers.nesting import named_layers

from . import modules
from .arrays import names_of, read, write
from .rows import LAYERS, row_for, row_of, settings_of, title

HINTS = {  # what to do about modules that people have often
    "nn.Softmax": "leave it out, predict_proba gives the softmax of scores",
    "nn.AdaptiveAvgPool2d": "write nn.AvgPool2d(kernel_size) of that size",
    "nn.AdaptiveMaxPool2d": "write nn.MaxPool2d(kernel_size) of that size",
    "nn.LazyLinear": "call the module once on a batch, which makes it nn.Linear",
    "nn.LazyConv2d": "call the module once on a batch, which makes it nn.Conv2d",
}


Part = tuple[str, nn.Module]  # with its name in the whole


class Pair(NamedTuple):
    """A module, by its name in the whole, and the layer that computes the same."""

    name: str
    module: nn.Module
    layer: Layer
    inside: tuple[Pair, ...] = ()


def every(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Each before those inside it: in the order of a network's ``named_layers``."""
    for pair in pairs:
        yield pair
        yield from every(pair.inside)


def of_modules(parts: Iterable[Part], who: str) -> list[Pair]:
    """What modules in a row are here, as layers without numbers."""
    made = []
    for name, part in parts:
        row, said = row_of(LAYERS, part), f"{who}: {name}, {title(part)}"
        assert row is not None  # see check_modules
        inside = of_modules(inside_of(part, name), who)
        try:
            settings = settings_of(row, lambda each, part=part: getattr(part, each))  # type: ignore[misc]
            layer = row.ours.described(*(each.layer for each in inside), **settings)
        except (TypeError, ValueError) as problem:
            raise type(problem)(f"{said}: {problem}") from None
        _check_arrays(part, layer, said)
        _take_flags(part, layer, said)
        made.append(Pair(name, part, layer, tuple(inside)))
    return made


def of_layers(layers: Sequence[Layer], place: str = "") -> list[Pair]:
    """What layers are in PyTorch, as modules with numbers of their own."""
    made = []
    for name, layer in ((f"{place}{number}", layer) for number, layer in enumerate(layers)):
        row = row_for(layer)
        assert row is not None  # see check_layers
        said, inside = layer.description(), of_layers(layer.layers, f"{name}.")
        settings = {theirs: said[here] for theirs, here in row.settings.items() if here in said}
        fixed = {theirs: values[0] for theirs, values in row.must.items()}
        module = row.theirs(*(each.module for each in inside), **settings, **fixed)
        made.append(Pair(name, module, layer, tuple(inside)))
    return made


def leaves(module: nn.Module, place: str = "") -> Iterator[Part]:
    """What modules in a row do, one after another, however they are nested."""
    for key, part in module._modules.items():
        if part is None or type(part) is nn.Identity:
            continue
        if is_row(part):
            yield from leaves(part, f"{place}{key}.")
        else:
            yield f"{place}{key}", part


def inside_of(module: nn.Module, name: str) -> Iterable[Part]:
    """The modules that a module is made of, where there is a layer that is made of layers."""
    return leaves(module, f"{name}.") if type(module) is modules.Residual else ()


def is_row(module: object) -> bool:
    """Whether it runs its parts one after another, and does nothing besides."""
    return isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward


def check_modules(parts: Iterable[Part], who: str) -> None:
    """Refuse modules that have no layer here, all at once, by their places."""
    unknown = [(name, title(part)) for name, part in _unknown(parts)]
    if unknown:
        hints = {HINTS[kind] for _, kind in unknown if kind in HINTS}
        places = ", ".join(f"{name}: {kind}" for name, kind in unknown)
        raise TypeError("; ".join([f"{who}: there is no layer for {places}", *sorted(hints)]))


def _unknown(parts: Iterable[Part]) -> Iterator[Part]:
    for name, part in parts:
        if row_of(LAYERS, part) is None:
            yield name, part
        yield from _unknown(inside_of(part, name))


def check_numbers(pairs: Iterable[Pair], who: str) -> str:
    """Refuse numbers that two modules share, and other types of them; returns their dtype."""
    owners: dict[int, str] = {}
    dtypes = set()
    for name, module, _, _ in every(pairs):
        for own, tensor in {**module._parameters, **module._buffers}.items():
            if tensor is None:
                continue
            if tensor.is_floating_point():
                dtypes.add(str(tensor.dtype).removeprefix("torch."))
            first = owners.setdefault(id(tensor), f"{name}.{own}")
            if first != f"{name}.{own}":
                raise ValueError(f"{who}: {first} and {name}.{own} are the same; layers share none")
    if len(dtypes) > 1 or dtypes - {"float32", "float64"}:
        raise ValueError(
            f"{who}: expected all numbers in float32, or all in float64; got "
            f"{', '.join(sorted(dtypes))}; module.float() converts them"
        )
    return dtypes.pop() if dtypes else "float32"


def check_layers(layers: Sequence[Layer], who: str) -> None:
    """Refuse layers that PyTorch has no module for, all at once, by their places."""
    unknown = [
        f"{place}: {type(layer).__name__}"
        for place, layer in named_layers(layers)
        if row_for(layer) is None
    ]
    if unknown:
        raise TypeError(f"{who}: there is no module for {', '.join(unknown)}")


def _check_arrays(module: nn.Module, layer: Layer, said: str) -> None:
    """Refuse other parameters and buffers than the layer has, and what happens around forward."""
    own = {**module._parameters, **module._buffers}
    found = [name for name, value in own.items() if value is not None]
    names = [theirs for theirs, _ in names_of(layer)]
    if {*found} != {*names}:
        raise ValueError(f"{said}: expected {', '.join(names) or 'no numbers'}, got {found}")
    if module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module):
        raise ValueError(f"{said}: it has hooks or a forward of its own, which would not be called")


def _take_flags(module: nn.Module, layer: Layer, said: str) -> None:
    """Whether it is trained, and its mode."""
    flags = {each.requires_grad for each in module.parameters(recurse=False)}
    if len(flags) > 1:
        raise ValueError(
            f"{said}: expected requires_grad of all its parameters alike, for a layer is trained "
            "or is not"
        )
    if flags == {False}:
        layer.trainable = False


def to_layers(pairs: Iterable[Pair], who: str) -> None:
    """Give layers the numbers of their modules, and their modes."""
    for name, module, layer, _ in every(pairs):
        for theirs, here in names_of(layer):
            tensor = getattr(module, theirs)
            write(layer, here, numbers_of(tensor, f"{who}: {name}.{theirs}"))
        layer.training = module.training


def to_modules(pairs: Iterable[Pair]) -> None:
    """Give modules the numbers of their layers, in place."""
    with torch.no_grad():
        for _, module, layer, _ in every(pairs):
            for theirs, here in names_of(layer):
                getattr(module, theirs).copy_(torch.from_numpy(read(layer, here)))
