"""What all optimisers share: whose memory it is, and what fits it."""

import weakref
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ._settings import Count, Number
from .kernels.numbers import OptimizerKind, Setting

if TYPE_CHECKING:
    from .network import Sequential


class Optimizer:
    """What all optimisers share: a learning rate, and vectors they remember between steps.

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

    lr = Number(above=0)
    steps = Count(least=0)
    _net: "weakref.ref[Sequential] | None" = None  # whose memory it is; None for whoever comes

    def __init__(self, lr: float) -> None:
        self.lr = lr
        self.steps = 0
        self.memory: tuple[np.ndarray, ...] = ()

    def step(self, net: "Sequential") -> None:
        """Move the network's parameters by the gradients of its last backward pass."""
        if not net.params.flags.writeable:
            raise ValueError(
                f"{self!r}: the parameters are read-only, for the network is frozen (train a "
                "copy, net.copy()) or an engine is in the middle of an epoch"
            )
        self.remember(net)
        self.steps += 1
        self.update(net)

    def update(self, net: "Sequential") -> None:
        """One call of the optimiser's kernel."""
        raise NotImplementedError

    def remember(self, net: "Sequential") -> None:
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

    def numbers(self) -> dict[Setting, float]:
        """The real numbers that an engine must know of it."""
        return {Setting.LR: self.lr}

    def reset(self) -> None:
        """Forget everything, as if no step had been taken."""
        self.steps, self.memory, self._net = 0, (), None

    def __getstate__(self) -> dict[str, Any]:
        """Pickled and copied with a memory of its own."""
        memory = tuple(np.array(vector) for vector in self.memory)
        return vars(self) | {"memory": memory, "_net": None}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(lr={self.lr:g})"
