"""What keeps gradients and weights small, as fastbp.optimizers.limits specifies it."""

import math

from fastbp.kernels.numbers import Setting

from .jit import core, regrouped


@regrouped
def squares(v, n):
    """The sum of n numbers' squares, in double precision."""
    total = 0.0
    for i in range(n):
        x = float(v[i])
        total += x * x
    return total


@core
def add_penalty(l2, w, g, n):
    """g += l2 * w, the penalty's gradient."""
    factor = type(g[0])(l2)
    for i in range(n):
        g[i] += factor * w[i]


@core
def limit(s, l2, clip, w, g, n):
    """The gradient of n parameters as limits leave it; s are a run's settings.

    l2 is what of the penalty these parameters have, and clip the factor of this step's gradients.
    """
    most, factor = type(g[0])(s[Setting.CLIP_VALUE]), type(g[0])(clip)
    if l2 > 0:
        add_penalty(l2, w, g, n)
    if most > 0:
        for i in range(n):  # NaN stays NaN
            x = most if g[i] > most else g[i]
            g[i] = -most if x < -most else x
    if clip != 1:  # or NaN
        for i in range(n):
            g[i] *= factor


@core
def clip_factor(s, total):
    """What all gradients are multiplied by, whose squares sum up to total; NaN stays NaN."""
    factor = s[Setting.CLIP_NORM] / (math.sqrt(total) + s[Setting.CLIP_EPSILON])
    return 1.0 if factor > 1 else factor
