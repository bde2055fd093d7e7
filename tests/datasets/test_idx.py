"""Folders of IDX files: good ones round-trip, bad ones say what is wrong."""

import errno
import gzip
import os
import re
import struct
import tempfile
import tracemalloc
from pathlib import Path

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastbp.datasets import DataError, load

IMAGES = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3)
LABELS = np.array([5, 0, 4, 1, 9, 2], dtype=np.uint8)
TRAIN = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx(array: np.ndarray, magic: int | None = None, shape: tuple[int, ...] | None = None) -> bytes:
    shape = array.shape if shape is None else shape
    magic = 0x0800 | array.ndim if magic is None else magic
    return struct.pack(f">{1 + len(shape)}I", magic, *shape) + array.tobytes()


def write(folder: Path, ending: str = "", **changed: bytes) -> Path:
    """Write the four files; `changed` replaces train_images, train_labels and so on."""
    files = {
        "train_images": (TRAIN[0], idx(IMAGES)),
        "train_labels": (TRAIN[1], idx(LABELS)),
        "t10k_images": (TEST[0], idx(IMAGES[:2])),
        "t10k_labels": (TEST[1], idx(LABELS[:2])),
    }
    for key, (name, content) in files.items():
        content = changed.get(key, content)
        if ending == ".gz" and key not in changed:
            content = gzip.compress(content, 1)
        (folder / f"{name}{ending}").write_bytes(content)
    return folder


def refuses(folder: Path, file: str, reason: str) -> None:
    """Assert a one-line message with the path of the file and the reason."""
    with pytest.raises(
        DataError, match=f"^{re.escape(str(folder / file))}: .*(?:{reason})"
    ) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_a_folder(tmp_path):
    train, test = load(write(tmp_path))
    assert train.x.tolist() == IMAGES.reshape(6, 12).tolist()
    assert train.y.tolist() == LABELS.tolist()
    assert test.x.tolist() == IMAGES[:2].reshape(2, 12).tolist()
    assert test.y.tolist() == [5, 0]
    for data in (train, test):
        assert data.x.dtype == np.uint8
        assert (data.classes, data.scale, data.image_shape) == (10, 1 / 255, (4, 3))
    assert train.name == f"{tmp_path.name} train"
    assert test.name == f"{tmp_path.name} test"


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("dash", ["-", "."])
def test_names(tmp_path, ending, dash):
    write(tmp_path, ending)
    for path in list(tmp_path.iterdir()):
        path.rename(tmp_path / path.name.replace("-idx", f"{dash}idx"))
    train, test = load(str(tmp_path))
    assert train.y.tolist() == LABELS.tolist()
    assert len(test) == 2


def test_scale_and_classes_can_be_given(tmp_path):
    train, test = load(write(tmp_path), scale=1, classes=47)
    assert (train.scale, test.scale, train.classes, test.classes) == (1.0, 1.0, 47, 47)


@settings(max_examples=50, deadline=None, database=None)
@given(
    images=hnp.arrays(
        np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.integers(0, 255)
    ),
    seed=st.integers(0, 2**32 - 1),
    zipped=st.booleans(),
)
def test_round_trip(images, seed, zipped):
    labels = np.random.default_rng(seed).integers(0, 10, len(images), dtype=np.uint8)
    changed = {"train_images": idx(images), "train_labels": idx(labels)}
    changed |= {"t10k_images": idx(images[::-1]), "t10k_labels": idx(labels[::-1])}
    if zipped:
        changed = {key: gzip.compress(content) for key, content in changed.items()}
    with tempfile.TemporaryDirectory() as folder:
        train, test = load(write(Path(folder), ".gz" if zipped else "", **changed))
    assert train.images(slice(None)).tolist() == images.tolist()
    assert train.y.tolist() == labels.tolist()
    assert test.images(slice(None)).tolist() == images[::-1].tolist()
    assert test.y.tolist() == labels[::-1].tolist()


def test_a_training_set_alone_is_split(tmp_path):
    images = np.arange(70, dtype=np.uint8).reshape(70, 1, 1)
    labels = (images.ravel() % 10).astype(np.uint8)
    write(tmp_path, train_images=idx(images), train_labels=idx(labels))
    for name in TEST:
        (tmp_path / name).unlink()
    train, test = load(tmp_path)
    assert (len(train), len(test)) == (60, 10)
    assert sorted([*train.x.ravel(), *test.x.ravel()]) == list(range(70))
    for data in (train, test):
        assert (data.x.ravel() % 10 == data.y).all()
        assert (data.classes, data.image_shape) == (10, (1, 1))
    order = np.random.default_rng(0).permutation(70)
    assert test.x.ravel().tolist() == order[:10].tolist()
    assert load(tmp_path)[0].y.tolist() == train.y.tolist()
    assert load(tmp_path, seed=1)[0].y.tolist() != train.y.tolist()


def test_reading_changes_nothing_and_needs_no_right_to_write(tmp_path):
    write(tmp_path, ".gz")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for path in before:
        path.chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        load(tmp_path)
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    finally:
        tmp_path.chmod(0o755)


BAD_FILES = [
    ("train_images", b"", "empty file"),
    ("train_images", idx(IMAGES)[:3], "truncated: the file ends inside its header"),
    ("train_images", idx(IMAGES)[:11], "truncated: the file ends inside its header"),
    ("train_images", idx(IMAGES)[:-1], "truncated: the header promises 72 bytes, found 71"),
    ("train_images", idx(IMAGES) + b"\0", "too long: data after the 72 bytes"),
    ("train_images", idx(LABELS), "expected 0x00000803 .* got 0x00000801"),
    ("train_labels", idx(IMAGES), "expected 0x00000801 .* got 0x00000803"),
    ("train_images", b"\x1f\x8b\x08\x00 and so on", "wrong magic .* got 0x1F8B0800"),
    ("train_images", idx(IMAGES, 0x0D03), r"holds float32 \(type 0x0D\); only unsigned bytes"),
    ("train_labels", idx(LABELS, 0x0901), r"holds int8 \(type 0x09\); only unsigned bytes"),
    ("train_images", idx(IMAGES[:0]), "no samples"),
    ("train_labels", idx(LABELS[:0]), "no samples"),
    ("train_images", idx(IMAGES[:, :0]), "images of 0 × 3 pixels"),
    ("train_images", idx(IMAGES[:, :, :0]), "images of 4 × 0 pixels"),
    ("train_labels", idx(LABELS[:5]), "5 labels, but 6 images in .*train-images-idx3-ubyte"),
    ("t10k_labels", idx(LABELS[:1]), "1 labels, but 2 images in .*t10k-images-idx3-ubyte"),
    ("train_labels", idx(LABELS + 2), "label 11 at index 4, expected 0 to 9; pass classes=12"),
    ("t10k_labels", idx(np.array([9, 10], np.uint8)), "label 10 at index 1, .* pass classes=11"),
]


def file_name(key: str) -> str:
    split, kind = key.split("_")
    return f"{split}-{kind}-idx{3 if kind == 'images' else 1}-ubyte"


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize(("key", "content", "reason"), BAD_FILES)
def test_bad_files(tmp_path, key, content, reason, ending):
    if ending == ".gz":
        content = gzip.compress(content)
    refuses(write(tmp_path, ending, **{key: content}), file_name(key) + ending, reason)


GOOD_GZIP = gzip.compress(idx(IMAGES), mtime=0)  # whose names in reports do not change
BAD_GZIPS = [
    (b"", "empty file"),
    (idx(IMAGES), "broken gzip file: Not a gzipped file"),
    (GOOD_GZIP[:5], "broken gzip file: .*end-of-stream"),
    (GOOD_GZIP[:-20], "broken gzip file: .*end-of-stream"),
    (GOOD_GZIP[:-3], "broken gzip file: .*end-of-stream"),
    (GOOD_GZIP[:-8] + b"\0\0\0\0" + GOOD_GZIP[-4:], "broken gzip file: CRC check failed"),
    (GOOD_GZIP[:-4] + b"\1\1\0\0", "broken gzip file: Incorrect length"),
    (GOOD_GZIP[:10] + b"\xff\xff" + GOOD_GZIP[12:], "broken gzip file: .*decompressing"),
    (GOOD_GZIP + b"garbage", "broken gzip file: Not a gzipped file"),
    (GOOD_GZIP + gzip.compress(b"more", mtime=0), "too long: data after the 72 bytes"),
]


@pytest.mark.parametrize(("content", "reason"), BAD_GZIPS)
def test_bad_gzips(tmp_path, content, reason):
    refuses(write(tmp_path, ".gz", train_images=content), f"{TRAIN[0]}.gz", reason)


def test_zeros_after_a_gzip_are_padding(tmp_path):
    train, _ = load(write(tmp_path, ".gz", train_images=GOOD_GZIP + bytes(512)))
    assert train.x.tolist() == IMAGES.reshape(6, 12).tolist()


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("shape", [(2**31, 28, 28), (2**32 - 1,) * 3])
def test_a_lying_header_allocates_nothing(tmp_path, shape, ending):
    content = idx(IMAGES, shape=shape)
    write(tmp_path, ending, train_images=gzip.compress(content) if ending else content)
    tracemalloc.start()
    try:
        # deflate makes 1032 bytes of one at most
        found = "compressed ones cannot hold more than 10[0-9]{4}$" if ending else "found 72$"
        refuses(tmp_path, TRAIN[0] + ending, f"truncated: the header promises .* {found}")
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


def test_data_without_end_is_not_unpacked(tmp_path):
    content = gzip.compress(idx(IMAGES) + bytes(200_000_000), 1)
    write(tmp_path, ".gz", train_images=content)
    tracemalloc.start()
    try:
        refuses(tmp_path, f"{TRAIN[0]}.gz", "too long: data after the 72 bytes")
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("missing", [*TRAIN, *TEST])
def test_a_missing_file(tmp_path, missing):
    (write(tmp_path) / missing).unlink()
    with pytest.raises(DataError, match=f"^{re.escape(str(tmp_path))}: ") as caught:
        load(tmp_path)
    for name in (*TRAIN, *TEST, "found"):
        assert name in str(caught.value)


def test_other_folders(tmp_path):
    with pytest.raises(
        DataError, match=r"train-images-idx3-ubyte.*with or without \.gz; found not"
    ):
        load(tmp_path)
    for i in range(20):
        (tmp_path / f"other{i:02}").touch()
    (tmp_path / TRAIN[0]).mkdir()
    with pytest.raises(DataError, match=r"found other00, .*other07, …$"):
        load(tmp_path)


def test_a_path_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / "nothing"))):
        load(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["digits.txt", "train-images-idx3-ubyte.gz", "x.npz.gz"])
def test_a_file_of_another_kind(tmp_path, name):
    (tmp_path / name).write_bytes(b"1,2,3\n")
    with pytest.raises(DataError, match=f"{name}: expected a folder of IDX files, or a .npz"):
        load(tmp_path / name)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.csv")
    with pytest.raises(DataError, match="expected a folder"):
        load(tmp_path / "x.csv")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    write(tmp_path)

    def refuse(path, *args, **kwargs):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError, match=TRAIN[1]):
        load(tmp_path)


@pytest.mark.parametrize(
    ("argument", "error", "message"),
    [
        ({"classes": 1}, ValueError, "classes: expected at least 2"),
        ({"classes": "ten"}, TypeError, "classes: expected an integer"),
        ({"scale": 0}, ValueError, "scale: expected a positive"),
        ({"scale": "big"}, TypeError, "scale: expected a number"),
        ({"label": "y"}, ValueError, "label: only a CSV file has"),
        ({"seed": -1}, ValueError, "expected non-negative integer"),
    ],
)
def test_wrong_arguments_are_not_the_files_fault(tmp_path, argument, error, message):
    with pytest.raises(error, match=message) as caught:
        load(write(tmp_path), **argument)
    assert not isinstance(caught.value, DataError)
