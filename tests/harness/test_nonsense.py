"""Nonsense for everything public: the short form of nonsense.py; and that it finds its faults."""

from random import Random

import nonsense
import numpy as np
import pytest
from nonsense import Target, attempt, equal, raised_by, targets
from workers import Limits

import fastbp as fb

CALLS, SEED = 900, 20240607


def test_nonsense_is_refused_and_other_forms_of_sense_are_not(capfd):
    found = nonsense.call(range(CALLS), SEED, Limits(seconds=30))
    assert not found, capfd.readouterr().out


def test_everything_public_is_called():
    names = {target.name for target in targets()}
    for name in fb.__all__:
        thing = getattr(fb, name)
        if callable(thing) and not (isinstance(thing, type) and issubclass(thing, Exception)):
            assert f"fb.{name}" in names
    more = {"fb.datasets.load", "fb.models.read", "fb.plots.confusion_matrix"}
    more |= {"fb.initializers.Normal", "fb.Sequential.predict", "fb.datasets.Dataset.batch"}
    assert more <= names


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
def test_good_calls_are_good(target, tmp_path, monkeypatch):
    """Else nothing behind the check of another argument would ever be reached."""
    monkeypatch.chdir(tmp_path)
    with fb.use_backend("auto"):
        function = target.make()
        try:
            nonsense.outcome(function, nonsense.arguments(function))
        except ModuleNotFoundError as missing:  # an extra
            pytest.skip(str(missing))


def test_what_may_be_raised_is_read_from_docstrings():
    assert {"OSError", "ValueError"} <= set(raised_by(fb.load))
    assert "BackendError" in raised_by(fb.use_backend)


def fails(y):
    if not isinstance(y, np.ndarray):
        raise OverflowError("too large")


def looks_at_strides(x):
    return float(x.strides[0])


def attempts(function, times=60):
    target = Target("fb.it", lambda: function, ("OSError",))
    return [what for n in range(times) if (what := attempt(target, Random(n)))]


def test_other_exceptions_are_found():
    assert any("fb.it(y=" in what and "OverflowError" in what for what in attempts(fails))


def test_a_result_that_depends_on_the_form_of_an_array_is_found():
    assert any("not the result of the same" in what for what in attempts(looks_at_strides))


def test_results_are_compared():
    assert equal(np.array([1.0, np.nan]), np.array([1.0, np.nan]))
    assert not equal(np.zeros(2), np.zeros(3))
    assert not equal(None, np.zeros(3))
    assert not equal((1.0, 2.0), (1.0, 3.0))
    assert equal((float("nan"), "a"), (float("nan"), "b"))
