"""What a training on a table came to: as figures, in words, and as a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from fastbp import outcome
from fastbp.datasets import Dataset
from fastbp.network import Sequential
from fastbp.training import Epoch, History

from .data import unit
from .measures import measured
from .unseen import Unseen

NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced",
    "auc": "AUC",
    "r2": "R²",
    "mae": "MAE",
    "rmse": "RMSE",
}


@dataclass(frozen=True, eq=False)
class Result:
    """A training on a table that is finished.

    Attributes
    ----------
    model : Sequential or Ensemble
    train : Dataset
        With the rows that were kept back of it.
    test : Dataset or None
    histories : list of History
        Of each network of the model.
    seeds : list of int
        Likewise.
    batch_size : int
    seconds : float
        That the training took.
    crossed : dict, optional
        What ``cross_validated`` found before.
    """

    model: Any
    train: Dataset
    test: Dataset | None
    histories: list[History]
    seeds: list[int]
    batch_size: int
    seconds: float
    crossed: dict[str, Any] | None = None

    @property
    def nets(self) -> list[Sequential]:
        """The networks that are the model."""
        return [self.model] if isinstance(self.model, Sequential) else [*self.model]

    @cached_property
    def unseen(self) -> Unseen | None:
        """What networks say of the rows that they kept back, where they did."""
        kept = [history.validation_rows for history in self.histories]
        rows = [each for each in kept if each is not None]
        return Unseen(self.nets, rows, self.train) if len(rows) == len(self.nets) else None

    @property
    def judge(self) -> str:
        """What the rows are called that judged each epoch."""
        return "test" if self.unseen is None else "val"

    @property
    def judged(self) -> tuple[Any, Dataset] | None:
        """What says how good the model is, and of which rows: that it did not see."""
        if self.test is not None:
            return self.model, self.test
        return None if self.unseen is None else (self.unseen, self.unseen.rows)

    @cached_property
    def figures(self) -> dict[str, Any]:
        """What came of it, as JSON has it.

        ``rows`` that were trained on, ``networks`` and ``seeds``; of each network ``epochs``,
        ``seconds`` and why it ``stopped``. ``test`` and ``validation`` are what
        ``fastbp.tabular.measures.measured`` finds for those rows, where there are any, and ``cv``
        what ``cross_validated`` found. Of several networks, each row of ``validation`` is told by
        those that kept it back.
        """
        found: dict[str, Any] = {
            "rows": len(self.train),
            "networks": len(self.nets),
            "seeds": self.seeds,
            "epochs": [len(history) for history in self.histories],
            "seconds": [history.seconds for history in self.histories],
            "stopped": [history.stopped for history in self.histories],
        }
        if self.test is not None:
            found["test"] = measured(self.model, self.test)
        if self.unseen is not None:
            found["validation"] = measured(self.unseen, self.unseen.rows)
        return found if self.crossed is None else found | {"cv": self.crossed}

    def facts(self) -> dict[str, str]:
        """What came of it, in words."""
        crossed = crossed_facts(self.crossed)
        if isinstance(self.model, Sequential):
            history, of = self.histories[0], unit(self.model.table)
            return outcome.facts(self.model, history, None, self.judge, of) | crossed
        return self._of_several() | crossed

    def _of_several(self) -> dict[str, str]:
        nets, history = self.nets, self.histories[0]
        parameters = sum(net.params.size for net in nets)
        judged = {}
        if "validation" in self.figures:
            judged["val, each row by those that kept it back"] = said(self.figures["validation"])
        return {
            "networks": f"{len(nets)} of {nets[0]!r}, {parameters:,} parameters",
            "seeds": ", ".join(map(str, self.seeds)),
            "epochs": ", ".join(str(len(each)) for each in self.histories),
            "each alone": "; ".join(map(alone, self.histories)),
            **judged,
            "training time": f"{self.seconds:.3g} s, side by side",
            "computed by": f"{history.path}, {nets[0].dtype}",
        }

    def write_page(self, folder: Path) -> None:
        """Draw pictures into a run's folder, and write the page; nothing where no rows judge."""
        if self.judged is None:
            return
        by, rows = self.judged
        kept = self.histories[0].validation_rows
        share = 0.0 if kept is None else len(kept) / len(self.train)
        parts = (tuple(self.histories), self.batch_size, share, self.facts())
        report = import_module("fastbp.tabular.report")  # and fastbp.plots, when they are asked for
        report.write(report.TableRun(folder, self.model, self.train, rows, *parts, judged=by))


def said(found: Mapping[str, Any]) -> str:
    """The figures of ``measured`` in a line, beside the baseline."""
    if "accuracy" in found:
        return (
            f"accuracy {100 * found['accuracy']:.2f} % "
            f"(most frequent class {100 * found['baseline']:.2f} %), "
            f"balanced {100 * found['balanced_accuracy']:.2f} %"
        )
    return f"R² {found['r2']:.4f}, MAE {found['mae']:.6g} (the mean {found['baseline']['mae']:.6g})"


def crossed_facts(crossed: dict[str, Any] | None) -> dict[str, str]:
    """What ``cross_validated`` found, as one fact."""
    if crossed is None:
        return {}
    mean, std = crossed["mean"], crossed["std"]
    name = "accuracy" if "accuracy" in mean else "r2"
    told = f"{as_said(name, mean[name])} ± {as_said(name, std[name])}"
    return {f"cross-validated {NAMES[name]}": f"{told}, {len(crossed['folds'])} parts"}


def as_said(name: str, value: float) -> str:
    """A figure of that name."""
    if "accuracy" in name:
        return share(value)
    if np.isnan(value):
        return "-"
    return f"{value:.4f}" if name in ("auc", "r2") else f"{value:.6g}"


def share(value: float) -> str:
    """Per cent; a class that never occurs has none."""
    return "-" if np.isnan(value) else f"{100 * value:.2f} %"


def alone(history: History) -> str:
    """What judged the epoch whose network was kept."""
    return figure(outcome.kept(history))


def figure(epoch: Epoch) -> str:
    """What an epoch was judged by."""
    if epoch.of_values:
        return f"R² {epoch.val_r2:.4f}"
    return f"accuracy {share(epoch.val_accuracy)}"
