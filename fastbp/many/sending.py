"""What goes to workers and what comes back, as bytes: data, jobs, and what came of them.

Data that several jobs share are no part of a job's bytes. A worker gets them once, all in one
``Parcel``: processes of the same machine map its file into their memory.
"""

from __future__ import annotations

import json
import mmap
import os
import pickle
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PREFIX, SUFFIX = "fastbp-", ".parcel"
YOUNG = 60.0  # seconds within which a file may not be locked yet by who writes it
LINE = 64  # bytes; arrays begin at multiples in a parcel's file
FOLDERS = (Path("/dev/shm"), None)  # memory where there is such a folder, else files for a while


class NoParcelError(Exception):
    """The worker has no such file, as on another machine: it needs the parcel's bytes."""


class Parcel(NamedTuple):
    """Data for all jobs: where its file lies, and its bytes, for who cannot read that."""

    name: str
    path: str
    content: bytes | None = None


def dumps(thing: Any, buffers: list[pickle.PickleBuffer] | None = None) -> bytes:
    """A thing pickled; arrays come to the buffers, if there are any.

    By cloudpickle, where that is installed: it takes functions too that have no name to import.
    """
    try:
        from cloudpickle import dumps as to_bytes
    except ImportError:
        to_bytes = pickle.dumps
    outside = None if buffers is None else buffers.append
    return bytes(to_bytes(thing, protocol=5, buffer_callback=outside))


def write_parcel(things: Sequence[Any]) -> Parcel:
    """Write things to a file of memory, or where there is no room for it, of a temporary folder."""
    buffers: list[pickle.PickleBuffer] = []
    body = dumps(things, buffers)
    parts: list[Any] = [body, *(buffer.raw() for buffer in buffers)]
    head = json.dumps([len(part) for part in parts]).encode() + b"\n"
    for folder in FOLDERS:
        _remove_abandoned(folder)
        try:
            return _write([head, *parts], folder)
        except OSError:
            if folder is None:
                raise
    raise AssertionError("the last folder raises")


_locked: dict[str, Any] = {}  # files that are written here and not removed yet, by their paths


def _write(parts: list[Any], folder: Path | None) -> Parcel:
    import tempfile
    import uuid

    handle, path = tempfile.mkstemp(prefix=PREFIX, suffix=SUFFIX, dir=folder)
    _locked[path] = os.fdopen(handle, "wb", buffering=0)
    try:
        _lock(handle)
        for part in parts:
            _locked[path].write(part)
            _locked[path].write(bytes(-_locked[path].tell() % LINE))
    except BaseException:
        remove_parcel(path)
        raise
    return Parcel(uuid.uuid4().hex, path)


def remove_parcel(path: str) -> None:
    """Remove its file. Who has it mapped keeps it, and who looks for it knows that all is over."""
    with suppress(OSError):
        Path(path).unlink()
    if path in _locked:
        _locked.pop(path).close()


def _lock(handle: int) -> None:
    """Hold a file as long as this process lives, killed or not; OSError if somebody else does."""
    if fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _remove_abandoned(folder: Path | None) -> None:
    """Remove the files of processes that were killed, which nobody else would."""
    import tempfile

    for path in Path(folder or tempfile.gettempdir()).glob(f"{PREFIX}*{SUFFIX}"):
        with suppress(OSError):  # it is locked, or somebody else's, or gone
            if fcntl is not None and time.time() - path.stat().st_mtime > YOUNG:
                with path.open("rb") as file:
                    _lock(file.fileno())
                    path.unlink()


_opened: dict[str, Any] = {}  # the latest parcel, by its name


def open_parcel(parcel: Parcel) -> Any:
    """The things that are in it; of the one that was opened last, the same objects."""
    found = _opened.get(parcel.name)
    if found is None:
        found = _read(parcel.content or _mapped(parcel.path))
        _opened.clear()
        _opened[parcel.name] = found
    return found


def _mapped(path: str) -> mmap.mmap:
    try:
        with open(path, "rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError as problem:
        raise NoParcelError(path) from problem


def _read(content: bytes | mmap.mmap) -> Any:
    at = content.find(b"\n") + 1
    sizes, parts = json.loads(content[:at]), []
    for size in sizes:
        at += -at % LINE
        parts.append(memoryview(content)[at : at + size])
        at += size
    return pickle.loads(parts[0], buffers=parts[1:])
