"""What settings are drawn from: what it may be, and that draws are those of its range."""

import numpy as np
import pytest
from scipy import stats

import fastbp as fb
from fastbp.space import as_space, drawn, grid, size_of


def draws(distribution, count=400):
    space = as_space({"a": distribution})
    return [drawn(space, 7, number)["a"] for number in range(count)]


@pytest.mark.parametrize(
    ("distribution", "kind", "least", "below", "median"),
    [
        (fb.space.uniform(-1, 3), float, -1, 3, 1),
        (fb.space.loguniform(1e-4, 1e-2), float, 1e-4, 1e-2, 1e-3),
        (fb.space.randint(-2, 7), int, -2, 7, 2),
        (fb.space.lograndint(1, 101), int, 1, 101, 10),
        (stats.loguniform(1e-4, 1e-2), float, 1e-4, 1e-2, 1e-3),
        (stats.randint(0, 9), int, 0, 9, 4),
        ({"loguniform": [1e-4, 1e-2]}, float, 1e-4, 1e-2, 1e-3),
        ({"randint": [0, 9]}, int, 0, 9, 4),
    ],
)
def test_draws_are_of_the_range(distribution, kind, least, below, median):
    found = draws(distribution)
    assert {type(each) for each in found} == {kind}
    assert min(found) >= least
    assert max(found) < below
    share = np.mean([each < median for each in found])
    assert 0.35 < share < 0.65
    if kind is int and below - least < 10:
        assert {*found} == {*range(least, below)}


def test_a_range_of_one_number_and_its_end():
    assert {*draws(fb.space.randint(3, 4))} == {3}
    assert {*draws(fb.space.lograndint(3, 4))} == {3}
    assert {*draws(fb.space.lograndint(1, 3), 100)} == {1, 2}


def test_lists_are_what_to_choose_from_and_all_else_is_fixed():
    space = as_space({"a": [1, 2], "b": ("x",), "c": 0.5, "d": np.array([3, 4]), "e": "word"})
    assert size_of(space) == 4
    found = [drawn(space, 0, number) for number in range(50)]
    assert {row["a"] for row in found} == {1, 2}
    assert {type(row["d"]) for row in found} == {int}
    assert {(row["b"], row["c"], row["e"]) for row in found} == {("x", 0.5, "word")}
    assert [*grid(space)][:2] == [{"a": 1, "b": "x", "c": 0.5, "d": d, "e": "word"} for d in (3, 4)]


def test_a_draw_depends_on_seed_and_number_alone():
    space = as_space({"a": fb.space.uniform(0, 1), "b": ["x", "y", "z"]})
    assert drawn(space, 1, 5) == drawn(space, 1, 5)
    assert drawn(space, 1, 5) != drawn(space, 1, 6)
    assert drawn(space, 1, 5) != drawn(space, 2, 5)


@pytest.mark.parametrize(
    ("space", "error", "message"),
    [
        (None, TypeError, "search space: expected a dict of settings, got NoneType"),
        ({}, ValueError, "expected at least one setting"),
        ({1: [2]}, TypeError, "expected names of settings, got 1"),
        ({"a": []}, ValueError, "a: choice: expected at least one value"),
        ({"a": {"loguniform": [1]}}, ValueError, r"a: loguniform: expected \[low, high\]"),
        ({"a": {"loguniform": 1}}, TypeError, "a: loguniform: expected a list, got 1"),
        ({"a": {"gauss": [0, 1]}}, ValueError, "a: expected a table of one name, of choice"),
        ({"a": {"uniform": [1, 1]}}, ValueError, "a: uniform: expected low below high"),
        ({"a": {"loguniform": [0, 1]}}, ValueError, "a: loguniform: expected a low above 0"),
        ({"a": {"randint": [0, 1.5]}}, TypeError, "a: randint: expected a whole number, got 1.5"),
        ({"a": {"uniform": [0, "x"]}}, TypeError, "a: uniform high: expected a number, got 'x'"),
    ],
)
def test_what_is_no_space_is_refused_by_name(space, error, message):
    with pytest.raises(error, match=message):
        as_space(space)
