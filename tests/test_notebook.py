"""What objects are in a notebook: small, escaped, in the colours around; and figures that show."""

import copy
import pickle
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

import fastbp as fb
from fastbp.pages import notebook

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def things():
    """One of each, with names that are markup."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 4)), np.arange(60) % 3
    kind = type(EVIL, (fb.Linear,), {})
    net = fb.Sequential(kind(4, 8), fb.Residual(fb.Linear(8, 8), fb.ReLU()), fb.Linear(8, 3))
    history = net.fit(x, y, epochs=9, validation=0.2)
    net[2].trainable = False
    data = fb.datasets.Dataset(x, y, name=EVIL)
    frame = pd.DataFrame({EVIL: x[:, 0], "kind": [*"ab"] * 30, "label": [EVIL, "no", "yes"] * 20})
    rows = fb.datasets.table(frame, label="label")
    return {
        "Sequential": net,
        "History": history,
        "empty History": fb.History(),
        "Dataset": data,
        "Dataset of values": fb.datasets.Dataset(x, x, values=True),
        "Dataset of a table": rows,
        "Table": rows.table,
        "Evaluation": net.evaluate(data, loss=fb.CrossEntropyLoss()),
        "GradientCheck": fb.gradcheck(net, fb.CrossEntropyLoss(), x[:5], y[:5]),
        "Ensemble": fb.Ensemble([net, net.copy()]),
    }


def cells(markup):
    """The rows of all tables, as texts."""
    rows = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag == "tr":
                rows.append([])
            elif tag in ("td", "th"):
                rows[-1].append("")

        def handle_data(self, data):
            if rows and rows[-1] and data.strip():
                rows[-1][-1] += data

    Reader().feed(markup.rpartition("</table>")[0])
    return rows


@pytest.mark.parametrize(
    "name",
    "Sequential, History, empty History, Dataset, Dataset of values, Dataset of a table, Table, "
    "Evaluation, GradientCheck, Ensemble".split(", "),
)
def test_markup_is_small_whole_and_escaped(things, name):
    markup = things[name]._repr_html_()
    ElementTree.fromstring(markup)  # every text is escaped, and every tag closed
    assert "<script" not in markup
    for loaded in ("src=", "href=", "url(", "@import", "background: #", "color: #"):
        assert loaded not in markup
    assert len(markup) < 9000
    assert "\n" not in repr(things[name])
    assert len(repr(things[name])) < 300


def test_a_network_says_its_layers_settings_and_sizes(things):
    markup = things["Sequential"]._repr_html_()
    assert cells(markup) == [
        ["layer", "settings", "output", "parameters"],
        [EVIL, "inputs=4, outputs=8", "(n, 8)", "40"],
        ["Residual", "", "(n, 8)", "0"],
        ["\u2003Linear", "inputs=8, outputs=8", "(n, 8)", "72"],
        ["\u2003ReLU", "", "(n, 8)", "0"],
        ["Linear", "inputs=8, outputs=3, not trained", "(n, 3)", "27"],
    ]
    assert "139 parameters, float32, 0.00 MB; scores mean classes" in markup
    images = fb.Sequential(fb.MaxPool2d(2), fb.Flatten(), input_shape=(1, 4, 4))
    assert cells(images._repr_html_())[1][1] == "kernel=2, stride=2, padding=0"
    assert "samples (1, 4, 4)" in images._repr_html_()


def test_a_history_says_its_last_epochs_and_the_best(things):
    history = things["History"]
    head, *rows = cells(history._repr_html_())
    assert head == [*history.columns]
    assert [row[0] for row in rows[-5:]] == ["5", "6", "7", "8", "9"]
    assert rows[-1][1] == f"{history['train_loss'][-1]:.6g}"
    best = history.best()
    assert best.val_loss == min(history["val_loss"])
    assert f"the least loss in epoch {best.epoch}" in history._repr_html_()
    assert "val_loss (dashed)" in history._repr_html_()
    epochs = [fb.training.Epoch(k, loss, 0.5, np.nan, 1.0) for k, loss in enumerate((3, 1, 2), 1)]
    told = fb.History(epochs)
    assert told.best().epoch == 2
    assert cells(told._repr_html_())[0] == ["epoch", "train_loss", "train_accuracy", "seconds"]
    many = fb.History([fb.training.Epoch(k, abs(k - 3), 0.5, np.nan, 1.0) for k in range(1, 20)])
    assert [row[0] for row in cells(many._repr_html_())[1:]] == ["3", "15", "16", "17", "18", "19"]
    with pytest.raises(ValueError, match=r"History\.best: there are no epochs"):
        fb.History().best()


def test_data_and_figures_are_listed(things):
    rows = cells(things["Dataset of a table"]._repr_html_())
    assert rows[-4:] == [["class", "samples"], [EVIL, "20"], ["no", "20"], ["yes", "20"]]
    assert ["features", "2"] in rows
    values = dict(cells(things["Dataset of values"]._repr_html_()))
    x = things["Dataset of values"].y
    assert (
        values["values"] == f"4 a sample, from {x.min():.6g} to {x.max():.6g}, mean {x.mean():.6g}"
    )
    found = things["Evaluation"]
    assert cells(found._repr_html_()) == [
        ["accuracy", f"{found.accuracy:.6g}"],
        ["loss", f"{found.loss:.6g}"],
    ]
    assert cells(things["Table"]._repr_html_())[1][:2] == [EVIL, "number"]
    checked = things["GradientCheck"]
    assert repr(checked).startswith("GradientCheck(all gradients hold: 7 tensors, worst error ")
    assert cells(checked._repr_html_())[1][:3] == ["0.w", "32", "0"]
    assert cells(things["Ensemble"]._repr_html_()) == cells(things["Sequential"]._repr_html_())


@pytest.mark.parametrize(
    ("curves", "points"),
    [
        ({"a": [0.0, 1.0, 2.0]}, ["2.0,46.0 120.0,24.0 238.0,2.0"]),
        (
            {"a": [1.0, np.nan, 1.0], "b": [3.0, 2.0, np.inf]},
            ["2.0,46.0 238.0,46.0", "2.0,2.0 120.0,24.0"],
        ),
        ({"a": [1.0], "b": []}, []),
    ],
)
def test_sparklines_have_one_scale(curves, points):
    markup = notebook.sparkline(curves)
    assert [line.partition('"')[0] for line in markup.split('points="')[1:]] == points
    assert markup or not points


# Figures


def test_figures_show_themselves():
    figure = fb.plots.loss_by_epoch({"train": [2.0, 1.0]})
    for each in (figure, copy.deepcopy(figure), pickle.loads(pickle.dumps(figure))):
        drawn, said = each._repr_png_()
        assert drawn.startswith(b"\x89PNG")
        assert int.from_bytes(drawn[16:20]) == 1050
        assert said == {"width": 700}


def test_histories_networks_and_what_was_found_have_pictures(things):
    history = things["History"]
    lines = {line.get_label(): line.get_ydata() for line in history.plot().axes[0].get_lines()}
    assert lines["val"].tolist() == history["val_loss"]
    accuracy = {line.get_label(): line for line in history.plot("accuracy").axes[0].get_lines()}
    assert np.allclose(accuracy["train"].get_ydata(), 100 * np.array(history["train_accuracy"]))
    with pytest.raises(ValueError, match="expected one of loss, accuracy; got 'los'"):
        history.plot("los")
    for draw in (fb.plots.loss_by_iteration, fb.plots.rate_by_iteration):
        assert draw(history).axes[0].get_lines()[0].get_xdata()[-1] == len(history.rates[0]) * 9
    assert dict(history.items()) == history.to_dict()
    with pytest.raises(ValueError, match="no epoch has a finite loss"):
        fb.History().plot()
    texts = [text.get_text() for text in things["Sequential"].plot().axes[0].texts]
    assert texts[1::2] == ["8   40 parameters", "8", "8   72 parameters", "8", "3   27 parameters"]
    with pytest.raises(ValueError, match="names, shapes and parameters of each layer, got 1, 0"):
        fb.plots.layers(["a"], [], [1])


def test_what_was_found_has_its_answers(rng, things):
    x, y = rng.normal(size=(50, 4)), np.arange(50) % 3
    net = things["Sequential"].copy()
    found = net.evaluate(x, y)
    counts = np.zeros((3, 3), int)
    np.add.at(counts, (y, net.predict(x)), 1)
    assert np.array_equal(found.confusion_matrix, counts)
    assert np.array_equal(fb.evaluate(things["Ensemble"], (x, y)).confusion_matrix, counts)
    texts = [text.get_text() for text in found.plot().axes[0].texts]
    assert texts == [str(count) for count in counts.flat if count]
    assert len(found) == 2  # a pair still
    net[0].w[...] = np.nan
    assert net.evaluate(x, y).confusion_matrix.sum() == 0  # NaN is no answer
    with pytest.raises(ValueError, match=r"fb\.evaluate keeps answers"):
        fb.training.Evaluation(0.5).plot()


def test_values_are_drawn_beside_what_was_predicted(rng):
    x = rng.normal(size=(40, 3))
    net = fb.Sequential(fb.Linear(3, 1))
    found = net.evaluate(x, x.sum(axis=1), loss=fb.MSELoss())
    dots = found.plot().axes[0].get_lines()[0]
    assert np.allclose(dots.get_xdata(), net.scores(x)[:, 0])
    assert np.allclose(dots.get_ydata(), x.sum(axis=1))
    with pytest.raises(ValueError, match="there are no classes"):
        _ = found.confusion_matrix
    both = fb.Sequential(fb.Linear(3, 2)).evaluate(x, x[:, :2], loss=fb.MSELoss())
    with pytest.raises(ValueError, match="draws one column, got 2"):
        both.plot()
    two = net.evaluate(x, (x[:, 0] > 0).astype(int), loss=fb.BCEWithLogitsLoss())
    assert two.confusion_matrix.shape == (2, 2)
    assert np.trace(two.confusion_matrix) == round(40 * two.accuracy)


def test_of_a_table_names_and_units_are_drawn(rng):
    a = rng.normal(size=80)
    frame = pd.DataFrame({"a": a, "label": 100 + 10 * a})
    data = fb.datasets.table(frame, label="label", values=True)
    net = fb.Sequential(fb.Linear(data.features, 1))
    dots = fb.evaluate(net, data, fb.MSELoss()).plot().axes[0]
    assert np.allclose(np.sort(dots.get_lines()[0].get_ydata()), np.sort(frame["label"]))
    assert dots.get_ylabel() == "label, true"
    words = fb.datasets.table(frame.assign(label=np.where(a > 0, "up", "down")), label="label")
    net = fb.Sequential(fb.Linear(words.features, 2))
    fb.fit(net, words, epochs=1)
    ticks = fb.evaluate(net, words).plot().axes[0].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == ["down", "up"]
