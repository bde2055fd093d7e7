"""NPZ, a zip archive of NumPy arrays, read without pickle and without trusting its headers."""

from __future__ import annotations

import struct
import warnings
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from ._checked import DataError, kept_dtype
from ._files import Bound, bad_file, check_size, read_exactly

if TYPE_CHECKING:
    from zipfile import ZipFile


def read_npz(path: Path, bound: Bound) -> list[tuple[np.ndarray, np.ndarray]]:
    """Read x_train, y_train, x_test and y_test, or x and y, from an .npz file.

    The x may be a capital. What the arrays hold is for the data set to check.

    Returns
    -------
    splits : list of (x, y)
        The training and the test set, or the only one.

    Raises
    ------
    DataError
        If the file is broken, or has no such arrays, or they do not hold numbers, or become larger
        than the bound allows.
    """
    import zipfile
    import zlib

    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                keys = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
                pairs = _choose_keys(path, keys)
                return [
                    (_read(path, archive, x, bound), _read(path, archive, y, bound, labels=True))
                    for x, y in pairs
                ]
        except DataError:
            raise
        except (
            # Damaged bytes can make zipfile and numpy.lib.format raise any of these.
            zipfile.BadZipFile,
            zlib.error,
            struct.error,
            EOFError,
            LookupError,
            OSError,
            RuntimeError,
            ValueError,
        ) as error:
            raise bad_file(path, f"broken npz file: {error}") from error


def uncompressed(path: Path) -> list[tuple[int, int]]:
    """From which to which byte of a file that ``read_npz`` has read x and y lie, as .npy files do.

    None where one of them is compressed.
    """
    import zipfile

    found = []
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        keys = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
        for key in _choose_keys(path, keys)[0]:
            info = archive.getinfo(f"{key}.npy")
            file.seek(info.header_offset + 26)  # of 30 bytes, which a name and more follow
            begin = info.header_offset + 30 + sum(struct.unpack("<HH", file.read(4)))
            if info.compress_type:
                return []
            found.append((begin, begin + info.file_size))
    return found


def _choose_keys(path: Path, keys: list[str]) -> list[tuple[str, str]]:
    """Return the pairs of array names to read."""
    for x in ("x", "X"):
        train, test = (f"{x}_train", "y_train"), (f"{x}_test", "y_test")
        if set(train) <= set(keys):
            if set(test) <= set(keys):
                return [train, test]
            if not set(test) & set(keys):
                return [train]
    for x in ("x", "X"):
        if {x, "y"} <= set(keys):
            return [(x, "y")]
    raise bad_file(
        path,
        "expected the arrays x_train, y_train, x_test and y_test, or x and y; "
        f"found {', '.join(keys[:8]) or 'none'}",
    )


def _read(
    path: Path, archive: ZipFile, key: str, bound: Bound, *, labels: bool = False
) -> np.ndarray:
    """Read one array of numbers.

    numpy.load would allocate what the header promises before it looks at the data.
    """
    where = f"{path}: {key}"
    info = archive.getinfo(f"{key}.npy")
    if info.compress_type not in (0, 8):  # stored and deflated: all that NumPy writes
        raise bad_file(where, f"unknown compression (zip method {info.compress_type})")
    packed = min(info.compress_size, path.stat().st_size) if info.compress_type else None
    with archive.open(info) as stream:
        shape, fortran_order, dtype = _read_header(stream, where)
        if dtype.hasobject:
            raise bad_file(where, "holds Python objects, which are not read; save it as numbers")
        if dtype.kind not in "biuf":
            raise bad_file(where, f"expected numbers, got dtype {dtype}")
        if any(size < 1 for size in shape):
            raise bad_file(where, f"is empty, its shape is {shape}")
        size = prod(shape) * dtype.itemsize
        check_size(where, size, info.file_size - stream.tell(), packed)
        kept = np.dtype(np.int64 if labels else kept_dtype(dtype)).itemsize
        bound.check(where, prod(shape) * max(kept, dtype.itemsize), packed)
        data = read_exactly(stream, size, where)
    array = np.frombuffer(data, dtype=dtype)
    return array.reshape(shape[::-1]).T if fortran_order else array.reshape(shape)


def _read_header(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):  # NumPy writes later ones for structured arrays only
        raise bad_file(where, f"npy format {version[0]}.{version[1]}, expected 1.0")
    with warnings.catch_warnings():  # a damaged header can look like dubious Python
        warnings.simplefilter("ignore")
        try:
            return np.lib.format.read_array_header_1_0(stream)
        except Exception as error:  # whatever Python's tokenizer and parser make of it
            raise bad_file(where, f"broken npy header: {error!r}") from error
