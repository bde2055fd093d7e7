"""A training that the command line begins: in its folder, from its first epoch to its report."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import fastbp as fb
from fastbp import outcome, run_pictures
from fastbp._counted import counted
from fastbp.cli import _arguments, _measured, _progress
from fastbp.cli._arguments import FAILURE, UsageError
from fastbp.cli._stopping import exit_code
from fastbp.datasets import Dataset, Shards
from fastbp.recording import recorded
from fastbp.tabular.data import unit
from fastbp.tabular.result import Result
from fastbp.training import Evaluation


@dataclass
class Training:
    """What is trained, on what, how, and where it is kept."""

    net: fb.Sequential
    data: Dataset | Shards
    test: Dataset | Shards | None
    folder: Path
    arguments: dict[str, Any]  # of fit
    before: int = 0  # epochs that were finished before it went on
    config: bytes | None = None  # what config.toml will have, where it is not there yet
    crossed: dict[str, Any] | None = None  # how good others of its kind are

    @property
    def history(self) -> fb.History:
        """How it goes."""
        history: fb.History = self.arguments["history"]
        return history

    @property
    def share(self) -> float:
        """Of the training data, what judges each epoch; 0 where the test data do."""
        return float(self.arguments.get("validation", 0))

    @property
    def epochs(self) -> int:
        """When all are done, those before it went on included."""
        return self.before + int(self.arguments["epochs"])

    def display(self, quiet: bool) -> _progress.Display:
        """What shows how it goes."""
        samples = round(len(self.data) * (1 - self.share))
        show = _progress.display(self.epochs, samples, self.before + 1, quiet)
        show.held_out = self.judge
        return show

    @property
    def judge(self) -> str:
        """What the data are called that judge each epoch."""
        return "val" if self.share else "test"

    @property
    def heading(self) -> str:
        """What is trained on what."""
        return f"{self.net!r}\n{self.data!r}"

    @property
    def dtype(self) -> np.dtype:
        """Of the arithmetic."""
        return self.net.dtype

    def train(self, show: _progress.Display, heading: str, threads: int | None) -> int:
        """Train to the end, and keep what is finished in any case; the exit code."""
        code, ending = 0, ""
        arguments = {"validation": self.test} | self.arguments
        try:
            with show:
                show.say(heading)
                parts = (self.folder, self.net, self.data, arguments, self.config)
                recorded(*parts, callbacks=(show,), threads=threads)
        except KeyboardInterrupt as stop:
            code, ending = exit_code(stop), "stopped"
        except fb.DivergenceError as divergence:
            code, ending = FAILURE, f"error: {divergence}"
        except (ValueError, TypeError) as problem:
            if self.folder.exists():
                raise
            raise UsageError(str(problem)) from problem  # fit refused to begin
        if code:
            finished = f"finished {len(self.history)} of {counted(self.epochs, 'epoch')}"
            _arguments.tell(f"{ending}; {finished}; what there is lies in {self.folder}")
        return code

    def draw(self) -> None:
        """Draw what came of it; of a table there is a page too."""
        if self.result is not None:
            self.result.write_page(self.folder)
        elif self.test is not None:
            judge, size = "validation" if self.share else "test", self.arguments["batch_size"]
            if isinstance(self.test, Shards):
                run_pictures.draw_training(self.folder, self.net, self.history, size, judge)
                return
            run_pictures.draw(self.folder, self.net, self.history, self.test, size, judge)

    @cached_property
    def result(self) -> Result | None:
        """What came of it, of a table."""
        if self.net.table is None or isinstance(self.data, Shards):
            return None
        assert not isinstance(self.test, Shards)  # which come together
        seed, size = self.arguments["seed"], self.arguments["batch_size"]
        rest = ([seed], size, self.history.seconds, self.crossed)
        return Result(self.net, self.data, self.test, [self.history], *rest)

    def facts(self) -> dict[str, str]:
        """What came of it, in words."""
        if self.result is not None:
            return self.result.facts()
        return outcome.facts(self.net, self.history, self.tested, self.judge, unit(self.net.table))

    @cached_property
    def tested(self) -> Evaluation | None:
        """How good it is on the test data, where others judged each epoch."""
        return fb.evaluate(self.net, self.test) if self.share and self.test else None

    def report(self, as_json: bool) -> None:
        """Print what came of it."""
        net, history = self.net, self.history
        if not as_json:
            if self.result is not None:
                _measured.print_report(self.result)
            _arguments.print_facts("", self.facts() | {"kept in": str(self.folder)})
            return
        facts = {
            "output": str(self.folder),
            "network": repr(net),
            "parameters": net.params.size,
            "path": history.path,
            "seconds": history.seconds,
            "stopped": history.stopped,
        }
        facts |= outcome.as_data(history, self.tested, self.judge, unit(net.table))
        if self.result is not None:
            facts |= _measured.judged(self.result.figures)
        _arguments.print_json(facts | {"epochs": history.rows()})
