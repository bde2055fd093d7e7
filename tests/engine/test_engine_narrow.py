"""Layers of few outputs, of which vectors hold inputs or samples: on both sides of their sizes."""

import numpy as np
import pytest
from for_each import for_each
from results import TOLERANCE

import fastbp as fb

pytestmark = pytest.mark.usefixtures("backend")

OPTIMIZERS = {
    "sgd": lambda: fb.SGD(0.1),
    "momentum": lambda: fb.SGD(0.1, momentum=0.9),
    "adam": lambda: fb.Adam(0.01),
}
LIMITS = ({}, {"l2": 0.01}, {"clip_value": 0.001}, {"clip_norm": 0.01})
# Inputs below a vector, and on both sides of what is in registers together for 1 to 4 outputs.
INPUTS = (15, 16, 17, 31, 33, 65, 128, 130)
# Samples that fill vectors and some that don't, few and as many as threads share.
SAMPLES = (5, 16, 37, 1100)


def trained(sizes: tuple[int, int], samples: int, dtype: str, optimizer: str, **how: object):
    """The parameters after a batch of so many samples, and one that is smaller."""
    inputs, outputs = sizes
    rng = np.random.default_rng(inputs)
    layers = fb.Linear(3, inputs), fb.Tanh(), fb.Linear(inputs, outputs, bias=inputs % 2 == 0)
    net = fb.Sequential(*layers, dtype=dtype, seed=1)
    rows = samples + samples // 2
    x, y = (rng.normal(size=(rows, columns)).astype(dtype) for columns in (3, outputs))
    how = {"optimizer": OPTIMIZERS[optimizer](), "epochs": 1, "seed": 0, "metrics": None} | how
    fb.fit(net, (x, y), loss=fb.MSELoss(), batch_size=samples, **how)
    return net.params


@for_each("samples", SAMPLES)
@for_each("inputs", INPUTS)
@for_each("outputs", (1, 2, 3, 4, 5))
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_layered_loop_and_any_number_of_threads(
    dtype: str, optimizer: str, outputs: int, inputs: int, samples: int
) -> None:
    case = (inputs, outputs), samples, dtype, optimizer
    found = trained(*case, threads=1)
    wanted = trained(*case, fused=False)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=TOLERANCE[dtype])
    np.testing.assert_array_equal(trained(*case, threads=2), found)


@for_each("limits", LIMITS)
@for_each("samples", SAMPLES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_limits(optimizer: str, samples: int, limits: dict[str, float]) -> None:
    case = (33, 2), samples, "float64", optimizer
    found = trained(*case, threads=1, **limits)
    wanted = trained(*case, fused=False, **limits)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=TOLERANCE["float64"])
    np.testing.assert_array_equal(trained(*case, threads=2, **limits), found)
