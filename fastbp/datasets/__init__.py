"""Data sets: the embedded MNIST, readers for IDX folders, NPZ and CSV files, and any table."""

from typing import TYPE_CHECKING

from fastbp._hints import missing

from ._checked import DataError
from ._dataset import Dataset
from ._files import MOST_BYTES
from ._frame import as_frame as as_frame
from ._frame import is_frame as is_frame
from ._frame import is_table_file as is_table_file
from ._label import Classes as Classes
from ._load import load, mnist
from ._table import Table, table
from ._table import fit_table as fit_table

__all__ = ["MOST_BYTES", "DataError", "Dataset", "Table", "load", "mnist", "table"]


if not TYPE_CHECKING:
    __getattr__ = missing(__name__, "fb.datasets")
