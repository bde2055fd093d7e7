"""Builds the native kernels with sanitizers, in a folder of their own, and runs tests under them.

    tests/sanitize                  # both builds and all checks, in about ten minutes
    tests/sanitize thread           # the thread sanitizer alone
    tests/sanitize address -- tests/kernels -k cython

The checkout's own build stays as it is. "address" is AddressSanitizer and UBSan together, under
the tests of kernels and engines; "thread" is ThreadSanitizer, under trainings by two threads. For
each a fault on purpose comes first, which must be reported. Needs Linux and GCC with its sanitizer
libraries. Exit code 1 if there is a report, or a test fails.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
LEVEL = "v3"  # one CPU level, so that a build takes a minute or two
FOLDERS = ("fastbp", "kernels", "tests", "bench")
PARTS = (*FOLDERS, "setup.py", "pyproject.toml", "README.md", "LICENSE")


class Kind(NamedTuple):
    """A build, and what runs on it."""

    flags: str
    libraries: tuple[str, ...]
    options: dict[str, str]
    checks: tuple[tuple[str, ...], ...]  # arguments of Python
    control: str  # Python code with a fault


HERE = Path(__file__).parent.relative_to(ROOT)
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=900")
NATIVE = ("-k", "cython and not level and not v2")  # other levels are not built
BEYOND = """
import numpy as np, fastbp as fb
labels = np.empty(3, np.int64)  # for 3000 rows
with fb.use_backend("cython"):
    fb.backends.kernels().argmax(np.zeros((3000, 4)), labels)
"""
RACE = """
import threading, numpy as np, fastbp as fb
y = np.zeros((300, 40))
start = threading.Barrier(2)
def fill(x):
    start.wait()
    for _ in range(1000):
        fb.backends.kernels().relu_forward(x, y)
with fb.use_backend("cython"):
    fb.backends.kernels()
    threads = [threading.Thread(target=fill, args=(np.full(y.shape, n),)) for n in (1.0, 2.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""
KINDS = {
    "address": Kind(
        "-fsanitize=address,undefined -fno-omit-frame-pointer",
        ("libasan.so", "libubsan.so"),
        {
            # Python keeps what it has until its end, which is no leak.
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
            "UBSAN_OPTIONS": "print_stacktrace=1",
        },
        (
            (*PYTEST, "tests/kernels", *NATIVE),
            (*PYTEST, "tests/engine", *NATIVE),
            (
                *PYTEST,
                "tests/test_image_networks.py",
                "tests/layers",
                "tests/test_many.py",
                *NATIVE,
            ),
        ),
        BEYOND,
    ),
    "thread": Kind(
        "-fsanitize=thread",
        ("libtsan.so",),
        {"TSAN_OPTIONS": "history_size=4"},
        ((str(HERE / "trainings.py"),),),
        RACE,
    ),
}
REPORT = re.compile(
    r"^.*(?:ERROR: AddressSanitizer|WARNING: ThreadSanitizer|ThreadSanitizer:DEADLYSIGNAL"
    r"|: runtime error: ).*$",
    re.MULTILINE,
)


def build(name: str, folder: Path) -> Path:
    """A copy of the checkout with its kernels built that way."""
    copy = folder / name
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    ignore = shutil.ignore_patterns("*.so", "__pycache__", "build", "runs")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, copy / part, ignore=ignore)
        elif (ROOT / part).exists():
            shutil.copy(ROOT / part, copy / part)
    compiler = copy / "compiler"  # whose last words count: not -O3, and with names for the reports
    compiler.write_text(f'#!/bin/sh\nexec gcc "$@" -O1 -g1 {KINDS[name].flags}\n')
    compiler.chmod(0o755)
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=copy,
        env=os.environ | {"CC": str(compiler), "FASTBP_BUILD": LEVEL},
        check=True,
    )
    return copy


def run(name: str, copy: Path, arguments: Sequence[str], control: bool = False) -> tuple[int, str]:
    """Run Python on a build; its exit code, and the sanitizers' reports: the first of a control."""
    kind = KINDS[name]
    libraries = [
        subprocess.check_output(["gcc", f"-print-file-name={library}"], text=True).strip()
        for library in kind.libraries
    ]
    with tempfile.TemporaryDirectory() as reports:
        environment = os.environ | {
            "LD_PRELOAD": " ".join(libraries),
            "PYTHONPATH": str(copy),
            "PYTHONMALLOC": "malloc",
            "FASTBP_CPU": LEVEL,
        }
        for option, value in kind.options.items():
            environment[option] = (
                f"{value}:halt_on_error={int(control)}:log_path={reports}/{option}"
            )
        done = subprocess.run(
            # Without random addresses: ThreadSanitizer has fixed places for its own memory.
            ["setarch", "-R", sys.executable, *arguments],
            cwd=copy,
            env=environment,
            stdout=subprocess.DEVNULL if control else None,
            stderr=subprocess.DEVNULL if control else None,
        )
        text = "".join(path.read_text() for path in sorted(Path(reports).iterdir()))
    return done.returncode, text


def places(copy: Path, reports: str) -> Iterator[str]:
    """The lines of the Cython sources that reports name by lines of the generated C file."""
    for name, line in sorted(set(re.findall(r"(\w+\.c):(\d+)", reports))):
        for path in copy.glob(f"build/cython/**/{name}"):
            before = path.read_text().splitlines()[: int(line)]
            comments = re.finditer(r'/\* "([^"]+\.p(?:yx|xd))":(\d+)', "\n".join(before))
            if found := [*comments]:
                yield f"    {name}:{line} is {found[-1][1]}:{found[-1][2]}"


def check(name: str, folder: Path, own: Sequence[str], again: bool) -> int:
    """Build, and run all checks of a kind; how many reports and failures there are."""
    sys.stdout.write(f"{name}: building in {folder / name}\n")
    sys.stdout.flush()
    copy = folder / name if again else build(name, folder)
    _, reports = run(name, copy, ["-c", KINDS[name].control], control=True)
    if not REPORT.search(reports):
        raise SystemExit(f"{name}: a fault on purpose was not reported; is the library there?")
    bad = 0
    for arguments in [(*PYTEST, *own)] if own else KINDS[name].checks:
        code, reports = run(name, copy, arguments)
        found = REPORT.findall(reports)
        sys.stdout.write(f"{name}: {' '.join(arguments)}: exit code {code}, ")
        sys.stdout.write(f"{len(found)} reports\n{reports}")
        sys.stdout.writelines(f"{place}\n" for place in places(copy, reports))
        sys.stdout.flush()
        bad += len(found) + (code != 0)
    return bad


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="tests/sanitize", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("kinds", nargs="*", metavar="KIND", help="address, thread (default: both)")
    add("--folder", type=Path, help="where to build (default: a temporary one)")
    add("--again", action="store_true", help="use what an earlier call built in --folder")
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    args, own = parser.parse_args(sys.argv[1:end]), sys.argv[end + 1 :]  # the rest is pytest's
    if unknown := set(args.kinds) - set(KINDS):
        parser.error(f"expected address or thread, got {', '.join(unknown)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (args.folder or Path(temporary)).resolve()
        counts = {n: check(n, folder, own, args.again) for n in args.kinds or KINDS}
    sys.stdout.writelines(f"{n}: {count} reports or failures\n" for n, count in counts.items())
    return 1 if any(counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
