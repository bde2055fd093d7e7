"""Which layers the threads share, and how."""

import copy
from itertools import pairwise

import pytest

import fastbp as fb
from fastbp.engine.program import compile_network
from fastbp.engine.sharing import has_parts, splits
from fastbp.kernels.numbers import Split

WHOLE, BY_OUTPUTS, BY_INPUTS = Split.WHOLE, Split.BY_OUTPUTS, Split.BY_INPUTS

BIG = {
    "by turns, and what is elementwise goes with its input": (
        [fb.Linear(784, 800), fb.Tanh(), fb.Linear(800, 100), fb.Tanh(), fb.Linear(100, 10)],
        [BY_OUTPUTS, BY_OUTPUTS, BY_INPUTS, WHOLE, WHOLE],
    ),
    "two pairs": (
        [
            fb.Linear(784, 800),
            fb.Linear(800, 800),
            fb.ReLU(),
            fb.Linear(800, 800),
            fb.Linear(800, 10),
        ],
        [BY_OUTPUTS, BY_INPUTS, WHOLE, BY_OUTPUTS, BY_INPUTS],
    ),
    "one that widens takes its input from all": (
        [
            fb.Linear(784, 600),
            fb.Tanh(),
            fb.Linear(600, 800),
            fb.Linear(800, 100),
            fb.Linear(100, 10),
        ],
        [BY_OUTPUTS, BY_OUTPUTS, BY_OUTPUTS, BY_INPUTS, WHOLE],
    ),
    "but not if it is the last": (
        [fb.Linear(784, 600), fb.Linear(600, 800), fb.LogSoftmax()],
        [BY_OUTPUTS, BY_INPUTS, WHOLE],
    ),
    "nothing to pair the last with": (
        [fb.Linear(784, 800), fb.Linear(800, 800), fb.Linear(800, 800)],
        [BY_OUTPUTS, BY_INPUTS, WHOLE],
    ),
    "a softmax needs whole rows": (
        [fb.Linear(784, 800), fb.LogSoftmax(), fb.Linear(800, 800)],
        [WHOLE, WHOLE, WHOLE],
    ),
    "small": ([fb.Linear(20, 30), fb.Tanh(), fb.Linear(30, 10)], [WHOLE, WHOLE, WHOLE]),
}


@pytest.mark.parametrize("name", BIG)
def test_splits(name):
    layers, expected = BIG[name]
    net = fb.Sequential(*copy.deepcopy(layers))
    assert splits(compile_network(net, net.inputs), 8) == expected


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((4, 32, 16, 4), False),  # a panel, a vector, and less
        ((4, 32, 17, 4), True),
        ((4, 64, 16, 4), False),
        ((4, 65, 16, 4), True),
    ],
)
def test_narrow_layers_are_one_threads(sizes, expected):
    layers = [fb.Linear(*pair) for pair in pairwise(sizes)]
    program = compile_network(fb.Sequential(*layers), 4)
    assert has_parts(program, splits(program, 10_000)) == expected
    assert has_parts(program, [Split.BY_SAMPLES] * len(layers))
    assert not has_parts(program, [Split.WHOLE] * len(layers))
