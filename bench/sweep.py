"""Training's speed by batch size and by width, and the cells that are slower than they should be.

    python bench/sweep.py
    python bench/sweep.py --optimizer adam --threads 1 --output sweep.json

The networks are 16-width-width-1, tanh, squared error, on a table. A cell is the GFLOP/s of dense
arithmetic that a step of training comes to. A cell is marked if its rate is lower than beside it
where there is less work, or its step takes longer than beside it where there is more, by more than
a quarter: neither is explained by its share of work.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from settings import Setting, Table, on_table, train

from fastbp import backends
from fastbp.optimizers import OPTIMIZERS

BATCHES = (1, 2, 3, 4, 8, 16, 32, 64, 100, 128, 256, 512, 1000, 2000, 5000, 10_000)
WIDTHS = (1, 2, 4, 8, 16, 17, 32, 33, 64, 100, 128, 256, 512, 1024, 2048)
TABLE = Table(16, 1, 400_000)
MORE = 1.25  # times slower than its neighbours let expect
FASTER = 4  # steps are so many times more until they take long enough
SIGN = "*"  # of a marked cell


class Mark(NamedTuple):
    """A cell, how many times slower it is than the one beside it lets expect, and which that is."""

    batch: int
    width: int
    times: float
    beside: tuple[int, int]


def setting_of(batch: int, width: int, optimizer: str) -> Setting:
    """The training of a cell."""
    setting = on_table(f"batch {batch}, width {width}", (width, width), batch, TABLE)
    return replace(setting, optimizer=optimizer)


def seconds_of_step(setting: Setting, least: float, repeats: int, threads: int | None) -> float:
    """What a step adds to an epoch, of the shortest of some that last so long at least."""
    batch = setting.batch_size

    def epoch(steps: int) -> float:
        return train(setting, steps * batch, threads=threads, metrics=None).seconds

    epoch(1)  # makes the data, and whatever is made once
    one, steps = min(epoch(1), epoch(1)), 1
    while epoch(1 + steps) - one < least and (1 + steps * FASTER) * batch <= TABLE.rows:
        steps *= FASTER
    many = min(epoch(1 + steps) for _ in range(repeats))
    return max(many - one, 1e-9) / steps


def marks(
    batches: Sequence[int], widths: Sequence[int], seconds: np.ndarray, work: np.ndarray
) -> list[Mark]:
    """Cells that are too slow beside their neighbours, the worst first.

    Parameters
    ----------
    seconds, work : (batches, widths)
        Of a step; work grows along both.
    """
    found = []
    for here in np.ndindex(*seconds.shape):
        slower = [
            (float(seconds[here] / expected), beside)
            for beside, expected in _expected(here, seconds, work)
        ]
        times, (row, column) = max(slower, default=(0.0, (0, 0)))
        if times > MORE:
            beside = batches[row], widths[column]
            found.append(Mark(batches[here[0]], widths[here[1]], times, beside))
    return sorted(found, key=lambda mark: -mark.times)


def _expected(
    here: tuple[int, ...], seconds: np.ndarray, work: np.ndarray
) -> Iterator[tuple[tuple[int, int], float]]:
    """Each cell beside one, and how long a step takes here at most by what it takes there."""
    row, column = here
    for i, j in ((row - 1, column), (row, column - 1)):
        if min(i, j) >= 0:
            yield (i, j), seconds[i, j] * work[here] / work[i, j]
    for i, j in ((row + 1, column), (row, column + 1)):
        if i < seconds.shape[0] and j < seconds.shape[1]:
            yield (i, j), seconds[i, j]


def table(
    batches: Sequence[int], widths: Sequence[int], rates: np.ndarray, marked: Sequence[Mark]
) -> str:
    """GFLOP/s, a line a batch size and a column a width; and what is marked."""
    cells = {(mark.batch, mark.width) for mark in marked}
    lines = [f"{'batch':>6} |" + "".join(f"{width:>7} " for width in widths)]
    for batch, row in zip(batches, rates, strict=True):
        signs = [SIGN if (batch, width) in cells else " " for width in widths]
        lines.append(line(batch, row, signs))
    lines += [
        f"batch {mark.batch}, width {mark.width}: {mark.times:.2f} times slower than "
        f"batch {mark.beside[0]}, width {mark.beside[1]} lets expect"
        for mark in marked
    ]
    return "\n".join(lines)


def line(batch: int, rates: Sequence[float], signs: Sequence[str]) -> str:
    """Of the table."""
    texts = [f"{rate:>7.3g}{sign}" for rate, sign in zip(rates, signs, strict=True)]
    return f"{batch:>6} |" + "".join(texts)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES, metavar="N")
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS, metavar="N")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="sgd")
    parser.add_argument("--threads", type=int, metavar="N", help="(default: fastbp's own choice)")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="(default: 3)")
    parser.add_argument(
        "--seconds", type=float, default=0.02, help="of an epoch, at least (default: 0.02)"
    )
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="write the results")
    args = parser.parse_args(arguments)
    if min(*args.batches, *args.widths, args.repeats) < 1 or max(args.batches) * 2 > TABLE.rows:
        parser.error(
            "--batches, --widths, --repeats: expected whole numbers of at least 1, and batches of "
            f"at most {TABLE.rows // 2}"
        )
    args.batches, args.widths = sorted(set(args.batches)), sorted(set(args.widths))
    return args


def main(arguments: Sequence[str] | None = None) -> int:
    args = parse(arguments)
    shape = len(args.batches), len(args.widths)
    seconds, work = np.empty(shape), np.empty(shape)
    for i, batch in enumerate(args.batches):
        for j, width in enumerate(args.widths):
            setting = setting_of(batch, width, args.optimizer)
            work[i, j] = batch * setting.flops
            seconds[i, j] = seconds_of_step(setting, args.seconds, args.repeats, args.threads)
        say(line(batch, work[i] / seconds[i] / 1e9, " " * shape[1]), file=sys.stderr)
    found = marks(args.batches, args.widths, seconds, work)
    say(table(args.batches, args.widths, work / seconds / 1e9, found))
    if args.output:
        backend = backends.active()
        report = {
            "backend": f"{backend.name} {backend.detail}",
            "optimizer": args.optimizer,
            "batches": args.batches,
            "widths": args.widths,
            "seconds": seconds.tolist(),
            "flops": work.tolist(),
            "marked": [mark._asdict() for mark in found],
        }
        args.output.write_text(json.dumps(report, indent=1) + "\n")
    return 0


say = partial(print, flush=True)

if __name__ == "__main__":
    sys.exit(main())
