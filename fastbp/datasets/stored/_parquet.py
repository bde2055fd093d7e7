"""Parquet shards: each group of rows is a block, which is read some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastbp._extras import missing
from fastbp.datasets._files import bad_file
from fastbp.datasets._frame import check_names

from ._source import File, Frames

if TYPE_CHECKING:
    import pandas as pd

ROWS, LEAST_ROWS = (
    16_384,
    64,
)  # that become a DataFrame at a time, as many as a part of memory holds
PART = 32  # that part


class Parquet(Frames):
    """Files of one schema."""

    def __init__(self, name: str, paths: Sequence[Path], memory: int) -> None:
        self.groups, names = [], []
        self.largest, widest = 0, 1.0
        first: Any = None
        for path in paths:
            file = File(path)
            with self._open(path) as opened:
                about, schema = opened.metadata, opened.schema_arrow
                for group in range(about.num_row_groups):
                    self.groups.append((file, group))
                    names.append(str(path))
                    size, rows = (
                        about.row_group(group).total_byte_size,
                        about.row_group(group).num_rows,
                    )
                    self.largest, widest = max(self.largest, size), max(widest, size / max(rows, 1))
            check_names([*map(str, schema.names)])
            first = first or (path, schema)
            _same_schema(first[0], first[1], path, schema)
        if not self.groups:
            raise bad_file(name, "no rows of data")
        self.at_once = int(min(ROWS, max(LEAST_ROWS, memory // PART // widest)))
        super().__init__(name, names)

    def _open(self, path: Path) -> Any:
        try:
            import pyarrow.parquet
        except ImportError:
            raise missing("Parquet", "pyarrow", "parquet") from None
        try:
            return pyarrow.parquet.ParquetFile(path)
        except (OSError, ValueError) as problem:
            if getattr(problem, "errno", None) is not None:
                raise
            raise bad_file(path, f"broken Parquet file: {problem}") from problem

    def frames(self, block: int) -> Iterator[pd.DataFrame]:
        """Some rows of a group after others."""
        import pyarrow

        file, group = self.groups[block]
        path = file.check()
        try:
            with self._open(path) as opened:
                batches = opened.iter_batches(self.at_once, row_groups=[group], use_threads=False)
                for batch in batches:
                    frame = batch.to_pandas()
                    yield frame.set_axis([str(name) for name in frame.columns], axis=1)
            # Else it keeps what the largest of all took.
            pyarrow.default_memory_pool().release_unused()
        except (OSError, ValueError, TypeError, NotImplementedError, OverflowError) as problem:
            if str(problem).startswith(str(path)):
                raise
            raise bad_file(path, f"broken Parquet file: {problem}") from problem

    def check(self, block: int) -> None:
        """Its file."""
        self.groups[block][0].check()

    def most(self) -> int:
        """The largest group's pages, and the rows that are made of them."""
        return 3 * self.largest

    def kept(self) -> int:
        """More than that again: pyarrow's pool gives back late what it has freed."""
        return 4 * self.largest


def _same_schema(one: Path, known: Any, other: Path, schema: Any) -> None:
    """Refuse a file whose columns or their types are not those of the first."""
    if [*schema.names] != [*known.names]:
        lacks = [name for name in known.names if name not in schema.names]
        more = [name for name in schema.names if name not in known.names]
        told = f"it lacks {lacks}" if lacks else f"it has {more} too" if more else "another order"
        raise bad_file(other, f"its columns are not those of {one}: {told}")
    for name in known.names:
        here, there = schema.field(name).type, known.field(name).type
        if here != there and "null" not in (str(here), str(there)):
            raise bad_file(other, f"column {name!r} is {here}, but {there} in {one}")
