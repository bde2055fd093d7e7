"""Writing files so that nobody ever sees half of one, and reading what may be no file at all."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from os import PathLike
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

if TYPE_CHECKING:
    from pathlib import Path

StrPath = str | PathLike[str]
MOST_BYTES = 100_000  # of a TOML file; more was not written by hand
MOST_LINKS = 40  # that lead to one file; Linux follows no more
STALE = 3600  # seconds after which a temporary file that did not change has lost its writer

TEMPORARY = re.compile(r"\.fastbp-[0-9a-f]{8}")  # names of what is not written yet
_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: StrPath) -> BinaryIO:
    """Open a file to read its bytes; what would be waited for, or never end, is no file.

    Raises
    ------
    OSError
        If there is no such file, or it cannot be opened, or is a folder.
    ValueError
        If it is a pipe, a device or a socket; the message has the path.
    """
    path = os.fspath(path)  # not the number of an open file, which stat would take too
    _refuse_other_kinds(path, os.stat(path).st_mode)
    # It may have changed since: whatever it is now, opening it must not wait.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags)
    try:
        _refuse_other_kinds(path, os.fstat(handle).st_mode)
    except BaseException:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


def _refuse_other_kinds(path: StrPath, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    for is_kind, name in _KINDS:
        if is_kind(mode):
            raise ValueError(f"{path}: is {name}; expected a file")


def read_toml(path: StrPath) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is too large, or no TOML, or no file but a pipe or a device; the message has the path
        and the reason.
    """
    import tomllib

    with open_regular(path) as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"{path}: more than {MOST_BYTES:,} bytes; expected a short TOML file")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"{path}: no TOML file: {problem}") from problem


def write_atomically(path: StrPath, write: Callable[[Any], object], mode: str = "wb") -> None:
    """Let `write` fill a temporary file beside the file, then rename it: all, or nothing changes.

    The data has reached the disk before the name points to it. A link stays, and what it points to
    is written. A file keeps its mode, and its owner where that is allowed; a new one gets what the
    umask leaves. What is no file, such as a pipe, a terminal or /dev/null, is written straight.

    Raises
    ------
    OSError
        If the file cannot be written; its filename is `path`.
    """
    from pathlib import Path

    with naming(path):
        target, old = _destination(Path(path))
        if target is None:
            with open(path, mode, **_text(mode)) as file:
                write(file)
            return
        if not target.parent.exists():
            raise FileNotFoundError(f"{path}: the folder {target.parent} does not exist")
        _replace(target, old, write, mode)
        _sync_folder(target.parent)


def write_rows(path: StrPath, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """A CSV file of these columns, written as ``write_atomically`` does."""
    import csv

    def write(file: TextIO) -> None:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)

    write_atomically(path, write, "w")


def _replace(
    target: Path, old: os.stat_result | None, write: Callable[[Any], object], mode: str
) -> None:
    # Not named after the target, whose name may be as long as names can be.
    temporary = target.parent / f".fastbp-{os.urandom(4).hex()}"
    permissions = 0o666 if old is None else 0o600  # until it has those of the old file
    try:
        with open(
            temporary,
            mode.replace("w", "x"),
            opener=lambda name, flags: os.open(name, flags, permissions),
            **_text(mode),
        ) as file:
            if old is not None:
                _keep_owner_and_mode(temporary, old)
            write(file)
            file.flush()
            os.fsync(file.fileno())
            now = os.fstat(file.fileno()).st_mtime
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _remove_stale(target.parent, now)


def _text(mode: str) -> dict[str, Any]:
    return {} if "b" in mode else {"encoding": "utf-8", "newline": ""}


@contextmanager
def naming(path: StrPath) -> Iterator[None]:
    """Let the system's errors name the file that was meant, not none or the temporary one."""
    try:
        yield
    except OSError as error:
        other = None if error.filename is None else os.path.basename(str(error.filename))
        if error.errno is None or (other and not TEMPORARY.fullmatch(other)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _destination(path: Path) -> tuple[Path | None, os.stat_result | None]:
    """The file that links lead to, and what it is now; None for what is written straight."""
    try:
        old = os.stat(path)
    except FileNotFoundError:
        old = None
    if old is not None and stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if old is not None and not stat.S_ISREG(old.st_mode):
        return None, old
    for _ in range(MOST_LINKS):
        folder = os.path.realpath(path.parent)
        if folder.startswith("/proc/") and folder.endswith("/fd"):
            return None, old  # /dev/stdout and such: others write to that open file too
        if not path.is_symlink():
            return path, old
        path = path.parent / os.readlink(path)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


def _keep_owner_and_mode(temporary: Path, old: os.stat_result) -> None:
    if hasattr(os, "chown"):
        for owner in ((-1, old.st_gid), (old.st_uid, -1)):
            with suppress(PermissionError):
                os.chown(temporary, *owner)
    os.chmod(temporary, stat.S_IMODE(old.st_mode))


def _remove_stale(folder: Path, now: float) -> None:
    """Remove what writers that were killed left behind in a folder."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if TEMPORARY.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError):  # another writer was faster, or it is another user's
                    if now - entry.stat(follow_symlinks=False).st_mtime > STALE:
                        os.unlink(entry)


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself last through a power cut, where folders can be opened."""
    if os.name == "posix":
        with suppress(PermissionError):  # a folder that may be written, but not read
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
