"""Callbacks that write down each epoch as it ends: as a table, or for TensorBoard."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any, TextIO

from fastbp._extras import missing
from fastbp._files import StrPath, naming, open_regular, write_atomically
from fastbp.network import Sequential

from .callbacks import Callback
from .history import Epoch, History

Row = dict[str, Any]  # an epoch's figures, by their columns


class Log(Callback):
    """Writes a line after each epoch, so that others can follow how training goes.

    A run that starts with epoch 1 replaces the file. One that goes on keeps the lines before its
    first epoch, and adds its own; what a run that was killed wrote beyond that is replaced.

    Parameters
    ----------
    path : str or path
        With .csv at its end a table with the columns of ``history.to_csv``; with .jsonl JSON lines,
        an object of the same figures in each, null where there is none.

    Raises
    ------
    ValueError
        If the path ends otherwise; in training, if what is there is no such log.

    Examples
    --------
    >>> fb.fit(net, train, epochs=20, callbacks=[fb.Log("log.csv")])
    """

    def __init__(self, path: StrPath) -> None:
        self.path = Path(path)
        if self.path.suffix not in (".csv", ".jsonl"):
            raise ValueError(f"Log: expected a path ending in .csv or .jsonl, got {str(path)!r}")
        self._rows: list[Row] | None = None  # of the epochs so far, once they are known
        self._written: tuple[int, list[str]] = (0, [])  # how many of them, in which columns

    def on_train_begin(self, net: Sequential) -> None:
        """Refuse what could not be written before an epoch is trained for it."""
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"{self.path}: the folder {self.path.parent} does not exist")

    def on_epoch_end(self, epoch: Epoch, net: Sequential) -> None:
        """Add the line."""
        if self._rows is None:
            self._rows = self._read() if epoch.epoch > 1 else []
        before = [row for row in self._rows if int(row["epoch"]) < epoch.epoch]
        self._rows = [*before, figures_of(epoch)]
        columns = list(dict.fromkeys(name for row in self._rows for name in row))
        with naming(self.path):
            if self._written == (len(before), columns):
                with self.path.open("a", encoding="utf-8", newline="") as file:
                    self._write(file, self._rows[-1:], columns)
            else:
                write_atomically(self.path, lambda file: self._write_all(file, columns), "w")
        self._written = len(self._rows), columns

    def _write_all(self, file: TextIO, columns: list[str]) -> None:
        if self.path.suffix == ".csv":
            csv.writer(file).writerow(columns)
        self._write(file, self._rows or [], columns)

    def _write(self, file: TextIO, rows: list[Row], columns: list[str]) -> None:
        if self.path.suffix == ".csv":
            csv.DictWriter(file, columns, "nan").writerows(rows)
        else:
            file.writelines(json.dumps(_finite(row), allow_nan=False) + "\n" for row in rows)

    def _read(self) -> list[Row]:
        """The lines that stand there; of one that somebody was killed in, nothing."""
        try:
            with open_regular(self.path) as file:
                whole = file.read().decode("utf-8").split("\n")[:-1]
            if self.path.suffix == ".csv":
                names, *values = csv.reader(whole)
                rows = [dict(zip(names, each, strict=True)) for each in values]
            else:
                rows = [json.loads(line) for line in whole]
            if rows and all(int(row["epoch"]) > 0 for row in rows):
                return rows
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError, csv.Error):
            pass
        raise ValueError(f"{self.path}: no log of epochs, to which lines could be added")


class TensorBoard(Callback):
    """Writes each epoch's figures for TensorBoard, by their columns' names.

    ``tensorboard --logdir FOLDER`` shows them. A run that goes on hides what one that was killed
    wrote beyond its first epoch.

    Parameters
    ----------
    folder : str or path
        It is made where it is not there.

    Raises
    ------
    ModuleNotFoundError
        If tensorboardX is not installed: ``pip install 'fastbp[tensorboard]'``.

    Examples
    --------
    >>> fb.fit(net, train, epochs=20, callbacks=[fb.TensorBoard("runs/first")])
    """

    def __init__(self, folder: StrPath) -> None:
        _tensorboardx()
        self.folder = Path(folder)
        self._writer: Any = None  # while training goes on

    def on_epoch_end(self, epoch: Epoch, net: Sequential) -> None:
        """Write what is known of it, within a second."""
        if self._writer is None:
            from uuid import uuid4

            self._writer = _tensorboardx().SummaryWriter(
                str(self.folder),
                purge_step=epoch.epoch,
                flush_secs=1,
                filename_suffix=f".{uuid4().hex[:8]}",  # its own name has seconds only
            )
        for name, value in figures_of(epoch).items():
            if name != "epoch" and not math.isnan(value):
                self._writer.add_scalar(name, value, epoch.epoch)

    def on_train_end(self, net: Sequential) -> None:
        """Close the file; another training writes another."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    def __getstate__(self) -> dict[str, Any]:
        """Copied and sent to other processes without the open file."""
        return vars(self) | {"_writer": None}


def figures_of(epoch: Epoch) -> dict[str, float]:
    """What is known of an epoch, by the columns of a history."""
    return History([epoch]).rows()[0]


def _finite(row: Row) -> Row:
    """The row as JSON has it, which knows no NaN."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }


def _tensorboardx() -> Any:
    try:
        import tensorboardX
    except ModuleNotFoundError as problem:
        raise missing("TensorBoard", "tensorboardX", "tensorboard") from problem
    return tensorboardX
