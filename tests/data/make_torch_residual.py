"""Writes torch_residual.json beside itself: what PyTorch 2.13.0 makes of networks with Residuals.

It needs torch==2.13.0 and numpy; the tests, which compare fastbp with the file, do not:

    python tests/data/make_torch_residual.py
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

EPOCHS, SAMPLES, BATCH, SEED, CLASSES = 12, 40, 8, 3, 3  # 60 steps
Rows = list[dict[str, Any]]


def linear(inputs: int, outputs: int) -> dict[str, Any]:
    """A layer as fastbp writes it down."""
    return {"type": "Linear", "inputs": inputs, "outputs": outputs}


def convolution(inputs: int, outputs: int, kernel: int, padding: int) -> dict[str, Any]:
    """The same."""
    sizes = {"in_channels": inputs, "out_channels": outputs, "kernel": kernel, "padding": padding}
    return {"type": "Conv2d"} | sizes


def residual(*layers: dict[str, Any]) -> dict[str, Any]:
    """The same."""
    return {"type": "Residual", "layers": [*layers]}


TANH, RELU, SIGMOID, FLATTEN = ({"type": kind} for kind in ("Tanh", "ReLU", "Sigmoid", "Flatten"))
NETWORKS: dict[str, tuple[tuple[int, ...], Rows]] = {
    "rows": (
        (4,),
        [
            linear(4, 6),
            residual(linear(6, 5), TANH, residual(linear(5, 5), SIGMOID), linear(5, 6)),
            TANH,
            residual(residual(linear(6, 6))),
            linear(6, CLASSES),
        ],
    ),
    "images": (
        (1, 5, 4),
        [
            convolution(1, 2, 3, 1),
            residual(convolution(2, 3, 3, 1), RELU, residual(TANH), convolution(3, 2, 1, 0)),
            TANH,
            FLATTEN,
            residual(RELU, linear(40, 4), TANH, linear(4, 40)),
            linear(40, CLASSES),
        ],
    ),
}


class Residual(nn.Module):
    """x + layers(x)."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum."""
        return x + self.layers(x)


def module(row: dict[str, Any]) -> nn.Module:
    """PyTorch's layer."""
    if row["type"] == "Residual":
        return Residual(nn.Sequential(*map(module, row["layers"])))
    kind, *settings = row.values()
    return getattr(nn, kind)(*settings[:3], **({"padding": row["padding"]} if settings[3:] else {}))


def flat(net: nn.Module, what: str = "data") -> np.ndarray:
    """Parameters, or their gradients, in fastbp's order."""
    found = []
    for layer in net.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            w, b = (getattr(each, what).numpy() for each in (layer.weight, layer.bias))
            found += [(w.T if isinstance(layer, nn.Linear) else w).ravel(), b]
    return np.concatenate(found)


def case(shape: tuple[int, ...], rows: Rows) -> dict[str, Any]:
    """A network, its scores and gradients at its start, and its parameters after training."""
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    net = nn.Sequential(*map(module, rows)).double()
    x, y = rng.normal(size=(SAMPLES, *shape)), rng.integers(0, CLASSES, SAMPLES)
    start, inputs = flat(net), torch.tensor(x, requires_grad=True)
    scores = net(inputs)
    nn.functional.cross_entropy(scores, torch.tensor(y)).backward()
    found = {"scores": scores.detach().numpy(), "grads": flat(net, "grad"), "dx": inputs.grad}
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02, eps=1e-6)
    for epoch in range(1, EPOCHS + 1):
        order = np.random.default_rng([SEED, epoch]).permutation(SAMPLES)
        for batch in order.reshape(-1, BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(
                net(torch.tensor(x[batch])), torch.tensor(y[batch])
            ).backward()
            optimizer.step()
    found |= {"x": x, "y": y, "start": start, "params": flat(net)}
    return {"shape": shape, "layers": rows} | {name: found[name].tolist() for name in found}


if __name__ == "__main__":
    settings = {"epochs": EPOCHS, "batch_size": BATCH, "seed": SEED}
    cases = {name: case(*network) for name, network in NETWORKS.items()}
    path = Path(__file__).with_name("torch_residual.json")
    path.write_text(json.dumps({"fit": settings, "cases": cases}) + "\n", "utf-8")
