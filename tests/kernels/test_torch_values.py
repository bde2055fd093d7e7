"""Activations as PyTorch has them: tests/data/make_torch_values.py wrote what is compared here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from for_each import for_each
from kernel_cases import ELEMENTWISE

from fastbp.kernels import KERNELS

PATH = Path(__file__).parents[1] / "data/torch_activations.npz"
with np.load(PATH) as file:
    VALUES = dict(file)
SETTINGS = [name.removesuffix(" y") for name in VALUES if name.endswith(" y")]
TOLERANCE = {"float32": 2e-6, "float64": 1e-9}


def test_every_activation_is_there() -> None:
    assert {name.split()[0] for name in SETTINGS} == set(ELEMENTWISE)


@pytest.mark.parametrize("dtype", TOLERANCE)
@for_each("setting", SETTINGS)
def test_activations_are_pytorchs(kernels: Any, setting: str, dtype: str) -> None:
    name, *numbers = setting.split()
    seen = np.abs(VALUES["x"]) > np.finfo(dtype).tiny  # others may be zeros in this dtype
    x, dy = (VALUES[a][seen].astype(dtype).reshape(1, -1) for a in ("x", "dy"))
    names = KERNELS[f"{name}_forward"].arguments[1:-1]
    given: dict[str, Any] = dict(zip(names, map(float, numbers), strict=True))
    given |= {"x": x, "dy": dy, "y": np.full_like(x, np.nan), "dx": np.full_like(x, np.nan)}
    for kernel, result in ((f"{name}_forward", "y"), (f"{name}_backward", "dx")):
        getattr(kernels, kernel)(*(given[a] for a in KERNELS[kernel].arguments))
        want = VALUES[f"{setting} {result}"][seen]
        tolerance = TOLERANCE[dtype]
        np.testing.assert_allclose(given[result][0], want, rtol=tolerance, atol=tolerance)
