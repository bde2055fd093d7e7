"""Sizes are computed exactly, and refused before there are arrays of them."""

from typing import ClassVar

import numpy as np
import pytest
from for_each import for_each

import fastbp as fb
from fastbp import _memory
from fastbp.layers.sizes import MOST_BYTES


@pytest.fixture
def memory(monkeypatch, tmp_path):
    """Sets how much memory the machine has."""

    def limit(size):
        (tmp_path / "memory.max").write_text(f"{size}\n")
        monkeypatch.setattr(_memory, "LIMIT", tmp_path / "memory.max")

    return limit


SIZES = [2**31, 2**50, 2**62, 2**63 - 1, 2**63, 2**64, 10**400]


@for_each("size", SIZES)
@for_each("layer", [fb.Conv2d, fb.MaxPool2d, fb.AvgPool2d])
def test_windows_have_sizes_that_fit_64_bits_multiplied(layer, size):
    channels = (1, 1) if layer is fb.Conv2d else ()
    for name in ("kernel", "stride", "padding"):
        text = rf"{name}: expected at most (2147483647|2\*\*63 - 1), got "
        with pytest.raises(ValueError, match=text):
            layer(*channels, **{"kernel": 2} | {name: size})
        with pytest.raises(ValueError, match=text):
            layer(*channels, **{"kernel": 2} | {name: (1, size)})


def test_a_picture_that_takes_gigabytes_is_refused_unless_asked_for():
    def layers():
        return fb.Conv2d(1, 1, 1, padding=14_000, stride=10**5), fb.Flatten(), fb.Linear(1, 10)

    with pytest.raises(ValueError, match=r"takes 3\.1 GB .* more than 1\.1 GB.*most_bytes"):
        fb.Sequential(*layers(), input_shape=(1, 28, 28))
    net = fb.Sequential(*layers(), input_shape=(1, 28, 28), most_bytes=2**32)
    assert net.copy().sample_bytes == net.sample_bytes > MOST_BYTES
    with pytest.raises(ValueError, match="most_bytes: expected at least 1"):
        fb.Sequential(fb.Linear(1, 1), most_bytes=0)


@pytest.mark.parametrize(
    ("layer", "where"),
    [
        (fb.Conv2d(1, 2**40, 1), "layer 1: .* makes 71,468,255,805,440 numbers"),
        (fb.Conv2d(1, 1, 1, padding=2**30, stride=2**29), "layer 1: .* makes 4,611,686,"),
        (fb.MaxPool2d(2**30, stride=2**20, padding=2**29), "layer 1: "),
    ],
)
def test_one_layer_makes_no_more_numbers_than_kernels_count(layer, where):
    with pytest.raises(ValueError, match=where):
        fb.Sequential(fb.Conv2d(1, 1, 3), layer, input_shape=(1, 67, 3), most_bytes=2**80)


@pytest.mark.parametrize("layered", [True, False])
def test_a_stride_beyond_the_image_leaves_one_window(backend, layered, rng):
    x, y = rng.normal(size=(600, 1, 6, 6)).astype("f4"), rng.integers(3, size=600)
    found = []
    for stride in (8, 2**31 - 1):
        net = fb.Sequential(
            fb.Conv2d(1, 2, 2, stride=stride, padding=1),
            fb.MaxPool2d(1, stride=stride),
            fb.Flatten(),
            fb.Linear(2, 3),
            input_shape=(1, 6, 6),
        )
        loss, optimizer = fb.HingeLoss(), fb.SGD(0.1)
        fb.fit(net, (x, y), loss=loss, optimizer=optimizer, epochs=2, fused=not layered)
        found.append((net.params, net.scores(x)))
    assert np.array_equal(found[0][0], found[1][0])
    assert np.array_equal(found[0][1], found[1][1])


def test_parameters_beyond_the_memory_are_refused_by_name(memory):
    with pytest.raises(ValueError, match=r"layer 1: Linear\(4, 4611686018427387904\)"):
        fb.Sequential(fb.Linear(2, 4), fb.Linear(4, 2**62), most_bytes=2**90)
    with pytest.raises(ValueError, match=r"layer 0: Linear\(1048576, 1048576\) has parameters"):
        fb.Sequential(fb.Linear(2**20, 2**20))
    memory(10_000)
    fb.Sequential(fb.Linear(10, 10))
    with pytest.raises(ValueError, match=r"layer 1: .* 16\.1 kB, but this machine has 10\.0 kB"):
        fb.Sequential(fb.Linear(10, 1), fb.Linear(1, 1000))


@pytest.mark.parametrize("fused", [True, False])
def test_a_batch_beyond_the_memory_is_refused_by_name(backend, memory, fused, rng):
    net = fb.Sequential(fb.Linear(5, 50), fb.Tanh(), fb.Linear(50, 3))
    data = rng.normal(size=(4000, 5)), rng.integers(3, size=4000)
    memory(1_000_000)
    with pytest.raises(MemoryError, match=r"batch_size 4000.* take a smaller one"):
        fb.fit(net, data, loss=fb.HingeLoss(), optimizer=fb.SGD(0.1), batch_size=10**6, fused=fused)
    want = net.forward(data[0])
    np.testing.assert_allclose(net.scores(data[0]), want, 1e-4, 1e-5)


def test_an_engines_workspace_is_measured_too(memory, rng):
    net = fb.Sequential(fb.Linear(5, 50), fb.Tanh(), fb.Linear(50, 3))
    data = rng.normal(size=(400, 5)), rng.integers(3, size=400)
    memory(12_000)
    for backend in ("cython", "numba"):
        with fb.use_backend(backend), pytest.raises(MemoryError, match="batch_size 8 needs an eng"):
            fb.fit(net, data, loss=fb.HingeLoss(), optimizer=fb.SGD(0.1), batch_size=8)


class Counts(fb.Tanh):
    """A layer of one's own, so that no engine takes over; it counts what comes in."""

    rows: ClassVar[list[int]] = []

    def forward(self, x):
        self.rows.append(len(x))
        return super().forward(x)


def test_large_samples_are_predicted_a_few_at_a_time():
    net = fb.Sequential(fb.Linear(4, 3), Counts(), most_bytes=50)
    x = np.ones((9, 4), np.float32)
    scores = net.scores(x)
    assert Counts.rows == [2, 2, 2, 2, 1]
    np.testing.assert_allclose(scores, net.forward(x))
