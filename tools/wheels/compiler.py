"""The C compiler of the wheels: zig's, for another C library or processor than this machine's.

build.py sets CC to this file, and says by ZIG_TARGET for what to compile, by ZIG_INCLUDE where
Python.h is. It is Clang: GCC's names of the CPU levels become zig's, and flags of GCC alone are
ignored.
"""

import os
import re
import subprocess
import sys


def command(arguments: list[str]) -> list[str]:
    """What is run for a compiler's arguments."""
    levels = (re.sub(r"^-march=x86-64-v(\d)$", r"-march=x86_64_v\1", each) for each in arguments)
    return [
        *(sys.executable, "-m", "ziglang", "cc", "-target", os.environ["ZIG_TARGET"]),
        *("-Wno-ignored-optimization-argument", f"-I{os.environ['ZIG_INCLUDE']}"),
        *levels,
    ]


if __name__ == "__main__":
    sys.exit(subprocess.run(command(sys.argv[1:])).returncode)
