"""Where the machine code that Numba makes is kept, so that it is made once and never stale.

The folder is NUMBA_CACHE_DIR where that is set, else __pycache__ beside this file, else the user's
cache folder, else one in the folder for temporary files that nobody else may write to: whichever
can be written first. Its name has a digest of the sources and versions, so code that was made of
others is never found. One process compiles a function for a dtype; others that need the same wait,
and then load what it made.
Folders that come before it and can only be read are read first.

What is kept is loaded by Numba, which unpickles it: no folder counts that others could write to.
Each file begins with a digest of the rest, so what a disk has damaged is compiled anew, not run.
"""

import contextlib
import functools
import hashlib
import os
import pickle
import platform
import shutil
import sys
import tempfile
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core import caching
from numba.core.compiler_lock import global_compiler_lock

try:
    import fcntl
except ImportError:  # Windows: several processes may then compile the same at once
    fcntl = None  # type: ignore[assignment]

NOWHERE = "in every process, for no folder to keep it in can be written; set NUMBA_CACHE_DIR"
DIGEST_SIZE = hashlib.sha256().digest_size
KEPT = 4  # folders of earlier sources and versions that are left alone


def keep(dispatcher: Any, engine: str = "") -> Any:
    """Let a function's machine code be kept, and say so when it is compiled.

    What takes long, because it is an engine, says which.
    """
    if any(folders()):
        dispatcher._cache = _Kept(dispatcher.py_func, engine)
    compile_now = dispatcher.compile

    def compile_alone(signature: Any) -> Any:
        with global_compiler_lock, _lock.released():
            if not (any(folders()) or dispatcher.overloads.get(tuple(signature))):
                _say(engine, signature, None)
            return compile_now(signature)

    dispatcher.compile = compile_alone
    return dispatcher


def find_folder() -> Path | None:
    """The folder to keep code in, made if need be; None where there is none."""
    return folders()[0]


@functools.cache
def folders() -> tuple[Path | None, tuple[Path, ...]]:
    """The folder to keep code in, if there is one; and those before it that can only be read."""
    readable = []
    for base in _bases():
        folder = base / f"fastbp-numba-{_digest()}"
        try:
            is_new = not folder.is_dir()
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError:
            if folder.is_dir():
                readable.append(folder)
            continue
        if is_new:
            _remove_old(base)
        return folder, tuple(readable)
    return None, tuple(readable)


def _bases() -> Iterator[Path]:
    if numba.config.CACHE_DIR:
        yield Path(numba.config.CACHE_DIR)
        return
    yield Path(__file__).parent / "__pycache__"
    with contextlib.suppress(RuntimeError):  # there is no home
        yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastbp"
    with contextlib.suppress(OSError):
        yield _private_folder()


def _private_folder() -> Path:
    """A folder for temporary files that nobody else can write to, or an OSError."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path(tempfile.gettempdir()) / f"fastbp-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if hasattr(os, "getuid") and (found.st_uid != user or found.st_mode & 0o022):
        raise PermissionError(f"{folder} belongs to somebody else")
    return folder


@functools.cache
def _digest() -> str:
    """Of all that the machine code depends on; Numba itself tells processors apart."""
    digest = hashlib.sha256()
    package = Path(__file__).parent
    for path in (*sorted(package.glob("*.py")), package.with_name("numbers.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    versions = numba.__version__, llvmlite.__version__, sys.version, platform.machine()
    digest.update(repr(versions).encode())
    return digest.hexdigest()[:16]


def _remove_old(base: Path) -> None:
    folders = sorted(base.glob("fastbp-numba-*"), key=lambda folder: folder.stat().st_mtime)
    for folder in folders[: -KEPT - 1]:
        shutil.rmtree(folder, ignore_errors=True)


class _Folder(caching._CacheLocator):
    """Tells Numba to use the folder."""

    def __init__(self, py_file: str) -> None:
        self._py_file = py_file  # for Numba's warnings

    def get_cache_path(self) -> str:
        folder, readable = folders()
        return str(folder or readable[0])

    def get_source_stamp(self) -> str:
        return _digest()

    def get_disambiguator(self) -> str:
        return ""

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> "_Folder":
        return cls(py_file)


class _Implementation(caching.CompileResultCacheImpl):
    _locator_classes = (_Folder,)


class _File(caching.IndexDataCacheFile):
    """The files of one function: an index, and machine code for each signature."""

    def _data_name(self, number: int) -> str:
        # No two processes would give one name to different code, should there be no lock.
        return f"{super()._data_name(number).removesuffix('.nbc')}.{uuid.uuid4().hex[:8]}.nbc"

    def _load_index(self) -> dict[Any, str]:
        try:
            stamp, overloads = self._read(self._index_path)
        except (FileNotFoundError, _DamagedError):  # none yet, or a new one
            return {}
        return dict(overloads) if stamp == self._source_stamp else {}

    def _save_index(self, overloads: dict[Any, str]) -> None:
        self._write(self._index_path, (self._source_stamp, overloads))

    def _load_data(self, name: str) -> Any:
        return self._read(self._data_path(name))

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)

    def _read(self, path: str) -> Any:
        kept = Path(path).read_bytes()
        digest, content = kept[:DIGEST_SIZE], kept[DIGEST_SIZE:]
        if hashlib.sha256(content).digest() != digest:
            raise _DamagedError(path)
        return pickle.loads(content)

    def _write(self, path: str, content: Any) -> None:
        content = self._dump(content)
        with self._open_for_write(path) as file:
            file.write(hashlib.sha256(content).digest() + content)


class _DamagedError(Exception):
    """A file is not what was written."""


class _Kept(caching.FunctionCache):
    """Numba's cache of one function; no two processes compile it for the same arguments."""

    _impl_class = _Implementation

    def __init__(self, py_func: Any, engine: str) -> None:
        super().__init__(py_func)
        self._engine = engine
        self._folder, readable = folders()
        paths = [*filter(None, [self._folder]), *readable]
        self._files = [_File(str(path), self._impl.filename_base, _digest()) for path in paths]

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        found = self._load(sig, target_context)
        if found is None:
            _lock.acquire(Path(self._cache_path), f"{self._impl.filename_base} {sig}")
            found = self._load(sig, target_context)  # another may have made it meanwhile
            if found is None:
                _say(self._engine, sig, self._folder)
        return found

    def _load(self, sig: Any, target_context: Any) -> Any:
        for file in reversed(self._files):
            self._cache_file = file
            try:
                found = super().load_overload(sig, target_context)
            except Exception:  # a damaged file, in whatever way: compile anew
                continue
            if found is not None:
                return found
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        if self._folder is None:
            return
        self._cache_file = self._files[0]
        try:
            with _lock.of_index():
                super().save_overload(sig, data)
        except OSError as problem:  # a full disk, or the folder is gone
            tell(f"cannot keep what was compiled: {problem}")


INDEX = 2**32  # the byte of the lock that is held by who writes an index; others: a checksum's


class _Lock:
    """Held by the process that compiles something: a byte of a file, which is no longer than 0."""

    def __init__(self) -> None:
        self.file: Any = None

    def acquire(self, folder: Path, what: str) -> None:
        """Wait for whoever compiles the same; what has to be compiled on its way is no matter."""
        if self.file is not None or fcntl is None:
            return
        with contextlib.suppress(OSError):  # a file system without locks: do without
            self.file = (folder / "lock").open("w")
            fcntl.lockf(self.file, fcntl.LOCK_EX, 1, zlib.crc32(what.encode()))

    @contextlib.contextmanager
    def released(self) -> Iterator[None]:
        """Release what is acquired in the block, however it ends."""
        outermost = self.file is None
        try:
            yield
        finally:
            if outermost and self.file is not None:
                self.file.close()
                self.file = None

    @contextlib.contextmanager
    def of_index(self) -> Iterator[None]:
        """Let nobody else add to an index in the block, which is read and written anew."""
        if self.file is None:
            yield
            return
        with contextlib.suppress(OSError):
            fcntl.lockf(self.file, fcntl.LOCK_EX, 1, INDEX)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                fcntl.lockf(self.file, fcntl.LOCK_UN, 1, INDEX)


_lock = _Lock()
_told: set[str] = set()
_quiet = False  # whether to compile without saying so


def be_quiet() -> None:
    """Compile without saying so, from now on."""
    global _quiet
    _quiet = True


def _say(engine: str, signature: Any, folder: Path | None) -> None:
    """One line for the engine, which takes long, and one for all kernels together."""
    where = f"once; kept in {folder}" if folder else NOWHERE
    if engine:
        time = "about a minute" if "images" in engine else "some ten seconds"
        tell(f"Numba compiles {engine} for {signature[0]}: {time}, {where}")
    else:
        tell(f"Numba compiles kernels as they are needed: a few seconds, {where}")


def tell(text: str) -> None:
    """Say something on stderr, but nothing twice."""
    if text not in _told and not _quiet:
        _told.add(text)
        sys.stderr.write(f"fastbp: {text}\n")
        sys.stderr.flush()
