"""How layers are bound to a network: their parameters are views into its two flat vectors.

Whoever assigns to a parameter (``layer.w = array``, ``net.params = array``) writes into the
vectors: there is one set of numbers, whichever way it is reached.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from fastbp._arrays import as_array

Shape = tuple[int, ...]
View = tuple[np.ndarray, Shape, tuple[int, ...], str]  # with what it was made with, and its name


class Vectors:
    """A network's two flat vectors.

    Attributes
    ----------
    own : ndarray
        The parameters themselves. Nobody outside holds them: all that is shown are views, whose
        size nobody can change, and which can be made read-only.
    params, grads : ndarray
        Views of the parameters and the gradients, for everybody.
    frozen : bool
        Whether nobody can change the parameters any more.
    single : tuple, optional
        The active kernels and their way for one sample, made by the first that is asked for.
    """

    def __init__(self, params: np.ndarray) -> None:
        self.own = params
        self.params = params.view()
        self.grads = np.zeros_like(params).view()
        self.shown = [self.params]
        self.frozen = False
        self.single: tuple[Any, Any] | None = None

    def view(self, start: int, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
        """A parameter and its gradient."""
        end = start + int(np.prod(shape, dtype=object))
        parameter = self.own[start:end].reshape(shape)
        self.shown.append(parameter)
        return parameter, self.grads[start:end].reshape(shape)

    def freeze(self) -> None:
        """Make the parameters read-only for good."""
        for array in (*self.shown, self.own):
            array.flags.writeable = False
        self.frozen = True

    @contextmanager
    def locked(self) -> Iterator[np.ndarray]:
        """Show the parameters read-only for a while; gives those that can be written to.

        While an engine trains, the network has the parameters of the epoch's start. What somebody
        wrote there would be lost.
        """
        for array in self.shown:
            array.flags.writeable = False
        try:
            yield self.own
        finally:
            for array in self.shown:
                array.flags.writeable = True


class Bound:
    """What a layer that is part of a network may not lose: its views."""

    def __init__(
        self, vectors: Vectors, position: int, shapes: dict[str, Shape], start: int
    ) -> None:
        self.vectors, self.position = vectors, position
        self.views: dict[str, np.ndarray] = {}
        self.parameters: list[View] = []
        self.gradients: list[View] = []
        for name, shape in shapes.items():
            pair = vectors.view(start, shape)
            for each, view, all_of_them in zip(
                (name, f"d{name}"), pair, (self.parameters, self.gradients), strict=True
            ):
                if each in self.views:
                    raise ValueError(f"its parameters and their gradients share the name {each!r}")
                self.views[each] = view
                all_of_them.append((view, shape, view.strides, each))
            start += pair[0].size
        self.guarded = {*self.views, "dtype", "_bound"}

    def assign(self, layer: Any, name: str, value: npt.ArrayLike) -> None:
        """``layer.name = value`` of what is guarded: copied into the view, or refused."""
        if name not in self.views:
            raise AttributeError(
                f"{layer!r}.{name}: it is fixed, for the layer is part of a network; "
                "make a new one, or net.astype(dtype)"
            )
        copy_into(self.views[name], value, f"layer {self.position}, {layer!r}.{name}")

    def check(self, layer: Any, prefix: str) -> None:
        """Refuse views that were given another shape in place, beyond which kernels would read."""
        for view, shape, strides, name in self.gradients if prefix else self.parameters:
            if view.shape != shape or view.strides != strides or view.dtype != layer.dtype:
                raise ValueError(
                    f"layer {self.position}, {layer!r}.{name}: expected {layer.dtype} {shape}; the "
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
            f"{name}: the parameters are read-only, for the network is frozen (change a copy, "
            "net.copy()) or an engine is in the middle of an epoch (change them in on_epoch_end)"
        )
    target[...] = array
