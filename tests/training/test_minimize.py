"""SciPy finds the minima that others find, and the network has the best that was found."""

import builtins

import numpy as np
import pytest

import fastbp as fb

pytest.importorskip("scipy")

RNG = np.random.default_rng(3)
X = RNG.normal(size=(700, 6))
Y = (X @ RNG.normal(size=(6, 3)) + RNG.normal(size=(700, 3))).argmax(axis=1)


def line(outputs=1, dtype="float64"):
    return fb.Sequential(fb.Linear(6, outputs), dtype=dtype)


@pytest.mark.parametrize("method", ["L-BFGS-B", "BFGS", "CG"])
def test_least_squares_are_found(backend, method):
    y = X @ np.arange(6) + 2 + RNG.normal(size=700)
    net = line()
    found = fb.minimize(net, (X, y), fb.MSELoss(), method=method, tolerance=1e-9)
    exact = np.linalg.lstsq(np.c_[X, np.ones(700)], y, rcond=None)[0]
    np.testing.assert_allclose(net.params, exact, atol=1e-6)
    assert found.losses[-1] == pytest.approx(found.loss, rel=1e-12)
    assert len(found.losses) == found.iterations + 1 <= found.evaluations
    assert (np.diff(found.losses) <= 1e-12).all()


@pytest.mark.parametrize("biases", [True, False])
def test_ridge_regression_is_found(backend, biases):
    """The minimum of loss + λ/2·Σθ² solves (2·AᵀA/n + λ·D)·θ = 2·Aᵀy/n."""
    y, l2, a = X @ np.arange(6) + 2, 0.3, np.c_[X, np.ones(700)]
    decayed = np.diag([1.0] * 6 + [float(biases)])
    exact = np.linalg.solve(2 * a.T @ a / 700 + l2 * decayed, 2 * a.T @ y / 700)
    net = line()
    found = fb.minimize(net, (X, y), fb.MSELoss(), l2=l2, decay_biases=biases, tolerance=1e-12)
    np.testing.assert_allclose(net.params, exact, atol=1e-5)
    penalty = l2 / 2 * (decayed @ net.params) @ net.params
    loss = fb.evaluate(net, (X, y), fb.MSELoss()).loss
    assert found.loss == pytest.approx(loss + penalty, rel=1e-12)


def test_logistic_regression_is_scikit_learns():
    linear_model = pytest.importorskip("sklearn.linear_model")
    net = line(3)
    found = fb.minimize(
        net, (X, Y), fb.CrossEntropyLoss(), l2=1 / 700, decay_biases=False, tolerance=1e-12
    )
    theirs = linear_model.LogisticRegression(C=1.0, tol=1e-10, max_iter=5000).fit(X, Y)
    assert found.converged
    np.testing.assert_allclose(net.layers[0].w.T, theirs.coef_, atol=1e-4)
    assert net.meaning == "classes"
    assert (net.predict(X) == theirs.predict(X)).all()


def test_the_number_of_threads_changes_no_bit(backend):
    found = []
    for threads in (1, 2):
        net = fb.Sequential(fb.Linear(6, 40), fb.Tanh(), fb.Linear(40, 3))
        result = fb.minimize(net, (X, Y), fb.CrossEntropyLoss(), max_iterations=15, threads=threads)
        assert not result.converged
        assert result.iterations == 15
        found.append((net.params, result.losses))
    assert all(map(np.array_equal, *found))


def test_frozen_layers_stay(backend):
    net = fb.Sequential(fb.Linear(6, 8), fb.Tanh(), fb.Linear(8, 8), fb.Tanh(), fb.Linear(8, 3))
    net.layers[2].trainable = False
    before = net.copy()
    fb.minimize(net, (X, Y), fb.CrossEntropyLoss(), l2=0.1, max_iterations=5)
    for k in (0, 2, 4):
        assert np.array_equal(net.layers[k].w, before.layers[k].w) == (k == 2)
        assert np.array_equal(net.layers[k].b, before.layers[k].b) == (k == 2)


def test_a_step_that_is_too_long_is_not_taken():
    """Where the loss is no number the search takes a shorter step."""
    net = line()
    found = fb.minimize(net, (30 * X, Y.astype(float)), fb.PoissonNLLLoss())
    assert np.isfinite(net.params).all()
    assert np.isfinite(found.losses).all()
    assert found.loss <= found.losses[0]


def test_the_best_is_kept_whatever_ends_the_search(monkeypatch):
    from fastbp.training import gradient

    real, losses = gradient.Objective.__call__, []

    def call(self):
        if len(losses) == 6:
            raise KeyboardInterrupt
        value, slope = real(self)
        losses.append(value)
        return value, slope

    monkeypatch.setattr(gradient.Objective, "__call__", call)
    net = line(3)
    with pytest.raises(KeyboardInterrupt):
        fb.minimize(net, (X, Y), fb.CrossEntropyLoss())
    assert fb.evaluate(net, (X, Y), fb.CrossEntropyLoss()).loss == pytest.approx(min(losses))
    assert losses[0] > min(losses)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"method": "Nelder-Mead"}, ValueError, "minimize method: expected L-BFGS-B, .*; got"),
        ({"method": None}, ValueError, "minimize method: expected .*; got None"),
        ({"l2": -1}, ValueError, "l2: expected at least 0, got -1"),
        ({"l2": np.nan}, ValueError, "l2: expected a finite number"),
        ({"decay_biases": 1}, TypeError, "decay_biases: expected True or False, got 1"),
        ({"max_iterations": 0}, ValueError, "max_iterations: expected .*, got 0"),
        ({"tolerance": 0}, ValueError, "tolerance: expected a number above 0, got 0"),
        ({"threads": 0}, ValueError, "threads"),
    ],
)
def test_what_makes_no_sense_is_refused(options, error, text):
    with pytest.raises(error, match=text):
        fb.minimize(line(3), (X, Y), fb.CrossEntropyLoss(), **options)


def test_networks_that_cannot_be_trained_are_refused():
    net = line(3)
    with pytest.raises(ValueError, match="minimize: the network is frozen; train a copy"):
        fb.minimize(net.frozen(), (X, Y), fb.CrossEntropyLoss())
    net.layers[0].trainable = False
    for train, options in ((fb.minimize, {}), (fb.fit, {"optimizer": fb.SGD(0.1)})):
        with pytest.raises(ValueError, match=r": every layer with parameters is frozen"):
            train(net, (X, Y), loss=fb.CrossEntropyLoss(), **options)
    net = line(dtype="float32")
    net.params[...] = 1e3
    with pytest.raises(fb.DivergenceError, match="the loss is NaN or infinite at the network's"):
        fb.minimize(net, (X, Y.astype(float)), fb.PoissonNLLLoss())


def test_without_scipy_it_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def no_scipy(name, *args, **options):
        if name.startswith("scipy"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", no_scipy)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'fastbp\[scipy\]'"):
        fb.minimize(line(3), (X, Y), fb.CrossEntropyLoss())
