"""JAX: a whole epoch is one compiled call, a scan over its batches."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from _peers_base import Peer, Problem, pair
from _tasks import Work
from jax import lax
from jax import numpy as jnp

import fastbp as fb

WITHOUT_PARAMETERS = {
    fb.Tanh: jnp.tanh,
    fb.Sigmoid: jax.nn.sigmoid,
    fb.ReLU: jax.nn.relu,
    fb.Flatten: lambda x: x.reshape(len(x), -1),
    fb.GELU: partial(jax.nn.gelu, approximate=False),
    fb.SiLU: jax.nn.silu,
}
ALONE = {"xla_cpu_multi_thread_eigen": False}  # what a program computes in one thread by
Parameters = list[tuple[jax.Array, jax.Array]]
Running = list[tuple[jax.Array, jax.Array]]  # mean and variance of each BatchNorm1d
Memory = tuple[Parameters, Parameters]  # Adam's means of gradients and of their squares


class State(NamedTuple):
    """All that an epoch carries from batch to batch."""

    params: Parameters
    running: Running
    memory: Memory
    step: jax.Array


def convolution(layer: fb.Conv2d, w: jax.Array, b: jax.Array, x: jax.Array) -> jax.Array:
    """X ⋆ W + b, images as (n, channels, rows, columns)."""
    padding = [(n, n) for n in pair(layer.padding)]
    y = lax.conv_general_dilated(
        x, w, pair(layer.stride), padding, dimension_numbers=("NCHW", "OIHW", "NCHW")
    )
    return y + b[:, None, None]


def max_pool(layer: fb.MaxPool2d, x: jax.Array) -> jax.Array:
    """The maximum of each window."""
    window, stride = (1, 1, *pair(layer.kernel)), (1, 1, *pair(layer.stride))
    padding = [(0, 0), (0, 0), *((n, n) for n in pair(layer.padding))]
    return lax.reduce_window(x, -jnp.inf, lax.max, window, stride, padding)


def products_of_patches(layer: fb.Conv2d, w: jax.Array, b: jax.Array, x: jax.Array) -> jax.Array:
    """X ⋆ W + b as one product of matrices: a row of X's for every place of the window."""
    (up, left), (down, right) = pair(layer.padding), pair(layer.stride)
    x = jnp.pad(x, ((0, 0), (0, 0), (up, up), (left, left))).transpose(0, 2, 3, 1)
    high, wide = w.shape[2:]
    rows, columns = (x.shape[1] - high) // down + 1, (x.shape[2] - wide) // right + 1
    patches = jnp.concatenate(
        [
            x[:, i : i + (rows - 1) * down + 1 : down, j : j + (columns - 1) * right + 1 : right]
            for i in range(high)
            for j in range(wide)
        ],
        axis=-1,
    )
    y = patches.reshape(-1, patches.shape[-1]) @ w.transpose(2, 3, 1, 0).reshape(-1, len(w)) + b
    return y.reshape(len(x), rows, columns, -1).transpose(0, 3, 1, 2)


def maximum_of_blocks(layer: fb.MaxPool2d, x: jax.Array) -> jax.Array:
    """The same where windows neither overlap nor leave anything out."""
    (high, wide), (n, channels, rows, columns) = pair(layer.kernel), x.shape
    return x.reshape(n, channels, rows // high, high, columns // wide, wide).max((3, 5))


def normalize(x: jax.Array, mean: jax.Array, var: jax.Array, eps: float) -> jax.Array:
    """(X - mean) / √(var + eps)"""
    return (x - mean) * lax.rsqrt(var + eps)


def batch_norm(
    layer: fb.BatchNorm1d, running: tuple[jax.Array, jax.Array], x: jax.Array, training: bool
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    """X̂, and the running averages after it."""
    if not training:
        return normalize(x, *running, layer.eps), running
    mean, var = x.mean(0), x.var(0)
    moved = [
        (1 - layer.momentum) * old + layer.momentum * new
        for old, new in zip(running, (mean, var * len(x) / (len(x) - 1)), strict=True)
    ]
    return normalize(x, mean, var, layer.eps), (moved[0], moved[1])


def layer_norm(layer: fb.LayerNorm, x: jax.Array) -> jax.Array:
    """X̂, row by row."""
    return normalize(x, x.mean(1, keepdims=True), x.var(1, keepdims=True), layer.eps)


def adam(optimizer: fb.Adam, state: State, gradient: Parameters) -> tuple[Parameters, Memory]:
    """Parameters and memory after a step of Adam, or of AdamW, whose decay comes first."""
    beta1, beta2, step = optimizer.beta1, optimizer.beta2, state.step + 1
    m, v = state.memory
    m = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, m, gradient)
    v = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, v, gradient)
    rest1, rest2 = 1 - beta1**step, 1 - beta2**step

    def moved(p: jax.Array, m: jax.Array, v: jax.Array) -> jax.Array:
        p = p * (1 - optimizer.lr * optimizer.weight_decay)
        return p - optimizer.lr * (m / rest1) / (jnp.sqrt(v / rest2) + optimizer.epsilon)

    return jax.tree.map(moved, state.params, m, v), (m, v)


def huber(scores: jax.Array, values: jax.Array) -> jax.Array:
    """The mean of d²/2 where |d| < 1, else |d| - 1/2."""
    d = jnp.abs(scores - values)
    return jnp.where(d < 1, d * d / 2, d - 0.5).mean()


def squared_error(scores: jax.Array, values: jax.Array) -> jax.Array:
    """The mean of (s - t)² over all elements."""
    return jnp.square(scores - values).mean()


def hinge(scores: jax.Array, labels: jax.Array) -> jax.Array:
    """Σ over the wrong classes of max(0, s_j - s_label + 1); the right class's own term is 1."""
    right = jnp.take_along_axis(scores, labels[:, None], 1)
    return (jnp.maximum(scores - right + 1, 0).sum(1) - 1).mean()


def cross_entropy(scores: jax.Array, labels: jax.Array) -> jax.Array:
    """-log softmax(s)_label."""
    return -jnp.take_along_axis(jax.nn.log_softmax(scores), labels[:, None], 1).mean()


LOSSES = {
    "hinge": hinge,
    "cross-entropy": cross_entropy,
    "huber": huber,
    "mse": squared_error,
}


class Jax(Peer):
    """jit and scan, on all threads or on one; parameters are donated."""

    name = "JAX"
    works = frozenset({Work.TRAIN, Work.PREDICT})
    convolution: Callable[..., jax.Array] = staticmethod(convolution)
    max_pool: Callable[..., jax.Array] = staticmethod(max_pool)

    def __init__(self, problem: Problem, threads: int | None) -> None:
        super().__init__(problem, threads)
        self.x, self.y = self._inputs(problem.x), jnp.asarray(problem.y)
        self.loss = LOSSES[problem.setting.loss]
        self.compiled: dict[int, Any] = {}
        self.optimizer = problem.setting.described.make_optimizer()
        last = (lambda y: y) if problem.setting.table else jax.nn.softmax
        self.options = ALONE if threads == 1 else {}
        self.predicted = jax.jit(
            lambda state, x: last(self._scores(state.params, state.running, x, False)[0]),
            compiler_options=self.options,
        )
        self.start = self._state()

    def losses(self, order: np.ndarray) -> np.ndarray:
        _, losses = self._epoch(order)(self._state(), self.x, self.y, jnp.asarray(order))
        return np.asarray(losses)

    def epoch(self, order: np.ndarray) -> float:
        run, state, rows = self._epoch(order), self._state(), jnp.asarray(order)
        jax.block_until_ready((state, rows))
        start = time.perf_counter()
        jax.block_until_ready(run(state, self.x, self.y, rows))
        return time.perf_counter() - start

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self.predicted(self.start, self._inputs(x)))

    def _inputs(self, x: np.ndarray) -> jax.Array:
        return jnp.asarray(x.reshape(-1, *self.problem.shape))

    def _state(self) -> State:
        """All that an epoch starts with; arrays of its own, for they are donated."""
        layers = self.problem.start.layers
        sizes = [layer.num_features for layer in layers if isinstance(layer, fb.BatchNorm1d)]

        def parameters() -> Parameters:
            return [(jnp.array(w), jnp.array(b)) for w, b in self.problem.weights]

        memory: Memory = ([], [])
        if self.problem.setting.optimizer != "sgd":
            memory = (
                jax.tree.map(jnp.zeros_like, parameters()),
                jax.tree.map(jnp.zeros_like, parameters()),
            )
        running = [(jnp.zeros(size), jnp.ones(size)) for size in sizes]
        return State(parameters(), running, memory, jnp.zeros(()))

    def _scores(
        self, params: Parameters, running: Running, x: jax.Array, training: bool
    ) -> tuple[jax.Array, Running]:
        left, averages, moved = iter(params), iter(running), []
        for layer in self.problem.start.layers:
            if isinstance(layer, fb.Linear):
                w, b = next(left)
                x = x @ w + b
            elif isinstance(layer, fb.Conv2d):
                x = self.convolution(layer, *next(left), x)
            elif isinstance(layer, fb.MaxPool2d):
                x = self.max_pool(layer, x)
            elif isinstance(layer, fb.BatchNorm1d):
                columns, (w, b) = jnp.moveaxis(x, 1, -1), next(left)  # channels are columns
                rows = columns.reshape(-1, layer.num_features)
                rows, average = batch_norm(layer, next(averages), rows, training)
                moved.append(average)
                x = jnp.moveaxis((rows * w + b).reshape(columns.shape), -1, 1)
            elif isinstance(layer, fb.LayerNorm):
                w, b = next(left)
                x = layer_norm(layer, x) * w + b
            else:
                x = WITHOUT_PARAMETERS[type(layer)](x)
        return x, moved

    def _step(self, state: State, x: jax.Array, y: jax.Array) -> tuple[State, jax.Array]:
        def objective(params: Parameters) -> tuple[jax.Array, Running]:
            scores, running = self._scores(params, state.running, x, True)
            return self.loss(scores, y), running

        (loss, running), gradient = jax.value_and_grad(objective, has_aux=True)(state.params)
        memory, lr = state.memory, self.problem.setting.lr
        if self.problem.setting.optimizer == "sgd":
            params = jax.tree.map(lambda p, g: p - lr * g, state.params, gradient)
        else:
            params, memory = adam(self.optimizer, state, gradient)
        return State(params, running, memory, state.step + 1), loss

    def _epoch(self, order: np.ndarray) -> Any:
        """The compiled epoch of so many samples; the last batch may be smaller."""
        if len(order) not in self.compiled:
            batch = self.problem.setting.batch_size
            whole = len(order) // batch * batch

            @partial(jax.jit, donate_argnums=0)
            def epoch(state: State, x: jax.Array, y: jax.Array, order: jax.Array) -> Any:
                def step(state: State, rows: jax.Array) -> tuple[State, jax.Array]:
                    return self._step(state, x[rows], y[rows])

                state, losses = jax.lax.scan(step, state, order[:whole].reshape(-1, batch))
                if whole < len(order):
                    state, last = step(state, order[whole:])
                    losses = jnp.concatenate([losses, last[None]])
                return state, losses

            arguments = self._state(), self.x, self.y, jnp.asarray(order)
            self.compiled[len(order)] = epoch.lower(*arguments).compile(self.options)
        return self.compiled[len(order)]


class JaxPatches(Jax):
    """Convolutions as products of matrices, which XLA computes faster on a CPU than its own."""

    way = "im2col"
    convolution = staticmethod(products_of_patches)
    max_pool = staticmethod(maximum_of_blocks)

    @classmethod
    def can(cls, problem: Problem) -> bool:
        pools = [each for each in problem.start.layers if isinstance(each, fb.MaxPool2d)]
        blocks = all(pool.stride == pool.kernel and not any(pair(pool.padding)) for pool in pools)
        return super().can(problem) and bool(problem.setting.model) and blocks


class JaxMany(Jax):
    """Many networks: a step of one, mapped over all of them by vmap."""

    way = "vmap"
    works = frozenset({Work.TRAIN_MANY})

    def losses(self, order: np.ndarray) -> np.ndarray:
        return super().losses(order).T

    def _step(self, state: State, x: jax.Array, y: jax.Array) -> tuple[State, jax.Array]:
        return jax.vmap(super()._step, (0, None, None))(state, x, y)

    def _state(self) -> State:
        networks = len(self.problem.starts)
        parameters = [(jnp.array(w), jnp.array(b)) for w, b in self.problem.stacked]
        return State(parameters, [], ([], []), jnp.zeros(networks))


PEERS = (Jax, JaxPatches, JaxMany)
