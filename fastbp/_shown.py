"""How a network shows itself: its layers as text, in a notebook, and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._above import Above
from ._structure import Structure
from .layers.binding import FlatVector
from .layers.sizes import rows_of, table
from .meaning import Meant
from .pages import notebook, paragraph

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Shown(Structure):
    """A Structure with numbers, which shows both."""

    params, grads, buffers = FlatVector(), FlatVector(), FlatVector()
    meaning = Meant()

    def summary(self) -> None:
        """Print the layers, their output shapes and their numbers of parameters."""
        print(self)  # noqa: T201 - printing is what it is for

    def __str__(self) -> str:
        """What ``summary`` prints."""
        lines = table(self.layers, self.input_shape)
        rule = "-" * len(lines[0])
        return "\n".join([lines[0], rule, *lines[1:], rule, self._counts()])

    def _counts(self) -> str:
        counts = f"{self.params.size:,} parameters"
        if self.buffers.size:
            counts += f", {self.buffers.size:,} numbers in buffers"
        size = (self.params.nbytes + self.buffers.nbytes) / 1e6
        return f"{counts}, {self.dtype}, {size:.2f} MB"

    def plot(self) -> Figure:
        """Draw the layers: ``fb.plots.layers``. In a notebook the figure shows itself."""
        rows = rows_of(self.layers, self.input_shape)
        return Above.plots().layers(
            ["  " * row.depth + row.text for row in rows],
            [row.shape for row in rows],
            [row.parameters for row in rows],
            title=f"{type(self).__name__}: {self.params.size:,} parameters",
        )

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        rows = (
            ["\u2003" * row.depth + row.name, row.settings, row.sizes, f"{row.parameters:,}"]
            for row in rows_of(self.layers, self.input_shape)
        )
        notes = [self._counts()]
        if self.input_shape is not None:
            notes.append(f"samples {self.input_shape}")
        if self.meaning is not None:
            notes.append(f"scores mean {self.meaning}")
        layers = notebook.tabled(("layer", "settings", "output", "parameters"), rows)
        return notebook.shown(type(self).__name__, layers, paragraph("; ".join(notes)))
