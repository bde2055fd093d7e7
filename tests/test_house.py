"""The house: imports point down, nothing of ours is imported late, files and functions are short.

python tests/test_house.py prints how the sources stand; with -v every place.
"""

import sys
from pathlib import Path

import pytest
from house import Source, arrows_up, circles, homeless, late_imports, late_own_imports, read
from house_rules import (
    LONGEST_FILE,
    LONGEST_FUNCTION,
    capability_checks,
    long_files,
    long_functions,
    typed_numbers,
    unformatted,
)

ROOT = Path(__file__).resolve().parents[1]
CHECKS = {
    "circles of imports": circles,
    "arrows that point up": arrows_up,
    "modules without a place": homeless,
    "late imports": late_imports,
    f"files above {LONGEST_FILE} lines": long_files,
    f"functions above {LONGEST_FUNCTION} lines": long_functions,
    "capability checks": capability_checks,
    "typed engine numbers": typed_numbers,
}
MEASURES = CHECKS | {"late imports of our own": late_own_imports, "# fmt: skip": unformatted}
CIRCLES, UP, HOMELESS, LATE, FILES, FUNCTIONS, CAPABILITIES, TYPED = CHECKS
NUMBERS = "class Kind(IntEnum):\n    DENSE = 0\n    RELU = auto()\n"


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    return read(ROOT)


@pytest.mark.parametrize("check", CHECKS)
def test_the_house_keeps_its_rules(sources: list[Source], check: str) -> None:
    faults = CHECKS[check](sources)
    assert not faults, f"{len(faults)} {check}:\n" + "\n".join(faults)


def test_everything_is_read(sources: list[Source]) -> None:
    paths = {source.path for source in sources}
    assert {"fastbp/__init__.py", "fastbp/cli/train.py", "kernels/numbers.py"} <= paths
    for ending in (".pyx", ".pxd", ".pxi"):
        assert any(path.endswith(ending) for path in paths)


# What follows shows that each check can fail, on houses of a few lines.


def faults(root: Path, check: str, files: dict[str, str]) -> list[str]:
    """What a check finds in a house of these files."""
    for path, text in ({"fastbp/__init__.py": "", "kernels/__init__.py": ""} | files).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return MEASURES[check](read(root))


def test_a_circle_of_two(tmp_path: Path) -> None:
    found = faults(
        tmp_path, CIRCLES, {"fastbp/a.py": "from .b import f", "fastbp/b.py": "from . import a"}
    )
    assert found == ["fastbp.a -> fastbp.b -> fastbp.a"]


def test_a_circle_of_three_that_an_import_in_a_function_closes(tmp_path: Path) -> None:
    files = {
        "fastbp/a.py": "import fastbp.b",
        "fastbp/b.py": "from fastbp.c import f",
        "fastbp/c.py": "def f():\n    from .a import g",
    }
    assert faults(tmp_path, CIRCLES, files) == ["fastbp.a -> fastbp.b -> fastbp.c -> fastbp.a"]


def test_a_circle_with_a_package_of_its_own(tmp_path: Path) -> None:
    files = {
        "fastbp/layers/__init__.py": "from .dense import Linear",
        "fastbp/layers/dense.py": "from . import Layer",
    }
    circle = "fastbp.layers -> fastbp.layers.dense -> fastbp.layers"
    assert faults(tmp_path, CIRCLES, files) == [circle]


def test_what_is_imported_for_types_alone_closes_no_circle(tmp_path: Path) -> None:
    files = {
        "fastbp/a.py": "from .b import f",
        "fastbp/b.py": "if TYPE_CHECKING:\n    from .a import A",
        "fastbp/layers/__init__.py": "from .dense import Linear",
        "fastbp/layers/dense.py": "from .base import Layer\nfrom ..a import x",
        "fastbp/layers/base.py": "",
    }
    assert faults(tmp_path, CIRCLES, files) == []


@pytest.mark.parametrize(
    ("path", "text", "target"),
    [
        ("fastbp/network.py", "from .storage import save", "storage"),
        ("fastbp/network.py", "def f():\n    from . import storage", "storage"),
        ("fastbp/layers/dense.py", "from ..network import Sequential", "network"),
        (
            "fastbp/layers/dense.py",
            "import importlib\nimportlib.import_module('fastbp.network')",
            "network",
        ),
        ("kernels/_numpy.py", "from fastbp import _checks", "_checks"),
    ],
)
def test_an_arrow_up(tmp_path: Path, path: str, text: str, target: str) -> None:
    files = dict.fromkeys(("fastbp/storage.py", "fastbp/network.py", "fastbp/_checks.py"), "")
    (fault,) = faults(tmp_path, UP, files | {path: text})
    assert fault.endswith(f"imports fastbp.{target}, which stands above it")


def test_only_the_command_line_imports_the_public_names(tmp_path: Path) -> None:
    files = {
        "fastbp/cli/train.py": "import fastbp as fb\nfrom fastbp import fit",
        "fastbp/plots/curves.py": "from fastbp import plots, experiments\nimport fastbp.plots",
        "fastbp/plots/__init__.py": "",
        "fastbp/many.py": "from fastbp import fit",
    }
    name = "fastbp/many.py:1: fastbp.many imports fastbp, which stands above it"
    plots = "fastbp/plots/curves.py:1: fastbp.plots.curves imports fastbp, which stands above it"
    assert faults(tmp_path, UP, files) == [name, plots]  # there is no module fastbp.experiments


def test_arrows_down_and_sideways(tmp_path: Path) -> None:
    files = {
        "fastbp/cli/train.py": "from fastbp.experiments import runner\nfrom . import other",
        "fastbp/cli/other.py": "from fastbp.kernels import numbers",
        "fastbp/experiments/runner.py": "from fastbp.models import read",
        "fastbp/models/__init__.py": "import numpy as np",
        "kernels/numbers.py": "",
    }
    assert faults(tmp_path, UP, files) == faults(tmp_path, HOMELESS, files) == []


def test_a_module_without_a_place(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, HOMELESS, {"fastbp/new/part.py": "", "fastbp/network.py": ""})
    assert fault.startswith("fastbp/new/part.py: add 'new' to ORDER in tests/house.py")


def test_late_imports(tmp_path: Path) -> None:
    body = """
        import csv
        import pandas as pd
        from matplotlib.figure import Figure
        import requests
        from . import losses
        """
    files = {"fastbp/losses.py": "", "fastbp/a.py": "def f():" + body}
    own = "fastbp/a.py:6: imports fastbp.losses inside a function"
    assert faults(tmp_path, LATE, files) == [
        "fastbp/a.py:5: imports requests inside a function",
        own,
    ]
    assert faults(tmp_path, "late imports of our own", files) == [own]


def test_long_files_and_functions(tmp_path: Path) -> None:
    long, short = ("    x\n" * lines for lines in (LONGEST_FUNCTION, LONGEST_FUNCTION - 1))
    files = {
        "fastbp/a.py": f"def long():\n{long}\ndef short():\n{short}"
        f'def told():\n    """Short.\n\n{long}    """\n{short}'
        f'def long_too():\n    """Long."""\n{long}',
        "fastbp/b.py": "x\n" * (LONGEST_FILE + 1),
        "kernels/c.pxd": "cdef int declared(int a)\n"
        f"cdef inline real long(\n        real x,\n) noexcept nogil:\n{long}\n"
        f"def short(x):\n{short}cdef int y = short(1)\n",
        "kernels/d.pyx": f"cdef class C:\n    def short(self):\n    {short}    def other(self):\n",
    }
    assert faults(tmp_path, FILES, files) == [f"fastbp/b.py: {LONGEST_FILE + 1} lines"]
    assert faults(tmp_path, FUNCTIONS, files) == [
        f"fastbp/a.py:1: long, {LONGEST_FUNCTION + 1} lines",
        f"fastbp/a.py:{4 * LONGEST_FUNCTION + 6}: long_too, {LONGEST_FUNCTION + 1} lines",
        f"kernels/c.pxd:2: long, {LONGEST_FUNCTION + 3} lines",
    ]


def test_capability_checks(tmp_path: Path) -> None:
    text = """
hasattr(kernels, "train_steps")
getattr(active().kernels, "OneSample", None)
getattr(kernels(), name)
hasattr(layer, "inputs")
"""
    assert faults(tmp_path, CAPABILITIES, {"fastbp/a.py": text}) == [
        "fastbp/a.py:2: hasattr(kernels, 'train_steps')",
        "fastbp/a.py:3: getattr(active().kernels, 'OneSample', None)",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "DENSE = 0",
        "_DENSE: int = 0",
        "DENSE, RELU = range(2)",
        "RELU = DENSE + 1",
        "RELU = np.int64(1)",
        "OTHER, RELU = len(KINDS), 1",
    ],
)
def test_a_typed_number(tmp_path: Path, line: str) -> None:
    files = {"kernels/numbers.py": NUMBERS, "fastbp/program.py": line}
    assert len(faults(tmp_path, TYPED, files)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "DENSE = Kind.DENSE",
        "DENSE = int(Kind.DENSE)",
        "OTHER = 3",
        "RELU = 'relu'",
        "RELU = Measure('relu', 3)",
        "RELU = 0.5",
        "def f():\n    RELU = 1",
    ],
)
def test_a_number_that_is_taken_over_or_another_thing(tmp_path: Path, text: str) -> None:
    files = {"kernels/numbers.py": NUMBERS, "fastbp/program.py": text}
    assert faults(tmp_path, TYPED, files) == []


def test_numbers_typed_in_enums(tmp_path: Path) -> None:
    enum = "cdef enum Kind:  # of a row\n    DENSE\n    OTHER, RELU = 5  # five\ncdef int DENSE\n"
    files = {
        "kernels/numbers.py": NUMBERS,
        "kernels/native/numbers.pxd": enum,
        "kernels/program.pxd": enum,
        "fastbp/b.py": "class Again(IntEnum):\n    RELU = 1\n",
    }
    assert faults(tmp_path, TYPED, files) == [
        "fastbp/b.py:2: RELU = 1",
        "kernels/program.pxd:2: DENSE",
        "kernels/program.pxd:3: OTHER, RELU = 5  # five",
    ]


def main() -> None:
    """Print each measure of the house; with -v every place that counts for it."""
    found = {name: measure(read(ROOT)) for name, measure in MEASURES.items()}
    for name, places in found.items():
        sys.stdout.write(f"{name:<28}{len(places):>5}\n")
        if "-v" in sys.argv:
            sys.stdout.writelines(f"    {place}\n" for place in places)


if __name__ == "__main__":
    main()
