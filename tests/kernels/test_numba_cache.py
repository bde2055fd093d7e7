"""Numba's machine code is kept across processes, wherever there is room, and is never stale.

Each case is a copy of the package, in processes of its own, which have Numba when they start. They
compile one small kernel; the engine is kept by the same means. The cache of a copy is empty, or,
where a test begins with what a process before has compiled (`kept`), has that from one that did so
for all of them.
"""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from for_each import for_each
from forks import Fork
from kernel_cases import make_case

import fastbp as fb
from fastbp.kernels import KERNELS as CONTRACT
from fastbp.kernels import _numba
from fastbp.kernels._numba import cache

PACKAGE, KERNELS = Path(fb.__file__).parent, Path(cache.__file__).parents[1]

CALL = """
import numpy as np
from fastbp.kernels import _numba
x, y = np.array([[-1, 2]], np.float32), np.zeros((1, 2), np.float32)
_numba.relu_forward(x, y)
print(y.tolist())
print(_numba.cache.find_folder())
"""
NO_BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1"}  # but what comes with the copy, to start sooner
# Root may write whatever the permissions say, until it gives that up.
NO_POWERS = """
import ctypes, os
if os.geteuid() == 0:
    header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(header, nothing) == 0
"""
OTHER = """
import numpy as np
from fastbp.kernels import _numba
z = np.ones((1, 1))
_numba.relu_forward(z, z.copy())
"""
RIGHT = "[[0.0, 2.0]]"
NO_HOME = "import pathlib\npathlib.Path.home = lambda: (_ for _ in ()).throw(RuntimeError('none'))"


class Result:
    def __init__(self, process: Fork) -> None:
        output, self.error = process.communicate(timeout=100)
        assert process.returncode == 0, self.error
        self.y, folder = output.splitlines()
        self.folder = None if folder == "None" else Path(folder)
        self.compiled = "Numba compiles" in self.error


def copy_to(folder: Path) -> Path:
    """Copy the package, without anything compiled, and make a home and a TMPDIR beside it."""
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    site = folder / "site" / "fastbp"
    # Bytecode that another process is writing, too, under a name that will be gone.
    ignore = shutil.ignore_patterns("fastbp-numba-*", "*.so", "mnist", "*.pyc.*")
    shutil.copytree(PACKAGE, site, ignore=ignore)
    shutil.copytree(KERNELS, site / "kernels", ignore=ignore, dirs_exist_ok=True)
    return site


def start_in(folder: Path, code: str = "", **environment: str) -> Fork:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "XDG_"))}
    own = {"HOME": folder / "home", "TMPDIR": folder / "tmp", "PYTHONPATH": folder / "site"}
    environment = {**clean, **{k: str(v) for k, v in own.items()}, **NO_BYTECODE, **environment}
    return Fork(f"{code}\n{CALL}", folder, environment)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package in tmp_path/site/fastbp, without anything compiled."""
    return copy_to(tmp_path)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a process has kept what it compiled."""
    folder = tmp_path_factory.mktemp("compiled")
    copy_to(folder)
    found = Result(start_in(folder)).folder
    assert found is not None
    return found


@pytest.fixture
def kept(compiled: Path, package: Path) -> Path:
    """The same folder in the copy, as if a process had run there."""
    folder = package / "kernels" / "_numba" / "__pycache__" / compiled.name
    shutil.copytree(compiled, folder)
    return folder


@pytest.fixture
def start(package: Path) -> Callable[..., Fork]:
    """Start a process that runs a kernel of the copy, with a home and a TMPDIR of its own."""
    return partial(start_in, package.parents[1])


@pytest.fixture
def run(start: Callable[..., Fork]) -> Callable[..., Result]:
    return lambda *arguments, **environment: Result(start(*arguments, **environment))


def make_read_only(package: Path) -> None:
    """Nothing can be kept beside the kernels: not by permissions, which mean nothing to root."""
    folder = package / "kernels" / "_numba" / "__pycache__"
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("")


def test_what_one_process_compiled_the_next_finds(run: Any, package: Path) -> None:
    first, second = run(), run()
    assert first.y == second.y == RIGHT
    assert first.folder == second.folder
    assert first.folder.parent == package / "kernels" / "_numba" / "__pycache__"
    assert first.compiled
    assert first.error == (
        "fastbp: Numba compiles kernels as they are needed: a few seconds, once; "
        f"kept in {first.folder}\n"
    )
    assert second.error == ""


def test_a_read_only_package_is_kept_in_the_users_cache(run: Any, package: Path) -> None:
    make_read_only(package)
    first, second = run(), run()
    assert first.folder.parent == package.parents[1] / "home" / ".cache" / "fastbp"
    assert (first.y, first.compiled, second.compiled) == (RIGHT, True, False)
    elsewhere = run(XDG_CACHE_HOME=str(package.parents[1] / "cache"))
    assert elsewhere.folder.parent == package.parents[1] / "cache" / "fastbp"
    named = run(NUMBA_CACHE_DIR=str(package.parents[1] / "named"))
    assert named.folder.parent == package.parents[1] / "named"


def test_without_a_home_it_is_kept_in_a_private_folder(run: Any, package: Path) -> None:
    make_read_only(package)
    first, second = run(NO_HOME), run(NO_HOME)
    private = package.parents[1] / "tmp" / f"fastbp-{os.getuid()}"
    assert first.folder.parent == private
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert (first.y, first.compiled, second.compiled) == (RIGHT, True, False)


def test_a_folder_that_others_can_write_to_is_not_trusted(run: Any, package: Path) -> None:
    make_read_only(package)
    private = package.parents[1] / "tmp" / f"fastbp-{os.getuid()}"
    private.mkdir()
    private.chmod(0o777)
    found = run(NO_HOME)
    assert (found.y, found.folder) == (RIGHT, None)
    assert "in every process" in found.error
    assert "NUMBA_CACHE_DIR" in found.error


def test_home_is_found_without_HOME(monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: N802
    pwd = pytest.importorskip("pwd")
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert home / ".cache" / "fastbp" in list(cache._bases())


@pytest.mark.usefixtures("kept")
def test_an_edit_is_seen_even_if_size_and_time_are_the_same(run: Any, package: Path) -> None:
    source = package / "kernels" / "_numba" / "activations.py"
    for bytecode in source.parent.glob("__pycache__/*.pyc"):  # stale by size and time alone
        bytecode.unlink()
    before, text = source.stat(), source.read_text()
    edited = text.replace("type(x[i])(0) if x[i] <= 0", "type(x[i])(7) if x[i] <= 0", 1)
    source.write_text(edited)
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert edited != text
    assert source.stat().st_size == before.st_size
    after = run()
    assert (after.y, after.compiled) == ("[[7.0, 2.0]]", True)
    source.write_text(text)
    again = run()
    assert (again.y, again.compiled) == (RIGHT, False)


@pytest.mark.parametrize("file", ["_numba/new.py", "_numba/program.py", "numbers.py"])
def test_every_file_that_the_code_may_depend_on_counts(
    run: Any, package: Path, kept: Path, file: str
) -> None:
    with (package / "kernels" / file).open("a") as source:
        source.write("# new\n")
    after = run()
    assert after.folder.parent == kept.parent
    assert after.folder != kept
    assert (after.y, after.compiled) == (RIGHT, True)


def test_eight_processes_at_once_compile_once(start: Any) -> None:
    results = [Result(process) for process in [start() for _ in range(8)]]
    assert [result.y for result in results] == [RIGHT] * 8
    assert sum(result.compiled for result in results) == 1


def test_two_processes_compile_for_two_dtypes_at_once_and_both_are_kept(start: Any) -> None:
    for process in [start(), start(OTHER)]:
        assert Result(process).y == RIGHT
    again = Result(start(OTHER))
    assert not again.compiled
    assert len(list(again.folder.glob("*relu_forward*.nbc"))) == 2


def test_a_damaged_file_is_compiled_anew(run: Any, kept: Path) -> None:
    (data,) = kept.glob("*.nbc")
    data.write_bytes(data.read_bytes()[:100])
    again, then = run(), run()
    assert (again.y, again.compiled, then.compiled) == (RIGHT, True, False)
    (index,) = kept.glob("*.nbi")
    for content in (b"no index", b""):
        index.write_bytes(content)
        again, then = run(), run()
        assert (again.y, again.compiled, then.compiled) == (RIGHT, True, False)


READ_ALL = """
import sys
from pathlib import Path
from fastbp.kernels import _numba
from fastbp.kernels import _numba
from fastbp.kernels._numba import cache
kept = _numba.relu_forward._cache._files[0]
assert cache.find_folder() == Path(kept._cache_path)
for suffix in ("nbi", "nbc"):
    (path,) = cache.find_folder().glob(f"*relu_forward*.{suffix}")
    whole = path.read_bytes()
    index = kept._load_index()
    key, name = next(iter(index.items()))
    for bit in range(0, 8 * len(whole), max(1, len(whole) // 40)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        if suffix == "nbi":
            assert kept._load_index() == {}
        else:
            try:
                kept.load(key)
            except cache._DamagedError:
                continue
            raise AssertionError(f"bit {bit} of {path} was not seen")
    path.write_bytes(whole)
    assert kept.load(key) is not None
"""


@pytest.mark.usefixtures("kept")
def test_every_flipped_bit_is_seen_before_anything_is_made_of_the_file(run: Any) -> None:
    assert not run(READ_ALL).compiled


def test_a_read_only_folder_that_has_the_code_is_read(run: Any, package: Path, kept: Path) -> None:
    """And what it lacks is kept in the next folder that can be written."""
    folder = kept
    before = sorted(path.name for path in folder.iterdir())
    for path in (folder, folder.parent):
        path.chmod(0o555)
    try:
        warm = run(NO_POWERS)
        assert (warm.y, warm.error) == (RIGHT, "")
        assert warm.folder.parent == package.parents[1] / "home" / ".cache" / "fastbp"
        other, again = run(NO_POWERS + OTHER), run(NO_POWERS + OTHER)
        assert (other.compiled, again.compiled) == (True, False)
        alone = {"NUMBA_CACHE_DIR": str(folder.parent)}
        nowhere = run(NO_POWERS, **alone)
        assert (nowhere.y, nowhere.error, nowhere.folder) == (RIGHT, "", None)
        cold = run(NO_POWERS + OTHER, **alone)
        assert (cold.y, cold.compiled) == (RIGHT, True)
        assert "in every process, for no folder" in cold.error
    finally:
        for path in (folder, folder.parent):
            path.chmod(0o755)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_what_cannot_be_kept_is_said_and_works(run: Any) -> None:
    full = """
import tempfile
from numba.core import caching
def fail(*arguments):
    raise OSError("No space left on device")
caching.IndexDataCacheFile._open_for_write = fail
"""
    result = run(full)
    assert result.y == RIGHT
    assert "cannot keep what was compiled: No space left on device" in result.error


def test_folders_of_old_sources_are_removed(tmp_path: Path) -> None:
    for age in range(8):
        folder = tmp_path / f"fastbp-numba-{age}"
        folder.mkdir()
        os.utime(folder, (1e9 - age, 1e9 - age))
    cache._remove_old(tmp_path)
    assert sorted(f.name[-1] for f in tmp_path.iterdir()) == ["0", "1", "2", "3", "4"]


ENGINE = """
import numpy as np, fastbp as fb
net = fb.Sequential(fb.Linear(3, 2))
data = np.ones((4, 3), np.float32), np.zeros(4, int)
history = fb.fit(net, data, loss=fb.HingeLoss(), optimizer=fb.SGD(0.1), epochs=1)
print(history.path)
"""


def test_the_engine_is_kept_too() -> None:
    environment = {**os.environ, "FASTBP_BACKEND": "numba"}
    for expected in (None, ""):  # the first may compile
        process = subprocess.run(
            [sys.executable, "-c", ENGINE],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
        )
        assert process.stdout.endswith("fused\n")
        assert expected in (None, process.stderr)


def test_a_kernel_compiled_in_two_dtypes_keeps_both(run: Any) -> None:
    both = "import numpy as np\nfrom fastbp.kernels import _numba\n" + "\n".join(
        f"z = np.ones((1, 1), np.{name}); _numba.relu_forward(z, z.copy())"
        for name in ("float64", "float32")
    )
    folder = run(both).folder
    assert len(list(folder.glob("*relu_forward*.nbc"))) == 2
    assert not run(both).compiled


def test_nothing_is_compiled_for_read_only_inputs() -> None:
    x, y = np.array([[-1, 2]], np.float32), np.zeros((1, 2), np.float32)
    _numba.relu_forward(x, y)
    compiled = set(_numba.relu_forward.signatures)
    x.flags.writeable = False
    y[:] = np.nan
    _numba.relu_forward(x, y)
    assert y.tolist() == [[0, 2]]
    assert set(_numba.relu_forward.signatures) == compiled


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@for_each("name", CONTRACT)
def test_what_numba_has_compiled_is_called_without_python(
    name: str, dtype: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether inputs may be written to or not; else a call takes ten times as long."""
    kernel, case, asked = getattr(_numba, name), make_case(name, 3, 5, 4, dtype, rng), []
    inputs = set(CONTRACT[name].arguments) - set(CONTRACT[name].outputs)
    arrays = [case[i] for i in inputs if isinstance(case[i], np.ndarray)]

    def call(writable: bool) -> None:
        for array in arrays:
            array.flags.writeable = writable
        kernel(*case.values())

    call(True)
    call(False)
    monkeypatch.setattr(kernel, "compile", asked.append)
    call(True)
    call(False)
    assert asked == []
