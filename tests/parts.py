"""One of each activation, loss and optimiser that exists, made from fastbp's own tables.

What is added to fastbp is tested here and wherever these are used, without being named.
"""

import inspect
from functools import partial

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
    """Each as it comes, then with all of its numbers turned on, then with its flags too."""
    for name, kind in KINDS_OF_OPTIMIZER.items():
        parameters = {p.name: p.default for p in inspect.signature(kind).parameters.values()}
        settings = {"lr": RATE} | ({"epsilon": EPSILON} if "epsilon" in parameters else {})
        yield name, partial(kind, **settings)
        off = [n for n, value in parameters.items() if isinstance(value, float) and not value]
        zeros = {n: TURNED_ON[n] for n in off}
        if zeros:
            yield f"{name}, {', '.join(zeros)}", partial(kind, **settings, **zeros)
        flags = {n: True for n, value in parameters.items() if value is False}
        if flags:
            yield f"{name}, {', '.join(flags)}", partial(kind, **settings, **zeros, **flags)


OPTIMIZERS = dict(_optimizers())
