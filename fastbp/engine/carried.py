"""What training carries from step to step: in the workspace while it runs, else in the network."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from fastbp.kernels.numbers import PlanColumn
from fastbp.layers.nesting import every_layer

from .settings import Settings

BUFFERS = PlanColumn.BUFFER - PlanColumn.W  # the part that they are; parameters are part 0


class Carried:
    """Parameters, the optimiser's memory and buffers, of the task that the settings are of.

    While they are in the workspace everybody sees what they were before, read-only.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings, self.task = settings, settings.task
        self.net, self.optimizer = self.task.net, self.task.optimizer

    @contextmanager
    def inside(self) -> Iterator[None]:
        """They are in the workspace for a while."""
        with self.net.vectors.locked():
            self._load()
            try:
                yield
            finally:
                self._store()

    def show(self) -> None:
        """Give the network the parameters and buffers that are in the workspace."""
        for part in (0, BUFFERS):
            self._unpack(part, self.vectors[part])

    def look_again(self) -> None:
        """Take over what was changed in the middle of an epoch; refuse what cannot be."""
        if self.optimizer.memory is not self.memory or self._counts() != self.counts:
            raise RuntimeError(
                "fit: the optimiser's memory or steps, or a layer's state, were changed inside "
                "on_progress, in the middle of an engine's epoch; change them in on_epoch_end, or "
                "train with fused=False"
            )
        if self.settings.fits():
            self.settings.read()
        else:  # which takes another workspace
            self._store()
            self._load()

    def pack(self, part: int, vector: np.ndarray) -> None:
        """Bring one of them into the workspace."""
        space = self.settings.space
        self.task.kernels.engine_pack(
            self.task.program.rows, space.plan[0], part, vector, space.work
        )

    def _unpack(self, part: int, vector: np.ndarray) -> None:
        space = self.settings.space
        self.task.kernels.engine_unpack(
            self.task.program.rows, space.plan[0], part, space.work, vector
        )

    def _load(self) -> None:
        self.optimizer.remember(self.net)
        self.settings.read()
        self.memory = self.optimizer.memory
        self.states = self.memory[: self.optimizer.states]
        self.vectors = dict(enumerate((self.net.vectors.own, *self.states)))
        self.vectors[BUFFERS] = self.net.vectors.own_buffers
        for part, vector in self.vectors.items():
            self.pack(part, vector)
        self.counts = self._counts()
        for vector in self.states:
            vector.flags.writeable = False  # what is written there now would be lost

    def _store(self) -> None:
        for vector in self.states:
            vector.flags.writeable = True
        for part, vector in self.vectors.items():
            self._unpack(part, vector)

    def _counts(self) -> list[object]:
        """What counts steps, and must not be set in the middle of an epoch."""
        return [self.optimizer.steps, *(layer.state() for layer in every_layer(self.net.layers))]
