"""Where files go that are needed while a program runs, and are larger than its memory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from fastbp._checks import shown

MOUNTS = Path("/proc/self/mountinfo")  # of Linux
IN_MEMORY = {"ramfs", "tmpfs"}  # file systems
ON_DISK = Path("/var/tmp")  # where /tmp is in memory


def as_place(copy: Any) -> Path | bool:
    """The folder that a copy goes to, or whether there is to be one at all.

    Raises
    ------
    TypeError, OSError
        If it is neither True nor False nor a folder that there is.
    """
    if isinstance(copy, (bool, np.bool_)):
        return bool(copy)
    if not isinstance(copy, str | os.PathLike):
        raise TypeError(f"copy: expected True, False or a folder, got {shown(copy)}")
    folder = Path(copy)
    if not folder.is_dir():
        wrong = NotADirectoryError if folder.exists() else FileNotFoundError
        raise wrong(f"copy: expected a folder, got {folder}, which is none")
    return folder


def temporary() -> Path:
    """The folder for temporary files: one on a disk, where there is one.

    Raises
    ------
    OSError
        If there is none.
    """
    folder = Path(tempfile.gettempdir())
    for each in (folder, ON_DISK):
        if each.is_dir() and not is_memory(each):
            return each
    raise OSError(f"{folder} is kept in memory")


def is_memory(folder: Path) -> bool:
    """Whether files in a folder are kept in memory, as far as the system says."""
    try:
        device, mounts = folder.stat().st_dev, MOUNTS.read_text("utf-8", "replace")
    except OSError:
        return False
    number, kinds = f"{os.major(device)}:{os.minor(device)}", set()
    for line in mounts.splitlines():  # "36 35 98:0 /root /where options … - kind device …"
        if line.split(" ")[2] == number:
            kinds.add(line.partition(" - ")[2].split(" ")[0])
    return bool(kinds & IN_MEMORY)
