"""Sequential: layers in a row, over flat vectors of their parameters, gradients and buffers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

from . import backends, prediction
from ._above import Offers
from ._checks import as_batch, as_count, as_dtype, as_shape
from ._memory import zeros_in_lines
from ._shown import Shown
from .datasets import is_dask
from .layers import Layer
from .layers.base import named
from .layers.binding import bind, flat, leave
from .layers.initializers import Initializer, initializer
from .layers.nesting import backward_through, every_layer
from .layers.sizes import MOST_BYTES, check_layers, check_parts, check_sample, count_numbers
from .meaning import SOFTMAX, meaning_of, predictions, probabilities, softmax
from .prediction import of_one

if TYPE_CHECKING:
    import pandas as pd

    from .datasets import Collection, Dataset, Frame, Shards


class Sequential(Shown, Offers):
    """Layers one after another: the output of each is the input of the next.

    Parameters
    ----------
    *layers : Layer
        In order, or a list of them. The columns must fit: Linear(784, 100) is followed by
        Linear(100, ...). Layers of a network that is gone, and copies of layers, keep their
        numbers: ``fb.Sequential(*net[:-1], fb.Linear(8, 3))`` starts from a copy of net's.
    input_shape : (channels, height, width), optional
        Of one sample, for networks on images. Samples may then come as images or as rows of their
        numbers, like a Dataset's.
    init : str or Initializer
        How parameters start: "uniform" (PyTorch's default), "normal", "glorot", "he", or an
        object from ``fb.initializers``. A layer's own ``init`` comes first.
    seed : int
        Of the starting values: the same seed gives the same network.
    dtype : {"float32", "float64"}
        Of parameters and arithmetic.
    most_bytes : int
        What one sample may take on its way through the layers; above it the network is refused,
        for a few words in a model's file can ask for any amount of memory.

    Attributes
    ----------
    layers : tuple of Layer
    params, grads : (parameters,) ndarray of dtype
        Every parameter and every gradient, layer by layer; the layers hold views into them. What
        is assigned to either (``net.params = array``, ``layer.w = array``) is copied in. While an
        engine trains an epoch the parameters are those of its start, and read-only.
    buffers : (numbers,) ndarray of dtype
        What layers keep besides, as running means, in the same way. No optimiser moves it.

    meaning : Meaning or None
        What scores mean, by its word: "classes", "two classes", "labels", "values" or "counts".
        ``fit`` writes what its loss says. None, before that, stands for classes.

    table : Table or None
        How a table's columns become inputs, and what is predicted is called; ``fit`` writes that of
        its data. Then ``scores``, ``predict`` and ``predict_proba`` take a DataFrame too.

    Layers, their sizes, ``input_shape`` and ``dtype`` stay as they are. ``net[0]`` is the first
    layer, and ``net[:3]`` a network of its own of copies of the first three.

    Examples
    --------
    >>> net = fb.Sequential(fb.Linear(4, 8), fb.Tanh(), fb.Linear(8, 3), init="glorot")
    >>> scores = net.forward(x)
    >>> loss, gradient = fb.HingeLoss()(scores, y)
    >>> net.backward(gradient)
    >>> fb.SGD(lr=0.01).step(net)
    """

    table = prediction.OfTable()

    def __init__(
        self,
        *layers: Layer | Sequence[Layer],
        input_shape: Sequence[int] | None = None,
        init: str | Initializer = "uniform",
        seed: int = 0,
        dtype: npt.DTypeLike = "float32",
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._input_shape = None if input_shape is None else as_shape(input_shape)
        self._dtype = as_dtype(dtype)
        self._most_bytes = as_count(most_bytes, "most_bytes")
        self._layers, self.meaning = check_parts(layers, "Sequential"), None
        self.table = None
        self.sample_bytes = check_layers(self._layers, self._input_shape) * self._dtype.itemsize
        check_sample(self.sample_bytes, self._most_bytes)
        counts = count_numbers(self._layers, self._dtype)
        rng = np.random.default_rng(as_count(seed, "seed", least=0))
        start = initializer(init)
        kept = [leave(layer) for layer in every_layer(self._layers)]
        self.vectors = bind(self, *(zeros_in_lines(count, self._dtype) for count in counts))
        try:
            with np.errstate(over="raise"):
                for layer, numbers in zip(every_layer(self._layers), kept, strict=True):
                    for name, array in numbers.items():
                        setattr(layer, name, array)
                    if not numbers:
                        layer.initialize(rng, start)
        except FloatingPointError:
            raise ValueError(f"init: {start!r} starts beyond every {self._dtype}") from None

    def forward(self, x: npt.ArrayLike) -> np.ndarray:
        """Run a batch through all layers.

        Parameters
        ----------
        x : (n, inputs) array of real numbers, or (n, channels, height, width)
            One sample a row, or an image. Raw uint8 pixels are refused: scale them first.

        Returns
        -------
        (n, outputs) array of the network's dtype
            The scores, one column a class: a copy, which may be changed.
        """
        y = self.as_input(x, named(self, ".forward"), self.dtype)
        for layer in self.layers:
            y = layer.forward(y)
        return np.array(y, self.dtype, order="C")  # your own layers may put out anything

    @overload
    def backward(self, dy: npt.ArrayLike, input_gradient: Literal[False] = False) -> None: ...

    @overload
    def backward(self, dy: npt.ArrayLike, input_gradient: Literal[True]) -> np.ndarray: ...

    @overload
    def backward(self, dy: npt.ArrayLike, input_gradient: bool) -> np.ndarray | None: ...

    def backward(self, dy: npt.ArrayLike, input_gradient: bool = False) -> np.ndarray | None:
        """Run the gradient of the loss back through all layers, filling ``grads``.

        Parameters
        ----------
        dy : (n, outputs) array
            dl/dscores, as a loss returns it, for the batch of the last ``forward``.
        input_gradient : bool
            Whether to compute dl/dx too, which training does not need; and with it the gradients
            of all parameters, of layers too that are not trainable. They are left out below the
            lowest layer that is.

        Returns
        -------
        (n, inputs) array, or None without ``input_gradient``
        """
        gradient = as_batch(dy, named(self, ".backward"), dtype=self.dtype)
        return backward_through(self.layers, gradient, input_gradient)

    @overload
    def __call__(self, x: Collection) -> Any: ...

    @overload
    def __call__(self, x: npt.ArrayLike | Dataset | Shards) -> np.ndarray: ...

    def __call__(self, x: Any) -> Any:
        """``scores(x)``. For ``backward`` call ``forward``, which keeps what that needs."""
        return self.scores(x)

    @overload
    def scores(self, x: Collection, threads: int | None = None) -> Any: ...

    @overload
    def scores(
        self, x: npt.ArrayLike | Dataset | Shards, threads: int | None = None
    ) -> np.ndarray: ...

    def scores(self, x: Any, threads: int | None = None) -> Any:
        """The output of the last layer, (n, outputs), for any number of samples.

        A single sample, (inputs,) or of ``input_shape``, gives its (outputs,) alone; so do
        ``predict`` and ``predict_proba``.

        Unlike ``forward`` it leaves nothing behind for ``backward``, so it may be called at any
        time and from several threads, and it takes a Dataset too. Many samples are computed on the
        backend's engine, if it has one, by ``threads`` threads (FASTBP_NUM_THREADS or every
        processor if left out); their number changes no result.
        """
        one = self.vectors.single  # as of_one, which every call would count on: a sample is fast
        if one is None or one.backend is not backends.in_use:
            one = of_one(self, x)
        if (found := one.scores(x)) is not None:
            return found
        if is_dask(x):
            return prediction.of_dask(self, "scores", x)
        return prediction.scores(self, x, threads)

    @overload
    def predict(self, x: Collection) -> Any: ...

    @overload
    def predict(self, x: npt.ArrayLike | Dataset | Shards) -> np.ndarray: ...

    def predict(self, x: Any) -> Any:
        """What each sample is, by what the network's scores mean.

        Returns
        -------
        (n,) int64
            The most probable class. Of "two classes", from one output: 1 where the score is above
            0, which is a probability above ½, else 0.
        (n, outputs) int64
            Of "labels": 1 for yes, where the score is above 0, else 0.
        (n, outputs) of the network's dtype, (n,) for one output
            Of "values": the scores. Of "counts": exp of the scores, which are logarithms.

        Of a DataFrame, where there is a ``table``, the classes' names, or values in their unit.

        Of a Dask array or DataFrame a Dask array of the same, which is computed when it is asked
        for, partition by partition, by the network as it is now.
        """
        if (found := of_one(self, x).scores(x)) is not None:
            found = predictions(found.reshape(1, -1), meaning_of(self))
            return found if x.ndim > 1 else found[0]
        if is_dask(x):
            return prediction.of_dask(self, "predict", x)
        samples, alone = prediction.as_samples(self, x)
        found = predictions(prediction.row_scores(self, samples), meaning_of(self))
        if prediction.is_of_table(self, x):
            return self.table.label.told(found)
        return found[0] if alone else found

    @overload
    def predict_proba(self, x: Collection) -> Any: ...

    @overload
    def predict_proba(self, x: Frame) -> pd.DataFrame: ...

    @overload
    def predict_proba(self, x: npt.ArrayLike | Dataset | Shards) -> np.ndarray: ...

    def predict_proba(self, x: Any) -> Any:
        """The probabilities of classes, (n, outputs): the softmax of the scores.

        For a network that ends in LogSoftmax they are exp of its output, which is the same. Of "two
        classes" they are those of no and yes, (n, 2), and of "labels" that of each yes,
        (n, outputs): the sigmoid of the scores. Values have none: a ValueError says so.

        Of a DataFrame, where there is a ``table``, they are a DataFrame with a column a class.
        """
        if self.meaning in SOFTMAX:
            one = self.vectors.single  # as in scores
            if one is None or one.backend is not backends.in_use:
                one = of_one(self, x)
            if (found := one.probabilities(x)) is not None:
                return found
        if is_dask(x):
            return prediction.of_dask(self, "predict_proba", x)
        samples, alone = prediction.as_samples(self, x)
        finish = softmax if self.meaning in SOFTMAX else None  # by the threads that compute them
        found = prediction.row_scores(self, samples, finish=finish)
        if finish is None:
            found = probabilities(found, meaning_of(self), repr(self))
        if prediction.is_of_table(self, x):
            return self.table.frame_of(found, x)
        return found[0] if alone else found

    def astype(self, dtype: npt.DTypeLike) -> Sequential:
        """A copy of the network with parameters and arithmetic in dtype."""
        dtype = as_dtype(dtype)
        other = object.__new__(type(self))
        vectors = {
            "params": self.vectors.own.astype(dtype),
            "buffers": self.vectors.own_buffers.astype(dtype),
        }
        other.__setstate__(self.__getstate__() | {"dtype": dtype} | vectors)
        other.grads[...] = self.grads
        return other

    def copy(self) -> Sequential:
        """A copy that shares nothing with this network."""
        return self.astype(self.dtype)

    def frozen(self) -> Sequential:
        """A copy whose parameters and buffers are read-only: it predicts, and cannot be trained.

        With it a single sample, (1, inputs), is predicted fastest: the weights of inputs that are
        zero are left out, which needs to know that none of them will ever be infinite.
        """
        other = self.copy()
        other.vectors.freeze()
        return other

    @overload
    def __getitem__(self, places: SupportsIndex) -> Layer: ...

    @overload
    def __getitem__(self, places: slice) -> Sequential: ...

    def __getitem__(self, places: SupportsIndex | slice) -> Layer | Sequential:
        """The layer of that number. Of a slice, a network of copies of the layers there."""
        if not isinstance(places, slice):
            return self.layers[places]
        chosen, numbers = self.layers[places], range(len(self))[places]
        first, last = (numbers[0], numbers[-1]) if numbers else (0, 0)
        shape = self.input_shape if not first else self.shapes[first - 1]
        other = object.__new__(type(self))
        other.__setstate__(
            self.__getstate__()
            | {
                "layers": tuple(layer.unbound() for layer in chosen),
                "input_shape": None if self.input_shape is None else shape,
                "params": flat(chosen, "parameter_shapes", self.dtype),
                "buffers": flat(chosen, "buffer_shapes", self.dtype),
                "meaning": self.meaning if last == len(self) - 1 else None,
                "table": self.table if len(chosen) == len(self) else None,
            }
        )
        return other

    __copy__ = copy  # two networks cannot share layers, whose views are into one of them

    def __getstate__(self) -> dict[str, Any]:
        """Pickled and deep-copied as data; the views are made anew."""
        return {
            "layers": tuple(layer.unbound() for layer in self.layers),
            "input_shape": self.input_shape,
            "dtype": self.dtype,
            "params": self.vectors.own,
            "buffers": self.vectors.own_buffers,
            "most_bytes": self._most_bytes,
            "meaning": self.meaning,
            "table": self.table,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._layers = check_parts(state["layers"], "Sequential")
        self._input_shape = state["input_shape"]
        self._dtype, self._most_bytes = state["dtype"], state["most_bytes"]
        self.sample_bytes = check_layers(self._layers, self._input_shape) * self._dtype.itemsize
        self.meaning, self.table = state.get("meaning"), state.get("table")
        vectors = (
            np.require(state[name], self._dtype, ["C", "W", "O"]) for name in ("params", "buffers")
        )
        self.vectors = bind(self, *vectors)
