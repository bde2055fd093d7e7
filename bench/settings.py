"""What is measured: trainings on MNIST and on tables, and how to know one was computed rightly."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np

import fastbp as fb
from fastbp.losses import Loss

SEED = 0  # of the starting weights and of the order of the samples
CHECKED = 100  # first iterations whose losses are compared before anything is timed, as a rule
TOLERANCE = 1e-3  # relative


class Table(NamedTuple):
    """The size of a table: each of its rows has numbers, and values that follow from them."""

    columns: int
    targets: int
    rows: int


@dataclass(frozen=True)
class Setting(fb.models.Setting):
    """One training: a dense network, or one of fastbp's named models, on MNIST or on a table."""

    name: str = ""
    init: str | None = "uniform"
    optimizer: str = "sgd"
    normalization: str | None = None
    table: Table | None = None  # in place of MNIST
    checked: int = CHECKED
    dtype: str = "float32"

    @property
    def described(self) -> fb.models.Model:
        """The same as a model, which makes network, loss and optimiser."""
        dense = None if self.model else self.normalization
        model = fb.models.described(
            self.model, self.hidden, self.activation, dense, optimizer=self.optimizer
        )
        layers = [*model.layers]
        if self.model and self.normalization:
            layers = [
                each
                for row in layers
                for each in (row, {"type": "BatchNorm2d"})
                if each is row or row["type"] == "Conv2d"
            ]
        mine, options = super().described, model.options
        mine = replace(mine, optimizer=model.optimizer, options=options, dtype=self.dtype)
        return replace(mine, layers=tuple(layers))

    def net(self, seed: int = SEED) -> fb.Sequential:
        """The network with its starting weights, of a seed the same at every call."""
        return self.described.build(self.sizes[0], self.sizes[-1], seed)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of a dense network's inputs, units and outputs."""
        table = self.table
        return (table.columns, *self.hidden, table.targets) if table else super().sizes

    @property
    def size(self) -> int:
        """How many samples there are to train on."""
        return self.table.rows if self.table else len(training_data())

    def samples(self, count: int | None = None) -> "fb.datasets.Dataset | Arrays":
        """The first so many samples, or all."""
        if not self.table:
            data = training_data()
            return data if count is None else data.first(count)
        x, y = table_data(self.table)
        return x[:count].astype(self.dtype, copy=False), y[:count].astype(self.dtype, copy=False)

    def loss_function(self) -> Loss:
        """The loss."""
        return self.described.make_loss()

    @property
    def forward_flops(self) -> int:
        """Operations of dense arithmetic to predict one sample; a multiply-add counts as two."""
        return 2 * sum(fb.models.multiply_adds(self.net()))

    @property
    def flops(self) -> int:
        """Those to train on one sample: X·W, as many for dW, and for dX but in the first layer.

        All are counted, also those that an engine leaves out; see ``needed_flops``.
        """
        first, *_ = fb.models.multiply_adds(self.net())
        return 3 * self.forward_flops - 2 * first

    @property
    def needed_flops(self) -> float:
        """Those without what meets an input that is zero, in a dense first layer."""
        if self.table or self.model:
            return self.flops
        first, *_ = fb.models.multiply_adds(self.net())
        return self.flops - 4 * first * (1 - share_of_ink())

    def __str__(self) -> str:
        norm = f"{self.normalization} norm, " if self.normalization else ""
        what = f"{'-'.join(map(str, self.sizes))}, {norm}{self.activation}"
        how = self.loss if self.optimizer == "sgd" else f"{self.loss}, {self.optimizer}"
        if self.model:
            what = NAMES[self.model] + ", batch norm" * bool(self.normalization)
        of = f", {thousands(self.table.rows)} rows" if self.table else ""
        return f"{what}, {how}, batch {self.batch_size}{of}"


def thousands(count: int) -> str:
    """A number with its thousands apart."""
    return f"{count:,}".replace(",", " ")


Arrays = tuple[np.ndarray, np.ndarray]


def on_table(
    name: str, hidden: tuple[int, ...], batch_size: int, table: Table, checked: int = CHECKED
) -> Setting:
    """tanh, squared error and Adam on a table."""
    setting = Setting(hidden, "tanh", "mse", 0.001, batch_size=batch_size, name=name)
    return replace(setting, optimizer="adam", table=table, checked=checked)


NAMES = {"lenet": "LeNet-style, 2 convolutions"}
FINAL = (800, 100)
SETTINGS = {
    setting.name: setting
    for setting in (
        Setting(FINAL, "tanh", "hinge", 0.01, batch_size=8, name="final-b8"),
        Setting((600, 800, 100), "tanh", "hinge", 0.01, batch_size=8, name="deep-b8"),
        Setting((128,), "sigmoid", "cross-entropy", 0.1, batch_size=64, name="simple-b64"),
        Setting(FINAL, "tanh", "cross-entropy", 0.1, batch_size=512, name="final-b512"),
        # At a higher rate a ReLU that rounding moves across 0 parts the losses of two libraries, or
        # of two precisions of one, within a hundred iterations.
        Setting((), "", "cross-entropy", 0.01, 10, 32, None, "lenet", "lenet-b32"),
        Setting(
            (),
            "",
            "cross-entropy",
            0.01,
            batch_size=32,
            init=None,
            model="lenet",
            name="lenet-batch-norm-b32",
            normalization="batch",
            # What rounding does to a convolution before a BatchNorm grows tenfold in five
            # iterations. In float64 the losses are PyTorch's to 1e-14, in float32 to 1e-4 so far.
            checked=5,
        ),
        Setting(
            (256, 128),
            "gelu",
            "cross-entropy",
            0.001,
            batch_size=64,
            name="batch-norm-b64",
            optimizer="adam",
            normalization="batch",
        ),
        Setting(
            (64, 64),
            "silu",
            "huber",
            0.001,
            batch_size=64,
            name="layer-norm-b64",
            optimizer="adamw",
            normalization="layer",
            table=Table(30, 1, 20_000),
        ),
        # Tables of so many rows that an epoch of fastbp's takes 20 to 200 ms.
        on_table("control-b256", (256, 256), 256, Table(17, 6, 25_600)),
        on_table("table-b32", (100,), 32, Table(13, 1, 128_000)),
        on_table("tiny-b10000", (32, 16), 10_000, Table(4, 4, 200_000), checked=20),
        on_table("policy-b1024", (64, 64), 1024, Table(8, 4, 102_400)),
        on_table("tiny-b8", (32, 16), 8, Table(4, 4, 320_000)),
        on_table("wide-table-b512", (128, 64), 512, Table(30, 1, 102_400)),
    )
}
PREDICTION = SETTINGS["simple-b64"]  # whose network predicts one sample at a time


@cache
def training_data() -> fb.datasets.Dataset:
    """MNIST's 60 000 training images, as bytes."""
    return fb.datasets.mnist()[0]


@cache
def share_of_ink() -> float:
    """The share of the images' pixels that are not zero."""
    return float(np.count_nonzero(training_data().x) / training_data().x.size)


@cache
def table_data(table: Table) -> Arrays:
    """Standard normal rows, and values of each that take some learning."""
    rng = np.random.default_rng(SEED)
    x = rng.standard_normal((table.rows, table.columns), np.float32)
    directions = rng.standard_normal((table.columns, table.targets), np.float32)
    y = np.sin(x @ directions) + 0.1 * rng.standard_normal((table.rows, table.targets), np.float32)
    return x, y


def first_order(samples: int) -> np.ndarray:
    """The order in which ``fit`` takes so many samples in its first epoch."""
    return np.random.default_rng([SEED, 1]).permutation(samples)


def fitting(
    setting: Setting,
    samples: int | None = None,
    *,
    net: fb.Sequential | None = None,
    epochs: int = 1,
    **options: Any,
) -> Callable[[], fb.History]:
    """The call of ``fit`` on the first `samples` images or rows; all that it is given is made.

    The options are those of ``fit``, but for what the setting says.
    """
    return partial(
        fb.fit,
        setting.net() if net is None else net,
        setting.samples(samples),
        loss=setting.loss_function(),
        optimizer=setting.described.make_optimizer(),
        epochs=epochs,
        batch_size=setting.batch_size,
        seed=SEED,
        **options,
    )


def train(setting: Setting, samples: int | None = None, **options: Any) -> fb.History:
    """Train on the active backend; see ``fitting``."""
    return fitting(setting, samples, **options)()


@cache
def reference_losses(setting: Setting, seed: int = SEED) -> np.ndarray:
    """The losses of the first iterations as the reference computes them, layer by layer."""
    samples, net = setting.checked * setting.batch_size, setting.net(seed)
    with fb.use_backend("numpy"):
        return train(setting, samples, net=net, fused=False).losses[0]


def check_losses(who: str, setting: Setting, losses: np.ndarray, seed: int = SEED) -> float:
    """Refuse losses that are not the reference's; returns the largest relative difference."""
    expected = reference_losses(setting, seed)
    if np.shape(losses) != expected.shape:
        raise ValueError(f"{who}: expected {len(expected)} losses, got {np.shape(losses)}")
    difference = np.abs(losses / expected - 1)
    worst = int(np.nan_to_num(difference, nan=np.inf).argmax())
    if not difference[worst] <= TOLERANCE:
        raise ValueError(
            f"{who}, {setting.name}: computes something else. In iteration {worst + 1} its loss is "
            f"{losses[worst]:.6g}, the reference's {expected[worst]:.6g}"
        )
    return float(difference[worst])
