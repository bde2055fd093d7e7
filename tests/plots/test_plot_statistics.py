"""Pictures of running statistics: what they show is what the layers have seen."""

import numpy as np
import pytest

import fastbp as fb
from fastbp import plots, run_pictures


def test_a_dot_at_each_mean_and_a_standard_deviation_to_both_sides():
    figure = plots.running_statistics([1.0, -2.0, 0.5], [4.0, 0.0, 2.25], title="Seen")
    figure.draw_without_rendering()
    (ax,) = figure.axes
    assert figure.get_suptitle() == "Seen"
    dots = next(line for line in ax.lines if line.get_marker() == "o")
    np.testing.assert_array_equal(dots.get_xydata(), [[1, 1], [2, -2], [3, 0.5]])
    ends = [segment[:, 1].tolist() for segment in ax.collections[0].get_segments()]
    assert ends == [[-1, 3], [-2, -2], [-1, 2]]


@pytest.mark.parametrize(
    ("mean", "variance", "message"),
    [
        ([], [], "finite"),
        ([1.0, np.nan], [1.0, 1.0], "finite"),
        ([1.0, 1.0], [1.0, np.inf], "finite"),
        ([1.0], [-1.0], "variance: expected at least 0, got -1"),
        ([1.0, 2.0], [1.0], r"variance: expected shape \(2,\), got \(1,\)"),
    ],
)
def test_bad_statistics(mean, variance, message):
    with pytest.raises(ValueError, match=message):
        plots.running_statistics(mean, variance)


def test_a_network_has_a_picture_of_each_batch_norm():
    inside = fb.Residual(fb.Linear(4, 4), fb.BatchNorm1d(4))
    net = fb.Sequential(fb.BatchNorm1d(3), fb.Linear(3, 4), inside, fb.LayerNorm(4))
    figures = run_pictures.pictures_of_norms(net)
    titles = {name: " ".join(figure.get_suptitle().split()) for name, figure in figures.items()}
    assert titles == {
        "running_statistics_1": f"Running statistics of {net.layers[0]!r}",
        "running_statistics_2": f"Running statistics of {inside.layers[1]!r}",
    }
