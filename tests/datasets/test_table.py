"""Tables: what each column becomes, what is guessed, and what is said of what cannot be learned."""

import contextlib
import gzip
import json
import math
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fastbp as fb
from fastbp.datasets import DataError, Table, fit_table, table


def write(folder: Path, text: str | bytes, name: str = "data.csv", encoding: str = "utf-8") -> Path:
    content = text if isinstance(text, bytes) else text.encode(encoding)
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def columns(data: fb.datasets.Dataset) -> dict[str, list[float]]:
    """The encoded columns by their names."""
    return {
        name: data.x[:, place].astype(float).round(5).tolist()
        for place, name in enumerate(data.table.features)
    }


# What becomes of columns


PEOPLE = """\
id,name,age,city,member,born,country,income
3,Ann,20,Rome,yes,2000-01-01,IT,low
9,Bob,30,Oslo,no,2000-01-03,IT,high
5,Cid,,Rome,yes,2000-03-02,IT,low
8,Dan,40,,yes,2000-01-01,IT,low
7,Eve,1000030,Bonn,,,IT,high
"""


def smooth(z: float) -> float:
    return round(z / (1 + z * z / 9) ** 0.5, 5)


def test_each_kind_of_column_is_encoded_as_said(tmp_path):
    data = table(write(tmp_path, PEOPLE), label="income", drop="name")
    median, spread = 35, 250037.5 - 27.5
    days = [0, 2, 61, 0]  # from the first, with 1 in the middle and a spread of 16.75
    assert columns(data) == {
        "age": [*(smooth((age - median) / spread) for age in (20, 30, 35, 40, 1000030))],
        "age missing": [0, 0, 1, 0, 0],
        "city = Bonn": [0, 0, 0, 0, 1],
        "city = Oslo": [0, 1, 0, 0, 0],
        "city = Rome": [1, 0, 1, 1, 0],  # of the gap too, for Rome is the most frequent
        "city = other": [0, 0, 0, 0, 0],
        "city missing": [0, 0, 0, 1, 0],
        "member = yes": [1, 0, 1, 1, 1],
        "member missing": [0, 0, 0, 0, 1],
        "born days": [*(smooth((day - 1) / 16.75) for day in days), 0],
        "born month": [0, 0, smooth(2 / 0.5), 0, 0],
        "born day": [*(smooth((day - 1.5) / 1.25) for day in (1, 3, 2, 1)), 0],
        "born weekday": [*(smooth((day - 4) / 2.75) for day in (5, 0, 3, 5)), 0],
        "born missing": [0, 0, 0, 0, 1],
    }
    assert data.y.tolist() == [1, 0, 1, 1, 0]
    assert data.table.label.names == ("high", "low")
    assert data.table.left_out == {
        "id": "an index or id: a different whole number in each row",
        "name": "as it was asked for",
        "country": "the same in all rows: IT",
    }
    assert (data.x.dtype, data.classes, data.values) == (np.float32, 2, False)


def test_numbers_whose_middle_half_is_one_value_are_divided_by_half_their_range(tmp_path):
    frame = {"a": [0, 0, 0, 0, 4], "b": [1, 2, 3, 4, 5], "label": [0, 1, 0, 1, 0]}
    data = table(frame)
    assert columns(data) == {
        "a": [0, 0, 0, 0, smooth(4 / 2)],
        "b": [*(smooth(z) for z in (-1, -0.5, 0, 0.5, 1))],
    }


def test_rare_words_share_the_place_of_those_never_seen():
    words = [f"w{n:03}" for n in range(100) for _ in range(2)] + [f"rare{n}" for n in range(50)]
    data = table({"a": words, "label": np.arange(250) % 2})
    assert data.features == 101
    assert data.table.features[-1] == "a = other"
    assert (data.x.sum(axis=1) == 1).all()
    assert data.x[:, -1].sum() == 50
    new = data.table.encode(pd.DataFrame({"a": ["never", "w001", None]}))
    assert new.argmax(axis=1).tolist() == [100, 1, 0]


def test_values_are_standardised():
    data = table({"a": [1, 2, 3, 4], "price": [100.5, 200, 300, 400]}, label="price")
    assert data.values
    assert data.y == pytest.approx(
        (np.array([100.5, 200, 300, 400]) - 250.125) / np.std([100.5, 200, 300, 400])
    )
    assert data.table.label.decode(data.y) == pytest.approx([100.5, 200, 300, 400])


@pytest.mark.parametrize(
    ("cells", "values", "found"),
    [
        (["b", "a", "b", "a"], None, ("a", "b")),
        ([True, False, True, False], None, (False, True)),
        ([3, 1, 3, 1], None, (1, 3)),
        ([3.0, 1.0, None, 1.0], None, (1, 3)),
        ([3.5, 1, 2, 1], None, "values"),
        ([3, 4, 5, 6], None, "values"),
        ([3, 4, 5, 6], False, (3, 4, 5, 6)),
        ([3, 1, 3, 1], True, "values"),
        (["1", "2", "1", "2"], None, ("1", "2")),
    ],
)
@pytest.mark.filterwarnings("ignore:1 of 4 rows have no 'y'")
def test_what_the_label_is(cells, values, found):
    label = table({"a": [1.5, 2, 7, 4], "y": cells}, values=values).table.label
    assert (label.names if label.kind == "classes" else "values") == found


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("a", [*range(30)], "left out"),  # the first column counts the rows
        ("a", [*range(5, 35)], "number"),
        ("user_id", [*range(40, 70)], "left out"),
        ("userId", [*range(40, 70)], "left out"),
        ("paid", [*range(40, 70)], "number"),
        ("Unnamed: 0", [*range(40, 70)], "left out"),
        ("a", [f"k{n}" for n in range(30)], "left out"),
        ("a", [f"k{n % 9}" for n in range(30)], "category"),
        ("a", ["x"] * 29 + [None], "category"),
        ("a", ["x"] * 15 + ["y"] * 15, "yes/no"),
        ("a", [True] * 15 + [False] * 15, "yes/no"),
        ("a", ["1", " 2 ", "?"] * 10, "number"),
        ("a", ["31.12.2024", "1.2.2023 12:30"] * 15, "date"),
        ("a", ["12/31/24", "1/2/23", "2/1/22"] * 10, "date"),
        ("a", [pd.Timestamp(2024, 1, 1 + n) for n in range(30)], "date"),
        ("a", [None] * 30, "left out"),
        ("a", [7] * 30, "left out"),
    ],
)
def test_what_a_column_is_taken_for(name, cells, kind):
    frame = {name: cells, "b": np.arange(30) % 7, "label": np.arange(30) % 2}
    found = table(frame).table
    kinds = {column.name: column.kind for column in found.columns}
    assert kinds.get(name, "left out") == kind
    assert (name in found.left_out) == (kind == "left out")


def test_days_come_first_where_points_are():
    column = ["1.2.2024", "3.4.2024", "1/2/2024", "25/4/2024"]
    for cells, month in ((column[:2], [2, 4]), (["1/2/2024", "25/4/2024"], [2, 4])):
        frame = {"d": cells * 2, "label": [0, 1, 1, 0]}
        (found,) = (c for c in table(frame).table.columns if c.name == "d")
        assert found.centers[found.parts.index("month")] == np.mean(month)


def test_guesses_can_be_overridden():
    frame = {
        "id": range(30),
        "zip": [1, 2, 3] * 10,
        "n": ["1", "2", "x"] * 10,
        "label": [0, 1] * 15,
    }
    data = table(frame, number="id", category=["zip", 2])
    kinds = {column.name: column.kind for column in data.table.columns}
    assert kinds == {"id": "number", "zip": "category", "n": "category"}
    assert data.table.columns[1].words == ("1", "2", "3")
    for wrong, message in (
        ({"drop": "label"}, "drop: 'label' is the label"),
        ({"drop": "zip", "number": "zip", "category": "n"}, "number: 'zip' is named twice"),
        ({"drop": "zap"}, "drop: there is no column 'zap'; did you mean 'zip'?"),
        ({"number": "n"}, "column 'n': expected numbers, got 'x' in row 3, 'x' in row 6, 'x' in"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            table(frame, **wrong)


def test_what_was_guessed_is_told_in_a_table(tmp_path):
    told = str(table(write(tmp_path, PEOPLE), label="income", drop="name").table).splitlines()
    assert told[0].split() == ["column", "taken", "as"]
    assert "age      number    median 35, spread 250010; some missing" in told
    assert "member   yes/no    no is 0, yes is 1; some missing" in told
    assert "id       left out  an index or id: a different whole number in each row" in told
    assert told[-1] == "income   label     2 classes: high, low"


# Files


SAME = "a;b;c\n1,5;rot;ja\n2,5;grün;nein\n3,25;rot;ja\n"


@pytest.mark.parametrize(
    ("text", "name", "encoding"),
    [
        (SAME, "data.csv", "utf-8"),
        (SAME, "DATA.CSV", "cp1252"),
        (SAME, "data.csv.gz", "utf-8-sig"),
        (SAME, "data.txt", "utf-16"),
        (SAME.replace("\n", "\r\n"), "data.csv", "utf-8"),
        (SAME.replace(",", ".").replace(";", ","), "data.csv", "utf-8"),
        (SAME.replace(",", ".").replace(";", "\t"), "data.tsv", "utf-8"),
        (SAME.replace(",", ".").replace(";", "|"), "data.csv", "utf-8"),
        ('"a", "b" ,c\n1.5 , "rot",ja\n2.5,grün, "nein"\n3.25,rot,ja\n', "data.csv", "utf-8"),
    ],
)
def test_files_of_text(tmp_path, text, name, encoding):
    data = table(write(tmp_path, text, name, encoding), label="c")
    assert columns(data) == {
        "a": [smooth(-1 / 0.875), 0, smooth(0.75 / 0.875)],
        "b = rot": [1, 0, 1],
    }
    assert data.table.label.names == ("ja", "nein")


@pytest.mark.parametrize(
    ("cells", "center"),
    [
        (["1.001,5", "2,5", "3,25"], 3.25),
        (["1.001", "2.500", "3,25"], 1001),  # one comma tells what points are
        (["1.486,43 €", "-7,5 €", "0,5 €"], 0.5),
        (["3", "2.5", "1,000.25"], 3),  # a point alone, whatever stands between cells
        (["1,234", "$2,500.50", "($3)"], 1234),
        (["12 %", "50%", "0"], 12),
        (["USD 7", "1'234", "−3"], 7),
        (["1 234,5", "12 345", "7"], 1234.5),
        (["70,5 kg", "60 kg", "100kg"], 70.5),
        (["20 °C", "-3,5 °C", "7"], 7),
        (["12:30", "0:15", "23:00"], 12.5),
        (["1:05 PM", "12:15 am", "11:45 a.m."], 11.75),
        (["1:02:03", "0:59:30", "2:30:00"], 1 + 2 / 60 + 3 / 3600),
    ],
)
def test_numbers_as_people_write_them(tmp_path, cells, center):
    rows = "".join(f"{cell};x\n{cell};y\n" for cell in cells)
    (column,) = table(write(tmp_path, "a;label\n" + rows)).table.columns
    assert (column.kind, column.center) == ("number", center)


@pytest.mark.parametrize("cells", [["5 €", "5 $"], ["5 %", "0.5"], ["(5", "5)"], ["5 kg", "5 lb"]])
def test_what_is_no_number_in_a_frame_is_none(cells):
    (column,) = table({"a": [*cells, "b"] * 2, "label": ["x", "y"] * 3}).table.columns
    assert column.kind == "category"


@pytest.mark.parametrize("cell", ["1000.25", "1.000,25 €"])
def test_each_column_has_its_decimal_sign_and_its_unit(tmp_path, cell):
    rows = '"523,17 €","$1,234.50",1:30,x\n"7,5 €","$3",2:00,y\n"1.000,25 €","$9",2:15,x\n'
    found = table(write(tmp_path, "a,b,c,label\n" + rows)).table
    assert Table.from_data(json.loads(json.dumps(found.as_data()))) == found
    a, b, c = found.columns
    assert [(each.unit, each.decimal) for each in (a, b, c)] == [
        *(("€", ","), ("$", "."), ("h:mm", "."))
    ]
    assert [each.center for each in (a, b, c)] == [523.17, 9, 2]
    assert (a.said(), c.said()) == (
        "median 523.17 €, spread 496.375 €",
        "median 2 h, spread 0.375 h",
    )
    encoded = a.encode(pd.Series([cell], name="a"))[0, 0]
    assert encoded == pytest.approx(smooth((1000.25 - 523.17) / 496.375), abs=1e-4)
    for column, other in ((a, "$7"), (b, "7 €"), (c, "1:30:00")):
        with pytest.raises(ValueError, match=re.escape(f"expected numbers in {column.unit}")):
            column.encode(pd.Series([other], name=column.name))


def test_a_label_keeps_its_unit(tmp_path):
    found = table(write(tmp_path, "a;y\n1,5;1,50 €\n2;2,25 €\n3;7 €\n"), values=True).table
    assert found.label.said() == "values: mean 3.58333 €, standard deviation 2.43527 €"
    with pytest.raises(ValueError, match=r"column 'y': expected numbers in €, got '\$4' in row 1"):
        found.dataset({"a": [1], "y": ["$4"]})


@pytest.mark.parametrize(
    ("above", "warns"),
    [("sep=;\n", False), ("# made, on a day\n\n# by: me\n", True), ("Prices of May\n", True)],
)
def test_lines_above_a_table(tmp_path, above, warns):
    path = write(tmp_path, above + SAME, "data.csv", "utf-16-le")
    told = "the first lines are no rows of its table"
    with pytest.warns(UserWarning, match=told) if warns else contextlib.nullcontext():
        data = table(path, label="c")
    assert columns(data)["b = rot"] == [1, 0, 1]


def test_doubts_are_told():
    n = np.arange(60)
    frame = {
        "word": np.where(n % 3, "red", np.where(n % 2, "Red ", "blue")),
        "weight": [f"{k}.5 {'kg' if k % 2 else 'lb'}" for k in n],
        "paid": np.where(n % 2, "late", "in time"),
        "day": [f"2024-05-{1 + k % 31:02d}" if k % 2 else None for k in n],
        "fair": n % 7,
        "label": np.where(n % 2, "yes", "no"),
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table(frame)
    told = "\n".join(sorted(str(each.message) for each in caught))
    assert re.fullmatch(
        "column 'paid' alone says the label of each row: .*--drop paid.*\n"
        "column 'weight': its numbers are in kg and lb, .*\n"
        "column 'word': 'Red' and 'red' are different words here; .*\n"
        "whether column 'day' is missing says the label of each row: .*",
        told,
    )
    with pytest.warns(UserWarning, match="column 'b' is the label in another unit"):
        table({"a": n % 7, "b": 3 - 2.5 * n, "label": n + 0.5})


def test_points_in_dates_are_none_between_thousands(tmp_path):
    text = "a;day;host;label\n1,5;22.12.2019;10.0.0.1;x\n2,5;1.2.2020;10.0.0.2;y\n"
    day, host = table(write(tmp_path, text + "7;3.2.2020;10.0.0.1;y\n")).table.columns[1:]
    assert (day.kind, day.centers[0]) == ("date", 18293)  # 2020-02-01
    assert host.words == ("10.0.0.1", "10.0.0.2")


def test_dates_with_names_of_months_and_halves_of_days(tmp_path):
    for cells, first in (
        (["31 May 2024", "1 June 2024", "2-Jun-2024"], 19875.0),
        (["May 31, 2024", "June 1, 2024 12:00", "Jun 2 2024"], 19875.5),
        (["5/31/2024 1:00 PM", "6/1/2024 1:00 AM", "6/2/2024 1:00:00 pm"], 19875 + 1 / 24),
    ):
        (column,) = table({"day": cells * 2, "label": [*"xyxxyx"]}).table.columns
        assert (column.kind, column.centers[0]) == ("date", pytest.approx(first))


def test_lengths_of_time_are_days_and_months_begin():
    frame = {
        "a": pd.to_timedelta([1, 12, 36], unit="h"),
        "b": pd.period_range("2024-01", None, 3, "M"),
    }
    a, b = table({**frame, "label": [*"xyx"]}).table.columns
    assert (a.kind, a.center, b.kind, b.centers[0]) == ("number", 0.5, "date", 19754)  # 2024-02-01


def test_a_spreadsheet_s_blank_columns_are_none(tmp_path):
    data = table(write(tmp_path, "a,label,,\n1.5,x,,\n2,y,,\n"))
    assert (data.table.features, data.table.left_out) == (["a"], {})
    with pytest.raises(DataError, match="columns 2 and 3 are both called ''"):
        table(write(tmp_path, "label,,\nx,1,2\ny,3,4\n"))


def test_what_is_told_of_a_table_stays_on_its_lines():
    data = table({"a\n\x1b[2J": ["x\ny", "z", "w"], "label": [*"xyx"]})
    assert str(data.table).splitlines()[1].split()[0] == r"a\n\x1b[2J"
    assert r"3 words: w, x\ny, z" in str(data.table)


def test_truths_are_those_words_and_0_and_1(tmp_path):
    frame = pd.DataFrame({"a": [True, False, True, None], "label": [*"xyxy"]})
    found = table(frame.astype({"a": "boolean"}))
    assert columns(found) == {"a = True": [1, 0, 1, 1], "a missing": [0, 0, 0, 1]}
    for cells in ([1, 0, 1, None], ["TRUE", "false", "true", ""], [1.0, 0.0, 1.0, np.nan]):
        assert (found.table.encode(frame.assign(a=cells)) == found.x).all()
    with pytest.warns(UserWarning, match="column 'a' was False or True, and is neither in any row"):
        found.table.encode(frame.assign(a="yes"))


def test_other_libraries_tables(tmp_path):
    polars = pytest.importorskip("polars")
    frame = pd.DataFrame({"a": [1.5, 2, None], "b": ["x", "y", "x"], "label": ["p", "q", "p"]})
    expected = table(frame)
    pytest.importorskip("pyarrow")
    frame.to_parquet(tmp_path / "data.parquet")
    for other in (polars.DataFrame(frame), tmp_path / "data.parquet", frame.set_axis([7, 8, 9])):
        assert (table(other).x == expected.x).all()


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ("0,1,2\n1,2.5,3\n1,2.5,0\n0,3.5,1\n", ["0", "1", "2"], 3),  # a header of numbers
        ("1,2.5,3\n1,2.5,0\n0,3.5,1\n", ["0", "1", "2"], 3),
        ("5.1,3,Iris-setosa\n4.9,7,Iris-setosa\n5,3,Iris-virginica\n", ["0", "1", "2"], 3),
        ("label,0,1\n5.1,3,1\n4.9,7,1\n5,3,2\n", ["label", "0", "1"], 3),
        ("a,b,c\nx,y,1\nz,y,2\nx,y,4\n", ["a", "b", "c"], 3),
        ("1,,x\n2,3,y\n3,3,x\n", ["0", "1", "2"], 3),
    ],
)
def test_headers(tmp_path, text, names, rows):
    label = names[-1]
    data = table(write(tmp_path, text), label=label)
    found = data.table
    known = {column.name for column in found.columns} | {*found.left_out, label}
    assert (known, len(data)) == ({*names}, rows)


BAD = [
    ("", "empty file"),
    ("\n\n", "empty file"),
    ("a,label\n", "no rows of data"),
    ("a,label\n1,x\n", "expected at least 2 rows, got 1"),
    ("a,label\n1,x\n2,x\n", "label 'label': one class alone, 'x': nothing to learn"),
    ("a,label\n1,\n2,\n", "label 'label': missing in all rows"),
    ("a,label\n,1\n,2\n", r"no column is left to learn from \(a: empty\)"),
    ("a,label,a\n1,2,3\n2,1,3\n", "columns 1 and 3 are both called 'a'; rename one"),
    ("age,income\n1,2\n3,4\n", r"which column is the label\? .*--label.* are 'age', 'income'"),
    ("label\n1\n2\n", "no column is left to learn from"),
    ("a,label\n1,x\n2,y\nfoo,y\n3,x\n", "column 'a': numbers, but 'foo' in row 3; correct those"),
    ("a,label\n1,x\ninf,y\n2,y\n", "column 'a': expected finite numbers, got 'inf' in row 2"),
    ("a,label\n1,x\n1e300,y\n2,y\n", "expected numbers up to 1e.150, got '1e.?300' in row 2"),
    ("a,label\n1,2\n2,3,4\n3,4\n", "line 3 has 3 cells, expected 2 as in the rows above"),
    ('a,label\n1,x\n"2,y\n3,x\n', "a quote is opened in row 2, and not closed"),
    ("a,label\n1,2,7\n2,3,4\n", "rows have more cells than there are columns"),
    (b"\x89PNG\r\n\0\0\0\rIHDR", "no file of text"),
    (
        "t,label\n" + "".join(f"a long review of number {n},{n % 2}\n" for n in range(9)),
        r"column 't': free text, as .*leave it out \(drop='t', --drop t\)",
    ),
    (
        "a,label\n" + "".join(f"{n},w{n}\n" for n in range(3000)),
        "label 'label': 3,000 different classes in 3,000 rows; if it is a number",
    ),
    (
        "a,label\n" + "".join(f"{n},w{n}\n" for n in range(30)),
        "label 'label': 30 different classes in 30 rows; if it is a number",
    ),
]


@pytest.mark.parametrize(("text", "reason"), BAD, ids=range(len(BAD)))
def test_bad_tables_are_refused_in_a_line(tmp_path, text, reason):
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: .*{reason}") as caught:
        table(path)
    assert "\n" not in str(caught.value)


def test_what_is_no_table(tmp_path):
    with pytest.raises(DataError, match=r"expected a \.csv, \.tsv or"):
        table(tmp_path, label="a")
    with pytest.raises(FileNotFoundError):
        table(tmp_path / "no.csv", label="a")
    with pytest.raises(DataError, match="broken Parquet file"):
        table(write(tmp_path, b"PAR1 and no more", "data.parquet"), label="a")
    path = write(tmp_path, b"no gzip", "data.bin").rename(tmp_path / "data.csv.gz")
    with pytest.raises(DataError, match="broken gzip file"):
        table(path, label="a")
    with pytest.raises(TypeError, match="expected a file's path or a DataFrame, got ndarray"):
        table(np.zeros((3, 3)))
    path = write(tmp_path, PEOPLE)
    with pytest.raises(DataError, match="no column 'Income'; did you mean 'income'"):
        table(path, label="Income")


def test_short_rows_cannot_fill_the_memory(tmp_path):
    path = write(tmp_path, "a" + ",a" * 50_000 + "\n" + "1\n" * 100_000, "data.csv.gz")
    with pytest.raises(DataError, match=r"bytes of data .* are more than the"):
        table(path, label="a")
    path = write(tmp_path, PEOPLE)
    with pytest.raises(DataError, match="are more than the 200 allowed"):
        table(path, label="income", drop="name", most_bytes=200)


def test_rows_without_label_are_left_out_and_rows_keep_their_numbers():
    frame = pd.DataFrame({"a": [1, 2, 3, 4], "label": ["x", None, "y", "x"]})
    with pytest.warns(UserWarning, match="1 of 4 rows have no 'label'"):
        assert len(table(frame)) == 3
    frame["a"] = ["1", "2", "3", "oops"]
    with (
        pytest.warns(UserWarning, match="1 of 4"),
        pytest.raises(ValueError, match="'oops' in row 4"),
    ):
        table(frame)


# In a model


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of a table, its file and the table."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "a": rng.normal(size=60),
            "b": rng.choice(["x", "y", "z", None], 60),
            "when": pd.date_range("2024-01-01", periods=60).astype(str),
            "flag": rng.choice(["no", "yes"], 60),
            "kind": rng.choice(["p", "q", "r"], 60),
        }
    )
    data = table(frame, label="kind")
    net = fb.Sequential(fb.Linear(data.features, 8), fb.Tanh(), fb.Linear(8, 3))
    fb.fit(net, data, epochs=3)
    path = tmp_path_factory.mktemp("table") / "model.safetensors"
    net.save(path)
    return net, path, frame


def test_a_model_predicts_names_from_tables(trained):
    net, path, frame = trained
    loaded = fb.load(path)
    assert loaded.table == net.table == net.copy().table
    assert net[:2].table is None
    names, chances = loaded.predict(frame), loaded.predict_proba(frame.set_axis([*"ab"] * 30))
    assert list(chances.columns) == ["p", "q", "r"]
    assert list(chances.index) == [*"ab"] * 30
    expected = net.predict_proba(net.table.encode(frame.drop(columns="kind")))
    assert (chances.to_numpy() == expected).all()
    assert (names == np.array([*"pqr"])[expected.argmax(axis=1)]).all()
    data = net.table.dataset(frame)
    assert fb.evaluate(loaded, data).accuracy == (names == frame["kind"]).mean()


def test_rows_are_also_a_file_or_a_mapping_of_columns(trained, tmp_path):
    net, _, frame = trained
    frame.to_csv(tmp_path / "rows.csv", index=False)
    expected = net.predict_proba(frame)
    for rows in (tmp_path / "rows.csv", str(tmp_path / "rows.csv"), dict(frame)):
        assert (net.predict(rows) == net.predict(frame)).all()
        assert (net.predict_proba(rows) == expected).all(axis=None)
        assert (fb.Ensemble([net]).predict(rows) == net.predict(frame)).all()
    assert net.predict(dict(frame.iloc[3])) == net.predict(frame)[3]
    with pytest.raises(FileNotFoundError):
        net.predict(tmp_path / "other.csv")


def test_columns_are_told_by_their_names(trained):
    net, _, frame = trained
    expected = net.scores(frame)
    shuffled = frame[["flag", "kind", "when", "a", "b"]]
    assert (net.scores(shuffled) == expected).all()
    with pytest.warns(UserWarning, match="does not know 'more', which it leaves out"):
        assert (net.scores(shuffled.assign(more=1)) == expected).all()
    with pytest.raises(ValueError, match="lacks 'a', 'flag'; it has 'kind', 'when', 'b'"):
        net.predict(shuffled.drop(columns=["a", "flag"]))
    with pytest.raises(ValueError, match="column 'a': expected numbers, got 'much' in row 1"):
        net.predict(frame.assign(a="much"))
    with pytest.raises(ValueError, match="label 'kind': expected p, q, r; got 's' in row 1"):
        net.table.dataset(frame.assign(kind="s"))


OTHER_PROCESS = """
import sys, numpy, pandas, fastbp
net = fastbp.load(sys.argv[1])
frame = pandas.read_csv(sys.argv[2])[["b", "flag", "a", "when"]]
numpy.savez(sys.argv[3], scores=net.scores(frame), names=net.predict(frame))
"""


def test_another_process_predicts_the_same_bits(trained, tmp_path):
    net, path, frame = trained
    frame.to_csv(tmp_path / "new.csv", index=False)
    command = [sys.executable, "-c", OTHER_PROCESS, path, tmp_path / "new.csv", tmp_path / "o.npz"]
    subprocess.run(command, check=True)
    with np.load(tmp_path / "o.npz") as other:
        assert (other["scores"] == net.scores(frame)).all()
        assert (other["names"] == net.predict(frame)).all()


def test_values_come_back_in_their_unit(tmp_path):
    x = np.linspace(0, 1, 200)
    frame = pd.DataFrame({"x": x, "price": 1000 + 500 * x})
    data = table(frame, label="price")
    net = fb.Sequential(fb.Linear(1, 16), fb.Tanh(), fb.Linear(16, 1))
    fb.fit(net, data, loss="mse", optimizer=fb.Adam(0.01), epochs=60)
    net.save(tmp_path / "m.safetensors")
    found = fb.load(tmp_path / "m.safetensors").predict(frame[["x"]])
    assert found.dtype == np.float64
    assert np.abs(found - frame["price"]).max() < 25
    with pytest.raises(ValueError, match="no probabilities"):
        net.predict_proba(frame)


def test_values_are_told_within_the_range_that_was_trained_on():
    frame = pd.DataFrame({"x": [0.5, 1, 2, 3, 90], "price": [10.5, 20, 30, 40, 5000]})
    _, made = fit_table(frame, "price", rows=np.array([3, 1, 2, 0]))
    label = made.label
    assert (label.mean, label.low, label.high) == (pytest.approx(25.125), 10.5, 40.0)
    scores = np.array([-100.0, 0, 100])
    assert label.told(scores).tolist() == [10.5, pytest.approx(25.125), 40.0]
    assert label.decode(scores)[2] > 1000
    net = fb.Sequential(fb.Linear(1, 1))
    net.table, net.meaning = made, "values"
    net.layers[0].w, net.layers[0].b = [[1e6]], [0]
    assert net.predict(frame)[[0, 4]].tolist() == [10.5, 40]
    data = made.as_data()
    assert Table.from_data(json.loads(json.dumps(data))) == made
    numbers = {"mean": label.mean, "std": label.std}
    old = data | {"version": 1, "label": {"kind": "values", "name": "price"} | numbers}
    assert Table.from_data(old).label.told(scores).tolist() == label.decode(scores).tolist()
    for wrong in ({"low": 2.0}, {"low": 2.0, "high": 1.0}, {"low": 0.0, "high": math.inf}):
        with pytest.raises(ValueError, match=r"wrong mean, deviation or range|ends before"):
            Table.from_data(data | {"label": {**old["label"], **wrong}})


def test_two_classes_from_one_output():
    data = table({"x": [0.0, 1, 2, 3] * 9, "label": ["no", "no", "yes", "yes"] * 9})
    net = fb.Sequential(fb.Linear(1, 1))
    fb.fit(net, data, loss="bce", optimizer=fb.SGD(0.5), epochs=30)
    frame = pd.DataFrame({"x": [0, 3]})
    assert net.predict(frame).tolist() == ["no", "yes"]
    assert list(net.predict_proba(frame).columns) == ["no", "yes"]


def test_a_table_as_data_is_itself_and_nothing_else(trained):
    made = trained[0].table
    data = json.loads(json.dumps(made.as_data()))
    assert Table.from_data(data) == made
    with pytest.raises(ValueError, match="version is 4, not one of"):
        Table.from_data(data | {"version": 4})
    for wrong in (None, [], {}, {**data, "columns": [{"kind": "pixel"}]}, {**data, "label": {}}):
        with pytest.raises(ValueError, match="no table that fastbp wrote"):
            Table.from_data(wrong)
    with pytest.raises(ValueError, match="takes 3 inputs, but Table"):
        fb.Sequential(fb.Linear(3, 3)).table = made
    with pytest.raises(ValueError, match=r"the network has 4 outputs, but Table.* has 3"):
        fb.Sequential(fb.Linear(len(made.features), 4)).table = made
    with pytest.raises(TypeError, match="expected a Table, got 'x'"):
        fb.Sequential(fb.Linear(3, 3)).table = "x"


def test_importing_fastbp_does_not_import_pandas():
    command = "import sys, fastbp; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
