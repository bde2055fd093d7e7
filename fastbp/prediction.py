"""How a network's scores are computed: of one sample, on an engine, or layer by layer."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ._above import Above
from ._arrays import as_array, check_range
from ._settings import Setting
from .backends import kernels
from .datasets import Classes, Dataset, Table, is_frame, samples_of
from .layers import as_rows
from .layers.base import named, outputs_of

if TYPE_CHECKING:
    from .network import Sequential

# Where a cast is from one precision to the other: a sum of squares below this says that it is exact
# or rounds, and makes no number infinite.
SQUARES = {("d", "f"): float(np.finfo(np.float32).max) ** 2, ("f", "d"): math.inf}
CHUNK = 1000  # samples that inference takes at a time: their activations fit the cache


class OfTable(Setting):
    """A network's Table, or None, which stands for inputs that are numbers already."""

    def check(self, value: Any, name: str, obj: Any) -> Table | None:
        """The Table, if it makes as many numbers as the network takes."""
        if value is None:
            return None
        if not isinstance(value, Table):
            raise TypeError(f"{name}: expected a Table, got {value!r:.60}")
        if obj.inputs not in (None, len(value.features)):
            raise ValueError(
                f"{name}: the network takes {obj.inputs} inputs, but {value!r} makes "
                f"{len(value.features)}"
            )
        targets = len(value.label.names) if isinstance(value.label, Classes) else 1
        if obj.outputs not in (None, targets, targets - 1 if targets == 2 else targets):
            raise ValueError(
                f"{name}: the network has {obj.outputs} outputs, but {value!r} has {targets}"
            )
        return value


def as_samples(net: "Sequential", x: Any) -> tuple[Any, bool]:
    """Samples, and whether it was a single one: it becomes a batch of one."""
    if (type(x) is np.ndarray and x.ndim == 2) or isinstance(x, Dataset):
        return x, False
    if is_of_table(net, x):
        return net.table.encode(x), False
    array = as_array(samples_of(x, "x"), named(net))
    if array.ndim == 1:
        alone = len(array) == net.inputs or (net.inputs is None and len(array) > 0)
    else:
        alone = array.shape == net.input_shape
    return (array[None], True) if alone else (array, False)


def is_of_table(net: "Sequential", x: object) -> bool:
    """Whether samples are rows of a table as the network was trained on."""
    return type(x) is not np.ndarray and net.table is not None and is_frame(x)


def scores(
    net: "Sequential", x: "npt.ArrayLike | Dataset", threads: int | None = None
) -> np.ndarray:
    """See ``Sequential.scores``."""
    if (single := of_one(net, x, softmax=False)) is not None:
        return single
    x, alone = as_samples(net, x)
    if alone and (single := of_one(net, x, softmax=False)) is not None:
        return single[0]
    if isinstance(x, Dataset):
        if net.inputs not in (None, x.features):
            raise ValueError(f"{net!r}: expected {net.inputs} features, got {x!r}")
        check_range(x.x, f"{net!r}", net.dtype, x.scale)
        found = Above.fused_scores(net, x.x, x.scale, threads)
    else:
        x = as_rows(net.as_input(x, named(net), net.dtype))
        found = Above.fused_scores(net, x, 1.0, threads)
    found = layered_scores(net, x) if found is None else found
    return found[0] if alone else found


def row_scores(
    net: "Sequential", x: np.ndarray | Dataset, threads: int | None = None
) -> np.ndarray:
    """The scores of samples, (n, outputs), where no images come out of the network."""
    found = scores(net, x, threads)
    if found.ndim > 2:
        raise ValueError(
            f"{net!r}: images {found.shape[1:]} come out of it, which are no scores of "
            "classes; end it in Flatten()"
        )
    return found


def layered_scores(net: "Sequential", x: np.ndarray | Dataset) -> np.ndarray:
    """What the scores are, layer by layer."""
    parts = []
    for part in _chunks(net, x):
        part = part if net.input_shape is None else part.reshape(-1, *net.input_shape)
        for y in outputs_of(net.layers, part):
            found = y  # the last layer's, in the end
        parts.append(np.ascontiguousarray(found, net.dtype))
    return np.concatenate(parts)


def _chunks(net: "Sequential", x: np.ndarray | Dataset) -> Iterator[np.ndarray]:
    chunk = max(1, min(CHUNK, net._most_bytes // max(net.sample_bytes, 1)))
    for start in range(0, max(len(x), 1), chunk):
        rows = slice(start, start + chunk)
        yield x.batch(rows, net.dtype)[0] if isinstance(x, Dataset) else x[rows]


def of_one(net: "Sequential", x: object, softmax: bool) -> np.ndarray | None:
    """The scores or probabilities of a single sample, (1, outputs), the shortest way.

    None where x is none, or is no plain array of floats, or there is no such way.
    """
    if type(x) is not np.ndarray or not x.ndim or len(x) != 1:
        return None
    module, found = kernels(), net.vectors.single
    if found is None or found[0] is not module:
        single = Above.one_sample(net)
        shape: Any = None if single is None else (1, single.outputs)
        found = net.vectors.single = module, single, shape, net.dtype
    _, single, shape, dtype = found
    if single is None:
        return None
    y: np.ndarray = np.empty(shape, dtype)
    if single.scores(x, y, softmax):
        return y
    # The other precision, if no number is beyond the network's.
    if (x.dtype.char, dtype.char) in SQUARES and np.vdot(x, x) < SQUARES[x.dtype.char, dtype.char]:
        return y if single.scores(x.astype(dtype), y, softmax) else None
    return None
