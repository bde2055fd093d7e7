"""A training that the command line begins: in its folder, from its first epoch to its report."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import fastbp as fb
from fastbp import run_pictures
from fastbp._counted import counted
from fastbp.cli import _arguments, _measured, _outcome, _progress
from fastbp.cli._arguments import FAILURE
from fastbp.cli._stopping import exit_code
from fastbp.datasets import Dataset
from fastbp.recording import recorded
from fastbp.tabular import report
from fastbp.tabular.data import unit
from fastbp.tabular.task import Task
from fastbp.tabular.train import report_of
from fastbp.training import Evaluation


@dataclass
class Training:
    """What is trained, on what, how, and where it is kept."""

    net: fb.Sequential
    data: Dataset
    test: Dataset | None
    folder: Path
    arguments: dict[str, Any]  # of fit
    before: int = 0  # epochs that were finished before it went on
    config: bytes | None = None  # what config.toml will have, where it is not there yet
    task: Task | None = None  # of a table
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
        if code:
            finished = f"finished {len(self.history)} of {counted(self.epochs, 'epoch')}"
            _arguments.tell(f"{ending}; {finished}; what there is lies in {self.folder}")
        return code

    def draw(self) -> None:
        """Draw what came of it; of a table there is a page too."""
        batch_size, test = self.arguments["batch_size"], self.tested_rows()
        if test is None:
            return
        if self.net.table is None:
            judge = "validation" if self.share else "test"
            run_pictures.draw(self.folder, self.net, self.history, test, batch_size, judge)
            return
        whole = report.TableRun(
            self.folder,
            self.net,
            self.data,
            test,
            (self.history,),
            batch_size,
            self.share,
            self.facts(),
        )
        report.write(whole)

    def tested_rows(self) -> Dataset | None:
        """The test data; where a table has none, the rows that judged each epoch."""
        return self.task.validation() if self.test is None and self.task else self.test

    def facts(self) -> dict[str, str]:
        """What came of it, in words."""
        net, history = self.net, self.history
        told = _outcome.as_facts(history, self.tested, self.judge, unit(net.table))
        return {
            "network": f"{net!r}, {net.params.size:,} parameters",
            "loss": f"{history.epochs[-1].train_loss:.4f} (mean of the last epoch)",
            **told,
            **_measured.crossed_facts(self.crossed),
            "training time": f"{history.seconds:.3g} s over {counted(len(history), 'epoch')}, "
            "without evaluation",
            "computed by": f"{history.path}, {net.dtype}",
        }

    @cached_property
    def tested(self) -> Evaluation | None:
        """How good it is on the test data, where others judged each epoch."""
        return fb.evaluate(self.net, self.test) if self.share and self.test else None

    def report(self, as_json: bool) -> None:
        """Print what came of it."""
        net, history = self.net, self.history
        whole = None
        if self.task is not None:
            whole = report_of(self.task, net, [history], self.crossed)
        if not as_json:
            _measured.print_report(whole, self.task)
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
        facts |= _outcome.as_data(history, self.tested, self.judge, unit(net.table))
        facts |= _measured.judged(whole)
        _arguments.print_json(facts | {"epochs": history.rows()})
