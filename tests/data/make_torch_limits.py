"""Writes torch_limits.json: sixty steps of PyTorch with clipped gradients and a penalty on weights.

    python tests/data/make_torch_limits.py

Clipping is torch.nn.utils', and the penalty a part of the loss, whose gradient autograd finds.
Start, data and sizes are those of torch_losses.json.
"""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from make_torch_losses import BATCH, EPOCHS, SAMPLES, SEED, SIZES, forward
from torch.nn import functional, utils

CASES: list[tuple[str, dict[str, Any], dict[str, float], list[bool]]] = [
    ("SGD", {"lr": 0.5}, {"clip_norm": 0.3}, [True, True]),
    ("SGD", {"lr": 0.5}, {"clip_norm": 0.3}, [True, False]),
    ("SGD", {"lr": 0.5}, {"clip_norm": 0.3}, [False, True]),
    ("SGD", {"lr": 0.5}, {"clip_value": 0.05}, [True, True]),
    ("SGD", {"lr": 0.5}, {"l2": 0.02}, [True, True]),
    ("SGD", {"lr": 0.5}, {"l2": 0.1}, [True, False]),
    ("SGD", {"lr": 0.2, "momentum": 0.8}, {"l2": 0.3, "clip_norm": 0.2}, [True, True]),
    ("SGD", {"lr": 0.2, "weight_decay": 0.1}, {"l2": 0.3, "clip_value": 0.04}, [True, True]),
    ("Adam", {"lr": 0.02, "eps": 1e-3}, {"l2": 0.1, "clip_norm": 0.2}, [True, True]),
]


def limit(tensors: list[torch.Tensor], limits: dict[str, float]) -> None:
    """Clip their gradients."""
    if "clip_norm" in limits:
        utils.clip_grad_norm_(tensors, limits["clip_norm"])
    if "clip_value" in limits:
        utils.clip_grad_value_(tensors, limits["clip_value"])


def trained(start: np.ndarray, x: Any, y: Any, case: Any) -> tuple[list[float], list[float]]:
    """Each step's loss, and the parameters after them, in the order of fastbp's fit."""
    name, settings, limits, moves = case
    sizes = [size for i, o in pairwise(SIZES) for size in (i * o, o)]
    tensors = [part.clone() for part in torch.tensor(start).split(sizes)]
    moved = [t.requires_grad_() for n, t in enumerate(tensors) if moves[n // 2]]
    optimizer, losses = getattr(torch.optim, name)(moved, **settings), []
    for epoch in range(1, EPOCHS + 1):
        order = np.random.default_rng([SEED, epoch]).permutation(SAMPLES)
        for first in range(0, SAMPLES, BATCH):
            rows = torch.tensor(order[first : first + BATCH])
            optimizer.zero_grad()
            loss = functional.cross_entropy(
                forward(torch.cat(tensors), torch.tensor(x)[rows]), torch.tensor(y)[rows]
            )
            loss = loss + limits.get("l2", 0) / 2 * sum((w**2).sum() for w in tensors[::2])
            loss.backward()
            losses.append(loss.item())
            limit(moved, limits)
            optimizer.step()
    return losses, torch.cat(tensors).detach().tolist()


def main() -> None:
    """Write the file."""
    torch.set_default_dtype(torch.float64)
    here = Path(__file__).parent
    like = json.loads((here / "torch_losses.json").read_text("utf-8"))
    start, x, y = (np.array(like[name]) for name in ("start", "x", "y"))
    found = []
    for case in CASES:
        losses, params = trained(start, x, y, case)
        found.append(
            dict(zip(("optimizer", "settings", "limits", "trained"), case, strict=True))
            | {"losses": losses, "params": params}
        )
    text = json.dumps({"torch": torch.__version__, "limits": found})
    (here / "torch_limits.json").write_text(text.replace('{"optimizer"', '\n{"optimizer"') + "\n")


if __name__ == "__main__":
    main()
