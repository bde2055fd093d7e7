"""JAX: a whole epoch is one compiled call, a scan over its batches."""

import time
from functools import partial
from typing import Any

import jax
import numpy as np
from _peers_base import Peer, Problem, pair
from jax import lax
from jax import numpy as jnp

import fastbp as fb

WITHOUT_PARAMETERS = {
    fb.Tanh: jnp.tanh,
    fb.Sigmoid: jax.nn.sigmoid,
    fb.ReLU: jax.nn.relu,
    fb.Flatten: lambda x: x.reshape(len(x), -1),
}
Parameters = list[tuple[jax.Array, jax.Array]]


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


def hinge(scores: jax.Array, labels: jax.Array) -> jax.Array:
    """Σ over the wrong classes of max(0, s_j - s_label + 1); the right class's own term is 1."""
    right = jnp.take_along_axis(scores, labels[:, None], 1)
    return (jnp.maximum(scores - right + 1, 0).sum(1) - 1).mean()


def cross_entropy(scores: jax.Array, labels: jax.Array) -> jax.Array:
    """-log softmax(s)_label."""
    return -jnp.take_along_axis(jax.nn.log_softmax(scores), labels[:, None], 1).mean()


LOSSES = {"hinge": hinge, "cross-entropy": cross_entropy}


class Jax(Peer):
    """jit and scan, on as many threads as it likes; parameters are donated."""

    name = "JAX"

    def __init__(self, problem: Problem, threads: int | None) -> None:
        super().__init__(problem, threads)
        self.x, self.y = self._inputs(problem.x), jnp.asarray(problem.y)
        self.loss = LOSSES[problem.setting.loss]
        self.compiled: dict[int, Any] = {}
        self.probabilities = jax.jit(lambda params, x: jax.nn.softmax(self._scores(params, x)))
        self.start = self._parameters()

    def losses(self, order: np.ndarray) -> np.ndarray:
        _, losses = self._epoch(order)(self._parameters(), self.x, self.y, jnp.asarray(order))
        return np.asarray(losses)

    def epoch(self, order: np.ndarray) -> float:
        run, params, rows = self._epoch(order), self._parameters(), jnp.asarray(order)
        jax.block_until_ready((params, rows))
        start = time.perf_counter()
        jax.block_until_ready(run(params, self.x, self.y, rows))
        return time.perf_counter() - start

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self.probabilities(self.start, self._inputs(x)))

    def _inputs(self, x: np.ndarray) -> jax.Array:
        return jnp.asarray(x.reshape(-1, *self.problem.shape))

    def _parameters(self) -> Parameters:
        return [(jnp.array(w), jnp.array(b)) for w, b in self.problem.weights]

    def _scores(self, params: Parameters, x: jax.Array) -> jax.Array:
        left = iter(params)
        for layer in self.problem.start.layers:
            if isinstance(layer, fb.Linear):
                w, b = next(left)
                x = x @ w + b
            elif isinstance(layer, fb.Conv2d):
                x = convolution(layer, *next(left), x)
            elif isinstance(layer, fb.MaxPool2d):
                x = max_pool(layer, x)
            else:
                x = WITHOUT_PARAMETERS[type(layer)](x)
        return x

    def _step(self, params: Parameters, x: jax.Array, y: jax.Array) -> tuple[Parameters, jax.Array]:
        objective = jax.value_and_grad(lambda params: self.loss(self._scores(params, x), y))
        loss, gradient = objective(params)
        lr = self.problem.setting.lr
        return jax.tree.map(lambda p, g: p - lr * g, params, gradient), loss

    def _epoch(self, order: np.ndarray) -> Any:
        """The compiled epoch of so many samples; the last batch may be smaller."""
        if len(order) not in self.compiled:
            batch = self.problem.setting.batch_size
            whole = len(order) // batch * batch

            @partial(jax.jit, donate_argnums=0)
            def epoch(params: Parameters, x: jax.Array, y: jax.Array, order: jax.Array) -> Any:
                def step(params: Parameters, rows: jax.Array) -> tuple[Parameters, jax.Array]:
                    return self._step(params, x[rows], y[rows])

                params, losses = jax.lax.scan(step, params, order[:whole].reshape(-1, batch))
                if whole < len(order):
                    params, last = step(params, order[whole:])
                    losses = jnp.append(losses, last)
                return params, losses

            arguments = self._parameters(), self.x, self.y, jnp.asarray(order)
            self.compiled[len(order)] = epoch.lower(*arguments).compile()
        return self.compiled[len(order)]
