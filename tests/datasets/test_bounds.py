"""Files made to fill the memory are refused before they do, and what may be meant can be asked for.

The files are small versions: what is allowed without being asked for is lowered to a megabyte.
"""

import gzip
import io
import re
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

import fastbp as fb
from fastbp.datasets import MOST_BYTES, DataError, _files, load

MEGABYTE = 1 << 20
TO_SET = r"if they are meant, set most_bytes= of fb\.datasets\.load or FASTBP_MOST_BYTES$"


@pytest.fixture
def one_megabyte(monkeypatch):
    monkeypatch.setattr(_files, "ALWAYS_BYTES", MEGABYTE)


def refuses(path: Path, reason: str, named: Path | None = None, **arguments: object) -> None:
    """Assert one line with path and reason, soon, and with the memory of a small file."""
    tracemalloc.start()
    start = time.perf_counter()
    try:
        named = re.escape(str(named or path))
        with pytest.raises(DataError, match=f"^{named}: {reason}") as caught:
            load(path, **arguments)
        assert "\n" not in str(caught.value)
        assert time.perf_counter() - start < 2  # a tenth of a second on an idle machine
        assert tracemalloc.get_traced_memory()[1] < 45 * MEGABYTE
    finally:
        tracemalloc.stop()


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def test_the_bound_without_being_asked():
    assert MOST_BYTES == fb.datasets.MOST_BYTES == 4 * 2**30
    bound = _files.Bound()
    assert bound.of() == 4 * 2**30  # of a file that is not compressed
    assert bound.of(10_000) == 100 * 2**20  # a small compressed one
    assert bound.of(10**6) == 200 * 10**6
    assert bound.of(10**9) == 4 * 2**30


# CSV


LONG_ROW = r"a row of more than 4,000,000 characters; .* 100,000 columns; save wider data as \.npz$"
JOINED = "quotes join more than 131,072 characters$"


@pytest.mark.parametrize("name", ["data.csv", "data.csv.gz"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"1,2\n3,4\n5," + b" " * 6_000_000 + b"6\n", f"line 3: {LONG_ROW}"),
        (b"," * 6_000_000, f"line 1: {LONG_ROW}"),
        (b"1,2\r3," + b"4" * 6_000_000 + b"\r", f"line 2: {LONG_ROW}"),
        (b"," * 3_000_000, "line 1: 3,000,001 columns, expected at most 100,000; save wider"),
        (b"0" + b",0" * 100_000 + b"\n", "line 1: 100,001 columns, expected at most 100,000"),
        (b'1,"' + b"2" * 200_000 + b'"\n', r"line 1: field larger than field limit \(131072\)"),
        (b'1,2\n3,"' + b"\n" * 150_000 + b'"\n', f"line 131071: {JOINED}"),
        (b'1,2\n3,"' + b"\n".join([b"9" * 9] * 15_000) + b'"\n', f"line 13108: {JOINED}"),
        (b"\n" * 900_000, "empty file$"),
        (b"\r\n" * 900_000, "empty file$"),
        (b"\n" * 6_000_000 + b"1,2\n", "its first 1,048,576 lines are blank; remove them$"),
        (b"\r\n" * 6_000_000 + b"1,2\n", "its first 1,048,576 lines are blank; remove them$"),
    ],
    ids=range(12),
)
def test_long_rows_and_blank_lines(tmp_path, name, content, reason):
    refuses(write(tmp_path / name, content), reason)


def test_a_million_blank_lines_around_a_few_rows(tmp_path):
    path = write(tmp_path / "data.csv.gz", b"1,2\n" + b"\n" * 1_500_000 + b"0,4\n")
    refuses(path, "most of its 1,500,003 lines are blank; remove them$")
    path = write(tmp_path / "spaced.csv", b"1,2\n\n" * 2000)  # as some programs write it
    assert len(load(path)[0]) == 1715


def test_rows_as_long_as_they_may_be(tmp_path):
    row = ",".join(["-1.2345678901234567e-100"] * 99_999)
    train, test = load(write(tmp_path / "wide.csv", f"0,{row}\n1,{row}\n".encode()))
    assert train.features == test.features == 99_999
    assert {*train.y, *test.y} == {0, 1}


@pytest.mark.parametrize("unit", [b"\n", b"1,2\n"])
def test_text_that_unpacks_to_too_much(one_megabyte, tmp_path, unit):
    path = write(tmp_path / "data.csv.gz", b"1,2\n" + unit * (4 * MEGABYTE // len(unit)))
    packed = path.stat().st_size
    most = max(MEGABYTE, 200 * packed)
    told = rf"[0-9,]+ bytes of data \(from {packed:,} compressed ones\) are more than the {most:,}"
    refuses(path, f"{told} allowed; {TO_SET}")


def test_text_that_unpacks_to_much_but_was_asked_for(one_megabyte, tmp_path, monkeypatch):
    path = write(tmp_path / "data.csv.gz", b"1,2\n0,5\n" * 200_000)
    refuses(path, f"[0-9,]+ bytes of data .* {TO_SET}")
    assert len(load(path, most_bytes=10**8)[0]) == 342_858
    refuses(path, ".* more than the 1,000 allowed", most_bytes=1000)
    monkeypatch.setenv("FASTBP_MOST_BYTES", "100000000")
    assert len(load(path)[0]) == 342_858
    refuses(path, ".* more than the 1,000 allowed", most_bytes=1000)
    monkeypatch.setenv("FASTBP_MOST_BYTES", "1000")
    refuses(path, ".* more than the 1,000 allowed")


def test_a_table_that_parses_to_too_much(tmp_path):
    path = write(tmp_path / "data.csv", b"0,1.,2.\n1,3.,4.\n" * 100)  # 600 float64 in 1600 bytes
    assert len(load(path, most_bytes=4824)[0]) == 172
    refuses(path, r"4,824 bytes of data are more than the 4,823 allowed; if", most_bytes=4823)
    path = write(tmp_path / "data.csv", b"0,1,2\n1,3,4\n" * 100)  # 600 uint8
    assert len(load(path, most_bytes=600)[0]) == 172
    refuses(path, "600 bytes of data are more than the 599 allowed", most_bytes=599)


def test_the_variable_does_not_concern_what_the_package_has(monkeypatch):
    monkeypatch.setenv("FASTBP_MOST_BYTES", "1000")
    assert len(fb.datasets.mnist()[0]) == 60_000


@pytest.mark.parametrize("text", ["-1", "1e9", "many", "1" * 20])
def test_the_variable_that_is_no_number(tmp_path, monkeypatch, text):
    monkeypatch.setenv("FASTBP_MOST_BYTES", text)
    message = f"FASTBP_MOST_BYTES: expected a whole number of bytes, got '{text}'"
    with pytest.raises(ValueError, match=message) as caught:
        load(write(tmp_path / "data.csv", b"0,1\n1,2\n"))
    assert not isinstance(caught.value, DataError)


@pytest.mark.parametrize(("most", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError)])
def test_an_argument_that_is_no_number(tmp_path, most, error):
    with pytest.raises(error, match=f"most_bytes: expected .*, got {most}"):
        load(write(tmp_path / "data.csv", b"0,1\n1,2\n"), most_bytes=most)


# IDX


def idx(folder: Path, labels: int, shape: tuple[int, int, int], images: int) -> Path:
    """Write headers that promise so much, and so many zeros."""
    for name, head, size in (
        ("train-labels-idx1-ubyte.gz", (0x801, labels), labels),
        ("train-images-idx3-ubyte.gz", (0x803, *shape), images),
    ):
        write(folder / name, struct.pack(f">{len(head)}I", *head) + bytes(size))
    return folder


def test_both_headers_are_read_before_anything_else(tmp_path):
    folder = idx(tmp_path, 8_000_000, (3, 5, 5), 75)
    labels, images = (folder / f"train-{name}-ubyte.gz" for name in ("labels-idx1", "images-idx3"))
    refuses(folder, f"8000000 labels, but 3 images in {images}$", labels)


def test_images_that_the_file_cannot_hold(tmp_path):
    folder = idx(tmp_path, 8_000_000, (2**32 - 1,) * 3, 75)
    path = folder / "train-images-idx3-ubyte.gz"
    packed = path.stat().st_size
    refuses(
        folder,
        f"truncated: the header promises {(2**32 - 1) ** 3} bytes, but {packed} compressed ones "
        f"cannot hold more than {1032 * packed}$",
        path,
    )


def test_idx_files_that_unpack_to_too_much(one_megabyte, tmp_path):
    folder = idx(tmp_path, 200_000, (200_000, 5, 5), 5_000_000)
    refuses(folder, f"1,600,000 bytes of data .* {TO_SET}", folder / "train-labels-idx1-ubyte.gz")
    folder = idx(tmp_path, 50_000, (50_000, 10, 10), 5_000_000)
    refuses(folder, f"5,000,000 bytes of data .* {TO_SET}", folder / "train-images-idx3-ubyte.gz")
    train, test = load(folder, most_bytes=5_000_000)
    assert (len(train), len(test), train.x.max()) == (42_858, 7_142, 0)


# NPZ


def npz(path: Path, x: np.ndarray, y: np.ndarray) -> Path:
    np.savez_compressed(path, x=x, y=y)
    return path


@pytest.mark.parametrize(
    ("dtype", "kept"), [("uint8", 4), ("int8", 16), ("float16", 16), ("float32", 16)]
)
def test_npz_files_that_unpack_to_too_much(one_megabyte, tmp_path, dtype, kept):
    """What counts is the memory of the samples: int8, for one, become float32."""
    x = np.zeros((4000, 1000), dtype)
    path = npz(tmp_path / "zeros.npz", x, np.arange(4000) % 2)
    refuses(path, rf"{kept},000,000 bytes of data \(from .* {TO_SET}", Path(f"{path}: x"))
    assert load(path, most_bytes=kept * 10**6)[0].x.nbytes == kept * 857_250


def test_npz_labels_count_as_int64(one_megabyte, tmp_path):
    path = npz(tmp_path / "zeros.npz", np.zeros((10**6, 1), np.uint8), np.zeros(10**6, np.uint8))
    refuses(path, f"8,000,000 bytes of data .* {TO_SET}", Path(f"{path}: y"))


def test_an_npz_header_that_promises_what_deflate_cannot_do(tmp_path):
    header = io.BytesIO()
    described = {"descr": "|u1", "fortran_order": False, "shape": (10**6, 10**6)}
    np.lib.format.write_array_header_1_0(header, described)
    path = npz(tmp_path / "a.npz", np.zeros((9, 9), np.uint8), np.arange(9) % 2)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key in ("x", "y"):
            archive.writestr(f"{key}.npy", header.getvalue() + bytes(81))
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")  # where the archive's list says how long x is
    size = len(header.getvalue()) + 10**12
    packed = struct.unpack_from("<I", data, entry + 20)[0]
    struct.pack_into("<I", data, entry + 24, min(size, 2**32 - 2))
    path.write_bytes(data)
    refuses(path, "truncated: the header promises 1000000000000 bytes", Path(f"{path}: x"))
    assert packed < 200
