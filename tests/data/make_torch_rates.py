"""Writes torch_rates.json: sixty steps of PyTorch's optimisers with groups of parameters.

    python tests/data/make_torch_rates.py

fastbp's layers have their own rates and may be frozen, its weight decay may spare biases, and
Adam's epsilon may stand outside of the correction. PyTorch says the first three by groups, and the
last by another epsilon in each step. Start, data and sizes are those of torch_losses.json.
"""

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from make_torch_losses import BATCH, EPOCHS, SAMPLES, SEED, SIZES, forward
from torch.nn import functional

RATES = {  # of both layers, trainable, lr_factor and bias_lr_factor
    "as they are": [(True, 1.0, 1.0), (True, 1.0, 1.0)],
    "factors": [(True, 0.5, 3.0), (True, 2.0, 0.25)],
    "the first is frozen": [(False, 1.0, 1.0), (True, 1.5, 1.0)],
    "the last is frozen": [(True, 1.0, 0.0), (False, 1.0, 1.0)],
}
ADAM = {"lr": 0.02, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3, "weight_decay": 0.05}
CASES: list[tuple[str, dict[str, Any], str]] = [
    ("SGD", {"lr": 0.1}, "factors"),
    ("SGD", {"lr": 0.1}, "the first is frozen"),
    ("SGD", {"lr": 0.1, "weight_decay": 0.05, "decay_biases": False}, "as they are"),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.02}, "the last is frozen"),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1,
             "decay_biases": False}, "factors"),
    ("Adam", ADAM | {"decay_biases": False}, "as they are"),
    ("Adam", ADAM | {"epsilon_outside": True}, "as they are"),
    ("Adam", ADAM | {"epsilon_outside": True, "decay_biases": False}, "factors"),
    ("Adam", ADAM, "the first is frozen"),
    ("AdamW", ADAM | {"decay_biases": False}, "factors"),
    ("AdamW", ADAM | {"epsilon_outside": True}, "the last is frozen"),
    ("NAdam", ADAM | {"epsilon_outside": True}, "as they are"),
    ("NAdam", ADAM | {"momentum_decay": 0.3, "decay_biases": False}, "factors"),
    ("RMSprop", {"lr": 0.003, "alpha": 0.8, "momentum": 0.6, "weight_decay": 0.05,
                 "decay_biases": False}, "factors"),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.05, "weight_decay": 0.05, "decay_biases": False},
     "factors"),
]  # fmt: skip


def groups(tensors: list[torch.Tensor], settings: dict[str, Any], rates: Any) -> list[Any]:
    """PyTorch's, one a parameter, of those that are trained."""
    found = []
    for number, tensor in enumerate(tensors):
        trained, factor, of_bias = rates[number // 2]
        is_bias = number % 2 == 1
        group = {"params": [tensor], "lr": settings["lr"] * factor * (of_bias if is_bias else 1)}
        if is_bias and not settings.get("decay_biases", True):
            group["weight_decay"] = 0.0
        found += [group] if trained else []
    return found


def theirs(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings by PyTorch's names."""
    found = {k: v for k, v in settings.items() if k not in ("decay_biases", "epsilon_outside")}
    if "beta1" in found:
        found["betas"] = found.pop("beta1"), found.pop("beta2")
    if "epsilon" in found:
        found["eps"] = found.pop("epsilon")
    return found


def trained(start: np.ndarray, x: Any, y: Any, case: tuple[str, dict[str, Any], str]) -> Any:
    """Parameters after the steps, which take samples in the order of fastbp's fit."""
    name, settings, rates = case
    sizes = [size for i, o in pairwise(SIZES) for size in (i * o, o)]
    tensors = [part.clone().requires_grad_() for part in torch.tensor(start).split(sizes)]
    parts = groups(tensors, settings, RATES[rates])
    optimizer, step = getattr(torch.optim, name)(parts, **theirs(settings)), 0
    for epoch in range(1, EPOCHS + 1):
        order = np.random.default_rng([SEED, epoch]).permutation(SAMPLES)
        for first in range(0, SAMPLES, BATCH):
            rows, step = torch.tensor(order[first : first + BATCH]), step + 1
            optimizer.zero_grad()
            scores = forward(torch.cat(tensors), torch.tensor(x)[rows])
            functional.cross_entropy(scores, torch.tensor(y)[rows]).backward()
            if settings.get("epsilon_outside"):
                for group in optimizer.param_groups:
                    group["eps"] = settings["epsilon"] / math.sqrt(1 - settings["beta2"] ** step)
            optimizer.step()
    return torch.cat(tensors).detach().numpy()


def main() -> None:
    """Write the file."""
    torch.set_default_dtype(torch.float64)  # else NAdam remembers a product as a float
    here = Path(__file__).parent
    like = json.loads((here / "torch_losses.json").read_text("utf-8"))
    start, x, y = (np.array(like[name]) for name in ("start", "x", "y"))
    found = [
        {
            "name": case[0],
            "settings": case[1],
            "rates": RATES[case[2]],
            "params": trained(start, x, y, case).tolist(),
        }
        for case in CASES
    ]
    text = json.dumps({"torch": torch.__version__, "optimizers": found})
    (here / "torch_rates.json").write_text(text.replace('{"name"', '\n{"name"') + "\n")


if __name__ == "__main__":
    main()
