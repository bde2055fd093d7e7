"""What goes to workers and what comes back, as bytes: data, jobs, and what came of them.

Data that several jobs share are no part of a job's bytes. A worker gets them once, all in one
``Parcel``: processes of the same machine map its file into their memory.
"""

from __future__ import annotations

import json
import mmap
import os
import pickle
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

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
        try:
            return _write([head, *parts], folder)
        except OSError:
            if folder is None:
                raise
    raise AssertionError("the last folder raises")


def _write(parts: list[Any], folder: Path | None) -> Parcel:
    import tempfile
    import uuid

    handle, path = tempfile.mkstemp(prefix="fastbp-", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            for part in parts:
                file.write(part)
                file.write(bytes(-file.tell() % LINE))
    except BaseException:
        remove_parcel(path)
        raise
    return Parcel(uuid.uuid4().hex, path)


def remove_parcel(path: str) -> None:
    """Remove its file. Who has it mapped keeps it, and who looks for it knows that all is over."""
    with suppress(OSError):
        Path(path).unlink()


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
