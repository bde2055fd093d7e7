"""Several networks that the command line trains side by side on a table, and keeps as one model."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import fastbp as fb
from fastbp import runs
from fastbp._counted import counted
from fastbp.cli import _arguments, _measured, _outcome
from fastbp.cli._arguments import FAILURE
from fastbp.cli._display import Plain, Silent
from fastbp.cli._stopping import exit_code
from fastbp.recording import signals_held_back
from fastbp.tabular import report
from fastbp.tabular.several import Several
from fastbp.tabular.train import report_of, said

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
    seconds: float = 0.0

    @property
    def heading(self) -> str:
        """What is trained on what."""
        return f"{self.several.together()!r}\n{self.several.task.train!r}"

    @property
    def dtype(self) -> np.dtype:
        """Of the arithmetic."""
        return self.several.jobs[0].net.dtype

    @property
    def histories(self) -> list[fb.History]:
        """How each network's training went."""
        return [job.history for job in self.several.jobs]

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
                    started = time.perf_counter()
                    self.several.fit(watch, threads)
            except KeyboardInterrupt as stop:
                code, ending = exit_code(stop), "stopped"
            except fb.DivergenceError as divergence:
                code, ending = FAILURE, f"error: {divergence}"
            self.seconds = time.perf_counter() - started
            kept = self._keep()
        if code:
            lies = f"what there is lies in {self.folder}" if kept else "nothing is kept"
            _arguments.tell(f"{ending}; {kept} of {count} networks have finished epochs; {lies}")
        return code

    def _keep(self) -> int:
        """Write the networks that have finished epochs, and how many they are."""
        jobs = self.several.finished()
        with signals_held_back():
            if jobs:
                model, histories = fb.Ensemble([j.net for j in jobs]), [j.history for j in jobs]
                runs.write(self.folder, model, histories, self.several.task.config())
        return len(jobs)

    @cached_property
    def outcome(self) -> dict[str, Any]:
        """What came of it, as figures."""
        task, net = self.several.task, self.several.together()
        return report_of(task, net, self.histories, self.crossed)

    def draw(self) -> None:
        """Draw what came of it, and write the page."""
        task = self.several.task
        test = task.validation() if task.test is None else task.test
        if test is None:
            return
        whole = report.TableRun(
            self.folder,
            self.several.together(),
            task.train,
            test,
            tuple(self.histories),
            task.model.batch_size,
            task.model.validation or 0.0,
            self.facts(),
        )
        report.write(whole)

    def facts(self) -> dict[str, str]:
        """What came of it, in words."""
        net, task, whole = self.several.together(), self.several.task, self.outcome
        epochs = ", ".join(str(len(history)) for history in self.histories)
        judged = {"val, together": said(whole["validation"])} if "validation" in whole else {}
        return {
            "networks": f"{len(net)} of {net[0]!r}, {_parameters(net):,} parameters",
            "seeds": ", ".join(map(str, task.seeds)),
            "epochs": epochs,
            "each alone": "; ".join(map(alone, self.histories)),
            **judged,
            **_measured.crossed_facts(self.crossed),
            "training time": f"{self.seconds:.3g} s, side by side",
            "computed by": f"{self.histories[0].path}, {net.dtype}",
        }

    def report(self, as_json: bool) -> None:
        """Print what came of it."""
        net, task, whole = self.several.together(), self.several.task, self.outcome
        if not as_json:
            _measured.print_report(whole, task)
            _arguments.print_facts("", self.facts() | {"kept in": str(self.folder)})
            return
        _arguments.print_json(
            {
                "output": str(self.folder),
                "network": repr(net),
                "networks": len(net),
                "seeds": task.seeds,
                "parameters": _parameters(net),
                "path": self.histories[0].path,
                "seconds": self.seconds,
                "stopped": whole["stopped"],
                **_measured.judged(whole),
                "epochs": [history.rows() for history in self.histories],
            }
        )


def alone(history: fb.History) -> str:
    """What judged the epoch whose network was kept."""
    return figure(_outcome.kept(history))


def figure(epoch: fb.training.Epoch) -> str:
    """What an epoch was judged by."""
    if epoch.of_values:
        return f"R² {epoch.val_r2:.4f}"
    return f"accuracy {_measured.share(epoch.val_accuracy)}"


def _parameters(net: fb.Ensemble) -> int:
    return sum(each.params.size for each in net)
