"""Data sets: the embedded MNIST, and readers for IDX folders, NPZ and CSV files."""

from ._checked import DataError
from ._dataset import Dataset
from ._files import MOST_BYTES
from ._load import load, mnist

__all__ = ["MOST_BYTES", "DataError", "Dataset", "load", "mnist"]
