"""Layers whose W is turned over for dx, where the samples are enough; rows that fill no tile."""

import numpy as np
import pytest
from for_each import for_each
from results import TOLERANCE

import fastbp as fb

pytestmark = pytest.mark.usefixtures("backend")

# On both sides of vectors and their parts, of panels, and of as many as are turned over at a time.
OUTPUTS = (1, 2, 3, 4, 5, 8, 9, 10, 16, 17, 20, 33, 63, 64, 65, 72, 129, 512, 513)


def trained(outputs: int, dtype: str, optimizer: str, **how: object) -> np.ndarray:
    """The parameters after a batch of just enough samples, and one of one less."""
    samples = max(8, -(-outputs // 8))
    rng = np.random.default_rng(outputs)
    hidden = (7, 33, 39, 66)[outputs % 4]
    layers = fb.Linear(5, hidden), fb.Tanh(), fb.Linear(hidden, outputs)
    net = fb.Sequential(*layers, dtype=dtype, seed=1)
    x = rng.normal(size=(2 * samples - 1, 5)).astype(dtype)
    y = rng.normal(size=(2 * samples - 1, outputs)).astype(dtype)
    fb.fit(
        net,
        (x, y),
        loss=fb.MSELoss(),
        optimizer={"sgd": fb.SGD(0.1), "adam": fb.Adam(0.01)}[optimizer],
        batch_size=samples,
        epochs=1,
        seed=0,
        **how,
    )
    return net.params


@for_each("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@for_each("outputs", OUTPUTS)
def test_any_number_of_outputs(outputs: int, dtype: str, optimizer: str) -> None:
    wanted = trained(outputs, dtype, optimizer, fused=False)
    found = trained(outputs, dtype, optimizer, threads=1)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=TOLERANCE[dtype])
    np.testing.assert_array_equal(trained(outputs, dtype, optimizer, threads=2), found)
