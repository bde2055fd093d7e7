"""Several networks that the command line trains side by side on a table, and keeps as one model."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import fastbp as fb
from fastbp import runs
from fastbp._counted import counted
from fastbp.cli import _arguments, _measured
from fastbp.cli._arguments import FAILURE, UsageError
from fastbp.cli._display import Plain, Silent
from fastbp.cli._stopping import exit_code
from fastbp.tabular.result import Result, alone, figure
from fastbp.tabular.several import Several
from fastbp.tabular.unseen import together

SAID = 4  # times that each network says where it is, until it is finished


class Told(fb.Callback):
    """Says now and then where a network is, and when it is finished."""

    def __init__(self, show: Silent, name: str, history: fb.History, epochs: int) -> None:
        self.show, self.name, self.history, self.epochs = show, name, history, epochs

    def on_epoch_end(self, epoch: fb.training.Epoch, net: fb.Sequential) -> None:
        """Say how good this epoch is."""
        if epoch.epoch < self.epochs and epoch.epoch % max(1, self.epochs // SAID) == 0:
            self.show.say(f"{self.name}: epoch {epoch.epoch}/{self.epochs}, {figure(epoch)}")

    def on_train_end(self, net: fb.Sequential) -> None:
        """Say how far it came."""
        if self.history.epochs:
            why = f" ({self.history.stopped})" if self.history.stopped else ""
            self.show.say(
                f"{self.name}: {counted(len(self.history), 'epoch')}{why}, {alone(self.history)}"
            )


@dataclass
class SeveralTraining:
    """What is trained, and where it is kept."""

    several: Several
    folder: Path
    crossed: dict[str, Any] | None = None

    @property
    def heading(self) -> str:
        """What is trained on what."""
        networks = together([job.net for job in self.several.jobs])
        return f"{networks!r}\n{self.several.task.train!r}"

    @property
    def dtype(self) -> np.dtype:
        """Of the arithmetic."""
        return self.several.jobs[0].net.dtype

    def display(self, quiet: bool) -> Silent:
        """What shows how it goes."""
        return Silent() if quiet else Plain()

    def train(self, show: Silent, heading: str, threads: int | None) -> int:
        """Train all to the end, and keep what is finished in any case; the exit code."""
        code, ending, count = 0, "", len(self.several.jobs)

        def watch(number: int, job: fb.Job) -> Sequence[fb.Callback]:
            name = f"network {number + 1} of {count}, seed {job.seed}"
            return [Told(show, name, job.history, job.epochs)]

        with runs.emptied(self.folder):
            try:
                with show:
                    show.say(heading)
                    self.several.recorded(self.folder, watch, threads)
            except KeyboardInterrupt as stop:
                code, ending = exit_code(stop), "stopped"
            except fb.DivergenceError as divergence:
                code, ending = FAILURE, f"error: {divergence}"
            except (ValueError, TypeError) as problem:  # fit refused to begin
                raise UsageError(str(problem)) from problem
        if code:
            kept = len(self.several.finished())
            lies = f"what there is lies in {self.folder}" if kept else "nothing is kept"
            _arguments.tell(f"{ending}; {kept} of {count} networks have finished epochs; {lies}")
        return code

    @cached_property
    def result(self) -> Result:
        """What came of it."""
        return self.several.result(self.crossed)

    def draw(self) -> None:
        """Draw what came of it, and write the page."""
        self.result.write_page(self.folder)

    def report(self, as_json: bool) -> None:
        """Print what came of it."""
        result = self.result
        if not as_json:
            _measured.print_report(result)
            _arguments.print_facts("", result.facts() | {"kept in": str(self.folder)})
            return
        _arguments.print_json(
            {
                "output": str(self.folder),
                "network": repr(result.model),
                "networks": len(result.nets),
                "seeds": result.seeds,
                "parameters": sum(net.params.size for net in result.nets),
                "path": result.histories[0].path,
                "seconds": result.seconds,
                "stopped": result.figures["stopped"],
                **_measured.flat(result.figures),
                **_measured.judged(result.figures),
                "epochs": [history.rows() for history in result.histories],
            }
        )
