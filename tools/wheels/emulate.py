"""Runs an aarch64 wheel for real, by QEMU: kernel tests, and a training that is compared with here.

    apt-get install qemu-user-static mmdebstrap
    mmdebstrap --variant=extract --architectures=arm64 --include=python3.11,libstdc++6 \\
        bookworm arm64
    python tools/wheels/emulate.py dist/*-cp311-*aarch64.whl --root arm64 --python 3.11

The root is Debian's for arm64, with that Python in it; bookworm has 3.11, trixie 3.13. NumPy and
pytest for it come from the package index. The module's machine code is read first: how many of its
instructions compute on vectors. Then the tests of single kernels run, and training.py, whose
numbers must be those of the fastbp that is installed here, but for rounding. Takes minutes; --tests
and what follows it, as pytest takes it, chooses others. Exit code 1 if anything fails.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import capstone
from elftools.elf.elffile import ELFFile

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NEEDED = (
    "hypothesis",
    "numpy",
    "pytest",
    "pytest-timeout",
    "threadpoolctl",
    "tomli-w",
)  # by the kernel tests
TESTS = ("test_contract.py", "test_literal_values.py", "test_against_reference.py")
PLATFORMS = [f"manylinux_2_{minor}_aarch64" for minor in (17, 26, 27, 28, 34)]
TOLERANCE = {"float32": 2e-4, "float64": 1e-10}  # of the largest score, after 32 steps


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("wheel", type=Path)
    add("--root", type=Path, required=True, help="Debian's root for arm64")
    add("--python", required=True, metavar="X.Y", help="the Python in it")
    add("--tests", nargs=argparse.REMAINDER, metavar="TEST", help="other tests than the kernels'")
    args = parser.parse_args()
    count = vectors(args.wheel)
    say(f"{args.wheel.name}: {', '.join(f'{n} {name}' for name, n in count.most_common(8))}")
    with tempfile.TemporaryDirectory() as folder:
        install(args.wheel, args.python, Path(folder))
        emulated = Emulated(args.root.resolve(), args.python, Path(folder))
        tests = args.tests or [f"tests/kernels/{name}" for name in TESTS]
        # Debian's pytest options are not ours: everything takes fifty times as long there.
        code = emulated.run("-m", "pytest", "-q", "-k", "plain", "-p", "no:cacheprovider",
                            "--timeout=3000", *tests)  # fmt: skip
        far = differences(json.loads(emulated.output(str(HERE / "training.py"))), here())
    for name, (difference, most) in far.items():
        say(f"{name}: differs by {difference:.1e} of the largest number, at most {most:.0e}")
    return 1 if code or not count["fmla"] or any(a > b for a, b in far.values()) else 0


def vectors(wheel: Path) -> Counter[str]:
    """Instructions of the kernels on vector registers, by their name."""
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        name = next(name for name in archive.namelist() if "_cython_plain" in name)
        with Path(archive.extract(name, folder)).open("rb") as stream:
            code = ELFFile(stream).get_section_by_name(".text").data()
    found = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM).disasm_lite(code, 0)
    several = re.compile(r"v\d+\.(4s|2d)")
    return Counter(name for _, _, name, operands in found if several.match(operands))


def install(wheel: Path, python: str, folder: Path) -> None:
    """Unpack the wheel, and what its tests need, for that processor."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    of = ["--target", str(folder), "--only-binary", ":all:", "--python-version", python]
    of += [f"--platform={platform}" for platform in PLATFORMS]
    subprocess.run([*pip, *of, "--no-deps", str(wheel)], check=True)
    subprocess.run([*pip, *of, *NEEDED], check=True)


class Emulated:
    """A Python of that root, which QEMU runs."""

    def __init__(self, root: Path, python: str, packages: Path) -> None:
        if not (root / "lib").exists():  # as later Debians leave it to a package of its own
            (root / "lib").symlink_to("usr/lib")
        self.command = [
            "qemu-aarch64-static",
            "-L",
            str(root),
            str(root / f"usr/bin/python{python}"),
        ]
        self.environment = os.environ | {
            "PYTHONPATH": str(packages),
            "FASTBP_BACKEND": "cython",
            "FASTBP_NUM_THREADS": "2",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.folder = packages / "work"  # without a fastbp/ that would hide the installed one
        self.folder.mkdir()
        (self.folder / "tests").symlink_to(ROOT / "tests")

    def run(self, *arguments: str) -> int:
        """Run it; the exit code."""
        return subprocess.run(
            [*self.command, *arguments], cwd=self.folder, env=self.environment
        ).returncode

    def output(self, *arguments: str) -> str:
        """Run it; what it printed."""
        return subprocess.check_output(
            [*self.command, *arguments], cwd=self.folder, env=self.environment, text=True
        )


def here() -> dict[str, dict[str, list[float]]]:
    """The training on this processor."""
    environment = os.environ | {"FASTBP_BACKEND": "cython"}
    told = subprocess.check_output([sys.executable, HERE / "training.py"], env=environment)
    return json.loads(told)


def differences(there: dict, here: dict) -> dict[str, tuple[float, float]]:
    """How far losses and scores of each training are apart, and how far they may be."""
    found = {}
    for name in there:
        pairs = [(a, b) for key in ("losses", "scores")
                 for a, b in zip(there[name][key], here[name][key], strict=True)]  # fmt: skip
        apart = max(abs(a - b) for a, b in pairs) / max(abs(b) for _, b in pairs)
        found[f"{name}, {there[name]['path']}"] = (apart, TOLERANCE[name.split()[1]])
    return found


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
