"""The embedded MNIST is the real one."""

import gzip
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fastbp import datasets
from fastbp.datasets import Dataset, mnist

FOLDER = Path(datasets.__file__).with_name("mnist")

SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


@pytest.fixture(scope="module")
def parts() -> tuple[Dataset, Dataset]:
    return mnist()


@pytest.mark.parametrize("name", SHA256)
def test_the_shipped_files_are_unchanged(name):
    content = gzip.decompress((FOLDER / f"{name}.gz").read_bytes())
    assert hashlib.sha256(content).hexdigest() == SHA256[name]


def test_the_licence_lies_beside_the_data():
    text = (FOLDER / "LICENSE").read_text()
    for word in ("LeCun", "Cortes", "CC BY-SA 3.0"):
        assert word in text


def test_shapes_and_settings(parts):
    for data, samples, name in zip(parts, (60000, 10000), ("train", "test"), strict=True):
        assert data.x.shape == (samples, 784)
        assert data.x.dtype == np.uint8
        assert data.x.flags.c_contiguous
        assert data.y.shape == (samples,)
        assert data.y.dtype == np.int64
        assert data.classes == 10
        assert data.scale == 1 / 255
        assert data.image_shape == (28, 28)
        assert data.name == f"MNIST {name}"


def test_labels(parts):
    train, test = parts
    assert train.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert test.y[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(train.y).tolist() == counts
    assert np.bincount(test.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_pixels(parts):
    train, _ = parts
    assert (train.x == 0).mean() == pytest.approx(0.81, abs=0.005)
    assert train.x.max() == 255
    assert train.x.mean() / 255 == pytest.approx(0.1307, abs=1e-4)
    first = train.images([0])[0]
    assert first.shape == (28, 28)
    assert not first[:5].any()  # the margin above the first digit
    assert first[5, 12] == 3  # and its first pixel
    assert first.sum() == 27525


def test_a_batch_is_between_0_and_1(parts):
    x, y = parts[0].batch(np.arange(64))
    assert x.shape == (64, 784)
    assert x.dtype == np.float32
    assert x.min() == 0
    assert x.max() == 1
    assert y.tolist() == parts[0].y[:64].tolist()


def test_importing_datasets_imports_nothing_heavy():
    # In a bare package, so that only the imports of fastbp.datasets itself are seen.
    code = f"""
import sys, types
package = types.ModuleType("fastbp")
package.__path__ = [{str(FOLDER.parent.parent)!r}]
sys.modules["fastbp"] = package
import numpy
before = set(sys.modules)
import fastbp.datasets
print(*sorted({{m.split(".")[0] for m in set(sys.modules) - before}}))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    added = set(result.stdout.split())
    assert "fastbp" in added
    assert not added & {"gzip", "zipfile", "csv", "pickle", "numba", "matplotlib", "pandas"}
