"""Numbers in C: float constants that are read back bit for bit."""

import numpy as np

MULTIPLE = 4  # floats of the narrowest vector: rows of weights are filled up with zeros to it
ON_A_LINE = 10  # numbers on a line


def literal(value: float) -> str:
    """The shortest text that is this float; C++11 has no hexadecimal ones."""
    return f"{np.float32(value)!s}f"


def padded(count: int) -> int:
    """The next multiple of a vector's floats."""
    return -(-count // MULTIPLE) * MULTIPLE


def constant(name: str, array: np.ndarray) -> str:
    """An array's definition, a row of a matrix after another."""
    sizes = "".join(f"[{size}]" for size in array.shape)
    return f"static const float {name}{sizes} = {_braces(array.astype(np.float32), 0)};"


def _braces(array: np.ndarray, depth: int) -> str:
    indent = "    " * (depth + 1)
    if array.ndim == 1:
        texts = [f"{number!s}f" for number in array]
        lines = (texts[start : start + ON_A_LINE] for start in range(0, len(texts), ON_A_LINE))
        inner = f",\n{indent}".join(map(", ".join, lines))
    else:
        inner = f",\n{indent}".join(_braces(row, depth + 1) for row in array)
    return f"{{\n{indent}{inner}\n{'    ' * depth}}}"
