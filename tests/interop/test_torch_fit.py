"""fastbp.torch.fit: modules are trained in place, to the numbers of a PyTorch loop."""

from importlib import import_module

import numpy as np
import pytest
from parts import each

import fastbp as fb

torch = pytest.importorskip("torch")
nn, optim = torch.nn, torch.optim
DataLoader, TensorDataset = torch.utils.data.DataLoader, torch.utils.data.TensorDataset
rows = import_module("fastbp.interop.torch.rows")
parts = import_module("fastbp.interop.torch.parts")
torch.set_num_threads(1)

N, INPUTS, OUTPUTS = 70, 5, 3
SEED = 4


def module(dtype=torch.float32):
    """No bias before BatchNorm, whose gradient is nothing but rounding."""
    torch.manual_seed(1)
    head = nn.Sequential(nn.Tanh(), nn.Linear(8, OUTPUTS))
    layers = nn.Linear(INPUTS, 8, bias=False), nn.BatchNorm1d(8), head
    return nn.Sequential(*layers).to(dtype)


def data_for(loss, rng):
    """Samples, and targets as this loss takes them."""
    x = torch.tensor(rng.normal(size=(N, INPUTS)), dtype=torch.float32)
    if isinstance(loss, (nn.CrossEntropyLoss, nn.NLLLoss)):
        return x, torch.tensor(rng.integers(OUTPUTS, size=N))
    whole = isinstance(loss, nn.PoissonNLLLoss)
    targets = rng.integers(4, size=(N, OUTPUTS)) if whole else rng.random((N, OUTPUTS))
    return x, torch.tensor(targets, dtype=torch.float32)


def trained_by_pytorch(net, x, y, loss, optimizer, epochs=1, batch_size=16):
    """The loop that everybody writes; the order is fastbp's."""
    for epoch in range(1, epochs + 1):
        order = np.random.default_rng([SEED, epoch]).permutation(len(x))
        for start in range(0, len(x), batch_size):
            rows = order[start : start + batch_size]
            optimizer.zero_grad()
            loss(net(x[rows]), y[rows]).backward()
            optimizer.step()
    return net


def distance(one, two):
    """The largest, of all parameters and buffers."""
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


OPTIMIZER_OPTIONS = [
    (optim.SGD, {"lr": 0.1}),
    (optim.SGD, {"lr": 0.05, "momentum": 0.9}),
    (optim.SGD, {"lr": 0.05, "momentum": 0.5, "nesterov": True, "weight_decay": 0.01}),
    (optim.Adam, {"lr": 0.01}),
    (optim.Adam, {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.1}),
    (optim.AdamW, {"lr": 0.01, "weight_decay": 0.1}),
    (optim.NAdam, {"lr": 0.01, "momentum_decay": 0.01}),
    (optim.RMSprop, {"lr": 0.01, "alpha": 0.9, "momentum": 0.5}),
    (optim.Adagrad, {"lr": 0.05, "lr_decay": 0.1, "initial_accumulator_value": 0.1}),
]
LOSS_OBJECTS = [
    nn.CrossEntropyLoss(),
    nn.MSELoss(),
    nn.BCEWithLogitsLoss(),
    nn.HuberLoss(delta=0.5),
    nn.CrossEntropyLoss(label_smoothing=0.1),
    nn.L1Loss(),
    nn.SmoothL1Loss(),
    nn.PoissonNLLLoss(),
    nn.BCEWithLogitsLoss(pos_weight=torch.tensor([0.5, 1.0, 3.0])),
]


def test_all_rows_are_tried():
    assert {type(loss) for loss in LOSS_OBJECTS} | {nn.NLLLoss} == {
        row.theirs for row in rows.LOSSES
    }
    assert {kind for kind, _ in OPTIMIZER_OPTIONS} == {row.theirs for row in rows.OPTIMIZERS}


USUAL = [(OPTIMIZER_OPTIONS[k], loss) for k in (0, 1, 3, 5) for loss in LOSS_OBJECTS[:4]]


@pytest.mark.parametrize(
    ("how", "loss"),
    [*USUAL, *each(OPTIMIZER_OPTIONS, LOSS_OBJECTS[4:])],
    ids=lambda part: part[0].__name__ if isinstance(part, tuple) else repr(part),
)
def test_it_ends_where_a_pytorch_loop_ends(how, loss, rng):
    kind, options = how
    x, y = data_for(loss, rng)
    one, two = module(), module()
    trained_by_pytorch(one, x, y, loss, kind(one.parameters(), **options))
    settings = {"loss": loss, "optimizer": kind(two.parameters(), **options), "seed": SEED}
    fb.torch.fit(two, x, y, epochs=1, batch_size=16, **settings)
    assert distance(one, two) < 1e-5
    with torch.no_grad():
        expected = float(loss(one.eval()(x), y))
    found = fb.evaluate(fb.torch.from_torch(two), (x, y), parts.as_loss(loss))
    assert found.loss == pytest.approx(expected, abs=1e-5)


def test_log_probabilities_and_float64(rng):
    x, y = data_for(nn.NLLLoss(), rng)
    one, two = (nn.Sequential(*module(torch.float64), nn.LogSoftmax(1)) for _ in range(2))
    x = x.double()
    trained_by_pytorch(one, x, y, nn.NLLLoss(), optim.Adam(one.parameters()), epochs=3)
    fb.torch.fit(two, TensorDataset(x, y), loss=nn.NLLLoss(), epochs=3, batch_size=16, seed=SEED)
    assert distance(one, two) < 1e-12


def images(rng):
    x = torch.tensor(rng.normal(size=(40, 2, 6, 6)), dtype=torch.float32)
    return x, torch.tensor(rng.integers(OUTPUTS, size=40))


def convolutions():
    torch.manual_seed(2)
    block = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    return nn.Sequential(block, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, OUTPUTS))


def test_networks_on_images(rng):
    x, y = images(rng)
    one, two = convolutions(), convolutions()
    loss, optimizer = nn.CrossEntropyLoss(), optim.SGD(one.parameters(), lr=0.05, momentum=0.9)
    trained_by_pytorch(one, x, y, loss, optimizer, epochs=2)
    loader = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)
    own = fb.SGD(lr=0.05, momentum=0.9)
    fb.torch.fit(two, loader, loss="cross-entropy", optimizer=own, epochs=2, seed=SEED)
    assert distance(one, two) < 1e-5


def test_grey_pictures_are_flattened(rng):
    x = torch.tensor(rng.normal(size=(30, 4, 5)), dtype=torch.float32)
    y = torch.tensor(rng.integers(2, size=30))
    one, two = (nn.Sequential(nn.Flatten(), nn.Linear(20, 2)) for _ in range(2))
    two.load_state_dict(one.state_dict())
    history = fb.torch.fit(one, x, y, epochs=2, validation=(x[:9], y[:9]))
    assert len(history["test_loss"]) == 2
    fb.torch.fit(two, x.reshape(30, 20), y, epochs=2)
    assert distance(one, two) == 0
    data = fb.datasets.Dataset(x.numpy(), y)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(12, 2))
    assert fb.torch.fit(net, data, epochs=1)["train_loss"]


def test_parameters_stay_the_same_objects_and_modes_as_they_are(rng):
    x, y = data_for(nn.CrossEntropyLoss(), rng)
    net = module().eval()
    net[2][1].requires_grad_(False)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    parameters = [*net.parameters()]
    optimizer = optim.SGD([p for p in parameters if p.requires_grad], lr=0.1)
    fb.torch.fit(net, x, y, optimizer=optimizer, epochs=1)
    assert all(one is two for one, two in zip(parameters, net.parameters(), strict=True))
    assert not any(part.training for part in net.modules())
    same = {name for name, value in net.state_dict().items() if torch.equal(value, before[name])}
    assert same == {"2.1.weight", "2.1.bias"}
    assert not optimizer.state


def test_a_second_call_goes_on(rng):
    """With the optimiser's memory and new masks of Dropout; the history gives a new order."""
    x, y = data_for(nn.CrossEntropyLoss(), rng)

    def trained(*epochs):
        torch.manual_seed(3)
        net = nn.Sequential(nn.Linear(INPUTS, 8), nn.Dropout(0.3), nn.Linear(8, OUTPUTS))
        optimizer = optim.Adam(net.parameters(), lr=0.01)
        history = fb.History()
        for count in epochs:
            fb.torch.fit(net, x, y, optimizer=optimizer, epochs=count, history=history)
        return net

    assert distance(trained(3), trained(1, 2)) == 0


def test_what_changed_between_two_calls_counts(rng):
    x, y = data_for(nn.CrossEntropyLoss(), rng)
    one, two = module(), module()
    fb.torch.fit(one, x, y, epochs=1)
    with torch.no_grad():
        for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True):
            a.copy_(b)
    one[0].requires_grad_(False)
    two[0].requires_grad_(False)
    optimizers = optim.SGD(one.parameters(), lr=1.0), optim.SGD(two.parameters(), lr=0.1)
    optimizers[0].param_groups[0]["lr"] = 0.1
    for net, optimizer in zip((one, two), optimizers, strict=True):
        fb.torch.fit(net, x, y, optimizer=optimizer, epochs=1)
    assert distance(one, two) == 0
    assert torch.equal(one[0].weight, module()[0].weight)
    one[2][0] = nn.ReLU()
    assert fb.torch.fit(one, x, y, epochs=1).epochs


@pytest.mark.parametrize("fused", [True, False])
def test_after_ctrl_c_the_module_has_what_was_reached(fused, rng):
    x, y = data_for(nn.CrossEntropyLoss(), rng)

    def press(epoch):
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    one, two, history = module(), module(), fb.History()
    with pytest.raises(KeyboardInterrupt):
        fb.torch.fit(one, x, y, epochs=5, callbacks=[press], history=history, fused=fused)
    assert len(history.epochs) == 2
    fb.torch.fit(two, x, y, epochs=2, fused=fused)
    assert distance(one, two) == 0


# What is refused

P = [nn.Parameter(torch.ones(2))]


def stepped(net):
    optimizer = optim.Adam(net.parameters())
    net(torch.ones(2, INPUTS)).sum().backward()
    optimizer.step()
    return optimizer


REFUSED = {
    "unknown loss": (
        {"loss": nn.CTCLoss()},
        "fit loss: there is none like nn.CTCLoss; there are",
    ),
    "probabilities": ({"loss": nn.BCELoss()}, "none like nn.BCELoss; write nn.BCEWithLogitsLoss"),
    "sum": (
        {"loss": nn.MSELoss(reduction="sum")},
        "nn.MSELoss: expected reduction='mean'",
    ),
    "weight": (
        {"loss": nn.CrossEntropyLoss(weight=torch.ones(3))},
        r"expected weight=None, got .*; write fit\(..., class_weight=...\)",
    ),
    "beta": ({"loss": nn.SmoothL1Loss(beta=2.0)}, "nn.SmoothL1Loss: expected beta=1.0, got 2.0"),
    "function": ({"loss": nn.functional.cross_entropy}, "fit loss: expected Loss, got <function"),
    "unknown optimizer": (
        {"optimizer": lambda net: optim.Adadelta(net.parameters())},
        "fit optimizer: there is none like optim.Adadelta; there are optim.SGD, optim.Adam",
    ),
    "amsgrad": (
        {"optimizer": lambda net: optim.Adam(net.parameters(), amsgrad=True)},
        "fit optimizer, optim.Adam: expected amsgrad=False, got True",
    ),
    "dampening": (
        {"optimizer": lambda net: optim.SGD(net.parameters(), momentum=0.9, dampening=0.5)},
        "expected dampening=0, got 0.5",
    ),
    "groups": (
        {"optimizer": lambda net: optim.SGD([{"params": [p]} for p in net.parameters()])},
        "expected one group of parameters, got 5",
    ),
    "others": ({"optimizer": optim.SGD(P)}, "expected one of all of the module's parameters"),
    "stepped": ({"optimizer": stepped}, "it has taken steps, and what it remembers of them would"),
    "module": ({"module": nn.Sequential(nn.GRU(2, 2))}, "fit: there is no layer for 0: nn.GRU"),
    "option": ({"verbose": True}, "fit: it has no argument 'verbose'; write progress=True"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_here_is_refused_by_name(what, rng):
    options, message = REFUSED[what]
    x, y = data_for(nn.CrossEntropyLoss(), rng)
    options = {"module": module()} | options
    made = options.pop("module")
    if "optimizer" in options and not isinstance(options["optimizer"], optim.Optimizer):
        options["optimizer"] = options["optimizer"](made)
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        fb.torch.fit(made, x, y, **options)
    assert len(str(caught.value).splitlines()) == 1


def test_fit_and_evaluate_say_what_a_module_is_for(rng):
    x, y = data_for(nn.CrossEntropyLoss(), rng)
    for call in (lambda: fb.fit(module(), x, y), lambda: fb.evaluate(module(), (x, y))):
        with pytest.raises(TypeError, match=r"a module of PyTorch's; write fb\.torch\.fit\(module"):
            call()
