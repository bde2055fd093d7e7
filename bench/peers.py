"""fastbp beside PyTorch, JAX and scikit-learn: the same trainings, in turn, on the same machine.

    python bench/peers.py --output peers.json
    python bench/peers.py --table peers.json        the Markdown table of what was measured

Every library starts from the same weights and takes the same samples in the same order. The losses
of the first hundred iterations are compared before anything is timed. Then each trains in turn, and
again, and the medians count. Left out of the times, for everybody: setting up, compiling, and
keeping the data, which are scaled and in memory. Libraries that are not installed are left out.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from _peers_base import Peer, Problem
from _peers_fastbp import Fastbp, FastbpNumba
from _peers_table import markdown
from settings import PREDICTION, SETTINGS, TOLERANCE, check_losses, first_order

import fastbp as fb
from fastbp import backends, threads

PREDICT_ONE = "predict-one"
PREDICTIONS = 1000  # calls in one measurement
REST = 0.2  # seconds before each: the threads of the library before it spin a while, then sleep
SLOW_BATCH = 32  # up to this batch size the others train on fewer samples than an epoch's
LIBRARIES = ("torch", "jax", "scikit-learn", "numpy")


def main(arguments: Sequence[str] | None = None) -> int:
    args = parse(arguments)
    if args.table:
        say(markdown(json.loads(args.table.read_text())))
        return 0
    results = {}
    for name in args.settings:
        try:
            results[name] = measure(name, args)
        except ValueError as problem:  # a library that computes something else
            sys.stderr.write(f"peers: {problem}\n")
            return 1
    report = about(args) | {"settings": results}
    say(markdown(report))
    if args.output:
        args.output.write_text(json.dumps(report, indent=2) + "\n")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    every = [*SETTINGS, PREDICT_ONE]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--settings",
        nargs="+",
        choices=every,
        default=every,
        metavar="NAME",
        help=f"of {', '.join(every)} (default: all)",
    )
    parser.add_argument("--repeats", type=int, default=3, help="measurements of each (default: 3)")
    parser.add_argument(
        "--samples",
        type=int,
        default=12_000,
        metavar="N",
        help="how many the other libraries train on at small batches, from which "
        "a whole epoch's time is scaled (default: 12000)",
    )
    parser.add_argument("--compile", action="store_true", help="torch.compile too")
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="write the results")
    parser.add_argument("--table", type=Path, metavar="FILE.json", help="only print its table")
    args = parser.parse_args(arguments)
    if args.repeats < 1 or args.samples < 1:
        parser.error("--repeats and --samples: expected whole numbers of at least 1")
    return args


def measure(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """All measurements of one setting."""
    setting = SETTINGS.get(name, PREDICTION)
    problem = Problem.of(setting)
    peers = list(installed_peers(problem, args.compile))
    checks = [check(peer, problem) for peer in peers]
    if name == PREDICT_ONE:
        clocks = [prediction_clock(peer, problem) for peer in peers]
    else:
        clocks = [epoch_clock(peer, problem, args.samples) for peer in peers]
    seconds: list[list[float]] = [[] for _ in peers]
    for repeat in range(args.repeats):  # A B C A B C: a busy moment of the machine meets all
        for peer, clock, times in zip(peers, clocks, seconds, strict=True):
            time.sleep(REST)
            with peer.limited():
                times.append(clock())
            progress(f"{name} {repeat + 1}/{args.repeats}  {peer}: {times[-1]:.3g} s")
    sizes = "-".join(map(str, setting.sizes))
    return {
        "description": f"one sample, {sizes}" if name == PREDICT_ONE else str(setting),
        "lr": setting.lr,
        "peers": [
            {
                "name": peer.name,
                "threads": peer.threads,
                "median": statistics.median(times),
                "seconds": times,
                "largest_loss_difference": difference,
            }
            for peer, times, difference in zip(peers, seconds, checks, strict=True)
        ],
    }


def installed_peers(problem: Problem, compiled: bool) -> list[Peer]:
    """fastbp as it comes, with one thread, and on Numba; and what else can do the setting."""
    counts = sorted({1, threads.available()})
    peers: list[Peer] = [Fastbp(problem, None), Fastbp(problem, 1)]
    if find_spec("numba") and backends.active().name != "numba":
        peers.append(FastbpNumba(problem, None))
    if find_spec("torch"):
        from _peers_torch import Torch, TorchCompiled

        peers += [
            kind(problem, n) for kind in (Torch, TorchCompiled)[: 1 + compiled] for n in counts
        ]
    if find_spec("jax"):
        from _peers_jax import Jax

        peers.append(Jax(problem, None))
    setting = problem.setting
    plain = setting.optimizer == "sgd" and not (setting.model or setting.normalization)
    if find_spec("sklearn") and setting.loss == "cross-entropy" and plain:
        # It has no hinge, no convolutions and no norms.
        from _peers_sklearn import ScikitLearn

        peers += [ScikitLearn(problem, n) for n in counts]
    return peers


def check(peer: Peer, problem: Problem) -> float:
    """Refuse a library that computes something else; returns the losses' largest difference."""
    setting, x = problem.setting, problem.x[:1]
    with fb.use_backend("numpy"):
        expected = problem.predicted(problem.start, x)
    with peer.limited():
        if not np.allclose(peer.predict(x), expected, rtol=TOLERANCE):
            raise ValueError(f"{peer}: predicts something else than the reference does")
        losses = peer.losses(first_order(setting.checked * setting.batch_size))
    return check_losses(str(peer), setting, losses)


def epoch_clock(peer: Peer, problem: Problem, most: int) -> Callable[[], float]:
    """What measures the seconds of a whole epoch."""
    whole = len(problem.x)
    fewer = not isinstance(peer, Fastbp) and problem.setting.batch_size <= SLOW_BATCH
    samples = min(most, whole) if fewer else whole
    order = first_order(samples)
    return lambda: peer.epoch(order) * whole / samples


def prediction_clock(peer: Peer, problem: Problem) -> Callable[[], float]:
    """What measures the seconds of predicting one sample."""
    x = problem.x[:1]

    def seconds() -> float:
        start = time.perf_counter()
        for _ in range(PREDICTIONS):
            peer.predict(x)
        return (time.perf_counter() - start) / PREDICTIONS

    return seconds


def about(args: argparse.Namespace) -> dict[str, Any]:
    """When, where and with what."""
    versions = {"fastbp": fb.__version__}
    for library in LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            continue
    backend = backends.active()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {"processor": processor(), "cores": threads.available()},
        "versions": versions,
        "backend": f"{backend.name} {backend.detail}",
        "repeats": args.repeats,
    }


def processor() -> str:
    """The processor's name, as far as it is told."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def progress(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
