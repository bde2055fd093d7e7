"""What fastbp promises of its speed beside the comparison with others: one table of what holds.

    python bench/promises.py
    python bench/promises.py --only float64 import --settings final-b8 --output promises.json

The two sides of each ratio run in turn, and the shortest time of each counts, since whatever
disturbs makes it longer. A processor's level and another training on the same cores take processes
of their own (paired.py's).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from _tasks import POLICY
from paired import BACKEND, Worker, WorkerError
from settings import PREDICTION, SETTINGS, Setting, fitting, train

import fastbp as fb

ROOT = Path(__file__).resolve().parents[1]
EPOCHS = 3  # where all of fit's call counts
ROWS = (1, 8, 1000)  # predicted at a time
LEAST = 0.02  # seconds that predictions are repeated for
LEVELS = ("v3", "v4")  # AVX2's and AVX-512's
FOREVER = "--train-forever"  # what the other training on the same cores is started with
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"

Figures = Iterator[tuple[str, float]]  # of what, and what it is


class Promise(NamedTuple):
    """What is to hold of each of a measure's figures."""

    what: str
    sign: str  # ≥ or ≤
    bound: float
    unit: str
    measure: Callable[[Sequence[Setting], int], Figures]

    def holds(self, figure: float) -> bool:
        """Whether it does."""
        return figure >= self.bound if self.sign == "≥" else figure <= self.bound


def shortest(sides: Sequence[Callable[[], float]], repeats: int) -> list[float]:
    """The shortest time of each side, all in turn; the first is for what is not loaded yet.

    And for BLAS: its threads spin for some 30 ms after the products that made the data.
    """
    for side in sides:
        side()
    times = [[side() for side in sides] for _ in range(repeats)]
    return list(map(min, zip(*times, strict=True)))


def epoch_of(setting: Setting, threads: int | None = None) -> Callable[[], float]:
    """What trains for an epoch and says how long it took."""
    return lambda: train(setting, threads=threads, metrics=None).seconds


def double(settings: Sequence[Setting], repeats: int) -> Figures:
    """float64's speed beside float32's."""
    for setting in settings:
        sides = [epoch_of(replace(setting, dtype=dtype)) for dtype in ("float32", "float64")]
        single, of_double = shortest(sides, repeats)
        yield setting.name, single / of_double


def level(settings: Sequence[Setting], repeats: int) -> Figures:
    """The speed of AVX2's kernels beside AVX-512's, where both are built and the processor runs."""
    with ExitStack() as stack:
        workers = []
        for each in LEVELS:
            worker = Worker(ROOT, FASTBP_CPU=each, FASTBP_BACKEND="cython")
            workers.append(stack.enter_context(worker))
            if (found := worker.ask(name=BACKEND)) != f"cython {each}":
                raise WorkerError(f"there is no {each}: {found}")
        for setting in settings:
            sides = [partial(worker.ask, name=setting.name) for worker in workers]
            slow, fast = shortest(sides, repeats)
            yield setting.name, fast / slow


@contextmanager
def disturbed(setting: Setting) -> Iterator[None]:
    """Another process trains the same meanwhile."""
    command = [sys.executable, __file__, FOREVER, setting.name]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        other.stdout.readline()  # type: ignore[union-attr] # it has begun
        yield
    finally:
        other.kill()
        other.communicate()


def train_forever(setting: Setting) -> None:
    """The life of that process."""
    while True:
        train(setting, metrics=None)
        say("trained")


def beside_another(settings: Sequence[Setting], repeats: int) -> Figures:
    """How many times as long an epoch takes beside another training; the median counts."""
    for setting in settings:
        epoch = epoch_of(setting)
        alone = min(epoch() for _ in range(repeats))
        with disturbed(setting):
            yield setting.name, statistics.median(epoch() for _ in range(repeats)) / alone


def chosen_threads(settings: Sequence[Setting], repeats: int) -> Figures:
    """An epoch with as many threads as fastbp takes by itself, beside one."""
    for setting in settings:
        chosen, one = shortest([epoch_of(setting), epoch_of(setting, 1)], repeats)
        yield setting.name, chosen / one


def calls_of(predict: Callable[[], object]) -> Callable[[], float]:
    """What predicts for a while and says how long a call took."""
    predict()
    start, calls = time.perf_counter(), 1
    while time.perf_counter() - start < LEAST:
        predict()
        calls += 1

    def seconds() -> float:
        started = time.perf_counter()
        for _ in range(calls):
            predict()
        return (time.perf_counter() - started) / calls

    return seconds


def frozen(settings: Sequence[Setting], repeats: int) -> Figures:
    """A prediction of a frozen network beside the plain one, for networks of several sizes."""
    for setting in (PREDICTION, POLICY, SETTINGS["tiny-b8"], SETTINGS["final-b8"]):
        data, net = setting.samples(max(ROWS)), setting.net()
        x = data[0] if isinstance(data, tuple) else data.batch(slice(None))[0]
        for rows in ROWS:
            sides = [calls_of(partial(each.scores, x[:rows])) for each in (net.frozen(), net)]
            of_frozen, plain = shortest(sides, 2 * repeats)
            yield f"{'-'.join(map(str, setting.sizes))}, {rows} rows", of_frozen / plain


def beyond_training(settings: Sequence[Setting], repeats: int) -> Figures:
    """What fit takes beside the steps: order, checks, running scores, a callback; in per cent."""
    options = {"metrics": "running", "callbacks": fb.Callback(), "epochs": EPOCHS}

    def beyond(setting: Setting) -> float:
        fit = fitting(setting, **options)
        start = time.perf_counter()
        history = fit()
        return (time.perf_counter() - start) / history.seconds - 1

    for setting in settings:
        yield setting.name, 100 * min(beyond(setting) for _ in range(repeats))


def importing(settings: Sequence[Setting], repeats: int) -> Figures:
    """Milliseconds of importing fastbp above NumPy's, both compiled to bytecode."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {key: value for key, value in os.environ.items() if key != NO_BYTECODE}
        environment["PYTHONPYCACHEPREFIX"] = folder

        def seconds(what: str) -> float:
            command = [sys.executable, "-c", IMPORT.format(what)]
            done = subprocess.run(command, env=environment, capture_output=True, check=True)
            return float(done.stdout)

        sides = [partial(seconds, "numpy"), partial(seconds, "fastbp")]
        numpy, all_of_it = shortest(sides, 1 + 3 * repeats)  # the first compiles
    yield "import fastbp", 1000 * (all_of_it - numpy)


PROMISES = {
    "float64": Promise("float64's speed, of float32's", "≥", 0.45, "", double),
    "level": Promise("AVX2's speed, of AVX-512's", "≥", 0.5, "", level),
    "shared": Promise("time beside another training, of alone", "≤", 3, "", beside_another),
    "threads": Promise("time with the threads it takes, of one's", "≤", 1.05, "", chosen_threads),
    "frozen": Promise("time of a frozen network, of a plain one's", "≤", 1.03, "", frozen),
    "beyond": Promise("fit beyond its training", "≤", 5, " %", beyond_training),
    "import": Promise("import above NumPy's", "≤", 30, " ms", importing),
}


def measured(name: str, settings: Sequence[Setting], repeats: int) -> dict[str, float] | str:
    """A promise's figures, or why there are none."""
    try:
        figures = {}
        for of, figure in PROMISES[name].measure(settings, repeats):
            say(f"{name}, {of}: {figure:.3g}", file=sys.stderr)
            figures[of] = figure
    except WorkerError as problem:
        return str(problem)
    return figures


def table(report: dict[str, dict[str, float] | str]) -> str:
    """What is wanted and what is, as Markdown; the worst first."""
    lines = ["| promise | of | wanted | is | holds |", "| --- | --- | ---: | ---: | --- |"]
    for name, figures in report.items():
        promise = PROMISES[name]
        wanted = f"{promise.sign} {promise.bound:g}{promise.unit}"
        if isinstance(figures, str):
            lines.append(f"| {promise.what} | {figures} | {wanted} | – | – |")
            continue
        for of, figure in sorted(figures.items(), key=lambda item: item[1] * _worse(promise)):
            verdict = "yes" if promise.holds(figure) else "**no**"
            cells = promise.what, of, wanted, f"{figure:.2f}{promise.unit}", verdict
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _worse(promise: Promise) -> int:
    return 1 if promise.sign == "≥" else -1


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*SETTINGS]
    parser.add_argument("--only", nargs="+", choices=PROMISES, default=[*PROMISES])
    parser.add_argument("--settings", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="(default: 3)")
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="write the results")
    parser.add_argument("--table", type=Path, metavar="FILE.json", help="only print its table")
    parser.add_argument(FOREVER, choices=names, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.repeats < 1:
        parser.error("--repeats: expected a whole number of at least 1")
    if args.train_forever:
        train_forever(SETTINGS[args.train_forever])
    if args.table:
        say(table(json.loads(args.table.read_text())))
        return 0
    settings = [SETTINGS[name] for name in args.settings]
    report = {name: measured(name, settings, args.repeats) for name in args.only}
    say(table(report))
    if args.output:
        args.output.write_text(json.dumps(report, indent=1) + "\n")
    return 0


say = partial(print, flush=True)

if __name__ == "__main__":
    sys.exit(main())
