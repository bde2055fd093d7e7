"""The same of nodes that take images, and of what makes rows of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from fastbp import layers
from fastbp.layers import Layer

from .read import Found, Op, Read, with_bias


def flatten(op: Op) -> Found | None:
    """Flatten; of rows, which it leaves as they are, nothing."""
    op.need(op.attributes.get("axis", 1) == 1, "expected axis 1")
    return _flat(op)


def reshape(op: Op) -> Found | None:
    """Flatten, where the new shape is (n, all numbers of a sample)."""
    wanted = [int(size) for size in op.constant(1, "shape")]
    size = None if op.shape is None else math.prod(op.shape)
    flat = len(wanted) == 2 and wanted[0] in (0, -1, op.batch) and wanted[1] in (-1, size)
    same = op.shape is not None and wanted[1:] == [*op.shape]
    op.need((flat and wanted != [-1, -1]) or same, f"expected (n, all numbers), got {wanted}")
    return None if same else _flat(op)


def _flat(op: Op) -> Found | None:
    return None if op.shape is not None and len(op.shape) == 1 else Found(layers.Flatten())


def convolution(op: Op) -> Found:
    """Conv2d."""
    op.is_first()
    w = op.constant(1, "W")
    op.need(w.ndim == 4, f"expected W (filters, channels, rows, columns), got {w.shape}")
    groups, kernel = int(op.attributes.get("group", 1)), (w.shape[2], w.shape[3])
    stride, padding = _window(op, kernel)
    channels = w.shape[1] * groups, w.shape[0]
    layer = layers.Conv2d(*channels, kernel, stride, padding, groups=groups, bias=False)
    b = op.constants.get(2)
    found = Found(layer, {"w": w})
    return found if b is None else with_bias(op, found, b.reshape(-1, 1, 1))


def pool(kind: type[Layer]) -> Read:
    """MaxPool2d or AvgPool2d."""

    def read(op: Op) -> Found:
        kernel = tuple(op.attributes["kernel_shape"])
        stride, padding = _window(op, kernel)
        op.need(padding != "same", "expected as many rows before as behind")
        if kind is layers.AvgPool2d and padding != (0, 0):
            op.need(bool(op.attributes.get("count_include_pad")), "expected count_include_pad=1")
        return Found(kind(kernel, stride, padding))  # type: ignore[call-arg]

    return read


def global_pool(kind: type[Layer]) -> Callable[[Op], Found]:
    """The same over all of an image."""

    def read(op: Op) -> Found:
        shape = op.shape
        if shape is None or len(shape) != 3:
            op.refuse("expected images of a known size")
        return Found(kind(shape[1:]))  # type: ignore[call-arg]

    return read


def mean(op: Op) -> Found:
    """The mean over all of an image, where its axes stay."""
    axes = op.attributes.get("axes", op.constants.get(1, ()))
    over = sorted(int(axis) % 4 for axis in axes) == [2, 3]
    op.need(over and op.attributes.get("keepdims", 1) == 1, "expected axes 2 and 3 of images, kept")
    return global_pool(layers.AvgPool2d)(op)


def _window(op: Op, kernel: tuple[int, ...]) -> tuple[Any, Any]:
    """Stride and padding."""
    said = op.attributes
    op.need(len(kernel) == 2, f"expected windows of rows and columns, got {kernel}")
    op.need(set(said.get("dilations", [1])) == {1}, "expected no dilations")
    stride = tuple(said.get("strides", (1, 1)))
    auto, pads = said.get("auto_pad", "NOTSET"), said.get("pads", [0, 0, 0, 0])
    before, behind = tuple(pads[:2]), tuple(pads[2:])
    same = tuple((k - 1) // 2 for k in kernel), tuple(k // 2 for k in kernel)
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        odd = all(side % 2 for side in kernel)
        op.need(stride == (1, 1) and (odd or auto == "SAME_UPPER"), f"expected pads, got {auto}")
        before, behind = same
    if said.get("ceil_mode") and op.shape is not None:
        padded = (size + a + b for size, a, b in zip(op.shape[1:], before, behind, strict=True))
        whole = all((n - k) % s == 0 for n, k, s in zip(padded, kernel, stride, strict=True))
        op.need(whole, "expected ceil_mode=0")
    if before == behind:
        return stride, before
    op.need((before, behind) == same and stride == (1, 1), f"expected even pads, got {pads}")
    return stride, "same"
