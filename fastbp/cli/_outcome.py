"""What epochs came to, as figures and in words: accuracies, or of values R² and MAE."""

from fastbp.training import Epoch, History


def line(epoch: Epoch) -> str:
    """The latest figures, for a display."""
    if epoch.of_values:
        return f"train R² {epoch.train_r2:.4f}  test R² {epoch.test_r2:.4f}"
    return f"train {100 * epoch.train_accuracy:.2f} %  test {100 * epoch.test_accuracy:.2f} %"


def as_data(history: History) -> dict[str, float]:
    """The last epoch's figures, and the best one's on the test data."""
    last, name = history.epochs[-1], _judged_by(history)
    best = _best(history, name)
    names = ("r2", "mae") if last.of_values else ("accuracy",)
    columns = [f"{part}_{name}" for name in names for part in ("train", "test")]
    figures = {column: last[column] for column in columns}
    return {"train_loss": last.train_loss} | figures | {f"best_{name}": best[name]}


def as_facts(history: History) -> dict[str, str]:
    """The same in words."""
    last = history.epochs[-1]
    best = _best(history, _judged_by(history))
    if last.of_values:
        return {
            "train R²": f"{last.train_r2:.4f}, mean absolute error {last.train_mae:.6g}",
            "test R²": f"{last.test_r2:.4f}, mean absolute error {last.test_mae:.6g} "
            f"(best R² {best.test_r2:.4f} after epoch {best.epoch})",
        }
    return {
        "train accuracy": f"{100 * last.train_accuracy:.2f} %",
        "test accuracy": f"{100 * last.test_accuracy:.2f} % "
        f"(best {100 * best.test_accuracy:.2f} % after epoch {best.epoch})",
    }


def _judged_by(history: History) -> str:
    return "test_r2" if history.epochs[-1].of_values else "test_accuracy"


def _best(history: History, name: str) -> Epoch:
    return max(history.epochs, key=lambda epoch: float(getattr(epoch, name)))
