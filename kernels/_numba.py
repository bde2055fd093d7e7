"""The same kernels as plain loops, compiled by Numba for the processor at hand.

Each runs without the GIL and is compiled when it is first called. All of them, and later whatever
calls them, stay in this one file: Numba's cache does not see changes in another file. The contract
stands in __init__.py; nothing is checked here.
"""

import math

import numba


def jit(function=None, *, regroup=False):
    """Compile without the GIL; keep the machine code on disk where a folder for it can be found.

    regroup lets sums be regrouped, so that a dot product uses vectors. It is for the dense kernels
    alone: a softmax depends on the order of its subtractions. Never fastmath=True: NaN stays NaN.
    """
    if function is None:
        return lambda function: jit(function, regroup=regroup)
    fastmath = {"nsz", "contract", "reassoc"} if regroup else {"nsz", "contract"}
    options = {"nogil": True, "fastmath": fastmath, "error_model": "numpy"}
    try:
        return numba.njit(function, cache=True, **options)
    except RuntimeError:  # "cannot cache function": neither the package nor a home is writable
        return numba.njit(function, **options)


@jit
def _row_max(x):
    top = x[0]
    for j in range(1, x.shape[0]):
        top = top if x[j] <= top else x[j]  # a NaN in x wins
    return top


@jit
def _argmax_row(x):
    best = 0
    for j in range(x.shape[0]):
        if x[j] != x[j]:  # the first NaN counts as largest, as in NumPy
            return j
        if x[j] > x[best]:
            best = j
    return best


@jit
def gather(data, rows, scale, x):
    """x = data[rows] * scale"""
    factor = x.dtype.type(scale)
    for r in range(rows.shape[0]):
        for j in range(data.shape[1]):
            x[r, j] = data[rows[r], j] * factor


@jit(regroup=True)
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


@jit(regroup=True)
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


@jit(regroup=True)
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


@jit
def relu_forward(x, y):
    """y = max(x, 0)"""
    zero = y.dtype.type(0)
    for r in range(x.shape[0]):
        for j in range(x.shape[1]):
            y[r, j] = zero if x[r, j] <= zero else x[r, j]  # this way round, NaN stays NaN


@jit
def relu_backward(y, dy, dx):
    """dx = dy where y > 0, else 0"""
    zero = dx.dtype.type(0)
    for r in range(y.shape[0]):
        for j in range(y.shape[1]):
            dx[r, j] = dy[r, j] if y[r, j] > zero else zero


@jit
def elu_forward(x, alpha, y):
    """y = x where x > 0, else alpha * (exp(x) - 1)"""
    a = y.dtype.type(alpha)
    for r in range(x.shape[0]):
        for j in range(x.shape[1]):
            y[r, j] = x[r, j] if x[r, j] > 0 else a * math.expm1(x[r, j])


@jit
def elu_backward(y, dy, alpha, dx):
    """dx = dy where y > 0, else dy * (y + alpha)"""
    a = dx.dtype.type(alpha)
    for r in range(y.shape[0]):
        for j in range(y.shape[1]):
            dx[r, j] = dy[r, j] if y[r, j] > 0 else dy[r, j] * (y[r, j] + a)


@jit
def tanh_forward(x, y):
    """y = tanh(x)"""
    for r in range(x.shape[0]):
        for j in range(x.shape[1]):
            y[r, j] = math.tanh(x[r, j])


@jit
def tanh_backward(y, dy, dx):
    """dx = dy * (1 - y**2)"""
    one = dx.dtype.type(1)
    for r in range(y.shape[0]):
        for j in range(y.shape[1]):
            dx[r, j] = dy[r, j] * (one - y[r, j] * y[r, j])


@jit
def sigmoid_forward(x, y):
    """y = 1 / (1 + exp(-x))"""
    one = y.dtype.type(1)
    for r in range(x.shape[0]):
        for j in range(x.shape[1]):
            e = math.exp(-abs(x[r, j]))  # at most 1, so that nothing overflows
            y[r, j] = (one if x[r, j] >= 0 else e) / (one + e)


@jit
def sigmoid_backward(y, dy, dx):
    """dx = dy * y * (1 - y)"""
    one = dx.dtype.type(1)
    for r in range(y.shape[0]):
        for j in range(y.shape[1]):
            dx[r, j] = dy[r, j] * y[r, j] * (one - y[r, j])


@jit
def softmax_forward(x, y):
    """y = exp(x) / sum(exp(x)), row by row"""
    for r in range(x.shape[0]):
        top, total = _row_max(x[r]), y.dtype.type(0)
        for j in range(x.shape[1]):
            y[r, j] = math.exp(x[r, j] - top)  # at least one is 1 and none overflows
            total += y[r, j]
        for j in range(x.shape[1]):
            y[r, j] /= total


@jit
def log_softmax_forward(x, y):
    """y = x - log(sum(exp(x))), row by row"""
    for r in range(x.shape[0]):
        top, total = _row_max(x[r]), y.dtype.type(0)
        for j in range(x.shape[1]):
            total += math.exp(x[r, j] - top)
        logarithm = math.log(total)
        for j in range(x.shape[1]):
            y[r, j] = (x[r, j] - top) - logarithm


@jit
def log_softmax_backward(y, dy, dx):
    """dx = dy - exp(y) * sum(dy), row by row"""
    for r in range(y.shape[0]):
        total = dx.dtype.type(0)
        for j in range(y.shape[1]):
            total += dy[r, j]
        for j in range(y.shape[1]):
            dx[r, j] = dy[r, j] - math.exp(y[r, j]) * total


@jit
def hinge_loss(x, labels, margin, dx):
    """mean over rows of sum over j != label of max(0, x[j] - x[label] + margin)"""
    n, loss = max(x.shape[0], 1), 0.0
    share, zero, m = dx.dtype.type(1 / n), dx.dtype.type(0), dx.dtype.type(margin)
    for r in range(x.shape[0]):
        label, violated = labels[r], 0
        for j in range(x.shape[1]):
            violation = (x[r, j] - x[r, label]) + m
            if j != label and not violation <= zero:  # a NaN must reach the loss
                loss += violation
            violated += j != label and violation > zero
            dx[r, j] = share if violation > zero else zero
        dx[r, label] = -share * violated
    return loss / n


@jit
def cross_entropy_loss(x, labels, dx):
    """mean over rows of -log(softmax(x)[label])"""
    n, loss = max(x.shape[0], 1), 0.0
    share = dx.dtype.type(1 / n)
    for r in range(x.shape[0]):
        top, total, label = _row_max(x[r]), dx.dtype.type(0), labels[r]
        score = x[r, label] - top
        for j in range(x.shape[1]):
            dx[r, j] = math.exp(x[r, j] - top)
            total += dx[r, j]
        for j in range(x.shape[1]):
            dx[r, j] = dx[r, j] / total * share
        dx[r, label] -= share
        loss += math.log(total) - score
    return loss / n


@jit
def nll_loss(x, labels, dx):
    """mean over rows of -x[label]"""
    n, loss = max(x.shape[0], 1), 0.0
    for r in range(x.shape[0]):
        dx[r] = 0
        dx[r, labels[r]] = -1 / n
        loss -= x[r, labels[r]]
    return loss / n


@jit
def squared_error_loss(x, target, dx):
    """mean over all elements of (x - target)**2"""
    size, loss = max(x.size, 1), 0.0
    twice = dx.dtype.type(2 / size)
    for r in range(x.shape[0]):
        for j in range(x.shape[1]):
            difference = x[r, j] - target[r, j]
            dx[r, j] = twice * difference
            loss += float(difference) * difference
    return loss / size


@jit
def sgd_step(grads, lr, params):
    """params = params - lr * grads"""
    rate = params.dtype.type(lr)
    for i in range(params.shape[0]):
        params[i] -= rate * grads[i]


@jit
def momentum_step(grads, lr, momentum, decay, params, v):
    """v = momentum * v + g; params = params - lr * v, with g = grads + decay * params"""
    real = params.dtype.type
    rate, mu, wd = real(lr), real(momentum), real(decay)
    for i in range(params.shape[0]):
        v[i] = mu * v[i] + (grads[i] + wd * params[i])
        params[i] -= rate * v[i]


@jit
def nesterov_step(grads, lr, momentum, decay, params, v):
    """v = momentum * v + g; params = params - lr * (g + momentum * v), g as in momentum_step"""
    real = params.dtype.type
    rate, mu, wd = real(lr), real(momentum), real(decay)
    for i in range(params.shape[0]):
        g = grads[i] + wd * params[i]
        v[i] = mu * v[i] + g
        params[i] -= rate * (g + mu * v[i])


@jit
def adam_step(grads, lr, beta1, beta2, epsilon, decay, step, params, m, v):
    """Adam: params = params - lr * m' / (sqrt(v') + epsilon), m' and v' corrected for step"""
    real = params.dtype.type
    rate, b1, b2, eps, wd = real(lr), real(beta1), real(beta2), real(epsilon), real(decay)
    fix1, fix2, one = real(1 / (1 - beta1**step)), real(1 / (1 - beta2**step)), real(1)
    for i in range(params.shape[0]):
        g = grads[i] + wd * params[i]
        m[i] = b1 * m[i] + (one - b1) * g
        v[i] = b2 * v[i] + (one - b2) * g * g
        params[i] -= rate * (m[i] * fix1) / (math.sqrt(v[i] * fix2) + eps)


@jit
def adamw_step(grads, lr, beta1, beta2, epsilon, decay, step, params, m, v):
    """AdamW: params = params * (1 - lr * decay), then adam_step without decay"""
    shrink = params.dtype.type(lr * decay)
    for i in range(params.shape[0]):
        params[i] -= shrink * params[i]
    adam_step(grads, lr, beta1, beta2, epsilon, 0.0, step, params, m, v)


@jit
def argmax(x, labels):
    """labels = the first column of each row's largest value"""
    for r in range(x.shape[0]):
        labels[r] = _argmax_row(x[r])


@jit
def accuracy(x, labels):
    """the share of rows whose largest value is in column label"""
    right = 0
    for r in range(x.shape[0]):
        right += _argmax_row(x[r]) == labels[r]
    return right / max(x.shape[0], 1)
