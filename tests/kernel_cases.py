"""One example call of every kernel, for the tests and the benchmarks."""

from collections.abc import Callable
from typing import Any

import numpy as np
from image_cases import ON_IMAGES, images_of, make_image_case

from fastbp.kernels import KERNELS, _numpy

MARGIN, LR, SCALE = 1.0, 0.1, 1 / 255
UNWEIGHTED = np.zeros(0)  # samples that all count alike
NUMBERS = {  # of activations
    "alpha": 0.7, "negative_slope": 0.3, "beta": 1.5, "threshold": 2.0, "approximate": 0.0,
}  # fmt: skip
P, SEED, STEP = 0.3, 2**40 + 7, 2**33 + 5  # of dropout; both of its numbers have more than 32 bits
ELEMENTWISE = [  # relu, elu, ...
    name.removesuffix("_backward")
    for name, kernel in KERNELS.items()
    if kernel.arguments[:3] == ("x", "y", "dy")
]
NORMS = [  # whose w and the like are vectors
    name
    for name in KERNELS
    if name.startswith(("scale", "standardize", "batch", "running", "layer_norm"))
]
OVER_INPUTS = ("gather", "dense_forward", "dense_backward", "dense_backward_input")


def make_case(
    name: str,
    n: int,
    i: int,
    o: int,
    dtype: Any,
    rng: np.random.Generator,
    source: Any = np.uint8,
) -> dict[str, Any]:
    """Arguments for one call of the kernel `name`, in the contract's order: argument -> value.

    n samples, i inputs, o outputs; `source` is the dtype of gather's data. Numbers are standard
    normal. Scores of losses and of argmax are multiples of 1/16, so that two are equal now and then
    and some lie exactly on the margin. Real outputs hold NaN and labels hold -1, so that a cell
    left unwritten shows; what an optimiser's step reads too (params, m, v) holds numbers. For a
    kernel on images, i and o choose the sizes of images and windows.
    """
    if name in ON_IMAGES:
        return make_image_case(name, n, images_of(n, i, o), dtype, rng)
    if name in NORMS:
        return _make_norm_case(name, n, o, dtype, rng)
    kernel, call = KERNELS[name], _Call(name, n, i, o, dtype, rng, source)
    call.x = _scores(n, o, rng).astype(dtype) if _takes_scores(name) else call.normal(n, call.width)
    return {a: (OUTPUTS if a in kernel.outputs else INPUTS)[a](call) for a in kernel.arguments}


class _Call:
    """What one call is made of: the sizes and the numbers of its arguments."""

    x: np.ndarray  # drawn first, for y may follow from it

    def __init__(
        self, name: str, n: int, i: int, o: int, dtype: Any, rng: np.random.Generator, source: Any
    ) -> None:
        self.name, self.n, self.i, self.o = name, n, i, o
        self.dtype, self.rng, self.source = dtype, rng, source
        self.width = i if name in OVER_INPUTS else o

    def normal(self, *shape: int) -> np.ndarray:
        """Numbers from N(0, 1)."""
        return self.rng.standard_normal(shape).astype(self.dtype)

    def empty(self, *shape: int) -> np.ndarray:
        """Cells that must be written."""
        return np.full(shape, np.nan, self.dtype)

    def vector(self) -> np.ndarray:
        """As many numbers as a dense layer has parameters."""
        return self.normal(self.i * self.o + self.o)


Makers = dict[str, Callable[[_Call], Any]]  # argument -> what makes it


def _numbers(**values: float) -> Makers:
    """The same in every call."""
    return {name: lambda call, value=value: value for name, value in values.items()}


OF_LAYERS: Makers = {
    "data": lambda c: c.rng.integers(0, 256, (2 * c.n + 1, c.i)).astype(c.source),
    "rows": lambda c: c.rng.integers(0, 2 * c.n + 1, c.n),
    "x": lambda c: c.x,
    "z": lambda c: c.normal(c.n, c.o),
    "w": lambda c: c.normal(c.i, c.o),
    "b": lambda c: c.normal(c.o),
    "y": lambda c: _layer_output(c.name, c.x),
    "dy": lambda c: c.normal(c.n, c.o),
    **_numbers(scale=SCALE, p=P, seed=SEED, **NUMBERS),
}
OF_LOSSES: Makers = {
    "labels": lambda c: c.rng.integers(0, c.o, c.n),
    "target": lambda c: c.normal(c.n, c.o),
    "weights": lambda c: UNWEIGHTED,
    "pos_weight": lambda c: np.linspace(0.5, 2.5, c.o),
    **_numbers(margin=MARGIN, delta=0.75, smoothing=0.125),
}
OF_STEPS: Makers = {
    "grads": lambda c: c.vector(),
    "step": lambda c: STEP if c.name == "dropout" else 3.0,
    **_numbers(lr=LR, momentum=0.9, lr_decay=0.25, mu_decay=0.5, decay=0.01),
    **_numbers(beta1=0.9, beta2=0.99, epsilon=1e-3),
}
INPUTS = OF_LAYERS | OF_LOSSES | OF_STEPS
OUTPUTS: Makers = {
    "x": lambda c: c.empty(c.n, c.i),
    "y": lambda c: c.empty(c.n, c.o),
    "dx": lambda c: c.empty(c.n, c.width),
    "dw": lambda c: c.empty(c.i, c.o),
    "db": lambda c: c.empty(c.o),
    "labels": lambda c: np.full(c.n, -1, np.int64),
    "errors": lambda c: np.full((2, c.o), np.nan),
    "params": lambda c: c.vector(),
    "m": lambda c: c.vector(),
    "v": lambda c: c.vector() ** 2,  # Adam's is a mean of squares
}


def _make_norm_case(
    name: str, n: int, o: int, dtype: Any, rng: np.random.Generator
) -> dict[str, Any]:
    """The same for a kernel of normalization: vectors over columns, LayerNorm's over samples."""
    kernel, moments = KERNELS[name], n if name.startswith("layer_norm") else o
    batch = (o,) if name == "running_average" else (n, o)
    shapes = {
        **dict.fromkeys(("x", "y", "dy", "dx"), batch),
        **dict.fromkeys(("w", "b", "dw", "db", "std"), (o,)),
        **dict.fromkeys(("mean", "var", "rstd"), (moments,)),
    }
    numbers = {"eps": 1e-3, "share": 0.25, "factor": 1.25}

    def value(argument: str) -> Any:
        if argument in numbers:
            return numbers[argument]
        if argument in kernel.outputs and name != "running_average":
            return np.full(shapes[argument], np.nan, dtype)
        array = rng.standard_normal(shapes[argument]).astype(dtype)
        return np.abs(array) + dtype_one / 4 if argument in ("var", "std", "rstd") else array

    dtype_one = np.dtype(dtype).type(1)
    return {argument: value(argument) for argument in kernel.arguments}


def _takes_scores(name: str) -> bool:
    return name.endswith("_loss") or name in ("argmax", "accuracy", "sum_errors")


def _scores(n: int, o: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(-48, 49, (n, o)) / 16


def _layer_output(name: str, x: np.ndarray) -> np.ndarray:
    """What the forward kernel made of x: the y that its backward kernel expects."""
    forward, y = getattr(_numpy, name.replace("_backward", "_forward")), np.empty_like(x)
    known = NUMBERS | {"x": x, "y": y}
    forward(*(known[argument] for argument in KERNELS[forward.__name__].arguments))
    return y
