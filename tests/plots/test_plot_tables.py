"""Pictures of what a model of a table is worth: curves, dots and bars are what went in."""

import numpy as np
import pytest
from sklearn import calibration, metrics

from fastbp import plots

NAN = float("nan")
HALF = [[0.5, 0.5]] * 2


def drawn(figure):
    figure.draw_without_rendering()
    return figure


def curves(ax):
    """Label -> points of each line that is none of the axes' own."""
    return {str(line.get_label()): line.get_xydata() for line in ax.lines if len(line.get_xdata())}


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_roc_curve_of_two_classes(rng):
    y, score = rng.integers(0, 2, 99), rng.integers(0, 9, 99) / 9
    figure = drawn(plots.roc_curve(y, np.column_stack([1 - score, score]), class_names="ab"))
    (points,) = (found for found in curves(figure.axes[0]).values() if len(found) > 2)
    false, found, _ = metrics.roc_curve(y, score, drop_intermediate=False)
    np.testing.assert_allclose(points, 100 * np.column_stack([false, found]))
    assert figure.get_suptitle() == f"ROC curve, area {metrics.roc_auc_score(y, score):.4f}"
    assert figure.axes[0].get_ylabel() == "share of b found (%)"
    assert figure.axes[0].get_legend() is None


def test_roc_curves_of_several_classes(rng):
    y, p = rng.integers(0, 3, 60), rng.dirichlet(np.ones(4), 60)
    ax = drawn(plots.roc_curve(y, p, class_names=["a", "$b", "c", "none"])).axes[0]
    said = [text.get_text() for text in ax.get_legend().get_texts()]
    areas = [metrics.roc_auc_score(y == k, p[:, k]) for k in range(3)]
    assert said == [f"{area:.4f}  {n}" for area, n in zip(areas, ["a", "$b", "c"], strict=True)]
    for k, label in enumerate(said):
        false, found, _ = metrics.roc_curve(y == k, p[:, k], drop_intermediate=False)
        np.testing.assert_allclose(curves(ax)[label], 100 * np.column_stack([false, found]))


def test_calibration_curve_has_means_and_counts_of_bins(rng):
    p = np.append(rng.random(150) ** 2, [0.2, 0.3])  # two of them on the edge of a bin
    right = rng.random(152) < p
    figure = drawn(plots.calibration_curve(right, p, what="a $ dog"))
    ax, below = figure.axes
    (points,) = (found for found in curves(ax).values() if len(found) > 2)
    share, mean = calibration.calibration_curve(right, p, n_bins=10)
    np.testing.assert_allclose(points, 100 * np.column_stack([mean, share]))
    counts = np.histogram(p, np.linspace(0, 1, 11))[0]
    assert abs(np.subtract([bar.get_height() for bar in below.patches], counts)).sum() <= 4
    assert sum(bar.get_height() for bar in below.patches) == 152
    weights = np.array([bar.get_height() for bar in below.patches if bar.get_height()]) / 152
    off = 100 * (weights * abs(share - mean)).sum()
    assert figure.get_suptitle() == f"Calibration: {off:.1f} % off on average"
    assert below.get_xlabel() == "probability of a $ dog (%)"


def test_values_beside_predictions(rng):
    y = rng.normal(size=6000) * 100
    said = y + rng.normal(size=6000)
    figure = drawn(plots.true_by_predicted(y, said, name="price"))
    r2 = metrics.r2_score(y, said)
    assert figure.get_suptitle() == f"R² {r2:.4f}: 5\u2009000 of 6\u2009000 samples"
    dots = curves(figure.axes[0])["_samples"]
    assert (len(dots), *dots[0], *dots[-1]) == (5000, said[0], y[0], said[-1], y[-1])
    assert figure.axes[0].get_xlabel() == "price, predicted"
    flat = drawn(plots.true_by_predicted([2, 2], [1, 3])).get_suptitle()
    assert flat == "R² not defined: 2 samples"


def test_residuals_and_their_means(rng):
    y, said = rng.normal(size=50), rng.normal(size=50)
    figure = drawn(plots.residuals(y, said))
    found = curves(figure.axes[0])
    np.testing.assert_array_equal(found["_samples"], np.column_stack([said, y - said]))
    rows = np.argsort(said).reshape(10, 5)
    want = np.column_stack([said[rows].mean(axis=1), (y - said)[rows].mean(axis=1)])
    np.testing.assert_allclose(found["mean of a tenth"], want)
    rmse = metrics.root_mean_squared_error(y, said)
    assert figure.get_suptitle() == f"Residuals: RMSE {rmse:.6g}, 50 samples"


def test_importances_from_the_greatest_on():
    figure = drawn(plots.importances(["a", "b $", "c" * 40], [0.1, 2, -0.5], [0.1, 0.5, 0.25]))
    ax = figure.axes[0]
    assert labels(ax.yaxis) == ["b $", "a", "c" * 27 + "…"]
    assert [bar.get_width() for bar in ax.patches] == [2, 0.1, -0.5]
    (errors,) = ax.collections
    ends = [segment[:, 0].tolist() for segment in errors.get_segments()]
    np.testing.assert_allclose(ends, [[1.5, 2.5], [0, 0.2], [-0.75, -0.25]], atol=1e-15)
    assert [text.get_text() for text in ax.texts] == ["2", "0.1", "-0.5"]
    many = drawn(plots.importances([str(k) for k in range(30)], np.arange(30), np.zeros(30)))
    assert many.get_suptitle() == "20 of 30 columns by their importance"
    assert labels(many.axes[0].yaxis) == [str(k) for k in range(29, 9, -1)]
    drawn(plots.importances(["a"], [0], [0]))


@pytest.mark.parametrize(
    ("plot", "given", "message"),
    [
        (plots.roc_curve, ([0, 1], [[0.5], [0.5]]), "expected 2 to 10 finite columns, got 1 of"),
        (plots.roc_curve, ([0], HALF), r"labels: expected shape \(2,\), got \(1,\)"),
        (plots.roc_curve, ([0, 1], [[0.5, NAN]] * 2), "finite columns, got NaN or infinity"),
        (plots.roc_curve, ([1, 1], HALF), "expected samples of two classes or more, and no others"),
        (plots.roc_curve, ([0, 5], HALF), "expected samples of two classes or more, and no oth"),
        (plots.roc_curve, ([], np.ones((0, 2))), "expected samples of two classes or more"),
        (plots.calibration_curve, ([1], [1.5]), r"probabilities in 0..1, got none or others"),
        (plots.calibration_curve, ([1], [NAN]), r"probabilities in 0..1, got none or others"),
        (plots.calibration_curve, ([], []), r"probabilities in 0..1, got none or others"),
        (plots.true_by_predicted, ([1, 2], [1]), r"predictions: expected shape \(2,\)"),
        (plots.residuals, ([1], [NAN]), "expected finite numbers, got none, NaN or infinity"),
        (plots.residuals, ([], []), "expected finite numbers, got none, NaN or infinity"),
        (plots.importances, ("a", [1], [-1]), "finite means, and deviations of at least 0"),
        (plots.importances, ("a", [NAN], [0]), "finite means, and deviations of at least 0"),
        (plots.importances, ([], [], []), "finite means, and deviations of at least 0"),
        (plots.importances, ("ab", [1], [0]), r"means: expected shape \(2,\), got \(1,\)"),
    ],
)
def test_bad_input(plot, given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        plot(*given)


def test_bad_options():
    with pytest.raises(ValueError, match="importances: expected most >= 1, got 0"):
        plots.importances("a", [1], [0], most=0)
    with pytest.raises(ValueError, match="calibration: expected 1 to 100 bins, got 0"):
        plots.calibration_curve([1], [0.5], bins=0)
    with pytest.raises(ValueError, match="class_names: expected 2 names, got 1"):
        plots.roc_curve([0, 1], HALF, class_names=["a"])
