"""How running experiments show themselves on stderr: a live bar, plain lines, or nothing."""

import time
from collections.abc import Sequence
from typing import Self

from fastbp._counted import counted
from fastbp.cli._arguments import tell
from fastbp.cli._display import AboveBar, Plain, Silent
from fastbp.experiments.page.content import clock
from fastbp.experiments.runner import Watcher
from fastbp.experiments.spec import Experiment, Network
from fastbp.runs import Run
from fastbp.training import Epoch
from fastbp.training.progress import on_terminal

PIXELS = 255  # what they are divided by, unless an experiment is about that


def display(quiet: bool) -> "Display":
    """The display for this stderr."""
    if quiet:
        return Display()
    return Bar() if on_terminal() else Lines()


class Display(Silent, Watcher):
    """Shows nothing; what the displays have in common."""

    def start(self, wanted: int, missing: Sequence[tuple[Network, int]]) -> None:
        """Say how much there is to do."""
        super().start(wanted, missing)
        self.started = time.perf_counter()
        if wanted:
            kept = f", {self.found} of them kept from before" if self.found else ""
            self.say(f"{counted(wanted, 'network')} to train{kept}")

    def damaged(self, problem: str) -> None:
        """Say which, and why, in any case."""
        tell(f"warning: {problem}; it is trained again")

    def finished(self, network: Network, seed: int, run: Run) -> None:
        """Say what became of it."""
        super().finished(network, seed, run)
        width = len(str(self.wanted))
        self.say(f"{self.done:>{width}}/{self.wanted}  {_summary(network, seed, run)}{self.left()}")

    def writing(self, experiment: Experiment) -> None:
        """Say which."""
        self.say(f"writing {experiment.name} ({experiment.row})")

    def left(self) -> str:
        """How long the training of the rest will take."""
        if not 0 < self.worked < self.work * (1 - 1e-9):
            return ""
        elapsed = time.perf_counter() - self.started
        return f"  ({clock(elapsed * (self.work / self.worked - 1))} left)"


class Lines(Plain, Display):
    """A line a network, for logs and pipes."""


class Bar(AboveBar, Display):
    """A live bar over all networks, and a line for each that is finished above it."""

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        super().__enter__()
        self.bar = Progress(
            TextColumn("{task.fields[count]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[left]}"),
            console=Console(stderr=True, highlight=False),
            refresh_per_second=10,
            expand=True,
        )
        self.task = self.bar.add_task("", total=None, count="", left="")
        self.bar.start()
        return self

    def epoch(self, network: Network, seed: int, epoch: Epoch) -> None:
        """Move the bar."""
        super().epoch(network, seed, epoch)
        self._move()

    def finished(self, network: Network, seed: int, run: Run) -> None:
        """Write the line and move the bar."""
        super().finished(network, seed, run)
        self._move()

    def _move(self) -> None:
        self.bar.update(
            self.task,
            total=self.work,
            completed=self.worked,
            count=f"{self.done}/{self.wanted}",
            left=self.left().strip(" ()"),
        )


def _summary(network: Network, seed: int, run: Run) -> str:
    pixels = "" if network.pixels_over == PIXELS else f"pixels/{network.pixels_over:g}"
    rate = f"rate {network.lr:g}"
    parts = (network.size, network.activation, network.loss, rate, pixels, f"seed {seed}")
    what = " ".join(filter(None, parts))
    if run.error:
        return f"{what}: {run.error.partition(',')[0]}"
    last = run.history.epochs[-1]
    accuracy = f"train {100 * last.train_accuracy:.2f} %  test {100 * last.test_accuracy:.2f} %"
    return f"{what}: {accuracy}  {clock(run.history.seconds)} for {counted(last.epoch, 'epoch')}"
