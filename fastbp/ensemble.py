"""Ensemble: several networks that answer together, by the mean of what each says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

from . import prediction
from ._above import Judged
from ._checks import check_kind
from ._hints import Guessed
from .datasets import is_dask
from .layers import Shape
from .meaning import Meaning, expected, meaning_of, predictions, probabilities
from .network import Sequential
from .pages import notebook

if TYPE_CHECKING:
    import pandas as pd

    from .datasets import Collection, Dataset, Frame, Table

MOST_NETWORKS = 1000  # that are trained as one model, or read from one file
ALIKE = ("inputs", "outputs", "input_shape", "dtype", "meaning", "table")


class Ensemble(Guessed, Judged):
    """Several networks that answer together, by the mean of what each says.

    Networks that differ in nothing but their start are wrong in different places: the mean of
    their probabilities, or values, is better than most of them, and steadier.

    Parameters
    ----------
    nets : sequence of Sequential
        Of the same inputs, outputs, dtype, meaning and table. They are kept, not copied.

    Examples
    --------
    >>> nets = [fb.Sequential(fb.Linear(4, 8), fb.Linear(8, 3), seed=k) for k in range(5)]
    >>> fb.fit_many([fb.Job(net, seed=k) for k, net in enumerate(nets)], (x, y))
    >>> together = fb.Ensemble(nets)
    >>> together.predict_proba(x)  # the mean of theirs
    >>> together.save("model.safetensors")  # which fb.load reads
    """

    def __init__(self, nets: Sequence[Sequential]) -> None:
        if isinstance(nets, Sequential) or not isinstance(nets, Iterable):
            raise TypeError(f"Ensemble: expected a list of networks, got {nets!r:.60}")
        self._nets = tuple(nets)
        if not self._nets:
            raise ValueError("Ensemble: expected at least one network, got none")
        for net in self._nets:
            check_kind(net, Sequential, "Ensemble")
        for name in ALIKE:
            first = getattr(self._nets[0], name)
            for number, net in enumerate(self._nets[1:], 1):
                if getattr(net, name) != first:
                    other = getattr(net, name)
                    raise ValueError(
                        f"Ensemble: expected networks of one {name}; network 0 has {first!r:.80}, "
                        f"network {number} has {other!r:.80}"
                    )

    @property
    def nets(self) -> tuple[Sequential, ...]:
        """The networks, in order."""
        return self._nets

    @property
    def inputs(self) -> int | None:
        """Columns of x, or None where any number fits."""
        return self._nets[0].inputs

    @property
    def outputs(self) -> int | None:
        """Columns of the scores, or None where they are as many as the inputs."""
        return self._nets[0].outputs

    @property
    def input_shape(self) -> Shape | None:
        """Of one sample, where it was named."""
        return self._nets[0].input_shape

    @property
    def dtype(self) -> np.dtype:
        """Of parameters and arithmetic."""
        return self._nets[0].dtype

    @property
    def meaning(self) -> Meaning | None:
        """What scores mean; see ``Sequential``."""
        return self._nets[0].meaning

    @property
    def table(self) -> Table | None:
        """How a table's columns become inputs; see ``Sequential``."""
        return self._nets[0].table

    def __len__(self) -> int:
        return len(self._nets)

    def __iter__(self) -> Iterator[Sequential]:
        return iter(self._nets)

    @overload
    def __getitem__(self, places: SupportsIndex) -> Sequential: ...

    @overload
    def __getitem__(self, places: slice) -> Ensemble: ...

    def __getitem__(self, places: SupportsIndex | slice) -> Sequential | Ensemble:
        """The network of that number; of a slice, an ensemble of those."""
        return Ensemble(self._nets[places]) if isinstance(places, slice) else self._nets[places]

    @overload
    def __call__(self, x: Collection) -> Any: ...

    @overload
    def __call__(self, x: npt.ArrayLike | Dataset) -> np.ndarray: ...

    def __call__(self, x: Any) -> Any:
        """``scores(x)``."""
        return self.scores(x)

    @overload
    def scores(self, x: Collection, threads: int | None = None) -> Any: ...

    @overload
    def scores(self, x: npt.ArrayLike | Dataset, threads: int | None = None) -> np.ndarray: ...

    def scores(self, x: Any, threads: int | None = None) -> Any:
        """The scores of what the networks say together, (n, outputs) of their dtype.

        Of values their mean. Of counts, which are exp of scores, the logarithm of the counts'
        mean. Of classes the logarithms of the probabilities' means, of "two classes" and "labels"
        log(p / (1 - p)): what ``predict`` and ``predict_proba`` make of them, and every loss of
        probabilities, is that of the mean.
        """
        if is_dask(x):
            return prediction.of_dask(self, "scores", x)
        samples, alone = prediction.as_samples(self._nets[0], x)
        found = self.together([prediction.row_scores(net, samples, threads) for net in self._nets])
        return found[0] if alone else found

    def together(self, scores: Sequence[np.ndarray]) -> np.ndarray:
        """What ``scores`` makes of those of each network."""
        stacked, meaning = np.stack(scores).astype(np.float64), meaning_of(self)
        with np.errstate(invalid="ignore"):  # infinite scores have no probabilities: NaN, as alone
            return _together(stacked, meaning).astype(self.dtype)

    @overload
    def predict(self, x: Collection) -> Any: ...

    @overload
    def predict(self, x: npt.ArrayLike | Dataset) -> np.ndarray: ...

    def predict(self, x: Any) -> Any:
        """What each sample is by the mean of all networks; see ``Sequential.predict``."""
        if is_dask(x):
            return prediction.of_dask(self, "predict", x)
        samples, alone = prediction.as_samples(self._nets[0], x)
        meaning = meaning_of(self)
        if meaning.is_values:
            found = self._mean(samples, lambda scores: expected(scores, meaning))
            found = predictions(found, Meaning.VALUES)
        else:
            chances = self._mean(samples, self._probabilities)
            found = _most_probable(chances, meaning)
        if prediction.is_of_table(self._nets[0], x):
            assert self.table is not None
            return self.table.label.told(found)
        return found[0] if alone else found

    @overload
    def predict_proba(self, x: Collection) -> Any: ...

    @overload
    def predict_proba(self, x: Frame) -> pd.DataFrame: ...

    @overload
    def predict_proba(self, x: npt.ArrayLike | Dataset) -> np.ndarray: ...

    def predict_proba(self, x: Any) -> Any:
        """The mean of all networks' probabilities; see ``Sequential.predict_proba``."""
        if is_dask(x):
            return prediction.of_dask(self, "predict_proba", x)
        samples, alone = prediction.as_samples(self._nets[0], x)
        found = self._mean(samples, self._probabilities)
        if prediction.is_of_table(self._nets[0], x):
            assert self.table is not None
            return self.table.frame_of(found, x)
        return found[0] if alone else found

    def _probabilities(self, scores: np.ndarray) -> np.ndarray:
        return probabilities(scores, meaning_of(self), repr(self))

    def _mean(self, samples: Any, of: Any) -> np.ndarray:
        """The mean, over the networks, of what is made of their scores; summed in double."""
        total: Any = sum(
            of(prediction.row_scores(net, samples)).astype(np.float64) for net in self._nets
        )
        mean: np.ndarray = (total / len(self._nets)).astype(self.dtype)
        return mean

    def summary(self) -> None:
        """Print the networks."""
        print(self)  # noqa: T201 - printing is what it is for

    def __str__(self) -> str:
        """What ``summary`` prints."""
        same = len({str(net) for net in self._nets}) == 1
        shown = f"each of\n{self._nets[0]}" if same else "\n\n".join(map(str, self._nets))
        return f"{len(self)} networks, {shown}"

    def _repr_html_(self) -> str:
        """What a notebook shows: each network that differs from those before it."""
        different = {str(net): net._repr_html_() for net in self._nets}
        return notebook.shown(f"Ensemble of {len(self)} networks", *different.values())

    def __repr__(self) -> str:
        different = {repr(net): None for net in self._nets}
        return f"Ensemble({len(self)} networks: {', '.join(different)})"


def _together(scores: np.ndarray, meaning: Meaning) -> np.ndarray:
    """The scores whose meaning is the mean of what (networks, n, outputs) scores mean."""
    if meaning is Meaning.VALUES:
        mean: np.ndarray = scores.mean(axis=0)
        return mean
    if meaning is Meaning.COUNTS:
        return _log_mean(scores)
    if meaning is Meaning.CLASSES:
        return _log_mean(scores - _log_sum(scores, -1)[..., None])
    yes, no = -np.logaddexp(0, -scores), -np.logaddexp(0, scores)  # log σ(s), log(1 - σ(s))
    return _log_mean(yes) - _log_mean(no)


def _log_sum(x: np.ndarray, axis: int) -> np.ndarray:
    """log Σ exp x, without overflow."""
    sums: np.ndarray = np.logaddexp.reduce(x, axis=axis)
    return sums


def _log_mean(x: np.ndarray) -> np.ndarray:
    """log of the mean of exp x, over the first axis."""
    return _log_sum(x, 0) - np.log(len(x))


def _most_probable(chances: np.ndarray, meaning: Meaning) -> np.ndarray:
    """What probabilities predict."""
    if meaning is Meaning.LABELS:
        return (chances > 0.5).astype(np.int64)
    return predictions(chances, Meaning.CLASSES)
