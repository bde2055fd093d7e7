"""What may come into a layer: rows, of so many columns, or images; what else is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .nesting import Shape

if TYPE_CHECKING:
    from .base import Layer


def check_rows(layer: Layer, shape: Shape | None, what: str = "rows") -> None:
    """Refuse images."""
    if shape is not None and len(shape) > 1:
        raise ValueError(
            f"{layer!r} takes {what}, but images {shape} come in: put Flatten() before it"
        )


def check_columns(layer: Layer, shape: Shape | None, columns: int) -> None:
    """Refuse what is no rows of so many columns."""
    check_rows(layer, shape, f"{columns} columns")
    if shape not in (None, (columns,)):
        raise ValueError(f"{layer!r} takes {columns} columns, but {shape[0]} come in")


def as_image(layer: Layer, shape: Shape | None) -> Shape:
    """(channels, h, w) of an image; refuses another shape, and one that is not known."""
    if shape is None:
        raise ValueError(
            f"{layer!r} takes images of a known size: name it, "
            "Sequential(..., input_shape=(channels, height, width))"
        )
    if len(shape) != 3:
        what = "rows" if len(shape) == 1 else "samples"
        raise ValueError(f"{layer!r} takes images (channels, h, w), but {what} {shape} come in")
    return shape


def check_channels(layer: Layer, shape: Shape, channels: int) -> None:
    """Refuse images of other channels."""
    if shape[0] != channels:
        raise ValueError(f"{layer!r} takes images ({channels}, h, w), but {shape} come in")
