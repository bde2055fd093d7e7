"""Networks of every layer and meaning, which are written as source code in other languages."""

import itertools

import numpy as np
import pandas as pd

import fastbp as fb
from fastbp.cli.gradcheck import cases
from fastbp.layers import BUILT_IN
from fastbp.layers.nesting import every_layer

RNG = np.random.default_rng(7)


def numbered(net):
    """A network with other parameters and buffers than it starts with, as after training."""
    net.params = net.params + RNG.normal(size=net.params.size) * 0.2
    for layer in every_layer(net.layers):
        if isinstance(layer, fb.BatchNorm1d):
            layer.running_mean = RNG.normal(size=layer.num_features)
            layer.running_var = RNG.uniform(0.3, 3, layer.num_features)
    return net.eval()


def dense(*sizes, last=(), **about):
    layers = [
        layer for pair in itertools.pairwise(sizes) for layer in (fb.Linear(*pair), fb.Tanh())
    ]
    return fb.Sequential(*layers[:-1], *last, **about)


def of_table(label, several=False):
    """A network that takes a table of numbers, some of which are missing."""
    x = RNG.normal(size=(60, 3)) * [1, 50, 0.01] + [0, 1000, 3]
    frame = pd.DataFrame(x, columns=["a", 'b"*/\\$p', "c"])
    frame.iloc[::7, 1] = np.nan
    frame["d"] = 5.0
    frame["told"] = label(x)
    data = fb.datasets.table(frame, label="told")
    outputs = 1 if data.values else data.classes
    nets = [
        fb.Sequential(fb.Linear(data.features, 8), fb.ReLU(), fb.Linear(8, outputs), seed=k)
        for k in range(3)
    ]
    for net in nets:
        net.meaning, net.table = "values" if data.values else "classes", data.table
    known = [column.name for column in data.table.columns]  # d, a constant, is left out
    return (fb.Ensemble(nets) if several else nets[0]), frame[known]


def meant(meaning, outputs, seed=0):
    net = fb.Sequential(fb.Linear(4, 9), fb.SiLU(), fb.Linear(9, outputs), seed=seed, init="glorot")
    net.meaning = meaning
    return net


MEANINGS = {"classes": 3, "two classes": 1, "labels": 3, "values": 2, "counts": 2}
LAYERS = {}
for _, net, _ in cases("float32", 3):
    LAYERS.setdefault(repr(net), numbered(net))
NETS = {f"layer_{k}": net for k, net in enumerate(LAYERS.values())}
NETS |= {
    "policy": dense(17, 64, 64, 6),
    "odd": dense(3, 7, 5, 1),
    "wide": dense(6, 33, 4, dtype="float64", init="glorot"),
    "first": fb.Sequential(
        fb.ReLU(), fb.Linear(5, 5), fb.Residual(fb.Dropout(0.5)), fb.LogSoftmax()
    ),
    "nothing": fb.Sequential(fb.Dropout(0.3), input_shape=(5,)),
    "around_all": fb.Sequential(fb.Residual(fb.Residual(fb.Tanh()), fb.Linear(5, 5))),
    "images": numbered(
        fb.Sequential(
            *(
                fb.Standardize([0.3, 0.1], [2.0, 0.5]),
                fb.Conv2d(2, 4, 3, padding=1),
                fb.BatchNorm2d(4),
            ),
            *(fb.ReLU(), fb.Residual(fb.Conv2d(4, 4, 3, padding=1), fb.GELU()), fb.MaxPool2d(2)),
            *(fb.Flatten(), fb.Linear(48, 10)),
            input_shape=(2, 8, 6),
        )
    ),
    "far": fb.Sequential(fb.Standardize([1e5, -3e4], [0.5, 2.0]), fb.Linear(2, 3)),
}
NETS |= {f"m_{word.replace(' ', '_')}": meant(word, n) for word, n in MEANINGS.items()}
NETS |= {
    f"several_{word.replace(' ', '_')}": fb.Ensemble([meant(word, n, k) for k in range(3)])
    for word, n in MEANINGS.items()
}
TABLES = {
    "table_classes": of_table(lambda x: np.where(x[:, 0] > 0, 'y"es?\\', "n$p*/ö")),
    "table_values": of_table(lambda x: x[:, 0] * 100 + x[:, 1]),
    "table_several": of_table(lambda x: x[:, 0] * 100 + x[:, 1], several=True),
}
# Functions of one number, each behind nothing that would make an infinity of it.
EXTREME = {
    f"f_{name}": fb.Sequential(BUILT_IN[name](), input_shape=(1,))
    for name in (
        *("ReLU", "ELU", "Tanh", "Sigmoid", "LeakyReLU", "SELU", "SiLU", "Mish"),
        "Softplus",
        "GELU",
    )
} | {"f_GELU_tanh": fb.Sequential(fb.GELU("tanh"), input_shape=(1,))}
ALL = NETS | {name: net for name, (net, _) in TABLES.items()} | EXTREME


def has_probabilities(net):
    """Whether there is anything to ask predict_proba for."""
    return net.meaning not in ("values", "counts")
