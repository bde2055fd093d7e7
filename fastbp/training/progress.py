"""How training shows itself while it goes on: a bar in a terminal, a line in a notebook."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from fastbp.network import Sequential

from .callbacks import Callback
from .history import Epoch

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress


SMOOTH = 0.9  # what the loss that is shown keeps of itself, ten times a second
LARGE = 1e6  # a loss above it is going wrong, and shown by its power of ten


def progress_for(epochs: int, samples: int, first: int = 1) -> Progress:
    """The display for where this runs: a bar on a terminal, a line in a notebook, else none.

    Parameters
    ----------
    epochs : int
        The number of the last epoch.
    samples : int
        How many an epoch trains on.
    first : int
        The number of the first epoch of this run.
    """
    if on_terminal():
        return Bar(epochs, samples, first)
    return Line(epochs, samples, first) if _in_notebook() else Progress(epochs, samples, first)


def on_terminal() -> bool:
    """Whether stderr is a terminal, where a bar may move.

    A command that a notebook's cell starts (``!python -m fastbp train``) has one that writes every
    move below the one before; its kernel is known by what it tells its children.
    """
    return sys.stderr.isatty() and "JPY_PARENT_PID" not in os.environ


def _in_notebook() -> bool:
    """Whether IPython runs this in a kernel, for somebody who sees what it displays."""
    ipython = sys.modules.get("IPython")
    return hasattr(ipython and ipython.get_ipython(), "kernel")


class Progress(Callback):
    """Shows nothing; what the displays have in common.

    Attributes
    ----------
    now : str
        Which epoch of how many it is.
    figures : str
        The loss, what the epochs before came to, and how many samples a second there are. The loss
        is a running mean over the batches that are reported, from the mean of the epoch before on.
    left : str
        How long the rest will take, evaluation included.
    """

    held_out = "val"  # what figures of data are called that are not trained on
    what = "epoch"  # is counted

    def __init__(self, epochs: int, samples: int, first: int = 1) -> None:
        self.epochs, self.samples, self.first = epochs, samples, first
        self.now, self.figures, self.left = f"{first}/{epochs}", "", ""
        self.began = self.epoch_began = time.perf_counter()
        self._of_epochs, self._loss = "", math.nan

    @property
    def total(self) -> int:
        """All samples of all epochs."""
        return (self.epochs - self.first + 1) * self.samples

    def show(self, samples: int) -> None:
        """Show the figures; so many samples of all are done."""

    def on_train_begin(self, net: Sequential) -> None:
        """Time starts."""
        self._loss = math.nan
        self.began = self.epoch_began = time.perf_counter()

    def on_progress(self, epoch: int, samples: int, total: int, loss: float) -> None:
        """Show the running mean of the loss."""
        self.samples = total  # of which the caller may have had a guess
        elapsed = max(time.perf_counter() - self.epoch_began, 1e-9)
        self._loss = loss if math.isnan(self._loss) else SMOOTH * self._loss + (1 - SMOOTH) * loss
        self._update(epoch, samples, self._loss, samples / elapsed)

    def on_epoch_end(self, epoch: Epoch, net: Sequential) -> None:
        """Show what it came to."""
        self._of_epochs, self._loss = of_epoch(epoch, self.held_out), epoch.train_loss
        self._update(epoch.epoch, self.samples, epoch.train_loss, self.samples / epoch.seconds)
        self.epoch_began = time.perf_counter()

    def on_train_end(self, net: Sequential) -> None:
        """The figures stay as they are."""

    def tell(self, done: int, figures: str) -> None:
        """Show figures of one's own: so many of all are done, of one sample each."""
        self.now, self.figures = f"{done}/{self.epochs}", figures
        self.left = self._time_left(done)
        self.show(done)

    def _update(self, epoch: int, samples: int, loss: float, rate: float) -> None:
        done = (epoch - self.first) * self.samples + samples
        shown = f"{loss:.4f}" if abs(loss) < LARGE else f"{loss:.4g}"
        parts = (f"loss {shown}", self._of_epochs, f"{rate:,.0f} samples/s")
        self.figures = "  ".join(filter(None, parts))
        self.now, self.left = f"{epoch}/{self.epochs}", self._time_left(done)
        self.show(done)

    def _time_left(self, done: int) -> str:
        elapsed = time.perf_counter() - self.began
        seconds = max(math.ceil(elapsed * (self.total / max(done, 1) - 1)), 0)
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02} left"


class Bar(Progress):
    """A live bar over all epochs on stderr, with the figures below it."""

    bar: RichProgress

    def __init__(self, epochs: int, samples: int, first: int = 1) -> None:
        from rich.console import Console, RenderableType
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress

        class BarAboveFigures(RichProgress):
            def get_renderables(self) -> Iterator[RenderableType]:
                yield self.make_tasks_table(self.tasks)
                for task in self.tasks:  # beside the bar, 80 columns would cut the figures
                    yield task.fields["figures"]

        super().__init__(epochs, samples, first)
        self.bar = BarAboveFigures(
            TextColumn("{task.fields[now]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[left]}"),
            console=Console(stderr=True, highlight=False),
            refresh_per_second=10,
            expand=True,
        )
        now = f"{self.what} {self.now}"
        self.task = self.bar.add_task("", total=self.total, now=now, left="", figures="")

    def on_train_begin(self, net: Sequential) -> None:
        """The bar comes up."""
        super().on_train_begin(net)
        self.bar.start()

    def show(self, samples: int) -> None:
        """Move the bar."""
        self.bar.update(
            self.task,
            completed=samples,
            total=self.total,
            now=f"{self.what} {self.now}",
            left=self.left,
            figures=self.figures,
        )

    def on_train_end(self, net: Sequential) -> None:
        """The bar stays as it is."""
        with suppress(OSError):  # the terminal is gone
            self.bar.stop()


class Line(Progress):
    """A line below a notebook's cell, which changes in place."""

    shown = ""  # what IPython knows the line by

    def on_train_begin(self, net: Sequential) -> None:
        """Each training has a line of its own."""
        super().on_train_begin(net)
        self.shown = ""

    def show(self, samples: int) -> None:
        """Write the line, or write it anew."""
        from IPython.display import display, update_display

        line = {"text/plain": f"{self.what} {self.now}  {self.figures}  {self.left}"}
        if self.shown:
            update_display(line, raw=True, display_id=self.shown)
        else:
            from uuid import uuid4

            self.shown = uuid4().hex
            display(line, raw=True, display_id=self.shown)


def of_epoch(epoch: Epoch, held_out: str) -> str:
    """Accuracies, or of values R², of training data and of what was held out, where known."""
    kind, sign = ("r2", "R² ") if epoch.of_values else ("accuracy", "")
    parts = (("train", getattr(epoch, f"train_{kind}")), (held_out, getattr(epoch, f"val_{kind}")))
    return "  ".join(
        f"{data} {sign}{value:.4f}" if epoch.of_values else f"{data} {100 * value:.2f} %"
        for data, value in parts
        if not math.isnan(value)
    )
