"""fb.search finds what training each setting alone finds, however often it is stopped."""

import math
import multiprocessing
import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas
import pytest

import fastbp as fb
from fastbp.training.validation import kept_rows

RNG = np.random.default_rng(3)
X = RNG.normal(size=(240, 5))
Y = (X[:, 0] * X[:, 1] > 0).astype(int) + (X[:, 2] > 1)
SPACE = {
    "lr": fb.space.loguniform(1e-3, 1e-1),
    "hidden": [4, (8,), (8, 4)],
    "schedule": ["cosine", "none"],
}
SETTINGS = {"optimizer": "adam", "loss": "cross-entropy", "epochs": 9, "activation": "relu"}
HALVING = {"method": "halving", "n_trials": 9, "threads": 2}


def searched(**changes):
    return fb.search(SPACE, X, Y, **SETTINGS | HALVING | changes)


def told(found):
    """All that is known of the trials, but how long they took."""
    return [
        {name: value for name, value in row.items() if name != "seconds"} for row in found.rows()
    ]


@pytest.fixture(scope="module")
def whole():
    """A search that nothing disturbed."""
    return searched()


def alone(params, epochs, **changes):
    """The network of some settings, trained by fit alone on the same rows."""
    kept = kept_rows(len(X), Y, 0.2, seed=0)
    rest = np.setdiff1d(np.arange(len(X)), kept)
    hidden = params["hidden"]
    given = SETTINGS | params | {"hidden": (hidden,) if isinstance(hidden, int) else hidden}
    data, validation = (fb.datasets.Dataset(X[r], Y[r], 3) for r in (rest, kept))
    model = fb.models.asked_for(given | changes)
    net = model.build(5, 3)
    arguments = model.fit_arguments()
    stop = [lambda epoch: epoch.epoch == epochs]
    history = fb.fit(net, data, validation=validation, callbacks=stop, **arguments)
    return net, history


def test_halving_stops_the_poor_ones_early(whole):
    assert sorted(trial.epochs for trial in whole) == [1] * 6 + [3] * 2 + [9]
    assert [trial.rung for trial in whole.ranked()] == [2, 1, 1, 0, 0, 0, 0, 0, 0]
    first = [alone(trial.params, 1)[1]["val_accuracy"][0] for trial in whole]
    going = [trial.number for trial in whole if trial.epochs > 1]
    assert going == sorted(sorted(range(9), key=lambda k: (-first[k], k))[:3])
    assert {trial.state for trial in whole} == {"stopped", "finished"}
    assert whole.best_trial.state == "finished"
    assert whole.best_score == whole.best_trial.score == whole.best_trial.value
    assert whole.best_params == whole.best_trial.params


def test_each_network_is_what_fit_alone_makes_of_it(whole):
    for trial in whole:
        net, history = alone(trial.params, trial.epochs)
        np.testing.assert_array_equal(whole.model(trial).params, net.params)
        assert trial.score == history["val_accuracy"][-1]
    np.testing.assert_array_equal(whole.best_model.params, whole.model(whole.best_trial).params)


def test_early_stopping_is_that_of_fit_alone():
    found = searched(early_stopping=2, metric="val_loss")
    best = found.best_trial
    net, history = alone(best.params, 0, early_stopping=2)
    np.testing.assert_array_equal(found.best_model.params, net.params)
    assert best.score == min(history["val_loss"])
    assert best.epochs == len(history)


@pytest.mark.parametrize("after", [1, 6, 10, 12])
def test_what_was_stopped_goes_on_to_the_same(whole, tmp_path, after):
    seen = []

    def stop(trial):
        seen.append(trial.number)
        if len(seen) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched(output=tmp_path, callbacks=stop, threads=1)
    kept = len([*(tmp_path / "trials").glob("*.json")])
    assert kept >= after
    trained = []
    again = searched(output=tmp_path, callbacks=lambda trial: trained.append(trial.seconds))
    assert told(again) == told(whole)
    np.testing.assert_array_equal(again.best_model.params, whole.best_model.params)
    assert again.folder == tmp_path
    assert (tmp_path / "trials.csv").read_text().count("\n") == 10


FORK = multiprocessing.get_context("fork")


def search_and_die(folder):
    """Search with two processes; after five results nobody is there any more to hear of others."""
    seen = []

    def watch(trial):
        seen.append(trial)
        if len(seen) == 5:
            (folder / "workers").write_text(" ".join(map(str, pool._processes)))
            os.kill(os.getpid(), signal.SIGKILL)

    with ProcessPoolExecutor(2, FORK) as pool:
        searched(output=folder / "found", callbacks=watch, executor=pool)


def test_what_was_killed_goes_on_to_the_same(whole, tmp_path):
    """Its workers end too, and the next call removes the data that it left in memory."""
    before = {*Path("/dev/shm").glob("fastbp-*")}
    process = FORK.Process(target=search_and_die, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    kept = len([*(tmp_path / "found" / "trials").glob("*.json")])
    assert kept >= 5
    workers = (tmp_path / "workers").read_text().split()
    assert len(workers) == 2
    end = time.monotonic() + 20
    while any(is_alive(number) for number in workers) and time.monotonic() < end:
        time.sleep(0.02)
    assert not any(is_alive(number) for number in workers)
    left = {*Path("/dev/shm").glob("fastbp-*")} - before
    for path in left:
        os.utime(path, (0, 0))
    with ProcessPoolExecutor(2, FORK) as pool:
        again = searched(output=tmp_path / "found", executor=pool)
    assert told(again) == told(whole)
    for ours, theirs in zip(again, whole, strict=True):
        np.testing.assert_array_equal(again.model(ours).params, whole.model(theirs).params)
    assert not any(path.exists() for path in left)


def is_alive(process):
    """Whether it runs; one that ended, if nobody has asked for it, has no command."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes() != b""
    except OSError:
        return False


def test_a_checkpoint_that_is_damaged_is_made_again(whole, tmp_path):
    first = searched(output=tmp_path)
    best = first.store.checkpoint(first.best_trial.number, 2)
    best.write_bytes(best.read_bytes()[:-8] + b"damaged!")
    again = searched(output=tmp_path)
    assert told(again) == told(whole)
    np.testing.assert_array_equal(again.best_model.params, whole.best_model.params)


def test_the_number_of_threads_changes_no_bit(whole):
    one = searched(threads=1)
    assert told(one) == told(whole)
    for ours, theirs in zip(one, whole, strict=True):
        np.testing.assert_array_equal(one.model(ours).params, whole.model(theirs).params)


def test_processes_change_no_bit():
    how = {"n_trials": 3, "factor": 2, "early_stopping": 2, "metric": "val_loss"}
    here = searched(**how)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        there = searched(**how, executor=pool)
    assert told(there) == told(here)
    for ours, theirs in zip(there, here, strict=True):
        np.testing.assert_array_equal(there.model(ours).params, here.model(theirs).params)


def test_a_grid_tries_all_and_random_none_twice():
    short = {"epochs": 1, "optimizer": "adam", "loss": "cross-entropy"}
    space = {"hidden": [(2,), (3,)], "batch_size": [16, 32]}
    grid = fb.search(space, X, Y, method="grid", **short)
    assert [trial.params for trial in grid] == [
        {"hidden": hidden, "batch_size": size} for hidden in ((2,), (3,)) for size in (16, 32)
    ]
    every = fb.search(space, X, Y, n_trials=20, **short)
    assert told(every) == told(grid)
    some = fb.search(space, X, Y, n_trials=3, **short)
    assert len({repr(trial.params) for trial in some}) == 3


def test_more_trials_go_on_with_those_that_are_there(tmp_path):
    space, how = {"lr": fb.space.loguniform(1e-3, 1)}, {"hidden": (2,), "epochs": 1}
    few = fb.search(space, X, Y, n_trials=2, output=tmp_path, **how)
    seconds = [trial.seconds for trial in few]
    more = fb.search(space, X, Y, n_trials=4, output=tmp_path, **how)
    assert told(more)[:2] == told(few)
    assert [trial.seconds for trial in more][:2] == seconds  # they were not trained again


def test_a_trial_that_fails_does_not_end_the_others(tmp_path):
    space = {"optimizer": ["sgd", "adam"], "momentum": [0.5], "lr": [0.01, 1e30]}
    how = {"method": "grid", "hidden": (3,), "epochs": 2, "loss": "mse", "output": tmp_path}
    values = X[:, 0] * 2
    for _ in range(2):
        found = fb.search(space, X, values, **how)
        assert [trial.state for trial in found] == ["finished", "failed", "failed", "failed"]
        assert found.metric == "val_r2"
        assert "infinite" in found.trials[1].error or "NaN" in found.trials[1].error
        assert "adam has no momentum" in found.trials[2].error
        assert math.isnan(found.trials[1].score)
        assert found.best_trial.number == 0
        with pytest.raises(ValueError, match="trial 1 failed: "):
            found.model(1)
    with pytest.raises(ValueError, match="all 2 trials failed; the first: adam has no momentum"):
        fb.search({"momentum": [0.5, 0.6]}, X, Y, method="grid", optimizer="adam")


def test_networks_of_ones_own():
    def build(width, rate):
        net = fb.Sequential(fb.Linear(5, width), fb.Tanh(), fb.Linear(width, 3), seed=1)
        return fb.Job(net, "cross-entropy", fb.SGD(rate), epochs=3, seed=2)

    space = {"width": [2, 6], "rate": [0.1, 0.2]}
    found = fb.search(space, X, Y, validation=(X[:50], Y[:50]), build=build, method="grid")
    trial = found.trials[3]
    job = build(**trial.params)
    how = {"loss": job.loss, "optimizer": job.optimizer, "epochs": 3, "seed": 2}
    history = fb.fit(job.net, X, Y, validation=(X[:50], Y[:50]), **how)
    np.testing.assert_array_equal(found.model(trial).params, job.net.params)
    assert trial.score == history["val_accuracy"][-1]
    nets = fb.search(
        space, X, Y, build=lambda width, rate: build(width, rate).net, epochs=2, n_trials=2
    )
    assert [trial.epochs for trial in nets] == [2, 2]


def test_a_table_is_searched_by_its_own_recipe():
    frame = {"a": X[:, 0], "b": np.where(X[:, 1] > 0, "yes", "no"), "label": Y.astype(str)}
    data = fb.datasets.table(pandas.DataFrame(frame), "label")
    found = fb.search({"hidden": [(8,), (16,)]}, data, method="grid", epochs=2)
    assert found.best_model.table is not None
    assert {*found.best_model.predict(pandas.DataFrame(frame))} <= {"0", "1", "2"}
    assert "SELU" in repr(found.best_model)


def test_the_table_the_picture_and_what_a_notebook_shows(whole, tmp_path):
    frame = whole.to_dataframe()
    names = ["trial", "lr", "hidden", "schedule", "val_accuracy", "epochs", "seconds", "state"]
    assert [*frame.columns] == [*names, "error"]
    assert len(frame) == len(whole) == 9
    figure = whole.plot()
    assert [ax.get_xlabel() for ax in figure.axes] == ["lr", "hidden", "schedule"]
    assert figure.axes[0].get_xscale() == "log"
    fb.plots.save(figure, tmp_path / "scores.png")
    assert repr(whole).startswith("Found(9 trials; the best is Trial ")
    assert "<table" in whole._repr_html_()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"method": "bayes"}, ValueError, "method: expected one of random, grid, halving"),
        ({"method": "grid", "n_trials": 3}, ValueError, "n_trials does not go with method='grid'"),
        ({"method": "grid", "n_trials": None}, ValueError, "expected a list of values as lr"),
        ({"n_trials": 0}, ValueError, "n_trials: expected at least 1"),
        ({"n_iter": 3}, TypeError, "no argument 'n_iter'; write n_trials=20"),
        ({"hiden": 3}, TypeError, "search: there is no setting 'hiden'; did you mean 'hidden'"),
        ({"lr": 3}, TypeError, "lr stands in the space and beside it"),
        ({"metric": "f1"}, ValueError, "search metric 'f1': whether more of it is better"),
        ({"metric": "f_loss"}, ValueError, "all 9 trials failed; the first: search metric: "),
        ({"factor": 1}, ValueError, "factor: expected a number above 1"),
        ({"min_epochs": 10}, ValueError, "min_epochs: expected at most the 9 epochs, got 10"),
        ({"validation": None}, TypeError, "search validation: expected"),
        (
            {"validation": 1.5},
            ValueError,
            "search validation: expected a number below 1",
        ),
        ({"build": 3}, TypeError, "search build: expected a function, got 3"),
        ({"seed": -1}, ValueError, "search seed: expected at least 0"),
    ],
)
def test_arguments_that_do_not_go_say_so(changes, error, message):
    with pytest.raises(error, match=message):
        searched(**changes)


def test_a_space_with_unknown_settings_says_so():
    with pytest.raises(TypeError, match="search space: there is no setting 'learning'"):
        fb.search({"learning": [1, 2]}, X, Y)
    with pytest.raises(ValueError, match="validation is one for all"):
        fb.search({"validation": [0.1, 0.2]}, X, Y)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="is not empty, and holds no search"):
        searched(output=tmp_path)
    (tmp_path / "file").unlink()
    how = {"n_trials": 1, "method": "random", "output": tmp_path, "epochs": 1}
    searched(**how)
    with pytest.raises(ValueError, match="holds a search with another seed"):
        searched(**how, seed=1)
    with pytest.raises(ValueError, match="holds a search with another data"):
        fb.search(SPACE, X + 1, Y, **SETTINGS | HALVING | how)
    (tmp_path / "search.json").write_text("[")
    with pytest.raises(ValueError, match=r"search.json: cannot go on from it"):
        searched(**how)
