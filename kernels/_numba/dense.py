"""Dense layers: whole matrices, any size, row by row in memory.

They run on the engine's tiles where outputs fill a vector: 784 x 800 for 32 samples in single
precision takes 320 microseconds, in loops 720, and its dx 340 against 850. What fills no vector or
no tile goes in loops: a kernel has no room to make it fill one.
"""

from .jit import core, regroup, regrouped
from .pointers import fill, pointer, shift
from .tile import PANEL, product, product_of_rows
from .vectors import lanes_of


@regroup
def dense_forward(x, w, b, y):
    """y = x @ w + b"""
    n, inputs, outputs = x.shape[0], w.shape[0], w.shape[1]
    if outputs >= lanes_of(y[0, 0]):
        start = pointer(b)
        _on_tiles(n, outputs, inputs, pointer(x), inputs, 1, pointer(w), start, pointer(y))
        return
    whole = inputs - inputs % 4
    for r in range(n):
        for j in range(outputs):  # for y[r] = b Numba would compile for two seconds
            y[r, j] = b[j]
    for k in range(0, whole, 4):  # four rows of w stay in the nearest cache for the whole batch
        for r in range(n):
            x0, x1, x2, x3 = x[r, k], x[r, k + 1], x[r, k + 2], x[r, k + 3]
            for j in range(outputs):
                y[r, j] += x0 * w[k, j] + x1 * w[k + 1, j] + x2 * w[k + 2, j] + x3 * w[k + 3, j]
    for k in range(whole, inputs):
        for r in range(n):
            for j in range(outputs):
                y[r, j] += x[r, k] * w[k, j]


@regroup
def dense_backward(x, dy, dw, db):
    """dw = x.T @ dy; db = the sum of dy over the batch"""
    n, inputs, outputs = x.shape[0], dw.shape[0], dw.shape[1]
    fill(pointer(db), outputs, 0)
    if outputs >= lanes_of(dw[0, 0]):
        _on_tiles(inputs, outputs, n, pointer(x), 1, inputs, pointer(dy), pointer(db), pointer(dw))
    else:
        _backward_narrow(x, dy, dw)
    for r in range(n):
        for j in range(outputs):
            db[j] += dy[r, j]


@core
def _backward_narrow(x, dy, dw):
    """dense_backward's dw where outputs fill no vector."""
    n, inputs, outputs = x.shape[0], dw.shape[0], dw.shape[1]
    whole = n - n % 4
    fill(pointer(dw), dw.size, 0)
    for k in range(inputs):
        for r in range(0, whole, 4):
            x0, x1, x2, x3 = x[r, k], x[r + 1, k], x[r + 2, k], x[r + 3, k]
            for j in range(outputs):
                dw[k, j] += (
                    x0 * dy[r, j] + x1 * dy[r + 1, j] + x2 * dy[r + 2, j] + x3 * dy[r + 3, j]
                )
        for r in range(whole, n):
            for j in range(outputs):
                dw[k, j] += x[r, k] * dy[r, j]


@core
def _on_tiles(rows, columns, depth, a, a_row, a_depth, b, start, c):
    """c = start + a @ b, by strips of columns, whose part of b stays in the cache for all rows.

    The last vector of columns overlaps the one before, and finds the same again.
    """
    lanes = lanes_of(c[0])
    whole, strip = columns - columns % lanes, PANEL * lanes
    for j in range(0, whole, strip):
        width, b_j, start_j, c_j = min(strip, whole - j), shift(b, j), shift(start, j), shift(c, j)
        product(rows, width, depth, a, a_row, a_depth, b_j, columns, start_j, 0, c_j, columns)
    if whole < columns:
        j = columns - lanes
        b_j, start_j, c_j = shift(b, j), shift(start, j), shift(c, j)
        product(rows, lanes, depth, a, a_row, a_depth, b_j, columns, start_j, 0, c_j, columns)


@regroup
def dense_backward_input(dy, w, dx):
    """dx = dy @ w.T"""
    n, inputs, outputs = dy.shape[0], w.shape[0], w.shape[1]
    lanes = lanes_of(dx[0, 0])
    depth, tiled = outputs - outputs % lanes, inputs - inputs % 4
    if depth == 0 or n == 0:
        depth = tiled = 0
    fill(pointer(dx), dx.size, 0)
    if tiled:
        # The last row is what each of the tiles starts from, until its own, which comes last.
        a, c = pointer(dy), pointer(dx)
        start = shift(c, (n - 1) * inputs)
        product_of_rows(n, 0, tiled, depth, a, outputs, pointer(w), outputs, start, c, inputs)
    _add_dots(dy, w, dx, 0, tiled, depth)
    _add_dots(dy, w, dx, tiled, inputs, 0)


@regrouped
def _add_dots(dy, w, dx, first, last, start):
    """dx += dy @ w.T for the inputs first to last, over the outputs from `start` on."""
    n, outputs, zero = dy.shape[0], w.shape[1], dx.dtype.type(0)
    if start == outputs:
        return
    whole = last - (last - first) % 2
    for k in range(first, whole, 2):  # two rows of w at a time: a load of dy serves two products
        for r in range(n):
            s0, s1 = zero, zero
            for j in range(start, outputs):
                s0 += dy[r, j] * w[k, j]
                s1 += dy[r, j] * w[k + 1, j]
            dx[r, k] += s0
            dx[r, k + 1] += s1
    for k in range(whole, last):
        for r in range(n):
            s0 = zero
            for j in range(start, outputs):
                s0 += dy[r, j] * w[k, j]
            dx[r, k] += s0
