"""Residuals in both engines: what the layered loop computes, on rows and on images."""

from itertools import pairwise

import numpy as np
import pytest
from for_each import for_each

import fastbp as fb
from fastbp.engine import sharing
from fastbp.engine.program import compile_network
from fastbp.kernels.numbers import Column, Kind, Split
from fastbp.layers.nesting import named_layers

pytestmark = pytest.mark.usefixtures("backend")


def dense(*sizes):
    """Linear layers of these sizes, ReLU between each two."""
    return [layer for pair in pairwise(sizes) for layer in (fb.Linear(*pair), fb.ReLU())][:-1]


ROWS = {
    "two blocks": lambda: (
        fb.Linear(72, 70), fb.Residual(*dense(70, 33, 70)), fb.ReLU(),
        fb.Residual(*dense(70, 70, 70)), fb.Linear(70, 5),
    ),
    "one layer each, with dropout": lambda: (
        fb.Linear(72, 40), fb.Residual(fb.Linear(40, 40), fb.Dropout(0.3), fb.Tanh()),
        fb.Residual(fb.SiLU(), fb.Linear(40, 40)), fb.Dropout(0.2), fb.Linear(40, 5),
    ),
    "nested": lambda: (
        fb.Linear(72, 66),
        fb.Residual(
            fb.Residual(fb.Residual(fb.Linear(66, 66)), fb.Sigmoid()),
            *dense(66, 130, 66), fb.Residual(fb.ReLU(), fb.Residual(fb.Tanh())), fb.GELU(),
        ),
        fb.Linear(66, 5),
    ),
    "LayerNorm inside": lambda: (
        fb.Linear(72, 66), fb.Residual(fb.LayerNorm(66), *dense(66, 130, 66)),
        fb.Residual(fb.Linear(66, 66), fb.LayerNorm(66)), fb.Linear(66, 5),
    ),
    "first and last": lambda: (
        fb.Residual(fb.Linear(72, 72), fb.Tanh()), fb.Linear(72, 5),
        fb.Residual(fb.Linear(5, 5), fb.LogSoftmax()),
    ),
    "without weights inside, and around a softmax": lambda: (
        fb.Residual(fb.Tanh()), fb.Linear(72, 33), fb.Residual(fb.Residual(fb.ReLU(), fb.ELU())),
        fb.Linear(33, 9), fb.Residual(fb.Dropout(0.5)), fb.Residual(fb.LogSoftmax()),
        fb.Tanh(), fb.Linear(9, 5),
    ),
    "many dense ones inside": lambda: (
        fb.Linear(72, 48), fb.Residual(*dense(48, 64, 130, 48, 48)), fb.Residual(fb.Linear(48, 48)),
        fb.Residual(*dense(48, 48, 48, 48)), fb.LogSoftmax(), fb.Linear(48, 5),
    ),
}  # fmt: skip
IMAGES = {
    "convolutions": lambda: (
        fb.Conv2d(2, 4, 3, padding=1), fb.ReLU(),
        fb.Residual(fb.Conv2d(4, 3, 3, padding=1), fb.ReLU(), fb.Conv2d(3, 4, 3, padding=1)),
        fb.ReLU(), fb.MaxPool2d(2), fb.Flatten(), fb.Residual(*dense(36, 20, 36)), fb.Linear(36, 5),
    ),
    "nested, pools and dropout": lambda: (
        fb.Conv2d(2, 3, 2), fb.Tanh(),
        fb.Residual(
            fb.ReLU(), fb.MaxPool2d(3, 1, 1), fb.Residual(fb.Dropout(0.3), fb.Tanh()),
            fb.Residual(fb.Residual(fb.Conv2d(3, 3, 1)), fb.AvgPool2d(3, 1, 1)), fb.ReLU(),
        ),
        fb.ReLU(), fb.AvgPool2d(2), fb.SiLU(), fb.Residual(fb.ELU()), fb.Flatten(), fb.Dropout(0.1),
        fb.Residual(fb.Tanh()), fb.Linear(12, 5),
    ),
    "first, before a border": lambda: (
        fb.Residual(fb.GELU(), fb.ReLU(), fb.Conv2d(2, 2, 3, padding=1), fb.Dropout(0.2)),
        fb.Residual(fb.Conv2d(2, 2, 3, padding=1)), fb.Flatten(), fb.Linear(72, 5),
    ),
}  # fmt: skip
NETWORKS = ROWS | IMAGES
LOSSES = {"hinge": lambda: fb.HingeLoss(0.05), "cross-entropy": fb.CrossEntropyLoss}
OPTIMIZERS = {
    "plain": lambda: fb.SGD(0.01),
    "momentum": lambda: fb.SGD(0.001, momentum=0.5),
    "adam": lambda: fb.Adam(0.002, epsilon=1e-3),
}


def samples():
    """Easy ones, so that with the hinge loss some have no gradient."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(75, 72))
    return x, np.abs(x[:, :5]).argmax(axis=1)


def network(name, dtype="float64"):
    shape = (2, 6, 6) if name in IMAGES else None
    return fb.Sequential(*NETWORKS[name](), dtype=dtype, seed=2, init="glorot", input_shape=shape)


def train(name, loss="cross-entropy", optimizer="plain", dtype="float64", frozen=(), **options):
    net = network(name, dtype)
    for position, layer in named_layers(net.layers):
        layer.trainable = position not in frozen
    settings = {"epochs": 2, "batch_size": 7, "seed": 1} | options
    loss, step = LOSSES[loss](), OPTIMIZERS[optimizer]()
    return net, fb.fit(net, samples(), loss=loss, optimizer=step, **settings)


@for_each(
    ("loss", "optimizer", "batch_size"),
    [
        ("hinge", "plain", 7),
        ("cross-entropy", "momentum", 1),
        ("hinge", "adam", 40),
        ("cross-entropy", "plain", 75),
    ],
)
@for_each("name", NETWORKS)
def test_fused_is_the_layered_reference(name, loss, optimizer, batch_size):
    with fb.use_backend("numpy"):
        want, slow = train(name, loss, optimizer, fused=False, batch_size=batch_size)
    got, fast = train(name, loss, optimizer, batch_size=batch_size)
    assert fast.path.endswith("fused")
    scale = np.abs(want.params).max()
    assert np.abs(got.params - want.params).max() <= 1e-9 * scale
    assert np.allclose(fast.loss_by_iteration, slow.loss_by_iteration, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("batch_size", [7, 40])
def test_batch_norm_inside(batch_size, monkeypatch):
    norms = lambda: (  # noqa: E731
        fb.Linear(72, 66), fb.Residual(fb.BatchNorm1d(66), *dense(66, 66, 66)), fb.Scale(66),
        fb.Residual(fb.Linear(66, 66), fb.BatchNorm1d(66), fb.Dropout(0.2)), fb.Linear(66, 5),
    )  # fmt: skip
    monkeypatch.setitem(NETWORKS, "norms", norms)
    with fb.use_backend("numpy"):
        want, _ = train("norms", fused=False, batch_size=batch_size)
    runs = [train("norms", threads=n, batch_size=batch_size) for n in (1, 2, 3)]
    for got, history in runs:
        assert history.path.endswith("fused")
        assert np.array_equal(got.params, runs[0][0].params)
        assert np.array_equal(got.buffers, runs[0][0].buffers)
        assert np.abs(got.params - want.params).max() <= 1e-9 * np.abs(want.params).max()
        assert np.allclose(got.buffers, want.buffers, rtol=1e-9, atol=1e-9)
    x, _ = samples()
    for net in (got, got.frozen()):  # whose norms are folded
        assert np.allclose(net.scores(np.tile(x, (8, 1)))[:75], want.scores(x), atol=1e-8)
        assert np.allclose(net.scores(x[:1]), want.scores(x[:1]), atol=1e-8)


FROZEN = {  # the lowest layer that is trained lies inside, or behind one of which nothing is
    "two blocks": ("0", "1.0"),
    "nested": ("0", "1.0", "1.0.0", "1.0.0.0", "1.1"),
    "many dense ones inside": ("0", "1.0", "1.2", "1.4", "1.6", "2.0"),
    "convolutions": ("0", "2.0"),
    "first, before a border": ("0.2",),
}


@for_each("threads", [1, 2])
@for_each("name", FROZEN)
def test_what_is_frozen_inside_stays(name, threads):
    with fb.use_backend("numpy"):
        want, _ = train(name, frozen=FROZEN[name], fused=False)
    got, history = train(name, frozen=FROZEN[name], threads=threads)
    assert history.path.endswith("fused")
    assert np.abs(got.params - want.params).max() <= 1e-9 * np.abs(want.params).max()
    start = dict(named_layers(network(name).layers))
    for position, layer in named_layers(got.layers):
        if layer.parameter_shapes():
            assert (layer.w == start[position].w).all() == (position in FROZEN[name])


@pytest.mark.parametrize(("dtype", "loss"), [("float32", "hinge"), ("float64", "cross-entropy")])
@for_each("name", NETWORKS)
def test_any_number_of_threads_bit_for_bit(name, loss, dtype):
    runs = [train(name, loss, threads=n, dtype=dtype)[0].params for n in (1, 2, 3, 1)]
    assert np.isfinite(runs[0]).all()
    assert all(np.array_equal(runs[0], params) for params in runs[1:])


def test_samples_without_a_gradient_are_among_them():
    _, history = train("nested", "hinge", batch_size=1, epochs=6)
    assert 0 < np.count_nonzero(history.loss_by_iteration == 0) < len(history.loss_by_iteration)


@for_each("name", NETWORKS)
def test_scores_are_the_references(name):
    net, (x, _) = network(name), samples()
    with fb.use_backend("numpy"):
        want = net.scores(x)
    assert np.allclose(net.scores(np.tile(x, (8, 1)))[-75:], want, rtol=1e-9, atol=1e-12)
    assert np.allclose(net.scores(x[:1]), want[:1], rtol=1e-9, atol=1e-12)
    if name in ROWS:
        assert np.allclose(net.frozen().scores(x[1:2]), want[1:2], rtol=1e-9, atol=1e-12)


def test_a_single_sample_of_shortcuts_too_wide_to_keep(rng):
    deep = fb.Tanh()
    for _ in range(5):
        deep = fb.Residual(deep)
    net, x = fb.Sequential(fb.Linear(3, 1000), deep), rng.normal(size=(1, 3))
    with fb.use_backend("numpy"):
        want = net.scores(x)
    np.testing.assert_allclose(net.scores(x), want, rtol=1e-5)


def test_many_at_once():
    jobs = [
        fb.Job(network(name), fb.CrossEntropyLoss(), fb.Adam(0.002), epochs=2, batch_size=16)
        for name in ("two blocks", "nested", "convolutions")
    ]
    fb.fit_many(jobs, samples(), threads=2)
    for job, name in zip(jobs, ("two blocks", "nested", "convolutions"), strict=True):
        alone = network(name)
        fb.fit(
            alone, samples(), loss=job.loss, optimizer=fb.Adam(0.002), epochs=2, batch_size=16
        )  # fmt: skip
        assert (job.net.params == alone.params).all()


def test_a_program_names_both_ends_of_a_shortcut():
    program = compile_network(network("nested"), 72, training=True)
    kinds = [Kind(kind).name for kind in program.kinds]
    assert kinds[:5] == ["DENSE", "FORK", "FORK", "FORK", "DENSE"]
    partners = program.rows[:, Column.PARTNER]
    for row, kind in enumerate(kinds):
        if kind in ("FORK", "ADD"):
            assert partners[partners[row]] == row
            assert {kind, kinds[partners[row]]} == {"FORK", "ADD"}
    assert (partners[1], partners[2], partners[3]) == (len(kinds) - 2, 7, 5)


W, OUT, IN = Split.WHOLE, Split.BY_OUTPUTS, Split.BY_INPUTS
TOO_SMALL = {  # all that shortcuts lead past, so that their input is copied between the threads
    "two blocks": [OUT, *[W] * 11, W],
    "one layer each, with dropout": [OUT, *[W] * 11],
    "many dense ones inside": [OUT, *[W] * 21],
}
SPLITS = {
    "two blocks": [OUT, OUT, IN, W, OUT, OUT, OUT, OUT, IN, W, OUT, OUT, IN],
    "one layer each, with dropout": [OUT, OUT, OUT, OUT, OUT, OUT, OUT, OUT, OUT, OUT, OUT, IN],
    "first and last": [W, W, W, W, OUT, W, W, W, W],
}


@pytest.mark.parametrize("name", SPLITS)
def test_what_a_shortcut_adds_is_split_alike(name):
    program = compile_network(network(name), 72, training=True)
    assert sharing.splits(program, 8) == SPLITS[name]


@pytest.mark.parametrize("name", TOO_SMALL)
def test_a_shortcut_past_small_layers_is_whole(name, monkeypatch):
    monkeypatch.setattr(sharing, "LATER", 1 << 40)
    program = compile_network(network(name), 72, training=True)
    assert sharing.splits(program, 8) == TOO_SMALL[name]
    runs = [train(name, "hinge", threads=n, epochs=4)[0].params for n in (1, 2, 3)]
    assert all(np.array_equal(runs[0], params) for params in runs[1:])


@pytest.mark.parametrize("name", ROWS)
def test_both_of_every_sum_are_split_alike(name):
    program = compile_network(network(name), 72, training=True)
    splits = [split == OUT for split in sharing.splits(program, 8)]
    for row in np.flatnonzero(program.kinds == Kind.ADD):
        assert splits[row] == splits[row - 1] == splits[program.rows[row, Column.PARTNER]]
