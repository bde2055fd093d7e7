"""What people type who come from other libraries works, or says what to write here."""

import ast
import copy
import inspect
import pickle
import re
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from coming_from import BOTH, PAGE, README, WORDS, page, readme, searched, surroundings
from for_each import for_each

import fastbp as fb
from fastbp._guesses import NAMES, OPTIONS
from fastbp._hints import Also, Guessed
from fastbp.layers import BUILT_IN, Layer
from fastbp.losses import LOSSES, Loss
from fastbp.optimizers import OPTIMIZERS, Optimizer

MODULES = {"fastbp": fb, "fastbp.datasets": fb.datasets}
KINDS = {kind.__name__: kind for kind in (fb.Sequential, Layer, Loss, Optimizer)}
DATA = fb.datasets.Dataset(np.zeros((4, 2)), [0, 1, 0, 1])
OTHERS = (*LOSSES.values(), fb.EarlyStopping, fb.Checkpoint)
NAMED = {**KINDS, **BUILT_IN, **{kind.__name__: kind for kind in OTHERS}}


def an(owner):
    """An object of each class."""
    linear = fb.Linear(4, 8)
    parts = {
        "Layer": linear,
        "Loss": fb.MSELoss(),
        "Optimizer": fb.SGD(0.1),
        "Schedule": fb.schedules.Cosine(),
        "Dataset": DATA,
        "History": fb.History(),
        "Evaluation": fb.Sequential(fb.Linear(2, 2)).evaluate(DATA),
        "Found": searched(),
    }
    return parts[owner] if owner in parts else fb.Sequential(linear)


def written(text):
    """The pieces of code in a sentence: names with a dot, and calls of them."""
    for match in re.finditer(
        r"(?<!\")\b(?:fb|np|net|layer|optimizer|data|found|history|searched)\.[\w.]*\w", text
    ):
        end, depth = match.end(), 0
        while end < len(text) and (depth or text[end] == "("):
            depth += (text[end] == "(") - (text[end] == ")")
            end += 1
        yield text[match.start() : end]


# What is not here


@for_each(("owner", "name"), [(owner, name) for owner, names in NAMES.items() for name in names])
def test_a_name_that_is_not_here_says_what_to_write(owner, name):
    of = MODULES.get(owner) or an(owner)
    assert not hasattr(of, name)  # else what stands in the table is never said
    with pytest.raises(AttributeError, match=re.escape(f"{name!r}: {NAMES[owner][name]}") + "$"):
        getattr(of, name)


@for_each(
    ("kind", "option"), [(kind, option) for kind, options in OPTIONS.items() for option in options]
)
def test_an_option_that_is_not_here_says_what_to_write(kind, option):
    makes = {"Layer": fb.ReLU, "Loss": fb.MSELoss, "Optimizer": fb.SGD}.get(kind) or NAMED[kind]
    hint = f"{makes.__name__} has no option {option!r}: {OPTIONS[kind][option]}"
    with pytest.raises(TypeError, match=f"^{re.escape(hint)}$"):
        makes(**{option: 1})


@pytest.mark.parametrize("backend", ["numpy"], indirect=True)
@for_each(
    "said", sorted({said for table in (NAMES, OPTIONS) for row in table.values() for said in row})
)
def test_what_is_said_to_write_is_there(said, tmp_path, monkeypatch, backend):
    texts = [row[said] for table in (NAMES, OPTIONS) for row in table.values() if said in row]
    monkeypatch.chdir(tmp_path)
    known = surroundings()
    for code in (code for text in texts for code in written(text)):
        if (way := re.match(r"fb\.(onnx|torch)\.", code)) and not find_spec(way[1]):
            continue
        tree = ast.parse(code, mode="eval").body
        if "..." in code:  # of a call that leaves arguments out
            function = eval(ast.unparse(tree.func), known)
            names = {keyword.arg for keyword in tree.keywords}
            assert names <= {*inspect.signature(function).parameters}
        else:
            eval(code, known)


@for_each(
    ("wrong", "text"),
    [
        (lambda: fb.Lienar, "module 'fastbp' has no attribute 'Lienar'; did you mean fb.Linear?"),
        (lambda: fb.relu, "module 'fastbp' has no attribute 'relu'; did you mean fb.ReLU?"),
        (lambda: fb.cross_entropy_loss, "did you mean fb.CrossEntropyLoss?"),
        (lambda: fb.layers.Dense, "module 'fastbp.layers' has no attribute 'Dense': write fb.Lin"),
        (lambda: fb.optimizers.adam_w, "did you mean fb.optimizers.AdamW?"),
        (lambda: fb.losses.MAELoss, "write fb.L1Loss()"),
        (lambda: fb.schedules.StepLR, "write fb.fit(..., schedule=fb.schedules.Step(...))"),
        (lambda: fb.schedules.Cosine(warmup=2), "Cosine has no option 'warmup'; did you mean war"),
        (lambda: DATA.lables, "'Dataset' object has no attribute 'lables'"),
        (lambda: an("Evaluation")["f1"], "'Evaluation' object has no attribute 'f1': write fb."),
        (lambda: fb.evaluate(an("Sequential"), DATA, DATA.y), "write fb.evaluate(net, (x, y))"),
        (lambda: fb.datasets.minst, "did you mean fb.datasets.mnist?"),
        (lambda: an("Sequential").parms, "'Sequential' object has no attribute 'parms'; did you"),
        (lambda: fb.SGD(0.1).momentun, "did you mean momentum?"),
        (lambda: fb.SGD(0.1, momentun=0.9), "SGD has no option 'momentun'; did you mean momentum?"),
        (lambda: fb.Adam(beta_1=0.9), "Adam has no option 'beta_1'; did you mean beta1?"),
        (lambda: fb.HuberLoss(Delta=1), "HuberLoss has no option 'Delta'; did you mean delta?"),
        (lambda: fb.Linear(4, 8, bais=False), "did you mean bias?"),
        (lambda: fb.ReLU(slope=1), "ReLU has no option 'slope'; it is ReLU()"),
        (lambda: fb.Linear(4), "Linear: missing a required argument: 'outputs'; it is Linear(inp"),
        (lambda: fb.SGD(), "SGD: missing a required argument: 'lr'; it is SGD(lr, momentum=0.0"),
        (lambda: fb.Tanh(3), "Tanh: too many positional arguments; it is Tanh()"),
        (lambda: fb.Adam([1], lr=1), "Adam: multiple values for argument 'lr'; it is Adam(lr="),
        (lambda: fb.use_backend(), "use_backend: missing a required argument: 'name'; it is use_"),
        (lambda: fb.Linear(4, 8, weight=3), "Linear has no option 'weight'; it is Linear(inputs"),
        (lambda: fb.initializers.XavierUniform, 'write fb.Sequential(..., init="glorot")'),
        (lambda: fb.initializers.normal, "did you mean fb.initializers.Normal?"),
        (lambda: fb.SGD(lr=1, learning_rate=1), "SGD: learning_rate is another name of lr; give"),
        (lambda: setattr(fb.Linear(4, 8), "bias", np.ones(8)), "Linear bias: it says whether"),
        (lambda: fb.nothing_like_it, "module 'fastbp' has no attribute 'nothing_like_it'"),
        (lambda: an("Layer")._private, "'Linear' object has no attribute '_private'"),
    ],
)
def test_a_mistake_names_what_is_near(wrong, text):
    with pytest.raises((AttributeError, TypeError), match=re.escape(text)):
        wrong()


def test_a_layer_of_ones_own_is_named_where_it_is_wrong():
    class Mine(fb.Linear):
        def __init__(self, size, **more):
            super().__init__(size, size, **more)

    with pytest.raises(TypeError, match=r"^Mine: missing .*'size'; it is Mine\(size, \*\*more\)$"):
        Mine()
    with pytest.raises(TypeError, match=r"^Linear has no option 'baise'; did you mean bias"):
        Mine(3, baise=False)


def test_a_property_that_fails_says_why_itself():
    class Mine(fb.Layer):
        @property
        def half(self):
            return self.nothing // 2

        def output_shape(self, shape):
            return (self.sise,)

    with pytest.raises(AttributeError, match="'Mine' object has no attribute 'nothing'"):
        getattr(Mine(), "half")  # noqa: B009 - for what it raises
    with pytest.raises(AttributeError, match="'Mine' object has no attribute 'sise'"):
        fb.Sequential(Mine())


# What works


@pytest.mark.parametrize("other", BOTH)
def test_two_names_are_the_same(other, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one, two = (eval(code, surroundings()) for code in (other, BOTH[other]))
    assert repr(one) == repr(two) or isinstance(one, fb.History)
    if isinstance(one, fb.History):
        assert one["train_loss"] == two["train_loss"]
    if isinstance(one, fb.Sequential):
        assert np.array_equal(one.params, two.params)


@pytest.mark.parametrize("row", WORDS[1:], ids=lambda row: row[0])
def test_other_libraries_words_have_ours(row, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    known = surroundings()
    for code in re.findall("`(.*?)`", row[-1]):
        eval(code, known)


def test_the_page_says_what_fastbp_says(rng):
    assert PAGE.read_text("utf-8") == page(), "run python tests/coming_from.py"
    assert README.read_text("utf-8") == readme(), "run python tests/coming_from.py"
    example = re.search(r"```python\n(.*?)```", page(), re.DOTALL)[1]
    exec(example, {"fb": fb, "x": rng.normal(size=(90, 4)), "y": rng.integers(3, size=90)})


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (lambda: fb.Linear(in_features=4, out_features=8), "Linear(4, 8)"),
        (lambda: fb.Linear(4, out_features=8), "Linear(4, 8)"),
        (lambda: fb.Conv2d(1, 2, kernel_size=3), "Conv2d(1, 2, kernel=3, stride=1, padding=0)"),
        (lambda: fb.MaxPool2d(kernel_size=2), "MaxPool2d(kernel=2, stride=2, padding=0)"),
        (lambda: fb.SGD(learning_rate=0.5), "SGD(lr=0.5)"),
    ],
)
def test_options_go_by_other_names_too(made, text):
    assert repr(made()) == text


@pytest.mark.parametrize("kind", OPTIMIZERS.values())
def test_a_learning_rate_is_an_lr(kind):
    optimizer = kind(learning_rate=0.5)
    assert (optimizer.lr, optimizer.learning_rate) == (0.5, 0.5)
    optimizer.learning_rate = 0.25
    assert optimizer.lr == 0.25
    with pytest.raises(ValueError, match="lr: expected a number above 0, got -1"):
        optimizer.learning_rate = -1
    if hasattr(optimizer, "epsilon"):
        assert kind(lr=1, eps=0.125).epsilon == 0.125


def test_weight_and_requires_grad_are_w_and_trainable():
    net = fb.Sequential(fb.Linear(2, 3), fb.LayerNorm(3))
    for layer in net.layers:
        layer.weight = 7 * np.ones(layer.w.shape)
        assert (layer.w == 7).all()
        assert layer.weight is layer.w
        layer.requires_grad = False
        assert layer.trainable is False
    assert np.count_nonzero(net.params == 7) == 9
    with pytest.raises(ValueError, match="expected shape"):
        net.layers[0].weight = np.ones(2)


def test_other_names_are_of_options_that_there_are():
    for kind in (*NAMED.values(), *OPTIMIZERS.values()):
        own = vars(kind) | inspect.signature(kind).parameters
        for name in dir(kind):
            also = getattr(kind, name, None)
            if isinstance(also, Also):
                assert hasattr(kind, also.name) or also.name in own or also.name == "w"
                assert name not in inspect.signature(kind).parameters


# What stays as it was


@pytest.mark.parametrize("owner", KINDS)
def test_copies_pickles_and_questions_go_on(owner):
    thing = an(owner)
    for other in (copy.copy(thing), copy.deepcopy(thing), pickle.loads(pickle.dumps(thing))):
        assert repr(other) == repr(thing)
    assert not hasattr(thing, "parms")
    assert not hasattr(thing, "__array__")
    assert getattr(thing, "weights", 5) == 5
    assert isinstance(thing, Guessed)


def test_an_error_can_be_sent_elsewhere():
    with pytest.raises(AttributeError) as caught:
        an("Sequential").parameters()
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_constructors_keep_their_signatures():
    assert not inspect.signature(fb.ReLU).parameters
    assert [*inspect.signature(fb.Linear).parameters] == ["inputs", "outputs", "init", "bias"]
    assert inspect.signature(fb.SGD).parameters["momentum"].default == 0.0
    assert "class Tanh(Layer):" in inspect.getsource(fb.Tanh)


def test_dir_lists_what_is_public():
    names = dir(fb)
    assert {*fb.__all__, "plots", "__version__", "__all__"} <= {*names}
    assert not [name for name in names if re.match("_[a-zA-Z]", name)]
    assert all(hasattr(fb, name) for name in names)


@pytest.mark.parametrize("package", [fb, fb.datasets, fb.training])
def test_names_come_when_they_are_asked_for(package):
    for name in package._LATE.values():
        for each in name.split():
            assert getattr(package, each) is vars(package)[each]
    with pytest.raises(AttributeError, match="has no attribute 'nothing_such'"):
        package.nothing_such  # noqa: B018
    assert {*getattr(package, "__all__", ())} <= {*dir(package)}


def test_plots_come_when_they_are_asked_for():
    code = (
        "import sys, fastbp as fb; assert 'fastbp.plots' not in sys.modules; "
        "print(fb.plots.network.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "network\n"


WRONG_WORDS = [
    (lambda word: fb.fit(NET, X, Y, loss=word), "crossentropy", "cross-entropy"),
    (lambda word: fb.fit(NET, X, Y, loss=word), "categorical_crossentropy", "cross-entropy"),
    (lambda word: fb.fit(NET, X, Y, loss=word), "mae", "l1"),
    (lambda word: fb.evaluate(NET, (X, Y), word), "hings", "hinge"),
    (lambda word: fb.fit(NET, X, Y, optimizer=word), "adamw2", "adamw"),
    (lambda word: fb.fit(NET, X, Y, optimizer=word), "rms_prop", "rmsprop"),
    (lambda word: fb.fit(NET, X, Y, schedule=word), "cosin", "cosine"),
    (lambda word: fb.fit(NET, X, Y, schedule=word), "reduce-on-plateau", "plateau"),
    (lambda word: fb.fit(NET, X, Y, metrics=word), "runing", "running"),
    (lambda word: fb.Sequential(fb.Linear(3, 2), init=word), "xavier", "glorot"),
    (lambda word: fb.Sequential(fb.Linear(3, 2), init=word), "unifrom", "uniform"),
    (lambda word: fb.models.dense(activation=word), "rlu", "relu"),
    (lambda word: fb.models.dense(activation=word), "swish", "silu"),
    (lambda word: fb.models.dense(normalization=word), "batchnorm", "batch"),
    (lambda word: fb.models.described(loss=word).make_loss(), "mean_squared_error", "mse"),
    (lambda word: fb.GELU(word), "tan", "tanh"),
    (lambda word: fb.EarlyStopping(monitor="val_loss", mode=word), "mim", "min"),
]
NET, X, Y = fb.Sequential(fb.Linear(3, 2)), np.zeros((4, 3)), [0, 1, 0, 1]


@pytest.mark.parametrize(("call", "word", "meant"), WRONG_WORDS, ids=lambda each: str(each)[:24])
def test_a_mistyped_word_is_told_which_one_is_meant(call, word, meant):
    with pytest.raises((ValueError, TypeError), match=f"{word}'.*; did you mean '{meant}'"):
        call(word)


def test_a_word_like_no_other_is_told_nothing():
    with pytest.raises(ValueError, match=r"got 'zzz'$"):
        fb.fit(NET, X, Y, loss="zzz")
