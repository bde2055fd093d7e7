"""One example call of every kernel, for the tests and the benchmarks."""

from typing import Any

import numpy as np
from image_cases import ON_IMAGES, images_of, make_image_case

from fastbp.kernels import KERNELS, _numpy

MARGIN, LR, SCALE = 1.0, 0.1, 1 / 255
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
    kernel, width = KERNELS[name], i if name in OVER_INPUTS else o

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(dtype)

    x = _scores(n, o, rng).astype(dtype) if _takes_scores(name) else normal(n, width)
    inputs = {
        "data": lambda: rng.integers(0, 256, (2 * n + 1, i)).astype(source),
        "rows": lambda: rng.integers(0, 2 * n + 1, n),
        "scale": lambda: SCALE,
        "x": lambda: x,
        "z": lambda: normal(n, o),
        "w": lambda: normal(i, o),
        "b": lambda: normal(o),
        "y": lambda: _layer_output(name, x),
        "dy": lambda: normal(n, o),
        "labels": lambda: rng.integers(0, o, n),
        "margin": lambda: MARGIN,
        "target": lambda: normal(n, o),
        "delta": lambda: 0.75,
        "smoothing": lambda: 0.125,
        "pos_weight": lambda: np.linspace(0.5, 2.5, o),
        "grads": lambda: normal(i * o + o),
        "lr": lambda: LR,
        "momentum": lambda: 0.9,
        "lr_decay": lambda: 0.25,
        "mu_decay": lambda: 0.5,
        "decay": lambda: 0.01,
        "beta1": lambda: 0.9,
        "beta2": lambda: 0.99,
        "epsilon": lambda: 1e-3,
        "step": lambda: STEP if name == "dropout" else 3.0,
        "p": lambda: P,
        "seed": lambda: SEED,
        **{name: lambda number=number: number for name, number in NUMBERS.items()},
    }
    outputs = {
        "x": lambda: np.full((n, i), np.nan, dtype),
        "y": lambda: np.full((n, o), np.nan, dtype),
        "dx": lambda: np.full((n, width), np.nan, dtype),
        "dw": lambda: np.full((i, o), np.nan, dtype),
        "db": lambda: np.full(o, np.nan, dtype),
        "labels": lambda: np.full(n, -1, np.int64),
        "params": lambda: normal(i * o + o),
        "m": lambda: normal(i * o + o),
        "v": lambda: normal(i * o + o) ** 2,  # Adam's is a mean of squares
    }
    return {a: (outputs if a in kernel.outputs else inputs)[a]() for a in kernel.arguments}


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
    return name.endswith("_loss") or name in ("argmax", "accuracy")


def _scores(n: int, o: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(-48, 49, (n, o)) / 16


def _layer_output(name: str, x: np.ndarray) -> np.ndarray:
    """What the forward kernel made of x: the y that its backward kernel expects."""
    forward, y = getattr(_numpy, name.replace("_backward", "_forward")), np.empty_like(x)
    known = NUMBERS | {"x": x, "y": y}
    forward(*(known[argument] for argument in KERNELS[forward.__name__].arguments))
    return y
