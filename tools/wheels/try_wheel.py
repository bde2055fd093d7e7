"""Installs a wheel in a fresh environment that has no compiler, and trains on MNIST with it.

    python tools/wheels/try_wheel.py dist/fastbp-*-cp311-*x86_64.whl
    python tools/wheels/try_wheel.py dist/fastbp-*-cp312-*x86_64.whl --python python3.12

The native backend must train, to the accuracy of an epoch, at each CPU level that this processor
has. Python's own packages only; nothing of the checkout is used.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

LEAST = 0.9  # of the test images right, after an epoch
TRAINING = ["-m", "fastbp", "train", "--epochs", "1", "--hidden", "128",
            "--backend", "cython", "--quiet", "--no-plots", "--json"]  # fmt: skip


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--python", default=sys.executable, help="default: the running one")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        python = installed(args.wheel.resolve(), args.python, folder)
        for level in levels(python, folder):
            accuracy = trained(python, folder, level)
            sys.stdout.write(f"{args.wheel.name}, {level}: {accuracy:.2%} of the test images\n")
            sys.stdout.flush()
            if accuracy < LEAST:
                return 1
    return 0


def installed(wheel: Path, python: str, folder: str) -> str:
    """A new environment with the wheel; its Python."""
    subprocess.run([python, "-m", "venv", "environment"], cwd=folder, check=True)
    own = str(Path(folder, "environment", "bin", "python"))
    pip = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    environment = os.environ | {"CC": "/bin/false", "CXX": "/bin/false"}
    subprocess.run([*pip, "--only-binary", ":all:", str(wheel)], env=environment, check=True)
    return own


def levels(python: str, folder: str) -> list[str]:
    """The CPU levels that can be tried here."""
    code = (
        "from fastbp import backends; print(*backends._levels_to_try(backends.processor_level()))"
    )
    found = output([python, "-c", code], folder).split()
    return [level for level in found if level != "plain"] or ["plain"]


def trained(python: str, folder: str, level: str) -> float:
    """Train; the accuracy on the test images, if the native engine of that level did it."""
    told = json.loads(output([python, *TRAINING, "--output", level], folder, FASTBP_CPU=level))
    if not told["path"].startswith("cython"):
        raise SystemExit(f"trained by {told['path']}")
    return float(told["test_accuracy"])


def output(command: list[str], folder: str, **more: str) -> str:
    """What a command prints."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        command, cwd=folder, env=clean | more, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


if __name__ == "__main__":
    sys.exit(main())
