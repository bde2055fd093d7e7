"""How many threads compute: what was asked for, and by whom."""

import time

import pytest

from fastbp import threads


@pytest.fixture(autouse=True)
def nobody_asks(monkeypatch):
    monkeypatch.delenv("FASTBP_NUM_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "available", lambda: 6)


@pytest.mark.parametrize(
    ("argument", "own", "openmp", "asked", "count"),
    [
        (None, None, None, None, 6),
        (3, "4", "5", 3, 3),
        (None, "4", "5", 4, 4),
        (None, None, "5", 5, 5),
        (None, None, "5,2", 5, 5),
        (None, "", "all", None, 6),
    ],
)
def test_the_nearest_wish_counts(monkeypatch, argument, own, openmp, asked, count):
    for name, value in (("FASTBP_NUM_THREADS", own), ("OMP_NUM_THREADS", openmp)):
        if value is not None:
            monkeypatch.setenv(name, value)
    assert threads.requested(argument) == asked
    assert threads.count(argument) == count


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_a_wish_that_is_no_number_is_an_error(monkeypatch, text):
    monkeypatch.setenv("FASTBP_NUM_THREADS", text)
    with pytest.raises(ValueError, match=f"FASTBP_NUM_THREADS: .* got '{text}'"):
        threads.count()


def test_all_take_part_and_an_exception_lets_go_of_all():
    seen, gone = [], []
    assert threads.run_together(lambda thread: seen.append(thread) or thread, 3, list) == 0
    assert sorted(seen) == [0, 1, 2]

    def work(thread):
        if thread == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        threads.run_together(work, 2, lambda: gone.append(True))
    assert gone == [True]


def test_who_reads_ahead_is_told_from_who_waits_for_a_disk():
    told = []

    def made():
        for number in range(6):
            told.append(threads.is_beside())
            if number < 3:  # it computes, then it waits
                end = time.thread_time() + 0.01
                while time.thread_time() < end:
                    pass
            else:
                time.sleep(0.05)
            yield number

    assert not threads.is_beside()
    assert [*threads.ahead(made())] == [*range(6)]
    assert told == [True, True, True, True, False, False]
    assert not threads.is_beside()
    with pytest.raises(ZeroDivisionError):  # comes to who asks for it
        [*threads.ahead(1 // 0 for _ in "a")]
    assert not threads.is_beside()
