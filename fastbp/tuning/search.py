"""``fb.search``: its arguments, checked, and its run, rung by rung."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from fastbp._checks import as_count
from fastbp._files import StrPath
from fastbp._hints import nearest
from fastbp._version import __version__
from fastbp.many import opened
from fastbp.schedules import rises
from fastbp.space import Space, as_space
from fastbp.tabular.train import checked
from fastbp.training import Data

from .data import digest, is_of_values, parted
from .found import Found
from .jobs import PROBLEMS, Build, Maker, job_settings
from .plan import rungs, settings_of
from .run import Run, Watch
from .store import TABLE, Store
from .trials import Trial

# What other libraries call the arguments.
ELSEWHERE = {
    "n_iter": "n_trials=20",
    "num_samples": "n_trials=20",
    "n_candidates": "n_trials=20",
    "param_grid": 'the space first, method="grid"',
    "param_distributions": "the space first",
    "param_space": "the space first",
    "config": "the space first",
    "scoring": 'metric="val_accuracy"',
    "objective": "build=, a function that makes the network of its settings",
    "direction": 'mode="max"',
    "reduction_factor": "factor=3",
    "min_resources": "min_epochs=1",
    "grace_period": "min_epochs=1",
    "max_resources": "epochs=50",
    "random_state": "seed=0",
    "n_jobs": "threads=2, or executor=",
    "cv": "validation=0.2, or validation=(x, y)",
    "scheduler": 'method="halving"',
    "sampler": 'method="random"',
    "pruner": 'method="halving"',
    "storage": 'output="folder"',
}


def search(
    space: Any,
    train: Data | npt.ArrayLike,
    y: npt.ArrayLike | None = None,
    *,
    validation: Data | float = 0.2,
    method: str = "random",
    n_trials: int | None = None,
    metric: str | None = None,
    mode: str = "auto",
    factor: float = 3.0,
    min_epochs: int = 1,
    seed: int = 0,
    build: Build | None = None,
    output: StrPath | None = None,
    callbacks: Watch | Sequence[Watch] = (),
    executor: Any = None,
    threads: int | None = None,
    **settings: Any,
) -> Found:
    """Try many settings, each with a network of its own, and find the best one.

    Parameters
    ----------
    space : dict
        What to try of each setting, by its name: a list to choose from, or a range of ``fb.space``,
        such as ``fb.space.loguniform(1e-4, 0.1)``, or a distribution of ``scipy.stats``. Settings
        are those of ``fb.train``: ``hidden``, ``activation``, ``lr``, ``batch_size``,
        ``optimizer``, ``model`` and the others; with ``build`` they are that function's arguments.
    train : Dataset, Shards, (x, y), or x with y as the next argument
        Whole numbers as targets are classes, all else values.
    validation : Dataset, (x, y) or float, default 0.2
        What judges all networks: other data, or a share of the training data that is kept back;
        the same rows for all, by ``seed``.
    method : {"random", "grid", "halving"}
        Settings that are drawn at random; every one that the lists have; or drawn ones, of which
        the poor ones are stopped early: all are trained for a few epochs, and again and again the
        best third goes on from where it stood, for three times as many.
    n_trials : int, optional
        How many settings are drawn, 20 if left out; none twice.
    metric : str, optional
        The history's column that tells how good a network is: "val_accuracy" of classes, "val_r2"
        of values, if left out; or "val_loss", ….
    mode : {"auto", "min", "max"}
        Which way it gets better, where its name does not say it.
    factor, min_epochs : float, int
        Of halving: one in so many goes on, and how long all are trained, at least.
    seed : int, default 0
        Of the settings that are drawn and of the rows that are kept back.
    build : function, optional
        ``build(**settings)`` makes a trial's Sequential, or its ``fb.Job`` with how it is trained.
    output : path, optional
        A folder that keeps what is finished: the same call goes on from there, after Ctrl-C or a
        crash, and comes to the same results, bit for bit.
    callbacks : function or sequence of functions
        Called with each Trial as soon as its result is known; ``print`` is one.
    executor : concurrent.futures.Executor, Dask client or str, optional
        Where networks are trained; see ``fit_many``. No bit depends on it.
    threads : int, optional
        How many networks train at a time in this process; see ``fit_many``.
    **settings
        What all trials share: settings of ``fb.train``, such as ``epochs=30``; with a ``build``
        that makes networks, arguments of ``fb.Job``.

    Returns
    -------
    Found
        ``best_params``, ``best_score``, ``best_model``, ``trials``, ``to_dataframe()``, ``plot()``.

    Raises
    ------
    ValueError, TypeError
        If the space, the data or an argument does not fit, or every trial failed.
    KeyboardInterrupt
        After Ctrl-C; what was finished is in the folder.
    OSError
        If the folder cannot be written.

    Notes
    -----
    A network that halving lets go on is, at each epoch, bit for bit what it is when it is trained
    alone: schedules see all epochs. A trial that diverges, or whose settings do not go together,
    is "failed", and the others go on.

    Examples
    --------
    >>> found = fb.search(
    ...     {"lr": fb.space.loguniform(1e-4, 1e-1), "hidden": [(32,), (64, 32)]},
    ...     (x, y), method="halving", n_trials=27, epochs=27, optimizer="adam",
    ... )
    >>> found.best_params
    >>> found.best_model.predict(x)
    """
    given = dict(locals())  # first of all, so that these are the arguments alone
    space, seed = as_space(space), as_count(seed, "search seed", least=0)
    settings = _checked(space, settings, build)
    data = parted(train, y, validation, seed, as_is=build is not None)
    metric = metric or ("val_r2" if is_of_values(data[0]) else "val_accuracy")
    if build is None and metric.startswith("val_"):
        settings = {"metrics": "none"} | settings  # which nobody reads
    maker, drawn = Maker(data[0], settings, build), settings_of(space, method, n_trials, seed)
    trials = [Trial(number, params, metric=metric) for number, params in enumerate(drawn)]
    epochs = _epochs(maker, trials) if method == "halving" else 1
    plan = rungs(method, len(trials), epochs, factor, min_epochs)
    up = rises(metric, mode, "search metric")
    about = _about(given, space, data, seed=seed, metric=metric, settings=settings)
    watch = (callbacks,) if callable(callbacks) else tuple(callbacks)
    with opened(executor) as who:  # before there is a folder
        store = Store(output, about)
        how = {"train": data[0], "validation": data[1], "executor": who, "threads": threads}
        return _found(Run(maker, trials, plan, up, store, watch, how), space)


def _found(run: Run, space: Space) -> Found:
    """What a run comes to; its table is written, however it ends."""
    found = Found(run.trials, run.rises, run.store, space)
    try:
        run.train()
    finally:
        found.to_csv(run.store.folder / TABLE)
    return found


def _about(given: dict[str, Any], space: Space, data: Sequence[Any], **more: Any) -> dict[str, Any]:
    """What tells this search from others, by its arguments."""
    names = "method", "mode", "factor", "min_epochs", "n_trials"
    return {name: given[name] for name in names} | {
        "fastbp": __version__,
        **more,
        "space": {name: repr(each) for name, each in space.items()},
        "data": [digest(part) for part in data],
    }


def _checked(space: Space, settings: dict[str, Any], build: Build | None) -> dict[str, Any]:
    """The settings that all share; names that nobody knows are refused, in the space too."""
    for name in settings:
        if name in ELSEWHERE:
            raise TypeError(f"search: it has no argument {name!r}; write {ELSEWHERE[name]}")
        if name in space:
            raise TypeError(f"search: {name} stands in the space and beside it; say it once")
    if build is not None:
        if not callable(build):
            raise TypeError(f"search build: expected a function, got {build!r:.60}")
        for name in settings:
            if name not in job_settings():
                near = nearest(name, job_settings())
                advice = f"; did you mean {near}?" if near else ""
                raise TypeError(f"search: fb.Job has no {name!r}{advice}")
        return settings
    if "validation" in space:
        raise ValueError("search space: validation is one for all: an argument of search")
    checked(dict.fromkeys(space), "search space")
    return checked(settings, "search")


def _epochs(maker: Maker, trials: Sequence[Trial]) -> int:
    """The fewest that a trial is trained for; those that cannot be made say so later."""
    found = []
    for trial in trials:
        try:
            found.append(maker.epochs(trial.params))
        except PROBLEMS as problem:
            first = problem
    if not found:
        raise first
    return min(found)
