"""Jobs for fit_many's workers, and what befalls them: workers import this module."""

import os
import signal
import threading
from pathlib import Path

import numpy as np

import fastbp as fb

RNG = np.random.default_rng(21)
X, Y = RNG.normal(size=(150, 9)).astype(np.float32), RNG.integers(0, 4, 150)


def jobs(count=6, **options):
    """Networks with a memory of everything that training changes."""

    def net(seed):
        layers = fb.Linear(9, 8), fb.BatchNorm1d(8), fb.Dropout(0.2), fb.Tanh(), fb.Linear(8, 4)
        return fb.Sequential(*layers, seed=seed)

    common = {"epochs": 3, "batch_size": 32} | options
    return [fb.Job(net(k), optimizer=fb.Adam(), seed=k, **common) for k in range(count)]


def assert_same(some, others):
    for one, other in zip(some, others, strict=True):
        assert one.done
        assert other.done
        assert np.array_equal(one.net.params, other.net.params)
        assert np.array_equal(one.net.buffers, other.net.buffers)
        assert [a.state() for a in one.net.layers] == [b.state() for b in other.net.layers]
        assert one.net.meaning == other.net.meaning
        assert one.optimizer.steps == other.optimizer.steps
        assert np.array_equal(one.optimizer.memory, other.optimizer.memory)
        for column in ("train_loss", "val_loss", "lr"):
            assert np.array_equal(one.history[column], other.history[column], equal_nan=True)
        assert np.array_equal(one.history.loss_by_iteration, other.history.loss_by_iteration)


def trained(**options):
    found = jobs(**options)
    fb.fit_many(found, (X, Y))
    return found


class Killed(fb.Callback):
    """Kills its process, once, as the system does when memory is short."""

    def __init__(self, folder, epoch=2):
        self.told, self.epoch = Path(folder, "killed"), epoch

    def on_epoch_end(self, epoch, net):
        if epoch.epoch == self.epoch and not self.told.exists():
            self.told.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def fail(epoch):
    raise OSError(28, "disk full")


def soon(act, *arguments):
    """For on_result: do something a little after the first job ended, while others train."""
    waiting = [threading.Timer(0.3, act, arguments)]
    return lambda job: waiting.pop().start() if waiting else None
