"""NPZ files: what is read from good ones, and what is said of bad ones."""

import io
import re
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fastbp.datasets import DataError, Dataset, load

X = np.linspace(-1, 1, 28, dtype=np.float32).reshape(14, 2)
Y = np.arange(14) % 3


def refuses(path: Path, reason: str, **arguments: object) -> None:
    """Assert a one-line message with the path and the reason."""
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: .*(?:{reason})") as caught:
        load(path, **arguments)
    assert "\n" not in str(caught.value)


def together(train: Dataset, test: Dataset) -> list[tuple[list[float], int]]:
    """Give every sample of both parts with its label, sorted."""
    return sorted(
        (sample.tolist(), int(label))
        for data in (train, test)
        for sample, label in zip(data.x, data.y, strict=True)
    )


def npz(folder: Path, **arrays: object) -> Path:
    path = folder / "data.npz"
    np.savez_compressed(path, **arrays)
    return path


def test_npz_as_keras_writes_it(tmp_path):
    x = np.arange(5 * 28 * 28, dtype=np.int64).reshape(5, 28, 28).astype(np.uint8)
    path = npz(tmp_path, x_train=x, y_train=[0, 1, 2, 3, 4], x_test=x[:2], y_test=[5, 0])
    train, test = load(path)
    assert train.x.tolist() == x.reshape(5, 784).tolist()
    assert train.y.tolist() == [0, 1, 2, 3, 4]
    assert test.y.tolist() == [5, 0]
    for data in (train, test):  # 6 classes, though one part has 5 and the other 2 of them
        assert (data.classes, data.scale, data.image_shape) == (6, 1 / 255, (28, 28))
    assert (train.name, test.name) == ("data.npz train", "data.npz test")


@pytest.mark.parametrize("key", ["x", "X"])
def test_npz_with_one_part_is_split(tmp_path, key):
    train, test = load(npz(tmp_path, **{key: X, "y": Y, "other": [1]}))
    assert (len(train), len(test)) == (12, 2)
    assert together(train, test) == sorted(zip(X.tolist(), Y.tolist(), strict=True))
    assert train.x.dtype == np.float32
    assert (train.classes, train.scale, train.image_shape) == (3, 1.0, None)
    assert load(npz(tmp_path, x_train=X, y_train=Y))[1].x.tolist() == test.x.tolist()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("x", [np.asfortranarray(X), X.astype(">f8"), X.astype(np.float16)])
def test_npz_keeps_the_numbers(tmp_path, x, save):
    save(tmp_path / "a.npz", x=x, y=Y)
    train, test = load(tmp_path / "a.npz")
    assert together(train, test) == sorted(zip(x.tolist(), Y.tolist(), strict=True))


@pytest.mark.parametrize(
    ("columns", "dtype", "shape"),
    [
        (16, "uint8", (4, 4)),
        (784, "uint8", (28, 28)),
        (9, "uint8", None),
        (17, "uint8", None),
        (16, "float32", None),
        (16, "int64", None),
    ],
)
def test_square_rows_of_bytes_are_pictures(tmp_path, columns, dtype, shape):
    train, _ = load(npz(tmp_path, x=np.ones((14, columns), dtype), y=Y))
    assert train.image_shape == shape
    assert train.scale == (1 / 255 if dtype == "uint8" else 1)


def test_npz_scale_and_classes_can_be_given(tmp_path):
    train, test = load(npz(tmp_path, x=X, y=Y), scale=0.25, classes=5)
    assert (train.scale, test.scale, train.classes, test.classes) == (0.25, 0.25, 5, 5)


BAD_ARRAYS = [
    ({"a": X, "b": Y}, "expected the arrays x_train, .* found a, b"),
    ({"x": X}, "expected the arrays .* found x"),
    ({}, "expected the arrays .* found none"),
    ({"x_train": X, "y_train": Y, "x_test": X}, "expected the arrays .*found x_train"),
    ({"x": X.astype(object), "y": Y}, "x: holds Python objects, which are not read"),
    ({"x": X, "y": Y.astype(object)}, "y: holds Python objects"),
    ({"x": X.astype(str), "y": Y}, "x: expected numbers, got dtype <U"),
    ({"x": X, "y": Y.astype(complex)}, "y: expected numbers, got dtype complex128"),
    ({"x": np.zeros(14, [("a", "f4")]), "y": Y}, "x: expected numbers, got dtype"),
    ({"x": X[:0], "y": Y[:0]}, r"x: is empty, its shape is \(0, 2\)"),
    ({"x": X.ravel(), "y": Y}, r"x: expected \(samples, features\) or"),
    ({"x": np.float32(3), "y": Y}, r"x: expected \(samples, features\).*got shape \(\)"),
    ({"x": X.reshape(14, 1, 2, 1), "y": Y}, r"got shape \(14, 1, 2, 1\); reshape it"),
    ({"x": X, "y": Y[:, None]}, r"y: expected one label a sample, .*got \(14, 1\)"),
    ({"x": X, "y": Y[:13]}, "y: expected 14 labels, as many as samples, got 13"),
    ({"x": X, "y": Y - 1}, "y: expected labels from 0, got -1 at index 0"),
    ({"x": X, "y": Y + 0.5}, "y: expected integer labels, got 0.5 at index 0"),
    ({"x": X, "y": Y * 10**6}, "y: label 2000000 at index 2 looks like no label"),
    ({"x": np.where(X == 1, np.nan, X), "y": Y}, r"x: .*got nan at index \(13, 1\)"),
    ({"x": X[:1], "y": Y[:1]}, "expected at least 2 samples"),
    (
        {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y[:3]},
        "test y: expected 14 labels, .*got 3",
    ),
    (
        {"x_train": X, "y_train": Y, "x_test": X[:, :1], "y_test": Y},
        r"train and test samples differ.*\(2, None, 'float32'\) and \(1, None, 'float32'\)",
    ),
    (
        {"x_train": X, "y_train": Y, "x_test": X.astype(np.uint8), "y_test": Y},
        "train and test samples differ .*'float32'.*'uint8'",
    ),
]


@pytest.mark.parametrize(("arrays", "reason"), BAD_ARRAYS)
def test_bad_arrays(tmp_path, arrays, reason):
    refuses(npz(tmp_path, **arrays), reason)


def test_labels_beyond_the_classes(tmp_path):
    path = npz(tmp_path, x=X, y=Y)
    refuses(path, "y: expected labels 0 to 1, got 2 at index 2; pass classes=3", classes=2)


def broken_zips() -> list[tuple[bytes, str]]:
    buffer = io.BytesIO()
    np.savez(buffer, x=X, y=Y)
    good = buffer.getvalue()
    data = good.index(X.tobytes())
    return [
        (b"", "broken npz file: File is not a zip file"),
        (b"PK\x03\x04 no zip at all", "broken npz file"),
        (good[:-30], "broken npz file"),
        (good[: len(good) // 2], "broken npz file"),
        (good[:data] + b"\xff" + good[data + 1 :], "broken npz file: Bad CRC-32"),
        (good.replace(b"\x93NUMPY", b"\x93NUMPI"), "broken npz file"),
    ]


@pytest.mark.parametrize(("content", "reason"), broken_zips())
def test_broken_zips(tmp_path, content, reason):
    (tmp_path / "a.npz").write_bytes(content)
    refuses(tmp_path / "a.npz", reason)


def npz_with_header(path: Path, header: str, data: bytes, version: bytes = b"\1\0") -> Path:
    """Write an .npz whose x has any header."""
    text = header.encode("latin1").ljust(117) + b"\n"
    y = io.BytesIO()
    np.save(y, Y)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "x.npy", b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text + data
        )
        archive.writestr("y.npy", y.getvalue())
    return path


def header(shape: str, descr: str = "'<f4'", order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (header("(14, 3)"), "x: truncated: the header promises 168 bytes, found 112"),
        (header("(13, 2)"), "x: too long: data after the 104 bytes"),
        (header("(2147483648, 784)"), "x: truncated: the header promises 6734508720128 bytes"),
        (header("(10**9, 9)"), "x: broken npy header: .*malformed"),
        (header(f"({2**62}, {2**62})"), "x: truncated"),
        (header("(-14, 2)"), "x: is empty, its shape is"),
        (header("'many'"), "x: broken npy header"),
        (header("(14, 2)", "'|O'"), "x: holds Python objects"),
        (header("(14, 2)", "'<q9'"), "x: broken npy header"),
        (header("(14, 2)", "None"), "x: broken npy header: .*not a valid dtype"),
        ("{" * 100, "x: broken npy header"),
        ("(" * 117, "x: broken npy header"),
        ("", "x: broken npy header"),
    ],
)
def test_bad_npy_headers(tmp_path, text, reason):
    path = npz_with_header(tmp_path / "a.npz", text, X.tobytes())
    tracemalloc.start()
    try:
        refuses(path, reason)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


def test_the_handwritten_header_is_a_good_one(tmp_path):
    path = npz_with_header(tmp_path / "a.npz", header("(14, 2)"), X.tobytes())
    assert together(*load(path)) == sorted(zip(X.tolist(), Y.tolist(), strict=True))
    path = npz_with_header(tmp_path / "a.npz", header("(14, 2)"), X.tobytes(), b"\3\0")
    refuses(path, "x: npy format 3.0, expected 1.0")


def test_unknown_compression(tmp_path):
    y = io.BytesIO()
    np.save(y, Y)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("x.npy", y.getvalue())
        archive.writestr("y.npy", y.getvalue())
    refuses(tmp_path / "a.npz", r"x: unknown compression \(zip method 12\)")
