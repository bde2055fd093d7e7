"""How training shows itself on stderr: a live bar, plain lines, or nothing."""

from typing import Self

from fastbp.cli._display import AboveBar, Plain, Silent
from fastbp.network import Sequential
from fastbp.training import Epoch, progress


def display(epochs: int, samples: int, first: int, quiet: bool) -> "Display":
    """The display for this stderr: nothing if quiet, a bar on a terminal, else lines."""
    kind = Display if quiet else Bar if progress.on_terminal() else Lines
    return kind(epochs, samples, first)


class Display(Silent, progress.Progress):
    """Shows nothing."""


class Lines(Plain, Display):
    """A line an epoch, for logs and pipes."""

    def on_epoch_end(self, epoch: Epoch, net: Sequential) -> None:
        """Write the epoch's figures."""
        super().on_epoch_end(epoch, net)
        number = f"{epoch.epoch:>{len(str(self.epochs))}}/{self.epochs}"
        self.say(f"epoch {number}  {self.figures}  {self.left}")


class Bar(AboveBar, progress.Bar, Display):
    """A live bar over all epochs, with the latest figures below it."""

    def __enter__(self) -> Self:
        self.bar.start()
        return super().__enter__()
