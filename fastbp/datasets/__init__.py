"""Data sets: the embedded MNIST, and readers for IDX folders, NPZ and CSV files."""

from typing import TYPE_CHECKING

from fastbp._hints import missing

from ._checked import DataError
from ._dataset import Dataset
from ._files import MOST_BYTES
from ._load import load, mnist

__all__ = ["MOST_BYTES", "DataError", "Dataset", "load", "mnist"]

if not TYPE_CHECKING:
    __getattr__ = missing(__name__, "fb.datasets")
