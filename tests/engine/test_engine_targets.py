"""Targets of other forms than a loss takes first: probabilities of classes; and other weights."""

import numpy as np
import pytest

import fastbp as fb

pytestmark = pytest.mark.usefixtures("backend")

RNG = np.random.default_rng(11)
X = RNG.normal(size=(101, 36))
SHARES = RNG.random((101, 5)) ** 4
SHARES /= SHARES.sum(axis=1, keepdims=True)
NETWORKS = {
    "rows": lambda: (fb.Linear(36, 70), fb.Tanh(), fb.Linear(70, 5)),
    "images": lambda: (fb.Conv2d(1, 3, 3), fb.ReLU(), fb.Flatten(), fb.Linear(48, 5)),
}
LOSSES = {
    "probabilities": lambda: fb.CrossEntropyLoss(),
    "probabilities, smoothed": lambda: fb.CrossEntropyLoss(0.2),
    "weights": lambda: fb.BCEWithLogitsLoss([0.5, 2, 0, 1, 3.5]),
}
CASES = [
    ("rows", "probabilities", "float64", 16),
    ("rows", "probabilities, smoothed", "float32", 80),
    ("rows", "weights", "float64", 16),
    ("images", "probabilities, smoothed", "float64", 32),
    ("images", "weights", "float64", 32),
]


def trained(name, loss, dtype, batch_size, **options):
    shape = (1, 6, 6) if name == "images" else None
    net = fb.Sequential(*NETWORKS[name](), dtype=dtype, input_shape=shape)
    options = {"epochs": 2, "batch_size": batch_size, "seed": 1} | options
    step = fb.SGD(0.1, momentum=0.5)
    history = fb.fit(net, (X, SHARES), loss=LOSSES[loss](), optimizer=step, **options)
    return net, history


@pytest.mark.parametrize(("name", "loss", "dtype", "batch_size"), CASES)
def test_fused_is_layered_for_any_number_of_threads(name, loss, dtype, batch_size):
    layered, slow = trained(name, loss, dtype, batch_size, fused=False)
    near = 1e-4 if dtype == "float32" else 1e-10
    params = []
    for threads in (1, 2):
        net, fast = trained(name, loss, dtype, batch_size, threads=threads)
        assert fast.path.endswith("fused")
        np.testing.assert_allclose(net.params, layered.params, rtol=near, atol=near)
        np.testing.assert_allclose(fast.loss_by_iteration, slow.loss_by_iteration, rtol=near)
        params.append(net.params)
    assert np.array_equal(*params)


@pytest.mark.parametrize("fused", [True, False])
def test_weights_may_change_between_epochs(fused):
    loss, seen = fb.BCEWithLogitsLoss(2.0), []

    class Change(fb.Callback):
        def on_epoch_end(self, epoch, net):
            seen.append(net.params.copy())
            loss.pos_weight = [0.5, 2, 0, 1, 3.5] if epoch.epoch == 1 else [1.0, 2.0]

    net = fb.Sequential(fb.Linear(36, 5), dtype="float64")
    options = {"batch_size": 32, "optimizer": fb.SGD(0.1), "callbacks": [Change()], "seed": 3}
    with pytest.raises(ValueError, match="expected scores of 2 columns, as pos_weight has; got 5"):
        fb.fit(net, (X, SHARES), loss=loss, epochs=3, fused=fused, **options)
    for weight, start, end in ((2.0, None, seen[0]), ([0.5, 2, 0, 1, 3.5], seen[0], seen[1])):
        step = fb.Sequential(fb.Linear(36, 5), dtype="float64")
        history = fb.History()
        if start is not None:
            step.params[:] = start
            history.epochs.append(fb.training.Epoch(1, 0, 0, 0, 0))
        options = {"batch_size": 32, "optimizer": fb.SGD(0.1), "seed": 3, "history": history}
        fb.fit(step, (X, SHARES), loss=fb.BCEWithLogitsLoss(weight), epochs=1, **options)
        np.testing.assert_allclose(step.params, end, rtol=1e-10)
