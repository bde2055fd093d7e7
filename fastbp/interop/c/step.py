"""What a layer becomes in C: a function of one sample."""

from collections.abc import Iterable
from typing import Any, NamedTuple


class Step(NamedTuple):
    """A function's body and what it reads.

    In bodies ``$p`` is what all names of the header begin with, and ``$n`` the layer's own name.
    A step changes ``x`` in place, or reads ``x`` and fills ``y``, which is another array.
    """

    body: str
    in_place: bool = True
    constants: Iterable[tuple[str, Any]] = ()  # arrays, each with its name behind the layer's
    functions: tuple[str, ...] = ()  # of one number, that it calls
    sums: int = 0  # floats that it keeps on the stack


def named(text: str, prefix: str, own: str = "") -> str:
    """A text with the header's and a layer's names."""
    return text.replace("$p", prefix).replace("$P", prefix.upper()).replace("$n", own)


def indented(lines: str, depth: int = 1) -> str:
    """Lines of a body, further in."""
    return "\n".join("    " * depth + line if line else line for line in lines.split("\n"))


def each_column(count: int, each: int, expression: str) -> str:
    """x becomes an expression of x[i] and of what its column or channel ``c`` has."""
    if each == 1:
        told = expression.replace("[c]", "[i]").replace("[$i]", "[i]")
        return f"int i;\nfor (i = 0; i < {count}; i++)\n    x[i] = {told};"
    place = f"c * {each} + i"
    told = expression.replace("[$i]", f"[{place}]")
    return (
        f"int c, i;\nfor (c = 0; c < {count}; c++)\n    for (i = 0; i < {each}; i++)\n"
        f"        x[{place}] = {told};"
    )
