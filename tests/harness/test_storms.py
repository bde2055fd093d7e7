"""Trainings in threads, processes and rows: the short form of storms.py, and of the sanitizers'."""

import numpy as np
import pytest
import storms
import trainings
from storms import MAKERS, METHODS, engines

import fastbp as fb

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def test_thirty_two_threads_have_the_bits_of_one():
    with fb.use_backend("auto"):
        assert not storms.in_threads(32)


@pytest.mark.parametrize("method", METHODS)
def test_a_child_trains_while_its_parent_does(method):
    assert not storms.in_processes(method, "cython")


def test_a_storm_of_interrupts():
    assert not storms.under_interrupts(200)


@pytest.mark.parametrize("backend", engines())
@pytest.mark.parametrize("make", MAKERS)
def test_hundreds_of_trainings_give_their_memory_back(make, backend):
    assert not storms.in_a_row(make, backend, 300)


def test_memory_that_is_kept_is_found(monkeypatch):
    kept = []

    def wasteful():
        kept.append(np.ones(1 << 20))  # more than may lie free already
        return trainings.dense()

    assert storms.in_a_row(wasteful, "cython", 20)


def test_trainings_for_the_sanitizer_do_not_depend_on_threads():
    for name, make, makers in trainings.cases():
        results = [trainings.trained(make, threads, **makers) for threads in (1, 2)]
        assert np.array_equal(*results), name
