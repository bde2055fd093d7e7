"""What data are that somebody gives, told without importing what reads or makes such data."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from .stored import Shards


class Frame(Protocol):
    """What has named columns, to type checkers, which need not have read pandas."""

    @property
    def columns(self) -> Any: ...


class Collection(Protocol):
    """What Dask has, to type checkers, which need not have read it."""

    @property
    def npartitions(self) -> int: ...

    def __dask_graph__(self) -> Any: ...


def is_frame(data: object) -> bool:
    """Whether something is a table with named columns: pandas', polars', pyarrow's."""
    ways = ("iloc", "to_pandas", "__dataframe__")
    return hasattr(data, "columns") and any(hasattr(data, way) for way in ways)


def is_rows(data: object) -> bool:
    """Whether ``as_frame`` makes a table of it, and nothing else would."""
    return isinstance(data, str | os.PathLike | Mapping) or is_frame(data)


def is_shards(data: object) -> TypeIs[Shards]:
    """Whether data are Shards: who has some has imported what they are."""
    known = vars(sys.modules.get(f"{__package__}.stored._shards", object))
    return isinstance(data, known.get("Shards", ()))


def is_dask(data: object) -> bool:
    """Whether something is one of Dask's collections."""
    return type(data).__module__.split(".")[0] in ("dask", "dask_expr") and hasattr(data, "dask")
