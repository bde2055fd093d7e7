"""Which rows train and which judge."""

import numpy as np

from fastbp.tabular.split import every_nth, kept_back


def test_the_rows_are_those_of_runs_before():
    classes = np.array([0, 1, 1, 0, 2, 0, 1, 0, 0, 1, 0, 1])
    order, chosen = every_nth(classes, 3, np.random.default_rng(0))
    assert sorted(order) == [*range(12)]
    assert chosen.tolist() == [0, 9, 1]
    kept = kept_back(12, classes[:12] % 2, 0.3, np.random.default_rng(0))
    assert kept.tolist() == [2, 4, 7, 11]


def test_the_only_row_of_a_class_is_never_chosen():
    classes = np.array([0, 0, 0, 1, 2, 2])
    for seed in range(9):
        _, chosen = every_nth(classes, 6, np.random.default_rng(seed))
        assert sorted(chosen) == [0, 1, 2, 4, 5]
