"""Calls everything public with things that make no sense, in processes of their own.

    python tests/harness/nonsense.py --calls 5000 --seed 1

What is public is read from ``__all__``, and what it takes from signatures: what is added to fastbp
is called too, without being named here. Each call is a good one but for one argument or two. The
right answers are a refusal (ValueError, TypeError, or what the docstring's Raises names), or a
result; for what is a good argument in another form (other strides, another byte order) the result
of the good one. Exit code 1 if there is any other.
"""

import argparse
import inspect
import io
import os
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from functools import partial
from random import Random
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import workers
from values import ENDLESS, GOOD, Nonsense, Same, good, nonsense, same
from workers import Found, Limits

import fastbp as fb
import fastbp.c
import fastbp.models
import fastbp.numpy_source
import fastbp.plots
from fastbp.layers import Layer
from fastbp.losses import Loss

MODULES: tuple[tuple[str, ModuleType], ...] = (
    ("fb", fb),
    *(
        (f"fb.{name}", module)
        for name in dir(fb)
        if name in vars(fb) or name in fb.__all__  # and not PyTorch, where nothing asked for it
        if isinstance(module := getattr(fb, name), ModuleType)
    ),
)
FILES = {"name", "path", "source"}
ALWAYS = (ValueError, TypeError)
LIMITS = Limits()
OWN = {"Callback", "Layer", "Initializer"}  # whose methods users write
INNER = {  # methods that fastbp calls with what it has checked
    "check_target": "of losses: with the shape of the scores",
    "compute": "of losses: with arrays of the kernels' contract",
    "update": "of optimisers: by step",
    "remember": "of optimisers: by step",
    "encoded": "of tables: by encode",
    "numbers": "of losses: by the engines",
    "kind_for": "of losses: by the engines",
    "meaning": "of losses: by fit",
    "outputs_for": "of losses: by the command line",
    "example_target": "of losses: for checks",
    "as_input": "of networks: by whoever checks samples",
    "fit": "of networks: fb.fit, which is called itself",
    "factors": "of schedules: by fit, as checked_factors",
    "watched": "of schedules: by fit",
}


class Target(NamedTuple):
    """Something to call: its name, how it is made anew, and what it may raise."""

    name: str
    make: Callable[[], Callable[..., Any]]
    raises: tuple[str, ...]


def public() -> Iterator[tuple[str, Any]]:
    """Names and what they stand for."""
    for prefix, module in MODULES:
        names = getattr(module, "__all__", None)
        if names is None:
            names = [
                n
                for n, v in vars(module).items()
                if not n.startswith("_")
                and getattr(v, "__module__", "").startswith(module.__name__)
            ]
        for name in names:
            yield f"{prefix}.{name}", getattr(module, name)


def targets() -> list[Target]:
    """Every function, constructor and method."""
    found = []
    for name, thing in public():
        if isinstance(thing, ModuleType) or not callable(thing):
            continue
        if inspect.isclass(thing) and issubclass(thing, Exception):
            continue
        found.append(Target(name, partial(_itself, thing), raised_by(thing)))
        called_by_fit = inspect.isclass(thing) and issubclass(thing, fb.Callback)
        if inspect.isclass(thing) and thing.__name__ not in OWN and not called_by_fit:
            found += methods(name, thing)
    return found


def methods(name: str, kind: type) -> Iterator[Target]:
    """The public methods of a class, each of an object that is made anew."""
    for attribute in dir(kind):
        shown = not attribute.startswith("_") or attribute == "__call__"
        method = inspect.getattr_static(kind, attribute)
        if issubclass(kind, Layer):  # networks and engines call the rest
            shown = attribute in ("forward", "backward")
        of_initializer = issubclass(kind, fb.initializers.Initializer)  # called by layers
        if shown and inspect.isfunction(method) and attribute not in INNER and not of_initializer:
            make = partial(_method, kind, attribute)
            yield Target(f"{name}.{attribute}", make, raised_by(method) + raised_by(kind))


def _itself(thing: Any) -> Any:
    return thing


def _method(kind: type, attribute: str) -> Any:
    return getattr(instance(kind), attribute)


def instance(kind: type) -> Any:
    """A good object of a class; a layer in a network that has run forward."""
    if kind is fb.Sequential:
        net = good("net")
        net.forward(good("x"))
        return net
    if kind is fb.History:
        return fb.fit(good("net"), good("x"), good("y"), epochs=2)
    if kind is fb.datasets.Dataset:
        return kind(**arguments(kind), image_shape=(2, 2))
    if kind is fb.datasets.Shards:
        return fb.datasets.shards((good("x"), good("y")))
    made = outcome(kind, arguments(kind))
    if isinstance(made, Layer):
        x = of_layer(made)
        fb.Sequential(made, input_shape=x.shape[1:] if x.ndim > 2 else None, dtype="float64")
        made.training = False  # so that Dropout drops nothing, and results are the same
        made.forward(x)
    return made


def of_layer(layer: Layer) -> np.ndarray:
    """What a layer takes: images or rows."""
    return good("images" if "2d" in type(layer).__name__ else "x")


def arguments(function: Callable[..., Any]) -> dict[str, Any]:
    """Good ones for what a function must be given."""
    of = getattr(function, "__self__", None)
    if isinstance(of, Layer):
        x = of_layer(of)
        return {"x": x} if function.__name__ == "forward" else {"dy": np.ones_like(of.forward(x))}
    if isinstance(of, Loss):
        x = good("x")
        return {"x": x, "target": of.example_target(good("rng"), *x.shape)}
    parameters = inspect.signature(function).parameters.values()
    return {
        p.name: good(p.name, function)
        for p in parameters
        if p.default is p.empty and p.kind is not p.VAR_KEYWORD
        if p.kind is not p.VAR_POSITIONAL or p.name in GOOD
    }


def raised_by(thing: Any) -> tuple[str, ...]:
    """The exceptions that a docstring's Raises names."""
    text = inspect.getdoc(thing) or ""
    part = re.search(r"Raises\n-+\n(.*?)(?:\n\w+\n-+\n|\Z)", text, re.DOTALL)
    return tuple(re.findall(r"\b[A-Z]\w*(?:Error|Interrupt)\b", part[1])) if part else ()


def task(seed: int) -> workers.Task:
    """What a process does with the number of a call."""
    found = targets()
    os.chdir(tempfile.mkdtemp())
    warnings.simplefilter("ignore")

    def one(number: int) -> str | None:
        return attempt(found[number % len(found)], Random(f"{seed} {number}"))

    return one


def attempt(target: Target, random: Random) -> str | None:
    """Call it once; what is wrong with how that went, if anything."""
    fb.use_backend("auto")
    function = target.make()
    parameters = [
        p for p in inspect.signature(function).parameters.values() if p.kind is not p.VAR_KEYWORD
    ]
    given = arguments(function)
    changed: dict[str, Nonsense | Same] = {}
    chosen = random.sample(parameters, min(len(parameters), random.choice((1, 1, 1, 2))))
    for parameter in chosen:
        other = same(given.get(parameter.name), random) if random.random() < 0.25 else None
        changed[parameter.name] = other or nonsense(random)
        if parameter.name in ENDLESS and changed[parameter.name].endless:
            return None
    shown = f"{target.name}({', '.join(f'{n}={c.name}' for n, c in changed.items())})"
    call = given | {name: change.make() for name, change in changed.items()}
    expected: Any = Ellipsis
    if changed and all(isinstance(change, Same) for change in changed.values()):
        with suppress(Exception):  # what has no good call has none in other forms either
            expected = outcome(target.make(), arguments(function))
    try:
        result = outcome(function, call)
    except BaseException as problem:
        of_file = isinstance(problem, OSError) and FILES & set(changed)
        if expected is Ellipsis and (of_file or allowed(problem, target)):
            return None
        return f"{shown}: {workers.raised(problem)}"
    if expected is not Ellipsis and not equal(result, expected):
        return f"{shown}: not the result of the same in plain form"
    return None


def outcome(function: Callable[..., Any], given: dict[str, Any]) -> Any:
    """What a call returns. Arguments go by name, but where there are any number of them."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for p in inspect.signature(function).parameters.values():
        if p.name in given:
            if p.kind is p.VAR_POSITIONAL:
                values = given[p.name]
                positional += values if isinstance(values, tuple | list) else [values]
            elif p.kind is p.POSITIONAL_ONLY:
                positional.append(given[p.name])
            else:
                named[p.name] = given[p.name]
    with np.errstate(all="ignore"), redirect_stdout(io.StringIO()):
        return function(*positional, **named)


def allowed(problem: BaseException, target: Target) -> bool:
    """Whether it is a refusal. NumPy refuses memory that there is not, which may be asked for."""
    if isinstance(problem, MemoryError):
        return "Unable to allocate" in str(problem)
    if isinstance(problem, OverflowError):
        return False
    if isinstance(problem, ModuleNotFoundError):  # an extra
        return True
    if isinstance(problem, AttributeError) and target.name.count(".") > 1:
        return True  # of an object in place of a network, say, which only fit and its like check
    names = {kind.__name__ for kind in type(problem).__mro__}
    return isinstance(problem, ALWAYS) or bool(names & set(target.raises))


def equal(result: Any, expected: Any) -> bool:
    """Whether two results are the same; what has no numbers is not compared."""
    if isinstance(expected, np.ndarray):
        return isinstance(result, np.ndarray) and np.array_equal(result, expected, equal_nan=True)
    if isinstance(expected, float):
        return result == expected or (result != result and expected != expected)
    if isinstance(expected, tuple) and isinstance(result, tuple):
        return len(result) == len(expected) and all(map(equal, result, expected))
    return True


def call(
    numbers: range,
    seed: int,
    limits: Limits = LIMITS,
    processes: int = 2,
) -> list[Found]:
    """Make calls by their numbers; print what is found."""
    found = []
    for finding in workers.run(partial(task, seed), numbers, limits, processes):
        found.append(finding)
        workers.say(f"{finding.number}: {named(finding)}{finding.what}")
        workers.say(
            f"    repeat: python tests/harness/nonsense.py --seed {seed} "
            f"--first {finding.number} --calls 1"
        )
    return found


def named(finding: Found) -> str:
    """What was called, where the finding does not say."""
    if finding.what.startswith("fb."):
        return ""
    found = targets()
    return f"{found[finding.number % len(found)].name}: "


def main() -> int:
    """The long form."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--calls", type=int, default=5000, help="how many (default: %(default)s)")
    add("--first", type=int, default=0, help="the number of the first (default: %(default)s)")
    add("--seed", type=int, default=1, help="(default: %(default)s)")
    add("--processes", type=int, default=2, help="(default: %(default)s)")
    add("--seconds", type=float, default=5, help="that each may take (default: %(default)s)")
    args = parser.parse_args()
    started = time.monotonic()
    numbers = range(args.first, args.first + args.calls)
    found = call(numbers, args.seed, Limits(seconds=args.seconds), args.processes)
    seconds = time.monotonic() - started
    workers.say(
        f"seed {args.seed}: {args.calls:,} calls of {len(targets())} functions in {seconds:.0f} s, "
        f"{len(found)} findings"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
