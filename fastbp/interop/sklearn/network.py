"""A network as scikit-learn has it, two lists of arrays, and as fastbp's: there and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.sparse import issparse

from fastbp.layers import ACTIVATIONS, BatchNorm1d, Dropout, Layer, Linear
from fastbp.layers.initializers import Nothing
from fastbp.network import Sequential

from .drawn import Draws
from .kept import Kept, lent

# By scikit-learn's names, where they are others.
NAMES = {"logistic": "sigmoid"}
GAIN, LOGISTIC_GAIN = 6.0, 2.0  # of the bound that weights start within (Glorot & Bengio 2010)

AT_ONCE = 2048  # sparse samples that are made dense at a time


def random_layers(
    draws: Draws, sizes: Sequence[int], activation: str, dtype: Any
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The coefs and intercepts that scikit-learn starts from."""
    gain = LOGISTIC_GAIN if activation in ("logistic", "sigmoid") else GAIN
    found = [numbers.astype(dtype) for numbers in draws.layers(tuple(sizes), gain)]
    return found[::2], found[1::2]


@contextmanager
def network(
    coefs: Sequence[np.ndarray],
    intercepts: Sequence[np.ndarray],
    activation: str,
    dtype: Any,
    dropout: Sequence[Dropout] = (),
    norms: Sequence[np.ndarray] = (),
) -> Iterator[Kept]:
    """A network that computes with copies of these numbers; its scores are yet to be activated.

    It is the caller's own for a while. The dropout and norms, if any, are one for each hidden
    layer, whose sums are normalized.
    """
    sizes, dtype = [len(coefs[0]), *map(len, intercepts)], np.dtype(dtype)
    plain = not dropout and not norms
    shape = (*sizes, activation, dtype.char) if plain else None
    with lent(shape, lambda: _made(sizes, activation, dtype, dropout, len(norms) > 0)) as kept:
        for layer, coef, intercept in zip(dense_layers(kept.net), coefs, intercepts, strict=True):
            layer.w, layer.b = coef, intercept
        for norm, numbers in zip(norm_layers(kept.net), norms, strict=True):
            norm.w, norm.b, norm.running_mean, norm.running_var = numbers
        yield kept


def _made(
    sizes: Sequence[int], activation: str, dtype: Any, dropout: Sequence[Dropout], norms: bool
) -> Sequential:
    layers: list[Layer] = []
    for number, (inputs, outputs) in enumerate(pairwise(sizes)):
        if number and norms:
            layers.append(BatchNorm1d(inputs))
        if layers and activation != "identity":
            layers.append(ACTIVATIONS[NAMES.get(activation, activation)]())
        layers += dropout[number - 1 : number] if number else ()
        layers.append(Linear(inputs, outputs, init=Nothing()))
    return Sequential(layers, dtype=dtype)


def dense_layers(net: Sequential) -> list[Linear]:
    """Those that coefs and intercepts are of."""
    return [layer for layer in net.layers if isinstance(layer, Linear)]


def read(net: Sequential) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Copies of the network's coefs and intercepts."""
    layers = dense_layers(net)
    return [np.array(layer.w) for layer in layers], [np.array(layer.b) for layer in layers]


def norm_layers(net: Sequential) -> list[BatchNorm1d]:
    """Those that norms are of."""
    return [layer for layer in net.layers if isinstance(layer, BatchNorm1d)]


def read_norms(net: Sequential) -> list[np.ndarray]:
    """Copies of each norm's factors, summands, and running means and variances, (4, units)."""
    return [
        np.stack([norm.w, norm.b, norm.running_mean, norm.running_var]) for norm in norm_layers(net)
    ]


def scores_of(net: Sequential, x: Any, threads: int | None) -> np.ndarray:
    """The scores of samples, (n, outputs); sparse ones are made dense part by part."""
    if not issparse(x):
        return net.scores(x, threads)
    rows, starts = x.tocsr(), range(0, x.shape[0], AT_ONCE)
    parts = [net.scores(rows[start : start + AT_ONCE].toarray(), threads) for start in starts]
    return np.concatenate(parts)
