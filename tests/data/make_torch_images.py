"""Writes torch_images.npz beside itself: what PyTorch 2.13.0 makes of layers on images.

It needs torch==2.13.0 and numpy; the tests, which compare fastbp with the file, do not:

    python tests/data/make_torch_images.py

An array's name is its case's number and what it is; "cases" says in JSON what each case is.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

EPOCHS, SAMPLES, BATCH, SEED = 10, 46, 8, 3  # 60 steps, of which every sixth is shorter
SHAPE = (2, 6, 7)  # of the images that networks are trained on

# A layer of fastbp, its settings, and the shape of a batch.
LAYERS: list[tuple[str, list[Any], dict[str, Any], tuple[int, ...]]] = [
    ("Conv2d", [4, 6, 3], {"groups": 2, "padding": 1}, (3, 4, 5, 6)),
    ("Conv2d", [5, 5, 3], {"groups": 5, "padding": "same"}, (2, 5, 7, 4)),
    ("Conv2d", [3, 9, [2, 3]], {"groups": 3, "stride": [2, 1], "bias": False}, (2, 3, 6, 5)),
    ("Conv2d", [2, 3, [4, 2]], {"padding": "same"}, (1, 2, 3, 5)),
    ("Conv2d", [2, 3, 1], {"padding": "same", "bias": False}, (2, 2, 1, 1)),
    ("Conv2d", [4, 4, 2], {"padding": "valid", "groups": 4, "stride": 3}, (3, 4, 7, 8)),
    ("BatchNorm2d", [3], {}, (4, 3, 5, 2)),
    ("BatchNorm2d", [5], {"momentum": 0.3, "eps": 0.01}, (1, 5, 3, 1)),
    ("BatchNorm2d", [2], {"affine": False}, (7, 2, 1, 1)),
]

# Layers before Flatten, by fastbp's names; a Linear of 3 outputs comes last.
NETWORKS: list[list[tuple[str, list[Any], dict[str, Any]]]] = [
    [
        ("Conv2d", [2, 4, 3], {"groups": 2, "padding": "same", "bias": False}),
        ("Tanh", [], {}),
        ("Conv2d", [4, 4, 2], {"groups": 4, "padding": "same"}),
    ],
    [
        ("Conv2d", [2, 4, 3], {"bias": False}),
        ("BatchNorm2d", [4], {}),
        ("Tanh", [], {}),
        ("Conv2d", [4, 5, 2], {}),
        ("BatchNorm2d", [5], {"momentum": 0.2}),
    ],
    [("BatchNorm2d", [2], {}), ("Conv2d", [2, 3, 3], {}), ("MaxPool2d", [2], {})],
]


def made(name: str, arguments: list[Any], settings: dict[str, Any]) -> nn.Module:
    """PyTorch's layer."""
    return getattr(nn, name)(
        *(tuple(a) if isinstance(a, list) else a for a in arguments), **settings
    )


def numbers(rng: np.random.Generator, module: nn.Module) -> None:
    """Give every parameter a number of its own."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.tensor(rng.normal(size=tuple(parameter.shape)) / 2))


def state(module: nn.Module) -> list[np.ndarray]:
    """Running means and variances."""
    return [b.numpy().copy() for name, b in module.named_buffers() if "running" in name]


def layer_case(rng: np.random.Generator, case: Any) -> dict[str, np.ndarray]:
    """Forward and gradients of one layer, and what it makes of the batch when it is in use."""
    *layer, shape = case
    module = made(*layer)
    numbers(rng, module)
    x = torch.tensor(rng.normal(size=shape) + 1, requires_grad=True)
    y = module(x)
    dy = rng.normal(size=tuple(y.shape))
    y.backward(torch.tensor(dy))
    found = {"x": x, "y": y, "dx": x.grad, "used": module.eval()(x)}
    parameters = list(module.parameters())
    found |= {f"parameter{i}": p for i, p in enumerate(parameters)}
    found |= {f"gradient{i}": p.grad for i, p in enumerate(parameters)}
    found |= {f"buffer{i}": torch.tensor(b) for i, b in enumerate(state(module))}
    return {"dy": dy} | {name: a.detach().numpy() for name, a in found.items()}


def network_case(rng: np.random.Generator, layers: Any) -> dict[str, np.ndarray]:
    """Parameters before and after sixty steps of SGD, in fastbp's order."""
    convolutions = nn.Sequential(*(made(*layer) for layer in layers), nn.Flatten())
    x, y = rng.normal(size=(SAMPLES, *SHAPE)), rng.integers(0, 3, SAMPLES)
    inputs, labels = torch.tensor(x), torch.tensor(y)
    module = nn.Sequential(convolutions, nn.Linear(convolutions(inputs).shape[1], 3))
    for each in module.modules():
        if isinstance(each, nn.BatchNorm2d):
            each.reset_running_stats()
    numbers(rng, module)
    start = flat(module)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05, momentum=0.5)
    for epoch in range(1, EPOCHS + 1):
        order = np.random.default_rng([SEED, epoch]).permutation(SAMPLES)
        for first in range(0, SAMPLES, BATCH):
            rows = torch.tensor(order[first : first + BATCH])
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(inputs[rows]), labels[rows]).backward()
            optimizer.step()
    buffers = np.concatenate([np.zeros(0), *state(module)])
    return {"x": x, "labels": y, "start": start, "params": flat(module), "buffers": buffers}


def flat(module: nn.Module) -> np.ndarray:
    """All parameters in one vector; a dense layer's w is (inputs, outputs) in fastbp."""
    parameters = [p.detach().numpy() for p in module.parameters()]
    return np.concatenate([(p.T if p.ndim == 2 else p).ravel() for p in parameters])


def main() -> None:
    """Write the file."""
    torch.set_default_dtype(torch.float64)
    rng = np.random.default_rng(21)
    arrays: dict[str, np.ndarray] = {}
    said = {"torch": torch.__version__, "layers": LAYERS, "networks": NETWORKS, "shape": SHAPE}
    said["training"] = {"epochs": EPOCHS, "batch_size": BATCH, "seed": SEED}
    found = [layer_case(rng, case) for case in LAYERS]
    found += [network_case(rng, layers) for layers in NETWORKS]
    for number, case in enumerate(found):
        arrays |= {f"{number} {name}": array for name, array in case.items()}
    np.savez_compressed(
        Path(__file__).with_name("torch_images.npz"), cases=json.dumps(said), **arrays
    )


if __name__ == "__main__":
    main()
