"""The specs: every row of the reports is there, with its settings and its printed numbers."""

import dataclasses
import tomllib

import numpy as np
import pytest

import fastbp as fb
from fastbp.experiments import EXPERIMENTS, find
from fastbp.experiments.figures import MAKERS
from fastbp.experiments.reports.report_a import A
from fastbp.experiments.reports.report_b import B
from fastbp.experiments.spec import Network
from fastbp.experiments.summary import as_data

ROWS = {"A.1", "A.2", "A.3", "A.4", "A.5", "A.6", "B.0", "B.1", "B.2", "B.3", "B.4", "B.5"}


def test_every_row_of_both_reports_has_one_experiment():
    rows = [experiment.row for experiment in EXPERIMENTS]
    assert set(rows) >= ROWS
    assert set(rows) - ROWS == {"A.2 (rate)"}
    assert len(set(rows)) == len(rows)
    names = [experiment.name for experiment in EXPERIMENTS]
    assert len(set(names)) == len(names)
    known = "activations losses depth units final worked-example simple-net layers"
    assert set(known.split()) <= set(names)


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_a_spec_is_whole(experiment):
    assert experiment.title
    assert experiment.setting
    assert experiment.reported
    labels = [variant.label for variant in experiment.variants]
    assert len(set(labels)) == len(labels)
    assert experiment.figures
    for figure in experiment.figures:
        assert figure.kind in MAKERS
        assert set(figure.of) <= set(labels)
    for claim in experiment.claims:
        for name in ("label", "one", "other"):
            assert getattr(claim, name, labels[0]) in labels
        for name in ("labels", "others"):
            assert set(getattr(claim, name, ())) <= set(labels)
    for variant in experiment.variants:
        assert set(variant.reported) <= {"loss", "train_accuracy", "test_accuracy", "minutes"}
    assert find(experiment.name) is find(experiment.row) is experiment


def settings(name):
    return {
        variant.label: (
            variant.network.hidden,
            variant.network.activation,
            variant.network.loss,
            variant.network.lr,
            variant.network.epochs,
        )
        for variant in find(name).variants
    }


def test_report_a_is_as_printed():
    assert (A.batch_size, A.epochs, A.loss, A.hidden) == (64, 20, "nll", (128,))
    a4 = {v.network.hidden: v.reported for v in find("A.4").variants}
    assert a4 == {
        (128,): {"minutes": 6.90, "loss": 0.0428, "test_accuracy": 0.9700},
        (128, 64): {"minutes": 6.96, "loss": 0.0387, "test_accuracy": 0.9773},
        (128, 64, 32): {"minutes": 7.04, "loss": 0.0484, "test_accuracy": 0.9699},
    }
    a5 = {v.network.activation: v.reported for v in find("A.5").variants if v.reported}
    assert a5 == {
        "sigmoid": {"minutes": 6.90, "loss": 0.0428, "test_accuracy": 0.9700},
        "relu": {"minutes": 12.65, "loss": 0.0447, "test_accuracy": 0.9672},
        "tanh": {"minutes": 6.72, "loss": 0.0511, "test_accuracy": 0.9723},
    }
    assert find("A.2").variants[0].reported["minutes"] == 5.88


def test_the_convolutional_network_is_trained_like_the_dense_ones():
    """The report has no such network: whatever is compared is said to be asked here."""
    experiment = find("A.6")
    networks = {variant.label: variant.network for variant in experiment.variants}
    dense = {v.network for row in ("A.4", "A.5") for v in find(row).variants}
    assert sum(network in dense for network in networks.values()) == 3
    lenet = networks["LeNet-style"]
    assert dataclasses.replace(lenet, model="", hidden=A.hidden, activation=A.activation) == A
    named = fb.models.read("lenet").build(784, 10)
    layers = [*map(repr, named.layers), "LogSoftmax()"]
    assert [repr(layer) for layer in lenet.build(0).layers] == layers
    assert "no numbers are given" in experiment.reported
    assert not any(variant.reported for variant in experiment.variants)
    assert all("not a claim of the report" in claim.text for claim in experiment.claims)


def test_report_b_is_as_printed():
    assert (B.batch_size, B.lr, B.epochs, B.init, B.hidden) == (8, 0.01, 10, "normal", (800, 100))
    b1 = settings("B.1")
    wide = (800, 100)
    assert b1["ReLU, rate 0.01"] == (wide, "relu", "hinge", 0.01, 10)
    assert b1["ReLU, rate 0.001"] == (wide, "relu", "hinge", 0.001, 20)
    for label in ("ELU", "sigmoid", "tanh"):
        assert b1[label] == (wide, label.lower(), "hinge", 0.01, 10)
    assert {value[2] for value in settings("B.2").values()} == {"hinge", "cross-entropy"}
    assert [value[0] for value in settings("B.3").values()] == [(100,), wide, (600, 800, 100)]
    assert {value[0] for value in settings("B.4").values()} == {
        *((first, 100) for first in (200, 400, 600, 800)),
        *((400, second) for second in (200, 300, 400)),
    }
    (final,) = find("B.5").variants
    assert final.network == dataclasses.replace(B, epochs=25)
    assert final.reported == {"train_accuracy": 0.9931, "test_accuracy": 0.9744}
    numbers = {figure.number for row in ROWS for figure in find(row).figures} - {""}
    assert numbers == {
        *("figures 1–4", "figures 5–8", "figures 11, 12", "figures 15–17"),
        *(f"figure {number}" for number in (9, 10, 13, 14, *range(18, 24))),
    }


def test_a_network_that_several_figures_share_is_one_network():
    networks = [variant.network for e in EXPERIMENTS for variant in e.variants]
    assert networks.count(B) == 4  # tanh, hinge, 800–100, and 800–100 once more
    assert networks.count(A) == 6
    assert sum(network.epochs for network in set(networks)) == 415  # 275 of the reports
    assert len({network.key for network in networks}) == len(set(networks))


def test_a_network_that_is_a_model():
    network = Network(model="lenet", hidden=(), activation="", loss="cross-entropy", init="he")
    net = network.build(3)
    expected = dataclasses.replace(fb.models.read("lenet"), init="he").build(784, 10, seed=3)
    assert np.array_equal(net.params, expected.params)
    assert isinstance(network.described.make_loss(), fb.CrossEntropyLoss)
    assert network.key.startswith("lenet_cross-entropy_rate0.01_")


def test_work_is_counted_as_by_hand():
    assert Network().multiply_adds == 784 * 800 + 800 * 100 + 100 * 10
    convolutions = 28 * 28 * 6 * 25 + 10 * 10 * 16 * 6 * 25
    rest = 400 * 120 + 120 * 84 + 84 * 10
    assert Network(model="lenet").multiply_adds == convolutions + rest


def test_unknown_names_are_told_the_known_ones():
    with pytest.raises(ValueError, match=r"no experiment .*; there are data, simple-net"):
        find("B.9")


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_specs_are_data(experiment):
    import tomli_w

    data = as_data(experiment)
    assert tomllib.loads(tomli_w.dumps(data)) == data
    assert data["row"] == experiment.row
    assert len(data.get("variants", ())) == len(experiment.variants)
