"""Writes torch_losses.json beside itself: what PyTorch 2.13.0 makes of losses and optimisers.

It needs torch==2.13.0 and numpy; the tests, which compare fastbp with the file, do not:

    python tests/data/make_torch_losses.py
"""

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

EPOCHS, SAMPLES, BATCH, SEED = 12, 40, 8, 3  # 60 steps
SIZES = (4, 6, 3)  # of a network with a tanh in its middle

Case = tuple[str, dict[str, Any], Callable[..., torch.Tensor], np.ndarray, np.ndarray]


def losses(rng: np.random.Generator) -> Iterator[Case]:
    """Name in fastbp, its settings, PyTorch's function, scores and target."""
    rows, classes = 7, 5
    labels, values = rng.integers(0, classes, rows), rng.normal(size=(rows, classes))
    counts, shares = rng.integers(0, 6, (rows, classes)), rng.random((rows, classes))
    yes = rng.integers(0, 2, (rows, classes))
    weights = [0.5, 2.0, 1.0, 0.0, 3.5]
    huge = np.where(rng.random((rows, classes)) < 0.5, -1e4, 1e4)
    scores = 2 * rng.normal(size=(rows, classes))
    one = scores[:, :1], yes[:, 0]
    for x in (scores, huge):
        for margin in (1.0, 0.25, 3.0):
            settings = {"margin": margin}
            yield "HingeLoss", settings, multi_margin(1, margin), x, labels
            yield "SquaredHingeLoss", settings, multi_margin(2, margin), x, labels
        for share in (0.0, 0.1, 1.0):
            settings = {"label_smoothing": share}
            yield "CrossEntropyLoss", settings, with_(functional.cross_entropy, settings), x, labels
            soft = shares / shares.sum(axis=1, keepdims=True)
            yield "CrossEntropyLoss", settings, with_(functional.cross_entropy, settings), x, soft
        yield "MSELoss", {}, functional.mse_loss, x, values
        yield "L1Loss", {}, functional.l1_loss, x, values
        for delta in (1.0, 0.3, 2.5):
            settings = {"delta": delta}
            yield "HuberLoss", settings, with_(functional.huber_loss, settings), x, values
        for weight in (None, 2.5, weights):
            for target in (yes, shares):
                yield "BCEWithLogitsLoss", {"pos_weight": weight}, bce(weight), x, target
    yield "BCEWithLogitsLoss", {}, bce(None), *one
    yield "BCEWithLogitsLoss", {"pos_weight": 0.5}, bce(0.5), *one
    yield "NLLLoss", {}, functional.nll_loss, scores, labels
    yield "PoissonNLLLoss", {}, functional.poisson_nll_loss, scores, counts
    yield "PoissonNLLLoss", {}, functional.poisson_nll_loss, -np.abs(huge), counts


def with_(function: Callable[..., torch.Tensor], settings: dict[str, Any]) -> Any:
    """The function with these settings."""
    return lambda x, y: function(x, y, **settings)


def multi_margin(power: int, margin: float) -> Any:
    """The sum over the wrong classes, which PyTorch divides by the number of classes."""
    return lambda x, y: functional.multi_margin_loss(x, y, p=power, margin=margin) * x.shape[1]


def bce(weight: Any) -> Any:
    """Of values in the scores' shape."""
    pos_weight = None if weight is None else torch.tensor(weight, dtype=torch.float64)

    def loss(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        y = y.reshape(x.shape).to(x.dtype)
        return functional.binary_cross_entropy_with_logits(x, y, pos_weight=pos_weight)

    return loss


# Name in fastbp, its settings there, PyTorch's optimiser, and its settings there.
OPTIMIZERS: list[tuple[str, dict[str, Any], Any, dict[str, Any]]] = []


def add(name: str, **settings: Any) -> None:
    """One optimiser with these settings, by fastbp's names."""
    theirs = dict(settings)
    if "beta1" in theirs:
        theirs["betas"] = theirs.pop("beta1"), theirs.pop("beta2")
    if "epsilon" in theirs:
        theirs["eps"] = theirs.pop("epsilon")
    OPTIMIZERS.append((name, settings, getattr(torch.optim, name), theirs))


add("SGD", lr=0.1)
add("SGD", lr=0.1, weight_decay=0.05)
add("SGD", lr=0.05, momentum=0.9)
add("SGD", lr=0.05, momentum=0.8, weight_decay=0.02)
add("SGD", lr=0.05, momentum=0.9, nesterov=True)
add("SGD", lr=0.05, momentum=0.7, nesterov=True, weight_decay=0.03)
add("Adam")
add("Adam", lr=0.02, beta1=0.8, beta2=0.95, epsilon=1e-3, weight_decay=0.05)
add("AdamW")
add("AdamW", lr=0.02, beta1=0.8, beta2=0.95, epsilon=1e-3, weight_decay=0.3)
add("RMSprop")
add("RMSprop", lr=0.003, alpha=0.8, epsilon=1e-3, momentum=0.6, weight_decay=0.05)
add("Adagrad")
add("Adagrad", lr=0.1, lr_decay=0.05, weight_decay=0.02, initial_accumulator_value=0.1)
add("NAdam")
add("NAdam", lr=0.02, beta1=0.8, beta2=0.95, epsilon=1e-3, weight_decay=0.05, momentum_decay=0.3)
add("NAdam", lr=0.01, beta1=0.99, beta2=0.9, momentum_decay=0.0)


def trained(start: np.ndarray, x: np.ndarray, y: np.ndarray, kind: Any, settings: Any) -> Any:
    """Parameters after the steps, which take samples in the order of fastbp's fit."""
    flat = torch.tensor(start, requires_grad=True)
    optimizer = kind([flat], **settings)
    inputs, labels = torch.tensor(x), torch.tensor(y)
    for epoch in range(1, EPOCHS + 1):
        order = np.random.default_rng([SEED, epoch]).permutation(SAMPLES)
        for first in range(0, SAMPLES, BATCH):
            rows = torch.tensor(order[first : first + BATCH])
            optimizer.zero_grad()
            functional.cross_entropy(forward(flat, inputs[rows]), labels[rows]).backward()
            optimizer.step()
    return flat.detach().numpy()


def forward(flat: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Linear, tanh, linear; each layer's w (inputs, outputs) and b in one vector."""
    start = 0
    for number, (i, o) in enumerate(pairwise(SIZES)):
        w, b = flat[start : start + i * o].reshape(i, o), flat[start + i * o : start + i * o + o]
        x, start = (x.tanh() if number else x) @ w + b, start + i * o + o
    return x


def main() -> None:
    """Write the file."""
    torch.set_default_dtype(torch.float64)  # else NAdam remembers a product as a float
    rng = np.random.default_rng(20)
    found: dict[str, Any] = {"torch": torch.__version__, "losses": [], "optimizers": []}
    for name, settings, function, scores, target in losses(rng):
        x = torch.tensor(scores, requires_grad=True)
        loss = function(x, torch.tensor(target))
        loss.backward()
        found["losses"].append(
            {
                "name": name,
                "settings": settings,
                "scores": scores.tolist(),
                "target": target.tolist(),
                "loss": loss.item(),
                "gradient": x.grad.tolist(),
            }
        )
    size = sum(i * o + o for i, o in pairwise(SIZES))
    start, x = 0.5 * rng.normal(size=size), rng.normal(size=(SAMPLES, SIZES[0]))
    y = (x @ rng.normal(size=(SIZES[0], SIZES[-1]))).argmax(axis=1)
    found |= {"sizes": SIZES, "epochs": EPOCHS, "batch_size": BATCH, "seed": SEED}
    found |= {"start": start.tolist(), "x": x.tolist(), "y": y.tolist()}
    for name, settings, kind, theirs in OPTIMIZERS:
        params = trained(start, x, y, kind, theirs).tolist()
        found["optimizers"].append({"name": name, "settings": settings, "params": params})
    text = json.dumps(found).replace('{"name"', '\n{"name"')
    Path(__file__).with_name("torch_losses.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
