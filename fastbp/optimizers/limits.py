"""What keeps gradients and weights small: a penalty on weights, and clipped gradients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastbp._checks import as_number
from fastbp.kernels.numbers import Setting
from fastbp.layers.rules import pieces, trained_pieces

if TYPE_CHECKING:
    from fastbp.network import Sequential

EPSILON = 1e-6  # beside the norm, as PyTorch's clip_grad_norm_ has it


@dataclass(frozen=True)
class Limits:
    """A penalty λ/2·Σw² in the loss, and a bound for gradients before the optimiser sees them.

    The penalty is on weights alone: biases and what norms learn are spared. Its gradient λ·w is
    part of what is clipped. Layers that are not trained have their part in the penalty.

    Parameters
    ----------
    l2 : float
        λ >= 0.
    clip_value : float, optional
        v > 0: each number of the gradient is clipped to ±v.
    clip_norm : float, optional
        c > 0: the gradient of all layers that are trained is multiplied by min(1, c/(‖g‖ + 1e-6)),
        as PyTorch's ``clip_grad_norm_`` does.

    Raises
    ------
    ValueError, TypeError
        Of a number that is none of these, or both ways of clipping.

    Examples
    --------
    >>> limits = Limits(l2=1e-4, clip_norm=1.0)
    >>> loss, gradient = fb.CrossEntropyLoss().compute(net.forward(x), y)
    >>> loss += limits.penalty(net)
    >>> net.backward(gradient)
    >>> limits.apply(net)
    >>> optimizer.step(net)
    """

    l2: float = 0.0
    clip_value: float | None = None
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        as_number(self.l2, "l2", least=0)
        for name in ("clip_value", "clip_norm"):
            if getattr(self, name) is not None:
                as_number(getattr(self, name), name, above=0)
        if self.clip_value is not None and self.clip_norm is not None:
            raise ValueError(
                "clip_value and clip_norm: expected one of them, got "
                f"{self.clip_value:g} and {self.clip_norm:g}"
            )

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.l2) or self.clips

    @property
    def clips(self) -> bool:
        """Whether gradients are clipped, one way or the other."""
        return self.clip_value is not None or self.clip_norm is not None

    def penalty(self, net: Sequential) -> float:
        """λ/2·Σw² of all weights, which is part of the loss."""
        if not self.l2:
            return 0.0
        found = (net.params[part] for part, rule in pieces(net.vectors, net.layers) if rule.decays)
        return self.l2 / 2 * sum(map(_squares, found))

    def apply(self, net: Sequential) -> None:
        """Add the penalty's gradient to the network's, and clip the sum."""
        grads = net.grads
        parts = trained_pieces(net.vectors, net.layers, decay_biases=False)
        for part, rule in parts if self.l2 else ():
            if rule.decays:
                grads[part] += self.l2 * net.params[part]
        if self.clip_value is not None:
            for part, _ in parts:
                np.clip(grads[part], -self.clip_value, self.clip_value, out=grads[part])
        if self.clip_norm is not None:
            norm = math.sqrt(sum(_squares(grads[part]) for part, _ in parts))
            factor = self.clip_norm / (norm + EPSILON)
            for part, _ in parts if not factor >= 1 else ():
                grads[part] *= factor

    def numbers(self) -> dict[Setting, float]:
        """What an engine must know of them."""
        return {
            Setting.L2: self.l2,
            Setting.CLIP_VALUE: self.clip_value or 0.0,
            Setting.CLIP_NORM: self.clip_norm or 0.0,
            Setting.CLIP_EPSILON: EPSILON,
        }


def _squares(vector: np.ndarray) -> float:
    """The sum of a vector's squares, in float64."""
    wide = vector.astype(np.float64)
    return float(wide @ wide)
