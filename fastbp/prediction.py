"""How a network's scores are computed: of one sample, on an engine, or layer by layer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import backends, datasets
from ._above import Above
from ._arrays import as_array, check_range
from ._settings import Setting
from .backends import Backend
from .datasets import Dataset, is_rows, is_shards, samples_of
from .layers import as_rows
from .layers.base import named, outputs_of
from .threads import one_each

if TYPE_CHECKING:
    from .datasets import Shards, Table
    from .ensemble import Ensemble
    from .network import Sequential

CHUNK = 1000  # samples that inference takes at a time: their activations fit the cache


class OfOne:
    """The shortest way for a single sample through a network, on the kernels of a backend.

    Both functions return None for what is no single sample, or no plain array of numbers, and
    everything where there is no such way.
    """

    __slots__ = ("backend", "probabilities", "scores")

    def __init__(
        self,
        backend: Backend | None,
        scores: Callable[[Any], np.ndarray | None],  # of (1, inputs) or (inputs,)
        probabilities: Callable[[Any], np.ndarray | None],  # the softmax of the same
    ) -> None:
        self.backend, self.scores, self.probabilities = backend, scores, probabilities


def _no_answer(x: object) -> None:
    """None: the general way must do."""


NO_WAY = OfOne(None, _no_answer, _no_answer)


def of_one(net: Sequential, x: object) -> OfOne:
    """The network's way for one sample; made for the first x that may be one."""
    found: OfOne | None = net.vectors.single
    if found is not None and found.backend is backends.in_use:
        return found
    if type(x) is not np.ndarray or not x.ndim or (x.ndim > 1 and len(x) != 1):
        return NO_WAY
    backend, single = backends.active(), Above.one_sample(net)
    if single is None:
        found = OfOne(backend, _no_answer, _no_answer)
    else:
        found = OfOne(backend, single.scores, single.probabilities)
    net.vectors.single = found
    return found


class OfTable(Setting):
    """A network's Table, or None, which stands for inputs that are numbers already."""

    def check(self, value: Any, name: str, obj: Any) -> Table | None:
        """The Table, if it makes as many numbers as the network takes."""
        if value is None:
            return None
        if not isinstance(value, datasets.Table):
            raise TypeError(f"{name}: expected a Table, got {value!r:.60}")
        if obj.inputs not in (None, len(value.features)):
            raise ValueError(
                f"{name}: the network takes {obj.inputs} inputs, but {value!r} makes "
                f"{len(value.features)}"
            )
        targets = len(value.label.names) if isinstance(value.label, datasets.Classes) else 1
        if obj.outputs not in (None, targets, targets - 1 if targets == 2 else targets):
            raise ValueError(
                f"{name}: the network has {obj.outputs} outputs, but {value!r} has {targets}"
            )
        return value


def _of_rows(model: Sequential | Ensemble, method: str, rows: Any) -> Any:
    """What a method makes of some of Dask's rows, in the thread that Dask gives them."""
    with one_each():
        return getattr(model, method)(rows)


def of_dask(model: Sequential | Ensemble, method: str, x: Any) -> Any:
    """What a method makes of all of Dask's samples, as Dask's own; of a single sample, that of it.

    Libraries that take Dask's collections return them too: nothing is computed yet, and it is not
    this process that the samples come to, but those that have the partitions.
    """
    if x.ndim < 2:
        return getattr(model, method)(np.asarray(x))
    of_table = model.table is not None and hasattr(x, "columns")
    return datasets.lazily(x, partial(_of_rows, copy.deepcopy(model), method), of_table)


def as_samples(net: Sequential, x: Any) -> tuple[Any, bool]:
    """Samples, and whether it was a single one: it becomes a batch of one."""
    if (type(x) is np.ndarray and x.ndim == 2) or isinstance(x, Dataset) or is_shards(x):
        return x, False
    if is_of_table(net, x):
        return net.table.encode(x), False
    array = as_array(samples_of(x, "x"), named(net))
    if array.ndim == 1:
        alone = len(array) == net.inputs or (net.inputs is None and len(array) > 0)
    else:
        alone = array.shape == net.input_shape
    return (array[None], True) if alone else (array, False)


def is_of_table(net: Sequential, x: object) -> bool:
    """Whether samples are rows of a table as the network was trained on."""
    return type(x) is not np.ndarray and net.table is not None and is_rows(x)


def scores(
    net: Sequential,
    x: npt.ArrayLike | Dataset | Shards,
    threads: int | None = None,
    finish: Callable[[np.ndarray], object] | None = None,
) -> np.ndarray:
    """See ``Sequential.scores``; `finish` is then called with rows of them, to change in place."""
    if finish is None and (single := of_one(net, x).scores(x)) is not None:
        return single
    if is_shards(x):
        return _of_windows(net, x, threads, finish)
    samples, alone = as_samples(net, x)
    if isinstance(samples, Dataset):
        if net.inputs not in (None, samples.features):
            raise ValueError(f"{net!r}: expected {net.inputs} features, got {samples!r}")
        check_range(samples.x, f"{net!r}", net.dtype, samples.scale)
        found = Above.fused_scores(net, samples.x, samples.scale, threads, finish)
    else:
        samples = as_rows(net.as_input(samples, named(net), net.dtype))
        # A list, or numbers of a dtype that is unknown there.
        found = None if finish else of_one(net, samples).scores(samples)
        if found is None:
            found = Above.fused_scores(net, samples, 1.0, threads, finish)
    if found is None:
        found = layered_scores(net, samples)
        if finish is not None and found.ndim == 2:  # else row_scores refuses them
            finish(found)
    return found[0] if alone else found


def _of_windows(
    net: Sequential,
    data: Shards,
    threads: int | None,
    finish: Callable[[np.ndarray], object] | None,
) -> np.ndarray:
    """The scores of samples on disk, in the order in which they lie."""
    outputs = net.outputs or data.targets
    found, done = np.empty((len(data), outputs), net.dtype), 0
    with closing(
        datasets.filled(data, data.rows_within(2 * net.dtype.itemsize * outputs, 1), None)
    ) as parts:
        for x, y, _ in parts:
            found[done : done + len(x)] = scores(net, data.as_dataset(x, y), threads, finish)
            done += len(x)
    return found


def row_scores(
    net: Sequential,
    x: np.ndarray | Dataset | Shards,
    threads: int | None = None,
    finish: Callable[[np.ndarray], object] | None = None,
) -> np.ndarray:
    """The scores of samples, (n, outputs), where no images come out of the network."""
    found = scores(net, x, threads, finish)
    if found.ndim > 2:
        raise ValueError(
            f"{net!r}: images {found.shape[1:]} come out of it, which are no scores of "
            "classes; end it in Flatten()"
        )
    return found


def layered_scores(net: Sequential, x: np.ndarray | Dataset) -> np.ndarray:
    """What the scores are, layer by layer."""
    parts = []
    for part in _chunks(net, x):
        part = part if net.input_shape is None else part.reshape(-1, *net.input_shape)
        for y in outputs_of(net.layers, part):
            found = y  # the last layer's, in the end
        parts.append(np.ascontiguousarray(found, net.dtype))
    return np.concatenate(parts)


def _chunks(net: Sequential, x: np.ndarray | Dataset) -> Iterator[np.ndarray]:
    chunk = max(1, min(CHUNK, net._most_bytes // max(net.sample_bytes, 1)))
    for start in range(0, max(len(x), 1), chunk):
        rows = slice(start, start + chunk)
        yield x.batch(rows, net.dtype)[0] if isinstance(x, Dataset) else x[rows]
