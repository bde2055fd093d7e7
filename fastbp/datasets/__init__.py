"""Data sets: the embedded MNIST, and readers for IDX folders, NPZ and CSV files."""

from ._dataset import DataError, Dataset
from ._load import load, mnist

__all__ = ["DataError", "Dataset", "load", "mnist"]
