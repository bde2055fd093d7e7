"""Picture files as the grey pixels that a network takes, however they are coded, sized or framed.

A file of another size than the network's is fitted as MNIST's digits were
(http://yann.lecun.com/exdb/mnist): scaled into 20 of 28 pixels, proportions kept, and centred by
its mass.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from math import isfinite
from typing import IO, TYPE_CHECKING

import numpy as np

from ._files import StrPath, open_regular

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")  # the rest is rare, or run by others
MOST_PIXELS = 50_000_000
MOST_MEMORY = 220_000_000  # bytes that decoding may take
WORK_SIDE = 2048  # larger pictures are reduced before anything else is done with them
TILE_SIDE = 1024  # of a picture, converted at a time

MNIST_SIDE = 28
FIGURE = 20 / 28  # how much of the side the longer side of a figure takes
INK = 0.2  # of the strongest ink: what is weaker may be noise of the background
LEAST_CONTRAST = 16  # of 255; below it there is no figure


def read(path: StrPath, rows: int, columns: int, invert: bool = False) -> tuple[np.ndarray, str]:
    """Read a picture file as white on black.

    Parameters
    ----------
    path : str or path
        A PNG, JPEG, GIF, BMP, TIFF, WebP or PPM file, of which the first picture is read. Colours
        become greys, transparent parts background. Greys of more than 8 bits are scaled: 16 bits
        by 65535; larger integers and floats by 1 or 255 if they are from 0 to that, else by
        their own range.
    rows, columns : int
        What the network takes. A picture of that size is taken as it is; others are fitted,
        see `fit`.
    invert : bool
        The file is black on white.

    Returns
    -------
    picture : (rows, columns) uint8 array
    note : str
        What was done to the picture, in one line; empty if nothing.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is no such picture, or a broken one, or one that takes too much memory, or no file
        but a pipe or a device. The message has the path.
    """
    with open_regular(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, about what is checked here or does no harm
        try:
            grey, size, scaled = _decode(file, "white" if invert else "black")
        except Exception as problem:  # a damaged file makes Pillow raise nearly any of them
            raise ValueError(f"{path}: not a readable picture ({_reason(problem)})") from problem
    if invert:
        grey = 255 - grey
    picture, fitted = fit(grey, rows, columns)
    if fitted is not None:
        fitted = f"resized from {size[0]}×{size[1]} to {columns}×{rows} pixels{fitted}"
    return picture, "; ".join(note for note in (scaled, fitted) if note)


def _reason(problem: Exception) -> str:
    """What is wrong with a picture, in a few words."""
    from PIL import UnidentifiedImageError

    if isinstance(problem, UnidentifiedImageError):  # its own text names a Python object
        return f"its format is unknown; {', '.join(FORMATS)} are read"
    if isinstance(problem, MemoryError):
        return "out of memory"
    text = " ".join(str(problem).split()) or type(problem).__name__
    return text if len(text) <= 120 else f"{text[:120]}…"


# Decoding


def _decode(file: IO[bytes], background: str) -> tuple[np.ndarray, tuple[int, int], str]:
    """Return the greys, reduced if there are many, the file's width and height, and a note."""
    from PIL import Image

    image: Image.Image = Image.open(file, formats=FORMATS)
    size = image.size
    factor = _factor(size)
    if factor > 1 and image.mode in ("L", "RGB"):  # JPEG can decode to a smaller picture
        image.draft("L", (max(1, size[0] // factor), max(1, size[1] // factor)))
    _check_memory(image, size)
    image.load()
    factor = _factor(image.size)
    low, high, note = (0, 255, "") if not _is_deep(image) else _range(image)
    width, height = (-(-side // factor) for side in image.size)
    grey = Image.new("L", (width, height))
    for left, top, tile in _tiles(image, factor):
        part = _scaled(tile, low, high) if _is_deep(image) else _as_grey(tile, background)
        grey.paste(part.reduce(factor), (left // factor, top // factor))
    return np.asarray(grey, np.uint8), size, note


def _factor(size: tuple[int, int]) -> int:
    return -(-max(size) // WORK_SIDE)


def _check_memory(image: Image, size: tuple[int, int]) -> None:
    """Refuse a picture by what its header says, before its pixels are decoded."""
    width, height = image.size  # less than the file's where JPEG decodes to less
    pixels = size[0] * size[1]
    sample = 2 if image.mode.startswith("I;16") else 1 if image.mode in ("1", "L", "P") else 4
    copies = {"WEBP": 4, "TIFF": 2}.get(image.format or "", 1)  # that the decoder keeps
    memory = width * height * sample * copies + 8 * height  # and Pillow's pointers to the rows
    if image.info.get("progressive"):  # JPEG: all coefficients, 16 bits each
        memory += pixels * 6
    if pixels > MOST_PIXELS or memory > MOST_MEMORY:
        raise ValueError(
            f"{size[0]}×{size[1]} pixels in mode {image.mode} take too much memory; make it smaller"
        )


def _tiles(image: Image, factor: int) -> Iterator[tuple[int, int, Image]]:
    """Yield pieces with their positions, so that no conversion copies a large picture."""
    side = factor * max(1, TILE_SIDE // factor)
    width, height = image.size
    for top in range(0, height, side):
        for left in range(0, width, side):
            box = (left, top, min(left + side, width), min(top + side, height))
            yield left, top, image.crop(box)


def _as_grey(image: Image, background: str) -> Image:
    """A picture in 256 greys, its transparent parts filled with the background."""
    from PIL import Image

    if image.has_transparency_data:
        colours = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, background), colours)
    return image.convert("L")


def _is_deep(image: Image) -> bool:
    """Tell greys of more than 8 bits, which convert("L") would cut off at 255."""
    return image.mode == "F" or image.mode.startswith("I")


def _range(image: Image) -> tuple[float, float, str]:
    """The values that mean black and white, with a note if that is a guess."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return 0, 65535, ""
    low, high = map(float, image.getextrema())  # type: ignore[arg-type]  # one channel, so numbers
    if not (isfinite(low) and isfinite(high)):
        raise ValueError("its values are not finite")
    for top in (1, 255):
        if low >= 0 and high <= top:
            return 0, top, ""
    return low, high, f"grey values from {low:g} to {high:g} scaled to 0 to 255"


def _scaled(image: Image, low: float, high: float) -> Image:
    from PIL import Image

    values = np.asarray(image, np.float64)
    if not np.isfinite(values).all():
        raise ValueError("its values are not finite")
    values = (values - low) * (255 / (high - low) if high > low else 0)
    return Image.fromarray(np.rint(values).clip(0, 255).astype(np.uint8))


# Fitting


def fit(grey: np.ndarray, rows: int, columns: int) -> tuple[np.ndarray, str | None]:
    """Make a picture as large as a network takes.

    A figure on a background is scaled, proportions kept, to 20/28 of the side, and its centre of
    mass put into the middle. A picture that is all figure is scaled as a whole, and padded with
    its border's grey if it has other proportions. So is one of the same proportions whose figure
    reaches opposite sides, or whose network does not take pictures of MNIST's size: it is taken
    for one that was made like the samples, only larger.

    Parameters
    ----------
    grey : (height, width) uint8 array
        White on black.
    rows, columns : int

    Returns
    -------
    picture : (rows, columns) uint8 array
    note : str, optional
        What was done beside resizing, to go on with after a comma; None if nothing was done.
    """
    height, width = grey.shape
    if (height, width) == (rows, columns):
        return grey, None
    scale = min(rows / height, columns / width)
    same_proportions = (round(height * scale), round(width * scale)) == (rows, columns)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    background = int(np.median(border))
    box = _figure(grey, background)
    if box is not None and same_proportions:
        spans = any(box[i].start == 0 and box[i].stop == grey.shape[i] for i in (0, 1))
        if spans or (rows, columns) != (MNIST_SIDE, MNIST_SIDE):
            box = None
    if box is not None:
        ink = (grey[box].astype(np.float64) - background).clip(0) * (255 / (255 - background))
        figure = _resized(np.rint(ink).astype(np.uint8), FIGURE * rows, FIGURE * columns)
        return _centred(figure, rows, columns), ", its figure centred and its proportions kept"
    whole = _resized(grey, rows, columns)
    picture = np.full((rows, columns), background, np.uint8)
    top, left = (rows - whole.shape[0]) // 2, (columns - whole.shape[1]) // 2
    picture[top : top + whole.shape[0], left : left + whole.shape[1]] = whole
    return picture, "" if same_proportions else ", its proportions kept"


def _figure(grey: np.ndarray, background: int) -> tuple[slice, slice] | None:
    """The box around what is brighter than the background; None if that is nothing or all."""
    strongest = int(grey.max()) - background
    if strongest < LEAST_CONTRAST:
        return None
    ink = grey > background + INK * strongest
    box = []
    for axis in (1, 0):
        at = np.flatnonzero(ink.any(axis=axis))
        box.append(slice(int(at[0]), int(at[-1]) + 1))
    return None if grey[box[0], box[1]].shape == grey.shape else (box[0], box[1])


def _resized(grey: np.ndarray, rows: float, columns: float) -> np.ndarray:
    """A picture as large as fits, proportions kept."""
    from PIL import Image

    height, width = grey.shape
    scale = min(rows / height, columns / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.LANCZOS), np.uint8)


def _centred(figure: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """A figure on black, its centre of mass in the middle: in pixel 14 of 28, counted from 0."""
    picture = np.zeros((rows, columns), np.uint8)
    start = []
    for side, axis in ((rows, 1), (columns, 0)):
        mass = figure.sum(axis=axis, dtype=np.float64)
        total = mass.sum() or 1.0  # the thinnest lines vanish when they are scaled
        centre = float(mass @ np.arange(len(mass)) / total)
        start.append(min(max(int(side / 2 - centre + 0.5), 0), side - len(mass)))
    top, left = start
    picture[top : top + figure.shape[0], left : left + figure.shape[1]] = figure
    return picture
