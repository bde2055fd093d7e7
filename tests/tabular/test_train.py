"""``fb.train``, networks side by side, and cross-validation."""

import json

import numpy as np
import pandas as pd
import pytest

import fastbp as fb
from fastbp.tabular.data import Asked
from fastbp.tabular.folds import cross_validated
from fastbp.tabular.measures import measured
from fastbp.tabular.several import Several
from fastbp.tabular.split import folds
from fastbp.tabular.task import task_of

QUICK = {"epochs": 3, "hidden": (8,)}


@pytest.fixture(scope="module")
def people():
    """150 people, a third of which earn much; every ninth age is missing."""
    rng = np.random.default_rng(4)
    age, job = rng.integers(20, 70, 150), rng.choice(["cook", "judge", "poet"], 150)
    frame = pd.DataFrame({"age": age.astype(float), "job": job, "noise": rng.normal(size=150)})
    frame["income"] = np.where((age > 40) & (job != "poet"), "high", "low")
    frame["wage"] = 1000.5 + 50 * age + 700 * (job == "judge")
    frame.loc[::9, "age"] = np.nan
    return frame


def test_a_network_is_trained_on_a_frame_and_told(people, tmp_path):
    trained = fb.train(people, "income", drop="wage", ensemble=1, **QUICK)
    assert isinstance(trained.model, fb.Sequential)
    assert trained.report["rows"] + len(trained.report["test"]["confusion"]) > 120
    assert trained.report["epochs"] == [3] == [len(trained.history)]
    assert "accuracy" in repr(trained)
    assert {*trained.model.predict(people)} <= {"high", "low"}
    trained.save(tmp_path / "model.safetensors")
    again = fb.load(tmp_path / "model.safetensors")
    assert (again.predict(people) == trained.model.predict(people)).all()
    json.dumps(trained.report)


def test_several_networks_are_each_as_alone(people):
    """With rows that each kept back by its own seed; each row is judged by those that did."""
    several = fb.train(people, "wage", drop="income", ensemble=3, seed=4, threads=2, **QUICK)
    assert isinstance(several.model, fb.Ensemble)
    assert several.report["seeds"] == [4, 5, 6]
    how = {"drop": "income", "ensemble": 1} | QUICK
    alone = [fb.train(people, "wage", seed=seed, **how) for seed in (4, 5, 6)]
    for number, each in enumerate(alone):
        assert (several.model[number].params == each.model.params).all()
        assert several.histories[number]["val_loss"] == each.history["val_loss"]
    kept = [history.validation_rows for history in several.histories]
    assert len({tuple(rows) for rows in kept}) == 3
    x = several.model.table.encode(people)
    means = np.mean([net.predict(x) for net in several.model], axis=0)
    assert several.model.predict(x) == pytest.approx(means, rel=1e-5)
    told = several.model.table.label.told(several.model.predict(x))
    assert (several.model.predict(people) == told).all()
    assert alone[0].report["validation"]["mae"] == pytest.approx(
        alone[0].history["val_mae"][-1] * alone[0].model.table.label.std, rel=1e-5
    )


def test_rows_are_judged_by_the_networks_that_kept_them_back(people):
    for label, drop in (("wage", "income"), ("income", "wage")):
        task = task_of(people, Asked(label, drop=drop), QUICK, networks=3)
        several = Several(task)
        several.fit()
        result = several.result()
        unseen, train = result.unseen, task.train
        kept = [set(job.history.validation_rows.tolist()) for job in several.jobs]
        rows = sorted(set.union(*kept))
        assert (unseen.rows.x == train.x[rows]).all()
        assert unseen.rows.name == "table validation"
        said = unseen.predict(unseen.rows)
        for place, row in enumerate(rows[:40]):
            nets = [job.net for job, own in zip(several.jobs, kept, strict=True) if row in own]
            want = fb.Ensemble(nets).predict(train.x[[row]])[0]
            assert said[place] == pytest.approx(want, rel=1e-5)
        found = result.figures["validation"]
        if label == "income":
            assert found["accuracy"] == (said == train.y[rows]).mean()
            chances = unseen.predict_proba(unseen.rows)
            assert (chances.argmax(axis=1) == said).all()
        else:
            table = train.table.label
            errors = table.told(said) - table.decode(train.y[rows])
            assert found["mae"] == pytest.approx(np.abs(errors).mean())


def test_output_has_what_the_command_leaves(people, tmp_path):
    for networks in (1, 2):
        folder = tmp_path / str(networks)
        trained = fb.train(people, "wage", drop="income", ensemble=networks, output=folder, **QUICK)
        found = {path.name for path in folder.iterdir()}
        assert {"config.toml", "history.csv", "loss_by_iteration.npz", "report.html"} <= found
        assert {"importance.png", "residuals.png", "model.safetensors"} <= found
        assert ("checkpoint.safetensors" in found) == (networks == 1)
        again = fb.load(folder / "model.safetensors")
        assert (again.predict(people) == trained.model.predict(people)).all()


def test_what_is_judged_is_what_is_predicted(people):
    """Values within the range of those that were trained on, wherever they are told of."""
    cheap = people[people["wage"] < 3000]
    trained = fb.train(cheap, "wage", drop="income", test=people, ensemble=2, epochs=60)
    errors = trained.model.predict(people) - people["wage"]
    samples = trained.model.table.dataset(people)
    assert trained.model.predict(people).max() == cheap["wage"].max()
    found = fb.evaluate(trained.model, samples, "mse")
    std = trained.model.table.label.std
    assert found.mae * std == pytest.approx(np.abs(errors).mean(), rel=1e-6)
    assert trained.report["test"]["mae"] == pytest.approx(np.abs(errors).mean())
    assert found.r2 == pytest.approx(trained.report["test"]["r2"])
    assert np.isfinite(found.loss)
    one = fb.evaluate(trained.model[0], samples)
    alone = np.abs(trained.model[0].predict(people) - people["wage"])
    assert one.mae * std == pytest.approx(alone.mean(), rel=1e-6)


def test_folds_are_disjoint_cover_all_rows_and_have_each_class_alike():
    classes = np.repeat([0, 1, 2], [40, 21, 6])
    parts = folds(classes, 5, np.random.default_rng(1))
    assert sorted(np.concatenate(parts)) == [*range(67)]
    for part in parts:
        counts = np.bincount(classes[part], minlength=3)
        assert (counts >= [8, 4, 1]).all()
        assert (counts <= [8, 5, 2]).all()
    assert {len(part) for part in parts} == {13, 14}
    others = folds(classes, 5, np.random.default_rng(2))
    assert not all(np.array_equal(a, b) for a, b in zip(parts, others, strict=True))


def test_what_is_found_of_a_fold_is_what_training_without_it_finds(people):
    asked = Asked("income", drop="wage")
    task = task_of(people, asked, QUICK, networks=1, all_rows=True)
    found = cross_validated(task, 3)
    rows = found["rows"]
    assert sorted(np.concatenate(rows)) == [*range(150)]
    outside = people.drop(index=rows[1])
    fold = task.prepared.rows[np.isin(task.prepared.rows, rows[1], invert=True)]
    _, table = fb.datasets.fit_table(people, "income", rows=fold, drop="wage")
    assert table.columns[0].center == outside["age"].median()  # not that of all rows
    train, test = table.dataset(people.iloc[fold]), table.dataset(people.iloc[sorted(rows[1])])
    on = task.on(train)
    net = on.build()[0]
    fb.fit(net, train, **on.arguments())
    alone = measured(net, test)
    assert found["folds"][1]["accuracy"] == alone["accuracy"]
    assert found["folds"][1]["auc"] == alone["auc"]
    accuracies = [each["accuracy"] for each in found["folds"]]
    assert found["mean"]["accuracy"] == pytest.approx(np.mean(accuracies))
    assert found["std"]["accuracy"] == pytest.approx(np.std(accuracies))
    assert found["mean"]["baseline"] == pytest.approx((people["income"] == "low").mean(), abs=0.01)


@pytest.mark.parametrize("label", ["income", "wage"])
def test_nothing_of_a_fold_is_known_where_it_is_tested(people, label):
    """Noise cannot be predicted; what is told of other rows' labels by a leak would be."""
    frame = people[["noise"]].assign(key=[f"k{n % 75}" for n in range(150)])
    rng = np.random.default_rng(0)
    frame[label] = rng.permutation(people[label].to_numpy())
    found = fb.train(frame, label, category="key", cv=3, ensemble=1, epochs=20, hidden=(16,))
    found = found.report["cv"]
    if label == "income":
        assert found["mean"]["accuracy"] < found["mean"]["baseline"] + 0.05
        assert 0.3 < found["mean"]["auc"] < 0.7
    else:
        assert found["mean"]["r2"] < 0.05
        assert found["mean"]["rmse"] > 0.9 * found["mean"]["baseline"]["rmse"]


def test_cross_validation_trains_all_rows_in_the_end(people, tmp_path):
    frame = people.copy()
    frame.loc[3, "income"] = None
    with pytest.warns(UserWarning, match="have no 'income'"):
        trained = fb.train(
            frame, "income", drop="wage", cv=4, ensemble=2, output=tmp_path / "run", **QUICK
        )
    assert trained.report["rows"] == 149
    assert "test" not in trained.report
    assert sorted(np.concatenate(trained.report["cv"]["rows"])) == [n for n in range(150) if n != 3]
    history = pd.read_csv(tmp_path / "run" / "history.csv")
    assert history["network"].tolist() == [1, 1, 1, 2, 2, 2]
    assert history["val_loss"][3:].tolist() == trained.histories[1]["val_loss"]
    again = fb.load(tmp_path / "run" / "model.safetensors")
    assert (again.scores(frame) == trained.model.scores(frame)).all()
    with np.load(tmp_path / "run" / "loss_by_iteration.npz") as losses:
        assert (losses["loss_2"] == trained.histories[1].loss_by_iteration).all()


def test_without_enough_rows_those_that_are_tested_with_judge(people):
    """Of a class with few rows none are kept back."""
    frame = people[["age", "noise"]].assign(label=["x", "y"] * 75)
    frame.loc[:2, "label"] = "z"
    for networks in (1, 2):
        trained = fb.train(frame, "label", ensemble=networks, **QUICK)
        assert "validation" not in trained.report
        accuracies = [history["val_accuracy"][-1] for history in trained.histories]
        assert np.isfinite(accuracies).all()
        if networks == 1:
            assert trained.report["test"]["accuracy"] == pytest.approx(accuracies[0])


def test_a_network_that_is_stopped_is_what_its_last_epoch_left(people):
    task = task_of(people, Asked("income", drop="wage"), QUICK | {"epochs": 50}, networks=2)
    several, seen = Several(task), {}

    class Stop(fb.Callback):
        def on_epoch_begin(self, epoch, net):
            if epoch == 3:
                net.params += 1  # as if some steps were done
                raise KeyboardInterrupt

        def on_epoch_end(self, epoch, net):
            seen[epoch.epoch] = net.params.copy()

    with pytest.raises(KeyboardInterrupt):
        several.fit(lambda number, job: [Stop()] if number == 0 else [], threads=1)
    done = several.finished()
    assert len(done[0].history) == 2
    assert (done[0].net.params == seen[2]).all()


def test_what_cannot_be_is_one_error_and_leaves_nothing(people, tmp_path):
    output = tmp_path / "run"
    for options, words in (
        ({"cv": 1}, "cv: expected at least 2"),
        ({"cv": 140}, "cv: 140 parts need a row of class 'high' each, but there are only"),
        ({"ensemble": 0}, "ensemble: expected at least 1"),
        ({"ensemble": 2000}, "ensemble: expected at most 1000"),
        ({"epoch": 3}, "there is no setting 'epoch'; did you mean 'epochs'"),
        ({"epochs": 0}, "epochs: expected"),
        ({"test": people, "test_share": 0.1}, "give one of them"),
        ({"test_share": 1.5}, "test_share: expected"),
        ({"test_share": 0.001}, "150 rows are too few to train and to test, 149 and 1"),
        ({"classes": 3}, "classes 3: 'income' has 2 classes"),
        ({"momentum": 0.9, "optimizer": "adam"}, "adam has no momentum"),
    ):
        with pytest.raises((ValueError, TypeError), match=words):
            fb.train(people, "income", drop="wage", output=output, **options)
    with pytest.raises(TypeError, match=r"expected a table, got Sequential.*; write fb\.fit"):
        fb.train(fb.Sequential(fb.Linear(2, 2)), people)
    with pytest.raises(fb.DivergenceError, match=r"network 1 of 2, seed 0: .* became"):
        fb.train(
            *(people, "income"), drop="wage", ensemble=2, lr=1e20, optimizer="sgd", output=output
        )
    with pytest.raises(fb.DivergenceError, match="fold 1 of 2: network 1 of 10, seed 0"):
        fb.train(people, "income", drop="wage", cv=2, lr=1e20, optimizer="sgd", output=output)
    assert not output.exists()
    output.mkdir()
    (output / "mine").touch()
    with pytest.raises(ValueError, match="the folder is not empty"):
        fb.train(people, "income", drop="wage", output=output)
