"""What the report says, before it is HTML or Markdown: sections, tables, counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from fastbp._counted import counted
from fastbp.experiments.claims import (
    FAILS,
    HOLDS,
    NOT_JUDGED,
    UNDECIDED,
    Verdict,
    spread_text,
)
from fastbp.experiments.figures import Shown
from fastbp.experiments.measures import LOSS, SECONDS, TEST_ACCURACY, TRAIN_ACCURACY, Measure
from fastbp.experiments.runner import Settings
from fastbp.experiments.spec import Experiment, Variant
from fastbp.experiments.summary import Outcome
from fastbp.explain.example import WORKED_EXAMPLE, read_example
from fastbp.explain.explanation import explain
from fastbp.pages import Table

IN_SHORT = ("A.3", "A.6", "B.0", "B.3", "B.5")  # rows of the short table
TITLE = "Two reports on backpropagation, reproduced"
NOTE = (
    "Report A trains a PyTorch network on MNIST, report B implements backpropagation by hand. "
    "fastbp repeats the experiments of both; A.6 is one that report A names as a goal only. "
    "Accuracies are those after the last epoch, loss is the mean over the last epoch; ± is the "
    "standard deviation over seeds."
)
ABOUT_VERDICTS = (
    "A claim holds, does not hold, or is within noise. With several seeds the noise of a "
    "difference is its 95 % interval over the seeds; with one seed it is twice the sampling error "
    "of the accuracies on the test images, and nothing is known of other quantities' spread."
)
ABOUT_TIMES = (
    "fastbp's times are the training of one network in one thread while others train beside it, "
    "without the evaluation after each epoch. The reports' machines are not known."
)


@dataclass(frozen=True)
class Section:
    """One experiment in the report."""

    outcome: Outcome
    shown: list[Shown]
    verdicts: list[Verdict]

    @property
    def experiment(self) -> Experiment:
        """What it is about."""
        return self.outcome.experiment


@dataclass(frozen=True)
class Report:
    """All that a report page says."""

    sections: list[Section]
    settings: Settings
    machine: dict[str, str]
    seconds: float  # from start to end of this call
    found: int  # runs that were there already
    networks: int  # runs in all

    def warning(self) -> str:
        """What makes this run less than the reports' experiments; "" if nothing does."""
        changes = []
        if self.settings.epochs is not None:
            changes.append(f"every network trained for {counted(self.settings.epochs, 'epoch')}")
        if self.settings.limit is not None:
            changes.append(f"on the first {self.settings.limit:,} images")
        if not changes:
            return ""
        return f"Not the reports' experiments in full: {', '.join(changes)}."

    def duration(self) -> str:
        """How long it took."""
        if not self.networks:
            return f"This run made the report in {clock(self.seconds)}"
        parts = (part for section in self.sections for part in section.outcome.runs.values())
        runs = {run.folder: run for part in parts for run in part}
        total = sum(run.history.seconds for run in runs.values())
        made = "all" if not self.found else str(self.networks - self.found)
        return (
            f"{counted(self.networks, 'training')} took {clock(total)}, each in one thread; "
            f"this run made {made} of them, and the report, in {clock(self.seconds)}"
        )


def clock(seconds: float) -> str:
    """A time as one reads it: 8.2 s, or 3:07 min."""
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} min"


def main_table(report: Report) -> Table:
    """One line an experiment: reported against reproduced."""
    head = ["row", "experiment", "reported", "reproduced", "claims"]
    rows = [
        [s.experiment.row, s.experiment.title, s.experiment.reported, reproduced(s), told(s)]
        for s in report.sections
    ]
    return [head, *rows]


def short_table(report: Report) -> Table:
    """The rows IN_SHORT of the main table, with little in a cell: for a README."""
    head, *rows = main_table(report)
    short = {section.experiment.row: reproduced_in_short(section) for section in report.sections}
    return [head, *([*row[:3], short[row[0]], row[4]] for row in rows if row[0] in IN_SHORT)]


def reproduced_in_short(section: Section) -> str:
    """Of one network the accuracies that are reported too, of several those in test."""
    experiment, outcome = section.experiment, section.outcome
    if len(experiment.variants) != 1:
        return reproduced(section).removeprefix("test accuracy: ")
    (variant,) = experiment.variants
    measures = {"train_accuracy": TRAIN_ACCURACY, "test_accuracy": TEST_ACCURACY}
    return ", ".join(
        f"{measure.name} {spread_text(outcome.values(variant.label, measure), measure)}"
        for key, measure in measures.items()
        if key in variant.reported
    )


def reproduced(section: Section) -> str:
    """What came out, in a line."""
    experiment, outcome = section.experiment, section.outcome
    if any(figure.kind == "worked_example" for figure in experiment.figures):
        compared = explain(read_example(WORKED_EXAMPLE)).compared
        same = sum(quantity.matches for quantity in compared)
        return f"{same} of {len(compared)} reported numbers, to every printed digit"
    if len(experiment.variants) == 1:
        label = experiment.variants[0].label
        parts = [
            f"{measure.name} {spread_text(outcome.values(label, measure), measure)}"
            for measure in (LOSS, TRAIN_ACCURACY, TEST_ACCURACY)
        ]
        return ", ".join(parts)
    parts = [
        f"{spread_text(outcome.values(v.label, TEST_ACCURACY), TEST_ACCURACY)} ({v.label})"
        for v in experiment.variants
    ]
    return f"test accuracy: {'; '.join(parts)}" if parts else "shown below"


def told(section: Section) -> str:
    """How many claims came to what."""
    counts = Counter(verdict.word for verdict in section.verdicts)
    words = {
        HOLDS: ("holds", "hold"),
        FAILS: ("does not", "do not"),
        UNDECIDED: ("within noise",) * 2,
        NOT_JUDGED: ("not judged",) * 2,
    }
    return ", ".join(
        f"{counts[word]} {forms[counts[word] > 1]}" for word, forms in words.items() if counts[word]
    )


def variant_table(section: Section) -> Table:
    """A line a variant: what it is, and reported against reproduced."""
    experiment, outcome = section.experiment, section.outcome
    keys = [
        key
        for key in ("loss", "train_accuracy", "test_accuracy", "minutes")
        if any(key in variant.reported for variant in experiment.variants)
    ]
    shown: list[tuple[str, str, Measure]] = [
        ("loss", "loss", LOSS),
        ("train_accuracy", "train accuracy", TRAIN_ACCURACY),
        ("test_accuracy", "test accuracy", TEST_ACCURACY),
        ("minutes", "training time", SECONDS),
    ]
    head = ["", "network", "epochs"]
    for key, name, _ in shown:
        head += [f"{name}, reported"] if key in keys else []
        head.append(name)
    table = [head]
    for variant in experiment.variants:
        row = [variant.label, network_text(variant), str(variant.network.epochs)]
        for key, _, measure in shown:
            row += [reported_text(variant, key, measure)] if key in keys else []
            row.append(spread_text(outcome.values(variant.label, measure), measure))
        table.append(row)
    return table


def network_text(variant: Variant) -> str:
    """A network's settings in a line."""
    network = variant.network
    parts = [network.size, network.activation, network.loss, f"rate {network.lr:g}"]
    if network.pixels_over != 255:
        parts.append(f"pixels/{network.pixels_over:g}")
    return ", ".join(filter(None, parts))


def reported_text(variant: Variant, key: str, measure: Measure) -> str:
    """What is reported of a variant, as it is printed there."""
    if key not in variant.reported:
        return "–"
    value = variant.reported[key]
    return f"{value:.2f} min" if key == "minutes" else measure.text(value)


def settings_table(report: Report) -> Table:
    """How it was run, and on what."""
    settings = report.settings
    data = "MNIST, 60,000 training and 10,000 test images"
    if settings.limit is not None:
        data = f"the first {settings.limit:,} images of MNIST"
    rows = {
        "data": data,
        "epochs": "the reports'" if settings.epochs is None else str(settings.epochs),
        "seeds": f"{settings.seeds} (0 to {settings.seeds - 1})" if settings.seeds > 1 else "1 (0)",
    } | report.machine
    return [["", ""], *([name, value] for name, value in rows.items())]
