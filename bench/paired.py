"""Two checkouts of fastbp against each other: the same trainings in turn, and their times' ratio.

    python bench/paired.py OLD_ROOT NEW_ROOT
    python bench/paired.py OLD_ROOT NEW_ROOT --setting final-b8 predict-one --repeats 5

Each checkout, built in place, has a process of its own, with its own bench/settings.py. They run a
setting in turn, A B A B, so that a busy moment of the machine meets both; the ratio of each pair
counts, and below 1 the second checkout is faster. Where a process's memory happens to lie can make
it some percent faster than another one of the same code, so processes are started anew a few times.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

TRAININGS = ("final-b8", "deep-b8", "simple-b64", "final-b512", "lenet-b32")  # of settings.py
ON_TABLES = ("control-b256", "table-b32", "tiny-b10000", "policy-b1024", "tiny-b8")  # if asked for
PREDICT_ONE, BACKEND = "predict-one", "backend"
PREDICTIONS = 2000  # calls in one measurement
WARM_UP = 2000  # samples of the training before the first that counts
NOT_FOR_WORKERS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # set, they change one library's speed


class WorkerError(RuntimeError):
    """A checkout's process could not do what it was asked for."""


class Worker:
    """A process that runs settings with the fastbp of one checkout."""

    def __init__(self, root: Path, **more: str) -> None:
        environment = {k: v for k, v in os.environ.items() if k not in NOT_FOR_WORKERS} | more
        self.root = root.resolve()
        environment["PYTHONPATH"] = str(self.root)
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **question: Any) -> Any:
        """Send a question, and wait for the answer."""
        try:
            say(json.dumps(question), self.process.stdin)
            answer = json.loads(self.process.stdout.readline())  # type: ignore[union-attr]
        except (BrokenPipeError, json.JSONDecodeError):
            raise WorkerError(f"{self.root}: its process ended, see above") from None
        if "problem" in answer:
            raise WorkerError(f"{self.root}: {answer['problem']}")
        return answer["result"]

    def __enter__(self) -> Self:
        found = Path(self.ask(name="where"))
        if self.root not in found.parents:
            raise WorkerError(f"{self.root}: there is no fastbp in it; Python finds {found}")
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.communicate()


def work() -> int:
    """A worker's life: a question a line, an answer a line."""
    sys.path.insert(0, os.path.join(os.environ["PYTHONPATH"], "bench"))  # its own settings.py
    for line in sys.stdin:
        try:
            answer = {"result": measured(**json.loads(line))}
        except (ImportError, ValueError, RuntimeError) as problem:
            answer = {"problem": f"{type(problem).__name__}: {problem}"}
        say(json.dumps(answer))
    return 0


def measured(name: str, threads: int | None = None, samples: int | None = None) -> float | str:
    """The seconds of a training's epoch, the microseconds of a prediction, or what fastbp is."""
    import settings  # here, as it imports fastbp, which only a worker has

    if name == "where":
        return settings.fb.__file__
    if name == BACKEND:
        active = settings.fb.backends.active()
        return f"{active.name} {active.detail}"
    if name == PREDICT_ONE:
        return prediction(settings)
    history = settings.train(settings.SETTINGS[name], samples, threads=threads)
    if not history.path.endswith("fused"):
        raise RuntimeError(f"{name}: expected the engine, ran {history.path}")
    return history.seconds


def prediction(settings: Any) -> float:
    """Microseconds to predict one sample, the network being there."""
    net, (x, _) = settings.PREDICTION.net(), settings.training_data().batch(range(1))
    net.predict_proba(x)
    start = time.perf_counter()
    for _ in range(PREDICTIONS):
        net.predict_proba(x)
    return (time.perf_counter() - start) / PREDICTIONS * 1e6


def pairs(
    workers: Sequence[Worker], name: str, threads: int | None, repeats: int
) -> Iterator[list[float]]:
    """Measure a setting with each checkout, so many times."""
    for worker in workers:
        worker.ask(name=name, threads=threads, samples=WARM_UP)
    for repeat in range(repeats):
        times = [worker.ask(name=name, threads=threads) for worker in workers]
        say(f"{name} {repeat + 1}/{repeats}: {times[0]:.4g}, {times[1]:.4g}", sys.stderr)
        yield times


def row(name: str, measured: Sequence[list[float]]) -> str:
    """A line of the table: both medians, and the ratio's median and quartiles."""
    times = np.array(measured)
    old, new = np.median(times, axis=0)
    unit = "µs" if name == PREDICT_ONE else "s"
    low, middle, high = np.quantile(times[:, 1] / times[:, 0], [0.25, 0.5, 0.75])
    return f"{name:<12} {old:>9.4g} {new:>9.4g} {unit:<2} {middle:>8.3f}  ({low:.3f} to {high:.3f})"


def say(text: str, stream: IO[str] | None = None) -> None:
    print(text, file=stream or sys.stdout, flush=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    every = [*TRAININGS, PREDICT_ONE]
    parser.add_argument("roots", nargs=2, type=Path, metavar="ROOT", help="the two checkouts")
    parser.add_argument(
        "--repeats",
        type=int,
        default=3,
        metavar="N",
        help="measurements in a pair of processes (default: 3)",
    )
    parser.add_argument(
        "--processes",
        type=int,
        default=3,
        metavar="N",
        help="pairs of processes, one after another (default: 3)",
    )
    parser.add_argument(
        "--setting",
        nargs="+",
        choices=[*every, *ON_TABLES],
        default=every,
        metavar="NAME",
        help=f"of {', '.join(every)} (default: these), {', '.join(ON_TABLES)}",
    )
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="that train (default: as many as fastbp takes by itself)",
    )
    args = parser.parse_args(arguments)
    if min(args.repeats, args.processes, 1 if args.threads is None else args.threads) < 1:
        parser.error("--repeats, --processes, --threads: expected whole numbers of at least 1")
    return args


def main(arguments: Sequence[str] | None = None) -> int:
    args = parse(arguments)
    times: dict[str, list[list[float]]] = {name: [] for name in args.setting}
    try:
        for _ in range(args.processes):
            with Worker(args.roots[0]) as old, Worker(args.roots[1]) as new:
                for name in args.setting:
                    times[name] += pairs((old, new), name, args.threads, args.repeats)
    except WorkerError as problem:
        say(f"paired: {problem}", sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    say(f"{'':<12} {'old':>9} {'new':>9}    {'new/old':>8}  (quartiles)")
    for name in args.setting:
        say(row(name, times[name]))
    return 0


if __name__ == "__main__":
    sys.exit(work() if sys.argv[1:] == ["--worker"] else main())
