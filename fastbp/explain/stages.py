"""What a network on images makes of a picture, layer by layer."""

import numpy as np

from fastbp.datasets import Dataset
from fastbp.layers.base import outputs_of
from fastbp.layers.nesting import short
from fastbp.network import Sequential


def stages(net: Sequential, data: Dataset, row: int = 0) -> list[tuple[str, np.ndarray]]:
    """What each layer of images makes of a picture, as in use: names and (channels, h, w) arrays.

    The picture itself comes first. Nothing is left behind in the network.
    """
    found = [("the picture", data.images([row]) * data.scale)]
    x = net.as_input(data.batch([row])[0], f"{net!r}", net.dtype)
    for layer, y in zip(net.layers, outputs_of(net.layers, x), strict=True):
        if y.ndim == 4:
            found.append((short(layer), y[0]))
    return found
