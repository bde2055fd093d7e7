"""What networks offer but stands on networks itself, so that network.py cannot import it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from ._files import StrPath

if TYPE_CHECKING:
    from .losses import Loss
    from .network import Sequential
    from .optimizers import Optimizer
    from .schedules import Schedule
    from .training import Checkpoint, Data, EarlyStopping, Evaluation, History
    from .training.assessment import Metric
    from .training.callbacks import Watcher
    from .training.weighting import ClassWeight


class FitOptions(TypedDict, total=False):
    """The options of ``fb.fit``: what ``net.fit`` passes on to it."""

    loss: Loss | str | None
    optimizer: Optimizer | str | None
    epochs: int
    batch_size: int | None
    validation: Data | float | None
    validate_every: int
    metrics: str | Mapping[str, Metric] | None
    class_weight: ClassWeight | None
    sample_weight: npt.ArrayLike | None
    shuffle: bool
    schedule: Schedule | str | Callable[[int], float] | None
    clip_norm: float | None
    clip_value: float | None
    l2: float
    early_stopping: EarlyStopping | bool | None
    max_seconds: float | None
    checkpoint: Checkpoint | StrPath | None
    progress: bool
    seed: int
    callbacks: Watcher | Sequence[Watcher]
    history: History | None
    threads: int | None
    fused: bool


class Above:
    """The module named in front of each sets it when it is imported; ``import fastbp`` imports all.

    Of scores, None says that the layers must do.
    """

    # fastbp.engine: the scores of many samples (network, x, scale, threads, what finishes some)
    fused_scores: ClassVar[Callable[..., np.ndarray | None]]
    # fastbp.engine: what computes those of a single sample on the active kernels (network)
    one_sample: ClassVar[Callable[[Sequential], Any]]
    # fastbp.storage: writes the file of a network or of several, and reads it
    save: ClassVar[Callable[[Any, StrPath], None]]
    load: ClassVar[Callable[..., Any]]
    # fastbp.training: trains a network (network, data), and says how good it is
    fit: ClassVar[Callable[..., History]]
    evaluate: ClassVar[Callable[..., Evaluation]]
    # fastbp: fastbp.plots, which comes when it is asked for
    plots: ClassVar[Callable[[], Any]]


class Judged:
    """What networks and ensembles offer: the same functions as methods."""

    def save(self, path: StrPath) -> None:
        """Write architecture and parameters to a .safetensors file; see ``fb.load``."""
        Above.save(self, path)

    def evaluate(
        self,
        x: Data | npt.ArrayLike,
        y: npt.ArrayLike | None = None,
        *,
        loss: Loss | str | None = None,
        threads: int | None = None,
    ) -> Evaluation:
        """``fb.evaluate(net, (x, y), ...)``, or of a Dataset ``fb.evaluate(net, x, ...)``."""
        return Above.evaluate(self, _data(x, y), loss, threads)

    def score(self, x: Data | npt.ArrayLike, y: npt.ArrayLike | None = None) -> float:
        """The accuracy of ``evaluate``, or of values its R²."""
        found = self.evaluate(x, y)
        return found.accuracy if np.isnan(found.r2) else found.r2


class Offers(Judged):
    """What networks alone offer."""

    @staticmethod
    def load(path: StrPath, **options: Any) -> Sequential | Any:
        """``fb.load(path)``: what ``save`` wrote there."""
        return Above.load(path, **options)

    def fit(
        self,
        x: Data | npt.ArrayLike,
        y: npt.ArrayLike | None = None,
        **options: Unpack[FitOptions],
    ) -> History:
        """``fb.fit(net, (x, y), ...)``, or of a Dataset ``fb.fit(net, x, ...)``."""
        return Above.fit(self, _data(x, y), **options)


def _data(x: Any, y: Any) -> Any:
    """What fit takes: a Dataset, or a pair."""
    return x if y is None else (x, y)
