"""Write torch_activations.npz beside this file: PyTorch's values of activations, in float64.

    pip install torch==2.13.0 numpy && python tests/data/make_torch_values.py

The tests read what it wrote, and need no PyTorch. For each activation and setting there are y and
dx, from the x and dy that all of them share.
"""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

SETTINGS = {
    "relu": functional.relu,
    "leaky_relu 0.2": lambda x: functional.leaky_relu(x, 0.2),
    "elu 0.7": lambda x: functional.elu(x, 0.7),
    "tanh": functional.tanh,
    "sigmoid": functional.sigmoid,
    "selu": functional.selu,
    "silu": functional.silu,
    "mish": functional.mish,
    "softplus 1.0 20.0": functional.softplus,
    "softplus 0.5 3.1": lambda x: functional.softplus(x, 0.5, 3.1),
    "softplus 4.0 1.0": lambda x: functional.softplus(x, 4.0, 1.0),
    "gelu 0.0": functional.gelu,
    "gelu 1.0": lambda x: functional.gelu(x, approximate="tanh"),
}


def main() -> None:
    """Values near 0 and in both tails, and the largest that anybody meets."""
    rng = np.random.default_rng(0)
    tails = [1e-300, 1e-40, 1e-8, 1e-3, 3.0, 9.0, 20.0, 40.0, 100.0, 800.0, 1e4, 1e30]
    x = np.concatenate(
        [rng.normal(0, 2, 200), np.linspace(-12, 12, 201), tails, np.negative(tails)]
    )
    dy = rng.normal(size=x.size)
    values = {"x": x, "dy": dy}
    for name, function in SETTINGS.items():
        leaf = torch.tensor(x, requires_grad=True)
        y = function(leaf)
        y.backward(torch.tensor(dy))
        values[f"{name} y"], values[f"{name} dx"] = y.detach().numpy(), leaf.grad.numpy()
    np.savez_compressed(Path(__file__).with_name("torch_activations.npz"), **values)


if __name__ == "__main__":
    main()
