"""Pictures of filters and feature maps: what they show is what went in; and their stages."""

import numpy as np
import pytest

import fastbp as fb
from fastbp import plots
from fastbp.explain.stages import stages


def test_filters_are_columns_and_channels_rows(rng):
    w = rng.normal(size=(4, 3, 5, 2))
    figure = plots.filters(w, title="Mine", label="gradient")
    figure.draw_without_rendering()
    ax, bar = figure.axes
    assert (figure.get_suptitle(), bar.get_ylabel()) == ("Mine", "gradient")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("filter", "channel")
    limit = np.percentile(np.abs(w), 99.5)
    assert {image.get_clim() for image in ax.images} == {(-limit, limit)}  # one scale, 0 inside
    assert {image.get_cmap().name for image in ax.images} == {"RdBu_r"}
    for image, (k, c) in zip(ax.images, np.ndindex(4, 3), strict=True):
        np.testing.assert_array_equal(image.get_array(), w[k, c])
        left, right, bottom, top = image.get_extent()
        assert k < left < right < k + 1
        assert (bottom - top) / (right - left) == pytest.approx(5 / 2)  # no filter is distorted
        assert 2.5 * c < top < bottom < 2.5 * (c + 1)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "2", "3", "4"]


def test_many_filters_are_cut_and_it_says_so():
    figure = plots.filters(np.ones((7, 5, 1, 1)), most=3)
    figure.draw_without_rendering()
    assert len(figure.axes[0].images) == 9
    assert figure.axes[0].get_xlabel() == "filter: 3 of 7, on 3 of 5"


def test_filters_of_a_single_grey_channel_and_of_zeros():
    ax = plots.filters(np.zeros((6, 1, 3, 3))).axes[0]
    assert ax.get_ylabel() == ""
    assert ax.images[0].get_clim() == (-1, 1)


def test_feature_maps_are_a_row_for_each_layer(rng):
    positive, signed = rng.random((3, 8, 6)), rng.normal(size=(20, 4, 4))
    given = [("first", positive), ("second", signed), ("third", np.zeros((1, 2, 2)))]
    figure = plots.feature_maps(given)
    figure.draw_without_rendering()
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == [
        "first: 3 × 8 × 6",
        "second: 20 × 4 × 4, the first 16",
        "third: 1 × 2 × 2",
    ]
    shown = [*positive, *signed[:16], np.zeros((2, 2))]
    assert len(ax.images) == len(shown)
    for image, values in zip(ax.images, shown, strict=True):
        np.testing.assert_array_equal(image.get_array(), values)
    limit = np.abs(signed[:16]).max()
    clims = [image.get_clim() for image in ax.images]
    assert clims == [(0, positive.max())] * 3 + [(-limit, limit)] * 16 + [(0, 1)]
    tops = [image.get_extent()[3] for image in ax.images]
    assert len(set(tops[:3])) == len(set(tops[3:19])) == 1
    assert tops[0] < tops[3] < tops[19]
    rights = [image.get_extent()[1] for image in ax.images]
    assert max(rights) <= ax.get_xlim()[1]


@pytest.mark.parametrize(
    ("plot", "given", "message"),
    [
        (plots.filters, np.ones((2, 2, 2)), r"shape \(out_channels, in_channels, rows, cols\), g"),
        (plots.filters, np.ones((0, 1, 2, 2)), "weights: expected finite values, got none"),
        (plots.filters, np.full((1, 1, 2, 2), np.nan), "weights: expected finite values"),
        (plots.feature_maps, [], "feature maps: expected at least one, got 0"),
        (plots.feature_maps, [("a", np.ones((2, 2)))], r"a: expected shape \(channels, rows, co"),
        (plots.feature_maps, [("a", np.full((1, 2, 2), np.inf))], "a: expected finite values"),
    ],
)
def test_bad_input(plot, given, message):
    with pytest.raises(ValueError, match=message):
        plot(given)


def test_most_is_positive():
    with pytest.raises(ValueError, match="filters: expected at least one to draw, got most=0"):
        plots.filters(np.ones((1, 1, 2, 2)), most=0)
    with pytest.raises(ValueError, match=r"feature maps: .* got 1, most=0"):
        plots.feature_maps([("a", np.ones((1, 2, 2)))], most=0)


def test_stages_are_the_outputs_on_images_as_in_use(backend):
    data = fb.datasets.mnist()[1].first(3)
    net = fb.Sequential(
        fb.Conv2d(1, 2, 3),
        fb.Dropout(0.5),
        fb.MaxPool2d(2),
        fb.Flatten(),
        fb.Linear(338, 10),
        input_shape=(1, 28, 28),
    )
    found = stages(net, data, row=2)
    names = [
        "the picture",
        "Conv2d(1, 2, kernel=3, stride=1, padding=0)",
        repr(net.layers[1]),
        "MaxPool2d(kernel=2, stride=2, padding=0)",
    ]
    assert [name for name, _ in found] == names
    assert [maps.shape for _, maps in found] == [(1, 28, 28), (2, 26, 26), (2, 26, 26), (2, 13, 13)]
    np.testing.assert_allclose(found[0][1][0], data.images([2])[0] / 255)
    np.testing.assert_array_equal(found[1][1], found[2][1])  # nothing is dropped
    assert not hasattr(net.layers[0], "y")  # nothing is left behind
    net.eval()
    expected = net.layers[0].forward(data.batch([2])[0].reshape(1, 1, 28, 28))[0]
    np.testing.assert_array_equal(found[1][1], expected)
