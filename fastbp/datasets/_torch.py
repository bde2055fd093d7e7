"""PyTorch's data sets and loaders as arrays. Nothing imports it here: who has one, has it."""

import sys
from typing import Any

import numpy as np

from fastbp._arrays import as_array

ORDERED = ("SequentialSampler", "RandomSampler")  # every sample once, in whatever order


def is_torch_data(data: object) -> bool:
    """Whether it is a Dataset of PyTorch's, or a DataLoader."""
    module = sys.modules.get("torch.utils.data")
    known = {} if module is None else vars(module)  # not all of it yet, while it is imported
    kinds = tuple(known[name] for name in ("Dataset", "DataLoader") if name in known)
    return isinstance(data, kinds)


def as_pair(data: Any, name: str) -> Any:
    """Samples and targets of PyTorch's data, as arrays; all else as it is.

    A DataLoader stands for its dataset: each sample is taken once, in the dataset's own order.
    """
    if not is_torch_data(data):
        return data
    parts = _parts(data, name)
    if len(parts) != 2:
        raise ValueError(
            f"{name}: expected a data set of samples and targets, two parts a sample; "
            f"got {type(data).__name__} with {len(parts)}"
        )
    x, y = parts
    return as_array(x, f"{name} x"), as_array(y, f"{name} y")


def samples_of(data: Any, name: str) -> Any:
    """The samples alone of PyTorch's data; all else as it is."""
    return as_array(_parts(data, name)[0], name) if is_torch_data(data) else data


def batch_size_of(data: Any) -> int | None:
    """How many samples a DataLoader gives at a time; None of all else."""
    size: int | None = data.batch_size if _is_loader(data) else None
    return size


def _is_loader(data: object) -> bool:
    return is_torch_data(data) and isinstance(data, sys.modules["torch.utils.data"].DataLoader)


def _parts(data: Any, name: str) -> tuple[Any, ...]:
    """The samples, their targets, and whatever a data set has besides."""
    module = sys.modules["torch.utils.data"]
    found = data.dataset if _is_loader(data) else data
    if isinstance(found, module.IterableDataset) or not hasattr(found, "__len__"):
        raise TypeError(
            f"{name}: got {type(found).__name__}, which does not say how many samples it has; "
            "take as many of them as you want, and give arrays, (x, y)"
        )
    if found is not data:
        _check_loader(data, name)
    if type(found) is module.TensorDataset:
        return tuple(found.tensors)
    rows = [found[row] for row in range(len(found))]
    if not rows:
        raise ValueError(f"{name}: expected at least one sample, got none")
    if not all(isinstance(row, (tuple, list)) and len(row) == len(rows[0]) for row in rows):
        raise TypeError(
            f"{name}: expected a data set of pairs, a sample and its target; an element of "
            f"{type(found).__name__} is {type(rows[0]).__name__}"
        )
    return tuple(_stacked(column, name) for column in zip(*rows, strict=True))


def _stacked(column: tuple[Any, ...], name: str) -> np.ndarray:
    """One part of all samples."""
    arrays = [as_array(each, name) for each in column]
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) > 1:
        raise ValueError(f"{name}: expected samples of one shape, got {shapes[0]} and {shapes[1]}")
    return np.stack(arrays)


def _check_loader(loader: Any, name: str) -> None:
    """Refuse what a loader does besides going through all samples of its dataset."""
    module, sampler = sys.modules["torch.utils.data"], loader.sampler
    if loader.collate_fn not in (module.default_collate, module.default_convert):
        own = "collate_fn"
    elif loader.batch_size is None and loader.batch_sampler is not None:
        own = "batch_sampler"
    elif type(sampler).__name__ not in ORDERED or getattr(sampler, "replacement", False):
        own = f"sampler, {type(sampler).__name__}"
    elif loader.drop_last and len(loader.dataset) % loader.batch_size:
        own = "drop_last=True"
    else:
        return
    raise ValueError(
        f"{name}: got a DataLoader with {own}, which would not count, for of a loader its dataset "
        "is taken, every sample once, in an order drawn here; give arrays, (x, y)"
    )
