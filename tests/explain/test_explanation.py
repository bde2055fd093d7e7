"""The worked example to every printed digit, and other small networks against the library."""

import math
import re

import numpy as np
import pytest

import fastbp as fb
from fastbp.explain.activations import EXPLAINED
from fastbp.explain.drawing import drawings
from fastbp.explain.example import WORKED_EXAMPLE, read_example
from fastbp.explain.explanation import as_text, explain
from fastbp.explain.losses import OF_CLASSES, OF_VALUES
from fastbp.layers import ACTIVATIONS
from fastbp.losses import LOSSES as BY_NAME

REPORTED = {  # quantity -> as the report prints it
    "h1": "0.65",
    "H1": "0.6570",
    "h2": "0.1175",
    "H2": "0.5293",
    "o'": "1.355395",
    "o": "0.79501",
    "dl/do": "1.57002",
    "dl/do'": "0.25586",
    "dl/dw5": "0.168103",
    "dl/dw6": "0.13543",
    "new w5": "0.4659485",
    "new w6": "0.582285",
}


@pytest.fixture
def told(backend):
    return explain(read_example(WORKED_EXAMPLE))


def test_the_worked_example_to_every_printed_digit(told):
    assert {q.name: q.text for q in told.compared} == REPORTED
    assert all(quantity.matches for quantity in told.compared)
    for name, digits in REPORTED.items():
        assert told.by_name[name].value == pytest.approx(float(digits), rel=1e-4)


def test_formulas_with_names_and_with_numbers(told):
    lines = as_text(told).splitlines()
    for line in (
        "  h1 = I1·w1 + I2·w3 + b1 = 0.05·0.25 + 0.25·0.75 + 0.45 = 0.65   as reported",
        "  h2 = I1·w2 + I2·w4 = 0.05·0.6 + 0.25·0.35 = 0.1175   as reported",
        "  H1 = 1 / (1 + e^−h1) = 1 / (1 + e^−0.65) = 0.6570   as reported",
        "  dl/do = 2·(o − y) = 2·(0.79501 − 0.01) = 1.57002   as reported",
        "  dl/dw5 = dl/do'·H1 = 0.25586·0.6570 = 0.168103   as reported",
        "  dl/dH1 = dl/do'·w5 = 0.25586·0.55 = 0.1407255",
        "  new w5 = w5 − η·dl/dw5 = 0.55 − 0.5·0.168103 = 0.4659485   as reported",
    ):
        assert line in lines
    assert lines[-1] == "12 of 12 reported numbers match to every digit"
    assert not any(line.startswith("  new b3") for line in lines)  # h2 has no bias


def test_a_wrong_report_is_told(told):
    example = read_example(WORKED_EXAMPLE)
    example.reported = dict(example.reported) | {"H1": "0.6571"}
    text = as_text(explain(example))
    assert "= 0.6570   REPORTED: 0.6571\n" in text
    assert "11 of 12 reported numbers match" in text
    example.reported["H9"] = "1"
    with pytest.raises(ValueError, match="reported: there is no 'H9'; there are I1, I2, w1"):
        explain(example)


LAYERS = {
    "Sigmoid": "H{k} = 1 / (1 + e^−",
    "Tanh": "H{k} = tanh ",
    "ReLU": "H{k} = max(",
    "LeakyReLU": "H{k} = ",
    "ELU": "H{k} = ",
    "SELU": "H{k} = ",
    "GELU": "H{k} = ",
    "SiLU": "H{k} = ",
    "Mish": "H{k} = ",
    "Softplus": "H{k} = log(1 + e^",
}


def toml(activation, loss, target, *, last="", extra=""):
    return f"""
inputs = [0.5, -1.0, 2]
target = {target}
loss = "{loss}"
rate = 0.1
{extra}
[[layer]]
type = "Linear"
w = [[0.1, -0.2], [0.3, 0.4], [-0.5, 0.6]]
b = [0.1, 0.2]
[[layer]]
type = "{activation}"
[[layer]]
type = "Linear"
w = [[0.7, -0.8, 0.3], [0.9, 1.0, -0.4]]
{last}
"""


LOSSES = {
    "squared-error": ("[0, 1, 0.5]", fb.MSELoss(), [[0.0, 1.0, 0.5]], ""),
    "hinge": ("2", fb.HingeLoss(), [2], ""),
    "cross-entropy": ("0", fb.CrossEntropyLoss(), [0], ""),
    "nll": ("1", fb.NLLLoss(), [1], '[[layer]]\ntype = "LogSoftmax"'),
    "squared-hinge": ("2", fb.SquaredHingeLoss(), [2], ""),
    "l1": ("[-9, 1, 9]", fb.L1Loss(), [[-9.0, 1.0, 9.0]], ""),
    "huber": ("[-9, 0.5, 9]", fb.HuberLoss(), [[-9.0, 0.5, 9.0]], ""),
    "poisson": ("[3, 0, 1]", fb.PoissonNLLLoss(), [[3.0, 0.0, 1.0]], ""),
    "bce": ("[0, 1, 0.3]", fb.BCEWithLogitsLoss(), [[0.0, 1.0, 0.3]], ""),
}
PAIRS = [
    *((activation, "squared-error") for activation in LAYERS),
    *(("Tanh", name) for name in LOSSES),
]


def test_every_loss_and_activation_is_explained():
    assert {*EXPLAINED} == set(ACTIVATIONS.values()) | {fb.LogSoftmax}
    assert {*OF_VALUES, *OF_CLASSES} == {*BY_NAME.values()}


@pytest.mark.parametrize(("activation", "name"), PAIRS)
def test_any_small_network_as_the_library_computes_it(tmp_path, activation, name):
    target, loss, wanted, last = LOSSES[name]
    path = tmp_path / "net.toml"
    path.write_text(toml(activation, name, target, last=last))
    told = explain(read_example(path))
    layers = [fb.Linear(3, 2), getattr(fb, activation)(), fb.Linear(2, 3)]
    net = fb.Sequential(*layers, *([fb.LogSoftmax()] if last else []), dtype="float64")
    net.params[:] = [
        0.1,
        -0.2,
        0.3,
        0.4,
        -0.5,
        0.6,
        0.1,
        0.2,
        0.7,
        -0.8,
        0.3,
        0.9,
        1,
        -0.4,
        0,
        0,
        0,
    ]
    scores = net.forward([[0.5, -1.0, 2]])
    value, gradient = loss(scores, wanted)
    net.backward(gradient)
    names = "w1 w2 w3 w4 w5 w6 b1 b2 w7 w8 w9 w10 w11 w12 b3 b4 b5".split()
    found = {name: quantity.value for name, quantity in told.by_name.items()}
    assert found["l"] == value
    assert [found[f"o{k}"] for k in (1, 2, 3)] == scores[0].tolist()
    assert [found[f"dl/do{k}"] for k in (1, 2, 3)] == gradient[0].tolist()
    assert [found[f"dl/d{name}"] for name in names] == net.grads.tolist()
    fb.SGD(0.1).step(net)
    assert [found[f"new {name}"] for name in names] == net.params.tolist()
    assert found["H1"] == layers[1].y[0, 0]


FUNCTIONS = {
    "np": np,
    "max": max,
    "tanh": np.tanh,
    "log": np.log,
    "σ": lambda x: 1 / (1 + np.exp(-x)),
    "Φ": lambda x: (1 + math.erf(x / math.sqrt(2))) / 2,
    "φ": lambda x: math.exp(-x * x / 2) / math.sqrt(2 * math.pi),
}


def evaluate(numbers):
    """A formula with numbers in it, as a value, where it is arithmetic."""
    text = re.split(", for|, which|, the right|, a wrong", numbers)[0]
    text = text.replace("−", "-").replace("·", "*").replace("²", "**2").replace("³", "**3")
    text = text.replace("e^", "np.e**").replace("√", "np.sqrt").replace("π", "np.pi")
    text = re.sub(r"\|([^|]+)\|", r"abs(\1)", text)
    text = re.sub(r"tanh ([^(]\S*)", r"tanh(\1)", text)
    return eval(text, FUNCTIONS)


@pytest.mark.parametrize(("activation", "name"), PAIRS)
def test_the_formulas_give_the_numbers(tmp_path, activation, name):
    """What is printed as formula with numbers evaluates to the number printed after it."""
    target, _, _, last = LOSSES[name]
    path = tmp_path / "net.toml"
    path.write_text(toml(activation, name, target, last=last))
    told = explain(read_example(path))
    for quantity in told.by_name.values():
        if quantity.numbers:
            value = evaluate(quantity.numbers)
            assert value == pytest.approx(quantity.value, abs=2e-6), quantity


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("inputs = [0.5", "inputs = [[0.5", "Unclosed array|Expected|Invalid"),
        ("rate = 0.1", "rate = 0.1\nx = 1", "unknown key 'x'; known are inputs, layer"),
        ("rate = 0.1", "", "'rate' is missing"),
        ("rate = 0.1", "rate = 0", "rate: expected a number above 0, got 0"),
        ("rate = 0.1", "rate = true", "rate: expected a number, got True"),
        ("rate = 0.1", "rate = nan", "rate: expected a number below a million, got nan"),
        ('loss = "hinge"', 'loss = "l9"', "loss: expected squared-error, hinge"),
        ("target = 2", "target = 3", "expected labels from 0 to 2; got 3"),
        ("target = 2", "target = [1]", "target: expected the number of the right class"),
        ("[0.5, -1.0, 2]", "[0.5, -1.0]", "inputs: the first Linear has 3 rows of w, got 2"),
        ("[0.5, -1.0, 2]", "[]", "inputs: expected a list of 1 to 8 numbers"),
        ('"Tanh"', '"Conv2d"', "layer 2: type: expected Linear, Sigmoid"),
        ('"Tanh"', '"Tanh"\nalpha = 1', "layer 2: unknown key 'alpha' for Tanh"),
        ('"Tanh"', '"Tanh"\ndigits = -1', "layer 2: digits: expected a whole number from 0 to 15"),
        ("b = [0.1, 0.2]", "b = [0.1]", "layer 1: b: expected a list of 2"),
        ("b = [0.1, 0.2]", 'b = [0.1, "no"]', "layer 1: b: expected a number, got 'no'"),
        ("[0.3, 0.4]", "[0.3]", "layer 1: w: expected rows of equal length"),
        ("[0.7, -0.8, 0.3], ", "", "Linear"),
        ("[[0.7, -0.8, 0.3], [0.9, 1.0, -0.4]]", "7", "layer 3: w: expected a list of rows"),
        (
            "rate = 0.1",
            "rate = 0.1\n[reported]\no1 = 1",
            "reported: expected digits as text for o1",
        ),
        ("rate = 0.1", "rate = 0.1\nreported = 1", "reported: expected a table"),
        ("rate = 0.1", f"rate = {10**400}", "rate: expected a number below a million"),
        ("target = 2", f"target = {10**400}", "target|labels"),
        ("target = 2", f"target = {2**64}", "target|labels"),
        ("target = 2", f"target = {-(2**63) - 1}", "target|labels"),
        ('"Tanh"', f'"ELU"\nalpha = {10**400}', "layer 2: "),
        ('"Tanh"', f'"LeakyReLU"\nnegative_slope = {10**400}', "layer 2: "),
        ('"Tanh"', f'"Tanh"\ndigits = {10**400}', "layer 2: digits: expected a whole number"),
        ("b = [0.1, 0.2]", f"b = [{10**400}, 0.2]", "layer 1: b: expected a number below"),
        *(
            ("rate = 0.1", f"rate = 0.1\n[reported]\no1 = {digits}", "reported: expected digits")
            for digits in (10**400, '"nan"', '"inf"', '"1e999"', '"1_0"', '""', f'"{"9" * 99}"')
        ),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path, old, new, message):
    text = toml("Tanh", "hinge", 2)
    assert old in text
    path = tmp_path / "bad.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=f"bad.toml: .*({message})") as caught:
        explain(read_example(path))
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_example(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"binary.toml: .*utf-8"):
        read_example(tmp_path / "binary.toml")
    (tmp_path / "huge.toml").write_text("#" * 200_000)
    with pytest.raises(ValueError, match="expected a short TOML file"):
        read_example(tmp_path / "huge.toml")


def test_the_drawings_have_the_numbers(told):
    figures = drawings(told)
    assert list(figures) == ["given", "forward", "backward", "update"]
    written = {
        name: "\n".join(text.get_text() for text in figure.axes[0].texts)
        for name, figure in figures.items()
    }
    for name, parts in {
        "given": ("I1 = 0.05", "w3 = 0.75", "b1 = 0.45", "y = 0.01, η = 0.5"),
        "forward": ("h1 = 0.65", "H1 = 0.6570", "o' = 1.355395", "o = 0.79501"),
        "backward": ("dl/dw5 = 0.168103", "dl/dw6 = 0.13543", "dl/do' = 0.25586"),
        "update": ("new w5 = 0.4659485", "new w6 = 0.582285", "new b2 = 0.5221"),
    }.items():
        for part in parts:
            assert part in written[name]
    for figure in figures.values():
        figure.draw_without_rendering()
