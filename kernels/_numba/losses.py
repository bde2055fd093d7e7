"""Losses over one row of o columns, and which one a run has.

Each returns the row's own, and weights its gradient by `share`.
"""

import math
import typing

import numba.extending
import numpy as np
from numba import types

from fastbp.kernels.numbers import LossKind

from .elementary import exp_
from .jit import core, jit
from .pointers import at, call_at, fetch, pointer, pointer_to, shift
from .rowwise import exp_shifted, row_max


@core
def loss_row(kind, numbers, code, x, sample, labels, values, weight, parts, dx, o):
    """The loss of one of a batch's rows, which is that sample, times its weight.

    code is a user's loss. The mean's sum has so many parts: see parts_of.
    """
    if kind != LossKind.USER_LOSS or weight == 0:
        return _weighed_row(kind, numbers, x, sample, labels, values, weight, parts, dx, o)
    loss = _call_loss(code[0], x, labels[sample], shift(values, sample * o), dx, o)
    share = type(x[0])(weight / parts)
    for j in range(o):
        dx[j] *= share
    return weight * loss


@core
def mean_loss(kind, numbers, x, labels, values, weights, n, dx, o):
    """The loss of n rows, whose targets are labels or values.

    numbers points to the loss's own: one, or one for each of o columns.
    """
    total, whole = 0.0, 0.0
    for r in range(n):
        whole += weight_of(weights, r)
    parts = parts_of(kind, whole, o)
    for r in range(n):
        row, gradient, weight = shift(x, r * o), shift(dx, r * o), weight_of(weights, r)
        total += _weighed_row(kind, numbers, row, r, labels, values, weight, parts, gradient, o)
    return mean_of(total, parts)


@core
def fetch_target(kind, sample, labels, values, o):
    """Let the processor bring near what a sample's loss reads."""
    if LossKind.SOFT_CROSS_ENTROPY <= kind < LossKind.USER_LOSS:
        fetch(values, sample * o)
    else:
        fetch(labels, sample)


class Weights(typing.NamedTuple):
    """Those of samples, if they are given: else each is 1."""

    each: typing.Any
    given: bool


@core
def weight_of(weights, sample):
    return weights.each[sample] if weights.given else 1.0


@core
def parts_of(kind, weights, o):
    """What the sum over rows, which have these weights together, is to be divided by."""
    return weights * o if LossKind.SQUARED_ERROR <= kind < LossKind.USER_LOSS else weights


@core
def mean_of(total, parts):
    """The mean of what comes to this total; 0 where nothing has weight."""
    return total / parts if parts != 0 else 0.0


@core
def _weighed_row(kind, numbers, x, sample, labels, values, weight, parts, dx, o):
    """A row's loss times its weight.

    A row without weight counts for nothing, whatever it holds.
    """
    if weight == 0:
        for j in range(o):
            dx[j] = 0
        return 0.0
    share = type(x[0])(weight / parts)
    return weight * _row(kind, numbers, x, sample, labels, values, share, dx, o)


@core
def _row(kind, numbers, x, sample, labels, values, share, dx, o):
    """The loss of one row, which is that sample."""
    number, target = numbers[0], shift(values, sample * o)
    real = type(share)(number)
    if kind == LossKind.SQUARED_ERROR:
        return _squared_error_row(x, target, share, dx, o)
    if kind == LossKind.ABSOLUTE_ERROR:
        return _absolute_error_row(x, target, share, dx, o)
    if kind == LossKind.HUBER:
        return _huber_row(x, target, real, share, dx, o)
    if kind == LossKind.POISSON_NLL:
        return _poisson_nll_row(x, target, share, dx, o)
    if kind == LossKind.BCE_WITH_LOGITS:
        return _bce_with_logits_row(x, target, numbers, share, dx, o)
    if kind == LossKind.SOFT_CROSS_ENTROPY:
        return _soft_cross_entropy_row(x, target, number, share, dx, o)
    label = labels[sample]
    if kind == LossKind.HINGE:
        return _hinge_row(x, label, real, share, dx, o)
    if kind == LossKind.SQUARED_HINGE:
        return _squared_hinge_row(x, label, real, share, dx, o)
    if kind == LossKind.CROSS_ENTROPY:
        return _cross_entropy_row(x, label, number, share, dx, o)
    return _nll_row(x, label, share, dx, o)


@numba.extending.intrinsic
def _call_loss(context, code, x, label, target, dx, o):
    """Call what compile_loss made, at its address."""
    return call_at(types.float64(x, types.int64, x, x, types.intp))


@core
def _hinge_row(x, label, margin, share, dx, o):
    loss, violated, zero, score = 0.0, 0, type(margin)(0), x[label]
    for j in range(o):
        violation = (x[j] - score) + margin
        if j != label and not violation <= zero:  # a NaN must reach the loss
            loss += violation
        violated += j != label and violation > zero
        dx[j] = share if violation > zero else zero
    dx[label] = -share * type(share)(violated)
    return loss


@core
def _squared_hinge_row(x, label, margin, share, dx, o):
    """dx = 2/n of the violation, minus their sum at the label."""
    loss, total, zero, score = 0.0, 0.0, type(margin)(0), x[label]
    for j in range(o):
        violation = (x[j] - score) + margin
        violation = zero if j == label or violation <= zero else violation  # NaN stays
        loss += np.float64(violation) * violation
        dx[j] = type(share)(2) * share * violation
        total += dx[j]
    dx[label] = -total
    return loss


@core
def _cross_entropy_row(x, label, smoothing, share, dx, o):
    """log(sum(exp(x))) - x[label]; dx = (softmax(x) - onehot(label)) * share; then smoothing's.

    It takes that share of the label's one, and gives every class an equal part.
    """
    score, below = x[label] - row_max(x, o), 0.0
    total = exp_shifted(x, dx, o)
    for j in range(o):
        dx[j] = dx[j] / total * share
    dx[label] -= share
    if smoothing == 0:
        return math.log(total) - score
    part = type(share)(smoothing / o) * share
    for j in range(o):
        below += x[label] - x[j]
        dx[j] -= part
    dx[label] += type(share)(smoothing) * share
    return math.log(total) - score + smoothing * below / o


@core
def _soft_cross_entropy_row(x, target, smoothing, share, dx, o):
    """-sum(q * log(softmax(x))); dx = (sum(q) * softmax(x) - q) / n; q is the target, smoothed."""
    top, loss, whole = row_max(x, o), 0.0, 0.0
    total, real = exp_shifted(x, dx, o), type(share)
    kept, part, rest = real(1 - smoothing), real(smoothing / o), math.log(np.float64(total))
    for j in range(o):
        q = kept * target[j] + part
        loss += q * (rest - (x[j] - top))
        whole += q
    for j in range(o):
        dx[j] = (real(whole) * (dx[j] / total) - (kept * target[j] + part)) * share
    return loss


@core
def _nll_row(x, label, share, dx, o):
    score = x[label]
    for j in range(o):
        dx[j] = type(share)(0)
    dx[label] = -share
    return -score


@core
def _squared_error_row(x, target, share, dx, o):
    """Here share is 1 / (n·o), because the mean runs over all elements."""
    loss = 0.0
    for j in range(o):
        difference = x[j] - target[j]
        dx[j] = type(share)(2) * share * difference
        loss += float(difference) * difference
    return loss


@core
def _absolute_error_row(x, target, share, dx, o):
    """share as in _squared_error_row; the derivative at 0 is 0."""
    loss = 0.0
    for j in range(o):
        difference = x[j] - target[j]
        loss += difference if difference > 0 else -difference
        if difference > 0:
            dx[j] = share
        else:
            dx[j] = -share if difference < 0 else difference  # 0, or NaN
    return loss


@core
def _huber_row(x, target, delta, share, dx, o):
    """share as in _squared_error_row; half a square up to delta, and from there a line."""
    loss = 0.0
    for j in range(o):
        difference = x[j] - target[j]
        distance = difference if difference > 0 else -difference
        near = delta if distance > delta else distance
        loss += near * (distance - 0.5 * near)
        dx[j] = share * (near if difference > 0 else -near)
    return loss


@core
def _poisson_nll_row(x, target, share, dx, o):
    """share as in _squared_error_row; x are logarithms of rates."""
    loss = 0.0
    for j in range(o):
        rate = exp_(x[j])
        loss += rate - np.float64(target[j]) * x[j]
        dx[j] = share * (rate - target[j])
    return loss


@core
def _bce_with_logits_row(x, target, pos_weight, share, dx, o):
    """share as in _squared_error_row; -log(sigmoid(x)) = log1p(exp(-|x|)) + max(-x, 0)."""
    loss, zero, one = 0.0, type(share)(0), type(share)(1)
    for j in range(o):
        e = exp_(-x[j] if x[j] > 0 else x[j])
        yes, no = (one if x[j] > 0 else e) / (one + e), (e if x[j] > 0 else one) / (one + e)
        against, in_favour = one - target[j], type(share)(pos_weight[j]) * target[j]
        rest = math.log1p(np.float64(e))
        loss += against * (rest + (x[j] if x[j] > 0 else zero))
        loss += in_favour * (rest + (-x[j] if x[j] < 0 else zero))
        dx[j] = share * (against * yes - in_favour * no)
    return loss


@core
def _of_labels(kind, numbers, x, labels, weights, dx):
    (n, o), values = x.shape, at(0, dx.dtype.type)
    each = Weights(pointer(weights), len(weights) > 0)
    return mean_loss(kind, numbers, pointer(x), pointer(labels), values, each, n, pointer(dx), o)


@core
def _of_values(kind, numbers, x, target, weights, dx):
    (n, o), labels = x.shape, at(0, np.int64)
    each = Weights(pointer(weights), len(weights) > 0)
    return mean_loss(kind, numbers, pointer(x), labels, pointer(target), each, n, pointer(dx), o)


@jit
def hinge_loss(x, labels, weights, margin, dx):
    """mean over rows of sum over j != label of max(0, x[j] - x[label] + margin)"""
    return _of_labels(LossKind.HINGE, pointer_to(margin), x, labels, weights, dx)


@jit
def cross_entropy_loss(x, labels, weights, smoothing, dx):
    """mean over rows of -sum(q * log(softmax(x))), q = (1 - smoothing) * onehot + smoothing / o"""
    return _of_labels(LossKind.CROSS_ENTROPY, pointer_to(smoothing), x, labels, weights, dx)


@jit
def soft_cross_entropy_loss(x, target, weights, smoothing, dx):
    """mean over rows of -sum(q * log(softmax(x))), q = (1 - smoothing) * target + smoothing / o"""
    return _of_values(LossKind.SOFT_CROSS_ENTROPY, pointer_to(smoothing), x, target, weights, dx)


@jit
def nll_loss(x, labels, weights, dx):
    """mean over rows of -x[label]"""
    return _of_labels(LossKind.NLL, pointer_to(0.0), x, labels, weights, dx)


@jit
def squared_error_loss(x, target, weights, dx):
    """mean over all elements of (x - target)**2"""
    return _of_values(LossKind.SQUARED_ERROR, pointer_to(0.0), x, target, weights, dx)


@jit
def absolute_error_loss(x, target, weights, dx):
    """mean over all elements of |x - target|"""
    return _of_values(LossKind.ABSOLUTE_ERROR, pointer_to(0.0), x, target, weights, dx)


@jit
def huber_loss(x, target, weights, delta, dx):
    """mean over all elements of c * (|d| - c / 2), d = x - target, c = min(|d|, delta)"""
    return _of_values(LossKind.HUBER, pointer_to(delta), x, target, weights, dx)


@jit
def squared_hinge_loss(x, labels, weights, margin, dx):
    """mean over rows of sum over j != label of max(0, x[j] - x[label] + margin)**2"""
    return _of_labels(LossKind.SQUARED_HINGE, pointer_to(margin), x, labels, weights, dx)


@jit
def poisson_nll_loss(x, target, weights, dx):
    """mean over all elements of exp(x) - target * x"""
    return _of_values(LossKind.POISSON_NLL, pointer_to(0.0), x, target, weights, dx)


@jit
def bce_with_logits_loss(x, target, weights, pos_weight, dx):
    """mean over all elements of -pos_weight * t * log(p) - (1 - t) * log(1 - p), p = sigmoid(x)"""
    return _of_values(LossKind.BCE_WITH_LOGITS, pointer(pos_weight), x, target, weights, dx)
