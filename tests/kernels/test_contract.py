"""All kernel modules keep the contract: the same names, arguments and docstrings."""

import inspect
from typing import Any

from for_each import for_each

from fastbp.kernels import BYTES, ENGINE, KERNELS, ORDERS, USER_CODE, Kernel


def functions_of(module: Any) -> set[str]:
    """A module's public functions, those it imports among them."""
    public = {name: f for name, f in vars(module).items() if not name.startswith("_")}
    return {name for name, f in public.items() if callable(f) and not inspect.isclass(f)}


def besides(kernels: Any) -> dict[str, Kernel]:
    """What a module has besides the kernels."""
    if kernels.__name__.endswith("_numpy"):
        return {}
    if kernels.__name__.endswith("_numba"):
        return ENGINE | USER_CODE
    return BYTES | ENGINE | ORDERS


def test_no_kernel_is_missing_and_none_is_extra(kernels: Any) -> None:
    assert functions_of(kernels) == set(KERNELS) | set(besides(kernels))


def test_an_engine_keeps_its_contract(kernels: Any) -> None:
    for name, row in besides(kernels).items():
        assert tuple(inspect.signature(getattr(kernels, name)).parameters) == row.arguments
        assert getattr(kernels, name).__doc__ == row.meaning


@for_each("name", KERNELS)
def test_signature_is_the_contracts(kernels: Any, name: str) -> None:
    parameters = inspect.signature(getattr(kernels, name)).parameters
    assert tuple(parameters) == KERNELS[name].arguments
    assert all(p.default is p.empty for p in parameters.values())  # no modes, no options


@for_each("name", KERNELS)
def test_docstring_is_the_contracts(kernels: Any, name: str) -> None:
    assert getattr(kernels, name).__doc__ == KERNELS[name].meaning


@for_each("name", KERNELS)
def test_outputs_are_the_last_arguments(name: str) -> None:
    arguments, outputs = KERNELS[name].arguments, KERNELS[name].outputs
    assert arguments[len(arguments) - len(outputs) :] == outputs
    assert len(set(arguments)) == len(arguments)


@for_each("name", [k for k in KERNELS if k.endswith("_backward")])
def test_every_backward_has_its_forward(name: str) -> None:
    assert name.replace("_backward", "_forward") in KERNELS
