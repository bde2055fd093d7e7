"""A training that is written into its run's folder while it goes on: see ``runs``."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from . import runs
from ._files import write_atomically
from .datasets import Dataset, Shards
from .network import Sequential
from .storage import to_bytes
from .training import Callback, Checkpoint, Epoch, History, fit

CHECKPOINT = "checkpoint.safetensors"
EVERY = 1.0  # seconds, at least, between two times that files are written; to sync them takes long
STOPPING = tuple(  # the signals that ask a program to end; not all systems have all
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


def kept(arguments: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Fit's arguments, with a history, and a checkpoint to go on from."""
    checkpoint = Checkpoint(folder / CHECKPOINT, every=EVERY, keep_best=False)
    return {"history": History(), **arguments, "checkpoint": checkpoint}


def recorded(
    folder: Path,
    net: Sequential,
    data: Dataset | Shards,
    arguments: Mapping[str, Any],
    config: bytes | None = None,
    callbacks: Sequence[Callback] = (),
    threads: int | None = None,
) -> None:
    """``fit``, and all that it finishes is in the folder, however it ends.

    Parameters
    ----------
    folder : Path
    net, data, threads
        As ``fit`` takes them.
    arguments : mapping
        The other arguments of ``fit``, as ``kept`` makes them.
    config : bytes, optional
        What config.toml will have, unless it is there already.
    callbacks : sequence of Callback
        They are called when the files of an epoch are written.

    Raises
    ------
    DivergenceError, KeyboardInterrupt, ValueError, TypeError, OSError
        As ``fit`` does. Where it refuses to begin, an empty folder goes.
    """
    recorder = Recorder(folder, arguments["history"], config)
    try:
        fit(net, data, **arguments, callbacks=(recorder, *callbacks), threads=threads)
        recorder.take(net)  # early stopping may have gone back
    finally:
        with signals_held_back():
            recorder.finish()


class Recorder(Callback):
    """Writes history and model after an epoch, once a second at most, and when training ends."""

    def __init__(self, folder: Path, history: History, config: bytes | None) -> None:
        self.folder, self.history, self.config = folder, history, config
        self.began, self.written = False, -EVERY
        self.finished = len(history)  # epochs whose network is written
        self.taken: tuple[bytes, int] | None = None  # what is not written yet: a model, its epochs
        self._held_back = ExitStack()

    def on_train_begin(self, net: Sequential) -> None:
        """Write what is known; before that nothing is, for what ``fit`` refuses leaves nothing."""
        if (config := self.config) is not None:
            write_atomically(self.folder / runs.CONFIG, lambda file: file.write(config))
        self.history.to_csv(self.folder / runs.HISTORY)
        self.began = True

    def on_epoch_end(self, epoch: Epoch, net: Sequential) -> None:
        """Replace both files, if it is time. Signals wait until the checkpoint is written too."""
        self._held_back.enter_context(signals_held_back())
        self.take(net)
        if time.monotonic() - self.written >= EVERY:
            self._write()

    def on_epoch_begin(self, epoch: int, net: Sequential) -> None:
        """Signals wait no longer."""
        self._held_back.close()

    def on_train_end(self, net: Sequential) -> None:
        """Nor do they here."""
        self._held_back.close()

    def take(self, net: Sequential) -> None:
        """Let the network as it is be what is written next."""
        self.taken = to_bytes(net), len(self.history)

    def finish(self) -> None:
        """Write whatever is finished; where nothing began, the folder goes."""
        if self.began:
            self._write()
            runs.write_losses(self.folder, self._done())
            return
        with suppress(OSError):  # one that goes on has its files
            self.folder.rmdir()

    def _write(self) -> None:
        """Replace model and history, each atomically."""
        if self.taken is None:
            return
        (model, epochs), self.taken = self.taken, None  # what cannot be written is not tried again
        write_atomically(self.folder / runs.MODEL, lambda file: file.write(model))
        self.finished, self.written = epochs, time.monotonic()
        self._done().to_csv(self.folder / runs.HISTORY)

    def _done(self) -> History:
        """The epochs that the model has behind it."""
        done = slice(self.finished)
        return History(self.history.epochs[done], self.history.losses[done], self.history.path)


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Let Ctrl-C and its like wait for the end of the block: what belongs together is written."""
    if threading.current_thread() is not threading.main_thread():  # which alone answers signals
        yield
        return
    found = {number: signal.getsignal(number) for number in STOPPING}
    handlers = {number: handler for number, handler in found.items() if callable(handler)}
    came: list[int] = []
    for number in handlers:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for number in came[:1]:
        handlers[number](number, None)
