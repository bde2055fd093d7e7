"""A search as a TOML file, which ``python -m fastbp sweep`` runs; read strictly.

[space] has what to try, [settings] what all trials share, [search] how settings are drawn, [data]
what they are trained on: the MNIST that comes with fastbp, where it is left out.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from fastbp import datasets
from fastbp._files import read_toml
from fastbp._hints import nearest
from fastbp.datasets import Dataset, Shards
from fastbp.losses import PoissonNLLLoss
from fastbp.space import as_space
from fastbp.tabular.data import TEST_SHARE, Asked, is_table, prepare

TABLES = ("space", "settings", "search", "data")
OF_SEARCH = ("method", "n_trials", "metric", "mode", "factor", "min_epochs", "seed", "validation")
TEXT, COLUMNS, NUMBER = (str, "a text"), (list, "a list of columns"), ((int, float), "a number")
OF_DATA: dict[str, tuple[Any, str]] = {
    "path": TEXT,
    "label": TEXT,
    "values": (bool, "true or false"),
    "classes": (int, "a whole number"),
    "scale": NUMBER,
    "drop": COLUMNS,
    "category": COLUMNS,
    "number": COLUMNS,
    "test": TEXT,
    "test_share": NUMBER,
    "memory": TEXT,
    "copy": TEXT,
}
OF_TABLE = ("drop", "category", "number", "test", "test_share")


class Sweep(NamedTuple):
    """What a file says; ``folder`` is where paths begin."""

    folder: Path
    space: dict[str, Any]
    settings: dict[str, Any]
    search: dict[str, Any]
    data: dict[str, Any]

    def parts(self) -> tuple[Dataset | Shards, Dataset | Shards | None]:
        """What is searched with, and what the best network is tested with."""
        said = dict(self.data)
        if not said:
            return datasets.mnist()
        path = self.folder / said.pop("path")
        if "memory" in said:
            return self._on_disk(path, said)
        if "copy" in said:
            raise ValueError("data: copy: goes with memory, of data that stay on disk")
        if not is_table(path, said.get("scale")):
            values = bool(said.pop("values", False))
            for name in OF_TABLE:
                if name in said:
                    raise ValueError(f"data: {name}: goes with a table, and {path} is none")
            return datasets.load(path, values=values, **said)
        said.pop("scale", None)
        if "test" in said:
            said["test"] = self.folder / said["test"]
        counts = self.settings.get("loss") == PoissonNLLLoss.name
        found = prepare(path, Asked(**said), counts=counts)
        return found.train, found.test

    def _on_disk(self, path: Path, said: dict[str, Any]) -> tuple[Shards, Shards]:
        """Parts of data that are read in blocks."""
        for name in ("test", "test_share"):
            if name in said:
                raise ValueError(f"data: {name}: does not go with memory, data that stay on disk")
        if (copy := said.get("copy")) is not None:
            said["copy"] = copy != "no" and self.folder / copy
        return datasets.shards(path, **said).split(TEST_SHARE)


def read_sweep(path: Path) -> Sweep:
    """A search from its file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError, TypeError
        If it is no TOML, or has what is not known; the message has file, table and key.
    """
    written = read_toml(path)
    try:
        _refuse_unknown(written, TABLES, "")
        for name in TABLES:
            table = written.setdefault(name, {})
            if not isinstance(table, dict):
                raise TypeError(f"{name}: expected a table, [{name}]; got {table!r:.60}")
        as_space(written["space"])
        _refuse_unknown(written["search"], OF_SEARCH, "search: ")
        _check_data(written["data"])
    except (TypeError, ValueError) as problem:
        raise type(problem)(f"{path}: {problem}") from None
    return Sweep(path.parent, **written)


def _check_data(data: dict[str, Any]) -> None:
    _refuse_unknown(data, OF_DATA, "data: ")
    if data and "path" not in data:
        raise ValueError("data: 'path' is missing; without [data] it is MNIST")
    for name, value in data.items():
        kind, words = OF_DATA[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise TypeError(f"data: {name}: expected {words}, got {value!r:.60}")


def _refuse_unknown(table: dict[str, Any], known: Collection[str], where: str) -> None:
    for name in table:
        if name not in known:
            near = nearest(name, known)
            advice = f"; did you mean {near}?" if near else f"; known are {', '.join(known)}"
            raise ValueError(f"{where}unknown key {name!r}{advice}")
