"""The kernel contract, as data: every kernel's name, arguments, outputs and one line of meaning.

Three modules hold the same kernels: ``_numpy`` (the reference, which is the specification),
``_numba`` and ``_cython``. A test compares their signatures and docstrings with this table.

What every kernel may rely on, because ``fastbp`` checked it once before the call:

- arrays are C-contiguous and two-dimensional unless said otherwise; all real arrays of a call
  share one dtype, float32 or float64; labels and row numbers are int64 and in range;
- outputs are allocated by the caller. A kernel overwrites them whole and never adds to them
  (an optimiser step and ``running_average`` alone read what they write: ``params`` and what is
  remembered, and y);
- inputs may be read-only; an elementwise kernel's output may be its input.

A kernel never allocates (the reference excepted), checks, logs, or takes None. A loss returns
its value, averaged over the batch, as a Python float, and fills ``dx`` with its gradient.

A module says in CAPABILITIES what it has besides the kernels: "bytes" (BYTES), that its engine
takes data which are bytes divided by something; "engine" (ENGINE), and that it runs "images" too;
"one_sample", the shortest way for a single sample; "orders" (ORDERS); "samples", that threads can
share a batch by its samples; "sparse_limits", that it leaves out the data's zeros where gradients
are limited too; "user_code" (USER_CODE).

Letters: n samples in a batch, i inputs, o outputs. Weights are (i, o), as in Y = X·W + b. Images
are (n, c, h, w): c channels of h rows and w columns; kernel, stride and padding are pairs (2,) of
int64, for rows and columns.
"""

from typing import NamedTuple


class Kernel(NamedTuple):
    """One row of the contract."""

    arguments: tuple[str, ...]  # in order: inputs first, then outputs
    outputs: tuple[str, ...]  # the arguments that the kernel overwrites
    meaning: str  # the docstring in all three modules


def _kernel(inputs: str, outputs: str, meaning: str) -> Kernel:
    return Kernel((*inputs.split(), *outputs.split()), tuple(outputs.split()), meaning)


KERNELS: dict[str, Kernel] = {
    # data (m, i) of uint8, float32 or float64; rows (n,); x (n, i)
    "gather": _kernel("data rows scale", "x", "x = data[rows] * scale"),
    # x (n, i); w (i, o); b (o,); y, dy (n, o)
    "dense_forward": _kernel("x w b", "y", "y = x @ w + b"),
    "dense_backward": _kernel("x dy", "dw db", "dw = x.T @ dy; db = the sum of dy over the batch"),
    "dense_backward_input": _kernel("dy w", "dx", "dx = dy @ w.T"),
    # elementwise, x, y, dy, dx (n, o); each derivative uses what it needs of x and y
    "relu_forward": _kernel("x", "y", "y = max(x, 0)"),
    "relu_backward": _kernel("x y dy", "dx", "dx = dy where y > 0, else 0"),
    "elu_forward": _kernel("x alpha", "y", "y = x where x > 0, else alpha * (exp(x) - 1)"),
    "elu_backward": _kernel("x y dy alpha", "dx", "dx = dy where y > 0, else dy * (y + alpha)"),
    "tanh_forward": _kernel("x", "y", "y = tanh(x)"),
    "tanh_backward": _kernel("x y dy", "dx", "dx = dy * (1 - y**2)"),
    "sigmoid_forward": _kernel("x", "y", "y = 1 / (1 + exp(-x))"),
    "sigmoid_backward": _kernel("x y dy", "dx", "dx = dy * y * (1 - y)"),
    "leaky_relu_forward": _kernel(
        "x negative_slope", "y", "y = x where x > 0, else negative_slope * x"
    ),
    "leaky_relu_backward": _kernel(
        "x y dy negative_slope", "dx", "dx = dy where y > 0, else dy * negative_slope"
    ),
    "selu_forward": _kernel("x", "y", "y = scale * (x where x > 0, else alpha * (exp(x) - 1))"),
    "selu_backward": _kernel(
        "x y dy", "dx", "dx = dy * scale where y > 0, else dy * (y + scale * alpha)"
    ),
    "silu_forward": _kernel("x", "y", "y = x / (1 + exp(-x))"),
    "silu_backward": _kernel(
        "x y dy", "dx", "dx = dy * s * (1 + x * (1 - s)), s = 1 / (1 + exp(-x))"
    ),
    "mish_forward": _kernel("x", "y", "y = x * tanh(log(1 + exp(x)))"),
    "mish_backward": _kernel(
        "x y dy", "dx", "dx = dy * (t + x * (1 - t**2) / (1 + exp(-x))), t = tanh(log(1 + exp(x)))"
    ),
    "softplus_forward": _kernel(
        "x beta threshold",
        "y",
        "y = log(1 + exp(beta * x)) / beta, but x where beta * x > threshold",
    ),
    "softplus_backward": _kernel(
        "x y dy beta threshold",
        "dx",
        "dx = dy / (1 + exp(-beta * x)), but dy where beta * x > threshold",
    ),
    "gelu_forward": _kernel(
        "x approximate", "y", "y = x * (1 + erf(x / sqrt(2))) / 2; by tanh, if approximate"
    ),
    "gelu_backward": _kernel(
        "x y dy approximate", "dx", "dx = dy * (p + x * density); p = y / x, density its slope"
    ),
    # x, z, y (n, o): a shortcut's end, forward and backward
    "add": _kernel("x z", "y", "y = x + z"),
    # x, y (n, o); seed, step >= 0. Linear, so that it is its own backward: dx from dy
    "dropout": _kernel(
        "x p seed step",
        "y",
        "y = x / (1 - p), but 0 with probability p; by Philox of seed, step, row and column",
    ),
    # x, y, dy, dx (n, o); w, b, mean, var, std, dw, db (o,): one a column
    "scale_forward": _kernel("x w", "y", "y = x * w"),
    "scale_backward": _kernel("x dy", "dw", "dw = the sum of x * dy over the batch"),
    "standardize_forward": _kernel("x mean std", "y", "y = (x - mean) / std"),
    "standardize_backward": _kernel("dy std", "dx", "dx = dy / std"),
    "batch_statistics": _kernel(
        "x", "mean var", "each column's mean and variance (over n) in the batch"
    ),
    "batch_norm_forward": _kernel(
        "x mean var w b eps", "y", "y = xhat * w + b, xhat = (x - mean) / sqrt(var + eps)"
    ),
    "batch_norm_backward": _kernel(
        "x dy mean var eps",
        "dw db",
        "dw = the sum of dy * xhat over the batch; db = the sum of dy",
    ),
    "batch_norm_backward_input": _kernel(
        "x dy mean var w dw db eps",
        "dx",
        "dx = w / sqrt(var + eps) * (dy - (db + dw * xhat) / n)",
    ),
    "batch_norm_backward_input_in_use": _kernel(
        "dy var w eps", "dx", "dx = w / sqrt(var + eps) * dy, where mean and var are no batch's"
    ),
    "running_average": _kernel("x share factor", "y", "y = y + share * (factor * x - y)"),
    # row by row; mean, rstd (n,): one a sample
    "layer_norm_forward": _kernel(
        "x w b eps",
        "mean rstd y",
        "y = (x - mean) * rstd * w + b; mean and rstd = 1 / sqrt(variance + eps) of each row",
    ),
    "layer_norm_backward": _kernel(
        "x dy mean rstd",
        "dw db",
        "dw = the sum of dy * xhat over the batch, xhat = (x - mean) * rstd; db = the sum of dy",
    ),
    "layer_norm_backward_input": _kernel(
        "x dy mean rstd w",
        "dx",
        "dx = rstd * (g - (sum(g) + xhat * sum(g * xhat)) / o), g = dy * w, row by row",
    ),
    # x (n, c, h, w); w (o, c / groups, k, l); b (o,); y, dy (n, o, i, j), without padding. Of the
    # groups that channels and filters are split into, each sees its own
    "conv2d_forward": _kernel(
        "x w b stride", "y", "y[i, j] = b + the sum of x[i * stride + k, j * stride + l] * w[k, l]"
    ),
    "conv2d_backward": _kernel(
        "x dy stride", "dw db", "dw[k, l] = the sum of x[i * stride + k, ...] * dy[i, j]; db of dy"
    ),
    "conv2d_backward_input": _kernel(
        "dy w stride", "dx", "dx[i * stride + k, ...] = the sum of dy[i, j] * w[k, l]"
    ),
    # x, dx (n, c, h, w); y, dy (n, c, i, j): windows that overlap or leave gaps are allowed
    "max_pool2d_forward": _kernel("x kernel stride", "y", "y = the maximum of each window of x"),
    "max_pool2d_backward": _kernel(
        "x dy kernel stride", "dx", "dx = the sum of dy of windows whose first maximum is there"
    ),
    "avg_pool2d_forward": _kernel("x kernel stride", "y", "y = the mean of each window of x"),
    "avg_pool2d_backward": _kernel(
        "dy kernel stride", "dx", "dx = the sum of dy / the window's size over its windows"
    ),
    # x, dx (n, c, h, w), which lie in y, dy (n, c, i, j) from padding on
    "pad2d_forward": _kernel("x padding value", "y", "y = x with a border of value"),
    "pad2d_backward": _kernel("dy padding", "dx", "dx = dy without its border"),
    # row by row, x, y, dy, dx (n, o)
    "softmax_forward": _kernel("x", "y", "y = exp(x) / sum(exp(x)), row by row"),
    "log_softmax_forward": _kernel("x", "y", "y = x - log(sum(exp(x))), row by row"),
    "log_softmax_backward": _kernel("y dy", "dx", "dx = dy - exp(y) * sum(dy), row by row"),
    # x (n, o) scores; labels (n,); target (n, o); pos_weight (o,) float64; each returns the loss.
    # weights (n,) float64, >= 0: a mean is that of rows weighted by them, and 0 if all are 0. Of
    # length 0 they are all 1
    "hinge_loss": _kernel(
        "x labels weights margin",
        "dx",
        "mean over rows of sum over j != label of max(0, x[j] - x[label] + margin)",
    ),
    "squared_hinge_loss": _kernel(
        "x labels weights margin",
        "dx",
        "mean over rows of sum over j != label of max(0, x[j] - x[label] + margin)**2",
    ),
    "cross_entropy_loss": _kernel(
        "x labels weights smoothing",
        "dx",
        "mean over rows of -sum(q * log(softmax(x))), q = (1 - smoothing) * onehot + smoothing / o",
    ),
    "soft_cross_entropy_loss": _kernel(
        "x target weights smoothing",
        "dx",
        "mean over rows of -sum(q * log(softmax(x))), q = (1 - smoothing) * target + smoothing / o",
    ),
    "nll_loss": _kernel("x labels weights", "dx", "mean over rows of -x[label]"),
    "squared_error_loss": _kernel(
        "x target weights", "dx", "mean over all elements of (x - target)**2"
    ),
    "absolute_error_loss": _kernel(
        "x target weights", "dx", "mean over all elements of |x - target|"
    ),
    "huber_loss": _kernel(
        "x target weights delta",
        "dx",
        "mean over all elements of c * (|d| - c / 2), d = x - target, c = min(|d|, delta)",
    ),
    "poisson_nll_loss": _kernel(
        "x target weights", "dx", "mean over all elements of exp(x) - target * x"
    ),
    "bce_with_logits_loss": _kernel(
        "x target weights pos_weight",
        "dx",
        "mean over all elements of -pos_weight * t * log(p) - (1 - t) * log(1 - p), p = sigmoid(x)",
    ),
    # params, grads (p,): the flat vectors
    "sgd_step": _kernel("grads lr", "params", "params = params - lr * grads"),
    # v, m (p,): what the optimiser remembers, all 0 at first; step counts from 1
    "momentum_step": _kernel(
        "grads lr momentum decay",
        "params v",
        "v = momentum * v + g; params = params - lr * v, with g = grads + decay * params",
    ),
    "nesterov_step": _kernel(
        "grads lr momentum decay",
        "params v",
        "v = momentum * v + g; params = params - lr * (g + momentum * v), g as in momentum_step",
    ),
    "adam_step": _kernel(
        "grads lr beta1 beta2 epsilon decay step",
        "params m v",
        "Adam: params = params - lr * m' / (sqrt(v') + epsilon), m' and v' corrected for step",
    ),
    "adamw_step": _kernel(
        "grads lr beta1 beta2 epsilon decay step",
        "params m v",
        "AdamW: params = params * (1 - lr * decay), then adam_step without decay",
    ),
    "rmsprop_step": _kernel(
        "grads lr alpha epsilon momentum decay",
        "params m v",
        "RMSprop: params = params - lr * m, m = momentum * m + g / (sqrt(v) + epsilon), v by alpha",
    ),
    "nadam_step": _kernel(
        "grads lr beta1 beta2 epsilon decay mu_decay step",
        "params m v",
        "NAdam: adam_step with Nesterov's momentum, beta1 * (1 - 0.96**(step * mu_decay) / 2)",
    ),
    "adagrad_step": _kernel(
        "grads lr lr_decay epsilon decay step",
        "params v",
        "v += g**2; params = params - lr / (1 + (step - 1) * lr_decay) * g / (sqrt(v) + epsilon)",
    ),
    # x (n, o) scores; labels (n,)
    "argmax": _kernel("x", "labels", "labels = the first column of each row's largest value"),
    "accuracy": _kernel("x labels", "", "the share of rows whose largest value is in column label"),
    # target (n, o); errors (2, o) of float64
    "sum_errors": _kernel(
        "x target",
        "errors",
        "errors = in double, the sums over rows of (x - target)**2 and of |x - target|",
    ),
}


# What a backend that runs whole epochs has besides; fastbp.engine drives it. program is the network
# as data (fastbp.program), and plan says where things lie in the workspace `work`. Of an epoch,
# labels (m,) or values (m, o) are the samples' targets, and kept (m, o) gets their scores, where it
# is not (0, 0), and weights (m,) or (0,) are what losses take for weights; order (n,) are the
# samples' numbers, starts (steps + 1,) where each step's begin and end there, and rates (steps, 2)
# the factor of each step's rate, and λ of its penalty. Several epochs may follow each other in
# order, and in kept.
ENGINE: dict[str, Kernel] = {
    "engine_plan": _kernel(
        "program batch states segments buffers params",
        "plan",
        "lay out the workspace, with each thread's buffers; returns its size in elements",
    ),
    "engine_pack": _kernel(
        "program plan part params",
        "work",
        "bring the flat params into part W (0), M (1), V (2) or, buffers, BUFFER (3) of work",
    ),
    "engine_unpack": _kernel(
        "program plan part work",
        "params",
        "bring part W (0), M (1), V (2) or, buffers, BUFFER (3) of work back into flat params",
    ),
    "train_steps": _kernel(
        "program plan settings choices data labels values weights order starts rates thread first "
        "last",
        "work losses kept sync",
        "run the steps first..last of an epoch as one of its threads; returns the first not done",
    ),
    "forward_samples": _kernel(
        "program plan settings choices data thread first last",
        "work scores",
        "write the scores of the samples first..last, alone and without waiting for anybody",
    ),
}


# What a backend has besides that draws orders of its own. bits is one of NumPy's bit generators,
# and order (n,) of int64.
ORDERS: dict[str, Kernel] = {
    "permutation": _kernel(
        "bits", "order", "order = np.random.Generator(bits).permutation(len(order))"
    ),
}


# What a backend has besides whose engine takes numbers as the bytes that they are made of. x (n,),
# found (n,) of uint8.
BYTES: dict[str, Kernel] = {
    "as_bytes": _kernel(
        "x scale divisor",
        "found",
        "found = the bytes of which x is found * scale, or found / divisor, if that is not 0; "
        "returns whether there are such",
    ),
}


# What an engine that calls users' own functions has besides. Both return the machine code, which
# has `addresses` for the engine's choices, and methods: forward and backward, or row.
USER_CODE: dict[str, Kernel] = {
    "compile_activation": _kernel(
        "value gradient dtype", "", "machine code for an activation's value(x) and gradient(x, y)"
    ),
    "compile_loss": _kernel(
        "value gradient values dtype",
        "",
        "machine code for a loss's value(x, target) and gradient(x, target, dx) of one row",
    ),
}
