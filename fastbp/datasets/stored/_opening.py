"""``shards``: from a folder, files or Dask's collections to samples that are read in blocks."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastbp._checks import as_flag
from fastbp.datasets._checked import check_classes, check_scale
from fastbp.datasets._files import bad_file
from fastbp.datasets._fitted import Table
from fastbp.datasets._given import is_dask
from fastbp.datasets._label import Classes
from fastbp.datasets._memory import as_bytes, too_small

from ._arrays import Arrays, Mapped, Part, Plain
from ._copy import Copying
from ._dask import Chunks, Partitions
from ._npz import Archives
from ._parquet import Parquet
from ._place import as_place
from ._shards import EXACT, WINDOWS, Shards
from ._source import Frames, Source
from ._survey import surveyed
from ._tables import TableSource, fitted

KINDS = {".npz": "npz", ".npy": "npy", ".parquet": "parquet", ".pq": "parquet"}


def shards(
    data: Any,
    label: str | int | None = None,
    *,
    memory: int | str = "1GB",
    classes: int | None = None,
    scale: float | None = None,
    values: bool | None = None,
    shuffle: str = "auto",
    prefetch: bool = True,
    copy: bool | str | os.PathLike[str] = True,
    drop: Any = (),
    category: Any = (),
    number: Any = (),
    table: Table | None = None,
) -> Shards:
    """Samples that are larger than memory, from where they are; all are looked at once.

    Parameters
    ----------
    data : folder, path, list of paths, pair, or a Dask collection
        A folder with, or a list of, .npz files, each with the arrays x and y; or .parquet files of
        the same columns; or .npy files of samples and of targets, x.npy and y.npy, or several,
        x-0.npy and y-0.npy and so on. Or a pair (x, y) of paths of .npy files, of arrays, or of
        Dask arrays; or a Dask DataFrame. Files are taken in the order of their names.
    label : str or int, optional
        A table's column to predict, as ``fb.datasets.table`` takes it.
    memory : int or str, default "1GB"
        How many bytes training with them may take, beside what the network and its engine do.
    classes, scale, values
        As ``fb.datasets.load`` takes them; of a table ``values`` as ``table`` does.
    shuffle : "auto", "exact" or "windows"
        How an epoch's order is drawn. Exactly, from all samples, where any are read cheaply: of
        .npy files and arrays. In windows: blocks in an order by chance, and the samples by chance
        among those that are in memory at a time, which any data can.
    prefetch : bool, default True
        Whether a thread reads what comes next meanwhile; no bit depends on it.
    copy : bool or folder, default True
        Whether samples that have to be decoded, those of tables, of compressed .npz files and of
        Dask, are copied to a disk, as plain numbers, while they are looked at: epochs then read the
        copy. It lies in a temporary folder, unless that is kept in memory or lacks the room, which
        is a warning; or in the folder that is named. It goes with the Shards, or with the process.
        No bit depends on it.
    drop, category, number
        As ``fb.datasets.table`` takes them.
    table : Table, optional
        One that was fitted before, as a model's ``net.table``, in place of one of these rows.

    Returns
    -------
    Shards

    Raises
    ------
    DataError, OSError
        If a file is missing or broken, or differs from the others, or has NaN in it: the message
        has the file and the row. Or if the folder ``copy`` has no room, or cannot be written to.
    TypeError, ValueError
        If another argument is wrong, or so little memory will not do.

    Examples
    --------
    >>> np.savez("part.npz", x=x, y=y)  # else a folder of such files
    >>> data = fb.datasets.shards("part.npz", memory="500MB")
    >>> net = fb.Sequential(fb.Standardize.of(data), fb.Linear(data.features, 64), fb.ReLU(),
    ...                     fb.Linear(64, data.targets))
    >>> history = fb.fit(net, data, epochs=3, validation=0.1)
    """
    memory, prefetch, place = as_bytes(memory), as_flag(prefetch, "prefetch"), as_place(copy)
    found = _found(data, memory)
    if isinstance(found, Frames):
        if classes is not None or scale is not None:
            raise ValueError("classes, scale: a table says itself what they are")
        said = {"values": values, "drop": drop, "category": category, "number": number}
        table = fitted(found, label, said, memory) if table is None else table
        source: Source = TableSource(found, table, memory)
        classes = len(table.label.names) if isinstance(table.label, Classes) else None
        of_values = classes is None
    else:
        source, of_values = found, bool(values)
        if label is not None or drop or category or number or table is not None:
            raise ValueError("label, drop, category, number, table: only a table has such columns")
        classes = check_classes(classes)
    way = _shuffle(shuffle, source)
    if (need := source.most()) > memory // 2:
        raise too_small(memory, 2 * need, f"to read a block of {source.name} takes half of them")
    with Copying(source, place, memory) as copying:
        seen = surveyed(source, classes, of_values, copying.add)
        source = copying.source()
    if (need := source.most()) > memory // 2:  # of Dask it is known now
        raise too_small(memory, 2 * need, f"to read a block of {source.name} takes half of them")
    if scale is None:
        scale = 1 / 255 if seen.x.dtype == np.uint8 else 1.0
    if copying.failed:
        told = "each epoch decodes anew; copy= says in which folder there is room"
        warnings.warn(f"{source.name}: {source.copied}; {told}", UserWarning, stacklevel=2)
    return Shards(source, seen, memory, check_scale(scale), source.name, way, prefetch)


def of_dask(data: Any) -> Shards:
    """A collection of Dask's, or a pair with one in it, as ``fit`` takes it."""
    if is_dask(data):
        return shards(data)
    y = data[1]
    values = getattr(y, "ndim", 1) > 1 or getattr(y, "dtype", np.dtype(int)).kind == "f"
    return shards((*data,), values=values, scale=1.0)


def _shuffle(shuffle: Any, source: Source) -> str:
    if shuffle not in ("auto", EXACT, WINDOWS):
        raise ValueError(f"shuffle: expected 'auto', 'exact' or 'windows', got {shuffle!r:.60}")
    if shuffle == EXACT and not source.random:
        raise ValueError(
            f"shuffle: {source.name} is read block by block, not any sample as cheaply as others; "
            "only .npy files and arrays are; take 'windows'"
        )
    return WINDOWS if shuffle == WINDOWS or not source.random else EXACT


def _found(data: Any, memory: int) -> Source | Frames:
    """What reads such data."""
    if is_dask(data):
        if not hasattr(data, "columns") or getattr(data, "ndim", 1) != 2:
            raise TypeError(
                "shards: of Dask a DataFrame is taken, with its label, or two arrays, (x, y); "
                f"got {type(data).__name__}"
            )
        return Partitions(data, "a Dask DataFrame")
    if isinstance(data, tuple) and len(data) == 2 and not _are_files(data):
        if any(map(is_dask, data)):
            return Chunks(*data, "Dask's x and y")
        x, y = map(_part, data)
        return Arrays("two arrays", [("x", x, y)], memory)
    if isinstance(data, str | os.PathLike):
        path = Path(data)
        return _of_files(path.name, _listed(path), memory)
    if isinstance(data, Iterable) and not hasattr(data, "__array__"):
        paths = [Path(each) for each in data]
        return _of_files("data", paths, memory)
    raise TypeError(
        "shards: expected a folder, files, a pair (x, y) of arrays or .npy files, or what Dask "
        f"has; got {type(data).__name__}"
    )


def _are_files(pair: tuple[Any, Any]) -> bool:
    """Whether two are shards, and no samples and targets."""
    return all(isinstance(p, str | os.PathLike) and Path(p).suffix != ".npy" for p in pair)


def _part(data: Any) -> Part:
    if isinstance(data, str | os.PathLike):
        return Mapped(Path(data))
    array = np.asanyarray(data)
    if array.dtype.kind not in "biuf" or not array.size:
        raise TypeError(f"shards: expected numbers, got {array.dtype} {array.shape}")
    return Plain(array)


def _listed(folder: Path) -> list[Path]:
    """The files of a folder that are data, by their names in order."""
    folder.stat()  # raises the OSError that fits
    if not folder.is_dir():
        return [folder]
    found = sorted(path for path in folder.iterdir() if path.name[0] not in "._")
    known = [path for path in found if path.suffix.lower() in KINDS]
    if not known:
        raise bad_file(folder, "expected .npz, .npy or .parquet files in it, found none")
    return known


def _of_files(name: str, paths: Sequence[Path], memory: int) -> Source | Frames:
    """What reads files, which must be of one kind."""
    kinds: dict[str, Path] = {}
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: this part of the data is missing")
        kind = KINDS.get(path.suffix.lower())
        if kind is None:
            raise bad_file(path, "expected a .npz, .npy or .parquet file")
        kinds.setdefault(kind, path)
    if len(kinds) != 1:
        told = " and ".join(f"{path.name}" for path in kinds.values())
        raise bad_file(name, f"expected files of one kind, got {told or 'none'}")
    if "npz" in kinds:
        return Archives(name, paths, memory)
    if "parquet" in kinds:
        return Parquet(name, paths, memory)
    return Arrays(name, _pairs(name, paths), memory)


def _pairs(name: str, paths: Sequence[Path]) -> list[tuple[str, Part, Part]]:
    """x*.npy with y*.npy of the same ending."""
    parts: dict[str, dict[str, Path]] = {"x": {}, "y": {}}
    for path in paths:
        if (kind := path.name[0].lower()) not in parts:
            raise bad_file(path, "expected names that begin with x, of samples, or y, of targets")
        parts[kind][path.name[1:]] = path
    for kind, other in (("x", "y"), ("y", "x")):
        for ending in [*parts[kind].keys() - parts[other].keys()][:1]:
            raise FileNotFoundError(
                f"{parts[kind][ending]}: there is no {other}{ending} that goes with it"
            )
    return [(str(x), Mapped(x), Mapped(parts["y"][end])) for end, x in parts["x"].items()]
