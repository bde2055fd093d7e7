"""IDX, the format of MNIST: a big-endian header (magic, sizes), then unsigned bytes.

The magic number is 0, 0, the type of the elements and the number of dimensions, a byte each.
"""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np

from ._files import Bound, bad_file, check_size, open_binary, packed_size, read_exactly

UNSIGNED_BYTE = 0x08
OTHER_TYPES = {0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}


def read_folder(folder: Path, classes: int, bound: Bound) -> list[tuple[np.ndarray, np.ndarray]]:
    """Read the four usual files of a folder, or the two of the training set.

    Returns
    -------
    splits : list of (images, labels)
        (n, rows, columns) and (n,) uint8 arrays; training set first, then the test set if its
        files are there.

    Raises
    ------
    DataError
        If a file is missing or broken, or becomes larger than the bound allows, or a label is not
        below `classes`.
    """
    names = {split: _find_pair(folder, split) for split in ("train", "t10k")}
    pairs = [names["train"]]
    if any(names["t10k"]):
        pairs.append(names["t10k"])
    splits = []
    for images, labels in pairs:
        if images is None or labels is None:
            raise bad_file(
                folder,
                "expected the files train-images-idx3-ubyte and train-labels-idx1-ubyte, and "
                "(both or neither) t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each with "
                f"or without .gz; found {_listing(folder)}{_advice(folder)}",
            )
        splits.append(_read_pair(images, labels, classes, bound))
    return splits


def read_shape(path: Path, dimensions: int) -> list[int]:
    """Read the header of an IDX file of unsigned bytes, and compare it with the file's size.

    Raises
    ------
    DataError
        If it is the header of anything else, or promises no elements, or other than there are.
    """
    size = 4 + 4 * dimensions
    with open_binary(path) as stream:
        header = stream.read(size)
    _check_magic(path, header[:4], dimensions)
    if len(header) < size:
        raise bad_file(path, "truncated: the file ends inside its header")
    shape = [int.from_bytes(header[i : i + 4], "big") for i in range(4, size, 4)]
    if shape[0] == 0:
        raise bad_file(path, "no samples: the header says 0")
    if prod(shape) == 0:
        raise bad_file(path, f"images of {shape[1]} × {shape[2]} pixels")
    packed = packed_size(path)
    available = path.stat().st_size - size if packed is None else None
    check_size(path, prod(shape), available, packed)
    return shape


def _read_elements(path: Path, shape: list[int]) -> np.ndarray:
    """Read what follows the header: neither less nor more than it promises."""
    with open_binary(path) as stream:
        stream.read(4 + 4 * len(shape))
        data = read_exactly(stream, prod(shape), path)
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def _check_magic(path: Path, found: bytes, dimensions: int) -> None:
    if not found:
        raise bad_file(path, "empty file")
    expected = bytes([0, 0, UNSIGNED_BYTE, dimensions])
    if found == expected:
        return
    if len(found) < 4:
        raise bad_file(path, "truncated: the file ends inside its header")
    if found[:2] == b"\0\0" and found[2] in OTHER_TYPES:
        raise bad_file(
            path,
            f"holds {OTHER_TYPES[found[2]]} (type 0x{found[2]:02X}); "
            f"only unsigned bytes (type 0x{UNSIGNED_BYTE:02X}) are read",
        )
    raise bad_file(
        path,
        f"wrong magic number: expected 0x{expected.hex().upper()} (IDX, unsigned bytes, "
        f"{dimensions}-D), got 0x{found.hex().upper()}",
    )


def _read_pair(
    images: Path, labels: Path, classes: int, bound: Bound
) -> tuple[np.ndarray, np.ndarray]:
    """Read images and their labels. The headers decide first whether the rest is read at all."""
    (count,), shape = read_shape(labels, 1), read_shape(images, 3)
    if shape[0] != count:
        raise bad_file(labels, f"{count} labels, but {shape[0]} images in {images}")
    bound.check(labels, 8 * count, packed_size(labels))  # kept as int64
    bound.check(images, prod(shape), packed_size(images))
    y = _read_elements(labels, [count])
    i = int(y.argmax())
    if y[i] >= classes:
        raise bad_file(
            labels,
            f"label {y[i]} at index {i}, expected 0 to {classes - 1}; "
            f"pass classes={int(y[i]) + 1} if it is meant",
        )
    return _read_elements(images, shape), y


def _find_pair(folder: Path, split: str) -> tuple[Path | None, Path | None]:
    """Find the image and the label file of "train" or "t10k"."""
    return _find(folder, f"{split}-images", "idx3-ubyte"), _find(
        folder, f"{split}-labels", "idx1-ubyte"
    )


def _find(folder: Path, start: str, end: str) -> Path | None:
    # Some programs that unpack the files write a dot for the second dash.
    for name in (f"{start}-{end}", f"{start}.{end}"):
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
    return None


def _advice(folder: Path) -> str:
    """What reads the files of a folder that are none of these."""
    if not any(path.suffix in (".npz", ".npy", ".parquet") for path in folder.iterdir()):
        return ""
    return "; .npz, .npy and .parquet files are read with --memory 1GB, fb.datasets.shards"


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    shown = ", ".join(names[:8]) or "nothing"
    return shown + (", …" if len(names) > 8 else "")
