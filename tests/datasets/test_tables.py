"""CSV files: what is read from good ones, and what is said of bad ones."""

import gzip
import re
import time
from pathlib import Path

import numpy as np
import pytest

from fastbp.datasets import DataError, load


def refuses(path: Path, reason: str, **arguments: object) -> None:
    """Assert a one-line message with the path and the reason."""
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: .*(?:{reason})") as caught:
        load(path, **arguments)
    assert "\n" not in str(caught.value)


def csv(folder: Path, text: str | bytes, name: str = "data.csv") -> Path:
    content = text.encode() if isinstance(text, str) else text
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def everything(path: Path, **arguments: object) -> list[tuple[list[float], int]]:
    """Give every sample of both parts with its label, sorted."""
    return sorted(
        (sample.tolist(), int(label))
        for data in load(path, **arguments)
        for sample, label in zip(data.x, data.y, strict=True)
    )


ROWS = [([0, 255], 1), ([3, 4], 0), ([5, 6], 2)]


@pytest.mark.parametrize("name", ["data.csv", "data.csv.gz", "DATA.CSV"])
@pytest.mark.parametrize(
    "text",
    [
        "1,0,255\n0,3,4\n2,5,6\n",
        "1,0,255\n0,3,4\n2,5,6",
        "1,0,255\r\n0,3,4\r\n2,5,6\r\n",
        "\n1,0,255\n\n0,3,4\n2,5,6\n\n\n",
        "a,b,outcome\n0,255,1\n3,4,0\n5,6,2\n",
        "label,b,c\n1,0,255\n0,3,4\n2,5,6\n",
        "label,0,1\n1,0,255\n0,3,4\n2,5,6\n",
        "0,1,Class\n0,255,1\n3,4,0\n5,6,2\n",
        "a,target,b\n0,1,255\n3,0,4\n5,2,6\n",
        "a,b, y\n0,255,1\n3,4,0\n5,6,2\n",
        '"b","label","y"\n"0","1","255"\n3,0,4\n5,2,6\n',
        "\n\nlabel , b , c\n\n 1 , 0 , 255 \n0,3,4\n2,5,6\n",
        "\ufefflabel,b,c\n1,0,255\n0,3,4\n2,5,6\n",
    ],
)
def test_csv_with_and_without_header(tmp_path, text, name):
    path = csv(tmp_path, text, name)
    assert everything(path) == ROWS
    train, test = load(path)
    assert (len(train), len(test)) == (2, 1)
    assert train.x.dtype == np.uint8
    assert (train.classes, train.scale, train.image_shape) == (3, 1 / 255, None)
    assert load(path, scale=1)[0].scale == 1


def test_the_label_column_can_be_named(tmp_path):
    path = csv(tmp_path, "label,b,kind\n0,255,1\n3,4,0\n5,6,2\n")
    assert everything(path, label="kind") == ROWS
    assert everything(path, label=2) == ROWS
    assert everything(path, label=-1) == ROWS
    assert everything(path, label="2") == ROWS
    refuses(path, "no column 'sort'; the columns are label, b, kind", label="sort")
    refuses(path, "no column 3; the columns are 0 to 2", label=3)
    with pytest.raises(TypeError, match=r"label: expected a column's name or number, got 0\.5"):
        load(path, label=0.5)
    path = csv(tmp_path, "0,255,1\n3,4,0\n5,6,2\n")
    assert everything(path, label=-1) == ROWS
    refuses(path, "no header row, so no column 'kind'", label="kind")


@pytest.mark.parametrize(
    ("text", "samples"),
    [
        ("0,0.5,2\n1,3,-4\n", [([0.5, 2], 0), ([3, -4], 1)]),
        ("0,1.0,2\n1,3,4\n", [([1, 2], 0), ([3, 4], 1)]),
        ("0,256,2\n1,3,4\n", [([3, 4], 1), ([256, 2], 0)]),
        ("0,-1,2\n1.0,3,4\n", [([-1, 2], 0), ([3, 4], 1)]),
        ("0,1e2,2\n1,3,4\n", [([3, 4], 1), ([100, 2], 0)]),
    ],
)
def test_other_numbers_become_float32(tmp_path, text, samples):
    path = csv(tmp_path, text)
    assert everything(path) == samples
    assert load(path)[0].x.dtype == np.float32
    assert load(path)[0].scale == 1


def test_csv_of_pictures(tmp_path):
    x = np.arange(160, dtype=np.uint8).reshape(10, 16)
    lines = [",".join(map(str, [i, *row])) for i, row in enumerate(x)]
    train, test = load(csv(tmp_path, "\n".join(lines)))
    assert (train.image_shape, train.classes) == ((4, 4), 10)
    assert (train.x == x[train.y]).all()
    assert (test.x == x[test.y]).all()


BAD_TEXTS = [
    ("", "empty file"),
    ("a,b\n1,2\n2,3\n", r"which column is the label\? Pass label= .*; the columns are a, b"),
    ("\n\n", "empty file"),
    ("label,a,b\n", "no rows of data"),
    ("1,2,3\n", "expected at least 2 samples"),
    ("1\n2\n", "line 1: expected a label and features"),
    ("1;2;3\n4;5;6\n", "line 1: expected a label and features, separated by commas"),
    ("1,2,3\n1,2\n1,2,3\n", "line 2: 2 columns, expected 3 as in the first line"),
    ("1,2,3\n1,2,3,4\n", "line 2: 4 columns, expected 3"),
    ("label,a,b\n\n1,2,3\n1,2\n", "line 4: 2 columns, expected 3"),
    ("label,a\n1,2,3\n1,2,3\n", "line 2: 3 columns, expected 2"),
    ("1,2,3\n1,x,3\n", "line 2, column 2: 'x' is not a finite number"),
    ("label,a,b\r\n1,2,3\r\n\r\n1,2,NA\r\n", "line 4, column 3: 'NA' is not a finite number"),
    ("1,2,\n1,2,3\n", "line 1, column 3: '' is not a finite number"),
    ("5,NA,3\n1,2,3\n", "line 1, column 2: 'NA' is not a finite number"),
    ("1,2,3\n1,,3\n", "line 2, column 2: '' is not a finite number"),
    ("1,2,3\n1,nan,3\n", "line 2, column 2: 'nan' is not a finite number"),
    ("1,2,3\n1,2,-inf\n", "line 2, column 3: '-inf' is not a finite number"),
    ("nan,2,3\n1,2,3\n", "line 1, column 1: 'nan' is not a finite number"),
    ("1,2,3\n1,1e39,3\n", "line 2, column 2: '1e39' is not a finite number"),
    ("1,2,3\n1,1_0,3\n", "line 2, column 2: '1_0' is not a finite number"),
    ("1,2,3\n1,\uff11,3\n", "could not convert string"),
    (b"1,2,3\n1,\xff,3\n", "line 2, column 2: '\ufffd' is not a finite number"),
    ("1,2,3\n-1,2,3\n", "y: expected labels from 0, got -1 at index 1"),
    ("1,2,3\n1.5,2,3\n", "y: expected integer labels, got 1.5 at index 1"),
    ("1,2,3\n99999999,2,3\n", "y: label 99999999 at index 1 looks like no label"),
    ('1,"' + "2" * 200_000 + '",3\n1,2,3\n', "field larger than field limit"),
    ("1,2,3\n1," + "x" * 1000 + ",3\n", "line 2, column 2: 'x{59} is not a finite number"),
]


@pytest.mark.parametrize("name", ["data.csv", "data.csv.gz"])
@pytest.mark.parametrize(("text", "reason"), BAD_TEXTS, ids=range(len(BAD_TEXTS)))
def test_bad_csv(tmp_path, text, reason, name):
    refuses(csv(tmp_path, text, name), reason)


def test_broken_csv_gz(tmp_path):
    good = gzip.compress(b"1,2,3\n" * 100 + b"1,x,3\n")
    path = tmp_path / "data.csv.gz"
    for content, reason in [
        (good, "line 101, column 2: 'x' is not"),
        (good[:-10], "broken gzip file: .*end-of-stream"),
        (good[:-8] + b"1234" + good[-4:], "broken gzip file: CRC"),
        (good + b"garbage", "broken gzip file: Not a gzipped file"),
        (b"1,2,3\n1,2,3\n", "broken gzip file: Not a gzipped file"),
    ]:
        path.write_bytes(content)
        refuses(path, reason)


def test_a_table_of_the_size_of_mnist_takes_seconds(tmp_path):
    rng = np.random.default_rng(0)
    row = ",".join(map(str, rng.integers(0, 256, 784)))
    path = csv(tmp_path, "".join(f"{i % 10},{row}\n" for i in range(15_000)))  # a quarter of it
    start = time.perf_counter()
    train, test = load(path)
    assert time.perf_counter() - start < 5  # 0.3 seconds on an idle machine
    assert (len(train), len(test), train.image_shape) == (12858, 2142, (28, 28))
    assert ",".join(map(str, train.x[0])) == row


def test_two_columns_of_the_labels_name_are_refused(tmp_path):
    path = csv(tmp_path, "label,a,label\n0,255,1\n1,3,0\n")
    told = "columns 0 and 2 are both called 'label'; pass label=0, its number"
    refuses(path, told)
    refuses(path, told, label="label")
    assert everything(path, label=0) == [([3, 0], 1), ([255, 1], 0)]
    assert everything(path, label=2) == [([0, 255], 1), ([1, 3], 0)]
    assert everything(path, label="a", classes=256) == [([0, 1], 255), ([1, 0], 3)]
    path = csv(tmp_path, "Label,a,LABEL\n0,255,1\n1,3,0\n")
    refuses(path, "columns 0 and 2 are both called 'label'")
    assert everything(path, label="LABEL") == [([0, 255], 1), ([1, 3], 0)]
    path = csv(tmp_path, "a,a,label\n0,255,1\n3,4,0\n")  # features may share a name
    assert everything(path) == [([0, 255], 1), ([3, 4], 0)]


def test_a_header_of_the_columns_numbers_is_no_sample(tmp_path):
    path = csv(tmp_path, "0,1,2\n1,0.5,255\n0,3,4\n")
    assert everything(path) == [([0.5, 255], 1), ([3, 4], 0)]
    assert everything(csv(tmp_path, "0,1,2\n1,3,4\n")) == [([1, 2], 0), ([3, 4], 1)]


def test_quotes_join_lines_of_a_header_only(tmp_path):
    path = csv(tmp_path, '"la\nbel","b",c""\n\n"1",0,255\n0,"3","4"\n2,5,6\n')
    assert everything(path, label=0) == ROWS
    refuses(csv(tmp_path, '1,2\n3,"4\n5"\n'), "line 3, column 2: '4.n5' is not a finite number")
