"""What a training came to, as figures and in words: accuracies, or of values R² and MAE.

Each epoch is judged by the test data; or by a share of the training data, and the network that is
kept is tested at the end.
"""

import math

from ._counted import counted
from .network import Sequential
from .training import Epoch, Evaluation, History


def facts(
    net: Sequential, history: History, tested: Evaluation | None, judge: str, unit: float
) -> dict[str, str]:
    """What came of a network, in words; the others' arguments."""
    return {
        "network": f"{net!r}, {net.params.size:,} parameters",
        "loss": f"{history.epochs[-1].train_loss:.4f} (mean of the last epoch)",
        **as_facts(history, tested, judge, unit),
        "training time": f"{history.seconds:.3g} s over {counted(len(history), 'epoch')}, "
        "without evaluation",
        "computed by": f"{history.path}, {net.dtype}",
    }


def as_data(
    history: History, tested: Evaluation | None, judge: str, unit: float = 1.0
) -> dict[str, float]:
    """Figures of the epoch whose network was kept, and the best ones of what judges each.

    What judges is "val" or "test".

    ``unit`` is 1 of what is learned in the unit that is told.
    """
    epoch, (name, *_) = kept(history), _figures(history)
    found = {"train_loss": epoch.train_loss}
    for figure in _figures(history):
        each = unit if figure == "mae" else 1
        found[f"train_{figure}"] = each * epoch[f"train_{figure}"]
        found[f"{judge}_{figure}"] = each * epoch[f"val_{figure}"]
        if tested is not None:
            found[f"test_{figure}"] = each * getattr(tested, figure)
    return found | {f"best_{judge}_{name}": _best(history)[f"val_{name}"]}


def as_facts(
    history: History, tested: Evaluation | None, judge: str, unit: float = 1.0
) -> dict[str, str]:
    """The same in words."""
    epoch, best = kept(history), _best(history)
    what = "R²" if epoch.of_values else "accuracy"
    facts = {
        f"train {what}": _said(
            epoch["train_r2"], epoch["train_accuracy"], unit * epoch["train_mae"]
        )
    }
    facts[f"{judge} {what}"] = (
        f"{_said(epoch.val_r2, epoch.val_accuracy, unit * epoch.val_mae)} "
        f"(best {'R² ' * best.of_values}{_said(best.val_r2, best.val_accuracy)} "
        f"after epoch {best.epoch})"
    )
    if tested is not None:
        facts[f"test {what}"] = _said(tested.r2, tested.accuracy, unit * tested.mae)
    if history.stopped:
        back = (
            "" if epoch is history.epochs[-1] else f"; the network is that of epoch {epoch.epoch}"
        )
        facts["stopped"] = history.stopped + back
    return facts


def _said(r2: float, accuracy: float, mae: float = math.nan) -> str:
    if math.isnan(r2):
        return "not computed" if math.isnan(accuracy) else f"{100 * accuracy:.2f} %"
    return f"{r2:.4f}" + ("" if math.isnan(mae) else f", mean absolute error {mae:.6g}")


def _figures(history: History) -> tuple[str, ...]:
    """What is known of each epoch; the first tells which is the best."""
    return ("r2", "mae") if history.epochs[-1].of_values else ("accuracy",)


def kept(history: History) -> Epoch:
    """The epoch whose network was kept: the last, unless early stopping went back to a better."""
    best = history.state.get("best")
    return history.epochs[-1 if best is None or best.snapshot is None else best.epoch - 1]


def _best(history: History) -> Epoch:
    name = f"val_{_figures(history)[0]}"
    return max(history.epochs, key=lambda epoch: epoch[name])
