"""What Linear and Conv2d have in common: W, and b or none."""

# np.random.Generator as text: numpy.random is a third of NumPy's import time
from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from fastbp._hints import Also
from fastbp._settings import Flag
from fastbp.kernels.numbers import Column

from .base import Layer
from .initializers import Initializer, initializer


class _Bias(Flag):
    """Whether there is a b. In other libraries a layer's bias is what is b here."""

    def check(self, value: Any, name: str, obj: Any) -> bool:
        """The value as a bool."""
        if isinstance(value, np.ndarray):
            raise TypeError(f"{name}: it says whether there is a b; write layer.b = array")
        return super().check(value, name, obj)


class Weighted(Layer):
    """W and b, of which ``bias=False`` leaves out b: kernels get zeros in its place.

    Attributes
    ----------
    w, b, dw, db : ndarray
        Parameters and their gradients, there once the layer is part of a ``Sequential``; b and db
        stay None without a bias.
    """

    weight, bias = Also("w"), _Bias(fixed=True)
    defaults: ClassVar[dict[str, Any]] = {"bias": True}

    def __init__(self, init: str | Initializer | None, bias: bool) -> None:
        self.init = None if init is None else initializer(init)
        self.bias = bias
        self.w: np.ndarray = None  # type: ignore[assignment]  # until it is part of a network
        self.b: np.ndarray | None = None
        self.dw: np.ndarray = None  # type: ignore[assignment]
        self.db: np.ndarray | None = None

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """W, and b unless there is none."""
        shapes = {"w": self._w_shape(), "b": (self._outputs(),)}
        return shapes if self.bias else {"w": shapes["w"]}

    def columns(self) -> dict[Column, int]:
        """Whether there is a b behind W."""
        return {Column.BIAS: self.bias}

    def _w_shape(self) -> tuple[int, ...]:
        raise NotImplementedError

    def _outputs(self) -> int:
        """How many numbers b has."""
        raise NotImplementedError

    def _b(self) -> np.ndarray | None:
        """What kernels add."""
        return self.b if self.bias else np.zeros(self._outputs(), self.w.dtype)

    def _db(self) -> np.ndarray | None:
        """Where kernels write the gradient of that."""
        return self.db if self.bias else np.empty(self._outputs(), self.w.dtype)

    def _start(self, w: np.ndarray, b: np.ndarray | float) -> None:
        """Fill W and b."""
        self.w[...] = w
        if self.bias:
            self.b[...] = b  # type: ignore[index]
