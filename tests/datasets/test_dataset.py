"""Dataset: what it keeps, converts and refuses."""

import re
from dataclasses import FrozenInstanceError
from fractions import Fraction

import numpy as np
import pytest
from for_each import for_each

from fastbp.datasets import DataError, Dataset, load

X = np.arange(12, dtype=np.float32).reshape(4, 3)
Y = np.array([0, 2, 1, 0])


def test_it_keeps_what_fits_without_copying():
    data = Dataset(X, Y, 3, 0.5, name="four")
    assert data.x is X or np.shares_memory(data.x, X)
    assert np.shares_memory(data.y, Y)
    assert (len(data), data.features, data.classes, data.scale) == (4, 3, 3, 0.5)
    assert data.image_shape is None
    assert repr(data) == (
        "Dataset('four', samples=4, features=3, dtype=float32, scale=0.5, classes=3)"
    )


def test_it_is_frozen_and_hashable():
    data = Dataset(X, Y, 3)
    with pytest.raises(FrozenInstanceError):
        data.scale = 2.0
    assert data == data
    assert data != Dataset(X, Y, 3)
    assert len({data, data}) == 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("uint8", "uint8"),
        ("float32", "float32"),
        ("float64", "float64"),
        ("bool", "float32"),
        ("int8", "float32"),
        ("int64", "float32"),
        ("uint16", "float32"),
        ("float16", "float32"),
        ("longdouble", "float64"),
        (">f4", "float32"),
        (">f8", "float64"),
    ],
)
def test_dtypes(given, kept):
    x = np.array([[0, 1], [1, 1]]).astype(given)
    data = Dataset(x, [0, 1])
    assert data.x.dtype == np.dtype(kept)
    assert data.x.dtype.isnative
    assert data.x.tolist() == [[0, 1], [1, 1]]


def test_lists_fortran_order_and_strides_become_contiguous():
    for x in (X.tolist(), np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], X[::-1][::-1]):
        data = Dataset(x, Y.tolist())
        assert data.x.flags.c_contiguous
        assert data.x.tolist() == X.tolist()
        assert data.y.dtype == np.int64


def test_pictures_are_flattened():
    pictures = np.arange(2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 3)
    data = Dataset(pictures, [0, 1])
    assert data.x.shape == (2, 6)
    assert data.image_shape == (2, 3)
    assert data.images([1]).tolist() == pictures[[1]].tolist()
    assert data.images(slice(None)).shape == (2, 2, 3)
    assert Dataset(data.x, [0, 1], image_shape=[3, 2]).image_shape == (3, 2)


def test_images_need_an_image_shape():
    with pytest.raises(ValueError, match="'data' holds no pictures; give it an image_shape"):
        Dataset(X, Y).images([0])


@pytest.mark.parametrize(
    ("y", "classes"), [([0, 0, 0, 0], 2), ([0, 1, 1, 0], 2), ([0, 4, 1, 1], 5)]
)
def test_classes_left_out_are_counted(y, classes):
    assert Dataset(X, y).classes == classes
    assert Dataset(X, y, None).classes == classes
    assert type(Dataset(X, y, np.int32(9)).classes) is int


@pytest.mark.parametrize("y", [[0.0, 2.0, 1.0, 0.0], np.array(Y, dtype=np.uint8)])
def test_integral_labels_of_any_type(y):
    data = Dataset(X, y)
    assert data.y.dtype == np.int64
    assert data.y.tolist() == [0, 2, 1, 0]


def test_boolean_labels_are_a_binary_problem():
    data = Dataset(X, [True, False, True, False])
    assert (data.y.tolist(), data.classes) == ([1, 0, 1, 0], 2)


def test_first_is_a_view():
    data = Dataset(X, Y, 3, 0.5, name="four")
    two = data.first(2)
    assert two.x.tolist() == X[:2].tolist()
    assert two.y.tolist() == [0, 2]
    assert np.shares_memory(two.x, X)
    assert (two.classes, two.scale, two.name) == (3, 0.5, "four")
    assert len(data.first(99)) == 4
    for n in (0, -1):
        with pytest.raises(ValueError, match=f"first: expected n >= 1, got {n}"):
            data.first(n)
    with pytest.raises(TypeError):
        data.first(1.5)


@for_each("dtype", ["float32", "float64"])
@for_each("source", ["uint8", "float32", "float64"])
@for_each(
    "rows", [[3, 0], np.array([1, -1], dtype=np.int8), slice(1, 3), slice(None, None, -2), []]
)
def test_batch_scales_and_copies(rows, source, dtype):
    data = Dataset(X.astype(source), Y, scale=1 / 255)
    x, y = data.batch(rows, dtype)
    index = rows if isinstance(rows, slice) else np.array(rows, dtype=int)
    expected = X.astype(dtype)[index] * np.dtype(dtype).type(1 / 255)
    np.testing.assert_array_equal(x, expected, strict=True)
    np.testing.assert_array_equal(y, Y[index], strict=True)
    for array, own in ((x, data.x), (y, data.y)):
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert not np.shares_memory(array, own)


@pytest.mark.parametrize("rows", [1, [0.5], [[0, 1]], [True, False, True, True], ["0"]])
def test_batch_refuses_other_rows(rows):
    with pytest.raises(TypeError, match="rows: expected a slice or a list of integers"):
        Dataset(X, Y).batch(rows)


def test_batch_refuses_rows_that_are_not_there():
    with pytest.raises(IndexError, match="4"):
        Dataset(X, Y).batch([4])


@pytest.mark.parametrize("row", [2**63, 2**64 - 1])
@pytest.mark.parametrize("make", [list, lambda rows: np.array(rows, "u8")])
def test_rows_beyond_int64_are_not_counted_from_the_end(row, make):
    data = Dataset(X.reshape(4, 3, 1), Y)
    for take in (data.batch, data.images):
        with pytest.raises(IndexError, match=f"^rows: there is no sample {row}$"):
            take(make([row]))
    assert data.batch(np.array([3, 0], "u8"))[1].tolist() == [Y[3], Y[0]]


@pytest.mark.parametrize("dtype", ["float16", "int64", ">f4"])
def test_batch_refuses_other_dtypes(dtype):
    with pytest.raises(ValueError, match="batch: expected dtype float32 or float64, got"):
        Dataset(X, Y).batch([0], dtype)


def test_batch_refuses_an_overflow():
    data = Dataset(np.array([[1e300], [1.0]]), [0, 1])
    assert data.batch([0], "float64")[0].tolist() == [[1e300]]
    with pytest.raises(ValueError, match="overflows float32; pass dtype='float64'"):
        data.batch([0])


BAD_VALUES = [
    ({"x": X[0]}, r"x: expected \(samples, features\).*got shape \(3,\)"),
    ({"x": X.reshape(4, 3, 1, 1)}, r"got shape \(4, 3, 1, 1\); reshape it"),
    ({"x": X[:0], "y": []}, r"x: expected at least one sample.*\(0, 3\)"),
    ({"x": X[:, :0]}, r"x: expected at least one sample and one feature.*\(4, 0\)"),
    ({"x": [[1, 2], [3], [4], [5]]}, "x: expected rows of equal length"),
    ({"x": np.where(X == 7, np.nan, X)}, r"x: expected finite numbers, got nan at index \(2, 1\)"),
    ({"x": np.where(X == 0, -np.inf, X)}, r"got -inf at index \(0, 0\)"),
    ({"x": np.full((4, 2), np.longdouble("1e400"))}, "got inf"),
    ({"y": Y[:3]}, "y: expected 4 labels, as many as samples, got 3"),
    ({"y": Y[:, None]}, r"y: expected one label a sample, shape \(4,\), got \(4, 1\).*ravel"),
    ({"y": np.eye(4)}, r"got \(4, 4\).*argmax"),
    ({"y": [0, 1, 0.5, 0]}, "y: expected integer labels, got 0.5 at index 2"),
    ({"y": [0, 1, 1, np.nan]}, "y: expected integer labels, got nan at index 3"),
    ({"y": [0, np.inf, 1, 1]}, "y: expected integer labels, got inf at index 1"),
    ({"y": [0, 1, -1, 0]}, "y: expected labels from 0, got -1 at index 2"),
    ({"classes": 2}, "y: expected labels 0 to 1, got 2 at index 1; pass classes=3"),
    ({"y": np.array([0, 2**63, 0, 0], np.uint64), "classes": 3}, "got 9223372036854775808 at"),
    ({"y": [0, 1e300, 0, 0]}, "at index 1 looks like no label"),
    ({"classes": 1}, "classes: expected at least 2.*got 1"),
    ({"classes": 2**31}, r"classes: expected at most 2\*\*31 - 1, got 2147483648$"),
    ({"classes": 10**400}, r"classes: expected at most 2\*\*31 - 1, got 10{59}…$"),
    ({"classes": 10**5000}, r"classes: expected .* got a number of thousands of digits$"),
    ({"classes": -(10**400)}, r"classes: expected at least 2 .* got -10{58}…$"),
    ({"scale": 10**400}, r"scale: expected a positive finite number \(float32\), got 10{59}…$"),
    ({"scale": 10**5000}, "scale: .* got a number of thousands of digits$"),
    ({"scale": Fraction(10**400)}, "scale: expected a positive finite number"),
    ({"scale": 0}, "scale: expected a positive finite number"),
    ({"scale": -1.0}, "scale: .*got -1.0"),
    ({"scale": np.nan}, "scale: .*got nan"),
    ({"scale": np.inf}, "scale: .*got inf"),
    ({"scale": 1e-60}, "scale: .*got 1e-60"),
    ({"image_shape": (2, 2)}, r"image_shape: 2 × 2 does not fit x of shape \(4, 3\)"),
    ({"image_shape": (-1, -3)}, "image_shape: -1 × -3"),
    ({"x": X.reshape(4, 3, 1), "image_shape": (1, 3)}, "image_shape: 1 × 3 does not fit"),
]


@for_each(("change", "message"), BAD_VALUES)
def test_wrong_values(change, message):
    with pytest.raises(ValueError, match=message):
        Dataset(**({"x": X, "y": Y, "classes": None} | change))


BAD_TYPES = [
    ({"x": [["a", "b"]] * 4}, "x: expected numbers, got dtype <U1; encode text"),
    ({"x": X.astype(complex)}, "x: expected numbers, got dtype complex128"),
    ({"x": X.astype(object)}, "x: expected numbers, got dtype object"),
    ({"x": None}, "x: expected numbers"),
    ({"y": ["cat", "dog", "cat", "cat"]}, "y: expected numbers.*np.unique"),
    ({"classes": 3.0}, "classes: expected an integer, got 3.0"),
    ({"scale": "1"}, "scale: expected a number, got '1'"),
    ({"image_shape": 3}, r"image_shape: expected \(rows, columns\), got 3"),
    ({"image_shape": (1, 1, 3)}, r"image_shape: expected \(rows, columns\)"),
]


@pytest.mark.parametrize(("change", "message"), BAD_TYPES)
def test_wrong_types(change, message):
    with pytest.raises(TypeError, match=message):
        Dataset(**({"x": X, "y": Y, "classes": None} | change))


def test_data_errors_are_value_errors():
    assert issubclass(DataError, ValueError)


# Values


def test_values_are_kept_as_float64():
    x = np.arange(8.0).reshape(4, 2)
    one = Dataset(x, np.array([1, 2, 3, 4], "u1"), values=True)
    assert (one.classes, one.targets, one.y.dtype) == (0, 1, np.float64)
    assert repr(one).endswith("values=1)")
    several = Dataset(x, [[0.5, 1], [2, 3], [4, 5], [6, 7]], values=True)
    assert several.targets == 2
    assert several.first(2).y.tolist() == [[0.5, 1], [2, 3]]
    assert several.batch([3, 0])[1].tolist() == [[6, 7], [0.5, 1]]
    assert Dataset(x, [0, 1, 2, 1]).targets == 3


@pytest.mark.parametrize(
    ("y", "text"),
    [
        ([1.0, np.nan, 1, 1], "y: expected finite values, got nan at index (1,)"),
        ([[1.0], [2], [3], [np.inf]], "y: expected finite values, got inf at index (3, 0)"),
        ([1.0, 2], "y: expected 4 rows of values, as many as samples, got 2"),
        (np.ones((4, 1, 1)), "y: expected (samples,) or (samples, columns) values, got (4, 1, 1)"),
        (np.ones((4, 0)), "y: expected (samples,) or (samples, columns) values, got (4, 0)"),
        (["a", "b", "c", "d"], "y: expected numbers, got dtype <U1"),
    ],
)
def test_values_that_are_none(y, text):
    with pytest.raises((TypeError, ValueError), match=re.escape(text)):
        Dataset(np.ones((4, 2)), y, values=True)


def test_values_have_no_classes(tmp_path):
    with pytest.raises(ValueError, match="classes: values have none, got 3"):
        Dataset(np.ones((2, 2)), [0.5, 1], classes=3, values=True)
    with pytest.raises(ValueError, match="values: they have no classes"):
        load(tmp_path, values=True)


def test_values_of_files(tmp_path):
    x, y = np.arange(28.0).reshape(14, 2), np.linspace(0, 1, 28).reshape(14, 2)
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    np.savetxt(tmp_path / "one.csv", np.column_stack([y[:, 0], x]), delimiter=",")
    train, test = load(tmp_path / "rows.npz", values=True)
    assert (len(train), len(test), train.targets) == (12, 2, 2)
    together = np.concatenate([np.hstack([part.x, part.y]) for part in (train, test)])
    assert np.array_equal(together[together[:, 0].argsort()], np.hstack([x, y]))
    assert load(tmp_path / "one.csv", values=True)[0].targets == 1
    np.savez(tmp_path / "unlike.npz", x_train=x, y_train=y, x_test=x, y_test=y[:, 0])
    with pytest.raises(ValueError, match="train and test samples have 2 and 1 values each"):
        load(tmp_path / "unlike.npz", values=True)
