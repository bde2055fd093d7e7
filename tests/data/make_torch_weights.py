"""Writes torch_weights.json beside itself: what PyTorch 2.13.0 makes of classes with weights.

    python tests/data/make_torch_weights.py

PyTorch's mean divides by the sum of the weights of the targets.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

WEIGHTS = {
    "some": [0.5, 2.0, 1.0, 0.25, 3.5],
    "one class does not count": [0.0, 2.0, 1.0, 0.5, 1.0],
    "all alike": [7.0] * 5,
}
FUNCTIONS = {"CrossEntropyLoss": functional.cross_entropy, "NLLLoss": functional.nll_loss}


def cases() -> list[dict[str, Any]]:
    """A loss, its gradient, and what they are of."""
    rng, found = np.random.default_rng(5), []
    labels, scores = rng.integers(0, 5, 11), 2 * rng.normal(size=(11, 5))
    for name, function in FUNCTIONS.items():
        for weights in WEIGHTS.values():
            x = torch.tensor(scores, requires_grad=True)
            loss = function(x, torch.tensor(labels), weight=torch.tensor(weights, dtype=x.dtype))
            loss.backward()
            found.append(
                {
                    "name": name,
                    "weights": weights,
                    "scores": scores.tolist(),
                    "target": labels.tolist(),
                    "loss": loss.item(),
                    "gradient": x.grad.tolist(),
                }
            )
    return found


if __name__ == "__main__":
    Path(__file__).with_name("torch_weights.json").write_text(json.dumps(cases()) + "\n", "utf-8")
