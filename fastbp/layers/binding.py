"""How layers are bound to a network: what they learn and keep are views into its flat vectors.

Whoever assigns to one (``layer.w = array``, ``net.params = array``) writes into the vectors: there
is one set of numbers, whichever way it is reached.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastbp._arrays import as_array
from fastbp._memory import in_lines, zeros_in_lines

from .nesting import Shape, every_layer, named_layers

if TYPE_CHECKING:
    from .base import Layer

View = tuple[np.ndarray, Shape, tuple[int, ...], str]  # with what it was made with, and its name


class Vectors:
    """A network's flat vectors: its parameters, their gradients, and its buffers.

    Buffers are what layers know besides what they learn by gradients, as BatchNorm1d's running
    means. They are part of a model and saved with it, but no optimiser sees them.

    Attributes
    ----------
    network : weakref.ref
        Whose they are. Once it is gone its layers may become part of another.
    own, own_buffers : ndarray
        The parameters and the buffers themselves. Nobody outside holds them: all that is shown are
        views, whose size nobody can change, and which can be made read-only.
    params, grads, buffers : ndarray
        Views for everybody.
    frozen : bool
        Whether nobody can change parameters and buffers any more.
    single : OfOne, optional
        A backend's way for one sample (``fastbp.prediction``), made for the first there is.
    pieces : dict
        Of the parameters, as optimisers move them (``rules.pieces``), and what they follow from:
        with weight decay of all, and with that of weights alone.
    """

    def __init__(self, network: Any, params: np.ndarray, buffers: np.ndarray) -> None:
        self.network = weakref.ref(network)
        self.own, self.own_buffers = in_lines(params), in_lines(buffers)
        self.params, self.buffers = self.own.view(), self.own_buffers.view()
        self.grads = zeros_in_lines(params.size, params.dtype).view()
        self.shown = [self.params, self.buffers]
        self.given, self.given_buffers = 0, 0  # how many numbers layers have views of
        self.frozen = False
        self.single: Any = None
        self.pieces: dict[bool, tuple[Any, Any]] = {}

    def parameter(self, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
        """The next layer's next parameter, and its gradient."""
        start = self.given
        self.given = end = start + math.prod(shape)
        parameter = self.own[start:end].reshape(shape)
        self.shown.append(parameter)
        return parameter, self.grads[start:end].reshape(shape)

    def buffer(self, shape: Shape) -> np.ndarray:
        """The next layer's next buffer."""
        start = self.given_buffers
        self.given_buffers = end = start + math.prod(shape)
        self.shown.append(self.own_buffers[start:end].reshape(shape))
        return self.shown[-1]

    def freeze(self) -> None:
        """Make parameters and buffers read-only for good."""
        owners = (self.own.base, self.own_buffers.base)  # else a view may become writable again
        for array in (*self.shown, self.own, self.own_buffers, *owners):
            array.flags.writeable = False  # type: ignore[union-attr]
        self.frozen = True

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Show parameters and buffers read-only for a while; ``own...`` can be written to.

        While an engine trains, the network has those of the epoch's start. What somebody wrote
        there would be lost.
        """
        for array in self.shown:
            array.flags.writeable = False
        try:
            yield
        finally:
            for array in self.shown:
                array.flags.writeable = True


def bind(network: Any, params: np.ndarray, buffers: np.ndarray) -> Vectors:
    """Give a network's layers their views, one after another, into vectors of these numbers."""
    vectors = Vectors(network, params, buffers)
    for name, layer in named_layers(network.layers):
        layer.bind(vectors, name)
    for what, given, all_of_them in (
        ("parameters", vectors.given, params),
        ("buffers", vectors.given_buffers, buffers),
    ):
        if given != all_of_them.size:
            raise ValueError(f"{network!r}: expected {given} {what}, got {all_of_them.size}")
    return vectors


def is_taken(layer: Layer) -> bool:
    """Whether a layer is part of a network that there still is."""
    return layer._bound is not None and layer._bound.vectors.network() is not None


def leave(layer: Layer) -> dict[str, np.ndarray]:
    """Let a layer be part of no network; returns the numbers that it had in one, by their names.

    A layer that was copied alone has those of the network that it was copied from.
    """
    if layer.dtype is None:
        return {}
    names = (*layer.parameter_shapes(), *layer.buffer_shapes())
    numbers = {name: getattr(layer, name) for name in names}
    forget(layer, names if layer._bound is None else layer._bound.views)
    return numbers


def forget(layer: Layer, names: Iterable[str]) -> None:
    """Take from a layer its arrays, of these names, and what forward left behind."""
    for name in (*names, "x", "y", "_kept", "_bound", "dtype"):
        vars(layer).pop(name, None)


def flat(layers: Sequence[Layer], of: str, dtype: np.dtype) -> np.ndarray:
    """A copy of the layers' numbers in a row: "parameter_shapes" or "buffer_shapes"."""
    found = [
        getattr(layer, name).ravel()
        for layer in every_layer(layers)
        for name in getattr(layer, of)()
    ]
    return np.concatenate([np.empty(0, dtype), *found])


class FlatVector:
    """A network's attribute that is one of its Vectors; what is assigned to it is copied in."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    if TYPE_CHECKING:

        def __get__(self, net: Any, owner: type | None = None) -> np.ndarray: ...

    else:

        def __get__(self, net, owner=None):
            return self if net is None else getattr(net.vectors, self.name)

    def __set__(self, net: Any, values: npt.ArrayLike) -> None:
        copy_into(getattr(net.vectors, self.name), values, f"Sequential.{self.name}")


class Bound:
    """What a layer that is part of a network may not lose: its views."""

    def __init__(
        self,
        vectors: Vectors,
        name: str,
        parameters: dict[str, Shape],
        buffers: dict[str, Shape],
    ) -> None:
        self.vectors, self.name = vectors, name
        self.views: dict[str, np.ndarray] = {}
        self.values: list[View] = []  # of parameters and buffers
        self.gradients: list[View] = []
        for each, shape in parameters.items():
            parameter, gradient = vectors.parameter(shape)
            self._keep(each, parameter, self.values)
            self._keep(f"d{each}", gradient, self.gradients)
        for each, shape in buffers.items():
            self._keep(each, vectors.buffer(shape), self.values)
        self.guarded = {*self.views, "dtype", "_bound", "_layers"}

    def _keep(self, name: str, view: np.ndarray, like: list[View]) -> None:
        if name in self.views:
            raise ValueError(
                f"its parameters, their gradients and its buffers share the name {name!r}"
            )
        self.views[name] = view
        like.append((view, view.shape, view.strides, name))

    def assign(self, layer: Any, name: str, value: npt.ArrayLike) -> None:
        """``layer.name = value`` of what is guarded: copied into the view, or refused."""
        if name not in self.views:
            raise AttributeError(
                f"{layer!r}.{name}: it is fixed, for the layer is part of a network; "
                "make a new one, or net.astype(dtype)"
            )
        copy_into(self.views[name], value, f"layer {self.name}, {layer!r}.{name}")

    def check(self, layer: Any, prefix: str) -> None:
        """Refuse views that were given another shape in place, beyond which kernels would read."""
        for view, shape, strides, name in self.gradients if prefix else self.values:
            if view.shape != shape or view.strides != strides or view.dtype != layer.dtype:
                raise ValueError(
                    f"layer {self.name}, {layer!r}.{name}: expected {layer.dtype} {shape}; the "
                    f"array has been made {view.dtype} {view.shape} in place"
                )

    def changed(self) -> None:
        """A number of the layer is another: what was made of it is made anew."""
        self.vectors.single = None

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return type(None), ()  # a layer that is copied alone is part of no network


def copy_into(target: np.ndarray, value: npt.ArrayLike, name: str) -> None:
    """Write the numbers of value into an array of the same shape."""
    if value is target:  # as after `layer.w -= step`
        return
    array = as_array(value, name)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name}: expected real numbers, got dtype {array.dtype}")
    if array.shape != target.shape:
        raise ValueError(f"{name}: expected shape {target.shape}, got {array.shape}")
    if not target.flags.writeable:
        raise ValueError(
            f"{name}: it is read-only, for the network is frozen (change a copy, "
            "net.copy()) or an engine is in the middle of an epoch (change them in on_epoch_end)"
        )
    target[...] = array
