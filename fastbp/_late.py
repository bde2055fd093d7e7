"""Names of a package that come when somebody asks for them, with what they need."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def late(
    package: str, names: Mapping[str, str], missing: Callable[[str], Any] | None = None
) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package: names, each with the module beside it that has it.

    The module itself is asked for by its own name, ``{"plots": "plots"}``. No other may have the
    name of a module, which its import makes the package's. Of a name that is not there ``missing``
    says what to write in its place. What came once is the package's from then on.
    """

    def __getattr__(name: str) -> Any:  # noqa: N807 - what a module calls it
        if name not in names:
            if missing is not None:
                return missing(name)
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(f"{package}.{names[name]}")
        found = module if name == names[name] else getattr(module, name)
        setattr(sys.modules[package], name, found)
        return found

    return __getattr__


def within(modules: Mapping[str, str]) -> dict[str, str]:
    """Names and their modules, from modules and their names: "shards": "Shards ahead"."""
    return {name: module for module, names in modules.items() for name in names.split()}


def shown(package: str, names: Iterable[str]) -> Callable[[], list[str]]:
    """The ``__dir__`` of a package: its public names, whether they have come or not."""

    def __dir__() -> list[str]:  # noqa: N807 - what a module calls it
        return [name for name in vars(sys.modules[package]) if name.startswith("__")] + [*names]

    return __dir__
