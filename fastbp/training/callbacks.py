"""What watches a training run."""

from fastbp.network import Sequential

from .history import Epoch


class Callback:
    """Watches a training run. Override what you need; an exception raised here ends the run.

    Rates, momenta, α, p and all other numbers may be changed at any time: they count from the next
    step on.
    """

    def on_progress(self, epoch: int, samples: int, total: int, loss: float) -> None:
        """Ten times a second at most: `samples` of `total` are done, the latest batch's loss.

        While an engine trains, the network has the parameters of the epoch's start, read-only; the
        optimiser's memory and the counts of steps stay, too.
        """

    def on_epoch_end(self, epoch: Epoch, net: Sequential) -> None:
        """After each epoch and its evaluation. What is written to ``net.params`` here counts."""
