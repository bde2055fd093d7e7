"""What the options of ``fit`` cost: epochs with each beside epochs without, and their ratio.

    python bench/options.py
    python bench/options.py --setting final-b8 simple-b64 --repeats 9

Each option's epoch comes right after one without, so that a busy moment of the machine meets both;
the ratio of each pair counts. What is timed is the whole call of ``fit``, of three epochs, where an
option works outside of the steps (checkpoints, metrics), else one epoch alone.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from settings import SETTINGS, Setting, fitting

import fastbp as fb

FEW = 6000  # samples of the epoch that warms up
EPOCHS = 3  # where the whole call counts, and with it what is done once


class Option(NamedTuple):
    """Arguments of fit, and whether all of its time counts."""

    given: dict[str, Any]
    whole_call: bool = False


def options(folder: Path) -> dict[str, Option]:
    """Those that are measured, by what the table calls them."""
    return {
        "(nothing)": Option({}),
        'class_weight="balanced"': Option({"class_weight": "balanced"}),
        # Of factors that are 1, so that both train alike: how many samples of a batch have a
        # gradient, and so how long it takes, follows from the rates.
        "schedule": Option({"schedule": fb.schedules.Step(1000)}),
        "clip_value=1": Option({"clip_value": 1.0}),
        "clip_norm=1": Option({"clip_norm": 1.0}),
        "l2=1e-4": Option({"l2": 1e-4}),
        "checkpoint=path": Option({"checkpoint": folder / "checkpoint.safetensors"}, True),
        'metrics="running"': Option({"metrics": "running"}, True),
    }


def seconds(setting: Setting, option: Option, samples: int | None = None) -> float:
    """Train for an epoch, or a few."""
    fit = fitting(setting, samples, epochs=EPOCHS if option.whole_call else 1, **option.given)
    started = time.perf_counter()
    history = fit()
    if not history.path.endswith("fused"):
        raise RuntimeError(f"{setting.name}, {option.given}: expected the engine: {history.path}")
    return time.perf_counter() - started if option.whole_call else history.seconds


def ratios(measure: Callable[[Option], float], option: Option, repeats: int) -> np.ndarray:
    """With and without, so many times."""
    without = Option({}, option.whole_call)
    return np.array([measure(option) / measure(without) for _ in range(repeats)])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [*SETTINGS]
    parser.add_argument("--setting", nargs="+", choices=names, default=["final-b8"], metavar="NAME")
    parser.add_argument("--repeats", type=int, default=7, metavar="N", help="(default: 7)")
    args = parser.parse_args(arguments)
    write = partial(print, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in args.setting:
            write(f"{name:<26} {'ratio':>6}  (quartiles)")
            for what, option in options(Path(folder)).items():
                measure = partial(seconds, SETTINGS[name])
                measure(option, FEW)
                found = ratios(measure, option, args.repeats)
                low, middle, high = np.quantile(found, [0.25, 0.5, 0.75])
                write(f"{what:<26} {middle:>6.3f}  ({low:.3f} to {high:.3f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
