"""Every compiled kernel computes what the reference computes, run in float64 on the same inputs.

error_bounds.py says how far the two may be apart.
"""

from typing import Any

import numpy as np
import pytest
from error_bounds import call, copy_of, error_bounds
from for_each import for_each
from hypothesis import given, settings
from hypothesis import strategies as st
from image_cases import ON_IMAGES, Images, make_image_case
from kernel_cases import ELEMENTWISE, make_case

from fastbp.kernels import KERNELS, _numpy

DTYPES = ["float32", "float64"]
SHAPES = [
    (1, 1, 1),
    (1, 13, 10),
    (3, 7, 31),
    (0, 5, 3),  # an empty batch
    (5, 33, 17),  # nothing is a multiple of a tile or of a vector
    (16, 96, 192),  # everything is, at every CPU level
    (33, 2, 10),  # rows of few columns, which losses take several at a time
    (20, 784, 101),
    (64, 300, 200),
]
EVERY_DTYPE = pytest.mark.parametrize("dtype", DTYPES)
EVERY_KERNEL = for_each("name", KERNELS)


def check(module: Any, name: str, case: dict[str, Any], dtype: str) -> None:
    """Compare a call with the reference. NaN, as in a cell left unwritten, is within no bound."""
    double = copy_of(case, np.float64)
    want, got = call(_numpy, name, copy_of(double)), call(module, name, case)
    assert type(got["returned"]) is type(want["returned"])
    for result, bound in error_bounds(name, double, want, np.finfo(dtype).eps).items():
        error = np.abs(np.asarray(got[result], np.float64) - want[result])
        shape = error.shape
        assert np.all(error <= bound), f"{result} {shape} is off by {np.max(error)}"


@EVERY_KERNEL
@EVERY_DTYPE
def test_kernels_agree_with_the_reference(
    compiled: Any, name: str, dtype: str, rng: np.random.Generator
) -> None:
    for shape in SHAPES:
        case = make_case(name, *shape, dtype, rng)
        before = copy_of(case)
        check(compiled, name, case, dtype)
        for argument in set(case) - set(KERNELS[name].outputs):
            np.testing.assert_array_equal(case[argument], before[argument], argument)


@EVERY_DTYPE
@given(
    name=st.sampled_from(list(KERNELS)),
    shape=st.tuples(st.integers(0, 20), st.integers(1, 70), st.integers(1, 110)),
    seed=st.integers(0, 999),
)
@settings(max_examples=60, deadline=None, database=None, derandomize=True)
def test_kernels_agree_with_the_reference_at_any_shape(
    compiled: Any, dtype: str, name: str, shape: tuple[int, int, int], seed: int
) -> None:
    check(compiled, name, make_case(name, *shape, dtype, np.random.default_rng(seed)), dtype)


@EVERY_DTYPE
def test_an_output_is_the_same_number_whatever_is_beside_it(
    compiled: Any, dtype: str, rng: np.random.Generator
) -> None:
    n, inputs, most = 11, 9, 40  # rows of a tile, of a part of one, and alone
    x, w, b, all_of_them = make_case("dense_forward", n, inputs, most, dtype, rng).values()
    compiled.dense_forward(x, w, b, all_of_them)
    for outputs in range(2, most):
        found = np.full((n, outputs), np.nan, dtype)
        compiled.dense_forward(x, w[:, :outputs].copy(), b[:outputs].copy(), found)
        np.testing.assert_array_equal(found, all_of_them[:, :outputs])


@for_each("name", [name for name in KERNELS if name.endswith("_loss")])
@EVERY_DTYPE
def test_losses_with_weights_agree_with_the_reference(
    compiled: Any, name: str, dtype: str, rng: np.random.Generator
) -> None:
    for shape in SHAPES[2:]:
        case = make_case(name, *shape, dtype, rng)
        case["weights"] = rng.integers(0, 3, shape[0]) * rng.random(shape[0])
        check(compiled, name, case, dtype)


@EVERY_KERNEL
def test_inputs_may_be_read_only(compiled: Any, name: str, rng: np.random.Generator) -> None:
    case = make_case(name, 5, 6, 7, np.float32, rng)  # one dtype: Numba compiles all of it anew
    for argument, value in case.items():
        if isinstance(value, np.ndarray) and argument not in KERNELS[name].outputs:
            value.setflags(write=False)
    check(compiled, name, case, "float32")


IMAGES = {
    "one pixel": Images(1, (1, 1), 1, (1, 1)),
    "one pixel, 17 channels": Images(17, (1, 1), 16, (1, 1)),
    "1x1 window": Images(3, (7, 5), 4, (1, 1)),
    "1x1 window, gaps": Images(2, (7, 11), 3, (1, 1), (3, 2)),
    "2x2 side by side": Images(6, (8, 8), 5, (2, 2), (2, 2)),
    "2x2 and a rest": Images(6, (7, 9), 5, (2, 2), (2, 2)),
    "3x3 that overlap by one": Images(3, (13, 13), 2, (3, 3), (2, 2)),
    "3x3 that overlap by two": Images(15, (9, 19), 16, (3, 3), padding=(1, 1)),
    "2x3, down 1 and right 2": Images(4, (5, 8), 7, (2, 3), (1, 2)),
    "3x2, down 2 and right 1": Images(4, (8, 5), 17, (3, 2), (2, 1)),
    "4x1": Images(2, (11, 3), 3, (4, 1), (3, 3)),
    "1x4": Images(2, (3, 11), 33, (1, 4)),
    "5x5": Images(6, (14, 14), 16, (5, 5)),
    "5x5, one channel": Images(1, (28, 28), 6, (5, 5), padding=(2, 2)),
    "5x5 by threes": Images(2, (17, 23), 3, (5, 5), (3, 3)),
    "the whole image": Images(5, (4, 6), 9, (4, 6), padding=(0, 0)),
    "the whole width": Images(1, (6, 31), 8, (2, 31), (2, 1), padding=(0, 2)),
    "larger than a vector": Images(1, (3, 67), 1, (3, 3)),
}


@for_each("name", ON_IMAGES)
@EVERY_DTYPE
@for_each("images", IMAGES.values())
def test_windows_of_any_size_and_step(
    compiled: Any, name: str, dtype: str, images: Images, rng: np.random.Generator
) -> None:
    for n in (0, 1, 2, 15, 16, 17, 33):
        check(compiled, name, make_image_case(name, n, images, dtype, rng), dtype)


def fenced(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A copy in the middle of a longer, oddly aligned memory full of NaN (or of 0); and that."""
    fill = np.nan if array.dtype.kind == "f" else 0
    memory = np.full(array.size + 67, fill, array.dtype)
    inside = memory[33 : 33 + array.size].reshape(array.shape)
    inside[...] = array
    return inside, memory


@EVERY_KERNEL
@EVERY_DTYPE
def test_kernels_keep_inside_their_arrays_and_need_no_alignment(
    compiled: Any, name: str, dtype: str, rng: np.random.Generator
) -> None:
    for shape in [(1, 1, 1), (3, 7, 31), (9, 34, 49)]:
        case, memories = make_case(name, *shape, dtype, rng), {}
        for argument, value in case.items():
            if isinstance(value, np.ndarray):
                case[argument], memories[argument] = fenced(value)
        check(compiled, name, case, dtype)  # a NaN read outside an input would show in an output
        for argument, memory in memories.items():
            before, after = memory[:33], memory[33 + case[argument].size :]
            fence = np.concatenate([before, after])
            assert np.all(np.isnan(fence) if fence.dtype.kind == "f" else fence == 0), argument


IN_PLACE = [
    ("dropout", "x", "y"),
    *((f"{f}_forward", "x", "y") for f in ELEMENTWISE),
    *((f"{f}_backward", "dy", "dx") for f in ELEMENTWISE),
    *((f"{f}_backward", "y", "dx") for f in ELEMENTWISE),
]


@EVERY_DTYPE
@for_each(("name", "source", "output"), IN_PLACE)
def test_elementwise_output_may_be_the_input(
    kernels: Any, name: str, source: str, output: str, dtype: str, rng: np.random.Generator
) -> None:
    case = make_case(name, 7, 1, 37, dtype, rng)
    want = call(kernels, name, copy_of(case))[output]
    got = call(kernels, name, {**case, output: case[source]})[output]
    np.testing.assert_array_equal(got, want)


@EVERY_DTYPE
@pytest.mark.parametrize("source", [np.uint8, np.float32, np.float64])
def test_gather_takes_bytes_and_reals(
    kernels: Any, dtype: str, source: type, rng: np.random.Generator
) -> None:
    check(kernels, "gather", make_case("gather", 9, 35, 1, dtype, rng, source), dtype)


@EVERY_DTYPE
@for_each("direction", ["forward", "backward"])
@for_each("name", ELEMENTWISE)
def test_an_element_has_the_same_bits_wherever_it_stands(
    kernels: Any, name: str, direction: str, dtype: str, rng: np.random.Generator
) -> None:
    """Else they would depend on how threads share the columns.

    In a long row vectors compute it, alone what comes behind them.
    """
    name = f"{name}_{direction}"
    case, alone = make_case(name, 1, 1, 300, dtype, rng), []
    want = call(kernels, name, case)[KERNELS[name].outputs[0]].copy()
    for column in range(300):
        one = {
            argument: np.ascontiguousarray(value[:, column : column + 1])
            if isinstance(value, np.ndarray)
            else value
            for argument, value in case.items()
        }
        alone.append(call(kernels, name, one)[KERNELS[name].outputs[0]][0, 0])
    np.testing.assert_array_equal(want[0], alone)
