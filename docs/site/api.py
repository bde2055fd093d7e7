"""The reference of all public names, by what they are for, from their docstrings."""

import inspect
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

import pages

import fastbp as fb


class Page(NamedTuple):
    """A page of the reference: what stands in ``fb`` from some modules, and whole modules."""

    name: str
    title: str
    about: str
    places: tuple[str, ...]  # where the names of ``fb`` that stand here come from
    modules: tuple[str, ...] = ()  # whose names all stand here


# The first page one of whose places a name comes from has it.
PAGES = (
    Page(
        *("layers", "Layers"),
        "A layer is its mathematics: ``forward``, and ``backward`` by the chain rule.",
        *(("fastbp.layers",), ("initializers",)),
    ),
    Page(
        *("losses", "Losses"),
        "A loss returns its value and its gradient in one pass, means over the batch.",
        ("fastbp.losses",),
    ),
    Page(
        *("optimizers", "Optimisers"),
        "They change ``net.params`` by ``net.grads``.",
        ("fastbp.optimizers",),
    ),
    Page(
        *("schedules", "Schedules"),
        "What the rate is multiplied by, step by step.",
        *((), ("schedules",)),
    ),
    Page(
        *("networks", "Networks"),
        "Layers in a row, and several networks as one.",
        *(("fastbp.network", "fastbp.ensemble", "fastbp.storage"), ("models",)),
    ),
    Page(
        *("training", "Training"),
        "From data to a trained network, and what watches on the way.",
        ("fastbp.training", "fastbp.many"),
    ),
    Page(
        *("searching", "Searching for settings"),
        "Many settings are tried, and the best network is kept.",
        *(("fastbp.tuning",), ("space",)),
    ),
    Page(
        *("own", "Your own functions"),
        "Activations and losses that you write, and whether their gradients are right.",
        ("fastbp.custom", "fastbp.gradcheck"),
    ),
    Page(
        *("data", "Data and tables"),
        "MNIST, files, and tables of numbers, words and dates.",
        *(("fastbp.tabular",), ("datasets",)),
    ),
    Page(
        *("interop", "Other libraries"),
        "scikit-learn, PyTorch, ONNX, C and plain NumPy.",
        *((), ("sklearn", "torch", "onnx", "c", "numpy_source")),
    ),
    Page(
        *("plots", "Plots"),
        "Every figure: plain arrays in, a Matplotlib figure out.",
        *((), ("plots",)),
    ),
    Page("more", "More", "Backends, and whatever else there is.", ("",)),
)


def make() -> None:
    """Write a page for each of PAGES, and one that names them."""
    left = [name for name in fb.__all__ if not isinstance(getattr(fb, name), ModuleType)]
    made = [f"python/{page.name}" for page in PAGES if _write(page, left)]
    lines = ["# Python", "", "Every public name, with an example that runs.", "", "```{toctree}"]
    pages.write("python.md", "\n".join([*lines, *made, "```\n"]))


def _write(page: Page, left: list[str]) -> bool:
    here = [name for name in left if _module(getattr(fb, name)).startswith(page.places)]
    if not here and not page.modules:
        return False
    parts = [_heading(page.title, "="), page.about, ""]
    parts += [_entry("fastbp", name, getattr(fb, name)) for name in here]
    for name in here:
        left.remove(name)
    parts += [_of_module(f"fastbp.{name}") for name in page.modules]
    pages.write(f"python/{page.name}.rst", "\n".join(parts))
    return True


def public(module: ModuleType) -> list[str]:
    """The names that a module offers."""
    offered = getattr(module, "__all__", None)
    if offered is not None:
        return list(offered)
    own = (name for name, value in vars(module).items() if _is_documented(value))
    return [name for name in own if not name.startswith("_")]


def _of_module(name: str) -> str:
    parts = [_heading(name, "-")]
    try:
        module = import_module(name)
    except ImportError as missing:  # an extra that is not installed where the site is made
        return "\n".join([*parts, str(missing), ""])
    parts += [f".. automodule:: {name}", ""]
    for each in public(module):
        parts.append(_entry(name, each, getattr(module, each)))
    return "\n".join(parts)


def _is_documented(value: object) -> bool:
    return inspect.isclass(value) or inspect.isfunction(value)


def _module(value: object) -> str:
    return getattr(value, "__module__", "")


def _entry(module: str, name: str, value: object) -> str:
    if inspect.isclass(value):
        return f".. autoclass:: {module}.{name}\n   :members:\n"
    if inspect.isroutine(value):
        return f".. autofunction:: {module}.{name}\n"
    return ""


def _heading(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"
