"""Schedules: each equal to its formula, and to PyTorch's numbers where PyTorch has it.

data/make_torch_schedules.py wrote those down.
"""

import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest

import fastbp as fb
from fastbp import schedules
from fastbp.schedules import SCHEDULES, Span, as_schedule, checked_factors

TORCH = json.loads((Path(__file__).parent / "data/torch_schedules.json").read_text("utf-8"))
BY_STEP = [case for case in TORCH["schedules"] if "figures" not in case]
WATCHING = [case for case in TORCH["schedules"] if "figures" in case]
NEEDED = {"step": (2,), "exponential": (0.9,), "cosine-log": (3,)}
SPAN = Span(steps_per_epoch=10, steps=200)


EXAMPLES = (
    schedules.Step(5),
    schedules.Exponential(0.8),
    schedules.Cosine(),
    schedules.Cosine(warm_up=2, minimum=0.1),
    schedules.Cosine(period=5, mult=2),
    schedules.OneCycle(),
    schedules.CosineLog(3),
    schedules.InverseScaling(),
    schedules.ReduceOnPlateau(),
    schedules.Adaptive(),
)  # of docs/schedules.md
EPOCHS = (0, 1, 2, 5, 10, 19)


def table():
    """What docs/schedules.md shows: factors where some epochs of 20 begin, each of 100 steps."""
    rows = [["", "on the command line", *(f"epoch {n + 1}" for n in EPOCHS)]]
    rows.append(["---"] * len(rows[0]))
    for schedule in EXAMPLES:
        words = [f"--schedule {schedule.name}"]
        words += [f"--{k.replace('_', '-')} {v:g}" for k, v in schedule.settings.items()]
        steps = 100 * np.array(EPOCHS)
        found = checked_factors(schedule, steps, Span(100, 2000), schedule.start())
        figures = [f"{factor:.3g}" for factor in found]
        if schedule.monitor:
            figures[1:] = [f"falls where {schedule.monitor} halts", *[""] * (len(EPOCHS) - 2)]
        rows.append([f"`{schedule!r}`", f"`{' '.join(words)}`", *figures])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def test_the_documented_table_is_what_schedules_do():
    page = (Path(__file__).parents[1] / "docs/schedules.md").read_text("utf-8")
    assert {type(schedule) for schedule in EXAMPLES} == {*SCHEDULES.values()}
    assert table() in page, f"put this into docs/schedules.md:\n{table()}"


def named(case):
    return f"{case['name']}-{case['settings']}"


def factors(schedule, span=SPAN, state=None):
    state = schedule.start() if state is None else state
    return checked_factors(schedule, np.arange(span.steps), span, state)


def by_epoch(schedule, figures):
    """The factor of each epoch, if the watched column comes to these figures."""
    state, found = schedule.start(), []
    for figure in figures:
        found.append(checked_factors(schedule, np.arange(3), SPAN, state)[1])
        state = schedule.watched(state, figure)
    return found


@pytest.mark.parametrize("case", BY_STEP, ids=named)
def test_same_as_pytorch_step_by_step(case):
    schedule = getattr(schedules, case["name"])(**case["settings"])
    ours = factors(schedule, Span(1, TORCH["steps"]))
    # PyTorch multiplies the last rate on, which rounds in each step.
    np.testing.assert_allclose(ours, case["rates"], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("case", WATCHING, ids=named)
def test_same_as_pytorch_epoch_by_epoch(case):
    ours = by_epoch(schedules.ReduceOnPlateau(**case["settings"]), case["figures"])
    assert len(set(ours)) > 2
    np.testing.assert_allclose(ours, case["rates"], rtol=1e-14)


def cosine_by_hand(t):
    """Warm-up of 1 epoch, falls of 2, 3, 4.5, ... epochs, minimum 0.1; time in tenths of one."""
    if t < 10:
        return (t + 1) / 11
    left, length = t - 10, 20.0
    while left >= length:
        left, length = left - length, length * 1.5
    return 0.1 + 0.9 * (1 + math.cos(math.pi * left / length)) / 2


FORMULAS = {
    "step": (schedules.Step(3, gamma=0.5), lambda k: 0.5 ** (k // 30)),
    "step of half an epoch": (schedules.Step(0.5, gamma=0.9), lambda k: 0.9 ** (k // 5)),
    "exponential": (schedules.Exponential(0.8), lambda k: 0.8 ** (k / 10)),
    "cosine": (schedules.Cosine(), lambda k: (1 + math.cos(math.pi * k / 200)) / 2),
    "cosine, all of it": (schedules.Cosine(1, 2, 1.5, 0.1), cosine_by_hand),
    "one-cycle": (
        schedules.OneCycle(0.25, anneal="linear"),
        lambda k: 0.04 + 0.96 * k / 49 if k <= 49 else 1 + (4e-6 - 1) * (k - 49) / 150,
    ),
    "cosine-log": (
        schedules.CosineLog(3),
        lambda k: (1 - math.cos(2 * math.pi * math.log2(1 + 7 * k / 200))) / 2,
    ),
    "inverse-scaling": (schedules.InverseScaling(0.7), lambda k: 1 / (k + 1) ** 0.7),
    "a function": (as_schedule(lambda step: 1 / (1 + step)), lambda k: 1 / (1 + k)),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_equal_to_its_formula(name):
    schedule, formula = FORMULAS[name]
    expected = [formula(step) for step in range(SPAN.steps)]
    np.testing.assert_allclose(factors(schedule), expected, rtol=1e-12, atol=1e-15)
    parts = [
        checked_factors(schedule, np.arange(start, start + 8), SPAN, schedule.start())
        for start in range(0, SPAN.steps, 8)
    ]
    np.testing.assert_array_equal(np.concatenate(parts), factors(schedule))


def test_step_is_constant_within_an_epoch():
    by_epoch = factors(schedules.Step(1)).reshape(20, 10)
    np.testing.assert_array_equal(by_epoch, by_epoch[:, :1].repeat(10, axis=1))


@pytest.mark.parametrize("mult", [1.0000001, 1.1, 2, 3, 7.3])
def test_every_fall_of_a_cosine_begins_at_one(mult):
    """Also where a logarithm rounds across its beginning."""
    span, start, length = Span(1, 10**6), 0.0, 5.0
    schedule = schedules.Cosine(period=length, mult=mult)
    while start < span.steps and length < 1e5:
        at = np.array([math.ceil(start)])
        since = (at[0] - start) / length
        expected = (1 + math.cos(math.pi * since)) / 2
        found = checked_factors(schedule, at, span, {})
        np.testing.assert_allclose(found, expected, atol=1e-6)
        start, length = start + length, length * mult
        if mult < 1.01 and start > 500:
            return


def test_adaptive_divides_after_epochs_without_progress():
    """scikit-learn's rule: what falls by less than the tolerance is none, but is the best."""
    figures = [1.0, 0.9, 0.89995, 0.8999, 0.8, 0.8, 0.9, math.nan, 0.7, 0.7, 0.7, 0.7]
    #          better       ^ two that are none      ^ two  ^ one       ^ two
    expected = [1, 1, 1, 1, 0.2, 0.2, 0.2, 0.04, 0.04, 0.04, 0.04, 0.008]
    np.testing.assert_allclose(by_epoch(schedules.Adaptive(), figures), expected)


def test_adaptive_does_as_scikit_learn():
    neural = pytest.importorskip("sklearn.neural_network")
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(80, 4)), rng.integers(0, 2, 80)

    def trained(epochs):
        net = neural.MLPClassifier(
            (5,), solver="sgd", learning_rate="adaptive", learning_rate_init=0.3, tol=2e-3,
            n_iter_no_change=1, max_iter=epochs, random_state=1,
        )  # fmt: skip
        with warnings.catch_warnings(action="ignore"):  # it has not converged
            return net.fit(x, y)

    losses = trained(15).loss_curve_
    theirs = [0.3] + [trained(n)._optimizer.learning_rate for n in range(1, len(losses))]
    ours = by_epoch(schedules.Adaptive(tolerance=2e-3), losses)
    np.testing.assert_allclose(ours, np.array(theirs) / 0.3, rtol=1e-12)
    assert len(set(theirs)) > 2


def test_plateau_of_negative_figures_is_one():
    """R² may be; PyTorch would take a little worse for better."""
    watch = schedules.ReduceOnPlateau(monitor="val_r2", patience=0, threshold=0.1, factor=0.5)
    assert by_epoch(watch, [-1.0, -1.05, -1.0, -0.8, 0.5]) == [1, 1, 0.5, 0.25, 0.25]


def test_what_is_no_number_is_no_progress():
    watch = schedules.ReduceOnPlateau(patience=1, factor=0.5)
    assert by_epoch(watch, [math.nan, math.inf, 1.0, math.nan, 0.5]) == [1, 1, 0.5, 0.5, 0.5]


def test_watching_leaves_a_state_as_it_was():
    for watch in (schedules.ReduceOnPlateau(), schedules.Adaptive()):
        state = watch.start()
        after = watch.watched(state, 0.5)
        assert state == watch.start() != after
        assert json.loads(json.dumps(after, allow_nan=False)) == after


def test_names_and_what_they_say():
    for name, kind in SCHEDULES.items():
        schedule = kind(*NEEDED.get(name, ()))
        assert eval(repr(schedule), vars(schedules)).settings == schedule.settings
        assert factors(schedule).shape == (200,)
    assert repr(schedules.Cosine(warm_up=2, minimum=0.1)) == "Cosine(warm_up=2.0, minimum=0.1)"
    assert isinstance(as_schedule("cosine"), schedules.Cosine)
    assert as_schedule(None) is None
    plateau = schedules.ReduceOnPlateau()
    assert as_schedule(plateau) is plateau
    assert fb.schedules is schedules


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: as_schedule("cosin"), "schedule: expected one of adaptive, .*; got 'cosin'"),
        (lambda: as_schedule("step"), r"write fb.schedules.Step\(step_size=...\)"),
        (lambda: as_schedule(schedules.Cosine), r"fb.schedules.Cosine\(...\)"),
        (lambda: as_schedule(0.1), "or a function step -> factor; got 0.1"),
        (lambda: as_schedule(int), r"fb.schedules.Cosine\(warm_up=2\), a name"),
        (lambda: schedules.Step(0), "Step step_size: expected a number above 0, got 0"),
        (lambda: schedules.OneCycle(anneal="up"), "OneCycle anneal: expected 'cos' or 'linear'"),
        (lambda: schedules.ReduceOnPlateau(patience=-1), "patience: expected at least 0, got -1"),
        (lambda: schedules.Adaptive(monitor="val_f1"), r"'val_f1': .* add mode='max' or 'min'"),
        (lambda: schedules.Cosine(mult=0.5), "Cosine mult: expected at least 1, got 0.5"),
    ],
)
def test_refused(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda step: math.nan if step == 3 else 1.0, "factor of step 3: expected a finite"),
        (lambda step: -0.5, "factor of step 0: expected at least 0, got -0.5"),
        (lambda step: 10.0**step if step < 5 else math.inf, "of step 5: expected a finite"),
        (lambda step: None, "expected a number as the factor of step 0, got None"),
    ],
)
def test_factors_that_are_none(function, message):
    with pytest.raises((TypeError, ValueError), match=f"schedule .*lambda.*{message}"):
        factors(as_schedule(function))


def test_factors_of_another_shape():
    class Short(schedules.Schedule):
        def factors(self, steps, span, state):
            return np.ones(len(steps) - 1)

    with pytest.raises(ValueError, match=r"Short\(\): expected factors of shape \(200,\)"):
        factors(Short())


def test_too_fast_a_growth_is_refused():
    with pytest.raises(ValueError, match=r"Exponential\(gamma=1e\+200\): factor of step 16"):
        factors(schedules.Exponential(1e200))
