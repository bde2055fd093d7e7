"""How parameters start.

Draws are float64 whatever the network's dtype, so that float32 and float64 networks of one seed
start from the same numbers.

>>> net = fb.Sequential(fb.Linear(4, 8), fb.ReLU(), fb.Linear(8, 3), init="he")
"""

# np.random.Generator as text: numpy.random is a third of NumPy's import time
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastbp._checks import as_number
from fastbp._hints import meant, missing

Start = tuple[np.ndarray, np.ndarray | float]


class Initializer:
    """A way to draw W (inputs, outputs) and b, which is (outputs,) or one number for all of b.

    ``fan_out`` is how many outputs one input has a part in, where that is not ``outputs``: in a
    convolution, whose inputs are those of one window.

    Examples
    --------
    >>> class Zeros(fb.initializers.Initializer):
    ...     def __call__(self, rng, inputs, outputs, fan_out=None):
    ...         return np.zeros((inputs, outputs)), 0.0
    >>> fb.Sequential(fb.Linear(2, 3), init=Zeros())[0].w
    array([[0., 0., 0.],
           [0., 0., 0.]], dtype=float32)
    """

    def __call__(
        self, rng: np.random.Generator, inputs: int, outputs: int, fan_out: int | None = None
    ) -> Start:
        """Draw W and b."""
        raise NotImplementedError


class _Plain(Initializer):
    """Equal to another of its class with the same numbers, which it shows.

    No dataclasses: four of them take a fifteenth of what importing fastbp does.
    """

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name}={number!r}" for name, number in vars(self).items())
        return f"{type(self).__name__}({numbers})"


class Normal(_Plain):
    """W from N(0, 1)·std, b = 0. The default 10⁻³ is what the MNIST reports use.

    Examples
    --------
    >>> net = fb.Sequential(fb.Linear(4, 3), init=fb.initializers.Normal(0.01))  # or "normal:0.01"
    """

    def __init__(self, std: float = 1e-3) -> None:
        as_number(std, "Normal std", least=0)
        self.std = std

    def __call__(
        self, rng: np.random.Generator, inputs: int, outputs: int, fan_out: int | None = None
    ) -> Start:
        """Draw W and b."""
        return rng.normal(0, self.std, (inputs, outputs)), 0.0


class Uniform(_Plain):
    """W and b from U(-1/√inputs, 1/√inputs): what PyTorch's Linear does by default.

    Examples
    --------
    >>> net = fb.Sequential(fb.Linear(4, 3), init="uniform")
    >>> bool(np.abs(net[0].w).max() <= 0.5)  # 1/√4
    True
    """

    def __call__(
        self, rng: np.random.Generator, inputs: int, outputs: int, fan_out: int | None = None
    ) -> Start:
        """Draw W and b."""
        bound = 1 / np.sqrt(inputs)
        return rng.uniform(-bound, bound, (inputs, outputs)), rng.uniform(-bound, bound, outputs)


class Glorot(_Plain):
    """W from U(-a, a), a = √(6 / (inputs + outputs)), b = 0 (Glorot & Bengio 2010, eq. 16).

    Examples
    --------
    >>> net = fb.Sequential(fb.Linear(4, 3), init="glorot")
    >>> bool(np.abs(net[0].w).max() <= (6 / 7) ** 0.5)
    True
    """

    def __call__(
        self, rng: np.random.Generator, inputs: int, outputs: int, fan_out: int | None = None
    ) -> Start:
        """Draw W and b."""
        bound = np.sqrt(6 / (inputs + (fan_out or outputs)))
        return rng.uniform(-bound, bound, (inputs, outputs)), 0.0


class He(_Plain):
    """W from N(0, 2 / inputs), b = 0 (He et al. 2015, eq. 10): made for ReLU.

    Examples
    --------
    >>> net = fb.Sequential(fb.Linear(400, 300), init="he")
    >>> f"{net[0].w.std():.2f}"  # √(2 / 400)
    '0.07'
    """

    def __call__(
        self, rng: np.random.Generator, inputs: int, outputs: int, fan_out: int | None = None
    ) -> Start:
        """Draw W and b."""
        return rng.normal(0, np.sqrt(2 / inputs), (inputs, outputs)), 0.0


class NTK(Initializer):
    """W from N(0, 1 / inputs), b from N(0, 1): the neural tangent parametrisation (Jacot et al.
    2018), W = V/√inputs with V from N(0, 1). A step of V is one of W whose rate is 1/√inputs times
    that: ``lr_factor``.

    Examples
    --------
    >>> net = fb.Sequential(fb.Linear(400, 300), init="ntk")
    >>> f"{net[0].w.std():.2f}"  # 1/√400
    '0.05'
    """

    def __call__(
        self, rng: np.random.Generator, inputs: int, outputs: int, fan_out: int | None = None
    ) -> Start:
        """Draw W and b."""
        return rng.normal(0, 1 / np.sqrt(inputs), (inputs, outputs)), rng.normal(0, 1, outputs)


class Nothing(Initializer):
    """Draws nothing, in no memory: for parameters that come from somewhere else.

    Examples
    --------
    >>> net = fb.Sequential(fb.Linear(2, 3), init=fb.initializers.Nothing())
    >>> net.params = np.arange(9)
    >>> net[0].b
    array([6., 7., 8.], dtype=float32)
    """

    def __call__(
        self, rng: np.random.Generator, inputs: int, outputs: int, fan_out: int | None = None
    ) -> Start:
        """Zeros, which are one number."""
        return np.broadcast_to(np.zeros(()), (inputs, outputs)), 0.0


NAMES: dict[str, type[Initializer]] = {
    "normal": Normal,
    "uniform": Uniform,
    "glorot": Glorot,
    "he": He,
    "ntk": NTK,
}


def initializer(init: str | Initializer) -> Initializer:
    """An initializer from its name ("normal:0.01" is Normal(0.01)), or the one given.

    Examples
    --------
    >>> fb.initializers.initializer("normal:0.01")
    Normal(std=0.01)
    """
    if isinstance(init, Initializer):
        return init
    name, colon, std = init.partition(":") if isinstance(init, str) else ("", "", "")
    if name == "normal" and colon:
        try:
            return Normal(float(std))
        except ValueError:
            name = ""
    if name not in NAMES or colon:
        raise ValueError(
            f"init: expected {', '.join(NAMES)}, normal:STD or an fb.initializers object; "
            f"got {init!r}{meant(init, NAMES)}"
        )
    return NAMES[name]()


__all__ = ["NTK", "Glorot", "He", "Initializer", "Normal", "Nothing", "Uniform", "initializer"]

if not TYPE_CHECKING:
    __getattr__ = missing(__name__, "fb.initializers")
