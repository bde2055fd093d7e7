"""Writes torch_schedules.json: what PyTorch's schedulers multiply a rate of 1 by, step by step.

    python tests/data/make_torch_schedules.py

Each case has the schedule by its name here and its settings; a run has one step an epoch.
Of what watches a figure there is the column of figures too.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim import lr_scheduler as theirs

STEPS = 60
WARM_UP = 5


def optimizer() -> torch.optim.Optimizer:
    """One with a rate of 1."""
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


def with_warm_up(of: torch.optim.Optimizer) -> Any:
    """LinearLR, then a cosine over what is left."""
    warm_up = theirs.LinearLR(of, 1 / (WARM_UP + 1), total_iters=WARM_UP)
    cosine = theirs.CosineAnnealingLR(of, STEPS - WARM_UP, eta_min=0.01)
    return theirs.SequentialLR(of, [warm_up, cosine], [WARM_UP])


def one_cycle(**settings: Any) -> Any:
    """A maker of OneCycleLR that leaves momentum alone."""
    return lambda of: theirs.OneCycleLR(
        of, 1.0, total_steps=STEPS, cycle_momentum=False, **settings
    )


BY_STEP: list[tuple[str, dict[str, Any], Any]] = [
    ("Step", {"step_size": 7, "gamma": 0.3}, lambda of: theirs.StepLR(of, 7, 0.3)),
    ("Exponential", {"gamma": 0.93}, lambda of: theirs.ExponentialLR(of, 0.93)),
    ("Cosine", {}, lambda of: theirs.CosineAnnealingLR(of, STEPS)),
    ("Cosine", {"minimum": 0.2}, lambda of: theirs.CosineAnnealingLR(of, STEPS, 0.2)),
    ("Cosine", {"warm_up": WARM_UP, "minimum": 0.01}, with_warm_up),
    ("Cosine", {"period": 9}, lambda of: theirs.CosineAnnealingWarmRestarts(of, 9)),
    ("Cosine", {"period": 4, "mult": 2, "minimum": 0.1},
     lambda of: theirs.CosineAnnealingWarmRestarts(of, 4, 2, 0.1)),
    ("Cosine", {"period": 1, "mult": 3},
     lambda of: theirs.CosineAnnealingWarmRestarts(of, 1, 3)),
    ("OneCycle", {}, one_cycle()),
    ("OneCycle", {"pct_start": 0.45, "div_factor": 10, "final_div_factor": 50, "anneal": "linear"},
     one_cycle(pct_start=0.45, div_factor=10, final_div_factor=50, anneal_strategy="linear")),
    ("OneCycle", {"pct_start": 0.0}, one_cycle(pct_start=0.0)),
]  # fmt: skip

PLATEAUS: list[tuple[dict[str, Any], str]] = [
    ({"patience": 2, "factor": 0.5}, "min"),
    ({"patience": 0, "factor": 0.8, "threshold": 0.05, "minimum": 0.3}, "min"),
    ({"patience": 1, "factor": 0.5, "cooldown": 3}, "min"),
    ({"patience": 2, "factor": 0.5, "monitor": "val_accuracy"}, "max"),
]


def rates(scheduler: Any, of: torch.optim.Optimizer, figures: Any = None) -> list[float]:
    """Of each step."""
    found = []
    for step in range(STEPS):
        found.append(float(of.param_groups[0]["lr"]))
        of.step()
        if step < STEPS - 1:
            scheduler.step(*([] if figures is None else [figures[step]]))
    return found


def plateau(settings: dict[str, Any], mode: str, figures: list[float]) -> Any:
    """Rates under ReduceLROnPlateau."""
    by_name = {k: v for k, v in settings.items() if k not in ("monitor", "minimum")}
    of = optimizer()
    least = settings.get("minimum", 0)
    scheduler = theirs.ReduceLROnPlateau(of, mode, min_lr=least, eps=0, **by_name)
    return rates(scheduler, of, figures)


def main() -> None:
    """Write the file."""
    found: list[dict[str, Any]] = []
    for name, settings, make in BY_STEP:
        of = optimizer()
        found.append({"name": name, "settings": settings, "rates": rates(make(of), of)})
    drawn = np.random.default_rng(1).normal(size=STEPS)
    for settings, mode in PLATEAUS:
        falling = (1 / np.sqrt(1 + np.arange(STEPS)) + 0.1 * np.abs(drawn)).tolist()
        figures = falling if mode == "min" else [1 - figure for figure in falling]
        about = {"name": "ReduceOnPlateau", "settings": settings, "figures": figures}
        found.append(about | {"rates": plateau(settings, mode, figures)})
    text = json.dumps({"torch": torch.__version__, "steps": STEPS, "schedules": found})
    path = Path(__file__).parent / "torch_schedules.json"
    path.write_text(text.replace('{"name"', '\n{"name"') + "\n")


if __name__ == "__main__":
    main()
