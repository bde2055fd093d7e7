"""What a model says of each row of a table, as a table."""

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np

from fastbp import datasets
from fastbp._files import write_atomically
from fastbp.datasets import Classes
from fastbp.network import Sequential


def predicted(net: Sequential, frame: Any, keep: list[str]) -> Any:
    """A DataFrame: some of the columns, the prediction, and the probability of each class.

    Raises
    ------
    ValueError
        If a column is missing, or a cell is not what its column has.
    """
    import pandas as pd

    table = net.table
    kept = [datasets.column_of([*frame.columns], name, "--keep") for name in keep]
    found = {name: frame[name] for name in kept}
    found[_free("prediction", found)] = net.predict(frame)
    if isinstance(table.label, Classes):
        chances = net.predict_proba(frame)
        for name in table.label.names:
            found[_free(f"probability of {name}", found)] = chances[name]
    return pd.DataFrame(found)


def sample(net: Sequential, data: str, index: int) -> tuple[np.ndarray, None, Any]:
    """A row of a table as the network takes it, no picture, and its label where it has one.

    Raises
    ------
    ValueError
        If there is no such row, or it is not as the model's table has it.
    """
    frame, label = datasets.as_frame(data), net.table.label
    if index >= len(frame):
        raise ValueError(f"--index {index}: {data} has rows 0 to {len(frame) - 1}")
    row, truth = frame.iloc[[index]], None
    try:
        if label.name in row and row[label.name].notna().all():
            truth = label.encode(row[label.name])
            truth = truth if isinstance(label, Classes) else label.decode(truth)
            truth = truth[0].tolist()
        return net.table.encode(row), None, truth
    except ValueError as problem:
        raise ValueError(f"{data}: {problem}") from None


def names_of(net: Sequential, classes: int) -> list[Any]:
    """What the classes are called: by their numbers, unless a table says."""
    of_table = net.table is not None and isinstance(net.table.label, Classes)
    return [*net.table.label.names] if of_table else [*range(classes)]


def _free(name: str, taken: dict[str, Any]) -> str:
    """The name, or another where a column that is kept has it."""
    while name in taken:
        name += "_"
    return name


def _let_through(text: str) -> None:
    """Data lose no letters on a stream whose encoding lacks them: it is UTF-8 from here on."""
    stream = sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        try:
            text.encode(stream.encoding)
        except UnicodeEncodeError:
            stream.reconfigure(encoding="utf-8")


def write(table: Any, path: Path | None) -> None:
    """Write a table as CSV: into a file, whole or not at all, or on stdout."""
    text = table.to_csv(index=False, lineterminator="\n")
    if path is None:
        _let_through(text)
        sys.stdout.write(text)
    else:
        write_atomically(path, lambda file: file.write(text.encode("utf-8", "replace")))
