"""Networks as C: a header of its own, with all weights in it."""

from __future__ import annotations

from pathlib import Path

from fastbp._files import StrPath, write_atomically
from fastbp.ensemble import Ensemble
from fastbp.interop.exported import exported
from fastbp.network import Sequential

from .header import header
from .names import checked_name


def save(net: Sequential | Ensemble, path: StrPath, name: str | None = None) -> None:
    """Write a network as a C header, which needs nothing but math.h.

    Its functions are static, allocate nothing, and may run on several threads at once. With the
    name "policy" and 17 inputs and 6 outputs they are::

        void policy_scores(const float x[17], float y[6]);
        int policy_predict(const float x[17]);                       /* of classes */
        void policy_predict_proba(const float x[17], float p[6]);
        policy_class_names[policy_predict(x)]

    and what they are of any other network is told at the header's top, with an example. It is C99,
    and C++11 too. Scores are within 1e-6 of ``net.scores``, by the largest of them; a network of
    float64 is written in float, as any other.

    Parameters
    ----------
    net : Sequential or Ensemble
        Of fastbp's layers, as it is in use: dropout does nothing, BatchNorm has its running
        averages. Where there is a ``table`` whose columns are all numbers, x is a row of it, NaN
        where a cell is missing.
    path : path
        "policy.h", say: the file is written whole, or not at all.
    name : str, optional
        What all names in it begin with; the file's, without its suffix, if left out.

    Raises
    ------
    TypeError
        If a layer or an activation is your own.
    ValueError
        If a number is NaN or infinite, the number of inputs is not known, images come out of it, a
        table's column is no number, or the name is no identifier in C and C++.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> net = fb.Sequential(fb.Linear(17, 64), fb.Tanh(), fb.Linear(64, 6))
    >>> fb.c.save(net, "policy.h")
    """
    about = exported(net, "c.save")
    text = header(about, checked_name(name, path, "c.save"), Path(path).name)
    write_atomically(path, lambda file: file.write(text), "w")
