"""Looks into wheels: for whom they are, what they need and hold, and what takes their size.

    python tools/wheels/check.py dist/*.whl
    python tools/wheels/check.py dist/*-cp312-*.whl --symbols /usr/lib/libpython3.12.so.1.0

Each native module must be for the processor that the name says, need no later glibc than it, no
library but the C library, call of that nothing but what every one has, export its own start alone,
and run no stack. Of Python's functions it calls those of the stable ABI and some of that version
alone: --symbols has the file that has them, libpython or the program itself. Metadata must have the
licence, and where FASTBP_REPOSITORY is set, its address. Exit code 1 if anything is not so.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from elftools.elf.elffile import ELFFile
from packaging.utils import parse_wheel_filename

MACHINES = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}
MODULES = {"x86_64": ("_cpu", "_cython_v2", "_cython_v3", "_cython_v4"),
           "aarch64": ("_cpu", "_cython_plain")}  # fmt: skip
LIBRARIES = re.compile(r"lib(c|m|pthread|dl|rt)\.so(\.\d)?|libc\.musl-\w+\.so\.1|ld-linux.*")
DATA = ("fastbp/py.typed", "fastbp/models/dense.toml", "fastbp/datasets/mnist/LICENSE",
        "fastbp/datasets/mnist/train-images-idx3-ubyte.gz")  # fmt: skip
CYTHONS = "__pyx_module_is_main_"  # what Cython exports besides a module's start
# All that modules call of C's library, which glibc, musl and others have alike.
CALLS = {*("bcmp", "exp", "expm1", "free", "log", "log1p", "malloc", "memcmp", "memcpy"),
         *("memmove", "memset", "pow", "sched_yield", "strlen", "strrchr", "syscall"),
         "vsnprintf"}  # fmt: skip
LARGEST = 25_000_000  # bytes


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("wheels", nargs="+", type=Path)
    parser.add_argument("--symbols", type=Path, help="a file that exports Python's functions")
    args = parser.parse_args()
    known = exported(args.symbols) if args.symbols else None
    problems = [f"{path.name}: {problem}" for path in args.wheels for problem in check(path, known)]
    sys.stdout.writelines(f"{problem}\n" for problem in problems or ["all as they must be"])
    return 1 if problems else 0


def check(path: Path, known: set[str] | None) -> Iterator[str]:
    """What is wrong with a wheel; and tell its size."""
    tags = sorted(map(str, parse_wheel_filename(path.name)[3]))
    arch = "aarch64" if "aarch64" in tags[0] else "x86_64"
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        tell(path, archive, tags)
        native = [name for name in archive.namelist() if name.endswith(".so")]
        for name in native:
            problems = in_module(Path(archive.extract(name, folder)), arch, glibc(tags), known)
            yield from (f"{name}: {problem}" for problem in problems)
        metadata = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        said = archive.read(metadata).decode().splitlines()
        yield from (f"its metadata lack {line!r}" for line in metadata_lines() if line not in said)
        yield from (f"{name} is missing" for name in {*DATA} - {*archive.namelist()})
    modules = tuple(sorted(Path(name).name.split(".")[0] for name in native))
    if modules != MODULES[arch]:
        yield f"expected {', '.join(MODULES[arch])}; has {', '.join(modules)}"
    if path.stat().st_size > LARGEST:
        yield f"has {path.stat().st_size:,} bytes"
    if not any(tag.split("-")[2].startswith(("manylinux", "musllinux")) for tag in tags):
        yield "auditwheel knows no system for it"


def metadata_lines() -> Iterator[str]:
    """Lines that a wheel's metadata must have."""
    yield "License-Expression: MIT AND CC-BY-SA-3.0"
    if address := os.environ.get("FASTBP_REPOSITORY"):
        yield f"Project-URL: Source, {address}"


def tell(path: Path, archive: zipfile.ZipFile, tags: Sequence[str]) -> None:
    """A wheel's size, and what takes it; and for which systems auditwheel finds it good."""
    groups = {"MNIST": "/mnist/", "native modules": ".so", "": ""}
    left, sizes = {info.filename: info.compress_size for info in archive.infolist()}, []
    for group, part in groups.items():
        names = [name for name in left if part in name]
        sizes.append(f"{group or 'the rest'} {sum(left.pop(name) for name in names) / 1e6:.1f}")
    sys.stdout.write(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB ({', '.join(sizes)})\n")
    shown = subprocess.run(
        [sys.executable, "-m", "auditwheel", "show", "--disable-isa-ext-check", str(path)],
        capture_output=True,
        text=True,
    )
    sys.stdout.write(f"  {' '.join(shown.stdout.split()) or shown.stderr.strip()}\n")
    sys.stdout.flush()


def glibc(tags: Sequence[str]) -> tuple[int, ...]:
    """The oldest glibc that a wheel's name says is enough; none, if another C library is."""
    found = [re.search(r"manylinux_(\d+)_(\d+)", tag) for tag in tags]
    return min((tuple(map(int, match.groups())) for match in found if match), default=())


def in_module(
    path: Path, arch: str, oldest: tuple[int, ...], known: set[str] | None
) -> Iterator[str]:
    """What is wrong with a native module."""
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        if elf["e_machine"] != MACHINES[arch]:
            yield f"is for {elf['e_machine']}"
        for tag in elf.get_section_by_name(".dynamic").iter_tags():
            if tag.entry.d_tag == "DT_NEEDED" and not LIBRARIES.fullmatch(tag.needed):
                yield f"needs {tag.needed}"
            if tag.entry.d_tag in ("DT_RPATH", "DT_RUNPATH"):
                yield f"looks for libraries in {getattr(tag, 'rpath', getattr(tag, 'runpath', ''))}"
        for segment in elf.iter_segments("PT_GNU_STACK"):
            if segment["p_flags"] & 1:
                yield "has a stack that can be executed"
        start, needed = f"PyInit_{path.name.split('.')[0]}", later_than(elf, oldest)
        yield from (f"needs {version}" for version in needed)
    more = {name for name in exported(path) - {start} if not name.startswith(CYTHONS)}
    if more:
        yield f"exports {', '.join(sorted(more))}"
    python = {name for name in called(path) if re.match(r"_?Py", name)}
    if unknown := called(path) - python - CALLS:
        yield f"calls {', '.join(sorted(unknown))}"
    if known is not None and (missing := python - known):
        yield f"calls {', '.join(sorted(missing))}, which that Python has not"


def later_than(elf: ELFFile, oldest: tuple[int, ...]) -> Iterator[str]:
    """Versions of glibc that are needed, and later."""
    section = elf.get_section_by_name(".gnu.version_r")
    for _, versions in section.iter_versions() if section else ():
        for version in versions:
            match = re.fullmatch(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?", version.name)
            if match is None or tuple(map(int, match.groups())) > oldest:
                yield version.name


def exported(path: Path) -> set[str]:
    """The functions that a file offers to others."""
    return {name for name, defined in _dynamic_symbols(path) if defined}


def called(path: Path) -> set[str]:
    """What it takes from others."""
    return {name for name, defined in _dynamic_symbols(path) if not defined}


def _dynamic_symbols(path: Path) -> Iterator[tuple[str, bool]]:
    with path.open("rb") as stream:
        for symbol in ELFFile(stream).get_section_by_name(".dynsym").iter_symbols():
            if symbol.name and symbol["st_info"]["bind"] in ("STB_GLOBAL", "STB_WEAK"):
                yield symbol.name, symbol["st_shndx"] != "SHN_UNDEF"


if __name__ == "__main__":
    sys.exit(main())
