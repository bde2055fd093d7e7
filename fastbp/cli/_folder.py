"""The folder of a training run: its settings, its model and its history."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fastbp as fb
from fastbp._files import write_atomically
from fastbp.backends import Backend
from fastbp.cli import _arguments
from fastbp.datasets import Dataset
from fastbp.models import Model
from fastbp.network import Sequential
from fastbp.training import Callback, Epoch, History


def make(output: Path | None, model: Model, name: str = "") -> Path:
    """The folder that was asked for, or a new one, named after the model unless it has a name."""
    if output is None:
        return _arguments.new_folder(f"{name or model.name}-{model.loss}")
    output.mkdir(parents=True, exist_ok=True)
    if any(output.iterdir()):
        raise ValueError(f"--output {output}: the folder is not empty; name a new one")
    return output


def write_config(
    folder: Path,
    model: Model,
    path: str | None,
    train: Dataset,
    test: Dataset,
    backend: Backend,
) -> None:
    """Write everything that determines the run; train --model reads it again."""
    import tomli_w

    data = {
        "path": path or "MNIST, embedded",
        "train_samples": len(train),
        "test_samples": len(test),
        "features": train.features,
        "classes": train.classes,
        "scale": train.scale,
    }
    computation = {"backend": backend.name, "detail": backend.detail}
    settings = {"fastbp": fb.__version__, "data": data, **model.as_data()}
    settings["computation"] = computation
    write_atomically(folder / "config.toml", lambda file: tomli_w.dump(settings, file))


def write_losses(folder: Path, history: History) -> None:
    """Write the loss of every batch of every finished epoch."""
    import numpy as np

    losses = history.loss_by_iteration
    write_atomically(
        folder / "loss_by_iteration.npz", lambda file: np.savez_compressed(file, loss=losses)
    )


class Recorder(Callback):
    """Writes history and model after every epoch, so that nothing finished is ever lost."""

    def __init__(self, folder: Path, history: History) -> None:
        self.folder, self.history = folder, history
        history.to_csv(folder / "history.csv")

    def on_epoch_end(self, epoch: Epoch, net: Sequential) -> None:
        """Replace both files, each atomically."""
        with _ctrl_c_held_back():
            net.save(self.folder / "model.safetensors")
            self.history.to_csv(self.folder / "history.csv")


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """Let Ctrl-C wait for the end of the block: files that belong together stay together."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # ignored, say
        yield
        return
    pressed = []
    signal.signal(signal.SIGINT, lambda *_: pressed.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if pressed:
        raise KeyboardInterrupt
