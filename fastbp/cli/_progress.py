"""How training shows itself on stderr: a live bar, plain lines, or nothing."""

import math
import sys
import time
from collections.abc import Iterator
from typing import Self

from fastbp.cli import _outcome
from fastbp.cli._display import AboveBar, Plain, Silent
from fastbp.network import Sequential
from fastbp.training import Callback, Epoch


def progress(epochs: int, samples: int, quiet: bool) -> "Progress":
    """The display for this stderr: nothing if quiet, a bar on a terminal, else lines."""
    if quiet:
        return Progress(epochs, samples)
    if sys.stderr.isatty():
        return Bar(epochs, samples)
    return Lines(epochs, samples)


class Progress(Silent, Callback):
    """Shows nothing; what the displays have in common."""

    def __init__(self, epochs: int, samples: int) -> None:
        self.epochs, self.samples = epochs, samples
        self.started = time.perf_counter()

    def time_left(self, epoch: int, samples: int = 0) -> str:
        """How long the rest will take, evaluation included, as h:mm:ss."""
        done = (epoch - 1) * self.samples + samples
        elapsed = time.perf_counter() - self.started
        seconds = math.ceil(elapsed * (self.epochs * self.samples / max(done, 1) - 1))
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02} left"


class Lines(Plain, Progress):
    """A line an epoch, for logs and pipes."""

    def on_epoch_end(self, epoch: Epoch, net: Sequential) -> None:
        """Write the epoch's figures."""
        self.say(
            f"epoch {epoch.epoch:>{len(str(self.epochs))}}/{self.epochs}  "
            f"{_figures(epoch)}  {self.samples / epoch.seconds:,.0f} samples/s  "
            f"{self.time_left(epoch.epoch + 1)}"
        )


class Bar(AboveBar, Progress):
    """A live bar over all epochs, with the latest figures below it."""

    def __enter__(self) -> Self:
        from rich.console import Console, RenderableType
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress

        class BarAboveFigures(RichProgress):
            def get_renderables(self) -> Iterator[RenderableType]:
                yield self.make_tasks_table(self.tasks)
                for task in self.tasks:  # beside the bar, 80 columns would cut the figures
                    yield task.fields["figures"]

        super().__enter__()
        self.epoch_figures, self.rate = "", ""
        self.bar = BarAboveFigures(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[left]}"),
            console=Console(stderr=True, highlight=False),
            refresh_per_second=10,
            expand=True,
        )
        self.task = self.bar.add_task(
            "", total=self.epochs * self.samples, epoch=f"1/{self.epochs}", left="", figures=""
        )
        self.bar.start()
        return self

    def on_progress(self, epoch: int, samples: int, total: int, loss: float) -> None:
        """Move the bar."""
        figures = (f"loss {loss:.4f}", self.epoch_figures, self.rate)
        self.bar.update(
            self.task,
            completed=(epoch - 1) * total + samples,
            epoch=f"{epoch}/{self.epochs}",
            left=self.time_left(epoch, samples),
            figures="  ".join(filter(None, figures)),
        )

    def on_epoch_end(self, epoch: Epoch, net: Sequential) -> None:
        """Move the bar and keep the epoch's figures for the next one's."""
        self.epoch_figures = _outcome.line(epoch)
        self.rate = f"{self.samples / epoch.seconds:,.0f} samples/s"
        self.bar.update(
            self.task,
            completed=epoch.epoch * self.samples,
            epoch=f"{epoch.epoch}/{self.epochs}",
            left=self.time_left(epoch.epoch + 1),
            figures=f"{_figures(epoch)}  {self.rate}",
        )


def _figures(epoch: Epoch) -> str:
    return f"loss {epoch.train_loss:.4f}  {_outcome.line(epoch)}"
