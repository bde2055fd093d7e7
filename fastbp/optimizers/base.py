"""What all optimisers share: what they step, whose memory they have, and what fits it."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from fastbp._checks import FLOATS, as_number, shown
from fastbp._hints import Also, Guessed
from fastbp._settings import Count, Flag, Number, Setting
from fastbp.kernels.numbers import OptimizerKind
from fastbp.kernels.numbers import Setting as Slot
from fastbp.layers.rules import trained_pieces

if TYPE_CHECKING:
    from fastbp.network import Sequential

__all__ = ["Optimizer"]


class Part(NamedTuple):
    """Parameters that lie in a row and are stepped alike: as a rule, all of them."""

    grads: np.ndarray
    params: np.ndarray
    memory: tuple[np.ndarray, ...]  # what the optimiser remembers of them
    lr: float
    decay: float
    rate: float  # the step's, whatever factors the layers have


class Rate(Number):
    """A learning rate; whoever names what is to be trained in its place is told where that goes."""

    def check(self, value: Any, name: str, obj: Any) -> float | None:
        """The value as a float."""
        try:
            return super().check(value, name, obj)
        except TypeError as problem:
            raise TypeError(
                f"{problem}; write fb.{type(obj).__name__}(lr=0.01), which names no network and "
                "no parameters: fb.fit(net, x, y, optimizer=...) and optimizer.step(net) do"
            ) from None


class Memory(Setting):
    """Vectors, each an array of its own; ``remember`` compares them with a network."""

    if TYPE_CHECKING:

        def __get__(self, obj: Any, owner: type | None = None) -> tuple[np.ndarray, ...]: ...

    def check(self, value: Any, name: str, obj: Any) -> tuple[np.ndarray, ...]:
        """A tuple of them."""
        vectors = tuple(value) if isinstance(value, (tuple, list)) else (value,)
        for vector in vectors:
            if type(vector) is not np.ndarray or vector.ndim != 1 or vector.dtype not in FLOATS:
                raise ValueError(
                    f"{obj!r}.memory: expected vectors, float32 or float64 as the network's "
                    f"parameters; got {shown(value)}: make new ones, or reset() it"
                )
        return vectors


class Optimizer(Guessed):
    """What all optimisers share: a rate, weight decay, and vectors they remember between steps.

    Parameters
    ----------
    lr : float
        The learning rate η, > 0; of a layer's parameters, times its factors.
    weight_decay : float
        λ >= 0.
    decay_biases : bool
        Whether it shrinks all parameters, or spares biases and what norms learn.

    Attributes
    ----------
    steps : int
        Taken with the network that it remembers.
    memory : tuple of (parameters,) ndarray
        What it remembers of them: ``states`` vectors.
    """

    states: ClassVar[int] = 0  # how many vectors
    kind: ClassVar[OptimizerKind | None] = None  # what engines know it by, where they do
    name: ClassVar[str] = ""  # on the command line and in models
    first_memory: float = 0.0  # what fills the vectors at first

    lr = Rate(above=0)
    learning_rate = Also("lr")
    weight_decay = Number(least=0)
    decay_biases = Flag()
    steps = Count(least=0)
    memory = Memory()
    _net: weakref.ref[Sequential] | None = None  # whose memory it is; None for whoever comes

    def __init__(self, lr: float, weight_decay: float = 0.0, decay_biases: bool = True) -> None:
        self.lr, self.weight_decay, self.decay_biases = lr, weight_decay, decay_biases
        self.steps = 0
        self.memory = ()

    def step(self, net: Sequential, factor: float = 1.0) -> None:
        """Move the network's parameters by the gradients of its last backward pass.

        Parameters
        ----------
        net : Sequential
        factor : float
            >= 0, what a schedule multiplies the rate of this step by; ``lr`` stays as it is.
        """
        rate = self.lr * as_number(factor, f"{self!r}.step factor", least=0)
        if not net.params.flags.writeable:
            raise ValueError(
                f"{self!r}: the parameters are read-only, for the network is frozen (train a "
                "copy, net.copy()) or an engine is in the middle of an epoch"
            )
        self.remember(net)
        self.steps += 1
        memory = self.memory[: self.states]
        for part, rule in trained_pieces(net.vectors, net.layers, self.decay_biases):
            remembered = tuple(vector[part] for vector in memory)
            lr, decay = rate * rule.rate, self.weight_decay * rule.decays
            self.update(Part(net.grads[part], net.params[part], remembered, lr, decay, rate))

    def update(self, part: Part) -> None:
        """One call of the optimiser's kernel."""
        raise NotImplementedError

    def remember(self, net: Sequential) -> None:
        """Make the vectors to remember for this network, if there are none of it yet."""
        if self._net is None or self._net() is not net:
            if self._net is not None:
                self.reset()
            self._net = weakref.ref(net)
        params, states = net.params, self.states
        if not self.memory:
            self.memory = tuple(np.full_like(params, self.first_memory) for _ in range(states))
        if not states:  # what it remembers is kept for when it is wanted again
            return
        if len(self.memory) != states or len({id(vector) for vector in self.memory}) != states:
            raise ValueError(
                f"{self!r}.memory: expected {states} vectors, each its own; got "
                f"{len(self.memory)}: reset() it"
            )
        for vector in self.memory:
            if not (
                type(vector) is np.ndarray
                and (vector.shape, vector.dtype) == (params.shape, params.dtype)
                and vector.flags.carray
            ):
                raise ValueError(
                    f"{self!r}.memory: expected {params.dtype} vectors {params.shape}, as the "
                    f"network's parameters; got {getattr(vector, 'dtype', type(vector).__name__)} "
                    f"{np.shape(vector)}: make a new one, or reset() it"
                )

    def numbers(self) -> dict[Slot, float]:
        """The real numbers that an engine must know of it."""
        return {Slot.LR: self.lr, Slot.DECAY: self.weight_decay}

    def reset(self) -> None:
        """Forget everything, as if no step had been taken."""
        self.steps, self.memory, self._net = 0, (), None

    def __getstate__(self) -> dict[str, Any]:
        """Pickled and copied with a memory of its own."""
        memory = tuple(np.array(vector) for vector in self.memory)
        return vars(self) | {"memory": memory, "_net": None}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(lr={self.lr:g})"
