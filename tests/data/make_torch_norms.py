"""Write torch_norms.json beside this file: PyTorch's normalization, in float64.

    pip install torch==2.13.0 numpy && python tests/data/make_torch_norms.py

The tests read what it wrote, and need no PyTorch. For each layer there are y, the gradients and the
running averages of two batches; and what sixty steps of training make of a network with it.
"""

import json
from pathlib import Path

import numpy as np
import torch

COLUMNS, SAMPLES, BATCH, EPOCHS, SEED = 5, 32, 8, 15, 3
LAYERS = [
    ("BatchNorm1d", {}),
    ("BatchNorm1d", {"eps": 0.1, "momentum": 0.3}),
    ("BatchNorm1d", {"momentum": None}),
    ("BatchNorm1d", {"affine": False}),
    ("LayerNorm", {}),
    ("LayerNorm", {"eps": 0.1}),
    ("LayerNorm", {"elementwise_affine": False}),
]


def main() -> None:
    """Columns whose means and deviations differ by orders of magnitude."""
    torch.set_default_dtype(torch.float64)
    rng = np.random.default_rng(0)
    scale, offset = 10.0 ** np.arange(-2, 3), np.array([0.0, 3.0, -50.0, 1e3, 0.5])
    data = {
        "x": (rng.normal(size=(2, 7, COLUMNS)) * scale + offset).tolist(),
        "dy": rng.normal(size=(7, COLUMNS)).tolist(),
        "w": rng.normal(size=COLUMNS).tolist(),
        "b": rng.normal(size=COLUMNS).tolist(),
        "samples": rng.normal(size=(SAMPLES, 4)).tolist(),
        "labels": rng.integers(0, 3, SAMPLES).tolist(),
        "start": rng.normal(size=4 * COLUMNS + COLUMNS).tolist(),
        "end": rng.normal(size=3 * COLUMNS + 3).tolist(),
        "batch_size": BATCH,
        "epochs": EPOCHS,
        "seed": SEED,
    }
    data["layers"] = [layer(name, settings, data) for name, settings in LAYERS]
    text = json.dumps(data, indent=1)
    Path(__file__).with_name("torch_norms.json").write_text(text + "\n", "utf-8")


def make(name: str, settings: dict, data: dict) -> torch.nn.Module:
    """PyTorch's layer, with w and b as in the data."""
    norm = getattr(torch.nn, name)(COLUMNS, **settings)
    if norm.weight is not None:
        with torch.no_grad():
            norm.weight[:], norm.bias[:] = torch.tensor(data["w"]), torch.tensor(data["b"])
    return norm


def running(norm: torch.nn.Module) -> dict:
    """Its running averages, if it has any."""
    names = ("running_mean", "running_var")
    return {name: getattr(norm, name).tolist() for name in names if hasattr(norm, name)}


def layer(name: str, settings: dict, data: dict) -> dict:
    """Two batches in training, the second one backward too, and the first in use."""
    norm, found = make(name, settings, data), {"name": name, "settings": settings}
    first, second = torch.tensor(data["x"])
    norm(first)
    second.requires_grad_()
    y = norm(second)
    y.backward(torch.tensor(data["dy"]))
    found |= {"y": y.tolist(), "dx": second.grad.tolist()} | running(norm)
    if norm.weight is not None:
        found |= {"dw": norm.weight.grad.tolist(), "db": norm.bias.grad.tolist()}
    norm.eval()
    first.requires_grad_()
    y = norm(first)
    y.backward(torch.tensor(data["dy"]))
    found |= {"used": y.tolist(), "used_dx": first.grad.tolist()}
    return found | {"trained": trained(make(name, settings, data), data)}


def trained(norm: torch.nn.Module, data: dict) -> dict:
    """Sixty steps of Adam, on batches in the order that fastbp draws."""
    before, behind = torch.nn.Linear(4, COLUMNS), torch.nn.Linear(COLUMNS, 3)
    with torch.no_grad():
        for dense, numbers in ((before, data["start"]), (behind, data["end"])):
            inputs, flat = dense.in_features, torch.tensor(numbers)
            split = inputs * dense.out_features
            dense.weight[:] = flat[:split].reshape(inputs, -1).T
            dense.bias[:] = flat[split:]
    net = torch.nn.Sequential(before, norm, torch.nn.Tanh(), behind)
    optimizer, loss = torch.optim.Adam(net.parameters(), 0.01), torch.nn.CrossEntropyLoss()
    x, y = torch.tensor(data["samples"]), torch.tensor(data["labels"])
    for epoch in range(1, EPOCHS + 1):
        order = torch.tensor(np.random.default_rng([SEED, epoch]).permutation(SAMPLES))
        for rows in order.split(BATCH):
            optimizer.zero_grad()
            loss(net(x[rows]), y[rows]).backward()
            optimizer.step()
    weights = [before.weight.T, before.bias, *norm.parameters(), behind.weight.T, behind.bias]
    flat = torch.cat([part.flatten() for part in weights])
    return {"params": flat.tolist()} | running(norm)


if __name__ == "__main__":
    main()
