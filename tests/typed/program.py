"""A user's program that touches every public name: type checkers pass it when they are strict.

It also runs, and ``assert_type`` says what a checker is to find (at run time it does nothing).
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import assert_type

import numpy as np

import fastbp as fb
from fastbp import c, numpy_source, plots

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 4)), np.arange(40) % 3


class Double(fb.Layer):
    """A layer of one's own."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return 2 * x

    def backward(self, dy: np.ndarray) -> np.ndarray:
        return 2 * dy


@fb.activation
def bent(x: float) -> float:
    return x if x > 0 else 0.25 * x


@bent.gradient
def slope(x: float, y: float) -> float:
    return 1.0 if x > 0 else 0.25


@fb.loss(values=True)
def quartic(x: np.ndarray, target: np.ndarray) -> float:
    return float(((x - target) ** 4).sum())


@quartic.gradient(check=False)
def cubes(x: np.ndarray, target: np.ndarray, dx: np.ndarray) -> None:
    dx[:] = 4 * (x - target) ** 3


@fb.loss
def ends(x: np.ndarray, label: int) -> float:
    return float(x[0] ** 2)


@ends.gradient
def of_ends(x: np.ndarray, label: int, dx: np.ndarray) -> None:
    dx[:] = 0
    dx[0] = 2 * x[0]


class Watch(fb.Callback):
    """Ends the training when it is good enough."""

    def on_epoch_end(self, epoch: fb.training.Epoch, net: fb.Sequential) -> bool:
        return epoch.train_accuracy > 0.99


class Sawtooth(fb.schedules.Schedule):
    """A rate that falls within each epoch."""

    def factors(
        self, steps: np.ndarray, span: fb.schedules.Span, state: Mapping[str, float]
    ) -> np.ndarray:
        return 1 - (steps % span.steps_per_epoch) / span.steps_per_epoch


def told(epoch: fb.training.Epoch) -> None:
    """A function that watches each epoch."""
    assert_type(epoch.train_loss, float)


def layers() -> fb.Sequential:
    """Every layer once, of rows and of images."""
    rows = [fb.Standardize.of(X), fb.Linear(4, 8, init="he"), fb.BatchNorm1d(8), fb.Scale(8)]
    rows += [fb.LayerNorm(8), fb.Dropout(0.1), fb.Residual(fb.Linear(8, 8), Double()), bent()]
    rows += [fb.ReLU(), fb.LeakyReLU(), fb.ELU(), fb.SELU(), fb.GELU(), fb.SiLU(), fb.Mish()]
    rows += [fb.Softplus(), fb.Sigmoid(), fb.Tanh()]
    images = fb.Sequential(
        *(fb.Conv2d(1, 2, 3, padding="same"), fb.BatchNorm2d(2), fb.MaxPool2d(2)),
        *(fb.AvgPool2d((2, 2)), fb.Flatten(), fb.Linear(2, 3, bias=False), fb.LogSoftmax()),
        input_shape=(1, 4, 4),
        init=fb.initializers.Glorot(),
    )
    assert_type(images.scores(np.zeros((2, 16))), np.ndarray)
    return fb.Sequential(*rows, fb.Linear(8, 3), dtype="float64", seed=1)


def trained(folder: Path) -> fb.Sequential:
    """fit and all around it."""
    net = layers()
    assert_type(net[0], fb.Layer)
    assert_type(net[:2], fb.Sequential)
    schedule = fb.schedules.Cosine(warm_up=1)
    stop = fb.EarlyStopping(patience=3)
    history = fb.fit(
        net,
        X,
        Y,
        loss=fb.CrossEntropyLoss(0.1),
        optimizer=fb.Adam(lr=0.01),
        epochs=2,
        validation=0.2,
        schedule=schedule,
        early_stopping=stop,
        class_weight="balanced",
        callbacks=[Watch(), fb.Log(folder / "log.csv")],
        checkpoint=fb.Checkpoint(folder / "check"),
    )
    history = net.fit(
        X,
        Y,
        epochs=1,
        history=fb.History(),
        metrics={"share": lambda y, p: float(len(p))},
        validation=(X, Y),
        callbacks=told,
    )
    assert_type(history, fb.History)
    assert_type(history["train_loss"], list[float])
    found = net.evaluate(X, Y)
    assert_type(found.accuracy, float)
    assert_type(net.score(X, Y), float)
    return net


def by_hand(net: fb.Sequential) -> None:
    """Steps, gradients and the optimisers that are taken by hand."""
    value, gradient = fb.HingeLoss()(net.forward(X), Y)
    assert_type(value, float)
    assert_type(net.backward(gradient), None)
    assert_type(net.backward(gradient, input_gradient=True), np.ndarray)
    for optimizer in (fb.SGD(0.1), fb.AdamW(), fb.NAdam(), fb.RMSprop(), fb.Adagrad()):
        optimizer.step(net)
    losses: list[fb.losses.Loss] = [fb.MSELoss(), fb.L1Loss(), fb.HuberLoss(), fb.NLLLoss()]
    losses += [fb.SquaredHingeLoss(), fb.PoissonNLLLoss(), fb.BCEWithLogitsLoss(2.0), ends()]
    small = fb.Sequential(fb.Linear(4, 3), fb.LogSoftmax(), dtype="float64")
    assert_type(bool(fb.gradcheck(small, losses[3], X[:5], Y[:5])), bool)
    assert_type(fb.loss_and_gradient(small, (X, Y), losses[3])[0], float)
    assert_type(fb.minimize(small, (X, Y), losses[3], max_iterations=2).loss, float)
    one = fb.Sequential(fb.Linear(4, 1))
    with fb.use_backend("numpy"):
        try:
            fb.fit(one, X, X[:, 0], loss=quartic(), epochs=1, optimizer="sgd", progress=False)
        except (fb.DivergenceError, fb.GradientError) as problem:
            sys.stderr.write(str(problem))


def kept(net: fb.Sequential, folder: Path) -> None:
    """Files, ensembles, and many networks."""
    plain = net.copy()[1:2]
    plain.save(folder / "net.safetensors")
    again = fb.load(folder / "net.safetensors")
    assert isinstance(again, fb.Sequential)
    jobs = [fb.Job(fb.Sequential(fb.Linear(4, 3), seed=seed)) for seed in range(2)]
    assert_type(fb.fit_many(jobs, (X, Y)), list[fb.History])
    space = {"lr": fb.space.loguniform(1e-3, 1e-1), "hidden": [(4,), (8,)]}
    found = fb.search(space, X, Y, n_trials=2, epochs=1)
    assert_type(found.best_score, float)
    assert_type(found.best_model, fb.Sequential)
    both = fb.Ensemble([job.net for job in jobs])
    assert_type(both[0], fb.Sequential)
    assert_type(fb.evaluate(both, (X, Y), "cross-entropy").loss, float)
    assert_type(both.predict(X), np.ndarray)
    data = fb.datasets.Dataset(X, Y, classes=3)
    assert_type(data.first(3).classes, int)
    model = fb.models.dense(hidden=(5,), activation="relu")
    assert_type(model.build(features=4, classes=3), fb.Sequential)
    frame = {"a": X[:, 0], "b": Y}
    table = fb.train(frame, "b", epochs=1, ensemble=1, plots=False)
    assert_type(table.history.stopped, str)
    worth = fb.permutation_importance(table.model, frame, repeats=1)
    assert_type(worth.importances_mean, np.ndarray)
    c.save(plain, folder / "net.h")
    numpy_source.save(plain, folder / "net_.py")
    figure = plots.loss_by_epoch({"a": [1.0, 0.5]})
    assert_type(plots.save(figure, folder / "loss.png"), Path)
    resumed = fb.resume(folder / "check", layers=[Double])
    assert_type(resumed.net, fb.Sequential)
    assert issubclass(fb.TensorBoard, fb.Callback)


def parts(net: fb.Sequential, folder: Path) -> None:
    """What modules of fb offer: starts, schedules, spaces, data, models."""
    first = fb.initializers
    starts: list[fb.initializers.Initializer] = [first.Uniform(), first.Normal(0.1), first.Glorot()]
    starts += [first.He(), first.NTK(), first.initializer("he"), first.Nothing()]
    many = fb.schedules
    rates: list[fb.schedules.Schedule] = [many.Step(2), many.Exponential(0.9), many.CosineLog(3)]
    rates += [
        Sawtooth(),
        many.OneCycle(),
        many.InverseScaling(),
        many.ReduceOnPlateau(),
        many.Adaptive(),
    ]
    for start, schedule in zip(starts, rates, strict=False):
        small = fb.Sequential(fb.Linear(4, 3), init=start)
        history = fb.fit(small, X, Y, epochs=1, validation=0.2, schedule=schedule)
        assert_type(history.lr_by_iteration, np.ndarray)
    assert_type(many.SCHEDULES["cosine"], type[fb.schedules.Schedule])
    drawn = [fb.space.uniform(0, 1), fb.space.randint(1, 9), fb.space.lograndint(1, 9)]
    assert len([*drawn, fb.space.choice(["relu", "tanh"])]) == 4
    np.savez(folder / "data.npz", x=X, y=Y)
    train, test = fb.datasets.load(folder / "data.npz", most_bytes=fb.datasets.MOST_BYTES)
    assert_type(train, fb.datasets.Dataset)
    assert_type(fb.datasets.mnist()[0].features, int)
    np.save(folder / "x.npy", X)
    np.save(folder / "y.npy", Y)
    stored = fb.datasets.shards((folder / "x.npy", folder / "y.npy"), memory="1MB")
    assert_type(stored, fb.datasets.Shards)
    assert_type(net.score(stored), float)
    try:
        table = fb.datasets.table({"a": X[:, 0], "b": Y}, "b").table
        assert_type(table, fb.datasets.Table | None)
        assert_type(fb.models.read("dense"), fb.models.Model)
    except fb.datasets.DataError:
        assert len(test)


def elsewhere(net: fb.Sequential, folder: Path) -> None:
    """Other libraries' ways in and out."""
    from fastbp import onnx, sklearn, torch

    onnx.save(net, folder / "net.onnx")
    assert_type(onnx.load(folder / "net.onnx"), fb.Sequential | fb.Ensemble)
    classifier, regressor = sklearn.MLPClassifier(max_iter=2), sklearn.MLPRegressor(max_iter=2)
    classifier.fit(X, Y)
    regressor.fit(X, X[:, 0])
    assert_type(classifier.predict(X), np.ndarray)
    assert_type(regressor.predict(X), np.ndarray)
    module = torch.to_torch(net)
    assert_type(torch.from_torch(module), fb.Sequential)
    assert_type(torch.fit(module, X, Y, epochs=1), fb.History)
    torch.save(net, folder / "net.pt")
    torch.load_state_dict(net, torch.state_dict(net))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    network = trained(target)
    by_hand(network)
    kept(network, target)
    parts(network, target)
    if "--elsewhere" in sys.argv:  # needs those libraries
        elsewhere(fb.Sequential(fb.Linear(4, 8), fb.Tanh(), fb.Linear(8, 3)), target)
