"""What source code of a network is made from: its layers, and all that is around them.

Source code has every number in it and takes one sample, or rows, of plain numbers: here is what it
needs, and what it cannot have is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastbp._checks import check_kind
from fastbp.custom import DEFINED
from fastbp.datasets import Classes, Table
from fastbp.datasets._columns import Number
from fastbp.datasets._label import Values
from fastbp.ensemble import Ensemble
from fastbp.layers import BUILT_IN
from fastbp.layers.nesting import named_layers
from fastbp.meaning import Meaning, meaning_of
from fastbp.network import Sequential
from fastbp.storage import named


@dataclass(frozen=True)
class Exported:
    """A network, or several that answer together.

    Attributes
    ----------
    nets : tuple of Sequential
    inputs, outputs : int
        Numbers of a sample as the networks take it, and of scores.
    meaning : Meaning
        Of the scores.
    classes : tuple of str
        What they are called; of labels and values nothing.
    columns : tuple of Number
        Of a table, what each becomes; without one nothing.
    values : Values or None
        The unit of what a table's values predict.
    """

    nets: tuple[Sequential, ...]
    inputs: int
    outputs: int
    meaning: Meaning
    classes: tuple[str, ...] = ()
    columns: tuple[Number, ...] = ()
    values: Values | None = None

    @property
    def taken(self) -> int:
        """How many numbers a sample has as it is given: a table's columns, or the inputs."""
        return len(self.columns) or self.inputs

    @property
    def described(self) -> str:
        """The layers, of several networks the first one's, as text of several lines."""
        layers = str(self.nets[0])
        if len(self.nets) == 1:
            return layers
        return f"{len(self.nets)} networks that answer together, the first of which is\n\n{layers}"

    @property
    def names(self) -> str:
        """A table's columns by their names, in a line."""
        return ", ".join(column.name for column in self.columns)

    @property
    def chances(self) -> int:
        """How many probabilities there are: of classes one each, else one for each output."""
        return len(self.classes) or self.outputs


def exported(net: Sequential | Ensemble, where: str) -> Exported:
    """What a network's source code is made from, for the function `where`.

    Raises
    ------
    TypeError
        If it is no network, or a layer is of a user's own.
    ValueError
        If its size is not known, images come out of it, a number is NaN or infinite, or a table's
        column is no number.
    """
    nets = (*networks_of(net, where).values(),)
    for each in nets:
        _check_numbers(each, where)
    if net.inputs is None or net.outputs is None:
        raise ValueError(
            f"{where}: {nets[0]!r} takes rows of any number of columns; expected a network that "
            "knows its own: begin it with a Linear, or name its input_shape"
        )
    behind = nets[0].shapes[-1]
    if behind is not None and len(behind) > 1:
        raise ValueError(
            f"{where}: images {behind} come out of {nets[0]!r}, which are no scores; end it in "
            "Flatten()"
        )
    meaning = meaning_of(net)
    about: dict[str, Any] = {} if net.table is None else _of_table(net.table, where)
    if meaning.is_classes:
        several = 2 if meaning is Meaning.TWO_CLASSES else net.outputs
        about.setdefault("classes", tuple(map(str, range(several))))
    return Exported(nets, net.inputs, net.outputs, meaning, **about)


def networks_of(net: Sequential | Ensemble, where: str) -> dict[str, Sequential]:
    """A network, or all of an ensemble, by how the names of their arrays begin in model files.

    Raises
    ------
    TypeError
        If it is no network, or a layer is of a user's own.
    """
    if not isinstance(net, Ensemble):
        check_kind(net, Sequential, where)
    nets = named(net)
    for each in nets.values():
        _check_layers(each, where)
    return nets


def _check_layers(net: Sequential, where: str) -> None:
    """Refuse layers whose mathematics nobody but their author knows."""
    for name, layer in named_layers(net.layers):
        kind = type(layer)
        if BUILT_IN.get(kind.__name__) is kind:
            continue
        what = "an activation" if DEFINED.get(kind.__name__) is kind else "a layer"
        raise TypeError(
            f"{where}: layer {name} is {layer!r}, {what} of your own, whose code fastbp cannot "
            "write; expected layers of fastbp"
        )


def _check_numbers(net: Sequential, where: str) -> None:
    """Refuse numbers that are none; float64 ones must be numbers in float32 too."""
    for name, layer in named_layers(net.layers):
        for array in layer.parameter_shapes() | layer.buffer_shapes():
            numbers = getattr(layer, array)
            with np.errstate(over="ignore"):
                finite = np.isfinite(numbers.astype(np.float32))
            if not finite.all():
                place = tuple(map(int, np.argwhere(~finite)[0]))
                raise ValueError(
                    f"{where}: {name}.{array} of {layer!r}: expected finite numbers, got "
                    f"{numbers[place]} at {place}"
                )


def _of_table(table: Table, where: str) -> dict[str, Any]:
    """The columns, if all are numbers, and what the label says."""
    for column in table.columns:
        if not isinstance(column, Number):
            raise ValueError(
                f"{where}: the model learned from a table, whose column {column.name!r} is a "
                f"{column.kind}, which is no number; write a copy of the network without it, "
                "copy = net.copy(); copy.table = None, which takes what net.table.encode(data) "
                "makes of rows"
            )
    if isinstance(table.label, Classes):
        return {"columns": table.columns, "classes": tuple(map(str, table.label.names))}
    return {"columns": table.columns, "values": table.label}
