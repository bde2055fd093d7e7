"""Dense layers: whole matrices, any size, row by row in memory."""

from .jit import regroup


@regroup
def dense_forward(x, w, b, y):
    """y = x @ w + b"""
    n, inputs, outputs = x.shape[0], w.shape[0], w.shape[1]
    whole = inputs - inputs % 4
    for r in range(n):
        y[r] = b
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
    whole = n - n % 4
    for k in range(inputs):
        dw[k] = 0
        for r in range(0, whole, 4):
            x0, x1, x2, x3 = x[r, k], x[r + 1, k], x[r + 2, k], x[r + 3, k]
            for j in range(outputs):
                dw[k, j] += (
                    x0 * dy[r, j] + x1 * dy[r + 1, j] + x2 * dy[r + 2, j] + x3 * dy[r + 3, j]
                )
        for r in range(whole, n):
            for j in range(outputs):
                dw[k, j] += x[r, k] * dy[r, j]
    db[:] = 0
    for r in range(n):
        for j in range(outputs):
            db[j] += dy[r, j]


@regroup
def dense_backward_input(dy, w, dx):
    """dx = dy @ w.T"""
    n, inputs, outputs = dy.shape[0], w.shape[0], w.shape[1]
    whole = inputs - inputs % 2
    zero = dx.dtype.type(0)
    for k in range(0, whole, 2):  # two rows of w at a time: each load of dy serves two products
        for r in range(n):
            s0, s1 = zero, zero
            for j in range(outputs):
                s0 += dy[r, j] * w[k, j]
                s1 += dy[r, j] * w[k + 1, j]
            dx[r, k], dx[r, k + 1] = s0, s1
    for k in range(whole, inputs):
        for r in range(n):
            s0 = zero
            for j in range(outputs):
                s0 += dy[r, j] * w[k, j]
            dx[r, k] = s0
