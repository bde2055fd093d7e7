"""Data that are larger than memory: they stay on disk, or with Dask, and are read in blocks."""

from __future__ import annotations

from ._lazily import lazily as lazily
from ._opening import of_dask as of_dask
from ._opening import shards as shards
from ._shards import Shards as Shards
from ._windows import filled as filled
