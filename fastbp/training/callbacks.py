"""What watches a training run."""

from fastbp.network import Sequential

from .history import Epoch


class Callback:
    """Watches a training run. Override what you need; an exception raised here ends the run."""

    def on_progress(self, epoch: int, samples: int, total: int, loss: float) -> None:
        """Ten times a second at most: `samples` of `total` are done, the latest batch's loss."""

    def on_epoch_end(self, epoch: Epoch, net: Sequential) -> None:
        """After each epoch and its evaluation."""
