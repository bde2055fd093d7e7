"""``python -m fastbp gradcheck``: every hand-written gradient against numeric ones."""

import argparse
import inspect
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

import numpy as np

import fastbp as fb
from fastbp import backends
from fastbp.cli import _arguments
from fastbp.cli._arguments import FAILURE
from fastbp.layers import ACTIVATIONS, Shape
from fastbp.losses import LOSSES, Loss
from fastbp.network import Sequential

SAMPLE_SIZE, SAMPLE_SHAPE = 7, (2, 7, 6)  # of the samples

Part = TypeVar("Part")

HELP = "check every layer's and loss's gradient against central differences"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    _arguments.add_backend(parser, "all that there are")
    parser.add_argument(
        "--seed", type=_arguments.whole(0), default=0, metavar="N", help="of the samples"
    )
    _arguments.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the worst relative error of each check; 1 if one is too large."""
    rows: list[dict[str, object]] = []
    failures = 0
    for name, problem in _backends(args.backend):
        if problem:
            rows.append({"backend": name, "not available": problem})
            continue
        with backends.use_backend(name):
            for dtype in ("float32", "float64"):
                for what, net, loss in cases(dtype, args.seed):
                    x, y = _samples(args.seed, net.inputs or SAMPLE_SIZE, loss)
                    result = fb.gradcheck(net, loss, x, y)
                    failures += not result
                    about = {"what": what, "backend": name, "dtype": dtype}
                    found = {"worst": result.worst, "tolerance": result.tolerance}
                    rows.append({**about, **found, "ok": bool(result)})
    if args.json:
        _arguments.print_json({"ok": not failures, "checks": rows})
    else:
        _print(rows, failures)
    return FAILURE if failures else 0


def examples(kind: type[Part]) -> list[Callable[[], Part]]:
    """Ways to make one: with its own numbers, and, where it has any, with half of each.

    A quarter stands for the half of a number that is 0 or None, which means that it is left out.
    """
    parameters = inspect.signature(kind).parameters.values()
    numbers = {p.name: p.default for p in parameters if isinstance(p.default, float | None)}
    others = {name: default / 2 if default else 0.25 for name, default in numbers.items()}
    return [kind, *([partial(kind, **others)] if others else [])]


def cases(dtype: str, seed: int) -> Iterator[tuple[str, Sequential, Loss]]:
    """Every layer under a smooth loss, and every loss: (what is checked, network, loss)."""

    def net(*middle: fb.Layer, last: tuple[fb.Layer, ...] = ()) -> Sequential:
        return fb.Sequential(
            fb.Linear(SAMPLE_SIZE, 5),
            *middle,
            fb.Linear(5, 4),
            *last,
            seed=seed,
            init="glorot",
            dtype=dtype,
        )

    yield "Linear", net(), fb.CrossEntropyLoss()
    yield "Linear(5, 5, bias=False)", net(fb.Linear(5, 5, bias=False)), fb.CrossEntropyLoss()
    for kind in ACTIVATIONS.values():
        for make in examples(kind):
            yield repr(make()), net(make()), fb.CrossEntropyLoss()
    yield "LogSoftmax()", net(fb.LogSoftmax()), fb.CrossEntropyLoss()
    standard = fb.Standardize(np.linspace(-1, 1, 5), np.linspace(0.5, 2, 5))
    plain = fb.BatchNorm1d(5, affine=False), fb.LayerNorm(5, elementwise_affine=False)
    for norm in (fb.BatchNorm1d(5), fb.LayerNorm(5), *plain, fb.Scale(5), standard):
        yield repr(norm), net(norm, fb.Sigmoid()), fb.CrossEntropyLoss()
    used = net(fb.BatchNorm1d(5), fb.Sigmoid())
    yield "BatchNorm1d(5), in use", used.eval(), fb.CrossEntropyLoss()
    for loss in (make() for kind in LOSSES.values() for make in examples(kind)):
        last = (fb.LogSoftmax(),) if isinstance(loss, fb.NLLLoss) else ()
        yield repr(loss), net(fb.Tanh(), last=last), loss
    for layer in (fb.Dropout(0.4), fb.Residual(fb.Linear(5, 5), fb.Residual(fb.Sigmoid()))):
        yield repr(layer), net(layer), fb.CrossEntropyLoss()
    yield from image_cases(dtype, seed)


def image_cases(dtype: str, seed: int) -> Iterator[tuple[str, Sequential, Loss]]:
    """Every layer of images, behind a convolution, so that its dx is checked too."""

    def net(*layers: fb.Layer) -> Sequential:
        return fb.Sequential(
            fb.Conv2d(2, 3, 2),
            *layers,
            fb.Flatten(),
            fb.Linear(columns(*layers), 4),
            input_shape=SAMPLE_SHAPE,
            seed=seed,
            init="glorot",
            dtype=dtype,
        )

    def columns(*layers: fb.Layer) -> int:
        shape: Shape | None = (3, 6, 5)
        for layer in layers:
            shape = layer.output_shape(shape)
        return math.prod(shape or ())

    convolutions = (
        fb.Conv2d(3, 2, 3),
        fb.Conv2d(3, 2, (3, 2), (2, 1), (1, 0)),
        fb.Conv2d(3, 6, (2, 3), padding="same", groups=3, bias=False),
    )
    max_pools = fb.MaxPool2d(2), fb.MaxPool2d(3, 2, 1)
    avg_pools = fb.AvgPool2d(2), fb.AvgPool2d((3, 2), 1, 1)
    residual = fb.Residual(fb.Conv2d(3, 3, 3, padding=1), fb.Sigmoid())
    norms = fb.BatchNorm2d(3), fb.BatchNorm2d(3, affine=False)
    for layer in (*convolutions, *max_pools, *avg_pools, *norms, residual):
        yield repr(layer), net(layer), fb.CrossEntropyLoss()
    yield "Flatten()", net(), fb.CrossEntropyLoss()


def _samples(seed: int, inputs: int, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(11, inputs)), loss.example_target(rng, 11, 4)


def _backends(name: str | None) -> Iterator[tuple[str, str]]:
    """The backends to check, each with why it cannot be, or ""."""
    if name in (None, "auto"):
        for each, found in backends.status():
            yield each, found if isinstance(found, str) else ""
    else:
        yield backends.use_backend(str(name)).name, ""


def _print(rows: list[dict[str, object]], failures: int) -> None:
    table = []
    for row in rows:
        if "not available" in row:
            table.append(
                ["-", str(row["backend"]), "-", "-", f"not available: {row['not available']}"]
            )
        else:
            verdict = "ok" if row["ok"] else f"WRONG (above {row['tolerance']:g})"
            table.append(
                [
                    str(row["what"]),
                    str(row["backend"]),
                    str(row["dtype"]),
                    f"{row['worst']:.1e}",
                    verdict,
                ]
            )
    title = "every gradient holds" if not failures else f"{failures} GRADIENTS ARE WRONG"
    _arguments.print_table(
        title, ["checked", "backend", "dtype", "worst relative error", "verdict"], table
    )
