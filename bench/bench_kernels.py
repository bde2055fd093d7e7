"""Every kernel of the contract on every backend, on one core, checked before it is timed."""

import math
from typing import Any

import numpy as np
import pytest
from image_cases import ON_IMAGES, Images, make_image_case
from kernel_cases import make_case
from measures import kernels_or_skip, note
from threadpoolctl import threadpool_limits

from fastbp import backends
from fastbp.kernels import KERNELS, _numpy

HIDDEN, SCORES = (784, 800), (784, 10)  # inputs, outputs: of the first layer, of the last
IMAGES = Images(6, (14, 14), 16, (5, 5))  # of LeNet's second convolution
POOLED = Images(6, (28, 28), 6, (2, 2), (2, 2), (2, 2))  # and of what is behind its first
DENSE = ("dense_forward", "dense_backward", "dense_backward_input")
ON_SCORES = ("argmax", "accuracy", "softmax_forward", "log_softmax_forward", "log_softmax_backward")


def _calls() -> list[tuple[str, tuple[int, int, int]]]:
    """Each kernel at the shapes it meets in training: (name, (n, i, o))."""
    calls = []
    for name in KERNELS:
        columns = SCORES if name in ON_SCORES or name.endswith("_loss") else HIDDEN
        batches = (8,) if name.endswith("_step") else (8, 512)  # steps do not see the batch
        calls += [(name, (n, *columns)) for n in batches]
    return calls


def _copy(case: dict[str, Any]) -> dict[str, Any]:
    """The same arguments in new arrays, float32 as float64."""
    return {
        argument: value.astype(np.float64 if value.dtype == np.float32 else value.dtype)
        if isinstance(value, np.ndarray)
        else value
        for argument, value in case.items()
    }


def _check(kernels: Any, name: str, case: dict[str, Any]) -> None:
    """Compare one call with the reference in float64. The tests do so to the last digits."""
    expected = _copy(case)
    returned = getattr(_numpy, name)(*expected.values())
    got = getattr(kernels, name)(*case.values())
    if returned is not None:
        np.testing.assert_allclose(got, returned, rtol=1e-4)
    for output in KERNELS[name].outputs:
        scale = np.abs(expected[output]).max()
        np.testing.assert_allclose(case[output], expected[output], rtol=1e-3, atol=1e-4 * scale)


def _flops(name: str, n: int, i: int, o: int) -> int:
    """Of one call, where it is a product of matrices."""
    if name.startswith("conv2d"):
        w = IMAGES.filters * IMAGES.channels * math.prod(IMAGES.kernel)
        return 2 * n * w * math.prod(IMAGES.behind(name)[1:])
    return 2 * n * i * o if name in DENSE else 0


@pytest.mark.parametrize("backend", backends.AUTOMATIC)
@pytest.mark.parametrize(
    ("name", "shape"), _calls(), ids=lambda v: v if isinstance(v, str) else "x".join(map(str, v))
)
def bench_kernel(benchmark: Any, name: str, shape: tuple[int, int, int], backend: str) -> None:
    kernels, rng, (n, i, o) = kernels_or_skip(backend), np.random.default_rng(0), shape
    if name in ON_IMAGES:
        images = IMAGES if name.startswith("conv2d") else POOLED
        case = make_image_case(name, n, images, np.float32, rng)
    else:
        case = make_case(name, n, i, o, np.float32, rng)
    benchmark.group = name if name.endswith("_step") else f"{name} n={n}"
    with threadpool_limits(1, user_api="blas"):
        _check(kernels, name, case)
        benchmark(getattr(kernels, name), *case.values())
    note(benchmark, benchmark.group, backend, flops=_flops(name, *shape))
