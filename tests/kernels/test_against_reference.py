"""Every compiled kernel computes what the reference computes, run in float64 on the same inputs.

The error bounds are the textbook's: a sum of k products errs by at most about k·eps·Σ|a||b|, a
short formula by a few eps of its terms. A wrong, missing or extra term is far outside.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_cases import ON_IMAGES, Images, make_image_case
from kernel_cases import ELEMENTWISE, NORMS, make_case

from fastbp.kernels import KERNELS, _numpy

DTYPES = ["float32", "float64"]
SHAPES = [
    (1, 1, 1),
    (1, 13, 10),
    (3, 7, 31),
    (0, 5, 3),  # an empty batch
    (5, 33, 17),  # nothing is a multiple of a tile or of a vector
    (16, 96, 192),  # everything is, at every CPU level
    (20, 784, 101),
    (64, 300, 200),
]
EVERY_DTYPE = pytest.mark.parametrize("dtype", DTYPES)
EVERY_KERNEL = pytest.mark.parametrize("name", KERNELS)


def call(module: Any, name: str, case: dict[str, Any]) -> dict[str, Any]:
    """Run a kernel: its outputs by name, and what it returned."""
    returned = getattr(module, name)(*case.values())
    return {**{output: case[output] for output in KERNELS[name].outputs}, "returned": returned}


def copy_of(case: dict[str, Any], real: Any = None) -> dict[str, Any]:
    """The same arguments in new arrays, the real ones in another dtype if one is given."""

    def copy(value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        return value.astype(real if real and value.dtype.kind == "f" else value.dtype)

    return {argument: copy(value) for argument, value in case.items()}


def error_bounds(name: str, case: dict[str, Any], want: dict[str, Any], eps: float) -> Any:
    """How far each result may be from `want`: a few relative eps unless said otherwise here."""
    a = {k: np.abs(v) for k, v in case.items()}
    bounds = {k: 8 * eps * np.abs(v) for k, v in want.items() if v is not None}
    flat = name.endswith("_step") or name in NORMS
    n, o = (0, 0) if flat else np.shape(a.get("x", a.get("dy")))[:2]
    match name:
        case _ if name in ON_IMAGES:
            bounds = sums_on_images(name, case, eps)
        case _ if name in NORMS:
            bounds |= bounds_of_norms(name, a, eps)
        case "dense_forward":
            bounds["y"] = (o + 2) * eps * (a["x"] @ a["w"] + a["b"])  # x is (n, i) here
        case "dense_backward":
            bounds["dw"] = (n + 2) * eps * (a["x"].T @ a["dy"])
            bounds["db"] = (n + 2) * eps * a["dy"].sum(axis=0)
        case "dense_backward_input":
            bounds["dx"] = (o + 2) * eps * (a["dy"] @ a["w"].T)
        case (
            "elu_backward"
            | "tanh_backward"
            | "sigmoid_backward"
            | "gelu_backward"
            | "mish_backward"
            | "silu_backward"
            | "selu_backward"
        ):
            bounds["dx"] = 8 * eps * a["dy"]  # 1 - y and the like lose digits
        case "gelu_forward":
            bounds["y"] = 8 * eps * a["x"]  # the reference itself loses digits where y is small
        case "softmax_forward":
            bounds["y"] = (o + 16) * eps * want["y"]
        case "log_softmax_forward":
            bounds["y"] = (o + 8) * eps * (1 + np.abs(want["y"]))
        case "log_softmax_backward":
            total = a["dy"].sum(axis=1, keepdims=True)
            bounds["dx"] = (o + 8) * eps * (a["dy"] + np.exp(case["y"]) * total)
        case "cross_entropy_loss":
            bounds["dx"] = (o + 8) * eps / max(n, 1)
            bounds["returned"] = (o + 8) * eps * (1 + want["returned"])
        case "soft_cross_entropy_loss":  # the targets are any numbers here
            wanted = a["target"].sum(axis=1, keepdims=True) + 1
            bounds["dx"] = (o + 8) * eps * wanted / max(n, 1)
            bounds["returned"] = (o + 8) * eps * (wanted * (1 + a["x"])).sum() / max(n, 1)
        case "poisson_nll_loss" | "bce_with_logits_loss":
            terms = (1 + np.exp(a["x"])) * (1 + 2 * a["target"]) / max(n * o, 1)
            bounds["dx"] = 8 * eps * terms
            bounds["returned"] = 8 * eps * ((1 + a["x"]) * terms).sum()
        case "nll_loss":
            bounds["returned"] = 8 * eps * a["x"].max(initial=0)
        case "sgd_step":
            bounds["params"] = 4 * eps * (a["params"] + a["grads"])
        case "momentum_step" | "nesterov_step":
            bounds["v"] = 8 * eps * (a["params"] + a["grads"] + a["v"])
            bounds["params"] = 8 * eps * (a["params"] + a["grads"] + a["v"])
        case "rmsprop_step":
            squares = a["v"] + (a["params"] + a["grads"]) ** 2
            moved = (a["params"] + a["grads"]) / (np.sqrt(want["v"]) + a["epsilon"])
            bounds["v"] = 16 * eps * squares
            bounds["m"] = 64 * eps * (a["m"] + moved)
            bounds["params"] = 64 * eps * (a["params"] + a["m"] + moved)
        case "adagrad_step":
            g = a["params"] + a["grads"]
            moved = g / (np.sqrt(want["v"]) + a["epsilon"])
            bounds["v"] = 16 * eps * (a["v"] + g**2)
            bounds["params"] = 64 * eps * (a["params"] + moved)
        case "adam_step" | "adamw_step" | "nadam_step":
            bounds["m"] = 8 * eps * (a["params"] + a["grads"] + a["m"])
            bounds["v"] = 16 * eps * ((a["params"] + a["grads"]) ** 2 + a["v"])
            moved = (a["params"] + a["grads"] + a["m"]) / (np.sqrt(want["v"]) + a["epsilon"])
            bounds["params"] = 64 * eps * (a["params"] + moved)
    if "returned" in bounds:  # the sum over the batch runs in double whatever the dtype
        bounds["returned"] += n * o * np.finfo(np.float64).eps * a["x"].max(initial=0)
    return bounds


def bounds_of_norms(name: str, a: dict[str, Any], eps: float) -> dict[str, Any]:
    """How far what kernels of normalization compute may be from the reference: sums and factors."""
    x, dy, n = a["x"] if "x" in a else a["dy"], a.get("dy"), max(len(a.get("x", a.get("dy"))), 1)
    mean, w = a.get("mean", 0), a.get("w", 1)
    rows = name.startswith("layer_norm")
    if rows and name != "layer_norm_forward":
        far = (x + mean[:, None]) * a["rstd"][:, None]
    elif "var" in a and "eps" in a:
        s = 1 / np.sqrt(a["var"] + a["eps"])
        far = (x + mean) * s
    match name:
        case "scale_backward":
            return {"dw": (n + 2) * eps * (x * dy).sum(axis=0)}
        case "standardize_forward":
            return {"y": 8 * eps * (x + mean) / a["std"]}
        case "batch_statistics":
            means, squares = x.sum(axis=0) / n, (x * x).sum(axis=0) / n
            return {"mean": (n + 4) * eps * means, "var": (n + 8) * eps * squares}
        case "batch_norm_forward":
            return {"y": 16 * eps * (far * w + a["b"])}
        case "batch_norm_backward" | "layer_norm_backward":
            return {
                "dw": (n + 16) * eps * (dy * far).sum(axis=0),
                "db": (n + 2) * eps * dy.sum(axis=0),
            }
        case "batch_norm_backward_input":
            return {"dx": 32 * eps * w * s * (dy + (a["db"] + a["dw"] * far) / n)}
        case "running_average":
            return {"y": 8 * eps * (a["y"] + a["factor"] * x)}
        case "layer_norm_forward":
            o, square = x.shape[1], (x * x).mean(axis=1)
            error = (o + 32) * eps * (1 + square / a["eps"])
            reach = (x + x.mean(axis=1, keepdims=True)) / np.sqrt(a["eps"])
            return {
                "mean": (o + 4) * eps * x.mean(axis=1),
                "rstd": error / np.sqrt(a["eps"]),
                "y": error[:, None] * (reach * w + a["b"]),
            }
        case "layer_norm_backward_input":
            o, g = x.shape[1], dy * w
            slope = (g * far).mean(axis=1, keepdims=True)
            terms = g + g.mean(axis=1, keepdims=True) + far * slope
            return {"dx": (o + 32) * eps * a["rstd"][:, None] * terms}
    return {}


def sums_on_images(name: str, case: dict[str, Any], eps: float) -> dict[str, np.ndarray]:
    """How far each result may be: by the kernel itself, of absolute values; 0 where none is sum."""
    if name in ("max_pool2d_forward", "pad2d_forward", "pad2d_backward"):
        return dict.fromkeys(KERNELS[name].outputs, 0)
    match name:
        case "conv2d_forward":
            terms = case["w"][0].size + 1
        case "conv2d_backward":
            terms = case["dy"][:, 0].size
        case "conv2d_backward_input":
            terms = case["w"][:, 0].size
        case _:
            terms = case["kernel"].prod()
    keep = ("x",) if name == "max_pool2d_backward" else ()  # there x chooses, and is in no sum
    sizes = {k: v if k in keep else np.abs(v) for k, v in case.items()}
    sums = call(_numpy, name, copy_of(sizes))
    return {output: (terms + 1) * eps * sums[output] for output in KERNELS[name].outputs}


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


@pytest.mark.parametrize("name", ON_IMAGES)
@EVERY_DTYPE
@pytest.mark.parametrize("images", IMAGES.values(), ids=IMAGES)
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
@pytest.mark.parametrize(("name", "source", "output"), IN_PLACE)
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
@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("name", ELEMENTWISE)
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
