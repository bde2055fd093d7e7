"""The C compiler of the wheels: zig's, for another C library or processor than this machine's.

build.py sets CC to this file, and says by ZIG_TARGET for what to compile, by ZIG_INCLUDE where
Python.h is. It is Clang: GCC's names of the CPU levels become zig's, and flags of GCC alone are
ignored. zig calls musl's library libc.so; modules are made to ask for it by the name that Alpine
has, one a processor, by which auditwheel knows it (musl's loader takes either).
"""

import os
import re
import subprocess
import sys


def command(arguments: list[str]) -> list[str]:
    """What is run for a compiler's arguments."""
    levels = (re.sub(r"^-march=x86-64-v(\d)$", r"-march=x86_64_v\1", each) for each in arguments)
    # Without any, zig looks for undefined behaviour, by a runtime that can open files and sockets.
    optimised = () if any(each.startswith("-O") for each in arguments) else ("-O2",)
    return [
        *(sys.executable, "-m", "ziglang", "cc", "-target", os.environ["ZIG_TARGET"]),
        *("-Wno-ignored-optimization-argument", f"-I{os.environ['ZIG_INCLUDE']}"),
        *optimised,
        *levels,
    ]


def by_its_name(module: str) -> None:
    """Let a module ask for musl's library by its own name."""
    arch = os.environ["ZIG_TARGET"].split("-")[0]
    command = ["patchelf", "--replace-needed", "libc.so", f"libc.musl-{arch}.so.1", module]
    subprocess.run(command, check=True)


def main(arguments: list[str]) -> int:
    """Compile or link; the exit code."""
    code = subprocess.run(command(arguments)).returncode
    if not code and "-shared" in arguments and os.environ["ZIG_TARGET"].endswith("-musl"):
        by_its_name(arguments[arguments.index("-o") + 1])
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
