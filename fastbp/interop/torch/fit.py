"""``fit``: a PyTorch module is trained in place."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from torch import nn

from fastbp import training
from fastbp._arrays import as_array
from fastbp.datasets import Dataset, as_pair, batch_size_of
from fastbp.layers import Flatten
from fastbp.network import Sequential
from fastbp.training import Data, History

from .convert import Converted, joined, paired, said, takes_images
from .pairs import Pair, every, to_layers, to_modules
from .parts import as_loss, as_optimizer

# What was made of a module: optimisers remember a network, and Dropout which mask is next.
_MADE: WeakKeyDictionary[nn.Module, Converted] = WeakKeyDictionary()


def fit(
    module: nn.Module,
    train: Data | npt.ArrayLike,
    y: npt.ArrayLike | None = None,
    *,
    loss: Any = None,
    optimizer: Any = None,
    **options: Any,
) -> History:
    """Train a PyTorch module in place, as ``fb.fit`` trains a network.

    The module's parameters and buffers are those of a PyTorch loop over the same batches, but for
    rounding. They are written when the training ends, however it does: after Ctrl-C or an error the
    module has what was reached. Until then it is as it was.

    Parameters
    ----------
    module : nn.Sequential
        As ``from_torch`` takes it. Parameters that require no gradient are left as they are. It
        is trained in training mode, whichever it is in.
    train : (x, y), x with y as the next argument, Dataset or DataLoader of PyTorch's, or Dataset
        As ``fb.fit`` takes it: arrays, tensors, or all samples of a data set. Of images,
        (n, channels, height, width).
    y : (n,) or (n, outputs) array_like, optional
    loss : optional
        A loss of PyTorch's or of fastbp's, or its name. Left out, it follows from the targets.
    optimizer : optional
        An optimiser of PyTorch's over all of the module's parameters, of which the settings count:
        it is neither stepped nor changed; what it would remember is kept from one call to the next.
        Or one of fastbp's, or its name. Left out, ``fb.Adam()``.
    **options
        All other arguments of ``fb.fit``: epochs, batch_size, validation, schedule, seed, …

    Returns
    -------
    History

    Raises
    ------
    TypeError, ValueError
        If ``from_torch`` refuses the module, or ``fb.fit`` the rest; if there is no loss or
        optimiser that computes the same, or it has other settings.
    DivergenceError
        When the loss or a parameter becomes NaN or infinite.

    Notes
    -----
    Epoch k takes the samples in the order ``np.random.default_rng([seed, k]).permutation(n)``.
    Dropout drops other elements than PyTorch, for its masks are drawn in another way. The gradient
    of a bias before BatchNorm is nothing but rounding, which Adam scales up to whole steps: such a
    bias ends elsewhere than in PyTorch, and BatchNorm takes it out again.

    Examples
    --------
    >>> module = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    >>> history = fb.torch.fit(module, x, y, loss=nn.CrossEntropyLoss(), epochs=5)
    """
    data = _with_array(as_pair(train if y is None else (train, y), "train"), "train x")
    made = _made(module, data)
    options.setdefault("batch_size", batch_size_of(train))
    if "validation" in options:
        judge = _with_array(as_pair(options["validation"], "validation"), "validation x")
        options["validation"] = _as_images(judge, made.net)
    how = {"loss": as_loss(loss), "optimizer": as_optimizer(optimizer, module)}
    try:
        return training.fit(made.net, _as_images(data, made.net), **how, **options)
    finally:
        to_modules(made.pairs)


def _made(module: Any, data: Any) -> Converted:
    """The network of a module, whose numbers it has: the one that there was, if it is like it."""
    pairs, shape = paired(module, "fit")
    if shape is None and pairs and _takes_shapes(pairs):
        shape = _sample_shape(data)
    new, old = joined(pairs, shape, "fit"), _MADE.get(module)
    if old is None or not _is_like(old, new):
        _MADE[module] = new
        return new
    for one, other in zip(every(old.pairs), every(new.pairs), strict=True):
        one.layer.trainable = other.layer.trainable
    to_layers(old.pairs, "fit")
    return old


def _is_like(old: Converted, new: Converted) -> bool:
    """Whether they are networks of the same modules, which still have the same settings."""
    one, other = (
        [(pair.module, said(pair.layer)) for pair in every(each.pairs)] for each in (old, new)
    )
    same = (old.net.dtype, old.net.input_shape) == (new.net.dtype, new.net.input_shape)
    return same and one == other


def _takes_shapes(pairs: list[Pair]) -> bool:
    """Whether a network's samples may have more than one dimension."""
    return isinstance(pairs[0].layer, Flatten) or any(takes_images(pair.layer) for pair in pairs)


def _sample_shape(data: Any) -> tuple[int, ...] | None:
    """(channels, height, width) of a sample, where it is an image."""
    if isinstance(data, Dataset):
        return None if data.image_shape is None else (1, *data.image_shape)
    shape = np.shape(data[0])[1:] if isinstance(data, tuple) else ()
    return {2: (1, *shape), 3: shape}.get(len(shape))


def _with_array(data: Any, name: str) -> Any:
    """A pair whose samples are an array; all else as it is."""
    if isinstance(data, (tuple, list)) and len(data) == 2:
        return as_array(data[0], name), data[1]
    return data


def _as_images(data: Any, net: Sequential) -> Any:
    """Grey pictures, (n, height, width), which modules flatten, with their one channel."""
    if isinstance(data, tuple) and data[0].ndim == 3 and isinstance(net[0], Flatten):
        x, y = data
        return x[:, None], y
    return data
