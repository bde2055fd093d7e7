"""``report.html``: what came of a training on a table, as one page that a person opens first."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastbp import pages, plots, run_pictures, runs
from fastbp._files import write_atomically
from fastbp.datasets import Classes, Dataset
from fastbp.network import Sequential

from . import described, measures, pictures
from .importance import Importances
from .unseen import Unseen

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fastbp.training import History

NAME = "report.html"
CAPTIONS = {
    "confusion_matrix": "Rows by their true class, and what they are taken for",
    "roc_curve": "What is found of a class, for each share of others that is taken for it. The "
    "higher above the dotted line, which is chance, the better",
    "calibration_curve": "What had a probability, and how often it came true. On the dotted line "
    "probabilities may be believed; bars count rows",
    "true_by_predicted": "A dot for each row: on the dotted line the prediction is right",
    "residuals": "What is left over, by what was predicted: the line is near 0 everywhere if "
    "nothing is missed that could be known",
    "importance": "What is lost when a column's cells change places. Columns that say the same "
    "stand in for each other",
    "loss_by_epoch": "What is learned, and what it is judged by",
    "accuracy_by_epoch": "The same as accuracy",
    "loss_by_iteration": "The loss of each batch; of several networks the first one's",
    "rate_by_iteration": "The learning rate of each step; of several networks the first one's",
    "running_statistics": "What a batch norm has seen of its columns",
}


@dataclass(frozen=True)
class TableRun:
    """A training on a table that is finished.

    Attributes
    ----------
    folder : Path
        Where its model and its config.toml are.
    model : Sequential or Ensemble
    train, test : Dataset
        Made by the model's table.
    histories : tuple of History
        Of each network of the model.
    batch_size : int
    share : float
        Of the training rows, what judged each epoch; 0 where the test rows did.
    facts : mapping of str to str
        How it went, as the command says it.
    judged : object, optional
        What tells of the test rows in the model's place, where these are such as its networks kept
        back: an ``Unseen``.
    """

    folder: Path
    model: Any
    train: Dataset
    test: Dataset
    histories: tuple[History, ...]
    batch_size: int
    share: float
    facts: Mapping[str, str]
    judged: Any = None

    @property
    def judging(self) -> Any:
        """What tells of the test rows."""
        return self.model if self.judged is None else self.judged

    @property
    def judge(self) -> str:
        """What judged each epoch."""
        return "validation" if self.share else "test"

    @property
    def source(self) -> str:
        """The table's name."""
        return self.train.name.removesuffix(" train")

    def settings(self) -> dict[str, dict[str, Any]]:
        """What config.toml has, by its tables."""
        path = self.folder / runs.CONFIG
        found = tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
        return {name: table for name, table in found.items() if isinstance(table, dict)}


def write(run: TableRun) -> Path:
    """Draw the pictures of a run, write them and the page into its folder; return the page's path.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    with pictures.letters_may_lack():
        judging = _saved(run.folder, pictures.of_judging(run.judging, run.test))
        worth = pictures.importances_of(run.judging, run.test)
        of_worth = {} if worth is None else {"importance": pictures.of_importances(worth)}
        columns = _saved(run.folder, of_worth)
        training = run_pictures.pictures_of_training(run.histories, run.batch_size, run.judge)
        norms = (
            run_pictures.pictures_of_norms(run.model) if isinstance(run.model, Sequential) else {}
        )
        trained = _saved(run.folder, training | norms)
    text = _page(run, worth, judging, columns, trained)
    path = run.folder / NAME
    write_atomically(path, lambda file: file.write(text), "w")
    return path


def _saved(folder: Path, figures: Mapping[str, Figure]) -> str:
    """Write pictures, and show them side by side."""
    shown = []
    for name, figure in figures.items():
        path = plots.save(figure, folder / f"{name}.png")
        shown.append(pages.picture(path.read_bytes(), CAPTIONS[name.rstrip("_0123456789")]))
    return pages.side_by_side(shown)


def _page(
    run: TableRun, worth: Importances | None, judging: str, columns: str, trained: str
) -> str:
    """The page, with what shows the pictures of each part."""
    label, found = run.model.table.label, measures.measured(run.judging, run.test)
    title = f"{label.name}, predicted from {run.source}"
    return pages.document(
        title,
        [
            f"<h1>{pages.escape(title)}</h1>",
            pages.paragraph(_trained_on(run)),
            pages.headline(described.headline(label, found)),
            pages.heading("How good it is"),
            judging,
            pages.table(described.by_class(found)) if isinstance(label, Classes) else "",
            pages.heading("Columns"),
            pages.blocks(*described.columns(run.model.table, run.train, worth)),
            columns,
            pages.heading("Training"),
            pages.table([["", ""], *map(list, run.facts.items())], numbers=False),
            trained,
            pages.heading("Settings"),
            _settings(run),
            pages.heading("Using the model"),
            *_usage(run),
        ],
    )


def _trained_on(run: TableRun) -> str:
    rows, kept = len(run.train), round(len(run.train) * run.share)
    judged = f", {kept:,} of which were kept back to judge each epoch" if kept else ""
    unseen = f" that it was not trained on ({run.test.name})"
    if kept and len(run.histories) > 1:
        judged = f", of which each network kept back {kept:,} of its own to judge its epochs"
    if isinstance(run.judging, Unseen) and len(run.histories) > 1:
        unseen = f" ({run.test.name}), each told by those networks alone that did not learn from it"
    return (
        f"Trained on {rows:,} rows of {run.source}{judged}; the figures here are of "
        f"{len(run.test):,} rows{unseen}."
    )


def _settings(run: TableRun) -> str:
    """Each table of config.toml; the layers are in the network's own words."""
    found = []
    for part, table in run.settings().items():
        rows = [[name, str(value)] for name, value in table.items() if name != "layers"]
        found.append(pages.table([[part, ""], *rows], numbers=False))
    return pages.side_by_side(found)


def _usage(run: TableRun) -> list[str]:
    """The commands and the lines that use this model on new rows."""
    path = str(run.folder / runs.MODEL)
    model, names = shlex.quote(path), [column.name for column in run.model.table.columns]
    label = run.model.table.label.name
    commands = (
        f"python -m fastbp predict {model} --data new.csv --output predictions.csv\n"
        f"python -m fastbp evaluate {model} --data new.csv"
    )
    python = (
        "import fastbp as fb\nimport pandas\n\n"
        f"model = fb.load({path!r})\n"
        'model.predict(pandas.read_csv("new.csv"))'
    )
    needs = f"new.csv has the columns {', '.join(names)}, in any order"
    return [
        pages.paragraph(f"{needs}; to evaluate, {label} too."),
        pages.quoted(commands, "On the command line"),
        pages.quoted(python, "In Python"),
    ]
