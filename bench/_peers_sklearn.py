"""scikit-learn's MLPClassifier, which has softmax cross-entropy only."""

import time
from contextlib import AbstractContextManager

import numpy as np
from _peers_base import Peer, Problem
from _tasks import Work
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

ACTIVATIONS = {"tanh": "tanh", "sigmoid": "logistic"}
CLASSES = np.arange(10)


class ScikitLearn(Peer):
    """One call of partial_fit is one epoch, in the order of its rows."""

    name = "scikit-learn"
    works = frozenset({Work.TRAIN, Work.PREDICT})

    def __init__(self, problem: Problem, threads: int | None) -> None:
        super().__init__(problem, threads)
        self.model = self._new(len(problem.x))

    @classmethod
    def can(cls, problem: Problem) -> bool:
        """It has no hinge, no convolutions and no norms."""
        setting = problem.setting
        plain = setting.optimizer == "sgd" and not (setting.model or setting.normalization)
        return super().can(problem) and plain and setting.loss == "cross-entropy"

    def losses(self, order: np.ndarray) -> np.ndarray:
        batches = np.split(order, range(self.batch, len(order), self.batch))
        model = self._new(self.batch)  # it keeps one loss a call, so each batch is a call
        for rows in batches:
            model.partial_fit(self.problem.x[rows], self.problem.y[rows])
        return np.array(model.loss_curve_[-len(batches) :])

    def epoch(self, order: np.ndarray) -> float:
        model = self._new(len(order))
        start = time.perf_counter()
        model.partial_fit(self.problem.x[order], self.problem.y[order])
        return time.perf_counter() - start

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.model.predict_proba(x)

    def limited(self) -> AbstractContextManager:
        return threadpool_limits(self.threads, user_api="blas")

    @property
    def batch(self) -> int:
        return self.problem.setting.batch_size

    def _new(self, samples: int) -> MLPClassifier:
        """A model with the starting weights. It makes its arrays in its first call."""
        setting = self.problem.setting
        model = MLPClassifier(
            setting.sizes[1:-1],
            activation=ACTIVATIONS[setting.activation],
            solver="sgd",
            batch_size=min(self.batch, samples),
            learning_rate_init=setting.lr,
            alpha=0,
            momentum=0,
            nesterovs_momentum=False,
            shuffle=False,
        )
        first = slice(self.batch)
        model.partial_fit(self.problem.x[first], self.problem.y[first], classes=CLASSES)
        for coefs, intercepts, (w, b) in zip(
            model.coefs_, model.intercepts_, self.problem.weights, strict=True
        ):
            coefs[...], intercepts[...] = w, b
        return model


PEERS = (ScikitLearn,)
