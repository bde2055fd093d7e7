"""fastbp, by the calls that its users make."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec

import numpy as np
from _peers_base import Peer, Problem
from _tasks import Work
from settings import SEED, train

import fastbp as fb
from fastbp import backends
from fastbp.threads import one_each


class Fastbp(Peer):
    """``fit``, which draws the order from the seed: the one that the others are given."""

    name = "fastbp"
    works = frozenset({Work.TRAIN, Work.PREDICT})

    def __init__(self, problem: Problem, threads: int | None) -> None:
        super().__init__(problem, threads)
        net = problem.start
        self.predicting = net.frozen() if problem.task.frozen else net

    @classmethod
    def counts(cls, cores: int) -> Sequence[int | None]:
        return None, 1

    def _train(self, order: np.ndarray) -> fb.History:
        return train(self.problem.setting, len(order), threads=self.threads)

    def losses(self, order: np.ndarray) -> np.ndarray:
        return self._train(order).losses[0]

    def epoch(self, order: np.ndarray) -> float:
        return self._train(order).seconds  # fit evaluates afterwards, which the others do not

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.problem.predicted(self.predicting, x)

    def limited(self) -> AbstractContextManager:
        return nullcontext() if self.threads is None else one_each()


class FastbpNumba(Fastbp):
    """The same on the numba backend."""

    name = "fastbp, numba"

    @classmethod
    def can(cls, problem: Problem) -> bool:
        installed = find_spec("numba") is not None
        return installed and super().can(problem) and backends.active().name != "numba"

    @classmethod
    def counts(cls, cores: int) -> Sequence[int | None]:
        return (None,)

    def _train(self, order: np.ndarray) -> fb.History:
        with fb.use_backend("numba"):
            return super()._train(order)

    def predict(self, x: np.ndarray) -> np.ndarray:
        with fb.use_backend("numba"):
            return super().predict(x)


class FastbpMany(Fastbp):
    """``fit_many``; its whole call counts."""

    works = frozenset({Work.TRAIN_MANY})

    def _train_many(self, order: np.ndarray) -> tuple[list[fb.History], float]:
        setting = self.problem.setting
        jobs = [
            fb.Job(
                net.copy(),
                setting.loss_function(),
                setting.described.make_optimizer(),
                epochs=1,
                batch_size=setting.batch_size,
                seed=SEED,
                metrics=None,
            )
            for net in self.problem.starts
        ]
        data = setting.samples(len(order))
        start = time.perf_counter()
        histories = fb.fit_many(jobs, data, threads=self.threads)
        return histories, time.perf_counter() - start

    def losses(self, order: np.ndarray) -> np.ndarray:
        histories, _ = self._train_many(order)
        return np.array([history.losses[0] for history in histories])

    def epoch(self, order: np.ndarray) -> float:
        return self._train_many(order)[1]


PEERS = (Fastbp, FastbpNumba, FastbpMany)
