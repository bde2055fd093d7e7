"""Draws an experiment's figures: one function a kind, each giving texts or pictures in order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastbp import plots
from fastbp._files import write_atomically

from . import pictures
from .pictures import Made, Maker, Material
from .spec import Figure

WIDE = 8.0  # inches from which a picture needs a page's whole width


@dataclass(frozen=True)
class Shown:
    """A text or a drawn picture, with what is said below it."""

    name: str  # of its file, without the ending
    caption: str
    text: str = ""
    path: Path | None = None  # the picture's
    wide: bool = False


def draw(material: Material, folder: Path) -> list[Shown]:
    """Draw all figures of an experiment into a folder; texts are kept as .txt."""
    shown = []
    for number, figure in enumerate(material.outcome.experiment.figures, 1):
        for name, caption, made in MAKERS[figure.kind](material, figure):
            path = folder / f"{number:02}-{name}"
            caption = f"{caption} (the report's {figure.number})" if figure.number else caption
            if isinstance(made, str):
                _write_text(path.with_suffix(".txt"), made)
                shown.append(Shown(path.name, caption, text=made))
            else:
                picture = plots.save(made, path.with_name(f"{path.name}.png"))
                wide = made.get_figwidth() > WIDE
                shown.append(Shown(path.name, caption, path=picture, wide=wide))
    return shown


def _write_text(path: Path, text: str) -> None:
    write_atomically(path, lambda file: file.write(text), "w")


def _loss_by_iteration(material: Material, figure: Figure) -> Made:
    """One figure a variant, of its first seed."""
    for variant in material.outcome.experiment.shown(figure):
        runs = material.outcome.runs[variant.label]
        losses = runs[0].history.loss_by_iteration
        if not np.isfinite(losses).any():
            continue
        title = f"Loss by iteration: {variant.label}"
        caption = title + ("; seed 0" if len(runs) > 1 else "")
        if runs[0].error:
            caption += f"; {runs[0].error.partition(',')[0]}"
        name = f"loss-by-iteration-{_file_name(variant.label)}"
        size = variant.network.batch_size
        yield name, caption, plots.loss_by_iteration(losses, title=title, batch_size=size)


def _loss_by_epoch(material: Material, figure: Figure) -> Made:
    curves = material.outcome.curves(figure, "train_loss")
    if curves:
        title = _title("Loss by epoch", figure)
        caption = title + _seeds(material)
        yield "loss-by-epoch", caption, plots.loss_by_epoch(curves, title=title)


def _accuracy(kind: str) -> Maker:
    """Accuracies of one kind by epoch, all variants together."""

    def make(material: Material, figure: Figure) -> Made:
        curves = _from(figure.least, material.outcome.curves(figure, f"{kind}_accuracy"))
        if curves:
            title = _title(f"{kind.capitalize()} accuracy by epoch", figure)
            caption = title + _seeds(material)
            yield f"{kind}-accuracy", caption, plots.accuracy_by_epoch(curves, title=title)

    return make


def _from(least: float, curves: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The curves without the epochs before all seeds have come so far, if they ever do."""
    above = {label: ~(y < least).any(axis=0) for label, y in curves.items()}
    return {
        label: np.where(np.arange(y.shape[1]) < above[label].argmax(), np.nan, y)
        for label, y in curves.items()
        if above[label].any()
    }


def _both_accuracies(material: Material, figure: Figure) -> Made:
    """Training and test accuracy of a single variant."""
    curves = {
        kind: next(iter(found.values()))
        for kind in ("train", "test")
        if (found := material.outcome.curves(figure, f"{kind}_accuracy"))
    }
    if curves:
        title = _title("Accuracy by epoch", figure)
        yield "accuracy", title + _seeds(material), plots.accuracy_by_epoch(curves, title=title)


def _title(what: str, figure: Figure) -> str:
    return f"{what}, {figure.title}" if figure.title else what


def _seeds(material: Material) -> str:
    count = max(map(len, material.outcome.runs.values()))
    return f"; mean and range of {count} seeds" if count > 1 else ""


def _file_name(label: str) -> str:
    """A label as part of a file's name."""
    text = label.lower().replace("–", "-").replace("/", " over ")
    return "-".join("".join(c if c.isalnum() or c in "-." else " " for c in text).split())


MAKERS: dict[str, Maker] = {
    "loss_by_iteration": _loss_by_iteration,
    "loss_by_epoch": _loss_by_epoch,
    "train_accuracy": _accuracy("train"),
    "test_accuracy": _accuracy("test"),
    "accuracy": _both_accuracies,
    **pictures.MAKERS,
}
