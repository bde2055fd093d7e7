"""Data made fit for the loops: checked once, against the network and the loss."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from fastbp._arrays import as_array, check_finite, check_range, check_samples
from fastbp._moments import Moments
from fastbp.backends import kernels
from fastbp.datasets import Dataset, as_pair
from fastbp.layers import as_rows
from fastbp.losses import BCEWithLogitsLoss, Loss, PoissonNLLLoss, ValuesLoss
from fastbp.meaning import Meaning, meaning_of
from fastbp.network import Sequential

if TYPE_CHECKING:
    from torch.utils.data import DataLoader
    from torch.utils.data import Dataset as TorchDataset

    from fastbp.datasets import Shards, Table

    Data: TypeAlias = (
        Dataset | Shards | tuple[npt.ArrayLike, npt.ArrayLike] | TorchDataset[Any] | DataLoader[Any]
    )
else:  # the others are known where what they belong to is imported
    Data = Dataset | tuple[npt.ArrayLike, npt.ArrayLike]

# What takes the targets of scores with that meaning, where no loss is named.
TAKES: dict[Meaning, Loss] = {
    Meaning.CLASSES: Loss(),
    Meaning.TWO_CLASSES: BCEWithLogitsLoss(),
    Meaning.LABELS: BCEWithLogitsLoss(),
    Meaning.VALUES: ValuesLoss(),
    Meaning.COUNTS: PoissonNLLLoss(),
}


class _Samples(NamedTuple):
    x: np.ndarray  # (n, inputs) uint8, float32 or float64; a network sees x * scale
    target: np.ndarray  # (n,) int64 labels or (n, outputs) values
    labels: np.ndarray | None  # (n,) int64, where the targets are classes
    meaning: Meaning  # of scores that are trained with them
    scale: float
    outputs: int  # columns of the scores that the targets were checked for
    weights: np.ndarray | None = None  # (n,) float64; None where all are 1
    table: Table | None = None  # which x was made of


class Samples(_Samples):
    """Training data as the loop wants it."""

    def write_on(self, net: Sequential) -> None:
        """A network that is trained with them keeps what its scores mean, and what x was."""
        net.meaning = self.meaning
        if self.table is not None:
            net.table = self.table

    def rows(self, rows: np.ndarray) -> Samples:
        """These samples alone, copied."""
        labels, weights = (
            None if part is None else part[rows] for part in (self.labels, self.weights)
        )
        x, target = self.x[rows], self.target[rows]
        return self._replace(x=x, target=target, labels=labels, weights=weights)

    @cached_property
    def moments(self) -> Moments:
        """Of values, each output's mean and sum of squares around it."""
        found = Moments()
        found.add(self.target)
        return found

    def classes(self) -> np.ndarray | None:
        """(n,) int64: each sample's class, of two classes from one output too; None of others."""
        if self.meaning is Meaning.TWO_CLASSES:
            return (self.target[:, 0] > 0.5).astype(np.int64)
        return self.labels

    def answers(self) -> np.ndarray:
        """What ``predict`` should find: classes, yes and no, or values; (n,) or (n, outputs)."""
        classes = self.classes()
        if classes is not None:
            return classes
        if self.meaning is Meaning.LABELS:
            return (self.target > 0.5).astype(np.int64)
        return self.target.reshape(-1) if self.outputs == 1 else self.target


def checked_scores(net: Sequential, scores: np.ndarray, rows: int, outputs: int) -> np.ndarray:
    """The scores of so many samples, if they are as many columns as the targets belong to."""
    if scores.shape != (rows, outputs):
        raise ValueError(
            f"{net!r}: expected scores of shape {(rows, outputs)}, got {scores.shape}; a layer of "
            "your own that changes the columns says so in its output_shape"
        )
    return scores


def batch_of(net: Sequential, samples: Samples, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The samples of these rows, scaled, in the network's dtype, and their targets."""
    x = np.empty((len(rows), samples.x.shape[1]), net.dtype)
    kernels().gather(samples.x, rows, samples.scale, x)
    x.setflags(write=False)  # so that no layer copies it
    return x, samples.target[rows]


def as_two(data: Any, name: str) -> tuple[npt.ArrayLike, npt.ArrayLike]:
    """x and y of data that are no Dataset."""
    try:
        x, y = data
    except (TypeError, ValueError):
        raise TypeError(
            f"{name}: expected a Dataset or (x, y), got {type(data).__name__}; write "
            "fb.fit(net, x, y)"
        ) from None
    return x, y


def as_samples(net: Sequential, data: Data, loss: Loss | None, name: str) -> Samples:
    """Check that data, network and loss fit together, once, before the loop."""
    data = as_pair(data, name)
    if isinstance(data, Dataset):
        check_columns(net, data, name)
        made = samples_of_arrays(
            net, data.x, data.y, loss, name, scale=data.scale, table=data.table
        )
        return made._replace(weights=data.sample_weight)
    x, y = as_two(data, name)
    return samples_of_arrays(net, as_rows(net.as_input(x, f"{name} x")), y, loss, name)


def check_columns(net: Sequential, data: Dataset | Shards, name: str) -> None:
    """Refuse samples of more or fewer numbers than the network takes."""
    if net.inputs not in (None, data.features):
        raise ValueError(f"{name}: the network takes {net.inputs} columns; got {data!r}")


def samples_of_arrays(
    net: Sequential,
    x: np.ndarray,
    y: npt.ArrayLike,
    loss: Loss | None,
    name: str,
    scale: float = 1.0,
    table: Table | None = None,
    finite: bool = False,
) -> Samples:
    """``as_samples`` of rows that have as many columns as the network takes; known to be finite?"""
    if not len(x):
        raise ValueError(f"{name}: expected at least one sample, got none")
    (check_range if finite else check_samples)(x, f"{name} x", net.dtype, scale)
    shape = net.shapes[-1] or (x.shape[1],)
    if len(shape) > 1:
        raise ValueError(f"{name}: images {shape} come out of the network; end it in Flatten()")
    targets = _targets(y, len(x), shape[0], net.dtype, loss or TAKES[meaning_of(net)], name)
    return Samples(x, *targets, scale, shape[0], None, table)


def _targets(
    y: npt.ArrayLike, rows: int, outputs: int, dtype: np.dtype, loss: Loss, name: str
) -> tuple[np.ndarray, np.ndarray | None, Meaning]:
    """Targets as the loss wants them, labels where they are classes, and the scores' meaning.

    The arrays are copies of the user's.
    """
    try:
        array = as_array(y, "y").copy()  # whoever has the data cannot change what is checked here
        target = loss.check_target(array, rows, outputs, dtype)
        if target.dtype.kind == "f":
            check_finite(target, "y")
    except (TypeError, ValueError) as problem:
        raise type(problem)(f"{name}: {problem}") from None
    meaning = loss.meaning(outputs)
    if target.ndim == 1:
        return target, target, meaning
    if array.ndim == 1 and array.dtype.kind in "iub" and outputs > 1:
        return target, array.astype(np.int64), Meaning.CLASSES
    # Of probabilities the most probable class is the right one.
    of_classes = meaning is Meaning.CLASSES and outputs > 1
    return target, target.argmax(axis=1) if of_classes else None, meaning
