"""fastbp, by the calls that its users make."""

import numpy as np
from _peers_base import Peer, Problem
from settings import train

import fastbp as fb


class Fastbp(Peer):
    """``fit``, which draws the order from the seed: the one that the others are given."""

    name = "fastbp"

    def __init__(self, problem: Problem, threads: int | None) -> None:
        super().__init__(problem, threads)
        self.frozen = problem.start.frozen()

    def _train(self, order: np.ndarray) -> fb.History:
        return train(self.problem.setting, len(order), threads=self.threads)

    def losses(self, order: np.ndarray) -> np.ndarray:
        return self._train(order).losses[0]

    def epoch(self, order: np.ndarray) -> float:
        return self._train(order).seconds  # fit evaluates afterwards, which the others do not

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.problem.predicted(self.frozen, x)


class FastbpNumba(Fastbp):
    """The same on the numba backend."""

    name = "fastbp, numba"

    def _train(self, order: np.ndarray) -> fb.History:
        with fb.use_backend("numba"):
            return super()._train(order)

    def predict(self, x: np.ndarray) -> np.ndarray:
        with fb.use_backend("numba"):
            return super().predict(x)
