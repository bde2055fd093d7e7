"""Networks as Python files of NumPy alone, which read as a lesson and run."""

from __future__ import annotations

import keyword
from pathlib import Path

from fastbp._files import StrPath, write_atomically
from fastbp.ensemble import Ensemble
from fastbp.interop.exported import exported
from fastbp.network import Sequential

from .program import program

IMPORTED = ("base64", "math", "numpy", "sys")  # by the file: none of them may be itself


def save(net: Sequential | Ensemble, path: StrPath) -> None:
    """Write a network as one Python file, which needs NumPy alone.

    It has each layer's formula as a function, the network as a line for each layer, and all
    numbers, as base64, at its end. As a module it has ``scores(x)``, ``predict(x)`` and, of classes
    and labels, ``predict_proba(x)`` and ``CLASSES``; as a program it prints what each row of a CSV
    file is. The arithmetic is that of the network's dtype, and scores differ by rounding alone.

    Parameters
    ----------
    net : Sequential or Ensemble
        Of fastbp's layers, as it is in use. Where there is a ``table`` whose columns are all
        numbers, x are rows of it, NaN where a cell is missing.
    path : path
        "net.py", say: a name that can be imported. The file is written whole, or not at all.

    Raises
    ------
    TypeError
        If a layer or an activation is your own.
    ValueError
        If a number is NaN or infinite, the number of inputs is not known, images come out of it, a
        table's column is no number, or the file's name cannot be imported.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> fb.numpy_source.save(net, "net.py")
    >>> import net as written
    >>> written.scores(x)
    """
    about, name = exported(net, "numpy_source.save"), Path(path).stem
    if not name.isidentifier() or keyword.iskeyword(name) or name in IMPORTED:
        raise ValueError(
            f"numpy_source.save: {Path(path).name!r}: expected a file that can be imported, of "
            "letters, figures and _, which is no module that it imports itself: net.py, say"
        )
    text = program(about, name)
    write_atomically(path, lambda file: file.write(text), "w")
