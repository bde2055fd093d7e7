"""Models: what their TOML files say is what is built, and what is wrong in one is named."""

import inspect
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import tomli_w

import fastbp as fb
from fastbp import models
from fastbp.layers import ACTIVATIONS, NORMALIZATIONS
from fastbp.losses import LOSSES
from fastbp.models import KEYS, PARTS
from fastbp.optimizers import OPTIMIZERS

LENET = (
    "Conv2d(1, 6, kernel=5, stride=1, padding=2), ReLU(), "
    "MaxPool2d(kernel=2, stride=2, padding=0), Conv2d(6, 16, kernel=5, stride=1, padding=0), "
    "ReLU(), "
    "MaxPool2d(kernel=2, stride=2, padding=0), Flatten(), Linear(400, 120), ReLU(), "
    "Linear(120, 84), ReLU(), "
    "Linear(84, 10)"
)


def text(net):
    return ", ".join(map(repr, net.layers))


def test_the_named_models():
    assert list(models.NAMED) == ["dense", "lenet", "table"]
    dense = models.read("dense")
    assert text(dense.build(784, 10)) == (
        "Linear(784, 800), Tanh(), Linear(800, 100), Tanh(), Linear(100, 10)"
    )
    assert (dense.loss, dense.lr, dense.batch_size, dense.epochs) == ("hinge", 0.01, 8, 25)
    lenet = models.read("lenet")
    net = lenet.build(784, 10)
    assert text(net) == LENET
    assert net.input_shape == (1, 28, 28)
    assert net.params.size == 61_706
    assert (lenet.loss, lenet.batch_size, lenet.epochs) == ("cross-entropy", 32, 10)


def test_a_named_model_is_the_network_of_the_same_layers():
    net = models.read("dense").build(784, 10, seed=3)
    expected = fb.Sequential(
        fb.Linear(784, 800),
        fb.Tanh(),
        fb.Linear(800, 100),
        fb.Tanh(),
        fb.Linear(100, 10),
        init=fb.initializers.Normal(1e-3),
        seed=3,
    )
    assert (net.params == expected.params).all()


def test_rates_by_inputs_are_numbers_once_the_sizes_are_known():
    rows = (
        {"type": "Linear", "outputs": 25, "lr_factor": "ntk", "bias_lr_factor": 0.1},
        {"type": "Residual", "layers": [{"type": "Linear", "lr_factor": "ntk"}]},
        {"type": "Linear", "bias": False, "lr_factor": "ntk"},
    )
    model = models.Model("mine", rows).fitted(4, 3)
    first, residual, last = model.layers
    assert (first["lr_factor"], first["bias_lr_factor"]) == (0.5, 0.2)  # b's is 0.1 of the rate
    assert residual["layers"][0] == {
        "type": "Linear",
        "inputs": 25,
        "outputs": 25,
        "lr_factor": 0.2,
        "bias_lr_factor": 5.0,
    }
    assert last["lr_factor"] == 0.2
    assert model.fitted(4, 3) == model
    net = model.build(4, 3)
    assert [layer.lr_factor for layer in (net.layers[0], net.layers[2])] == [0.5, 0.2]
    for row, text in (
        ({"type": "Linear", "lr_factor": "ntk", "bias_lr_factor": -1}, "bias_lr_factor: expected"),
        ({"type": "Linear", "lr_factor": "mup"}, "lr_factor: expected a number, got 'mup'"),
    ):
        with pytest.raises((TypeError, ValueError), match=f"layer 1: Linear {text}"):
            models.Model("mine", (row,)).fitted(4, 3)


def test_a_model_for_tables_with_other_hidden_layers_keeps_its_rates():
    table = models.read("table")
    net = models.described(table, [7, 5], "mish", "batch").build(9, 3)
    hidden = [fb.Linear, fb.BatchNorm1d, fb.Mish]
    assert [type(layer) for layer in net.layers] == [fb.Scale, *hidden, *hidden, fb.Linear]
    assert [layer.inputs for layer in net.layers[1::3]] == [9, 7, 5]
    assert net.layers[0].lr_factor == 6
    for layer in net.layers[1::3]:
        assert layer.lr_factor == pytest.approx(layer.inputs**-0.5)
        assert layer.lr_factor * layer.bias_lr_factor == pytest.approx(0.1)
    assert not net.layers[-1].w.any()
    assert not net.layers[-1].b.any()
    assert models.described(table) == table


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_a_norm_before_each_activation(name):
    net = models.dense([5, 4], "relu", name).build(9, 3)
    hidden = [fb.Linear, NORMALIZATIONS[name], fb.ReLU]
    assert [type(layer) for layer in net.layers] == [*hidden, *hidden, fb.Linear]
    assert [layer.inputs for layer in net.layers[1::3]] == [5, 4]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_dense_layers(name):
    net = models.dense([5, 4], name).build(9, 3)
    kind = ACTIVATIONS[name]
    assert [type(layer) for layer in net.layers] == [fb.Linear, kind, fb.Linear, kind, fb.Linear]
    assert str(net).count("Linear(9, 5)") == str(net).count("Linear(4, 3)") == 1


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"activation": "x"}, ValueError, "activation: expected relu, "),
        ({"activation": ["relu"]}, ValueError, "activation: expected relu, "),
        ({"hidden": "x"}, TypeError, r"hidden: expected sizes like \(800, 100\), got 'x'"),
        ({"hidden": 7}, TypeError, r"hidden: expected sizes like"),
        ({"hidden": [7, 0]}, ValueError, "hidden: expected at least 1, got 0"),
        ({"hidden": ["7"]}, TypeError, "hidden: expected a whole number, got '7'"),
    ],
)
def test_what_describes_no_dense_network_is_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        models.dense(**arguments)
    with pytest.raises(error, match=text):
        models.described(**arguments)


def test_unknown_names_of_loss_and_optimizer_are_named():
    model = models.described(loss="x", optimizer=["sgd"])
    with pytest.raises(ValueError, match=r"dense: loss: expected hinge, .*; got 'x'"):
        model.make_loss()
    with pytest.raises(ValueError, match=r"dense: optimizer: expected adam, .*; got \['sgd'\]"):
        model.make_optimizer()


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, 2**64, 10**400, -(10**400)], ids=str)
@pytest.mark.parametrize("key", ["out_channels", "kernel", "stride", "padding"])
def test_numbers_that_no_machine_has_are_refused_with_the_file(tmp_path, key, number):
    layer = {"type": "Conv2d", "out_channels": 1, "kernel": 3} | {key: number}
    layers = [layer, {"type": "Flatten"}, {"type": "Linear"}]
    path = tmp_path / "big.toml"
    path.write_text(tomli_w.dumps({"network": {"input_shape": [1, 28, 28], "layers": layers}}))
    try:
        models.read(path).fitted(784, 10)
    except (ValueError, TypeError) as problem:
        assert str(problem).startswith(f"{path}: layer 1: ")  # noqa: PT017 - a stride may be long


def test_dense_alone_is_the_named_one_for_any_data():
    assert models.dense() == models.read("dense")
    assert text(models.dense(hidden=()).build(5, 3)) == "Linear(5, 3)"
    assert text(models.dense(activation="relu").build(5, 3)) == (
        "Linear(5, 800), ReLU(), Linear(800, 100), ReLU(), Linear(100, 3)"
    )


def test_a_model_by_a_few_words():
    assert models.described() == models.read("dense")
    assert models.described("lenet", lr=None) == models.read("lenet")
    dense = models.described(hidden=[4], activation="elu", lr=0.5, epochs=3)
    assert dense == replace(models.dense([4], "elu"), lr=0.5, epochs=3)


def test_other_hidden_layers_keep_what_is_behind_them(tmp_path):
    text = """[network]
layers = [
  {type = "Linear", outputs = 9}, {type = "BatchNorm1d"},
  {type = "LeakyReLU", negative_slope = 0.2},
  {type = "Linear", outputs = 8}, {type = "LayerNorm", normalized_shape = 8}, {type = "Tanh"},
  {type = "Dropout", p = 0.25}, {type = "Linear"}
]
"""
    (tmp_path / "mine.toml").write_text(text)
    mine = fb.models.read(str(tmp_path / "mine.toml"))

    def types(**words):
        net = fb.models.described(mine, **words).build(4, 3)
        return [type(layer).__name__ for layer in net]

    first, last = ["Linear", "BatchNorm1d", "LeakyReLU"], ["Linear", "LayerNorm", "Tanh", "Dropout"]
    assert types() == [*first, *last, "Linear"]
    assert types(hidden=(5,)) == [*first, "Linear"]
    assert types(hidden=(5, 6, 7)) == [*first, *last, *last, "Linear"]
    assert types(hidden=()) == ["Linear"]
    relu = fb.models.described(mine, activation="relu", normalization="layer").build(4, 3)
    assert [type(layer).__name__ for layer in relu] == [
        *("Linear", "LayerNorm", "ReLU", "Linear", "LayerNorm", "ReLU", "Dropout", "Linear")
    ]
    net = fb.models.described(mine, hidden=(5, 6)).build(4, 3)
    assert (net[2].negative_slope, net[6].p, net.inputs, net.outputs) == (0.2, 0.25, 4, 3)


@pytest.mark.parametrize("loss", LOSSES)
def test_only_nll_ends_in_log_softmax(loss):
    model = replace(models.dense([4]), loss=loss)
    last = model.build(3, 2).layers[-1]
    assert isinstance(last, fb.LogSoftmax) == (loss == "nll")
    again = model.fitted(3, 2).build(3, 2)  # it gets no second one
    assert len(again.layers) == 3 + (loss == "nll")
    assert isinstance(model.make_loss(), LOSSES[loss])


def written(tmp_path, text, name="mine.toml"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


FILE = """
[network]
input_shape = [2, 9, 7]
init = "normal:0.5"
dtype = "float64"
layers = [
    {type = "Conv2d", out_channels = 3, kernel = [3, 2], stride = 2, init = "he"},
    {type = "ELU", alpha = 0.5},
    {type = "AvgPool2d", kernel = 2, stride = 1, padding = 1},
    {type = "Dropout", p = 0.25, seed = 7},
    {type = "Flatten"},
    {type = "Linear"},
]

[training]
optimizer = "sgd"
momentum = 0.9
nesterov = true
lr = 0.2
seed = 5
"""


def test_every_setting_arrives(tmp_path):
    model = models.read(written(tmp_path, FILE))
    net = model.build(126, 4)
    assert text(net) == (
        "Conv2d(2, 3, kernel=(3, 2), stride=2, padding=0), ELU(0.5), "
        "AvgPool2d(kernel=2, stride=1, padding=1), Dropout(0.25, seed=7), Flatten(), "
        "Linear(60, 4)"
    )
    assert repr(net.layers[0].init) == "He()"
    assert str(net.dtype) == "float64"
    assert net.layers[-1].w.std() == pytest.approx(0.5, rel=0.2)
    assert repr(model.make_optimizer()) == "SGD(lr=0.2, momentum=0.9, nesterov=True)"
    assert isinstance(model.make_loss(), fb.CrossEntropyLoss)
    assert (model.name, model.batch_size, model.epochs, model.seed) == ("mine", 32, 10, 5)


def test_what_is_written_down_is_read_again(tmp_path):
    model = models.read(written(tmp_path, FILE)).fitted(126, 4)
    data = model.as_data() | {"fastbp": "1", "data": {"path": "x"}, "computation": {}}
    path = written(tmp_path, tomli_w.dumps(data), "config.toml")
    again = models.read(path)
    assert again.name == "mine"  # not config
    assert replace(again, source=model.source) == model
    assert (again.build(126, 4).params == model.build(126, 4).params).all()


NESTED = """
[network]
layers = [
    {type = "Linear", outputs = 6},
    {type = "Residual", layers = [
        {type = "Linear", outputs = 4},
        {type = "Residual", layers = [{type = "Tanh"}, {type = "Linear"}]},
        {type = "Linear"},
    ]},
    {type = "Linear"},
]
"""


def test_layers_inside_others(tmp_path):
    model = models.read(written(tmp_path, NESTED)).fitted(5, 3)
    assert text(model.build(5, 3)) == (
        "Linear(5, 6), Residual(Linear(6, 4), Residual(Tanh(), Linear(4, 4)), Linear(4, 6)), "
        "Linear(6, 3)"
    )
    again = models.read(written(tmp_path, tomli_w.dumps(model.as_data()), "config.toml"))
    assert (again.build(5, 3).params == model.build(5, 3).params).all()


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("layers = [{", "layers = 3, a = [{", "layer 2: layer 2: Residual has no setting 'a'"),
        ('[{type = "Tanh"}, {type = "Linear"}]', "3", "layer 2: layer 2: Residual: layers: expec"),
        ('[{type = "Tanh"}, {type = "Linear"}]', "[]", "layer 2: layer 2: Residual: layers: expec"),
        ('{type = "Tanh"}', '{type = "Tan"}', "layer 2: layer 2: layer 1: type: expected Linear"),
        ('{type = "Linear"}]}', '{type = "Linear", outputs = 5}]}', "layer 2: layer 2: Residual("),
        (', layers = [{type = "Tanh"}, {type = "Linear"}]', "", "layer 2: layer 2: Residual: 'lay"),
    ],
)
def test_what_is_wrong_inside_others_is_named(tmp_path, before, after, complaint):
    assert NESTED.count(before) == 1
    path = written(tmp_path, NESTED.replace(before, after))
    with pytest.raises((ValueError, TypeError)) as caught:
        models.read(path).build(5, 3)
    assert str(caught.value).startswith(f"{path}: {complaint}"), caught.value


WRONG = {  # what is replaced in FILE, by what -> what the error says
    ("[network]", "[net]"): "unknown key 'net'; known are network, training",
    ("dtype =", "dtyp ="): "network: unknown key 'dtyp'; known are model, input_shape, init, dtype",
    ("[2, 9, 7]", "[2, 9]"): "network: Sequential input_shape: expected (channels, height, width)",
    ('"normal:0.5"', '"zeros"'): "network: init: expected normal, uniform, glorot, he",
    ('"normal:0.5"', "3"): "network: init: expected a text, got 3",
    ('"float64"', '"float16"'): "network: dtype: expected float32 or float64; got 'float16'",
    ('"ELU"', '"Elu"'): "layer 2: type: expected Linear, ReLU",
    ("alpha = 0.5", "alfa = 0.5"): "layer 2: ELU has no setting 'alfa'; it has alpha",
    ("alpha = 0.5", 'alpha = "a"'): "layer 2: ELU alpha: expected a number, got 'a'",
    ("out_channels = 3, ", ""): "layer 1: Conv2d: 'out_channels' is missing",
    ("kernel = [3, 2]", "kernel = [3, 0]"): "layer 1: Conv2d kernel: expected at least 1, got 0",
    (
        "kernel = [3, 2]",
        "kernel = 10",
    ): "layer 1: Conv2d(2, 3, kernel=10, stride=2, padding=0): its window of 10x10 is",
    ('"he"', '"hee"'): "layer 1: init: expected normal, uniform, glorot, he",
    ("p = 0.25", "p = 1"): "layer 4: Dropout p: expected a number below 1, got 1",
    ('{type = "Flatten"},', ""): "layer 5: Linear takes rows, but images 3x5x4 come in: put Fl",
    ('    {type = "Linear"},', ""): "60 scores come out of it, but there are 4 classes",
    ('{type = "Linear"}', '{type = "Linear", outputs = 3}'): "3 scores come out of it, but there",
    ('{type = "Linear"}', '{type = "Linear", inputs = 59}'): "layer 6: Linear(59, 4) takes 59 co",
    ("input_shape = [2, 9, 7]", ""): "layer 1: Conv2d takes images, but rows of 126 numbers come",
    ("[2, 9, 7]", "[2, 9, 8]"): "takes images 2x9x8, which are 144 numbers, but the data has 126",
    ('"sgd"', '"lion"'): f"training: optimizer: expected {', '.join(OPTIMIZERS)}; got 'lion'",
    ('"sgd"', '"adam"'): "training: unknown key 'momentum'; known are loss, optimizer",
    ("momentum = 0.9", "momentum = 1"): "training: SGD momentum: expected a number below 1, got 1",
    ("nesterov = true", "nesterov = 1"): "training: nesterov: expected true or false, got 1",
    ("lr = 0.2", "lr = 0"): "training: lr: expected a number above 0, got 0",
    ("seed = 5", "seed = -1"): "training: seed: expected at least 0, got -1",
    ("seed = 5", "epochs = 1.5"): "training: epochs: expected a whole number, got 1.5",
    ("seed = 5", 'loss = "l0"'): f"training: loss: expected {', '.join(LOSSES)}; got 'l0'",
    ("seed = 5", 'schedule = "cos"'): "training: schedule: expected none, adaptive, plateau, cosi",
    ("seed = 5", 'schedule = "step"'): "training: step: 'step_size' is missing",
    ("seed = 5", "warm_up = 1"): "training: unknown key 'warm_up'; known are loss, optimizer, sch",
    ("seed = 5", 'schedule = "cosine"\nwarm_up = -1'): "training: Cosine warm_up: expected at lea",
    ("seed = 5", "validation = 1"): "training: validation: expected a number below 1, got 1",
    ("seed = 5", "early_stopping = true"): "training: early_stopping: expected a whole number, go",
    ("seed = 5", 'class_weight = "even"'): "training: class_weight: expected 'balanced' or a weig",
    ("seed = 5", "class_weight = [1, -1]"): "training: class_weight: expected at least 0, got -1",
    ("seed = 5", 'metrics = "all"'): "training: metrics: expected 'epoch' or 'running' or 'none'",
    (
        "seed = 5",
        "rate = 1",
    ): "training: unknown key 'rate'; known are loss, optimizer, schedule, lr",
}


@pytest.mark.parametrize("change", WRONG, ids=" -> ".join)
def test_what_is_wrong_is_named(tmp_path, change):
    assert FILE.count(change[0]) == 1
    path = written(tmp_path, FILE.replace(*change))
    with pytest.raises((ValueError, TypeError)) as caught:
        models.read(path).build(126, 4)
    assert str(caught.value).startswith(f"{path}: {WRONG[change]}"), caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "'network' is missing"),
        ("[network]\n", "network: layers: expected a list of tables"),
        ("[network]\nlayers = []\n", "network: layers: expected 1 to 1000 of them, got 0"),
        ("[network]\nlayers = [3]\n", "network: layers: expected a list of tables"),
        ("network = 3\n", "network: expected a table"),
        ("[network\n", "no TOML file"),
        ('[network]\nlayers = [{type = "Flatten"}]\n', "3 scores come out of it, but there are 4"),
        ('[network]\ninput_shape = [1, 1, 3]\nlayers = [{type = "ReLU"}]\n', "images 1x1x3 come"),
    ],
)
def test_files_that_are_no_models(tmp_path, content, complaint):
    path = written(tmp_path, content)
    with pytest.raises((ValueError, TypeError)) as caught:
        models.read(path).build(3, 4)
    assert str(caught.value).startswith(f"{path}: {complaint}"), caught.value


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError):
        models.read(str(tmp_path / "none.toml"))
    (tmp_path / "model.safetensors").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"model.safetensors: no TOML file: .*utf-8"):
        models.read(str(tmp_path / "model.safetensors"))
    (tmp_path / "huge.toml").write_text("#" * 200_000)
    with pytest.raises(ValueError, match=r"huge.toml: more than 100,000 bytes"):
        models.read(str(tmp_path / "huge.toml"))


@pytest.mark.parametrize("name", models.NAMED)
def test_the_files_are_toml_of_two_tables(name):
    with models.NAMED[name].open("rb") as file:
        assert set(tomllib.load(file)) == {"network", "training"}


def test_the_documented_file_is_one(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text("utf-8")
    _, _, rest = page.partition("```toml\n")
    model = models.read(written(tmp_path, rest.partition("```")[0]))
    assert text(model.build(784, 10)) == (
        "Conv2d(1, 8, kernel=5, stride=2, padding=2), ELU(0.5), "
        "AvgPool2d(kernel=2, stride=2, padding=0), Flatten(), "
        f"{model.build(784, 10).layers[4]!r}, Linear(392, 64), Tanh(), Linear(64, 10)"
    )
    assert repr(model.make_optimizer()) == "SGD(lr=0.02, momentum=0.9)"


def test_settings_of_a_loss(tmp_path):
    path = tmp_path / "mine.toml"
    text = '[network]\nlayers = [{type = "Linear"}]\n[training]\nloss = "%s"\n%s\n'
    for loss, setting, made in (
        ("huber", "delta = 0.5", "HuberLoss(0.5)"),
        ("cross-entropy", "label_smoothing = 0.1", "CrossEntropyLoss(0.1)"),
        ("bce", "pos_weight = [1, 2]", "BCEWithLogitsLoss([1., 2.])"),
        ("mse", "", "MSELoss()"),
    ):
        path.write_text(text % (loss, setting))
        model = fb.models.read(str(path))
        assert repr(model.make_loss()) == made
        key, _, value = setting.partition(" = ")
        assert str(model.as_data()["training"].get(key, "")) == value
        assert fb.models.described(str(path), loss="hinge").loss_options == {}
    for loss, setting, problem in (
        ("huber", "margin = 0.5", "training: unknown key 'margin'; known are loss, optimizer"),
        ("huber", "delta = 0", "training: HuberLoss delta: expected a number above 0, got 0"),
    ):
        path.write_text(text % (loss, setting))
        with pytest.raises(ValueError, match=problem):
            fb.models.read(str(path))


def test_groups_padding_and_no_bias_arrive(tmp_path):
    text = """[network]
input_shape = [1, 6, 5]
layers = [
    {type = "Conv2d", out_channels = 4, kernel = 3, padding = "same", bias = false},
    {type = "BatchNorm2d", momentum = 0.3},
    {type = "Conv2d", out_channels = 8, kernel = [2, 3], groups = 4},
    {type = "Flatten"},
    {type = "Linear", bias = false},
]
"""
    net = models.read(written(tmp_path, text)).build(features=30, classes=3, seed=0)
    assert [repr(layer) for layer in net.layers] == [
        "Conv2d(1, 4, kernel=3, stride=1, padding='same', bias=False)",
        "BatchNorm2d(4, eps=1e-05, momentum=0.3, affine=True)",
        "Conv2d(4, 8, kernel=(2, 3), stride=1, padding=0, groups=4)",
        "Flatten()",
        "Linear(120, 3, bias=False)",
    ]


AROUND = """
[network]
layers = [{type = "Linear"}]
[training]
optimizer = "adam"
schedule = "cosine"
warm_up = 2
minimum = 0.1
validation = 0.2
early_stopping = 5
class_weight = [1, 2.5]
clip_norm = 1
l2 = 0.001
max_seconds = 60
metrics = "none"
"""


def test_what_comes_around_the_gradient_arrives_at_fit(tmp_path):
    model = models.read(written(tmp_path, AROUND))
    arguments = model.fit_arguments()
    shown = {name: repr(value) for name, value in arguments.items() if name not in ("loss",)}
    assert shown == {
        "optimizer": "Adam(lr=0.01)",
        "schedule": "Cosine(warm_up=2.0, minimum=0.1)",
        "batch_size": "32",
        "epochs": "10",
        "seed": "0",
        "validation": "0.2",
        "early_stopping": repr(fb.EarlyStopping(patience=5)),
        "class_weight": "[1.0, 2.5]",
        "clip_norm": "1.0",
        "l2": "0.001",
        "max_seconds": "60.0",
        "metrics": "None",
    }
    again = models.read(written(tmp_path, tomli_w.dumps(model.as_data()), "config.toml"))
    assert replace(again, source=model.source) == model
    assert models.described(str(tmp_path / "mine.toml"), schedule="none").schedule_options == {}


def test_every_argument_is_one_of_fit():
    names = {*models.read("dense").fit_arguments(), *KEYS} - {"lr"}
    assert names <= {*inspect.signature(fb.fit).parameters}


def test_no_two_settings_have_one_name():
    """They stand in one table, and are options of one command."""
    names = [name for part in PARTS for name in part.settings()]
    names += [*KEYS, *(part.name for part in PARTS)]
    assert len(names) == len({*names})
