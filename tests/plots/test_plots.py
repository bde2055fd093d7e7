"""The figures: what they show is what went in, and bad input is named."""

import itertools
import subprocess
import sys
import threading
from io import BytesIO

import numpy as np
import pytest
from matplotlib.axis import Axis
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from fastbp import plots
from fastbp.plots import curves, style

NAN, INF = float("nan"), float("inf")
COUNTS = np.array([[8, 2, 0], [0, 9, 1], [4, 0, 16]])
LABELS, TAKEN = np.array([0, 1, 2, 3]), np.array([0, 2, 2, 1])
FOUR = np.arange(120, dtype=np.uint8).reshape(4, 6, 5)


def drawn(figure: Figure) -> Figure:
    """The figure, once it went through layout and drawing: a warning would be an error."""
    figure.draw_without_rendering()
    return figure


def test_a_png_is_what_savefig_writes():
    """Byte for byte; and the figure keeps its own dots."""
    one, other, wanted = plots.confusion_matrix(COUNTS), plots.confusion_matrix(COUNTS), BytesIO()
    other.savefig(wanted, format="png", dpi=style.DOTS)
    before = one.dpi
    assert style.png(one) == wanted.getvalue()
    assert one.dpi == before != style.DOTS


def lines(figure: Figure) -> dict[str, np.ndarray]:
    """Label -> (x, y) of each curve, without the dots at the ends."""
    named = {str(line.get_label()): line for line in figure.axes[0].lines}
    return {name: np.array(line.get_data()) for name, line in named.items() if name[0] != "_"}


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def ticks(axis: Axis) -> list[str]:
    """The tick labels within the view."""
    low, high = sorted(axis.get_view_interval())
    pairs = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
    return [label.get_text() for place, label in pairs if low <= place <= high]


def test_import_is_light():
    code = """import sys; from fastbp import plots; early = "matplotlib" in sys.modules
plots.loss_by_iteration([1.0])
print(early, "matplotlib" in sys.modules, "matplotlib.pyplot" in sys.modules)"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "True", "False"]


def test_short_run_is_drawn_as_it_is(rng):
    losses = rng.random(100)
    figure = drawn(plots.loss_by_iteration(losses, batch_size=8))
    ax = figure.axes[0]
    np.testing.assert_array_equal(lines(figure)[" raw"], [np.arange(1, 101), losses])
    want = [losses[k - min(k, 8) : k + min(k, 8) + 1].mean() for k in range(100)]
    np.testing.assert_allclose(lines(figure)[" mean"], [np.arange(1, 101), want])
    assert texts(figure) == [f"{losses[-9:].mean():.3g}"]
    assert figure.get_suptitle() == "Loss by iteration"
    assert ax.get_ylabel() == "mean loss of a batch of 8"
    assert ax.get_xlabel() == "iteration (pale: every batch; strong: mean within ±8)"
    assert (ax.get_yscale(), ax.get_ylim()) == ("linear", (0, 1.05 * losses.max()))


@pytest.mark.parametrize("length", [5001, 7499, 187_500])
def test_long_run_is_the_range_of_each_bin(rng, length):
    losses = rng.random(length)
    figure = drawn(plots.loss_by_iteration(losses))
    x, y = lines(figure)[" raw"]
    size = -(-length // 1500)
    bins = np.split(losses, range(size, length, size))
    want = [(part.min(), part.max()) for part in bins]
    np.testing.assert_array_equal(np.sort(y.reshape(-1, 2), axis=1), want)
    np.testing.assert_array_equal(losses[x.astype(int) - 1], y)
    assert (np.diff(x) >= 0).all()
    x, mean = lines(figure)[" mean"]
    assert x[-1] == length
    half = {5001: 80, 7499: 100, 187_500: 700}[length]
    at = int(x[700]) - 1
    np.testing.assert_allclose(mean[700], losses[at - half : at + half + 1].mean())
    assert any("\u2009000" in label for label in ticks(figure.axes[0].xaxis))


def test_several_runs():
    runs = {"tanh": np.full(50, 2.0), "ReLU $x$": np.full(30, 1.0)}
    figure = drawn(plots.loss_by_iteration(runs, title="Activations"))
    assert list(lines(figure)) == ["tanh raw", "tanh mean", "ReLU $x$ raw", "ReLU $x$ mean"]
    one, mean, _, two = (line for line in figure.axes[0].lines if line.get_marker() != "o")
    assert one.get_color() == mean.get_color() != two.get_color()
    assert one.get_alpha() < 0.5
    assert one.get_linewidth() < mean.get_linewidth()
    assert texts(figure) == ["2  tanh", "1  ReLU $x$"]
    assert figure.get_suptitle() == "Activations"


def test_axis_is_logarithmic_from_a_decade_on():
    curves = [np.geomspace(10, 0.9, 4000), np.geomspace(9, 1, 4000), np.repeat([10, 0], 999)]
    axes = [drawn(plots.loss_by_iteration(y)).axes[0] for y in curves]
    assert [ax.get_yscale() for ax in axes] == ["log", "linear", "linear"]
    assert ticks(axes[0].yaxis) == ["0.5", "1", "2", "5", "10"]


def test_what_is_not_finite_is_a_gap():
    losses = np.ones(60)
    losses[10:20], losses[30] = INF, NAN
    figure = drawn(plots.loss_by_iteration(losses))
    for _, y in lines(figure).values():
        np.testing.assert_array_equal(np.isnan(y), ~np.isfinite(losses))
    assert texts(figure) == ["1"]


def test_divergence_is_said():
    losses = np.append(np.ones(812), np.full(9000, NAN))
    figure = drawn(plots.loss_by_iteration({"ReLU": losses, "none": np.full(9, NAN)}))
    assert texts(figure) == ["ReLU: not finite from 813 on", "none: never finite"]
    x, mean = lines(figure)["ReLU mean"]
    assert x[np.isfinite(mean)].max() == 812
    x, y = lines(figure)["ReLU raw"]
    assert 800 < x[np.isfinite(y)].max() <= 812


@pytest.mark.parametrize("huge", [1e99, 1e300, 1.79e308])
def test_huge_losses_do_not_overflow(huge):
    drawn(plots.loss_by_iteration(np.append(np.ones(99), [huge, huge])))
    drawn(plots.loss_by_epoch({"a": [-1.0, huge]}))


@pytest.mark.parametrize("losses", [[2.5], [2.5, 2.0], np.zeros(40), -np.ones(40)])
def test_small_and_flat_runs(losses):
    ax = drawn(plots.loss_by_iteration(losses)).axes[0]
    low, high = ax.get_ylim()
    assert low <= min(losses) <= max(losses) < high
    dots = [line.get_xdata() for line in ax.lines if line.get_marker() == "o"]
    assert dots == [[len(losses)]]


def test_accuracy_in_per_cent():
    series = {"train": [0.9, 0.95, 0.9931], "test": (0.91, 0.94, 0.9744)}
    figure = drawn(plots.accuracy_by_epoch(series))
    ax = figure.axes[0]
    for label, values in series.items():
        np.testing.assert_allclose(lines(figure)[label], [[1, 2, 3], np.multiply(values, 100)])
    assert texts(figure) == ["99.31 %  train", "97.44 %  test"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "accuracy (%)")
    assert (figure.get_suptitle(), ticks(ax.xaxis)) == ("Accuracy by epoch", ["1", "2", "3"])
    assert ax.get_ylim() == pytest.approx((90 - 0.06 * 9.31, 99.31 + 0.06 * 9.31))


@pytest.mark.parametrize(
    ("plot", "scale"), [(plots.accuracy_by_epoch, 100), (plots.loss_by_epoch, 1)]
)
def test_several_runs_are_a_mean_and_a_band(plot, scale):
    runs = np.array([[0.5, 0.7, 0.9], [0.4, 0.8, NAN], [0.6, 0.6, NAN]])
    figure = drawn(plot({"three": runs, "one": [0.5, 0.5]}))
    np.testing.assert_allclose(lines(figure)["three"][1], np.multiply(scale, [0.5, 0.7, 0.9]))
    (band,) = figure.axes[0].collections  # of the one that has several
    points = band.get_paths()[0].vertices
    for epoch, low, high in ((1, 0.4, 0.6), (2, 0.6, 0.8), (3, 0.9, 0.9)):
        at = points[points[:, 0] == epoch, 1]
        np.testing.assert_allclose((at.min(), at.max()), np.multiply(scale, [low, high]))


def test_a_network_has_a_text_in_each_circle_and_on_each_line():
    edges = {(0, 0, 0): "w1 = 1", (0, 1, 0): "w2 = 2"}
    figure = drawn(plots.network([["I1", "I2"], ["o = 3"]], edges, title="Net", note="η = 0.5"))
    assert sorted(texts(figure)) == sorted(["I1", "I2", "o = 3", "w1 = 1", "w2 = 2", "η = 0.5"])
    assert len(figure.axes[0].patches) == 3
    assert figure.get_suptitle() == "Net"


def test_one_epoch_and_full_marks_are_visible():
    figure = drawn(plots.accuracy_by_epoch({"one": [1.0], "none": [0.0]}, title="Train"))
    ax = figure.axes[0]
    assert (figure.get_suptitle(), ticks(ax.xaxis), ax.get_ylim()) == ("Train", ["1"], (0, 100))
    assert {line.get_marker() for line in ax.lines} == {"o"}
    assert not any(line.get_clip_on() for line in ax.lines)


def test_lengths_may_differ_and_none_is_a_gap():
    figure = drawn(plots.accuracy_by_epoch({"a": [0.5, None, 0.6, 0.7], "b": [0.4, 0.45]}))
    np.testing.assert_allclose(lines(figure)["a"][1], [50, NAN, 60, 70])
    np.testing.assert_allclose(lines(figure)["b"], [[1, 2], [40, 45]])
    assert texts(figure) == ["70.00 %  a", "45.00 %  b"]


def test_no_label_covers_another():
    figure = drawn(plots.accuracy_by_epoch({f"{k}": [0.5, 0.9 + k / 1e4] for k in range(12)}))
    heights = [text.xyann[1] for text in figure.axes[0].texts]
    inches = 72 * figure.axes[0].get_position().height * figure.get_figheight()
    assert min(b - a for a, b in itertools.pairwise(heights)) * inches > 1.2 * style.TICK
    assert 0 <= heights[0] < heights[-1] <= 1
    named = [line for line in figure.axes[0].lines if line.get_label()[0] != "_"]
    assert len({(line.get_color(), str(line._unscaled_dash_pattern)) for line in named}) == 12


def test_loss_by_epoch():
    figure = drawn(plots.loss_by_epoch({"hinge": [2.0, 1.0, 0.125], "bad": [1, NAN, NAN]}))
    np.testing.assert_array_equal(lines(figure)["hinge"], [[1, 2, 3], [2.0, 1.0, 0.125]])
    assert texts(figure) == ["0.125  hinge", "bad: not finite from 2 on"]
    assert figure.axes[0].get_yscale() == "log"
    assert figure.axes[0].get_ylabel() == "mean loss of an epoch"
    assert figure.get_suptitle() == "Loss by epoch"


def test_rate_by_iteration():
    falling = np.cos(np.linspace(0, np.pi / 2, 100))
    figure = drawn(plots.rate_by_iteration(falling))
    ax = figure.axes[0]
    np.testing.assert_array_equal(ax.lines[0].get_data(), [np.arange(1, 101), falling])
    assert (ax.get_yscale(), ax.get_ylim()) == ("linear", (0, 1.05))
    assert texts(figure) == [f"{falling[-1]:.3g}"]


def test_rates_over_decades_have_a_logarithmic_axis():
    figure = drawn(plots.rate_by_iteration({"steps": np.repeat([0.1, 0.01, 0.001], 3000)}))
    ((x, y),) = lines(figure).values()
    assert figure.axes[0].get_yscale() == "log"
    assert (x.min(), x.max(), y.min(), y.max()) == (1, 8995, 0.001, 0.1)
    assert len(x) == 3000  # drawn as ranges


def test_long_names_leave_the_axes_room():
    figure = drawn(plots.loss_by_epoch({"x" * 90: [2.0, 1.0]}, title="word " * 40))
    assert texts(figure) == ["1  " + "x" * 27 + "…"]
    assert len(figure.get_suptitle().splitlines()) > 1
    assert figure.axes[0].get_position().width > 0.4


@pytest.mark.parametrize(
    ("levels", "gap", "want"),
    [([0.9, 0.1], 0.2, [0.9, 0.1]), ([0.5, 0.5], 0.2, [0.4, 0.6]), ([1, 0.9, 0], 0.2, [1, 0.8, 0])],
)
def test_spread_moves_as_little_as_it_can(levels, gap, want):
    np.testing.assert_allclose(curves.spread(np.array(levels, float), gap), want, atol=1e-12)


def test_confusion_matrix():
    figure = drawn(plots.confusion_matrix(COUNTS))
    ax, bar = figure.axes
    cells = {text.get_position(): text.get_text() for text in ax.texts}
    assert cells == {(j, i): str(n) for (i, j), n in np.ndenumerate(COUNTS) if n}
    share = np.ma.filled(ax.images[0].get_array(), NAN)
    np.testing.assert_array_equal(share, [[NAN, 20, 0], [0, NAN, 10], [20, 0, NAN]])
    assert ax.images[0].get_clim() == (0, 20)
    assert to_hex(ax.get_facecolor()) == style.PALE.lower()
    assert figure.get_suptitle() == "Accuracy 82.50 %: 33 of 40 correct"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    assert bar.get_ylabel() == "errors (% of the true class)"
    assert ticks(ax.xaxis) == ticks(ax.yaxis) == ["0", "1", "2"]


def test_confusion_matrix_with_names_and_without_errors():
    for names, turned in (
        (["cat", "a $ dog", "owl"], 0),
        (["cat", "a $ dog of a breed", "owl"], 90),
    ):
        ax = drawn(plots.confusion_matrix(COUNTS, names)).axes[0]
        assert ticks(ax.xaxis) == ticks(ax.yaxis) == names
        assert {label.get_rotation() for label in ax.get_xticklabels()} == {turned}
    assert (
        drawn(plots.confusion_matrix([[5]])).get_suptitle() == "Accuracy 100.00 %: 5 of 5 correct"
    )
    assert texts(drawn(plots.confusion_matrix([[5, 0], [0, 0]]))) == ["5"]


@pytest.mark.parametrize(("classes", "cells", "labels"), [(20, 20, 20), (21, 0, 11), (60, 0, 20)])
def test_many_classes_have_no_counts(classes, cells, labels):
    ax = drawn(plots.confusion_matrix(np.eye(classes, dtype=int))).axes[0]
    assert (len(ax.texts), len(ticks(ax.xaxis))) == (cells, labels)


def test_misclassified_shows_only_the_wrong_ones():
    figure = drawn(plots.misclassified(FOUR, LABELS, TAKEN))
    (ax,) = figure.axes
    assert figure.get_suptitle() == "2 of 2 misclassified samples"
    assert texts(figure) == ["#1\n1 → 2", "#3\n3 → 1"]
    assert ax.get_xlabel() == "#sample, true → predicted class"
    places = drawn(plots.misclassified(FOUR, LABELS, TAKEN, places=[7, 80, 90, 1000]))
    assert texts(places) == ["#80\n1 → 2", "#1000\n3 → 1"]
    np.testing.assert_array_equal([image.get_array() for image in ax.images], FOUR[[1, 3]])
    assert {image.get_clim() for image in ax.images} == {(30, 119)}


@pytest.mark.parametrize("whole", [True, False])
def test_misclassified_surest_first(whole):
    table = np.array([[1, 0, 0, 0], [0, 0.4, 0.6, 0], [0, 0, 1, 0], [0, 0.9, 0, 0.1]])
    p = table if whole else table[np.arange(4), TAKEN]
    figure = drawn(plots.misclassified(FOUR, LABELS, TAKEN, p, most=1))
    assert figure.get_suptitle() == "1 of 2 misclassified samples, surest first"
    assert texts(figure) == ["#3\n3 → 1  90 %"]
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), FOUR[3])


@pytest.mark.parametrize("k", [0, 4])
def test_none_misclassified(k):
    figure = drawn(plots.misclassified(FOUR[:k], LABELS[:k], LABELS[:k]))
    assert figure.get_suptitle() == "No sample is misclassified"
    assert not figure.axes[0].images


@pytest.mark.parametrize(("k", "across"), [(1, 1), (3, 3), (7, 7), (11, 6), (25, 5), (30, 10)])
def test_pictures_lie_apart_upright_and_undistorted(k, across):
    figure = drawn(plots.sample_digits(np.zeros((40, 6, 5)), np.arange(40) % 10, most=k))
    ax = figure.axes[0]
    left, right, bottom, top = np.array([image.get_extent() for image in ax.images]).T
    assert len(set(zip(left, top, strict=True))) == k
    assert (len(set(left)), ax.get_xlim()) == (across, (0, across))
    assert 0 <= top.min() <= bottom.max() < ax.get_ylim()[0]
    assert ax.get_ylim()[1] == 0
    np.testing.assert_allclose((bottom - top) / (right - left), 6 / 5)
    assert ax.get_aspect() == 1
    assert figure.get_suptitle() == f"{k} of 40 samples and their labels"
    assert texts(figure) == [str(n % 10) for n in range(k)]


def test_first_layer_weights(rng):
    w = rng.normal(size=(30, 12)) * np.arange(12)
    figure = drawn(plots.first_layer_weights(w, (6, 5), most=4))
    ax, bar = figure.axes
    order = np.argsort(-np.linalg.norm(w, axis=0))[:4]
    shown = np.array([image.get_array() for image in ax.images])
    np.testing.assert_array_equal(shown, w.T[order].reshape(4, 6, 5))
    limit = np.percentile(np.abs(w[:, order]), 99.5)
    assert {image.get_clim() for image in ax.images} == {(-limit, limit)}
    assert figure.get_suptitle() == "4 of 12 units, largest norm first"
    assert bar.get_ylabel() == "incoming weight"
    zero = drawn(plots.first_layer_weights(np.zeros((4, 2)), (2, 2)))
    assert zero.axes[0].images[0].get_clim() == (-1, 1)


@pytest.mark.parametrize(
    "plot", [plots.loss_by_epoch, plots.loss_by_iteration, plots.rate_by_iteration]
)
def test_a_curve_that_lies_on_others_leaves_them_seen(plot):
    """Its gaps are as wide as the dashes of all of those together."""
    y = np.linspace(3, 1, 20)
    figure = drawn(plot({"a": y, "b": y + 1e-6, "c": y[:19], "d": y, "e": y - 1}))
    strong = [
        line
        for line in figure.axes[0].lines
        if line.get_label().removesuffix(" mean") in tuple("abcde")
    ]
    assert [line._unscaled_dash_pattern[1] for line in strong] == [None, (4, 4), None, (4, 8), None]


def test_a_long_run_has_a_band_of_the_middle_half_of_its_losses(rng):
    """The range alone is a block, where a hinge loss of 0 is among each bin's."""
    y = np.where(rng.random(6000) < 0.2, 0, rng.exponential(size=6000))
    y[:4] = NAN
    x, low, high = curves.middle_half(y)
    assert np.isnan([low[0], high[0]]).all()
    np.testing.assert_array_equal(x, 4 * np.arange(1500) + 2.5)
    for k in range(1, 1500, 100):
        four = np.sort(y[4 * k : 4 * k + 4])
        assert (low[k], high[k]) == (four[1], four[2])  # of four, the nearest to the quartiles
    figure = drawn(plots.loss_by_iteration(y))
    assert len(figure.axes[0].collections) == 1
    assert "all batches, and their middle half" in figure.axes[0].get_xlabel()


def test_class_probabilities():
    p = [0.2, 0.7, 0.1]
    figure = drawn(plots.class_probabilities(FOUR[0], p, label=2, class_names="abc"))
    bars, left = figure.axes
    assert [bar.get_width() for bar in bars.patches] == pytest.approx([20, 70, 10])
    colours = [to_hex(bar.get_facecolor()).upper() for bar in bars.patches]
    assert colours == [style.BLUE, style.BLUE, style.GREEN]
    assert texts(figure) == ["20.0", "70.0", "10.0  true class"]
    assert ticks(bars.yaxis) == ["a", "b", "c"]
    assert bars.get_xlabel() == "probability (%)"
    assert figure.get_suptitle() == "Predicted b (70.0 %), true c"
    np.testing.assert_array_equal(left.images[0].get_array(), FOUR[0])
    assert left.get_position().x1 < bars.get_position().x0
    assert bars.get_ylim()[0] > bars.get_ylim()[1]
    assert bars.get_xlim() == (0, 100)  # no more is probable


@pytest.mark.parametrize("picture", [FOUR[0], None])
def test_the_true_class_is_written_within_the_figure(picture):
    figure = drawn(plots.class_probabilities(picture, [0.999, 0.001], label=0))
    (word, _), renderer = figure.axes[0].texts, figure._get_renderer()
    assert word.get_window_extent(renderer).x1 < figure.bbox.x1 - 4  # dots


def test_class_probabilities_without_picture_and_of_many_classes():
    figure = drawn(plots.class_probabilities(None, [0.25, 0.75]))
    assert (len(figure.axes), figure.get_suptitle()) == (1, "Predicted 1 (75.0 %)")
    many = drawn(plots.class_probabilities(None, np.arange(100) / 4950, label=3))
    assert ticks(many.axes[0].yaxis) == ["3", *map(str, range(81, 100))]


BAD_CURVES = [
    ({}, "expected at least one finite value, got none"),
    ({"a": [NAN], "b": [INF]}, "expected at least one finite value, got none"),
    ({"a": [1], "b": []}, "'b': expected at least one value, got none"),
    ({"a": [[[1]]]}, r"'a': expected shape \(n,\), got \(1, 1, 1\)"),
    ({"a": 3.0}, r"'a': expected shape \(n,\), got \(\)"),
    ({"a": [[1, 2], [3]]}, "'a': expected numbers, got list"),
]


@pytest.mark.parametrize(
    "plot",
    [
        plots.loss_by_iteration,
        plots.accuracy_by_epoch,
        plots.loss_by_epoch,
        plots.rate_by_iteration,
    ],
)
@pytest.mark.parametrize(("series", "message"), BAD_CURVES)
def test_bad_curves(plot, series, message):
    with pytest.raises(ValueError, match=f"^(losses|accuracies|rates).*{message}"):
        plot(series)


BAD_INPUT = [
    (plots.loss_by_iteration, ([],), "^losses: expected at least one value, got none"),
    (plots.loss_by_iteration, ("abc",), "^losses: expected numbers, got str"),
    (plots.accuracy_by_epoch, ({"a": [0.5, 97.4]},), "expected fractions in 0..1, got 0.5..97.4"),
    (plots.confusion_matrix, (np.ones((2, 3)),), r"expected shape \(classes, 2\), got \(2, 3\)"),
    (plots.confusion_matrix, ([1, 2],), r"expected shape \(classes, 2\), got \(2,\)"),
    (plots.confusion_matrix, ([[1, -2], [0, 1]],), "expected counts, got -2.0"),
    (plots.confusion_matrix, ([[1, 0.5], [0, 1]],), "expected counts, got 0.5"),
    (plots.confusion_matrix, ([[1, INF], [0, NAN]],), "expected counts, got inf"),
    (plots.confusion_matrix, ([[0, 0], [0, 0]],), "expected counts, got only zeros"),
    (plots.confusion_matrix, (COUNTS, "ab"), "class_names: expected 3 names, got 2"),
    (plots.misclassified, (FOUR[0], [1], [1]), r"images: expected shape \(k, rows, cols\), got"),
    (plots.misclassified, (FOUR, [1], TAKEN), r"labels: expected shape \(4,\), got \(1,\)"),
    (plots.misclassified, (FOUR, LABELS, [1]), r"predictions: expected shape \(4,\), got \(1,\)"),
    (plots.misclassified, (FOUR, LABELS, TAKEN, [1]), r"probabilities: expected shape \(4,\)"),
    (plots.misclassified, (FOUR, LABELS, TAKEN, [[1]]), r"probabilities: .* shape \(4, classes\)"),
    (plots.first_layer_weights, (np.ones((5, 2)), (2, 2)), r"shape \(4, units\), got \(5, 2\)"),
    (
        plots.first_layer_weights,
        ([[INF]], (1, 1)),
        "weights: expected finite values, got none, NaN",
    ),
    (plots.first_layer_weights, (np.ones((4, 0)), (2, 2)), "weights: expected finite .* got none"),
    (plots.sample_digits, (FOUR, [1]), r"labels: expected shape \(4,\), got \(1,\)"),
    (plots.sample_digits, (FOUR[:0], []), "samples .*: expected at least one to draw, got 0"),
    (plots.class_probabilities, (None, [-0.1, -2.4]), "none below 0 and sum 1, got sum -2.5"),
    (plots.class_probabilities, (None, [0.5, NAN]), "none below 0 and sum 1, got sum nan"),
    (plots.class_probabilities, (None, [[1.0]]), r"probabilities: expected shape \(classes,\)"),
    (plots.class_probabilities, (np.zeros(4), [1.0]), r"image: expected shape \(rows, cols\)"),
]


@pytest.mark.parametrize(("plot", "given", "message"), BAD_INPUT)
def test_bad_input(plot, given, message):
    with pytest.raises(ValueError, match=message):
        plot(*given)


def test_bad_options():
    with pytest.raises(ValueError, match=r"label: expected a class in 0..1, got 2"):
        plots.class_probabilities(None, [0.5, 0.5], label=2)
    with pytest.raises(ValueError, match=r"samples and their labels: .* got 4, most=0"):
        plots.sample_digits(FOUR, LABELS, most=0)


def test_save_replaces_a_png_and_obeys_the_umask(tmp_path):
    path, other = tmp_path / "a.png", tmp_path / "other"
    path.write_bytes(b"old")
    other.touch()
    assert plots.save(plots.loss_by_epoch({"a": [2.0, 1.0]}), str(path)) == path
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert [int.from_bytes(data[k : k + 4]) for k in (16, 20)] == [1050, 540]
    assert path.stat().st_mode == other.stat().st_mode
    assert sorted(tmp_path.iterdir()) == [path, other]


def test_save_leaves_nothing_behind(tmp_path):
    (tmp_path / "a.png").mkdir()
    figure = plots.loss_by_epoch({"a": [1.0]})
    for path in (tmp_path / "a.png", tmp_path / "missing" / "b.png"):
        with pytest.raises(OSError, match=r"\.png|\.tmp"):
            plots.save(figure, path)
    with pytest.raises(ValueError, match=r"expected a name that ends in \.png, got 'a\.pdf'"):
        plots.save(figure, tmp_path / "a.pdf")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_threads_may_draw_at_once(tmp_path):
    def draw(k: int) -> None:
        plots.save(plots.loss_by_epoch({"a": [k, 1.0]}), tmp_path / f"{k}.png")

    threads = [threading.Thread(target=draw, args=(k,)) for k in range(2, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{k}.png" for k in range(2, 6)]
