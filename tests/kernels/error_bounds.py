"""How far a compiled kernel may be from the reference, which is run in float64 on the same inputs.

The error bounds are the textbook's: a sum of k products errs by at most about k·eps·Σ|a||b|, a
short formula by a few eps of its terms. A wrong, missing or extra term is far outside.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from image_cases import ON_IMAGES
from kernel_cases import NORMS

from fastbp.kernels import KERNELS, _numpy

Bounds = dict[str, Any]  # result -> how far it may be off


class Made(NamedTuple):
    """A call of the reference, and what it made."""

    case: dict[str, Any]
    a: dict[str, Any]  # the same without signs
    want: dict[str, Any]
    eps: float
    n: int  # samples
    o: int  # columns of x, which are inputs of a dense layer


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


def error_bounds(name: str, case: dict[str, Any], want: dict[str, Any], eps: float) -> Bounds:
    """How far each result may be from `want`: a few relative eps unless BOUNDS says otherwise."""
    a = {k: np.abs(v) for k, v in case.items()}
    bounds = {k: 8 * eps * np.abs(v) for k, v in want.items() if v is not None}
    if name in ON_IMAGES:
        return sums_on_images(name, case, eps)
    if name in NORMS:
        return bounds | bounds_of_norms(name, a, eps)
    n, o = (0, 0) if name.endswith("_step") else np.shape(a.get("x", a.get("dy")))[:2]
    if name in BOUNDS:
        bounds |= BOUNDS[name](Made(case, a, want, eps, n, o))
    if "returned" in bounds:  # the sum over the batch runs in double whatever the dtype
        bounds["returned"] += n * o * np.finfo(np.float64).eps * a["x"].max(initial=0)
    return bounds


def of_dy(made: Made) -> Bounds:
    """1 - y and the like lose digits."""
    return {"dx": 8 * made.eps * made.a["dy"]}


def of_x(made: Made) -> Bounds:
    """The reference itself loses digits where y is small."""
    return {"y": 8 * made.eps * made.a["x"]}


OF_ACTIVATIONS: dict[str, Callable[[Made], Bounds]] = {
    **dict.fromkeys(
        (f"{f}_backward" for f in ("elu", "tanh", "sigmoid", "gelu", "mish", "silu", "selu")), of_dy
    ),
    "gelu_forward": of_x,
}


def dense_forward(made: Made) -> Bounds:
    a = made.a
    return {"y": (made.o + 2) * made.eps * (a["x"] @ a["w"] + a["b"])}


def dense_backward(made: Made) -> Bounds:
    a, factor = made.a, (made.n + 2) * made.eps
    return {"dw": factor * (a["x"].T @ a["dy"]), "db": factor * a["dy"].sum(axis=0)}


def dense_backward_input(made: Made) -> Bounds:
    return {"dx": (made.o + 2) * made.eps * (made.a["dy"] @ made.a["w"].T)}


OF_DENSE = {f.__name__: f for f in (dense_forward, dense_backward, dense_backward_input)}


def softmax_forward(made: Made) -> Bounds:
    return {"y": (made.o + 16) * made.eps * made.want["y"]}


def log_softmax_forward(made: Made) -> Bounds:
    return {"y": (made.o + 8) * made.eps * (1 + np.abs(made.want["y"]))}


def log_softmax_backward(made: Made) -> Bounds:
    total = made.a["dy"].sum(axis=1, keepdims=True)
    terms = made.a["dy"] + np.exp(made.case["y"]) * total
    return {"dx": (made.o + 8) * made.eps * terms}


def sum_errors(made: Made) -> Bounds:
    terms = made.a["x"] + made.a["target"]
    sums = np.array([np.square(terms).sum(axis=0), terms.sum(axis=0)])
    return {"errors": (made.n + 4) * made.eps * sums}


OF_ROWS = {
    f.__name__: f for f in (softmax_forward, log_softmax_forward, log_softmax_backward, sum_errors)
}


def cross_entropy_loss(made: Made) -> Bounds:
    factor = (made.o + 8) * made.eps
    return {"dx": factor / max(made.n, 1), "returned": factor * (1 + made.want["returned"])}


def soft_cross_entropy_loss(made: Made) -> Bounds:
    factor = (made.o + 8) * made.eps / max(made.n, 1)
    wanted = made.a["target"].sum(axis=1, keepdims=True) + 1  # the targets are any numbers here
    return {"dx": factor * wanted, "returned": factor * (wanted * (1 + made.a["x"])).sum()}


def of_exponentials(made: Made) -> Bounds:
    a, factor = made.a, 8 * made.eps
    terms = (1 + np.exp(a["x"])) * (1 + 2 * a["target"]) / max(made.n * made.o, 1)
    return {"dx": factor * terms, "returned": factor * ((1 + a["x"]) * terms).sum()}


def nll_loss(made: Made) -> Bounds:
    return {"returned": 8 * made.eps * made.a["x"].max(initial=0)}


OF_LOSSES = {
    **{f.__name__: f for f in (cross_entropy_loss, soft_cross_entropy_loss, nll_loss)},
    **dict.fromkeys(("poisson_nll_loss", "bce_with_logits_loss"), of_exponentials),
}


def sgd_step(made: Made) -> Bounds:
    return {"params": 4 * made.eps * (made.a["params"] + made.a["grads"])}


def of_momentum(made: Made) -> Bounds:
    bound = 8 * made.eps * (made.a["params"] + made.a["grads"] + made.a["v"])
    return {"v": bound, "params": bound}


def moved(made: Made, by: Any) -> Any:
    """How far parameters move by a gradient divided by its root mean square."""
    return by / (np.sqrt(made.want["v"]) + made.a["epsilon"])


def rmsprop_step(made: Made) -> Bounds:
    a, eps, g = made.a, made.eps, made.a["params"] + made.a["grads"]
    return {
        "v": 16 * eps * (a["v"] + g**2),
        "m": 64 * eps * (a["m"] + moved(made, g)),
        "params": 64 * eps * (a["params"] + a["m"] + moved(made, g)),
    }


def adagrad_step(made: Made) -> Bounds:
    a, eps, g = made.a, made.eps, made.a["params"] + made.a["grads"]
    return {"v": 16 * eps * (a["v"] + g**2), "params": 64 * eps * (a["params"] + moved(made, g))}


def of_adam(made: Made) -> Bounds:
    a, eps, g = made.a, made.eps, made.a["params"] + made.a["grads"]
    return {
        "m": 8 * eps * (g + a["m"]),
        "v": 16 * eps * (g**2 + a["v"]),
        "params": 64 * eps * (a["params"] + moved(made, g + a["m"])),
    }


OF_STEPS = {
    **{f.__name__: f for f in (sgd_step, rmsprop_step, adagrad_step)},
    **dict.fromkeys(("momentum_step", "nesterov_step"), of_momentum),
    **dict.fromkeys(("adam_step", "adamw_step", "nadam_step"), of_adam),
}
BOUNDS = OF_ACTIVATIONS | OF_DENSE | OF_ROWS | OF_LOSSES | OF_STEPS


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
