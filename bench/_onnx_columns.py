"""A table's rows as the runtimes of an ONNX model take them, a column an input."""

from typing import Any

import numpy as np
import pandas as pd


def columns_of(session: Any, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """Columns as ONNX Runtime takes them: numbers with NaN, words with ""."""
    inputs = {}
    for column in session.get_inputs():
        cells = frame[[column.name]]
        if column.type == "tensor(double)":
            inputs[column.name] = cells.to_numpy("float64")
        else:
            inputs[column.name] = cells.astype(object).fillna("").astype(str).to_numpy(object)
    return inputs


def texts_of(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same as onnx's own evaluator takes them, whose words are strings of NumPy's."""
    return {name: x.astype(str) if x.dtype == object else x for name, x in inputs.items()}
