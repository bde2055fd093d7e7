"""Figures of data and models: samples, shapes, structure, gradients, probabilities, the example."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import plots, run_pictures
from fastbp.datasets import Dataset
from fastbp.explain.drawing import drawings
from fastbp.explain.example import WORKED_EXAMPLE, read_example
from fastbp.explain.explanation import as_text, explain
from fastbp.explain.stages import stages
from fastbp.layers import Conv2d, Linear
from fastbp.network import Sequential

from .spec import Figure
from .summary import Outcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture


@dataclass(frozen=True)
class Material:
    """What figures are made of."""

    outcome: Outcome
    train: Dataset
    test: Dataset

    def net(self) -> Sequential | None:
        """The first variant's trained network, of its first seed; None if it diverged."""
        run = self.outcome.runs[self.outcome.experiment.variants[0].label][0]
        return None if run.error else run.net()


Made = Iterator[tuple[str, str, "Picture | str"]]  # name, caption, picture or text
Maker = Callable[[Material, Figure], Made]


def _batch_shapes(material: Material, figure: Figure) -> Made:
    """What a batch looks like before and after it is flattened."""
    rows = slice(0, 64)
    pictures, labels = material.train.images(rows), material.train.y[rows]
    x, y = material.train.batch(rows)
    lines = [
        f"{len(material.train):,} training and {len(material.test):,} test images",
        f"a batch of pictures: {pictures.shape} {pictures.dtype}, "
        f"{pictures.min()} to {pictures.max()}",
        f"its labels:          {labels.shape} {labels.dtype}, {labels.min()} to {labels.max()}",
        f"flattened, scaled:   {x.shape} {x.dtype}, {x.min():g} to {x.max():g}",
        f"its first labels:    {' '.join(map(str, y[:20]))}",
    ]
    yield "shapes", "Shapes", "\n".join(lines) + "\n"


def _sample_digits(material: Material, figure: Figure) -> Made:
    rows = slice(0, 50)
    picture = plots.sample_digits(material.train.images(rows), material.train.y[rows], most=50)
    yield "sample-digits", "Sample digits and their labels", picture


def _structure(material: Material, figure: Figure) -> Made:
    net = material.outcome.experiment.variants[0].network.build(seed=0)
    yield "structure", "The network's structure", str(net) + "\n"


def _first_gradient(material: Material, figure: Figure) -> Made:
    """The first weights' gradient before and after the first backward pass of all."""
    network = material.outcome.experiment.variants[0].network
    net, loss = network.build(seed=0), network.described.make_loss()
    first = _first_with_weights(net)
    before = np.abs(first.dw).max()
    x, y = material.train.batch(slice(0, network.batch_size))
    value, gradient = loss(net.forward(x), y)
    net.backward(gradient)
    images = isinstance(first, Conv2d)
    where = "the first filter" if images else "rows 404 to 407, columns 0 to 5"
    corner = first.dw[0, 0] if images else first.dw[404:408, :6]
    numbers = np.array2string(corner, precision=4, max_line_width=120)
    text = (
        f"{first!r}.dw before the first backward pass: all {before:g} (PyTorch: None)\n"
        f"after one on {len(x)} samples (loss {value:.4f}), of the shape {first.dw.shape}, "
        f"largest magnitude {np.abs(first.dw).max():.6f};\n"
        f"{where}:\n{numbers}\n"
    )
    yield "first-gradient", "The first weights' gradient, before and after", text
    name, caption = "first-gradient-picture", "The first weights' gradient, as pictures"
    label = "gradient by the weight"
    if images:
        yield name, caption, plots.filters(first.dw, title=caption, label=label)
    elif material.train.image_shape is not None and first.dw.any():
        picture = plots.first_layer_weights(
            first.dw, material.train.image_shape, most=32, label=label
        )
        yield name, caption, picture


def _first_with_weights(net: Sequential) -> Any:
    return next(layer for layer in net.layers if isinstance(layer, (Linear, Conv2d)))


def _probabilities(kind: str) -> Maker:
    """Class probabilities beside the easiest or the hardest test image."""

    def make(material: Material, figure: Figure) -> Made:
        net = material.net()
        if net is None:
            return
        test = material.test
        p = net.predict_proba(test)
        top = np.sort(p, axis=1)
        right = p[np.arange(len(p)), test.y]
        row = int(right.argmax() if kind == "easy" else (top[:, -1] - top[:, -2]).argmin())
        caption = f"Class probabilities: {'an easy' if kind == 'easy' else 'a hard'} image"
        picture = plots.class_probabilities(test.images([row])[0], p[row], label=int(test.y[row]))
        yield f"{kind}-image", f"{caption}, number {row} of the test images", picture

    return make


def _weights(material: Material, figure: Figure) -> Made:
    net, shape = material.net(), material.train.image_shape
    if net is not None and shape is not None:
        first = next(layer for layer in net.layers if isinstance(layer, Linear))
        assert first.w is not None
        picture = plots.first_layer_weights(first.w, shape, most=40)
        yield "first-layer-weights", "What the first layer's units look at", picture


def _filters(material: Material, figure: Figure) -> Made:
    net = material.net()
    for number, layer in run_pictures.convolutions(net) if net else ():
        title = f"The filters of convolution {number}, trained"
        yield f"filters-{number}", title, plots.filters(layer.w, title=title)


def _feature_maps(material: Material, figure: Figure) -> Made:
    net = material.net()
    if net is not None:
        picture = plots.feature_maps(stages(net, material.test))
        yield "feature-maps", "What the layers make of the first test image", picture


def _misclassified(material: Material, figure: Figure) -> Made:
    net, test = material.net(), material.test
    if net is not None:
        picture, wrong = run_pictures.mistakes(test, net.predict_proba(test), most=24)
        yield "misclassified", f"{wrong} test images are misclassified", picture


def _worked_example(material: Material, figure: Figure) -> Made:
    told = explain(read_example(WORKED_EXAMPLE))
    for name, picture in drawings(told).items():
        yield name, f"The worked example: {name}", picture
    yield "steps", "Every number with its formula", as_text(told)


MAKERS: dict[str, Maker] = {
    "batch_shapes": _batch_shapes,
    "sample_digits": _sample_digits,
    "structure": _structure,
    "first_gradient": _first_gradient,
    "easy_image": _probabilities("easy"),
    "hard_image": _probabilities("hard"),
    "first_layer_weights": _weights,
    "filters": _filters,
    "feature_maps": _feature_maps,
    "misclassified": _misclassified,
    "worked_example": _worked_example,
}
