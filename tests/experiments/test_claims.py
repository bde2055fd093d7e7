"""Verdicts on made-up data: holds, does not hold, within noise."""

import math

import numpy as np
import pytest

from fastbp.experiments.claims import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Best,
    Close,
    Reaches,
    Rising,
    Unstable,
    Worst,
    compare,
    spread_text,
)
from fastbp.experiments.measures import (
    LOSS,
    ROUGHNESS,
    SECONDS,
    TEST_ACCURACY,
    accuracy_after,
    loss_off,
)
from fastbp.training import Epoch, History

NAN = math.nan


class Made:
    """Evidence that somebody made up: label -> the measure's value for each seed."""

    test_images = 10_000

    def __init__(self, **values):
        self.made = {label: np.array(list(map(float, found))) for label, found in values.items()}

    def values(self, label, measure):
        return self.made[label]


def best(made, measure=TEST_ACCURACY):
    others = tuple(label for label in made.made if label != "a")
    return Best("a is best", "a", others, measure).judge(made).word


def test_several_seeds_are_compared_in_pairs():
    a, b = [0.970, 0.975, 0.965], [0.969, 0.974, 0.964]  # always 0.001 apart
    assert best(Made(a=a, b=b)) == HOLDS
    assert best(Made(a=b, b=a)) == FAILS
    assert best(Made(a=a, b=[0.970, 0.974, 0.966])) == UNDECIDED


def test_the_noise_is_the_95_percent_interval_over_seeds():
    gains = np.array([0.001, 0.002, 0.003, 0.004, 0.005])
    made = Made(a=0.9 + gains, b=[0.9] * 5)
    by, noise = compare(made, TEST_ACCURACY, "a", "b")
    assert by == pytest.approx(0.003)
    assert noise == pytest.approx(2.776 * gains.std(ddof=1) / math.sqrt(5), rel=2e-3)
    by, noise = compare(Made(a=[1.0] * 40, b=[0.0, 2.0] * 20), TEST_ACCURACY, "a", "b")
    assert noise == pytest.approx(2.13 * np.tile([1.0, -1.0], 20).std(ddof=1) / math.sqrt(40))


def test_one_seed_is_compared_with_the_sampling_error():
    """Twice the error of 97 % on 10 000 images, of two networks: 0.48 percentage points."""
    assert best(Made(a=[0.9750], b=[0.97])) == HOLDS
    assert best(Made(a=[0.9745], b=[0.97])) == UNDECIDED
    assert best(Made(a=[0.9655], b=[0.97])) == UNDECIDED
    assert best(Made(a=[0.9640], b=[0.97])) == FAILS
    assert best(Made(a=[1.0], b=[1.0])) == UNDECIDED


def test_lower_is_better_for_losses_and_times():
    assert best(Made(a=[0.01], b=[0.02]), LOSS) == HOLDS
    assert best(Made(a=[3.0, 3.1], b=[2.0, 2.1]), SECONDS) == FAILS


def test_best_must_beat_every_other():
    high, low = [0.99, 0.99], [0.90, 0.90]
    assert best(Made(a=high, b=low, c=low)) == HOLDS
    assert best(Made(a=high, b=low, c=[0.98, 1.00])) == UNDECIDED
    assert best(Made(a=[0.95, 0.95], b=low, c=high)) == FAILS


def test_a_run_that_diverged_is_worse():
    assert best(Made(a=[0.5, 0.5], b=[NAN, 0.9])) == HOLDS
    assert best(Made(a=[0.5, NAN], b=[0.4, 0.4])) == FAILS
    assert best(Made(a=[NAN], b=[NAN])) == UNDECIDED


def test_worst_is_beaten_by_every_other():
    def word(**values):
        return Worst("a is behind", "a", ("b", "c"), TEST_ACCURACY).judge(Made(**values)).word

    assert word(a=[0.90], b=[0.95], c=[0.96]) == HOLDS
    assert word(a=[0.95], b=[0.951], c=[0.99]) == UNDECIDED
    assert word(a=[0.95], b=[0.90], c=[0.99]) == FAILS


def test_rising():
    def word(*values):
        made = Made(**dict(zip("abcd", ([value] for value in values), strict=True)))
        return Rising("more is better", tuple("abcd"), TEST_ACCURACY).judge(made).word

    assert word(0.90, 0.92, 0.94, 0.96) == HOLDS
    assert word(0.960, 0.963, 0.966, 0.969) == HOLDS  # each step within noise, the whole not
    assert word(0.960, 0.959, 0.962, 0.961) == UNDECIDED
    assert word(0.90, 0.96, 0.94, 0.97) == FAILS  # a step down
    assert word(0.969, 0.966, 0.963, 0.960) == FAILS  # down in small steps


def test_close():
    def word(*gains):
        made = Made(a=[0.97 + gain for gain in gains], b=[0.97] * len(gains))
        return Close("a is close to b", "a", "b", 0.005, TEST_ACCURACY).judge(made).word

    assert word(0.001, 0.0011) == HOLDS
    assert word(-0.001, -0.0011) == HOLDS
    assert word(0.0061, 0.0062) == FAILS
    assert word(0.004, 0.006) == UNDECIDED


def test_reaches_and_unstable_count_seeds():
    claim = Reaches("at least 97.44 %", "a", TEST_ACCURACY, 0.9744)
    verdict = claim.judge(Made(a=[0.9744, 0.98]))
    assert verdict.word == HOLDS
    assert verdict.numbers == "test accuracy: 97.72 ± 0.40 % (a); 2 of 2 seeds"
    assert claim.judge(Made(a=[0.9743, 0.98])).word == UNDECIDED
    assert claim.judge(Made(a=[0.9743, NAN])).word == FAILS
    assert Reaches("loss below 0.03", "a", LOSS, 0.03).judge(Made(a=[0.02])).word == HOLDS
    unstable = Unstable("a is unstable", "a")
    assert unstable.judge(Made(a=[NAN, 0.11])) == (
        *("a is unstable", HOLDS),
        "a: 1 diverged and 1 ended below 50 %, of 2 seeds",
    )
    assert unstable.judge(Made(a=[NAN, 0.9])).word == UNDECIDED
    assert unstable.judge(Made(a=[0.9])) == (
        *("a is unstable", FAILS),
        "a: 0 diverged and 0 ended below 50 %, of 1 seed",
    )


def test_spread_text():
    assert spread_text(np.array([0.97]), TEST_ACCURACY) == "97.00 %"
    assert spread_text(np.array([0.96, 0.98]), TEST_ACCURACY) == "97.00 ± 1.41 %"
    assert spread_text(np.array([0.96, NAN]), TEST_ACCURACY) == "96.00 % (1 of 2 diverged)"
    assert spread_text(np.array([NAN]), TEST_ACCURACY) == "diverged"
    assert spread_text(np.array([0.04283]), LOSS) == "0.0428"


def test_measures():
    accuracies = [0.5, 0.9, 0.94, 0.93, 0.95, 0.96]
    history = History([Epoch(k + 1, 0.1 / (k + 1), 0.9, y, 2.0) for k, y in enumerate(accuracies)])
    assert TEST_ACCURACY.of(history) == 0.96
    assert accuracy_after(2).of(history) == 0.9
    assert accuracy_after(99).of(history) == 0.96
    assert LOSS.of(history) == pytest.approx(0.1 / 6)
    assert SECONDS.of(history) == 12
    assert ROUGHNESS.of(history) == pytest.approx((0.02 + 0.01) / 2)
    assert ROUGHNESS.of(History(history.epochs[:1])) == 0
    assert loss_off(0.02).of(history) == pytest.approx(0.02 - 0.1 / 6)
