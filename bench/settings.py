"""What is measured: trainings on MNIST and on a table, and how to know one was computed rightly."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

import fastbp as fb
from fastbp.losses import Loss

SEED = 0  # of the starting weights and of the order of the samples
CHECKED = 100  # first iterations whose losses are compared before anything is timed, as a rule
TOLERANCE = 1e-3  # relative


@dataclass(frozen=True)
class Setting(fb.models.Setting):
    """One training: a dense network, or one of fastbp's named models, on MNIST or on a table."""

    name: str = ""
    init: str | None = "uniform"
    optimizer: str = "sgd"
    normalization: str | None = None
    table: bool = False  # rows of COLUMNS numbers, each with a value
    checked: int = CHECKED

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
        return replace(mine, layers=tuple(layers), optimizer=model.optimizer, options=options)

    def net(self) -> fb.Sequential:
        """The network with its starting weights, the same at every call."""
        return self.described.build(self.sizes[0], self.sizes[-1], SEED)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of a dense network's inputs, units and outputs."""
        return (COLUMNS, *self.hidden, 1) if self.table else super().sizes

    @property
    def size(self) -> int:
        """How many samples there are to train on."""
        return ROWS if self.table else len(training_data())

    def samples(self, count: int | None = None) -> "fb.datasets.Dataset | Table":
        """The first so many samples, or all."""
        if not self.table:
            data = training_data()
            return data if count is None else data.first(count)
        x, y = table_data()
        return x[:count], y[:count]

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

        All are counted. An engine that leaves out zeros may seem to do more than the processor can.
        """
        first, *_ = fb.models.multiply_adds(self.net())
        return 3 * self.forward_flops - 2 * first

    def __str__(self) -> str:
        norm = f"{self.normalization} norm, " if self.normalization else ""
        what = f"{'-'.join(map(str, self.sizes))}, {norm}{self.activation}"
        how = self.loss if self.optimizer == "sgd" else f"{self.loss}, {self.optimizer}"
        if self.model:
            what = NAMES[self.model] + ", batch norm" * bool(self.normalization)
        return f"{what}, {how}, batch {self.batch_size}"


Table = tuple[np.ndarray, np.ndarray]
COLUMNS, ROWS = 30, 20_000  # of the table
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
            table=True,
        ),
    )
}
PREDICTION = SETTINGS["simple-b64"]  # whose network predicts one sample at a time


@cache
def training_data() -> fb.datasets.Dataset:
    """MNIST's 60 000 training images, as bytes."""
    return fb.datasets.mnist()[0]


@cache
def table_data() -> Table:
    """ROWS standard normal rows, and a value of each that takes some learning."""
    rng = np.random.default_rng(SEED)
    x = rng.standard_normal((ROWS, COLUMNS)).astype("f4")
    value = np.sin(x[:, :5]).sum(axis=1) + x[:, 5] * x[:, 6] + 0.1 * rng.standard_normal(ROWS)
    return x, value.astype("f4")[:, None]


def first_order(samples: int) -> np.ndarray:
    """The order in which ``fit`` takes so many samples in its first epoch."""
    return np.random.default_rng([SEED, 1]).permutation(samples)


def train(
    setting: Setting, samples: int, *, fused: bool = True, threads: int | None = None
) -> fb.History:
    """Train for one epoch of the first `samples` images, on the active backend."""
    return fb.fit(
        setting.net(),
        setting.samples(samples),
        loss=setting.loss_function(),
        optimizer=setting.described.make_optimizer(),
        epochs=1,
        batch_size=setting.batch_size,
        seed=SEED,
        fused=fused,
        threads=threads,
    )


@cache
def reference_losses(setting: Setting) -> np.ndarray:
    """The losses of the first iterations as the reference computes them, layer by layer."""
    with fb.use_backend("numpy"):
        return train(setting, setting.checked * setting.batch_size, fused=False).losses[0]


def check_losses(who: str, setting: Setting, losses: np.ndarray) -> float:
    """Refuse losses that are not the reference's; returns the largest relative difference."""
    expected = reference_losses(setting)
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
