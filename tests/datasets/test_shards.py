"""Data in files of several kinds, read in blocks: what they hold, and what is refused."""

import pickle
import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import fastbp as fb
from fastbp.datasets import filled
from fastbp.datasets._checked import kept_dtype
from fastbp.datasets._memory import as_bytes
from fastbp.datasets.stored import _npz, _parquet, _shards, _tables

CUTS = (0, 100, 350, 500)


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    return rng.normal(3, 2, (500, 6)).astype(np.float32), rng.integers(0, 3, 500)


@pytest.fixture(scope="module")
def frame(arrays):
    x, y = arrays
    words = np.array(["a", "b", "c", None], object)[np.arange(500) % 4]
    numbers = {f"c{i}": column for i, column in enumerate(x.T)}
    return pd.DataFrame(numbers | {"word": words, "label": np.array(["no", "yes", "so"])[y]})


def written(folder, kind, x, y):
    """Three shards."""
    folder.mkdir()
    for number, (start, stop) in enumerate(pairwise(CUTS)):
        if kind == "npz":
            np.savez(folder / f"p{number}.npz", x=x[start:stop], y=y[start:stop])
        else:
            np.save(folder / f"x{number}.npy", x[start:stop])
            np.save(folder / f"y{number}.npy", y[start:stop])
    return folder


def of_frame(folder, frame):
    folder.mkdir()
    for number, (start, stop) in enumerate(pairwise(CUTS)):
        frame[start:stop].to_parquet(folder / f"p{number}.parquet", row_group_size=60)
    return folder


def whole(data, rows, rng=None):
    """All samples and targets, as windows of so many rows bring them."""
    parts = [(x[order], y[order]) for x, y, order in filled(data, rows, rng and rng.permutation)]
    return tuple(map(np.concatenate, zip(*parts, strict=True)))


@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_shards_are_the_arrays_and_their_statistics_those_of_all(tmp_path, arrays, kind):
    x, y = arrays
    data = fb.datasets.shards(written(tmp_path / kind, kind, x, y))
    assert (len(data), data.features, data.classes, data.values) == (500, 6, 3, False)
    for found in (data.dataset(), data.head):
        np.testing.assert_array_equal(found.x, x)
        np.testing.assert_array_equal(found.y, y)
    for one, other in zip(whole(data, 64), (x, y), strict=True):
        np.testing.assert_array_equal(one, other)
    layer, right = fb.Standardize.of(data), fb.Standardize.of(x)
    np.testing.assert_allclose(layer.mean, right.mean, rtol=1e-12)
    np.testing.assert_allclose(layer.std, right.std, rtol=1e-12)


def test_an_order_is_exact_where_any_sample_is_cheap_else_of_blocks_and_windows(tmp_path, arrays):
    x, y = arrays
    exact = fb.datasets.shards(written(tmp_path / "a", "npy", x, y))
    order = np.random.default_rng(7).permutation(500)
    np.testing.assert_array_equal(whole(exact, 64, np.random.default_rng(7))[0], x[order])
    for data in (
        fb.datasets.shards(written(tmp_path / "b", "npz", x, y)),
        fb.datasets.shards(tmp_path / "a", shuffle="windows"),
    ):
        found = [whole(data, 64, np.random.default_rng(seed))[0] for seed in (7, 7, 8)]
        np.testing.assert_array_equal(found[0], found[1])
        assert not np.array_equal(found[0], found[2])
        for each in found:  # every sample once
            np.testing.assert_array_equal(each[np.lexsort(each.T)], x[np.lexsort(x.T)])
        blocks = np.random.default_rng(7).permutation(3)
        firsts = x[np.r_[tuple(np.arange(*CUTS[b : b + 2]) for b in blocks)]][:64]
        window = found[0][:64]
        np.testing.assert_array_equal(window[np.lexsort(window.T)], firsts[np.lexsort(firsts.T)])


def test_a_table_of_shards_is_that_of_the_whole(tmp_path, frame, monkeypatch):
    right = fb.datasets.table(frame, "label")
    data = fb.datasets.shards(of_frame(tmp_path / "t", frame), "label")
    assert data.table.as_data() == right.table.as_data()
    found = data.dataset()
    np.testing.assert_array_equal(found.x, right.x)
    np.testing.assert_array_equal(found.y, right.y)
    monkeypatch.setattr(_tables, "SAMPLED", 60)  # medians are now those of some rows
    some = fb.datasets.shards(tmp_path / "t", "label").table
    assert some.label == right.table.label
    assert [c.gaps for c in some.columns] == [c.gaps for c in right.table.columns]
    spread = [c.scale for c in right.table.columns if c.kind == "number"]
    medians = [c.center for c in right.table.columns if c.kind == "number"]
    other = [c.center for c in some.columns if c.kind == "number"]
    assert 0 < np.abs(np.subtract(medians, other)).max() < max(spread)
    values = fb.datasets.shards(tmp_path / "t", "c0", drop="label").table.label
    assert values.mean == pytest.approx(float(frame["c0"].mean()), rel=1e-6)
    assert (values.low, values.high) == (frame["c0"].min(), frame["c0"].max())


def test_a_share_is_drawn_from_each_block(tmp_path, arrays):
    x, y = arrays
    data = fb.datasets.shards(written(tmp_path / "a", "npy", x, y))
    train, test = data.split(0.2, seed=3)
    assert 60 < len(test) < 140
    rows = np.concatenate([train.dataset().x, test.dataset().x])
    np.testing.assert_array_equal(rows[np.lexsort(rows.T)], x[np.lexsort(x.T)])
    found = whole(train, 64, np.random.default_rng(1))[0]
    order = np.random.default_rng(1).permutation(len(train))
    np.testing.assert_array_equal(found, train.dataset().x[order])
    inner, _ = train.split(0.2, seed=3)  # of what is left, not the same rows again
    assert 0 < len(inner) < len(train)


def test_pieces_of_a_block_have_their_rows_of_a_share(tmp_path, frame, monkeypatch):
    monkeypatch.setattr(_parquet, "ROWS", 25)  # of 60 in a group
    monkeypatch.setattr(_shards, "COPIED", 10)
    data = fb.datasets.shards(of_frame(tmp_path / "t", frame), "label")
    assert data.sizes[:3] == [60, 40, 60]
    rows = data.dataset().x
    for part in data.split(0.3, seed=2):
        masks = [part.mask(block) for block in range(len(data.sizes))]
        np.testing.assert_array_equal(part.dataset().x, rows[np.concatenate(masks)])


def test_little_memory_fits_a_table_to_fewer_rows(tmp_path, frame, monkeypatch):
    monkeypatch.setattr(_tables, "LEAST_SAMPLED", 50)
    folder = of_frame(tmp_path / "t", frame)
    right = fb.datasets.shards(folder, "label").table
    some = fb.datasets.shards(folder, "label", memory="100kB").table
    assert some.label == right.label
    assert [c.gaps for c in some.columns] == [c.gaps for c in right.columns]
    assert some.as_data() != right.as_data()  # medians


def test_bytes_are_read_as_people_write_them():
    assert [as_bytes(m) for m in ("1GB", "1.5 mb", "2GiB", "10k", 7)] == [
        10**9, 1_500_000, 2 << 30, 10_000, 7,
    ]  # fmt: skip
    for wrong in ("", "GB", "-1GB", "1 parsec", "0", 0, -1):
        with pytest.raises(ValueError, match="memory: expected"):
            as_bytes(wrong)
    for wrong in (1.5, None, True):
        with pytest.raises(TypeError, match="memory: expected bytes"):
            as_bytes(wrong)


def _lacks_y(folder):
    (folder / "y1.npy").unlink()


def _is_cut(folder):
    path = folder / "x1.npy"
    path.write_bytes(path.read_bytes()[:-5])


def _has_nan(folder):
    x = np.load(folder / "x1.npy")
    x[17, 2] = np.nan
    np.save(folder / "x1.npy", x)


def _has_other_columns(folder):
    np.save(folder / "x1.npy", np.load(folder / "x1.npy")[:, :4])


def _has_another_dtype(folder):
    np.save(folder / "x1.npy", np.load(folder / "x1.npy").astype(np.float64))


def _has_a_wrong_label(folder):
    y = np.load(folder / "y1.npy")
    y[200] = -1
    np.save(folder / "y1.npy", y)


def _is_mixed(folder):
    np.savez(folder / "z.npz", x=np.ones((2, 2)), y=[0, 1])


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_lacks_y, r"x1\.npy: there is no y1\.npy that goes with it"),
        (_is_cut, r"x1\.npy: truncated: the header promises 6000 bytes, found 5995"),
        (_has_nan, r"x1\.npy: NaN in row 17, column 2; drop or fill in such rows"),
        (_has_other_columns, r"x1\.npy: .* 4 columns of float32, but .*x0\.npy has 6 columns"),
        (_has_another_dtype, r"x1\.npy: .* 6 columns of float64, but .*x0\.npy has 6 columns"),
        (_has_a_wrong_label, r"x1\.npy: y: expected labels from 0, got -1 at index 200"),
        (_is_mixed, r"expected files of one kind, got x0\.npy and z\.npz"),
    ],
)
def test_what_is_wrong_in_a_folder_is_named_with_file_and_row(tmp_path, arrays, damage, told):
    folder = written(tmp_path / "a", "npy", *arrays)
    damage(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=told):
        fb.datasets.shards(folder)


def test_what_is_wrong_in_archives_and_tables_is_named(tmp_path, arrays, frame):
    folder = written(tmp_path / "a", "npz", *arrays)
    (folder / "p1.npz").write_bytes((folder / "p1.npz").read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"p1\.npz: broken npz file"):
        fb.datasets.shards(folder)
    tables = of_frame(tmp_path / "t", frame)
    frame[100:350].astype({"c1": np.float64}).to_parquet(tables / "p1.parquet")
    with pytest.raises(ValueError, match=r"p1\.parquet: column 'c1' is double, but float in"):
        fb.datasets.shards(tables, "label")
    frame[100:350].drop(columns="c1").to_parquet(tables / "p1.parquet")
    with pytest.raises(ValueError, match=r"p1\.parquet: its columns .* it lacks \['c1'\]"):
        fb.datasets.shards(tables, "label")
    (tables / "p1.parquet").write_bytes(b"PAR1 is not enough")
    with pytest.raises(ValueError, match=r"p1\.parquet: broken Parquet file"):
        fb.datasets.shards(tables, "label")
    with pytest.raises(FileNotFoundError, match=r"p9\.npz: this part of the data is missing"):
        fb.datasets.shards([folder / "p0.npz", folder / "p9.npz"])
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match=re.escape("expected .npz, .npy or .parquet files")):
        fb.datasets.shards(tmp_path / "none")


def test_archives_that_are_not_compressed_are_mapped_once_they_were_read(
    tmp_path, arrays, monkeypatch
):
    x, y = arrays
    kinds = {
        "plain": (x, y),
        "images": (x.reshape(-1, 2, 3), y[:, None]),
        "foreign": (x.astype(">f8"), y.astype(">i2")),
        "halves": (x.astype(np.float16), y),
        "columns": (np.asfortranarray(x), y),
        "targets": (x, np.asfortranarray(np.stack([y, y], 1))),
    }
    for kind, (samples, targets) in kinds.items():
        np.savez(tmp_path / f"{kind}.npz", x=samples, y=targets)
    of_values = {"values": True}
    opened = {
        kind: fb.datasets.shards(
            tmp_path / f"{kind}.npz", **(of_values if targets.ndim > 1 else {})
        )
        for kind, (_, targets) in kinds.items()
    }
    read = []
    original = _npz.read_npz
    monkeypatch.setattr(_npz, "read_npz", lambda *a: [read.append(a[0].stem), original(*a)][1])
    for kind, (samples, targets) in kinds.items():
        for data in (opened[kind], pickle.loads(pickle.dumps(opened[kind]))):
            found = data.dataset()
            np.testing.assert_array_equal(found.x, samples.reshape(500, -1))
            np.testing.assert_array_equal(found.y.reshape(targets.shape), targets)
            assert found.x.dtype == kept_dtype(samples.dtype)
    assert read == ["columns", "columns", "targets", "targets"]  # whose rows do not lie together
    np.savez(tmp_path / "plain.npz", x=x[:400], y=y[:400])
    with pytest.raises(ValueError, match=r"plain\.npz: it was changed since it was first read"):
        opened["plain"].dataset()


def test_arguments_that_do_not_go_are_refused(tmp_path, arrays):
    folder = written(tmp_path / "a", "npz", *arrays)
    with pytest.raises(ValueError, match=r"memory: 10\.0 kB are too few: .* least 49\.\d kB"):
        fb.datasets.shards(folder, memory="10kB")
    with pytest.raises(ValueError, match="shuffle: a is read block by block"):
        fb.datasets.shards(folder, shuffle="exact")
    with pytest.raises(ValueError, match="shuffle: expected 'auto', 'exact' or 'windows'"):
        fb.datasets.shards(folder, shuffle="no")
    with pytest.raises(ValueError, match="only a table has such columns"):
        fb.datasets.shards(folder, label="y")
    with pytest.raises(TypeError, match="shards: expected a folder, files, a pair"):
        fb.datasets.shards(3)


def test_dask_comes_partition_by_partition(arrays, frame):
    dask = pytest.importorskip("dask.dataframe")
    from dask.array import from_array

    table = fb.datasets.shards(dask.from_pandas(frame, npartitions=3), "label")
    assert table.table.as_data() == fb.datasets.table(frame, "label").table.as_data()
    assert len(table.sizes) == 3
    x, y = arrays
    data = fb.datasets.shards((from_array(x, (200, 2)), from_array(y, 200)))
    np.testing.assert_array_equal(data.dataset().x, x)
    assert data.sizes == [200, 200, 100]
    with pytest.raises(ValueError, match="but y in 2 chunks of rows"):
        fb.datasets.shards((from_array(x, (200, 2)), from_array(y, 300)))
