"""What pyproject.toml cannot say: the native kernels, built once for each CPU level.

kernels/native/_cython.pyx becomes C once; that C file is compiled to one module a level
(fastbp.kernels._cython_v2, _v3, _v4; _cython_plain where the levels do not exist), of which
fastbp.backends picks one at run time. FASTBP_BUILD=python leaves the native kernels out, for
machines without a C compiler; FASTBP_BUILD=v3, say, builds that level alone, in a third of the
time. FASTBP_REPOSITORY, which the forge knows of itself, is the address that a package to publish
links to; a wheel of an sdist has that of the sdist.
"""

import os
import re
import runpy
import shutil
import sys
import sysconfig
from collections.abc import Iterable
from glob import glob
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.editable_wheel import editable_wheel

# Not -ffast-math, not -fassociative-math: regrouping sums would break the range reduction in
# elementary.pxd, and the vector types of tile.pxd leave nothing to gain from it. Traps and errno
# are not used; without them comparisons and square roots vectorise.
# What is inline is so by attribute; everything else stays a function of its own.
FLAGS = ["-O3", "-g0", "-fno-math-errno", "-fno-trapping-math", "-fno-inline-functions-called-once"]

# For the .pxd files too, which a directive at the top of a .pyx does not reach.
DIRECTIVES = {
    "language_level": 3,
    "binding": True,
    "freethreading_compatible": True,
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "cdivision": True,
}

X86_LEVELS = {
    "v2": ["-march=x86-64-v2", "-DVECTOR_BYTES=16"],
    "v3": ["-march=x86-64-v3", "-DVECTOR_BYTES=32"],
    "v4": ["-march=x86-64-v4", "-DVECTOR_BYTES=64", "-mprefer-vector-width=512"],
}


BUILD = os.environ.get("FASTBP_BUILD")


def levels() -> dict[str, list[str]]:
    """The CPU levels to build for, each with its compiler flags."""
    platform = sysconfig.get_platform()
    if platform.startswith("win"):
        known = {"plain": list[str]()}
    elif platform.endswith("x86_64") and not platform.startswith("macosx"):
        known = {level: FLAGS + flags for level, flags in X86_LEVELS.items()}
    else:  # arm64 always has its vector unit; a Mac build may be for two CPUs
        known = {"plain": FLAGS}
    if BUILD and BUILD not in known:
        raise SystemExit(f"FASTBP_BUILD: expected python or one of {', '.join(known)}; got {BUILD}")
    return {BUILD: known[BUILD]} if BUILD else known


def extensions() -> list[Extension]:
    """The processor check, and one module of kernels for each level."""
    import numpy
    from Cython.Build import cythonize

    # fastbp.backends compares the digest when it loads a module, so that no stale build runs.
    _say(levels())
    source_hash = runpy.run_path("kernels/_source.py")["source_hash"]()
    cpu, native = cythonize(
        [
            Extension("fastbp.kernels._cpu", ["kernels/native/_cpu.pyx"]),
            Extension("fastbp.kernels._cython", ["kernels/native/_cython.pyx"]),
        ],
        build_dir="build/cython",
        include_path=["kernels/native"],
        compiler_directives=DIRECTIVES,
    )
    return [cpu] + [
        Extension(
            f"fastbp.kernels._cython_{level}",
            [_copy(native.sources[0], level)],
            extra_compile_args=flags,
            include_dirs=[numpy.get_include()],
            define_macros=[
                ("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"),
                ("PyInit__cython", f"PyInit__cython_{level}"),
                ("CYTHON_INLINE", "inline __attribute__((always_inline))"),
                ("SOURCE_HASH", f'"{source_hash}"'),
            ],
            # A comment changes the hash, and not the C file.
            depends=glob("kernels/native/*.p*"),
        )
        for level, flags in levels().items()
    ]


class EditableWheel(editable_wheel):
    """An editable install is the checkout's path, which type checkers follow; they run no hook.

    fastbp finds kernels/ beside itself there.
    """

    def finalize_options(self) -> None:
        """A mode that was asked for is that."""
        super().finalize_options()
        self.mode = self.mode or "compat"


def repository() -> str:
    """The repository's address: as given, as the sdist of these sources has it, or none."""
    found = Path("PKG-INFO")  # beside setup.py in an sdist alone
    about = found.read_text("utf-8") if found.exists() else ""
    built_with = re.search(r"^Project-URL: Source, (.+)$", about.partition("\n\n")[0], re.M)
    address = os.environ.get("FASTBP_REPOSITORY") or (built_with[1] if built_with else "")
    if address and not re.fullmatch(r"https://[\w.-]+(:\d+)?(/[\w.-]+){2,}", address):
        raise SystemExit(
            "FASTBP_REPOSITORY: expected a repository's address, as https://HOST/OWNER/NAME; "
            f"got {address!r}"
        )
    return address


def addresses(source: str) -> dict[str, str]:
    """Where an index sends its readers; HEAD is whichever branch the forge shows first."""
    inside = {
        "Documentation": "/tree/HEAD/docs",
        "Source": "",
        "Issues": "/issues",
        "Changelog": "/blob/HEAD/CHANGELOG.md",
    }
    return {name: source + path for name, path in {"Homepage": "", **inside}.items() if source}


def description(source: str) -> str:
    """README as an index shows it: without pictures of a checkout; its links lead to the source."""
    text = Path("README.md").read_text("utf-8")
    inside = r"\((LICENSE|(?!\w+:)[\w/-]*[./][\w./-]*(?:#[\w-]+)?)\)"
    text = re.sub(rf"^!\[[^\]]*\]{inside}\n+", "", text, flags=re.M)
    linked = rf"[\1]({source}/blob/HEAD/\2)" if source else r"\1"
    return re.sub(rf"\[([^\]]*)\]{inside}", linked, text)


def _say(built: Iterable[str]) -> None:
    """What takes so long; pip shows it with -v."""
    sys.stderr.write(
        f"fastbp: compiling native kernels for {', '.join(built)}: one to three minutes "
        "(FASTBP_BUILD=python leaves them out)\n"
    )


def _copy(source: str, level: str) -> str:
    """The C file under a name of its own, so that levels can be compiled side by side."""
    copy = Path(source).with_name(f"_cython_{level}.c")
    if not copy.exists() or copy.read_bytes() != Path(source).read_bytes():
        shutil.copyfile(source, copy)
    return str(copy)


source = repository()
setup(
    long_description=description(source),
    long_description_content_type="text/markdown",
    project_urls=addresses(source),
    cmdclass={"editable_wheel": EditableWheel},
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
    ext_modules=[] if BUILD == "python" else extensions(),
)
