"""What each column of a table is worth to a model: how much is lost when its cells are shuffled."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp.datasets import Classes, Dataset, Table, Values, as_frame, rows_of

from .measures import of_classes, of_values

if TYPE_CHECKING:
    import pandas as pd

AT_ONCE = 1 << 24  # numbers, at most, that are predicted from at once


@dataclass(frozen=True)
class Importances:
    """What the columns of a table are worth to a model; scikit-learn's names and definitions.

    Attributes
    ----------
    columns : tuple of str
    measure : str
        What is lost: "accuracy" or "R²".
    score : float
        That of the rows as they are.
    importances : (columns, repeats) array
        How much is lost when the cells of one column change places.
    """

    columns: tuple[str, ...]
    measure: str
    score: float
    importances: np.ndarray

    @property
    def importances_mean(self) -> np.ndarray:
        """The mean of each column's repeats."""
        return self.importances.mean(axis=1)

    @property
    def importances_std(self) -> np.ndarray:
        """Their standard deviation."""
        return self.importances.std(axis=1)

    def to_dataframe(self) -> pd.DataFrame:
        """A row a column of the table, from the most important on: ``mean`` and ``std``."""
        import pandas as pd

        found = {"mean": self.importances_mean, "std": self.importances_std}
        frame = pd.DataFrame(found, pd.Index(self.columns, name="column"))
        return frame.sort_values("mean", ascending=False, kind="stable")

    def __repr__(self) -> str:
        return f"Importances of {len(self.columns)} columns, of {self.measure} {self.score:.4f}"


def permutation_importance(
    model: Any,
    data: Any,
    y: Any = None,
    *,
    repeats: int = 5,
    seed: int = 0,
    most_rows: int | None = 10_000,
) -> Importances:
    """How much accuracy, or R², a model of a table loses when a column's cells change places.

    It is the table's columns that are shuffled, with all numbers that were made of each, and its
    gaps (Breiman 2001, Random Forests; Fisher, Rudin and Dominici 2019). Columns that say the same
    stand in for each other: none of them then looks important. Rows that the model was not
    trained on tell what it can do with others.

    Parameters
    ----------
    model : Sequential or Ensemble
        With a ``table``.
    data : DataFrame, path, or Dataset of the model's table
        Rows.
    y : (n,) sequence, optional
        Their labels, by name or in their unit, where ``data`` has no column of them.
    repeats : int
        How often each column is shuffled.
    seed : int
        Of the orders, which are the same for all columns.
    most_rows : int, optional
        Of more rows so many are taken, by chance. None takes all.

    Returns
    -------
    Importances
        ``print(found.to_dataframe())`` shows them.

    Raises
    ------
    TypeError
        If the model has no table.
    ValueError, OSError
        If the data lack a column, a file cannot be read, or a number is not positive.

    Examples
    --------
    >>> model = fb.train("people.csv", "income").model
    >>> found = fb.permutation_importance(model, "people.csv")
    >>> found.to_dataframe()
    """
    table = _table_of(model)
    samples = _samples(table, data, y)
    rng = np.random.RandomState(operator.index(seed))  # so that orders are scikit-learn's
    if _positive("most_rows", len(samples) if most_rows is None else most_rows) < len(samples):
        samples = rows_of(samples, np.sort(rng.choice(len(samples), most_rows, replace=False)))
    orders = _orders(len(samples), _positive("repeats", repeats), rng)
    whole = _score(table, samples.y, model.predict(samples))
    lost = np.empty((len(table.columns), len(orders)))
    start = 0
    for place, column in enumerate(table.columns):
        block = slice(start, start + len(column.places()))
        for part in _parts(samples, len(orders)):
            said = _predicted(model, samples, block, orders[part])
            lost[place, part] = [whole - _score(table, samples.y, each) for each in said]
        start = block.stop
    measure = "accuracy" if isinstance(table.label, Classes) else "R²"
    return Importances(tuple(column.name for column in table.columns), measure, whole, lost)


def _table_of(model: Any) -> Table:
    if not isinstance(getattr(model, "table", None), Table):
        raise TypeError(
            "permutation_importance: expected a model of a table, as fb.fit(net, "
            f"fb.datasets.table(...)) makes one; got {model!r:.60}"
        )
    return model.table


def _samples(table: Table, data: Any, y: Any) -> Dataset:
    """Rows as the model takes them, with labels."""
    if isinstance(data, Dataset):
        if y is not None:
            raise ValueError("permutation_importance: a Dataset has its labels; leave y out")
        return data
    if y is None:
        return table.dataset(data)
    frame, name = as_frame(data), table.label.name
    labels = as_frame({name: y})
    if len(labels) != len(frame):
        raise ValueError(f"y: expected {len(frame)} labels, one a row, got {len(labels)}")
    return table.dataset(frame.assign(**{name: labels[name]}))


def _positive(name: str, number: int) -> int:
    found = operator.index(number)
    if found < 1:
        raise ValueError(f"{name}: expected at least 1, got {found}")
    return found


def _orders(count: int, repeats: int, rng: np.random.RandomState) -> np.ndarray:
    """Orders of the rows, (repeats, rows): each shuffles what the one before has left."""
    rng = np.random.RandomState(rng.randint(np.iinfo(np.int32).max + 1))
    places, found = np.arange(count), np.empty((repeats, count), np.int64)
    order = places.copy()
    for repeat in range(repeats):
        rng.shuffle(places)
        found[repeat] = order = order[places]
    return found


def _parts(samples: Dataset, repeats: int) -> list[slice]:
    """The repeats that are predicted at once."""
    size = max(1, AT_ONCE // samples.x.size)
    return [slice(start, start + size) for start in range(0, repeats, size)]


def _predicted(model: Any, samples: Dataset, block: slice, orders: np.ndarray) -> np.ndarray:
    """What is predicted where numbers of a block are in these orders, (repeats, rows)."""
    x = np.tile(samples.x, (len(orders), 1))
    x[:, block] = samples.x[orders.ravel(), block]
    shuffled = replace(samples, x=x, y=np.tile(samples.y, len(orders)), sample_weight=None)
    return model.predict(shuffled).reshape(orders.shape)


def _score(table: Table, y: np.ndarray, predicted: np.ndarray) -> float:
    """Accuracy, or R² in the label's unit."""
    label = table.label
    if isinstance(label, Values):
        return float(of_values(label, label.decode(y), label.told(predicted))["r2"])
    return float(of_classes(y, predicted, len(label.names))["accuracy"])
