"""What a table is trained with: chosen by its rows and its label, and overridden part by part."""

import numpy as np
import pandas as pd
import pytest

import fastbp as fb
from fastbp import models
from fastbp.tabular import recipe


def data_of(rows, values=False):
    """So many rows of two numbers, of two classes alike or of values."""
    x = np.random.default_rng(2).normal(size=(rows, 2)).astype(np.float32)
    return fb.datasets.Dataset(
        x, x[:, 0] if values else x[:, 0] > np.median(x[:, 0]), values=values
    )


@pytest.mark.parametrize(
    ("rows", "epochs"),
    [(10, 32), (999, 32), (1_000, 64), (3_125, 64), (10_000, 20), (12_500, 16), (10**7, 16)],
)
def test_epochs_and_batches_follow_from_the_rows(rows, epochs):
    for values in (False, True):
        model = recipe.model_for(rows, values)
        assert (model.epochs, model.early_stopping) == (epochs, epochs)
        few = 16 if values else 64
        assert model.batch_size == (few if rows < 1000 else 256)


def test_classes_and_values_have_their_own_activation_loss_and_rate():
    kinds = [{row["type"] for row in recipe.model_for(9, v).layers} for v in (False, True)]
    assert kinds == [{"Scale", "Linear", "SELU"}, {"Scale", "Linear", "Mish"}]
    of_classes, of_values = (recipe.model_for(1_000, values) for values in (False, True))
    assert (of_classes.loss, of_classes.lr, of_classes.loss_options) == (
        *("cross-entropy", 0.04),
        {"label_smoothing": 0.1},
    )
    assert (of_values.loss, of_values.lr, of_values.loss_options) == ("mse", 0.07, {})
    assert of_values.options == of_classes.options == {"beta2": 0.95}
    assert [recipe.model_for(999, values).lr for values in (False, True)] == [0.04, 0.008]


def test_what_is_said_comes_first():
    said = {"hidden": [8], "epochs": 300, "optimizer": "sgd", "loss": "hinge", "lr": None}
    model = models.asked_for(recipe.completed(said, data_of(100)))
    assert [row.get("outputs") for row in model.layers] == [None, 8, None, None]
    assert (model.epochs, model.early_stopping, model.validation) == (300, 300, 0.2)
    assert (model.optimizer, model.options, model.lr) == ("sgd", {}, 0.04)
    assert (model.loss, model.loss_options, model.schedule) == ("hinge", {}, "cosine-log")
    other = {"model": "dense", "epochs": 2}
    assert recipe.completed(other, data_of(100)) == other


def test_of_a_few_rows_none_are_kept_back():
    for values, rows in ((False, 14), (True, 7)):
        model = recipe.completed({}, data_of(rows, values))["model"]
        assert (model.validation, model.early_stopping) == (None, None)
        said = models.asked_for(recipe.completed({"validation": 0.5}, data_of(rows, values)))
        assert (said.validation, said.early_stopping) == (0.5, 32)


def test_it_learns_and_keeps_its_best_epoch():
    data = data_of(200, values=True)
    model = models.asked_for(recipe.completed({"hidden": [32], "epochs": 30}, data))
    net = model.fitted(2, 1).build(2, 1)
    history = fb.fit(net, data, **model.fit_arguments())
    assert len(history) == 30
    assert not history.stopped
    best = history.epochs[np.argmin(history["val_loss"])]
    judged = history.validation_rows
    kept = fb.evaluate(net, (data.x[judged], data.y[judged]), fb.MSELoss())
    assert kept.loss == pytest.approx(best.val_loss, rel=1e-6)
    assert best.val_r2 > 0.95


def test_several_networks_are_for_the_tables_own_model():
    said = [{}, {"model": None, "lr": 0.1}, {"model": "table"}, {"model": "dense"}]
    assert [recipe.networks_for(given, 100) for given in said] == [10, 10, 10, 1]
    assert [recipe.networks_for({}, rows) for rows in (999, 1_000, 100_000, 250_000, 10**7)] == [
        *(10, 5, 5, 2, 1)
    ]
    model = recipe.model_for(100, values=False)
    assert recipe.networks_for({"model": model}, 100) == 1
    frame = pd.DataFrame({"x": np.arange(40.0) % 7, "label": ["a", "b"] * 20})
    how = {"hidden": (4,), "epochs": 1}
    assert len(fb.train(frame, **how).model) == 10
    assert isinstance(fb.train(frame, ensemble=1, **how).model, fb.Sequential)


def test_a_run_s_config_brings_its_networks_back(tmp_path):
    frame = pd.DataFrame({"x": np.arange(40.0) % 7, "label": ["a", "b"] * 20})
    first = fb.train(frame, hidden=(4,), epochs=2, ensemble=3, output=tmp_path / "run", plots=False)
    config = tmp_path / "run" / "config.toml"
    again = fb.train(frame, model=str(config))
    assert len(again.model) == 3
    assert (again.model.scores(frame) == first.model.scores(frame)).all()
    assert isinstance(fb.train(frame, model=str(config), ensemble=1).model, fb.Sequential)
    config.write_text(config.read_text().replace("networks = 3", 'networks = "x"'))
    with pytest.raises(ValueError, match=r"config\.toml: computation\.networks: .* got 'x'"):
        fb.train(frame, model=str(config))
