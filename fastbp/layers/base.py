"""What all layers share.

A layer remembers in ``forward`` what its ``backward`` needs. ``backward(dy)`` takes the gradient of
the loss by the layer's output and returns the gradient by its input: one factor of the chain rule.
"""

# np.random.Generator as text: numpy.random is a third of NumPy's import time
from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from fastbp._checks import as_batch
from fastbp._hints import Also, Guessed, refuse
from fastbp.kernels.numbers import Column, Kind, Value

from .binding import Bound, Vectors, forget
from .initializers import Initializer
from .nesting import Shape
from .rules import HOW_TRAINED, Factor, Rule, Trainable

__all__ = ["Layer", "Shape", "as_rows"]


def as_rows(a: np.ndarray) -> np.ndarray:
    """A view of (n, ...) as (n, columns), for kernels that take samples as rows."""
    return a.reshape(len(a), math.prod(a.shape[1:]))


class Layer(Guessed):
    """One step of a network. Write your own by giving it ``forward`` and ``backward``.

    A layer with parameters returns their shapes from ``parameter_shapes``. ``Sequential`` then
    sets each as an attribute (``w``), and beside it the place for its gradient (``dw``): views
    into the network's flat vectors. What is assigned to them is copied into the vectors. Numbers
    that belong to the model, but that no optimiser moves, are its buffers: ``buffer_shapes``.
    A layer that is made of others keeps them as ``_layers``, and runs them one after another.

    What ``forward`` returns is read-only: ``backward`` needs it as it was. Change a copy.

    Attributes
    ----------
    trainable : bool
        False freezes the layer: no optimiser moves its parameters, nor remembers their gradients,
        and below the lowest layer that is trained training computes no gradients.
    lr_factor, bias_lr_factor : float
        >= 0, 1 at first: a factor of its learning rate, and one of its bias's besides. These three
        may change at any time, and count from the next step on. What is set on a layer that is
        made of others is set on all of those.

    Examples
    --------
    >>> class Square(fb.Layer):
    ...     def forward(self, x):
    ...         self.x = np.asarray(x)
    ...         return self.x**2
    ...
    ...     def backward(self, dy):
    ...         return 2 * self.x * dy
    >>> net = fb.Sequential(fb.Linear(4, 8), Square(), fb.Linear(8, 3), dtype="float64")
    >>> bool(fb.gradcheck(net, fb.CrossEntropyLoss(), x, y))
    True
    """

    settings: ClassVar[tuple[str, ...]] = ()  # what the constructor takes, also attributes
    defaults: ClassVar[dict[str, Any]] = {}  # of settings that go unsaid where they are these
    worded: ClassVar[tuple[str, ...]] = ()  # settings that are said with their names
    kind: ClassVar[Kind | None] = None  # what engines know it by, where they do
    name: ClassVar[str] = ""  # of an activation or a norm, on the command line and in models
    dtype: np.dtype | None = None  # the network's; None outside of one
    training: bool = True  # see Sequential.train
    _layers: tuple[Layer, ...] = ()  # inside this one
    undecayed: ClassVar[tuple[str, ...]] = ("b",)  # parameters that decay_biases=False spares
    trainable, lr_factor, bias_lr_factor = Trainable(), Factor(least=0), Factor(least=0)
    requires_grad = Also("trainable")
    _bound: Bound | None = None  # to a network
    _kept: Any = None  # what forward leaves behind: x, y and what else it used
    _borrows: bool = False  # whether forward may leave x where it is, for no backward follows

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers inside, of one that is made of others."""
        return self._layers

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Compute the output y of a batch x: (n, inputs), or (n, channels, h, w) of images."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(self, x), which returns y")

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """From dy, shaped like y, compute the parameters' gradients; return dx, shaped like x."""
        raise NotImplementedError(
            f"{type(self).__name__} has no backward(self, dy), which training needs: it returns dx"
        )

    def backward_parameters(self, dy: np.ndarray) -> None:
        """Compute the parameters' gradients only: all that a network's first layer needs."""
        if self.parameter_shapes():
            self.backward(dy)

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each parameter."""
        return {}

    def buffer_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each buffer: what it keeps besides, as a running mean."""
        return {}

    def initialize(self, rng: np.random.Generator, default: Initializer) -> None:
        """Fill parameters and buffers, which are zeros, with their starting values."""

    def output_shape(self, shape: Shape | None) -> Shape | None:
        """What shape a sample has behind this layer, where it has `shape` before it.

        A shape is (columns,), or (channels, h, w) of images; None stands for any. Raises
        ValueError where such a sample cannot go in.
        """
        return shape

    def keeps_shape(self) -> bool:
        """Whether, whatever goes in, what comes out has the same shape."""
        return type(self).output_shape is Layer.output_shape

    def columns(self) -> dict[Column, int]:
        """What an engine must know of it besides its sizes: columns of its row in a program."""
        return {}

    def numbers(self) -> dict[Value, float]:
        """The real numbers that an engine must know of it."""
        return {}

    def as_affine(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Factor and offset of each column (or channel), in float64, where in use it is no more
        than Y = X·factor + offset; so an engine may fold it into the weights beside it.
        """
        return None

    def affine_spread(self) -> np.ndarray | float:
        """How large what it makes of its inputs then is, about."""
        return 1.0

    def numbers_inside(self, shape: Shape) -> int:
        """How many numbers forward makes of one sample of this shape."""
        return math.prod(self.output_shape(shape) or shape)

    @property
    def rule(self) -> tuple[Any, ...]:
        """All that ``rules`` follow from, of the layers inside too."""
        own = (*map(vars(self).get, HOW_TRAINED, HOW_TRAINED.values()),)
        return own if not self._layers else (*own, *(inside.rule for inside in self._layers))

    def rules(self, decay_biases: bool) -> dict[str, Rule]:
        """How an optimiser moves each parameter."""
        return {
            name: Rule(
                self.trainable,
                self.lr_factor * (self.bias_lr_factor if name == "b" else 1),
                decay_biases or name not in self.undecayed,
            )
            for name in self.parameter_shapes()
        }

    @property
    def is_trained(self) -> bool:
        """Whether it has parameters of its own that are trained."""
        return self.trainable and bool(self.parameter_shapes())

    def stepped(self, count: int) -> None:
        """Take note of so many training steps that did not call its backward."""
        for inside in self.layers:
            inside.stepped(count)

    def seen(self, count: int) -> None:
        """Take note of so many batches of training that did not call its forward."""
        for inside in self.layers:
            inside.seen(count)

    def state(self) -> dict[str, int]:
        """What training has changed besides the parameters, as plain numbers, to be saved."""
        return {}

    def least_batch(self, shape: Shape | None) -> int:
        """How many samples of this shape training needs in each batch."""
        return 1

    def description(self) -> dict[str, Any]:
        """What a file says of it besides its type and its arrays."""
        return self.said()

    @classmethod
    def described(cls, *layers: Layer, **settings: Any) -> Layer:
        """A layer of the settings that ``description`` returned, or that a model's file gives."""
        return cls(*layers, **settings)

    def set_state(self, state: dict[str, int]) -> None:
        """Go on from what ``state`` returned."""
        if {*state} != {*self.state()}:
            raise ValueError(f"{self!r}: expected a state of {[*self.state()]}, got {[*state]}")
        for name, value in state.items():
            setattr(self, name, value)

    def _input(self, x: npt.ArrayLike, shape: Shape | None = None) -> np.ndarray:
        """Check a batch. Nobody can change what this returns: it lasts until backward."""
        self._check_parameters()
        if self._is_output(x) and (shape is None or x.shape[1:] == shape):  # type: ignore[union-attr]
            return x.view()  # type: ignore[union-attr]
        array = as_batch(x, named(self), dtype=self.dtype, shape=shape)
        if not array.flags.writeable and _nobodys(array.base):
            return array.view()
        converted = array is not x and array.base is None and isinstance(x, np.ndarray)
        array = array.view() if self._borrows or converted else array.copy()
        array.setflags(write=False)
        return array

    def _is_output(self, x: npt.ArrayLike) -> bool:
        """Whether x is like what another layer of the network puts out: nothing to do with it."""
        if type(x) is not np.ndarray or x.dtype != self.dtype:
            return False
        flags = x.flags
        safe = not flags.writeable and flags.c_contiguous and _nobodys(x.base)
        return safe and x.ndim > 1 and x.size > 0

    def _output(self, x: np.ndarray | None, y: np.ndarray, *numbers: Any) -> np.ndarray:
        """Keep for backward what forward took, made and used; returns y for others to read."""
        y.setflags(write=False)
        vars(self)["_kept"] = (x, y, *numbers)
        return y.view()

    def _gradient(self, dy: npt.ArrayLike) -> np.ndarray:
        """Check dy against the output that forward remembered."""
        self._check_parameters("d")
        y: np.ndarray | None = getattr(self, "y", None) if self._kept is None else self._kept[1]
        if y is None:
            raise RuntimeError(f"{self!r}: call forward before backward; scores keeps nothing")
        name = named(self, ".backward")
        return as_batch(dy, name, dtype=y.dtype, rows=len(y), shape=y.shape[1:])

    def _check_parameters(self, prefix: str = "") -> None:
        """Refuse parameters and buffers ("") or gradients ("d") that are not what kernels take
        them for.
        """
        if self._bound is not None:
            self._bound.check(self, prefix)
            return
        buffers = {} if prefix else self.buffer_shapes()
        for name, shape in (self.parameter_shapes() | buffers).items():
            array = vars(self).get(prefix + name)
            if array is None:
                raise RuntimeError(
                    f"{self!r} has no parameters yet: put it into a Sequential first"
                )
            if np.shape(array) != shape:
                raise ValueError(
                    f"{self!r}.{prefix}{name}: expected shape {shape}, got {np.shape(array)}"
                )

    def bind(self, vectors: Vectors, name: str) -> None:
        """Make the layer part of a network, with views of what comes next in its vectors."""
        bound = Bound(vectors, name, self.parameter_shapes(), self.buffer_shapes())
        self.dtype = vectors.own.dtype
        for attribute, view in bound.views.items():
            object.__setattr__(self, attribute, view)
        self._bound = bound

    def unbound(self) -> Layer:
        """A copy that is part of no network, without parameters and what forward left behind."""
        other = self._copied(lambda inside: inside.unbound())
        forget(other, () if self._bound is None else self._bound.views)
        return other

    def in_use(self) -> Layer:
        """A copy for a forward that no backward follows: it remembers x and y, not the layer."""
        other = self._copied(lambda inside: inside.in_use())
        other.training, other._borrows = False, True
        return other

    def _copied(self, copied: Callable[[Layer], Layer]) -> Layer:
        """A copy, around copies of the layers inside."""
        other = object.__new__(type(self))
        vars(other).update(vars(self))  # as copy.copy, in a sixth of its time, and once an epoch
        if self.layers:
            vars(other)["_layers"] = tuple(copied(inside) for inside in self.layers)
        return other

    def __setattr__(self, name: str, value: Any) -> None:
        bound = self._bound
        if bound is None or name not in bound.guarded:
            object.__setattr__(self, name, value)
        else:
            bound.assign(self, name, value)

    def __delattr__(self, name: str) -> None:
        if self._bound is not None and name in self._bound.guarded:
            raise AttributeError(f"{self!r}.{name}: it is part of a network, and stays")
        object.__delattr__(self, name)

    def __getattr__(self, name: str) -> Any:
        """``x`` and ``y`` of the last forward, to look at."""
        kept = self._kept
        if kept is None or name not in ("x", "y"):
            refuse(self, name)
        array = kept[name == "y"]
        return None if array is None else array.view()

    def __repr__(self) -> str:
        said = [
            f"{name}={value!r}" if name in (*self.defaults, *self.worded) else repr(value)
            for name, value in self.said().items()
        ]
        return f"{type(self).__name__}({', '.join(said)})"

    def said(self) -> dict[str, Any]:
        """The settings, without those that go unsaid."""
        values = {name: getattr(self, name) for name in self.settings}
        return {
            name: value
            for name, value in values.items()
            if name not in self.defaults or value != self.defaults[name]
        }


def _nobodys(base: object) -> bool:
    """Whether nobody can write to the array that others are views of."""
    return base is None or (isinstance(base, np.ndarray) and not base.flags.writeable)


class _Words:
    """A layer or a network in a message that is hardly ever written, as ``named`` says."""

    def __init__(self, part: object, what: str) -> None:
        self.part, self.what = part, what

    def __str__(self) -> str:
        return f"{self.part!r}{self.what}"


def named(part: object, what: str = "") -> Any:
    """What checks may print for a name. It is put into words when they do: that takes a while."""
    return _Words(part, what)


def outputs_of(layers: Iterable[Layer], y: np.ndarray) -> Iterator[np.ndarray]:
    """What each layer makes of a batch, as in use; nothing is left behind in the layers."""
    for layer in layers:
        y = layer.in_use().forward(y)
        yield y
