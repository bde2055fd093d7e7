"""Writing files so that nobody ever sees half of one, and reading TOML that people wrote."""

import os
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

StrPath = str | PathLike[str]
MOST_BYTES = 100_000  # of a TOML file; more was not written by hand


def read_toml(path: StrPath) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is too large, or no TOML; the message has the path and the reason.
    """
    import tomllib

    with open(path, "rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"{path}: more than {MOST_BYTES:,} bytes; expected a short TOML file")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"{path}: no TOML file: {problem}") from problem


def write_atomically(path: StrPath, write: Callable[[Any], object], mode: str = "wb") -> None:
    """Let `write` fill a temporary file beside `path`, then rename it: all, or nothing changes.

    The data has reached the disk before the name points to it.
    """
    path = Path(path)
    temporary = path.parent / f".{path.name}.{os.urandom(4).hex()}"
    text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    try:
        file = temporary.open(mode.replace("w", "x"), **text)
    except FileNotFoundError as missing:
        raise FileNotFoundError(f"{path}: the folder {path.parent} does not exist") from missing
    try:
        with file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself last through a power cut, where folders can be opened."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
