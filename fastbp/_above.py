"""What networks offer but stands on networks itself, so that network.py cannot import it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ._files import StrPath

if TYPE_CHECKING:
    from .network import Sequential


class Above:
    """The module named in front of each sets it when it is imported; ``import fastbp`` imports all.

    Of scores, None says that the layers must do.
    """

    # fastbp.engine: the scores of many samples (network, x, scale, threads)
    fused_scores: ClassVar[
        Callable[["Sequential", np.ndarray, float, int | None], np.ndarray | None]
    ]
    # fastbp.engine: what computes those of a single sample on the active kernels (network)
    one_sample: ClassVar[Callable[["Sequential"], Any]]
    # fastbp.storage: writes a network's file
    save: ClassVar[Callable[["Sequential", StrPath], None]]
