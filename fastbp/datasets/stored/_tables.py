"""A table in blocks: its Table, fitted in one pass, and its rows as samples."""

from __future__ import annotations

import json
import warnings
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp._moments import Moments
from fastbp.datasets._dialect import text_of
from fastbp.datasets._fitted import Table
from fastbp.datasets._label import Classes, Label, Values, fit_label
from fastbp.datasets._labelled import label_of, without_label
from fastbp.datasets._table import fit_table
from fastbp.datasets._words import as_numbers

from ._source import Frames, Piece, Source, in_block

if TYPE_CHECKING:
    import pandas as pd

SAMPLED = 100_000  # rows, drawn from all, that say what columns are, and their medians
LEAST_SAMPLED, PART = 1000, 8  # or as many as that part of memory holds
MORE = 5 / 4  # of them, before those are parted with that are too many
ROWS, LEAST_ROWS = 8192, 64  # that become samples at a time, as many as a part of memory holds
CELL = 24  # bytes of each of their numbers, while it is made
DRAWN_BY = 20_200


class TableSource(Source):
    """Samples of a table that is somewhere in blocks."""

    table: Table

    def __init__(self, frames: Frames, table: Table, memory: int) -> None:
        super().__init__(frames.name, frames.names)
        self.frames, self.table, self.decodes = frames, table, True
        self.width = CELL * len(table.features)
        self.at_once = min(ROWS, max(LEAST_ROWS, memory // 16 // self.width))

    def pieces(self, block: int) -> Iterator[Piece]:
        """Some rows after others, without those that have no label."""
        table, name = self.table, self.table.label.name
        try:
            for frame in self.frames.frames(block):
                if name not in frame.columns:
                    raise ValueError(f"it lacks the label {name!r}")
                frame = frame[~without_label(frame, name)]
                for start in range(0, len(frame), self.at_once):
                    part = frame.iloc[start : start + self.at_once]
                    yield table.encoded(part), table.label.encode(part[name])
        except KeyError as problem:
            raise in_block(self.names[block], ValueError(f"it lacks column {problem}")) from None
        except ValueError as problem:
            raise in_block(self.names[block], problem) from None

    def check(self, block: int) -> None:
        """As of the frames."""
        self.frames.check(block)

    def most(self) -> int:
        """What the block takes, and the rows that become samples."""
        return self.frames.most() + self.at_once * self.width

    def kept(self) -> int:
        """What the frames' reader does."""
        return self.frames.kept()


def fitted(frames: Frames, label: str | int | None, said: Mapping[str, Any], memory: int) -> Table:
    """The Table of all rows, from one pass.

    What columns are, their medians and their words are those of SAMPLED rows, drawn from all, or of
    as many as an eighth of memory holds; which classes there are, a label's mean, deviation and
    range, and which columns have gaps, those of all rows. Of no more rows it is the Table that
    ``table`` fits.
    """
    pass_ = _Pass(label, memory)
    for block, name in enumerate(frames.names):
        try:
            for frame in frames.frames(block):
                pass_.add(frame, block)
        except ValueError as problem:
            raise in_block(name, problem) from None
    try:
        return pass_.table(said)
    except ValueError as problem:
        raise in_block(frames.name, problem) from None


class _Pass:
    """What is kept of all rows."""

    def __init__(self, label: str | int | None, memory: int) -> None:
        self.asked, self.label = label, ""
        self.memory, self.sampled = memory, 0  # rows that are drawn, once one is seen
        self.sample: list[tuple[pd.DataFrame, np.ndarray]] = []  # rows, with a number for each
        self.held, self.highest = 0, np.inf  # how many rows; which number is too large for others
        self.count = self.unlabelled = 0
        self.cells: Any = None  # the label's different ones
        self.gaps: set[str] = set()
        self.numbers: Moments | None = Moments()
        self.low, self.high = np.inf, -np.inf

    def add(self, frame: pd.DataFrame, block: int) -> None:
        """Rows more."""
        import pandas as pd

        self.label = self.label or label_of([*frame.columns], self.asked)
        if self.label not in frame.columns:
            raise ValueError(f"it lacks the label {self.label!r}; it has {text_of([*frame])}")
        missing = without_label(frame, self.label)
        self.unlabelled += int(missing.sum())
        frame = frame[~missing]
        if not len(frame):
            return
        cells = frame[self.label].drop_duplicates()
        self.cells = cells if self.cells is None else pd.concat([self.cells, cells])
        self.cells = self.cells.drop_duplicates()
        self._add_numbers(frame[self.label])
        self._draw(frame)

    def _add_numbers(self, cells: pd.Series) -> None:
        if self.numbers is None:
            return
        try:
            numbers = as_numbers(cells, self.label)
        except ValueError:
            self.numbers = None  # it has words
            return
        self.numbers.add(numbers[:, None])
        self.low = min(self.low, float(numbers.min()))
        self.high = max(self.high, float(numbers.max()))

    def _draw(self, frame: pd.DataFrame) -> None:
        """Keep the rows with the smallest of numbers that each is given by chance."""
        self.gaps |= {name for name in frame.columns if frame[name].isna().any()}
        keys = np.random.default_rng([DRAWN_BY, self.count]).random(len(frame))
        if not self.sampled:
            of_row = frame.memory_usage(index=False, deep=True).sum() / len(frame)
            held = int(self.memory // PART // of_row)
            self.sampled = min(SAMPLED, max(LEAST_SAMPLED, held))
        self.count += len(frame)
        good = keys < self.highest  # most of what comes late is not drawn
        if not good.any():
            return
        self.sample.append((frame[good], keys[good]))
        self.held += int(good.sum())
        if self.held > self.sampled * MORE:
            self._thin_out()

    def _thin_out(self) -> None:
        """Part with the rows of the largest numbers, some after others: no copy of all is made."""
        keys = np.concatenate([keys for _, keys in self.sample])
        best = np.argsort(keys, kind="stable")[: self.sampled]
        kept = np.zeros(len(keys), bool)
        kept[best] = True
        self.held, self.highest, start = len(best), float(keys[best[-1]]), 0
        for part, (frame, of_part) in enumerate(self.sample):
            here, start = kept[start : start + len(of_part)], start + len(of_part)
            if not here.all():
                self.sample[part] = frame[here], of_part[here]
        self.sample = [part for part in self.sample if len(part[1])]

    def table(self, said: Mapping[str, Any]) -> Table:
        """The Table."""
        import pandas as pd

        if self.unlabelled:
            told = f"{self.unlabelled:,} rows have no {self.label!r}: they are left out"
            warnings.warn(told, UserWarning, stacklevel=6)
        if not self.sample:
            raise ValueError(
                f"label {self.label!r}: missing in all rows" if self.label else "empty"
            )
        if self.held > self.sampled:
            self._thin_out()
        sample = pd.concat([frame for frame, _ in self.sample], ignore_index=True)
        self.sample = []
        _, table = fit_table(sample, self.label, **said)
        if self.count <= self.sampled:
            return table
        columns = tuple(
            replace(column, gaps=column.gaps or column.name in self.gaps)
            for column in table.columns
        )
        return replace(table, columns=columns, label=self._label(table.label, sample))

    def _label(self, of_sample: Label, sample: pd.DataFrame) -> Label:
        import pandas as pd

        if isinstance(of_sample, Classes):
            cells = pd.concat([sample[self.label], self.cells]).reset_index(drop=True)
            return fit_label(cells.rename(self.label), values=False)
        if self.numbers is None:
            raise ValueError(f"label {self.label!r}: numbers and words")
        mean, std = float(self.numbers.mean[0]), float(self.numbers.std[0])
        return Values(self.label, mean, std, self.low, self.high)


def mark(table: Table) -> int:
    """A number that tells Tables apart."""
    return zlib.crc32(json.dumps(table.as_data()).encode())
