"""Good arguments by their names, the same in other forms, and nonsense."""

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

import fastbp as fb
import fastbp.plots

ROWS, COLUMNS, CLASSES = 12, 4, 4
ENDLESS = {
    "epochs",
    "most",
    "directions",
    "repeats",
    "bins",
    "n_trials",
}  # where a huge number would be computed for ever


@dataclass(frozen=True)
class Nonsense:
    """Something that makes no sense, made anew for each call."""

    name: str
    make: Callable[[], Any]
    endless: bool = False


class Same(Nonsense):
    """A good argument in another form."""


def _x() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(ROWS, COLUMNS))


def _net() -> fb.Sequential:
    layers = fb.Linear(COLUMNS, 5), fb.Tanh(), fb.Linear(5, CLASSES)
    return fb.Sequential(*layers, dtype="float64")


def _y() -> np.ndarray:
    return np.arange(ROWS) % CLASSES


def _data() -> fb.datasets.Dataset:
    return fb.datasets.Dataset(_x(), _y(), classes=CLASSES)


def _job() -> fb.Job:
    return fb.Job(_net(), fb.HingeLoss(), fb.SGD(lr=0.1), epochs=1, train=_data())


def _file(name: str, write: Callable[[Path], object]) -> Path:
    path = Path(tempfile.gettempdir()) / f"fastbp-nonsense-{name}"
    write(path)
    return path


def _frame() -> dict[str, Any]:
    """A table by its columns."""
    return {"a": _x()[:, 0], "word": ["x", "y"] * (ROWS // 2), "label": np.arange(ROWS) % 3}


def _made_table() -> fb.datasets.Table:
    made = fb.datasets.table(_frame()).table
    assert made is not None
    return made


def _model_of_table() -> fb.Sequential:
    data = fb.datasets.table(_frame())
    net = fb.Sequential(fb.Linear(data.features, 3))
    fb.fit(net, data, epochs=1)
    return net


def _shards() -> fb.datasets.Shards:
    return fb.datasets.shards((_x(), _y()), classes=CLASSES)


def _figure() -> Any:
    return fb.plots.confusion_matrix(np.eye(3, dtype=int))


def square(x: float) -> float:
    """An activation of one's own."""
    return x * x


def difference(y: float, t: float) -> float:
    """A loss of one's own."""
    return (y - t) * (y - t)


GOOD: dict[str, Callable[[], Any]] = {
    "x": _x,
    "dy": _x,
    "scores": _x,
    "y": _y,
    "labels": _y,
    "target": _y,
    "predictions": _y,
    "images": lambda: np.random.default_rng(1).random((ROWS, 2, 6, 6)),
    "probabilities": lambda: np.full((ROWS, CLASSES), 1 / CLASSES),
    "matrix": lambda: np.eye(CLASSES, dtype=np.int64),
    "series": lambda: {"train": [0.5, 0.6, 0.7], "test": [0.4, 0.5, 0.5]},
    "losses": lambda: np.linspace(1, 0.1, 50),
    "rates": lambda: np.linspace(1, 0.1, 50),
    "stages": lambda: [("input", np.ones((1, 4, 4))), ("filtered", np.ones((2, 3, 3)))],
    "w": lambda: np.ones((2, 1, 3, 3)),
    "net": _net,
    "network": _net,
    "nets": lambda: [_net(), _net()],
    "layers": lambda: [fb.Linear(COLUMNS, 3), fb.Tanh()],
    "data": _data,
    "train": _data,
    "jobs": lambda: [_job()],
    "loss": fb.HingeLoss,
    "optimizer": lambda: fb.SGD(lr=0.1),
    "callbacks": lambda: (),
    "history": fb.History,
    "rng": lambda: np.random.default_rng(2),
    "rows": lambda: [0, 2],
    "image_shape": lambda: (2, 2),
    "shape": lambda: (COLUMNS,),
    "figure": _figure,
    "function": lambda: square,
    "start": fb.initializers.Normal,
    "dtype": lambda: "float64",
    "inputs": lambda: COLUMNS,
    "outputs": lambda: 3,
    "fan_out": lambda: 3,
    "in_channels": lambda: 2,
    "out_channels": lambda: 3,
    "kernel": lambda: 2,
    "p": lambda: 0.5,
    "lr": lambda: 0.1,
    "name": lambda: "numpy",
    "source": lambda: "dense",
    "features": lambda: COLUMNS,
    "classes": lambda: CLASSES,
    "hidden": lambda: (5,),
    "activation": lambda: "tanh",
    "message": lambda: "a message",
    "column": lambda: "train_loss",
    "epoch": lambda: 1,
    "picture": lambda: np.zeros((6, 6)),
    "path": lambda: _file("model.safetensors", _net().save),
}


_TRUE_AND_PREDICTED: dict[str, Callable[[], Any]] = {
    "true": lambda: np.linspace(0, 1, ROWS),
    "predicted": lambda: np.linspace(0, 2, ROWS),
}

# The same names elsewhere, by the last part of the module's name and the function's own name.
GOOD_OF: dict[str, dict[str, Callable[[], Any]]] = {
    "figures.save": {"path": lambda: "figure.png"},
    "c.save": {"path": lambda: "policy.h"},
    "history.History.by_epoch": {"what": lambda: "loss"},
    "numpy_source.save": {"path": lambda: "policy.py"},
    "figures.class_probabilities": {
        "image": lambda: np.zeros((6, 6)),
        "probabilities": lambda: np.full(CLASSES, 1 / CLASSES),
    },
    "figures.misclassified": {"images": lambda: np.zeros((ROWS, 6, 6))},
    "figures.sample_digits": {"images": lambda: np.zeros((ROWS, 6, 6))},
    "judged.calibration_curve": {
        "right": lambda: np.arange(ROWS) % 2 == 0,
        "probabilities": lambda: np.linspace(0, 1, ROWS),
    },
    "values.true_by_predicted": _TRUE_AND_PREDICTED,
    "values.residuals": _TRUE_AND_PREDICTED,
    "columns.importances": {
        "names": lambda: ["a", "b"],
        "means": lambda: [0.5, 0.1],
        "deviations": lambda: [0.1, 0.0],
    },
    "importance.permutation_importance": {"model": _model_of_table, "data": _frame, "y": _y},
    "weights.first_layer_weights": {"w": lambda: np.ones((4, 3))},
    "diagram.network": {
        "columns": lambda: [["a", "b"], ["c"]],
        "edges": lambda: {(0, 0, 0): "1", (0, 1, 0): "2"},
        "title": lambda: "a network",
    },
    "diagram.layers": {
        "names": lambda: ["a", "b"],
        "shapes": lambda: [(4,), None],
        "parameters": lambda: [20, 0],
    },
    "logs.TensorBoard": {"folder": lambda: "events"},
    "logs.Log": {"path": lambda: "log.csv"},
    "_above.Judged.evaluate": {"x": _data},
    "_above.Judged.score": {"x": _data},
    "resuming.resume": {"path": lambda: _file("run.safetensors", _write_checkpoint)},
    "checkpoint.Checkpoint.keep": {"data": lambda: b"a run"},
    "_opening.shards": {"data": lambda: (_x(), _y())},
    "_shards.Shards": {
        name: lambda name=name: getattr(_shards(), name) for name in ("source", "survey", "memory")
    },
    "_shards.Shards.split": {"share": lambda: 0.25},
    "searched.scores_by_parameter": {
        "parameters": lambda: {"lr": [0.1, 0.2, 0.3]},
        "scores": lambda: [0.5, 0.7, 0.6],
    },
    "space.choice": {"values": lambda: [1, 2]},
    "space.uniform": {"low": lambda: 0.1, "high": lambda: 0.2},
    "space.loguniform": {"low": lambda: 0.1, "high": lambda: 0.2},
    "space.randint": {"low": lambda: 1, "high": lambda: 5},
    "space.lograndint": {"low": lambda: 1, "high": lambda: 5},
    "search.search": {
        "space": lambda: {"lr": [0.1, 0.2]},
        "train": lambda: (np.tile(_x(), (2, 1)), np.tile(_y(), 2)),
    },
    "_load.load": {"path": lambda: _file("data.csv", _write_csv)},
    "initializers.initializer": {"init": lambda: "glorot"},
    "batch_norm.BatchNorm1d": {"num_features": lambda: COLUMNS},
    "normalization.LayerNorm": {"normalized_shape": lambda: COLUMNS},
    "normalization.Scale": {"num_features": lambda: COLUMNS},
    "standardize.Standardize": {"mean": lambda: np.zeros(COLUMNS), "std": lambda: np.ones(COLUMNS)},
    "statistics.running_statistics": {"mean": lambda: np.zeros(3), "variance": lambda: np.ones(3)},
    "residual.Residual": {"layers": lambda: [fb.Linear(COLUMNS, COLUMNS), fb.Tanh()]},
    "model.Model": {"layers": lambda: ({"type": "Linear"},)},
    "model.Model.build": {"classes": lambda: 3},
    "_dataset.Dataset.images": {"rows": lambda: slice(0, 2)},
    "_table.table": {"data": _frame},
    "train.train": {"data": _frame},
    "_fitted.Table": {
        name: lambda name=name: getattr(_made_table(), name)
        for name in ("columns", "label", "left_out")
    },
    "_fitted.Table.encode": {"data": _frame},
    "_fitted.Table.dataset": {"data": _frame},
    "_fitted.Table.frame_of": {"data": _frame, "probabilities": lambda: np.full((ROWS, 3), 1 / 3)},
}


def _write_csv(path: Path) -> None:
    path.write_text("label,a,b\n" + "".join(f"{n % 3},{n},0.5\n" for n in range(ROWS)))


def _write_checkpoint(path: Path) -> None:
    fb.fit(_net(), _x(), _y(), epochs=1, checkpoint=path)


def good(name: str, of: Any = None) -> Any:
    """A good argument of that name; a small whole number where nothing else is known."""
    where = f"{getattr(of, '__module__', '')}".rpartition(".")[2]
    table = GOOD_OF.get(f"{where}.{getattr(of, '__qualname__', '')}", {})
    return table[name]() if name in table else GOOD[name]() if name in GOOD else 2


class Text(str):
    """A text of a class of its own."""


class Raises:
    """An object whose conversions fail."""

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        raise ValueError("no array")

    def __index__(self) -> int:
        raise TypeError("no index")

    def __float__(self) -> float:
        raise TypeError("no float")

    def __len__(self) -> int:
        raise TypeError("no length")


class Sparse:
    """Looks like a matrix of SciPy, of which NumPy makes an array of one object."""

    shape, dtype, ndim, nnz = (ROWS, COLUMNS), np.dtype("f8"), 2, 3

    def toarray(self) -> np.ndarray:
        """Nobody asked for it."""
        return _x()


NUMBERS = (
    *(
        0,
        1,
        -1,
        2,
        7,
        2**31,
        2**63 - 1,
        2**63,
        2**64,
        -(2**63),
        -(2**70),
        10**400,
        0.5,
        -0.0,
        1e308,
    ),
    *(1e-320, 1e-50, 1e39, math.nan, math.inf, -math.inf, 1j, True, np.int8(3), np.float16(0.1)),
    *(np.uint64(2**64 - 1), np.datetime64("2024-01-01"), np.timedelta64(3, "s"), np.bool_(True)),
)
TEXTS = (
    "",
    "x",
    ",,,,",
    "nan",
    "1",
    "linear",
    "\x00",
    "ü",
    "a/b/c",
    "a" * 300,
    Text("tanh"),
    b"bytes",
)
ARRAYS: dict[str, Callable[[], Any]] = {
    "no numbers": lambda: np.zeros((0,)),
    "no rows": lambda: np.zeros((0, COLUMNS)),
    "no columns": lambda: np.zeros((ROWS, 0)),
    "a scalar array": lambda: np.array(3.0),
    "a row": lambda: np.arange(4.0),
    "a row of one": lambda: np.ones(1),
    "three axes": lambda: np.ones((ROWS, 2, 2)),
    "five axes": lambda: np.ones((2, 1, 1, 2, 2)),
    "too wide": lambda: np.ones((ROWS, COLUMNS + 1)),
    "NaN": lambda: _x() * math.nan,
    "infinite": lambda: _x() * math.inf,
    "large": lambda: np.full((ROWS, COLUMNS), 1e300),
    "complex": lambda: _x() + 1j,
    "objects": lambda: _x().astype(object),
    "objects of no kind": lambda: np.array([[None, "a", {}, 1]] * ROWS, object),
    "texts": lambda: np.full((ROWS, COLUMNS), "1.5"),
    "bytes": lambda: np.full((ROWS, COLUMNS), b"1.5"),
    "dates": lambda: np.zeros((ROWS, COLUMNS), "M8[s]"),
    "durations": lambda: np.zeros(ROWS, "m8[s]"),
    "a record": lambda: np.zeros(ROWS, [("a", "f8"), ("b", "i4")]),
    "masked": lambda: np.ma.masked_greater(_x(), 0),
    "masked labels": lambda: np.ma.masked_equal(_y(), 1),
    "a matrix": lambda: np.asmatrix(_x()),
    "pixels": lambda: np.zeros((ROWS, COLUMNS), np.uint8),
    "labels beyond": lambda: np.full(ROWS, 10**8),
    "negative labels": lambda: -_y() - 1,
    "large unsigned labels": lambda: np.full(ROWS, 2**64 - 1, np.uint64),
    "fractional labels": lambda: _y() + 0.5,
    "truths": lambda: np.ones((ROWS, COLUMNS), bool),
    "halves": lambda: _x().astype(np.float16),
    "long doubles": lambda: _x().astype(np.longdouble),
    "unequal rows": lambda: [[1, 2], [3]],
    "deep": lambda: [[[[[[1]]]]]],
    "a broadcast": lambda: np.broadcast_to(np.float64(1), (ROWS, COLUMNS)),
}
OBJECTS: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "Ellipsis": lambda: ...,
    "[]": list,
    "()": tuple,
    "{}": dict,
    "a set": lambda: {1, 2},
    "a generator": lambda: (n for n in range(3)),
    "range": lambda: range(4),
    "slice": lambda: slice(None),
    "object()": object,
    "a class": lambda: fb.HingeLoss,
    "another class": lambda: fb.SGD,
    "a layer's class": lambda: fb.Linear,
    "a layer": fb.Tanh,
    "a loss": fb.HingeLoss,
    "an optimizer": lambda: fb.SGD(lr=1),
    "a network": _net,
    "a data set": _data,
    "a pair": lambda: (_x(), _y()),
    "a pair of odd lengths": lambda: (_x(), _y()[:-1]),
    "a triple": lambda: (1, 2, 3),
    "len": lambda: len,
    "a lambda": lambda: lambda *a, **k: None,
    "a module": lambda: fb,
    "sparse": Sparse,
    "an object that raises": Raises,
    "a path": lambda: Path("nowhere"),
    "a folder": lambda: Path("/"),
    "a device": lambda: "/dev/zero",
    "nested": lambda: {"a": [1, {"b": None}]},
    "a memoryview": lambda: memoryview(b"12345678"),
    "a list of layers": lambda: [fb.Tanh(), None, 3],
    "a list of texts": lambda: ["a", "b"],
}
NONSENSE = (
    *(Nonsense(f"{value!r:.40}", lambda value=value: value) for value in TEXTS),
    *(Nonsense(name, make) for table in (ARRAYS, OBJECTS) for name, make in table.items()),
)
AS_NUMBERS = tuple(
    Nonsense(f"{value!r:.40}", lambda value=value: value, isinstance(value, int) and value > 100)
    for value in NUMBERS
)


def nonsense(random: Random) -> Nonsense:
    """Something that makes no sense."""
    return random.choice(AS_NUMBERS if random.random() < 0.4 else NONSENSE)


def _read_only(a: np.ndarray) -> np.ndarray:
    a = a.copy()
    a.flags.writeable = False
    return a


def _strided(a: np.ndarray) -> np.ndarray:
    return np.repeat(np.repeat(a, 2, 0), 3, -1)[::2, ..., ::3] if a.ndim > 1 else a.repeat(2)[::2]


def _unaligned(a: np.ndarray) -> np.ndarray:
    raw = np.zeros(a.nbytes + 1, np.uint8)
    other = raw[1:].view(a.dtype).reshape(a.shape)
    other[...] = a
    return other


FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "read-only": _read_only,
    "strided": _strided,
    "backwards twice": lambda a: a[::-1].copy()[::-1],
    "Fortran": np.asfortranarray,
    "unaligned": _unaligned,
    "a list": lambda a: a.tolist(),
    "a subclass": lambda a: a.view(type("Own", (np.ndarray,), {})),
}


def same(argument: Any, random: Random) -> Same | None:
    """A good argument in another form, where it has any."""
    if not isinstance(argument, np.ndarray):
        return None
    name = random.choice([*FORMS])
    return Same(f"its good value, {name}", lambda: FORMS[name](argument))
