"""What an experiment came to: its runs as numbers over the seeds, and as CSV tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from fastbp._files import write_atomically, write_rows
from fastbp.runs import Run

from .claims import NOT_JUDGED, Verdict
from .measures import LOSS, SECONDS, TEST_ACCURACY, TRAIN_ACCURACY, Measure
from .spec import Experiment, Figure

# A column of the tables, what it measures, and the key of what is reported of it.
COLUMNS: tuple[tuple[str, Measure], ...] = (
    ("loss", LOSS),
    ("train_accuracy", TRAIN_ACCURACY),
    ("test_accuracy", TEST_ACCURACY),
)
OF_EPOCHS = ("epoch", "train_loss", "train_accuracy", "test_accuracy")


@dataclass(frozen=True)
class Outcome:
    """An experiment and its runs: for each variant's label one run a seed."""

    experiment: Experiment
    runs: dict[str, list[Run]]
    test_images: int
    cut: bool = False  # whether its networks were trained less than the reports' own

    def values(self, label: str, measure: Measure) -> np.ndarray:
        """The measure of each seed's run, (seeds,); NaN for a run that diverged."""
        runs = self.runs[label]
        return np.array([math.nan if run.error else measure.of(run.history) for run in runs])

    def diverged(self, label: str) -> list[bool]:
        """Whether each seed's run diverged."""
        return [bool(run.error) for run in self.runs[label]]

    def curves(self, figure: Figure, column: str) -> dict[str, np.ndarray]:
        """Label -> (seeds, epochs) for the variants of a figure with at least one epoch."""
        found = {}
        for variant in self.experiment.shown(figure):
            runs = self.runs[variant.label]
            longest = max(len(run.history.epochs) for run in runs)
            if longest:
                found[variant.label] = np.array([_padded(run, column, longest) for run in runs])
        return found

    def verdicts(self) -> list[Verdict]:
        """What became of the report's claims; a run that was cut short judges none."""
        verdicts = [claim.judge(self) for claim in self.experiment.claims]
        return [each._replace(word=NOT_JUDGED) if self.cut else each for each in verdicts]

    @property
    def seconds(self) -> float:
        """Training time of all its runs, each in one thread."""
        return sum(run.history.seconds for runs in self.runs.values() for run in runs)


def _padded(run: Run, column: str, length: int) -> np.ndarray:
    values = np.array(run.history[column], float)
    return np.pad(values, (0, length - len(values)), constant_values=np.nan)


def write_tables(outcome: Outcome, folder: Path) -> None:
    """Write the experiment's spec as TOML, and its tables as CSV.

    Times are in a table of their own: all other files are the same for the same run.
    """
    spec = as_data(outcome.experiment)
    write_atomically(folder / "spec.toml", lambda file: tomli_w.dump(spec, file))
    if not outcome.runs:
        return
    _write_csv(folder / "table.csv", _table(outcome))
    _write_csv(folder / "epochs.csv", _epochs(outcome))
    _write_csv(folder / "times.csv", _times(outcome))
    if outcome.experiment.claims:
        rows = [verdict._asdict() for verdict in outcome.verdicts()]
        _write_csv(folder / "verdicts.csv", rows)


def as_data(experiment: Experiment) -> dict[str, Any]:
    """A spec as plain data; claims by their words, empty fields left out."""
    data = asdict(experiment) | {"claims": [claim.text for claim in experiment.claims]}
    return {name: _plain(value) for name, value in data.items() if value}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items() if part not in ((), "", {}, 0.0)}
    return [_plain(part) for part in value] if isinstance(value, (tuple, list)) else value


def _table(outcome: Outcome) -> Iterable[dict[str, Any]]:
    for variant in outcome.experiment.variants:
        network = variant.network
        row: dict[str, Any] = {
            "variant": variant.label,
            "network": network.size,
            "activation": network.activation,
            "loss function": network.loss,
            "rate": network.lr,
            "epochs": network.epochs,
            "seeds": len(outcome.runs[variant.label]),
            "diverged": sum(outcome.diverged(variant.label)),
        }
        for name, measure in COLUMNS:
            mean, spread = mean_and_spread(outcome.values(variant.label, measure))
            row |= {name: mean, f"{name} spread": spread}
            row[f"{name} reported"] = variant.reported.get(name, "")
        yield row


def mean_and_spread(values: np.ndarray) -> tuple[float | str, float | str]:
    """Mean and standard deviation over the seeds that did not diverge; "" where there is none."""
    finite = values[~np.isnan(values)]
    mean = float(finite.mean()) if len(finite) else ""
    return mean, float(finite.std(ddof=1)) if len(finite) > 1 else ""


def _epochs(outcome: Outcome) -> Iterable[dict[str, Any]]:
    for label, runs in outcome.runs.items():
        for seed, run in enumerate(runs):
            for epoch in run.history.epochs:
                figures = {name: epoch[name] for name in OF_EPOCHS}
                yield {"variant": label, "seed": seed} | figures


def _times(outcome: Outcome) -> Iterable[dict[str, Any]]:
    for variant in outcome.experiment.variants:
        mean, spread = mean_and_spread(outcome.values(variant.label, SECONDS))
        minutes = variant.reported.get("minutes", "")
        yield {
            "variant": variant.label,
            "seconds": mean,
            "seconds spread": spread,
            "minutes reported": minutes,
        }


def _write_csv(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    table: Sequence[dict[str, Any]] = list(rows)
    if table:  # not where there is nothing but runs that diverged at once
        write_rows(path, [*table[0]], table)
