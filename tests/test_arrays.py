"""What may be passed for an array, at every place that takes one, and what is refused by name."""

import re

import numpy as np
import pytest
from for_each import for_each

import fastbp as fb
from fastbp import _checks
from fastbp.datasets import Dataset

X = np.arange(20, dtype=np.float64).reshape(10, 2) / 20
Y = np.arange(10) % 3
LOSS = fb.CrossEntropyLoss()


def net():
    return fb.Sequential(fb.Linear(2, 8), fb.Tanh(), fb.Linear(8, 3))


def image_net():
    return fb.Sequential(fb.Conv2d(1, 2, 1), fb.Flatten(), fb.Linear(4, 3), input_shape=(1, 1, 2))


def fit(network, x, y):
    return fb.fit(network, (x, y), loss=LOSS, optimizer=fb.SGD(0.1), epochs=1).loss_by_iteration


TAKES_X = {
    "Dataset": lambda x: Dataset(x, Y).x,
    "forward": lambda x: net().forward(x),
    "forward of images": lambda x: image_net().forward(x),
    "scores": lambda x: net().scores(x),
    "predict": lambda x: net().predict(x),
    "predict_proba": lambda x: net().predict_proba(x),
    "layer": lambda x: fb.Tanh().forward(x),
    "loss": lambda x: LOSS(x, Y % 2)[1],
    "target": lambda x: fb.MSELoss()(np.ones((10, 2)), x)[1],
    "fit": lambda x: fit(net(), x, Y),
    "fit images": lambda x: fit(image_net(), x, Y),
    "evaluate": lambda x: fb.evaluate(net(), (x, Y), LOSS),
    "gradcheck": lambda x: fb.gradcheck(net(), LOSS, x, Y).worst,
}
TAKES_Y = {
    "Dataset": lambda y: Dataset(X, y).y,
    "loss": lambda y: LOSS(np.ones((10, 3)), y)[1],
    "values": lambda y: fb.MSELoss()(np.ones((10, 3)), y)[1],
    "values of one": lambda y: fb.L1Loss()(np.ones((10, 1)), y)[1],
    "fit": lambda y: fit(net(), X, y),
    "evaluate": lambda y: fb.evaluate(net(), (X, y), LOSS),
    "gradcheck": lambda y: fb.gradcheck(net(), LOSS, X, y).worst,
}


class Sparse:
    """What a matrix of scipy.sparse looks like from outside."""

    shape, ndim, dtype, nnz = (10, 2), 2, np.dtype("f8"), property(lambda self: 3)

    def toarray(self):
        return X


class Tensor:
    """A tensor that NumPy may not read."""

    requires_grad = True

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


class OtherDevice:
    def __array__(self, dtype=None, copy=None):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


class Quantity(np.ndarray):
    """Numbers with a unit."""

    unit = property(lambda self: "m")


def refused(a):
    """What is more than numbers, of a's shape, and what its message says."""
    mask = np.zeros(a.shape, bool)
    mask[7] = True
    masked = np.ma.masked_array(a, mask)
    return {
        "masked": (masked, "masked array, .* fill them, x.filled"),
        "a masked part": (masked[:7].repeat(2, 0)[: len(a)], "masked array, 0 of whose values are"),
        "masked rows": (list(masked), "masked array|mask|fill"),
        "sparse": (Sparse(), r"Sparse, which is sparse; .*x\.toarray\(\)"),
        "tensor": (Tensor(), r"requires a gradient; pass x.detach\(\).numpy\(\)"),
        "tensors": ([Tensor()] * len(a), r"requires a gradient; pass x.detach\(\).numpy\(\)"),
        "elsewhere": (OtherDevice(), "can't convert cuda"),
        "unit": (a.astype(float).view(Quantity), "Quantity with a unit; pass its numbers"),
        "words": (a.astype(str), "dtype <U.*(np.unique|encode text)"),
        "bytes": (a.astype(str).astype("S"), r"dtype \|S.*(np.unique|encode text)"),
        "object": (a.astype(object), "dtype object; .*(encode|np.unique)"),
        "complex": (a.astype(complex), "dtype complex128; take the real and imaginary"),
        "times": (a.astype("M8[s]"), r"dtype datetime64\[s\]; turn times into numbers"),
        "durations": (a.astype("m8[s]"), r"dtype timedelta64\[s\]; turn times into numbers"),
        "fields": (a.astype([("a", float), ("b", float)]), "dtype .*structured_to_unstructured"),
        "huge": ((a.astype(int).astype(object) + 2**70).tolist(), "dtype object"),
    }


@for_each("kind", refused(X))
@for_each("way", TAKES_X)
def test_x_that_carries_more_than_numbers_is_refused(way, kind):
    array, text = refused(X)[kind]
    with pytest.raises(TypeError, match=text):
        TAKES_X[way](array)


@for_each("kind", refused(Y))
@for_each("way", TAKES_Y)
def test_y_that_carries_more_than_numbers_is_refused(way, kind):
    array, text = refused(Y)[kind]
    with pytest.raises(TypeError, match=text):
        TAKES_Y[way](array)


def equal(found, right):
    return np.array_equal(np.asarray(found), np.asarray(right))


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


@pytest.mark.parametrize(
    "same",
    [
        np.asfortranarray,
        lambda a: a.astype(a.dtype.newbyteorder()),
        lambda a: np.repeat(a, 2, axis=0)[::2],
        lambda a: a[::-1].copy()[::-1],
        read_only,
        np.ma.asarray,  # without a mask
        lambda a: a.tolist(),
        lambda a: tuple(a),
    ],
    ids=["fortran", "byte order", "strided", "reversed", "read-only", "no mask", "list", "rows"],
)
def test_however_numbers_lie_they_are_the_same(backend, same, tmp_path):
    for way, take in TAKES_X.items():
        assert equal(take(same(X)), take(X)), way
    for way, take in TAKES_Y.items():
        assert equal(take(same(Y)), take(Y)), way
    file = np.memmap(tmp_path / "x", "f8", "w+", shape=X.shape)
    file[...] = X
    for way, take in TAKES_X.items():
        assert equal(take(file), take(X)), way


@pytest.mark.parametrize("kind", ["bool", "float16", "longdouble", "int8", "uint64", ">i2"])
def test_numbers_of_other_types_are_taken_as_they_are(backend, kind):
    x = (X > 0.3).astype(kind)
    for way, take in TAKES_X.items():
        np.testing.assert_allclose(
            np.asarray(take(x), float),
            np.asarray(take(x.astype("f8")), float),
            1e-6,
            1e-9,
            err_msg=way,
        )


@pytest.mark.parametrize("empty", [np.zeros(()), np.zeros(0), np.zeros((0, 2)), np.zeros((10, 0))])
def test_nothing_and_a_single_number_are_refused_or_give_nothing(backend, empty):
    for way, take in TAKES_X.items():
        if empty.shape == (0, 2) and way not in (
            "Dataset",
            "loss",
            "target",
            "fit",
            "fit images",
            "evaluate",
            "gradcheck",
        ):
            assert len(take(empty)) == 0, way
        else:
            with pytest.raises(ValueError, match="expected"):
                take(empty)


@pytest.mark.parametrize("label", [2**63, 2**64 - 1])
def test_labels_beyond_int64_are_refused(label):
    y = Y.astype(np.uint64)
    y[4] = label
    for way, take in TAKES_Y.items():
        if way != "values of one":  # where it is a value
            with pytest.raises(ValueError, match=f"{label}"):
                take(y)


# Tables


class Table:
    """What a DataFrame looks like from outside: columns of several types."""

    def __init__(self, columns):
        self.columns = columns
        self.dtypes = {name: column.dtype for name, column in columns.items()}
        self.nnz = self.mask = self.units = self.requires_grad = "columns may have any names"

    def __array__(self, dtype=None, copy=None):
        return np.stack([c.astype(object) for c in self.columns.values()], axis=1)

    def to_numpy(self, dtype, na_value):
        return np.stack([c.astype(dtype) for c in self.columns.values()], axis=1)


def test_tables_of_numbers_are_arrays(backend):
    table = Table({"a": X[:, 0], "b": X[:, 1] > 0.5})
    x = np.stack([X[:, 0], X[:, 1] > 0.5], axis=1)
    for way, take in TAKES_X.items():
        assert equal(take(table), take(x)), way


def test_columns_of_words_are_named():
    table = Table({"size": X[:, 0], "colour": np.array(["red", "blue"] * 5)})
    for take in TAKES_X.values():
        with pytest.raises(TypeError, match="got Table with something else in 'colour'; turn it"):
            take(table)


def test_pandas(backend):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": X[:, 0], "b": pandas.array([1, 0] * 5, "Int64")})
    x = np.stack([X[:, 0], [1, 0] * 5], axis=1)
    for way, take in TAKES_X.items():
        assert equal(take(frame), take(x)), way
    for way, take in TAKES_Y.items():
        assert equal(take(pandas.Series(Y)), take(Y)), way
    gap = frame.assign(b=pandas.array([1, None] * 5, "Int64"))
    with pytest.raises(ValueError, match="train x: NaN at row 1, column 1"):
        as_train(gap)
    for words in (["red", "blue"] * 5, pandas.Categorical(["red", "blue"] * 5)):
        with pytest.raises(TypeError, match="DataFrame with something else in 'colour'; turn it"):
            net().scores(frame.assign(colour=words))
    with pytest.raises(
        TypeError, match=r"labels: expected integer labels, got dtype .*(encode|words)"
    ):
        LOSS(np.ones((10, 3)), pandas.Series(["red", "blue"] * 5))


def as_train(x):
    return fb.fit(net(), (x, Y), loss=LOSS, optimizer=fb.SGD(0.1))


def test_scipy():
    sparse = pytest.importorskip("scipy.sparse")
    for kind in (sparse.csr_matrix, sparse.coo_array, sparse.csc_matrix):
        for take in TAKES_X.values():
            with pytest.raises(TypeError, match=f"{kind.__name__}, which is sparse"):
                take(kind(X))


def test_torch():
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(X)
    for way, take in TAKES_X.items():
        assert equal(take(tensor), take(X)), way
        assert equal(take(tensor.clone().requires_grad_()), take(X)), way


# Single numbers


@pytest.mark.parametrize("check", [_checks.as_pair, lambda n, name: _checks.as_shape((n,))])
def test_sizes_beyond_int64_are_refused(check):
    assert check(2**63 - 1, "size")
    with pytest.raises(
        ValueError, match=re.escape("expected at most 2**63 - 1, got 9223372036854775808")
    ):
        check(2**63, "size")


def test_counts_may_be_huge():
    assert _checks.as_count(10**400, "n") == 10**400
    with pytest.raises(ValueError, match=r"n: expected at least 1, got -10{58}…"):
        _checks.as_count(-(10**400), "n")
