"""fastbp.sklearn beside scikit-learn: the same fits, in turn, in one process; a Markdown table.

    python bench/sklearn_mlp.py --repeats 5
    python bench/sklearn_mlp.py --tables iris digits --search

Both train MLPClassifier with its default network (100 ReLU units, adam, batches of 200), the whole
call of ``fit`` is timed, and the shortest of the repeats counts. float64 against float64 both find
the same coefs_ but for rounding, which is checked; float32 is fastbp's ``dtype="float32"``.
"""

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn import neural_network
from sklearn.datasets import load_digits, load_iris, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

import fastbp as fb
import fastbp.sklearn

Table = tuple[np.ndarray, np.ndarray]
WAYS: dict[str, tuple[Any, dict[str, Any]]] = {
    "scikit-learn": (neural_network.MLPClassifier, {}),
    "fastbp": (fastbp.sklearn.MLPClassifier, {}),
    "fastbp, float32": (fastbp.sklearn.MLPClassifier, {"dtype": "float32"}),
}
GRID = {
    "alpha": [1e-5, 1e-3, 1e-1],
    "learning_rate_init": [1e-3, 1e-2],
    "activation": ["relu", "tanh"],
}
TOLERANCE = 1e-7  # of the largest coef
SIDE_BY_SIDE = "side by side"
PAUSE = 0.2  # seconds; OpenBLAS's threads keep a processor busy for some 30 ms when they wait
LEAST = 0.3  # seconds of one measurement: a processor that slept is slow for some milliseconds


def mnist() -> Table:
    """All training images."""
    train, _ = fb.datasets.mnist()
    return train.batch(slice(None), np.dtype("float64"))[0], train.y


TABLES: dict[str, tuple[Callable[[], Table], int]] = {  # with how many epochs
    "iris": (lambda: load_iris(return_X_y=True), 200),
    "digits": (lambda: load_digits(return_X_y=True), 30),
    "10,000×20": (lambda: make_classification(10_000, 20, random_state=0), 20),
    "MNIST": (mnist, 20),
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--search", action="store_true", help="time GridSearchCV, 12 settings × 5")
    args = parser.parse_args(arguments)
    warnings.simplefilter("ignore", ConvergenceWarning)
    say("| `fit` on | " + " | ".join(WAYS) + " |")
    say("|---" * (len(WAYS) + 1) + "|")
    for name in args.tables:
        make, epochs = TABLES[name]
        say(row(f"{name}, {epochs} epochs", fits(make(), epochs, args.repeats)))
    if args.search:
        times = searches(TABLES["digits"][0](), args.repeats)
        of_others = {name: taken for name, taken in times.items() if SIDE_BY_SIDE not in name}
        of_ours = {name: taken for name, taken in times.items() if name not in of_others}
        first = {"scikit-learn": times["scikit-learn"]}
        say(row("GridSearchCV on digits", of_others))
        say(row("fastbp.sklearn.search on digits", first | of_ours))
    return 0


def fits(table: Table, epochs: int, repeats: int) -> dict[str, float]:
    """Seconds of a fit, by the way it is done."""
    settings = {"max_iter": epochs, "n_iter_no_change": epochs, "random_state": 0}
    found: dict[str, list[float]] = {name: [] for name in WAYS}
    trained = {}
    for _ in range(repeats):
        for name, (kind, options) in WAYS.items():
            estimator = kind(**settings, **options)
            found[name].append(seconds(lambda of=estimator: of.fit(*table)))
            trained[name] = estimator
    for one, other in zip(trained["fastbp"].coefs_, trained["scikit-learn"].coefs_, strict=True):
        np.testing.assert_allclose(one, other, atol=TOLERANCE * abs(other).max())
    return {name: min(times) for name, times in found.items()}


def searches(table: Table, repeats: int) -> dict[str, float]:
    """Seconds of a search in as many processes, or threads, as there are processors."""
    ways: list[tuple[str, Any, dict[str, Any], Any]]
    ways = [(name, kind, options, GridSearchCV) for name, (kind, options) in WAYS.items()]
    ways += [
        (f"{name}, {SIDE_BY_SIDE}", kind, options, fastbp.sklearn.search.GridSearchCV)
        for name, kind, options, _ in ways[1:]
    ]
    found: dict[str, list[float]] = {name: [] for name, *_ in ways}
    for _ in range(repeats):
        for name, kind, options, searches in ways:
            estimator = kind(max_iter=10, random_state=0, **options)
            search = searches(estimator, GRID, cv=5, n_jobs=-1)
            found[name].append(seconds(lambda of=search: of.fit(*table)))
    return {name: statistics.median(times) for name, times in found.items()}


def seconds(work: Callable[[], object]) -> float:
    """How long it takes, again and again, once no threads of what ran before wait for more."""
    time.sleep(PAUSE)
    start, calls, passed = time.perf_counter(), 0, 0.0
    while not calls or passed < LEAST:
        work()
        calls, passed = calls + 1, time.perf_counter() - start
    return passed / calls


def row(name: str, times: dict[str, float]) -> str:
    """Of the table: times, and how many times faster than scikit-learn's."""
    first = times["scikit-learn"]
    cells = [
        f"{taken:.3g} s" + ("" if taken is first else f" ({first / taken:.1f}×)")
        for taken in times.values()
    ]
    return "| " + " | ".join([name, *cells]) + " |"


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
