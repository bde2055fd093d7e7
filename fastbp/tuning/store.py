"""The folder of a search: what it is of, and what became of each trial, as soon as it is known."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

from fastbp import runs
from fastbp._files import StrPath, open_regular, write_atomically
from fastbp.network import Sequential
from fastbp.training import resume

from .trials import FAILED, Trial

ABOUT, TABLE, TRIALS = "search.json", "trials.csv", "trials"
GROWS = "n_trials"  # which may be another when a search goes on that draws at random
PROBLEMS = (OSError, ValueError, LookupError, TypeError, RecursionError)
KEPT = ("state", "score", "epochs", "seconds", "error")


class Store:
    """The folder of a search, or one for the time being.

    ``trials/0007-1.safetensors`` is the checkpoint of trial 7 after its rung 1, from which its
    network comes or goes on; ``0007-1.json``, written after it, has its figures and its digest.

    Raises
    ------
    ValueError
        If there is something else in the folder, or another search.
    """

    def __init__(self, folder: StrPath | None, about: dict[str, Any]) -> None:
        if folder is None:
            folder = tempfile.mkdtemp(prefix="fastbp-search-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        if any(self.folder.iterdir()):
            self._check_same(about)
            runs.remove_leftovers(self.folder)
        (self.folder / TRIALS).mkdir(exist_ok=True)
        text = _text(about)
        write_atomically(self.folder / ABOUT, lambda file: file.write(text), "w")

    def _check_same(self, about: dict[str, Any]) -> None:
        try:
            old = _read(self.folder / ABOUT)
        except FileNotFoundError:
            raise ValueError(
                f"{self.folder}: the folder is not empty, and holds no search; name a new one"
            ) from None
        except (ValueError, RecursionError) as problem:
            raise ValueError(f"{self.folder / ABOUT}: cannot go on from it: {problem}") from None
        new = json.loads(_text(about))
        for name in new:
            if name == GROWS and new["method"] == "random":
                continue
            if old.get(name) != new[name]:
                raise ValueError(
                    f"{self.folder}: holds a search with another {name}; name a new folder, or "
                    "repeat that search"
                )

    def checkpoint(self, number: int, rung: int) -> Path:
        """Where a trial's checkpoint is after that rung."""
        return self.folder / TRIALS / f"{number:04d}-{rung}.safetensors"

    def write(self, trial: Trial, data: bytes | None) -> None:
        """Keep what a trial came to in its rung, and where it stands."""
        path = self.checkpoint(trial.number, trial.rung)
        about = {name: getattr(trial, name) for name in KEPT}
        about["score"] = None if math.isnan(trial.score) else trial.score
        about["sha256"] = None if data is None else hashlib.sha256(data).hexdigest()
        if data is not None:
            write_atomically(path, lambda file: file.write(data))
        text = _text(about)
        write_atomically(path.with_suffix(".json"), lambda file: file.write(text), "w")
        if trial.rung:
            self.checkpoint(trial.number, trial.rung - 1).unlink(missing_ok=True)

    def read(self, trial: Trial, rung: int) -> bool:
        """Let a trial be what it was after that rung, if that is known; whether it is.

        It is not where its checkpoint is damaged, unless it went on from it.
        """
        path = self.checkpoint(trial.number, rung).with_suffix(".json")
        try:
            found = {name: _read(path)[name] for name in KEPT}
            found["score"] = math.nan if found["score"] is None else float(found["score"])
        except PROBLEMS:
            return False
        went_on = self.checkpoint(trial.number, rung + 1).with_suffix(".json").exists()
        if found["state"] != FAILED and not went_on and not self.is_whole(trial.number, rung):
            return False
        for name, value in found.items():
            setattr(trial, name, value)
        trial.rung = rung
        return True

    def is_whole(self, number: int, rung: int) -> bool:
        """Whether a trial's checkpoint is there, as it was written."""
        path = self.checkpoint(number, rung)
        try:
            with open_regular(path) as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            return bool(_read(path.with_suffix(".json"))["sha256"] == digest)
        except PROBLEMS:
            return False

    def model(self, trial: Trial) -> Sequential:
        """The network of a trial: of its best epoch where early stopping kept that."""
        going = resume(self.checkpoint(trial.number, trial.rung))
        kept_best = "early_stopping" in going.arguments and going.best is not None
        return going.best if kept_best else going.net  # type: ignore[return-value]


def _read(path: Path) -> dict[str, Any]:
    """A table that ``_text`` wrote."""
    with open_regular(path) as file:
        found = json.loads(file.read())
    if not isinstance(found, dict):
        raise ValueError(f"expected a table, got {found!r:.60}")
    return found


def _text(about: dict[str, Any]) -> str:
    """As JSON; what that does not know, by its text."""
    return json.dumps(about, indent=2, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else repr(value)
