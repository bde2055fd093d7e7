"""fastbp beside PyTorch, JAX, scikit-learn and onnxruntime: the same work, in turn, on one machine.

    python bench/peers.py --output peers.json
    python bench/peers.py --table peers.json        the Markdown table of what was measured
    python bench/peers.py --goals peers.json        how it stands to what fastbp is to reach
    python bench/peers.py --peak peers.json         how near both are to what the machine can do

Every library starts from the same weights and takes the same samples in the same order. The losses
of the first hundred iterations, or what is predicted, are compared before anything is timed. Then
each works in turn, and again, and the medians count. Left out of the times, for everybody: setting
up, compiling, and keeping the data, which are scaled and in memory. Libraries that are not
installed are left out.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from _peers_base import Peer, Problem
from _peers_fastbp import Fastbp
from _peers_table import against_goals, against_the_machine, markdown
from _tasks import GOALS, NUMBA_GOALS, TASKS, Work
from settings import SEED, TOLERANCE, check_losses, first_order

import fastbp as fb
from fastbp import backends, threads

AT_ONCE = 1000  # samples predicted between two looks at the clock, at least
# Seconds of one measurement: a processor that slept is slow for some milliseconds.
LEAST = 0.3
REST = 0.2  # seconds before each: the threads of the library before it spin a while, then sleep
COMPILED = "torch.compile"
MODULES = {  # what must be there for the peers of a module
    "_peers_fastbp": ("fastbp",),
    "_peers_torch": ("torch",),
    "_peers_torch_many": ("torch",),
    "_peers_jax": ("jax",),
    "_peers_sklearn": ("sklearn",),
    "_peers_onnxruntime": ("onnx", "onnxruntime"),
}
LIBRARIES = ("torch", "jax", "scikit-learn", "onnxruntime", "numpy")


def main(arguments: Sequence[str] | None = None) -> int:
    args = parse(arguments)
    tables = (args.table, markdown), (args.goals, against_goals), (args.peak, against_the_machine)
    for file, made in tables:
        if file:
            say(made(json.loads(file.read_text())))
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
    say(f"\n{against_goals(report)}")
    if args.output:
        args.output.write_text(json.dumps(report, indent=2) + "\n")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    every = [*TASKS]
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
        "--seconds",
        type=float,
        default=1.0,
        metavar="S",
        help="how long another library trains at most in a measurement, from which a whole "
        "epoch's time is scaled (default: 1)",
    )
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        metavar="N",
        help="how many the other libraries are given (default: one, and then all)",
    )
    parser.add_argument("--compile", action="store_true", help="torch.compile too")
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="write the results")
    parser.add_argument("--table", type=Path, metavar="FILE.json", help="only print its table")
    parser.add_argument("--goals", type=Path, metavar="FILE.json", help="only print how it stands")
    parser.add_argument(
        "--peak", type=Path, metavar="FILE.json", help="only print how near the peak"
    )
    args = parser.parse_args(arguments)
    if args.repeats < 1 or not args.seconds >= 0:
        parser.error("--repeats: expected at least 1; --seconds: at least 0")
    return args


def measure(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """All measurements of one task."""
    task = TASKS[name]
    problem = Problem.of(task)
    peers = [
        peer
        for peer in installed_peers(problem, args.compile)
        if isinstance(peer, Fastbp) or args.threads is None or peer.threads in args.threads
    ]
    checks = [check(peer, problem) for peer in peers]
    clocks = [clock(peer, problem, args.seconds) for peer in peers]
    seconds: list[list[float]] = [[] for _ in peers]
    for repeat in range(args.repeats):  # A B C A B C: a busy moment of the machine meets all
        for peer, measured, times in zip(peers, clocks, seconds, strict=True):
            time.sleep(REST)
            with peer.limited():
                times.append(measured())
            progress(f"{name} {repeat + 1}/{args.repeats}  {peer}: {times[-1]:.3g} s")
    return {
        "description": str(task),
        "lr": task.setting.lr,
        "goals": GOALS.get(name, {}),
        "goals_of_numba": NUMBA_GOALS.get(name, {}),
        "peers": [
            {
                "name": peer.name,
                "way": peer.way,
                "threads": peer.threads,
                "median": statistics.median(times),
                "seconds": times,
                "largest_loss_difference": difference,
            }
            for peer, times, difference in zip(peers, seconds, checks, strict=True)
        ],
    }


def installed_peers(problem: Problem, compiled: bool) -> list[Peer]:
    """fastbp as it comes, with one thread, and on Numba; and what else can do the task."""
    modules = [name for name, needed in MODULES.items() if all(map(find_spec, needed))]
    kinds: list[type[Peer]] = [kind for name in modules for kind in import_module(name).PEERS]
    return [
        kind(problem, count)
        for kind in kinds
        if kind.can(problem) and (compiled or kind.name != COMPILED)
        for count in kind.counts(threads.available())
    ]


def check(peer: Peer, problem: Problem) -> float | None:
    """Refuse a library that computes something else; returns the losses' largest difference."""
    setting, x = problem.setting, problem.x[: problem.task.count]
    with peer.limited():
        if Work.PREDICT in peer.works:
            with fb.use_backend("numpy"):
                expected = problem.predicted(problem.start, x)
            found = peer.predict(x)
            if not np.allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE * expected.std()):
                raise ValueError(f"{peer}: predicts something else than the reference does")
        if problem.task.work is Work.PREDICT:
            return None
        losses = peer.losses(first_order(setting.checked * setting.batch_size))
    each = [losses] if problem.task.work is Work.TRAIN else losses
    if len(each) != len(problem.starts):
        raise ValueError(f"{peer}: losses of {len(each)} networks, not of {len(problem.starts)}")
    return max(
        check_losses(str(peer), setting, own, SEED + place) for place, own in enumerate(each)
    )


def clock(peer: Peer, problem: Problem, most: float) -> Callable[[], float]:
    """What measures the seconds of a task: of an epoch, of a network's step or of a prediction."""
    task = problem.task
    if task.work is Work.PREDICT:
        return prediction_clock(peer, problem)
    epoch = epoch_clock(peer, problem, most)
    if task.work is Work.TRAIN:
        return epoch
    steps = -(-task.setting.size // task.setting.batch_size) * task.count
    return lambda: epoch() / steps


def epoch_clock(peer: Peer, problem: Problem, most: float) -> Callable[[], float]:
    """What measures the seconds of a whole epoch; of others, by so many seconds of it."""
    setting, whole = problem.setting, len(problem.x)
    samples = whole
    if not isinstance(peer, Fastbp):
        few = setting.checked * setting.batch_size
        with peer.limited():
            fitting = int(most / peer.epoch(first_order(few)) * few)
        samples = min(max(few, fitting // setting.batch_size * setting.batch_size), whole)
    order = first_order(samples)

    def seconds() -> float:
        times: list[float] = []
        while not times or sum(times) < LEAST:
            times.append(peer.epoch(order))
        return statistics.mean(times) * whole / samples

    return seconds


def prediction_clock(peer: Peer, problem: Problem) -> Callable[[], float]:
    """What measures the seconds of one prediction."""
    x = problem.x[: problem.task.count]

    def seconds() -> float:
        start, calls, passed = time.perf_counter(), 0, 0.0
        while not calls or passed < LEAST:
            for _ in range(-(-AT_ONCE // len(x))):
                peer.predict(x)
                calls += 1
            passed = time.perf_counter() - start
        return passed / calls

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
