"""Training on data that stay on disk: the same as in memory, or refused, whatever is asked for."""

import numpy as np
import pandas as pd
import pytest

import fastbp as fb
from fastbp.training.stored import rows_within

ROWS, SMALL = 700, "24kB"  # in which not all of them fit


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    x = rng.normal(1, 2, (ROWS, 6)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] > 2).astype(np.int64) + (x[:, 2] > 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, arrays):
    made = tmp_path_factory.mktemp("shards")
    for number, rows in enumerate(np.split(np.arange(ROWS), (200, 450))):
        for name, array in zip("xy", arrays, strict=True):
            np.save(made / f"{name}{number}.npy", array[rows])
    return made


def network(outputs=3):
    layers = fb.Linear(6, 8), fb.BatchNorm1d(8), fb.Tanh(), fb.Dropout(0.1), fb.Linear(8, outputs)
    return fb.Sequential(*layers, seed=1)


def trained(data, net=None, **options):
    net = network() if net is None else net
    settings = {"epochs": 3, "batch_size": 16, "seed": 5}
    return net, fb.fit(net, data, **settings | options)


def same(one, other):
    """Whether two networks with their histories are the same, bit for bit."""
    assert one[1]["train_loss"] == other[1]["train_loss"]
    np.testing.assert_array_equal(one[1].loss_by_iteration, other[1].loss_by_iteration)
    np.testing.assert_array_equal(one[0].params, other[0].params)
    np.testing.assert_array_equal(one[0].buffers, other[0].buffers)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"metrics": "running", "class_weight": "balanced"},
        {"shuffle": False, "validation": "other"},
        {"schedule": "cosine", "clip_norm": 1.0, "class_weight": {0: 3.0}, "metrics": None},
    ],
    ids=str,
)
def test_an_exact_order_gives_the_bits_of_data_in_memory(folder, arrays, options, fused):
    small = fb.datasets.shards(folder, memory=SMALL)
    assert rows_within(small, network(), 16) < ROWS / 3
    inside, outside = dict(options), dict(options)
    if "validation" in options:
        inside["validation"], outside["validation"] = arrays, small
    right = trained(arrays, fused=fused, **inside)
    found = trained(small, fused=fused, **outside)
    same(found, right)
    for name in ("train_accuracy", "val_accuracy"):
        np.testing.assert_array_equal(found[1][name], right[1][name])
    np.testing.assert_allclose(found[1]["val_loss"], right[1]["val_loss"], rtol=1e-6)
    same(trained(fb.datasets.shards(folder), fused=fused, **inside), right)  # all of it fits


def test_no_bit_depends_on_prefetching_or_threads(folder, backend):
    if backend == "numba":
        pytest.skip("its engine takes the same calls")

    def of(prefetch, threads):
        data = fb.datasets.shards(folder, memory=SMALL, shuffle="windows", prefetch=prefetch)
        return trained(data, threads=threads, validation=0.2, metrics="running")

    right = of(True, 1)
    for prefetch, threads in ((False, 1), (True, 2)):
        same(of(prefetch, threads), right)
    assert right[1]["val_accuracy"][-1] > 0.5


def test_values_are_judged_as_in_memory(folder, arrays, tmp_path):
    x = arrays[0]
    y = np.stack([x[:, 0] * 3 + 100, x[:, 1]], axis=1).astype(np.float64)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    data = fb.datasets.shards(tmp_path, memory="40kB", values=True)
    options = {"loss": "mse", "metrics": "running"}
    found = trained(data, network(2), **options, validation=data)
    right = trained((x, y), network(2), **options, validation=(x, y))
    same(found, right)
    for name in ("train_r2", "train_mae", "val_r2", "val_mae"):
        np.testing.assert_allclose(found[1][name], right[1][name], rtol=1e-9)
    got, whole = fb.evaluate(found[0], data, "mse"), fb.evaluate(right[0], (x, y), "mse")
    np.testing.assert_allclose([got.loss, got.r2, got.mae], [whole.loss, whole.r2, whole.mae])
    np.testing.assert_allclose(found[0].predict(data), right[0].predict(x), atol=1e-6)


def test_own_metrics_and_callbacks_see_all(folder, arrays):
    seen = []

    def share(y, predicted):
        return float(np.mean(y == predicted))

    data = fb.datasets.shards(folder, memory=SMALL)
    options = {"metrics": {"share": share}, "early_stopping": fb.EarlyStopping(patience=1)}
    net, history = trained(data, validation=data, callbacks=seen.append, **options)
    assert [epoch.epoch for epoch in seen] == [*range(1, len(history) + 1)]
    assert history["share"] == history["val_accuracy"]
    assert fb.evaluate(net, data).accuracy == fb.evaluate(net, arrays).accuracy


def test_classes_are_counted_in_one_pass_as_in_memory(folder, arrays, tmp_path):
    x, y = arrays
    data = fb.datasets.shards(folder, memory=SMALL)
    net, _ = trained(data)
    found, whole = fb.evaluate(net, data), fb.evaluate(net, arrays)
    np.testing.assert_array_equal(found.confusion_matrix, whole.confusion_matrix)
    assert found.confusion_matrix.sum() == ROWS
    assert found.plot().axes[0].get_xlabel() == whole.plot().axes[0].get_xlabel()
    one = fb.Sequential(fb.Linear(6, 1), seed=1)  # two classes from a single output
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y % 2)
    two = fb.datasets.shards(tmp_path, memory=SMALL)
    fb.fit(one, two, epochs=1)
    right = fb.evaluate(one, (x, y % 2)).confusion_matrix
    np.testing.assert_array_equal(fb.evaluate(one, two).confusion_matrix, right)
    one.params[:] = np.nan  # what has no scores is not counted
    assert not fb.evaluate(one, two).confusion_matrix.any()
    values = fb.datasets.shards(tmp_path, memory=SMALL, values=True)
    fb.fit(one := fb.Sequential(fb.Linear(6, 1), seed=1), values, loss="mse", epochs=1)
    with pytest.raises(ValueError, match="confusion_matrix: there are no classes"):
        _ = fb.evaluate(one, values).confusion_matrix
    with pytest.raises(ValueError, match="values of data on disk are not kept"):
        fb.evaluate(one, values).plot()


def test_what_dask_has_is_trained_on_as_the_arrays(arrays):
    dask = pytest.importorskip("dask.dataframe")
    from dask.array import from_array, zeros

    x, y = arrays
    chunked = from_array(x, (300, 4)), from_array(y, 300)
    frame = pd.DataFrame(x, columns=[*"abcdef"])
    frames = (dask.from_pandas(part, npartitions=3) for part in (frame, pd.Series(y)))
    right = trained(arrays)
    for data in (chunked, [*chunked], (*frames,)):
        same(trained(data), right)  # all of it fits
    other = trained(fb.datasets.shards(chunked, memory="60kB"), validation=chunked)
    assert other[1]["val_accuracy"][-1] > 0.5
    np.testing.assert_array_equal(
        fb.evaluate(right[0], chunked).confusion_matrix,
        fb.evaluate(right[0], arrays).confusion_matrix,
    )
    table = dask.from_pandas(frame.assign(label=np.array(["no", "yes", "so"])[y]), npartitions=3)
    np.testing.assert_array_equal(
        trained(table)[0].params, trained(fb.datasets.table(table.compute(), "label"))[0].params
    )
    for wrong, told in (
        ((chunked[0], y), "y: expected Dask's, as the other is, got ndarray"),
        ((chunked[0], from_array(y, 200)), r"x comes in 3 chunks of rows \(300, 300, 100\), but y"),
        ((chunked[0], chunked[1][:650]), r"but y in 3 chunks of rows \(300, 300, 50\)"),
        (
            (chunked[0][chunked[0][:, 0] > 0], chunked[1][chunked[1] > 0]),
            r", but \d+ targets",
        ),
        ((chunked[0][:0], chunked[1][:0]), "no samples"),
        ((chunked[0].astype(object), chunked[1]), "x: expected numbers, got dtype object"),
        ((chunked[0][:, chunked[0][0] > 0], chunked[1]), "how many columns it has is unknown"),
        ((zeros((10**9, 9), chunks=-1), zeros(10**9, chunks=-1)), "are too few: to read a block"),
        (table["a"], "of Dask a DataFrame is taken, with its label"),
    ):
        with pytest.raises((ValueError, TypeError), match=told):
            trained(wrong)


def test_it_goes_on_from_a_checkpoint_with_the_same_data_alone(folder, arrays, tmp_path):
    data = fb.datasets.shards(folder, memory=SMALL, shuffle="windows")
    right = trained(data, validation=0.2)
    path = tmp_path / "run.safetensors"

    def stop(epoch):
        return epoch.epoch == 2

    trained(data, validation=0.2, checkpoint=path, callbacks=stop)
    going = fb.resume(path)
    going.fit(data, epochs=1)
    same((going.net, going.history), right)
    going = fb.resume(path)
    np.save(tmp_path / "x.npy", arrays[0][::-1])
    np.save(tmp_path / "y.npy", arrays[1][::-1])
    other = fb.datasets.shards((tmp_path / "x.npy", tmp_path / "y.npy"), memory="30kB")
    with pytest.raises(ValueError, match="the checkpoint is of another data set"):
        going.fit(other, epochs=1)


def test_an_epoch_may_end_where_time_is_over(folder):
    data = fb.datasets.shards(folder, memory=SMALL)
    _, history = trained(data, epochs=10**6, max_seconds=0.3, metrics="running", validate_every=9)
    assert history.stopped == "max_seconds=0.3 are over"
    assert np.isfinite(history["train_loss"]).all()


def test_files_that_change_or_go_meanwhile_are_named(folder, arrays, tmp_path):
    for name, array in zip("xy", arrays, strict=True):
        np.save(tmp_path / f"{name}.npy", array)

    def after(change):
        data = fb.datasets.shards(tmp_path, memory=SMALL)
        trained(data, callbacks=lambda epoch: change())

    with pytest.raises(ValueError, match=r"x\.npy: it was changed .* bytes then and .* now"):
        after(lambda: np.save(tmp_path / "x.npy", arrays[0][:-9]))
    np.save(tmp_path / "x.npy", arrays[0])
    with pytest.raises(FileNotFoundError, match=r"y\.npy: this part of the data is missing"):
        after((tmp_path / "y.npy").unlink)


def test_a_number_too_large_for_the_network_is_named(tmp_path, arrays):
    x = arrays[0].astype(np.float64)
    x[600, 2] = 1e60  # in a window that comes late
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", arrays[1])
    data = fb.datasets.shards(tmp_path, memory="40kB", shuffle="windows")
    with pytest.raises(ValueError, match=r"train x: 1e\+60 at row .*, column 2 is too large"):
        trained(data)


def test_what_does_not_go_is_refused(folder):
    data = fb.datasets.shards(folder, memory=SMALL)
    with pytest.raises(ValueError, match=r"memory: .* two windows of 400 samples do not fit; give"):
        trained(data, batch_size=400)
    with pytest.raises(ValueError, match="sample_weight: data on disk have none"):
        trained(data, sample_weight=np.ones(ROWS))
    with pytest.raises(ValueError, match="train: the network takes 5 columns; got Shards"):
        trained(data, fb.Sequential(fb.Linear(5, 3)))
    with pytest.raises(TypeError, match="an Ensemble takes data in memory"):
        fb.evaluate(fb.Ensemble([network()]), data)
