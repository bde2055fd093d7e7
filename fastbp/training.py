"""The training loop. ``_layered_epoch`` is the specification of what one epoch does."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, field, fields
from typing import NamedTuple, TextIO

import numpy as np
import numpy.typing as npt

from ._checks import as_count, as_matrix
from .backends import active, kernels
from .datasets import Dataset
from .losses import Loss
from .network import CHUNK, Sequential
from .optimizers import SGD
from .storage import StrPath, write_atomically
from .threads import limit_threads

Data = Dataset | tuple[npt.ArrayLike, npt.ArrayLike]

REPORT_EVERY = 0.1  # seconds between two calls of on_progress


class DivergenceError(ArithmeticError):
    """The loss or a parameter became NaN or infinite; the message says where."""


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to: a row of history.csv."""

    epoch: int  # from 1
    train_loss: float  # mean over the epoch's samples, while the parameters moved
    train_accuracy: float  # after the epoch; NaN where the targets are no classes
    test_accuracy: float  # after the epoch; NaN without validation data
    seconds: float  # of training alone, without evaluation


@dataclass
class History:
    """How a training run went.

    Attributes
    ----------
    epochs : list of Epoch
        One for each finished epoch.
    losses : list of (steps,) float64 ndarray
        The loss of every batch, epoch by epoch.
    path : str
        How it was computed: backend and loop.
    """

    epochs: list[Epoch] = field(default_factory=list)
    losses: list[np.ndarray] = field(default_factory=list)
    path: str = ""

    @property
    def loss_by_iteration(self) -> np.ndarray:
        """The loss of every batch of every finished epoch, (iterations,) float64."""
        return np.concatenate(self.losses) if self.losses else np.empty(0)

    @property
    def seconds(self) -> float:
        """Time spent training, without evaluation."""
        return sum(epoch.seconds for epoch in self.epochs)

    def __getitem__(self, column: str) -> list[float]:
        """One column over the epochs, e.g. ``history["test_accuracy"]``."""
        return [getattr(epoch, column) for epoch in self.epochs]

    def to_csv(self, path: StrPath) -> None:
        """Write one row an epoch: epoch, train_loss, train_accuracy, test_accuracy, seconds."""
        import csv

        def write(file: TextIO) -> None:
            writer = csv.writer(file)
            writer.writerow([column.name for column in fields(Epoch)])
            writer.writerows(astuple(epoch) for epoch in self.epochs)

        write_atomically(path, write, "w")


class Callback:
    """Watches a training run. Override what you need; an exception raised here ends the run."""

    def on_progress(self, epoch: int, samples: int, total: int, loss: float) -> None:
        """Ten times a second at most: `samples` of `total` are done, the latest batch's loss."""

    def on_epoch_end(self, epoch: Epoch, net: Sequential) -> None:
        """After each epoch and its evaluation."""


class Evaluation(NamedTuple):
    """What ``evaluate`` found."""

    accuracy: float  # share of samples whose largest score is the right class's
    loss: float  # NaN without a loss


class _Samples(NamedTuple):
    """Training data as the loop wants it."""

    x: np.ndarray  # (n, inputs) uint8, float32 or float64; a network sees x * scale
    target: np.ndarray  # (n,) int64 labels or (n, outputs) values
    labels: np.ndarray | None  # (n,) int64, where the targets are classes
    scale: float


def fit(
    net: Sequential,
    train: Data,
    *,
    loss: Loss,
    optimizer: SGD,
    epochs: int = 10,
    batch_size: int = 32,
    validation: Data | None = None,
    seed: int = 0,
    callbacks: Sequence[Callback] = (),
    history: History | None = None,
    threads: int | None = None,
) -> History:
    """Train a network in place.

    Parameters
    ----------
    net : Sequential
        Trained from where its parameters stand.
    train, validation : Dataset or (x, y)
        Samples and labels; for MSELoss y may also be (n, outputs) values.
    loss, optimizer
        What is minimised, e.g. ``fb.HingeLoss()``, and how, e.g. ``fb.SGD(lr=0.01)``.
    epochs, batch_size : int
        The last batch of an epoch is smaller where the batch size does not divide the data.
    seed : int
        Of the order of the samples, which is drawn anew for each epoch from (seed, epoch).
    callbacks : sequence of Callback
    history : History
        One to continue: its epochs count as done, and ``epochs`` more are added. It is filled
        while training goes on, so it holds the finished epochs after an exception too.
    threads : int, optional
        Threads of the NumPy backend's matrix products; the compiled kernels use one.

    Returns
    -------
    History

    Raises
    ------
    DivergenceError
        When the loss or a parameter becomes NaN or infinite.
    ValueError, TypeError
        When network, data and loss do not fit together.
    """
    epochs, batch_size = as_count(epochs, "epochs"), as_count(batch_size, "batch_size")
    seed = as_count(seed, "seed", least=0)
    samples = _as_samples(net, train, loss, "train")
    tests = None if validation is None else _as_samples(net, validation, loss, "validation")
    history = History() if history is None else history
    history.path = f"{active().name} {active().detail}, layered"
    with limit_threads(threads):
        for number in range(len(history.epochs) + 1, len(history.epochs) + epochs + 1):
            order = np.random.default_rng([seed, number]).permutation(len(samples.x))
            start = time.perf_counter()
            losses = _layered_epoch(
                net, samples, order, loss, optimizer, batch_size, number, callbacks
            )
            seconds = time.perf_counter() - start
            counts = np.diff(np.append(np.arange(0, len(order), batch_size), len(order)))
            record = Epoch(
                number,
                float(np.average(losses, weights=counts)),
                _accuracy(net, samples),
                math.nan if tests is None else _accuracy(net, tests),
                seconds,
            )
            history.losses.append(losses)
            history.epochs.append(record)
            for callback in callbacks:
                callback.on_epoch_end(record, net)
    return history


def _layered_epoch(
    net: Sequential,
    samples: _Samples,
    order: np.ndarray,
    loss: Loss,
    optimizer: SGD,
    batch_size: int,
    epoch: int,
    callbacks: Sequence[Callback],
) -> np.ndarray:
    """One epoch, layer by layer: forward, loss, backward, step. Returns each batch's loss."""
    starts = range(0, len(order), batch_size)
    losses = np.empty(len(starts))
    reported = time.perf_counter()
    with np.errstate(over="ignore", invalid="ignore"):  # divergence is reported once, below
        for step, start in enumerate(starts):
            x, target = _batch(net, samples, order[start : start + batch_size])
            scores = net.forward(x)
            losses[step], gradient = loss.compute(scores, target)
            if not math.isfinite(losses[step]):
                raise DivergenceError(_divergence("the loss", losses[step], epoch, step, optimizer))
            net.backward(gradient)
            optimizer.step(net)
            if callbacks and time.perf_counter() - reported > REPORT_EVERY:
                reported = time.perf_counter()
                for callback in callbacks:
                    callback.on_progress(epoch, start + len(x), len(order), losses[step])
    if not np.isfinite(net.params).all():  # the last update is seen by no loss
        raise DivergenceError(
            _divergence("a parameter", math.nan, epoch, len(starts) - 1, optimizer)
        )
    return losses


def _divergence(what: str, value: float, epoch: int, step: int, optimizer: SGD) -> str:
    became = "infinite" if math.isinf(value) else "NaN or infinite" if what != "the loss" else "NaN"
    return (
        f"{what} became {became} in epoch {epoch}, step {step + 1}, with learning rate "
        f"{optimizer.lr:g}; try a smaller rate, or check the scale of the data"
    )


def evaluate(net: Sequential, data: Data, loss: Loss | None = None) -> Evaluation:
    """Accuracy and loss of a network on labelled data.

    Parameters
    ----------
    net : Sequential
    data : Dataset or (x, y)
    loss : Loss, optional
        Its mean over all samples is computed too.

    Returns
    -------
    Evaluation
        ``accuracy`` (NaN where the targets are values, not classes) and ``loss``.
    """
    samples = _as_samples(net, data, loss, "data")
    total = math.nan
    if loss is not None:
        total = 0.0
        for rows in _row_chunks(len(samples.x)):
            x, target = _batch(net, samples, rows)
            total += loss.compute(net.scores(x), target)[0] * len(x) / len(samples.x)
    return Evaluation(_accuracy(net, samples), total)


def _accuracy(net: Sequential, samples: _Samples) -> float:
    if samples.labels is None:
        return math.nan
    right = 0
    for rows in _row_chunks(len(samples.x)):
        x, _ = _batch(net, samples, rows)
        right += round(kernels().accuracy(net.scores(x), samples.labels[rows]) * len(x))
    return right / len(samples.x)


def _row_chunks(n: int) -> Iterator[np.ndarray]:
    rows = np.arange(n)
    return (rows[start : start + CHUNK] for start in range(0, n, CHUNK))


def _batch(net: Sequential, samples: _Samples, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The samples of these rows, scaled, in the network's dtype, and their targets."""
    x = np.empty((len(rows), samples.x.shape[1]), net.dtype)
    kernels().gather(samples.x, rows, samples.scale, x)
    return x, samples.target[rows]


def _as_samples(net: Sequential, data: Data, loss: Loss | None, name: str) -> _Samples:
    """Check that data, network and loss fit together, once, before the loop."""
    if isinstance(data, Dataset):
        x, y, scale = data.x, data.y, data.scale
        if net.inputs not in (None, x.shape[1]):
            raise ValueError(f"{name}: the network takes {net.inputs} columns; got {data!r}")
    else:
        try:
            x_raw, y_raw = data
        except (TypeError, ValueError):
            raise TypeError(
                f"{name}: expected a Dataset or (x, y), got {type(data).__name__}"
            ) from None
        x, y, scale = as_matrix(x_raw, f"{name} x", columns=net.inputs), np.asarray(y_raw), 1.0
    if not len(x):
        raise ValueError(f"{name}: expected at least one sample, got none")
    outputs = x.shape[1] if net.outputs is None else net.outputs
    check = loss or Loss()
    try:
        target = check.check_target(y, len(x), outputs, net.dtype)
    except (TypeError, ValueError) as problem:
        raise type(problem)(f"{name}: {problem}") from None
    labels = y.astype(np.int64) if y.ndim == 1 and y.dtype.kind in "iu" else None
    return _Samples(x, target, labels, scale)
