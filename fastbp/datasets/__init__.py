"""Data sets: the embedded MNIST, readers for IDX folders, NPZ and CSV files, and any table.

>>> train, test = fb.datasets.mnist()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastbp._hints import missing
from fastbp._late import late, shown, within

from ._checked import DataError
from ._dataset import Dataset
from ._dataset import rows_of as rows_of
from ._given import Collection as Collection
from ._given import Frame as Frame
from ._given import is_dask as is_dask
from ._given import is_frame as is_frame
from ._given import is_rows as is_rows
from ._given import is_shards as is_shards
from ._taken import as_data as as_data
from ._torch import as_pair as as_pair
from ._torch import batch_size_of as batch_size_of
from ._torch import samples_of as samples_of

__all__ = [
    "MOST_BYTES",
    "DataError",
    "Dataset",
    "Shards",
    "Table",
    "load",
    "mnist",
    "shards",
    "table",
]


if TYPE_CHECKING:
    from ._dialect import holds_pictures as holds_pictures
    from ._doubts import warn_of_doubts as warn_of_doubts
    from ._files import MOST_BYTES
    from ._fitted import Table
    from ._frame import as_frame as as_frame
    from ._frame import column_of as column_of
    from ._frame import is_table_file as is_table_file
    from ._label import Classes as Classes
    from ._label import Values as Values
    from ._label import fit_label as fit_label
    from ._labelled import labelled as labelled
    from ._labelled import name_of as name_of
    from ._labelled import placed as placed
    from ._load import load, mnist
    from ._load import read as read
    from ._table import fit_table as fit_table
    from ._table import table
    from .stored import Shards, shards
    from .stored import filled as filled
    from .stored import lazily as lazily
else:
    _LATE = {
        "_dialect": "holds_pictures",
        "_doubts": "warn_of_doubts",
        "_files": "MOST_BYTES",
        "_fitted": "Table",
        "_frame": "as_frame column_of is_table_file",
        "_label": "Classes Values fit_label",
        "_labelled": "labelled name_of placed",
        "_load": "load mnist read",
        "_table": "fit_table table",
        "stored": "Shards filled lazily shards stored",
    }
    __getattr__ = late(__name__, within(_LATE), missing(__name__, "fb.datasets"))
    __dir__ = shown(__name__, __all__)
