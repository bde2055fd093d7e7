"""What is made of Dask's samples block by block, where Dask computes it, once it is asked for."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ._dask import as_rows_of_numbers


def lazily(x: Any, work: Callable[[Any], Any], of_table: bool) -> Any:
    """The results of ``work`` for all rows of a Dask array or DataFrame, as Dask's own.

    ``work`` gets some rows, as a 2-D array of numbers or, ``of_table``, as a DataFrame. It is tried
    at once with a row, which says what comes of others, and what is wrong with the columns.
    """
    if of_table:
        from dask.dataframe.utils import meta_nonempty

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of words that are none of the data's
            nothing = work(meta_nonempty(x._meta))[:0]
        return x.map_partitions(partial(_of_rows, work, nothing), meta=nothing)
    array = as_rows_of_numbers(x, "x")
    nothing = work(np.zeros((1, math.prod(array.shape[1:])), array.dtype))[:0]
    return array.map_blocks(
        partial(_of_rows, work, nothing),
        chunks=(array.chunks[0], *((size,) for size in nothing.shape[1:])),
        drop_axis=[*range(nothing.ndim, array.ndim)],
        meta=nothing,
    )


def _of_rows(work: Callable[[Any], Any], nothing: Any, block: Any) -> Any:
    """The same of a block, which may have no rows."""
    if not len(block):
        return nothing
    is_array = isinstance(block, np.ndarray)
    return work(block.reshape(len(block), -1) if is_array else block)
