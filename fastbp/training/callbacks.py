"""What watches a training run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fastbp.network import Sequential

from .history import Epoch


class Callback:
    """Watches a training run. Override what you need; an exception raised here ends the run.

    Rates, momenta, α, p and all other numbers may be changed at any time: they count from the next
    step on.

    Examples
    --------
    >>> class Enough(fb.Callback):
    ...     def on_epoch_end(self, epoch, net):
    ...         return epoch.train_loss < 0.5  # then it ends
    >>> history = fb.fit(net, x, y, epochs=100, callbacks=Enough())
    """

    def on_train_begin(self, net: Sequential) -> None:
        """Before the first epoch."""

    def on_train_end(self, net: Sequential) -> None:
        """After the last epoch, however training ended: also after an error or Ctrl-C."""

    def on_epoch_begin(self, epoch: int, net: Sequential) -> None:
        """Before each epoch; they count from 1."""

    def on_progress(self, epoch: int, samples: int, total: int, loss: float) -> None:
        """Ten times a second at most: `samples` of `total` are done, the latest batch's loss.

        While an engine trains, the network has the parameters of the epoch's start, read-only; the
        optimiser's memory and the counts of steps stay, too.
        """

    def on_epoch_end(self, epoch: Epoch, net: Sequential) -> bool | None:
        """After each epoch and its evaluation. What is written to ``net.params`` here counts.

        True ends the training.
        """


HOOKS = ("on_train_begin", "on_train_end", "on_epoch_begin", "on_progress", "on_epoch_end")
Watcher = Callback | Callable[..., Any]


class Hooks:
    """All callbacks of a run, called together."""

    def __init__(self, callbacks: Watcher | Sequence[Watcher]) -> None:
        alone = not isinstance(callbacks, Iterable)
        watchers = (callbacks,) if alone else tuple(callbacks)  # type: ignore[arg-type]
        self.hooks: dict[str, list[Callable[..., Any]]] = {name: [] for name in HOOKS}
        self.watchers: list[Any] = []
        for each in watchers:
            self.add(_as_watcher(each))

    def add(self, watcher: Any) -> None:
        """One more, which is called after the others."""
        self.watchers.append(watcher)
        for name, hooks in self.hooks.items():
            hook = getattr(watcher, name, None)
            if hook is None or getattr(hook, "__func__", hook) is getattr(Callback, name):
                continue  # what nobody overrode costs nothing
            hooks.append(hook)

    def __getitem__(self, name: str) -> list[Callable[..., Any]]:
        """The methods of that name."""
        return self.hooks[name]


class _Function:
    """A function that is called after each epoch: with the Epoch, or with it and the network."""

    def __init__(self, function: Callable[..., Any], arguments: int) -> None:
        self.function, self.arguments = function, arguments

    def on_epoch_end(self, epoch: Epoch, net: Sequential) -> Any:
        return self.function(*(epoch, net)[: self.arguments])


def _as_watcher(each: Any) -> Any:
    """An object with a Callback's methods, whether or not of its class; of a function, one."""
    if isinstance(each, type):
        raise TypeError(
            f"fit callbacks: expected Callback objects, {each.__name__}(...), got the class itself"
        )
    if any(callable(getattr(each, name, None)) for name in HOOKS):
        return each
    if callable(each):
        for arguments in (2, 1):
            try:
                inspect.signature(each).bind(*range(arguments))
            except (TypeError, ValueError):
                continue
            return _Function(each, arguments)
    raise TypeError(
        "fit callbacks: expected Callback objects, or functions of an Epoch, or of an Epoch and "
        f"the network; got {each!r:.60}"
    )
