"""Trains the networks of experiments, each once, several side by side; keeps each as it ends."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fastbp import runs
from fastbp.datasets import Dataset, mnist
from fastbp.many import Job, fit_many
from fastbp.network import Sequential
from fastbp.runs import Run
from fastbp.training import Callback, Epoch

from .spec import Experiment, Network

Runs = dict[tuple[Network, int], Run]  # by network and seed


@dataclass(frozen=True)
class Settings:
    """How long, on how much, and how often: what makes a run quick or thorough."""

    epochs: int | None = None  # for every network, in place of the report's own
    limit: int | None = None  # the first so many training images, and no more test images
    seeds: int = 1

    @property
    def cut(self) -> bool:
        """Whether networks are trained less than the reports' own."""
        return self.epochs is not None or self.limit is not None

    def data(self) -> tuple[Dataset, Dataset]:
        """MNIST, or the first samples of it."""
        train, test = mnist()
        if self.limit is None:
            return train, test
        return train.first(self.limit), test.first(self.limit)

    def apply(self, experiment: Experiment) -> Experiment:
        """The experiment with its networks trained as long as the settings say."""
        if self.epochs is None:
            return experiment
        shortened = (
            replace(variant, network=replace(variant.network, epochs=self.epochs))
            for variant in experiment.variants
        )
        return replace(experiment, variants=tuple(shortened))


class Watcher:
    """Is told how it goes, partly by the threads that train, and counts; this one shows nothing."""

    def __init__(self) -> None:
        self.wanted = self.found = self.done = 0  # runs
        self.work = self.worked = 0.0  # of those that were missing
        self.lock = threading.Lock()

    def start(self, wanted: int, missing: Sequence[tuple[Network, int]]) -> None:
        """So many runs are wanted, and these of them are missing."""
        self.wanted, self.found = wanted, wanted - len(missing)
        self.done, self.work = self.found, sum(map(_work, missing))

    def damaged(self, problem: str) -> None:
        """A run that was kept is not whole, and is trained again."""

    def epoch(self, network: Network, seed: int, epoch: Epoch) -> None:
        """An epoch of some network is finished."""
        with self.lock:
            self.worked += _work((network, seed)) / network.epochs

    def finished(self, network: Network, seed: int, run: Run) -> None:
        """A run is finished, or has diverged, and is kept."""
        with self.lock:
            self.done += 1
            left = network.epochs - len(run.history.epochs)
            self.worked += left * _work((network, seed)) / network.epochs

    def writing(self, experiment: Experiment) -> None:
        """An experiment's tables and figures are being made."""


def folder_of(root: Path, network: Network, seed: int) -> Path:
    """Where a network's run of that seed lies."""
    return root / "networks" / network.key / f"seed-{seed}"


def train(
    experiments: Iterable[Experiment], settings: Settings, root: Path, watcher: Watcher
) -> Runs:
    """Train what the experiments need and `root` does not have yet; return all their runs.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C. What was finished is kept, so the same call goes on from there, and ends
        with the same results.
    """
    networks = dict.fromkeys(v.network for e in experiments for v in e.variants)
    wanted = [(network, seed) for network in networks for seed in range(settings.seeds)]
    missing = [(n, s) for n, s in wanted if not _is_whole(folder_of(root, n, s), watcher)]
    watcher.start(len(wanted), missing)
    if missing:
        _train_missing(sorted(missing, key=_work, reverse=True), settings, root, watcher)
    found = {(n, s): runs.read(folder_of(root, n, s)) for n, s in wanted}
    return {at: run for at, run in found.items() if run is not None}


def _is_whole(folder: Path, watcher: Watcher) -> bool:
    """Whether a run is there; a damaged one is removed, since it will be trained again."""
    try:
        return runs.read(folder) is not None
    except ValueError as problem:
        watcher.damaged(str(problem))
        shutil.rmtree(folder)
        return False


def _work(run: tuple[Network, int]) -> float:
    """About how long it takes. The longest come first, so that all processors end together."""
    network, _ = run
    return network.epochs * (network.multiply_adds + 1e5)


def _train_missing(
    missing: Sequence[tuple[Network, int]], settings: Settings, root: Path, watcher: Watcher
) -> None:
    """Train all that see the pixels on one scale side by side, scale after scale."""
    train_set, test_set = settings.data()
    for pixels_over in dict.fromkeys(network.pixels_over for network, _ in missing):
        part = [run for run in missing if run[0].pixels_over == pixels_over]
        keepers = [Keeper(network, seed, root, watcher) for network, seed in part]
        data, test = (replace(each, scale=1 / pixels_over) for each in (train_set, test_set))
        try:
            fit_many([keeper.job for keeper in keepers], data, validation=test)
        finally:
            for keeper in keepers:
                if keeper.job.divergence is not None:
                    keeper.keep()


class Keeper(Callback):
    """Makes one run's job, and writes it to disk in the moment in which it is finished."""

    def __init__(self, network: Network, seed: int, root: Path, watcher: Watcher) -> None:
        self.network, self.seed, self.watcher = network, seed, watcher
        self.folder = folder_of(root, network, seed)
        self.job = Job(
            network.build(seed),
            network.described.make_loss(),
            network.described.make_optimizer(),
            network.epochs,
            network.batch_size,
            seed,
            callbacks=(self,),
        )

    def on_epoch_end(self, epoch: Epoch, net: Sequential) -> None:
        """Tell the watcher; keep the run after its last epoch."""
        self.watcher.epoch(self.network, self.seed, epoch)
        if epoch.epoch == self.network.epochs:
            self.keep()

    def keep(self) -> None:
        """Write the run, and tell the watcher."""
        job = self.job
        run = runs.keep(self.folder, job.net, job.history, job.divergence)
        self.watcher.finished(self.network, self.seed, run)
