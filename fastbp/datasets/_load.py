"""From a path to a training and a test set."""

# np.random.Generator as text: numpy.random is a third of NumPy's import time
from __future__ import annotations

import os
from dataclasses import replace
from math import isqrt
from pathlib import Path

import numpy as np

from . import _csv, _idx, _npz
from ._checked import check_classes, check_most_bytes, check_scale
from ._dataset import Dataset, rows_of
from ._files import MOST_BYTES, Bound, bad_file

IDX_CLASSES = 10
TEST_SHARE = 7  # one in seven, as in MNIST


def mnist() -> tuple[Dataset, Dataset]:
    """Return MNIST, which comes with this package.

    Handwritten digits by Yann LeCun and Corinna Cortes, CC BY-SA 3.0.

    Returns
    -------
    train, test : Dataset
        60 000 and 10 000 pictures of 28 × 28 pixels, uint8, scale 1/255, 10 classes.

    Examples
    --------
    >>> train, test = fb.datasets.mnist()
    >>> train.features, train.classes
    (784, 10)
    """
    train, test = load(Path(__file__).with_name("mnist"), most_bytes=MOST_BYTES)
    return replace(train, name="MNIST train"), replace(test, name="MNIST test")


def load(
    path: str | os.PathLike[str],
    *,
    label: str | int | None = None,
    classes: int | None = None,
    scale: float | None = None,
    seed: int = 0,
    most_bytes: int | None = None,
    values: bool = False,
) -> tuple[Dataset, Dataset]:
    """Read a training and a test set from a folder of IDX files, an .npz or a .csv file.

    A file (or folder) with a training set only is split: a random seventh of its samples becomes
    the test set, and what is left keeps a random order.

    Parameters
    ----------
    path : str or path
        A folder with train-images-idx3-ubyte, train-labels-idx1-ubyte and the two of t10k, with
        or without .gz; an .npz file with the arrays x_train, y_train, x_test and y_test, or x
        and y; a .csv or .csv.gz file of numbers. Any other table ``fb.datasets.table`` reads.
    label : str or int, optional
        CSV: name or position (from 0) of the column of labels. Default: the column called label,
        labels, class, target, y or outcome in the header row, or, without one, the first.
    classes : int, optional
        Number of classes. Default: 10 for IDX, the largest label + 1 for the others.
    scale : float, optional
        What samples are multiplied with on their way into a network. Default: 1/255 if they are
        uint8, else 1. A CSV file is uint8 if all its values are written as integers from 0 to
        255; ``scale=1`` is for those that are no pixels.
    seed : int
        Of the random split.
    most_bytes : int, optional
        How many bytes one file's samples or labels, or the text of a compressed CSV file, may
        become; more is refused before it is read. Default: the environment's FASTBP_MOST_BYTES,
        else `MOST_BYTES` (4 GiB), but for a compressed file no more than 200 times its size
        (100 MiB if that is more), since only files made to fill a memory shrink so much.
    values : bool
        Whether the column of labels, or y, holds values to be predicted; of an .npz file also
        several a sample, (n, columns).

    Returns
    -------
    train, test : Dataset
        With `image_shape` for IDX files and for arrays of pictures. uint8 rows are taken for
        pictures too if they could be square ones of 4 × 4 pixels or more.

    Raises
    ------
    DataError
        If a file is broken, is not what its name says, or becomes too large. It is a ValueError.
    OSError
        If there is no such file, or it cannot be opened.
    TypeError, ValueError
        If another argument is wrong.

    Examples
    --------
    >>> np.savez("data.npz", x_train=x, y_train=y, x_test=x[:9], y_test=y[:9])
    >>> train, test = fb.datasets.load("data.npz")
    >>> len(train), len(test)
    (60, 9)
    """
    path = Path(path)
    rng = np.random.default_rng(seed)
    found = read(path, label, classes, scale, most_bytes, values)
    return _split(path, found[0], rng) if len(found) == 1 else _match(path, *found)


def read(
    path: Path,
    label: str | int | None = None,
    classes: int | None = None,
    scale: float | None = None,
    most_bytes: int | None = None,
    values: bool = False,
) -> list[Dataset]:
    """What lies at a path as ``load`` reads it, before it is split: one data set or two."""
    classes = check_classes(classes)
    scale = None if scale is None else check_scale(scale)
    bound = Bound(check_most_bytes(most_bytes))
    if values and (classes is not None or path.is_dir()):
        raise ValueError("values: they have no classes" + (f", which {path} holds" * path.is_dir()))
    return _read_datasets(path, label, classes, scale, bound, values)


def _read_datasets(
    path: Path,
    label: str | int | None,
    classes: int | None,
    scale: float | None,
    bound: Bound,
    values: bool,
) -> list[Dataset]:
    """What lies at the path: one data set, or a training and a test set."""
    if path.is_dir():
        classes = classes or IDX_CLASSES
    splits = _read(path, label, classes or IDX_CLASSES, bound)
    parts = ["train", "test"] if len(splits) == 2 else [""]
    return [
        _dataset(path, part, x, y, classes, scale, values)
        for part, (x, y) in zip(parts, splits, strict=True)
    ]


def _read(
    path: Path, label: str | int | None, idx_classes: int, bound: Bound
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Call the reader that fits: one or two pairs of samples and labels come back."""
    path.stat()  # raises the OSError that fits
    is_csv = path.name.lower().endswith((".csv", ".csv.gz"))
    if label is not None and not is_csv:
        raise ValueError(f"label: only a CSV file has a column of labels, got {path}")
    if path.is_dir():
        return _idx.read_folder(path, idx_classes, bound)
    if is_csv and path.is_file():  # a pipe is none, and would be waited for
        return [_csv.read_csv(path, label, bound)]
    if path.suffix.lower() == ".npz" and path.is_file():
        return _npz.read_npz(path, bound)
    raise bad_file(path, "expected a folder of IDX files, or a .npz, .csv or .csv.gz file")


def _dataset(
    path: Path,
    part: str,
    x: np.ndarray,
    y: np.ndarray,
    classes: int | None,
    scale: float | None,
    values: bool,
) -> Dataset:
    """Make one data set; what its checks find is the file's fault."""
    if scale is None:
        scale = 1 / 255 if x.dtype == np.uint8 else 1.0
    image_shape = None
    if x.ndim == 2 and x.dtype == np.uint8:
        side = isqrt(x.shape[1])
        if side >= 4 and side * side == x.shape[1]:
            image_shape = (side, side)
    name = f"{path.resolve().name} {part}".strip()
    try:
        return Dataset(x, y, classes, scale, image_shape, name, values)
    except (TypeError, ValueError) as error:
        raise bad_file(path, f"{part} {error}".strip()) from error


def _split(path: Path, data: Dataset, rng: np.random.Generator) -> tuple[Dataset, Dataset]:
    """Put a random seventh aside. The rest stays shuffled: its file may be sorted by class."""
    if len(data) < 2:
        raise bad_file(path, "expected at least 2 samples, one to train and one to test, got 1")
    order = rng.permutation(len(data))
    size = max(1, len(data) // TEST_SHARE)
    parts = ("train", order[size:]), ("test", order[:size])
    train, test = (replace(rows_of(data, rows), name=f"{data.name} {part}") for part, rows in parts)
    return train, test


def _match(path: Path, train: Dataset, test: Dataset) -> tuple[Dataset, Dataset]:
    """Give both parts the same classes; they must have the same kind of samples."""
    kinds = [(data.features, data.image_shape, str(data.x.dtype)) for data in (train, test)]
    if kinds[0] != kinds[1]:
        raise bad_file(
            path,
            "train and test samples differ in features, image shape or dtype: "
            f"{kinds[0]} and {kinds[1]}",
        )
    if train.values:
        if train.targets != test.targets:
            raise bad_file(
                path,
                f"train and test samples have {train.targets} and {test.targets} values each",
            )
        return train, test
    classes = max(train.classes, test.classes)
    return replace(train, classes=classes), replace(test, classes=classes)
