"""One of each activation, loss and optimiser that exists, made from fastbp's own tables.

What is added to fastbp is tested here and wherever these are used, without being named.
"""

import inspect
from collections.abc import Iterable
from functools import partial
from itertools import combinations
from typing import Any

from fastbp.cli.gradcheck import examples
from fastbp.layers import ACTIVATIONS as KINDS_OF_ACTIVATION
from fastbp.losses import LOSSES as KINDS_OF_LOSS
from fastbp.optimizers import OPTIMIZERS as KINDS_OF_OPTIMIZER

# Each with other numbers than it comes with, where it has any.
ACTIVATIONS = {kind.__name__: examples(kind)[-1] for kind in KINDS_OF_ACTIVATION.values()}
LOSSES = {kind.__name__: examples(kind)[-1] for kind in KINDS_OF_LOSS.values()}
LOSSES["CrossEntropyLoss, not smoothed"] = KINDS_OF_LOSS["cross-entropy"]  # a way of its own

# A large epsilon, for else the first steps of two dtypes part where a gradient is nearly 0.
RATE, EPSILON = 0.002, 1e-3
TURNED_ON = {
    "momentum": 0.5,
    "weight_decay": 0.01,
    "lr_decay": 0.05,
    "initial_accumulator_value": 0.1,
}  # numbers that are 0 unless somebody wants them


def _optimizers():
    """Each as it comes, then with all of its numbers turned on, then with its flags too.

    What is True by default is turned off with the flags: decay_biases.
    """
    for name, kind in KINDS_OF_OPTIMIZER.items():
        parameters = {p.name: p.default for p in inspect.signature(kind).parameters.values()}
        settings = {"lr": RATE} | ({"epsilon": EPSILON} if "epsilon" in parameters else {})
        yield name, partial(kind, **settings)
        off = [n for n, value in parameters.items() if isinstance(value, float) and not value]
        zeros = {n: TURNED_ON[n] for n in off}
        if zeros:
            yield f"{name}, {', '.join(zeros)}", partial(kind, **settings, **zeros)
        flags = {n: not value for n, value in parameters.items() if isinstance(value, bool)}
        if flags:
            yield f"{name}, {', '.join(flags)}", partial(kind, **settings, **zeros, **flags)


OPTIMIZERS = dict(_optimizers())


def each(*tables: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Combinations in which every value of every table occurs: as many as the longest has."""
    values = [list(table) for table in tables]
    return [tuple(table[n % len(table)] for table in values) for n in range(max(map(len, values)))]


def pairs(*tables: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Combinations, of one value of each table, in which every two values of two tables meet.

    Parts that err together do so in twos: all products would say no more, in many times the time.
    """
    values = [list(table) for table in tables]
    missing = {
        frozenset({(f, a), (g, b)})
        for f, g in combinations(range(len(values)), 2)
        for a in range(len(values[f]))
        for b in range(len(values[g]))
    }
    left, rows = sorted(map(sorted, missing)), []
    for pair in left:
        if frozenset(pair) not in missing:
            continue
        row = dict(pair)
        for table in {*range(len(values))} - {*row}:
            row[table] = max(
                range(len(values[table])),
                key=lambda value: sum(  # of the pairs that it would add
                    frozenset({(table, value), other}) in missing for other in row.items()
                ),
            )
        missing -= {frozenset(two) for two in combinations(row.items(), 2)}
        rows.append(tuple(values[table][row[table]] for table in range(len(values))))
    return rows
