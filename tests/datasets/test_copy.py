"""A copy of what has to be decoded: the same numbers, in files that leave nothing behind."""

import errno
import os
import pickle
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fastbp as fb
from fastbp.datasets import filled
from fastbp.datasets.stored import _copy, _place

ROWS, CUTS, SMALL = 600, (0, 200, 600), "90kB"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Parquet of numbers, words and gaps, and compressed archives of the same label."""
    made = tmp_path_factory.mktemp("packed")
    rng = np.random.default_rng(0)
    x = rng.normal(1, 2, (ROWS, 6)).astype(np.float32)
    y = (x[:, 0] > 1).astype(np.int32)
    words = np.array(["a", "b", "c", None], object)[np.arange(ROWS) % 4]
    frame = pd.DataFrame(x, columns=[*"abcdef"]).assign(word=words, label=y)
    for kind in ("parquet", "npz"):
        (made / kind).mkdir()
    for number, (start, stop) in enumerate(pairwise(CUTS)):
        path = made / "parquet" / f"p{number}.parquet"
        frame[start:stop].to_parquet(path, row_group_size=50)
        np.savez_compressed(
            made / "npz" / f"p{number}.npz", x=x[start:stop], y=y[start:stop].astype(np.int16)
        )
    return made


def opened(folders, kind, copy, **options):
    label = {"label": "label"} if kind == "parquet" else {}
    return fb.datasets.shards(folders / kind, copy=copy, **label, **options)


def copies(folder):
    """Files there, of which none has a name, that the process has open, or mapped."""
    found = Path("/proc/self/maps").read_text().splitlines()
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of the list itself
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return sum(f"{folder}/" in each for each in found)


@pytest.mark.parametrize("kind", ["parquet", "npz"])
def test_no_bit_depends_on_a_copy(folders, kind, tmp_path):
    copied = opened(folders, kind, tmp_path, memory=SMALL)
    anew = opened(folders, kind, False, memory=SMALL)
    assert str(tmp_path) in copied.copied
    assert anew.copied == "no copy, as copy=False says"
    assert copied.marks() == anew.marks()
    nets, ends = [], []
    for data in (copied, anew):
        windows = [
            (x[order], y[order])
            for x, y, order in filled(data, 64, np.random.default_rng(3).permutation)
        ]
        nets.append(fb.Sequential(fb.Standardize.of(data), fb.Linear(data.features, 2), seed=1))
        history = fb.fit(nets[-1], data, epochs=2, batch_size=16, validation=0.2)
        ends.append([*windows[-1], nets[-1].params, history["val_loss"], nets[-1].predict(data)])
        ends[-1] += [data.split(0.3)[0].dataset().x, fb.evaluate(nets[-1], data).confusion_matrix]
    for one, other in zip(*ends, strict=True):
        np.testing.assert_array_equal(one, other)


def test_nothing_is_copied_that_is_numbers_already(tmp_path):
    np.savez(tmp_path / "p.npz", x=np.ones((3, 2)), y=[0, 1, 1])
    assert fb.datasets.shards(tmp_path).copied == ""
    assert fb.datasets.shards((np.ones((3, 2)), np.arange(3))).copied == ""


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks Linux what is open")
def test_a_copy_goes_with_its_shards_and_when_its_making_ends_early(folders, tmp_path, monkeypatch):
    data = opened(folders, "npz", tmp_path, memory=SMALL)
    assert copies(tmp_path) == 4
    assert not [*tmp_path.iterdir()]  # so that a process that is killed leaves nothing
    train = data.split(0.5)[0]
    again = pickle.loads(pickle.dumps(train))  # elsewhere there is no copy
    np.testing.assert_array_equal(again.dataset().x, train.dataset().x)
    del data, train
    assert copies(tmp_path) == 0

    def interrupted(column, rows):
        raise KeyboardInterrupt

    monkeypatch.setattr(_copy._Column, "add", interrupted)
    with pytest.raises(KeyboardInterrupt) as stopped:
        opened(folders, "npz", tmp_path)
    assert copies(tmp_path) == 0  # though its traceback is there
    del stopped


def test_a_disk_without_room_is_named_or_done_without(folders, tmp_path, monkeypatch):
    right = opened(folders, "parquet", True).dataset()

    def full(column, rows, wrote=_copy._Column.add):
        if column.file.tell() > 10_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        wrote(column, rows)

    with monkeypatch.context() as patched:
        patched.setattr(_copy._Column, "add", full)
        told = rf"copy: {tmp_path}: No space left on device; give a folder with room, or copy=False"
        with pytest.raises(OSError, match=told):
            opened(folders, "parquet", tmp_path)
        with pytest.warns(UserWarning, match=r"parquet: no copy in .*: No space left .*; each ep"):
            data = opened(folders, "parquet", True)
        assert data.copied.endswith("No space left on device")
        np.testing.assert_array_equal(data.dataset().x, right.x)
    monkeypatch.setattr(_copy, "PART_OF_FREE", 10**15)
    with pytest.warns(UserWarning, match=r"it takes more than .* half of what was free"):
        opened(folders, "parquet", True)


def test_a_temporary_folder_in_memory_is_none(folders, tmp_path, monkeypatch):
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mounts"
    monkeypatch.setattr(_place, "MOUNTS", mounts)
    monkeypatch.setattr(_place, "ON_DISK", tmp_path)
    where = f"36 35 {os.major(device)}:{os.minor(device)} / /tmp rw master:1 -"
    mounts.write_text(f"{where} ext4 /dev/sda rw\n")
    monkeypatch.setattr(_place.tempfile, "gettempdir", lambda: str(tmp_path))
    assert _place.temporary() == tmp_path
    mounts.write_text(f"{where} tmpfs tmpfs rw\n")
    with pytest.warns(UserWarning, match="is kept in memory; each epoch decodes anew"):
        opened(folders, "npz", True)
    assert str(tmp_path) in opened(folders, "npz", tmp_path).copied  # as it was asked for


def test_what_is_no_folder_is_refused(folders, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"copy: expected a folder, got .*none, which is"):
        opened(folders, "npz", tmp_path / "none")
    with pytest.raises(NotADirectoryError, match=r"copy: expected a folder, got .*p0\.npz"):
        opened(folders, "npz", folders / "npz" / "p0.npz")
    with pytest.raises(TypeError, match="copy: expected True, False or a folder, got 3"):
        opened(folders, "npz", 3)


def test_a_file_that_changes_is_refused_although_there_is_a_copy(folders, tmp_path):
    for path in (folders / "npz").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    data = fb.datasets.shards(tmp_path)
    assert data.copied
    (tmp_path / "p1.npz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"p1\.npz: it was changed since it was first read, "):
        data.dataset()
    (tmp_path / "p1.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"p1\.npz: this part of the data is missing"):
        data.dataset()


def test_what_dask_computes_is_computed_once(folders):
    pytest.importorskip("dask.array")
    from dask.array import from_array

    computed = []

    def counted(part):
        computed.append(len(part))
        return part

    x = from_array(np.ones((60, 3)), (20, 3)).map_blocks(counted, dtype=float)
    y = from_array(np.arange(60) % 2, 20)
    for copy, times in ((True, 3), (False, 6)):
        computed.clear()
        data = fb.datasets.shards((x, y), copy=copy)
        np.testing.assert_array_equal(data.dataset().y, np.arange(60) % 2)
        assert computed.count(20) == times
